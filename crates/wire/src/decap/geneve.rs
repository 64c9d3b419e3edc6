//! GENEVE, RFC 8926 section 3.4.
//!
//! ```text
//!  0                   1                   2                   3
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |Ver|  Opt Len  |O|C|    Rsvd.  |          Protocol Type        |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |        Virtual Network Identifier (VNI)       |    Reserved   |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ~                    Variable-Length Options                    ~
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```
use crate::{GeneveOptions, Reason};

/// A GENEVE header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Geneve<'p> {
    /// Virtual network identifier, 24 bits. AWS and GCP send 0.
    pub vni: u32,
    /// EtherType of the payload.
    pub protocol: u16,
    /// The option area, a multiple of 4 and at most 252 bytes.
    pub options: &'p [u8],
}

/// What an option area says.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ParsedOptions {
    /// The options that are known, if there was one.
    pub known: Option<GeneveOptions>,
    /// An option with the critical bit is not known. RFC 8926 has an endpoint drop the packet; an observer
    /// can only lose by that.
    pub unknown_critical: bool,
    /// The last option reaches past the area.
    pub malformed: bool,
}

/// Reads the header and gives the bytes behind its options.
#[inline]
pub fn parse(bytes: &[u8]) -> Result<(Geneve<'_>, &[u8]), Reason> {
    let Some((header, rest)) = bytes.split_first_chunk::<8>() else { return Err(Reason::HeaderTruncated) };
    if header[0] >> 6 != 0 {
        return Err(Reason::BadVersion);
    }
    let is_control = header[1] & 0x80 != 0;
    if is_control {
        return Err(Reason::ControlPacket);
    }
    let options_len = usize::from(header[0] & 0x3f) * 4;
    let Some((options, payload)) = rest.split_at_checked(options_len) else {
        return Err(Reason::HeaderTruncated);
    };
    let protocol = u16::from_be_bytes([header[2], header[3]]);
    let vni = u32::from_be_bytes([0, header[4], header[5], header[6]]);
    Ok((Geneve { vni, protocol, options }, payload))
}

/// Option classes, from IANA's registry.
const CLASS_AWS: u16 = 0x0108;
const CLASS_GCP: u16 = 0x0132;

/// Reads the options. Their order is not promised; the last of two equal ones counts.
pub fn parse_options(mut area: &[u8]) -> ParsedOptions {
    let mut parsed = ParsedOptions::default();
    while !area.is_empty() {
        let Some((header, rest)) = area.split_first_chunk::<4>() else {
            parsed.malformed = true;
            break;
        };
        let length = usize::from(header[3] & 0x1f) * 4;
        let Some((data, rest)) = rest.split_at_checked(length) else {
            parsed.malformed = true;
            break;
        };
        area = rest;
        let class = u16::from_be_bytes([header[0], header[1]]);
        let critical = header[2] & 0x80 != 0;
        let mut options = parsed.known.unwrap_or_default();
        if read_option(&mut options, class, header[2] & 0x7f, data) {
            parsed.known = Some(options);
        } else {
            parsed.unknown_critical |= critical;
        }
    }
    parsed
}

/// Notes a known option; `false` when it is not one.
fn read_option(options: &mut GeneveOptions, class: u16, kind: u8, data: &[u8]) -> bool {
    let word = || data.try_into().ok().map(u32::from_be_bytes);
    let long = || data.try_into().ok().map(u64::from_be_bytes);
    match (class, kind) {
        (CLASS_AWS, 1) => set(&mut options.aws_endpoint_eni, long()),
        (CLASS_AWS, 2) => set(&mut options.aws_attachment, long()),
        (CLASS_AWS, 3) => set(&mut options.aws_flow_cookie, word()),
        (CLASS_GCP, 1) => set(&mut options.gcp_network, word()),
        (CLASS_GCP, 2) => set(&mut options.gcp_endpoint, data.try_into().ok()),
        (CLASS_GCP, 3) => set(&mut options.gcp_profile, long()),
        _ => false,
    }
}

/// Stores a value of the right length; one of another length is not the option that is known.
fn set<T>(slot: &mut Option<T>, value: Option<T>) -> bool {
    let known = value.is_some();
    if known {
        *slot = value;
    }
    known
}
