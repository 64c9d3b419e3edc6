//! IEEE 802.11 data frames: in captures of a radio, and in GRE from Aruba access points.
use super::{Next, Step};
use crate::Reason;

/// Skips a radiotap header, whose length is little-endian in bytes 2 and 3.
#[cold]
pub(crate) fn parse_radiotap(bytes: &[u8]) -> Step<'_> {
    let Some(header) = bytes.first_chunk::<8>() else { return Err(Reason::HeaderTruncated) };
    if header[0] != 0 {
        return Err(Reason::BadVersion);
    }
    let length = usize::from(u16::from_le_bytes([header[2], header[3]]));
    if length < 8 {
        return Err(Reason::BadHeaderLength);
    }
    bytes.get(length..).map(|rest| (Next::Wlan, rest)).ok_or(Reason::HeaderTruncated)
}

/// Reads the header of a data frame (IEEE 802.11-2020 section 9.3.2); LLC comes after it.
#[cold]
pub(crate) fn parse(bytes: &[u8]) -> Step<'_> {
    let Some(header) = bytes.first_chunk::<24>() else { return Err(Reason::HeaderTruncated) };
    let (kind, subtype) = (header[0] >> 2 & 0b11, header[0] >> 4);
    let without_data = subtype & 0b0100 != 0;
    if kind != 0b10 || without_data {
        return Err(Reason::ControlPacket);
    }
    let encrypted = header[1] & 0x40 != 0;
    if encrypted {
        return Err(Reason::Encrypted);
    }
    let mut length = 24;
    let four_addresses = header[1] & 0b11 == 0b11;
    if four_addresses {
        length += 6;
    }
    let has_qos = subtype & 0b1000 != 0;
    if has_qos {
        match bytes.get(length) {
            None => return Err(Reason::HeaderTruncated),
            Some(control) if control & 0x80 != 0 => return Err(Reason::Aggregated),
            Some(_) => length += 2,
        }
    }
    bytes.get(length..).map(|rest| (Next::Llc, rest)).ok_or(Reason::HeaderTruncated)
}
