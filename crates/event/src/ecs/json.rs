//! Pieces of JSON, appended to a buffer.
use crate::{number, text};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use harken_wire::Timestamp;

/// A JSON text that grows. Whoever writes to it says where its braces and quotes stand: what is constant is
/// then copied in one piece.
pub(super) struct Json<'o>(pub(super) &'o mut Vec<u8>);

impl Json<'_> {
    /// Appends JSON as it is.
    #[inline(always)]
    pub(super) fn raw(&mut self, json: &[u8]) -> &mut Self {
        self.0.extend_from_slice(json);
        self
    }

    /// Appends bytes from the wire as the inside of a string. What is not UTF-8 becomes U+FFFD.
    #[inline]
    pub(super) fn text(&mut self, bytes: &[u8]) -> &mut Self {
        text::json_text(self.0, bytes);
        self
    }

    /// Appends a number.
    #[inline]
    pub(super) fn number(&mut self, value: impl Into<u64>) -> &mut Self {
        number::decimal(self.0, value.into());
        self
    }

    /// Appends the lower-case hexadecimal digits of `bytes`.
    pub(super) fn hex(&mut self, bytes: &[u8]) -> &mut Self {
        bytes.iter().for_each(|byte| text::hex_byte(self.0, *byte));
        self
    }

    /// Appends a point in time as the inside of a string.
    #[inline]
    pub(super) fn time(&mut self, ts: Timestamp) -> &mut Self {
        self.raw(&number::rfc3339(ts))
    }

    /// Appends the nanoseconds from one point in time to another; negative when that one was earlier.
    #[inline]
    pub(super) fn offset(&mut self, from: Timestamp, to: Timestamp) -> &mut Self {
        if to < from {
            self.raw(b"-");
        }
        self.number(to.0.abs_diff(from.0))
    }

    /// Appends the bytes of a body as the inside of a string: as text when they are UTF-8, else as base64.
    /// The last character may be `cut` off in the middle, and is left out then. Tells whether it is base64.
    pub(super) fn content(&mut self, bytes: &[u8], cut: bool) -> bool {
        let text = if bytes.is_ascii() {
            bytes
        } else {
            match std::str::from_utf8(bytes) {
                Ok(_) => bytes,
                Err(e) if cut && e.error_len().is_none() => bytes.get(..e.valid_up_to()).unwrap_or_default(),
                Err(_) => {
                    self.base64(bytes);
                    return true;
                }
            }
        };
        text::json_utf8(self.0, text);
        false
    }

    fn base64(&mut self, bytes: &[u8]) {
        let start = self.0.len();
        let len = base64::encoded_len(bytes.len(), true).unwrap_or(0);
        self.0.resize(start.saturating_add(len), b'=');
        // The room is exactly that of the result.
        let _ = STANDARD.encode_slice(bytes, self.0.get_mut(start..).unwrap_or_default());
    }

    /// Ends a list or an object each of whose members has a comma behind it: the last of these becomes `end`.
    #[inline]
    pub(super) fn close(&mut self, end: u8) -> &mut Self {
        match self.0.last_mut() {
            Some(last) if *last == b',' => *last = end,
            _ => self.0.push(end),
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(write: impl FnOnce(&mut Json<'_>), want: &str) {
        let mut out = Vec::new();
        write(&mut Json(&mut out));
        assert_eq!(String::from_utf8_lossy(&out), want);
    }

    #[test]
    fn contents() {
        for (bytes, cut, want, base64) in [
            (b"caf\xc3\xa9".as_slice(), false, "caf\u{e9}", false),
            (b"caf\xc3", true, "caf", false),
            (b"caf\xc3", false, "Y2Fmww==", true),
            (b"\xff\xfe", true, "//4=", true),
            (b"\xff\xfe\xfd", true, "//79", true),
            (b"", false, "", false),
        ] {
            check(|json| assert_eq!(json.content(bytes, cut), base64), want);
        }
    }

    #[test]
    fn pieces() {
        check(|json| _ = json.text(b"a\"\xff\x01"), "a\\\"\u{fffd}\\u0001");
        check(|json| _ = json.time(Timestamp(0)), "1970-01-01T00:00:00.000000000Z");
        check(|json| _ = json.offset(Timestamp(7), Timestamp(9)), "2");
        check(|json| _ = json.offset(Timestamp(9), Timestamp(7)), "-2");
        check(|json| _ = json.hex(&[0, 0xab]), "00ab");
        check(|json| _ = json.raw(b"[1,2,").close(b']'), "[1,2]");
        check(|json| _ = json.raw(b"{").close(b'}'), "{}");
    }
}
