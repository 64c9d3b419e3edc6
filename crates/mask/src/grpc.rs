//! gRPC: messages in Protocol Buffers' wire format, walked by the numbers of their fields.
//!
//! Without a schema a field of bytes may be a string or a message. It is taken for text when it is UTF-8 without
//! control characters, else for a message when it can be walked to its end.

use crate::json;
use crate::masker::{Edits, Masker, Place};
use crate::report::{Location, Report};

/// How deep messages are looked into; what is deeper is searched as text.
const DEPTH: usize = 16;

/// A varint at `at`, and where it ends.
fn varint(text: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut value = 0u64;
    for (place, byte) in text.get(at..)?.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * place).min(63);
        if byte & 0x80 == 0 {
            return Some((value, at + place + 1));
        }
    }
    None
}

fn put_varint(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// One field: its number, where its bytes begin and end if it has any, and where the next one begins.
struct Field {
    number: u64,
    bytes: Option<(usize, usize)>,
    next: usize,
}

fn field(text: &[u8], at: usize) -> Option<Field> {
    let (tag, at) = varint(text, at)?;
    let number = tag >> 3;
    let (bytes, next) = match tag & 7 {
        0 => (None, varint(text, at)?.1),
        1 => (None, at + 8),
        2 => {
            let (length, at) = varint(text, at)?;
            let end = at.checked_add(usize::try_from(length).ok()?)?;
            (Some((at, end)), end)
        }
        5 => (None, at + 4),
        _ => return None,
    };
    (number > 0 && next <= text.len()).then_some(Field { number, bytes, next })
}

fn is_message(text: &[u8]) -> bool {
    let mut at = 0;
    while at < text.len() {
        match field(text, at) {
            Some(field) => at = field.next,
            None => return false,
        }
    }
    !text.is_empty()
}

fn is_text(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok() && !text.iter().any(|byte| *byte < 32 && !b"\t\r\n".contains(byte))
}

/// A message that is being walked: where it ends, and where its masked form begins in the output.
struct Level {
    end: usize,
    out: usize,
    path: usize,
}

/// Masks one message; `out` receives it whole, changed or not.
fn message(masker: &mut Masker, text: &[u8], out: &mut Vec<u8>, report: &mut Report) -> bool {
    let Masker { core, masked, path, .. } = masker;
    path.clear();
    let mut levels = vec![Level { end: text.len(), out: out.len(), path: 0 }];
    let (mut at, mut any) = (0, false);
    while let Some(level) = levels.last_mut() {
        path.truncate(level.path);
        if at >= level.end {
            // The length of a message stands before it, and is known only now.
            let Some(done) = levels.pop() else { break };
            if !levels.is_empty() {
                masked.clear();
                put_varint(out.len() - done.out, masked);
                out.splice(done.out..done.out, masked.iter().copied());
            }
            continue;
        }
        let Some(Field { number, bytes, next }) = field(text.get(..level.end).unwrap_or_default(), at) else {
            // Cut off, or no message: what is left is searched as text.
            let rest = text.get(at..level.end).unwrap_or_default();
            masked.clear();
            let changed =
                core.parts(Place { location: Location::Grpc, name: b"", path }, rest, masked, report);
            out.extend_from_slice(if changed { masked } else { rest });
            any |= changed;
            at = level.end;
            continue;
        };
        if !path.is_empty() {
            path.push(b'.');
        }
        path.extend_from_slice(number.to_string().as_bytes());
        let Some((start, end)) = bytes else {
            out.extend_from_slice(text.get(at..next).unwrap_or_default());
            at = next;
            continue;
        };
        let value = text.get(start..end).unwrap_or_default();
        put_varint_tag(number, out);
        let rule = core.rule(Location::Grpc, path);
        if rule.is_none() && !is_text(value) && levels.len() < DEPTH && is_message(value) {
            levels.push(Level { end, out: out.len(), path: path.len() });
            at = start;
            continue;
        }
        masked.clear();
        let place = Place { location: Location::Grpc, name: path, path };
        let changed = core.value(rule, place, value, masked, report);
        let value = if changed { masked.as_slice() } else { value };
        put_varint(value.len(), out);
        out.extend_from_slice(value);
        any |= changed;
        at = next;
    }
    any
}

fn put_varint_tag(number: u64, out: &mut Vec<u8>) {
    put_varint(usize::try_from(number << 3 | 2).unwrap_or(usize::MAX), out);
}

/// What the messages of a body are, each behind its byte of flags and its length.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Messages {
    Protobuf,
    Json,
}

pub(crate) fn mask(
    masker: &mut Masker,
    messages: Messages,
    text: &[u8],
    out: &mut Vec<u8>,
    report: &mut Report,
) -> bool {
    let mut edits = Edits::new(text);
    let mut at = 0;
    let mut whole = Vec::new();
    while let Some([flags, a, b, c, d]) = text.get(at..at + 5) {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        let start = at + 5;
        let end = start.saturating_add(length).min(text.len());
        let body = text.get(start..end).unwrap_or_default();
        whole.clear();
        let is_masked = match (*flags, messages) {
            (0, Messages::Protobuf) => message(masker, body, &mut whole, report),
            // The end of a stream of Connect is JSON, whatever the messages are.
            (0, Messages::Json) | (2, _) => json::mask(masker, body, &mut whole, report),
            // Trailers of gRPC-Web.
            (0x80, _) => masker.text(body, &mut whole, report),
            _ => false,
        };
        if is_masked {
            // Of a message that was cut off the length stays that of the whole one, more or less what changed.
            let length = (length + whole.len()).saturating_sub(body.len());
            edits.replace(at + 1, end, out);
            out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
            out.extend_from_slice(&whole);
        }
        at = end;
    }
    edits.finish(out)
}
