//! Queries and forms: pairs of percent-encoded names and values.

use crate::masker::{Edits, Masker, Place};
use crate::report::{Location, Report};

/// Appends `text` without its percent-encoding.
pub(crate) fn decode(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    loop {
        rest = match rest {
            [] => return,
            [b'%', high, low, tail @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                let value = |byte: u8| char::from(byte).to_digit(16).unwrap_or(0);
                out.push((value(*high) << 4 | value(*low)) as u8);
                tail
            }
            [b'+', tail @ ..] => {
                out.push(b' ');
                tail
            }
            [byte, tail @ ..] => {
                out.push(*byte);
                tail
            }
        };
    }
}

/// Appends `text` with what may not stand in a value encoded. `*` is one of those that may.
pub(crate) fn encode(text: &[u8], out: &mut Vec<u8>) {
    for byte in text {
        if byte.is_ascii_alphanumeric() || b"-._~*@:/,!$'()".contains(byte) {
            out.push(*byte);
        } else {
            let hex = |half: u8| b"0123456789ABCDEF".get(usize::from(half)).copied().unwrap_or(b'0');
            out.extend([b'%', hex(byte >> 4), hex(byte & 15)]);
        }
    }
}

pub(crate) fn mask(
    masker: &mut Masker,
    location: Location,
    text: &[u8],
    out: &mut Vec<u8>,
    report: &mut Report,
) -> bool {
    let Masker { core, plain, masked, path, .. } = masker;
    let mut edits = Edits::new(text);
    let mut start = 0;
    for pair in text.split(|byte| *byte == b'&') {
        let equals = pair.iter().position(|byte| *byte == b'=');
        let (name, value) = pair.split_at(equals.map_or(0, |at| at + 1));
        let name = name.strip_suffix(b"=").unwrap_or(name);
        path.clear();
        decode(name, path);
        plain.clear();
        decode(value, plain);
        masked.clear();
        let end = start + pair.len();
        // A name can hold a value: `?4111111111111111=1`.
        let from = if core.parts(Place { location, name: b"", path: b"*" }, path, masked, report) {
            edits.replace(start, start + name.len(), out);
            encode(masked, out);
            masked.clear();
            path.clear();
            path.push(b'*');
            start + name.len()
        } else {
            start
        };
        let rule = core.rule(location, path);
        if core.value(rule, Place { location, name: path, path }, plain, masked, report) {
            debug_assert!(from <= end - value.len());
            edits.replace(end - value.len(), end, out);
            encode(masked, out);
        }
        start = end + 1;
    }
    edits.finish(out)
}
