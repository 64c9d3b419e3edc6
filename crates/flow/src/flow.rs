//! One flow: who, when, how much, in which state.
use crate::history::{History, Mark, Seen};
use crate::key::PackedKey;
use crate::pair::{Pair, Side};
use crate::state::{self, ConnState, Endpoint, Life};
use crate::weird::Weirds;
use crate::{Dir, FlowKey, MIDSTREAM_BASE};
use harken_wire::{Encap, Ip, Outer, Timestamp};
use std::sync::Arc;

/// A flow as the consumer sees it.
///
/// The fields are laid out by hand: the key and what every packet touches fill three cache lines, the rest
/// is read when a flow opens, turns odd or closes.
#[derive(Debug)]
#[repr(C)]
pub struct Flow {
    pub(crate) key: PackedKey,
    pub(crate) last: Timestamp,
    pub(crate) orig: Side,
    pub(crate) mode: Mode,
    pub(crate) facts: Facts,
    /// Both sides are past the handshake and known, and nothing special is going on: the fast path may be
    /// tried.
    pub(crate) steady: bool,
    pub(crate) seen: Seen,
    pub(crate) halves: Pair<Half>,
    pub(crate) rims: Pair<Rim>,
    pub(crate) start: Timestamp,
    pub(crate) number: u64,
    pub(crate) source: u16,
    pub(crate) history: History,
    pub(crate) weirds: Weirds,
    pub(crate) encaps: Pair<Option<Arc<Encap>>>,
    pub(crate) rare: Option<Box<Pair<Rare>>>,
}

/// What happens to payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// Delivered in order.
    Deliver,
    /// Only counted: the consumer said [`crate::Verdict::Ignore`].
    Ignore,
}

/// What is known about a flow as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Facts(u8);

impl Facts {
    /// A SYN or SYN-ACK was seen, so that the roles are certain.
    pub(crate) const HANDSHAKE: u8 = 1;
    /// The roles are settled: by handshake, by content, or because data was delivered.
    pub(crate) const ORIENTED: u8 = 2;
    /// The roles are known by more than a guess from the ports.
    pub(crate) const ORIG_KNOWN: u8 = 4;
    /// Nothing ever came from one side, and waiting for it is over.
    pub(crate) const ONE_SIDED: u8 = 8;

    #[inline]
    pub(crate) const fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    #[inline]
    pub(crate) const fn set(&mut self, bit: u8) {
        self.0 |= bit;
    }
}

/// One direction, the part that every packet touches: one cache line.
#[derive(Clone, Copy, Default, Debug)]
#[repr(C)]
pub(crate) struct Half {
    /// Stream offset of the next byte: everything before it was delivered or declared missing.
    pub(crate) next: u64,
    /// Highest stream offset that the peer acknowledged.
    pub(crate) acked: u64,
    /// Highest stream offset sent; FIN counts one.
    pub(crate) last: u64,
    pub(crate) packets: u64,
    pub(crate) ip_bytes: u64,
    pub(crate) delivered: u64,
    pub(crate) opaque: u64,
    /// Sequence number of the stream offset whose low 32 bits are zero.
    pub(crate) isn: u32,
    pub(crate) life: Life,
    pub(crate) bits: Bits,
}

/// What is known about one direction.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Bits(u8);

impl Bits {
    /// `isn` and `next` mean something.
    pub(crate) const KNOWN: u8 = 1;
    /// `isn` comes from a SYN of this side.
    pub(crate) const SYN: u8 = 2;
    /// Its first data may still be overtaken by earlier data.
    pub(crate) const START_OPEN: u8 = 4;
    /// The last acknowledged byte is believed to be a FIN that was not seen.
    pub(crate) const FIN_ASSUMED: u8 = 8;
    /// The consumer was told that it ended.
    pub(crate) const ENDED: u8 = 16;
    /// The size is counted from a segment of its own (and not from the peer's acknowledgement).
    pub(crate) const SPOKE: u8 = 32;
    /// The peer acknowledged something of it.
    pub(crate) const ACKED: u8 = 64;
    /// [`Rim::fin`] says where it ends.
    pub(crate) const FIN: u8 = 128;

    #[inline]
    pub(crate) const fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    #[inline]
    pub(crate) const fn set(&mut self, bit: u8, on: bool) {
        if on {
            self.0 |= bit;
        } else {
            self.0 &= !bit;
        }
    }
}

impl Half {
    /// Fixes the numbering: `seq` has stream offset `offset`.
    pub(crate) fn anchor(&mut self, seq: u32, offset: u64) {
        self.isn = seq.wrapping_sub(offset as u32);
        self.next = offset;
        self.acked = offset;
        self.last = offset;
        self.bits.set(Bits::KNOWN, true);
    }

    /// Distance of a sequence number from the next byte.
    #[inline]
    pub(crate) const fn distance(&self, seq: u32) -> i64 {
        seq.wrapping_sub(self.isn).wrapping_sub(self.next as u32) as i32 as i64
    }

    /// Stream offset of a sequence number; wraps below zero for what lies before the stream.
    #[inline]
    pub(crate) const fn offset_of(&self, seq: u32) -> u64 {
        self.next.wrapping_add_signed(self.distance(seq))
    }
}

/// One direction, the edges of its stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rim {
    /// Stream offset at which the stream begins.
    pub(crate) first: u64,
    /// Stream offset that sizes are counted from: Zeek starts at the first segment that it saw.
    pub(crate) counted: u64,
    /// Stream offset of the FIN; `u64::MAX` when none was seen.
    pub(crate) fin: u64,
    /// Highest stream offset that the peer acknowledged while both sides were in order.
    pub(crate) clean_acked: u64,
    /// Sequence number of the last RST.
    pub(crate) rst: u32,
}

impl Default for Rim {
    fn default() -> Self {
        Self { first: 0, counted: 0, fin: u64::MAX, clean_acked: 0, rst: 0 }
    }
}

/// Counters that most flows never need.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Rare {
    pub(crate) gap_bytes: u64,
    pub(crate) gaps: u32,
    pub(crate) missed_bytes: u64,
    pub(crate) duplicate_packets: u64,
    pub(crate) duplicate_bytes: u64,
    pub(crate) dropped_bytes: u64,
    pub(crate) truncated_packets: u64,
    pub(crate) truncated_bytes: u64,
    pub(crate) rexmits: u32,
    pub(crate) zero_windows: u32,
    pub(crate) gap_marks: u32,
}

/// Counters of one direction of a flow.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counters {
    /// Packets.
    pub packets: u64,
    /// Bytes of these packets by their IP headers.
    pub ip_bytes: u64,
    /// Payload bytes by sequence numbers, whether captured or not: Zeek's `orig_bytes` and `resp_bytes`.
    pub size: u64,
    /// Bytes handed to the consumer.
    pub delivered: u64,
    /// Payload bytes that were only counted, because the consumer did not want them.
    pub opaque: u64,
    /// Bytes declared missing.
    pub gap_bytes: u64,
    /// Gaps declared.
    pub gaps: u32,
    /// Bytes declared missing that the peer acknowledged while the connection was in order: Zeek's
    /// `missed_bytes` (which adds both directions).
    pub missed_bytes: u64,
    /// Packets whose payload had all been seen before.
    pub duplicate_packets: u64,
    /// Payload bytes that had been seen before.
    pub duplicate_bytes: u64,
    /// Payload bytes that belong to no place in the stream: before its start, behind its FIN, in a RST, or
    /// an implausible distance away.
    pub dropped_bytes: u64,
    /// Packets that the capture has cut short.
    pub truncated_packets: u64,
    /// Payload bytes cut off these.
    pub truncated_bytes: u64,
}

impl Flow {
    pub(crate) fn new(key: PackedKey, orig: Side, ts: Timestamp, number: u64) -> Self {
        Self {
            key,
            last: ts,
            orig,
            mode: Mode::Deliver,
            facts: Facts::default(),
            steady: false,
            weirds: Weirds::default(),
            halves: Pair::default(),
            rims: Pair::default(),
            start: ts,
            number,
            source: 0,
            history: History::default(),
            seen: Seen::default(),
            encaps: Pair::default(),
            rare: None,
        }
    }

    /// The key: both endpoints, and the tunnel's identity when it is part of it.
    pub fn key(&self) -> FlowKey {
        self.key.unpack()
    }

    /// Address and port of the originator (client).
    pub fn orig(&self) -> (Ip, u16) {
        self.key.endpoint(self.orig)
    }

    /// Address and port of the responder (server).
    pub fn resp(&self) -> (Ip, u16) {
        self.key.endpoint(self.orig.other())
    }

    /// The tunnels that the flow's first packet came through; `None` when it came through none.
    pub const fn encap(&self) -> Option<&Arc<Encap>> {
        // The first packet is the originator's, unless it has none.
        match self.encaps.of(self.orig) {
            Some(encap) => Some(encap),
            None => self.encaps.of(self.orig.other()).as_ref(),
        }
    }

    /// The tunnels that the first packet of one direction came through; `None` when it came through none, or no
    /// packet of it was seen. Where they differ from the other direction's in the outer source port alone,
    /// that of the direction seen first is given.
    pub fn encap_of(&self, dir: Dir) -> Option<&Arc<Encap>> {
        self.encaps.of(self.side(dir)).as_ref()
    }

    /// Notes the tunnels that the first packet of `side` came through.
    pub(crate) fn note_encap(&mut self, side: Side, encap: &Encap) {
        if *encap == Encap::default() {
            return;
        }
        // Encapsulators spread flows over source ports: no reason to keep the rest twice.
        let other = self.encaps.of(side.other()).as_ref();
        let same = other.filter(|other| {
            let outer = Outer { sport: encap.outer.sport, ..other.outer };
            Encap { outer, ..***other } == *encap
        });
        let noted = same.cloned().unwrap_or_else(|| Arc::new(*encap));
        *self.encaps.of_mut(side) = Some(noted);
    }

    /// Time of the first packet.
    pub const fn start(&self) -> Timestamp {
        self.start
    }

    /// Time of the last packet. Packets after both sides have closed do not count.
    pub const fn last(&self) -> Timestamp {
        self.last
    }

    /// Where its first packet came from: what [`crate::FlowTable::set_source`] had said then.
    pub const fn source(&self) -> u16 {
        self.source
    }

    /// Number of the flow in its table, counted from 0: the same in every replay of the same packets.
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Zeek's `history`.
    pub fn history(&self) -> &str {
        self.history.as_str()
    }

    /// Zeek's `conn_state`.
    pub fn conn_state(&self) -> ConnState {
        let (orig, resp) = (self.halves.of(self.orig), self.halves.of(self.orig.other()));
        let no_data = self.size(self.orig) == 0 && self.size(self.orig.other()) == 0;
        state::conn_state(orig.life.now, resp.life.now, self.history.is_syn_then_reset(), no_data)
    }

    /// Both sides have sent something after or beside a SYN: data flows or has flowed.
    pub fn established(&self) -> bool {
        let alive = |e: Endpoint| !matches!(e, Endpoint::Inactive | Endpoint::SynSent);
        alive(self.halves.low.life.now) && alive(self.halves.high.life.now)
    }

    /// A SYN or SYN-ACK was seen.
    pub const fn handshake_seen(&self) -> bool {
        self.facts.has(Facts::HANDSHAKE)
    }

    /// The roles are known by handshake or content, and not guessed by port.
    pub const fn orig_known(&self) -> bool {
        self.facts.has(Facts::ORIG_KNOWN)
    }

    /// The counters of one direction.
    pub fn counters(&self, dir: Dir) -> Counters {
        let side = self.side(dir);
        let half = self.halves.of(side);
        let rare = self.rare.as_deref().map(|r| *r.of(side)).unwrap_or_default();
        Counters {
            packets: half.packets,
            ip_bytes: half.ip_bytes,
            size: self.size(side),
            delivered: half.delivered,
            opaque: half.opaque,
            gap_bytes: rare.gap_bytes,
            gaps: rare.gaps,
            missed_bytes: rare.missed_bytes,
            duplicate_packets: rare.duplicate_packets,
            duplicate_bytes: rare.duplicate_bytes,
            dropped_bytes: rare.dropped_bytes,
            truncated_packets: rare.truncated_packets,
            truncated_bytes: rare.truncated_bytes,
        }
    }

    /// Whether the start of a direction's stream was seen, so that its offsets count from the byte after
    /// the SYN.
    pub fn start_seen(&self, dir: Dir) -> bool {
        self.rims.of(self.side(dir)).first < MIDSTREAM_BASE
    }

    /// Payload bytes by sequence numbers.
    fn size(&self, side: Side) -> u64 {
        let (half, rim) = (self.halves.of(side), self.rims.of(side));
        let peer = self.halves.of(side.other());
        let life = half.life;
        if life.now == Endpoint::Inactive {
            return 0;
        }
        // A half-open connection that was found and aborted: its sequence numbers say nothing.
        if life.before == Endpoint::SynSent
            && life.now == Endpoint::Reset
            && peer.life.now == Endpoint::Inactive
            && half.acked <= rim.counted
        {
            return 0;
        }
        let size = half.last.max(half.acked).saturating_sub(rim.counted);
        if rim.fin == u64::MAX { size } else { size.saturating_sub(1) }
    }

    #[inline]
    pub(crate) fn dir(&self, side: Side) -> Dir {
        if side == self.orig { Dir::Orig } else { Dir::Resp }
    }

    #[inline]
    pub(crate) fn side(&self, dir: Dir) -> Side {
        match dir {
            Dir::Orig => self.orig,
            Dir::Resp => self.orig.other(),
        }
    }

    pub(crate) fn rare(&mut self, side: Side) -> &mut Rare {
        self.rare.get_or_insert_default().of_mut(side)
    }

    pub(crate) const fn packets(&self) -> u64 {
        self.halves.low.packets.wrapping_add(self.halves.high.packets)
    }

    /// Notes a segment's kind.
    #[inline]
    pub(crate) fn mark(&mut self, mark: Mark, is_orig: bool) {
        self.history.mark(&mut self.seen, mark, is_orig);
    }

    /// The other side turned out to be the originator.
    pub(crate) fn flip(&mut self) {
        self.orig = self.orig.other();
        self.seen.flip();
        self.history.flip();
    }

    /// One side has been silent for good, as far as can be told: `side` does not hold the other up.
    #[inline]
    pub(crate) fn is_waived(&self, side: Side) -> bool {
        self.facts.has(Facts::ONE_SIDED) && self.halves.of(side).packets == 0
    }

    /// How far an acknowledgement of `side`'s stream really reaches in data: FIN counts one.
    #[inline]
    pub(crate) fn clamp_ack(&self, side: Side, ack: u64) -> u64 {
        let half = self.halves.of(side);
        if half.bits.has(Bits::FIN_ASSUMED) && ack == half.next.wrapping_add(1) {
            return half.next;
        }
        // The edges of the stream lie in memory of their own, which few packets need.
        if half.bits.has(Bits::FIN) { ack.min(self.rims.of(side).fin) } else { ack }
    }

    /// Notes the stream offset of a FIN.
    pub(crate) const fn set_fin(&mut self, side: Side, fin: u64) {
        self.rims.of_mut(side).fin = fin;
        self.halves.of_mut(side).bits.set(Bits::FIN, true);
    }

    /// Whether something that acknowledges `ack` of `side`'s stream has to wait for it.
    #[inline]
    pub(crate) fn waits_for(&self, side: Side, ack: u64) -> bool {
        self.clamp_ack(side, ack) > self.halves.of(side).next && !self.is_waived(side)
    }

    /// Recomputes whether the fast path may be tried.
    pub(crate) fn refresh_steady(&mut self) {
        let good = |h: &Half| {
            h.bits.has(Bits::KNOWN)
                && !h.bits.has(Bits::START_OPEN | Bits::FIN_ASSUMED)
                && !h.life.now.is_over()
        };
        self.steady = self.facts.has(Facts::ORIENTED)
            && good(&self.halves.low)
            && good(&self.halves.high)
            && (self.established() || self.facts.has(Facts::ONE_SIDED));
    }
}

const _: () = assert!(size_of::<Half>() == 64 && size_of::<PackedKey>() == 48);
