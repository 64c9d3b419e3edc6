//! A bounded window on the bytes of a capture: packets are lent out of it, and it moves on by plain reads.
use crate::{MAX_RECORD, Reason, input::Input};
use std::io::{self, Read};

/// How much is read at first: enough for a file's header and some packets, small where many files are
/// open at once and wait for their turn.
const FIRST: usize = 16 << 10;
/// How much is read at once from then on. It fits the second-level cache, so that the decoder finds the
/// packet's bytes there.
const STEADY: usize = 256 << 10;

/// The bytes in `buffer[start..end]` have been read and not yet been consumed.
pub(crate) struct Window {
    input: Input,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Offset in the capture of `buffer[0]`.
    base: u64,
    /// Why nothing more can be read; none of it at the file's end.
    broken: Option<Reason>,
}

impl Window {
    pub(crate) fn new(input: Input) -> Self {
        Self { input, buffer: Vec::new(), start: 0, end: 0, base: 0, broken: None }
    }

    /// The unconsumed bytes that are at hand.
    #[inline]
    pub(crate) fn rest(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Moves on by `n` bytes of those at hand; what is passed stays readable by [`Window::slice`] until the
    /// next [`Window::fill`].
    #[inline]
    pub(crate) fn consume(&mut self, n: usize) {
        self.start = self.start.saturating_add(n).min(self.end);
    }

    /// Where [`Window::rest`] starts, for [`Window::slice`].
    #[inline]
    pub(crate) fn cursor(&self) -> usize {
        self.start
    }

    #[inline]
    pub(crate) fn slice(&self, at: usize, len: usize) -> &[u8] {
        self.buffer.get(at..).and_then(|from| from.get(..len)).unwrap_or_default()
    }

    /// Offset in the capture of the next byte.
    pub(crate) fn offset(&self) -> u64 {
        self.base + self.start as u64
    }

    pub(crate) fn input(&self) -> &Input {
        &self.input
    }

    /// Why no more than what is at hand can be had: the file's end inside a record that needs `needed`
    /// bytes, or what stopped the reading before.
    pub(crate) fn shortage(&self, needed: u64) -> Reason {
        let present = self.rest().len() as u64;
        self.broken.clone().unwrap_or(Reason::Truncated { needed, present })
    }

    /// At the file's end: nothing is at hand, and nothing has gone wrong.
    pub(crate) fn at_end(&self) -> bool {
        self.rest().is_empty() && self.broken.is_none()
    }

    /// Reads until `need` bytes are at hand; false when the file ends or breaks before. The window never
    /// grows beyond one record of [`MAX_RECORD`] bytes.
    #[cold]
    pub(crate) fn fill(&mut self, need: usize) -> bool {
        let need = need.min(MAX_RECORD);
        let size =
            if self.buffer.is_empty() { FIRST } else { STEADY }.max(need.next_multiple_of(STEADY / 16));
        self.base += self.start as u64;
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.buffer.len() < size {
            self.buffer.resize(size, 0);
        }
        while self.end < need {
            match self.buffer.get_mut(self.end..).map(|free| self.input.read(free)) {
                Some(Ok(0)) | None => return false,
                Some(Ok(n)) => self.end += n,
                Some(Err(e)) if e.kind() == io::ErrorKind::Interrupted => {}
                Some(Err(e)) => {
                    self.broken.get_or_insert_with(|| self.input.describe(&e));
                    return false;
                }
            }
        }
        true
    }

    /// Passes over `n` bytes, which may be more than fit into the window; false when the file ends before.
    pub(crate) fn skip(&mut self, mut n: u64) -> bool {
        loop {
            let here = self.rest().len() as u64;
            if n <= here {
                self.consume(n as usize);
                return true;
            }
            self.consume(here as usize);
            n -= here;
            if !self.fill(1) {
                return false;
            }
        }
    }

    /// Frees the memory: nothing more will be read.
    pub(crate) fn close(&mut self) {
        self.base += self.start as u64;
        (self.start, self.end) = (0, 0);
        self.buffer = Vec::new();
    }
}
