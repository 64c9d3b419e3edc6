//! The server name of a TLS connection, from its ClientHello (RFC 8446 section 4.1.2, RFC 6066 section 3).
//! Nothing is decrypted: TLS is named and counted.

/// Bytes of a ClientHello that are waited for.
pub const MAX_HELLO: usize = 16 * 1024;

/// Outcome of looking for a server name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Hello {
    /// The ClientHello's server name.
    Name(String),
    /// A ClientHello without one, or something else.
    NoName,
    /// The ClientHello goes on beyond these bytes.
    NeedMore,
}

/// Reader over a slice that runs dry instead of panicking.
struct Cursor<'b>(&'b [u8]);

impl<'b> Cursor<'b> {
    fn take(&mut self, n: usize) -> Option<&'b [u8]> {
        let (front, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(front)
    }

    fn number(&mut self, bytes: usize) -> Option<usize> {
        Some(self.take(bytes)?.iter().fold(0, |n, b| n << 8 | usize::from(*b)))
    }

    fn vector(&mut self, length_bytes: usize) -> Option<Cursor<'b>> {
        let n = self.number(length_bytes)?;
        self.take(n).map(Cursor)
    }
}

/// Looks for the server name in the first bytes of the client's direction.
pub fn server_name(bytes: &[u8]) -> Hello {
    let mut handshake = Vec::new();
    let mut records = Cursor(bytes);
    // A ClientHello may be cut into several records.
    while let Some(&[kind, major, _, high, low]) = records.take(5) {
        if kind != 0x16 || major != 3 {
            return Hello::NoName;
        }
        let length = usize::from(high) << 8 | usize::from(low);
        let body = records.0.get(..length).unwrap_or(records.0);
        handshake.extend_from_slice(body);
        if records.take(length).is_none() {
            break;
        }
        match parse(&handshake) {
            Hello::NeedMore => {}
            known => return known,
        }
    }
    match parse(&handshake) {
        Hello::NeedMore if bytes.len() >= MAX_HELLO => Hello::NoName,
        outcome => outcome,
    }
}

fn parse(handshake: &[u8]) -> Hello {
    if handshake.first().is_some_and(|kind| *kind != 1) {
        return Hello::NoName;
    }
    let mut cursor = Cursor(handshake);
    let Some(length) = cursor.take(1).and_then(|_| cursor.number(3)) else { return Hello::NeedMore };
    if length > MAX_HELLO {
        return Hello::NoName;
    }
    let Some(body) = cursor.take(length) else { return Hello::NeedMore };
    match name_in(Cursor(body)) {
        Some(name) => Hello::Name(name),
        None => Hello::NoName,
    }
}

fn name_in(mut hello: Cursor<'_>) -> Option<String> {
    hello.take(2 + 32)?;
    hello.vector(1)?;
    hello.vector(2)?;
    hello.vector(1)?;
    let mut extensions = hello.vector(2)?;
    loop {
        let kind = extensions.number(2)?;
        let mut extension = extensions.vector(2)?;
        if kind != 0 {
            continue;
        }
        let mut list = extension.vector(2)?;
        while let Some(kind) = list.number(1) {
            let name = list.vector(2)?;
            if kind == 0 {
                // A DNS name has at most 253 characters.
                let plain = name.0.len() <= 253 && name.0.iter().all(u8::is_ascii_graphic);
                return (plain && !name.0.is_empty())
                    .then(|| String::from_utf8_lossy(name.0).to_ascii_lowercase());
            }
        }
        return None;
    }
}
