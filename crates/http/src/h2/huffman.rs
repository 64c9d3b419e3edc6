//! The Huffman code of header strings, RFC 7541 section 5.2 and appendix B.
//!
//! The code is canonical: codes of one length follow one another in the order of their symbols, and longer ones come behind
//! shorter ones. The lengths alone therefore tell it.
use std::sync::LazyLock;

/// Bits of the code of each byte; the last one is that of the end of the string, which never stands in one.
#[rustfmt::skip]
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];
/// The longest code.
const LONGEST: u32 = 30;
const END: u16 = 256;

/// The codes of one length.
struct Row {
    length: u32,
    /// The first code behind them, at the top of 32 bits.
    limit: u64,
    /// Their first code.
    first: u32,
    /// Their symbols.
    symbols: Vec<u16>,
}

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let (mut rows, mut code) = (Vec::new(), 0u32);
    for length in 1..=LONGEST {
        let symbols: Vec<u16> = (0..=END)
            .zip(LENGTHS)
            .filter(|(_, bits)| u32::from(*bits) == length)
            .map(|(symbol, _)| symbol)
            .collect();
        let first = code << 1;
        code = first + symbols.len() as u32;
        if !symbols.is_empty() {
            rows.push(Row { length, limit: u64::from(code) << (32 - length), first, symbols });
        }
    }
    rows
});

/// Bits that [`QUICK`] looks at: two of the shortest codes.
const QUICK_BITS: u32 = 12;

/// What the next bits begin with.
#[derive(Clone, Copy, Default)]
struct Quick {
    /// One byte, or two.
    bytes: [u8; 2],
    /// Bits of the code of the first; 0 where that code is longer than [`QUICK_BITS`].
    first: u8,
    /// Bits of both codes; that of the first where a second one is not whole.
    both: u8,
}

/// By the next [`QUICK_BITS`] bits.
static QUICK: LazyLock<Box<[Quick; 1 << QUICK_BITS]>> = LazyLock::new(|| {
    let mut quick = Box::new([Quick::default(); 1 << QUICK_BITS]);
    for (bits, place) in (0u64..).zip(quick.iter_mut()) {
        let top = bits << (64 - QUICK_BITS);
        let Some((byte, first)) = short(top, QUICK_BITS) else { continue };
        *place = Quick { bytes: [byte, 0], first: first as u8, both: first as u8 };
        if let Some((byte, second)) = short(top << first, QUICK_BITS - first) {
            place.bytes = [place.bytes[0], byte];
            place.both += second as u8;
        }
    }
    quick
});

/// The byte whose code `bits` begins with, and the length of that code, when it is within the top `count` bits.
fn short(bits: u64, count: u32) -> Option<(u8, u32)> {
    let window = bits >> 32;
    let row = ROWS.iter().find(|row| window < row.limit).filter(|row| row.length <= count)?;
    Some((u8::try_from(row.symbol(window)).ok()?, row.length))
}

impl Row {
    /// The symbol of the code that a window of 32 bits begins with, which is one of this row.
    fn symbol(&self, window: u64) -> u16 {
        let code = (window >> (32 - self.length)) as u32;
        self.symbols.get((code - self.first) as usize).copied().unwrap_or(END)
    }
}

/// Appends what a string decodes to. False, with a part of it appended, when it is none: the end's code in it, or bits left
/// over that are no padding.
pub(super) fn decode(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    let (quick, rows) = (&**QUICK, ROWS.as_slice());
    let look = |bits: u64| quick.get((bits >> (64 - QUICK_BITS)) as usize).copied().unwrap_or_default();
    out.reserve(bytes.len() * 8 / 5 + 2);
    // The next bits stand at the top; behind `count` of them there are zeros.
    let (mut bits, mut count) = (0u64, 0u32);
    let mut rest = bytes;
    loop {
        if count <= 32 {
            if let Some((four, tail)) = rest.split_first_chunk() {
                bits |= u64::from(u32::from_be_bytes(*four)) << (32 - count);
                count += 32;
                rest = tail;
            } else {
                for byte in std::mem::take(&mut rest) {
                    bits |= u64::from(*byte) << (56 - count);
                    count += 8;
                }
            }
        }
        let mut next = look(bits);
        while next.first != 0 && count >= QUICK_BITS {
            // Both, and away with the second where it is none: cheaper than to ask first.
            out.extend_from_slice(&next.bytes);
            out.truncate(out.len() - usize::from(next.first == next.both));
            bits <<= next.both;
            count -= u32::from(next.both);
            next = look(bits);
        }
        // A long code may go on behind the bits at hand.
        if count < LONGEST && !rest.is_empty() {
            continue;
        }
        if count == 0 {
            return true;
        }
        if next.first != 0 && u32::from(next.first) <= count {
            out.push(next.bytes[0]);
            bits <<= next.first;
            count -= u32::from(next.first);
            continue;
        }
        // What is behind the end is ones, as padding is.
        let window = bits >> 32 | 0xffff_ffff_u64.checked_shr(count).unwrap_or(0);
        let Some(row) = rows.iter().find(|row| window < row.limit) else {
            // Ones alone: padding of less than a byte, or the code of the end.
            return count < 8;
        };
        if row.length > count {
            return count < 8 && window == 0xffff_ffff;
        }
        let Ok(byte) = u8::try_from(row.symbol(window)) else { return false };
        out.push(byte);
        bits <<= row.length;
        count -= row.length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_of_the_rfc() {
        for (coded, text) in [
            (&b"\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"[..], &b"www.example.com"[..]),
            (b"\xa8\xeb\x10\x64\x9c\xbf", b"no-cache"),
            (b"\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf", b"custom-value"),
            (b"", b""),
        ] {
            let mut out = Vec::new();
            assert!(decode(coded, &mut out));
            assert_eq!(out, text);
        }
    }

    /// The codes of the table, one after the other, with their padding.
    fn encode(text: &[u8]) -> Vec<u8> {
        let (mut bits, mut out) = (String::new(), Vec::new());
        for byte in text {
            let row = ROWS.iter().find(|row| row.symbols.contains(&u16::from(*byte))).unwrap();
            let place = row.symbols.iter().position(|symbol| *symbol == u16::from(*byte)).unwrap() as u32;
            bits += &format!("{:0width$b}", row.first + place, width = row.length as usize);
        }
        while !bits.len().is_multiple_of(8) {
            bits.push('1');
        }
        for byte in bits.as_bytes().chunks(8) {
            out.push(u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap());
        }
        out
    }

    /// Each byte between each two others of short and of long codes, at each place in a byte.
    #[test]
    fn all_bytes_at_all_places() {
        for byte in 0..=255 {
            for (before, behind) in
                [(&b""[..], &b""[..]), (b"a", b"e"), (b"ab", b"\xff"), (b"\0w&", b"{z"), (b"0123-", b"!~")]
            {
                let text = [before, &[byte], behind].concat();
                let mut out = Vec::new();
                assert!(decode(&encode(&text), &mut out), "{text:?}");
                assert_eq!(out, text);
            }
        }
    }

    /// A long code whose end was not among the bits at hand was taken for damage.
    #[test]
    fn a_long_code_behind_short_ones() {
        for short in 0..40 {
            let text = [vec![b'a'; short], "grün\u{1f600}".as_bytes().to_vec(), vec![b'e'; short]].concat();
            let mut out = Vec::new();
            assert!(decode(&encode(&text), &mut out), "behind {short}");
            assert_eq!(out, text);
        }
    }

    #[test]
    fn what_is_none() {
        // Padding of a whole byte, padding with a zero in it, the code of the end.
        for coded in
            [&b"\xff"[..], b"\xa8\xeb\x10\x64\x9c\xbf\xff", b"\xa8\xeb\x10\x64\x9c\xbe", b"\xff\xff\xff\xff"]
        {
            assert!(!decode(coded, &mut Vec::new()), "{coded:?}");
        }
    }
}
