//! The TCP header, RFC 9293 section 3.1.
use crate::{Reason, TcpFlags};

/// Length of the header without options.
const MIN_LEN: usize = 20;

/// A TCP header and its payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tcp<'p> {
    pub(crate) sport: u16,
    pub(crate) dport: u16,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) flags: TcpFlags,
    pub(crate) window: u16,
    pub(crate) payload: &'p [u8],
    pub(crate) truncated: u32,
}

/// Reads the header. `missing` is the number of bytes that the IP header promises beyond `bytes`: a header
/// that was cut in its options is still a segment, with all of its payload truncated.
#[inline]
pub(crate) fn parse(bytes: &[u8], missing: u32) -> Result<Tcp<'_>, Reason> {
    let Some(header) = bytes.first_chunk::<MIN_LEN>() else { return Err(Reason::HeaderTruncated) };
    let header_len = usize::from(header[12] >> 4) * 4;
    if header_len < MIN_LEN {
        return Err(Reason::BadHeaderLength);
    }
    let (payload, truncated) = match bytes.get(header_len..) {
        Some(payload) => (payload, missing),
        None => (&[][..], cut_in_options(header_len - bytes.len(), missing)?),
    };
    Ok(Tcp {
        sport: u16::from_be_bytes([header[0], header[1]]),
        dport: u16::from_be_bytes([header[2], header[3]]),
        seq: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
        ack: u32::from_be_bytes([header[8], header[9], header[10], header[11]]),
        flags: TcpFlags(header[13]),
        window: u16::from_be_bytes([header[14], header[15]]),
        payload,
        truncated,
    })
}

/// Payload bytes that are missing when `lost` bytes of the options are.
#[cold]
fn cut_in_options(lost: usize, missing: u32) -> Result<u32, Reason> {
    if missing == 0 {
        return Err(Reason::BadHeaderLength);
    }
    // More options than the packet has room for: a lie, not a cut.
    missing.checked_sub(lost as u32).ok_or(Reason::BadHeaderLength)
}
