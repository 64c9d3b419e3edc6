//! What a transaction does, where more than its method and path tell it: the call of gRPC, gRPC-Web or Connect, of
//! GraphQL, JSON-RPC or MCP, the action of SOAP, the grant of OAuth, the language model that is asked.
//!
//! It is read from heads and from the part of the bodies that is kept, after secrets in them were masked: nothing that
//! was masked can come out here. A body that is cut off is read as far as it goes, and [`Api::is_cut`] says so.
#![forbid(unsafe_code)]

pub mod graphql;
mod json;
pub mod jsonrpc;
pub mod llm;
pub mod oauth;
mod protobuf;
pub mod rpc;
pub mod soap;

use graphql::GraphQl;
use harken_http::{Exchange, Known, Message};
use json::{Docs, has};
use jsonrpc::JsonRpc;
use llm::Llm;
use oauth::OAuth;
pub use protobuf::Descriptors;
use rpc::Rpc;
use soap::Soap;

/// What a transaction does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Api {
    /// A call of gRPC, gRPC-Web or Connect.
    Rpc(Rpc),
    /// Operations of GraphQL.
    GraphQl(GraphQl),
    /// Calls of JSON-RPC 2.0, those of MCP among them.
    JsonRpc(JsonRpc),
    /// An action of SOAP.
    Soap(Soap),
    /// A token is asked for, RFC 6749.
    OAuth(OAuth),
    /// A language model is asked.
    Llm(Llm),
}

/// An exchange with the parts of its target.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    request: Option<&'a Message>,
    response: Option<&'a Message>,
    path: &'a [u8],
    query: &'a [u8],
}

impl Api {
    /// Reads what an exchange does, whose target has these parts; `None` where method and path say it all.
    pub fn of(exchange: &Exchange, path: &[u8], query: &[u8]) -> Option<Self> {
        let (request, response) = (exchange.request.as_deref(), exchange.response.as_deref());
        let call = Call { request, response, path, query };
        Rpc::of(&call)
            .map(Self::Rpc)
            .or_else(|| Self::of_body(&call))
            .or_else(|| GraphQl::of_query(&call).map(Self::GraphQl))
            .or_else(|| JsonRpc::of_session(&call).map(Self::JsonRpc))
    }

    /// What the request's body says.
    fn of_body(call: &Call<'_>) -> Option<Self> {
        let request = call.request?;
        let first = request.body.kept.trim_ascii_start().first()?;
        let told = match first {
            b'{' | b'[' => Self::of_json(call, request),
            _ => OAuth::of_form(call)
                .map(Self::OAuth)
                .or_else(|| Soap::of(call).map(Self::Soap))
                .or_else(|| GraphQl::of_multipart(call).map(Self::GraphQl)),
        };
        told.or_else(|| GraphQl::of_text(call).map(Self::GraphQl))
    }

    /// What a request's body says that looks like JSON. It is read only when a word in it, or its path, makes that worth it.
    fn of_json(call: &Call<'_>, request: &Message) -> Option<Self> {
        const WORDS: [&[u8]; 6] = [
            b"\"jsonrpc\"",
            b"\"query\"",
            b"\"persistedQuery\"",
            b"\"model\"",
            b"\"messages\"",
            b"\"grant_type\"",
        ];
        let kept = request.body.kept.as_slice();
        if llm::operation(call.path).is_none() && !WORDS.iter().any(|word| has(kept, word)) {
            return None;
        }
        let docs = Docs::of(request);
        JsonRpc::of(call, &docs)
            .map(Self::JsonRpc)
            .or_else(|| GraphQl::of(call, &docs).map(Self::GraphQl))
            .or_else(|| Llm::of(call, &docs).map(Self::Llm))
            .or_else(|| OAuth::of_json(call, &docs).map(Self::OAuth))
    }

    /// A stable name of the protocol for logs and events.
    pub const fn protocol(&self) -> &'static str {
        match self {
            Self::Rpc(rpc) => rpc.system.name(),
            Self::GraphQl(_) => "graphql",
            Self::JsonRpc(JsonRpc { mcp: Some(_), .. }) => "mcp",
            Self::JsonRpc(_) => "jsonrpc",
            Self::Soap(_) => "soap",
            Self::OAuth(_) => "oauth",
            Self::Llm(_) => "llm",
        }
    }

    /// What is done, in a few words: `query Cart`, `tools/call search`, `shop.Cart/Add`.
    pub fn operation(&self) -> String {
        match self {
            Self::Rpc(rpc) => rpc.operation(),
            Self::GraphQl(graphql) => graphql.operation(),
            Self::JsonRpc(jsonrpc) => jsonrpc.operation(),
            Self::Soap(soap) => soap.action.clone(),
            Self::OAuth(oauth) => oauth.operation(),
            Self::Llm(llm) => llm.summary(),
        }
    }

    /// Why it failed, by the protocol's own word, which the HTTP status need not tell: `NOT_FOUND`, `-32601`.
    pub fn error(&self) -> Option<String> {
        match self {
            Self::Rpc(rpc) => rpc.error().map(str::to_owned),
            Self::GraphQl(graphql) => (graphql.errors > 0).then(|| "errors".to_owned()),
            Self::JsonRpc(jsonrpc) => jsonrpc.error().map(str::to_owned),
            Self::Soap(soap) => soap.is_fault.then(|| "fault".to_owned()),
            Self::OAuth(oauth) => oauth.error.clone(),
            Self::Llm(_) => None,
        }
    }

    /// A body goes on beyond what was kept of it, so that there may be more.
    pub const fn is_cut(&self) -> bool {
        match self {
            Self::Rpc(_) | Self::Soap(_) => false,
            Self::GraphQl(graphql) => graphql.is_cut,
            Self::JsonRpc(jsonrpc) => jsonrpc.is_cut,
            Self::OAuth(oauth) => oauth.is_cut,
            Self::Llm(llm) => llm.is_cut,
        }
    }
}

/// The first field of that name, of the headers.
pub(crate) fn header<'m>(message: Option<&'m Message>, name: &str) -> Option<&'m [u8]> {
    find(message?.headers(), name)
}

/// The value of the first field of that name.
pub(crate) fn find<'m>(
    mut fields: impl Iterator<Item = (&'m [u8], &'m [u8])>,
    name: &str,
) -> Option<&'m [u8]> {
    fields.find(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
}

/// Bytes as text; what is not UTF-8 becomes U+FFFD.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The media type of a message, without parameters.
pub(crate) fn media_type(message: &Message) -> &[u8] {
    let value = message.known(Known::ContentType).unwrap_or_default();
    value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii()
}

/// The documents of a response: of a JSON body, or of those server-sent events that have one of these words in them.
pub(crate) fn answers(response: Option<&Message>, words: &[&[u8]]) -> Vec<json::Doc> {
    let Some(response) = response else { return Vec::new() };
    let kept = response.body.kept.as_slice();
    if media_type(response).eq_ignore_ascii_case(b"text/event-stream") {
        return json::events(kept, words);
    }
    if words.iter().any(|word| has(kept, word)) { Docs::of(response).docs } else { Vec::new() }
}

#[cfg(test)]
mod tests;
