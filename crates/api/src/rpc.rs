//! gRPC, gRPC-Web and Connect.
use crate::json::Docs;
use crate::{Call, find, header, media_type, text};
use harken_http::body::units::Kind;
use harken_http::{Known, Message};
use percent_encoding::percent_decode;

/// Which of the three.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum System {
    /// gRPC over HTTP/2.
    Grpc,
    /// gRPC-Web.
    GrpcWeb,
    /// The Connect protocol.
    Connect,
}

impl System {
    /// A stable name for logs and events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::GrpcWeb => "grpc_web",
            Self::Connect => "connect_rpc",
        }
    }
}

/// A call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rpc {
    /// Which protocol.
    pub system: System,
    /// Full name of the service; empty where the request was not seen.
    pub service: String,
    /// Name of the method.
    pub method: String,
    /// Status code; `None` when none was seen, as after a call that was cancelled.
    pub status: Option<u16>,
    /// The message that goes with the status.
    pub message: Option<String>,
    /// How messages of the request are compressed, if any are: `grpc-encoding`.
    pub encoding: Option<String>,
    /// How long the client waits: `grpc-timeout` or `connect-timeout-ms`, as sent.
    pub timeout: Option<String>,
}

/// Names of the status codes, by number.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// Service and method in the path of a call.
pub(crate) fn names(path: &[u8]) -> [&[u8]; 2] {
    let mut segments = path.rsplit(|byte| *byte == b'/');
    let method = segments.next().unwrap_or_default();
    [segments.next().unwrap_or_default(), method]
}

impl Rpc {
    /// By the media type of the request, or of the response where the request was not seen.
    pub(crate) fn of(call: &Call<'_>) -> Option<Self> {
        let system = call.request.map_or_else(|| call.response.and_then(system), system).or_else(|| {
            // One message of Connect has the media type of what it is.
            let is_get = call.request.is_some_and(|r| r.method() == b"GET");
            let is_connect = match is_get {
                true => form_urlencoded::parse(call.query).any(|(n, v)| n == "connect" && v == "v1"),
                false => header(call.request, "connect-protocol-version").is_some(),
            };
            is_connect.then_some(System::Connect)
        })?;
        let [service, method] = names(call.path).map(text);
        let first = |names: [&str; 2]| names.into_iter().find_map(|name| header(call.request, name));
        let mut rpc = Self {
            system,
            service,
            method,
            status: None,
            message: None,
            encoding: first(["grpc-encoding", "connect-content-encoding"]).map(text),
            timeout: first(["grpc-timeout", "connect-timeout-ms"]).map(text),
        };
        if let Some(response) = call.response {
            rpc.end(response);
        }
        Some(rpc)
    }

    /// Reads how the call ended.
    fn end(&mut self, response: &Message) {
        let end = response.body.units.as_ref().map_or(&[] as &[u8], |units| &units.end);
        if self.system == System::Connect {
            return self.end_of_connect(response, end);
        }
        let lines = || end.split(|byte| *byte == b'\n').filter_map(pair);
        // A call that fails at once has its status in the only head.
        let field = |name| {
            find(response.trailers(), name)
                .or_else(|| find(lines(), name))
                .or_else(|| header(Some(response), name))
        };
        self.status = field("grpc-status").and_then(|v| std::str::from_utf8(v).ok()?.trim().parse().ok());
        self.message = field("grpc-message")
            .map(|message| percent_decode(message).decode_utf8_lossy().into_owned())
            .filter(|message| !message.is_empty());
    }

    fn end_of_connect(&mut self, response: &Message, end: &[u8]) {
        let is_stream = response.body.units.is_some();
        let docs = match is_stream {
            true => Docs::read(end, false),
            false if response.status == 200 => Docs::default(),
            false => Docs::of(response),
        };
        let doc = docs.docs.into_iter().next();
        let (code, message) = match doc {
            Some(doc) if is_stream => (doc.error_code, doc.error_message),
            Some(doc) => (doc.code, doc.message),
            None => (None, None),
        };
        let number = |code: String| {
            // Connect writes one of them with a single L.
            let name = if code == "canceled" { "CANCELLED".to_owned() } else { code.to_ascii_uppercase() };
            CODES.iter().position(|known| *known == name).and_then(|at| u16::try_from(at).ok())
        };
        let is_ok = if is_stream { !end.is_empty() } else { response.status == 200 };
        self.status = code.map_or(is_ok.then_some(0), number);
        self.message = message;
    }

    /// Service and method.
    pub(crate) fn operation(&self) -> String {
        format!("{}/{}", self.service, self.method)
    }

    /// Name of the status code; `None` when there is none, or it is none of the known.
    pub fn code(&self) -> Option<&'static str> {
        CODES.get(usize::from(self.status?)).copied()
    }

    pub(crate) fn error(&self) -> Option<&'static str> {
        self.status.filter(|status| *status != 0).map(|_| self.code().unwrap_or("UNKNOWN"))
    }

    /// Whether the service's health is asked for, by the standard service.
    pub fn is_health_check(&self) -> bool {
        self.service == "grpc.health.v1.Health"
    }
}

/// The protocol, where the media type tells it.
fn system(message: &Message) -> Option<System> {
    match Kind::of(message.known(Known::ContentType)?)? {
        Kind::Grpc => Some(System::Grpc),
        Kind::GrpcWeb | Kind::GrpcWebText => Some(System::GrpcWeb),
        Kind::Connect if media_type(message).contains(&b'+') => Some(System::Connect),
        Kind::Connect | Kind::EventStream => None,
    }
}

/// A trailer of gRPC-Web: a line of a name and a value.
fn pair(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', line)?;
    let (name, value) = line.split_at_checked(colon)?;
    Some((name.trim_ascii(), value.get(1..)?.trim_ascii()))
}
