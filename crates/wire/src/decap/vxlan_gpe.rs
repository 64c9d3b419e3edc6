//! VXLAN-GPE, draft-ietf-nvo3-vxlan-gpe section 3.
//!
//! ```text
//!  0                   1                   2                   3
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |R|R|Ver|I|P|B|O|       Reserved                |Next Protocol  |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                VXLAN Network Identifier (VNI) |   Reserved    |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```
use super::Carries;
use crate::Reason;

/// A VXLAN-GPE header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VxlanGpe {
    /// VXLAN network identifier, 24 bits.
    pub vni: u32,
    /// What comes behind it.
    pub carries: Carries,
}

/// Reads the header and gives the bytes behind it. Without the P bit it is plain VXLAN: an Ethernet frame.
pub fn parse(bytes: &[u8]) -> Result<(VxlanGpe, &[u8]), Reason> {
    let Some((header, rest)) = bytes.split_first_chunk::<8>() else { return Err(Reason::HeaderTruncated) };
    let flags = header[0];
    if flags & 0x30 != 0 {
        return Err(Reason::BadVersion);
    }
    let has_vni = flags & 0x08 != 0;
    if !has_vni {
        return Err(Reason::FlagMissing);
    }
    let is_oam = flags & 0x01 != 0;
    if is_oam {
        return Err(Reason::ControlPacket);
    }
    let has_next_protocol = flags & 0x04 != 0;
    let carries = match header[3] {
        _ if !has_next_protocol => Carries::Ethernet,
        1 => Carries::EtherType(0x0800),
        2 => Carries::EtherType(0x86dd),
        3 => Carries::Ethernet,
        5 => Carries::EtherType(0x8847),
        // 4 is NSH, the network service header.
        _ => return Err(Reason::UnknownProtocol),
    };
    let vni = u32::from_be_bytes([0, header[4], header[5], header[6]]);
    Ok((VxlanGpe { vni, carries }, rest))
}
