//! Header fields that logs and events name.
use crate::auth::basic_credentials;
use crate::url::unescape;
use harken_http::{Known, Message};

/// Header fields of a request. Of several fields with one name the last one counts, as in Zeek's logs.
#[derive(Clone, Copy, Default, Debug)]
pub struct RequestFields<'m> {
    /// `Host`.
    pub host: Option<&'m [u8]>,
    /// `Referer`.
    pub referrer: Option<&'m [u8]>,
    /// `User-Agent`.
    pub user_agent: Option<&'m [u8]>,
    /// `Origin`.
    pub origin: Option<&'m [u8]>,
    /// Whether a field says that a proxy passed the request on; see [`proxy_field`].
    pub proxied: bool,
}

impl<'m> RequestFields<'m> {
    /// Reads the header fields of `request`.
    #[inline]
    pub fn read(request: &'m Message) -> Self {
        let last = |which| request.every(which).last();
        Self {
            host: last(Known::Host),
            referrer: last(Known::Referer),
            user_agent: last(Known::UserAgent),
            origin: last(Known::Origin),
            proxied: request.headers().any(|(name, _)| proxy_field(name)),
        }
    }
}

/// Credentials of `Authorization` or `Proxy-Authorization` with the scheme `Basic`, still coded.
pub(crate) fn credentials(request: &Message) -> Option<&[u8]> {
    let of = |which| request.every(which).filter_map(basic_credentials).last();
    of(Known::ProxyAuthorization).or_else(|| of(Known::Authorization))
}

/// Whether a header field of this name says that a proxy passed the message on: Zeek's list.
pub fn proxy_field(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 7] = [
        b"via",
        b"forwarded",
        b"client-ip",
        b"x-forwarded-for",
        b"x-forwarded-from",
        b"xroxy-connection",
        b"proxy-connection",
    ];
    matches!(name.len(), 3 | 9 | 15 | 16) && NAMES.into_iter().any(|n| name.eq_ignore_ascii_case(n))
}

/// Appends the file name that `Content-Disposition` (RFC 6266) or the `name` of `Content-Type` gives for a
/// message's body; `false` when there is none.
pub fn file_name(message: &Message, out: &mut Vec<u8>) -> bool {
    file_name_of(message.every(Known::ContentDisposition), message.every(Known::ContentType), out)
}

/// The same for the values of all fields of the two names.
pub(crate) fn file_name_of<'v>(
    dispositions: impl Iterator<Item = &'v [u8]>,
    types: impl Iterator<Item = &'v [u8]>,
    out: &mut Vec<u8>,
) -> bool {
    let of = dispositions.filter_map(|value| parameter(value, b"filename")).last();
    let found = of.or_else(|| types.filter_map(|value| parameter(value, b"name")).last());
    let Some(name) = found else { return false };
    unescape(name, out);
    true
}

/// The value of the last parameter whose name ends with `name`, without quotes and without the character set
/// and language of RFC 8187.
fn parameter<'v>(value: &'v [u8], name: &[u8]) -> Option<&'v [u8]> {
    memchr::memchr(b'=', value)?;
    let mut found = None;
    for (at, _) in value.windows(name.len()).enumerate().filter(|(_, w)| w.eq_ignore_ascii_case(name)) {
        let rest = value.get(at + name.len()..).unwrap_or_default().trim_ascii_start();
        let rest = rest.strip_prefix(b"*").unwrap_or(rest);
        found = rest.strip_prefix(b"=").map(<[u8]>::trim_ascii_start).or(found);
    }
    let value = found?;
    if let Some(quoted) = value.strip_prefix(b"\"") {
        return quoted.split(|b| *b == b'"').next();
    }
    let value = value.split(|b| *b == b';').next().unwrap_or_default().trim_ascii_end();
    match value.iter().position(|b| *b == b'\'') {
        Some(first) => {
            let tail = value.get(first + 1..).unwrap_or_default();
            let second = tail.iter().position(|b| *b == b'\'');
            Some(second.and_then(|s| tail.get(s + 1..)).unwrap_or(value))
        }
        None => Some(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names() {
        for (value, want) in [
            ("attachment; filename=\"eicar.txt\"", Some("eicar.txt")),
            ("attachment; filename=eicar.txt; size=68", Some("eicar.txt")),
            ("attachment; FileName = plain", Some("plain")),
            ("attachment; filename*=UTF-8''na%C3%AFve.txt", Some("na%C3%AFve.txt")),
            ("attachment; filename=\"a\"; filename*=UTF-8'en'b", Some("b")),
            ("attachment; filename=", Some("")),
            ("inline", None),
            ("filename", None),
        ] {
            assert_eq!(parameter(value.as_bytes(), b"filename"), want.map(str::as_bytes), "{value}");
        }
    }
}
