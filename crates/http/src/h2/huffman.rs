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

/// Bits that [`QUICK`] looks at: most strings consist of bytes whose codes are no longer.
const QUICK_BITS: u32 = 10;

/// By the next bits: the byte whose code they begin with, and its length; 0 where that code is longer.
static QUICK: LazyLock<[(u8, u8); 1 << QUICK_BITS]> = LazyLock::new(|| {
    let mut quick = [(0, 0); 1 << QUICK_BITS];
    for row in ROWS.iter().filter(|row| row.length <= QUICK_BITS) {
        let places = 1 << (QUICK_BITS - row.length);
        let first = row.first as usize * places;
        for (place, symbol) in
            quick.iter_mut().skip(first).zip(row.symbols.iter().flat_map(|s| std::iter::repeat_n(*s, places)))
        {
            *place = (symbol as u8, row.length as u8);
        }
    }
    quick
});

/// Appends what a string decodes to. False, with a part of it appended, when it is none: the end's code in it, or bits left
/// over that are no padding.
pub(super) fn decode(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    let (quick, rows) = (&*QUICK, ROWS.as_slice());
    out.reserve(bytes.len() * 8 / 5);
    let (mut bits, mut count) = (0u64, 0u32);
    let mut rest = bytes.iter();
    loop {
        while count <= 56
            && let Some(byte) = rest.next()
        {
            bits = bits << 8 | u64::from(*byte);
            count += 8;
        }
        while count >= QUICK_BITS {
            let next = bits >> (count - QUICK_BITS) & ((1 << QUICK_BITS) - 1);
            match quick.get(next as usize) {
                Some((byte, length @ 1..)) => {
                    out.push(*byte);
                    count -= u32::from(*length);
                }
                _ => break,
            }
        }
        if count == 0 {
            return true;
        }
        if count < QUICK_BITS && !rest.as_slice().is_empty() {
            continue;
        }
        // The next 32 bits; what is behind the end is ones, as padding is.
        let window = if count >= 32 {
            bits >> (count - 32) & 0xffff_ffff
        } else {
            ((bits << (32 - count)) | ((1 << (32 - count)) - 1)) & 0xffff_ffff
        };
        let Some(row) = rows.iter().find(|row| window < row.limit) else {
            // Ones alone: padding of less than a byte, or the code of the end.
            return count < 8;
        };
        if row.length > count {
            return count < 8 && window == 0xffff_ffff;
        }
        let code = (window >> (32 - row.length)) as u32;
        let symbol = row.symbols.get((code - row.first) as usize).copied().unwrap_or(END);
        let Ok(byte) = u8::try_from(symbol) else { return false };
        out.push(byte);
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
