//! Secrets in header fields, replaced before an event leaves the sensor.
//!
//! What identifies the kind of secret stays: the scheme of credentials, the names and attributes of cookies.
use super::json::Json;
use crate::url::Url;
use schemars::JsonSchema;

/// What stands in place of a secret.
pub const MARK: &str = "[masked]";

/// Kinds of secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug, JsonSchema)]
#[schemars(rename_all = "snake_case")]
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
    fn of(name: &[u8]) -> Option<Self> {
        // Most names are told by their length and last letter, which costs a tenth of comparing them.
        let last = name.last()?.to_ascii_lowercase();
        let is = |want: &str| name.eq_ignore_ascii_case(want.as_bytes());
        match (last, name.len()) {
            (b'e', 6) if is("cookie") => Some(Self::Cookie),
            (b'e', 10) if is("set-cookie") => Some(Self::Cookie),
            (b'2', 11) if is("set-cookie2") => Some(Self::Cookie),
            (b'n', 13) if is("authorization") => Some(Self::Credentials),
            (b'n', 19) if is("proxy-authorization") => Some(Self::Credentials),
            (b'n' | b'y', 6..=25) if KEYS.iter().any(|key| is(key)) => Some(Self::ApiKey),
            _ => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Credentials => "credentials",
            Self::Cookie => "cookie",
            Self::ApiKey => "api_key",
            Self::UrlPassword => "url_password",
        }
    }
}

/// A list of fields in the event.
#[derive(Clone, Copy)]
pub(super) enum Place {
    RequestHeaders,
    RequestTrailers,
    ResponseHeaders,
    ResponseTrailers,
}

impl Place {
    const fn path(self) -> &'static str {
        match self {
            Self::RequestHeaders => "http.request.headers",
            Self::RequestTrailers => "http.request.trailers",
            Self::ResponseHeaders => "http.response.headers",
            Self::ResponseTrailers => "http.response.trailers",
        }
    }
}

/// Most secrets that are listed; all are masked.
const MAX_LISTED: usize = 32;

/// Masks the secrets of one event after the other, and remembers what it masked in the last one.
#[derive(Debug, Default)]
pub(super) struct Masking {
    /// Nothing is masked.
    pub(super) show_secrets: bool,
    /// The members of the list, as JSON, each with a comma behind it.
    listed: Vec<u8>,
    count: usize,
}

impl Masking {
    pub(super) const fn new(show_secrets: bool) -> Self {
        Self { show_secrets, listed: Vec::new(), count: 0 }
    }

    /// Begins an event whose request had this target.
    pub(super) fn begin(&mut self, url: Option<&Url<'_>>) {
        self.listed.clear();
        self.count = 0;
        if url.and_then(password).is_some() && !self.show_secrets {
            self.note(Secret::UrlPassword, "url.original", None);
        }
    }

    /// Appends the value of a field as the inside of a string, without the secrets in it.
    #[inline]
    pub(super) fn value(&mut self, json: &mut Json<'_>, name: &[u8], value: &[u8], place: Place) {
        match Secret::of(name) {
            Some(secret) if !self.show_secrets => {
                replace(json, secret, name, value);
                self.note(secret, place.path(), Some(name));
            }
            _ => _ = json.text(value),
        }
    }

    fn note(&mut self, secret: Secret, location: &str, name: Option<&[u8]>) {
        self.count += 1;
        if self.count > MAX_LISTED {
            return;
        }
        let mut json = Json(&mut self.listed);
        json.raw(br#"{"kind":""#).raw(secret.name().as_bytes());
        json.raw(br#"","location":""#).raw(location.as_bytes());
        if let Some(name) = name {
            json.raw(br#"","name":""#).text(name);
        }
        json.raw(br#""},"#);
    }

    /// Appends the list of what was masked as a further member, if anything was.
    pub(super) fn write(&self, json: &mut Json<'_>) {
        if !self.listed.is_empty() {
            json.raw(br#","masked":["#).raw(&self.listed).close(b']');
        }
    }
}

/// The password in a URL.
pub(super) fn password<'a>(url: &Url<'a>) -> Option<&'a [u8]> {
    let userinfo = url.userinfo?;
    userinfo.get(memchr::memchr(b':', userinfo)? + 1..)
}

/// Appends a value with the secrets in it replaced.
fn replace(json: &mut Json<'_>, secret: Secret, name: &[u8], value: &[u8]) {
    let mark = MARK.as_bytes();
    match secret {
        Secret::Credentials => {
            let end = value.iter().position(u8::is_ascii_whitespace).unwrap_or(0);
            let scheme = value.get(..end).unwrap_or_default();
            if SCHEMES.iter().any(|s| scheme.eq_ignore_ascii_case(s.as_bytes())) {
                json.raw(scheme).raw(b" ");
            }
            json.raw(mark);
        }
        Secret::Cookie => {
            // `Set-Cookie` has one cookie and its attributes, in place of several cookies.
            let set = name.len() > "cookie".len();
            for (i, part) in value.split(|b| *b == b';').enumerate() {
                let part = part.trim_ascii();
                if i > 0 {
                    json.raw(b"; ");
                }
                match memchr::memchr(b'=', part) {
                    _ if set && i > 0 => _ = json.text(part),
                    Some(at) => _ = json.text(part.get(..at).unwrap_or_default()).raw(b"=").raw(mark),
                    // A cookie without a name is all value.
                    None if part.is_empty() => {}
                    None => _ = json.raw(mark),
                }
            }
        }
        Secret::ApiKey | Secret::UrlPassword => _ = json.raw(mark),
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
            let mut out = Vec::new();
            let mut masking = Masking::default();
            masking.value(&mut Json(&mut out), name.as_bytes(), value.as_bytes(), Place::RequestHeaders);
            assert_eq!(String::from_utf8_lossy(&out), want, "{name}: {value}");
            assert_eq!(masking.count, 1);
        }
        for name in ["Accept", "Host", "X-Request-Id", "Authentication-Info", ""] {
            assert_eq!(Secret::of(name.as_bytes()), None, "{name}");
        }
        assert!(KEYS.iter().all(|key| Secret::of(key.as_bytes()) == Some(Secret::ApiKey)));
    }
}
