//! JSON, walked once and without recursion, cut off and invalid as it may be.

use crate::kind::Kind;
use crate::masker::{Core, Edits, Masker, Place};
use crate::method::Method;
use crate::report::{Location, Report};
use memchr::memchr2;

/// Deeper levels are walked, and have the path of the one at this depth.
const DEPTH: usize = 64;
/// The longest path.
const PATH: usize = 512;

/// Where the string that begins behind `from` ends (its closing quote, or the end), and whether it has escapes.
fn string(text: &[u8], from: usize) -> (usize, bool) {
    let (mut at, mut escapes) = (from, false);
    while let Some(step) = text.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += step;
        if text.get(at) == Some(&b'"') {
            return (at, escapes);
        }
        escapes = true;
        at += 2;
    }
    (text.len(), escapes)
}

/// Appends the text of a string without its escapes. A lone surrogate becomes U+FFFD.
fn unescape(text: &[u8], out: &mut Vec<u8>) {
    let unit = |text: &[u8]| -> Option<u32> {
        text.get(..4)?.iter().try_fold(0, |sum, byte| Some(sum << 4 | char::from(*byte).to_digit(16)?))
    };
    let mut rest = text;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'\\' {
            out.push(*first);
            continue;
        }
        let Some((escape, tail)) = rest.split_first() else { return };
        rest = tail;
        match escape {
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'u' => {
                let Some(mut code) = unit(rest) else { continue };
                rest = rest.get(4..).unwrap_or_default();
                if (0xD800..0xDC00).contains(&code)
                    && rest.starts_with(b"\\u")
                    && let Some(low @ 0xDC00..0xE000) = rest.get(2..).and_then(unit)
                {
                    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
                    rest = rest.get(6..).unwrap_or_default();
                }
                let letter = char::from_u32(code).unwrap_or('\u{FFFD}');
                out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
            }
            other => out.push(*other),
        }
    }
}

/// Appends a text as it stands within quotes.
fn escape(text: &[u8], out: &mut Vec<u8>) {
    for byte in text {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', *byte]),
            0..=31 => {
                let hex = b"0123456789abcdef".get(usize::from(byte & 15)).copied().unwrap_or(b'0');
                out.extend([b'\\', b'u', b'0', b'0', b'0' + (byte >> 4), hex]);
            }
            other => out.push(*other),
        }
    }
}

struct Walk<'a> {
    core: &'a mut Core,
    plain: &'a mut Vec<u8>,
    masked: &'a mut Vec<u8>,
    path: &'a mut Vec<u8>,
    /// Where the last name of the path begins.
    name: usize,
    /// The open objects and arrays: the length of the path that leads to each.
    levels: &'a mut Vec<usize>,
    /// Levels beyond [`DEPTH`].
    deeper: u64,
    /// The rule of an object or array whose name asks for it, and the depth at which it stands.
    forced: Option<(usize, (Kind, Method))>,
}

impl Walk<'_> {
    fn here(&self) -> usize {
        self.levels.last().copied().unwrap_or(1)
    }

    fn open(&mut self, array: bool) {
        if self.levels.len() >= DEPTH {
            self.deeper += 1;
            return;
        }
        if self.forced.is_none() {
            self.forced = self.rule().map(|rule| (self.levels.len(), rule));
        }
        if array && self.path.len() < PATH {
            self.path.extend_from_slice(b"[]");
        }
        self.levels.push(self.path.len());
    }

    fn close(&mut self) {
        if self.deeper > 0 {
            self.deeper -= 1;
            return;
        }
        self.levels.pop();
        if self.forced.is_some_and(|(depth, _)| depth >= self.levels.len()) {
            self.forced = None;
        }
        self.next();
    }

    /// Forgets the name of the value that has ended.
    fn next(&mut self) {
        let here = self.here();
        self.path.truncate(here);
    }

    /// Takes a name.
    fn key(&mut self) {
        self.next();
        let room = PATH.saturating_sub(self.path.len());
        self.path.push(b'.');
        self.name = self.path.len();
        self.path.extend_from_slice(self.plain.get(..room.min(self.plain.len())).unwrap_or_default());
    }

    fn rule(&self) -> Option<(Kind, Method)> {
        let name = self.path.get(self.name..).unwrap_or_default();
        self.core.rule(Location::Json, self.path).or_else(|| {
            let name =
                name.iter().position(|byte| *byte == b'[').map_or(name, |at| name.get(..at).unwrap_or(name));
            self.core.rule(Location::Json, name)
        })
    }

    /// Masks the text in `plain` into `masked`.
    fn value(&mut self, report: &mut Report) -> bool {
        self.masked.clear();
        let name = self.path.get(self.name..).unwrap_or_default();
        let place = Place { location: Location::Json, name, path: self.path };
        let rule = self.forced.map(|(_, rule)| rule).or_else(|| self.rule());
        self.core.value(rule, place, self.plain, self.masked, report)
    }
}

/// Whether a text may stand for a number.
fn is_number(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_digit) && !text.is_empty() && (text.len() == 1 || !text.starts_with(b"0"))
}

pub(crate) fn mask(masker: &mut Masker, text: &[u8], out: &mut Vec<u8>, report: &mut Report) -> bool {
    let Masker { core, plain, masked, path, levels, .. } = masker;
    levels.clear();
    path.clear();
    path.push(b'$');
    let mut walk = Walk { core, plain, masked, path, name: 1, levels, deeper: 0, forced: None };
    let mut edits = Edits::new(text);
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'{' | b'[' => walk.open(*byte == b'['),
            b'}' | b']' => walk.close(),
            b'"' => {
                let (end, escapes) = string(text, at + 1);
                let raw = text.get(at + 1..end).unwrap_or_default();
                walk.plain.clear();
                if escapes {
                    unescape(raw, walk.plain);
                } else {
                    walk.plain.extend_from_slice(raw);
                }
                let after = text.get(end + 1..).unwrap_or_default();
                let is_key = after.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':');
                let changed = if is_key {
                    walk.masked.clear();
                    let place = Place { location: Location::Json, name: b"", path: b"*" };
                    walk.core.parts(place, walk.plain, walk.masked, report)
                } else {
                    walk.value(report)
                };
                if changed {
                    edits.replace(at + 1, end, out);
                    escape(walk.masked, out);
                }
                if is_key {
                    if changed {
                        walk.plain.clear();
                        walk.plain.push(b'*');
                    }
                    walk.key();
                }
                at = end;
            }
            b',' => walk.next(),
            b':' => {}
            byte if byte.is_ascii_whitespace() => {}
            _ => {
                // A number or a word; in what is no JSON, anything.
                let rest = text.get(at..).unwrap_or_default();
                let length = rest.iter().position(|byte| b"{}[]\",".contains(byte)).unwrap_or(rest.len());
                let scalar = rest.get(..length).unwrap_or_default().trim_ascii_end();
                walk.plain.clear();
                walk.plain.extend_from_slice(scalar);
                let literal = matches!(scalar, b"true" | b"false" | b"null");
                if !literal && walk.value(report) {
                    edits.replace(at, at + scalar.len(), out);
                    if walk.masked.is_empty() {
                        out.extend_from_slice(b"null");
                    } else if is_number(walk.masked) {
                        out.extend_from_slice(walk.masked);
                    } else {
                        out.push(b'"');
                        escape(walk.masked, out);
                        out.push(b'"');
                    }
                }
                at += length.max(1) - 1;
            }
        }
        at += 1;
    }
    edits.finish(out)
}
