//! A gzip file (RFC 1952) of one block with the fixed Huffman codes (RFC 1951 section 3.2.6), literals only:
//! it does not get smaller, but always comes out the same, whatever compressor the dependencies bring.

/// Collects bits from the lowest of each byte upwards.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: u32,
}

impl Bits {
    /// Huffman codes go in with their highest bit first, all else with the lowest.
    fn put(&mut self, value: u16, count: u32, highest_first: bool) {
        for at in 0..count {
            let bit = value >> if highest_first { count - 1 - at } else { at } & 1;
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= (bit as u8) << (self.used % 8);
            }
            self.used += 1;
        }
    }
}

pub(super) fn gzip(data: &[u8]) -> Vec<u8> {
    let mut bits = Bits::default();
    // The last block, of type 1.
    bits.put(1, 1, false);
    bits.put(1, 2, false);
    for byte in data {
        match u16::from(*byte) {
            literal @ 0..144 => bits.put(0x30 + literal, 8, true),
            literal => bits.put(0x190 + literal - 144, 9, true),
        }
    }
    // End of block: the code of 256.
    bits.put(0, 7, true);
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    file.extend(bits.bytes);
    file.extend(crc32(data).to_le_bytes());
    file.extend((data.len() as u32).to_le_bytes());
    file
}

fn crc32(data: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in data {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
        }
    }
    !crc
}

#[test]
fn another_decoder_reads_it() {
    use std::io::Read;
    let data: Vec<u8> = (0..=255).cycle().take(1000).collect();
    let mut out = Vec::new();
    flate2::read::GzDecoder::new(gzip(&data).as_slice()).read_to_end(&mut out).unwrap();
    assert_eq!(out, data);
}
