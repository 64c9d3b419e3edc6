//! Why and where decoding a frame ended without a TCP segment.
use std::fmt;

/// An enum whose members have stable snake_case names and can index a table.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// Every member, in the order of its number.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];
            /// Number of members.
            pub const COUNT: usize = Self::ALL.len();

            /// The stable name, as metrics and logs write it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

named! {
    /// The header at which decoding ended.
    Layer {
        /// Ethernet II (IEEE 802.3).
        Ethernet = "ethernet",
        /// IEEE 802.2 LLC and SNAP.
        Llc = "llc",
        /// IEEE 802.1Q and 802.1ad tags, Cisco VN-Tag.
        Vlan = "vlan",
        /// IEEE 802.1ah provider backbone bridge.
        Pbb = "pbb",
        /// MPLS label stack, RFC 3032.
        Mpls = "mpls",
        /// PPP over Ethernet, RFC 2516.
        Pppoe = "pppoe",
        /// PPP, RFC 1661.
        Ppp = "ppp",
        /// Cisco HDLC.
        Chdlc = "chdlc",
        /// BSD loopback.
        Null = "null",
        /// Linux cooked capture, version 1 or 2.
        Sll = "sll",
        /// Linux netfilter log.
        Nflog = "nflog",
        /// IEEE 802.11 data frame, with or without radiotap.
        Wlan = "wlan",
        /// A packet without a link header.
        RawIp = "raw_ip",
        /// IPv4, RFC 791.
        Ipv4 = "ipv4",
        /// IPv6, RFC 8200.
        Ipv6 = "ipv6",
        /// IP authentication header, RFC 4302.
        Ah = "ah",
        /// TCP, RFC 9293.
        Tcp = "tcp",
        /// UDP, RFC 768.
        Udp = "udp",
        /// VXLAN, RFC 7348.
        Vxlan = "vxlan",
        /// VXLAN-GPE, draft-ietf-nvo3-vxlan-gpe.
        VxlanGpe = "vxlan_gpe",
        /// GENEVE, RFC 8926.
        Geneve = "geneve",
        /// GRE, RFC 2784 and 2890.
        Gre = "gre",
        /// ERSPAN, draft-foschiano-erspan.
        Erspan = "erspan",
        /// IP in IP, RFC 2003, 2473, 4213.
        IpIp = "ipip",
    }
}

named! {
    /// Why decoding ended.
    Reason {
        /// The captured bytes end inside the header.
        HeaderTruncated = "header_truncated",
        /// The header's version is not one that is read.
        BadVersion = "bad_version",
        /// The header's own length is impossible.
        BadHeaderLength = "bad_header_length",
        /// A length that the header gives is impossible.
        BadLength = "bad_length",
        /// A checksum is wrong; only with `Config::verify_checksums`.
        Checksum = "checksum",
        /// More tunnels in each other than `Config::max_depth`.
        DepthExceeded = "depth_exceeded",
        /// More tags, labels or extension headers than the decoder follows.
        TooManyHeaders = "too_many_headers",
        /// A flag that the header must have is not set.
        FlagMissing = "flag_missing",
        /// A packet of the tunnel's or link's own control protocol.
        ControlPacket = "control_packet",
        /// GRE with source routing, which RFC 2784 took out.
        RoutingPresent = "routing_present",
        /// The payload is encrypted.
        Encrypted = "encrypted",
        /// Several packets share one frame.
        Aggregated = "aggregated",
        /// IPv6 without an upper layer.
        NoNextHeader = "no_next_header",
        /// Address resolution.
        Arp = "arp",
        /// ICMP for IPv4.
        Icmp = "icmp",
        /// ICMP for IPv6.
        Icmpv6 = "icmpv6",
        /// Multicast group management.
        Igmp = "igmp",
        /// SCTP, RFC 9260.
        Sctp = "sctp",
        /// A UDP datagram to no tunnel port.
        NotATunnel = "not_a_tunnel",
        /// A payload protocol that is not read.
        UnknownProtocol = "unknown_protocol",
    }
}

/// Where and why decoding a frame ended without a TCP segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stop {
    /// The header that ended it.
    pub layer: Layer,
    /// Byte offset of that header in the frame (in the payload, after [`crate::Decoder::resume`]).
    pub offset: u32,
    /// What was wrong with it, or what it carries.
    pub reason: Reason,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}: {}", self.layer.name(), self.offset, self.reason.name())
    }
}

impl std::error::Error for Stop {}
