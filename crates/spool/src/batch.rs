//! Records gathered before they go to the spool.
use crate::block::{self, MAX_BODY};

/// Records in order, in the form that a block's body has. A shard fills one and hands it over as a whole.
#[derive(Debug, Default)]
pub struct Batch {
    pub(crate) body: Vec<u8>,
    pub(crate) records: u32,
    pub(crate) earliest: u64,
    pub(crate) latest: u64,
}

impl Batch {
    /// Adds a record, whose event has the given time (nanoseconds since 1970). False, and nothing is added, when
    /// it is larger than a block may be ([`MAX_BODY`] less 4 bytes).
    #[must_use]
    pub fn push(&mut self, time: u64, record: &[u8]) -> bool {
        self.write(time, |body| body.extend_from_slice(record))
    }

    /// The same with a record that `write` appends to what it is given.
    #[must_use]
    pub fn write(&mut self, time: u64, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let start = self.body.len();
        self.body.extend_from_slice(&[0; 4]);
        write(&mut self.body);
        let size = self.body.len().saturating_sub(start + 4);
        let length = u32::try_from(size).ok().filter(|_| size <= MAX_BODY - 4);
        let (Some(length), Some(place)) = (length, self.body.get_mut(start..start + 4)) else {
            self.body.truncate(start);
            return false;
        };
        place.copy_from_slice(&length.to_le_bytes());
        self.cover(time, time);
        self.records += 1;
        true
    }

    /// The number of records.
    pub fn len(&self) -> u32 {
        self.records
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Bytes of the records with their lengths.
    pub fn bytes(&self) -> usize {
        self.body.len()
    }

    /// The records.
    pub fn iter(&self) -> Records<'_> {
        Records { body: &self.body }
    }

    /// Puts `other` behind; it becomes empty and keeps its memory.
    pub(crate) fn extend(&mut self, other: &mut Self) {
        self.cover(other.earliest, other.latest);
        self.records += other.records;
        self.body.extend_from_slice(&other.body);
        other.clear();
    }

    /// Makes the times reach over these. Comes before the records that have them.
    fn cover(&mut self, earliest: u64, latest: u64) {
        self.earliest = if self.records == 0 { earliest } else { self.earliest.min(earliest) };
        self.latest = self.latest.max(latest);
    }

    /// Removes all records and keeps the memory.
    pub fn clear(&mut self) {
        self.body.clear();
        (self.records, self.earliest, self.latest) = (0, 0, 0);
    }
}

/// The records of a body, in order.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    pub(crate) body: &'a [u8],
}

impl<'a> Iterator for Records<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (record, rest) = block::split(self.body)?;
        self.body = rest;
        Some(record)
    }
}

impl<'a> IntoIterator for &'a Batch {
    type Item = &'a [u8];
    type IntoIter = Records<'a>;

    fn into_iter(self) -> Records<'a> {
        self.iter()
    }
}
