//! Bytes that are kept because they are too few to be read.
use harken_flow::{Chunk, Dir};
use harken_wire::Timestamp;

/// First bytes of a direction, too few to tell.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) bytes: Vec<u8>,
    pub(crate) offset: u64,
    pub(crate) ack: u64,
    pub(crate) ts: Timestamp,
}

impl Held {
    /// As what came in that direction.
    pub(crate) fn chunk(&self, dir: Dir) -> Chunk<'_> {
        Chunk { dir, offset: self.offset, bytes: &self.bytes, ack: self.ack, ts: self.ts }
    }
}

/// A chunk with what was held before it, whose bytes end with its own.
pub(crate) fn with_held<'a>(held: Option<&'a Held>, chunk: &Chunk<'a>) -> Chunk<'a> {
    held.map_or(*chunk, |held| Chunk { ts: chunk.ts, ..held.chunk(chunk.dir) })
}

/// No bytes, where some are missing.
pub(crate) const fn nothing(dir: Dir, offset: u64, ts: Timestamp) -> Chunk<'static> {
    Chunk { dir, offset, bytes: &[], ack: 0, ts }
}
