//! Huffman codes of literals, RFC 8878 section 4.2.
use super::bits::Backward;
use super::fse;

/// The longest code, RFC 8878 section 4.2.1.
const MAX_BITS: u32 = 11;

/// The largest accuracy log of the table that codes weights.
const WEIGHTS_LOG: u32 = 6;

/// By the next bits of a stream: the symbol, and the bits that it takes.
#[derive(Default)]
pub(super) struct Table {
    codes: Vec<(u8, u8)>,
    bits: u32,
}

impl Table {
    /// Whether there is a table.
    pub(super) const fn is_set(&self) -> bool {
        !self.codes.is_empty()
    }

    /// Bytes that the table holds.
    pub(super) const fn held(&self) -> usize {
        self.codes.capacity() * size_of::<(u8, u8)>()
    }

    /// Reads a description and returns what follows it. `None` when it is wrong.
    pub(super) fn describe<'b>(&mut self, bytes: &'b [u8]) -> Option<&'b [u8]> {
        let (header, rest) = bytes.split_first()?;
        let header = usize::from(*header);
        let mut weights = [0u8; 256];
        let (count, rest) = if header < 128 {
            let (coded, rest) = rest.split_at_checked(header)?;
            (coded_weights(coded, &mut weights)?, rest)
        } else {
            let count = header - 127;
            let (plain, rest) = rest.split_at_checked(count.div_ceil(2))?;
            let halves = plain.iter().flat_map(|byte| [byte >> 4, byte & 15]);
            for (weight, half) in weights.iter_mut().zip(halves.take(count)) {
                *weight = half;
            }
            (count, rest)
        };
        self.build(weights.get_mut(..=count)?)?;
        Some(rest)
    }

    /// Builds the table; the last weight is not given: it fills the table up to a power of two.
    fn build(&mut self, weights: &mut [u8]) -> Option<()> {
        let (last, given) = weights.split_last_mut()?;
        if given.iter().any(|weight| u32::from(*weight) > MAX_BITS) {
            return None;
        }
        let width = |weight: u8| if weight == 0 { 0 } else { 1u32 << (weight - 1) };
        let sum: u32 = given.iter().map(|weight| width(*weight)).sum();
        self.bits = sum.checked_ilog2()? + 1;
        let left = (1 << self.bits) - sum;
        if self.bits > MAX_BITS || !left.is_power_of_two() {
            return None;
        }
        *last = left.ilog2() as u8 + 1;
        self.codes.clear();
        for weight in 1..=self.bits as u8 {
            let code = (self.bits + 1).saturating_sub(u32::from(weight)) as u8;
            for (symbol, _) in weights.iter().enumerate().filter(|(_, w)| **w == weight) {
                self.codes.extend(std::iter::repeat_n((symbol as u8, code), width(weight) as usize));
            }
        }
        (self.codes.len() == 1 << self.bits).then_some(())
    }

    /// Decodes a stream of `count` symbols.
    pub(super) fn decode(&self, bytes: &[u8], count: usize, out: &mut Vec<u8>) -> Option<()> {
        let mut reader = Backward::new(bytes)?;
        for _ in 0..count {
            let (symbol, bits) = self.codes.get(reader.peek(self.bits) as usize)?;
            reader.skip(u32::from(*bits));
            out.push(*symbol);
        }
        (reader.left() == 0).then_some(())
    }
}

/// Weights that are coded themselves, by two states in turn, until the bits are used up; their number.
fn coded_weights(bytes: &[u8], weights: &mut [u8; 256]) -> Option<usize> {
    let mut table = fse::Table::default();
    let mut reader = Backward::new(table.describe(bytes, 255, WEIGHTS_LOG)?)?;
    let (mut now, mut other) = (table.start(&mut reader), table.start(&mut reader));
    let mut count = 0;
    // One place is left for the weight that is not given, and one for the last state's.
    while count < 254 {
        *weights.get_mut(count)? = table.symbol(now)?;
        count += 1;
        now = table.next(now, &mut reader)?;
        std::mem::swap(&mut now, &mut other);
        if reader.left() < 0 {
            *weights.get_mut(count)? = table.symbol(now)?;
            return Some(count + 1);
        }
    }
    None
}
