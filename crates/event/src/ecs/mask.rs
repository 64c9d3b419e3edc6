//! Secrets in header fields, replaced before an event leaves the sensor.
//!
//! What identifies the kind of secret stays: the scheme of credentials, the names and attributes of cookies.
use super::value::Text;
use harken_http::{Field, Message};
use schemars::JsonSchema;
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// What stands in place of a secret.
pub const MARK: &str = "[masked]";

/// Kinds of secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Secret {
    /// Credentials of HTTP authentication.
    Credentials,
    /// Values of cookies.
    Cookie,
    /// A key or token in a field of its own.
    ApiKey,
    /// The password in a URL.
    UrlPassword,
}

/// Fields whose whole value is a secret.
const KEYS: [&str; 17] = [
    "api-key",
    "apikey",
    "authentication-token",
    "ocp-apim-subscription-key",
    "private-token",
    "x-access-token",
    "x-amz-security-token",
    "x-api-key",
    "x-apikey",
    "x-api-token",
    "x-auth-token",
    "x-csrf-token",
    "x-functions-key",
    "x-gitlab-token",
    "x-goog-api-key",
    "x-vault-token",
    "x-xsrf-token",
];

/// Schemes of authentication that are worth showing. Anything else in their place may be the secret itself.
const SCHEMES: [&str; 18] = [
    "apikey",
    "aws4-hmac-sha256",
    "basic",
    "bearer",
    "digest",
    "dpop",
    "gnap",
    "hawk",
    "hoba",
    "mutual",
    "negotiate",
    "ntlm",
    "oauth",
    "privatetoken",
    "scram-sha-256",
    "signature",
    "token",
    "vapid",
];

impl Secret {
    /// The kind of secret that a header field of this name holds.
    #[inline]
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        let is = |want: &str| name.eq_ignore_ascii_case(want.as_bytes());
        match name.len() {
            6 if is("cookie") => Some(Self::Cookie),
            10 if is("set-cookie") => Some(Self::Cookie),
            11 if is("set-cookie2") => Some(Self::Cookie),
            13 if is("authorization") => Some(Self::Credentials),
            19 if is("proxy-authorization") => Some(Self::Credentials),
            6..=25 if KEYS.iter().any(|key| is(key)) => Some(Self::ApiKey),
            _ => None,
        }
    }
}

/// A field's value with its secrets replaced.
struct Masked<'a> {
    kind: Secret,
    /// `Set-Cookie`: one cookie and its attributes, in place of several cookies.
    set: bool,
    value: &'a [u8],
}

impl fmt::Display for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Secret::Credentials => {
                let end = self.value.iter().position(u8::is_ascii_whitespace).unwrap_or(0);
                let scheme = self.value.get(..end).unwrap_or_default();
                match SCHEMES.iter().any(|s| scheme.eq_ignore_ascii_case(s.as_bytes())) {
                    true => write!(f, "{} {MARK}", String::from_utf8_lossy(scheme)),
                    false => f.write_str(MARK),
                }
            }
            Secret::Cookie => {
                for (i, part) in self.value.split(|b| *b == b';').enumerate() {
                    let part = part.trim_ascii();
                    if i > 0 {
                        f.write_str("; ")?;
                    }
                    match part.iter().position(|b| *b == b'=') {
                        _ if self.set && i > 0 => f.write_str(&String::from_utf8_lossy(part))?,
                        Some(at) => {
                            f.write_str(&String::from_utf8_lossy(part.get(..at).unwrap_or_default()))?;
                            write!(f, "={MARK}")?;
                        }
                        // A cookie without a name is all value.
                        None if part.is_empty() => {}
                        None => f.write_str(MARK)?,
                    }
                }
                Ok(())
            }
            Secret::ApiKey | Secret::UrlPassword => f.write_str(MARK),
        }
    }
}

/// Header or trailer fields of a message, in wire order.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    head: &'a [u8],
    fields: &'a [Field],
    show_secrets: bool,
}

impl<'a> Fields<'a> {
    /// The header fields; `None` when there are none.
    pub(super) fn headers(message: &'a Message, show_secrets: bool) -> Option<Self> {
        Self::new(message, message.fields.get(..message.trailers_at)?, show_secrets)
    }

    /// The trailer fields; `None` when there are none.
    pub(super) fn trailers(message: &'a Message, show_secrets: bool) -> Option<Self> {
        Self::new(message, message.fields.get(message.trailers_at..)?, show_secrets)
    }

    fn new(message: &'a Message, fields: &'a [Field], show_secrets: bool) -> Option<Self> {
        (!fields.is_empty()).then_some(Self { head: &message.head, fields, show_secrets })
    }

    /// Name of each field that was masked, with the kind of secret in it.
    pub(super) fn masked(self) -> impl Iterator<Item = (&'a [u8], Secret)> {
        let show = self.show_secrets;
        let names = self.fields.iter().map(move |field| field.name.of(self.head));
        names.filter_map(move |name| Secret::of(name).filter(|_| !show).map(|secret| (name, secret)))
    }
}

/// One header or trailer field.
#[derive(Serialize, JsonSchema)]
pub(super) struct HeaderField<'a, V> {
    /// Its name, as sent.
    name: Text<'a>,
    /// Its value, with secrets masked.
    value: V,
}

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut list = to.serialize_seq(Some(self.fields.len()))?;
        for field in self.fields {
            let (name, value) = (field.name.of(self.head), field.value.of(self.head));
            match Secret::of(name).filter(|_| !self.show_secrets) {
                None => list.serialize_element(&HeaderField { name: Text(name), value: Text(value) })?,
                Some(kind) => {
                    let set = name.len() > 6;
                    let value = Masked { kind, set, value };
                    list.serialize_element(&HeaderField { name: Text(name), value: Collected(value) })?;
                }
            }
        }
        list.end()
    }
}

/// Something that prints itself.
struct Collected<T>(T);

impl<T: fmt::Display> Serialize for Collected<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

impl JsonSchema for Fields<'_> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Fields")
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<Vec<HeaderField<'_, Text<'_>>>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks() {
        for (name, value, want) in [
            ("Authorization", "Bearer eyJhbGci.x.y", "Bearer [masked]"),
            ("authorization", "BASIC dTpw", "BASIC [masked]"),
            ("Authorization", "s3cr3t", "[masked]"),
            ("Authorization", "s3cr3t trailing", "[masked]"),
            ("Authorization", "", "[masked]"),
            ("Proxy-Authorization", "Digest username=\"a\", response=\"b\"", "Digest [masked]"),
            ("Cookie", "session=abc; theme=dark", "session=[masked]; theme=[masked]"),
            ("Cookie", "bare;x=1=2;", "[masked]; x=[masked]; "),
            ("Set-Cookie", "id=abc; Path=/; HttpOnly", "id=[masked]; Path=/; HttpOnly"),
            ("X-API-Key", "k", "[masked]"),
            ("ocp-apim-subscription-key", "k", "[masked]"),
        ] {
            let kind = Secret::of(name.as_bytes()).unwrap();
            let masked = Masked { kind, set: name.len() > 6, value: value.as_bytes() };
            assert_eq!(masked.to_string(), want, "{name}: {value}");
        }
        for name in ["Accept", "Host", "X-Request-Id", "Authentication-Info", ""] {
            assert_eq!(Secret::of(name.as_bytes()), None, "{name}");
        }
        assert!(KEYS.iter().all(|key| Secret::of(key.as_bytes()) == Some(Secret::ApiKey)));
    }
}
