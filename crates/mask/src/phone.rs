//! Telephone numbers: E.164 with its `+`, and those national spellings that nothing else is written like.
//!
//! Digits alone are no telephone number: ids, times and amounts look the same. The crate `phonenumber` says
//! yes to those and brings tables of megabytes; here a number needs a `+` and a country code that exists, or
//! the separators of North America or France.

use crate::sums::number;

/// Country codes of one and of two digits; every other one has three.
const TWO: &[u8] = &[
    20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55, 56, 57, 58,
    60, 61, 62, 63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98,
];

/// Codes of three digits begin with these two.
const THREE: &[u8] =
    &[21, 22, 23, 24, 25, 26, 29, 35, 37, 38, 42, 50, 59, 67, 68, 69, 80, 85, 87, 88, 96, 97, 99];

/// Whether the digits after a `+` are a number of E.164: the country exists, and the length may be.
pub(crate) fn is_e164(digits: &[u8]) -> bool {
    if !(8..=15).contains(&digits.len()) {
        return false;
    }
    if digits.first() == Some(&b'1') {
        return digits.len() == 11 && digits.get(1..).is_some_and(is_nanp);
    }
    if digits.first() == Some(&b'7') {
        return digits.len() == 11;
    }
    let Some(code) = digits.get(..2).and_then(number).and_then(|code| u8::try_from(code).ok()) else {
        return false;
    };
    TWO.contains(&code) || THREE.contains(&code)
}

/// Ten digits of the North American plan: area and exchange begin with 2 to 9.
fn is_nanp(digits: &[u8]) -> bool {
    let from_two = |place: usize| digits.get(place).is_some_and(|byte| (b'2'..=b'9').contains(byte));
    digits.len() == 10 && from_two(0) && from_two(3)
}

/// Whether groups of digits, with the separators between them, are a national spelling.
/// `shape` holds the text with every digit as `d`.
pub(crate) fn is_national(shape: &[u8], digits: &[u8]) -> bool {
    match shape {
        b"ddd-ddd-dddd" | b"(ddd) ddd-dddd" | b"(ddd)ddd-dddd" | b"ddd.ddd.dddd" => is_nanp(digits),
        b"d-ddd-ddd-dddd" | b"d (ddd) ddd-dddd" => {
            digits.first() == Some(&b'1') && digits.get(1..).is_some_and(is_nanp)
        }
        b"dd dd dd dd dd" | b"dd.dd.dd.dd.dd" | b"dd-dd-dd-dd-dd" => {
            digits.first() == Some(&b'0') && digits.get(1).is_some_and(|byte| *byte != b'0')
        }
        // United Kingdom: London, the big cities, mobiles and the rest.
        b"ddd dddd dddd" => digits.starts_with(b"02"),
        b"dddd ddd dddd" => digits.starts_with(b"01"),
        b"ddddd dddddd" => digits.starts_with(b"01") || digits.starts_with(b"07"),
        _ => false,
    }
}
