//! The pcap format (draft-ietf-opsawg-pcap): a header of 24 bytes, then records of 16 bytes and the packet.
//!
//! Both byte orders, microseconds (`a1b2c3d4`) and nanoseconds (`a1b23c4d`), and the "modified" variant of
//! old Linux distributions (`a1b2cd34`), whose records carry 8 more bytes that are of no use here.
use crate::{
    MAX_PACKET, MAX_RECORD, Reason,
    reader::{Fault, Located},
    window::Window,
};
use harken_wire::Timestamp;

/// Length of the file's header.
pub(crate) const FILE_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;
const MODIFIED_RECORD_HEADER: usize = 24;

/// What a file's header says about its records.
pub(crate) struct Layout {
    big_endian: bool,
    /// Nanoseconds of one unit of the second time field.
    unit: u64,
    record_header: usize,
    dlt: u32,
    /// Captured lengths above this are damage.
    limit: u32,
}

/// Byte order (true for big-endian), nanoseconds of a time unit and record header length that a magic
/// number stands for.
fn variant(magic: [u8; 4]) -> Option<(bool, u64, usize)> {
    Some(match magic {
        [0xa1, 0xb2, 0xc3, 0xd4] => (true, 1000, RECORD_HEADER),
        [0xd4, 0xc3, 0xb2, 0xa1] => (false, 1000, RECORD_HEADER),
        [0xa1, 0xb2, 0x3c, 0x4d] => (true, 1, RECORD_HEADER),
        [0x4d, 0x3c, 0xb2, 0xa1] => (false, 1, RECORD_HEADER),
        [0xa1, 0xb2, 0xcd, 0x34] => (true, 1000, MODIFIED_RECORD_HEADER),
        [0x34, 0xcd, 0xb2, 0xa1] => (false, 1000, MODIFIED_RECORD_HEADER),
        _ => return None,
    })
}

impl Layout {
    /// Whether a file that starts so is of this format.
    pub(crate) fn starts(file: &[u8]) -> bool {
        file.first_chunk().is_some_and(|magic| variant(*magic).is_some())
    }

    /// From the header's bytes; `None` when they do not start with a magic number of the format.
    pub(crate) fn parse(header: &[u8; FILE_HEADER]) -> Option<Result<Self, Reason>> {
        let (magic, rest) = header.split_first_chunk::<4>()?;
        let (big_endian, unit, record_header) = variant(*magic)?;
        let u16_of = |b| if big_endian { u16::from_be_bytes(b) } else { u16::from_le_bytes(b) };
        let u32_of = |b| if big_endian { u32::from_be_bytes(b) } else { u32::from_le_bytes(b) };
        let (major, rest) = rest.split_first_chunk::<2>()?;
        let (minor, rest) = rest.split_first_chunk::<2>()?;
        // Eight bytes of time zone and accuracy, which nobody fills in.
        let (_, rest) = rest.split_first_chunk::<8>()?;
        let (snaplen, rest) = rest.split_first_chunk::<4>()?;
        let (network, _) = rest.split_first_chunk::<4>()?;
        let (major, minor) = (u16_of(*major), u16_of(*minor));
        if major != 2 {
            return Some(Err(Reason::Version { major, minor }));
        }
        Some(Ok(Self {
            big_endian,
            unit,
            record_header,
            // The upper bits say whether frames end with a check sequence, which no decoder looks at.
            dlt: u32_of(*network) & 0x03ff_ffff,
            limit: packet_limit(u32_of(*snaplen)),
        }))
    }

    /// The next packet, which then lies in the window.
    #[inline]
    pub(crate) fn locate(&self, window: &mut Window) -> Result<Option<Located>, Fault> {
        loop {
            let rest = window.rest();
            let needed = if let Some(header) = rest.first_chunk::<RECORD_HEADER>() {
                let [seconds, fraction, captured, wire_len] = self.fields(header);
                if captured > self.limit {
                    let reason = Reason::CaptureLength { length: captured, limit: self.limit };
                    return Err(Fault::fatal(window, reason));
                }
                let needed = self.record_header + captured as usize;
                if needed <= rest.len() {
                    let at = window.cursor() + self.record_header;
                    window.consume(needed);
                    let ts = u64::from(seconds) * 1_000_000_000 + u64::from(fraction) * self.unit;
                    let (dlt, len) = (self.dlt, captured as usize);
                    return Ok(Some(Located { ts: Timestamp(ts), dlt, at, len, wire_len }));
                }
                needed
            } else {
                self.record_header
            };
            if !window.fill(needed) {
                if window.at_end() {
                    return Ok(None);
                }
                let reason = window.shortage(needed as u64);
                return Err(Fault::fatal(window, reason));
            }
        }
    }

    /// Whether the next packet is sound and lies in the window already.
    #[inline]
    pub(crate) fn is_at_hand(&self, window: &Window) -> bool {
        let rest = window.rest();
        rest.first_chunk::<RECORD_HEADER>().is_some_and(|header| {
            let [_, _, captured, _] = self.fields(header);
            captured <= self.limit && self.record_header + captured as usize <= rest.len()
        })
    }

    #[inline]
    fn fields(&self, header: &[u8; RECORD_HEADER]) -> [u32; 4] {
        let (words, _) = header.as_chunks::<4>();
        let mut fields = [0; 4];
        for (field, word) in fields.iter_mut().zip(words) {
            *field = if self.big_endian { u32::from_be_bytes(*word) } else { u32::from_le_bytes(*word) };
        }
        fields
    }
}

/// The longest packet that is believed in a file of this snapshot length: files are found with 0 there, and
/// with less than their packets have.
pub(crate) fn packet_limit(snaplen: u32) -> u32 {
    // A record's own fields must fit into the bound too.
    snaplen.clamp(MAX_PACKET, MAX_RECORD as u32 - 64)
}
