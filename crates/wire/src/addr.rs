//! IP addresses as one comparable word.
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IPv4 or IPv6 address. IPv4 is kept in its IPv4-mapped form (RFC 4291 section 2.5.5.2), so that
/// comparing and hashing are one operation on a 128-bit word; it prints as IPv4.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ip(u128);

impl Ip {
    /// An IPv4 address from its four bytes on the wire.
    #[inline]
    pub const fn v4(bytes: [u8; 4]) -> Self {
        Self(0xffff_0000_0000 | u32::from_be_bytes(bytes) as u128)
    }

    /// An IPv6 address from its sixteen bytes on the wire.
    #[inline]
    pub const fn v6(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }

    /// The 128-bit word, IPv4 in mapped form.
    #[inline]
    pub const fn bits(self) -> u128 {
        self.0
    }

    /// Whether this is an IPv4 address.
    #[inline]
    pub const fn is_v4(self) -> bool {
        self.0 >> 32 == 0xffff
    }

    /// The standard library's form.
    pub const fn to_std(self) -> IpAddr {
        if self.is_v4() {
            IpAddr::V4(Ipv4Addr::from_bits(self.0 as u32))
        } else {
            IpAddr::V6(Ipv6Addr::from_bits(self.0))
        }
    }
}

impl From<IpAddr> for Ip {
    fn from(value: IpAddr) -> Self {
        match value {
            IpAddr::V4(a) => Self::v4(a.octets()),
            IpAddr::V6(a) => Self::v6(a.octets()),
        }
    }
}

impl fmt::Display for Ip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_std().fmt(f)
    }
}

impl fmt::Debug for Ip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
