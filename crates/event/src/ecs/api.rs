//! What a transaction does, in an event: these types are both what is written and what the schema describes.
//!
//! Names are those of OpenTelemetry, where it has one; the others stand under `harken.api`.
use super::json::Json;
use harken_api::graphql::GraphQl;
use harken_api::jsonrpc::JsonRpc;
use harken_api::llm::Llm;
use harken_api::oauth::OAuth;
use harken_api::rpc::{Rpc, System};
use harken_api::{Api, soap::Soap};
use schemars::JsonSchema;
use serde::Serialize;

/// Members of the event itself.
#[derive(Serialize, JsonSchema, Default)]
pub(super) struct Standard {
    /// The call of gRPC, gRPC-Web or Connect, and of JSON-RPC where it is only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    rpc: Option<RpcPart>,
    /// The operation of GraphQL, where it is only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    graphql: Option<GraphQlPart>,
    /// The Model Context Protocol.
    #[serde(skip_serializing_if = "Option::is_none")]
    mcp: Option<McpPart>,
    /// The language model that was asked, or the tool that was called.
    #[serde(skip_serializing_if = "Option::is_none")]
    gen_ai: Option<GenAi>,
}

/// A remote procedure call.
#[derive(Serialize, JsonSchema, Default)]
pub(super) struct RpcPart {
    /// `grpc`, `grpc_web`, `connect_rpc` or `jsonrpc`.
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<String>,
    /// Full name of the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    /// Name of the method.
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    /// What gRPC and gRPC-Web add.
    #[serde(skip_serializing_if = "Option::is_none")]
    grpc: Option<GrpcPart>,
    /// What Connect adds.
    #[serde(skip_serializing_if = "Option::is_none")]
    connect_rpc: Option<ErrorPart>,
    /// What JSON-RPC adds.
    #[serde(skip_serializing_if = "Option::is_none")]
    jsonrpc: Option<JsonRpcPart>,
}

/// What gRPC and gRPC-Web add.
#[derive(Serialize, JsonSchema, Default)]
pub(super) struct GrpcPart {
    /// Status code; absent when none was seen, as of a call that was cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    status_code: Option<u16>,
}

/// What Connect adds.
#[derive(Serialize, JsonSchema, Default)]
pub(super) struct ErrorPart {
    /// Code of the error.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<String>,
}

/// What JSON-RPC adds.
#[derive(Serialize, JsonSchema, Default)]
pub(super) struct JsonRpcPart {
    /// Always `2.0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    /// The id, as text; absent in a notification.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// Code of the error that was the answer, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<String>,
    /// Its message.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<String>,
}

/// An operation of GraphQL.
#[derive(Serialize, JsonSchema, Default)]
pub(super) struct GraphQlPart {
    /// The operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<TypedName>,
}

/// Name and type.
#[derive(Serialize, JsonSchema, Default)]
pub(super) struct TypedName {
    /// Its name, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// `query`, `mutation` or `subscription`; absent where only a hash stands for the document.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
}

/// The Model Context Protocol.
#[derive(Serialize, JsonSchema, Default)]
pub(super) struct McpPart {
    /// The method that is called, where it is only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<Name>,
    /// The session.
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<Session>,
    /// The protocol.
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<Version>,
    /// The resource that is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<Resource>,
}

/// What has a name.
#[derive(Serialize, JsonSchema, Default)]
pub(super) struct Name {
    /// The name.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

/// A session.
#[derive(Serialize, JsonSchema, Default)]
pub(super) struct Session {
    /// `Mcp-Session-Id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
}

/// A protocol.
#[derive(Serialize, JsonSchema, Default)]
pub(super) struct Version {
    /// The version that was agreed on, else the one that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
}

/// A resource.
#[derive(Serialize, JsonSchema, Default)]
pub(super) struct Resource {
    /// Its URI.
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<String>,
}

/// Generative AI.
#[derive(Serialize, JsonSchema, Default)]
pub(super) struct GenAi {
    /// `chat`, `text_completion`, `embeddings`, `generate_content` or `execute_tool`.
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<Name>,
    /// The request.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Model>,
    /// The response.
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<Model>,
    /// Tokens, as the response counts them.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
    /// The tool that is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<Name>,
    /// The prompt that is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<Name>,
}

/// A request or a response.
#[derive(Serialize, JsonSchema, Default)]
pub(super) struct Model {
    /// Name of the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
}

/// Tokens, as the response counts them.
#[derive(Serialize, JsonSchema, Default)]
pub(super) struct Usage {
    /// Those of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    input_tokens: Option<u64>,
    /// Those of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    output_tokens: Option<u64>,
}

/// What the transaction does, in the protocol that its bodies speak.
#[derive(Serialize, JsonSchema, Default)]
pub(super) struct ApiPart {
    /// `grpc`, `grpc_web`, `connect_rpc`, `graphql`, `jsonrpc`, `mcp`, `soap`, `oauth` or `llm`.
    protocol: String,
    /// What is done, in a few words: `shop.Cart/Add`, `query Cart`, `tools/call search`, `token client_credentials`.
    operation: String,
    /// Why it failed, by the protocol's own word, which the HTTP status need not tell: `NOT_FOUND`, `-32601`.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// The message that goes with the error.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<String>,
    /// A body goes on beyond what was kept of it: there may be more.
    #[serde(default, skip_serializing_if = "is_false")]
    partial: bool,
    /// The service's health is asked for (`grpc.health.v1.Health`).
    #[serde(default, skip_serializing_if = "is_false")]
    health_check: bool,
    /// How long the client waits, as sent: `grpc-timeout`, `connect-timeout-ms`.
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<String>,
    /// How messages of the request are compressed: `grpc-encoding`.
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<String>,
    /// How many operations of GraphQL or calls of JSON-RPC there are, of a batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    /// Elements of the list `errors` in a response of GraphQL.
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<u64>,
    /// Operations of GraphQL or calls of JSON-RPC, the first 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    calls: Vec<CallPart>,
    /// OAuth: the type of the grant.
    #[serde(skip_serializing_if = "Option::is_none")]
    grant_type: Option<String>,
    /// OAuth: the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    /// SOAP: version of the envelope, `1.1` or `1.2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    /// SOAP: name of the first element in the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    element: Option<String>,
}

/// An operation of GraphQL, or a call of JSON-RPC.
#[derive(Serialize, JsonSchema, Default)]
pub(super) struct CallPart {
    /// GraphQL: `query`, `mutation` or `subscription`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    /// GraphQL: the operation's name; JSON-RPC: the method.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// GraphQL: fields of the root, those of fragments among them; the first 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    fields: Vec<String>,
    /// GraphQL: how deep the fields are nested.
    #[serde(skip_serializing_if = "Option::is_none")]
    depth: Option<u32>,
    /// GraphQL: fields of the document that are given another name.
    #[serde(skip_serializing_if = "Option::is_none")]
    aliases: Option<u32>,
    /// GraphQL: the schema is asked for.
    #[serde(default, skip_serializing_if = "is_false")]
    introspection: bool,
    /// GraphQL: hash of a persisted query.
    #[serde(skip_serializing_if = "Option::is_none")]
    persisted: Option<String>,
    /// JSON-RPC: the id, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// JSON-RPC: code of the error that was the answer, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// MCP: the tool, prompt or resource that is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Appends the members of the event itself.
pub(super) fn standard(json: &mut Json<'_>, api: &Api) {
    let start = json.0.len();
    write(json, &Standard::of(api));
    // The object becomes further members of the one that is open.
    json.0.pop();
    match json.0.get_mut(start..) {
        Some([open, _, ..]) => *open = b',',
        _ => json.0.truncate(start),
    }
}

/// Appends the member of `harken`.
pub(super) fn own(json: &mut Json<'_>, api: &Api) {
    json.raw(br#","api":"#);
    write(json, &ApiPart::of(api));
}

fn write(json: &mut Json<'_>, value: &impl Serialize) {
    // Neither a vector nor these types can fail.
    let _ = serde_json::to_writer(&mut *json.0, value);
}

fn name(name: Option<&str>) -> Option<Name> {
    name.map(|name| Name { name: Some(name.to_owned()) })
}

impl Standard {
    fn of(api: &Api) -> Self {
        match api {
            Api::Rpc(rpc) => Self { rpc: Some(RpcPart::of(rpc)), ..Self::default() },
            Api::GraphQl(graphql) => Self { graphql: GraphQlPart::of(graphql), ..Self::default() },
            Api::JsonRpc(jsonrpc) => Self::of_jsonrpc(jsonrpc),
            Api::Llm(llm) => Self { gen_ai: Some(GenAi::of(llm)), ..Self::default() },
            Api::Soap(_) | Api::OAuth(_) => Self::default(),
        }
    }

    fn of_jsonrpc(jsonrpc: &JsonRpc) -> Self {
        let only = jsonrpc.calls.first().filter(|_| jsonrpc.count == 1);
        let method = only.and_then(|call| call.method.as_deref());
        let target = only.and_then(|call| call.target.as_deref());
        let of = |methods: &[&str]| target.filter(|_| method.is_some_and(|m| methods.contains(&m)));
        let rpc = only.map(|call| RpcPart {
            system: Some("jsonrpc".to_owned()),
            method: call.method.clone(),
            jsonrpc: Some(JsonRpcPart {
                version: Some("2.0".to_owned()),
                request_id: call.id.clone(),
                error_code: call.error_code.clone(),
                error_message: call.error_message.clone(),
            }),
            ..RpcPart::default()
        });
        let Some(mcp) = &jsonrpc.mcp else { return Self { rpc, ..Self::default() } };
        let (tool, prompt) = (of(&["tools/call"]), of(&["prompts/get"]));
        let uri = of(&["resources/read", "resources/subscribe"]);
        let gen_ai = (tool.is_some() || prompt.is_some()).then(|| GenAi {
            operation: name(tool.map(|_| "execute_tool")),
            tool: name(tool),
            prompt: name(prompt),
            ..GenAi::default()
        });
        let mcp = McpPart {
            method: name(method),
            session: mcp.session.clone().map(|id| Session { id: Some(id) }),
            protocol: mcp.version.clone().map(|version| Version { version: Some(version) }),
            resource: uri.map(|uri| Resource { uri: Some(uri.to_owned()) }),
        };
        Self { rpc, mcp: Some(mcp), gen_ai, ..Self::default() }
    }
}

impl RpcPart {
    fn of(rpc: &Rpc) -> Self {
        let known = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let is_connect = rpc.system == System::Connect;
        let failed = rpc.code().filter(|_| rpc.status != Some(0));
        Self {
            system: Some(rpc.system.name().to_owned()),
            service: known(&rpc.service),
            method: known(&rpc.method),
            grpc: rpc.status.filter(|_| !is_connect).map(|code| GrpcPart { status_code: Some(code) }),
            connect_rpc: failed
                .filter(|_| is_connect)
                .map(|code| ErrorPart { error_code: Some(code.to_ascii_lowercase()) }),
            jsonrpc: None,
        }
    }
}

impl GraphQlPart {
    fn of(graphql: &GraphQl) -> Option<Self> {
        let only = graphql.operations.first().filter(|_| graphql.count == 1)?;
        let kind = Some(only.kind.to_owned()).filter(|kind| !kind.is_empty());
        Some(Self { operation: Some(TypedName { name: only.name.clone(), kind }) })
    }
}

impl GenAi {
    fn of(llm: &Llm) -> Self {
        let model = |model: &Option<String>| model.clone().map(|model| Model { model: Some(model) });
        let is_counted = llm.input_tokens.is_some() || llm.output_tokens.is_some();
        Self {
            operation: name(Some(llm.operation)),
            request: model(&llm.model),
            response: model(&llm.answered_by),
            usage: is_counted
                .then_some(Usage { input_tokens: llm.input_tokens, output_tokens: llm.output_tokens }),
            ..Self::default()
        }
    }
}

impl ApiPart {
    fn of(api: &Api) -> Self {
        let part = Self {
            protocol: api.protocol().to_owned(),
            operation: api.operation(),
            error: api.error(),
            partial: api.is_cut(),
            ..Self::default()
        };
        match api {
            Api::Rpc(rpc) => Self {
                error_message: rpc.message.clone(),
                health_check: rpc.is_health_check(),
                timeout: rpc.timeout.clone(),
                encoding: rpc.encoding.clone(),
                ..part
            },
            Api::GraphQl(graphql) => Self {
                count: Some(graphql.count).filter(|count| *count > 1),
                errors: Some(graphql.errors).filter(|count| *count > 0),
                calls: CallPart::of_graphql(graphql),
                ..part
            },
            Api::JsonRpc(jsonrpc) => Self {
                count: Some(jsonrpc.count).filter(|count| *count > 1),
                calls: CallPart::of_jsonrpc(jsonrpc),
                error_message: jsonrpc.calls.iter().find_map(|call| call.error_message.clone()),
                ..part
            },
            Api::Soap(Soap { element, version, .. }) => {
                Self { element: element.clone(), version: Some((*version).to_owned()), ..part }
            }
            Api::OAuth(OAuth { grant_type, client_id, .. }) => {
                Self { grant_type: Some(grant_type.clone()), client_id: client_id.clone(), ..part }
            }
            Api::Llm(_) => part,
        }
    }
}

impl CallPart {
    fn of_graphql(graphql: &GraphQl) -> Vec<Self> {
        let operations = graphql.operations.iter();
        let part = |operation: &harken_api::graphql::Operation| Self {
            kind: Some(operation.kind.to_owned()).filter(|kind| !kind.is_empty()),
            name: operation.name.clone(),
            fields: operation.root_fields.clone(),
            depth: Some(operation.depth).filter(|depth| *depth > 0),
            aliases: Some(operation.aliases).filter(|aliases| *aliases > 0),
            introspection: operation.is_introspection,
            persisted: operation.persisted.clone(),
            ..Self::default()
        };
        operations.map(part).collect()
    }

    fn of_jsonrpc(jsonrpc: &JsonRpc) -> Vec<Self> {
        let part = |call: &harken_api::jsonrpc::JsonCall| Self {
            name: call.method.clone(),
            id: call.id.clone(),
            error: call.error_code.clone(),
            target: call.target.clone(),
            ..Self::default()
        };
        jsonrpc.calls.iter().map(part).collect()
    }
}
