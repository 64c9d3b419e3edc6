//! A fingerprint of HTTP clients: in which order a program sends which header fields, and what it accepts.
//!
//! `hc1:VERSION:ORDER:ACCEPT`, where VERSION is that of the protocol without a dot (`10`, `11`, `20`), and ORDER and ACCEPT
//! are the first 12 hexadecimal digits of SHA-256 of a text each:
//!
//! - ORDER: the names of the header fields in small letters, in wire order, with a comma between them. Names that depend on
//!   the request or on the way that it came, and not on the program, are left out ([`is_of_request`]).
//! - ACCEPT: the values of `accept`, `accept-charset`, `accept-encoding` and `accept-language`, in this order of names, each as
//!   `name=` and its elements in small letters without white space and weights, with a comma between them; a semicolon
//!   between names. A name that is absent is left out.
//!
//! Requests of one program on one machine have the same fingerprint whatever they ask for, as long as the program sends
//! the same fields.
use crate::{number, text};
use harken_http::Message;
use sha2::{Digest as _, Sha256};

/// Names that are left out: they come and go with the request.
const OF_REQUEST: [&str; 18] = [
    "age",
    "authorization",
    "cache-control",
    "cookie",
    "cookie2",
    "date",
    "expect",
    "forwarded",
    "from",
    "host",
    "max-forwards",
    "origin",
    "pragma",
    "proxy-authorization",
    "range",
    "referer",
    "traceparent",
    "via",
];

/// Beginnings of names that are left out: what depends on a body or a cached copy, and what proxies and applications add.
const PREFIXES: [&str; 8] =
    ["content-", "if-", "x-", "cf-", "cdn-", "sec-fetch-", "trace", "transfer-encoding"];

/// Fields that say what is accepted.
const ACCEPT: [&str; 4] = ["accept", "accept-charset", "accept-encoding", "accept-language"];

/// Whether a field depends on the request or its way.
pub fn is_of_request(name: &[u8]) -> bool {
    let begins =
        |with: &&str| name.get(..with.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(with.as_bytes()));
    OF_REQUEST.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes())) || PREFIXES.iter().any(begins)
}

/// Appends the fingerprint of the client that has sent a request.
pub fn client(request: &Message, out: &mut Vec<u8>) {
    let (mut order, mut accept) = (List::default(), List::default());
    for (name, _) in request.headers().filter(|(name, _)| !is_of_request(name)) {
        order.separate(b",");
        order.small(name);
    }
    for name in ACCEPT {
        let values = request.headers().filter(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()));
        let elements = values.flat_map(|(_, value)| value.split(|byte| *byte == b','));
        let mut is_first = true;
        for element in elements.filter(|element| !element.trim_ascii().is_empty()) {
            if std::mem::take(&mut is_first) {
                accept.separate(b";");
                accept.small(name.as_bytes());
                accept.small(b"=");
            } else {
                accept.small(b",");
            }
            let parts = element.split(|byte| *byte == b';');
            for (number, part) in parts.filter(|part| !is_weight(part)).enumerate() {
                accept.small(if number > 0 { b";" } else { b"" });
                accept.small(part);
            }
        }
    }
    let version = request.version.map_or((0, 9), |version| (version.major, version.minor));
    out.extend_from_slice(b"hc1:");
    number::decimal(out, u64::from(version.0));
    number::decimal(out, u64::from(version.1));
    for list in [order, accept] {
        out.push(b':');
        list.hash.finalize().iter().take(6).for_each(|byte| text::hex_byte(out, *byte));
    }
}

/// Whether a parameter is a weight: `q=0.9`.
fn is_weight(parameter: &[u8]) -> bool {
    let mut letters = parameter.iter().filter(|byte| !byte.is_ascii_whitespace());
    matches!((letters.next(), letters.next()), (Some(b'q' | b'Q'), Some(b'=')))
}

/// A text that is hashed as it is put together.
#[derive(Default)]
struct List {
    hash: Sha256,
    has_any: bool,
}

impl List {
    /// Appends what stands between two entries, before all but the first.
    fn separate(&mut self, separator: &[u8]) {
        if std::mem::replace(&mut self.has_any, true) {
            self.hash.update(separator);
        }
    }

    /// Appends a text in small letters, without white space.
    fn small(&mut self, text: &[u8]) {
        for piece in text.chunks(64) {
            let (mut small, mut length) = ([0; 64], 0);
            for (place, byte) in small.iter_mut().zip(piece.iter().filter(|byte| !byte.is_ascii_whitespace()))
            {
                *place = byte.to_ascii_lowercase();
                length += 1;
            }
            self.hash.update(small.get(..length).unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::message;

    fn of(head: &str) -> String {
        let mut out = Vec::new();
        client(&message(format!("{head}\r\n\r\n").as_bytes(), b""), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_same_program_has_the_same() {
        let first = of("GET /a HTTP/1.1\r\nHost: a\r\nUser-Agent: curl/8\r\nAccept: */*");
        // `printf user-agent,accept | sha256sum`, `printf 'accept=*/*' | sha256sum`
        assert_eq!(first, "hc1:11:5594a17e7e7e:6a44afd7efda");
        let other = "POST /b HTTP/1.1\r\nHost: b\r\nuser-agent: curl/9\r\nX-A: 1\r\nAccept: */*\r\nContent-Length: 0\r\n\
                     Cookie: a=b\r\nReferer: c\r\nX-Forwarded-For: d";
        assert_eq!(of(other), first, "whatever it asks for");
        for different in [
            "GET /a HTTP/1.0\r\nHost: a\r\nUser-Agent: curl/8\r\nAccept: */*",
            "GET /a HTTP/1.1\r\nHost: a\r\nAccept: */*\r\nUser-Agent: curl/8",
            "GET /a HTTP/1.1\r\nHost: a\r\nUser-Agent: curl/8\r\nAccept: text/html",
            "GET /a HTTP/1.1\r\nHost: a\r\nUser-Agent: curl/8\r\nAccept: */*\r\nAccept-Language: de",
        ] {
            assert_ne!(of(different), first, "{different}");
        }
        let weights =
            "GET / HTTP/1.1\r\nAccept: Text/HTML; level=1 ;q=0.9 , */*;q=0.1\r\nAccept-Language: de,en;q=0.5";
        let plain = "GET / HTTP/1.1\r\nAccept: text/html;level=1,*/*\r\nAccept-Language: DE, en";
        assert_eq!(of(weights), of(plain));
    }
}
