//! The two ends of one TCP connection, and the segments between them.
use super::packet::{self, ACK, FIN, Ip, PROTOCOL_TCP, PSH, SYN, Tcp};
use std::net::{IpAddr, SocketAddr};

/// Round trip between client and server in nanoseconds, as the mirrored server sees it.
pub(crate) const ROUND_TRIP: u64 = 400_000;
/// The time between two segments that leave back to back.
const SERIAL: u64 = 12_000;
/// MSS 1460, SACK permitted, time stamps, window scale 7: what Linux sends with its SYN.
const SYN_OPTIONS: [u8; 20] = [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];
/// A time stamp takes 12 bytes of each segment.
pub(crate) const MSS: usize = 1448;

/// Which end sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Client,
    Server,
}

struct Host {
    address: SocketAddr,
    mac: [u8; 6],
    seq: u32,
    ip_id: u16,
}

/// A captured Ethernet frame and when it was seen, in nanoseconds since the Unix epoch.
pub(crate) struct Timed {
    pub(crate) ts: u64,
    pub(crate) frame: Vec<u8>,
}

/// One connection. Its methods append the frames that a capture at the server would see; a frame's time may
/// lie behind that of frames appended after it, as acknowledgements cross data.
pub(crate) struct Conversation {
    client: Host,
    server: Host,
    mss: usize,
}

impl Conversation {
    /// Between two addresses of one family. `seed` chooses the initial sequence numbers.
    pub(crate) fn new(client: SocketAddr, server: SocketAddr, seed: u64, mss: usize) -> Self {
        let host = |address: SocketAddr, seq: u64, id: u64| Host {
            address,
            mac: packet::mac(match address.ip() {
                IpAddr::V4(ip) => ip.to_bits(),
                IpAddr::V6(ip) => ip.to_bits() as u32,
            }),
            seq: seq as u32,
            ip_id: id as u16,
        };
        Self { client: host(client, seed, seed >> 8), server: host(server, seed >> 32, seed >> 24), mss }
    }

    /// One segment from `end`, which acknowledges all that the other end has sent.
    pub(crate) fn segment(&mut self, ts: u64, end: End, flags: u8, payload: &[u8]) -> Timed {
        let (from, to) = match end {
            End::Client => (&mut self.client, &mut self.server),
            End::Server => (&mut self.server, &mut self.client),
        };
        let clock = ((ts / 1_000_000) as u32).to_be_bytes();
        let mut stamp = [1, 1, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0];
        stamp.iter_mut().skip(4).zip(clock.iter().chain(&clock)).for_each(|(to, from)| *to = *from);
        let (options, window) =
            if flags & SYN != 0 { (SYN_OPTIONS.as_slice(), 64240) } else { (stamp.as_slice(), 502) };
        let (src, dst) = (from.address.ip(), to.address.ip());
        let mut frame = Vec::with_capacity(94 + payload.len());
        packet::ethernet(&mut frame, from.mac, to.mac, packet::ethertype(src));
        from.ip_id = from.ip_id.wrapping_add(1);
        let header = Ip { src, dst, protocol: PROTOCOL_TCP, ttl: 64, id: from.ip_id, dont_fragment: true };
        packet::ip(&mut frame, &header, 20 + options.len() + payload.len());
        let tcp = Tcp {
            sport: from.address.port(),
            dport: to.address.port(),
            seq: from.seq,
            ack: if flags & ACK != 0 { to.seq } else { 0 },
            flags,
            window,
            options,
        };
        packet::tcp(&mut frame, src, dst, &tcp, payload);
        from.seq = from.seq.wrapping_add(payload.len() as u32 + u32::from(flags & (SYN | FIN) != 0));
        Timed { ts, frame }
    }

    /// The three-way handshake. Returns the time when the client can send.
    pub(crate) fn open(&mut self, ts: u64, out: &mut Vec<Timed>) -> u64 {
        out.push(self.segment(ts, End::Client, SYN, &[]));
        out.push(self.segment(ts + 30_000, End::Server, SYN | ACK, &[]));
        out.push(self.segment(ts + 30_000 + ROUND_TRIP, End::Client, ACK, &[]));
        ts + 40_000 + ROUND_TRIP
    }

    /// Sends bytes in full segments; the other end acknowledges every second one and, when `ack_last`, the
    /// last. Returns the time after the last segment.
    pub(crate) fn send(
        &mut self,
        mut ts: u64,
        end: End,
        bytes: &[u8],
        ack_last: bool,
        out: &mut Vec<Timed>,
    ) -> u64 {
        // The capture stands beside the server: its own segments are acknowledged a round trip later.
        let (other, way) = if end == End::Server { (End::Client, ROUND_TRIP) } else { (End::Server, 20_000) };
        let count = bytes.len().div_ceil(self.mss);
        for (at, payload) in bytes.chunks(self.mss).enumerate() {
            let last = at + 1 == count;
            let flags = if last { PSH | ACK } else { ACK };
            out.push(self.segment(ts, end, flags, payload));
            if if last { ack_last } else { at % 2 == 1 } {
                out.push(self.segment(ts + way, other, ACK, &[]));
            }
            ts += SERIAL;
        }
        ts
    }

    /// Both ends finish, `first` before the other. Returns the time of the end.
    pub(crate) fn close(&mut self, ts: u64, first: End, out: &mut Vec<Timed>) -> u64 {
        // The capture stands beside the server: the client's part comes a round trip later.
        let (second, answer, ack) = match first {
            End::Client => (End::Server, 50_000, ROUND_TRIP),
            End::Server => (End::Client, ROUND_TRIP, 20_000),
        };
        out.push(self.segment(ts, first, FIN | ACK, &[]));
        out.push(self.segment(ts + answer, second, FIN | ACK, &[]));
        out.push(self.segment(ts + answer + ack, first, ACK, &[]));
        ts + answer + ack + 10_000
    }
}
