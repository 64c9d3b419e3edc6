//! Packets, built from the inside out: each function puts one header before its payload.
#![allow(dead_code, reason = "each test binary uses a part")]

pub(crate) type Bytes = Vec<u8>;

fn join(header: &[u8], payload: &[u8]) -> Bytes {
    [header, payload].concat()
}

/// 10.0.0.1 and 10.0.0.2 are the inner endpoints; tunnels run from 192.0.2.1 to 192.0.2.2.
pub(crate) const INNER: ([u8; 4], [u8; 4]) = ([10, 0, 0, 1], [10, 0, 0, 2]);
pub(crate) const OUTER: ([u8; 4], [u8; 4]) = ([192, 0, 2, 1], [192, 0, 2, 2]);

pub(crate) fn v6(last: u8) -> [u8; 16] {
    let mut address = [0; 16];
    address[..2].copy_from_slice(&[0xfd, 0]);
    address[15] = last;
    address
}

pub(crate) fn tcp_with(data_offset: u8, options: &[u8], payload: &[u8]) -> Bytes {
    let mut header =
        vec![0x04, 0xd2, 0, 80, 0, 0, 0, 1, 0, 0, 0, 2, data_offset << 4, 0x18, 0x20, 0, 0, 0, 0, 0];
    header.extend(options);
    join(&header, payload)
}

/// Port 1234 to 80, sequence number 1, acknowledgement 2, PSH and ACK, window 8192.
pub(crate) fn tcp(payload: &[u8]) -> Bytes {
    tcp_with(5, &[], payload)
}

pub(crate) fn udp(dport: u16, payload: &[u8]) -> Bytes {
    let (port, length) = (dport.to_be_bytes(), (payload.len() as u16 + 8).to_be_bytes());
    join(&[0xc0, 0x00, port[0], port[1], length[0], length[1], 0, 0], payload)
}

/// An IPv4 header in which everything can be set; its checksum is right.
pub(crate) fn ipv4_with(
    (src, dst): ([u8; 4], [u8; 4]),
    total: u16,
    fragment: (u16, u16),
    protocol: u8,
    options: &[u8],
    payload: &[u8],
) -> Bytes {
    let words = 5 + options.len() as u8 / 4;
    let (total, id, field) = (total.to_be_bytes(), fragment.0.to_be_bytes(), fragment.1.to_be_bytes());
    let mut header =
        vec![0x40 | words, 0, total[0], total[1], id[0], id[1], field[0], field[1], 64, protocol, 0, 0];
    header.extend(src);
    header.extend(dst);
    header.extend(options);
    let sum: u32 = header.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let checksum = !((folded & 0xffff) + (folded >> 16)) as u16;
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
    join(&header, payload)
}

pub(crate) fn ipv4(addresses: ([u8; 4], [u8; 4]), protocol: u8, payload: &[u8]) -> Bytes {
    ipv4_with(addresses, payload.len() as u16 + 20, (0, 0x4000), protocol, &[], payload)
}

pub(crate) fn ipv6_with((src, dst): (u8, u8), length: u16, next: u8, payload: &[u8]) -> Bytes {
    let length = length.to_be_bytes();
    let mut header = vec![0x60, 0, 0, 0, length[0], length[1], next, 64];
    header.extend(v6(src));
    header.extend(v6(dst));
    join(&header, payload)
}

/// fd00::1 to fd00::2.
pub(crate) fn ipv6(next: u8, payload: &[u8]) -> Bytes {
    ipv6_with((1, 2), payload.len() as u16, next, payload)
}

/// An 8-byte extension header.
pub(crate) fn extension(next: u8, payload: &[u8]) -> Bytes {
    join(&[next, 0, 1, 4, 0, 0, 0, 0], payload)
}

pub(crate) fn ipv6_fragment(next: u8, offset_and_more: u16, payload: &[u8]) -> Bytes {
    let field = offset_and_more.to_be_bytes();
    join(&[next, 0, field[0], field[1], 0, 0, 0x12, 0x34], payload)
}

pub(crate) fn eth(ether_type: u16, payload: &[u8]) -> Bytes {
    let mut header = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    header.extend(ether_type.to_be_bytes());
    join(&header, payload)
}

/// A VLAN tag and the EtherType behind it, to be put behind a tag's own EtherType.
pub(crate) fn vlan(id: u16, ether_type: u16, payload: &[u8]) -> Bytes {
    let (id, ether_type) = (id.to_be_bytes(), ether_type.to_be_bytes());
    join(&[id[0], id[1], ether_type[0], ether_type[1]], payload)
}

pub(crate) fn vxlan(vni: u32, payload: &[u8]) -> Bytes {
    let vni = vni.to_be_bytes();
    join(&[8, 0, 0, 0, vni[1], vni[2], vni[3], 0], payload)
}

pub(crate) fn vxlan_gpe(flags: u8, next: u8, vni: u32, payload: &[u8]) -> Bytes {
    let vni = vni.to_be_bytes();
    join(&[flags, 0, 0, next, vni[1], vni[2], vni[3], 0], payload)
}

pub(crate) fn geneve(protocol: u16, vni: u32, options: &[u8], payload: &[u8]) -> Bytes {
    let (protocol, vni) = (protocol.to_be_bytes(), vni.to_be_bytes());
    let mut header = vec![options.len() as u8 / 4, 0, protocol[0], protocol[1], vni[1], vni[2], vni[3], 0];
    header.extend(options);
    join(&header, payload)
}

pub(crate) fn option(class: u16, kind: u8, data: &[u8]) -> Bytes {
    let class = class.to_be_bytes();
    join(&[class[0], class[1], kind, data.len() as u8 / 4], data)
}

/// GRE with one 4-byte word for each of the flags C, K and S in `flags`; the key is `key`, the others are 0.
pub(crate) fn gre(flags: u16, protocol: u16, key: u32, payload: &[u8]) -> Bytes {
    let mut header = [flags.to_be_bytes(), protocol.to_be_bytes()].concat();
    for (bit, value) in [(0x8000, 0), (0x2000, key), (0x1000, 0)] {
        if flags & bit != 0 {
            header.extend(u32::to_be_bytes(value));
        }
    }
    join(&header, payload)
}

/// The frame of an inner TCP segment with five bytes of payload.
pub(crate) fn inner_frame() -> Bytes {
    eth(0x0800, &inner_ipv4())
}

pub(crate) fn inner_ipv4() -> Bytes {
    ipv4(INNER, 6, &tcp(b"hello"))
}

pub(crate) fn inner_ipv6() -> Bytes {
    ipv6(6, &tcp(b"hello"))
}

/// An outer Ethernet and IPv4 header around a tunnel.
pub(crate) fn outer(protocol: u8, payload: &[u8]) -> Bytes {
    eth(0x0800, &ipv4(OUTER, protocol, payload))
}

/// The same around a tunnel in UDP.
pub(crate) fn outer_udp(dport: u16, payload: &[u8]) -> Bytes {
    outer(17, &udp(dport, payload))
}
