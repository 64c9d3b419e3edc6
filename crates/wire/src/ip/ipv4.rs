//! IPv4, RFC 791.
use super::{Packet, Part};
use crate::{Ip, Reason};

/// Length of the header without options.
const MIN_LEN: usize = 20;

/// Reads the header. `missing` is what the enclosing length promised beyond `bytes`, which counts only where
/// this header gives no length itself.
#[inline]
pub(crate) fn parse(bytes: &[u8], missing: u32) -> Result<Packet<'_>, Reason> {
    let Some(header) = bytes.first_chunk::<MIN_LEN>() else { return Err(Reason::HeaderTruncated) };
    if header[0] >> 4 != 4 {
        return Err(Reason::BadVersion);
    }
    let header_len = usize::from(header[0] & 0x0f) * 4;
    if header_len < MIN_LEN {
        return Err(Reason::BadHeaderLength);
    }
    // Segmentation offload leaves the length 0 for what is longer than it can say.
    let total = match u16::from_be_bytes([header[2], header[3]]) {
        0 => bytes.len().saturating_add(missing as usize),
        total => usize::from(total),
    };
    if total < header_len {
        return Err(Reason::BadLength);
    }
    let end = total.min(bytes.len());
    let Some(payload) = bytes.get(header_len..end) else { return Err(Reason::HeaderTruncated) };
    let flags = u16::from_be_bytes([header[6], header[7]]);
    let more = flags & 0x2000 != 0;
    let offset = u32::from(flags & 0x1fff) * 8;
    let fragment = if more || offset != 0 {
        Some(Part { id: u32::from(u16::from_be_bytes([header[4], header[5]])), offset, more })
    } else {
        None
    };
    Ok(Packet {
        ipv6: false,
        src: Ip::v4([header[12], header[13], header[14], header[15]]),
        dst: Ip::v4([header[16], header[17], header[18], header[19]]),
        protocol: header[9],
        header_len: header_len as u32,
        total_len: total as u32,
        payload,
        missing: total.saturating_sub(bytes.len()) as u32,
        fragment,
    })
}
