//! A request and its response.
use crate::h1::conn::upgrade;
use crate::h1::pairing::Upgrade;
use crate::websocket::{Spoken, WebSocket};
use crate::{Completeness, Framing, Message};

/// One transaction as far as it was seen: a request and the response that belongs to it.
#[derive(Clone, Debug, Default)]
pub struct Exchange {
    /// Ordinal of the transaction on its connection, from 1: Zeek's `trans_depth`.
    pub depth: u32,
    /// The request; `None` when it was not seen.
    pub request: Option<Box<Message>>,
    /// The final response; `None` when it was not seen.
    pub response: Option<Box<Message>>,
    /// The last interim (1xx) response before the final one.
    pub informational: Option<Informational>,
    /// How sure it is that the two belong together, or why one is alone.
    pub pairing: Pairing,
    /// The transaction was given out before: it has begun a WebSocket connection, which is over now and was this.
    pub websocket: Option<Box<WebSocket>>,
    /// The transaction was given out before: it has begun a WebSocket connection, and this is one of its messages, which is the
    /// body of the request or of the response.
    pub spoken: Option<Spoken>,
    /// The transaction is not over: this is what there is of it, long after it began. It is given out again at its end.
    pub in_progress: bool,
}

impl Exchange {
    /// Whether its connection goes on in WebSocket (RFC 6455 section 4): the server changes to it by name, or names nothing
    /// and was asked for it; or, in HTTP/2, it accepts an extended CONNECT (RFC 8441 section 5).
    pub fn begins_websocket(&self) -> bool {
        let Some(response) = self.response.as_deref().filter(|_| !self.is_aside()) else { return false };
        let request = self.request.as_deref();
        match response.status {
            101 => upgrade(response).or_else(|| request.and_then(upgrade)) == Some(Upgrade::WebSocket),
            200..300 => request.is_some_and(|request| request.protocol() == b"websocket"),
            _ => false,
        }
    }

    /// Whether this is told beside the transaction, which is given out before or later.
    pub const fn is_aside(&self) -> bool {
        self.websocket.is_some() || self.spoken.is_some() || self.in_progress
    }
}

/// An interim response, RFC 9110 section 15.2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Informational {
    /// 100 to 199.
    pub status: u16,
    /// The reason phrase as sent.
    pub reason: Vec<u8>,
}

/// Whether request and response belong together.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Pairing {
    /// Both were seen and belong together.
    #[default]
    Paired,
    /// The connection ended, or was given up, before a response was seen.
    NoResponse,
    /// The response fell into a gap: the server did answer.
    ResponseLost,
    /// The request fell into a gap; the response stands alone.
    RequestLost,
    /// The response arrived on a connection that was joined in the middle, after its request.
    RequestBeforeStart,
    /// A response that nothing asked for.
    Unsolicited,
    /// Bytes are missing and more than one request could be meant: it cannot be known, so the request and
    /// the response are given apart, each with this mark.
    Ambiguous,
}

impl Pairing {
    /// Number of kinds.
    pub const COUNT: usize = Self::Ambiguous as usize + 1;

    /// Every kind, in the order of its number.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Paired,
        Self::NoResponse,
        Self::ResponseLost,
        Self::RequestLost,
        Self::RequestBeforeStart,
        Self::Unsolicited,
        Self::Ambiguous,
    ];

    /// A stable name for logs and events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Paired => "paired",
            Self::NoResponse => "no_response",
            Self::ResponseLost => "response_lost",
            Self::RequestLost => "request_lost",
            Self::RequestBeforeStart => "request_before_start",
            Self::Unsolicited => "unsolicited",
            Self::Ambiguous => "ambiguous",
        }
    }
}

/// How much of a message of an exchange was seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seen {
    /// Every byte.
    Full,
    /// Bytes inside are missing.
    Gap,
    /// The end was not seen, or not waited for.
    Truncated,
    /// The head, and nothing of the body that it announces.
    HeadOnly,
    /// Nothing.
    Absent,
}

impl Seen {
    /// Number of kinds.
    pub const COUNT: usize = Self::Absent as usize + 1;

    /// Every kind, in the order of its number.
    pub const ALL: [Self; Self::COUNT] =
        [Self::Full, Self::Gap, Self::Truncated, Self::HeadOnly, Self::Absent];

    /// How much of it was seen; `None` stands for a message that was not.
    pub fn of(message: Option<&Message>) -> Self {
        let Some(message) = message else { return Self::Absent };
        let has_nothing = message.body.wire_len == 0 && message.body.framing != Framing::None;
        match message.completeness {
            Completeness::Full => Self::Full,
            _ if has_nothing && !message.head_cut => Self::HeadOnly,
            Completeness::Gap => Self::Gap,
            Completeness::Truncated => Self::Truncated,
        }
    }

    /// A stable name for logs and events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Gap => "gap",
            Self::Truncated => "truncated",
            Self::HeadOnly => "head_only",
            Self::Absent => "absent",
        }
    }
}
