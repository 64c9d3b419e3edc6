//! The form of a block: a header of 64 bytes with its own checksum, then the records, compressed.
//!
//! All integers are little-endian.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | [`MAGIC`] |
//! | 8 | 4 | bytes of the body as it is stored |
//! | 12 | 4 | bytes of the body uncompressed |
//! | 16 | 4 | number of records |
//! | 20 | 4 | flags: bit 0, the body is one zstd frame; the others are 0 |
//! | 24 | 8 | number of the first record |
//! | 32 | 8 | earliest event time, nanoseconds since 1970 |
//! | 40 | 8 | latest event time |
//! | 48 | 4 | CRC-32C of the body as it is stored |
//! | 52 | 8 | 0 |
//! | 60 | 4 | CRC-32C of bytes 0 to 60 |
//!
//! The body uncompressed is, for each record, its length (4 bytes) and its bytes. Nothing here trusts a length:
//! [`Header::parse`] refuses what is beyond [`MAX_BODY`], and the decoder gets no more memory than that.

/// The first bytes of each block; the last one is the version of the form.
pub const MAGIC: [u8; 8] = *b"\xb1HKSPL\n\x01";
/// Bytes of a header.
pub const HEADER: usize = 64;
/// The most bytes of a body, stored or uncompressed; a single record may have 4 fewer.
pub const MAX_BODY: usize = 16 << 20;
/// Record numbers stay below this, so that no sum of two overflows.
pub const MAX_NUMBER: u64 = 1 << 62;
const ZSTD: u32 = 1;
/// The fastest of the usual levels: what is delivered within seconds need not be small.
const LEVEL: i32 = 1;

/// What a block says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the body as stored.
    pub stored: u32,
    /// Bytes of the body uncompressed.
    pub raw: u32,
    /// How many records the body holds; at least 1.
    pub records: u32,
    /// The body is a zstd frame.
    pub zstd: bool,
    /// The number of the first record.
    pub first: u64,
    /// The earliest event time in nanoseconds since 1970.
    pub earliest: u64,
    /// The latest event time in nanoseconds since 1970.
    pub latest: u64,
    /// CRC-32C of the stored body.
    pub crc: u32,
}

impl Header {
    /// The number after the last record.
    pub fn end(&self) -> u64 {
        self.first.saturating_add(u64::from(self.records))
    }

    /// Bytes of header and body together.
    pub fn size(&self) -> u64 {
        HEADER as u64 + u64::from(self.stored)
    }

    /// The header's 64 bytes.
    pub fn bytes(&self) -> [u8; HEADER] {
        let mut out = Vec::with_capacity(HEADER);
        out.extend_from_slice(&MAGIC);
        for field in [self.stored, self.raw, self.records, if self.zstd { ZSTD } else { 0 }] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        for field in [self.first, self.earliest, self.latest] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        out.extend_from_slice(&self.crc.to_le_bytes());
        out.resize(HEADER - 4, 0);
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        let mut bytes = [0; HEADER];
        bytes.copy_from_slice(&out);
        bytes
    }

    /// The header in `bytes`, or nothing when these are no header, or one that cannot be.
    pub fn parse(bytes: &[u8; HEADER]) -> Option<Self> {
        let (checked, crc) = bytes.split_last_chunk::<4>()?;
        if !bytes.starts_with(&MAGIC) || crc32c::crc32c(checked) != u32::from_le_bytes(*crc) {
            return None;
        }
        let flags = u32_at(bytes, 20)?;
        let header = Self {
            stored: u32_at(bytes, 8)?,
            raw: u32_at(bytes, 12)?,
            records: u32_at(bytes, 16)?,
            zstd: flags & ZSTD != 0,
            first: u64_at(bytes, 24)?,
            earliest: u64_at(bytes, 32)?,
            latest: u64_at(bytes, 40)?,
            crc: u32_at(bytes, 48)?,
        };
        let sound = header.stored as usize <= MAX_BODY
            && header.raw as usize <= MAX_BODY
            && header.records > 0
            && u64::from(header.records) * 4 <= u64::from(header.raw)
            && header.first < MAX_NUMBER
            && flags & !ZSTD == 0;
        sound.then_some(header)
    }
}

/// The checksum of a stored body (CRC-32C).
pub fn checksum(stored: &[u8]) -> u32 {
    crc32c::crc32c(stored)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// A block of `raw`, a body of `records` records, ready to be written.
///
/// A body that does not become smaller is stored as it is.
pub fn seal(raw: &[u8], records: u32, first: u64, times: (u64, u64), compress: bool) -> Vec<u8> {
    let packed = compress.then(|| pack(raw)).flatten();
    let stored = packed.as_deref().unwrap_or(raw);
    let header = Header {
        stored: u32::try_from(stored.len()).unwrap_or(u32::MAX),
        raw: u32::try_from(raw.len()).unwrap_or(u32::MAX),
        records,
        zstd: packed.is_some(),
        first,
        earliest: times.0,
        latest: times.1,
        crc: checksum(stored),
    };
    let mut block = Vec::with_capacity(HEADER + stored.len());
    block.extend_from_slice(&header.bytes());
    block.extend_from_slice(stored);
    block
}

/// A frame, where it is smaller.
fn pack(raw: &[u8]) -> Option<Vec<u8>> {
    zstd::bulk::compress(raw, LEVEL).ok().filter(|packed| packed.len() < raw.len())
}

/// The `size` bytes that a frame decodes to; nothing when it is damaged or gives more or less.
fn unpack(frame: &[u8], size: usize) -> Option<Vec<u8>> {
    zstd::bulk::decompress(frame, size).ok().filter(|out| out.len() == size)
}

/// The uncompressed body of a block, proven to hold what its header says; nothing when it does not.
pub fn open(header: &Header, stored: Vec<u8>) -> Option<Vec<u8>> {
    if stored.len() != header.stored as usize || checksum(&stored) != header.crc {
        return None;
    }
    let raw = if header.zstd { unpack(&stored, header.raw as usize)? } else { stored };
    let mut rest = raw.as_slice();
    let mut records = 0u32;
    while !rest.is_empty() {
        rest = split(rest)?.1;
        records += 1;
    }
    (records == header.records && raw.len() == header.raw as usize).then_some(raw)
}

/// The first record of an uncompressed body, and what follows it.
pub fn split(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = body.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}
