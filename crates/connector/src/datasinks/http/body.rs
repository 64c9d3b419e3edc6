//! The body of a request.
use super::config::{Compression, Format};
use crate::datasink::Batch;
use flate2::write::GzEncoder;
use std::io::{self, Write as _};

/// The value of `Content-Type`.
pub(super) fn content_type(format: Format) -> &'static str {
    match format {
        Format::JsonArray | Format::ApiEdge => "application/json",
        Format::Ndjson => "application/x-ndjson",
    }
}

/// The value of `Content-Encoding`.
pub(super) fn content_encoding(compression: Compression) -> Option<&'static str> {
    match compression {
        Compression::None => None,
        Compression::Gzip => Some("gzip"),
        Compression::Zstd => Some("zstd"),
    }
}

/// The events of a batch in that form. An event is JSON already.
pub(super) fn encode(batch: &Batch, format: Format, compression: Compression) -> io::Result<Vec<u8>> {
    let plain = plain(batch, format);
    match compression {
        Compression::None => Ok(plain),
        Compression::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&plain)?;
            encoder.finish()
        }
        Compression::Zstd => zstd::bulk::compress(&plain, 1),
    }
}

fn plain(batch: &Batch, format: Format) -> Vec<u8> {
    let (open, close): (&[u8], &[u8]) = match format {
        Format::Ndjson => return crate::datasinks::stdout::lines(batch),
        Format::JsonArray => (b"[", b"]"),
        Format::ApiEdge => (b"{\"data\":[", b"]}"),
    };
    let mut body = Vec::with_capacity(batch.bytes() + batch.len() + 16);
    body.extend_from_slice(open);
    for (place, event) in batch.events().iter().enumerate() {
        if place > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&event.json);
    }
    body.extend_from_slice(close);
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasink::Event;
    use std::io::Read as _;

    #[test]
    fn forms_and_compressions() {
        let events = [r#"{"a":1}"#, r#"{"b":2}"#];
        let events = events.iter().zip(0..).map(|(json, number)| Event { number, json: (*json).into() });
        let batch = Batch::new(events.collect());
        for (format, expected) in [
            (Format::JsonArray, r#"[{"a":1},{"b":2}]"#),
            (Format::ApiEdge, r#"{"data":[{"a":1},{"b":2}]}"#),
            (Format::Ndjson, "{\"a\":1}\n{\"b\":2}\n"),
        ] {
            let body = |compression| encode(&batch, format, compression).unwrap();
            assert_eq!(String::from_utf8(body(Compression::None)).unwrap(), expected);
            let mut text = String::new();
            let gzip = body(Compression::Gzip);
            flate2::read::GzDecoder::new(gzip.as_slice()).read_to_string(&mut text).unwrap();
            let zstd = body(Compression::Zstd);
            ruzstd::decoding::StreamingDecoder::new(zstd.as_slice())
                .unwrap()
                .read_to_string(&mut text)
                .unwrap();
            assert_eq!(text, format!("{expected}{expected}"));
        }
    }
}
