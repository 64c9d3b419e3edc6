//! PPP over Ethernet session packets, RFC 2516 section 4.
use super::{Next, Step};
use crate::Reason;

#[cold]
pub(crate) fn parse(bytes: &[u8]) -> Step<'_> {
    let Some((header, rest)) = bytes.split_first_chunk::<6>() else { return Err(Reason::HeaderTruncated) };
    if header[0] != 0x11 {
        return Err(Reason::BadVersion);
    }
    if header[1] != 0 {
        return Err(Reason::ControlPacket);
    }
    let length = u16::from_be_bytes([header[4], header[5]]);
    Ok((Next::Ppp, rest.get(..usize::from(length)).unwrap_or(rest)))
}
