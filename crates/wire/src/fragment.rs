//! IP fragments: what a defragmenter needs to put them together and to go on with the result.
use crate::{Encap, Ip};

/// One fragment of an IP packet.
#[derive(Clone, Copy, Debug)]
pub struct Fragment<'p> {
    /// The packet that it belongs to.
    pub header: FragmentHeader,
    /// Position of `payload` in the packet's payload, in bytes.
    pub offset: u32,
    /// More fragments follow; the last one has `false`.
    pub more: bool,
    /// The bytes of this fragment that were captured.
    pub payload: &'p [u8],
    /// Bytes of this fragment that its length promises but the capture does not have.
    pub truncated: u32,
}

/// The IP header of a fragment. Goes back into [`crate::Decoder::resume`] with the completed payload; of the
/// fragments of a packet, it is the one at offset 0 whose header counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FragmentHeader {
    /// Source address.
    pub src: Ip,
    /// Destination address (the final one, where IPv6 has a routing header).
    pub dst: Ip,
    /// Identification: 16 bits in IPv4, 32 in IPv6.
    pub id: u32,
    /// Protocol of the payload: IPv4 Protocol, or the Next Header of the IPv6 fragment header.
    pub protocol: u8,
    /// IPv6 (RFC 8200 section 4.5) or IPv4 (RFC 791).
    pub ipv6: bool,
    /// Length of the headers before the payload, in bytes (IPv6: without the fragment header).
    pub header_len: u16,
    /// The tunnels passed on the way to this IP header.
    pub encap: Encap,
}

/// What the fragments of one IP packet have in common, within one tunnel. Outer ports are left out on
/// purpose: encapsulators derive them from the inner ports, which only the first fragment has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FragmentKey {
    /// Source address.
    pub src: Ip,
    /// Destination address.
    pub dst: Ip,
    /// Identification.
    pub id: u32,
    /// IPv4 Protocol; 0 for IPv6, whose fragments may differ in it (RFC 8200 section 4.5).
    pub protocol: u8,
    /// Virtual network identifier of the tunnel around the packet.
    pub vni: Option<u32>,
    /// VLAN id of the frame around the packet.
    pub vlan: Option<u16>,
}

impl FragmentHeader {
    /// The key under which fragments of one packet meet.
    pub const fn key(&self) -> FragmentKey {
        FragmentKey {
            src: self.src,
            dst: self.dst,
            id: self.id,
            protocol: if self.ipv6 { 0 } else { self.protocol },
            vni: self.encap.vni,
            vlan: self.encap.vlan,
        }
    }
}
