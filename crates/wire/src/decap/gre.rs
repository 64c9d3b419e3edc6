//! GRE, RFC 2784 with the key and sequence number of RFC 2890; L2GRE and NVGRE (RFC 7637) are GRE with
//! Ethernet inside.
//!
//! ```text
//!  0                   1                   2                   3
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |C|R|K|S|       Reserved0       | Ver |         Protocol Type   |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |      Checksum (if C)          |       Reserved1 (if C)        |
//! |                         Key (if K)                            |
//! |                   Sequence Number (if S)                      |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```
use super::{Carries, erspan::Shape};
use crate::{Reason, TunnelKind};

/// A GRE header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gre {
    /// Which tunnel this is.
    pub kind: TunnelKind,
    /// The network identifier: the NVGRE virtual subnet id, else the key.
    pub vni: Option<u32>,
    /// What comes behind it.
    pub payload: Payload,
    /// The C flag: a checksum over header and payload is present.
    pub has_checksum: bool,
}

/// What comes behind a GRE header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Payload {
    /// A frame or a packet.
    Plain(Carries),
    /// An ERSPAN header.
    Erspan(Shape),
}

/// Reads the header and gives the bytes behind it.
#[inline]
pub fn parse(bytes: &[u8]) -> Result<(Gre, &[u8]), Reason> {
    let Some((header, mut rest)) = bytes.split_first_chunk::<4>() else {
        return Err(Reason::HeaderTruncated);
    };
    let flags = u16::from_be_bytes([header[0], header[1]]);
    // Version 1 is PPTP's (RFC 2637).
    if flags & 0x0007 != 0 {
        return Err(Reason::BadVersion);
    }
    if flags & 0x4000 != 0 {
        return Err(Reason::RoutingPresent);
    }
    let has_checksum = flags & 0x8000 != 0;
    if has_checksum {
        (_, rest) = word(rest)?;
    }
    let mut key = None;
    if flags & 0x2000 != 0 {
        let (value, behind) = word(rest)?;
        (key, rest) = (Some(value), behind);
    }
    let has_sequence = flags & 0x1000 != 0;
    if has_sequence {
        (_, rest) = word(rest)?;
    }
    let (kind, payload) = match u16::from_be_bytes([header[2], header[3]]) {
        0x6558 => (TunnelKind::L2Gre, Payload::Plain(Carries::Ethernet)),
        0x88be => (TunnelKind::Erspan, Payload::Erspan(if has_sequence { Shape::II } else { Shape::I })),
        0x22eb => (TunnelKind::Erspan, Payload::Erspan(Shape::III)),
        0x883e => {
            rest = skip_wccp_redirect(rest)?;
            (TunnelKind::Gre, Payload::Plain(Carries::Ip))
        }
        protocol if is_aruba(protocol) => (TunnelKind::Gre, Payload::Plain(Carries::Wlan)),
        protocol => (TunnelKind::Gre, Payload::Plain(Carries::EtherType(protocol))),
    };
    let (kind, vni) = match (kind, key.map(|key| key >> 8)) {
        // Without a virtual subnet id in it the key is a plain number: RFC 7637 reserves id 0.
        (TunnelKind::L2Gre, Some(vsid)) if vsid != 0 => (TunnelKind::Nvgre, Some(vsid)),
        (kind, _) => (kind, key),
    };
    Ok((Gre { kind, vni, payload, has_checksum }, rest))
}

#[inline]
fn word(bytes: &[u8]) -> Result<(u32, &[u8]), Reason> {
    let (word, rest) = bytes.split_first_chunk::<4>().ok_or(Reason::HeaderTruncated)?;
    Ok((u32::from_be_bytes(*word), rest))
}

/// WCCP version 2 puts a 4-byte redirect header before the IPv4 packet, version 1 does not.
fn skip_wccp_redirect(bytes: &[u8]) -> Result<&[u8], Reason> {
    match bytes.first() {
        Some(first) if first >> 4 == 4 => Ok(bytes),
        _ => bytes.get(4..).ok_or(Reason::HeaderTruncated),
    }
}

/// Aruba access points send 802.11 frames under a protocol type per radio and priority: 0x8200 to 0x82f0, 0x8300
/// to 0x8370, and 0x9000.
const fn is_aruba(protocol: u16) -> bool {
    matches!(protocol, 0x8200..=0x82f0 | 0x8300..=0x8370 if protocol & 0x000f == 0) || protocol == 0x9000
}
