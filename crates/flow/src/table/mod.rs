//! The flow table: finding flows, opening, closing, time-outs, eviction.
mod batch;
mod index;
mod shed;
mod slab;
mod timeouts;

pub use batch::BATCH;
pub use shed::{Shed, Shedding};

use crate::flow::{Bits, Facts, Flow, Mode};
use crate::key::{PackedKey, Seed};
use crate::order::Work;
use crate::pair::{Pair, Side};
use crate::pool::Pool;
use crate::reassembly::Reassembly;
use crate::state::Endpoint;
use crate::stats::Stats;
use crate::timer::{Link, Queue};
use crate::weird::{Weird, Weirds};
use crate::{CloseReason, Config, Dir, Handler};
use harken_wire::{Segment, Timestamp};
use index::Index;
use slab::Slab;

/// Packet time that goes back by more than this is a step of the clock, not a reordering.
const STEP: u64 = 1_000_000_000;
/// Flows that are looked at, at most, to find one that is idle when the table is full.
const SECOND_CHANCES: u32 = 16;
/// A sequence number this near to a live stream makes a SYN an attack rather than a new connection.
const NEAR: i64 = 1 << 20;

/// Which time-out a flow is under.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Class {
    /// The slot is not in use.
    Free,
    /// Not yet an exchange.
    HalfOpen,
    Established,
    /// Over; kept for late packets.
    Closing,
}

/// A place for one flow, aligned so that what every packet touches lies in as few cache lines as can be.
#[repr(C, align(64))]
struct Slot<S> {
    class: Class,
    pending: Option<Box<Reassembly>>,
    /// When a closing flow is let go.
    until: Timestamp,
    state: Option<S>,
    flow: Flow,
}

/// Where a segment belongs.
#[derive(Clone, Copy, Default, Debug)]
struct Place {
    key: PackedKey,
    side: Side,
    hash: u32,
    /// The slot where its flow is likely to be.
    id: u32,
}

impl Place {
    /// No flow was found.
    const NOWHERE: u32 = u32::MAX;
}

/// The queues, and when the first of them is due.
#[derive(Default)]
struct Queues {
    half_open: Queue,
    established: Queue,
    closing: Queue,
    pending: Queue,
    idle_links: Vec<Link>,
    pending_links: Vec<Link>,
}

impl Queues {
    fn of(&mut self, class: Class) -> Option<&mut Queue> {
        match class {
            Class::Free => None,
            Class::HalfOpen => Some(&mut self.half_open),
            Class::Established => Some(&mut self.established),
            Class::Closing => Some(&mut self.closing),
        }
    }
}

/// All flows of a shard. `S` is what the consumer keeps per flow.
pub struct FlowTable<S> {
    config: Config,
    seed: Seed,
    index: Index,
    slots: Slab<Slot<S>>,
    free: Vec<u32>,
    queues: Queues,
    pool: Pool,
    stats: Stats,
    now: Timestamp,
    /// No queue has anything to do before this time.
    next_due: Timestamp,
    opened: u64,
    shedding: Shedding,
    /// Where segments come from now.
    source: u16,
}

impl<S> FlowTable<S> {
    /// An empty table.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            seed: Seed::random(),
            index: Index::default(),
            slots: Slab::new(),
            free: Vec::new(),
            queues: Queues::default(),
            pool: Pool::new(config.ooo_bytes_total),
            stats: Stats::default(),
            now: Timestamp(0),
            next_due: Timestamp(u64::MAX),
            opened: 0,
            shedding: Shedding::NONE,
            source: 0,
        }
    }

    /// The ledger.
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Takes one segment, captured at `ts`.
    #[inline]
    pub fn segment<H: Handler<State = S>>(&mut self, ts: Timestamp, seg: &Segment<'_>, handler: &mut H) {
        let place = self.place(seg);
        self.segment_at(ts, seg, &place, handler);
    }

    #[inline]
    fn find(&self, hash: u32, key: &PackedKey, fits: impl Fn(&PackedKey) -> bool) -> Option<u32> {
        let same = |id| self.slots.get(id).is_some_and(|s| s.flow.key == *key && fits(&s.flow.key));
        self.index.find(hash, same)
    }

    /// Whether the flow of an earlier look-up is still where it was found.
    #[inline]
    fn is_there(&self, place: &Place) -> bool {
        self.slots.get(place.id).is_some_and(|slot| {
            slot.class != Class::Free
                && slot.flow.key == place.key
                && slot.flow.key.fits(&place.key, place.side)
        })
    }

    /// Sets where segments come from, from here on, by a number of the caller's: flows that are opened keep it
    /// ([`crate::Flow::source`]).
    pub const fn set_source(&mut self, source: u16) {
        self.source = source;
    }

    /// Takes one segment, captured at `ts`, whose flow may have been looked up before. Segments that were taken
    /// since may have opened or closed flows.
    fn segment_at<H: Handler<State = S>>(
        &mut self,
        ts: Timestamp,
        seg: &Segment<'_>,
        place: &Place,
        handler: &mut H,
    ) {
        self.tick(ts, handler);
        let Place { key, side, hash, .. } = *place;
        let answers = !seg.flags.syn() || seg.flags.ack();
        let found = if self.is_there(place) {
            Some(place.id)
        } else {
            let fits = self.find(hash, &key, |k| k.fits(&key, side));
            fits.or_else(|| if answers { self.find(hash, &key, |k| k.awaits(side)) } else { None })
        };
        if self.shedding != Shedding::NONE && self.is_shed(place, found) {
            return;
        }
        self.stats.packets += 1;
        self.stats.payload_bytes = self.stats.payload_bytes.wrapping_add(seg.payload.len() as u64);
        let id = match found {
            Some(id) if !self.is_over(id, side, ts, seg, handler) => id,
            _ => self.open(ts, key, hash, side, seg, handler),
        };
        let Some(mut work) = self.work(id, handler) else { return };
        if work.flow.halves.of(side).packets == 0 {
            work.flow.key.note_vlan(&key, side);
            work.flow.note_encap(side, &seg.encap);
        }
        work.segment(side, ts, seg);
        let settled = self.slots.get(id).is_some_and(|slot| {
            slot.flow.steady && slot.class == Class::Established && slot.pending.is_none()
        });
        if !settled {
            self.requeue(id);
        }
    }

    /// A flow with everything that working on it needs; `None` when the slot is free.
    #[inline]
    fn work<'a, H: Handler<State = S>>(&'a mut self, id: u32, handler: &'a mut H) -> Option<Work<'a, H>> {
        let slot = self.slots.get_mut(id)?;
        Some(Work {
            flow: &mut slot.flow,
            state: slot.state.as_mut()?,
            pending: &mut slot.pending,
            pool: &mut self.pool,
            stats: &mut self.stats,
            config: &self.config,
            now: self.now,
            handler,
        })
    }

    /// Time passes without a packet.
    pub fn advance<H: Handler<State = S>>(&mut self, ts: Timestamp, handler: &mut H) {
        self.tick(ts, handler);
    }

    /// The input has ended: delivers what waits and closes all flows, in the order in which they began.
    pub fn finish<H: Handler<State = S>>(&mut self, handler: &mut H) {
        let mut live: Vec<(u64, u32)> = self
            .slots
            .iter()
            .filter(|(_, s)| s.class != Class::Free)
            .map(|(id, s)| (s.flow.number, id))
            .collect();
        live.sort_unstable();
        for (_, id) in live {
            self.close(id, CloseReason::EndOfInput, handler);
        }
    }

    /// Whether a packet of the same key begins another connection; the old one is closed then.
    #[inline]
    fn is_over<H: Handler<State = S>>(
        &mut self,
        id: u32,
        side: Side,
        ts: Timestamp,
        seg: &Segment<'_>,
        handler: &mut H,
    ) -> bool {
        let reason = match self.expired(id, self.now) {
            None if !seg.flags.syn() => return false,
            None => self.reused(id, side, ts, seg, handler).then_some(CloseReason::Reused),
            reason => reason,
        };
        let Some(reason) = reason else { return false };
        self.close(id, reason, handler);
        true
    }

    /// Whether a SYN begins another connection between the same endpoints.
    fn reused<H: Handler<State = S>>(
        &mut self,
        id: u32,
        side: Side,
        ts: Timestamp,
        seg: &Segment<'_>,
        handler: &mut H,
    ) -> bool {
        let Some(slot) = self.slots.get_mut(id) else { return false };
        let half = slot.flow.halves.of(side);
        let peer = slot.flow.halves.of(side.other());
        let over = half.life.now.is_over() || peer.life.now.is_over();
        let same = half.bits.has(Bits::SYN) && half.isn == seg.seq.wrapping_add(1);
        let quiet = ts.since(slot.flow.last);
        let mut weird = None;
        let answer = seg.flags.ack() && peer.bits.has(Bits::SYN) && seg.ack == peer.isn;
        let reused = if answer {
            false
        } else if same {
            // A retransmission or a copy; but a rejected connection is tried again under the same number.
            over && !seg.flags.ack() && quiet > self.config.reorder_time
        } else if over {
            // The answer to a SYN that was not seen, or the SYN itself. One that fits what is there came late.
            let late = !half.bits.has(Bits::SYN)
                && half.bits.has(Bits::KNOWN)
                && half.distance(seg.seq).abs() < NEAR
                && quiet <= self.config.reorder_time;
            if !late
                && quiet < self.config.linger
                && half.life.now != Endpoint::Reset
                && peer.life.now != Endpoint::Reset
            {
                weird = Some(Weird::PrematureConnectionReuse);
            }
            !late
        } else if seg.flags.ack() || !half.bits.has(Bits::KNOWN) {
            // An answer belongs to what is there; a first SYN from this side is a simultaneous open.
            false
        } else if half.life.now == Endpoint::SynSent {
            weird = Some(Weird::SynSeqJump);
            true
        } else if half.bits.has(Bits::SYN) || half.distance(seg.seq).abs() >= NEAR {
            weird = Some(Weird::ActiveConnectionReuse);
            half.distance(seg.seq).abs() >= NEAR
        } else {
            false
        };
        if let Some(name) = weird
            && reused
        {
            let mut weirds = Weirds::default();
            weirds.add(name);
            let fresh = weirds.without(slot.flow.weirds);
            slot.flow.weirds = slot.flow.weirds.union(weirds);
            for weird in fresh.iter() {
                handler.weird(&slot.flow, weird.name(), ts);
            }
        }
        reused
    }

    /// Opens a flow; `side` sent the first packet.
    fn open<H: Handler<State = S>>(
        &mut self,
        ts: Timestamp,
        key: PackedKey,
        hash: u32,
        side: Side,
        seg: &Segment<'_>,
        handler: &mut H,
    ) -> u32 {
        if self.stats.flows >= u64::from(self.config.max_flows.max(1)) {
            self.evict(handler);
        }
        let mut flow = Flow::new(key, side, ts, self.opened);
        flow.source = self.source;
        self.opened += 1;
        if seg.flags.syn() {
            flow.facts.set(Facts::ORIG_KNOWN);
            if seg.flags.ack() {
                flow.flip();
            }
        } else if guess_responder(seg.sport, seg.dport) {
            flow.flip();
        }
        flow.note_encap(side, &seg.encap);
        let state = handler.open(&flow);
        let slot = Slot { flow, pending: None, state: Some(state), class: Class::Free, until: Timestamp(0) };
        let id = match self.free.pop() {
            Some(id) => {
                if let Some(place) = self.slots.get_mut(id) {
                    *place = slot;
                }
                id
            }
            None => {
                self.queues.idle_links.push(Link::default());
                self.queues.pending_links.push(Link::default());
                self.slots.push(slot)
            }
        };
        self.index.insert(hash, id);
        self.stats.opened += 1;
        self.stats.flows += 1;
        self.stats.flows_peak = self.stats.flows_peak.max(self.stats.flows);
        self.queue(id, Class::HalfOpen);
        id
    }

    /// Makes room for one flow.
    #[cold]
    fn evict<H: Handler<State = S>>(&mut self, handler: &mut H) {
        let front = |q: &Queue, links: &[Link]| q.front(links).map(|(id, _)| id);
        if let Some(id) = front(&self.queues.half_open, &self.queues.idle_links) {
            self.stats.evicted_half_open += 1;
            return self.close(id, CloseReason::Evicted, handler);
        }
        if let Some(id) = front(&self.queues.closing, &self.queues.idle_links) {
            return self.close(id, CloseReason::Finished, handler);
        }
        let period = self.period(Class::Established);
        for chance in 0..=SECOND_CHANCES {
            let Some((id, due)) = self.queues.established.front(&self.queues.idle_links) else { return };
            let queued_at = Timestamp(due.0.saturating_sub(period));
            let active = self.slots.get(id).is_some_and(|s| s.flow.last > queued_at);
            if active && chance < SECOND_CHANCES {
                self.queue(id, Class::Established);
            } else {
                return self.close(id, CloseReason::Evicted, handler);
            }
        }
    }

    /// Closes a flow: delivers what waits, tells the consumer, frees the slot.
    fn close<H: Handler<State = S>>(&mut self, id: u32, reason: CloseReason, handler: &mut H) {
        let Some(mut work) = self.work(id, handler) else { return };
        work.flush();
        let Some(slot) = self.slots.get_mut(id) else { return };
        let Some(mut state) = slot.state.take() else { return };
        let halves = &slot.flow.halves;
        let reset = halves.low.life.now == Endpoint::Reset || halves.high.life.now == Endpoint::Reset;
        if reset && slot.flow.mode == Mode::Deliver {
            for dir in [Dir::Orig, Dir::Resp] {
                let side = slot.flow.side(dir);
                if !slot.flow.halves.of(side).bits.has(Bits::ENDED) {
                    slot.flow.halves.of_mut(side).bits.set(Bits::ENDED, true);
                    handler.end(&slot.flow, &mut state, dir, slot.flow.last);
                }
            }
        }
        let hash = self.seed.hash(&slot.flow.key) as u32;
        handler.close(&slot.flow, state, reason);
        self.stats.close(reason);
        slot.flow.rare = None;
        slot.flow.encaps = Pair::default();
        let class = std::mem::replace(&mut slot.class, Class::Free);
        self.index.remove(hash, id);
        let mut links = std::mem::take(&mut self.queues.idle_links);
        if let Some(queue) = self.queues.of(class) {
            queue.remove(&mut links, id);
        }
        self.queues.idle_links = links;
        self.queues.pending.remove(&mut self.queues.pending_links, id);
        self.free.push(id);
    }
}

/// The class that a flow's state asks for.
fn classify(flow: &Flow) -> Class {
    let (low, high) = (flow.halves.low.life.now, flow.halves.high.life.now);
    let silent = |e: Endpoint| e == Endpoint::Inactive;
    let closed = low.is_over() && high.is_over();
    let alone = low.is_over() && silent(high) || high.is_over() && silent(low);
    let reset = low == Endpoint::Reset || high == Endpoint::Reset;
    if closed || alone || reset {
        return Class::Closing;
    }
    let data = flow.halves.low.delivered.wrapping_add(flow.halves.high.delivered) > 0;
    let partial = low == Endpoint::Partial || high == Endpoint::Partial;
    if flow.established() || flow.packets() >= 3 && (data || partial) {
        Class::Established
    } else {
        Class::HalfOpen
    }
}

/// Whether the sender of the first packet seen is the responder, by its port alone.
const fn guess_responder(sport: u16, dport: u16) -> bool {
    let (from, to) = (rank(sport), rank(dport));
    from < to || from == to && from < EPHEMERAL && sport < dport
}

/// Rank of the ports that clients get from their system.
const EPHEMERAL: u8 = 4;

/// How likely a port is to be a server's: lower is likelier.
const fn rank(port: u16) -> u8 {
    match port {
        80 | 443 | 8080 | 8443 => 0,
        8000..=8999 | 3000 | 5000 | 9000 | 9090 => 1,
        0..=1023 => 2,
        1024..=32_767 => 3,
        _ => EPHEMERAL,
    }
}
