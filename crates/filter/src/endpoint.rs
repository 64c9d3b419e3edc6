//! The endpoint of an event: method, host and path, with what looks like an identifier collapsed.

use crate::view::View;

/// Segments of a path that are looked at; what stands behind them is one `**`.
const SEGMENTS: usize = 32;

/// `GET api.shop.example/v1/users/{id}`.
pub(crate) fn endpoint(view: &View<'_>) -> String {
    let mut out = String::with_capacity(64);
    out.push_str(view.method.as_ref().map_or("-", |method| &method.0));
    out.push(' ');
    out.push_str(view.host.as_deref().unwrap_or("-"));
    let path = view.path.as_ref().map_or("", |path| &*path.0);
    for (number, segment) in path.split('/').enumerate() {
        if number > 0 {
            out.push('/');
        }
        if number > SEGMENTS {
            out.push_str("**");
            break;
        }
        out.push_str(if is_identifier(segment) { "{id}" } else { segment });
    }
    out
}

/// Whether a segment is a number, a UUID, hexadecimal, or a long token with digits in it.
fn is_identifier(segment: &str) -> bool {
    let digits = segment.bytes().filter(u8::is_ascii_digit).count();
    if digits == 0 {
        return false;
    }
    let all = |is: fn(&u8) -> bool| segment.bytes().all(|byte| is(&byte));
    all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b','))
        || segment.len() >= 8 && all(|byte| byte.is_ascii_hexdigit() || *byte == b'-')
        || segment.len() >= 16
            && digits >= 2
            && all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'=' | b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_collapsed() {
        for (segment, expected) in [
            ("17", true),
            ("2026-11-24", true),
            ("4f9c1e62-9a3b-4a52-8a77-0d4f2f8f0c11", true),
            ("deadbeef01", true),
            ("eyJhbGciOiJIUzI1NiJ9", true),
            ("v1", false),
            ("deadbeef", false),
            ("oauth2", false),
            ("mug-blue", false),
            ("internationalisation", false),
            ("", false),
        ] {
            assert_eq!(is_identifier(segment), expected, "{segment}");
        }
    }

    #[test]
    fn a_path_is_a_template() {
        let event = format!(
            r#"{{"url":{{"domain":"API.example","path":"/v1/users/17/x{}"}},"http":{{"request":{{"method":"PUT"}}}}}}"#,
            "/a".repeat(40)
        );
        let view = View::read(&event).unwrap();
        let text = endpoint(&view);
        assert!(text.starts_with("PUT api.example/v1/users/{id}/x/a/a"), "{text}");
        assert!(text.ends_with("/a/**") && text.matches("/a").count() < 40, "{text}");
    }
}
