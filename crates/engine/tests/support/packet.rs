//! TCP segments taken out of captures, changed, and written as frames again, in any tunnel.
use super::Frame;
use harken_wire::{Decoded, Decoder, Ip, LinkType, Segment, TcpFlags};

/// A segment that owns its payload.
#[derive(Clone)]
pub(crate) struct Piece {
    pub(crate) ts: u64,
    pub(crate) segment: Segment<'static>,
    pub(crate) payload: Vec<u8>,
}

/// Both ends of a connection, the same for both directions.
pub(crate) type Flow = [(Ip, u16); 2];

impl Piece {
    pub(crate) fn flow(&self) -> Flow {
        let s = &self.segment;
        let mut ends = [(s.src, s.sport), (s.dst, s.dport)];
        ends.sort();
        ends
    }

    /// The segment cut into segments of at most `size` bytes.
    pub(crate) fn split(&self, size: usize) -> Vec<Self> {
        if self.payload.len() <= size {
            return vec![self.clone()];
        }
        let last = self.payload.len().div_ceil(size) - 1;
        let pieces = self.payload.chunks(size).enumerate();
        let piece = |(i, bytes): (usize, &[u8])| {
            let mut piece = Self { ts: self.ts + i as u64, payload: bytes.to_vec(), ..self.clone() };
            piece.segment.seq = self.segment.seq.wrapping_add((i * size) as u32);
            if i < last {
                piece.segment.flags = TcpFlags(self.segment.flags.0 & !TcpFlags::FIN);
            }
            piece
        };
        pieces.map(piece).collect()
    }
}

/// The segments of a capture. What is no TCP is left out.
pub(crate) fn pieces(frames: &[Frame]) -> Vec<Piece> {
    let mut decoder = Decoder::default();
    let mut pieces = Vec::new();
    for frame in frames {
        let link = LinkType::from_dlt(frame.dlt).unwrap();
        if let Ok(Decoded::Tcp(segment)) = decoder.decode(link, &frame.bytes) {
            let payload = segment.payload.to_vec();
            let segment = Segment { payload: &[], ..segment };
            pieces.push(Piece { ts: frame.ts, segment, payload });
        }
    }
    pieces
}

fn join(header: &[u8], payload: &[u8]) -> Vec<u8> {
    [header, payload].concat()
}

fn address(ip: Ip) -> Vec<u8> {
    match ip.to_std() {
        std::net::IpAddr::V4(ip) => ip.octets().to_vec(),
        std::net::IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

/// An IP packet; the addresses say which version. The checksum is left uncomputed, as a mirror may leave it.
fn ip(src: Ip, dst: Ip, ttl: u8, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut header = if src.is_v4() {
        let total = (20 + payload.len() as u16).to_be_bytes();
        vec![0x45, 0, total[0], total[1], 0, 7, 0x40, 0, ttl, protocol, 0, 0]
    } else {
        let length = (payload.len() as u16).to_be_bytes();
        vec![0x60, 0, 0, 0, length[0], length[1], protocol, ttl]
    };
    header.extend(address(src));
    header.extend(address(dst));
    join(&header, payload)
}

/// The IP packet of a segment.
fn inner(piece: &Piece, ttl: u8) -> Vec<u8> {
    let s = &piece.segment;
    let mut tcp = Vec::new();
    tcp.extend(s.sport.to_be_bytes());
    tcp.extend(s.dport.to_be_bytes());
    tcp.extend(s.seq.to_be_bytes());
    tcp.extend(s.ack.to_be_bytes());
    tcp.extend([0x50, s.flags.0]);
    tcp.extend(s.window.to_be_bytes());
    tcp.extend([0, 0, 0, 0]);
    ip(s.src, s.dst, ttl, 6, &join(&tcp, &piece.payload))
}

fn is_v6(packet: &[u8]) -> bool {
    packet[0] >> 4 == 6
}

fn ethernet(mac: u8, packet: &[u8]) -> Vec<u8> {
    let kind = if is_v6(packet) { [0x86, 0xdd] } else { [0x08, 0x00] };
    let mut header = vec![2, 0, 0, 0, 0, mac, 2, 0, 0, 0, 1, mac];
    header.extend(kind);
    join(&header, packet)
}

fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let (port, length) = (port.to_be_bytes(), (8 + payload.len() as u16).to_be_bytes());
    join(&[0xc3, 0x50, port[0], port[1], length[0], length[1], 0, 0], payload)
}

/// What a tunnel carries in its IP packet: protocol and payload, made of an IP packet.
type Wrap = fn(&[u8]) -> (u8, Vec<u8>);

/// The tunnels, by name.
pub(crate) const TUNNELS: [(&str, Wrap); 9] = [
    ("vxlan", |p| (17, udp(4789, &join(&[8, 0, 0, 0, 0, 0x12, 0x34, 0], &ethernet(1, p))))),
    ("geneve", |p| (17, udp(6081, &join(&[0, 0, 0x65, 0x58, 0, 0x12, 0x34, 0], &ethernet(1, p))))),
    ("geneve-ip", |p| {
        let kind = if is_v6(p) { [0x86, 0xdd] } else { [0x08, 0x00] };
        let option = [0x01, 0x08, 1, 2, 0, 0, 0, 0, 0, 0, 0, 9];
        (17, udp(6081, &[&[3, 0, kind[0], kind[1], 0, 0x12, 0x34, 0], &option[..], p].concat()))
    }),
    ("gre", |p| {
        let kind = if is_v6(p) { [0x86, 0xdd] } else { [0x08, 0x00] };
        (47, join(&[0, 0, kind[0], kind[1]], p))
    }),
    ("nvgre", |p| (47, join(&[0x20, 0, 0x65, 0x58, 0, 0x12, 0x34, 5], &ethernet(1, p)))),
    ("erspan1", |p| (47, join(&[0, 0, 0x88, 0xbe], &ethernet(1, p)))),
    ("erspan2", |p| {
        let header = [0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0, 0, 0x12, 0, 0, 0, 0];
        (47, join(&header, &ethernet(1, p)))
    }),
    ("erspan3", |p| {
        let header = [0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 0, 0, 0x12, 0, 0, 0, 0, 0, 0, 0, 0];
        (47, join(&header, &ethernet(1, p)))
    }),
    ("ipip", |p| (if is_v6(p) { 41 } else { 4 }, p.to_vec())),
];

fn frame(piece: &Piece, bytes: Vec<u8>) -> Frame {
    Frame { ts: piece.ts, dlt: 1, bytes }
}

/// The frames of segments, without a tunnel.
pub(crate) fn plain(pieces: &[Piece]) -> Vec<Frame> {
    pieces.iter().map(|piece| frame(piece, ethernet(1, &inner(piece, 64)))).collect()
}

/// One segment as another interface of its path would mirror it: other addresses below IP, one hop further.
pub(crate) fn elsewhere(piece: &Piece) -> Frame {
    frame(piece, ethernet(9, &inner(piece, 63)))
}

/// The frames of segments inside of tunnels, the innermost first; each on IPv6 where its flag says so.
pub(crate) fn tunnelled(pieces: &[Piece], tunnels: &[(Wrap, bool)]) -> Vec<Frame> {
    let v4 = [1, 2].map(|last| Ip::v4([192, 0, 2, last]));
    let v6 = [1, 2].map(|last| Ip::v6([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]));
    let wrapped = |piece: &Piece| {
        let mut packet = inner(piece, 64);
        for (wrap, on_v6) in tunnels {
            let (protocol, payload) = wrap(&packet);
            let [src, dst] = if *on_v6 { v6 } else { v4 };
            packet = ip(src, dst, 62, protocol, &payload);
        }
        frame(piece, ethernet(1, &packet))
    };
    pieces.iter().map(wrapped).collect()
}
