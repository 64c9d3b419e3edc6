//! Linux netfilter log: a 4-byte header, then type-length-value fields, one of which is the packet.
use super::{Next, Step};
use crate::Reason;

/// `NFULA_PAYLOAD`.
const PAYLOAD: u16 = 9;
/// Most fields that are looked at; the kernel writes fewer than 20.
const MAX_FIELDS: usize = 32;

#[cold]
pub(crate) fn parse(bytes: &[u8]) -> Step<'_> {
    let Some((header, mut rest)) = bytes.split_first_chunk::<4>() else {
        return Err(Reason::HeaderTruncated);
    };
    if header[1] != 0 {
        return Err(Reason::BadVersion);
    }
    // Address family: 2 is IPv4, 10 is IPv6.
    if !matches!(header[0], 2 | 10) {
        return Err(Reason::UnknownProtocol);
    }
    for _ in 0..MAX_FIELDS {
        // Lengths and types are in the capturing host's byte order; those with Linux are little-endian, and
        // libpcap's readers assume so too.
        let Some((field, _)) = rest.split_first_chunk::<4>() else { return Err(Reason::HeaderTruncated) };
        let length = usize::from(u16::from_le_bytes([field[0], field[1]]));
        let kind = u16::from_le_bytes([field[2], field[3]]);
        if length < 4 {
            return Err(Reason::BadLength);
        }
        if kind & 0x7fff == PAYLOAD {
            return Ok((Next::Ip, rest.get(4..length.min(rest.len())).unwrap_or_default()));
        }
        let padded = length.next_multiple_of(4);
        rest = rest.get(padded..).ok_or(Reason::HeaderTruncated)?;
    }
    Err(Reason::TooManyHeaders)
}
