//! An HTTP/1 connection: the two directions and the transactions between them.
use super::framing::{self, Asked};
use super::head::Kind;
use super::pairing::{Slots, Upgrade, Upgraded};
use super::side::{EndEffect, Found, GapEffect, Next, Phase, Side};
use crate::analyzer::Analyzer;
use crate::message::{Coding, Completeness, Framing, Known, Message};
use crate::protocol::Protocol;
use harken_flow::{Chunk, Dir, Gap};
use harken_wire::{Timestamp, prefetch};

/// What the connection is after the bytes were read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Turn {
    /// HTTP/1, as before.
    Http,
    /// Something that is not read here.
    Opaque(Protocol),
    /// A tunnel made by CONNECT: anything may follow, HTTP too. `depth` transactions came before.
    Tunnel {
        /// Ordinal of the last transaction.
        depth: u32,
    },
    /// WebSocket, behind the exchange that was given out last.
    WebSocket {
        /// Bytes at the end of the chunk that belong to it already.
        rest: usize,
    },
    /// HTTP/2, which answers the request that has asked for it; [`H1::take_upgraded`] has that.
    Http2 {
        /// Bytes at the end of the chunk that belong to it already.
        rest: usize,
    },
}

/// State of an HTTP/1 connection. It fills whole cache lines, few of them: with many connections, reading them
/// is most of what a packet costs.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct H1 {
    request: Side,
    response: Side,
    slots: Slots,
    /// Set when the connection turns into something else.
    turn: Option<Box<Turn>>,
}

const _: () = assert!(size_of::<Side>() == 64 && size_of::<H1>() == 256);

impl H1 {
    pub(crate) fn new(midstream: bool, depth: u32) -> Self {
        Self {
            request: Side::new(Kind::Request),
            response: Side::new(Kind::Response),
            slots: Slots::new(midstream, depth),
            turn: None,
        }
    }

    /// Takes note of gaps that came before HTTP was recognised: the end of the last one of each direction, 0
    /// for none.
    pub(crate) fn missed(&mut self, [request, response]: [u64; 2]) {
        if request > 0 {
            self.slots.request_gap(false);
        }
        if response > 0 {
            self.slots.response_gap(response);
        }
    }

    /// Takes note that the client sent something that was no request before; `answered` says that the server
    /// sent something of that kind, too.
    pub(crate) fn passed_over(&mut self, answered: bool) {
        self.slots.request_gap(answered);
    }

    /// Asks for the memory that the next bytes will need.
    #[inline]
    pub(crate) fn prefetch(&self) {
        prefetch(&self.request);
        prefetch(&self.slots);
        prefetch(&self.response);
        prefetch(&self.turn);
    }

    fn side(&mut self, dir: Dir) -> &mut Side {
        match dir {
            Dir::Orig => &mut self.request,
            Dir::Resp => &mut self.response,
        }
    }

    /// Reads the bytes of a chunk. Where the connection turns into something else inside it, the rest of the
    /// chunk is passed over.
    pub(crate) fn data(&mut self, cx: &mut Analyzer, chunk: &Chunk<'_>) -> Turn {
        let skipped_before = cx.stats.skipped;
        let mut at = 0;
        while at < chunk.bytes.len() && self.turn.is_none() {
            let rest = chunk.bytes.get(at..).unwrap_or_default();
            if chunk.dir == Dir::Resp && self.response.phase == Phase::Idle && self.starts_headless(rest) {
                self.response.begin_headless(cx, chunk, at);
                self.response_head(cx);
                continue;
            }
            let resume = match chunk.dir {
                Dir::Resp if self.response.phase == Phase::Lost => {
                    self.slots.next_response(chunk.offset + at as u64)
                }
                _ => None,
            };
            let side = self.side(chunk.dir);
            let (used, found) = side.read(cx, chunk, at, resume);
            at += used;
            side.position = chunk.offset + at as u64;
            match found {
                Found::Nothing => {}
                Found::Head => self.message_head(cx, chunk.dir),
                Found::End => self.message_end(cx, chunk.dir, Next::Message),
                Found::Cut => {
                    self.message_end(cx, chunk.dir, Next::Unknown);
                    self.lose(chunk.dir, true);
                }
                Found::Violation => self.violation(cx, chunk.dir),
            }
        }
        let mut rest = chunk.bytes.len() - at;
        let mut read = chunk.bytes.len();
        if let Some(Turn::Http2 { rest: left } | Turn::WebSocket { rest: left }) = self.turn.as_deref_mut() {
            // That is read as what it is.
            *left = std::mem::take(&mut rest);
            read = at;
        }
        cx.stats.skipped += rest as u64;
        // Bytes of earlier chunks can be among the skipped ones: they were counted as parsed then.
        let skipped = cx.stats.skipped - skipped_before;
        cx.stats.parsed = (cx.stats.parsed + read as u64).saturating_sub(skipped);
        self.take_turn()
    }

    fn take_turn(&mut self) -> Turn {
        self.turn.take().map_or(Turn::Http, |turn| *turn)
    }

    fn violation(&mut self, cx: &mut Analyzer, dir: Dir) {
        if dir == Dir::Orig && !self.request.noted {
            self.request.noted = true;
            cx.note("bad_HTTP_request");
        }
        self.lose(dir, true);
    }

    /// Where the next message begins in a direction is not known any more, nor how many were passed over:
    /// the order alone does not tell the pairs. `inside` says that what was passed over belongs to a message
    /// that was seen.
    fn lose(&mut self, dir: Dir, inside: bool) {
        let side = self.side(dir);
        side.phase = Phase::Lost;
        let position = side.position;
        match dir {
            Dir::Orig => self.slots.request_gap(inside),
            Dir::Resp => self.slots.response_gap(position),
        }
    }

    /// The oldest request is HTTP/0.9: its response has no head, unless the server answers in a later version.
    fn starts_headless(&mut self, bytes: &[u8]) -> bool {
        let opening = bytes.get(..5).unwrap_or(bytes);
        let has_head = b"HTTP/".get(..opening.len()).is_some_and(|p| p.eq_ignore_ascii_case(opening));
        !has_head && self.slots.current().is_some_and(|slot| slot.http09 && !slot.answered)
    }

    fn message_head(&mut self, cx: &mut Analyzer, dir: Dir) {
        match dir {
            Dir::Orig => self.request_head(cx),
            Dir::Resp => self.response_head(cx),
        }
    }

    fn message_end(&mut self, cx: &mut Analyzer, dir: Dir, next: Next) {
        match dir {
            Dir::Orig => self.request_end(cx, next),
            Dir::Resp => self.response_end(cx, next),
        }
    }

    fn request_head(&mut self, cx: &mut Analyzer) {
        let Some(mut message) = self.request.message.take() else { return };
        if message.version.is_none() && !message.head_cut && self.request.begun {
            // HTTP/0.9 has one request for a connection: behind another one this is no request line.
            cx.give_back(message);
            return self.violation(cx, Dir::Orig);
        }
        self.request.begun = true;
        cx.stats.requests += 1;
        self.end_bodiless_response(cx, message.ack);
        let answering = self.response.message.is_some();
        let slot = self.slots.push_request(cx, &message, answering);
        slot.head_only = message.method().eq_ignore_ascii_case(b"HEAD");
        slot.connect = message.method().eq_ignore_ascii_case(b"CONNECT");
        slot.upgrade = upgrade(&message);
        if message.desync.has(crate::Desync::FOLDED) {
            cx.note("HTTP_obsolete_line_folding");
        }
        let framing = match message.version {
            Some(_) => framing::of_request(&mut message),
            None => Framing::None,
        };
        let coding = framing::coding(&message);
        let cut = message.head_cut && message.completeness != Completeness::Full;
        // HTTP/0.9 has one request for a connection.
        let last = message.version.is_none();
        self.request.message = Some(message);
        if cut || last {
            self.request.frame(cx, framing, coding);
            self.request_end(cx, Next::Unknown);
            if cut {
                self.lose(Dir::Orig, true);
            }
        } else if self.request.frame(cx, framing, coding) {
            self.request_end(cx, Next::Message);
        }
    }

    /// A response whose request is not known may have answered a HEAD: it had no body if the client's next
    /// request acknowledges its head and nothing behind it.
    fn end_bodiless_response(&mut self, cx: &mut Analyzer, ack: u64) {
        let Some(response) = &self.response.message else { return };
        let untouched = response.body.wire_len == 0 && response.body.missing == 0;
        let unknown = self.slots.current().is_some_and(|slot| slot.state == super::pairing::State::Absent);
        if untouched && unknown && ack == response.offset + response.head_len {
            self.response_end(cx, Next::Message);
        }
    }

    fn response_head(&mut self, cx: &mut Analyzer) {
        let Some(mut message) = self.response.message.take() else { return };
        cx.stats.responses += 1;
        self.slots.claim(cx, &message);
        let slot = self.slots.current();
        let head_only = slot.is_some_and(|slot| slot.head_only);
        let asked = if head_only { Asked::Head } else { Asked::Other };
        let mut framing = framing::of_response(&mut message, asked);
        if self.slots.current().is_some_and(|slot| slot.connect) && matches!(message.status, 200..=299) {
            // RFC 9110 section 9.3.6: the tunnel begins behind the head.
            framing = Framing::None;
        }
        let coding = if framing == Framing::None { Coding::Identity } else { framing::coding(&message) };
        let cut = message.head_cut && message.completeness != Completeness::Full;
        self.response.message = Some(message);
        if cut {
            self.response_end(cx, Next::Unknown);
            self.lose(Dir::Resp, true);
        } else if self.response.frame(cx, framing, coding) {
            self.response_end(cx, Next::Message);
        }
    }

    fn request_end(&mut self, cx: &mut Analyzer, next: Next) {
        if let Some(message) = self.request.finish(cx, next) {
            self.slots.complete_request(cx, message);
        }
    }

    fn response_end(&mut self, cx: &mut Analyzer, next: Next) {
        let Some(message) = self.response.finish(cx, next) else { return };
        match message.status {
            100 | 102..=199 => self.slots.interim_response(cx, message),
            101 => self.switch(cx, message),
            status => {
                let connect = self.slots.current().is_some_and(|slot| slot.connect);
                self.slots.complete_response(cx, message);
                if connect && matches!(status, 200..=299) {
                    self.turn = Some(Box::new(Turn::Tunnel { depth: self.slots.depth }));
                }
            }
        }
    }

    /// The server changes to the protocol that it names (RFC 9110 section 15.2.2), or else to the one that was asked for.
    fn switch(&mut self, cx: &mut Analyzer, response: Box<Message>) {
        let asked = self.slots.current().and_then(|slot| slot.upgrade);
        let turn = match upgrade(&response).or(asked) {
            Some(Upgrade::Http2) => {
                self.slots.interim_response(cx, response);
                self.turn = Some(Box::new(Turn::Http2 { rest: 0 }));
                return;
            }
            Some(Upgrade::WebSocket) => Turn::WebSocket { rest: 0 },
            Some(Upgrade::Other) | None => Turn::Opaque(Protocol::Upgraded),
        };
        self.slots.complete_response(cx, response);
        self.turn = Some(Box::new(turn));
    }

    pub(crate) fn gap(&mut self, cx: &mut Analyzer, gap: &Gap) -> Turn {
        let side = self.side(gap.dir);
        side.position = gap.offset + gap.len;
        match side.gap(cx, gap.len, gap.ts) {
            GapEffect::Inside => {}
            GapEffect::Ended => self.message_end(cx, gap.dir, Next::Message),
            GapEffect::CutHead => {
                self.message_head(cx, gap.dir);
                self.lose(gap.dir, true);
            }
            GapEffect::Cut => {
                self.message_end(cx, gap.dir, Next::Unknown);
                self.lose(gap.dir, true);
            }
            GapEffect::Beyond => {
                self.message_end(cx, gap.dir, Next::Unknown);
                self.lose(gap.dir, false);
            }
            GapEffect::Outside => self.lose(gap.dir, false),
        }
        self.take_turn()
    }

    /// A direction has ended. Returns whether both have.
    pub(crate) fn end(&mut self, cx: &mut Analyzer, dir: Dir, ts: Timestamp) -> bool {
        self.side(dir).ended = true;
        match self.side(dir).end(cx, ts) {
            EndEffect::Nothing => {}
            EndEffect::Ended => self.message_end(cx, dir, Next::Unknown),
            EndEffect::CutHead => self.message_head(cx, dir),
        }
        self.request.ended && self.response.ended
    }

    /// Tells of the oldest transaction, if it began before some time and is not over.
    pub(crate) fn look_early(&mut self, cx: &mut Analyzer, before: Timestamp) {
        let is_read = self.slots.current().is_some() && self.response.phase != Phase::Lost;
        let response = self.response.message.as_deref().filter(|_| is_read);
        if let Some(exchange) = self.slots.early(before, response) {
            cx.tell_aside(exchange);
        }
    }

    /// See [`Slots::take_upgraded`].
    pub(crate) fn take_upgraded(&mut self, cx: &mut Analyzer) -> Option<Upgraded> {
        self.slots.take_upgraded(cx)
    }

    pub(crate) fn close(&mut self, cx: &mut Analyzer, ts: Timestamp) {
        self.end(cx, Dir::Orig, ts);
        self.end(cx, Dir::Resp, ts);
        self.slots.close(cx);
    }
}

/// The protocol that a message asks for or changes to.
pub(crate) fn upgrade(message: &Message) -> Option<Upgrade> {
    let value = message.known(Known::Upgrade)?;
    let names = |name: &[u8]| value.get(..name.len()).is_some_and(|v| v.eq_ignore_ascii_case(name));
    Some(if names(b"websocket") {
        Upgrade::WebSocket
    } else if names(b"h2c") {
        Upgrade::Http2
    } else {
        Upgrade::Other
    })
}
