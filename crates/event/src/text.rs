//! Bytes from the wire as text in a log line, escaped exactly as Zeek's ASCII and JSON writers do.
//!
//! Most values are plain ASCII, so each writer first looks for a byte that needs care, eight at a time, and
//! copies the value whole when there is none.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;
const HEX: &[u8; 16] = b"0123456789abcdef";

/// High bit set in at least one byte of the result when a byte of `word` is zero.
#[inline(always)]
const fn zero(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word
}

#[inline(always)]
fn dirty_word<const N: usize, const UTF8: bool>(bytes: [u8; 8], marks: [u8; N]) -> bool {
    let word = u64::from_ne_bytes(bytes);
    let mut hit = word.wrapping_sub(ONES * 0x20) & !word;
    if !UTF8 {
        hit |= word | zero(word ^ (ONES * 0x7f));
    }
    for mark in marks {
        hit |= zero(word ^ (ONES * u64::from(mark)));
    }
    hit & HIGH != 0
}

#[inline(always)]
fn dirty_byte<const N: usize, const UTF8: bool>(byte: u8, marks: [u8; N]) -> bool {
    byte < 0x20 || (!UTF8 && byte >= 0x7f) || marks.contains(&byte)
}

/// Whether `bytes` are printable ASCII without any of `marks`.
#[inline(always)]
fn plain<const N: usize>(bytes: &[u8], marks: [u8; N]) -> bool {
    clean::<N, false>(bytes, marks)
}

/// Whether `bytes` hold no control character and none of `marks`; with `UTF8` bytes from 0x7f on are let
/// through, and now and then a text is refused without need.
#[inline(always)]
fn clean<const N: usize, const UTF8: bool>(bytes: &[u8], marks: [u8; N]) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut dirty = false;
    for word in words {
        dirty |= dirty_word::<N, UTF8>(*word, marks);
    }
    if let Some(last) = bytes.last_chunk::<8>() {
        // The last eight bytes overlap what was read: cheaper than going byte by byte.
        return !(dirty | dirty_word::<N, UTF8>(*last, marks));
    }
    for byte in rest {
        dirty |= dirty_byte::<N, UTF8>(*byte, marks);
    }
    !dirty
}

/// Whether Zeek writes the value as UTF-8 rather than escaping all its non-ASCII bytes: it has to be valid,
/// without control characters (`\b \f \n \r \t` are let through for JSON), private use and special code
/// points. One bad character condemns the whole value.
fn good_utf8(bytes: &[u8], keep_printable_controls: bool) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    text.chars().all(|c| match c {
        '\u{8}' | '\t' | '\n' | '\u{c}' | '\r' => keep_printable_controls,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..='\u{ffff}' => false,
        _ => true,
    })
}

/// Appends the two lower-case hexadecimal digits of `byte`.
#[inline]
pub(crate) fn hex_byte(out: &mut Vec<u8>, byte: u8) {
    for nibble in [byte >> 4, byte & 15] {
        out.extend(HEX.get(usize::from(nibble)));
    }
}

/// Appends `bytes` as the inside of a JSON string.
#[inline]
pub(crate) fn json(out: &mut Vec<u8>, bytes: &[u8]) {
    if plain(bytes, [b'"', b'\\']) {
        out.extend_from_slice(bytes);
    } else {
        json_escaped(out, bytes);
    }
}

#[cold]
fn json_escaped(out: &mut Vec<u8>, bytes: &[u8]) {
    let utf8 = good_utf8(bytes, true);
    for &byte in bytes {
        let short = match byte {
            b'"' | b'\\' => byte,
            0x08 => b'b',
            0x0c => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x20..0x7f => {
                out.push(byte);
                continue;
            }
            _ if utf8 => {
                out.push(byte);
                continue;
            }
            _ => {
                out.extend_from_slice(b"\\\\x");
                hex_byte(out, byte);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', short]);
    }
}

/// Appends `value` as the inside of a JSON string, with no other escapes than those of RFC 8259.
#[inline]
pub(crate) fn json_utf8(out: &mut Vec<u8>, value: &str) {
    let bytes = value.as_bytes();
    if bytes.len() <= 64 && clean::<2, true>(bytes, [b'"', b'\\']) {
        out.extend_from_slice(bytes);
    } else {
        json_utf8_long(out, bytes);
    }
}

/// A long text, or one with something to escape. Runs without such bytes are copied whole; they are looked for
/// in blocks that the compiler turns into vector code. Bodies are mostly such runs.
fn json_utf8_long(out: &mut Vec<u8>, bytes: &[u8]) {
    const BLOCK: usize = 32;
    out.reserve(bytes.len() + bytes.len() / 8);
    let mut rest = bytes;
    while !rest.is_empty() {
        let (blocks, _) = rest.as_chunks::<BLOCK>();
        let clean = blocks.iter().take_while(|block| !has_escapes(block)).count() * BLOCK;
        let (run, behind) = rest.split_at_checked(clean).unwrap_or((rest, &[]));
        out.extend_from_slice(run);
        let (block, next) = behind.split_at_checked(BLOCK).unwrap_or((behind, &[]));
        let (words, tail) = block.as_chunks::<8>();
        for word in words {
            if dirty_word::<2, true>(*word, [b'"', b'\\']) {
                word.iter().for_each(|byte| json_byte(out, *byte));
            } else {
                out.extend_from_slice(word);
            }
        }
        tail.iter().for_each(|byte| json_byte(out, *byte));
        rest = next;
    }
}

#[inline]
fn has_escapes(block: &[u8; 32]) -> bool {
    block.iter().fold(false, |found, byte| found | (*byte < 0x20) | (*byte == b'"') | (*byte == b'\\'))
}

#[inline]
fn json_byte(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        0..0x20 => {
            out.extend_from_slice(b"\\u00");
            hex_byte(out, byte);
        }
        _ => out.push(byte),
    }
}

/// Appends `bytes` as a value of a tab-separated line. A value that reads like the mark of an unset or empty
/// field is told apart by escaping its first byte.
#[inline]
pub(crate) fn tsv(out: &mut Vec<u8>, bytes: &[u8]) {
    if plain(bytes, [b'\\']) && !reserved(bytes) {
        out.extend_from_slice(bytes);
    } else {
        tsv_escaped(out, bytes, b'\t');
    }
}

/// Appends `bytes` as an element of a set or vector of a tab-separated line.
#[inline]
pub(crate) fn tsv_element(out: &mut Vec<u8>, bytes: &[u8]) {
    if plain(bytes, [b'\\', b',']) && !reserved(bytes) {
        out.extend_from_slice(bytes);
    } else {
        tsv_escaped(out, bytes, b',');
    }
}

#[inline]
fn reserved(bytes: &[u8]) -> bool {
    matches!(bytes, b"" | b"-" | b"(empty)")
}

#[cold]
fn tsv_escaped(out: &mut Vec<u8>, bytes: &[u8], separator: u8) {
    if bytes.is_empty() {
        out.extend_from_slice(b"(empty)");
        return;
    }
    if let (true, [first, rest @ ..]) = (reserved(bytes), bytes) {
        out.extend_from_slice(b"\\x");
        hex_byte(out, *first);
        out.extend_from_slice(rest);
        return;
    }
    // Zeek judges the pieces between separators and backslashes one by one.
    let special = |b: &u8| matches!(*b, b'\\' | b'\t') || *b == separator;
    for piece in bytes.split_inclusive(special) {
        let (text, mark) = match piece.split_last() {
            Some((last, text)) if special(last) => (text, Some(*last)),
            _ => (piece, None),
        };
        let utf8 = good_utf8(text, false);
        for &byte in text {
            if (0x20..0x7f).contains(&byte) || (utf8 && byte >= 0x80) {
                out.push(byte);
            } else {
                out.extend_from_slice(b"\\x");
                hex_byte(out, byte);
            }
        }
        match mark {
            Some(b'\\') => out.extend_from_slice(b"\\\\"),
            Some(byte) => {
                out.extend_from_slice(b"\\x");
                hex_byte(out, byte);
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(input: &[u8], want_json: &str, want_tsv: &str) {
        let (mut j, mut t) = (Vec::new(), Vec::new());
        json(&mut j, input);
        tsv(&mut t, input);
        assert_eq!(String::from_utf8_lossy(&j), want_json, "JSON of {input:x?}");
        assert_eq!(String::from_utf8_lossy(&t), want_tsv, "TSV of {input:x?}");
    }

    #[test]
    fn escapes_as_zeek_does() {
        check(b"", "", "(empty)");
        check(b"-", "-", "\\x2d");
        check(b"(empty)", "(empty)", "\\x28empty)");
        check(b"a-b, c", "a-b, c", "a-b, c");
        check(b"say \"hi\" \\ there", "say \\\"hi\\\" \\\\ there", "say \"hi\" \\\\ there");
        check(b"a\tb\nc\rd", "a\\tb\\nc\\rd", "a\\x09b\\x0ac\\x0dd");
        check(b"bell\x07", "bell\\\\x07", "bell\\x07");
        check(b"del\x7f", "del\\\\x7f", "del\\x7f");
        check("caf\u{e9}".as_bytes(), "caf\u{e9}", "caf\u{e9}");
        check(b"caf\xe9", "caf\\\\xe9", "caf\\xe9");
        // One bad byte condemns the good characters of the value, too.
        check(b"\xc3\xb1\xc0\x81", "\\\\xc3\\\\xb1\\\\xc0\\\\x81", "\\xc3\\xb1\\xc0\\x81");
        check(b"\x07\xd4\xb7o", "\\\\x07\\\\xd4\\\\xb7o", "\\x07\\xd4\\xb7o");
        // In a tab-separated value only those of the same piece.
        check(b"\xc3\xb1\t\xff", "\\\\xc3\\\\xb1\\t\\\\xff", "\u{f1}\\x09\\xff");
        check("\u{e2e0}".as_bytes(), "\\\\xee\\\\x8b\\\\xa0", "\\xee\\x8b\\xa0");
        check("\u{85}".as_bytes(), "\\\\xc2\\\\x85", "\\xc2\\x85");
        check("\u{1f600} ok".as_bytes(), "\u{1f600} ok", "\u{1f600} ok");
    }

    #[test]
    fn elements_escape_the_set_separator() {
        let mut out = Vec::new();
        tsv_element(&mut out, b"a,b");
        assert_eq!(out, b"a\\x2cb");
    }

    proptest! {
        #[test]
        fn the_quick_look_agrees_with_a_slow_one(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let slow = !bytes.iter().any(|b| !(0x20..0x7f).contains(b) || matches!(b, b'"' | b'\\'));
            prop_assert_eq!(plain(&bytes, [b'"', b'\\']), slow);
        }

        #[test]
        fn ascii_with_one_odd_byte(at in 0usize..33, odd in any::<u8>()) {
            let mut bytes = vec![b'a'; 33];
            bytes[at] = odd;
            let slow = (0x20..0x7f).contains(&odd) && odd != b'"' && odd != b'\\';
            prop_assert_eq!(plain(&bytes, [b'"', b'\\']), slow);
        }

        #[test]
        fn json_always_parses(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut out = vec![b'"'];
            json(&mut out, &bytes);
            out.push(b'"');
            prop_assert!(serde_json::from_slice::<String>(&out).is_ok());
        }

        #[test]
        fn text_comes_back_from_json(text in any::<String>()) {
            let mut out = vec![b'"'];
            json_utf8(&mut out, &text);
            out.push(b'"');
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }

        #[test]
        fn tsv_never_holds_a_separator(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut out = Vec::new();
            tsv_element(&mut out, &bytes);
            prop_assert!(!out.is_empty());
            prop_assert!(!out.iter().any(|b| matches!(b, b'\t' | b'\n' | b',')));
        }
    }
}
