//! One direction of an HTTP/1 connection: bytes in, heads and ends of messages out.
use super::chunked::{Chunked, Step};
use super::head::{self, HeadStep, Kind};
use crate::analyzer::Analyzer;
use crate::body::coder::Coder;
use crate::message::{Coding, Framing, Message, Why};
use crate::probe;
use harken_flow::Chunk;
use harken_wire::Timestamp;

/// Where in the stream the reader stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// Between two messages.
    Idle,
    /// Inside a head, whose bytes so far are held.
    Head,
    /// Inside a body of known length; so many bytes are to come.
    Length(u64),
    /// Inside a chunked body.
    Chunked(Chunked),
    /// Inside a body that ends with the connection.
    UntilClose,
    /// Behind a gap, or behind what is not HTTP: the next message start is looked for.
    Lost,
}

/// What follows a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// Another message, or the end.
    Message,
    /// It is not known: the next message start is looked for.
    Unknown,
}

/// What a step of reading came upon.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Found {
    /// Nothing to act on.
    Nothing,
    /// `Side::message` has a head; the caller decides about its body.
    Head,
    /// `Side::message` is complete.
    End,
    /// `Side::message` was given up at a limit: what follows in the stream is not known.
    Cut,
    /// The bytes are not HTTP.
    Violation,
}

/// Where a message began.
#[derive(Clone, Copy, Default, Debug)]
struct Start {
    offset: u64,
    ack: u64,
    ts: Timestamp,
}

/// The reader of one direction.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) kind: Kind,
    pub(super) phase: Phase,
    pub(super) message: Option<Box<Message>>,
    /// No more bytes will come.
    pub(super) ended: bool,
    /// A request was read.
    pub(super) begun: bool,
    /// `bad_HTTP_request` was noted: once for a connection.
    pub(super) noted: bool,
    /// Stream offset behind the last byte read.
    pub(super) position: u64,
    partial: Option<Box<Partial>>,
    /// Where a start line was found to be none after all: it is not tried again.
    refused: u64,
    coder: Coder,
}

/// A head or trailers, or a part of them, whose end is not there yet.
#[derive(Default, Debug)]
struct Partial {
    bytes: Vec<u8>,
    start: Start,
}

/// No start line was refused.
const NOWHERE: u64 = u64::MAX;

impl Side {
    pub(super) const fn new(kind: Kind) -> Self {
        Self {
            kind,
            phase: Phase::Idle,
            message: None,
            ended: false,
            begun: false,
            noted: false,
            position: 0,
            partial: None,
            refused: NOWHERE,
            coder: Coder::new(),
        }
    }

    /// Reads on in `chunk` from `at`, up to the next head or message end. Returns the bytes used.
    #[inline]
    pub(super) fn read(
        &mut self,
        cx: &mut Analyzer,
        chunk: &Chunk<'_>,
        at: usize,
        resume: Option<u64>,
    ) -> (usize, Found) {
        let bytes = chunk.bytes.get(at..).unwrap_or_default();
        match self.phase {
            Phase::Idle => self.idle(cx, chunk, at, bytes),
            Phase::Head => self.head(cx, chunk, bytes),
            Phase::Length(left) => {
                let take = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                self.body(cx, bytes.get(..take).unwrap_or_default(), chunk.ts);
                let left = left - take as u64;
                self.phase = Phase::Length(left);
                (take, if left == 0 { Found::End } else { Found::Nothing })
            }
            Phase::UntilClose => {
                self.body(cx, bytes, chunk.ts);
                (bytes.len(), Found::Nothing)
            }
            Phase::Chunked(state) => self.chunked(cx, state, bytes, chunk.ts),
            Phase::Lost => self.seek(cx, chunk, at, bytes, resume),
        }
    }

    fn idle(&mut self, cx: &mut Analyzer, chunk: &Chunk<'_>, at: usize, bytes: &[u8]) -> (usize, Found) {
        // RFC 9112 section 2.2: empty lines before a start line are passed over; white space only before a
        // request's.
        let lead = match self.kind {
            Kind::Request => bytes.iter().take_while(|b| b.is_ascii_whitespace()).count(),
            Kind::Response => bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count(),
        };
        if lead > 0 {
            cx.stats.skipped += lead as u64;
            return (lead, Found::Nothing);
        }
        let start = Start { offset: chunk.offset + at as u64, ack: chunk.ack, ts: chunk.ts };
        let mut message = cx.message();
        match head::read(bytes, self.kind, cx.limits.head, false, &mut message) {
            HeadStep::Done(used) => (used, self.begin(message, start, chunk.ts)),
            HeadStep::Incomplete => {
                cx.give_back(message);
                self.hold(cx, bytes).start = start;
                self.phase = Phase::Head;
                (bytes.len(), self.check_head_limit(cx, chunk.ts))
            }
            HeadStep::NotHttp => {
                cx.give_back(message);
                self.refused = start.offset;
                (0, Found::Violation)
            }
        }
    }

    fn head(&mut self, cx: &mut Analyzer, chunk: &Chunk<'_>, bytes: &[u8]) -> (usize, Found) {
        let before = self.held();
        let (kind, limits) = (self.kind, cx.limits.head);
        let Partial { bytes: held, start } = self.hold(cx, bytes);
        let start = *start;
        if !head::may_be_complete(held, before) && !head::ends_first_line(held, before) {
            return (bytes.len(), self.check_head_limit(cx, chunk.ts));
        }
        let mut message = cx.message();
        match head::read(held, kind, limits, false, &mut message) {
            HeadStep::Done(used) => {
                self.let_go(cx);
                (used.saturating_sub(before), self.begin(message, start, chunk.ts))
            }
            HeadStep::Incomplete => {
                cx.give_back(message);
                (bytes.len(), self.check_head_limit(cx, chunk.ts))
            }
            HeadStep::NotHttp => {
                cx.give_back(message);
                cx.stats.skipped += before as u64;
                self.let_go(cx);
                (0, Found::Violation)
            }
        }
    }

    fn check_head_limit(&mut self, cx: &mut Analyzer, ts: Timestamp) -> Found {
        if self.held() < cx.limits.head.bytes && !cx.is_over_budget() {
            return Found::Nothing;
        }
        if self.cut_head(cx, ts, Why::Limit) { Found::Head } else { Found::Violation }
    }

    /// Takes what there is of a head as the message's head: it was cut off by a limit, a gap, or the end.
    pub(super) fn cut_head(&mut self, cx: &mut Analyzer, ts: Timestamp, why: Why) -> bool {
        cx.release(self.held() as u64);
        let Partial { bytes, start } = self.partial.take().map_or_else(Partial::default, |partial| *partial);
        let mut message = cx.message();
        if !matches!(head::read(&bytes, self.kind, cx.limits.head, true, &mut message), HeadStep::Done(_)) {
            cx.give_back(message);
            return false;
        }
        message.head_cut = true;
        message.stops(why);
        self.begin(message, start, ts);
        true
    }

    fn begin(&mut self, mut message: Box<Message>, start: Start, ts: Timestamp) -> Found {
        message.response = self.kind == Kind::Response;
        message.offset = start.offset;
        message.ack = start.ack;
        message.start = start.ts;
        message.head_end = ts;
        message.first_body = ts;
        message.end = ts;
        self.message = Some(message);
        Found::Head
    }

    /// An HTTP/0.9 response has no head: all that comes is body.
    pub(super) fn begin_headless(&mut self, cx: &mut Analyzer, chunk: &Chunk<'_>, at: usize) {
        let start = Start { offset: chunk.offset + at as u64, ack: chunk.ack, ts: chunk.ts };
        let message = cx.message();
        self.begin(message, start, chunk.ts);
    }

    /// Sets how the body of the message at hand is read. Returns whether the message is complete with that.
    pub(super) fn frame(&mut self, cx: &mut Analyzer, framing: Framing, coding: Coding) -> bool {
        let Some(message) = self.message.as_mut() else { return true };
        message.body.framing = framing;
        message.body.coding = coding;
        if !matches!(framing, Framing::None | Framing::Length(0)) {
            self.coder.begin(cx, message);
        }
        self.phase = match framing {
            Framing::None | Framing::Length(0) => return true,
            Framing::Length(length) => Phase::Length(length),
            Framing::Chunked => Phase::Chunked(Chunked::start()),
            Framing::UntilClose => Phase::UntilClose,
        };
        false
    }

    #[inline]
    fn body(&mut self, cx: &mut Analyzer, bytes: &[u8], ts: Timestamp) {
        if let Some(message) = self.message.as_mut() {
            self.coder.push(cx, message, bytes, ts);
        }
    }

    /// Keeps bytes that are too few to be read.
    fn hold(&mut self, cx: &mut Analyzer, bytes: &[u8]) -> &mut Partial {
        cx.hold(bytes.len() as u64);
        let partial = self.partial.get_or_insert_default();
        partial.bytes.extend_from_slice(bytes);
        partial
    }

    /// How many bytes are kept.
    #[inline]
    fn held(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| partial.bytes.len())
    }

    /// What was kept has been read.
    #[inline]
    fn let_go(&mut self, cx: &mut Analyzer) {
        if let Some(partial) = self.partial.take() {
            cx.release(partial.bytes.len() as u64);
        }
    }

    fn chunked(
        &mut self,
        cx: &mut Analyzer,
        mut state: Chunked,
        bytes: &[u8],
        ts: Timestamp,
    ) -> (usize, Found) {
        if state == Chunked::Trailers {
            return self.trailers(cx, bytes, ts);
        }
        let Some(message) = self.message.as_mut() else { return (bytes.len(), Found::Violation) };
        message.end = ts;
        let step = state.step(bytes, &mut message.desync);
        self.phase = Phase::Chunked(state);
        match step {
            Step::Framing(used) | Step::LastChunk(used) => (used, Found::Nothing),
            Step::Data(used) => {
                self.body(cx, bytes.get(..used).unwrap_or_default(), ts);
                (used, Found::Nothing)
            }
        }
    }

    fn trailers(&mut self, cx: &mut Analyzer, bytes: &[u8], ts: Timestamp) -> (usize, Found) {
        let Some(message) = self.message.as_mut() else { return (bytes.len(), Found::Violation) };
        message.end = ts;
        let before = self.held();
        if before == 0 && bytes.starts_with(b"\r\n") {
            return (2, Found::End);
        }
        self.hold(cx, bytes);
        let (Some(message), Some(partial)) = (self.message.as_mut(), self.partial.as_ref()) else {
            return (bytes.len(), Found::Violation);
        };
        // Looked at again only when an empty line can be there: a slow sender must not cost a scan a byte.
        let ready = matches!(partial.bytes.as_slice(), [b'\n', ..] | [b'\r', b'\n', ..])
            || head::may_be_complete(&partial.bytes, before);
        if ready && let Some(used) = head::read_trailers(&partial.bytes, cx.limits.head, message) {
            self.let_go(cx);
            return (used.saturating_sub(before), Found::End);
        }
        if partial.bytes.len() >= cx.limits.head.bytes || cx.is_over_budget() {
            message.stops(Why::Limit);
            self.let_go(cx);
            return (bytes.len(), Found::Cut);
        }
        (bytes.len(), Found::Nothing)
    }

    /// Looks for the next message start: at the start of a segment, or where the other direction says that
    /// this one stood when it sent its next message (`resume`).
    fn seek(
        &mut self,
        cx: &mut Analyzer,
        chunk: &Chunk<'_>,
        at: usize,
        bytes: &[u8],
        resume: Option<u64>,
    ) -> (usize, Found) {
        let is_start = match self.kind {
            Kind::Request => probe::is_request_start,
            Kind::Response => probe::is_response_start,
        };
        let here = chunk.offset + at as u64;
        if (at == 0 || resume == Some(here)) && self.refused != here && is_start(bytes) {
            self.phase = Phase::Idle;
            cx.stats.resynced += 1;
            return (0, Found::Nothing);
        }
        let skip = resume
            .and_then(|target| target.checked_sub(here))
            .and_then(|skip| usize::try_from(skip).ok())
            .filter(|skip| *skip > 0 && bytes.get(*skip..).is_some_and(is_start))
            .unwrap_or(bytes.len());
        cx.stats.skipped += skip as u64;
        (skip, Found::Nothing)
    }

    /// Bytes are missing. Returns whether the message at hand is complete with them.
    pub(super) fn gap(&mut self, cx: &mut Analyzer, len: u64, ts: Timestamp) -> GapEffect {
        match self.phase {
            Phase::Length(left) if len <= left => {
                self.body_gap(cx, len);
                self.phase = Phase::Length(left - len);
                if left == len { GapEffect::Ended } else { GapEffect::Inside }
            }
            Phase::Chunked(Chunked::Data(left)) if len < left => {
                self.body_gap(cx, len);
                self.phase = Phase::Chunked(Chunked::Data(left - len));
                GapEffect::Inside
            }
            Phase::UntilClose => {
                self.body_gap(cx, len);
                GapEffect::Inside
            }
            Phase::Length(left) => {
                self.body_gap(cx, left);
                GapEffect::Beyond
            }
            Phase::Chunked(_) => {
                self.body_gap(cx, len);
                GapEffect::Cut
            }
            Phase::Head => {
                let why = cx.gap_reason.into();
                if self.cut_head(cx, ts, why) {
                    if let Some(message) = self.message.as_mut() {
                        message.lacks(why);
                    }
                    GapEffect::CutHead
                } else {
                    GapEffect::Outside
                }
            }
            Phase::Idle | Phase::Lost => GapEffect::Outside,
        }
    }

    fn body_gap(&mut self, cx: &mut Analyzer, len: u64) {
        if let Some(message) = self.message.as_mut() {
            self.coder.gap(cx, message, len);
        }
    }

    /// Gives out the message at hand.
    pub(super) fn finish(&mut self, cx: &mut Analyzer, next: Next) -> Option<Box<Message>> {
        self.let_go(cx);
        self.phase = match next {
            Next::Message => Phase::Idle,
            Next::Unknown => Phase::Lost,
        };
        let mut message = self.message.take()?;
        self.coder.finish(cx, &mut message);
        Some(message)
    }

    /// The direction is over: whether a message was still being read, which is then complete as far as it can
    /// be.
    pub(super) fn end(&mut self, cx: &mut Analyzer, ts: Timestamp) -> EndEffect {
        match self.phase {
            Phase::Head => {
                if self.cut_head(cx, ts, Why::ConnectionOver) {
                    EndEffect::CutHead
                } else {
                    self.phase = Phase::Lost;
                    EndEffect::Nothing
                }
            }
            Phase::UntilClose => EndEffect::Ended,
            Phase::Length(_) | Phase::Chunked(_) => {
                if let Some(message) = self.message.as_mut() {
                    message.stops(Why::ConnectionOver);
                }
                EndEffect::Ended
            }
            Phase::Idle | Phase::Lost => EndEffect::Nothing,
        }
    }
}

/// What a gap did to the message at hand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum GapEffect {
    /// It lies inside the body; reading goes on.
    Inside,
    /// It ends where the message ends.
    Ended,
    /// It reaches beyond the message's end: what follows is unknown.
    Beyond,
    /// It lies in the message, whose end is not known any more.
    Cut,
    /// It cut the head; what there was of it is `Side::message`.
    CutHead,
    /// It lies between messages, or at a place that is not known.
    Outside,
}

/// What the end of a direction did to the message at hand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum EndEffect {
    /// There was none.
    Nothing,
    /// It is over.
    Ended,
    /// Only a part of its head was there.
    CutHead,
}
