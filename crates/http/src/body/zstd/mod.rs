//! Zstandard, RFC 8878, in bounded memory: block by block, none of which becomes more than 128 KiB.
//!
//! Written here since what other decoders promise is not enough for bodies that anyone may send: what a block
//! becomes must be bounded, and what has come out must be handed on at once. The checksum is not verified.
mod bits;
mod block;
mod fse;
mod huffman;

use super::decode::{Sink, Stopped, WINDOW};
use block::Tables;

/// A block, compressed or not, is at most so long (RFC 8878 section 3.1.1.2.3).
const BLOCK: usize = 128 << 10;

/// Output that is held: the largest window, and blocks behind it, so that it is seldom moved.
const HISTORY: usize = WINDOW + 4 * BLOCK;

/// A decoder of one frame.
pub(super) struct Zstd {
    /// Coded bytes that wait for the rest of their header or block.
    input: Vec<u8>,
    frame: Option<Frame>,
    /// The last output, as far back as matches reach.
    history: Vec<u8>,
    tables: Box<Tables>,
    written: usize,
}

/// What the frame header says.
#[derive(Clone, Copy)]
struct Frame {
    /// How far back matches reach, at most [`WINDOW`].
    window: usize,
    /// The frame asks for a larger window than there is. Nothing is read differently before the output has
    /// become longer than the smaller one.
    narrowed: bool,
    checksum: bool,
}

impl Zstd {
    pub(super) fn new() -> Self {
        Self {
            input: Vec::new(),
            frame: None,
            history: Vec::new(),
            tables: Box::new(Tables::new()),
            written: 0,
        }
    }

    /// Bytes that the decoder holds.
    pub(super) const fn held(&self) -> usize {
        self.input.capacity() + self.history.capacity() + self.tables.held()
    }

    /// Decodes the next bytes; whether the frame has ended.
    pub(super) fn step(&mut self, mut bytes: &[u8], sink: Sink<'_>) -> Result<bool, Stopped> {
        loop {
            // No more than a block is held, however much there is of the body.
            const MOST: usize = BLOCK + 16;
            let room = MOST.saturating_sub(self.input.len()).min(bytes.len());
            let (now, later) = bytes.split_at_checked(room).unwrap_or_default();
            bytes = later;
            let needed = self.input.len() + now.len();
            if needed > self.input.capacity() {
                self.input.reserve_exact(needed.next_power_of_two().min(MOST).max(needed) - self.input.len());
            }
            self.input.extend_from_slice(now);
            let mut at = 0;
            if self.frame.is_none() {
                match header(&self.input)? {
                    Some((len, frame)) => (at, self.frame) = (len, Some(frame)),
                    None => return Ok(false),
                }
            }
            let Some(frame) = self.frame else { return Ok(false) };
            let input = std::mem::take(&mut self.input);
            let outcome = self.blocks(&input, &mut at, frame, sink);
            self.input = input;
            if outcome? {
                return Ok(true);
            }
            self.input.drain(..at.min(self.input.len()));
            if bytes.is_empty() {
                return Ok(false);
            }
        }
    }

    /// Decodes the whole blocks from `at` on, and moves it behind them; whether the last one was among them.
    fn blocks(
        &mut self,
        input: &[u8],
        at: &mut usize,
        frame: Frame,
        sink: Sink<'_>,
    ) -> Result<bool, Stopped> {
        while let Some((header, rest)) = input.get(*at..).and_then(<[u8]>::split_first_chunk::<3>) {
            let [a, b, c] = *header;
            let header = u32::from_le_bytes([a, b, c, 0]);
            let (last, kind, size) = (header & 1 != 0, header >> 1 & 3, (header >> 3) as usize);
            if size > BLOCK {
                return Err(Stopped::Invalid);
            }
            let content = if kind == 1 { 1 } else { size };
            let checksum = if last && frame.checksum { 4 } else { 0 };
            if rest.len() < content + checksum {
                return Ok(false);
            }
            let content = rest.get(..content).unwrap_or_default();
            *at += 3 + content.len() + checksum;
            self.make_room(frame.window);
            let from = self.history.len();
            match (kind, content) {
                (0, _) => self.history.extend_from_slice(content),
                (1, [byte]) => self.history.resize(from + size, *byte),
                (2, _) => self.tables.decode(content, &mut self.history).ok_or(Stopped::Invalid)?,
                _ => return Err(Stopped::Invalid),
            }
            self.hand_on(from, frame, sink)?;
            if last {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Makes room for a block, by forgetting what no match reaches or by more memory, up to [`HISTORY`].
    fn make_room(&mut self, window: usize) {
        if self.history.len() + BLOCK > HISTORY.min(window + 4 * BLOCK) {
            let forgotten = self.history.len().saturating_sub(window);
            self.history.drain(..forgotten);
        }
        let needed = self.history.len() + BLOCK;
        if needed > self.history.capacity() {
            let size = needed.next_power_of_two().min(HISTORY).max(needed);
            self.history.reserve_exact(size - self.history.len());
        }
    }

    /// Hands on the output from `from` on.
    fn hand_on(&mut self, from: usize, frame: Frame, sink: Sink<'_>) -> Result<(), Stopped> {
        for piece in self.history.get(from..).unwrap_or_default().chunks(super::decode::STEP) {
            let allowed = if frame.narrowed { WINDOW.saturating_sub(self.written) } else { piece.len() };
            let good = piece.get(..allowed).unwrap_or(piece);
            self.written = self.written.saturating_add(piece.len());
            if !good.is_empty() && !sink(good) || piece.len() > allowed {
                return Err(Stopped::Limit);
            }
        }
        Ok(())
    }
}

/// Reads a frame header, RFC 8878 section 3.1.1.1, and its length; `None` while it is not all there.
fn header(bytes: &[u8]) -> Result<Option<(usize, Frame)>, Stopped> {
    const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
    const RESERVED: u8 = 0x08;
    if bytes.iter().zip(MAGIC).any(|(is, must)| *is != must) {
        return Err(Stopped::Invalid);
    }
    let Some(descriptor) = bytes.get(4) else { return Ok(None) };
    let single = descriptor & 0x20 != 0;
    // A dictionary is not at hand.
    if descriptor & RESERVED != 0 || descriptor & 3 != 0 {
        return Err(Stopped::Invalid);
    }
    let size = match descriptor >> 6 {
        0 => usize::from(single),
        1 => 2,
        2 => 4,
        _ => 8,
    };
    let fields = 5 + usize::from(!single);
    let (Some(content), Some(byte)) = (bytes.get(fields..fields + size), bytes.get(5)) else {
        return Ok(None);
    };
    let window = if single {
        // Two bytes count from 256.
        let base = if size == 2 { 256 } else { 0 };
        content.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b)).saturating_add(base)
    } else {
        let base = 1u64 << (10 + (byte >> 3));
        base + base / 8 * u64::from(byte & 7)
    };
    let narrowed = window > WINDOW as u64;
    let window = usize::try_from(window).unwrap_or(WINDOW).min(WINDOW);
    Ok(Some((fields + size, Frame { window, narrowed, checksum: descriptor & 4 != 0 })))
}
