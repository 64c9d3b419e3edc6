//! The ways in which packet providers wrap a mirrored frame.
use super::packet::{self, ETHERTYPE_IPV4, ETHERTYPE_IPV6, Ip, PROTOCOL_UDP};
use std::net::IpAddr;

const PROTOCOL_IPIP: u8 = 4;
const PROTOCOL_IPV6: u8 = 41;
const PROTOCOL_GRE: u8 = 47;
const ETHERNET_HEADER: usize = 14;
const TRANSPARENT_ETHERNET: u16 = 0x6558;
const VXLAN_PORT: u16 = 4789;
const VXLAN_GPE_PORT: u16 = 4790;
const GENEVE_PORT: u16 = 6081;
/// Label, traffic class 0, not the last, TTL 64; and the last.
const MPLS: [u32; 2] = [16 << 12 | 64, 17 << 12 | 1 << 8 | 64];

/// What stands around a mirrored frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Tunnel {
    /// Nothing: the frame itself
    None,
    /// VXLAN (RFC 7348) as an AWS mirror session sends it
    Vxlan,
    /// VXLAN-GPE with the next protocol Ethernet
    VxlanGpe,
    /// GENEVE (RFC 8926) around Ethernet
    Geneve,
    /// GENEVE with the options of an AWS Gateway Load Balancer, around the session's VXLAN packet
    GeneveAws,
    /// GRE (RFC 2784) around IP
    Gre,
    /// GRE around Ethernet
    L2gre,
    /// NVGRE (RFC 7637): GRE with a key around Ethernet
    Nvgre,
    /// ERSPAN type I: GRE without a sequence number
    Erspan1,
    /// ERSPAN type II
    Erspan2,
    /// ERSPAN type III, every second packet with the platform sub-header
    Erspan3,
    /// IPv4 in IPv4
    #[value(name = "4in4")]
    V4in4,
    /// IPv6 in IPv4
    #[value(name = "6in4")]
    V6in4,
    /// IPv4 in IPv6
    #[value(name = "4in6")]
    V4in6,
    /// IPv6 in IPv6
    #[value(name = "6in6")]
    V6in6,
    /// Two VLAN tags, 802.1ad around 802.1Q
    Qinq,
    /// A stack of two MPLS labels around IP
    Mpls,
    /// A PPPoE session
    Pppoe,
    /// No Ethernet: the Linux cooked header, version 1
    Sll,
    /// No Ethernet: the Linux cooked header, version 2
    Sll2,
    /// No Ethernet: IP itself
    Raw,
}

impl Tunnel {
    /// The link type number of a capture file with such packets.
    pub(crate) fn dlt(self) -> u32 {
        match self {
            Self::Sll => 113,
            Self::Sll2 => 276,
            Self::Raw => 101,
            _ => 1,
        }
    }

    /// The IP version that must be inside and outside, for the tunnels named by it: true for IPv6.
    pub(crate) fn versions(self) -> Option<(bool, bool)> {
        match self {
            Self::V4in4 => Some((false, false)),
            Self::V6in4 => Some((true, false)),
            Self::V4in6 => Some((false, true)),
            Self::V6in6 => Some((true, true)),
            _ => None,
        }
    }
}

/// The outer hosts: the mirrored interface and the collector.
#[derive(Clone, Copy)]
pub(crate) struct Outer {
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    /// The network identifier, where the tunnel has one; ERSPAN takes its lowest 10 bits.
    pub(crate) vni: u32,
    /// Stands in the sequence numbers of GRE: how many packets this interface has sent.
    pub(crate) count: u32,
}

/// Appends `frame`, an Ethernet frame with IP and TCP in it, wrapped.
pub(crate) fn wrap(out: &mut Vec<u8>, tunnel: Tunnel, outer: &Outer, frame: &[u8]) {
    let (link, inner) = frame.split_at_checked(ETHERNET_HEADER).unwrap_or((frame, &[]));
    let v6 = link.get(12..14) == Some(&ETHERTYPE_IPV6.to_be_bytes());
    let family = if v6 { ETHERTYPE_IPV6 } else { ETHERTYPE_IPV4 };
    let macs = link.get(..12).unwrap_or_default();
    match tunnel {
        Tunnel::None => out.extend(frame),
        Tunnel::Raw => out.extend(inner),
        Tunnel::Sll => {
            // To us, Ethernet, an address of six bytes in a field of eight.
            out.extend([0, 0, 0, 1, 0, 6]);
            out.extend(macs.get(6..).unwrap_or_default());
            out.extend([0, 0]);
            out.extend(family.to_be_bytes());
            out.extend(inner);
        }
        Tunnel::Sll2 => {
            out.extend(family.to_be_bytes());
            // Reserved; interface 2, Ethernet; to us, an address of six bytes in a field of eight.
            out.extend([0, 0, 0, 0, 0, 2, 0, 1, 0, 6]);
            out.extend(macs.get(6..).unwrap_or_default());
            out.extend([0, 0]);
            out.extend(inner);
        }
        Tunnel::Qinq => {
            out.extend(macs);
            out.extend([0x88, 0xa8, 0, 100, 0x81, 0, 0, 200]);
            out.extend(family.to_be_bytes());
            out.extend(inner);
        }
        Tunnel::Mpls => {
            out.extend(macs);
            out.extend([0x88, 0x47]);
            out.extend(MPLS.iter().flat_map(|label| label.to_be_bytes()));
            out.extend(inner);
        }
        Tunnel::Pppoe => {
            let protocol: u16 = if v6 { 0x0057 } else { 0x0021 };
            out.extend(macs);
            out.extend([0x88, 0x64, 0x11, 0, 0, 7]);
            out.extend((2 + inner.len() as u16).to_be_bytes());
            out.extend(protocol.to_be_bytes());
            out.extend(inner);
        }
        Tunnel::Vxlan | Tunnel::VxlanGpe | Tunnel::Geneve | Tunnel::GeneveAws => {
            over_udp(out, tunnel, outer, frame);
        }
        Tunnel::Gre => over_gre(out, outer, &[0, family], &[], inner),
        Tunnel::L2gre => over_gre(out, outer, &[0, TRANSPARENT_ETHERNET], &[], frame),
        Tunnel::Nvgre => {
            over_gre(out, outer, &[0x2000, TRANSPARENT_ETHERNET], &(outer.vni << 8).to_be_bytes(), frame);
        }
        Tunnel::Erspan1 => over_gre(out, outer, &[0, 0x88be], &[], frame),
        Tunnel::Erspan2 => {
            let mut header = outer.count.to_be_bytes().to_vec();
            // Version 1, VLAN 1; the session; port index 5.
            header.extend((1u32 << 28 | 1 << 16 | outer.vni & 0x3ff).to_be_bytes());
            header.extend(5u32.to_be_bytes());
            over_gre(out, outer, &[0x1000, 0x88be], &header, frame);
        }
        Tunnel::Erspan3 => {
            let platform = outer.count % 2 == 1;
            let mut header = outer.count.to_be_bytes().to_vec();
            // Version 2, VLAN 1; the session; a time stamp; Ethernet frame, whether a sub-header follows.
            header.extend((2u32 << 28 | 1 << 16 | outer.vni & 0x3ff).to_be_bytes());
            header.extend(outer.count.wrapping_mul(1000).to_be_bytes());
            header.extend([0, 0, 0, u8::from(platform)]);
            if platform {
                header.extend([0x04, 0, 0, 1, 0, 0, 0, 2]);
            }
            over_gre(out, outer, &[0x1000, 0x22eb], &header, frame);
        }
        Tunnel::V4in4 | Tunnel::V6in4 | Tunnel::V4in6 | Tunnel::V6in6 => {
            let protocol = if v6 { PROTOCOL_IPV6 } else { PROTOCOL_IPIP };
            outer_ip(out, outer, protocol, inner.len());
            out.extend(inner);
        }
    }
}

/// The Ethernet and IP headers of the mirror's own packet. The values are those seen from AWS: TTL 255,
/// identification 0, no don't-fragment flag.
fn outer_ip(out: &mut Vec<u8>, outer: &Outer, protocol: u8, payload: usize) {
    packet::ethernet(out, packet::mac(0xa0), packet::mac(0xa1), packet::ethertype(outer.src));
    inner_ip(out, outer, protocol, payload);
}

fn inner_ip(out: &mut Vec<u8>, outer: &Outer, protocol: u8, payload: usize) {
    let (src, dst) = (outer.src, outer.dst);
    packet::ip(out, &Ip { src, dst, protocol, ttl: 255, id: 0, dont_fragment: false }, payload);
}

/// `head` holds the GRE header's flags and protocol, `rest` what follows them.
fn over_gre(out: &mut Vec<u8>, outer: &Outer, head: &[u16; 2], rest: &[u8], payload: &[u8]) {
    outer_ip(out, outer, PROTOCOL_GRE, 4 + rest.len() + payload.len());
    out.extend(head.iter().flat_map(|field| field.to_be_bytes()));
    out.extend(rest);
    out.extend(payload);
}

fn over_udp(out: &mut Vec<u8>, tunnel: Tunnel, outer: &Outer, frame: &[u8]) {
    let sport = flow_port(frame);
    let vni = (outer.vni << 8).to_be_bytes();
    let vxlan = [[0x08, 0, 0, 0], vni].concat();
    let (dport, shim) = match tunnel {
        Tunnel::VxlanGpe => (VXLAN_GPE_PORT, [[0x0c, 0, 0, 3], vni].concat()),
        Tunnel::Geneve => (GENEVE_PORT, [[0, 0, 0x65, 0x58], vni].concat()),
        Tunnel::GeneveAws => {
            // Eight words of options; no network identifier of its own; IP follows.
            let mut shim = vec![8, 0];
            shim.extend(packet::ethertype(outer.src).to_be_bytes());
            shim.extend([0; 4]);
            shim.extend([0x01, 0x08, 1, 2]);
            shim.extend(0x2b8e_e1d4_db0c_51c4u64.to_be_bytes());
            shim.extend([0x01, 0x08, 2, 2]);
            shim.extend(0x0a1b_2c3d_4e5f_6071u64.to_be_bytes());
            shim.extend([0x01, 0x08, 3, 1]);
            shim.extend(u32::from(sport).wrapping_mul(0x9e37_79b9).to_be_bytes());
            let session = 8 + vxlan.len() + frame.len();
            inner_ip(&mut shim, outer, PROTOCOL_UDP, session);
            packet::udp(&mut shim, sport, VXLAN_PORT, vxlan.len() + frame.len());
            shim.extend(&vxlan);
            (GENEVE_PORT, shim)
        }
        _ => (VXLAN_PORT, vxlan),
    };
    let payload = shim.len() + frame.len();
    outer_ip(out, outer, PROTOCOL_UDP, 8 + payload);
    packet::udp(out, sport, dport, payload);
    out.extend(shim);
    out.extend(frame);
}

/// A source port that follows the inner flow and is the same for both of its directions, as encapsulators
/// choose it for the sake of load balancing.
fn flow_port(frame: &[u8]) -> u16 {
    let v6 = frame.get(12..14) == Some(&ETHERTYPE_IPV6.to_be_bytes());
    let (addresses, ports) = if v6 { (22..54, 54..58) } else { (26..34, 34..38) };
    let words = [addresses, ports].map(|range| frame.get(range).unwrap_or_default());
    // A sum does not change when the two ends change places.
    let sum: u32 = words
        .iter()
        .flat_map(|bytes| bytes.as_chunks::<2>().0)
        .map(|w| u32::from(u16::from_be_bytes(*w)))
        .sum();
    0xc000 | (sum.wrapping_mul(0x9e37_79b9) >> 18) as u16
}
