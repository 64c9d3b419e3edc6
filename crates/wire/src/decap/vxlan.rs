//! VXLAN, RFC 7348 section 5.
//!
//! ```text
//!  0                   1                   2                   3
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |R|R|R|R|I|R|R|R|            Reserved                           |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                VXLAN Network Identifier (VNI) |   Reserved    |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```
use crate::Reason;

/// A VXLAN header. It carries an Ethernet frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Vxlan {
    /// VXLAN network identifier, 24 bits.
    pub vni: u32,
    /// Bits other than the I flag and the VNI are set: group policy (GBP) or another extension.
    pub reserved_bits: bool,
}

/// Reads the header and gives the frame behind it. RFC 7348 says that reserved bits are ignored on receipt;
/// only the I flag is required.
#[inline]
pub fn parse(bytes: &[u8]) -> Result<(Vxlan, &[u8]), Reason> {
    let Some((header, frame)) = bytes.split_first_chunk::<8>() else { return Err(Reason::HeaderTruncated) };
    let word = u64::from_be_bytes(*header);
    const I_FLAG: u64 = 0x0800_0000_0000_0000;
    const VNI: u64 = 0xffff_ff00;
    if word & I_FLAG == 0 {
        return Err(Reason::FlagMissing);
    }
    let vni = (word & VNI) >> 8;
    Ok((Vxlan { vni: vni as u32, reserved_bits: word & !(I_FLAG | VNI) != 0 }, frame))
}
