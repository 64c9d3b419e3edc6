//! Frames, RFC 9113 sections 4 and 6: their headers, and what cannot be one.

/// Bytes of a frame's header.
pub(super) const HEADER: usize = 9;
/// The largest frame that is believed where frames are looked for: what every endpoint takes (section 4.2).
const USUAL: u32 = 16_384;

/// Types of frames that are read.
pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const PRIORITY: u8 = 2;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PUSH_PROMISE: u8 = 5;
pub(super) const PING: u8 = 6;
const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;
/// RFC 9218 section 7.1.
const PRIORITY_UPDATE: u8 = 16;

/// Flags.
pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;
pub(super) const PADDED: u8 = 8;
pub(super) const PRIORITY_FLAG: u8 = 32;

/// The header of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Head {
    /// Bytes behind the header.
    pub(super) length: u32,
    pub(super) kind: u8,
    pub(super) flags: u8,
    /// 0 is the connection itself.
    pub(super) stream: u32,
}

impl Head {
    pub(super) fn parse(bytes: &[u8; HEADER]) -> Self {
        let [a, b, c, kind, flags, s, t, u, v] = *bytes;
        Self {
            length: u32::from_be_bytes([0, a, b, c]),
            kind,
            flags,
            stream: u32::from_be_bytes([s & 0x7f, t, u, v]),
        }
    }

    pub(super) const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Whether a sender that keeps to the rules, and to the usual size, sends such a frame: for telling frames from
    /// other bytes.
    fn is_sound(&self) -> bool {
        let on_stream = self.stream != 0;
        let (length, flags) = (self.length, self.flags);
        match self.kind {
            DATA => on_stream && length <= USUAL && flags & !(END_STREAM | PADDED) == 0,
            HEADERS => {
                let known = END_STREAM | END_HEADERS | PADDED | PRIORITY_FLAG;
                on_stream && (1..=USUAL).contains(&length) && flags & !known == 0
            }
            PRIORITY => on_stream && length == 5 && flags == 0,
            RST_STREAM => on_stream && length == 4 && flags == 0,
            SETTINGS => {
                !on_stream
                    && length.is_multiple_of(6)
                    && length <= 600
                    && flags <= 1
                    && (flags == 0 || length == 0)
            }
            PUSH_PROMISE => {
                on_stream && (4..=USUAL).contains(&length) && flags & !(END_HEADERS | PADDED) == 0
            }
            PING => !on_stream && length == 8 && flags <= 1,
            GOAWAY => !on_stream && (8..=USUAL).contains(&length) && flags == 0,
            WINDOW_UPDATE => length == 4 && flags == 0,
            CONTINUATION => on_stream && (1..=USUAL).contains(&length) && flags & !END_HEADERS == 0,
            PRIORITY_UPDATE => !on_stream && (4..=USUAL).contains(&length) && flags == 0,
            _ => false,
        }
    }
}

/// What stands behind the frame that `bytes` begin with, if that is a sound one and whole.
fn behind_sound(bytes: &[u8]) -> Option<&[u8]> {
    let (head, tail) = bytes.split_first_chunk()?;
    let head = Head::parse(head);
    if head.is_sound() { tail.get(head.length as usize..) } else { None }
}

/// Whether `bytes` begin with a run of frames that is beyond doubt: three of them, or two of which the last ends where the
/// bytes do.
pub(crate) fn is_run(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    for count in 0.. {
        if count == 3 || count == 2 && rest.is_empty() {
            return true;
        }
        let Some(next) = behind_sound(rest) else { return false };
        rest = next;
    }
    false
}

/// Whether `bytes` may be the first that a server sends: a SETTINGS frame, and little else before the client is heard.
pub(crate) fn is_settings(bytes: &[u8]) -> bool {
    matches!(bytes, [0, 0 | 1, _, SETTINGS, 0, 0, 0, 0, 0, ..]) && bytes.len() < 4096
}

/// Whether `bytes`, a segment, are one whole frame. That other bytes look like it is less likely than 1 to 2^30, as for a run;
/// servers that send each frame by itself are not understood otherwise.
fn is_whole(bytes: &[u8]) -> bool {
    behind_sound(bytes).is_some_and(<[u8]>::is_empty)
}

/// Where in `bytes`, a segment, frames begin, if any do: to go on behind a gap.
pub(super) fn find_run(bytes: &[u8]) -> Option<usize> {
    if is_whole(bytes) {
        return Some(0);
    }
    // Frames of the usual size begin with a zero.
    memchr::memchr_iter(0, bytes).find(|at| is_run(bytes.get(*at..).unwrap_or_default()))
}
