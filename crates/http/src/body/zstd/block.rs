//! Compressed blocks, RFC 8878 section 3.1.1.3: literals, and sequences that copy them and earlier output.
use super::bits::Backward;
use super::fse::{self, Kind};
use super::{BLOCK, huffman};

/// What one block leaves for the next.
pub(super) struct Tables {
    huffman: huffman::Table,
    lengths: fse::Table,
    offsets: fse::Table,
    matches: fse::Table,
    /// The last three offsets.
    recent: [u32; 3],
    literals: Vec<u8>,
}

const LENGTHS: Kind = Kind {
    symbols: 35,
    log: 9,
    predefined: (
        6,
        &[
            4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1,
            -1, -1, -1, -1,
        ],
    ),
};
const OFFSETS: Kind = Kind {
    symbols: 31,
    log: 8,
    predefined: (
        5,
        &[1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1],
    ),
};
const MATCHES: Kind = Kind {
    symbols: 52,
    log: 9,
    predefined: (
        6,
        &[
            1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
            1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
        ],
    ),
};

/// Base and extra bits of literals lengths from code 16 on; below, the code is the length.
const LENGTH_CODES: [(u32, u8); 20] = [
    (16, 1),
    (18, 1),
    (20, 1),
    (22, 1),
    (24, 2),
    (28, 2),
    (32, 3),
    (40, 3),
    (48, 4),
    (64, 6),
    (128, 7),
    (256, 8),
    (512, 9),
    (1024, 10),
    (2048, 11),
    (4096, 12),
    (8192, 13),
    (16384, 14),
    (32768, 15),
    (65536, 16),
];
/// The same of match lengths from code 32 on; below, the length is the code plus 3.
const MATCH_CODES: [(u32, u8); 21] = [
    (35, 1),
    (37, 1),
    (39, 1),
    (41, 1),
    (43, 2),
    (47, 2),
    (51, 3),
    (59, 3),
    (67, 4),
    (83, 4),
    (99, 5),
    (131, 7),
    (259, 8),
    (515, 9),
    (1027, 10),
    (2051, 11),
    (4099, 12),
    (8195, 13),
    (16387, 14),
    (32771, 15),
    (65539, 16),
];

impl Tables {
    pub(super) fn new() -> Self {
        Self {
            huffman: huffman::Table::default(),
            lengths: fse::Table::default(),
            offsets: fse::Table::default(),
            matches: fse::Table::default(),
            recent: [1, 4, 8],
            literals: Vec::new(),
        }
    }

    /// Bytes that the tables hold.
    pub(super) const fn held(&self) -> usize {
        self.huffman.held()
            + self.lengths.held()
            + self.offsets.held()
            + self.matches.held()
            + self.literals.capacity()
    }

    /// Decodes the block `bytes` and appends at most [`BLOCK`] bytes to `history`, which has room for them.
    /// `None` when it is wrong.
    pub(super) fn decode(&mut self, bytes: &[u8], history: &mut Vec<u8>) -> Option<()> {
        let mut literals = std::mem::take(&mut self.literals);
        let done =
            self.literals(bytes, &mut literals).and_then(|rest| self.sequences(rest, &literals, history));
        self.literals = literals;
        done
    }

    /// The literals section; what follows it.
    fn literals<'b>(&mut self, bytes: &'b [u8], out: &mut Vec<u8>) -> Option<&'b [u8]> {
        out.clear();
        let first = *bytes.first()?;
        let (kind, format) = (first & 3, first >> 2 & 3);
        let number = |len: usize| {
            let field = bytes.get(..len)?;
            Some(field.iter().rev().fold(0usize, |n, byte| n << 8 | usize::from(*byte)))
        };
        if kind < 2 {
            let (len, shift) = match format {
                1 => (2, 4),
                3 => (3, 4),
                _ => (1, 3),
            };
            let size = Some(number(len)? >> shift).filter(|size| *size <= BLOCK)?;
            let rest = bytes.get(len..)?;
            reserve(out, size);
            if kind == 0 {
                let (plain, rest) = rest.split_at_checked(size)?;
                out.extend_from_slice(plain);
                return Some(rest);
            }
            let (byte, rest) = rest.split_first()?;
            out.resize(size, *byte);
            return Some(rest);
        }
        let (len, bits) = match format {
            2 => (4, 14),
            3 => (5, 18),
            _ => (3, 10),
        };
        let (header, mask) = (number(len)?, (1 << bits) - 1);
        let size = Some(header >> 4 & mask).filter(|size| *size <= BLOCK)?;
        let (mut coded, rest) = bytes.get(len..)?.split_at_checked(header >> (4 + bits) & mask)?;
        if kind == 2 {
            coded = self.huffman.describe(coded)?;
        }
        if !self.huffman.is_set() {
            return None;
        }
        reserve(out, size);
        if format == 0 {
            self.huffman.decode(coded, size, out)?;
        } else {
            let (jumps, mut streams) = coded.split_first_chunk::<6>()?;
            let quarter = size.div_ceil(4);
            for jump in jumps.chunks_exact(2) {
                let len = jump.iter().rev().fold(0, |n, byte| n << 8 | usize::from(*byte));
                let (stream, rest) = streams.split_at_checked(len)?;
                self.huffman.decode(stream, quarter, out)?;
                streams = rest;
            }
            self.huffman.decode(streams, size.checked_sub(3 * quarter)?, out)?;
        }
        Some(rest)
    }

    /// The sequences section, carried out.
    fn sequences(&mut self, bytes: &[u8], mut literals: &[u8], history: &mut Vec<u8>) -> Option<()> {
        let mut room = BLOCK;
        let (count, rest) = match *bytes {
            [0] => (0, bytes.get(..0).unwrap_or_default()),
            [first @ 1..=127, ref rest @ ..] => (usize::from(first), rest),
            [first @ 128..=254, second, ref rest @ ..] => {
                (usize::from(first - 128) << 8 | usize::from(second), rest)
            }
            [255, second, third, ref rest @ ..] => {
                ((usize::from(third) << 8 | usize::from(second)) + 0x7f00, rest)
            }
            _ => return None,
        };
        if count > 0 {
            let (modes, rest) = rest.split_first()?;
            let rest = select(&mut self.lengths, &LENGTHS, modes >> 6, rest)?;
            let rest = select(&mut self.offsets, &OFFSETS, modes >> 4 & 3, rest)?;
            let rest = select(&mut self.matches, &MATCHES, modes >> 2 & 3, rest)?;
            let mut reader = Backward::new(rest)?;
            let mut length_state = self.lengths.start(&mut reader);
            let mut offset_state = self.offsets.start(&mut reader);
            let mut match_state = self.matches.start(&mut reader);
            for number in 1..=count {
                let offset_code = u32::from(self.offsets.symbol(offset_state)?);
                let (match_base, match_bits) = match_code(self.matches.symbol(match_state)?)?;
                let (length_base, length_bits) = length_code(self.lengths.symbol(length_state)?)?;
                let offset = (1u32.checked_shl(offset_code)?).checked_add(reader.read(offset_code))?;
                let match_len = (match_base + reader.read(match_bits)) as usize;
                let len = (length_base + reader.read(length_bits)) as usize;
                if number < count {
                    length_state = self.lengths.next(length_state, &mut reader)?;
                    match_state = self.matches.next(match_state, &mut reader)?;
                    offset_state = self.offsets.next(offset_state, &mut reader)?;
                }
                if reader.left() < 0 {
                    return None;
                }
                // A block never becomes more than a block, whatever its sequences say.
                room = room.checked_sub(len)?.checked_sub(match_len)?;
                let (now, later) = literals.split_at_checked(len)?;
                history.extend_from_slice(now);
                literals = later;
                copy(history, self.offset(offset, len)?, match_len)?;
            }
            if reader.left() != 0 {
                return None;
            }
        }
        room.checked_sub(literals.len())?;
        history.extend_from_slice(literals);
        Some(())
    }

    /// Resolves an offset, RFC 8878 section 3.1.1.5: the values up to 3 mean recent ones.
    fn offset(&mut self, value: u32, literals: usize) -> Option<usize> {
        let [first, second, third] = self.recent;
        let which = if value > 3 { value } else { value - u32::from(literals > 0) };
        let (offset, recent) = match which {
            0 => (first, self.recent),
            1 => (second, [second, first, third]),
            2 => (third, [third, first, second]),
            3 => (first.checked_sub(1)?, [first.checked_sub(1)?, first, second]),
            _ => (value - 3, [value - 3, first, second]),
        };
        self.recent = recent;
        usize::try_from(offset).ok().filter(|offset| *offset > 0)
    }
}

/// Makes room for literals, in two steps at the most.
fn reserve(out: &mut Vec<u8>, size: usize) {
    if out.capacity() < size {
        out.reserve_exact(if size > BLOCK / 8 { BLOCK } else { BLOCK / 8 });
    }
}

/// Sets a table by its mode; what follows its description.
fn select<'b>(table: &mut fse::Table, kind: &Kind, mode: u8, bytes: &'b [u8]) -> Option<&'b [u8]> {
    match mode {
        0 => {
            let (log, counts) = kind.predefined;
            table.build(counts, log)?;
            Some(bytes)
        }
        1 => {
            let (symbol, rest) = bytes.split_first()?;
            table.set_single(Some(*symbol).filter(|symbol| usize::from(*symbol) <= kind.symbols)?);
            Some(rest)
        }
        2 => table.describe(bytes, kind.symbols, kind.log),
        _ => table.is_set().then_some(bytes),
    }
}

#[inline]
fn length_code(code: u8) -> Option<(u32, u32)> {
    let Some(long) = code.checked_sub(16) else { return Some((u32::from(code), 0)) };
    LENGTH_CODES.get(usize::from(long)).map(|(base, bits)| (*base, u32::from(*bits)))
}

#[inline]
fn match_code(code: u8) -> Option<(u32, u32)> {
    let Some(long) = code.checked_sub(32) else { return Some((u32::from(code) + 3, 0)) };
    MATCH_CODES.get(usize::from(long)).map(|(base, bits)| (*base, u32::from(*bits)))
}

/// Appends `len` bytes from `offset` before the end, which may overlap what is appended.
#[inline]
fn copy(history: &mut Vec<u8>, offset: usize, mut len: usize) -> Option<()> {
    let from = history.len().checked_sub(offset)?;
    while len > 0 {
        // Each round there is more to copy at once.
        let now = len.min(history.len() - from);
        history.extend_from_within(from..from + now);
        len -= now;
    }
    Some(())
}
