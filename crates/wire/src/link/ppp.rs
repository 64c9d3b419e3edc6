//! PPP, RFC 1661, with or without the address and control bytes of RFC 1662.
use super::{Next, Step, chdlc};
use crate::Reason;

#[cold]
pub(crate) fn parse(bytes: &[u8]) -> Step<'_> {
    let bytes = match bytes {
        [0xff, 0x03, rest @ ..] => rest,
        // Serial captures mix PPP with Cisco HDLC, told apart by the address.
        [0x0f | 0x8f, 0x00, ..] => return chdlc::parse(bytes),
        _ => bytes,
    };
    let (protocol, rest) = match bytes {
        // An odd first byte is a compressed protocol field, RFC 1661 section 6.5.
        [low, rest @ ..] if low & 1 == 1 => (u16::from(*low), rest),
        [high, low, rest @ ..] => (u16::from_be_bytes([*high, *low]), rest),
        _ => return Err(Reason::HeaderTruncated),
    };
    match protocol {
        0x0021 => Ok((Next::Ipv4, rest)),
        0x0057 => Ok((Next::Ipv6, rest)),
        0x0281 | 0x0283 => Ok((Next::Mpls, rest)),
        // Network and link control protocols.
        0x8000.. => Err(Reason::ControlPacket),
        0x0053 | 0x0055 => Err(Reason::Encrypted),
        _ => Err(Reason::UnknownProtocol),
    }
}
