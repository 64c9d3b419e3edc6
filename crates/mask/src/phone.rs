//! Telephone numbers: E.164 with its `+`, and those national spellings that nothing else is written like.
//!
//! Digits alone are no telephone number: ids, times and amounts look the same. The crate `phonenumber` says
//! yes to those and brings tables of megabytes; here a number needs a `+` and a country code that exists, or
//! separators as in North America, France or the United Kingdom, or an area code in brackets.

use crate::sums::number;

/// Country codes of two digits.
const TWO: &[u8] = &[
    20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55, 56, 57, 58,
    60, 61, 62, 63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98,
];

/// Country codes of three digits: ranges of those that ITU-T E.164 assigns.
const THREE: &[(u32, u32)] = &[
    (211, 213),
    (216, 216),
    (218, 218),
    (220, 258),
    (260, 269),
    (290, 291),
    (297, 299),
    (350, 359),
    (370, 383),
    (385, 387),
    (389, 389),
    (420, 421),
    (423, 423),
    (500, 509),
    (590, 599),
    (670, 670),
    (672, 683),
    (685, 692),
    (800, 800),
    (808, 808),
    (850, 850),
    (852, 853),
    (855, 856),
    (870, 870),
    (878, 878),
    (880, 883),
    (886, 886),
    (888, 888),
    (960, 968),
    (970, 977),
    (979, 979),
    (992, 996),
    (998, 998),
];

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
    let code = |length| digits.get(..length).and_then(number);
    code(2).and_then(|code| u8::try_from(code).ok()).is_some_and(|code| TWO.contains(&code))
        || code(3).is_some_and(|code| THREE.iter().any(|(first, last)| (*first..=*last).contains(&code)))
}

/// Whether an area code in brackets, with the 0 that is dialled inside the country, and a number stand there, as in
/// Germany, Italy, the United Kingdom and many others.
fn is_trunk(shape: &[u8], digits: &[u8]) -> bool {
    let Some(area) = shape.iter().position(|sign| *sign == b')') else { return false };
    let rest = shape.get(area + 1..).unwrap_or_default();
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    (4..=6).contains(&area)
        && shape.iter().take(area).skip(1).all(|sign| *sign == b'd')
        && digits.first() == Some(&b'0')
        && digits.get(1) != Some(&b'0')
        && rest.len() >= 5
        && rest.iter().all(|sign| matches!(sign, b'd' | b' ' | b'-'))
        && (9..=12).contains(&digits.len())
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
        [b'(', ..] => is_trunk(shape, digits),
        _ => false,
    }
}
