//! What messages of WebSocket say, inflated where they are compressed (permessage-deflate, RFC 7692).
use crate::body::{self, BodyLimits, inflate_step};
use crate::exchange::Exchange;
use crate::message::{Body, Message, Why};
use flate2::Decompress;
use harken_flow::Dir;
use harken_wire::Timestamp;

/// A message of a WebSocket connection; what it says is the body of the request (the client's) or of the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// Who has sent it.
    pub by: Dir,
    /// Whether it is text; bytes otherwise.
    pub is_text: bool,
    /// Its ordinal among the messages of this side that were seen whole, from 1.
    pub ordinal: u64,
    /// It was compressed.
    pub is_compressed: bool,
}

/// What an inflater holds: a window of 32 KiB and its tables.
const INFLATER: u64 = 48 << 10;
/// Bytes inflated at a time.
const STEP: usize = 4096;
/// What the sender has left out at the end of a message, RFC 7692 section 7.2.2.
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// The reader of what one side says.
#[derive(Debug)]
pub(super) struct Content {
    inflate: Option<Box<Decompress>>,
    /// Each message is compressed by itself: nothing before it is needed.
    is_fresh_each: bool,
    /// Bytes that compressed messages refer to are missing.
    is_blind: bool,
    /// Why bytes are missing that are.
    why: Why,
    /// The message at hand.
    body: Body,
    start: Option<Timestamp>,
    scratch: Vec<u8>,
}

impl Content {
    pub(super) fn new(exchange: &Exchange, dir: Dir) -> Self {
        let parameter: &[u8] = match dir {
            Dir::Orig => b"client_no_context_takeover",
            Dir::Resp => b"server_no_context_takeover",
        };
        let headers = exchange.response.iter().flat_map(|response| response.headers());
        let extensions = headers.filter(|(name, _)| name.eq_ignore_ascii_case(b"sec-websocket-extensions"));
        let mut words = extensions.flat_map(|(_, value)| value.split(|byte| matches!(byte, b';' | b',')));
        Self {
            inflate: None,
            is_fresh_each: words.any(|word| word.trim_ascii().eq_ignore_ascii_case(parameter)),
            is_blind: false,
            why: Why::NotCaptured,
            body: Body::default(),
            start: None,
            scratch: Vec::new(),
        }
    }

    /// Bytes that are held.
    pub(super) fn holds(&self) -> u64 {
        let inflater = if self.inflate.is_some() { INFLATER } else { 0 };
        inflater + (self.body.kept.capacity() + self.scratch.capacity()) as u64
    }

    /// Takes bytes of a message.
    pub(super) fn push(
        &mut self,
        limits: &BodyLimits,
        bytes: impl Iterator<Item = u8>,
        is_compressed: bool,
        ts: Timestamp,
    ) {
        self.start.get_or_insert(ts);
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        scratch.extend(bytes);
        self.body.wire_len += scratch.len() as u64;
        if is_compressed {
            self.inflate(limits, &scratch);
        } else {
            keep(&mut self.body, limits, &scratch);
        }
        self.scratch = scratch;
    }

    fn inflate(&mut self, limits: &BodyLimits, mut bytes: &[u8]) {
        if self.is_blind {
            self.body.decode_failed = true;
            return;
        }
        let inflate = self.inflate.get_or_insert_with(|| Box::new(Decompress::new(false)));
        let body = &mut self.body;
        let mut out = [0; STEP];
        loop {
            let ended = inflate_step(inflate, &mut bytes, &mut out, &mut |out| {
                keep(body, limits, out);
                limits.allow(body.decoded_len, body.wire_len)
            });
            match ended {
                // A block that says it is the last one ends the message, and the next begins anew (section 7.2.3.5).
                Ok(true) => inflate.reset(false),
                Ok(false) => return,
                Err(_) => {
                    body.decode_failed = true;
                    self.is_blind = true;
                    self.inflate = None;
                    return;
                }
            }
        }
    }

    /// Bytes of the message at hand are missing.
    pub(super) fn gap(&mut self, limits: &BodyLimits, len: u64, why: Why) {
        self.why = why;
        body::gap(&mut self.body, limits, len);
        self.is_blind = true;
        self.inflate = None;
    }

    /// It is not known where in a message the next bytes stand.
    pub(super) fn lose(&mut self) {
        self.body = Body::default();
        self.start = None;
        self.is_blind = !self.is_fresh_each;
        self.inflate = None;
    }

    /// The message is whole: what there is of it, as an exchange of its own beside the one that has begun the connection.
    pub(super) fn tell(
        &mut self,
        limits: &BodyLimits,
        begun: &Exchange,
        spoken: Spoken,
        bytes: u64,
        ts: Timestamp,
    ) -> Exchange {
        if spoken.is_compressed {
            self.inflate(limits, &TAIL);
        }
        if self.is_fresh_each {
            self.inflate = None;
            self.is_blind = false;
        }
        let mut body = std::mem::take(&mut self.body);
        body.wire_len = bytes;
        let start = self.start.take().unwrap_or(ts);
        let mut exchange = begun.clone();
        for message in [&mut exchange.request, &mut exchange.response].into_iter().flatten() {
            (message.start, message.head_end, message.first_body, message.end) = (start, start, start, ts);
        }
        let message = match spoken.by {
            Dir::Orig => &mut exchange.request,
            Dir::Resp => &mut exchange.response,
        };
        if let Some(message) = message {
            // No two messages have the same place.
            message.offset = spoken.ordinal;
            if body.missing > 0 {
                message.lacks(self.why);
            }
            message.body = body;
        } else {
            let response = spoken.by == Dir::Resp;
            let is_whole = body.missing == 0;
            let mut alone = Message { body, response, start, end: ts, ..Message::default() };
            if !is_whole {
                alone.lacks(self.why);
            }
            match spoken.by {
                Dir::Orig => exchange.request = Some(Box::new(alone)),
                Dir::Resp => exchange.response = Some(Box::new(alone)),
            }
        }
        exchange.spoken = Some(spoken);
        exchange
    }
}

/// Takes bytes of a message as they are meant.
fn keep(body: &mut Body, limits: &BodyLimits, bytes: &[u8]) {
    let room = limits.keep.saturating_sub(body.kept.len()).min(bytes.len());
    body.kept.extend_from_slice(bytes.get(..room).unwrap_or_default());
    body.decoded_len += bytes.len() as u64;
}
