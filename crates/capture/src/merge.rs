//! Several captures read as one, ordered by time.
use crate::{
    Damage, Packet, Reader,
    reader::{Batch, Located, Packets},
};
use harken_wire::Timestamp;
use std::{cmp::Reverse, collections::BinaryHeap};

/// Readers whose packets are given in the order of their times; of equal times, in the order of the
/// readers. Inside one capture the order is the file's own, so that a capture whose clock stepped back is
/// not torn apart.
pub struct Merge {
    readers: Vec<Reader>,
    /// The packets that the readers have at hand, with the reader's index, earliest first.
    heads: BinaryHeap<Reverse<Head>>,
    /// Readers whose next packet has still to be found: all at first, then the one that gave the last.
    behind: Vec<usize>,
}

/// A packet at hand; ordered by its time, then by its reader.
struct Head {
    found: Located,
    reader: usize,
}

impl Head {
    fn key(&self) -> (Timestamp, usize) {
        (self.found.ts, self.reader)
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Head {}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl Merge {
    /// Reads all of `readers`.
    pub fn new(readers: Vec<Reader>) -> Self {
        let behind = (0..readers.len()).rev().collect();
        Self { heads: BinaryHeap::with_capacity(readers.len()), readers, behind }
    }

    /// The next packet of all, with the index of its reader; `None` when all have ended. The packet's bytes
    /// are lent until the next call.
    ///
    /// # Errors
    /// Once for each reader that was damaged, when it ends; the next call goes on with the others.
    #[inline]
    pub fn next_packet(&mut self) -> Result<Option<(usize, Packet<'_>)>, Damage> {
        let (index, found) = match self.readers.as_mut_slice() {
            [only] => match only.locate()? {
                Some(found) => (0, found),
                None => return Ok(None),
            },
            _ => match self.earliest()? {
                Some(Head { found, reader }) => (reader, found),
                None => return Ok(None),
            },
        };
        Ok(self.readers.get(index).map(|reader| (index, reader.packet(found))))
    }

    /// The next packets of one reader that are at hand together, at most `max`; none when all have ended.
    /// Packets of several files are given one by one, since any of them may be the next.
    ///
    /// # Errors
    /// As [`Merge::next_packet`].
    #[inline]
    pub fn next_batch<'a>(&'a mut self, batch: &'a mut Batch, max: usize) -> Result<Packets<'a>, Damage> {
        if self.readers.len() > 1 {
            let (index, found) = match self.earliest()? {
                Some(Head { found, reader }) => (reader, Some(found)),
                None => (0, None),
            };
            return Ok(self.readers.get(index).map_or_else(Packets::none, |r| r.lend(found, batch)));
        }
        self.readers.first_mut().map_or_else(|| Ok(Packets::none()), |only| only.next_batch(batch, max))
    }

    fn earliest(&mut self) -> Result<Option<Head>, Damage> {
        while let Some(index) = self.behind.pop() {
            if let Some(reader) = self.readers.get_mut(index)
                && let Some(found) = reader.locate()?
            {
                self.heads.push(Reverse(Head { found, reader: index }));
            }
        }
        let head = self.heads.pop().map(|Reverse(head)| head);
        self.behind.extend(head.as_ref().map(|head| head.reader));
        Ok(head)
    }

    /// The readers, in the order in which they were given: for names, and for the sum of positions.
    pub fn readers(&self) -> &[Reader] {
        &self.readers
    }
}
