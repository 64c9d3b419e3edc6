//! The bytes of a capture: a file or pipe, decompressed when its first bytes say so.
use crate::{Reason, zstd::ZstdFrames};
use flate2::bufread::MultiGzDecoder;
use std::io::{self, BufReader, Read};

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// A zstd file may start with a skippable frame: `50 2a 4d 18` to `5f 2a 4d 18` (RFC 8878 section 3.1.2).
const ZSTD_SKIPPABLE: [u8; 3] = [0x2a, 0x4d, 0x18];
/// Compressed bytes are read in pieces of this size.
const COMPRESSED_BUFFER: usize = 64 << 10;

/// Where the bytes come from.
pub(crate) type Source = Box<dyn Read + Send>;

/// The bytes of the file itself, counted.
pub(crate) struct Raw {
    /// What was read to look at the file's start and has not been read again yet.
    head: Vec<u8>,
    given: usize,
    source: Source,
    count: u64,
}

impl Read for Raw {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = match self.head.get(self.given..) {
            Some(mut left) if !left.is_empty() => {
                let n = left.read(out)?;
                self.given += n;
                n
            }
            _ => self.source.read(out)?,
        };
        self.count += n as u64;
        Ok(n)
    }
}

/// The bytes of the capture.
pub(crate) enum Input {
    Plain(Raw),
    Gzip(Box<MultiGzDecoder<BufReader<Raw>>>),
    Zstd(Box<ZstdFrames<BufReader<Raw>>>),
}

impl Input {
    /// Looks at the first bytes of `source` and sets up what its compression needs.
    pub(crate) fn detect(mut source: Source) -> io::Result<Self> {
        let mut head = Vec::with_capacity(4);
        source.by_ref().take(4).read_to_end(&mut head)?;
        let gzip = head.starts_with(&GZIP);
        let skippable = head.first().is_some_and(|b| b & 0xf0 == 0x50)
            && head.get(1..).is_some_and(|rest| rest == ZSTD_SKIPPABLE);
        let zstd = skippable || head == ZSTD;
        let raw = Raw { head, given: 0, source, count: 0 };
        let buffered = |raw| BufReader::with_capacity(COMPRESSED_BUFFER, raw);
        Ok(if gzip {
            Self::Gzip(Box::new(MultiGzDecoder::new(buffered(raw))))
        } else if zstd {
            Self::Zstd(Box::new(ZstdFrames::new(buffered(raw))))
        } else {
            Self::Plain(raw)
        })
    }

    /// How many bytes of the file have been read so far.
    pub(crate) fn file_bytes(&self) -> u64 {
        match self {
            Self::Plain(raw) => raw.count,
            Self::Gzip(decoder) => decoder.get_ref().get_ref().count,
            Self::Zstd(decoder) => decoder.get_ref().get_ref().count,
        }
    }

    /// Says what a failed read means.
    pub(crate) fn describe(&self, e: &io::Error) -> Reason {
        match e.kind() {
            _ if !self.compressed() => Reason::Io(e.to_string()),
            io::ErrorKind::UnexpectedEof => Reason::Compression("it ends early".to_owned()),
            _ => Reason::Compression(e.to_string()),
        }
    }

    pub(crate) fn compressed(&self) -> bool {
        !matches!(self, Self::Plain(_))
    }
}

impl Read for Input {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(raw) => raw.read(out),
            Self::Gzip(decoder) => decoder.read(out),
            Self::Zstd(decoder) => decoder.read(out),
        }
    }
}
