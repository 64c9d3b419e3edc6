//! Header fields that logs and events name, found in one pass over a message.
use crate::auth::basic_credentials;
use crate::url::unescape;
use harken_http::Message;

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
    /// Credentials of `Authorization` or `Proxy-Authorization` with the scheme `Basic`, still coded.
    pub(crate) credentials: Option<&'m [u8]>,
    /// Whether a field says that a proxy passed the request on; see [`proxy_field`].
    pub proxied: bool,
}

impl<'m> RequestFields<'m> {
    /// Reads the header fields of `request`.
    #[inline]
    pub fn read(request: &'m Message) -> Self {
        let mut found = Self::default();
        for (name, value) in request.headers() {
            let is = |want: &[u8]| name.eq_ignore_ascii_case(want);
            match name.len() {
                4 if is(b"host") => found.host = Some(value),
                6 if is(b"origin") => found.origin = Some(value),
                7 if is(b"referer") => found.referrer = Some(value),
                10 if is(b"user-agent") => found.user_agent = Some(value),
                13 if is(b"authorization") => {
                    found.credentials = basic_credentials(value).or(found.credentials);
                }
                19 if is(b"proxy-authorization") => {
                    found.credentials = basic_credentials(value).or(found.credentials);
                }
                3 | 9 | 15 | 16 => found.proxied |= proxy_field(name),
                _ => {}
            }
        }
        found
    }
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
    NAMES.into_iter().any(|n| name.eq_ignore_ascii_case(n))
}

/// Appends the file name that `Content-Disposition` (RFC 6266) or the `name` of `Content-Type` gives for a
/// message's body; `false` when there is none.
pub fn file_name(message: &Message, out: &mut Vec<u8>) -> bool {
    let mut found = None;
    for (name, value) in message.headers() {
        match name.len() {
            19 if name.eq_ignore_ascii_case(b"content-disposition") => {
                found = parameter(value, b"filename").or(found);
            }
            12 if name.eq_ignore_ascii_case(b"content-type") => found = parameter(value, b"name").or(found),
            _ => {}
        }
    }
    let Some(name) = found else { return false };
    unescape(name, out);
    true
}

/// The value of the last parameter whose name ends with `name`, without quotes and without the character set
/// and language of RFC 8187.
fn parameter<'v>(value: &'v [u8], name: &[u8]) -> Option<&'v [u8]> {
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
