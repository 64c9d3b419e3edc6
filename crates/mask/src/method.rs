//! How a value is replaced.

use crate::kind::{Class, Kind};
use aes::Aes256;
use fpe::ff1::{FF1, FlexibleNumeralString};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::sync::Arc;

/// What stands in place of a value that is replaced by a fixed text.
pub const MARK: &[u8] = b"***";

/// What is done with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Nothing is left (within a text: one `*`, so that the neighbours do not grow together).
    Remove,
    /// `***`, whatever it was.
    Fixed,
    /// The last four letters or digits stay; each other letter or digit becomes `*`, separators stay.
    #[serde(rename = "keep_last_4")]
    KeepLast4,
    /// `h:` and 16 hex digits of HMAC-SHA-256 over class and value: the same value gives the same text.
    Hash,
    /// FF1 over the digits (six or more) and over the letters (five or more): length, case and separators
    /// stay, and the same value gives the same text. What is too short for that becomes `0` or `x`.
    FormatPreserving,
}

impl Method {
    /// The name in reports and in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Remove => "remove",
            Self::Fixed => "fixed",
            Self::KeepLast4 => "keep_last_4",
            Self::Hash => "hash",
            Self::FormatPreserving => "format_preserving",
        }
    }

    /// Whether the method needs the key.
    pub fn needs_key(self) -> bool {
        matches!(self, Self::Hash | Self::FormatPreserving)
    }
}

/// The key and what is made of it.
#[derive(Clone)]
pub(crate) struct Keys {
    hash: Hmac<Sha256>,
    digits: Arc<FF1<Aes256>>,
    letters: Arc<FF1<Aes256>>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

/// The most letters or digits that FF1 is given: its cost grows with the square of the length.
const FF1_MOST: usize = 64;

impl Keys {
    /// The keys of both methods, derived from the one that is configured.
    pub(crate) fn new(key: &[u8]) -> Option<Self> {
        let derive = |label: &[u8]| {
            let mut hash = Hmac::<Sha256>::new_from_slice(key).ok()?;
            hash.update(label);
            Some(hash.finalize().into_bytes())
        };
        let cipher = derive(b"harken mask ff1")?;
        Some(Self {
            hash: Hmac::<Sha256>::new_from_slice(&derive(b"harken mask hash")?).ok()?,
            digits: Arc::new(FF1::new(&cipher, 10).ok()?),
            letters: Arc::new(FF1::new(&cipher, 26).ok()?),
        })
    }

    /// The pseudonym of a value: separators and case of numbers make no difference.
    fn hash(&self, kind: Kind, value: &[u8], out: &mut Vec<u8>) {
        let mut hash = self.hash.clone();
        hash.update(&[kind.class() as u8]);
        if matches!(kind.class(), Class::Secret) {
            hash.update(value);
        } else {
            for byte in value.iter().filter(|byte| !matches!(byte, b' ' | b'-' | b'.' | b'/' | b'(' | b')')) {
                hash.update(&[byte.to_ascii_lowercase()]);
            }
        }
        out.extend_from_slice(b"h:");
        for byte in hash.finalize().into_bytes().iter().take(8) {
            for half in [byte >> 4, byte & 15] {
                out.extend(char::from_digit(u32::from(half), 16).and_then(|digit| u8::try_from(digit).ok()));
            }
        }
    }

    /// Encrypts the digits and the letters of `value` in their places; false where it is too long.
    fn preserve(&self, kind: Kind, value: &[u8], out: &mut Vec<u8>) -> bool {
        let numerals = |is: fn(&u8) -> bool, of: fn(u8) -> u16| -> Vec<u16> {
            value.iter().filter(|byte| is(byte)).take(FF1_MOST + 1).map(|byte| of(*byte)).collect()
        };
        let digits = numerals(u8::is_ascii_digit, |byte| u16::from(byte - b'0'));
        let letters = numerals(u8::is_ascii_alphabetic, |byte| u16::from(byte.to_ascii_lowercase() - b'a'));
        if digits.len() > FF1_MOST || letters.len() > FF1_MOST {
            return false;
        }
        let tweak = [kind.class() as u8];
        let encrypt = |cipher: &FF1<Aes256>, plain: Vec<u16>, least: usize, else_: u16| -> Vec<u16> {
            let length = plain.len();
            let done = if length < least {
                None
            } else {
                cipher.encrypt(&tweak, &FlexibleNumeralString::from(plain)).ok().map(Vec::from)
            };
            done.unwrap_or_else(|| vec![else_; length])
        };
        let mut digits = encrypt(&self.digits, digits, 6, 0).into_iter();
        let mut letters = encrypt(&self.letters, letters, 5, u16::from(b'x' - b'a')).into_iter();
        let ascii = |base: u8, value: Option<u16>| {
            base + value.and_then(|value| u8::try_from(value).ok()).unwrap_or(0)
        };
        out.extend(value.iter().map(|byte| match byte {
            b'0'..=b'9' => ascii(b'0', digits.next()),
            b'a'..=b'z' => ascii(b'a', letters.next()),
            b'A'..=b'Z' => ascii(b'A', letters.next()),
            // Letters of other alphabets are no separators.
            0x80.. => b'x',
            other => *other,
        }));
        true
    }
}

/// Writes what stands for `value` into `out`; `whole` says that it is all of a field, not a part of a text.
pub(crate) fn write(
    method: Method,
    keys: Option<&Keys>,
    kind: Kind,
    value: &[u8],
    whole: bool,
    out: &mut Vec<u8>,
) {
    match (method, keys) {
        (Method::Remove, _) => out.extend_from_slice(if whole { b"" } else { b"*" }),
        (Method::KeepLast4, _) => keep_last_4(value, out),
        (Method::Hash, Some(keys)) => keys.hash(kind, value, out),
        (Method::FormatPreserving, Some(keys)) => {
            if !keys.preserve(kind, value, out) {
                keys.hash(kind, value, out);
            }
        }
        // Without a key (which a configuration that was checked has) nothing may stay readable.
        _ => out.extend_from_slice(MARK),
    }
}

fn keep_last_4(value: &[u8], out: &mut Vec<u8>) {
    let is = |byte: &u8| byte.is_ascii_alphanumeric() || *byte >= 0x80;
    let total = value.iter().filter(|byte| is(byte)).count();
    // Of a short value the last four would be most of it.
    let hidden = if total < 12 { total } else { total - 4 };
    let mut seen = 0;
    for byte in value {
        let letter = is(byte);
        out.push(if letter && seen < hidden || *byte >= 0x80 { b'*' } else { *byte });
        seen += usize::from(letter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aes::Aes128;

    /// The first two samples of NIST's FF1samples.pdf.
    #[test]
    fn nist_samples() {
        let key =
            [0x2B, 0x7E, 0x15, 0x16, 0x28, 0xAE, 0xD2, 0xA6, 0xAB, 0xF7, 0x15, 0x88, 0x09, 0xCF, 0x4F, 0x3C];
        let cipher = FF1::<Aes128>::new(&key, 10).unwrap();
        let plain = FlexibleNumeralString::from((0..10).collect::<Vec<u16>>());
        let encrypt = |tweak: &[u8]| Vec::from(cipher.encrypt(tweak, &plain).unwrap());
        assert_eq!(encrypt(&[]), [2, 4, 3, 3, 4, 7, 7, 4, 8, 4]);
        assert_eq!(encrypt(b"9876543210"), [6, 1, 2, 4, 2, 0, 0, 7, 7, 3]);
    }

    #[test]
    fn each_method() {
        let keys = Keys::new(&[7; 32]).unwrap();
        let masked = |method, value: &str| {
            let mut out = Vec::new();
            write(method, Some(&keys), Kind::Card, value.as_bytes(), true, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(masked(Method::Remove, "4111"), "");
        assert_eq!(masked(Method::Fixed, "4111"), "***");
        assert_eq!(masked(Method::KeepLast4, "4111-1111-1111-1234"), "****-****-****-1234");
        assert_eq!(masked(Method::KeepLast4, "hunter2"), "*******");
        assert_eq!(masked(Method::Hash, "4111 1111 1111 1111"), masked(Method::Hash, "4111111111111111"));
        let spaced = masked(Method::FormatPreserving, "4111 1111 1111 1111");
        assert_eq!(spaced.replace(' ', ""), masked(Method::FormatPreserving, "4111111111111111"));
        assert_eq!((spaced.len(), spaced.as_bytes()[4]), (19, b' '));
        assert!(!spaced.starts_with("4111 1111"));
    }
}
