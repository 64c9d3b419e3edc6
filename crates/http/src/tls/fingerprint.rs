//! Fingerprints of TLS clients and servers: JA3 and JA3S, as Salesforce has published them, and JA4, as FoxIO has.
use super::hello::{ClientHello, ServerHello};
use md5::{Digest as _, Md5};
use sha2::Sha256;
use std::fmt::Write as _;

/// Whether a value is one of those that say nothing (GREASE, RFC 8701).
const fn is_grease(value: u16) -> bool {
    value & 0x0f0f == 0x0a0a && value >> 8 == value & 0xff
}

/// Values in decimal, without GREASE.
fn decimal(values: &[u16]) -> String {
    let known: Vec<_> = values.iter().filter(|value| !is_grease(**value)).map(u16::to_string).collect();
    known.join("-")
}

/// JA3 of a ClientHello.
pub fn ja3(hello: &ClientHello) -> [u8; 16] {
    let formats: Vec<_> = hello.point_formats.iter().map(u8::to_string).collect();
    let text = format!(
        "{},{},{},{},{}",
        hello.version,
        decimal(&hello.ciphers),
        decimal(&hello.extensions),
        decimal(&hello.groups),
        formats.join("-")
    );
    Md5::digest(text).into()
}

/// JA3S of a ServerHello.
pub fn ja3s(hello: &ServerHello) -> [u8; 16] {
    // Values as they are: a server does not send GREASE.
    let extensions: Vec<_> = hello.extensions.iter().map(u16::to_string).collect();
    Md5::digest(format!("{},{},{}", hello.legacy_version, hello.cipher, extensions.join("-"))).into()
}

/// JA4 of a ClientHello over `t` (TCP) or `q` (QUIC).
pub fn ja4(hello: &ClientHello, transport: char) -> String {
    const SERVER_NAME: u16 = 0;
    const ALPN: u16 = 16;
    let known = |values: &[u16]| -> Vec<u16> { values.iter().copied().filter(|v| !is_grease(*v)).collect() };
    let (mut ciphers, mut extensions) = (known(&hello.ciphers), known(&hello.extensions));
    let counts = [ciphers.len().min(99), extensions.len().min(99)];
    let name = if extensions.contains(&SERVER_NAME) { 'd' } else { 'i' };
    let (first, last) = ends(hello.alpn.as_deref().unwrap_or_default());
    ciphers.sort_unstable();
    extensions.retain(|kind| !matches!(*kind, SERVER_NAME | ALPN));
    extensions.sort_unstable();
    let signatures = hex(&known(&hello.signatures));
    let mut said = hex(&extensions);
    if !signatures.is_empty() {
        said.push('_');
        said.push_str(&signatures);
    }
    format!(
        "{transport}{}{name}{:02}{:02}{first}{last}_{}_{}",
        version(hello),
        counts[0],
        counts[1],
        hashed(&hex(&ciphers)),
        if extensions.is_empty() { hashed("") } else { hashed(&said) }
    )
}

/// The newest version that the client knows, in two characters.
fn version(hello: &ClientHello) -> &'static str {
    let newest = hello.versions.iter().copied().filter(|version| !is_grease(*version)).max();
    match newest.unwrap_or(hello.version) {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        _ => "00",
    }
}

/// The first and the last character of a protocol's name; of one that does not begin and end with letters or digits
/// those of its hexadecimal form.
fn ends(name: &[u8]) -> (char, char) {
    let (Some(first), Some(last)) = (name.first(), name.last()) else { return ('0', '0') };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return (char::from(*first), char::from(*last));
    }
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    (digit(first >> 4), digit(last & 15))
}

/// Values as four hexadecimal digits each.
fn hex(values: &[u16]) -> String {
    let digits: Vec<_> = values.iter().map(|value| format!("{value:04x}")).collect();
    digits.join(",")
}

/// The first twelve digits of a hash; zeros for nothing.
fn hashed(text: &str) -> String {
    if text.is_empty() {
        return "000000000000".to_owned();
    }
    let digest = Sha256::digest(text);
    let mut out = String::with_capacity(12);
    for byte in digest.iter().take(6) {
        // Writing to a string cannot fail.
        let _ = write!(out, "{byte:02x}");
    }
    out
}

#[cfg(test)]
mod tests;
