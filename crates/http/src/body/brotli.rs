//! Brotli, RFC 7932, in bounded memory.
use super::decode::{Sink, Stopped, WINDOW, WINDOW_BITS};
use brotli_decompressor::{
    Allocator, BrotliDecompressStream, BrotliResult, BrotliState, SliceWrapper as _, StandardAlloc,
};

/// Bytes that one decoder may hold between two steps: window and prefix codes. Codes of honest bodies take
/// far less than the second half.
const HELD: usize = 2 * WINDOW;

/// What a window of `1 << n` bytes leaves for references, RFC 7932 section 9.1: 16 bytes less.
const REACH: usize = WINDOW - 16;

/// A decoder of one stream.
pub(super) struct Brotli {
    state: BrotliState<Counted, Counted, Counted>,
    begun: bool,
    /// The stream asks for a larger window than there is.
    narrowed: bool,
    written: usize,
}

/// Allocates from the heap and counts what is held.
#[derive(Default)]
struct Counted {
    held: usize,
}

impl<T: Clone + Default> Allocator<T> for Counted {
    type AllocatedMemory = <StandardAlloc as Allocator<T>>::AllocatedMemory;

    fn alloc_cell(&mut self, len: usize) -> Self::AllocatedMemory {
        self.held = self.held.saturating_add(len.saturating_mul(size_of::<T>()));
        StandardAlloc::default().alloc_cell(len)
    }

    fn free_cell(&mut self, cell: Self::AllocatedMemory) {
        self.held = self.held.saturating_sub(cell.slice().len().saturating_mul(size_of::<T>()));
    }
}

impl Brotli {
    pub(super) fn new() -> Self {
        // Strict: the large-window extension is not allowed on the web.
        let state = BrotliState::new_strict(Counted::default(), Counted::default(), Counted::default());
        Self { state, begun: false, narrowed: false, written: 0 }
    }

    /// Bytes that the decoder holds beside its fixed state.
    pub(super) const fn held(&self) -> usize {
        self.state.alloc_u8.held + self.state.alloc_u32.held + self.state.alloc_hc.held
    }

    /// Decodes the next bytes; whether the stream has ended.
    pub(super) fn step(&mut self, bytes: &[u8], out: &mut [u8], sink: Sink<'_>) -> Result<bool, Stopped> {
        match bytes.split_first() {
            Some((first, rest)) if !self.begun => {
                self.begun = true;
                let first = self.narrow(*first);
                Ok(self.decode(&[first], out, sink)? || self.decode(rest, out, sink)?)
            }
            _ => self.decode(bytes, out, sink),
        }
    }

    /// Lowers the window that the first byte asks for to [`WINDOW`], RFC 7932 section 9.1: the larger sizes
    /// are `1 << 17 + n`, with `n` in bits 1 to 3. Nothing is read differently before the output has become
    /// longer than the smaller window.
    const fn narrow(&mut self, first: u8) -> u8 {
        const LARGEST: u8 = (WINDOW_BITS - 17) << 1;
        self.narrowed = first & 1 == 1 && first & 0b1110 > LARGEST;
        if self.narrowed { first & !0b1110 | LARGEST } else { first }
    }

    fn decode(&mut self, bytes: &[u8], out: &mut [u8], sink: Sink<'_>) -> Result<bool, Stopped> {
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
                &mut self.state,
            );
            let allowed = if self.narrowed { REACH.saturating_sub(self.written) } else { written };
            let good = out.get(..written.min(allowed)).unwrap_or_default();
            self.written = self.written.saturating_add(written);
            if !good.is_empty() && !sink(good) || written > allowed || self.held() > HELD {
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
}
