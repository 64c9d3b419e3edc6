//! What a connection does that speaks TLS or WebSocket.
use super::{Conn, Mode};
use crate::analyzer::Analyzer;
use crate::exchange::Exchange;
use crate::protocol::Protocol;
use crate::websocket::Talk;
use harken_flow::{Chunk, Verdict};

impl Conn {
    /// A ClientHello: TLS, unless the server answers in HTTP that it does not understand.
    pub(super) fn client_hello(&mut self, cx: &mut Analyzer, chunk: &Chunk<'_>) -> Verdict {
        let Mode::Probe(probe) = &mut self.mode else { return Verdict::Continue };
        if probe.tls.is_some() || probe.other != [false, false] {
            return self.begin_tls(cx, chunk);
        }
        probe.tls = Some(Box::default());
        self.pass(cx, chunk)
    }

    /// TLS it is: what was held, and what comes, is the rest of its handshake.
    pub(super) fn begin_tls(&mut self, cx: &mut Analyzer, chunk: &Chunk<'_>) -> Verdict {
        let Mode::Probe(probe) = &mut self.mode else { return Verdict::Continue };
        let held = probe.take(cx, chunk.dir);
        let bytes = held.as_ref().map_or(chunk.bytes, |held| &held.bytes);
        let mut session = probe.tls.take().unwrap_or_default();
        self.drop_held(cx);
        cx.stats.skipped += bytes.len() as u64;
        let is_over = session.data(chunk.dir, bytes, chunk.ts);
        self.mode = Mode::Tls(session);
        self.look_at_tls(cx, is_over)
    }

    /// Goes on with a handshake, unless it is over or there is no memory for it.
    pub(super) fn look_at_tls(&mut self, cx: &mut Analyzer, is_over: bool) -> Verdict {
        let Mode::Tls(session) = &mut self.mode else { return Verdict::Continue };
        let holds = session.holds();
        cx.reweigh(&mut session.weight, holds);
        if is_over || holds > 0 && cx.is_over_budget() {
            self.end_tls(cx);
            return Verdict::Ignore;
        }
        Verdict::Continue
    }

    /// Tells what a handshake has told.
    pub(super) fn end_tls(&mut self, cx: &mut Analyzer) {
        let mut session = match &mut self.mode {
            Mode::Tls(session) => std::mem::take(session),
            Mode::Probe(probe) if probe.tls.is_some() => probe.tls.take().unwrap_or_default(),
            _ => return,
        };
        cx.reweigh(&mut session.weight, 0);
        let name = session.server_name().map(str::to_owned);
        cx.opaque(self, Protocol::Tls(name));
        if let Some(tls) = session.finish() {
            cx.tell_tls(tls);
        }
    }

    /// The connection goes on in WebSocket, with the last `rest` bytes of the chunk, behind an exchange.
    pub(super) fn talk(
        &mut self,
        cx: &mut Analyzer,
        chunk: &Chunk<'_>,
        rest: usize,
        begun: Option<Exchange>,
    ) -> Verdict {
        let Some(exchange) = begun else {
            cx.stats.skipped += rest as u64;
            cx.opaque(self, Protocol::WebSocket);
            return Verdict::Ignore;
        };
        let at = chunk.bytes.len().saturating_sub(rest);
        let bytes = chunk.bytes.get(at..).unwrap_or_default();
        let mut talk = Box::new(Talk::new(cx, exchange));
        let is_over = talk.data(cx, &Chunk { offset: chunk.offset + at as u64, bytes, ..*chunk });
        cx.stats.parsed += rest as u64;
        self.mode = Mode::WebSocket(talk);
        self.look_at_talk(cx, is_over)
    }

    /// Goes on with WebSocket, unless it is over or there is no memory for it.
    pub(super) fn look_at_talk(&mut self, cx: &mut Analyzer, is_over: bool) -> Verdict {
        let Mode::WebSocket(talk) = &mut self.mode else { return Verdict::Continue };
        talk.weigh(cx);
        if is_over || cx.is_over_budget() {
            self.end_talk(cx);
            return Verdict::Ignore;
        }
        Verdict::Continue
    }

    /// Gives out what a WebSocket connection was.
    pub(super) fn end_talk(&mut self, cx: &mut Analyzer) {
        let before = std::mem::replace(&mut self.mode, Mode::Done);
        let Mode::WebSocket(talk) = before else {
            self.mode = before;
            return;
        };
        talk.finish(cx);
        cx.opaque(self, Protocol::WebSocket);
    }
}
