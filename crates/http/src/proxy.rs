//! The PROXY protocol, versions 1 and 2, by which a proxy says before all else who its client is.
//! (<https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt>)
use harken_wire::Ip;

/// What the first bytes of a connection are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Look {
    /// Something else.
    Other,
    /// Perhaps the beginning of a header.
    NeedMore,
    /// A header of that many bytes, with the client's address and port, unless it says that there is none.
    Header(usize, Option<(Ip, u16)>),
}

/// First bytes of version 2.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Longest header of version 1, with its end of line.
const MAX_LINE: usize = 107;
/// Longest header of version 2 that is waited for.
const MAX_BINARY: usize = 2048;

/// Looks at the first bytes of a client's direction.
pub fn look(bytes: &[u8]) -> Look {
    match bytes.first() {
        Some(b'P') => line(bytes),
        Some(b'\r') => binary(bytes),
        _ => Look::Other,
    }
}

fn line(bytes: &[u8]) -> Look {
    const START: &[u8] = b"PROXY ";
    if !bytes.starts_with(START) {
        return if START.starts_with(bytes) { Look::NeedMore } else { Look::Other };
    }
    let Some(end) = memchr::memmem::find(bytes.get(..MAX_LINE).unwrap_or(bytes), b"\r\n") else {
        return if bytes.len() < MAX_LINE { Look::NeedMore } else { Look::Other };
    };
    let Some(text) = bytes.get(START.len()..end).and_then(|text| std::str::from_utf8(text).ok()) else {
        return Look::Other;
    };
    let mut words = text.split(' ');
    match words.next() {
        Some("UNKNOWN") => Look::Header(end + 2, None),
        Some("TCP4" | "TCP6") => {
            let mut words = words.filter(|word| !word.is_empty());
            let (Some(from), Some(_), Some(port)) = (words.next(), words.next(), words.next()) else {
                return Look::Other;
            };
            match (from.parse::<std::net::IpAddr>(), port.parse()) {
                (Ok(ip), Ok(port)) => Look::Header(end + 2, Some((Ip::from(ip), port))),
                _ => Look::Other,
            }
        }
        _ => Look::Other,
    }
}

fn binary(bytes: &[u8]) -> Look {
    if !bytes.starts_with(SIGNATURE) {
        return if SIGNATURE.starts_with(bytes) { Look::NeedMore } else { Look::Other };
    }
    let Some(&[command, family, high, low]) = bytes.get(12..16) else { return Look::NeedMore };
    let length = usize::from(u16::from_be_bytes([high, low]));
    let total = 16 + length;
    if command >> 4 != 2 || total > MAX_BINARY {
        return Look::Other;
    }
    let Some(body) = bytes.get(16..total) else { return Look::NeedMore };
    let address = match (command & 15, family, body) {
        // PROXY, and TCP over IPv4 or IPv6; LOCAL is the proxy's own check.
        (1, 0x11, [a, b, c, d, _, _, _, _, high, low, ..]) => {
            Some((Ip::v4([*a, *b, *c, *d]), u16::from_be_bytes([*high, *low])))
        }
        (1, 0x21, body) => ipv6(body),
        _ => None,
    };
    Look::Header(total, address)
}

fn ipv6(body: &[u8]) -> Option<(Ip, u16)> {
    let from: [u8; 16] = body.get(..16)?.try_into().ok()?;
    let port: [u8; 2] = body.get(32..34)?.try_into().ok()?;
    Some((Ip::v6(from), u16::from_be_bytes(port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], want: Look) {
        assert_eq!(look(bytes), want);
        if let Look::Header(length, _) = want {
            for cut in 1..length {
                assert_eq!(look(&bytes[..cut]), Look::NeedMore, "{cut} bytes");
            }
        }
    }

    /// The examples of the specification, and others.
    #[test]
    fn headers() {
        let v4 = Ip::v4([192, 168, 0, 1]);
        check(b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\nGET /", Look::Header(47, Some((v4, 56324))));
        let full = Ip::v6([0xff; 16]);
        let text = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        check(
            format!("PROXY TCP6 {text} {text} 65535 65535\r\n").as_bytes(),
            Look::Header(104, Some((full, 65535))),
        );
        check(b"PROXY UNKNOWN\r\n", Look::Header(15, None));
        let header = |command: u8, family: u8, body: &[u8]| {
            let length = (body.len() as u16).to_be_bytes();
            [&SIGNATURE[..], &[command, family], &length, body].concat()
        };
        let body = [10, 0, 0, 7, 10, 0, 0, 1, 0x12, 0x34, 1, 0xbb, 4, 0, 1, 9];
        check(&header(0x21, 0x11, &body), Look::Header(32, Some((Ip::v4([10, 0, 0, 7]), 0x1234))));
        let body = [&[1; 16][..], &[2; 16], &[0, 9, 0, 80]].concat();
        check(&header(0x21, 0x21, &body), Look::Header(52, Some((Ip::v6([1; 16]), 9))));
        check(&header(0x20, 0, &[]), Look::Header(16, None));
        for bytes in
            [&b"PROXY NONE\r\n"[..], b"PUT / HTTP/1.1\r\n", b"\r\nGET / HTTP/1.1", &header(0x11, 0x11, &[])]
        {
            check(bytes, Look::Other);
        }
    }
}
