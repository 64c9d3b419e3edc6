//! The parts of a request target, RFC 9112 section 3.2 and RFC 3986.

/// Parts of a request target. All are as sent, not decoded.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Url<'m> {
    /// Scheme of an absolute-form target, without the colon.
    pub scheme: Option<&'m [u8]>,
    /// Name and password before the host in an absolute-form target.
    pub userinfo: Option<&'m [u8]>,
    /// Host and port as sent, of the target or else of the `Host` field.
    pub authority: Option<&'m [u8]>,
    /// Host of the target, else of the `Host` field; without port, with the brackets of an IPv6 literal.
    pub domain: Option<&'m [u8]>,
    /// Port of the target, else of the `Host` field.
    pub port: Option<u16>,
    /// Path.
    pub path: Option<&'m [u8]>,
    /// Query without the question mark.
    pub query: Option<&'m [u8]>,
    /// Fragment without the number sign; clients do not send it.
    pub fragment: Option<&'m [u8]>,
}

impl<'m> Url<'m> {
    /// Takes `target` apart; where it names no authority, that of the `Host` field counts.
    pub fn of(method: &[u8], target: &'m [u8], host: Option<&'m [u8]>) -> Self {
        let mut url = Self::default();
        let mut authority = None;
        let mut rest = target;
        if method == b"CONNECT" && !target.contains(&b'/') {
            authority = Some(target);
            rest = b"";
        } else if let Some((scheme, tail)) = split_scheme(target) {
            let end = tail.iter().position(|b| matches!(b, b'/' | b'?' | b'#')).unwrap_or(tail.len());
            url.scheme = Some(scheme);
            (authority, rest) = (tail.get(..end), tail.get(end..).unwrap_or_default());
        }
        if let Some((left, fragment)) = cut(rest, b'#') {
            (rest, url.fragment) = (left, Some(fragment));
        }
        if let Some((left, query)) = cut(rest, b'?') {
            (rest, url.query) = (left, Some(query));
        }
        url.path = (!rest.is_empty()).then_some(rest);
        if let Some(authority) = authority {
            url.userinfo = memchr::memrchr(b'@', authority).and_then(|at| authority.get(..at));
        }
        if let Some(authority) = authority.or(host) {
            url.read_authority(authority);
        }
        url
    }

    fn read_authority(&mut self, authority: &'m [u8]) {
        let host = match memchr::memrchr(b'@', authority) {
            Some(at) => authority.get(at + 1..).unwrap_or_default(),
            None => authority,
        };
        self.authority = (!host.is_empty()).then_some(host);
        let colon =
            memchr::memrchr(b':', host).filter(|at| !host.get(*at..).unwrap_or_default().contains(&b']'));
        let (domain, port) = match colon {
            Some(at) => (host.get(..at).unwrap_or_default(), host.get(at + 1..)),
            None => (host, None),
        };
        self.port = port.and_then(|p| std::str::from_utf8(p).ok()).and_then(|p| p.parse().ok());
        self.domain = (!domain.is_empty()).then_some(domain);
    }
}

/// The scheme in front of `://`, RFC 3986 section 3.1, and what follows.
fn split_scheme(target: &[u8]) -> Option<(&[u8], &[u8])> {
    if target.first() == Some(&b'/') {
        return None;
    }
    let (scheme, rest) = cut(target, b':')?;
    let named = scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    named.then(|| rest.strip_prefix(b"//")).flatten().map(|rest| (scheme, rest))
}

/// What stands before and behind the first `mark`.
fn cut(bytes: &[u8], mark: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(mark, bytes)?;
    Some((bytes.get(..at)?, bytes.get(at + 1..)?))
}

/// Appends `uri` with its percent-escapes decoded the way Zeek logs URIs: a broken escape stays as it is, of
/// a doubled percent sign one is dropped, and `%uXXXX` gives its two bytes, the first only when not zero.
pub fn unescape(uri: &[u8], out: &mut Vec<u8>) {
    let mut rest = uri;
    while let Some(percent) = memchr::memchr(b'%', rest) {
        out.extend_from_slice(rest.get(..percent).unwrap_or_default());
        let escape = rest.get(percent + 1..).unwrap_or_default();
        let used = match *escape {
            [] | [_] => {
                out.push(b'%');
                out.extend_from_slice(escape);
                return;
            }
            [b'%', ..] => 0,
            [high, low, ..] if let Some(byte) = hex_pair(high, low) => {
                out.push(byte);
                2
            }
            [b'u', a, b, c, d, ..] if let (Some(high), Some(low)) = (hex_pair(a, b), hex_pair(c, d)) => {
                if (a, b) != (b'0', b'0') {
                    out.push(high);
                }
                out.push(low);
                5
            }
            [other, ..] => {
                out.extend_from_slice(&[b'%', other]);
                1
            }
        };
        rest = escape.get(used..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

fn hex_pair(high: u8, low: u8) -> Option<u8> {
    let digit = |b: u8| char::from(b).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unescapes_as_zeek_does() {
        for (uri, want) in [
            ("/plain", "/plain"),
            ("/a%20b%2Fc", "/a b/c"),
            ("/%", "/%"),
            ("/%4", "/%4"),
            ("/%zz%41", "/%zzA"),
            ("/%%41", "/A"),
            ("/%%%", "/%%"),
            ("/%u0041%u4142", "/AAB"),
            ("/%u00zz", "/%u00zz"),
            ("/%a%41", "/%aA"),
            ("", ""),
        ] {
            let mut out = Vec::new();
            unescape(uri.as_bytes(), &mut out);
            assert_eq!(String::from_utf8_lossy(&out), want, "{uri}");
        }
    }

    fn check(method: &str, target: &str, host: &str, want: [&str; 7]) {
        let url =
            Url::of(method.as_bytes(), target.as_bytes(), Some(host.as_bytes()).filter(|h| !h.is_empty()));
        let port = url.port.map(|p| p.to_string()).unwrap_or_default();
        let text = |v: Option<&[u8]>| String::from_utf8(v.unwrap_or_default().to_vec()).unwrap();
        let got = [
            text(url.scheme),
            text(url.userinfo),
            text(url.domain),
            port,
            text(url.path),
            text(url.query),
            text(url.fragment),
        ];
        assert_eq!(got, want, "{method} {target} {host}");
    }

    #[test]
    fn targets() {
        check("GET", "/a/b?x=1&y=2", "h:81", ["", "", "h", "81", "/a/b", "x=1&y=2", ""]);
        check("GET", "/a?b?c#d", "", ["", "", "", "", "/a", "b?c", "d"]);
        check(
            "GET",
            "http://u:p@h.example:8080/p?q",
            "other",
            ["http", "u:p", "h.example", "8080", "/p", "q", ""],
        );
        check("GET", "http://h?q", "", ["http", "", "h", "", "", "q", ""]);
        check("CONNECT", "h.example:443", "other:1", ["", "", "h.example", "443", "", "", ""]);
        check("OPTIONS", "*", "h", ["", "", "h", "", "*", "", ""]);
        check("GET", "/x", "u:p@h:1", ["", "", "h", "1", "/x", "", ""]);
        check("GET", "/x", "[::1]:80", ["", "", "[::1]", "80", "/x", "", ""]);
        check("GET", "/x", "[::1]", ["", "", "[::1]", "", "/x", "", ""]);
        check("GET", "/go?to=http://x/", "h:999999", ["", "", "h", "", "/go", "to=http://x/", ""]);
        check("GET", "", "h", ["", "", "h", "", "", "", ""]);
    }
}
