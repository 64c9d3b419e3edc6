//! IP fragments to whole datagrams, RFC 791 section 3.2 and RFC 8200 section 4.5.
//!
//! Overlap policy, the same for IPv4 and IPv6: the fragment that arrived first wins, byte by byte, and the
//! overlap is counted. (RFC 5722 has an IPv6 receiver discard the datagram; a passive observer would blind
//! itself by doing so, since anybody can inject an overlapping fragment.) A datagram whose fragments
//! disagree about its end is discarded. Fragments that no receiver would accept are refused by name.
use crate::timer::{Link, Queue};
use harken_wire::{Fragment, FragmentHeader, FragmentKey, Timestamp};
use std::collections::HashMap;

/// Largest payload of a datagram: what the 16-bit length fields of IPv4 and IPv6 allow.
const MAX_PAYLOAD: u32 = 65_535;
/// Separate ranges of a datagram that may have arrived: 64 KiB in fragments of the IPv6 minimum MTU are 52.
const MAX_RANGES: usize = 128;
/// Buffers kept for reuse.
const SPARE: usize = 16;

/// Limits of a [`Defragmenter`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DefragConfig {
    /// Unfinished datagrams kept at once; the oldest is evicted for a new one.
    pub max_datagrams: u32,
    /// Bytes of all unfinished datagrams; the oldest are evicted for new bytes.
    pub max_bytes: u32,
    /// Packet time in nanoseconds after which an unfinished datagram is dropped. RFC 1122 section 3.3.2 has
    /// receivers wait 60 to 120 s; most systems wait 30 s.
    pub timeout: u64,
}

impl Default for DefragConfig {
    fn default() -> Self {
        Self { max_datagrams: 1024, max_bytes: 8 << 20, timeout: 30_000_000_000 }
    }
}

/// Counters of a [`Defragmenter`]. At every moment `fragments` equals the sum of `assembled`, `refused`,
/// `given_up` and `waiting`.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct DefragStats {
    /// Fragments taken in.
    pub fragments: u64,
    /// Fragments that ended in a whole datagram.
    pub assembled: u64,
    /// Fragments that no receiver would accept.
    pub refused: RefusedFragments,
    /// Fragments of datagrams that were dropped unfinished.
    pub given_up: u64,
    /// Fragments waiting at this moment.
    pub waiting: u64,
    /// Whole datagrams.
    pub datagrams: u64,
    /// Unfinished datagrams dropped by time-out.
    pub timed_out: u64,
    /// Unfinished datagrams dropped for a limit.
    pub evicted: u64,
    /// Datagrams dropped because their fragments disagree about the end.
    pub contradictory: u64,
    /// Datagrams dropped because they came in too many separate ranges.
    pub scattered: u64,
    /// Fragments that overlap earlier ones.
    pub overlaps: u64,
    /// Of these, fragments whose bytes differ from the earlier ones.
    pub inconsistent: u64,
    /// Bytes of unfinished datagrams at this moment.
    pub bytes: u64,
}

impl DefragStats {
    /// Adds the counters of another defragmenter (another shard's).
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.fragments, other.fragments),
            (&mut self.assembled, other.assembled),
            (&mut self.refused.empty, other.refused.empty),
            (&mut self.refused.oversize, other.refused.oversize),
            (&mut self.refused.unaligned, other.refused.unaligned),
            (&mut self.refused.truncated, other.refused.truncated),
            (&mut self.given_up, other.given_up),
            (&mut self.waiting, other.waiting),
            (&mut self.datagrams, other.datagrams),
            (&mut self.timed_out, other.timed_out),
            (&mut self.evicted, other.evicted),
            (&mut self.contradictory, other.contradictory),
            (&mut self.scattered, other.scattered),
            (&mut self.overlaps, other.overlaps),
            (&mut self.inconsistent, other.inconsistent),
            (&mut self.bytes, other.bytes),
        ] {
            *mine += theirs;
        }
    }
}

/// Fragments refused, by reason.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct RefusedFragments {
    /// No payload.
    pub empty: u64,
    /// Reaches beyond the largest datagram (ping of death).
    pub oversize: u64,
    /// Not the last, and its length is no multiple of 8.
    pub unaligned: u64,
    /// The capture has cut it short.
    pub truncated: u64,
}

impl RefusedFragments {
    /// All reasons together.
    pub const fn total(&self) -> u64 {
        self.empty + self.oversize + self.unaligned + self.truncated
    }
}

/// A whole datagram, to be decoded further.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// Header of its first fragment.
    pub header: &'a FragmentHeader,
    /// Its payload.
    pub payload: &'a [u8],
}

/// A datagram that is not whole yet.
struct Partial {
    key: FragmentKey,
    /// Of the fragment at offset 0, else of the first that came.
    header: FragmentHeader,
    bytes: Vec<u8>,
    /// Ranges that have arrived: sorted, with holes between them.
    have: Vec<(u32, u32)>,
    /// Length, once the last fragment is known.
    total: Option<u32>,
    since: Timestamp,
    fragments: u64,
}

/// Collects fragments.
pub struct Defragmenter {
    config: DefragConfig,
    index: HashMap<FragmentKey, u32>,
    slots: Vec<Option<Partial>>,
    free: Vec<u32>,
    queue: Queue,
    links: Vec<Link>,
    spare: Vec<Vec<u8>>,
    done: Option<(FragmentHeader, Vec<u8>)>,
    stats: DefragStats,
}

impl Defragmenter {
    /// Without any fragments.
    pub fn new(config: DefragConfig) -> Self {
        Self {
            config,
            index: HashMap::new(),
            slots: Vec::new(),
            free: Vec::new(),
            queue: Queue::default(),
            links: Vec::new(),
            spare: Vec::new(),
            done: None,
            stats: DefragStats::default(),
        }
    }

    /// The counters.
    pub const fn stats(&self) -> &DefragStats {
        &self.stats
    }

    /// Takes a fragment, captured at `ts`; returns the datagram that it completes.
    pub fn push(&mut self, ts: Timestamp, fragment: &Fragment<'_>) -> Option<Datagram<'_>> {
        self.advance(ts);
        self.stats.fragments += 1;
        if !self.acceptable(fragment) {
            return None;
        }
        let end = fragment.offset.saturating_add(fragment.payload.len() as u32);
        let id = self.find(ts, fragment);
        let partial = self.slots.get_mut(id as usize)?.as_mut()?;
        partial.fragments += 1;
        self.stats.waiting += 1;
        if fragment.offset == 0 {
            partial.header = fragment.header;
        }
        let known = partial.have.last().map_or(0, |r| r.1);
        let contradicts = match partial.total {
            Some(total) => end > total || !fragment.more && end != total,
            None => !fragment.more && known > end,
        };
        if contradicts {
            self.stats.contradictory += 1;
            self.drop_partial(id);
            return None;
        }
        if !fragment.more {
            partial.total = Some(end);
        }
        let grown = (end as usize).saturating_sub(partial.bytes.len());
        if grown > 0 {
            partial.bytes.resize(end as usize, 0);
            self.stats.bytes += grown as u64;
        }
        let (overlap, differs) = partial.fill(fragment.offset, fragment.payload);
        self.stats.overlaps += u64::from(overlap);
        self.stats.inconsistent += u64::from(differs);
        let whole = partial.total.is_some_and(|total| partial.have == [(0, total)]);
        if whole {
            return self.complete(id);
        }
        if partial.have.len() > MAX_RANGES {
            self.stats.scattered += 1;
            self.drop_partial(id);
        }
        while self.stats.bytes > u64::from(self.config.max_bytes) {
            let Some((oldest, _)) = self.queue.front(&self.links) else { break };
            self.stats.evicted += 1;
            self.drop_partial(oldest);
        }
        None
    }

    /// Drops what has waited too long.
    pub fn advance(&mut self, ts: Timestamp) {
        while let Some((id, due)) = self.queue.front(&self.links) {
            // A time too far ahead was set before the clock stepped back.
            if due > ts && due.since(ts) <= self.config.timeout {
                break;
            }
            self.stats.timed_out += 1;
            self.drop_partial(id);
        }
    }

    fn acceptable(&mut self, fragment: &Fragment<'_>) -> bool {
        let len = fragment.payload.len() as u64;
        let refused = &mut self.stats.refused;
        let reason = if fragment.truncated > 0 {
            &mut refused.truncated
        } else if len == 0 {
            &mut refused.empty
        } else if u64::from(fragment.offset) + len > u64::from(MAX_PAYLOAD) {
            &mut refused.oversize
        } else if fragment.more && !len.is_multiple_of(8) {
            &mut refused.unaligned
        } else {
            return true;
        };
        *reason += 1;
        false
    }

    /// The datagram of a fragment, begun if need be.
    fn find(&mut self, ts: Timestamp, fragment: &Fragment<'_>) -> u32 {
        let key = fragment.header.key();
        if let Some(id) = self.index.get(&key) {
            return *id;
        }
        if self.index.len() >= self.config.max_datagrams.max(1) as usize
            && let Some((oldest, _)) = self.queue.front(&self.links)
        {
            self.stats.evicted += 1;
            self.drop_partial(oldest);
        }
        let partial = Partial {
            key,
            header: fragment.header,
            bytes: self.spare.pop().unwrap_or_default(),
            have: Vec::new(),
            total: None,
            since: ts,
            fragments: 0,
        };
        let id = match self.free.pop() {
            Some(id) => id,
            None => {
                self.slots.push(None);
                self.links.push(Link::default());
                (self.slots.len() - 1) as u32
            }
        };
        let due = partial.since.plus(self.config.timeout);
        if let Some(slot) = self.slots.get_mut(id as usize) {
            *slot = Some(partial);
        }
        self.index.insert(key, id);
        self.queue.push(&mut self.links, id, due);
        id
    }

    fn take(&mut self, id: u32) -> Option<Partial> {
        let partial = self.slots.get_mut(id as usize)?.take()?;
        self.index.remove(&partial.key);
        self.queue.remove(&mut self.links, id);
        self.free.push(id);
        self.stats.bytes -= partial.bytes.len() as u64;
        self.stats.waiting -= partial.fragments;
        Some(partial)
    }

    fn drop_partial(&mut self, id: u32) {
        if let Some(partial) = self.take(id) {
            self.stats.given_up += partial.fragments;
            self.recycle(partial.bytes);
        }
    }

    fn recycle(&mut self, mut bytes: Vec<u8>) {
        if self.spare.len() < SPARE {
            bytes.clear();
            self.spare.push(bytes);
        }
    }

    fn complete(&mut self, id: u32) -> Option<Datagram<'_>> {
        let partial = self.take(id)?;
        self.stats.assembled += partial.fragments;
        self.stats.datagrams += 1;
        if let Some((_, used)) = self.done.take() {
            self.recycle(used);
        }
        let (header, payload) = self.done.insert((partial.header, partial.bytes));
        Some(Datagram { header, payload })
    }
}

impl Partial {
    /// Copies the bytes that have not arrived yet. Says whether others had, and whether those differ.
    fn fill(&mut self, offset: u32, payload: &[u8]) -> (bool, bool) {
        let end = offset.saturating_add(payload.len() as u32);
        let (mut overlap, mut differs) = (false, false);
        // The new range, joined with all that it touches.
        let (mut low, mut high) = (offset, end);
        let mut at = offset;
        let part = |from: u32, to: u32| payload.get((from - offset) as usize..(to - offset) as usize);
        for &(from, to) in &self.have {
            if to < offset || from > end {
                continue;
            }
            low = low.min(from);
            high = high.max(to);
            let (both_from, both_to) = (from.max(offset), to.min(end));
            if both_from < both_to {
                overlap = true;
                differs |= self.bytes.get(both_from as usize..both_to as usize) != part(both_from, both_to);
            }
            if both_from > at {
                copy(&mut self.bytes, at, part(at, both_from));
            }
            at = at.max(both_to);
        }
        if at < end {
            copy(&mut self.bytes, at, part(at, end));
        }
        self.have.retain(|&(from, to)| to < offset || from > end);
        let place = self.have.partition_point(|r| r.0 < low);
        self.have.insert(place, (low, high));
        (overlap, differs)
    }
}

fn copy(bytes: &mut [u8], at: u32, part: Option<&[u8]>) {
    let part = part.unwrap_or_default();
    let at = at as usize;
    if let Some(room) = bytes.get_mut(at..at + part.len()) {
        room.copy_from_slice(part);
    }
}
