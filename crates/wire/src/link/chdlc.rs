//! Cisco HDLC: address, control, EtherType.
use super::{Next, Step};
use crate::Reason;

#[cold]
pub(crate) fn parse(bytes: &[u8]) -> Step<'_> {
    let Some((header, rest)) = bytes.split_first_chunk::<4>() else { return Err(Reason::HeaderTruncated) };
    match u16::from_be_bytes([header[2], header[3]]) {
        // SLARP and CDP.
        0x8035 | 0x2000 => Err(Reason::ControlPacket),
        ether_type => Ok((Next::from_ether_type(ether_type), rest)),
    }
}
