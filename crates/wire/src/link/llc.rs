//! IEEE 802.2 LLC with SNAP (RFC 1042), the form in which 802.3 and 802.11 frames carry IP.
use super::{Next, Step};
use crate::Reason;

#[cold]
pub(crate) fn parse(bytes: &[u8]) -> Step<'_> {
    match bytes {
        [0xaa, 0xaa, 0x03, 0, 0, 0, high, low, rest @ ..] => {
            Ok((Next::from_ether_type(u16::from_be_bytes([*high, *low])), rest))
        }
        // Spanning tree, CDP, IPX and other protocols that LLC carries without an EtherType.
        [_, _, _, _, _, _, _, _, ..] => Err(Reason::UnknownProtocol),
        _ => Err(Reason::HeaderTruncated),
    }
}
