//! Conditions in plain words.

use super::model::Conditions;
use super::value::Span;
use std::fmt::Write as _;

/// `host is a or b, and status is 500-599; unless method is GET`.
pub(crate) fn rule(on: &Conditions, unless: &Conditions) -> String {
    let mut out = if on.is_empty() { "every event".to_owned() } else { conditions(on) };
    if !unless.is_empty() {
        // Writing into a String cannot fail.
        let _ = write!(out, "; unless {}", conditions(unless));
    }
    out
}

fn conditions(on: &Conditions) -> String {
    let mut all = Vec::new();
    let mut list = |name: &str, values: Vec<String>| {
        if !values.is_empty() {
            all.push(format!("{name} is {}", values.join(" or ")));
        }
    };
    let patterns = |list: &[super::value::Pattern]| list.iter().map(|pattern| pattern.0.clone()).collect();
    let spans = |list: &[Span]| list.iter().map(|span| words(*span)).collect();
    list("host", patterns(&on.host));
    list("path", patterns(&on.path));
    list("method", on.method.clone());
    list("status", spans(&on.status));
    list("content type", patterns(&on.content_type));
    list("client", on.client.iter().map(|net| net.0.to_string()).collect());
    list("server", on.server.iter().map(|net| net.0.to_string()).collect());
    list("user agent", patterns(&on.user_agent));
    list("VNI", spans(&on.vni));
    list("asset", on.asset.iter().map(|asset| asset.name().to_owned()).collect());
    all.join(", and ")
}

fn words(Span(first, last): Span) -> String {
    match (first, last) {
        (first, last) if first == last => first.to_string(),
        (first, last) if first % 100 == 0 && last == first + 99 && (100..1000).contains(&first) => {
            format!("{}xx", first / 100)
        }
        (first, last) => format!("{first}-{last}"),
    }
}
