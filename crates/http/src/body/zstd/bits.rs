//! The two directions in which Zstandard reads bits, RFC 8878 sections 4.1 and 4.2.

/// Up to 56 bits from bit `at` of `bytes` on, the first one lowest; beyond the end there are zeros.
#[inline]
fn load(bytes: &[u8], at: usize) -> u64 {
    let rest = bytes.get(at / 8..).unwrap_or_default();
    let word = match rest.first_chunk::<8>() {
        Some(word) => u64::from_le_bytes(*word),
        None => rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    word >> (at % 8)
}

const fn mask(count: u32) -> u64 {
    (1 << count) - 1
}

/// Reads from the front, as the descriptions of FSE tables are read.
pub(super) struct Forward<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Forward<'b> {
    pub(super) const fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next `count` bits, at most 32, without moving on.
    pub(super) fn peek(&self, count: u32) -> u32 {
        (load(self.bytes, self.at) & mask(count)) as u32
    }

    pub(super) const fn skip(&mut self, count: u32) {
        self.at += count as usize;
    }

    pub(super) fn read(&mut self, count: u32) -> u32 {
        let value = self.peek(count);
        self.skip(count);
        value
    }

    /// What begins at the next whole byte; `None` when more was read than there is.
    pub(super) fn rest(&self) -> Option<&'b [u8]> {
        self.bytes.get(self.at.div_ceil(8)..)
    }
}

/// Reads from the back, as coded symbols are read.
pub(super) struct Backward<'b> {
    bytes: &'b [u8],
    /// Bits that are left; below 0 when more was read than there is, which reads zeros.
    left: i64,
}

impl<'b> Backward<'b> {
    /// A reader of `bytes`, whose highest set bit marks where the stream begins. `None` without one in the
    /// last byte.
    pub(super) fn new(bytes: &'b [u8]) -> Option<Self> {
        let top = bytes.last()?.checked_ilog2()?;
        let whole = i64::try_from(bytes.len() - 1).ok()?;
        Some(Self { bytes, left: whole * 8 + i64::from(top) })
    }

    pub(super) const fn left(&self) -> i64 {
        self.left
    }

    /// The next `count` bits, at most 32, without moving on.
    #[inline]
    pub(super) fn peek(&self, count: u32) -> u32 {
        let from = self.left - i64::from(count);
        match usize::try_from(from) {
            Ok(at) => (load(self.bytes, at) & mask(count)) as u32,
            // Zeros stand in for the missing lower bits.
            Err(_) if from <= -i64::from(count) => 0,
            Err(_) => (load(self.bytes, 0) << from.unsigned_abs() & mask(count)) as u32,
        }
    }

    #[inline]
    pub(super) const fn skip(&mut self, count: u32) {
        self.left -= count as i64;
    }

    #[inline]
    pub(super) fn read(&mut self, count: u32) -> u32 {
        let value = self.peek(count);
        self.skip(count);
        value
    }
}
