//! Walks through the blocks of a file, over whatever is damaged.
//!
//! Behind damage the walk goes on at the next header whose checksum is right. A block whose body is damaged costs
//! that block alone when its header is sound.
use crate::block::{self, HEADER, Header, MAGIC};
use std::io::{self, Read, Seek, SeekFrom};

/// Bytes read at a time while the next header is looked for.
const STEP: usize = 64 << 10;

/// What is at a place of a file.
#[derive(Debug, PartialEq, Eq)]
pub enum Item {
    /// A header; its body follows within the file.
    Block(Header),
    /// A header whose body ends beyond the file.
    Short(Header),
    /// So many bytes that belong to no block.
    Junk(u64),
    /// The end of the file.
    End,
}

/// A walk through a file.
#[derive(Debug)]
pub struct Scan<F> {
    file: F,
    at: u64,
}

impl<F: Read + Seek> Scan<F> {
    /// A walk from the beginning of `file`.
    pub fn new(file: F) -> Self {
        Self { file, at: 0 }
    }

    /// Where the next item begins, in bytes from the beginning.
    pub fn offset(&self) -> u64 {
        self.at
    }

    /// What is next, in the first `limit` bytes of the file. A block has to be passed with [`Self::body`],
    /// [`Self::skip`] or [`Self::step`]; else it comes again. Junk is passed by itself.
    ///
    /// # Errors
    ///
    /// What the file gives.
    pub fn next(&mut self, limit: u64) -> io::Result<Item> {
        if self.at >= limit {
            return Ok(Item::End);
        }
        if let Some(header) = self.header(self.at, limit)? {
            let fits = header.size() <= limit - self.at;
            return Ok(if fits { Item::Block(header) } else { Item::Short(header) });
        }
        let next = self.find(self.at + 1, limit)?;
        let junk = next - self.at;
        self.at = next;
        Ok(Item::Junk(junk))
    }

    /// The body of the block that [`Self::next`] gave; nothing when it is damaged: then, too, the walk is behind
    /// it. (The header's own checksum was right, so its length is.)
    ///
    /// # Errors
    ///
    /// What the file gives.
    pub fn body(&mut self, header: &Header) -> io::Result<Option<Vec<u8>>> {
        self.file.seek(SeekFrom::Start(self.at + HEADER as u64))?;
        let mut stored = Vec::new();
        self.file.by_ref().take(u64::from(header.stored)).read_to_end(&mut stored)?;
        self.skip(header);
        Ok(block::open(header, stored))
    }

    /// Passes the block that [`Self::next`] gave.
    pub fn skip(&mut self, header: &Header) {
        self.at = self.at.saturating_add(header.size());
    }

    /// Passes one byte: the block that [`Self::next`] gave is short, and another one may begin in it.
    pub fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    fn header(&mut self, at: u64, limit: u64) -> io::Result<Option<Header>> {
        if limit.saturating_sub(at) < HEADER as u64 {
            return Ok(None);
        }
        self.file.seek(SeekFrom::Start(at))?;
        let mut bytes = [0; HEADER];
        match self.file.read_exact(&mut bytes) {
            Ok(()) => Ok(Header::parse(&bytes)),
            // Shorter than it was.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Where the next sound header is at or behind `from`; `limit` without one.
    fn find(&mut self, mut from: u64, limit: u64) -> io::Result<u64> {
        let mut window = Vec::new();
        while limit.saturating_sub(from) >= HEADER as u64 {
            window.clear();
            self.file.seek(SeekFrom::Start(from))?;
            self.file.by_ref().take((limit - from).min(STEP as u64)).read_to_end(&mut window)?;
            for (index, candidate) in window.windows(HEADER).enumerate() {
                if candidate.starts_with(&MAGIC) && candidate.first_chunk().and_then(Header::parse).is_some()
                {
                    return Ok(from + index as u64);
                }
            }
            if window.len() < STEP {
                break;
            }
            // A header may begin in the last bytes of the window.
            from += (STEP - HEADER + 1) as u64;
        }
        Ok(limit)
    }
}
