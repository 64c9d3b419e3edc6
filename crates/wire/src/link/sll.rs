//! Linux cooked capture, versions 1 and 2.
use super::{Next, Step};
use crate::Reason;

/// Version 1: packet type, ARPHRD type, address length, address, EtherType.
#[cold]
pub(crate) fn parse(bytes: &[u8]) -> Step<'_> {
    let Some((header, rest)) = bytes.split_first_chunk::<16>() else { return Err(Reason::HeaderTruncated) };
    next(u16::from_be_bytes([header[14], header[15]]), u16::from_be_bytes([header[2], header[3]]), rest)
}

/// Version 2: EtherType, reserved, interface index, ARPHRD type, packet type, address length, address.
#[cold]
pub(crate) fn parse_v2(bytes: &[u8]) -> Step<'_> {
    let Some((header, rest)) = bytes.split_first_chunk::<20>() else { return Err(Reason::HeaderTruncated) };
    next(u16::from_be_bytes([header[0], header[1]]), u16::from_be_bytes([header[8], header[9]]), rest)
}

/// `ARPHRD_NETLINK`: the protocol field is a netlink family, not an EtherType.
const ARPHRD_NETLINK: u16 = 824;

fn next(protocol: u16, hardware: u16, rest: &[u8]) -> Step<'_> {
    match (hardware, protocol) {
        (ARPHRD_NETLINK, _) => Err(Reason::UnknownProtocol),
        // 1 is Novell's raw 802.3, 4 is 802.2.
        (_, 4) => Ok((Next::Llc, rest)),
        (_, 0..=1500) => Err(Reason::UnknownProtocol),
        _ => Ok((Next::from_ether_type(protocol), rest)),
    }
}
