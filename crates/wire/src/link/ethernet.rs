//! Ethernet II and IEEE 802.3.
use super::{Next, Step};
use crate::Reason;

/// Cisco FabricPath: a 16-byte header shaped like Ethernet, then the frame.
const FABRIC_PATH: u16 = 0x8903;

#[inline]
pub(crate) fn parse(bytes: &[u8]) -> Step<'_> {
    let Some((header, rest)) = bytes.split_first_chunk::<14>() else { return Err(Reason::HeaderTruncated) };
    let ether_type = u16::from_be_bytes([header[12], header[13]]);
    match Next::from_ether_type(ether_type) {
        Next::Llc => {
            // Here the field is a length (IEEE 802.3), and what comes after it is padding.
            let rest = rest.get(..usize::from(ether_type)).unwrap_or(rest);
            Ok((Next::Llc, rest))
        }
        Next::EtherType(FABRIC_PATH) => {
            rest.get(2..).map(|rest| (Next::Ethernet, rest)).ok_or(Reason::HeaderTruncated)
        }
        next => Ok((next, rest)),
    }
}
