//! Out-of-order pieces of one flow, and the holes that they wait for.
//!
//! Exists only while something is pending. Pieces of one direction are sorted and do not overlap. Overlap
//! policy: among held pieces the first that arrived wins, and bytes that were delivered win over all; a
//! difference in bytes that are still held is counted.
use crate::pair::{Pair, Side};
use crate::pool::{PAGE, PageId, Pool};
use harken_wire::Timestamp;
use std::collections::VecDeque;

/// What a piece stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Captured bytes, in a page of the pool.
    Data(PageId),
    /// Bytes that the packet had on the wire and the capture has not.
    Missing,
    /// The end of the stream; no length.
    Fin,
}

/// When a segment came, and what it knew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Arrival {
    /// Stream offset of the other direction that the segment acknowledged.
    pub(crate) ack: u64,
    /// The packet's own time.
    pub(crate) ts: Timestamp,
    /// Packet time of the table when it arrived: never before that of an earlier arrival.
    pub(crate) now: Timestamp,
    /// Number of the packet in its flow.
    pub(crate) ordinal: u64,
}

/// A part of a segment that waits for its turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Piece {
    pub(crate) offset: u64,
    pub(crate) len: u32,
    pub(crate) kind: Kind,
    pub(crate) from: Arrival,
}

impl Piece {
    pub(crate) const fn end(&self) -> u64 {
        self.offset.saturating_add(self.len as u64)
    }
}

/// A hole that was noticed: everything from the stream's next byte up to `mark` is late since `since`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Hole {
    pub(crate) mark: u64,
    pub(crate) since: Timestamp,
    pub(crate) ordinal: u64,
}

/// What one direction has waiting.
#[derive(Default, Debug)]
pub(crate) struct Waiting {
    pub(crate) pieces: VecDeque<Piece>,
    pub(crate) hole: Option<Hole>,
}

/// Both directions.
#[derive(Default, Debug)]
pub(crate) struct Reassembly {
    pub(crate) sides: Pair<Waiting>,
    /// Pages held by both.
    pub(crate) pages: usize,
}

/// What became of the bytes of a segment that was put aside.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Inserted {
    /// Bytes that are held now.
    pub(crate) held: u64,
    /// Bytes that were held already.
    pub(crate) duplicate: u64,
    /// Bytes for which there was no page.
    pub(crate) refused: u64,
    /// Some of the duplicate bytes differ from those that are held.
    pub(crate) differs: bool,
}

impl Reassembly {
    /// Puts captured bytes aside.
    pub(crate) fn insert(
        &mut self,
        pool: &mut Pool,
        side: Side,
        mut offset: u64,
        mut bytes: &[u8],
        from: Arrival,
    ) -> Inserted {
        let mut done = Inserted::default();
        let pieces = &mut self.sides.of_mut(side).pieces;
        let mut at = pieces.partition_point(|p| p.end() <= offset);
        while !bytes.is_empty() {
            let next = pieces.get(at).copied();
            let room = match next {
                Some(p) if p.offset <= offset => 0,
                Some(p) => p.offset - offset,
                None => u64::MAX,
            };
            let n = match next {
                Some(p) if room == 0 => {
                    let n = bytes.len().min((p.end() - offset) as usize);
                    if let Kind::Data(page) = p.kind {
                        let skip = (offset - p.offset) as usize;
                        let held = pool.get(page, p.len as usize).get(skip..skip + n);
                        done.differs |= held != bytes.get(..n);
                    }
                    done.duplicate += n as u64;
                    n
                }
                _ => {
                    let n = bytes.len().min(PAGE).min(room.min(PAGE as u64) as usize);
                    let Some(page) = bytes.get(..n).and_then(|b| pool.store(b)) else {
                        done.refused += bytes.len() as u64;
                        return done;
                    };
                    self.pages += 1;
                    pieces.insert(at, Piece { offset, len: n as u32, kind: Kind::Data(page), from });
                    done.held += n as u64;
                    n
                }
            };
            at += 1;
            offset += n as u64;
            bytes = bytes.get(n..).unwrap_or_default();
        }
        done
    }

    /// Puts a marker aside: bytes that were cut off, or the end of the stream. What is held already wins.
    pub(crate) fn insert_marker(&mut self, side: Side, mut offset: u64, len: u32, kind: Kind, from: Arrival) {
        let pieces = &mut self.sides.of_mut(side).pieces;
        let end = offset.saturating_add(u64::from(len));
        let mut at = pieces.partition_point(|p| p.end() <= offset);
        if let Some(p) = pieces.get(at)
            && p.offset <= offset
        {
            offset = p.end();
            at += 1;
        }
        let limit = pieces.get(at).map_or(end, |p| p.offset.min(end));
        if kind == Kind::Fin {
            let known = pieces.iter().any(|p| p.kind == Kind::Fin);
            if !known && offset == end {
                pieces.insert(at, Piece { offset, len: 0, kind, from });
            }
        } else if limit > offset {
            pieces.insert(at, Piece { offset, len: (limit - offset) as u32, kind, from });
        }
    }

    /// Takes the first piece of a direction out. Its page, if any, still has to be released.
    pub(crate) fn pop(&mut self, side: Side) -> Option<Piece> {
        let piece = self.sides.of_mut(side).pieces.pop_front()?;
        if matches!(piece.kind, Kind::Data(_)) {
            self.pages = self.pages.saturating_sub(1);
        }
        Some(piece)
    }

    /// Takes out the last piece of a direction that begins at or behind `offset`.
    pub(crate) fn pop_behind(&mut self, side: Side, offset: u64) -> Option<Piece> {
        let pieces = &mut self.sides.of_mut(side).pieces;
        let piece = pieces.pop_back_if(|p| p.offset >= offset)?;
        if matches!(piece.kind, Kind::Data(_)) {
            self.pages = self.pages.saturating_sub(1);
        }
        Some(piece)
    }

    /// The first piece of a direction.
    pub(crate) fn front(&self, side: Side) -> Option<Piece> {
        self.sides.of(side).pieces.front().copied()
    }

    /// Nothing waits.
    pub(crate) fn is_idle(&self) -> bool {
        let idle = |w: &Waiting| w.pieces.is_empty() && w.hole.is_none();
        idle(&self.sides.low) && idle(&self.sides.high)
    }
}
