//! Content codings, RFC 9110 section 8.4.1, decoded as the bytes arrive.
use crate::message::Coding;
use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use flate2::{Decompress, FlushDecompress, Status};
use ruzstd::decoding::FrameDecoder;

/// Why decoding stopped for good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stopped {
    /// The bytes are not what the coding says.
    Invalid,
    /// The consumer wants no more (a limit).
    Limit,
}

/// Decoder of one body.
pub struct Decoder {
    state: State,
    out: Vec<u8>,
}

enum State {
    /// gzip or deflate before its first two bytes: they tell which of the three forms it is.
    Undecided(Option<u8>),
    Inflate(Decompress),
    Brotli(Box<Brotli>),
    Zstd(Box<ZstdState>),
    /// The coded stream has ended; what follows is ignored, as by Zeek.
    Ended,
}

/// The large-window extension is not allowed on the web (RFC 7932), so that a window is at most 16 MiB.
type Brotli = BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>;

struct ZstdState {
    decoder: FrameDecoder,
    /// Coded bytes that wait for the rest of their block.
    input: Vec<u8>,
    begun: bool,
}

/// Bytes of decoded output handed on at a time.
const STEP: usize = 8 * 1024;
/// A zstd block is at most 128 KiB; a frame header and a block header come on top.
const ZSTD_PENDING: usize = 160 * 1024;
/// Windows above this need more memory than a sensor gives one body.
const ZSTD_WINDOW: u64 = 8 << 20;

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Decoder")
    }
}

impl Decoder {
    /// A decoder for the coding; `None` when bytes of that coding are kept as sent.
    pub fn new(coding: Coding) -> Option<Self> {
        let state = match coding {
            Coding::Gzip | Coding::Deflate => State::Undecided(None),
            Coding::Brotli => State::Brotli(Box::new(Brotli::new_strict(
                StandardAlloc::default(),
                StandardAlloc::default(),
                StandardAlloc::default(),
            ))),
            Coding::Zstd => State::Zstd(Box::new(ZstdState {
                decoder: FrameDecoder::new(),
                input: Vec::new(),
                begun: false,
            })),
            Coding::Identity | Coding::Other => return None,
        };
        Some(Self { state, out: Vec::new() })
    }

    /// Decodes the next bytes and hands what comes out to `sink`, which says whether it wants more.
    ///
    /// # Errors
    /// [`Stopped`] when nothing more will come of this body; bytes handed on before remain valid.
    pub fn feed(&mut self, bytes: &[u8], sink: &mut dyn FnMut(&[u8]) -> bool) -> Result<(), Stopped> {
        if let State::Undecided(held) = &mut self.state {
            let (first, second) = match (*held, bytes) {
                (None, [first]) => {
                    *held = Some(*first);
                    return Ok(());
                }
                (None, [first, second, ..]) => (*first, *second),
                (Some(first), [second, ..]) => (first, *second),
                (_, []) => return Ok(()),
            };
            let held = *held;
            self.state = State::Inflate(inflate_for(first, second));
            if let Some(held) = held {
                self.step(&[held], sink)?;
            }
        }
        self.step(bytes, sink)
    }

    fn step(&mut self, bytes: &[u8], sink: &mut dyn FnMut(&[u8]) -> bool) -> Result<(), Stopped> {
        let ended = match &mut self.state {
            State::Inflate(inflate) => {
                self.out.resize(STEP, 0);
                inflate_step(inflate, bytes, &mut self.out, sink)?
            }
            State::Brotli(brotli) => {
                self.out.resize(STEP, 0);
                brotli_step(brotli, bytes, &mut self.out, sink)?
            }
            State::Zstd(zstd) => {
                self.out.resize(STEP, 0);
                zstd.step(bytes, &mut self.out, sink)?
            }
            State::Undecided(_) | State::Ended => false,
        };
        if ended {
            self.state = State::Ended;
        }
        Ok(())
    }
}

/// gzip and deflate are often sent under each other's name, and deflate without its zlib header: the first
/// two bytes tell.
fn inflate_for(first: u8, second: u8) -> Decompress {
    if (first, second) == (0x1f, 0x8b) {
        return Decompress::new_gzip(15);
    }
    let zlib = first & 0x0f == 8 && first >> 4 <= 7 && (u16::from(first) << 8 | u16::from(second)) % 31 == 0;
    Decompress::new(zlib)
}

fn inflate_step(
    inflate: &mut Decompress,
    mut bytes: &[u8],
    out: &mut [u8],
    sink: &mut dyn FnMut(&[u8]) -> bool,
) -> Result<bool, Stopped> {
    loop {
        let (before_in, before_out) = (inflate.total_in(), inflate.total_out());
        let status = inflate.decompress(bytes, out, FlushDecompress::None);
        let read = (inflate.total_in() - before_in) as usize;
        let written = (inflate.total_out() - before_out) as usize;
        bytes = bytes.get(read..).unwrap_or_default();
        if written > 0 && !sink(out.get(..written).unwrap_or_default()) {
            return Err(Stopped::Limit);
        }
        match status {
            Ok(Status::StreamEnd) => return Ok(true),
            Err(_) => return Err(Stopped::Invalid),
            Ok(_) if read == 0 && written == 0 => return Ok(false),
            Ok(_) => {}
        }
    }
}

fn brotli_step(
    brotli: &mut Brotli,
    bytes: &[u8],
    out: &mut [u8],
    sink: &mut dyn FnMut(&[u8]) -> bool,
) -> Result<bool, Stopped> {
    let (mut left, mut at, mut total) = (bytes.len(), 0, 0);
    loop {
        let (mut room, mut written) = (out.len(), 0);
        let result = BrotliDecompressStream(
            &mut left,
            &mut at,
            bytes,
            &mut room,
            &mut written,
            out,
            &mut total,
            brotli,
        );
        if written > 0 && !sink(out.get(..written).unwrap_or_default()) {
            return Err(Stopped::Limit);
        }
        match result {
            BrotliResult::ResultSuccess => return Ok(true),
            BrotliResult::ResultFailure => return Err(Stopped::Invalid),
            // What fills the space exactly may have more behind it.
            BrotliResult::NeedsMoreInput if room > 0 => return Ok(false),
            BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => {}
        }
    }
}

impl ZstdState {
    fn step(
        &mut self,
        bytes: &[u8],
        out: &mut [u8],
        sink: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<bool, Stopped> {
        self.input.extend_from_slice(bytes);
        if !self.begun && !self.begin()? {
            return Ok(false);
        }
        loop {
            let (read, written) =
                self.decoder.decode_from_to(&self.input, out).map_err(|_| Stopped::Invalid)?;
            // The decoder claims the four bytes of a checksum even while they are not all there.
            if read > self.input.len() {
                return Ok(false);
            }
            self.input.drain(..read);
            if written > 0 && !sink(out.get(..written).unwrap_or_default()) {
                return Err(Stopped::Limit);
            }
            if self.decoder.is_finished() && self.decoder.can_collect() == 0 {
                return Ok(true);
            }
            if read == 0 && written == 0 {
                return if self.input.len() > ZSTD_PENDING { Err(Stopped::Invalid) } else { Ok(false) };
            }
        }
    }

    /// Reads the frame header, at most 18 bytes (RFC 8878 section 3.1.1), once it is all there.
    fn begin(&mut self) -> Result<bool, Stopped> {
        if window(&self.input).is_some_and(|size| size > ZSTD_WINDOW) {
            return Err(Stopped::Limit);
        }
        let mut rest = self.input.as_slice();
        match self.decoder.reset(&mut rest) {
            Ok(()) => {
                let used = self.input.len() - rest.len();
                self.input.drain(..used);
                self.begun = true;
                Ok(true)
            }
            Err(_) if self.input.len() < 18 => Ok(false),
            Err(_) => Err(Stopped::Invalid),
        }
    }
}

/// The window that a zstd frame asks for (RFC 8878 section 3.1.1.1.2), which bounds the decoder's memory;
/// `None` while the header is not all there.
fn window(frame: &[u8]) -> Option<u64> {
    let descriptor = *frame.get(4)?;
    if descriptor & 0x20 == 0 {
        let byte = *frame.get(5)?;
        let base = 1u64 << (10 + (byte >> 3));
        return Some(base + base / 8 * u64::from(byte & 7));
    }
    let dictionary = match descriptor & 3 {
        0 => 0,
        1 => 1,
        2 => 2,
        _ => 4,
    };
    let size = match descriptor >> 6 {
        0 => 1,
        1 => 2,
        2 => 4,
        _ => 8,
    };
    let field = frame.get(5 + dictionary..5 + dictionary + size)?;
    Some(field.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b)))
}
