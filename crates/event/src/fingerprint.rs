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
use std::collections::HashMap;

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

/// Fingerprints that were worked out lately: the requests of a program have the same texts.
const MAX_KNOWN: usize = 1024;
/// Longer texts are worked out each time.
const MAX_TEXT: usize = 512;

/// Makes fingerprints. One for each thread.
#[derive(Debug, Default)]
pub struct Fingerprints {
    /// The two texts of a request, the second behind a line feed.
    text: Vec<u8>,
    known: HashMap<Box<[u8]>, Digits>,
}

/// The digits of ORDER and of ACCEPT, with a colon between them.
type Digits = [u8; 25];

impl Fingerprints {
    /// Appends the fingerprint of the client that has sent a request.
    pub fn client(&mut self, request: &Message, out: &mut Vec<u8>) {
        self.read(request);
        let version = request.version.map_or((0, 9), |version| (version.major, version.minor));
        out.extend_from_slice(b"hc1:");
        number::decimal(out, u64::from(version.0));
        number::decimal(out, u64::from(version.1));
        out.push(b':');
        if let Some(digits) = self.known.get(self.text.as_slice()) {
            out.extend_from_slice(digits);
            return;
        }
        let digits = digits(&self.text);
        out.extend_from_slice(&digits);
        if self.text.len() > MAX_TEXT {
            return;
        }
        if self.known.len() >= MAX_KNOWN {
            self.known.clear();
        }
        self.known.insert(self.text.as_slice().into(), digits);
    }

    /// Puts the two texts together.
    fn read(&mut self, request: &Message) {
        let text = &mut self.text;
        text.clear();
        for (name, _) in request.headers().filter(|(name, _)| !is_of_request(name)) {
            if !text.is_empty() {
                text.push(b',');
            }
            small(text, name);
        }
        text.push(b'\n');
        let start = text.len();
        for name in ACCEPT {
            let values = request.headers().filter(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()));
            let elements = values.flat_map(|(_, value)| value.split(|byte| *byte == b','));
            let mut is_first = true;
            for element in elements.filter(|element| !element.trim_ascii().is_empty()) {
                if std::mem::take(&mut is_first) {
                    if text.len() > start {
                        text.push(b';');
                    }
                    text.extend_from_slice(name.as_bytes());
                    text.push(b'=');
                } else {
                    text.push(b',');
                }
                let parts = element.split(|byte| *byte == b';');
                for (number, part) in parts.filter(|part| !is_weight(part)).enumerate() {
                    if number > 0 {
                        text.push(b';');
                    }
                    small(text, part);
                }
            }
        }
    }
}

/// Appends a text in small letters, without white space.
fn small(to: &mut Vec<u8>, text: &[u8]) {
    to.extend(text.iter().filter(|byte| !byte.is_ascii_whitespace()).map(u8::to_ascii_lowercase));
}

/// The digits of two texts.
fn digits(texts: &[u8]) -> Digits {
    let at = memchr::memchr(b'\n', texts).unwrap_or(texts.len());
    let (order, accept) = texts.split_at_checked(at).unwrap_or_default();
    let mut out = Vec::with_capacity(size_of::<Digits>());
    for (number, text) in [order, accept.get(1..).unwrap_or_default()].into_iter().enumerate() {
        if number > 0 {
            out.push(b':');
        }
        Sha256::digest(text).iter().take(6).for_each(|byte| text::hex_byte(&mut out, *byte));
    }
    out.try_into().unwrap_or([b'0'; size_of::<Digits>()])
}

/// Whether a parameter is a weight: `q=0.9`.
fn is_weight(parameter: &[u8]) -> bool {
    let mut letters = parameter.iter().filter(|byte| !byte.is_ascii_whitespace());
    matches!((letters.next(), letters.next()), (Some(b'q' | b'Q'), Some(b'=')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::message;

    fn of(head: &str) -> String {
        let mut out = Vec::new();
        let mut fingerprints = Fingerprints::default();
        for _ in 0..2 {
            // The second time it is known.
            out.clear();
            fingerprints.client(&message(format!("{head}\r\n\r\n").as_bytes(), b""), &mut out);
        }
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
