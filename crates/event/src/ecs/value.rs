//! Values of an event that are neither plain numbers nor plain text.
use crate::flow::IpText;
use crate::number;
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use harken_wire::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};
use std::borrow::Cow;

/// Bytes from the wire as text. What is not UTF-8 becomes U+FFFD.
#[derive(Clone, Copy)]
pub(super) struct Text<'a>(pub &'a [u8]);

/// A point in packet time.
#[derive(Clone, Copy)]
pub(super) struct Time(pub Timestamp);

/// An IP address.
#[derive(Clone, Copy)]
pub(super) struct Address(pub IpText);

/// Bytes of a body.
#[derive(Clone, Copy)]
pub(super) enum Content<'a> {
    /// They are UTF-8.
    Text(&'a str),
    /// They are not.
    Base64(&'a [u8]),
}

/// The bytes of a URL put together from parts.
#[derive(Clone, Copy)]
pub(super) struct Parts<'a, const N: usize>(pub [&'a [u8]; N]);

impl<'a> Content<'a> {
    /// Takes `bytes` for text when they are UTF-8; the last character may be `cut` off in the middle, and is
    /// left out then.
    pub(super) fn new(bytes: &'a [u8], cut: bool) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text),
            Err(e) if cut && e.error_len().is_none() => {
                let whole = bytes.get(..e.valid_up_to()).unwrap_or_default();
                Self::Text(std::str::from_utf8(whole).unwrap_or_default())
            }
            Err(_) => Self::Base64(bytes),
        }
    }
}

impl Serialize for Text<'_> {
    #[inline]
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(self.0) {
            Ok(text) => to.serialize_str(text),
            Err(_) => to.serialize_str(&String::from_utf8_lossy(self.0)),
        }
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(std::str::from_utf8(&number::rfc3339(self.0)).unwrap_or_default())
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.0.as_str())
    }
}

impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => to.serialize_str(text),
            Self::Base64(bytes) => to.collect_str(&Base64Display::new(bytes, &STANDARD)),
        }
    }
}

impl<const N: usize> Serialize for Parts<'_, N> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Text(&self.0.concat()).serialize(to)
    }
}

/// The schema of a value that is written as text.
macro_rules! text_schema {
    ($($type:ty: $name:literal $schema:tt,)*) => {$(
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                Cow::Borrowed($name)
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )*};
}

text_schema! {
    Text<'_>: "Text" {"type": "string"},
    Time: "Time" {"type": "string", "format": "date-time"},
    Address: "Address" {"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]},
    Content<'_>: "Content" {"type": "string"},
    Parts<'_, 6>: "Parts" {"type": "string"},
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(value: impl Serialize) -> String {
        serde_json::to_string(&value).unwrap()
    }

    #[test]
    fn contents() {
        for (bytes, cut, want) in [
            (b"caf\xc3\xa9".as_slice(), false, "\"caf\u{e9}\""),
            (b"caf\xc3", true, "\"caf\""),
            (b"caf\xc3", false, "\"Y2Fmww==\""),
            (b"\xff\xfe", true, "\"//4=\""),
            (b"", false, "\"\""),
        ] {
            assert_eq!(json(Content::new(bytes, cut)), want);
        }
    }

    #[test]
    fn texts() {
        assert_eq!(json(Text(b"a\"\xff\x01")), "\"a\\\"\u{fffd}\\u0001\"");
        assert_eq!(json(Time(Timestamp(0))), "\"1970-01-01T00:00:00.000000000Z\"");
        assert_eq!(json(Parts([b"http://".as_slice(), b"h", b"", b"", b"/", b""])), "\"http://h/\"");
    }
}
