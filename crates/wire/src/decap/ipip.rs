//! IP in IP without a header in between: RFC 2003 (IPv4 in IPv4), RFC 4213 (IPv6 in IPv4), RFC 2473 (either in
//! IPv6). The protocol number of the outer packet is all there is.
use crate::ip::protocol;
use crate::link::Next;

/// What an IP payload of this protocol begins with, if it is an IP packet.
#[inline]
pub(crate) const fn carries(number: u8) -> Option<Next> {
    match number {
        protocol::IPV4 => Some(Next::Ipv4),
        protocol::IPV6 => Some(Next::Ipv6),
        _ => None,
    }
}
