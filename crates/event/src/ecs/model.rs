//! The event as it is written: one definition, which serialises it and makes its JSON Schema.
//!
//! Names are those of Elastic Common Schema and OpenTelemetry's HTTP conventions; what has no name there
//! stands under `harken`. An absent value is left out, never null. The comments on the fields are the
//! descriptions in the schema.
use super::mask::{Fields, Secret};
use super::value::{Address, Content, Parts, Text, Time};
use schemars::JsonSchema;
use serde::Serialize;

/// One HTTP transaction: a request and its response, as far as they were seen.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "Harken transaction event")]
pub(super) struct Event<'a> {
    /// When the request began; the response where the request was not seen.
    #[serde(rename = "@timestamp")]
    pub(super) timestamp: Time,
    /// Version of Elastic Common Schema that the names follow.
    pub(super) ecs: EcsVersion,
    /// What kind of event this is.
    pub(super) event: Meta<'a>,
    /// The connection.
    pub(super) network: Network<'a>,
    /// Who asked: the side that opened the connection.
    pub(super) client: Peer,
    /// Who answered.
    pub(super) server: Peer,
    /// Same as `client`.
    pub(super) source: Peer,
    /// Same as `server`.
    pub(super) destination: Peer,
    /// The two messages.
    pub(super) http: Http<'a>,
    /// The request's target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) url: Option<UrlParts<'a>>,
    /// The client program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user_agent: Option<UserAgent<'a>>,
    /// The user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<User<'a>>,
    /// What Elastic Common Schema has no names for.
    pub(super) harken: Harken<'a>,
}

/// Version of Elastic Common Schema.
#[derive(Serialize, JsonSchema)]
pub(super) struct EcsVersion {
    /// The version.
    pub(super) version: &'static str,
}

/// What kind of event this is.
#[derive(Serialize, JsonSchema)]
pub(super) struct Meta<'a> {
    /// Identifier of the transaction: the same in every replay of the same packets.
    pub(super) id: &'a str,
    /// Always `event`.
    pub(super) kind: &'static str,
    /// Always `network` and `web`.
    pub(super) category: [&'static str; 2],
    /// Always `access`.
    #[serde(rename = "type")]
    pub(super) kinds: [&'static str; 1],
    /// Always `harken.http`.
    pub(super) dataset: &'static str,
    /// When the transaction began.
    pub(super) start: Time,
    /// When its last byte was captured.
    pub(super) end: Time,
    /// Nanoseconds from start to end.
    pub(super) duration: u64,
    /// `failure` for status codes from 400 on, `success` below, `unknown` without one.
    pub(super) outcome: &'static str,
}

/// The connection.
#[derive(Serialize, JsonSchema)]
pub(super) struct Network<'a> {
    /// Always `tcp`.
    pub(super) transport: &'static str,
    /// Always `http`.
    pub(super) protocol: &'static str,
    /// `ipv4` or `ipv6`, inside all tunnels.
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    /// Community ID version 1 of the connection.
    pub(super) community_id: &'a str,
    /// Outermost VLAN tag inside all tunnels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) vlan: Option<Vlan>,
    /// What is inside the outermost VLAN tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) inner: Option<Inner>,
}

/// A VLAN tag, IEEE 802.1Q.
#[derive(Serialize, JsonSchema)]
pub(super) struct Vlan {
    /// The identifier, as text.
    #[serde(serialize_with = "as_text")]
    #[schemars(with = "String")]
    pub(super) id: u16,
}

fn as_text<S: serde::Serializer>(id: &u16, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(id)
}

/// The second tag of a doubly tagged frame.
#[derive(Serialize, JsonSchema)]
pub(super) struct Inner {
    /// The tag.
    pub(super) vlan: Vlan,
}

/// One side of the connection.
#[derive(Clone, Copy, Serialize, JsonSchema)]
pub(super) struct Peer {
    /// Its address.
    pub(super) ip: Address,
    /// Its port.
    pub(super) port: u16,
    /// Bytes of the message that it sent in this transaction, head and body as transferred.
    pub(super) bytes: u64,
}

/// The two messages.
#[derive(Serialize, JsonSchema)]
pub(super) struct Http<'a> {
    /// Version of the request, of the response where the request was not seen: `0.9`, `1.0` or `1.1`.
    pub(super) version: &'a str,
    /// The request; absent when it was not seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) request: Option<Request<'a>>,
    /// The response; absent when none was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) response: Option<Response<'a>>,
}

/// The request.
#[derive(Serialize, JsonSchema)]
pub(super) struct Request<'a> {
    /// Its method, as sent.
    pub(super) method: Text<'a>,
    /// `Referer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) referrer: Option<Text<'a>>,
    /// What all messages have.
    #[serde(flatten)]
    pub(super) common: Common<'a>,
}

/// The response.
#[derive(Serialize, JsonSchema)]
pub(super) struct Response<'a> {
    /// Its status code; absent in a response without a status line (HTTP/0.9), and when only interim
    /// responses were seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status_code: Option<u16>,
    /// Its reason phrase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<Text<'a>>,
    /// The last interim (1xx) response before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) informational: Option<Interim<'a>>,
    /// What all messages have; absent when only interim responses were seen.
    #[serde(flatten)]
    pub(super) common: Option<Common<'a>>,
}

/// An interim response, RFC 9110 section 15.2.
#[derive(Serialize, JsonSchema)]
pub(super) struct Interim<'a> {
    /// 100 to 199.
    pub(super) status_code: u16,
    /// Its reason phrase.
    pub(super) reason: Text<'a>,
}

/// What all messages have.
#[derive(Serialize, JsonSchema)]
pub(super) struct Common<'a> {
    /// Bytes of head and body, the body without its chunk framing.
    pub(super) bytes: u64,
    /// Media type told from the content, whatever the header says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mime_type: Option<&'static str>,
    /// Header fields in wire order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) headers: Option<Fields<'a>>,
    /// Trailer fields in wire order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) trailers: Option<Fields<'a>>,
    /// The body.
    pub(super) body: Body<'a>,
}

/// A body.
#[derive(Serialize, JsonSchema)]
pub(super) struct Body<'a> {
    /// Bytes as transferred, without chunk framing, before content decoding.
    pub(super) bytes: u64,
    /// Bytes after content decoding.
    pub(super) decoded_bytes: u64,
    /// Bytes that the capture misses.
    #[serde(skip_serializing_if = "is_zero")]
    #[schemars(default)]
    pub(super) missing_bytes: u64,
    /// Content coding: `gzip`, `deflate`, `br`, `zstd` or `other`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) coding: Option<&'static str>,
    /// Content decoding failed or hit a limit; what follows was not decoded.
    #[serde(skip_serializing_if = "is_false")]
    #[schemars(default)]
    pub(super) decode_failed: bool,
    /// The first bytes after decoding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<Content<'a>>,
    /// `base64` when `content` is coded so, because it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) encoding: Option<&'static str>,
    /// `content` is only the beginning.
    #[serde(skip_serializing_if = "is_false")]
    #[schemars(default)]
    pub(super) truncated: bool,
}

/// The request's target; parts are as sent, not decoded.
#[derive(Serialize, JsonSchema)]
pub(super) struct UrlParts<'a> {
    /// The target as sent, but for a password in it.
    pub(super) original: Parts<'a, 6>,
    /// The whole URL, where the host is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) full: Option<Parts<'a, 6>>,
    /// Scheme; `http` unless the target has another.
    pub(super) scheme: Text<'a>,
    /// Host, of the target or else of the `Host` field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) domain: Option<Text<'a>>,
    /// Port, of the target or else of the `Host` field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) port: Option<u16>,
    /// Path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) path: Option<Text<'a>>,
    /// Query, without the question mark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) query: Option<Text<'a>>,
    /// Fragment, without the number sign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fragment: Option<Text<'a>>,
}

/// The client program.
#[derive(Serialize, JsonSchema)]
pub(super) struct UserAgent<'a> {
    /// `User-Agent`.
    pub(super) original: Text<'a>,
}

/// The user.
#[derive(Serialize, JsonSchema)]
pub(super) struct User<'a> {
    /// Name in Basic authentication.
    pub(super) name: Text<'a>,
}

/// What Elastic Common Schema has no names for.
#[derive(Serialize, JsonSchema)]
pub(super) struct Harken<'a> {
    /// Version of this schema.
    pub(super) schema_version: &'static str,
    /// Identifier of the connection, shared with the Zeek logs.
    pub(super) uid: &'a str,
    /// Number of the transaction on its connection, from 1.
    pub(super) depth: u32,
    /// When the parts of the messages were captured.
    pub(super) timing: Timing,
    /// What is missing.
    pub(super) completeness: Completeness<'a>,
    /// Tunnels that were taken off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tunnel: Option<Tunnel>,
    /// Reasons to suspect that another reader would see other message boundaries (request smuggling).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    pub(super) desync: Vec<&'static str>,
    /// Secrets that were replaced in this event.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    pub(super) masked: Vec<Masked<'a>>,
}

/// When the parts of the messages were captured.
#[derive(Serialize, JsonSchema)]
pub(super) struct Timing {
    /// First byte of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) request_start: Option<Time>,
    /// Last byte of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) request_end: Option<Time>,
    /// First byte of the response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) response_start: Option<Time>,
    /// Last byte of the response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) response_end: Option<Time>,
}

/// What is missing.
#[derive(Serialize, JsonSchema)]
pub(super) struct Completeness<'a> {
    /// `full`, `gap` (bytes inside are missing), `truncated` (the end was not seen) or `missing`.
    pub(super) request: &'static str,
    /// The same for the response.
    pub(super) response: &'static str,
    /// `paired`, or why one message stands alone: `no_response`, `response_lost`, `request_lost`,
    /// `request_before_start`, `unsolicited`, `ambiguous`.
    pub(super) pairing: &'static str,
    /// A head was longer than the limit; fields behind it are not kept.
    #[serde(skip_serializing_if = "is_false")]
    #[schemars(default)]
    pub(super) head_cut: bool,
    /// Where bytes of bodies are missing, the first few places.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    pub(super) gaps: Vec<Gap<'a>>,
}

/// Bytes of a body that were not captured.
#[derive(Serialize, JsonSchema)]
pub(super) struct Gap<'a> {
    /// `http.request.body` or `http.response.body`.
    pub(super) location: &'a str,
    /// Offset in the body as transferred.
    pub(super) offset: u64,
    /// Bytes missing.
    pub(super) bytes: u64,
}

/// Tunnels that were taken off.
#[derive(Serialize, JsonSchema)]
pub(super) struct Tunnel {
    /// Kind of the innermost: `vxlan`, `vxlan_gpe`, `geneve`, `gre`, `l2gre`, `nvgre`, `erspan`, `ipip`.
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    /// Number of tunnel headers.
    pub(super) depth: u8,
    /// Innermost virtual network identifier: VXLAN or GENEVE VNI, NVGRE VSID, GRE key, ERSPAN session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) vni: Option<u32>,
    /// Ends of the outermost tunnel.
    pub(super) outer: Outer,
    /// Options of a GENEVE header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) geneve: Option<Geneve>,
}

/// Ends of the outermost tunnel.
#[derive(Serialize, JsonSchema)]
pub(super) struct Outer {
    /// Who sent the tunnelled packets; in VPC traffic mirroring the mirrored interface.
    pub(super) source: OuterEnd,
    /// Where they were sent to.
    pub(super) destination: OuterEnd,
}

/// One end of the outermost tunnel.
#[derive(Serialize, JsonSchema)]
pub(super) struct OuterEnd {
    /// Its address.
    pub(super) ip: Address,
    /// Its UDP port; absent for tunnels without ports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) port: Option<u16>,
}

/// Options of a GENEVE header, RFC 8926; identifiers in hexadecimal.
#[derive(Serialize, JsonSchema)]
pub(super) struct Geneve {
    /// AWS: interface of the gateway load balancer endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) aws_endpoint_eni: Option<String>,
    /// AWS: attachment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) aws_attachment: Option<String>,
    /// AWS: flow cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) aws_flow_cookie: Option<String>,
    /// GCP: network and direction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) gcp_network: Option<String>,
    /// GCP: endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) gcp_endpoint: Option<String>,
    /// GCP: profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) gcp_profile: Option<String>,
}

/// A secret that was replaced.
#[derive(Serialize, JsonSchema)]
pub(super) struct Masked<'a> {
    /// What kind of secret it was.
    pub(super) kind: Secret,
    /// The list of fields, or the field of the event, that held it.
    pub(super) location: &'static str,
    /// Name of the header field in that list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<Text<'a>>,
    /// How it was masked: always `replace`, by a fixed mark.
    pub(super) method: &'static str,
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}

fn is_false(value: &bool) -> bool {
    !value
}
