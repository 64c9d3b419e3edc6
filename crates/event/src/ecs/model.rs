//! The shape of the event, out of which its JSON Schema is made; `write.rs` writes it, and `tests.rs` holds the two
//! together.
//!
//! Names are those of Elastic Common Schema and OpenTelemetry's HTTP conventions; what has no name there
//! stands under `harken`. An absent value is left out, never null: so an `Option`, or a value with a default,
//! may be absent. The comments on the fields are the descriptions in the schema.
#![expect(dead_code, reason = "there are no values of these types: they only describe")]
use super::api::{ApiPart, Standard};
use super::model_parts::{Cloud, Fingerprint, Messages, NamedClient, WebSocket, WebSocketMessage};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// One HTTP transaction: a request and its response, as far as they were seen.
#[derive(JsonSchema)]
#[schemars(title = "Harken transaction event")]
pub(super) struct Event {
    /// When the request began; the response where the request was not seen.
    #[schemars(rename = "@timestamp")]
    timestamp: Time,
    /// Version of Elastic Common Schema that the names follow.
    ecs: EcsVersion,
    /// What kind of event this is.
    event: Meta,
    /// The connection.
    network: Network,
    /// The machine whose interface was mirrored, by the VNI, where `--vni-names` knows it.
    cloud: Option<Cloud>,
    /// Who asked: whom a trusted proxy has named, else the side that opened the connection.
    client: ClientEnd,
    /// Who answered.
    server: Peer,
    /// The side that opened the connection.
    source: Peer,
    /// Same as `server`.
    destination: Peer,
    /// The two messages.
    http: Http,
    /// The request's target.
    url: Option<UrlParts>,
    /// The client program.
    user_agent: Option<UserAgent>,
    /// The user.
    user: Option<User>,
    /// What the transaction does, by OpenTelemetry's names.
    #[schemars(flatten)]
    standard: Standard,
    /// What Elastic Common Schema has no names for.
    harken: Harken,
}

/// Version of Elastic Common Schema.
#[derive(JsonSchema)]
struct EcsVersion {
    /// The version.
    version: String,
}

/// What kind of event this is.
#[derive(JsonSchema)]
struct Meta {
    /// Identifier of the transaction: the same in every replay of the same packets.
    id: String,
    /// Always `event`.
    kind: String,
    /// Always `network` and `web`.
    category: [String; 2],
    /// Always `access`.
    #[schemars(rename = "type")]
    kinds: [String; 1],
    /// `harken.http`; `harken.websocket` of a WebSocket connection that is over; `harken.websocket_message` of one of its
    /// messages.
    dataset: String,
    /// Nanoseconds from `@timestamp` to the last byte of the transaction.
    duration: u64,
    /// `failure` for status codes from 400 on, `success` below, `unknown` without one.
    outcome: String,
}

/// The connection.
#[derive(JsonSchema)]
struct Network {
    /// Always `tcp`.
    transport: String,
    /// Always `http`.
    protocol: String,
    /// `ipv4` or `ipv6`, inside all tunnels.
    #[schemars(rename = "type")]
    kind: String,
    /// Community ID version 1 of the connection.
    community_id: String,
    /// Outermost VLAN tag inside all tunnels.
    vlan: Option<Vlan>,
    /// What is inside the outermost VLAN tag.
    inner: Option<Inner>,
}

/// A VLAN tag, IEEE 802.1Q.
#[derive(JsonSchema)]
struct Vlan {
    /// The identifier, as text.
    id: String,
}

/// The second tag of a doubly tagged frame.
#[derive(JsonSchema)]
struct Inner {
    /// The tag.
    vlan: Vlan,
}

/// Who asked.
#[derive(JsonSchema)]
struct ClientEnd {
    /// Its address.
    ip: Address,
    /// Its port; absent where a proxy has named the client without one.
    port: Option<u16>,
    /// Bytes of the request, head and body as transferred.
    bytes: u64,
}

/// One side of the connection.
#[derive(JsonSchema)]
struct Peer {
    /// Its address.
    ip: Address,
    /// Its port.
    port: u16,
    /// Bytes of the message that it sent in this transaction, head and body as transferred.
    bytes: u64,
}

/// The two messages.
#[derive(JsonSchema)]
struct Http {
    /// Version of the request, of the response where the request was not seen: `0.9`, `1.0` or `1.1`.
    version: String,
    /// The request; absent when it was not seen.
    request: Option<Request>,
    /// The response; absent when none was seen.
    response: Option<Response>,
}

/// The request.
#[derive(JsonSchema)]
struct Request {
    /// Its method, as sent.
    method: String,
    /// `Referer`.
    referrer: Option<String>,
    /// What all messages have.
    #[schemars(flatten)]
    common: Common,
}

/// The response.
#[derive(JsonSchema)]
struct Response {
    /// Its status code; absent in a response without a status line (HTTP/0.9), and when only interim
    /// responses were seen.
    status_code: Option<u16>,
    /// Its reason phrase.
    reason: Option<String>,
    /// The last interim (1xx) response before it.
    informational: Option<Interim>,
    /// What all messages have; absent when only interim responses were seen.
    #[schemars(flatten)]
    common: Option<Common>,
}

/// An interim response, RFC 9110 section 15.2.
#[derive(JsonSchema)]
struct Interim {
    /// 100 to 199.
    status_code: u16,
    /// Its reason phrase.
    reason: String,
}

/// What all messages have.
#[derive(JsonSchema)]
struct Common {
    /// Bytes of head and body, the body without its chunk framing.
    bytes: u64,
    /// Media type told from the content, whatever the header says.
    mime_type: Option<String>,
    /// Header fields in wire order.
    headers: Option<Vec<HeaderField>>,
    /// Trailer fields in wire order.
    trailers: Option<Vec<HeaderField>>,
    /// The body.
    body: Body,
}

/// One header or trailer field.
#[derive(JsonSchema)]
struct HeaderField {
    /// Its name, as sent.
    name: String,
    /// Its value, with secrets masked.
    value: String,
}

/// A body.
#[derive(JsonSchema)]
struct Body {
    /// Bytes as transferred, without chunk framing, before content decoding.
    bytes: u64,
    /// Bytes after content decoding.
    decoded_bytes: u64,
    /// Bytes that the capture misses.
    #[schemars(default)]
    missing_bytes: u64,
    /// Content coding: `gzip`, `deflate`, `br`, `zstd` or `other`.
    coding: Option<String>,
    /// Content decoding failed or hit a limit; what follows was not decoded.
    #[schemars(default)]
    decode_failed: bool,
    /// Messages of protocol buffers that are read with `--proto-descriptors`: `content` is a list of them, as JSON.
    #[schemars(default)]
    decoded_messages: u64,
    /// The first bytes after decoding.
    content: Option<String>,
    /// `base64` when `content` is coded so, because it is not UTF-8.
    encoding: Option<String>,
    /// `content` is only the beginning.
    #[schemars(default)]
    truncated: bool,
}

/// The request's target; parts are as sent, not decoded.
#[derive(JsonSchema)]
struct UrlParts {
    /// The target as sent, but for a password in it.
    original: String,
    /// The whole URL, where the host is known.
    full: Option<String>,
    /// Scheme; `http` unless the target has another.
    scheme: String,
    /// Host, of the target or else of the `Host` field.
    domain: Option<String>,
    /// Port, of the target or else of the `Host` field.
    port: Option<u16>,
    /// Path.
    path: Option<String>,
    /// Query, without the question mark.
    query: Option<String>,
    /// Fragment, without the number sign.
    fragment: Option<String>,
}

/// The client program.
#[derive(JsonSchema)]
struct UserAgent {
    /// `User-Agent`.
    original: String,
}

/// The user.
#[derive(JsonSchema)]
struct User {
    /// Name in Basic authentication.
    name: String,
}

/// What Elastic Common Schema has no names for.
#[derive(JsonSchema)]
struct Harken {
    /// Version of this schema.
    schema_version: String,
    /// Identifier of the connection, shared with the Zeek logs.
    uid: String,
    /// Number of the transaction on its connection, from 1.
    depth: u32,
    /// The transaction is not over, seconds after it began: this is what there is of it. It has another event at its end,
    /// with the same `harken.uid` and `harken.depth`.
    #[schemars(default)]
    in_progress: bool,
    /// How the client is known; absent where it is the side that opened the connection.
    client: Option<NamedClient>,
    /// What tells programs that send requests apart; absent when the request was not seen.
    fingerprint: Option<Fingerprint>,
    /// When the parts of the messages were captured: nanoseconds from `@timestamp`.
    timing: Timing,
    /// What is missing.
    completeness: Completeness,
    /// What the transaction does, where more than method and path tell it.
    api: Option<ApiPart>,
    /// The messages that the bodies consist of: of gRPC, gRPC-Web, streams of Connect, server-sent events.
    messages: Option<Messages>,
    /// What a WebSocket connection was used for, of an event when it is over. The transaction that has begun it had an event
    /// of its own before, and is told here again.
    websocket: Option<WebSocket>,
    /// The message of a WebSocket connection that this event is, with `--websocket-messages`. What it says is the body of the
    /// request where the client has sent it, else of the response; the rest is of the transaction that has begun the connection.
    websocket_message: Option<WebSocketMessage>,
    /// Tunnels that were taken off.
    tunnel: Option<Tunnel>,
    /// Reasons to suspect that another reader would see other message boundaries (request smuggling).
    #[schemars(default)]
    desync: Vec<String>,
    /// Secrets and personal data that were replaced in this event, without their values; the first 32 kinds and
    /// places, all are masked.
    #[schemars(default)]
    masked: Vec<Masked>,
}

/// When the parts of the messages were captured: nanoseconds from `@timestamp`, which is when the first byte of the
/// request was. Negative where the capture has them in another order.
#[derive(JsonSchema)]
struct Timing {
    /// Last byte of the request.
    request_end_ns: Option<i64>,
    /// First byte of the response.
    response_start_ns: Option<i64>,
    /// Last byte of the response.
    response_end_ns: Option<i64>,
}

/// What is missing.
#[derive(JsonSchema)]
struct Completeness {
    /// `full`, `gap` (bytes inside are missing), `truncated` (the end was not seen), `head_only` (nothing of the body that the
    /// head announces was seen) or `absent`.
    request: String,
    /// The same for the response.
    response: String,
    /// The first reason why the request is not whole: `not_captured` (the peer has received what is missing), `captured_short`,
    /// `out_of_order` (more than is kept), `connection_over`, `unknown_fields` (header fields that a gap has made unknown),
    /// `limit`, `in_progress`, `unreadable`.
    request_reason: Option<String>,
    /// The same for the response.
    response_reason: Option<String>,
    /// `paired`, or why one message stands alone: `no_response`, `response_lost`, `request_lost`,
    /// `request_before_start`, `unsolicited`, `ambiguous`.
    pairing: String,
    /// A head was longer than the limit; fields behind it are not kept.
    #[schemars(default)]
    head_cut: bool,
    /// `partial` where header fields were sent that are not known (HTTP/2 behind a gap, or joined in the middle).
    headers: Option<String>,
    /// How many these are, for each message that has any.
    #[schemars(default)]
    unknown_headers: Vec<UnknownHeaders>,
    /// Where bytes of bodies are missing, the first few places.
    #[schemars(default)]
    gaps: Vec<Gap>,
}

/// Header fields of a message that were sent and are not known.
#[derive(JsonSchema)]
struct UnknownHeaders {
    /// `http.request` or `http.response`.
    location: String,
    /// Number of fields.
    fields: u32,
    /// Names that must be among them: `:method`, `:path` or `:status`.
    names: Vec<String>,
}

/// Bytes of a body that were not captured.
#[derive(JsonSchema)]
struct Gap {
    /// `http.request.body` or `http.response.body`.
    location: String,
    /// Offset in the body as transferred.
    offset: u64,
    /// Bytes missing.
    bytes: u64,
}

/// Tunnels that were taken off.
#[derive(JsonSchema)]
struct Tunnel {
    /// Kind of the innermost: `vxlan`, `vxlan_gpe`, `geneve`, `gre`, `l2gre`, `nvgre`, `erspan`, `ipip`.
    #[schemars(rename = "type")]
    kind: String,
    /// Number of tunnel headers.
    depth: u8,
    /// Innermost virtual network identifier: VXLAN or GENEVE VNI, NVGRE VSID, GRE key, ERSPAN session.
    vni: Option<u32>,
    /// The interface that is mirrored under the VNI, where `--vni-names` knows it.
    interface: Option<String>,
    /// Ends of the outermost tunnel.
    outer: Outer,
    /// Options of a GENEVE header.
    geneve: Option<Geneve>,
}

/// Ends of the outermost tunnel.
#[derive(JsonSchema)]
struct Outer {
    /// Who sent the tunnelled packets; in VPC traffic mirroring the mirrored interface.
    source: OuterEnd,
    /// Where they were sent to.
    destination: OuterEnd,
}

/// One end of the outermost tunnel.
#[derive(JsonSchema)]
struct OuterEnd {
    /// Its address.
    ip: Address,
    /// Its UDP port; absent for tunnels without ports.
    port: Option<u16>,
}

/// Options of a GENEVE header, RFC 8926; identifiers in hexadecimal.
#[derive(JsonSchema)]
struct Geneve {
    /// AWS: interface of the gateway load balancer endpoint.
    aws_endpoint_eni: Option<String>,
    /// AWS: attachment.
    aws_attachment: Option<String>,
    /// AWS: flow cookie.
    aws_flow_cookie: Option<String>,
    /// GCP: network and direction.
    gcp_network: Option<String>,
    /// GCP: endpoint.
    gcp_endpoint: Option<String>,
    /// GCP: profile.
    gcp_profile: Option<String>,
}

/// A secret that was replaced, by a fixed mark.
#[derive(JsonSchema)]
struct Masked {
    /// What it was: `authorization`, `cookie`, `secret` (known by the name it was given under), `jwt`, `card`, ...
    #[schemars(schema_with = "kinds")]
    kind: String,
    /// The field of the event that held it, or the list of fields.
    location: String,
    /// Name of the header field, parameter or form field, or path in the document (`$.cards[].number` in JSON, `1.3`
    /// in gRPC); none where it was found in text.
    name: Option<String>,
    /// What stands in its place: `fixed` (`***`), `keep_last_4`, `hash`, `format_preserving` or `remove` (nothing).
    method: String,
    /// How often it was found there.
    count: u64,
}

fn kinds(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<_> = harken_mask::Kind::ALL.iter().map(|kind| kind.name()).collect();
    json_schema!({"type": "string", "enum": names})
}

/// A point in packet time.
struct Time;

/// An IP address.
struct Address;

/// The schema of a value that is written as text.
macro_rules! text_schema {
    ($($type:ident $schema:tt,)*) => {$(
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($type))
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )*};
}

text_schema! {
    Time {"type": "string", "format": "date-time"},
    Address {"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]},
}
