//! The IP authentication header, RFC 4302: its payload is in the clear.
use crate::Reason;

/// Length of the header at the start of `bytes`. Its first byte is the next protocol.
pub(crate) fn length(bytes: &[u8]) -> Result<usize, Reason> {
    let Some(header) = bytes.first_chunk::<12>() else { return Err(Reason::HeaderTruncated) };
    match usize::from(header[1]) * 4 + 8 {
        ..12 => Err(Reason::BadHeaderLength),
        length => Ok(length),
    }
}
