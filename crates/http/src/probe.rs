//! What a stream speaks, told from its first bytes and not from its port.
use crate::h1::bytes::is_token;

/// What the first bytes of one direction look like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Look {
    /// An HTTP/1 request.
    Request,
    /// An HTTP/1 response.
    Response,
    /// The HTTP/2 connection preface, RFC 9113 section 3.4.
    Http2,
    /// A TLS record, RFC 8446 section 5.1.
    Tls,
    /// Something else.
    Other,
    /// Too few bytes to tell.
    NeedMore,
}

/// Bytes of a first line that are waited for before it is called something else.
pub const MAX_FIRST_LINE: usize = 8 * 1024;

/// Methods by which a line is taken for a request before its end is seen: IANA's registry and the WebDAV
/// dialects in use. Any other token needs the ` HTTP/x.y` at the end of its line.
const METHODS: [&[u8]; 51] = [
    b"GET",
    b"POST",
    b"PUT",
    b"HEAD",
    b"DELETE",
    b"OPTIONS",
    b"PATCH",
    b"CONNECT",
    b"TRACE",
    b"QUERY",
    b"ACL",
    b"BASELINE-CONTROL",
    b"BIND",
    b"CHECKIN",
    b"CHECKOUT",
    b"COPY",
    b"LABEL",
    b"LINK",
    b"LOCK",
    b"MERGE",
    b"MKACTIVITY",
    b"MKCALENDAR",
    b"MKCOL",
    b"MKREDIRECTREF",
    b"MOVE",
    b"ORDERPATCH",
    b"PROPFIND",
    b"PROPPATCH",
    b"REBIND",
    b"REPORT",
    b"SEARCH",
    b"UNBIND",
    b"UNCHECKOUT",
    b"UNLINK",
    b"UNLOCK",
    b"UPDATE",
    b"UPDATEREDIRECTREF",
    b"VERSION-CONTROL",
    b"BCOPY",
    b"BDELETE",
    b"BMOVE",
    b"BPROPFIND",
    b"BPROPPATCH",
    b"NOTIFY",
    b"POLL",
    b"SUBSCRIBE",
    b"UNSUBSCRIBE",
    b"X-MS-ENUMATTS",
    b"MKWORKSPACE",
    b"RPC_IN_DATA",
    b"RPC_OUT_DATA",
];

/// Ports on which a version-less request line (HTTP/0.9) with any target is believed. These are the ports
/// that Zeek registers for HTTP.
const HTTP_PORTS: [u16; 8] = [80, 81, 631, 1080, 3128, 8000, 8080, 8888];

/// The preface of a client of HTTP/2, RFC 9113 section 3.4.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Whether HTTP is expected on a port, so that odd requests are believed there.
pub fn is_http_port(port: u16) -> bool {
    HTTP_PORTS.contains(&port)
}

/// Looks at the first bytes of a direction.
pub fn look(bytes: &[u8], http_port: bool) -> Look {
    match bytes {
        [0x16, 0x03, 0..=4, ..] => return Look::Tls,
        [0x16] | [0x16, 0x03] => return Look::NeedMore,
        // An SSLv2-compatible ClientHello: two length bytes, type 1, version 3.x.
        [0x80..=0x8f, _, 0x01, 0x03, ..] => return Look::Tls,
        _ => {}
    }
    let lead = bytes.iter().take_while(|b| b.is_ascii_whitespace()).count();
    let bytes = bytes.get(lead..).unwrap_or_default();
    if bytes.is_empty() {
        return if lead > MAX_FIRST_LINE { Look::Other } else { Look::NeedMore };
    }
    if let Some(prefix) = bytes.get(..6) {
        if prefix.get(..5).is_some_and(|p| p.eq_ignore_ascii_case(b"HTTP/")) {
            return if matches!(prefix.last(), Some(b'0'..=b'9')) { Look::Response } else { Look::Other };
        }
    } else if b"HTTP/"
        .get(..bytes.len().min(5))
        .is_some_and(|p| p.eq_ignore_ascii_case(bytes.get(..5).unwrap_or(bytes)))
    {
        return Look::NeedMore;
    }
    request(bytes, http_port)
}

fn request(bytes: &[u8], http_port: bool) -> Look {
    if PREFACE.starts_with(bytes.get(..PREFACE.len()).unwrap_or(bytes)) {
        return if bytes.len() >= 14 { Look::Http2 } else { Look::NeedMore };
    }
    let method = bytes.iter().take_while(|b| is_token(**b)).count();
    if method == bytes.len() {
        return if method > 32 { Look::Other } else { Look::NeedMore };
    }
    let (token, rest) = bytes.split_at_checked(method).unwrap_or_default();
    if method == 0 || method > 32 || !matches!(rest.first(), Some(b' ' | b'\t')) {
        return odd_request(bytes, http_port);
    }
    let line_end = memchr::memchr2(b'\r', b'\n', bytes);
    let Some(end) = line_end else {
        let cut_off = bytes.len() >= MAX_FIRST_LINE;
        // A long target: the method alone decides once there is no doubt that it is a target.
        return match (METHODS.contains(&token), bytes.len() > 1024, cut_off) {
            (true, true, _) => Look::Request,
            (_, _, true) => Look::Other,
            _ => Look::NeedMore,
        };
    };
    let line = bytes.get(..end).unwrap_or_default();
    match version_word(line) {
        Some(true) => Look::Request,
        // RTSP/1.0, SIP/2.0, ICAP/1.0: relatives with lines of the same shape.
        Some(false) => Look::Other,
        None if METHODS.contains(&token) => {
            let target = rest.iter().find(|b| !matches!(b, b' ' | b'\t'));
            if http_port || target == Some(&b'/') { Look::Request } else { Look::Other }
        }
        None => Look::Other,
    }
}

/// A line that does not begin with a method and a space. On a port of HTTP it is given to the parser, which
/// says what is wrong with it; elsewhere it is not HTTP.
fn odd_request(bytes: &[u8], http_port: bool) -> Look {
    match memchr::memchr(b'\n', bytes) {
        Some(end) if http_port => {
            let line = bytes.get(..end).unwrap_or_default().trim_ascii_end();
            if version_word(line) == Some(true) { Look::Request } else { Look::Other }
        }
        Some(_) => Look::Other,
        None if http_port && bytes.len() < MAX_FIRST_LINE && bytes.is_ascii() => Look::NeedMore,
        None => Look::Other,
    }
}

/// Whether the last word of a request line is a protocol version: `Some(true)` for HTTP, `Some(false)` for
/// a relative (`RTSP/1.0`), `None` when it is none.
fn version_word(line: &[u8]) -> Option<bool> {
    let line = line.trim_ascii_end();
    let at = line.iter().rposition(|b| matches!(b, b' ' | b'\t'))?;
    let word = line.get(at + 1..)?;
    if word.get(..5).is_some_and(|w| w.eq_ignore_ascii_case(b"HTTP/")) {
        return Some(true);
    }
    let slash = memchr::memchr(b'/', word)?;
    let (name, version) = word.split_at_checked(slash)?;
    let named = (2..=8).contains(&name.len()) && name.iter().all(u8::is_ascii_uppercase);
    let numbered = matches!(version, [b'/', b'0'..=b'9', b'.', b'0'..=b'9']);
    (named && numbered).then_some(false)
}

/// Whether it is worth to wait for more of bytes that are too few to tell ([`Look::NeedMore`]) on a connection
/// whose start was not seen: they may be from the middle of anything, so only what begins like a message of a
/// known kind is held.
pub fn is_worth_waiting(bytes: &[u8]) -> bool {
    let bytes = bytes.trim_ascii_start();
    let method = bytes.iter().take_while(|b| is_token(**b)).count();
    let (token, rest) = bytes.split_at_checked(method).unwrap_or_default();
    let known = if rest.is_empty() {
        METHODS.iter().any(|m| m.starts_with(token))
    } else {
        METHODS.contains(&token) || rest.starts_with(b"/") && token.eq_ignore_ascii_case(b"HTTP")
    };
    let status = b"HTTP".get(..bytes.len()).is_some_and(|start| start.eq_ignore_ascii_case(bytes));
    known || status || bytes.first() == Some(&0x16) || PREFACE.starts_with(bytes)
}

/// Whether `bytes` begin with what is beyond doubt a request line, `METHOD SP target SP HTTP/d.d EOL`: the
/// test for going on behind a gap.
pub fn is_request_start(bytes: &[u8]) -> bool {
    let method = bytes.iter().take(33).take_while(|b| is_token(**b)).count();
    if !(1..=32).contains(&method) || bytes.get(method) != Some(&b' ') {
        return false;
    }
    let Some(end) = memchr::memchr(b'\n', bytes) else {
        return bytes.get(..method).is_some_and(|m| METHODS.contains(&m))
            && bytes.len() > 64
            && bytes.is_ascii();
    };
    let line = bytes.get(..end).unwrap_or_default().trim_ascii_end();
    let Some(tail) = line.len().checked_sub(9).and_then(|at| line.get(at..)) else { return false };
    line.len() > method + 9
        && matches!(tail, [b' ', b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'])
}

/// Whether `bytes` begin with what is beyond doubt a status line, `HTTP/d.d SP ddd`.
pub fn is_response_start(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9', b' ', b'1'..=b'9', b'0'..=b'9', b'0'..=b'9', after, ..]
            if matches!(after, b' ' | b'\r' | b'\n')
    )
}
