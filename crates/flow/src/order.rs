//! Ordered delivery: what is handed on, what waits, and when bytes are given up.
//!
//! # Order
//!
//! A piece of a stream is delivered when the stream has reached it *and* the other stream has reached what
//! the piece acknowledges. A mirror may deliver the two directions out of step; the acknowledgement numbers
//! put them in step again. A retransmission may acknowledge more than the original did: of two directions
//! that wait for each other the piece that arrived later is the retransmission and goes first, and a piece
//! never waits for more than the piece behind it does.
//!
//! # The gap rule
//!
//! A hole is the distance between the next byte of a stream and the first evidence of later ones: a held
//! piece, or an acknowledgement of the peer. It becomes a gap when
//!
//! - the peer has acknowledged past it, or the peer has never been seen (one direction mirrored), and
//! - since it was noticed, at least [`Config::reorder_packets`] packets of the flow *and*
//!   [`Config::reorder_time`] of packet time have gone by, or [`Config::reorder_time_max`] of packet time
//!   alone. (Reason [`GapReason::Acknowledged`].)
//!
//! It also becomes a gap when the budget for out-of-order bytes is used up: the hole nearest the start is
//! given up until the new piece fits ([`GapReason::Budget`]); and when the flow ends, times out, is evicted
//! or the source ends ([`GapReason::Closed`]). A hole that a visible peer has not acknowledged stays: the
//! loss happened before the mirror and the sender will retransmit. Bytes that the capture has cut off are a
//! gap at once ([`GapReason::Truncated`]).
//!
//! One byte that is known by its acknowledgement alone is taken for a FIN that was not seen, until
//! something behind it says otherwise.
//!
//! # Where a stream begins
//!
//! At its SYN. Where none was seen, the first packet tells where both streams stand, but earlier packets may
//! have been overtaken by it: data is held for the same window, and a stream then begins at the lowest byte
//! that is known of it. A direction of which nothing was ever seen holds nothing up after its first
//! window, and has no gaps.
use crate::flow::{Bits, Facts, Flow, Mode};
use crate::pair::Side;
use crate::pool::{PAGE, Pool};
use crate::reassembly::{Arrival, Kind, Piece, Reassembly};
use crate::stats::Stats;
use crate::weird::{Weird, Weirds};
use crate::{Chunk, Config, GapReason, Handler, Verdict};
use harken_wire::Timestamp;

/// A sequence number further ahead than this is not believed: the largest receive window, RFC 7323
/// section 2.3.
pub(crate) const PLAUSIBLE: i64 = 1 << 30;

/// One flow and everything that working on it needs.
pub(crate) struct Work<'a, H: Handler> {
    pub(crate) flow: &'a mut Flow,
    pub(crate) state: &'a mut H::State,
    pub(crate) pending: &'a mut Option<Box<Reassembly>>,
    pub(crate) pool: &'a mut Pool,
    pub(crate) stats: &'a mut Stats,
    pub(crate) config: &'a Config,
    pub(crate) now: Timestamp,
    pub(crate) handler: &'a mut H,
}

/// The payload of a segment, placed in its stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed<'p> {
    pub(crate) offset: u64,
    pub(crate) bytes: &'p [u8],
    /// Bytes behind `bytes` that were sent and not captured.
    pub(crate) cut: u32,
    /// The stream ends behind them.
    pub(crate) fin: bool,
    pub(crate) from: Arrival,
}

impl<H: Handler> Work<'_, H> {
    /// Tells the consumer about oddities that it has not been told of.
    pub(crate) fn report(&mut self, weirds: Weirds, ts: Timestamp) {
        let fresh = weirds.without(self.flow.weirds);
        if fresh.is_empty() {
            return;
        }
        self.flow.weirds = self.flow.weirds.union(fresh);
        for weird in fresh.iter() {
            self.handler.weird(self.flow, weird.name(), ts);
        }
    }

    /// Takes a segment's payload and FIN. What is old has been trimmed off, what is implausible never comes
    /// here.
    pub(crate) fn place(&mut self, side: Side, mut p: Placed<'_>) {
        let behind = self.front(side).map(|f| (f.offset, f.from.ack));
        let ack = behind.map_or(p.from.ack, |(_, ack)| ack.min(p.from.ack));
        if self.in_turn(side, p.offset, ack) {
            let room = behind.map_or(u64::MAX, |(offset, _)| offset.saturating_sub(p.offset));
            let n = p.bytes.len().min(room.min(usize::MAX as u64) as usize);
            let (now, rest) = p.bytes.split_at_checked(n).unwrap_or((p.bytes, &[]));
            self.deliver(side, now, p.from);
            p.offset = p.offset.wrapping_add(n as u64);
            p.bytes = rest;
            if self.flow.mode == Mode::Ignore {
                self.count_opaque(side, rest.len() as u64);
                return;
            }
            if rest.is_empty() && behind.is_none() {
                if p.cut > 0 {
                    self.gap(side, u64::from(p.cut), GapReason::Truncated, p.from.ts);
                    p.cut = 0;
                }
                if p.fin && self.flow.mode == Mode::Deliver {
                    self.end(side, p.from.ts);
                    p.fin = false;
                }
            }
        }
        if self.flow.mode == Mode::Deliver && (!p.bytes.is_empty() || p.cut > 0 || p.fin) {
            self.put_aside(side, p);
        }
    }

    /// Whether something at `offset` that acknowledges `ack` may be delivered now.
    fn in_turn(&self, side: Side, offset: u64, ack: u64) -> bool {
        let half = self.flow.halves.of(side);
        offset == half.next && !half.bits.has(Bits::START_OPEN) && !self.flow.waits_for(side.other(), ack)
    }

    pub(crate) fn front(&self, side: Side) -> Option<Piece> {
        self.pending.as_ref().and_then(|r| r.front(side))
    }

    /// Holds what cannot be delivered yet, making room by giving up holes when the budget is used up.
    fn put_aside(&mut self, side: Side, mut p: Placed<'_>) {
        let need = p.bytes.len() / PAGE + 2;
        let cap = self.config.ooo_bytes_per_flow as usize / PAGE;
        while !self.pool.has(need) || self.pending.as_ref().is_some_and(|r| r.pages + need > cap) {
            if self.pending.as_ref().is_none_or(|r| r.pages == 0) || !self.force(GapReason::Budget) {
                break;
            }
            self.advance_both();
            if self.flow.mode == Mode::Ignore {
                return self.count_opaque(side, p.bytes.len() as u64);
            }
        }
        // Making room may have moved the stream on.
        self.skip_old(side, &mut p);
        if !self.pool.has(need) && !p.bytes.is_empty() {
            return self.bypass(side, p);
        }
        let state = self.pending.get_or_insert_with(|| self.pool.reassembly());
        let done = state.insert(self.pool, side, p.offset, p.bytes, p.from);
        let end = p.offset.wrapping_add(p.bytes.len() as u64);
        if p.cut > 0 {
            state.insert_marker(side, end, p.cut, Kind::Missing, p.from);
        }
        if p.fin {
            state.insert_marker(side, end.wrapping_add(u64::from(p.cut)), 0, Kind::Fin, p.from);
        }
        self.stats.out_of_order += u64::from(done.held > 0);
        self.stats.held_bytes += done.held;
        self.count_pages();
        if done.refused > 0 {
            self.stats.dropped.over_budget += done.refused;
            self.flow.rare(side).dropped_bytes += done.refused;
        }
        if done.duplicate > 0 {
            self.count_duplicate(side, done.duplicate);
            if done.duplicate == p.bytes.len() as u64 {
                self.count_duplicate_packet(side);
            }
        }
        if done.differs {
            self.stats.inconsistent += 1;
            let mut weirds = Weirds::default();
            weirds.add(Weird::RexmitInconsistency);
            self.report(weirds, p.from.ts);
        }
    }

    /// Cuts off what the stream has passed meanwhile: all of it, when the stream has ended.
    fn skip_old(&mut self, side: Side, p: &mut Placed<'_>) {
        if self.flow.halves.of(side).bits.has(Bits::ENDED) {
            let len = p.bytes.len() as u64;
            self.stats.dropped.after_fin += len;
            self.flow.rare(side).dropped_bytes += len;
            (p.bytes, p.cut, p.fin) = (&[], 0, false);
            return;
        }
        let next = self.flow.halves.of(side).next;
        let back = next.saturating_sub(p.offset);
        if back == 0 {
            return;
        }
        let old = back.min(p.bytes.len() as u64);
        if old > 0 {
            self.count_duplicate(side, old);
        }
        p.bytes = p.bytes.get(old as usize..).unwrap_or_default();
        p.cut = p.cut.saturating_sub((back - old).min(u64::from(u32::MAX)) as u32);
        p.offset = next;
    }

    /// No page is to be had (other flows hold them all): gives up what is before the piece, and delivers it.
    fn bypass(&mut self, side: Side, mut p: Placed<'_>) {
        let half = self.flow.halves.of_mut(side);
        if half.bits.has(Bits::START_OPEN) {
            let first = self.pending.as_ref().and_then(|r| r.front(side)).map_or(p.offset, |f| f.offset);
            half.bits.set(Bits::START_OPEN, false);
            half.next = first.min(p.offset);
            self.flow.rims.of_mut(side).first = half.next;
        }
        // What is held before it goes first.
        while let Some(front) = self.front(side).filter(|f| f.offset < p.offset) {
            let hole = front.offset.saturating_sub(self.flow.halves.of(side).next);
            if hole > 0 {
                self.gap(side, hole, GapReason::Budget, p.from.ts);
            }
            self.release_front(side);
        }
        if self.flow.mode == Mode::Deliver {
            self.skip_old(side, &mut p);
        }
        let hole = p.offset.saturating_sub(self.flow.halves.of(side).next);
        if hole > 0 && self.flow.mode == Mode::Deliver && !p.bytes.is_empty() {
            self.gap(side, hole, GapReason::Budget, p.from.ts);
        }
        if self.flow.mode == Mode::Ignore {
            return self.count_opaque(side, p.bytes.len() as u64);
        }
        self.deliver(side, p.bytes, p.from);
        if self.flow.mode == Mode::Deliver && p.cut > 0 {
            self.gap(side, u64::from(p.cut), GapReason::Truncated, p.from.ts);
        }
        if self.flow.mode == Mode::Deliver && p.fin {
            self.end(side, p.from.ts);
        }
    }

    /// Delivers whatever has become deliverable and gives up the holes whose time is over.
    pub(crate) fn drive(&mut self) {
        loop {
            self.advance_both();
            if self.pending.is_none() && !self.evidence(Side::Low) && !self.evidence(Side::High) {
                return;
            }
            if self.flow.mode == Mode::Ignore {
                return;
            }
            self.notice(Side::Low);
            self.notice(Side::High);
            let orig = self.flow.orig;
            if !self.declare(orig) && !self.declare(orig.other()) {
                break;
            }
        }
        if self.pending.as_ref().is_some_and(|r| r.is_idle())
            && let Some(state) = self.pending.take()
        {
            self.pool.recycle(state);
        }
    }

    /// Delivers everything that waits, with gaps where bytes are missing.
    pub(crate) fn flush(&mut self) {
        loop {
            self.drive();
            if self.flow.mode == Mode::Ignore || !self.force(GapReason::Closed) {
                break;
            }
        }
        if let Some(state) = self.pending.take() {
            self.pool.recycle(state);
        }
    }

    fn advance_both(&mut self) {
        loop {
            let orig = self.flow.orig;
            let moved = self.advance(orig) | self.advance(orig.other());
            if !moved && !self.break_cycle() {
                return;
            }
        }
    }

    /// Delivers the pieces of one direction whose turn it is; true when there was one.
    fn advance(&mut self, side: Side) -> bool {
        let mut moved = false;
        while let Some(state) = self.pending.as_deref() {
            let half = self.flow.halves.of(side);
            let mut pieces = state.sides.of(side).pieces.iter();
            let Some(front) = pieces.next() else { break };
            let ack = pieces.next().map_or(front.from.ack, |p| p.from.ack.min(front.from.ack));
            if front.offset > half.next
                || half.bits.has(Bits::START_OPEN)
                || self.flow.waits_for(side.other(), ack)
            {
                break;
            }
            self.release_front(side);
            moved = true;
        }
        moved
    }

    /// Two directions whose next pieces wait for each other: one of them acknowledges more than its
    /// original did, and that is the one that arrived later.
    fn break_cycle(&mut self) -> bool {
        let stuck = |side: Side| {
            let half = self.flow.halves.of(side);
            self.front(side).filter(|p| p.offset <= half.next && !half.bits.has(Bits::START_OPEN))
        };
        match (stuck(Side::Low), stuck(Side::High)) {
            (Some(low), Some(high)) => {
                let side = if low.from.ordinal > high.from.ordinal { Side::Low } else { Side::High };
                self.release_front(side);
                true
            }
            _ => false,
        }
    }

    /// Delivers the first piece of a direction, which the stream has reached.
    pub(crate) fn release_front(&mut self, side: Side) {
        let Some(piece) = self.pending.as_mut().and_then(|r| r.pop(side)) else { return };
        let next = self.flow.halves.of(side).next;
        let old = next.saturating_sub(piece.offset).min(u64::from(piece.len));
        match piece.kind {
            Kind::Data(page) => {
                let len = u64::from(piece.len);
                self.stats.held_bytes = self.stats.held_bytes.saturating_sub(len);
                if old > 0 {
                    self.count_duplicate(side, old);
                }
                let bytes = self.pool.get(page, piece.len as usize).get(old as usize..).unwrap_or_default();
                if !bytes.is_empty() {
                    orient(self.flow, self.handler, side, bytes);
                    let verdict =
                        emit(self.flow, self.state, self.handler, self.stats, side, bytes, piece.from);
                    self.pool.release(page);
                    self.obey(verdict);
                } else {
                    self.pool.release(page);
                }
                self.count_pages();
            }
            Kind::Missing => {
                let len = u64::from(piece.len) - old;
                if len > 0 {
                    self.gap(side, len, GapReason::Truncated, piece.from.ts);
                }
            }
            Kind::Fin => self.end(side, piece.from.ts),
        }
    }

    /// Hands bytes to the consumer that the stream has reached.
    fn deliver(&mut self, side: Side, bytes: &[u8], from: Arrival) {
        if bytes.is_empty() {
            return;
        }
        orient(self.flow, self.handler, side, bytes);
        let verdict = emit(self.flow, self.state, self.handler, self.stats, side, bytes, from);
        self.obey(verdict);
    }

    pub(crate) fn obey(&mut self, verdict: Verdict) {
        if verdict == Verdict::Ignore && self.flow.mode == Mode::Deliver {
            self.ignore();
        }
    }

    /// The consumer wants no more: what is held becomes opaque, and nothing is put aside from here on.
    fn ignore(&mut self) {
        self.flow.mode = Mode::Ignore;
        if let Some(mut state) = self.pending.take() {
            for side in [Side::Low, Side::High] {
                state.sides.of_mut(side).hole = None;
                while let Some(piece) = state.pop(side) {
                    self.discard(side, piece);
                }
            }
            self.pool.recycle(state);
        }
        for half in [&mut self.flow.halves.low, &mut self.flow.halves.high] {
            half.next = half.next.max(half.last);
            half.bits.set(Bits::START_OPEN | Bits::FIN_ASSUMED, false);
        }
    }

    /// Releases a piece that will not be delivered, and counts it as opaque.
    fn discard(&mut self, side: Side, piece: Piece) {
        if let Kind::Data(page) = piece.kind {
            let len = u64::from(piece.len);
            self.pool.release(page);
            self.stats.held_bytes = self.stats.held_bytes.saturating_sub(len);
            self.count_pages();
            self.count_opaque(side, len);
        }
    }

    /// Drops held pieces behind a FIN that was just learnt of.
    pub(crate) fn drop_behind(&mut self, side: Side, fin: u64) {
        while let Some(piece) = self.pending.as_mut().and_then(|r| r.pop_behind(side, fin)) {
            if let Kind::Data(page) = piece.kind {
                let len = u64::from(piece.len);
                self.pool.release(page);
                self.stats.held_bytes = self.stats.held_bytes.saturating_sub(len);
                self.stats.dropped.after_fin += len;
                self.flow.rare(side).dropped_bytes += len;
                self.count_pages();
            }
        }
    }

    fn count_pages(&mut self) {
        self.stats.page_bytes = (self.pool.used() * PAGE) as u64;
        self.stats.page_bytes_peak = self.stats.page_bytes_peak.max(self.stats.page_bytes);
    }

    pub(crate) fn count_opaque(&mut self, side: Side, len: u64) {
        self.flow.halves.of_mut(side).opaque += len;
        self.stats.opaque_bytes += len;
    }

    pub(crate) fn count_duplicate(&mut self, side: Side, len: u64) {
        self.flow.rare(side).duplicate_bytes += len;
        self.stats.duplicate_bytes += len;
    }

    pub(crate) fn count_duplicate_packet(&mut self, side: Side) {
        self.flow.rare(side).duplicate_packets += 1;
        self.stats.duplicate_packets += 1;
    }

    /// Tells the consumer, once, that a direction has ended.
    pub(crate) fn end(&mut self, side: Side, ts: Timestamp) {
        let half = self.flow.halves.of_mut(side);
        if half.bits.has(Bits::ENDED) {
            return;
        }
        half.bits.set(Bits::ENDED, true);
        let fin = half.next;
        self.flow.set_fin(side, fin);
        // Whatever is still held overlaps the end.
        self.drop_behind(side, 0);
        // What the consumer was told of a direction, it was told for good.
        self.flow.facts.set(Facts::ORIENTED);
        if self.flow.mode == Mode::Deliver {
            let dir = self.flow.dir(side);
            self.handler.end(self.flow, self.state, dir, ts);
        }
    }
}

/// Before the first delivery of a flow whose handshake was not seen, the consumer is asked whose bytes
/// these are.
fn orient<H: Handler>(flow: &mut Flow, handler: &mut H, side: Side, bytes: &[u8]) {
    if flow.facts.has(Facts::ORIENTED) {
        return;
    }
    flow.facts.set(Facts::ORIENTED);
    if let Some(dir) = handler.orient(bytes) {
        flow.facts.set(Facts::ORIG_KNOWN);
        if flow.dir(side) != dir {
            flow.flip();
        }
    }
}

/// Hands bytes to the consumer and moves the stream on.
#[inline]
pub(crate) fn emit<H: Handler>(
    flow: &mut Flow,
    state: &mut H::State,
    handler: &mut H,
    stats: &mut Stats,
    side: Side,
    bytes: &[u8],
    from: Arrival,
) -> Verdict {
    let ack = flow.clamp_ack(side.other(), from.ack);
    let dir = flow.dir(side);
    let half = flow.halves.of_mut(side);
    let len = bytes.len() as u64;
    let offset = half.next;
    half.next = half.next.wrapping_add(len);
    half.delivered = half.delivered.wrapping_add(len);
    stats.delivered_bytes = stats.delivered_bytes.wrapping_add(len);
    handler.data(flow, state, Chunk { dir, offset, bytes, ack, ts: from.ts })
}
