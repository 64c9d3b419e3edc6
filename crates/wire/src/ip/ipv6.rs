//! IPv6 and its extension headers, RFC 8200.
use super::{Packet, Part, ah, protocol};
use crate::{Ip, Reason};

/// Length of the fixed header.
const FIXED_LEN: usize = 40;
/// Most extension headers that are followed.
const MAX_EXTENSION_HEADERS: usize = 16;

/// Reads the header and its extension headers. `missing` is what the enclosing length promised beyond `bytes`,
/// which counts only where this header gives no length itself.
#[inline]
pub(crate) fn parse(bytes: &[u8], missing: u32) -> Result<Packet<'_>, Reason> {
    let Some((header, payload)) = bytes.split_first_chunk::<FIXED_LEN>() else {
        return Err(Reason::HeaderTruncated);
    };
    if header[0] >> 4 != 6 {
        return Err(Reason::BadVersion);
    }
    // Length 0 is a jumbogram (RFC 2675) or a packet before segmentation offload (BIG TCP), with or without
    // the option that gives the true length.
    let length = match u16::from_be_bytes([header[4], header[5]]) {
        0 => payload.len().saturating_add(missing as usize),
        length => usize::from(length),
    };
    let packet = Packet {
        ipv6: true,
        src: address(header.get(8..)),
        dst: address(header.get(24..)),
        protocol: header[6],
        header_len: FIXED_LEN as u32,
        total_len: FIXED_LEN.saturating_add(length) as u32,
        payload: payload.get(..length).unwrap_or(payload),
        missing: length.saturating_sub(payload.len()) as u32,
        fragment: None,
    };
    match packet.protocol {
        protocol::TCP | protocol::UDP => Ok(packet),
        _ => extensions(packet),
    }
}

/// The address that these bytes begin with.
#[inline]
fn address(bytes: Option<&[u8]>) -> Ip {
    bytes.and_then(|bytes| bytes.first_chunk::<16>()).copied().map(Ip::v6).unwrap_or_default()
}

/// Walks the chain of extension headers up to the upper layer, or to a fragment's payload.
fn extensions(mut packet: Packet<'_>) -> Result<Packet<'_>, Reason> {
    for _ in 0..MAX_EXTENSION_HEADERS {
        let bytes = packet.payload;
        let length = match packet.protocol {
            protocol::HOP_BY_HOP
            | protocol::ROUTING
            | protocol::DESTINATION_OPTIONS
            | protocol::MOBILITY
            | protocol::HIP
            | protocol::SHIM6 => {
                let Some(header) = bytes.first_chunk::<8>() else { return Err(Reason::HeaderTruncated) };
                usize::from(header[1]) * 8 + 8
            }
            protocol::AH => ah::length(bytes)?,
            protocol::FRAGMENT => {
                let Some((header, rest)) = bytes.split_first_chunk::<8>() else {
                    return Err(Reason::HeaderTruncated);
                };
                packet.protocol = header[0];
                packet.payload = rest;
                let field = u16::from_be_bytes([header[2], header[3]]);
                let (offset, more) = (u32::from(field & 0xfff8), field & 1 != 0);
                if offset == 0 && !more {
                    // An atomic fragment (RFC 6946) is the whole packet.
                    packet.header_len += 8;
                    continue;
                }
                let id = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
                packet.fragment = Some(Part { id, offset, more });
                return Ok(packet);
            }
            _ => return Ok(packet),
        };
        let promised = bytes.len() as u64 + u64::from(packet.missing);
        if length as u64 > promised {
            return Err(Reason::BadHeaderLength);
        }
        let (Some(header), Some(rest)) = (bytes.get(..length), bytes.get(length..)) else {
            return Err(Reason::HeaderTruncated);
        };
        if packet.protocol == protocol::ROUTING
            && let Some(last) = final_destination(header)
        {
            packet.dst = last;
        }
        packet.protocol = header.first().copied().unwrap_or_default();
        packet.header_len += length as u32;
        packet.payload = rest;
    }
    Err(Reason::TooManyHeaders)
}

/// Where a packet goes in the end, if its routing header has segments left: the address that the transport's
/// checksum covers and that the connection is known by.
fn final_destination(header: &[u8]) -> Option<Ip> {
    let (fixed, addresses) = header.split_first_chunk::<8>()?;
    let (kind, segments_left) = (fixed[2], fixed[3]);
    if segments_left == 0 {
        return None;
    }
    match kind {
        // RFC 2460 section 4.4 (deprecated) and RFC 6275 section 6.4: the last address.
        0 | 2 => addresses.last_chunk::<16>().copied().map(Ip::v6),
        // RFC 8754: the segment list is written backwards.
        4 => addresses.first_chunk::<16>().copied().map(Ip::v6),
        _ => None,
    }
}
