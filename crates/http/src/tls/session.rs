//! The records of a TLS connection, read until the handshake is over.
use super::hello::{ClientHello, MAX_HELLO, ServerHello};
use super::{Tls, fingerprint, names};
use harken_flow::Dir;
use harken_wire::Timestamp;

/// Types of records.
mod record {
    pub(super) const CHANGE_CIPHER_SPEC: u8 = 20;
    pub(super) const ALERT: u8 = 21;
    pub(super) const HANDSHAKE: u8 = 22;
    pub(super) const APPLICATION_DATA: u8 = 23;
    pub(super) const HEARTBEAT: u8 = 24;
}

/// Types of handshake messages.
mod message {
    pub(super) const CLIENT_HELLO: u8 = 1;
    pub(super) const SERVER_HELLO: u8 = 2;
    pub(super) const SERVER_KEY_EXCHANGE: u8 = 12;
    pub(super) const CLIENT_KEY_EXCHANGE: u8 = 16;
}

/// Letters of handshake messages in Zeek's `ssl_history`.
const LETTERS: [(u8, u8); 17] = [
    (0, b'h'),
    (1, b'c'),
    (2, b's'),
    (3, b'v'),
    (4, b't'),
    (5, b'e'),
    (6, b'j'),
    (8, b'o'),
    (11, b'x'),
    (12, b'k'),
    (13, b'r'),
    (14, b'n'),
    (15, b'y'),
    (16, b'g'),
    (20, b'f'),
    (21, b'w'),
    (22, b'u'),
];

/// Bytes of a connection after which its handshake is not waited for any longer.
const MAX_BYTES: u64 = 256 * 1024;
/// Most letters of a history.
const MAX_HISTORY: usize = 15;

/// Whether a version is TLS 1.3, or a draft of it.
const fn is_13(version: u16) -> bool {
    version == 0x0304 || version >> 8 == 0x7f
}

/// The handshake of a connection.
#[derive(Debug, Default)]
pub(crate) struct Session {
    tls: Tls,
    sides: [Side; 2],
    /// What the client has offered to go on with, once its hello was seen.
    offer: Option<Offer>,
    bytes: u64,
    has_client_key: bool,
    /// See [`crate::Limits::held`].
    pub(crate) weight: u64,
}

/// An earlier session that a client would go on with.
#[derive(Debug)]
struct Offer {
    session_id: Vec<u8>,
    has_ticket: bool,
}

/// One direction.
#[derive(Debug, Default)]
struct Side {
    /// The head of a record, and how much of it was read.
    head: [u8; 5],
    have: u8,
    /// Bytes of the record that are to come.
    left: u16,
    /// Records are encrypted from here on.
    is_encrypted: bool,
    /// Where the next record begins is not known.
    is_lost: bool,
    message: Message,
}

/// A handshake message.
#[derive(Debug, Default)]
struct Message {
    head: [u8; 4],
    have: u8,
    left: u32,
    /// Its first bytes, of those that are read.
    kept: Vec<u8>,
}

impl Session {
    /// Takes the next bytes of a direction. Whether the handshake is over, or nothing more can be known of it.
    pub(crate) fn data(&mut self, dir: Dir, mut bytes: &[u8], ts: Timestamp) -> bool {
        self.bytes += bytes.len() as u64;
        while let Some((first, behind)) = bytes.split_first() {
            let Some(side) = self.sides.get_mut(dir as usize).filter(|side| !side.is_lost) else {
                return true;
            };
            if side.left == 0 {
                if let Some(place) = side.head.get_mut(usize::from(side.have)) {
                    *place = *first;
                }
                side.have += 1;
                bytes = behind;
                if side.have < 5 {
                    continue;
                }
                if self.sslv2_hello(dir, ts) {
                    continue;
                }
                let Some(side) = self.sides.get_mut(dir as usize) else { return true };
                let [kind, major, _, high, low] = side.head;
                (side.have, side.left) = (0, u16::from_be_bytes([high, low]));
                if !(20..=24).contains(&kind) || major != 3 {
                    side.is_lost = true;
                    return true;
                }
                if self.record(dir, kind, ts) {
                    return true;
                }
                continue;
            }
            let take = bytes.len().min(usize::from(side.left));
            let (inside, rest) = bytes.split_at_checked(take).unwrap_or_default();
            let is_first = side.left == u16::from_be_bytes([side.head[3], side.head[4]]);
            side.left -= take as u16;
            bytes = rest;
            match (side.head[0], side.is_encrypted) {
                (record::HANDSHAKE, false) => self.handshake(dir, inside, ts),
                (record::ALERT, false) if is_first => self.alert(dir, inside),
                _ => {}
            }
        }
        self.bytes > MAX_BYTES
    }

    /// Bytes are missing. Whether nothing more can be known.
    pub(crate) fn gap(&mut self, dir: Dir, length: u64) -> bool {
        let Some(side) = self.sides.get_mut(dir as usize) else { return true };
        match u16::try_from(length) {
            // What is missing lies inside of what is not read.
            Ok(length) if length <= side.left && (side.is_encrypted || side.head[0] != record::HANDSHAKE) => {
                side.left -= length;
                false
            }
            _ => {
                side.is_lost = true;
                true
            }
        }
    }

    /// Bytes that are held.
    pub(crate) fn holds(&self) -> u64 {
        self.sides.iter().map(|side| side.message.kept.capacity() as u64).sum()
    }

    /// The server name.
    pub(crate) fn server_name(&self) -> Option<&str> {
        self.tls.server_name.as_deref()
    }

    /// What was found out; `None` where that is nothing.
    pub(crate) fn finish(self) -> Option<Box<Tls>> {
        (!self.tls.history.is_empty()).then(|| Box::new(self.tls))
    }

    fn letter(&mut self, dir: Dir, letter: u8) {
        if self.tls.history.len() < MAX_HISTORY {
            let letter = if dir == Dir::Orig { letter.to_ascii_uppercase() } else { letter };
            self.tls.history.push(char::from(letter));
        }
    }

    /// A ClientHello in the form of SSL 2, RFC 5246 appendix E.2: it names versions and ciphers, and no server.
    fn sslv2_hello(&mut self, dir: Dir, ts: Timestamp) -> bool {
        let Some(side) = self.sides.get_mut(dir as usize) else { return false };
        let [high @ 0x80..=0xff, low, message::CLIENT_HELLO, _, _] = side.head else { return false };
        if dir != Dir::Orig || !self.tls.history.is_empty() {
            return false;
        }
        // Three bytes of the message are read.
        side.left = (u16::from_be_bytes([high & 0x7f, low])).saturating_sub(3);
        (side.have, side.head) = (0, [0; 5]);
        self.tls.start = ts;
        self.letter(dir, b'c');
        true
    }

    /// A record begins. Whether the handshake is over with it.
    fn record(&mut self, dir: Dir, kind: u8, ts: Timestamp) -> bool {
        if self.tls.start == Timestamp(0) {
            self.tls.start = ts;
        }
        let is_13 = self.tls.version.is_some_and(is_13);
        let Some(side) = self.sides.get_mut(dir as usize) else { return true };
        let is_cipher = side.is_encrypted || kind == record::APPLICATION_DATA;
        match kind {
            record::CHANGE_CIPHER_SPEC if !side.is_encrypted => {
                side.is_encrypted = true;
                let has_ticket = self.offer.as_ref().is_some_and(|offer| offer.has_ticket);
                if dir == Dir::Orig && has_ticket && !self.has_client_key && !is_13 {
                    self.tls.resumed = true;
                }
                self.letter(dir, b'i');
                return false;
            }
            record::APPLICATION_DATA => side.is_encrypted = true,
            record::HEARTBEAT if !side.is_encrypted => self.letter(dir, b'b'),
            _ => {}
        }
        let both = self.sides.iter().all(|side| side.is_encrypted);
        self.tls.established |= both && is_cipher;
        self.tls.established
    }

    fn alert(&mut self, dir: Dir, bytes: &[u8]) {
        if let [_, description, ..] = bytes {
            self.tls.last_alert = Some(*description);
            self.letter(dir, b'l');
        }
    }

    fn handshake(&mut self, dir: Dir, mut bytes: &[u8], ts: Timestamp) {
        while let Some((first, behind)) = bytes.split_first() {
            let Some(side) = self.sides.get_mut(dir as usize) else { return };
            let message = &mut side.message;
            if message.have < 4 {
                if let Some(place) = message.head.get_mut(usize::from(message.have)) {
                    *place = *first;
                }
                message.have += 1;
                bytes = behind;
                if message.have < 4 {
                    continue;
                }
                let [_, a, b, c] = message.head;
                message.left = u32::from_be_bytes([0, a, b, c]);
            } else {
                let take = bytes.len().min(message.left as usize);
                let (inside, rest) = bytes.split_at_checked(take).unwrap_or_default();
                bytes = rest;
                message.left -= take as u32;
                let keep = match message.head[0] {
                    message::CLIENT_HELLO | message::SERVER_HELLO => MAX_HELLO,
                    message::SERVER_KEY_EXCHANGE => 3,
                    _ => 0,
                };
                let room = keep.saturating_sub(message.kept.len());
                message.kept.extend_from_slice(inside.get(..room).unwrap_or(inside));
            }
            if message.left == 0 {
                let (kind, kept) = (message.head[0], std::mem::take(&mut message.kept));
                message.have = 0;
                self.message(dir, kind, &kept, ts);
            }
        }
    }

    /// A whole handshake message.
    fn message(&mut self, dir: Dir, kind: u8, body: &[u8], ts: Timestamp) {
        let letter = LETTERS.iter().find(|(known, _)| *known == kind).map_or(b'z', |(_, letter)| *letter);
        self.letter(dir, letter);
        match (kind, dir) {
            (message::CLIENT_HELLO, Dir::Orig) => self.client_hello(body, ts),
            (message::SERVER_HELLO, Dir::Resp) => self.server_hello(body),
            (message::SERVER_KEY_EXCHANGE, Dir::Resp) => {
                // A named curve, RFC 8422 section 5.4; other key exchanges begin with a length.
                let is_elliptic =
                    self.tls.cipher.and_then(names::cipher).is_some_and(|n| n.contains("_ECDH"));
                if let ([3, high, low], true) = (body, is_elliptic) {
                    self.tls.curve = Some(u16::from_be_bytes([*high, *low]));
                }
            }
            (message::CLIENT_KEY_EXCHANGE, Dir::Orig) => self.has_client_key = true,
            _ => {}
        }
    }

    fn client_hello(&mut self, body: &[u8], ts: Timestamp) {
        // Behind a HelloRetryRequest the first one counts.
        if self.offer.is_some() {
            return;
        }
        let Some(hello) = ClientHello::read(body) else { return };
        self.tls.start = ts;
        self.tls.ja3 = Some(fingerprint::ja3(&hello));
        self.tls.ja4 = Some(fingerprint::ja4(&hello, 't'));
        self.tls.server_name = hello.server_name;
        self.offer = Some(Offer { session_id: hello.session_id, has_ticket: hello.has_ticket });
    }

    fn server_hello(&mut self, body: &[u8]) {
        let Some(hello) = ServerHello::read(body) else { return };
        let tls = &mut self.tls;
        tls.version = Some(hello.version);
        tls.cipher = Some(hello.cipher);
        tls.curve = hello.group.or(tls.curve);
        tls.ja3s = Some(fingerprint::ja3s(&hello));
        tls.next_protocol = hello.alpn.as_ref().map(|name| String::from_utf8_lossy(name).into_owned());
        let is_same = self.offer.as_ref().is_some_and(|offer| {
            offer.session_id == hello.session_id && offer.session_id.iter().any(|byte| *byte != 0)
        });
        tls.resumed |= hello.has_psk || is_same && !is_13(hello.version);
    }
}
