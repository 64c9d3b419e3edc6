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
        _ if is_text(bytes) => Some("text/plain"),
        _ => None,
    }
}

fn json_follows(rest: &[u8], openings: &[u8]) -> bool {
    rest.iter().find(|b| !b.is_ascii_whitespace()).is_none_or(|b| openings.contains(b))
}

/// Whether `bytes` are UTF-8 without control characters; the last character may be cut off.
fn is_text(bytes: &[u8]) -> bool {
    let valid = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_some() => return false,
        Err(error) => {
            let whole = bytes.get(..error.valid_up_to()).unwrap_or_default();
            std::str::from_utf8(whole).unwrap_or_default()
        }
    };
    !valid.is_empty() && valid.bytes().all(is_printable)
}

const fn is_printable(byte: u8) -> bool {
    byte >= 0x20 && byte != 0x7f || matches!(byte, b'\t' | b'\r' | b'\n' | 0x0c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_not_told_for_it() {
        for (bytes, expected) in [
            (&b"\xff\xfe\xfd\xfc"[..], None),
            (b"caf\xc3\xa9", Some("text/plain")),
            (b"caf\xc3", Some("text/plain")),
            (b"caf\xe9 au lait", None),
            (b"\xc3", None),
            (b"plain", Some("text/plain")),
            (b"pl\x00in", None),
        ] {
            assert_eq!(sniff(bytes), expected, "{bytes:?}");
        }
    }
}
