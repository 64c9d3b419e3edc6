//! What an answer means for the batch.
use crate::datasink::{Failure, Invalid, Refusal};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use std::time::{Duration, SystemTime};

/// The failure that a status means; none when the batch was taken.
pub(super) fn failure(
    status: StatusCode,
    headers: &HeaderMap,
    body: &str,
    now: SystemTime,
) -> Option<Failure> {
    if status.is_success() {
        return None;
    }
    let gap = if body.is_empty() { "" } else { ": " };
    let reason = format!("answered {status}{gap}{body}");
    let refusal = || Refusal { reason: reason.clone(), status: Some(status.as_u16()) };
    let invalid = |mend: &str| Failure::Invalid(Invalid { reason: format!("{reason}; {mend}") });
    Some(match status.as_u16() {
        413 => Failure::TooLarge(refusal()),
        408 | 425 | 429 => Failure::Passing { reason, after: retry_after(headers, now) },
        // Not the events are wrong but the credentials: nothing may be put aside for it.
        401 | 403 | 407 => invalid("check auth, and that the account may write"),
        // Nor when it is the address, or the form of all requests.
        300..=399 => invalid("the receiver is elsewhere: give its new address in url"),
        404 | 405 | 410 | 421 => invalid("check url: the receiver takes no events at this address"),
        406 | 411 | 415 => invalid("check format and compression"),
        400..=499 => Failure::Refused(refusal()),
        _ => Failure::Passing { reason, after: retry_after(headers, now) },
    })
}

/// `Retry-After`: seconds, or a date (RFC 9110 section 10.2.3).
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        // A date that has passed asks for no wait.
        Err(_) => Some(httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_its_meaning() {
        for (status, expected) in [
            (200, "none"),
            (202, "none"),
            (204, "none"),
            (301, "invalid"),
            (304, "invalid"),
            (400, "refused"),
            (401, "invalid"),
            (403, "invalid"),
            (404, "invalid"),
            (407, "invalid"),
            (408, "passing"),
            (409, "refused"),
            (413, "too large"),
            (415, "invalid"),
            (422, "refused"),
            (429, "passing"),
            (500, "passing"),
            (501, "passing"),
            (503, "passing"),
            (599, "passing"),
        ] {
            let code = StatusCode::from_u16(status).unwrap();
            let found = match failure(code, &HeaderMap::new(), "why", SystemTime::UNIX_EPOCH) {
                None => "none",
                Some(Failure::Passing { reason, after: None }) if reason.contains("why") => "passing",
                Some(Failure::Invalid(Invalid { reason })) if reason.contains("why; ") => "invalid",
                Some(Failure::Refused(Refusal { status: Some(s), .. })) if s == status => "refused",
                Some(Failure::TooLarge(Refusal { status: Some(s), .. })) if s == status => "too large",
                Some(other) => panic!("{other:?}"),
            };
            assert_eq!(found, expected, "{status}");
        }
    }

    #[test]
    fn retry_after_in_seconds_or_as_a_date() {
        let now = httpdate::parse_http_date("Wed, 21 Oct 2026 07:28:00 GMT").unwrap();
        for (text, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Wed, 21 Oct 2026 07:29:30 GMT", Some(90)),
            ("Wed, 21 Oct 2026 07:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            let found = failure(StatusCode::TOO_MANY_REQUESTS, &headers, "", now);
            let after = seconds.map(Duration::from_secs);
            assert_eq!(
                found,
                Some(Failure::Passing { reason: "answered 429 Too Many Requests".into(), after }),
                "{text}"
            );
        }
    }
}
