//! Header blocks, RFC 7541, also where a part of the table is not known.
use super::huffman;
use super::table::{Known, Table};

/// A block that is none: what follows on the connection cannot be decoded either, until entries are inserted again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Invalid;

/// More bytes than any field of the fixed table has, each of which is one byte in a block.
const FIXED_FIELD: usize = 32;

/// The decoder of one direction.
#[derive(Debug)]
pub(super) struct Decoder {
    table: Table,
    name: Vec<u8>,
    value: Vec<u8>,
}

impl Decoder {
    /// One for a connection from its beginning, or for one that was joined later.
    pub(super) fn new(is_partial: bool) -> Self {
        Self { table: Table::new(is_partial), name: Vec::new(), value: Vec::new() }
    }

    /// Blocks were lost.
    pub(super) fn lose(&mut self) {
        self.table.lose();
        (self.name, self.value) = (Vec::new(), Vec::new());
    }

    /// Bytes of fields that a block may come to: each entry of the table once, and what stands in it or in the fixed table.
    /// More is a bomb, which names a large entry again and again.
    pub(super) fn honest(&self, block: &[u8]) -> usize {
        self.table.size() + FIXED_FIELD * block.len()
    }

    /// Bytes that it holds.
    pub(super) fn size(&self) -> usize {
        self.table.size() + self.name.capacity() + self.value.capacity()
    }

    /// Decodes a whole block and hands each field on.
    pub(super) fn decode(&mut self, block: &[u8], mut take: impl FnMut(Known<'_>)) -> Result<(), Invalid> {
        let mut rest = block;
        while let Some(first) = rest.first() {
            match first {
                // 6.1: a field of the table.
                0x80.. => {
                    let index = integer(&mut rest, 7)?;
                    take(self.table.get(index).ok_or(Invalid)?);
                }
                // 6.2.1: a literal that is inserted.
                0x40..0x80 => {
                    let name = self.literal(&mut rest, 6)?;
                    let name = name.then_some(self.name.as_slice());
                    take(Known { name, value: Some(&self.value) });
                    self.table.insert(name, &self.value);
                }
                // 6.3: another size of the table.
                0x20..0x40 => {
                    let size = integer(&mut rest, 5)?;
                    self.table.resize(size);
                }
                // 6.2.2 and 6.2.3: a literal that is not.
                0x00..0x20 => {
                    let name = self.literal(&mut rest, 4)?;
                    take(Known { name: name.then_some(&self.name), value: Some(&self.value) });
                }
            }
        }
        Ok(())
    }

    /// Reads a literal into `name` and `value`. Whether its name is known.
    fn literal(&mut self, rest: &mut &[u8], bits: u32) -> Result<bool, Invalid> {
        self.name.clear();
        self.value.clear();
        let index = integer(rest, bits)?;
        let is_known = if index == 0 {
            string(rest, &mut self.name)?;
            true
        } else {
            let name = self.table.get(index).ok_or(Invalid)?.name;
            self.name.extend_from_slice(name.unwrap_or_default());
            name.is_some()
        };
        string(rest, &mut self.value)?;
        Ok(is_known)
    }
}

/// An integer with a prefix of that many bits, section 5.1.
fn integer(rest: &mut &[u8], bits: u32) -> Result<usize, Invalid> {
    let mask = (1usize << bits) - 1;
    let mut next = || {
        let (first, tail) = rest.split_first().ok_or(Invalid)?;
        *rest = tail;
        Ok(usize::from(*first))
    };
    let mut value = next()? & mask;
    if value < mask {
        return Ok(value);
    }
    // Four more bytes: all that a length or an index can be.
    for shift in [0, 7, 14, 21] {
        let byte = next()?;
        value += (byte & 127) << shift;
        if byte < 128 {
            return Ok(value);
        }
    }
    Err(Invalid)
}

/// A string, section 5.2.
fn string(rest: &mut &[u8], out: &mut Vec<u8>) -> Result<(), Invalid> {
    let is_coded = rest.first().is_some_and(|first| *first >= 0x80);
    let length = integer(rest, 7)?;
    let (text, tail) = rest.split_at_checked(length).ok_or(Invalid)?;
    *rest = tail;
    if is_coded {
        return huffman::decode(text, out).then_some(()).ok_or(Invalid);
    }
    out.extend_from_slice(text);
    Ok(())
}

#[cfg(test)]
mod tests;
