//! Memory for lines that wait for the disk.
use memmap2::MmapMut;
use std::fmt;
use std::io;
use std::ops::Deref;

/// A buffer that the system maps by itself and takes back whole when it is dropped, whichever thread drops it. From
/// the allocator, the memory of a time when the disk was slow would stay with the thread that asked for it.
pub struct Buffer {
    map: MmapMut,
    len: usize,
}

impl Buffer {
    /// An empty buffer for `capacity` bytes (not 0). An error when the system has no memory.
    pub fn new(capacity: usize) -> io::Result<Self> {
        Ok(Self { map: MmapMut::map_anon(capacity)?, len: 0 })
    }

    /// Bytes that it can hold.
    pub fn capacity(&self) -> usize {
        self.map.len()
    }

    /// Appends `bytes`; `false` when they do not fit, and then nothing is appended.
    pub fn append(&mut self, bytes: &[u8]) -> bool {
        let end = self.len.saturating_add(bytes.len());
        let Some(room) = self.map.get_mut(self.len..end) else { return false };
        room.copy_from_slice(bytes);
        self.len = end;
        true
    }

    /// Forgets what is in it.
    pub const fn clear(&mut self) {
        self.len = 0;
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.map.get(..self.len).unwrap_or_default()
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer of {} bytes, {} used", self.capacity(), self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_fits_and_nothing_of_what_does_not() {
        let mut buffer = Buffer::new(10).unwrap();
        assert!(buffer.append(b"12345678"));
        assert!(!buffer.append(b"abc"));
        assert!(buffer.append(b"90") && buffer.append(b""));
        assert_eq!((&buffer[..], buffer.capacity()), (&b"1234567890"[..], 10));
        buffer.clear();
        assert!(buffer.is_empty() && buffer.append(b"x"));
        assert_eq!(buffer[..], b"x"[..]);
    }
}
