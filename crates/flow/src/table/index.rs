//! The hash index: from a key's hash to the slot of its flow.
//!
//! An open-addressed table of eight-byte entries with linear probing. It is never more than half full, so that
//! an entry nearly always lies in the cache line that its hash says, which can be asked for ahead of time. The
//! hash is keyed with a secret: whoever sends the packets cannot choose which of them collide.
use harken_wire::prefetch;

/// A place of the table; `id` is [`FREE`] where there is none.
#[derive(Clone, Copy)]
struct Entry {
    hash: u32,
    id: u32,
}

/// No slot has this number.
const FREE: u32 = u32::MAX;
const EMPTY: Entry = Entry { hash: 0, id: FREE };
/// Places at first.
const FIRST: usize = 64;

/// The index. A hash may stand in it several times.
#[derive(Default)]
pub(super) struct Index {
    /// None, or a power of two of them.
    entries: Vec<Entry>,
    used: usize,
}

impl Index {
    /// The place at which the search for a hash begins.
    #[inline]
    fn start(&self, hash: u32) -> usize {
        hash as usize & self.entries.len().wrapping_sub(1)
    }

    #[inline]
    fn next(&self, at: usize) -> usize {
        (at + 1) & self.entries.len().wrapping_sub(1)
    }

    /// Asks for the memory that [`Index::find`] will read.
    #[inline]
    pub(super) fn prefetch(&self, hash: u32) {
        if let Some(entry) = self.entries.get(self.start(hash)) {
            prefetch(entry);
        }
    }

    /// The first slot with this hash that `fits`.
    #[inline]
    pub(super) fn find(&self, hash: u32, fits: impl Fn(u32) -> bool) -> Option<u32> {
        self.position(hash, fits).map(|(_, id)| id)
    }

    #[inline]
    fn position(&self, hash: u32, fits: impl Fn(u32) -> bool) -> Option<(usize, u32)> {
        let mut at = self.start(hash);
        while let Some(&Entry { hash: other, id }) = self.entries.get(at) {
            if id == FREE {
                break;
            }
            if other == hash && fits(id) {
                return Some((at, id));
            }
            at = self.next(at);
        }
        None
    }

    /// Adds a slot.
    pub(super) fn insert(&mut self, hash: u32, id: u32) {
        if (self.used + 1) * 2 > self.entries.len() {
            self.grow();
        }
        self.place(Entry { hash, id });
        self.used += 1;
    }

    /// Puts an entry into the first free place from where its hash says.
    fn place(&mut self, entry: Entry) {
        let mut at = self.start(entry.hash);
        while self.entries.get(at).is_some_and(|there| there.id != FREE) {
            at = self.next(at);
        }
        if let Some(free) = self.entries.get_mut(at) {
            *free = entry;
        }
    }

    #[cold]
    fn grow(&mut self) {
        let size = (self.entries.len() * 2).max(FIRST);
        let old = std::mem::replace(&mut self.entries, vec![EMPTY; size]);
        for entry in old.into_iter().filter(|entry| entry.id != FREE) {
            self.place(entry);
        }
    }

    /// Takes a slot out, if it is there.
    pub(super) fn remove(&mut self, hash: u32, id: u32) {
        let Some((mut hole, _)) = self.position(hash, |other| other == id) else { return };
        self.used -= 1;
        // What stands behind the hole, up to the next free place, moves into it where it may: no search must end
        // at a place that was not free when the entry was put in.
        let mut at = hole;
        loop {
            at = self.next(at);
            let Some(entry) = self.entries.get(at).copied().filter(|entry| entry.id != FREE) else { break };
            let mask = self.entries.len().wrapping_sub(1);
            let from_start = at.wrapping_sub(self.start(entry.hash)) & mask;
            let from_hole = at.wrapping_sub(hole) & mask;
            if from_start >= from_hole {
                if let Some(place) = self.entries.get_mut(hole) {
                    *place = entry;
                }
                hole = at;
            }
        }
        if let Some(place) = self.entries.get_mut(hole) {
            *place = EMPTY;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against a plain list, with few different hashes, so that entries stand in each other's way.
    #[test]
    fn finds_what_is_there() {
        for hashes in [1u32, 5, 40, 1 << 31] {
            let (mut index, mut model) = (Index::default(), Vec::new());
            let mut random = 1u64;
            for id in 0..5000u32 {
                random =
                    random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let hash = ((random >> 33) as u32 % hashes).wrapping_mul(0x9e37_79b1);
                let full = model.len() > 150;
                if !full && random >> 62 != 0 || model.is_empty() {
                    index.insert(hash, id);
                    model.push((hash, id));
                } else {
                    let (hash, id) = model.swap_remove((random >> 8) as usize % model.len());
                    assert_eq!(index.find(hash, |other| other == id), Some(id));
                    index.remove(hash, id);
                    index.remove(hash, id);
                    assert_eq!(index.find(hash, |other| other == id), None);
                }
                assert_eq!(index.used, model.len());
                assert!(model.iter().all(|(hash, id)| index.find(*hash, |other| other == *id) == Some(*id)));
            }
            assert_eq!(index.find(77, |_| true), None);
            assert!(index.entries.len() <= 512, "no more places than twice as many as were needed, doubled");
        }
    }
}
