//! Hand-built messages and transactions for the tests.
use crate::flow::FlowInfo;
use crate::zeek::Form;
use harken_http::{Completeness, Exchange, Field, Known, Message, Span, Version};
use harken_wire::{Encap, Ip, Timestamp};

/// 2026-11-24 12:36:18.25 UTC.
pub(crate) const T0: Timestamp = Timestamp(1_795_523_778_250_000_000);

/// A message from its head as sent; `body` is its decoded body.
pub(crate) fn message(head: &[u8], body: &[u8]) -> Message {
    let span = |part: &[u8]| {
        let start = part.as_ptr() as usize - head.as_ptr() as usize;
        Span::new(start, start + part.len())
    };
    let end = head.windows(2).position(|w| w == b"\r\n").unwrap();
    let mut start_line = head[..end].splitn(3, |b| *b == b' ');
    let mut next = || start_line.next().map(span).unwrap_or_default();
    let mut m = Message { first: next(), second: next(), third: next(), ..Message::default() };
    let mut at = end + 2;
    while !head[at..].starts_with(b"\r\n") {
        let len = head[at..].windows(2).position(|w| w == b"\r\n").unwrap();
        let line = &head[at..at + len];
        let colon = line.iter().position(|b| *b == b':').unwrap();
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        m.fields.push(Field { name: span(name), value: span(value) });
        note_known(&mut m, name);
        at += len + 2;
    }
    m.trailers_at = m.fields.len();
    m.head = head.to_vec();
    m.head_len = head.len() as u64;
    let version = if head.starts_with(b"HTTP/") { m.first } else { m.third };
    m.version = match version.of(head) {
        b"HTTP/1.1" => Some(Version { major: 1, minor: 1 }),
        b"HTTP/1.0" => Some(Version { major: 1, minor: 0 }),
        _ => None,
    };
    if head.starts_with(b"HTTP/") {
        m.response = true;
        m.status = std::str::from_utf8(m.second.of(head)).unwrap().parse().unwrap();
    }
    (m.start, m.head_end, m.first_body, m.end) = (T0, T0.plus(1000), T0.plus(2000), T0.plus(3000));
    m.body.kept = body.to_vec();
    (m.body.wire_len, m.body.decoded_len) = (body.len() as u64, body.len() as u64);
    m.completeness = Completeness::Full;
    m
}

/// Header fields that are found by name.
const KNOWN: [(&str, Known); 8] = [
    ("host", Known::Host),
    ("content-type", Known::ContentType),
    ("user-agent", Known::UserAgent),
    ("referer", Known::Referer),
    ("origin", Known::Origin),
    ("authorization", Known::Authorization),
    ("proxy-authorization", Known::ProxyAuthorization),
    ("content-disposition", Known::ContentDisposition),
];

/// Puts the last field of a message into its index.
fn note_known(m: &mut Message, name: &[u8]) {
    for (_, which) in KNOWN.iter().filter(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes())) {
        match m.known[*which as usize] {
            0 => m.known[*which as usize] = m.fields.len() as u16,
            _ => m.repeated |= 1 << *which as u32,
        }
    }
}

pub(crate) fn exchange(request: Option<Message>, response: Option<Message>) -> Exchange {
    Exchange {
        depth: 1,
        request: request.map(Box::new),
        response: response.map(Box::new),
        ..Exchange::default()
    }
}

pub(crate) fn flow(form: Form, encap: Encap) -> FlowInfo {
    let (client, server) = ((Ip::v4([10, 0, 0, 1]), 50000), (Ip::v4([192, 0, 2, 80]), 8080));
    FlowInfo::new(client, server, encap.into(), T0, form, 0)
}

/// A usual request and its response.
pub(crate) fn typical() -> Exchange {
    let request = message(
        b"GET /api/v1/orders/4711?expand=items HTTP/1.1\r\nHost: shop.example.com\r\n\
          User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
          Accept: application/json\r\nAccept-Encoding: gzip, br\r\nReferer: https://shop.example.com/orders\r\n\
          Cookie: session=0123456789abcdef; theme=dark\r\nAuthorization: Bearer eyJhbGciOi.J9.abc\r\n\r\n",
        b"",
    );
    let mut response = message(
        b"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: application/json\r\nContent-Length: 27\r\n\
          Set-Cookie: session=fedcba; Path=/; HttpOnly\r\n\r\n",
        b"{\"order\":4711,\"items\":[1]}\n",
    );
    response.body.sniffed = Some("application/json");
    response.start = T0.plus(20_000_000);
    response.end = T0.plus(21_500_000);
    exchange(Some(request), Some(response))
}
