//! Media type from the first bytes of a body, for when its field lies or is absent. The names are those that
//! Zeek gives.

/// Signatures at the start of a body.
const MAGIC: [(&[u8], &str); 24] = [
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"RIFF", "application/x-riff"),
    (b"\x00\x00\x01\x00", "image/x-icon"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/x-gzip"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\x00", "application/x-xz"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/x-rar"),
    (b"MZ", "application/x-dosexec"),
    (b"\x7fELF", "application/x-executable"),
    (b"\xca\xfe\xba\xbe", "application/x-java-applet"),
    (b"MSCF", "application/vnd.ms-cab-compressed"),
    (b"FWS", "application/x-shockwave-flash"),
    (b"CWS", "application/x-shockwave-flash"),
    (b"OggS", "application/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"wOFF", "application/font-woff"),
    (b"wOF2", "application/font-woff2"),
];

/// Openings of text formats, in lower case, after white space.
const MARKUP: [(&[u8], &str); 7] = [
    (b"<!doctype html", "text/html"),
    (b"<html", "text/html"),
    (b"<head", "text/html"),
    (b"<body", "text/html"),
    (b"<?xml", "application/xml"),
    (b"<soap", "application/xml"),
    (b"<svg", "image/svg+xml"),
];

/// Tells the media type from a body's first bytes; `None` when they say nothing.
pub fn sniff(bytes: &[u8]) -> Option<&'static str> {
    if let Some((_, name)) = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Some(name);
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let lead = bytes.iter().take_while(|b| b.is_ascii_whitespace()).count();
    let text = bytes.get(lead..).unwrap_or_default();
    let markup = |opening: &[u8]| text.get(..opening.len()).is_some_and(|t| t.eq_ignore_ascii_case(opening));
    if let Some((_, name)) = MARKUP.iter().find(|(opening, _)| markup(opening)) {
        return Some(name);
    }
    match text {
        [b'{', rest @ ..] if json_follows(rest, b"\"}") => Some("application/json"),
        [b'[', rest @ ..] if json_follows(rest, b"\"{[]0123456789-tfn") => Some("application/json"),
        _ if !bytes.is_empty() && bytes.iter().all(|b| is_text(*b)) => Some("text/plain"),
        _ => None,
    }
}

fn json_follows(rest: &[u8], openings: &[u8]) -> bool {
    rest.iter().find(|b| !b.is_ascii_whitespace()).is_none_or(|b| openings.contains(b))
}

const fn is_text(byte: u8) -> bool {
    byte >= 0x20 && byte != 0x7f || matches!(byte, b'\t' | b'\r' | b'\n' | 0x0c)
}
