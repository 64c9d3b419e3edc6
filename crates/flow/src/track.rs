//! What one segment does to its flow: numbering, counters, state, history; then its payload is placed.
use crate::Handler;
use crate::flow::{Bits, Facts, Half, Mode, Rim};
use crate::history::Mark;
use crate::order::{PLAUSIBLE, Placed, Work, emit};
use crate::pair::Side;
use crate::reassembly::Arrival;
use crate::state::{self, Endpoint};
use crate::weird::{Weird, Weirds};
use crate::{MIDSTREAM_BASE, Verdict};
use harken_wire::{Segment, TcpFlags, Timestamp};

/// Room below the first byte seen of a stream that was joined in the middle.
const HEADROOM: u64 = 1 << 16;
/// Control segments whose numbers jump further than this are not believed, as in Zeek.
const JUMP: i64 = 1 << 20;

impl<H: Handler> Work<'_, H> {
    /// Takes one segment of the flow, sent by `side`.
    #[inline]
    pub(crate) fn segment(&mut self, side: Side, ts: Timestamp, seg: &Segment<'_>) {
        let (me, peer) = self.flow.halves.both_mut(side);
        me.packets += 1;
        me.ip_bytes = me.ip_bytes.wrapping_add(u64::from(seg.ip_len));
        const CONTROL: u8 = TcpFlags::SYN | TcpFlags::FIN | TcpFlags::RST | TcpFlags::ACK;
        let ahead = peer.distance(seg.ack);
        let waived = self.flow.facts.has(Facts::ONE_SIDED) && peer.packets == 0;
        if !self.flow.steady
            || self.pending.is_some()
            || seg.flags.0 & CONTROL != TcpFlags::ACK
            || me.distance(seg.seq) != 0
            || me.last != me.next
            || ahead > if waived { PLAUSIBLE } else { 0 }
            || seg.truncated != 0
            || seg.window == 0
        {
            return self.slow(side, ts, seg);
        }
        let ack = peer.next.saturating_add_signed(ahead);
        peer.acked = peer.acked.max(ack);
        self.flow.last = ts;
        let is_orig = side == self.flow.orig;
        let len = seg.payload.len() as u64;
        if len == 0 {
            self.flow.mark(Mark::Ack, is_orig);
            return;
        }
        self.flow.mark(Mark::Data, is_orig);
        let me = self.flow.halves.of_mut(side);
        me.last = me.last.wrapping_add(len);
        if self.flow.mode == Mode::Ignore {
            me.next = me.last;
            me.opaque = me.opaque.wrapping_add(len);
            self.stats.opaque_bytes = self.stats.opaque_bytes.wrapping_add(len);
            return;
        }
        let from = Arrival { ack, ts, now: self.now, ordinal: 0 };
        if emit(self.flow, self.state, self.handler, self.stats, side, seg.payload, from) == Verdict::Ignore {
            self.flow.mode = Mode::Ignore;
        }
    }

    #[cold]
    fn slow(&mut self, side: Side, ts: Timestamp, seg: &Segment<'_>) {
        let mut weirds = Weirds::default();
        let accepted = self.anchor(side, seg, &mut weirds);
        let ack = self.account(side, ts, seg, &mut weirds);
        self.report(weirds, ts);
        self.payload(side, ts, seg, ack, accepted);
        self.drive();
        self.flow.refresh_steady();
    }

    /// Makes sure that both sides' numbering is known. False when the segment is a SYN of something else.
    fn anchor(&mut self, side: Side, seg: &Segment<'_>, weirds: &mut Weirds) -> bool {
        let mut accepted = true;
        if seg.flags.syn() {
            accepted = self.anchor_syn(side, seg, weirds);
        } else if self.is_stray_answer(side, seg) {
            return false;
        } else if !self.flow.halves.of(side).bits.has(Bits::KNOWN) && !seg.flags.rst() {
            self.anchor_midstream(side, seg.seq);
        }
        let peer = self.flow.halves.of_mut(side.other());
        if seg.flags.ack() && !seg.flags.rst() && !peer.bits.has(Bits::KNOWN) {
            // Only the answer to a SYN is known to acknowledge nothing but the SYN.
            if seg.flags.syn() {
                peer.anchor(seg.ack, 0);
            } else {
                self.anchor_midstream(side.other(), seg.ack);
            }
        } else if accepted && seg.flags.syn() && seg.flags.ack() && peer.bits.has(Bits::START_OPEN) {
            // An answer that came late tells where the other stream begins.
            let distance = peer.distance(seg.ack);
            if distance.abs() < JUMP && self.restart(side.other(), distance) {
                self.flow.halves.of_mut(side.other()).isn = seg.ack;
            }
        }
        accepted
    }

    /// A stream whose start was not seen: it stands at `seq`, and earlier bytes may still come.
    fn anchor_midstream(&mut self, side: Side, seq: u32) {
        let first = MIDSTREAM_BASE + HEADROOM;
        let half = self.flow.halves.of_mut(side);
        half.anchor(seq, first);
        let rim = self.flow.rims.of_mut(side);
        rim.first = first;
        rim.counted = first;
        if self.flow.mode == Mode::Deliver {
            half.next = MIDSTREAM_BASE;
            half.bits.set(Bits::START_OPEN, true);
        }
    }

    /// Something that answers a SYN without a SYN of its own, and acknowledges far more than that SYN: it
    /// belongs to an earlier connection between these endpoints (RFC 9293 figure 10).
    fn is_stray_answer(&self, side: Side, seg: &Segment<'_>) -> bool {
        let (me, peer) = (self.flow.halves.of(side), self.flow.halves.of(side.other()));
        let only_syn = peer.bits.has(Bits::SYN) && peer.last == 0 && peer.acked == 0;
        only_syn && !me.bits.has(Bits::SYN) && seg.flags.ack() && peer.distance(seg.ack).abs() > JUMP
    }

    fn anchor_syn(&mut self, side: Side, seg: &Segment<'_>, weirds: &mut Weirds) -> bool {
        let start = seg.seq.wrapping_add(1);
        let half = self.flow.halves.of_mut(side);
        let untouched = half.delivered == 0
            && half.next <= self.flow.rims.of(side).first
            && !half.bits.has(Bits::ENDED)
            && self.flow.mode == Mode::Deliver;
        if !half.bits.has(Bits::KNOWN) {
            half.anchor(start, 0);
            half.bits.set(Bits::SYN, true);
        } else if half.bits.has(Bits::SYN) {
            if half.isn != start {
                weirds.add(Weird::SynSeqJump);
                if half.last > 0 {
                    weirds.add(Weird::SynInsideConnection);
                }
                return false;
            }
        } else {
            // Overtaken by later packets of its connection, or else not of this one. An answer that fits the
            // peer's SYN counts for more than whatever was sent before it.
            let distance = half.distance(start);
            let near = distance.abs() < JUMP;
            let peer = *self.flow.halves.of(side.other());
            let fits = seg.flags.ack() && peer.bits.has(Bits::SYN) && seg.ack == peer.isn;
            let half = self.flow.halves.of_mut(side);
            let held = self.pending.as_ref().is_some_and(|r| r.front(side).is_some());
            if untouched && fits && !near && !held {
                half.anchor(start, 0);
                half.bits.set(Bits::START_OPEN, false);
                if let Some(state) = self.pending.as_mut() {
                    state.sides.of_mut(side).hole = None;
                    for piece in &mut state.sides.of_mut(side.other()).pieces {
                        piece.from.ack = 0;
                    }
                }
                *self.flow.rims.of_mut(side) = Rim { rst: self.flow.rims.of(side).rst, ..Rim::default() };
            } else if untouched && near && self.restart(side, distance) {
                self.flow.halves.of_mut(side).isn = start;
            } else if distance > 0 || !near {
                weirds.add(Weird::SynInsideConnection);
                return false;
            }
            self.flow.halves.of_mut(side).bits.set(Bits::SYN, true);
        }
        // Roles that the consumer was told of stay.
        if !self.flow.facts.has(Facts::ORIENTED) {
            let orig = if seg.flags.ack() { side.other() } else { side };
            if self.flow.orig != orig {
                self.flow.flip();
            }
            self.flow.facts.set(Facts::ORIENTED | Facts::ORIG_KNOWN);
        }
        self.flow.facts.set(Facts::HANDSHAKE);
        true
    }

    /// Renumbers a stream of which nothing was delivered, so that the byte `distance` from its next one gets
    /// offset 0. False when that would put a held piece before the start.
    fn restart(&mut self, side: Side, distance: i64) -> bool {
        let half = self.flow.halves.of_mut(side);
        let start = half.next.wrapping_add_signed(distance);
        if let Some(state) = self.pending.as_mut() {
            if state.front(side).is_some_and(|p| p.offset < start) {
                return false;
            }
            let waiting = state.sides.of_mut(side);
            waiting.hole = None;
            for piece in &mut waiting.pieces {
                piece.offset = piece.offset.wrapping_sub(start);
            }
            for piece in &mut state.sides.of_mut(side.other()).pieces {
                piece.from.ack = piece.from.ack.saturating_sub(start);
            }
        }
        let rim = self.flow.rims.of_mut(side);
        for offset in [&mut half.acked, &mut half.last, &mut rim.counted, &mut rim.clean_acked] {
            *offset = offset.saturating_sub(start);
        }
        if rim.fin != u64::MAX {
            rim.fin = rim.fin.saturating_sub(start);
        }
        rim.first = 0;
        half.next = 0;
        half.bits.set(Bits::START_OPEN, false);
        true
    }

    /// Counters, history and state. Returns the stream offset that the segment acknowledges, if it is to be
    /// believed.
    fn account(&mut self, side: Side, ts: Timestamp, seg: &Segment<'_>, weirds: &mut Weirds) -> Option<u64> {
        let flags = seg.flags;
        let is_orig = side == self.flow.orig;
        let len = (seg.payload.len() as u64).saturating_add(u64::from(seg.truncated));
        let both_over = self.flow.halves.low.life.now.is_over() && self.flow.halves.high.life.now.is_over();
        if !both_over {
            self.flow.last = ts;
        }
        let me = self.flow.halves.of_mut(side);
        let offset = me.offset_of(seg.seq.wrapping_add(u32::from(flags.syn())));
        let rim = self.flow.rims.of_mut(side);
        if !me.bits.has(Bits::SPOKE) && me.bits.has(Bits::KNOWN) {
            me.bits.set(Bits::SPOKE, true);
            rim.counted = offset;
            me.last = offset;
        }
        let distance = (offset.wrapping_sub(me.next)) as i64;
        let old_start = (offset.wrapping_sub(rim.counted) as i64) < 0;
        if old_start && !flags.rst() && !(old_keep_alive(me, distance)) {
            weirds.add(Weird::SeqUnderflow);
        }
        self.note_flags(side, is_orig, seg, offset, len);
        if seg.truncated > 0 {
            weirds.add(Weird::TruncatedPayload);
            let rare = self.flow.rare(side);
            rare.truncated_packets += 1;
            rare.truncated_bytes += u64::from(seg.truncated);
            self.stats.truncated_packets += 1;
            self.stats.truncated_bytes += u64::from(seg.truncated);
        }
        if flags.syn() {
            if flags.rst() {
                weirds.add(Weird::TcpChristmas);
            }
            if len > 0 {
                weirds.add(Weird::SynWithData);
            }
        }
        let ack = self.acknowledge(side, seg, weirds);
        let delta = self.extend(side, seg, offset, len);
        if flags.fin() && delta > 0 && self.flow.halves.of(side).life.now == Endpoint::Closed {
            weirds.add(Weird::FinAdvancedLastSeq);
        }
        let (me, peer) = self.flow.halves.both_mut(side);
        state::advance(
            &mut me.life,
            &mut peer.life,
            is_orig,
            flags,
            len.min(u64::from(u32::MAX)) as u32,
            weirds,
        );
        if me.life.is_clean() && peer.life.is_clean() {
            self.flow.rims.of_mut(side.other()).clean_acked = peer.acked;
        }
        ack
    }

    fn note_flags(&mut self, side: Side, is_orig: bool, seg: &Segment<'_>, offset: u64, len: u64) {
        let flags = seg.flags;
        let end = offset.wrapping_add(len);
        let (history, seen) = (&mut self.flow.history, &mut self.flow.seen);
        let rim = self.flow.rims.of_mut(side);
        match (flags.syn(), flags.fin(), flags.rst()) {
            (_, true, true) => _ = history.mark(seen, Mark::FinRst, is_orig),
            (true, true, _) | (true, _, true) => _ = history.mark(seen, Mark::MultiFlag, is_orig),
            (true, ..) => _ = history.mark(seen, Mark::Syn(flags.ack()), is_orig),
            (_, true, _) => {
                let again = history.mark(seen, Mark::Fin, is_orig);
                if again && rim.fin != end {
                    history.add(b'F', is_orig);
                }
            }
            (.., true) => {
                if history.mark(seen, Mark::Rst, is_orig) && rim.rst != seg.seq {
                    history.add(b'R', is_orig);
                }
                rim.rst = seg.seq;
            }
            _ if len > 0 => _ = history.mark(seen, Mark::Data, is_orig),
            _ if flags.ack() => _ = history.mark(seen, Mark::Ack, is_orig),
            _ => {}
        }
        let peer = self.flow.halves.of(side.other()).life.now;
        let me = self.flow.halves.of(side).life.now;
        if seg.window == 0 && !flags.rst() && peer != Endpoint::Closed && me != Endpoint::Reset {
            let mut count = self.flow.rare(side).zero_windows;
            self.flow.history.scaled(b'W', is_orig, &mut count);
            self.flow.rare(side).zero_windows = count;
        }
    }

    /// What the segment acknowledges of the other side's stream.
    fn acknowledge(&mut self, side: Side, seg: &Segment<'_>, weirds: &mut Weirds) -> Option<u64> {
        let stray = !seg.flags.syn() && self.is_stray_answer(side, seg);
        let (me, peer) = self.flow.halves.both_mut(side);
        if !seg.flags.ack() || !peer.bits.has(Bits::KNOWN) {
            return None;
        }
        let plain = seg.flags.0 & (TcpFlags::SYN | TcpFlags::FIN | TcpFlags::RST) == 0;
        let alive = matches!(me.life.now, Endpoint::SynSent | Endpoint::Established);
        if peer.life.now == Endpoint::Inactive && plain && alive {
            weirds.add(Weird::PossibleSplitRouting);
        }
        let distance = peer.distance(seg.ack);
        if stray || distance > PLAUSIBLE || seg.ack == 0 && distance > JUMP {
            self.stats.implausible_acks += 1;
            weirds.add(Weird::ImplausibleNumber);
            return None;
        }
        let ack = peer.next.saturating_add_signed(distance);
        // A RST may acknowledge anything.
        if seg.flags.rst() {
            return None;
        }
        let counted = self.flow.rims.of(side.other()).counted;
        if ack.saturating_add(1) < counted {
            weirds.add(Weird::AckUnderflow);
        }
        peer.acked = peer.acked.max(ack);
        peer.bits.set(Bits::ACKED, true);
        Some(ack)
    }

    /// Moves the highest sequence number sent on; returns by how much the segment is ahead of it.
    fn extend(&mut self, side: Side, seg: &Segment<'_>, offset: u64, len: u64) -> i64 {
        let flags = seg.flags;
        let is_orig = side == self.flow.orig;
        let rim = self.flow.rims.of_mut(side);
        let me = self.flow.halves.of_mut(side);
        let carried = if flags.rst() { 0 } else { len };
        let mut end = offset.wrapping_add(carried).wrapping_add(u64::from(flags.fin()));
        let delta = end.wrapping_sub(me.last) as i64;
        let control = flags.syn() || flags.rst();
        if control && delta.abs() > JUMP || !me.bits.has(Bits::KNOWN) {
            // Not believed.
        } else if flags.fin() && me.last == rim.counted {
            // Only SYN and FIN were captured: what is between may be more than 2 GiB.
            let ahead = (end as u32).wrapping_sub(rim.counted as u32);
            end = rim.counted.wrapping_add(u64::from(ahead));
            me.last = end;
            if delta < 0 && rim.fin == u64::MAX {
                rim.fin = end.saturating_sub(1);
                me.bits.set(Bits::FIN, true);
            }
        } else if me.life.now == Endpoint::Reset {
            // Nothing is believed after a RST.
        } else if delta > 0 {
            me.last = end;
        } else if len > 0 {
            let mut count = self.flow.rare(side).rexmits;
            self.flow.history.scaled(b'T', is_orig, &mut count);
            self.flow.rare(side).rexmits = count;
        }
        delta
    }

    /// Places the payload in its stream.
    fn payload(&mut self, side: Side, ts: Timestamp, seg: &Segment<'_>, ack: Option<u64>, accepted: bool) {
        let len = seg.payload.len() as u64;
        let flags = seg.flags;
        if self.flow.mode == Mode::Ignore {
            let half = self.flow.halves.of_mut(side);
            half.next = half.next.max(half.last);
            if flags.fin() {
                let fin = half.last.saturating_sub(1);
                self.flow.set_fin(side, fin);
            }
            return self.count_opaque(side, len);
        }
        let half = self.flow.halves.of(side);
        if flags.rst() || !accepted || !half.bits.has(Bits::KNOWN) {
            let why =
                if flags.rst() { &mut self.stats.dropped.in_rst } else { &mut self.stats.dropped.in_syn };
            *why += len;
            if len > 0 {
                self.flow.rare(side).dropped_bytes += len;
            }
            return;
        }
        let seq = seg.seq.wrapping_add(u32::from(flags.syn()));
        if half.distance(seq) > PLAUSIBLE {
            let fin = half.last.saturating_sub(1);
            if flags.fin() && !half.bits.has(Bits::FIN) {
                self.flow.set_fin(side, fin);
            }
            self.stats.dropped.implausible += len;
            if len > 0 {
                self.flow.rare(side).dropped_bytes += len;
            }
            return;
        }
        if len == 0 && seg.truncated == 0 && !flags.fin() {
            return;
        }
        // A FIN that neither an answer to the peer's SYN nor an acknowledgement of the peer supports is no part
        // of a stream: injected, or from a confused stack.
        let answered =
            half.bits.has(Bits::SYN | Bits::ACKED) || !self.flow.halves.of(side.other()).bits.has(Bits::SYN);
        if len == 0 && flags.fin() && !answered && half.bits.has(Bits::START_OPEN) {
            return;
        }
        self.skip_keep_alive(side, seq);
        let peer = self.flow.halves.of(side.other());
        let known = self.pending.as_deref().and_then(|r| r.front(side)).map(|p| p.from.ack);
        let ack = ack.unwrap_or(known.unwrap_or(peer.next).min(peer.next));
        let ordinal = self.flow.packets();
        let from = Arrival { ack, ts, now: self.now, ordinal };
        if let Some(placed) = self.trim(side, seq, seg, from) {
            self.place(side, placed);
        }
    }

    /// A stream joined in the middle by a keep-alive probe, which repeats the last sequence number: its first
    /// byte is one further on.
    fn skip_keep_alive(&mut self, side: Side, seq: u32) {
        let rim = self.flow.rims.of_mut(side);
        let half = self.flow.halves.of_mut(side);
        if half.next >= MIDSTREAM_BASE
            && half.next == rim.first
            && half.delivered == 0
            && !half.bits.has(Bits::START_OPEN)
            && half.distance(seq) == 1
        {
            half.next += 1;
            rim.first += 1;
        }
    }

    /// Cuts off what the stream is past already and what is behind its FIN. `None` when nothing is left.
    fn trim<'p>(&mut self, side: Side, seq: u32, seg: &Segment<'p>, from: Arrival) -> Option<Placed<'p>> {
        let half = *self.flow.halves.of(side);
        let rim = *self.flow.rims.of(side);
        let mut p =
            Placed { offset: half.next, bytes: seg.payload, cut: seg.truncated, fin: seg.flags.fin(), from };
        let ahead = half.distance(seq);
        let next = half.next;
        if ahead >= 0 {
            p.offset = next.wrapping_add(ahead as u64);
        } else {
            let back = ahead.unsigned_abs();
            let old = back.min(p.bytes.len() as u64);
            let before = back.saturating_sub(next.saturating_sub(rim.first)).min(old);
            if before > 0 {
                self.stats.dropped.before_start += before;
                self.flow.rare(side).dropped_bytes += before;
            }
            if old > before {
                self.count_duplicate(side, old - before);
            }
            if old > 0 && old == p.bytes.len() as u64 && p.cut == 0 {
                self.count_duplicate_packet(side);
            }
            p.bytes = p.bytes.get(old as usize..).unwrap_or_default();
            p.cut = p.cut.saturating_sub((back - old).min(u64::from(u32::MAX)) as u32);
            p.fin &= ahead
                .saturating_add((seg.payload.len() as i64).saturating_add(i64::from(seg.truncated)))
                >= 0;
        }
        let end = p.offset.wrapping_add(p.bytes.len() as u64).wrapping_add(u64::from(p.cut));
        if end > rim.fin {
            let room = rim.fin.saturating_sub(p.offset);
            let keep = (p.bytes.len() as u64).min(room);
            let lost = p.bytes.len() as u64 - keep;
            if lost > 0 {
                self.stats.dropped.after_fin += lost;
                self.flow.rare(side).dropped_bytes += lost;
            }
            p.cut = p.cut.min((room - keep).min(u64::from(u32::MAX)) as u32);
            p.bytes = p.bytes.get(..keep as usize).unwrap_or_default();
            p.fin = false;
        } else if p.fin && !half.bits.has(Bits::ENDED) {
            self.flow.set_fin(side, end);
            self.drop_behind(side, end);
        }
        (!p.bytes.is_empty() || p.cut > 0 || p.fin).then_some(p)
    }
}

/// A probe repeats the last sequence number with nothing or one byte of garbage.
const fn old_keep_alive(half: &Half, distance: i64) -> bool {
    distance == -1 && half.delivered == 0
}
