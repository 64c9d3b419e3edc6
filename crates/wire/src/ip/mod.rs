//! The Internet layer: IPv4 and IPv6 headers, and what both say of their payload.
pub(crate) mod ah;
pub(crate) mod ipv4;
pub(crate) mod ipv6;

use crate::Ip;

/// Protocol numbers (IPv4 Protocol, IPv6 Next Header) as IANA assigns them.
pub(crate) mod protocol {
    pub(crate) const HOP_BY_HOP: u8 = 0;
    pub(crate) const ICMP: u8 = 1;
    pub(crate) const IGMP: u8 = 2;
    pub(crate) const IPV4: u8 = 4;
    pub(crate) const TCP: u8 = 6;
    pub(crate) const UDP: u8 = 17;
    pub(crate) const IPV6: u8 = 41;
    pub(crate) const ROUTING: u8 = 43;
    pub(crate) const FRAGMENT: u8 = 44;
    pub(crate) const GRE: u8 = 47;
    pub(crate) const ESP: u8 = 50;
    pub(crate) const AH: u8 = 51;
    pub(crate) const ICMPV6: u8 = 58;
    pub(crate) const NO_NEXT_HEADER: u8 = 59;
    pub(crate) const DESTINATION_OPTIONS: u8 = 60;
    pub(crate) const SCTP: u8 = 132;
    pub(crate) const MOBILITY: u8 = 135;
    pub(crate) const HIP: u8 = 139;
    pub(crate) const SHIM6: u8 = 140;
}

/// An IP packet, its header read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet<'p> {
    pub(crate) ipv6: bool,
    pub(crate) src: Ip,
    /// The final destination, where a routing header names one.
    pub(crate) dst: Ip,
    /// The payload's protocol, behind all extension headers.
    pub(crate) protocol: u8,
    /// Bytes before the payload.
    pub(crate) header_len: u32,
    /// Header and payload as the header gives them.
    pub(crate) total_len: u32,
    /// The payload that was captured, without link padding.
    pub(crate) payload: &'p [u8],
    /// Payload bytes that the header promises beyond those.
    pub(crate) missing: u32,
    /// Set when this is not the whole packet.
    pub(crate) fragment: Option<Part>,
}

/// Which part of a packet a fragment is.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Part {
    pub(crate) id: u32,
    pub(crate) offset: u32,
    pub(crate) more: bool,
}
