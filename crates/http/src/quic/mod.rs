//! QUIC (RFC 9000): the server name and the protocols that a client asks for, out of its Initial packets. Their keys follow
//! from what they say themselves (RFC 9001 section 5.2); nothing else is decrypted.
mod keys;
mod packet;

use crate::tls::fingerprint::ja4;
use crate::tls::hello::{ClientHello, MAX_HELLO};
use harken_wire::{Datagram, Ip, Timestamp};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// What the ClientHello of a connection tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quic {
    /// When the first of its packets was captured.
    pub start: Timestamp,
    /// The version of QUIC that the client begins with.
    pub version: u32,
    /// The connection identifier that the client has made up for the server.
    pub initial_dcid: Vec<u8>,
    /// The client's own.
    pub client_scid: Vec<u8>,
    /// Server name that it asks for.
    pub server_name: Option<String>,
    /// The protocol of ALPN that it would like best.
    pub client_protocol: Option<String>,
    /// JA4.
    pub ja4: String,
}

/// The name of a version, as Zeek writes it.
pub fn version_name(version: u32) -> String {
    match version {
        1 => "1".to_owned(),
        packet::VERSION_2 => "quicv2".to_owned(),
        0xff00_0000.. => format!("draft-{}", version & 0xff),
        _ => format!("unknown-{version:#x}"),
    }
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Datagrams that may begin a connection.
    pub datagrams: u64,
    /// Initial packets of clients that were decrypted.
    pub initials: u64,
    /// ClientHellos read.
    pub hellos: u64,
    /// ClientHellos that were not whole when they were given up: too many were waited for.
    pub unfinished: u64,
}

impl Stats {
    /// Adds the counters of another reader (another shard's).
    pub fn add(&mut self, other: &Self) {
        self.datagrams += other.datagrams;
        self.initials += other.initials;
        self.hellos += other.hellos;
        self.unfinished += other.unfinished;
    }
}

/// Connections of which something is kept: what of the ClientHello is there, or that it was told.
const MAX_CONNECTIONS: usize = 4096;
/// Pieces of one ClientHello that are kept.
const MAX_PIECES: usize = 32;

/// Nanoseconds within which another first packet between the same ports belongs to the same connection, after a Retry.
const SAME: u64 = 10_000_000_000;

/// Address and port of the client, and of the server.
type Key = (Ip, u16, Ip, u16);

/// A connection that has begun.
#[derive(Debug)]
struct Connection {
    start: Timestamp,
    /// The keys follow from it.
    dcid: Vec<u8>,
    client_scid: Vec<u8>,
    /// Parts of the ClientHello by their offset; `None` when it was told.
    pieces: Option<BTreeMap<usize, Vec<u8>>>,
}

/// The reader of all connections of a shard.
#[derive(Debug, Default)]
pub struct Reader {
    connections: HashMap<Key, Connection>,
    /// In the order of their beginning.
    order: VecDeque<Key>,
    stats: Stats,
}

impl Reader {
    /// Counters so far.
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Takes a datagram. What the ClientHello tells that becomes whole with it.
    pub fn datagram(&mut self, ts: Timestamp, datagram: &Datagram<'_>) -> Option<Box<Quic>> {
        self.stats.datagrams += 1;
        let key = (datagram.src, datagram.sport, datagram.dst, datagram.dport);
        let mut rest = datagram.payload;
        let mut told = None;
        // Several packets may be in one datagram (RFC 9000 section 12.2).
        while let Some((initial, behind)) = packet::Initial::read(rest) {
            rest = behind;
            told = told.or(self.initial(ts, key, &initial));
        }
        told
    }

    fn initial(&mut self, ts: Timestamp, key: Key, initial: &packet::Initial<'_>) -> Option<Box<Quic>> {
        let known = self.connections.get(&key);
        let is_told = known.is_some_and(|known| {
            known.pieces.is_none() && (known.dcid == initial.dcid || ts.since(known.start) < SAME)
        });
        if is_told {
            return None;
        }
        // The client goes on with the server's identifier once it has that, and with the keys of its own.
        let earlier = known.map(|known| known.dcid.as_slice()).filter(|dcid| *dcid != initial.dcid);
        let (frames, is_new) = match (initial.open(initial.dcid), earlier) {
            (Some(frames), _) => (frames, known.is_none() || earlier.is_some()),
            (None, Some(earlier)) => (initial.open(earlier)?, false),
            (None, None) => return None,
        };
        self.stats.initials += 1;
        if is_new {
            self.insert(key, ts, initial);
        }
        let connection = self.connections.get_mut(&key)?;
        let pieces = connection.pieces.as_mut()?;
        packet::each_crypto(&frames, |offset, bytes| {
            if pieces.len() < MAX_PIECES && offset.saturating_add(bytes.len()) <= MAX_HELLO {
                // Of two at the same place the longer one has all of the other.
                let piece = pieces.entry(offset).or_default();
                if piece.len() < bytes.len() {
                    *piece = bytes.to_vec();
                }
            }
        });
        let hello = whole(pieces).and_then(|message| ClientHello::read(&message))?;
        self.stats.hellos += 1;
        connection.pieces = None;
        Some(Box::new(Quic {
            start: connection.start,
            version: initial.version,
            initial_dcid: connection.dcid.clone(),
            client_scid: std::mem::take(&mut connection.client_scid),
            ja4: ja4(&hello, 'q'),
            server_name: hello.server_name,
            client_protocol: hello.alpn.map(|name| String::from_utf8_lossy(&name).into_owned()),
        }))
    }

    /// A connection begins, or begins anew: after a Retry, or between ports that are used again.
    fn insert(&mut self, key: Key, start: Timestamp, initial: &packet::Initial<'_>) {
        let (dcid, client_scid) = (initial.dcid.to_vec(), initial.scid.to_vec());
        let new = Connection { start, dcid, client_scid, pieces: Some(BTreeMap::new()) };
        if self.connections.insert(key, new).is_some() {
            return;
        }
        if self.order.len() >= MAX_CONNECTIONS
            && let Some(oldest) = self.order.pop_front()
        {
            let oldest = self.connections.remove(&oldest);
            self.stats.unfinished += u64::from(oldest.is_some_and(|oldest| oldest.pieces.is_some()));
        }
        self.order.push_back(key);
    }

    /// The input is over: what is not whole is given up.
    pub fn finish(&mut self) {
        let unfinished = self.connections.values().filter(|connection| connection.pieces.is_some());
        self.stats.unfinished += unfinished.count() as u64;
        self.connections.clear();
        self.order.clear();
    }
}

/// The body of the ClientHello, when all of it is there.
fn whole(pieces: &BTreeMap<usize, Vec<u8>>) -> Option<Vec<u8>> {
    let mut message = Vec::new();
    for (offset, piece) in pieces {
        // A hole is an end; what was sent twice counts once.
        let Some(new) = message.len().checked_sub(*offset).map(|known| piece.get(known..)) else { break };
        message.extend_from_slice(new.unwrap_or_default());
    }
    let (head, body) = message.split_first_chunk::<4>()?;
    let [1, length @ ..] = *head else { return None };
    let length = length.iter().fold(0, |n, byte| n << 8 | usize::from(*byte));
    body.get(..length).map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests;
