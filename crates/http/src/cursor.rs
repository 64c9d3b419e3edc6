//! A reader over a slice that runs dry instead of panicking.

/// The bytes that were not read yet.
pub(crate) struct Cursor<'b>(pub(crate) &'b [u8]);

impl<'b> Cursor<'b> {
    pub(crate) fn take(&mut self, n: usize) -> Option<&'b [u8]> {
        let (front, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(front)
    }

    /// A number of so many bytes.
    pub(crate) fn number(&mut self, bytes: usize) -> Option<usize> {
        Some(self.take(bytes)?.iter().fold(0, |n, b| n << 8 | usize::from(*b)))
    }

    pub(crate) fn word(&mut self) -> Option<u16> {
        self.number(2).and_then(|n| u16::try_from(n).ok())
    }

    /// Bytes behind their number.
    pub(crate) fn vector(&mut self, length_bytes: usize) -> Option<Cursor<'b>> {
        let n = self.number(length_bytes)?;
        self.take(n).map(Cursor)
    }

    /// The rest as numbers of two bytes.
    pub(crate) fn words(self) -> Vec<u16> {
        let pairs = self.0.chunks_exact(2);
        pairs.map(|pair| pair.iter().fold(0, |n, b| n << 8 | u16::from(*b))).collect()
    }

    /// A number of variable length, RFC 9000 section 16.
    pub(crate) fn varint(&mut self) -> Option<usize> {
        let length = 1 << (self.0.first()? >> 6);
        let number = self.number(length)?;
        Some(number & (usize::MAX >> (usize::BITS as usize - 8 * length + 2)))
    }
}
