//! Holes: how they are noticed, and when they are given up. The rule is written down in [`crate::order`].
use crate::flow::{Bits, Facts};
use crate::order::Work;
use crate::pair::Side;
use crate::reassembly::{Hole, Piece};
use crate::{Gap, GapReason, Handler};
use harken_wire::Timestamp;

impl<H: Handler> Work<'_, H> {
    /// Declares the next `len` bytes of a stream missing.
    pub(crate) fn gap(&mut self, side: Side, len: u64, reason: GapReason, ts: Timestamp) {
        let half = self.flow.halves.of_mut(side);
        let offset = half.next;
        half.next = half.next.saturating_add(len);
        half.bits.set(Bits::FIN_ASSUMED, false);
        let acked = self.flow.rims.of(side).clean_acked.saturating_sub(offset).min(len);
        let rare = self.flow.rare(side);
        rare.gaps = rare.gaps.saturating_add(1);
        rare.gap_bytes += len;
        if acked > 0 {
            rare.missed_bytes += acked;
            let mut marks = rare.gap_marks;
            let is_orig = side == self.flow.orig;
            self.flow.history.scaled(b'G', is_orig, &mut marks);
            self.flow.rare(side).gap_marks = marks;
        }
        self.stats.gap(reason, len);
        self.flow.facts.set(Facts::ORIENTED);
        let gap = Gap { dir: self.flow.dir(side), offset, len, reason, ts };
        let verdict = self.handler.gap(self.flow, self.state, gap);
        self.obey(verdict);
    }

    /// The end of the hole at the stream's next byte, by the evidence there is; `None` when there is none.
    pub(crate) fn hole_end(&self, side: Side) -> Option<u64> {
        let half = self.flow.halves.of(side);
        match self.front(side) {
            front if half.bits.has(Bits::START_OPEN) => {
                let first = self.flow.rims.of(side).first;
                // One byte less is the number that a keep-alive probe repeats.
                let known = |p: Piece| {
                    if p.offset == first.saturating_add(1) { p.offset } else { first.min(p.offset) }
                };
                Some(front.map_or(first, known))
            }
            _ if half.bits.has(Bits::ENDED) => None,
            Some(piece) => (piece.offset > half.next).then_some(piece.offset),
            None if self.flow.is_waived(side) => None,
            None => {
                let acked = self.flow.clamp_ack(side, half.acked);
                (acked > half.next).then_some(acked)
            }
        }
    }

    pub(crate) fn evidence(&self, side: Side) -> bool {
        let half = self.flow.halves.of(side);
        half.acked > half.next && self.hole_end(side).is_some()
    }

    /// Keeps the record of one direction's hole up to date.
    pub(crate) fn notice(&mut self, side: Side) {
        let half = *self.flow.halves.of(side);
        let end = self.hole_end(side);
        let ordinal = self.flow.packets();
        let front = self.front(side);
        if half.bits.has(Bits::FIN_ASSUMED) && (front.is_some() || half.acked > half.next.saturating_add(1)) {
            self.flow.halves.of_mut(side).bits.set(Bits::FIN_ASSUMED, false);
        }
        let state = self.pending.get_or_insert_with(|| self.pool.reassembly());
        let waiting = state.sides.of_mut(side);
        let Some(end) = end else {
            waiting.hole = None;
            return;
        };
        match &mut waiting.hole {
            // A record from before the clock stepped back counts from now.
            Some(hole) if hole.mark > half.next => {
                if hole.since > self.now {
                    hole.since = self.now;
                }
            }
            hole => {
                let (since, ordinal) = match front {
                    Some(piece) => (piece.from.now.min(self.now), piece.from.ordinal),
                    None => (self.now, ordinal),
                };
                *hole = Some(Hole { mark: end.max(half.next), since, ordinal });
            }
        }
    }

    /// Applies the gap rule to one direction; true when something has changed.
    pub(crate) fn declare(&mut self, side: Side) -> bool {
        let Some(hole) = self.pending.as_ref().and_then(|r| r.sides.of(side).hole) else { return false };
        let passed = self.flow.packets().wrapping_sub(hole.ordinal);
        let waited = self.now.since(hole.since);
        let over = waited >= self.config.reorder_time_max
            || waited >= self.config.reorder_time && passed >= u64::from(self.config.reorder_packets);
        if !over {
            return false;
        }
        let Some(end) = self.hole_end(side) else { return false };
        let half = self.flow.halves.of(side);
        if half.bits.has(Bits::START_OPEN) {
            self.begin(side);
            return true;
        }
        let end = end.min(hole.mark);
        let peer_seen = self.flow.halves.of(side.other()).packets > 0;
        if peer_seen && half.acked < end || end <= half.next {
            return false;
        }
        self.give_up(side, end, GapReason::Acknowledged)
    }

    /// Gives up `side`'s hole up to `end`, or finds that it is none.
    fn give_up(&mut self, side: Side, end: u64, reason: GapReason) -> bool {
        let half = self.flow.halves.of(side);
        if self.front(side).is_none() {
            if half.packets == 0 {
                self.flow.facts.set(Facts::ONE_SIDED);
                return true;
            }
            if half.acked == half.next.wrapping_add(1) {
                self.flow.halves.of_mut(side).bits.set(Bits::FIN_ASSUMED, true);
                return true;
            }
        }
        let len = end.saturating_sub(half.next);
        self.gap(side, len, reason, self.now);
        true
    }

    /// Lets a stream whose start was not seen begin at the lowest offset that is known of it.
    fn begin(&mut self, side: Side) {
        let Some(first) = self.hole_end(side) else { return };
        self.flow.rims.of_mut(side).first = first;
        let half = self.flow.halves.of_mut(side);
        half.bits.set(Bits::START_OPEN, false);
        half.next = first;
        if half.packets == 0 {
            self.flow.facts.set(Facts::ONE_SIDED);
        }
    }

    /// Gives up one hole without waiting any longer: the one nearest to what can be delivered then. False
    /// when there is nothing left to give up.
    pub(crate) fn force(&mut self, reason: GapReason) -> bool {
        let orig = self.flow.orig;
        let sides = [orig, orig.other()];
        let held = |w: &Self, s: Side| w.front(s).is_some() && w.hole_end(s).is_some();
        let free = |w: &Self, s: Side| w.front(s).is_some_and(|p| !w.flow.waits_for(s.other(), p.from.ack));
        let choice = sides
            .into_iter()
            .find(|s| held(self, *s) && free(self, *s))
            .or_else(|| sides.into_iter().find(|s| held(self, *s)))
            .or_else(|| sides.into_iter().find(|s| self.hole_end(*s).is_some()));
        if let Some(side) = choice {
            let end = self.hole_end(side).unwrap_or_default();
            if self.flow.halves.of(side).bits.has(Bits::START_OPEN) {
                self.begin(side);
                return true;
            }
            return self.give_up(side, end, reason);
        }
        // Nothing is missing and still something waits: let it go rather than wait for ever.
        let reached = |s: Side| self.front(s).is_some_and(|p| p.offset <= self.flow.halves.of(s).next);
        let waiting = sides.into_iter().find(|s| reached(*s));
        waiting.inspect(|s| self.release_front(*s)).is_some()
    }
}
