//! Content codings, RFC 9110 section 8.4.1, decoded as the bytes arrive, in bounded memory.
use super::brotli::Brotli;
use super::zstd::Zstd;
use crate::message::Coding;
use flate2::{Decompress, FlushDecompress, Status};

/// Takes decoded bytes, and says whether it wants more.
pub(super) type Sink<'s> = &'s mut dyn FnMut(&[u8]) -> bool;

/// Why decoding stopped for good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stopped {
    /// The bytes are not what the coding says.
    Invalid,
    /// A limit: the consumer wants no more, or the coding needs more memory than one body gets.
    Limit,
}

/// Decoder of one body.
///
/// It holds at most 2 MiB, those of gzip and deflate 64 KiB. A brotli or zstd stream that asks for a window
/// above 1 MiB gets one of 1 MiB, which is as good for the first MiB of what comes out; there decoding stops.
pub struct Decoder {
    state: State,
    out: Vec<u8>,
}

enum State {
    /// gzip or deflate before its first two bytes: they tell which of the three forms it is.
    Undecided(Option<u8>),
    Inflate(Box<Decompress>),
    Brotli(Box<Brotli>),
    Zstd(Box<Zstd>),
    /// The coded stream has ended; what follows is ignored, as by Zeek.
    Complete,
    /// Decoding has stopped before the end.
    Stopped(Stopped),
}

/// Bytes of decoded output handed on at a time.
pub(super) const STEP: usize = 8 * 1024;
/// The largest window of brotli and zstd, as a power of two.
pub(super) const WINDOW_BITS: u8 = 20;
/// The same in bytes.
pub(super) const WINDOW: usize = 1 << WINDOW_BITS;

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
            Coding::Brotli => State::Brotli(Box::new(Brotli::new())),
            Coding::Zstd => State::Zstd(Box::new(Zstd::new())),
            Coding::Identity | Coding::Other => return None,
        };
        Some(Self { state, out: Vec::new() })
    }

    /// Whether nothing more will come: the coded stream has ended, or decoding has stopped. The decoder holds
    /// no buffers then.
    pub const fn is_done(&self) -> bool {
        matches!(self.state, State::Complete | State::Stopped(_))
    }

    /// Whether the coded stream was read up to its end.
    pub const fn is_complete(&self) -> bool {
        matches!(self.state, State::Complete)
    }

    /// Bytes of memory that the decoder holds, as far as it depends on the body.
    pub fn held(&self) -> usize {
        // What zlib's algorithm needs: a window of 32 KiB and three tables.
        const INFLATE: usize = 48 << 10;
        let state = match &self.state {
            State::Inflate(_) => INFLATE,
            State::Brotli(brotli) => brotli.held(),
            State::Zstd(zstd) => zstd.held(),
            State::Undecided(_) | State::Complete | State::Stopped(_) => 0,
        };
        state + self.out.capacity()
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
            self.state = State::Inflate(Box::new(inflate_for(first, second)));
            if let Some(held) = held {
                self.step(&[held], sink)?;
            }
        }
        self.step(bytes, sink)
    }

    fn step(&mut self, bytes: &[u8], sink: Sink<'_>) -> Result<(), Stopped> {
        if self.is_done() {
            return if let State::Stopped(why) = self.state { Err(why) } else { Ok(()) };
        }
        self.out.resize(STEP, 0);
        let ended = match &mut self.state {
            State::Inflate(inflate) => inflate_step(inflate, &mut { bytes }, &mut self.out, sink),
            State::Brotli(brotli) => brotli.step(bytes, &mut self.out, sink),
            State::Zstd(zstd) => zstd.step(bytes, sink),
            State::Undecided(_) | State::Complete | State::Stopped(_) => Ok(false),
        };
        let outcome = match ended {
            Ok(false) => return Ok(()),
            Ok(true) => {
                self.state = State::Complete;
                Ok(())
            }
            Err(why) => {
                self.state = State::Stopped(why);
                Err(why)
            }
        };
        self.out = Vec::new();
        outcome
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

/// Inflates `bytes`, of which it leaves what is behind the end of the coded stream, and hands on what comes out by way of `out`.
/// Whether the stream has ended.
pub(crate) fn inflate_step(
    inflate: &mut Decompress,
    bytes: &mut &[u8],
    out: &mut [u8],
    sink: Sink<'_>,
) -> Result<bool, Stopped> {
    loop {
        let (before_in, before_out) = (inflate.total_in(), inflate.total_out());
        let status = inflate.decompress(bytes, out, FlushDecompress::None);
        let read = (inflate.total_in() - before_in) as usize;
        let written = (inflate.total_out() - before_out) as usize;
        *bytes = bytes.get(read..).unwrap_or_default();
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
