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
    DataEnd {
        /// Its CR has been read, or something else that was flagged.
        cr: bool,
    },
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
    /// In an extension, which may hold anything.
    extension: bool,
    /// The byte before was a CR: the line must end.
    cr: bool,
    /// Bytes of the line, so that a line without an end is given up.
    len: u16,
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
        Self::Size(SizeLine {
            size: 0,
            digits: 0,
            past: false,
            odd: false,
            extension: false,
            cr: false,
            len: 0,
        })
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
                    *self = Self::DataEnd { cr: false };
                }
                Step::Data(take)
            }
            Self::DataEnd { cr } => {
                // The rest of the line is skipped: what is not CR LF there means a wrong chunk size.
                let (line, used) = match memchr::memchr(b'\n', bytes) {
                    Some(at) => (bytes.get(..at).unwrap_or_default(), at + 1),
                    None => (bytes, bytes.len()),
                };
                let ends = used > line.len();
                let right = match line {
                    [] => *cr,
                    [b'\r'] => !*cr,
                    _ => false,
                };
                if !right {
                    desync.add(Desync::CHUNK_SIZE);
                }
                *self = if ends { Self::start() } else { Self::DataEnd { cr: true } };
                Step::Framing(used)
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
            // A reader that ends the line at a bare CR, or at a bare LF, stands elsewhere afterwards.
            let after_cr = std::mem::replace(&mut self.cr, *byte == b'\r');
            self.odd |= after_cr != (*byte == b'\n');
            match byte {
                b'\n' => return Some(i + 1),
                _ if self.len > MAX_SIZE_LINE => {
                    self.odd = true;
                    self.size = 0;
                    return Some(i + 1);
                }
                b'\r' => self.past = true,
                _ if self.extension => {}
                b';' => {
                    self.past = true;
                    self.extension = true;
                }
                b' ' | b'\t' => {
                    self.odd |= self.digits == 0;
                    self.past |= self.digits > 0;
                }
                _ if self.past => self.odd = true,
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads the coding in pieces: the body, and whether readers may disagree about it.
    fn read(bytes: &[u8], piece: usize) -> (Vec<u8>, bool) {
        let (mut state, mut desync, mut body) = (Chunked::start(), Desync::default(), Vec::new());
        for mut piece in bytes.chunks(piece) {
            while !piece.is_empty() && state != Chunked::Trailers {
                let used = match state.step(piece, &mut desync) {
                    Step::Framing(used) | Step::LastChunk(used) => used,
                    Step::Data(used) => {
                        body.extend_from_slice(&piece[..used]);
                        used
                    }
                };
                piece = &piece[used..];
            }
        }
        (body, desync.has(Desync::CHUNK_SIZE))
    }

    #[test]
    fn what_two_readers_may_take_differently_is_flagged_however_it_is_cut() {
        for (coding, body, odd) in [
            ("5\r\nhello\r\n0\r\n", "hello", false),
            ("005\r\nhello\r\n0\r\n", "hello", false),
            ("5 \t\r\nhello\r\n0\r\n", "hello", false),
            ("5;a=b; c=\"d e\"\r\nhello\r\n0\r\n", "hello", false),
            ("5 ; a\r\nhello\r\n0;x\r\n", "hello", false),
            ("5\r6\r\nhello\r\n0\r\n", "hello", true),
            ("5\r\r\nhello\r\n0\r\n", "hello", true),
            ("5;a\rb\r\nhello\r\n0\r\n", "hello", true),
            ("5\nhello\r\n0\r\n", "hello", true),
            ("5;a\nhello\r\n0\r\n", "hello", true),
            ("5\r\nhello\r\n0\n", "hello", true),
            ("5 6\r\nhello\r\n0\r\n", "hello", true),
            (" 5\r\nhello\r\n0\r\n", "hello", true),
            ("0x5\r\nhello\r\n", "", true),
            ("\r\nhello", "", true),
            ("5\r\nhello\n0\r\n", "hello", true),
            ("5\r\nhello\r\r\n0\r\n", "hello", true),
            ("5\r\nhellox\n0\r\n", "hello", true),
            ("5\r\nhellojunk\r\n0\r\n", "hello", true),
            ("fffffffffffffffff\r\n", "", true),
        ] {
            for piece in 1..=coding.len() {
                let outcome = read(coding.as_bytes(), piece);
                assert_eq!(outcome, (body.into(), odd), "{coding:?} in pieces of {piece}");
            }
        }
    }
}
