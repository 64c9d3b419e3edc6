//! The request's target in an event.
use super::json::Json;
use super::mask::{MARK, Masking, password};
use crate::url::Url;

/// Appends `target`, whose parts are in `url`, as a further member.
pub(super) fn write(json: &mut Json<'_>, target: &[u8], url: &Url<'_>, masking: &Masking) {
    let scheme = url.scheme.unwrap_or(b"http");
    json.raw(br#","url":{"original":""#);
    original(json, target, url, masking);
    if url.scheme.is_some() {
        json.raw(br#"","full":""#);
        original(json, target, url, masking);
    } else if let (Some(_), Some(authority), Some(b'/')) = (url.domain, url.authority, target.first()) {
        // A target that is no path (CONNECT, OPTIONS *) makes no URL with a host before it.
        json.raw(br#"","full":""#).text(scheme).raw(b"://").text(authority).text(target);
    }
    json.raw(br#"","scheme":""#).text(scheme).raw(b"\"");
    if let Some(domain) = url.domain {
        json.raw(br#","domain":""#).text(domain).raw(b"\"");
    }
    if let Some(port) = url.port {
        json.raw(br#","port":"#).number(port);
    }
    if let Some(path) = url.path {
        json.raw(br#","path":""#).text(path).raw(b"\"");
    }
    if let Some(query) = url.query {
        json.raw(br#","query":""#).text(query).raw(b"\"");
    }
    if let Some(fragment) = url.fragment {
        json.raw(br#","fragment":""#).text(fragment).raw(b"\"");
    }
    json.raw(b"}");
}

/// Appends the target as sent, but for a password in it.
fn original(json: &mut Json<'_>, target: &[u8], url: &Url<'_>, masking: &Masking) {
    match password(url).filter(|_| !masking.show_secrets).and_then(|password| around(target, password)) {
        Some((before, behind)) => json.text(before).raw(MARK.as_bytes()).text(behind),
        None => json.text(target),
    };
}

/// What stands before and behind the password in a target.
fn around<'a>(target: &'a [u8], password: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    // The colon before it and the at sign behind it make the place certain.
    let found =
        |at: &usize| target.get(at + 1..).and_then(|rest| rest.strip_prefix(password)?.strip_prefix(b"@"));
    let at = memchr::memchr_iter(b':', target).find(|at| found(at).is_some())? + 1;
    Some((target.get(..at)?, target.get(at + password.len()..)?))
}
