//! One connection: found out what it speaks, read as HTTP, or given up as opaque.
mod other;

use crate::analyzer::Analyzer;
use crate::h1::conn::{H1, Turn};
use crate::h2::conn::H2;
use crate::h2::frame::{is_run, is_settings};
use crate::held::{Held, nothing, with_held};
use crate::probe::{self, Look};
use crate::protocol::Protocol;
use crate::proxy;
use crate::tls::Session;
use crate::tls::hello::is_unfinished;
use crate::websocket::Talk;
use harken_flow::{Chunk, Dir, Gap, Verdict};
use harken_wire::{Ip, Timestamp};

/// State of one connection.
#[derive(Debug)]
pub struct Conn {
    pub(crate) mode: Mode,
    port: u16,
    midstream: bool,
    /// Whether any HTTP message was read, also before an upgrade or a tunnel.
    http: bool,
    /// Whether it is HTTP/2.
    http2: bool,
    /// The client, as a proxy has said by the PROXY protocol.
    proxied: Option<Box<(Ip, u16)>>,
    /// When transactions that are not over are looked for; once HTTP is spoken.
    due: Timestamp,
}

#[derive(Debug)]
pub(crate) enum Mode {
    Probe(Box<Probe>),
    Http(Box<H1>),
    Http2(Box<H2>),
    /// TLS, whose handshake is not over.
    Tls(Box<Session>),
    WebSocket(Box<Talk>),
    Opaque(Protocol),
    /// Both directions have ended and everything was given out: nothing is kept while the flow lingers.
    Done,
}

/// A connection whose protocol is not known yet.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    sides: [Option<Box<Held>>; 2],
    /// Which directions showed something that is not HTTP.
    other: [bool; 2],
    /// End of the last gap of each direction; 0 = none.
    gap_end: [u64; 2],
    /// Bytes that were looked at and passed over.
    passed: u64,
    /// A proxy's header was read.
    is_behind_proxy: bool,
    /// The client has sent a ClientHello.
    tls: Option<Box<Session>>,
    /// Transactions that were read before (a tunnel inside a CONNECT).
    depth: u32,
}

impl Probe {
    /// Takes what is held of a direction.
    fn take(&mut self, cx: &mut Analyzer, dir: Dir) -> Option<Box<Held>> {
        let held = self.sides.get_mut(dir as usize)?.take()?;
        cx.undecided = cx.undecided.saturating_sub(1);
        Some(held)
    }
}

/// Bytes that are not HTTP after which a connection with a known start is given up. A proxy's handshake before
/// HTTP is shorter.
const MAX_PASSED: u64 = 4096;

/// Looks at bytes behind others that were not HTTP: a proxy's own handshake (SOCKS), the rest of a message
/// whose start was not seen. Only what is beyond doubt counts.
fn later_look(bytes: &[u8], dir: Dir) -> Look {
    match dir {
        // A server may speak first in HTTP/2, before the client's preface.
        Dir::Orig if bytes.starts_with(b"PRI * HTTP/2.0\r\n") => Look::Http2,
        Dir::Orig if probe::is_request_start(bytes) => Look::Request,
        Dir::Resp if probe::is_response_start(bytes) => Look::Response,
        _ if matches!(bytes, [0x16 | 0x17, 0x03, 0..=4, ..]) => Look::Tls,
        _ => Look::Other,
    }
}

impl Conn {
    pub(crate) fn new(port: u16, midstream: bool) -> Self {
        Self {
            mode: Mode::Probe(Box::default()),
            port,
            midstream,
            http: false,
            http2: false,
            proxied: None,
            due: Timestamp(u64::MAX),
        }
    }

    /// Whether HTTP was spoken on this connection.
    pub const fn is_http(&self) -> bool {
        self.http
    }

    /// The client's address and port, where a proxy has said them by the PROXY protocol.
    pub fn proxied(&self) -> Option<(Ip, u16)> {
        self.proxied.as_deref().copied()
    }

    /// Whether that was HTTP/2.
    pub const fn is_http2(&self) -> bool {
        self.http2
    }

    /// Asks for the memory that the next bytes will need; see [`harken_flow::Handler::warm`].
    #[inline]
    pub fn prefetch(&self) {
        if let Mode::Http(h1) = &self.mode {
            h1.prefetch();
        }
    }

    /// What the connection speaks now, when that is not HTTP/1.
    pub const fn opaque(&self) -> Option<&Protocol> {
        match &self.mode {
            Mode::Opaque(protocol) => Some(protocol),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn data(&mut self, cx: &mut Analyzer, chunk: &Chunk<'_>) -> Verdict {
        let verdict = self.read(cx, chunk);
        self.look(cx, chunk.ts);
        verdict
    }

    /// Time has passed.
    #[inline]
    pub(crate) fn look(&mut self, cx: &mut Analyzer, now: Timestamp) {
        if now >= self.due {
            self.look_early(cx, now);
        }
    }

    /// Tells of transactions that have been going on for long.
    #[cold]
    fn look_early(&mut self, cx: &mut Analyzer, now: Timestamp) {
        let before = Timestamp(now.0.saturating_sub(cx.limits.early));
        self.due = now.plus(cx.limits.early);
        match &mut self.mode {
            Mode::Http(h1) => h1.look_early(cx, before),
            Mode::Http2(h2) => h2.look_early(cx, before),
            _ => self.due = Timestamp(u64::MAX),
        }
    }

    #[inline]
    fn read(&mut self, cx: &mut Analyzer, chunk: &Chunk<'_>) -> Verdict {
        match &mut self.mode {
            Mode::Http(h1) => {
                let turn = h1.data(cx, chunk);
                self.turn(cx, turn, chunk)
            }
            Mode::Http2(h2) => {
                h2.data(cx, chunk);
                Verdict::Continue
            }
            Mode::Probe(_) => self.probe(cx, chunk),
            Mode::Tls(session) => {
                cx.stats.skipped += chunk.bytes.len() as u64;
                let is_over = session.data(chunk.dir, chunk.bytes, chunk.ts);
                self.look_at_tls(cx, is_over)
            }
            Mode::WebSocket(talk) => {
                cx.stats.parsed += chunk.bytes.len() as u64;
                let is_over = talk.data(cx, chunk);
                self.look_at_talk(cx, is_over)
            }
            Mode::Opaque(_) | Mode::Done => {
                cx.stats.skipped += chunk.bytes.len() as u64;
                Verdict::Ignore
            }
        }
    }

    /// The connection goes on in HTTP/2, with the last `rest` bytes of the chunk.
    fn upgrade(&mut self, cx: &mut Analyzer, chunk: &Chunk<'_>, rest: usize) -> Verdict {
        let Mode::Http(h1) = &mut self.mode else { return Verdict::Continue };
        let mut h2 = Box::new(h1.take_upgraded(cx).map_or_else(|| H2::new(false, 0), H2::upgraded));
        h1.close(cx, chunk.ts);
        let at = chunk.bytes.len().saturating_sub(rest);
        let bytes = chunk.bytes.get(at..).unwrap_or_default();
        h2.data(cx, &Chunk { offset: chunk.offset + at as u64, bytes, ..*chunk });
        self.http2 = true;
        self.mode = Mode::Http2(h2);
        Verdict::Continue
    }

    /// What the connection is after a chunk.
    fn turn(&mut self, cx: &mut Analyzer, turn: Turn, chunk: &Chunk<'_>) -> Verdict {
        let begun = if matches!(turn, Turn::WebSocket { .. }) { cx.last_switch() } else { None };
        if !matches!(turn, Turn::Http | Turn::Http2 { .. })
            && let Mode::Http(h1) = &mut self.mode
        {
            // What still waits will not be told apart in what follows.
            h1.close(cx, chunk.ts);
        }
        match turn {
            Turn::Http => Verdict::Continue,
            Turn::Http2 { rest } => self.upgrade(cx, chunk, rest),
            Turn::WebSocket { rest } => self.talk(cx, chunk, rest, begun),
            Turn::Opaque(protocol) => {
                cx.opaque(self, protocol);
                Verdict::Ignore
            }
            Turn::Tunnel { depth } => {
                self.mode = Mode::Probe(Box::new(Probe { depth, ..Probe::default() }));
                Verdict::Continue
            }
        }
    }

    fn probe(&mut self, cx: &mut Analyzer, chunk: &Chunk<'_>) -> Verdict {
        let Mode::Probe(probe) = &mut self.mode else { return Verdict::Continue };
        let side = chunk.dir as usize;
        let http_port = probe::is_http_port(self.port) || probe.depth > 0;
        let Some(slot) = probe.sides.get_mut(side) else { return Verdict::Continue };
        let bytes = match slot {
            Some(held) => {
                held.bytes.extend_from_slice(chunk.bytes);
                held.bytes.as_slice()
            }
            None => chunk.bytes,
        };
        if chunk.dir == Dir::Orig && probe.passed == 0 && !probe.is_behind_proxy {
            match proxy::look(bytes) {
                proxy::Look::Other => {}
                proxy::Look::NeedMore => return self.hold(cx, chunk),
                proxy::Look::Header(length, client) => return self.behind_proxy(cx, chunk, length, client),
            }
        }
        let look = if probe.other.contains(&true) {
            later_look(bytes, chunk.dir)
        } else {
            probe::look(bytes, http_port && !self.midstream)
        };
        let look = match look {
            // Only the role that a direction has can speak in it.
            Look::Request if chunk.dir == Dir::Resp => Look::Other,
            Look::Response if chunk.dir == Dir::Orig => Look::Other,
            Look::Http2 if chunk.dir == Dir::Resp => Look::Other,
            // An alert may be the whole answer.
            _ if chunk.dir == Dir::Resp && probe.tls.is_some() && matches!(bytes, [0x14..=0x18, 3, ..]) => {
                Look::Tls
            }
            Look::Tls if chunk.dir == Dir::Orig => match is_unfinished(bytes) {
                true => Look::NeedMore,
                false => return self.client_hello(cx, chunk),
            },
            // A server of HTTP/2 may speak before the client does.
            Look::Other if chunk.dir == Dir::Resp && is_settings(bytes) && !probe.other.contains(&true) => {
                Look::NeedMore
            }
            Look::NeedMore if self.midstream && !probe::is_worth_waiting(bytes) => Look::Other,
            look => look,
        };
        match look {
            Look::Request | Look::Response => self.begin(cx, chunk),
            Look::Http2 => self.begin_http2(cx, chunk, false),
            Look::Other if self.midstream && is_run(bytes) => self.begin_http2(cx, chunk, true),
            Look::Tls => self.begin_tls(cx, chunk),
            Look::NeedMore => self.hold(cx, chunk),
            Look::Other => self.pass(cx, chunk),
        }
    }

    /// The bytes are too few to tell: they are kept, if there is room. Those that are kept already have the new ones.
    fn hold(&mut self, cx: &mut Analyzer, chunk: &Chunk<'_>) -> Verdict {
        let Mode::Probe(probe) = &mut self.mode else { return Verdict::Continue };
        let Some(slot) = probe.sides.get_mut(chunk.dir as usize) else { return Verdict::Continue };
        if slot.is_some() {
            return Verdict::Continue;
        }
        if cx.undecided >= cx.limits.undecided {
            cx.stats.undecided_dropped += 1;
            return self.pass(cx, chunk);
        }
        cx.undecided += 1;
        let held = Held { bytes: chunk.bytes.to_vec(), offset: chunk.offset, ack: chunk.ack, ts: chunk.ts };
        *slot = Some(Box::new(held));
        Verdict::Continue
    }

    /// A proxy's header of `length` bytes, with its client: the connection begins behind it.
    fn behind_proxy(
        &mut self,
        cx: &mut Analyzer,
        chunk: &Chunk<'_>,
        length: usize,
        client: Option<(Ip, u16)>,
    ) -> Verdict {
        let Mode::Probe(probe) = &mut self.mode else { return Verdict::Continue };
        probe.is_behind_proxy = true;
        let held = probe.take(cx, chunk.dir);
        self.proxied = client.map(Box::new);
        cx.stats.skipped += length as u64;
        let whole = with_held(held.as_deref(), chunk);
        let bytes = whole.bytes.get(length..).unwrap_or_default();
        match bytes.is_empty() {
            true => Verdict::Continue,
            false => self.probe(cx, &Chunk { offset: whole.offset + length as u64, bytes, ..whole }),
        }
    }

    /// The bytes are no start of anything known: later ones may be, on a connection joined in the middle.
    fn pass(&mut self, cx: &mut Analyzer, chunk: &Chunk<'_>) -> Verdict {
        let Mode::Probe(probe) = &mut self.mode else { return Verdict::Continue };
        let side = chunk.dir as usize;
        let held = probe.take(cx, chunk.dir);
        let bytes = with_held(held.as_deref(), chunk).bytes;
        cx.stats.skipped += bytes.len() as u64;
        probe.passed += bytes.len() as u64;
        // What comes right behind a ClientHello, as early data does, is of its handshake.
        if let (Some(session), Dir::Orig) = (&mut probe.tls, chunk.dir) {
            session.data(chunk.dir, bytes, chunk.ts);
        }
        if let Some(other) = probe.other.get_mut(side) {
            *other = true;
        }
        if probe.tls.is_some() && (chunk.dir == Dir::Resp || probe.passed > MAX_PASSED) {
            self.end_tls(cx);
            return Verdict::Ignore;
        }
        let limit = if self.midstream { cx.limits.seek } else { MAX_PASSED };
        if probe.passed > limit {
            cx.opaque(self, Protocol::Unknown);
            return Verdict::Ignore;
        }
        Verdict::Continue
    }

    /// Bytes that were held to see what they become will not become anything.
    pub(crate) fn drop_held(&mut self, cx: &mut Analyzer) {
        let Mode::Probe(probe) = &mut self.mode else { return };
        for dir in [Dir::Orig, Dir::Resp] {
            if let Some(held) = probe.take(cx, dir) {
                cx.stats.skipped += held.bytes.len() as u64;
            }
        }
    }

    /// HTTP/1 it is: what was held is read, in the order in which it came.
    fn begin(&mut self, cx: &mut Analyzer, chunk: &Chunk<'_>) -> Verdict {
        let Mode::Probe(probe) = &mut self.mode else { return Verdict::Continue };
        let other = chunk.dir.other();
        let (held_other, held_own) = (probe.take(cx, other), probe.take(cx, chunk.dir));
        // A ClientHello that the server did not understand.
        if let Some(tls) = probe.tls.take().and_then(|session| session.finish()) {
            cx.tell_tls(tls);
        }
        // Behind bytes that were passed over requests may be under way, as after a join in the middle.
        let mut h1 = Box::new(H1::new(self.midstream || probe.passed > 0, probe.depth));
        h1.missed(probe.gap_end);
        if let ([true, answered], false) = (probe.other, self.midstream) {
            h1.passed_over(answered);
        }
        if !self.http {
            cx.stats.connections += 1;
        }
        self.due = chunk.ts.plus(cx.limits.early);
        self.http = true;
        let mut turn = Turn::Http;
        if let Some(held) = held_other {
            turn = h1.data(cx, &held.chunk(other));
        }
        let own = with_held(held_own.as_deref(), chunk);
        if turn == Turn::Http {
            turn = h1.data(cx, &own);
        } else {
            cx.stats.skipped += own.bytes.len() as u64;
        }
        self.mode = Mode::Http(h1);
        self.turn(cx, turn, &own)
    }

    /// HTTP/2 it is, from its preface or joined in the middle (`is_partial`): what was held is read.
    fn begin_http2(&mut self, cx: &mut Analyzer, chunk: &Chunk<'_>, is_partial: bool) -> Verdict {
        let Mode::Probe(probe) = &mut self.mode else { return Verdict::Continue };
        let other = chunk.dir.other();
        let (held_other, held_own) = (probe.take(cx, other), probe.take(cx, chunk.dir));
        let mut h2 = Box::new(H2::new(is_partial, probe.depth));
        if let Some(held) = held_other {
            h2.data(cx, &held.chunk(other));
        }
        h2.data(cx, &with_held(held_own.as_deref(), chunk));
        if !self.http {
            cx.stats.connections += 1;
        }
        self.due = chunk.ts.plus(cx.limits.early);
        (self.http, self.http2) = (true, true);
        self.mode = Mode::Http2(h2);
        Verdict::Continue
    }

    pub(crate) fn gap(&mut self, cx: &mut Analyzer, gap: &Gap) -> Verdict {
        match &mut self.mode {
            Mode::Http2(h2) => {
                h2.gap(cx, gap);
                Verdict::Continue
            }
            Mode::Http(h1) => {
                let turn = h1.gap(cx, gap);
                let is_upgraded = matches!(turn, Turn::Http2 { .. });
                let verdict = self.turn(cx, turn, &nothing(gap.dir, gap.offset, gap.ts));
                if is_upgraded { self.gap(cx, gap) } else { verdict }
            }
            Mode::Probe(probe) => {
                // Whatever was held cannot be completed; what follows is like a connection joined late.
                if let Some(held) = probe.take(cx, gap.dir) {
                    cx.stats.skipped += held.bytes.len() as u64;
                }
                if let Some(end) = probe.gap_end.get_mut(gap.dir as usize) {
                    *end = gap.offset + gap.len;
                }
                self.midstream = true;
                Verdict::Continue
            }
            Mode::WebSocket(talk) => {
                let is_over = talk.gap(cx, gap);
                self.look_at_talk(cx, is_over)
            }
            Mode::Tls(session) => {
                let is_over = session.gap(gap.dir, gap.len);
                self.look_at_tls(cx, is_over)
            }
            Mode::Opaque(_) | Mode::Done => Verdict::Ignore,
        }
    }

    pub(crate) fn end(&mut self, cx: &mut Analyzer, dir: Dir, ts: Timestamp) {
        if dir == Dir::Orig {
            self.end_first_line(cx);
        }
        if let Mode::Http(h1) = &mut self.mode
            && h1.end(cx, dir, ts)
        {
            h1.close(cx, ts);
            self.mode = Mode::Done;
        }
        if let Mode::Http2(h2) = &mut self.mode
            && h2.end(dir)
        {
            h2.close(cx, ts);
            self.mode = Mode::Done;
        }
    }

    /// The client ended in the middle of its first line: the line is what there is of it.
    fn end_first_line(&mut self, cx: &mut Analyzer) {
        let Mode::Probe(probe) = &mut self.mode else { return };
        let http_port = probe::is_http_port(self.port) || probe.depth > 0;
        let Some(mut held) = probe.take(cx, Dir::Orig) else { return };
        held.bytes.push(b'\n');
        let is_request = probe::look(&held.bytes, http_port) == Look::Request;
        held.bytes.pop();
        if is_request {
            self.begin(cx, &held.chunk(Dir::Orig));
        } else {
            cx.stats.skipped += held.bytes.len() as u64;
        }
    }

    pub(crate) fn close(&mut self, cx: &mut Analyzer, ts: Timestamp) {
        self.end_tls(cx);
        self.end_talk(cx);
        self.end_first_line(cx);
        self.drop_held(cx);
        match &mut self.mode {
            Mode::Http(h1) => h1.close(cx, ts),
            Mode::Http2(h2) => h2.close(cx, ts),
            Mode::Probe(_) | Mode::Tls(_) | Mode::WebSocket(_) | Mode::Opaque(_) | Mode::Done => {}
        }
    }
}
