//! A connection: its two directions and its streams.
mod switch;

use super::frame::{END_STREAM, HEADERS, Head, PUSH_PROMISE};
use super::message::{self, Filler};
use super::side::{Found, Missing, Side};
use crate::analyzer::Analyzer;
use crate::body::coder::Coder;
use crate::exchange::{Exchange, Informational, Pairing};
use crate::h1::framing;
use crate::h1::pairing::{Upgraded, weight};
use crate::held::nothing;
use crate::message::{Framing, Message, Why};
use crate::websocket::Talk;
use harken_flow::{Chunk, Dir, Gap};
use harken_wire::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Bytes that a direction may hold for itself whatever else is held: a table of the usual size (RFC 9113 section 6.5.2), with
/// what its entries cost here.
const MODEST: u64 = 16 << 10;

/// One direction of a stream.
#[derive(Default, Debug)]
struct Half {
    message: Option<Box<Message>>,
    coder: Coder,
    /// Its end was seen.
    is_over: bool,
    /// What it counts for in the budget of held bytes.
    weight: u64,
}

/// A request and its response.
#[derive(Default, Debug)]
struct Stream {
    /// Ordinal on the connection.
    depth: u32,
    request: Half,
    response: Half,
    informational: Option<Informational>,
    /// The client has reset it: its answer may be under way.
    is_reset: bool,
    /// It was told of while it was not over.
    told: bool,
    /// It was given out, and goes on in WebSocket.
    talk: Option<Box<Talk>>,
}

impl Stream {
    fn half(&mut self, dir: Dir) -> &mut Half {
        match dir {
            Dir::Orig => &mut self.request,
            Dir::Resp => &mut self.response,
        }
    }
}

/// State of a connection.
#[derive(Debug)]
pub(crate) struct H2 {
    request: Side,
    response: Side,
    streams: BTreeMap<u32, Stream>,
    depth: u32,
    /// The client's fingerprint; `None` where its beginning was not seen.
    client: Option<Arc<str>>,
    /// Streams that the client has reset, with where and when: their answer may be under way.
    reset: VecDeque<(u32, u64, Timestamp)>,
    /// Joined in the middle.
    is_partial: bool,
}

/// How many streams that were reset wait for their answer.
const MAX_RESET: usize = 16;
/// Nanoseconds for which they do, where the server does not say that it has heard of it.
const RESET_TIME: u64 = 1_000_000_000;

impl H2 {
    /// A connection from its preface, or one that was joined in the middle; behind `depth` transactions (of a tunnel).
    pub(crate) fn new(is_partial: bool, depth: u32) -> Self {
        Self {
            request: Side::new(!is_partial, is_partial),
            response: Side::new(false, is_partial),
            streams: BTreeMap::new(),
            depth,
            client: None,
            reset: VecDeque::new(),
            is_partial,
        }
    }

    /// A connection after `Upgrade: h2c` (RFC 7540 section 3.2): the request before is that of stream 1.
    pub(crate) fn upgraded(before: Upgraded) -> Self {
        let Upgraded { depth, request, informational } = before;
        let is_partial = request.is_none();
        let request = Half { message: request, is_over: true, ..Half::default() };
        let first = Stream { depth, request, informational, ..Stream::default() };
        Self { streams: BTreeMap::from([(1, first)]), is_partial, ..Self::new(false, depth) }
    }

    fn side(&mut self, dir: Dir) -> &mut Side {
        match dir {
            Dir::Orig => &mut self.request,
            Dir::Resp => &mut self.response,
        }
    }

    /// Reads the bytes of a chunk.
    pub(crate) fn data(&mut self, cx: &mut Analyzer, chunk: &Chunk<'_>) {
        let limit = cx.limits.head.bytes;
        let mut at = 0;
        while let Some(rest) = chunk.bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let side = self.side(chunk.dir);
            let was_lost = side.is_lost();
            let (used, found) = side.read(rest, limit);
            let is_lost = side.is_lost();
            at += used;
            match (was_lost, is_lost) {
                (true, false) => {
                    cx.stats.skipped += used as u64;
                    cx.stats.resynced += 1;
                }
                (true, true) => cx.stats.skipped += used as u64,
                (false, _) => cx.stats.parsed += used as u64,
            }
            match found {
                Found::Nothing => {}
                Found::Data { stream, bytes, is_last } => self.body(cx, chunk, stream, bytes, is_last),
                Found::Block { head, promised } => self.block(cx, chunk, head, promised),
                Found::TooLong { head } => self.too_long(cx, chunk, head),
                Found::Reset { stream } => self.reset(cx, chunk, stream),
                Found::Violation => {
                    cx.note("HTTP2_violation");
                    self.side(chunk.dir).lose();
                    self.mark(chunk.dir, Why::Unreadable);
                    // The same bytes are not tried again.
                    let passed = chunk.bytes.len() - at;
                    cx.stats.skipped += passed as u64;
                    at += passed;
                }
            }
        }
        self.settle(cx, chunk);
        self.stay_in_budget(cx, chunk.dir);
    }

    /// Gives out the streams that were reset and to which no answer is under way any more: the server has heard of it.
    fn settle(&mut self, cx: &mut Analyzer, chunk: &Chunk<'_>) {
        while let Some((id, offset, ts)) = self.reset.front().copied() {
            let has_heard = chunk.dir == Dir::Resp && chunk.ack >= offset;
            if !(has_heard || chunk.ts.since(ts) > RESET_TIME || self.reset.len() > MAX_RESET) {
                break;
            }
            self.reset.pop_front();
            if self.streams.get(&id).is_some_and(|stream| stream.is_reset) {
                self.close_stream(cx, id);
            }
        }
    }

    /// Counts what a direction holds beside its streams. Beyond the budget of all connections the oldest stream is given
    /// out, and so is a table that is larger than most are.
    fn stay_in_budget(&mut self, cx: &mut Analyzer, dir: Dir) {
        let side = self.side(dir);
        side.weigh(cx);
        if !cx.is_over_budget() {
            return;
        }
        if side.weight > MODEST {
            side.shed();
            side.weigh(cx);
            cx.note("HTTP2_state_dropped");
        }
        if self.streams.len() > 1 {
            self.drop_oldest(cx);
        }
    }

    fn drop_oldest(&mut self, cx: &mut Analyzer) {
        if let Some((_, oldest)) = self.streams.pop_first() {
            cx.stats.pending_dropped += 1;
            self.emit(cx, oldest);
        }
    }

    /// What is open in a direction may have lost bytes.
    fn mark(&mut self, dir: Dir, why: Why) {
        for stream in self.streams.values_mut() {
            let half = stream.half(dir);
            if !half.is_over
                && let Some(message) = &mut half.message
            {
                message.lacks(why);
            }
            if let Some(talk) = &mut stream.talk {
                talk.lose(dir);
            }
        }
    }

    /// The stream of that number, which is made where it is new.
    fn stream(&mut self, cx: &mut Analyzer, id: u32) -> &mut Stream {
        if !self.streams.contains_key(&id) {
            if self.streams.len() >= cx.limits.pending || cx.is_over_budget() {
                self.drop_oldest(cx);
            }
            self.depth += 1;
            self.streams.insert(id, Stream { depth: self.depth, ..Stream::default() });
        }
        self.streams.entry(id).or_default()
    }

    fn block(&mut self, cx: &mut Analyzer, chunk: &Chunk<'_>, head: Head, promised: u32) {
        // A promised request comes from the server (section 8.4).
        let (id, dir) = match head.kind {
            PUSH_PROMISE => (promised, Dir::Orig),
            _ => (head.stream, chunk.dir),
        };
        let mut limits = cx.limits.head;
        let half = self.stream(cx, id).half(dir);
        let is_trailer = half.message.is_some();
        let mut message = half.message.take().unwrap_or_else(|| new(cx, chunk, dir));
        let side = self.side(chunk.dir);
        let block = std::mem::take(&mut side.block);
        limits.bytes = limits.bytes.min(message.head.len() + side.decoder.honest(&block));
        let outcome = if is_trailer {
            side.decoder.decode(&block, |field| message::trailer(&mut message, limits, field))
        } else {
            let mut filler = Filler::new(&mut message, limits);
            let outcome = side.decoder.decode(&block, |field| filler.take(field));
            let (order, count) = filler.finish();
            if let Some(greeting) = side.greeting.take() {
                self.client = Some(greeting.fingerprint(order.get(..count).unwrap_or_default()));
            }
            outcome
        };
        let side = self.side(chunk.dir);
        side.recycle(block);
        if outcome.is_err() {
            side.decoder.lose();
            message.lacks(Why::Unreadable);
            cx.note("HTTP2_bad_header_block");
        }
        message.end = chunk.ts;
        if !is_trailer {
            message.head_end = chunk.ts;
            message.first_body = chunk.ts;
            match dir {
                Dir::Orig => {
                    cx.stats.requests += 1;
                    message.client.clone_from(&self.client);
                }
                Dir::Resp => cx.stats.responses += 1,
            }
        }
        let is_last = head.kind == PUSH_PROMISE || head.kind == HEADERS && head.has(END_STREAM);
        if dir == Dir::Resp && !is_trailer && (100..200).contains(&message.status) && !is_last {
            let informational = Informational { status: message.status, reason: Vec::new() };
            cx.give_back(message);
            self.stream(cx, id).informational = Some(informational);
            return;
        }
        let half = self.stream(cx, id).half(dir);
        if !is_trailer && !is_last {
            message.body.framing =
                message::content_length(&message).map_or(Framing::UntilClose, Framing::Length);
            message.body.coding = framing::coding(&message);
            half.coder.begin(cx, &mut message);
        }
        cx.reweigh(&mut half.weight, weight(&message));
        half.message = Some(message);
        if is_last {
            self.end_half(cx, id, dir);
        } else if dir == Dir::Resp && !is_trailer {
            self.switch(cx, id);
        }
    }

    /// A message whose head is not known, where there is none yet.
    fn headless(&mut self, cx: &mut Analyzer, chunk: &Chunk<'_>, id: u32, head_cut: bool) -> &mut Half {
        let half = self.stream(cx, id).half(chunk.dir);
        if half.message.is_none() {
            let mut message = new(cx, chunk, chunk.dir);
            Filler::new(&mut message, cx.limits.head).finish();
            message.head_cut = head_cut;
            message::unknown(&mut message);
            half.message = Some(message);
        }
        half
    }

    /// A block that was longer than the limit, or of which the rest is missing.
    fn too_long(&mut self, cx: &mut Analyzer, chunk: &Chunk<'_>, head: Head) {
        if head.kind != HEADERS {
            return;
        }
        self.headless(cx, chunk, head.stream, true);
        if head.has(END_STREAM) {
            self.end_half(cx, head.stream, chunk.dir);
        }
    }

    fn body(&mut self, cx: &mut Analyzer, chunk: &Chunk<'_>, id: u32, bytes: &[u8], is_last: bool) {
        let dir = chunk.dir;
        if !(self.streams.contains_key(&id) || self.is_partial || self.side(dir).has_gap) {
            // Of a stream that was reset.
            return;
        }
        if let Some(stream) = self.streams.get_mut(&id)
            && let Some(talk) = &mut stream.talk
        {
            let is_over = talk.data(cx, &Chunk { bytes, ..*chunk });
            talk.weigh(cx);
            // Not every client ends the stream behind its Close frame.
            stream.request.is_over |= is_over;
            if is_last {
                self.end_half(cx, id, dir);
            }
            return;
        }
        let half = self.headless(cx, chunk, id, false);
        if let Some(message) = &mut half.message
            && !bytes.is_empty()
        {
            half.coder.push(cx, message, bytes, chunk.ts);
            cx.reweigh(&mut half.weight, weight(message));
        }
        if is_last {
            self.end_half(cx, id, dir);
        }
    }

    /// A message is complete; with both of them the stream is.
    fn end_half(&mut self, cx: &mut Analyzer, id: u32, dir: Dir) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        stream.half(dir).is_over = true;
        let is_unasked = stream.request.message.is_none() && stream.talk.is_none();
        let asks_no_more = stream.request.is_over || is_unasked || stream.is_reset;
        if stream.response.is_over && asks_no_more {
            self.close_stream(cx, id);
        }
    }

    /// A stream was given up by either side: with NO_ERROR after a response that did not need the rest of the request
    /// (section 8.1). What the server has sent before it heard of it still comes (section 5.1).
    fn reset(&mut self, cx: &mut Analyzer, chunk: &Chunk<'_>, id: u32) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        for half in [&mut stream.request, &mut stream.response] {
            if let (Some(message), false) = (&mut half.message, half.is_over) {
                message.end = message.end.max(chunk.ts);
            }
        }
        if chunk.dir == Dir::Orig && !std::mem::replace(&mut stream.is_reset, true) {
            self.reset.push_back((id, chunk.offset + chunk.bytes.len() as u64, chunk.ts));
        } else {
            self.close_stream(cx, id);
        }
    }

    fn close_stream(&mut self, cx: &mut Analyzer, id: u32) {
        if let Some(stream) = self.streams.remove(&id) {
            self.emit(cx, stream);
        }
    }

    fn emit(&mut self, cx: &mut Analyzer, stream: Stream) {
        let Stream { depth, request, response, informational, talk, .. } = stream;
        if let Some(talk) = talk {
            return talk.finish(cx);
        }
        let [request, response] = [request, response].map(|half| finish(cx, half));
        let pairing = match (&request, &response) {
            (None, None) if informational.is_none() => return,
            (Some(_), Some(_)) => Pairing::Paired,
            (Some(_), None) if self.response.has_gap && !self.is_partial => Pairing::ResponseLost,
            (Some(_), None) => Pairing::NoResponse,
            (None, _) if self.is_partial => Pairing::RequestBeforeStart,
            (None, _) if self.request.has_gap => Pairing::RequestLost,
            (None, _) => Pairing::Unsolicited,
        };
        cx.emit(Exchange { depth, request, response, informational, pairing, ..Exchange::default() });
    }

    /// Tells of the streams that began before some time and are not over.
    pub(crate) fn look_early(&mut self, cx: &mut Analyzer, before: Timestamp) {
        for stream in self.streams.values_mut().filter(|stream| !stream.told) {
            if stream.request.message.as_ref().is_none_or(|request| request.start >= before) {
                continue;
            }
            stream.told = true;
            let part = |half: &Half| {
                half.message.as_ref().map(|message| {
                    let mut message = message.clone();
                    if !half.is_over {
                        message.stops(Why::InProgress);
                    }
                    message
                })
            };
            let response = part(&stream.response);
            let pairing = if response.is_some() { Pairing::Paired } else { Pairing::NoResponse };
            cx.tell_aside(Exchange {
                depth: stream.depth,
                request: part(&stream.request),
                response,
                informational: stream.informational.clone(),
                pairing,
                in_progress: true,
                ..Exchange::default()
            });
        }
    }

    /// Bytes are missing.
    pub(crate) fn gap(&mut self, cx: &mut Analyzer, gap: &Gap) {
        match self.side(gap.dir).gap(gap.len) {
            Missing::Body { stream, bytes, is_last } => {
                let found = self.streams.get_mut(&stream);
                if let Some(Stream { talk: Some(talk), .. }) = found {
                    talk.gap(cx, &Gap { len: bytes, ..*gap });
                } else if let Some(half) = found.map(|stream| stream.half(gap.dir))
                    && let Some(message) = &mut half.message
                {
                    half.coder.gap(cx, message, bytes);
                }
                if is_last {
                    self.end_half(cx, stream, gap.dir);
                }
            }
            Missing::Block { head } => {
                self.mark(gap.dir, gap.reason.into());
                self.too_long(cx, &nothing(gap.dir, gap.offset, gap.ts), head);
            }
            Missing::Other => self.mark(gap.dir, gap.reason.into()),
        }
    }

    /// A direction has ended. Whether both have.
    pub(crate) fn end(&mut self, dir: Dir) -> bool {
        self.side(dir).ended = true;
        self.request.ended && self.response.ended
    }

    /// The connection is over: what is open is given out.
    pub(crate) fn close(&mut self, cx: &mut Analyzer, ts: Timestamp) {
        for dir in [Dir::Orig, Dir::Resp] {
            if let Some(head) = self.side(dir).unfinished() {
                self.too_long(cx, &nothing(dir, 0, ts), head);
            }
        }
        while let Some((_, stream)) = self.streams.pop_first() {
            self.emit(cx, stream);
        }
        for side in [&mut self.request, &mut self.response] {
            cx.reweigh(&mut side.weight, 0);
        }
    }
}

/// A message that begins here.
fn new(cx: &mut Analyzer, chunk: &Chunk<'_>, dir: Dir) -> Box<Message> {
    let mut message = cx.message();
    message.response = dir == Dir::Resp;
    (message.offset, message.ack) = (chunk.offset, chunk.ack);
    for time in [&mut message.start, &mut message.head_end, &mut message.first_body, &mut message.end] {
        *time = chunk.ts;
    }
    message
}

/// A message as it is given out.
fn finish(cx: &mut Analyzer, mut half: Half) -> Option<Box<Message>> {
    cx.release(half.weight);
    let mut message = half.message?;
    if !half.is_over {
        message.stops(Why::ConnectionOver);
    }
    half.coder.finish(cx, &mut message);
    Some(message)
}
