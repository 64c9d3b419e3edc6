//! Link layers: what stands before the IP header. One file per header.
pub(crate) mod chdlc;
pub(crate) mod ethernet;
pub(crate) mod llc;
pub(crate) mod mpls;
pub(crate) mod nflog;
pub(crate) mod null;
pub(crate) mod pbb;
pub(crate) mod ppp;
pub(crate) mod pppoe;
pub(crate) mod sll;
pub(crate) mod vlan;
pub(crate) mod wlan;

/// How the frames of a capture begin.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LinkType {
    /// Ethernet II or IEEE 802.3.
    Ethernet,
    /// Linux cooked capture, version 1.
    LinuxSll,
    /// Linux cooked capture, version 2.
    LinuxSll2,
    /// IPv4 or IPv6 without a link header.
    RawIp,
    /// BSD loopback, address family in the byte order of the capturing host.
    Null,
    /// OpenBSD loopback, address family in network byte order.
    Loop,
    /// PPP, with or without HDLC-like framing.
    Ppp,
    /// PPPoE session packets without the Ethernet header.
    PppEther,
    /// Cisco HDLC.
    Chdlc,
    /// MPLS label stack.
    Mpls,
    /// IEEE 802.11.
    Wlan,
    /// IEEE 802.11 behind a radiotap header.
    WlanRadiotap,
    /// Linux netfilter log.
    Nflog,
}

impl LinkType {
    /// The link type of a number in a capture file (`LINKTYPE_*`) or of libpcap (`DLT_*`), which differ only
    /// for raw IP.
    pub const fn from_dlt(dlt: u32) -> Option<Self> {
        Some(match dlt {
            0 => Self::Null,
            1 => Self::Ethernet,
            9 | 50 => Self::Ppp,
            12 | 14 | 101 | 228 | 229 => Self::RawIp,
            51 => Self::PppEther,
            104 => Self::Chdlc,
            105 => Self::Wlan,
            108 => Self::Loop,
            113 => Self::LinuxSll,
            127 => Self::WlanRadiotap,
            219 => Self::Mpls,
            239 => Self::Nflog,
            276 => Self::LinuxSll2,
            _ => return None,
        })
    }
}

/// What a header says comes after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Next {
    Ethernet,
    EtherType(u16),
    Llc,
    Vlan,
    VnTag,
    Pbb,
    Mpls,
    Pppoe,
    Ppp,
    Wlan,
    /// IPv4 or IPv6, by the version field.
    Ip,
    Ipv4,
    Ipv6,
}

impl Next {
    /// What an EtherType announces; values that are not read stay `EtherType`.
    #[inline]
    pub(crate) const fn from_ether_type(ether_type: u16) -> Self {
        match ether_type {
            0x0800 => Self::Ipv4,
            0x86dd => Self::Ipv6,
            0x8100 | 0x88a8 | 0x9100 => Self::Vlan,
            0x8847 | 0x8848 => Self::Mpls,
            0x8864 => Self::Pppoe,
            0x88e7 => Self::Pbb,
            0x8926 => Self::VnTag,
            // Transparent Ethernet Bridging, RFC 1701: a whole frame.
            0x6558 => Self::Ethernet,
            0..=1500 => Self::Llc,
            other => Self::EtherType(other),
        }
    }
}

/// A header's verdict: what comes next and where, or why it was refused.
pub(crate) type Step<'p> = Result<(Next, &'p [u8]), crate::Reason>;
