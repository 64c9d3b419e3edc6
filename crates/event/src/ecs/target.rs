//! The request's target in an event.
use super::json::Json;
use crate::url::Url;

/// Appends `target`, whose parts are in `url`, as a further member.
pub(super) fn write(json: &mut Json<'_>, target: &[u8], url: &Url<'_>) {
    let scheme = url.scheme.unwrap_or(b"http");
    json.raw(br#","url":{"original":""#).text(target);
    if url.scheme.is_some() {
        json.raw(br#"","full":""#).text(target);
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
