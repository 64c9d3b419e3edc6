//! What decoding a frame yields: a TCP segment and the tunnels it came through.
use crate::{Ip, ip::Packet, tcp::Tcp};

/// One TCP segment as it was captured, with the tunnel that carried it.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'p> {
    /// Sender of this segment (innermost IP header).
    pub src: Ip,
    /// Receiver of this segment (innermost IP header).
    pub dst: Ip,
    /// TCP source port.
    pub sport: u16,
    /// TCP destination port.
    pub dport: u16,
    /// Sequence number of the first payload byte (of the SYN itself when `flags` has SYN).
    pub seq: u32,
    /// Acknowledgement number; meaningful when `flags` has ACK.
    pub ack: u32,
    /// Control bits, RFC 9293 section 3.1.
    pub flags: TcpFlags,
    /// Receive window as sent, not scaled.
    pub window: u16,
    /// Payload bytes that were captured.
    pub payload: &'p [u8],
    /// Payload bytes that the inner lengths promise but the capture does not have (a cut mirror packet).
    pub truncated: u32,
    /// Total length of the innermost IP packet in bytes as its header gives it, header included: what
    /// Zeek's `orig_ip_bytes` counts.
    pub ip_len: u32,
    /// The tunnels passed on the way to this segment.
    pub encap: Encap,
}

impl<'p> Segment<'p> {
    #[inline]
    pub(crate) fn new(packet: &Packet<'p>, tcp: &Tcp<'p>, encap: Encap) -> Self {
        Self {
            src: packet.src,
            dst: packet.dst,
            sport: tcp.sport,
            dport: tcp.dport,
            seq: tcp.seq,
            ack: tcp.ack,
            flags: tcp.flags,
            window: tcp.window,
            payload: tcp.payload,
            truncated: tcp.truncated,
            ip_len: packet.total_len,
            encap,
        }
    }
}

/// TCP control bits, RFC 9293 section 3.1.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from sender.
    pub const FIN: u8 = 0x01;
    /// Synchronise sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset the connection.
    pub const RST: u8 = 0x04;
    /// Push function.
    pub const PSH: u8 = 0x08;
    /// The acknowledgement field is significant.
    pub const ACK: u8 = 0x10;

    /// FIN is set.
    #[inline]
    pub const fn fin(self) -> bool {
        self.0 & Self::FIN != 0
    }
    /// SYN is set.
    #[inline]
    pub const fn syn(self) -> bool {
        self.0 & Self::SYN != 0
    }
    /// RST is set.
    #[inline]
    pub const fn rst(self) -> bool {
        self.0 & Self::RST != 0
    }
    /// ACK is set.
    #[inline]
    pub const fn ack(self) -> bool {
        self.0 & Self::ACK != 0
    }
}

/// Kinds of tunnel that are taken off.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum TunnelKind {
    /// RFC 7348.
    Vxlan,
    /// draft-ietf-nvo3-vxlan-gpe.
    VxlanGpe,
    /// RFC 8926.
    Geneve,
    /// RFC 2784 and 2890, IP inside.
    Gre,
    /// GRE with Ethernet inside and no virtual subnet id.
    L2Gre,
    /// RFC 7637: GRE with Ethernet inside and a key (VSID).
    Nvgre,
    /// ERSPAN type I, II or III.
    Erspan,
    /// RFC 2003, 2473, 4213: IP in IP, all four combinations.
    IpIp,
}

impl TunnelKind {
    /// Every kind, in the order of its number.
    pub const ALL: &'static [Self] = &[
        Self::Vxlan,
        Self::VxlanGpe,
        Self::Geneve,
        Self::Gre,
        Self::L2Gre,
        Self::Nvgre,
        Self::Erspan,
        Self::IpIp,
    ];
    /// Number of kinds.
    pub const COUNT: usize = Self::ALL.len();

    /// The stable name, as metrics and logs write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vxlan => "vxlan",
            Self::VxlanGpe => "vxlan_gpe",
            Self::Geneve => "geneve",
            Self::Gre => "gre",
            Self::L2Gre => "l2gre",
            Self::Nvgre => "nvgre",
            Self::Erspan => "erspan",
            Self::IpIp => "ipip",
        }
    }
}

/// The tunnels between the captured frame and the segment.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Encap {
    /// Number of tunnel headers taken off; 0 = not tunnelled.
    pub depth: u8,
    /// The innermost tunnel's kind.
    pub kind: Option<TunnelKind>,
    /// The innermost virtual network identifier: VXLAN or GENEVE VNI, NVGRE VSID, GRE key, ERSPAN session.
    pub vni: Option<u32>,
    /// VLAN id of the innermost frame (its outermost tag).
    pub vlan: Option<u16>,
    /// Second VLAN id of the innermost frame (QinQ).
    pub inner_vlan: Option<u16>,
    /// Endpoints of the outermost tunnel; all zero when `depth` is 0.
    pub outer: Outer,
    /// Options of a GENEVE header on the way, where it had known ones.
    pub geneve: Option<GeneveOptions>,
}

/// Endpoints of the outermost tunnel.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Outer {
    /// Source address of the outermost tunnel's IP header (for VPC mirroring: the mirrored ENI).
    pub src: Ip,
    /// Destination address (the mirror target).
    pub dst: Ip,
    /// UDP source port; 0 for tunnels without ports.
    pub sport: u16,
    /// UDP destination port; 0 for tunnels without ports.
    pub dport: u16,
}

/// GENEVE options that name where a packet came from.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct GeneveOptions {
    /// AWS class 0x0108 type 1: id of the gateway load balancer endpoint's interface.
    pub aws_endpoint_eni: Option<u64>,
    /// AWS class 0x0108 type 2: attachment id.
    pub aws_attachment: Option<u64>,
    /// AWS class 0x0108 type 3: flow cookie.
    pub aws_flow_cookie: Option<u32>,
    /// GCP class 0x0132 type 1: network id and direction bit.
    pub gcp_network: Option<u32>,
    /// GCP class 0x0132 type 2: endpoint id.
    pub gcp_endpoint: Option<[u8; 16]>,
    /// GCP class 0x0132 type 3: profile id.
    pub gcp_profile: Option<u64>,
}
