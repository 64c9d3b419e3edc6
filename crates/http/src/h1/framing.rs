//! Where a body ends, RFC 9112 section 6.3, and how it is coded.
//!
//! One documented reading of what is ambiguous, each flagged in [`Desync`]: `chunked` beats
//! `Content-Length`; of several lengths the last decides; a length beats the range of a 206 response, unless
//! it is 0; a value is read by its first token, with comments and stray bytes before it passed over, as Zeek
//! does; a length that is no number is 0; `chunked` counts as the first or the last coding of
//! `Transfer-Encoding`, but not in HTTP/1.0, where recipients ignore it.
use crate::message::{Coding, Desync, Field, Framing, Known, Message, Span, Version};

/// What decides about a response's body besides the response itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Asked {
    /// The request's method was `HEAD`: no body whatever the fields say.
    Head,
    /// Any other method, or the request is not known.
    Other,
}

/// Framing of a request's body.
pub(crate) fn of_request(message: &mut Message) -> Framing {
    explicit(message).unwrap_or(Framing::None)
}

/// Framing of a response's body.
pub(crate) fn of_response(message: &mut Message, asked: Asked) -> Framing {
    if message.version.is_none() {
        return Framing::UntilClose;
    }
    let explicit = explicit(message);
    if asked == Asked::Head || matches!(message.status, 100..=199 | 204 | 304) {
        return Framing::None;
    }
    explicit.unwrap_or(Framing::UntilClose)
}

/// Framing by `Transfer-Encoding`, `Content-Length` or `Content-Range`, if one of them tells.
fn explicit(message: &mut Message) -> Option<Framing> {
    let length = content_length(message);
    if message.known(Known::TransferEncoding).is_some() && chunked(message) {
        if length.is_some() {
            message.desync.add(Desync::LENGTH_AND_CHUNKED);
        }
        return Some(Framing::Chunked);
    }
    let range = if message.status == 206 { content_range(message) } else { None };
    match (length, range) {
        (Some(0) | None, Some(range)) => Some(Framing::Length(range)),
        (Some(length), Some(range)) => {
            if length != range {
                message.desync.add(Desync::LENGTHS_DIFFER);
            }
            Some(Framing::Length(length))
        }
        (Some(length), None) => Some(Framing::Length(length)),
        (None, None) => None,
    }
}

fn content_length(message: &mut Message) -> Option<u64> {
    message.known(Known::ContentLength)?;
    let mut desync = Desync::default();
    let mut decided = None;
    for value in message.every(Known::ContentLength) {
        let length = read_length(value, &mut desync);
        if decided.is_some_and(|d| d != length) {
            desync.add(Desync::LENGTHS_DIFFER);
        }
        decided = Some(length);
    }
    if !is_plain(message, Known::ContentLength) {
        desync.add(Desync::LENGTH_INVALID);
    }
    message.desync.add(desync.0);
    decided
}

/// Whether every field of this name stands on a line as `name:value`, with nothing before the name, between
/// name and colon, or between colon and value but white space: otherwise there are readers that miss it.
fn is_plain(message: &Message, which: Known) -> bool {
    if !message.desync.has(Desync::ODD_FIELD) && !message.desync.has(Desync::FOLDED) {
        return true;
    }
    let name = |field: &Field| field.name.of(&message.head);
    let Some(first) = message.known.get(which as usize).and_then(|at| usize::from(*at).checked_sub(1)) else {
        return true;
    };
    let fields = message.fields.iter().take(message.trailers_at).skip(first);
    let spelled = message.fields.get(first).map(name).unwrap_or_default();
    fields.filter(|field| name(field).eq_ignore_ascii_case(spelled)).all(|field| {
        let before = message.head.get(..field.name.start as usize).and_then(<[u8]>::last);
        let between = Span { start: field.name.end, end: field.value.start }.of(&message.head);
        matches!(before, Some(b'\n' | b'\r'))
            && between.strip_prefix(b":").is_some_and(|space| space.iter().all(|b| matches!(b, b' ' | b'\t')))
    })
}

/// Reads one `Content-Length` value; what is not a plain number is flagged and read as far as it is one.
fn read_length(value: &[u8], desync: &mut Desync) -> u64 {
    // Up to 18 digits cannot overflow; a leading zero is looked at below.
    if let [b'1'..=b'9', ..] | [b'0'] = value
        && value.len() <= 18
        && value.iter().all(u8::is_ascii_digit)
    {
        return value.iter().fold(0, |n, b| n * 10 + u64::from(b - b'0'));
    }
    let token = first_token(value);
    if token.len() != value.len() {
        desync.add(Desync::LENGTH_INVALID);
    }
    let value = token;
    let digits = value.iter().take_while(|b| b.is_ascii_digit()).count();
    let (number, rest) = value.split_at_checked(digits).unwrap_or_default();
    if number.is_empty() || !rest.is_empty() {
        desync.add(Desync::LENGTH_INVALID);
    }
    if number.len() > 1 && number.first() == Some(&b'0') && number.iter().any(|b| *b != b'0') {
        desync.add(Desync::LENGTH_LEADING_ZERO);
    }
    let mut length = 0u64;
    for digit in number {
        let next = length.checked_mul(10).and_then(|l| l.checked_add(u64::from(digit - b'0')));
        match next.filter(|l| *l <= i64::MAX as u64) {
            Some(next) => length = next,
            None => {
                desync.add(Desync::LENGTH_OVERFLOW);
                return 0;
            }
        }
    }
    length
}

fn chunked(message: &mut Message) -> bool {
    let mut found = false;
    let mut odd = false;
    for value in message.every(Known::TransferEncoding) {
        odd |= found || value != b"chunked";
        let last = value.rsplit(|b| *b == b',').next().unwrap_or_default().trim_ascii();
        found |= [first_token(value), last].iter().any(|c| c.eq_ignore_ascii_case(b"chunked"));
    }
    let known = message.version.is_some_and(|v| v >= Version { major: 1, minor: 1 });
    // HTTP/1.0 does not know the field: one recipient reads chunks, another reads none.
    if odd || !known || !is_plain(message, Known::TransferEncoding) {
        message.desync.add(Desync::ODD_TRANSFER_ENCODING);
    }
    found && known
}

/// Length of the range that a 206 response carries, RFC 9110 section 14.4: `bytes 0-499/1234`.
fn content_range(message: &Message) -> Option<u64> {
    let value = message.known(Known::ContentRange)?;
    let value = std::str::from_utf8(value).ok()?;
    let range = value.strip_prefix("bytes")?.trim_start();
    let (range, _) = range.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last) = (first.trim().parse::<u64>().ok()?, last.trim().parse::<u64>().ok()?);
    last.checked_sub(first)?.checked_add(1)
}

/// Content coding of the body, RFC 9110 section 8.4.
pub(crate) fn coding(message: &Message) -> Coding {
    let Some(value) = message.known(Known::ContentEncoding) else { return Coding::Identity };
    const NAMES: [(&[u8], Coding); 7] = [
        (b"gzip", Coding::Gzip),
        (b"x-gzip", Coding::Gzip),
        (b"deflate", Coding::Deflate),
        (b"br", Coding::Brotli),
        (b"zstd", Coding::Zstd),
        (b"identity", Coding::Identity),
        (b"", Coding::Identity),
    ];
    let token = first_token(value);
    NAMES.into_iter().find(|(n, _)| token.eq_ignore_ascii_case(n)).map_or(Coding::Other, |(_, coding)| coding)
}

/// The first token of a value (RFC 2045 section 5.1). Comments in parentheses and bytes that belong to no
/// token are passed over.
fn first_token(value: &[u8]) -> &[u8] {
    let mut rest = value;
    while let Some(first) = rest.first() {
        if is_token(*first) {
            let len = rest.iter().take_while(|b| is_token(**b)).count();
            return rest.get(..len).unwrap_or_default();
        }
        let comment = if *first == b'(' { memchr::memchr(b')', rest).unwrap_or(0) } else { 0 };
        rest = rest.get(comment + 1..).unwrap_or_default();
    }
    rest
}

const fn is_token(byte: u8) -> bool {
    byte > 32
        && byte < 127
        && !matches!(
            byte,
            b'(' | b')'
                | b'<'
                | b'>'
                | b'@'
                | b','
                | b';'
                | b':'
                | b'\\'
                | b'"'
                | b'/'
                | b'['
                | b']'
                | b'?'
                | b'='
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::h1::head::{HeadLimits, HeadStep, Kind, read};

    fn message(kind: Kind, head: &str) -> Message {
        let mut message = Message::default();
        let limits = HeadLimits { bytes: 1 << 16, fields: 100 };
        assert_eq!(
            read(head.as_bytes(), kind, limits, false, &mut message),
            HeadStep::Done(head.len()),
            "{head:?}"
        );
        message
    }

    #[test]
    fn readers_that_would_disagree_about_the_end_are_told_of() {
        for (start, fields, framing, desync) in [
            ("1.1", "Content-Length: 3", Framing::Length(3), 0),
            ("1.1", "Content-Length:3", Framing::Length(3), 0),
            ("1.1", "Content-Length:\t3 ", Framing::Length(3), 0),
            ("1.1", "Content-Length : 3", Framing::Length(3), Desync::LENGTH_INVALID),
            ("1.1", "\x0bContent-Length: 3", Framing::Length(3), Desync::LENGTH_INVALID),
            ("1.1", "Content-Length: 3\r\nContent-Length : 3", Framing::Length(3), Desync::LENGTH_INVALID),
            ("1.1", "X: 1\r\nX : 2\r\nContent-Length: 3", Framing::Length(3), 0),
            ("1.1", "Transfer-Encoding: chunked", Framing::Chunked, 0),
            ("1.1", "Transfer-Encoding : chunked", Framing::Chunked, Desync::ODD_TRANSFER_ENCODING),
            ("1.1", "Transfer-Encoding:\r\n chunked", Framing::Chunked, Desync::ODD_TRANSFER_ENCODING),
            ("1.0", "Transfer-Encoding: chunked", Framing::None, Desync::ODD_TRANSFER_ENCODING),
            (
                "1.0",
                "Transfer-Encoding: chunked\r\nContent-Length: 3",
                Framing::Length(3),
                Desync::ODD_TRANSFER_ENCODING,
            ),
        ] {
            let mut message = message(Kind::Request, &format!("POST / HTTP/{start}\r\n{fields}\r\n\r\n"));
            assert_eq!(of_request(&mut message), framing, "{fields:?}");
            assert_eq!(message.desync.has(desync), desync != 0, "{fields:?}");
            assert_eq!(message.desync.is_suspicious(), desync != 0, "{fields:?}");
        }
    }

    #[test]
    fn the_length_of_a_partial_response_beats_its_range() {
        for (status, fields, length, differ) in [
            (206, "Content-Length: 5\r\nContent-Range: bytes 0-4/9", 5, false),
            (206, "Content-Length: 5\r\nContent-Range: bytes 0-99/100", 5, true),
            (206, "Content-Length: 5\r\nContent-Range: bytes 0-1/9", 5, true),
            (206, "Content-Length: 0\r\nContent-Range: bytes 0-4/9", 5, false),
            (206, "Content-Range: bytes 0-4/9", 5, false),
            (200, "Content-Length: 5\r\nContent-Range: bytes 0-99/100", 5, false),
        ] {
            let mut message = message(Kind::Response, &format!("HTTP/1.1 {status} X\r\n{fields}\r\n\r\n"));
            assert_eq!(of_response(&mut message, Asked::Other), Framing::Length(length), "{fields:?}");
            assert_eq!(message.desync.has(Desync::LENGTHS_DIFFER), differ, "{fields:?}");
        }
    }
}
