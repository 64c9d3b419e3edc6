//! The analyzer of a shard: limits, counters, and what all connections share.
use crate::body::BodyLimits;
use crate::conn::{Conn, Mode};
use crate::exchange::{Exchange, Pairing, Seen};
use crate::h1::head::HeadLimits;
use crate::message::Message;
use crate::protocol::Protocol;
use crate::tls::Tls;
use harken_flow::{Chunk, Dir, Gap, GapReason, Verdict};
use harken_wire::Timestamp;
use std::collections::VecDeque;

/// Bounds of what a connection may cost. Every bound has a counter in [`Stats`].
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bounds of heads.
    pub head: HeadLimits,
    /// Bounds of bodies.
    pub body: BodyLimits,
    /// Requests of one connection that wait for their response; beyond it the oldest is given up.
    pub pending: usize,
    /// Bodies that are decoded at the same time; further coded bodies are only counted.
    pub decoders: usize,
    /// Bytes that all connections together may hold back: heads and trailers that are not whole, and requests
    /// that wait for their response behind another one. Beyond it heads are cut where they are, and of
    /// several waiting requests of a connection the oldest is given up.
    pub held: u64,
    /// Connections of which the first bytes are held because they are too few to tell what they are.
    pub undecided: usize,
    /// Bytes of a connection joined in the middle that are searched for the start of a message.
    pub seek: u64,
    /// Nanoseconds after which a transaction that is not over is told of ([`Exchange::in_progress`]), with the next bytes or the
    /// next [`Analyzer::look`] at its connection.
    pub early: u64,
    /// Messages of a WebSocket connection that are told one by one ([`Exchange::spoken`]), of both sides together.
    pub websocket_messages: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: HeadLimits { bytes: 64 * 1024, fields: 256 },
            body: BodyLimits::default(),
            pending: 1024,
            held: 64 << 20,
            undecided: 4096,
            decoders: 256,
            seek: 16 << 20,
            early: 5_000_000_000,
            websocket_messages: 0,
        }
    }
}

/// What was read, and what limits did.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Stats {
    /// Stream bytes that were read as part of a message.
    pub parsed: u64,
    /// Stream bytes that were passed over: not HTTP, or no message start could be found behind a gap.
    pub skipped: u64,
    /// Requests read.
    pub requests: u64,
    /// Responses read, interim ones included.
    pub responses: u64,
    /// Exchanges given out.
    pub exchanges: u64,
    /// Exchanges told of before their end.
    pub early: u64,
    /// Exchanges given out, by [`Pairing`].
    pub pairings: [u64; Pairing::COUNT],
    /// Exchanges given out, by how much of their request was seen ([`Seen`]), and of their response.
    pub seen: [[u64; Seen::COUNT]; 2],
    /// Messages with a suspicion of request smuggling.
    pub desync: u64,
    /// Heads longer than the limit.
    pub heads_cut: u64,
    /// Pending requests given up because there were too many.
    pub pending_dropped: u64,
    /// Connections whose first bytes were not held because too many were undecided.
    pub undecided_dropped: u64,
    /// Bodies whose content coding could not be decoded, or not to the end.
    pub decode_failed: u64,
    /// Bodies not decoded because too many were being decoded.
    pub decoders_exhausted: u64,
    /// Bodies neither decoded nor kept for lack of time.
    pub bodies_shed: u64,
    /// Times that reading resumed at a message start behind a gap.
    pub resynced: u64,
    /// Connections that speak HTTP.
    pub connections: u64,
    /// Connections that became opaque, by [`Protocol`].
    pub opaque: [u64; Protocol::COUNT],
}

impl Stats {
    /// Adds the counters of another analyzer (another shard's).
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.pairings.iter_mut().zip(other.pairings) {
            *mine += theirs;
        }
        for (mine, theirs) in self.seen.iter_mut().flatten().zip(other.seen.iter().flatten()) {
            *mine += theirs;
        }
        for (mine, theirs) in self.opaque.iter_mut().zip(other.opaque) {
            *mine += theirs;
        }
        for (mine, theirs) in [
            (&mut self.parsed, other.parsed),
            (&mut self.skipped, other.skipped),
            (&mut self.requests, other.requests),
            (&mut self.responses, other.responses),
            (&mut self.exchanges, other.exchanges),
            (&mut self.early, other.early),
            (&mut self.desync, other.desync),
            (&mut self.heads_cut, other.heads_cut),
            (&mut self.pending_dropped, other.pending_dropped),
            (&mut self.undecided_dropped, other.undecided_dropped),
            (&mut self.decode_failed, other.decode_failed),
            (&mut self.decoders_exhausted, other.decoders_exhausted),
            (&mut self.bodies_shed, other.bodies_shed),
            (&mut self.resynced, other.resynced),
            (&mut self.connections, other.connections),
        ] {
            *mine += theirs;
        }
    }
}

/// Messages kept for reuse.
const POOL: usize = 256;

/// Shared by the connections of a shard: limits, counters, recycled messages, and what is ready to be taken.
#[derive(Debug, Default)]
pub struct Analyzer {
    pub(crate) limits: Limits,
    pub(crate) stats: Stats,
    pub(crate) decoders: usize,
    /// See [`Analyzer::shed_bodies`].
    pub(crate) shed_bodies: bool,
    /// The configured [`BodyLimits::keep`].
    keep: usize,
    /// Connections with held first bytes; see [`Limits::undecided`].
    pub(crate) undecided: usize,
    /// Bytes that are held back for all connections; see [`Limits::held`].
    pub(crate) held: u64,
    #[allow(
        clippy::vec_box,
        reason = "the boxes are what is handed out: a message is large and moves often"
    )]
    pool: Vec<Box<Message>>,
    done: VecDeque<Exchange>,
    weird: VecDeque<&'static str>,
    tls: Option<Box<Tls>>,
    /// Of the gap at hand.
    pub(crate) gap_reason: GapReason,
}

impl Analyzer {
    /// An analyzer with these limits.
    pub fn new(limits: Limits) -> Self {
        Self { limits, keep: limits.body.keep, ..Self::default() }
    }

    /// Counters so far.
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Whether bodies that begin from here on are neither decoded nor kept, for lack of time; counted in
    /// [`Stats::bodies_shed`].
    pub const fn shed_bodies(&mut self, shed: bool) {
        self.shed_bodies = shed;
        self.limits.body.keep = if shed { 0 } else { self.keep };
    }

    /// State for a new connection whose server listens on `port`. `midstream` says that its start was not
    /// seen.
    pub fn open(&self, port: u16, midstream: bool) -> Conn {
        Conn::new(port, midstream)
    }

    /// Takes in-order bytes of a connection.
    #[inline]
    pub fn data(&mut self, conn: &mut Conn, chunk: &Chunk<'_>) -> Verdict {
        conn.data(self, chunk)
    }

    /// Time has passed on a connection, whether bytes came or not.
    pub fn look(&mut self, conn: &mut Conn, now: Timestamp) {
        conn.look(self, now);
    }

    /// Takes note of missing bytes.
    pub fn gap(&mut self, conn: &mut Conn, gap: &Gap) -> Verdict {
        self.gap_reason = gap.reason;
        conn.gap(self, gap)
    }

    /// One direction has ended.
    pub fn end(&mut self, conn: &mut Conn, dir: Dir, ts: Timestamp) {
        conn.end(self, dir, ts);
    }

    /// The connection is over: whatever is pending is given out.
    pub fn close(&mut self, conn: &mut Conn, ts: Timestamp) {
        conn.close(self, ts);
    }

    /// Whether nothing is ready to be taken.
    #[inline]
    pub fn is_idle(&self) -> bool {
        self.done.is_empty() && self.weird.is_empty() && self.tls.is_none()
    }

    /// What the handshake of the connection that was served last tells, when that is over.
    pub fn take_tls(&mut self) -> Option<Box<Tls>> {
        self.tls.take()
    }

    pub(crate) fn tell_tls(&mut self, tls: Box<Tls>) {
        self.tls = Some(tls);
    }

    /// The oldest exchange that is ready; give it back with [`Analyzer::recycle`].
    pub fn take(&mut self) -> Option<Exchange> {
        self.done.pop_front()
    }

    /// A protocol oddity of the connection that was served last, by Zeek's name.
    pub fn take_weird(&mut self) -> Option<&'static str> {
        self.weird.pop_front()
    }

    /// Takes back an exchange whose buffers can be used again.
    pub fn recycle(&mut self, exchange: Exchange) {
        for message in [exchange.request, exchange.response].into_iter().flatten() {
            self.give_back(message);
        }
    }

    pub(crate) fn give_back(&mut self, mut message: Box<Message>) {
        // A buffer grown by a giant head or body is not worth keeping.
        if self.pool.len() < POOL && message.head.capacity() + message.body.kept.capacity() <= 64 * 1024 {
            message.clear();
            self.pool.push(message);
        }
    }

    pub(crate) fn message(&mut self) -> Box<Message> {
        self.pool.pop().unwrap_or_default()
    }

    /// Counts bytes that are held back.
    #[inline]
    pub(crate) fn hold(&mut self, bytes: u64) {
        self.held += bytes;
    }

    /// Counts held bytes that are free again.
    #[inline]
    pub(crate) fn release(&mut self, bytes: u64) {
        self.held = self.held.saturating_sub(bytes);
    }

    /// Counts what holds `before` bytes, and now `after`.
    #[inline]
    pub(crate) fn reweigh(&mut self, before: &mut u64, after: u64) {
        self.release(std::mem::replace(before, after));
        self.hold(after);
    }

    /// Whether more is held back than [`Limits::held`].
    #[inline]
    pub(crate) const fn is_over_budget(&self) -> bool {
        self.held > self.limits.held
    }

    pub(crate) fn note(&mut self, weird: &'static str) {
        if self.weird.len() < 16 {
            self.weird.push_back(weird);
        }
    }

    pub(crate) fn emit(&mut self, exchange: Exchange) {
        self.stats.exchanges += 1;
        if let Some(count) = self.stats.pairings.get_mut(exchange.pairing as usize) {
            *count += 1;
        }
        let messages = [&exchange.request, &exchange.response];
        for (message, counts) in messages.into_iter().zip(&mut self.stats.seen) {
            if let Some(count) = counts.get_mut(Seen::of(message.as_deref()) as usize) {
                *count += 1;
            }
        }
        for message in messages.into_iter().flatten() {
            self.stats.desync += u64::from(message.desync.is_suspicious());
            self.stats.heads_cut += u64::from(message.head_cut);
            self.stats.decode_failed += u64::from(message.body.decode_failed);
        }
        self.done.push_back(exchange);
    }

    /// The exchange that was given out last, once more, when it has begun WebSocket.
    pub(crate) fn last_switch(&self) -> Option<Exchange> {
        self.done.back().filter(|last| last.begins_websocket()).cloned()
    }

    /// Tells something beside a transaction ([`Exchange::is_aside`]).
    pub(crate) fn tell_aside(&mut self, exchange: Exchange) {
        self.stats.early += u64::from(exchange.in_progress);
        self.done.push_back(exchange);
    }

    pub(crate) fn opaque(&mut self, conn: &mut Conn, protocol: Protocol) {
        conn.drop_held(self);
        if let Some(count) = self.stats.opaque.get_mut(protocol.index()) {
            *count += 1;
        }
        conn.mode = Mode::Opaque(protocol);
    }
}
