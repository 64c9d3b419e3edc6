//! The Internet checksum, RFC 1071.
use crate::Ip;

/// Adds `bytes` to a running sum of big-endian 16-bit words; an odd last byte is padded with zero.
fn add(sum: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<2>();
    let sum = words.iter().fold(sum, |sum, word| sum.wrapping_add(u64::from(u16::from_be_bytes(*word))));
    match rest {
        [last] => sum.wrapping_add(u64::from(*last) << 8),
        _ => sum,
    }
}

/// Whether a sum over data and its checksum is right: all ones once the carries are folded in.
fn is_right(mut sum: u64) -> bool {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum == 0xffff
}

/// Whether a header or packet that contains its own checksum adds up.
pub(crate) fn verify(bytes: &[u8]) -> bool {
    is_right(add(0, bytes))
}

/// Whether a TCP segment or UDP datagram adds up with its pseudo-header (RFC 9293 section 3.1, RFC 8200
/// section 8.1). The mapped form of an IPv4 address adds 0xffff, which is zero in this arithmetic.
pub(crate) fn verify_transport(src: Ip, dst: Ip, protocol: u8, bytes: &[u8]) -> bool {
    let sum = add(0, &src.bits().to_be_bytes());
    let sum = add(sum, &dst.bits().to_be_bytes());
    let sum = sum.wrapping_add(bytes.len() as u64 & 0xffff).wrapping_add(bytes.len() as u64 >> 16);
    is_right(add(sum.wrapping_add(u64::from(protocol)), bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_1071_examples() {
        // The header of RFC 1071's neighbour, Wikipedia's IPv4 example.
        let header =
            [0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0, 0xc7];
        assert!(verify(&header));
        for position in 0..header.len() {
            let mut wrong = header;
            wrong[position] ^= 1;
            assert!(!verify(&wrong), "a flipped bit in byte {position} must show");
        }
        assert!(!verify(&[]), "nothing has no checksum");
        assert!(verify(&[0xff, 0xff, 0x00]), "an odd byte is padded");
    }
}
