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

/// High bit set in each byte of the result whose byte in `word` needs care; above such a one, now and then in
/// another, too.
#[inline(always)]
fn hits<const N: usize, const UTF8: bool>(word: u64, marks: [u8; N]) -> u64 {
    let mut hit = word.wrapping_sub(ONES * 0x20) & !word;
    if !UTF8 {
        hit |= word | zero(word ^ (ONES * 0x7f));
    }
    for mark in marks {
        hit |= zero(word ^ (ONES * u64::from(mark)));
    }
    hit & HIGH
}

#[inline(always)]
fn dirty_word<const N: usize, const UTF8: bool>(bytes: [u8; 8], marks: [u8; N]) -> bool {
    hits::<N, UTF8>(u64::from_le_bytes(bytes), marks) != 0
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

/// Appends bytes from the wire as the inside of a JSON string; what is not UTF-8 becomes U+FFFD.
#[inline]
pub(crate) fn json_text(out: &mut Vec<u8>, bytes: &[u8]) {
    if plain(bytes, [b'"', b'\\']) {
        out.extend_from_slice(bytes);
    } else {
        json_odd_text(out, bytes);
    }
}

fn json_odd_text(out: &mut Vec<u8>, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        json_utf8(out, chunk.valid().as_bytes());
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

/// Appends `text`, which is UTF-8, as the inside of a JSON string, with no other escapes than those of RFC 8259.
///
/// Blocks without an escape are copied whole: the compiler makes vector code of them. Of the others each word is
/// taken by itself; prose and base64 have one escape a line, JSON has one or two in each word.
pub(crate) fn json_utf8(out: &mut Vec<u8>, text: &[u8]) {
    out.reserve(text.len() + text.len() / 8);
    let (blocks, rest) = text.as_chunks::<32>();
    for block in blocks {
        if has_escapes(block) {
            json_words(out, block);
        } else {
            out.extend_from_slice(block);
        }
    }
    json_words(out, rest);
}

/// Comparisons one by one and no `match`, of which the compiler would make no vector code.
#[inline(always)]
fn has_escapes(block: &[u8; 32]) -> bool {
    block.iter().fold(false, |found, byte| found | (*byte < 0x20) | (*byte == b'"') | (*byte == b'\\'))
}

fn json_words(out: &mut Vec<u8>, text: &[u8]) {
    let (words, tail) = text.as_chunks::<8>();
    for bytes in words {
        let word = u64::from_le_bytes(*bytes);
        let hits = hits::<2, true>(word, [b'"', b'\\']);
        if hits == 0 {
            out.extend_from_slice(bytes);
        } else if hits & hits.wrapping_sub(1) == 0 {
            json_one(out, word, hits.trailing_zeros() & !7);
        } else {
            bytes.as_chunks::<4>().0.iter().for_each(|four| json_four(out, *four));
        }
    }
    tail.iter().for_each(|byte| json_byte(out, *byte));
}

/// Eight bytes of which the one that begins at bit `at` is escaped.
#[inline(always)]
fn json_one(out: &mut Vec<u8>, word: u64, at: u32) {
    let (start, before) = (out.len(), at as usize / 8);
    out.extend_from_slice(&word.to_le_bytes());
    out.truncate(start + before);
    json_byte(out, (word >> at) as u8);
    let end = out.len() + 7 - before;
    out.extend_from_slice(&(word >> at >> 8).to_le_bytes());
    out.truncate(end);
}

/// Each byte as a JSON string has it: one character, or two from the low byte on; 0 where it takes six.
const ESCAPED: [u16; 256] = {
    let mut table = [0; 256];
    let mut rest = table.as_mut_slice();
    let mut byte: u8 = 0;
    while let [entry, tail @ ..] = rest {
        *entry = match byte {
            b'"' | b'\\' => short(byte),
            0x08 => short(b'b'),
            b'\t' => short(b't'),
            b'\n' => short(b'n'),
            0x0c => short(b'f'),
            b'\r' => short(b'r'),
            0..0x20 => 0,
            _ => byte as u16,
        };
        byte = byte.wrapping_add(1);
        rest = tail;
    }
    table
};

const fn short(letter: u8) -> u16 {
    u16::from_le_bytes([b'\\', letter])
}

#[inline(always)]
fn escaped(byte: u8) -> u16 {
    ESCAPED.get(usize::from(byte)).copied().unwrap_or(0)
}

/// Four bytes, put together in a register without a branch for each: it would be mispredicted too often.
#[inline(always)]
fn json_four(out: &mut Vec<u8>, four: [u8; 4]) {
    let (mut text, mut bits, mut long) = (0, 0, false);
    for byte in four {
        let piece = escaped(byte);
        long |= piece == 0;
        text |= u64::from(piece) << bits;
        bits += 8 + 8 * u32::from(piece > 0xff);
    }
    if long {
        four.iter().for_each(|byte| json_byte(out, *byte));
        return;
    }
    let end = out.len() + bits as usize / 8;
    out.extend_from_slice(&text.to_le_bytes());
    out.truncate(end);
}

#[inline]
fn json_byte(out: &mut Vec<u8>, byte: u8) {
    match escaped(byte).to_le_bytes() {
        [0, _] => {
            out.extend_from_slice(b"\\u00");
            hex_byte(out, byte);
        }
        [one, 0] => out.push(one),
        two => out.extend_from_slice(&two),
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

    #[test]
    fn every_byte_comes_back_from_json_wherever_it_stands() {
        for byte in 0..0x80u8 {
            for at in 0..67 {
                let mut text = "a".repeat(67).into_bytes();
                text[at] = byte;
                let mut out = vec![b'"'];
                json_utf8(&mut out, &text);
                out.push(b'"');
                assert_eq!(serde_json::from_slice::<String>(&out).unwrap().as_bytes(), text);
            }
        }
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
        fn text_comes_back_from_json(text in "(.|[\\x00-\\x20\"\\\\]){0,100}") {
            let mut out = vec![b'"'];
            json_utf8(&mut out, text.as_bytes());
            out.push(b'"');
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }

        #[test]
        fn bytes_come_back_from_json(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let mut out = vec![b'"'];
            json_text(&mut out, &bytes);
            out.push(b'"');
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), String::from_utf8_lossy(&bytes));
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
