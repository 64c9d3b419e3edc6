//! Ethernet, IP and TCP headers, with right lengths and checksums.
use std::net::IpAddr;

pub(crate) const ETHERTYPE_IPV4: u16 = 0x0800;
pub(crate) const ETHERTYPE_IPV6: u16 = 0x86dd;
pub(crate) const PROTOCOL_TCP: u8 = 6;
pub(crate) const PROTOCOL_UDP: u8 = 17;

pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const PSH: u8 = 0x08;
pub(crate) const ACK: u8 = 0x10;

/// A hardware address of the range for local use, made from a number.
pub(crate) fn mac(n: u32) -> [u8; 6] {
    let [a, b, c, d] = n.to_be_bytes();
    [0x02, 0x1a, a, b, c, d]
}

/// The one's complement sum of RFC 1071, over more bytes; an odd byte may only be the last.
fn sum(mut total: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<4>();
    for word in words {
        total += u64::from(u32::from_be_bytes(*word));
    }
    for (at, byte) in rest.iter().enumerate() {
        total += u64::from(*byte) << (24 - 8 * at);
    }
    total
}

fn fold(mut total: u64) -> u16 {
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    !(total as u16)
}

fn octets(out: &mut Vec<u8>, ip: IpAddr) {
    match ip {
        IpAddr::V4(ip) => out.extend(ip.octets()),
        IpAddr::V6(ip) => out.extend(ip.octets()),
    }
}

/// What two hosts' pseudo-header adds to a checksum.
fn pseudo_header(src: IpAddr, dst: IpAddr, protocol: u8, length: usize) -> u64 {
    let mut bytes = Vec::with_capacity(40);
    octets(&mut bytes, src);
    octets(&mut bytes, dst);
    bytes.extend((length as u32).to_be_bytes());
    bytes.extend([0, 0, 0, protocol]);
    sum(0, &bytes)
}

pub(crate) fn ethernet(out: &mut Vec<u8>, src: [u8; 6], dst: [u8; 6], ethertype: u16) {
    out.extend(dst);
    out.extend(src);
    out.extend(ethertype.to_be_bytes());
}

/// The ethertype of an address's family.
pub(crate) fn ethertype(ip: IpAddr) -> u16 {
    if ip.is_ipv4() { ETHERTYPE_IPV4 } else { ETHERTYPE_IPV6 }
}

/// What an IP header says beside its addresses and length.
#[derive(Clone, Copy)]
pub(crate) struct Ip {
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    pub(crate) protocol: u8,
    pub(crate) ttl: u8,
    pub(crate) id: u16,
    pub(crate) dont_fragment: bool,
}

/// An IPv4 or IPv6 header for a payload of that length.
pub(crate) fn ip(out: &mut Vec<u8>, ip: &Ip, payload: usize) {
    let start = out.len();
    if ip.src.is_ipv4() {
        let flags: u16 = if ip.dont_fragment { 0x4000 } else { 0 };
        out.extend([0x45, 0]);
        out.extend(((20 + payload) as u16).to_be_bytes());
        out.extend(ip.id.to_be_bytes());
        out.extend(flags.to_be_bytes());
        out.extend([ip.ttl, ip.protocol, 0, 0]);
        octets(out, ip.src);
        octets(out, ip.dst);
        let checksum = fold(out.get(start..).map_or(0, |header| sum(0, header)));
        patch(out, start + 10, checksum);
    } else {
        out.extend([0x60, 0, 0, 0]);
        out.extend((payload as u16).to_be_bytes());
        out.extend([ip.protocol, ip.ttl]);
        octets(out, ip.src);
        octets(out, ip.dst);
    }
}

fn patch(out: &mut [u8], at: usize, value: u16) {
    if let Some(place) = out.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        *place = value.to_be_bytes();
    }
}

/// A UDP header without a checksum, as encapsulators send it (RFC 6935 allows that over IPv6 too).
pub(crate) fn udp(out: &mut Vec<u8>, sport: u16, dport: u16, payload: usize) {
    for field in [sport, dport, (8 + payload) as u16, 0] {
        out.extend(field.to_be_bytes());
    }
}

/// A TCP header's fields.
pub(crate) struct Tcp<'a> {
    pub(crate) sport: u16,
    pub(crate) dport: u16,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) flags: u8,
    pub(crate) window: u16,
    /// Padded to a multiple of four bytes.
    pub(crate) options: &'a [u8],
}

/// A TCP header and its payload, with the checksum between these two hosts.
pub(crate) fn tcp(out: &mut Vec<u8>, src: IpAddr, dst: IpAddr, tcp: &Tcp<'_>, payload: &[u8]) {
    let start = out.len();
    for port in [tcp.sport, tcp.dport] {
        out.extend(port.to_be_bytes());
    }
    for number in [tcp.seq, tcp.ack] {
        out.extend(number.to_be_bytes());
    }
    out.extend([((20 + tcp.options.len()) << 2) as u8, tcp.flags]);
    for field in [tcp.window, 0, 0] {
        out.extend(field.to_be_bytes());
    }
    out.extend(tcp.options);
    out.extend(payload);
    let segment = out.get(start..).unwrap_or_default();
    let pseudo = pseudo_header(src, dst, PROTOCOL_TCP, segment.len());
    let checksum = fold(sum(pseudo, segment));
    patch(out, start + 16, checksum);
}
