//! Chunked transfer coding, RFC 9112 section 7.1.
use crate::message::Desync;

/// Where in the coding the reader stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Chunked {
    /// In the line with a chunk's size; what has been read of it so far.
    Size(SizeLine),
    /// In a chunk's data, so many bytes before its end.
    Data(u64),
    /// In the line break behind a chunk's data.
    DataEnd,
    /// Behind the last chunk, in the trailer section.
    Trailers,
}

/// A chunk-size line that is being read: `HEX [;extensions] CRLF`.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct SizeLine {
    size: u64,
    digits: u8,
    /// Something that is not a digit was read: the size is complete, the rest of the line is skipped.
    past: bool,
    odd: bool,
    /// Bytes of the line, so that a line without an end is given up.
    len: u16,
    cr: bool,
}

/// Bytes of a chunk-size line, extensions included, before it is given up.
const MAX_SIZE_LINE: u16 = 4096;

/// One step through the coding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// So many framing bytes read; go on with what follows.
    Framing(usize),
    /// So many bytes of the body follow at the front.
    Data(usize),
    /// The trailer section begins after so many bytes.
    LastChunk(usize),
}

impl Chunked {
    /// A reader before the first chunk.
    pub(crate) const fn start() -> Self {
        Self::Size(SizeLine { size: 0, digits: 0, past: false, odd: false, len: 0, cr: false })
    }

    /// Looks at the front of `bytes`, which must not be empty, and moves on. The caller removes what the
    /// step names; data is passed on as it lies in `bytes`. Not to be called in `Trailers`.
    pub(crate) fn step(&mut self, bytes: &[u8], desync: &mut Desync) -> Step {
        match self {
            Self::Size(line) => {
                let used = line.read(bytes);
                let Some(used) = used else { return Step::Framing(bytes.len()) };
                if line.odd || line.digits == 0 {
                    desync.add(Desync::CHUNK_SIZE);
                }
                if line.size == 0 {
                    *self = Self::Trailers;
                    return Step::LastChunk(used);
                }
                *self = Self::Data(line.size);
                Step::Framing(used)
            }
            Self::Data(left) => {
                let take = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= take as u64;
                if *left == 0 {
                    *self = Self::DataEnd;
                }
                Step::Data(take)
            }
            Self::DataEnd => {
                // The rest of the line is skipped: bytes before the line break are a wrong chunk size.
                match memchr::memchr(b'\n', bytes) {
                    Some(at) => {
                        if at > 1 {
                            desync.add(Desync::CHUNK_SIZE);
                        }
                        *self = Self::start();
                        Step::Framing(at + 1)
                    }
                    None => Step::Framing(bytes.len()),
                }
            }
            Self::Trailers => Step::LastChunk(0),
        }
    }
}

impl SizeLine {
    /// Reads on; the bytes used when the line is complete.
    fn read(&mut self, bytes: &[u8]) -> Option<usize> {
        for (i, byte) in bytes.iter().enumerate() {
            self.len = self.len.saturating_add(1);
            match byte {
                b'\n' => return Some(i + 1),
                _ if self.len > MAX_SIZE_LINE => {
                    self.odd = true;
                    self.size = 0;
                    return Some(i + 1);
                }
                b'\r' => self.cr = true,
                _ if self.past => {}
                b';' => self.past = true,
                b' ' | b'\t' => self.past |= self.digits > 0,
                _ => match (*byte as char).to_digit(16) {
                    Some(digit) => self.push(digit),
                    None => {
                        self.odd = true;
                        self.past = true;
                    }
                },
            }
        }
        None
    }

    fn push(&mut self, digit: u32) {
        self.digits = self.digits.saturating_add(1);
        match self.size.checked_mul(16).map(|s| s | u64::from(digit)).filter(|s| *s <= i64::MAX as u64) {
            Some(size) => self.size = size,
            None => {
                // A size that no reader can hold: Zeek ends the body here, too.
                self.odd = true;
                self.past = true;
                self.size = 0;
            }
        }
    }
}
