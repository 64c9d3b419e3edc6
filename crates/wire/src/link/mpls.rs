//! MPLS label stacks, RFC 3032, and Ethernet pseudowires in them, RFC 4448.
use super::{Next, Step};
use crate::Reason;

/// Most labels that are followed.
const MAX_LABELS: usize = 16;

/// Takes the labels off. Nothing in the stack says what it carries, so that the first nibble has to: 4 and 6
/// are IP, as every router's load balancing assumes.
#[cold]
pub(crate) fn parse(mut bytes: &[u8]) -> Step<'_> {
    for _ in 0..MAX_LABELS {
        let Some((label, rest)) = bytes.split_first_chunk::<4>() else { return Err(Reason::HeaderTruncated) };
        bytes = rest;
        let bottom_of_stack = label[2] & 1 != 0;
        if bottom_of_stack {
            return payload(bytes);
        }
    }
    Err(Reason::TooManyHeaders)
}

fn payload(bytes: &[u8]) -> Step<'_> {
    match bytes.first().map(|byte| byte >> 4) {
        Some(4) => Ok((Next::Ipv4, bytes)),
        Some(6) => Ok((Next::Ipv6, bytes)),
        // A control word begins with 0, and so do many addresses of a frame without one: the EtherType
        // that makes sense decides.
        Some(0) => match bytes.get(4..) {
            Some(behind) if is_frame(behind) || !is_frame(bytes) => Ok((Next::Ethernet, behind)),
            _ => Ok((Next::Ethernet, bytes)),
        },
        // Associated channel header, RFC 4385: maintenance of the pseudowire.
        Some(1) => Err(Reason::ControlPacket),
        Some(_) => Ok((Next::Ethernet, bytes)),
        None => Err(Reason::HeaderTruncated),
    }
}

/// Whether these bytes begin like an Ethernet frame that is read.
fn is_frame(bytes: &[u8]) -> bool {
    let Some(header) = bytes.first_chunk::<14>() else { return false };
    let ether_type = u16::from_be_bytes([header[12], header[13]]);
    match Next::from_ether_type(ether_type) {
        Next::Llc => bytes.get(14..16) == Some(&[0xaa, 0xaa]),
        Next::EtherType(other) => other == 0x0806,
        _ => true,
    }
}
