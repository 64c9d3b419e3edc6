//! Start line and header fields, RFC 9112 sections 2 to 5.
//!
//! What a lenient server would accept is read; what two readers could read differently is read one way and
//! flagged in [`Desync`]. A line ends at CR LF, at a bare LF, or at a bare CR: the last is what Zeek does,
//! and a sensor that reads on past it would miss what a lenient peer sees.
use super::bytes::{is_name, is_space, is_token};
use crate::message::{Desync, Field, Known, Message, Span, Version};
use memchr::memchr2;
use std::ops::Range;

/// Which kind of start line is expected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `method SP target SP version`
    Request,
    /// `version SP status SP reason`
    Response,
}

/// Bounds of a head.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    /// Bytes of a head that are kept and parsed.
    pub bytes: usize,
    /// Header fields that are kept.
    pub fields: usize,
}

/// Outcome of reading a head.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeadStep {
    /// Read; so many bytes belong to it.
    Done(usize),
    /// Its end is not there yet.
    Incomplete,
    /// The first line is not a start line of the expected kind.
    NotHttp,
}

/// One line of `bytes` from `at`: its content, its terminator's length, and whether the terminator is CR LF.
struct Line {
    start: usize,
    end: usize,
    next: usize,
    crlf: bool,
}

/// Finds the line that starts at `at`. `None` when its terminator is not there yet; a CR as the very last
/// byte counts as not there, since a LF may follow.
#[inline]
fn line(bytes: &[u8], at: usize) -> Option<Line> {
    let rest = bytes.get(at..)?;
    let hit = memchr2(b'\r', b'\n', rest)?;
    let end = at + hit;
    if bytes.get(end) == Some(&b'\n') {
        return Some(Line { start: at, end, next: end + 1, crlf: false });
    }
    match bytes.get(end + 1) {
        Some(b'\n') => Some(Line { start: at, end, next: end + 2, crlf: true }),
        Some(_) => Some(Line { start: at, end, next: end + 1, crlf: false }),
        None => None,
    }
}

/// Whether the head that begins at the start of `bytes` may end in it: a cheap test before parsing again
/// what has been parsed before. `from` is where new bytes begin.
pub fn may_be_complete(bytes: &[u8], from: usize) -> bool {
    let mut at = from.saturating_sub(3);
    while let Some(rest) = bytes.get(at..) {
        let Some(hit) = memchr2(b'\r', b'\n', rest) else { return false };
        let tail = rest.get(hit..).unwrap_or_default();
        let after = match tail {
            [b'\r', b'\n', after @ ..] => after,
            [_, after @ ..] => after,
            [] => return false,
        };
        if matches!(after.first(), Some(b'\r' | b'\n' | 0)) {
            return true;
        }
        at += hit + 1;
    }
    false
}

/// Whether the first line of `bytes` has just become whole, of which those before `from` were there before: it
/// decides whether this is HTTP at all, and a version-less request consists of nothing else.
pub fn ends_first_line(bytes: &[u8], from: usize) -> bool {
    let (old, new) = bytes.split_at_checked(from).unwrap_or_default();
    memchr::memchr(b'\n', old).is_none() && memchr::memchr(b'\n', new).is_some()
}

/// Reads a head from the start of `bytes` into `message`, which must be empty. Leading empty lines must have
/// been skipped. With `at_end` the input ends here: what there is of the head is taken, provided that the
/// start line is whole.
pub fn read(bytes: &[u8], kind: Kind, limits: HeadLimits, at_end: bool, message: &mut Message) -> HeadStep {
    let Some(first) = line(bytes, 0) else {
        if at_end && !bytes.is_empty() && start_line(bytes, kind, message) {
            keep(bytes, bytes.len(), limits, message);
            return HeadStep::Done(bytes.len());
        }
        return HeadStep::Incomplete;
    };
    let Some(content) = bytes.get(..first.end) else { return HeadStep::NotHttp };
    if !start_line(content, kind, message) {
        return HeadStep::NotHttp;
    }
    if !first.crlf {
        message.desync.add(Desync::BARE_EOL);
    }
    if message.version.is_none() {
        // HTTP/0.9: a request of one line, RFC 1945 section 4.1.
        keep(bytes, first.next, limits, message);
        return HeadStep::Done(first.next);
    }
    let mut at = first.next;
    // The field that is being read, with the lines folded into it.
    let mut field: Option<Range<usize>> = None;
    let mut complete = false;
    while let Some(current) = line(bytes, at) {
        if !current.crlf {
            message.desync.add(Desync::BARE_EOL);
        }
        at = current.next;
        match (bytes.get(current.start..current.end).unwrap_or_default().first(), &mut field) {
            (None | Some(0), _) => {
                complete = true;
                break;
            }
            (Some(b' ' | b'\t'), Some(range)) => {
                message.desync.add(Desync::FOLDED);
                range.end = current.end;
            }
            (Some(_), _) => {
                if let Some(range) = field.replace(current.start..current.end) {
                    new_field(bytes, range, limits, message);
                }
            }
        }
    }
    if !complete && !at_end {
        message.clear();
        return HeadStep::Incomplete;
    }
    if let Some(range) = field {
        new_field(bytes, range, limits, message);
    }
    keep(bytes, at, limits, message);
    unfold(message);
    HeadStep::Done(at)
}

/// Copies the head into the message, up to the limit.
fn keep(bytes: &[u8], len: usize, limits: HeadLimits, message: &mut Message) {
    let kept = len.min(limits.bytes);
    message.head.extend_from_slice(bytes.get(..kept).unwrap_or_default());
    message.head_len = len as u64;
    message.head_cut |= kept < len;
    message.trailers_at = message.fields.len();
    if memchr::memchr(0, &message.head).is_some() {
        message.desync.add(Desync::NUL);
    }
}

/// RFC 9112 section 5.2: a recipient that accepts obsolete folding replaces each fold by spaces.
fn unfold(message: &mut Message) {
    if !message.desync.has(Desync::FOLDED) {
        return;
    }
    let Message { head, fields, .. } = message;
    for field in fields.iter() {
        let value = head.get_mut(field.value.start as usize..field.value.end as usize);
        for byte in value.unwrap_or_default() {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
    }
}

/// Reads the field in `range`, which may contain folded lines. White space around name and value is not part
/// of them; other bytes before a name are passed over, as Zeek does.
#[inline]
fn new_field(bytes: &[u8], range: Range<usize>, limits: HeadLimits, message: &mut Message) {
    let full = message.fields.len() >= limits.fields;
    message.head_cut |= full;
    let start = range.start;
    let content = bytes.get(range).unwrap_or_default();
    // Nearly every name is plain and ends at its colon.
    let plain = content.iter().take_while(|b| is_name(**b)).count();
    let (name, colon) = match content.get(plain) {
        Some(b':') if plain > 0 => (0..plain, plain),
        _ => {
            message.desync.add(Desync::ODD_FIELD);
            match odd_name(content) {
                Some(found) => found,
                None => return,
            }
        }
    };
    let value = trim(content, colon + 1);
    let bare = content.get(name.clone()).unwrap_or_default();
    // Fields that frame and route the message count wherever they stand: leaving them out would let a sender
    // hide a message behind many others.
    if full && (known(bare).is_none() || message.fields.len() >= limits.fields.saturating_mul(2)) {
        return;
    }
    message.fields.push(Field {
        name: Span::new(start + name.start, start + name.end),
        value: Span::new(start + value.start, start + value.end),
    });
    if let Some(which) = known(bare) {
        note_known(message, which);
    }
}

/// Where the name and the colon are in a field that is not `name:value`.
#[cold]
fn odd_name(content: &[u8]) -> Option<(Range<usize>, usize)> {
    let colon = memchr::memchr(b':', content)?;
    let name = content.get(..colon)?;
    let lead = name.iter().take_while(|b| !is_name(**b)).count();
    let trail = name.iter().rev().take_while(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n')).count();
    (lead + trail < colon).then_some((lead..colon - trail, colon))
}

/// The range of `content` from `from` on, without white space at both ends.
#[inline]
fn trim(content: &[u8], from: usize) -> Range<usize> {
    let (mut start, mut end) = (from, content.len());
    while start < end && content.get(start).is_some_and(|b| is_space(*b)) {
        start += 1;
    }
    while start < end && content.get(end - 1).is_some_and(|b| is_space(*b)) {
        end -= 1;
    }
    start..end
}

#[inline]
pub(crate) fn note_known(message: &mut Message, which: Known) {
    let count = message.fields.len() as u16;
    if let Some(slot) = message.known.get_mut(which as usize) {
        if *slot == 0 {
            *slot = count;
            return;
        }
        message.repeated |= 1 << which as u32;
        if which == Known::Host {
            message.desync.add(Desync::HOST);
        }
    }
}

/// Looks a field name up among the known ones: by length first, so that most names cost one comparison.
#[inline]
pub(crate) fn known(name: &[u8]) -> Option<Known> {
    let (which, spelled) = match (name.len(), name.first()? | 0x20) {
        (4, b'h') => (Known::Host, "host"),
        (6, b'o') => (Known::Origin, "origin"),
        (6, b's') => (Known::Server, "server"),
        (6, b'e') => (Known::Expect, "expect"),
        (6, b'c') => (Known::Cookie, "cookie"),
        (7, b'r') => (Known::Referer, "referer"),
        (7, b'u') => (Known::Upgrade, "upgrade"),
        (10, b'u') => (Known::UserAgent, "user-agent"),
        (10, b'c') => (Known::Connection, "connection"),
        (12, b'c') => (Known::ContentType, "content-type"),
        (13, b'a') => (Known::Authorization, "authorization"),
        (13, b'c') => (Known::ContentRange, "content-range"),
        (14, b'c') => (Known::ContentLength, "content-length"),
        (16, b'c') => (Known::ContentEncoding, "content-encoding"),
        (17, b't') => (Known::TransferEncoding, "transfer-encoding"),
        (19, b'c') => (Known::ContentDisposition, "content-disposition"),
        (19, b'p') => (Known::ProxyAuthorization, "proxy-authorization"),
        _ => return None,
    };
    same_name(name, spelled.as_bytes()).then_some(which)
}

/// Whether `name`, which consists of name bytes, is `lower` in any case. Both have the same length. Two
/// overlapping words of eight bytes cover most names; setting bit 5 makes letters small and maps no other
/// name byte to a letter or a hyphen.
#[inline]
fn same_name(name: &[u8], lower: &[u8]) -> bool {
    const SMALL: u64 = 0x2020_2020_2020_2020;
    let word = |bytes: Option<&[u8; 8]>| bytes.map(|b| u64::from_le_bytes(*b) | SMALL);
    match (word(name.first_chunk()), word(name.last_chunk())) {
        (Some(first), Some(last)) if name.len() <= 16 => {
            Some(first) == word(lower.first_chunk()) && Some(last) == word(lower.last_chunk())
        }
        _ => name.eq_ignore_ascii_case(lower),
    }
}

fn start_line(content: &[u8], kind: Kind, message: &mut Message) -> bool {
    match kind {
        Kind::Request => request_line(content, message),
        Kind::Response => status_line(content, message),
    }
}

/// Where `HTTP/` begins after white space at or behind `from`; any case, as servers that fold it do.
fn find_version(content: &[u8], from: usize) -> Option<usize> {
    if starts_with_http(content.get(from..)?) {
        return Some(from);
    }
    let mut at = from;
    loop {
        let rest = content.get(at..)?;
        at += memchr2(b' ', b'\t', rest)?;
        let rest = content.get(at..)?;
        at += rest.iter().take_while(|b| is_space(**b)).count();
        if starts_with_http(content.get(at..)?) {
            return Some(at);
        }
    }
}

#[inline]
fn starts_with_http(bytes: &[u8]) -> bool {
    bytes.first_chunk::<5>().is_some_and(|b| b == b"HTTP/" || b.eq_ignore_ascii_case(b"HTTP/"))
}

fn version_of(bytes: &[u8]) -> Option<Version> {
    match bytes {
        [_, _, _, _, b'/', major @ b'0'..=b'9', b'.', minor @ b'0'..=b'9', ..] => {
            Some(Version { major: major - b'0', minor: minor - b'0' })
        }
        _ => None,
    }
}

/// RFC 9112 section 3. A line without a version is HTTP/0.9; it needs a target, and a method of at least
/// three letters, to be taken for one.
fn request_line(content: &[u8], message: &mut Message) -> bool {
    let method_end = content.iter().take_while(|b| is_token(**b)).count();
    let spaces = content.get(method_end..).unwrap_or_default().iter().take_while(|b| is_space(**b)).count();
    if method_end == 0 || spaces == 0 {
        return false;
    }
    let target_start = method_end + spaces;
    let version_at = find_version(content, target_start);
    let target_end = version_at.unwrap_or(content.len());
    let target = content.get(target_start..target_end).unwrap_or_default();
    let tail = target.iter().rev().take_while(|b| is_space(**b)).count();
    message.first = Span::new(0, method_end);
    message.second = Span::new(target_start, target_end - tail);
    match version_at {
        Some(at) => {
            let rest = content.get(at..).unwrap_or_default();
            message.version = Some(version_of(rest).unwrap_or_default());
            message.third = Span::new(at, content.len());
            true
        }
        None => {
            message.version = None;
            method_end >= 3 && !message.second.is_empty()
        }
    }
}

/// RFC 9112 section 4. A code that is not three digits is 0, as Zeek has it.
fn status_line(content: &[u8], message: &mut Message) -> bool {
    if !starts_with_http(content) {
        return false;
    }
    message.version = Some(version_of(content).unwrap_or_default());
    let version_end = content.iter().take_while(|b| !matches!(b, b' ' | b'\t')).count();
    let rest = content.get(version_end..).unwrap_or_default();
    let code_start = version_end + rest.iter().take_while(|b| is_space(**b)).count();
    let Some(code) = content.get(code_start..code_start + 3) else { return false };
    message.first = Span::new(0, version_end);
    message.second = Span::new(code_start, code_start + 3);
    message.status = match code {
        [a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'] => {
            u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0')
        }
        _ => 0,
    };
    let rest = content.get(code_start + 3..).unwrap_or_default();
    let word = rest.iter().take_while(|b| !matches!(b, b' ' | b'\t')).count();
    let gap = rest.get(word..).unwrap_or_default().iter().take_while(|b| is_space(**b)).count();
    if gap > 0 {
        message.third = Span::new(code_start + 3 + word + gap, content.len());
    }
    true
}

/// Reads trailer fields, RFC 9112 section 7.1.2, behind the fields of a message. Returns the bytes read, or
/// `None` when the empty line that ends them is not there yet.
pub fn read_trailers(bytes: &[u8], limits: HeadLimits, message: &mut Message) -> Option<usize> {
    let mut at = 0;
    loop {
        let current = line(bytes, at)?;
        at = current.next;
        if current.start == current.end {
            break;
        }
    }
    let base = message.head.len();
    if at > 2 && base + at <= limits.bytes {
        let before = message.known;
        let mut from = 0;
        while let Some(current) = line(bytes, from).filter(|l| l.end > l.start) {
            new_field(bytes, current.start..current.end, limits, message);
            from = current.next;
        }
        for field in message.fields.iter_mut().skip(message.trailers_at) {
            for span in [&mut field.name, &mut field.value] {
                span.start += base as u32;
                span.end += base as u32;
            }
        }
        // A trailer never changes how the message is framed or routed (RFC 9110 section 6.5.1).
        message.known = before;
        message.head.extend_from_slice(bytes.get(..at).unwrap_or_default());
    }
    Some(at)
}
