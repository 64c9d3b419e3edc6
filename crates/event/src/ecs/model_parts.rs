//! Parts of the shape of the event that are of special kinds of traffic, and of where it was mirrored; see [`super::model`].
#![expect(dead_code, reason = "there are no values of these types: they only describe")]
use schemars::JsonSchema;

/// What a WebSocket connection was used for, RFC 6455.
#[derive(JsonSchema)]
pub(super) struct WebSocket {
    /// What the client has sent.
    client: Frames,
    /// What the server has sent.
    server: Frames,
    /// The first Close frame; absent when none was seen.
    close: Option<Close>,
}

/// What one side has sent.
#[derive(JsonSchema)]
pub(super) struct Frames {
    /// Frames, control frames among them.
    frames: u64,
    /// Whole messages of text.
    texts: u64,
    /// Whole messages of bytes.
    binaries: u64,
    /// Bytes of these messages, as transferred.
    bytes: u64,
    /// Bytes of the largest, as transferred.
    largest: u64,
    /// Messages that were compressed (permessage-deflate, RFC 7692).
    #[schemars(default)]
    compressed: u64,
    /// Ping frames.
    #[schemars(default)]
    pings: u64,
    /// Pong frames.
    #[schemars(default)]
    pongs: u64,
    /// Bytes are missing, or are no frames: there may have been more.
    #[schemars(default)]
    partial: bool,
}

/// A message of a WebSocket connection.
#[derive(JsonSchema)]
pub(super) struct WebSocketMessage {
    /// Who has sent it: `client` or `server`.
    by: String,
    /// `text` or `binary`.
    r#type: String,
    /// Its ordinal among the messages of this side that were seen whole, from 1.
    ordinal: u64,
    /// It was compressed (permessage-deflate, RFC 7692).
    #[schemars(default)]
    compressed: bool,
}

/// A Close frame.
#[derive(JsonSchema)]
pub(super) struct Close {
    /// Who has sent it: `client` or `server`.
    by: String,
    /// Its status code.
    code: Option<u16>,
    /// Its reason.
    reason: Option<String>,
}

/// The messages that the bodies consist of.
#[derive(JsonSchema)]
pub(super) struct Messages {
    /// Those of the request.
    request: Option<Units>,
    /// Those of the response.
    response: Option<Units>,
}

/// The messages of a body.
#[derive(JsonSchema)]
pub(super) struct Units {
    /// Whole messages that were seen.
    count: u64,
    /// Bytes in them, without envelopes; of server-sent events those of the body.
    bytes: u64,
    /// Bytes of the largest.
    largest: u64,
    /// How many were compressed, each by itself.
    #[schemars(default)]
    compressed: u64,
    /// When the first was complete: nanoseconds from `@timestamp`.
    first_ns: Option<i64>,
    /// When the last was.
    last_ns: Option<i64>,
    /// Bytes are missing: there may have been more messages.
    #[schemars(default)]
    partial: bool,
}

/// How the client is known.
#[derive(JsonSchema)]
pub(super) struct NamedClient {
    /// `proxy_protocol`, `forwarded`, `x-forwarded-for`, `cf-connecting-ip` or `x-real-ip`.
    named_by: String,
}

/// What tells programs that send requests apart.
#[derive(JsonSchema)]
pub(super) struct Fingerprint {
    /// Order and presence of header fields, and what is accepted: `hc1:VERSION:ORDER:ACCEPT`.
    http: String,
    /// How a client of HTTP/2 begins: `SETTINGS|WINDOW_UPDATE|PRIORITY|pseudo-fields`.
    http2: Option<String>,
}

/// The machine whose interface was mirrored.
#[derive(JsonSchema)]
pub(super) struct Cloud {
    /// `aws`.
    provider: Option<String>,
    /// Its account.
    account: Option<Account>,
    /// Its region.
    region: Option<String>,
    /// The instance.
    instance: Option<Instance>,
}

/// An account of a cloud.
#[derive(JsonSchema)]
struct Account {
    /// Its identifier.
    id: String,
}

/// An instance in a cloud.
#[derive(JsonSchema)]
struct Instance {
    /// Its identifier, such as `i-0123456789abcdef0`.
    id: Option<String>,
    /// What people call it: its tag `Name`.
    name: Option<String>,
}
