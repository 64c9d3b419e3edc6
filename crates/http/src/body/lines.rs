//! The lines of server-sent events (HTML Living Standard, section 9.2.6).
use memchr::memchr2;

/// The field without which an event is none: what has no data is not dispatched.
const DATA: &[u8] = b"data";

/// Where the reader of an event stream stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lines {
    /// How many bytes of the line were looked at, at most the name and what ends it.
    column: u8,
    /// The line may still be one of data, as far as it was looked at.
    may_be_data: bool,
    /// The event has a line of data.
    has_data: bool,
    /// The last byte was CR: an LF behind it ends no other line.
    is_behind_cr: bool,
    /// Bytes of the event so far.
    bytes: u64,
    /// Bytes are missing: what comes is passed over, up to the next empty line.
    is_lost: bool,
}

impl Lines {
    /// At the start of a stream.
    pub(super) const fn new() -> Self {
        Self { column: 0, may_be_data: true, has_data: false, is_behind_cr: false, bytes: 0, is_lost: false }
    }

    /// Bytes are missing.
    pub(super) const fn gap(&mut self) {
        *self = Self { is_lost: true, column: 1, may_be_data: false, ..Self::new() };
    }

    /// Takes the next bytes; says how many events end in them, and how many bytes the largest of these has.
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> (u64, u64) {
        let (mut events, mut largest) = (0, 0);
        while let Some((first, behind)) = bytes.split_first() {
            if std::mem::take(&mut self.is_behind_cr) && *first == b'\n' {
                bytes = behind;
                continue;
            }
            let end = memchr2(b'\r', b'\n', bytes);
            let line = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
            self.look(line);
            self.bytes += line.len() as u64;
            let Some(end) = end else { break };
            self.bytes += 1;
            self.is_behind_cr = bytes.get(end) == Some(&b'\r');
            bytes = bytes.get(end + 1..).unwrap_or_default();
            if let Some(bytes) = self.line() {
                events += 1;
                largest = bytes.max(largest);
            }
        }
        (events, largest)
    }

    /// Looks at a piece of a line: whether it is one of data.
    fn look(&mut self, piece: &[u8]) {
        for byte in piece.iter().take(DATA.len() + 1 - usize::from(self.column).min(DATA.len() + 1)) {
            self.may_be_data &= match DATA.get(usize::from(self.column)) {
                Some(want) => byte == want,
                None => *byte == b':',
            };
            self.column += 1;
        }
    }

    /// The line is over; the bytes of the event, when that is over with it.
    fn line(&mut self) -> Option<u64> {
        let is_empty = self.column == 0;
        let is_data = self.may_be_data && usize::from(self.column) >= DATA.len();
        (self.column, self.may_be_data) = (0, true);
        self.has_data |= is_data && !self.is_lost;
        if !is_empty {
            return None;
        }
        self.is_lost = false;
        let bytes = std::mem::take(&mut self.bytes);
        std::mem::take(&mut self.has_data).then_some(bytes)
    }
}
