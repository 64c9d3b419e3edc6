//! Initial packets and their frames, RFC 9000 sections 17.2.2 and 19.
use super::keys::{Keys, TAG};
use crate::cursor::Cursor;

/// QUIC version 2, RFC 9369.
pub(super) const VERSION_2: u32 = 0x6b33_43cf;

/// Salt and labels of a version (RFC 9001 section 5.2, RFC 9369 section 3.3), and the type of its Initial packets.
fn version(number: u32) -> Option<([u8; 20], &'static str, u8)> {
    const V1: [u8; 20] = *b"\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a";
    const V2: [u8; 20] = *b"\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9";
    const DRAFT: [u8; 20] =
        *b"\xaf\xbf\xec\x28\x99\x93\xd2\x4c\x9e\x97\x86\xf1\x9c\x61\x11\xe0\x43\x90\xa8\x99";
    match number {
        1 | 0xff00_0021 | 0xff00_0022 => Some((V1, "quic", 0)),
        VERSION_2 => Some((V2, "quicv2", 1)),
        0xff00_001d..=0xff00_0020 => Some((DRAFT, "quic", 0)),
        _ => None,
    }
}

/// The longest connection identifier, section 17.2.
const MAX_ID: usize = 20;

/// An Initial packet.
pub(super) struct Initial<'p> {
    pub(super) version: u32,
    pub(super) dcid: &'p [u8],
    pub(super) scid: &'p [u8],
    /// The packet from its first byte up to its end.
    whole: &'p [u8],
    /// Where its number stands.
    number_at: usize,
}

impl<'p> Initial<'p> {
    /// The packet at the start of `bytes`, and what is behind it.
    pub(super) fn read(bytes: &'p [u8]) -> Option<(Self, &'p [u8])> {
        let mut cursor = Cursor(bytes);
        let first = cursor.take(1)?.first().copied()?;
        let version_number = u32::try_from(cursor.number(4)?).ok()?;
        let (_, _, kind) = version(version_number)?;
        // A long header (section 17.2), of this type.
        if first & 0xc0 != 0xc0 || first >> 4 & 3 != kind {
            return None;
        }
        let dcid = identifier(&mut cursor)?;
        let scid = identifier(&mut cursor)?;
        let token = cursor.varint()?;
        cursor.take(token)?;
        let length = cursor.varint()?;
        let number_at = bytes.len() - cursor.0.len();
        cursor.take(length)?;
        let (whole, behind) = bytes.split_at_checked(number_at + length)?;
        Some((Self { version: version_number, dcid, scid, whole, number_at }, behind))
    }

    /// The frames, decrypted by the keys of the client that has made up this identifier; `None` where it is another's.
    pub(super) fn open(&self, made_up: &[u8]) -> Option<Vec<u8>> {
        let (salt, word, _) = version(self.version)?;
        let keys = Keys::of_client(made_up, &salt, word)?;
        let protected = self.whole.get(self.number_at..)?;
        let mask = keys.mask(protected.get(4..)?.first_chunk()?);
        let (mask_first, mask_number) = mask.split_first()?;
        let mut header = self.whole.get(..self.number_at)?.to_vec();
        let first = header.first_mut()?;
        *first ^= mask_first & 0x0f;
        let length = usize::from(*first & 3) + 1;
        let number: Vec<u8> =
            protected.iter().take(length).zip(mask_number).map(|(byte, mask)| byte ^ mask).collect();
        header.extend_from_slice(&number);
        let number = number.iter().fold(0, |n, byte| n << 8 | u32::from(*byte));
        let (payload, tag) = protected.get(length..)?.split_last_chunk::<TAG>()?;
        let mut payload = payload.to_vec();
        keys.open(number, &header, &mut payload, tag).then_some(payload)
    }
}

/// Calls `each` with offset and bytes of the CRYPTO frames (section 19.6). Ends before a frame that an Initial packet may not
/// have (section 12.4).
pub(super) fn each_crypto(frames: &[u8], mut each: impl FnMut(usize, &[u8])) {
    let mut cursor = Cursor(frames);
    let mut frame = || -> Option<()> {
        match cursor.varint()? {
            // PADDING, PING.
            0 | 1 => {}
            // ACK: the largest, the delay, the number of ranges behind the first, and with 3 three counters.
            kind @ (2 | 3) => {
                cursor.varint()?;
                cursor.varint()?;
                let ranges = cursor.varint()?.checked_mul(2)?.checked_add(1)?;
                for _ in 0..ranges.checked_add(if kind == 3 { 3 } else { 0 })? {
                    cursor.varint()?;
                }
            }
            6 => {
                let offset = cursor.varint()?;
                let length = cursor.varint()?;
                each(offset, cursor.take(length)?);
            }
            _ => return None,
        }
        Some(())
    };
    while frame().is_some() {}
}

fn identifier<'p>(cursor: &mut Cursor<'p>) -> Option<&'p [u8]> {
    let length = cursor.number(1)?;
    if length > MAX_ID { None } else { cursor.take(length) }
}
