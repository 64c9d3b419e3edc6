//! The UDP header, RFC 768.
use crate::Reason;

/// Length of the header.
const LEN: usize = 8;

/// A UDP header and its payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Udp<'p> {
    pub(crate) sport: u16,
    pub(crate) dport: u16,
    /// The checksum field; 0 means that none was computed.
    pub(crate) checksum: u16,
    pub(crate) payload: &'p [u8],
}

/// Reads the header. A length of 0 (jumbogram, segmentation offload) or beyond the captured bytes means all of
/// them.
#[inline]
pub(crate) fn parse(bytes: &[u8]) -> Result<Udp<'_>, Reason> {
    let Some((header, rest)) = bytes.split_first_chunk::<LEN>() else { return Err(Reason::HeaderTruncated) };
    let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
    let payload = match length {
        0 => rest,
        1..LEN => return Err(Reason::BadLength),
        _ => rest.get(..length - LEN).unwrap_or(rest),
    };
    Ok(Udp {
        sport: u16::from_be_bytes([header[0], header[1]]),
        dport: u16::from_be_bytes([header[2], header[3]]),
        checksum: u16::from_be_bytes([header[6], header[7]]),
        payload,
    })
}
