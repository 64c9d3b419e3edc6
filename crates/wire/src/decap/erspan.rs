//! ERSPAN types I, II and III, draft-foschiano-erspan.
//!
//! ```text
//! Type II (GRE protocol 0x88BE with a sequence number); type I is the same without this header:
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |  Ver  |          VLAN         | COS | En|T|    Session ID     |
//! |      Reserved         |                  Index                |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! Type III (GRE protocol 0x22EB):
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |  Ver  |          VLAN         | COS |BSO|T|    Session ID     |
//! |                          Timestamp                            |
//! |             SGT               |P|    FT   |   Hw ID   |D|Gra|O|
//! | optional, 8 bytes if O: platform id and information           |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```
use super::Carries;
use crate::Reason;

/// Which header GRE announces.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// None: the frame follows GRE.
    I,
    /// 8 bytes, or type III's under type II's protocol number, told by the version.
    II,
    /// 12 bytes, or 20.
    III,
}

/// An ERSPAN header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Erspan {
    /// Session id, 10 bits; type I has none.
    pub session: Option<u32>,
    /// What comes behind it.
    pub carries: Carries,
}

/// Reads the header and gives the bytes behind it.
pub fn parse(shape: Shape, bytes: &[u8]) -> Result<(Erspan, &[u8]), Reason> {
    if shape == Shape::I {
        return Ok((Erspan { session: None, carries: Carries::Ethernet }, bytes));
    }
    let Some((header, rest)) = bytes.split_first_chunk::<8>() else { return Err(Reason::HeaderTruncated) };
    let session = Some(u32::from(u16::from_be_bytes([header[2], header[3]]) & 0x03ff));
    match (shape, header[0] >> 4) {
        (Shape::II, 1) => Ok((Erspan { session, carries: Carries::Ethernet }, rest)),
        (_, 2) => {
            let Some((tail, rest)) = rest.split_first_chunk::<4>() else {
                return Err(Reason::HeaderTruncated);
            };
            let frame_type = tail[2] >> 2 & 0x1f;
            let has_subheader = tail[3] & 0x01 != 0;
            let skip = if has_subheader { 8 } else { 0 };
            let rest = rest.get(skip..).ok_or(Reason::HeaderTruncated)?;
            match frame_type {
                0 => Ok((Erspan { session, carries: Carries::Ethernet }, rest)),
                2 => Ok((Erspan { session, carries: Carries::Ip }, rest)),
                _ => Err(Reason::UnknownProtocol),
            }
        }
        _ => Err(Reason::BadVersion),
    }
}
