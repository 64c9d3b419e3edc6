//! The values that stand in the lists of a rule, each checked as it is read.

use globset::{Glob, GlobBuilder};
use ipnet::IpNet;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use std::fmt;
use std::net::IpAddr;

/// The most bytes that a compiled regular expression may take.
const REGEX_LIMIT: usize = 1 << 20;

/// A glob, or a regular expression behind `re:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(pub(crate) String);

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pattern = Self(String::deserialize(deserializer)?);
        match pattern.regex() {
            Some(regex) => regex_builder(regex, false).build().map(drop).map_err(|error| {
                let text = error.to_string();
                D::Error::custom(format!("not a regular expression: {}", reason(&text)))
            })?,
            None => glob(&pattern.0, true, false).map(drop).map_err(D::Error::custom)?,
        }
        Ok(pattern)
    }
}

impl Pattern {
    /// The regular expression, if it is one.
    pub(crate) fn regex(&self) -> Option<&str> {
        self.0.strip_prefix("re:")
    }
}

/// A regular expression over text, with a limit.
pub(crate) fn regex_builder(pattern: &str, any_case: bool) -> regex::RegexBuilder {
    let mut builder = regex::RegexBuilder::new(pattern);
    builder.case_insensitive(any_case).size_limit(REGEX_LIMIT).dfa_size_limit(REGEX_LIMIT);
    builder
}

/// What is wrong with a regular expression, out of a message of several lines.
pub(crate) fn reason(message: &str) -> &str {
    message.lines().last().unwrap_or(message).trim_start_matches("error: ")
}

/// Compiles a glob: in `segments` `*` stays between slashes, and `{name}` is one segment as in OpenAPI.
pub(crate) fn glob(pattern: &str, segments: bool, any_case: bool) -> Result<Glob, String> {
    if pattern.is_empty() {
        return Err("is empty: write a glob such as /api/**, or re: and a regular expression".to_owned());
    }
    let text = if segments { templates(pattern) } else { pattern.to_owned() };
    let mut builder = GlobBuilder::new(&text);
    builder.literal_separator(segments).case_insensitive(any_case).backslash_escape(true);
    builder.build().map_err(|error| format!("not a glob: {}", error.kind()))
}

/// `{name}` without a comma, as paths are written in OpenAPI, becomes `*`.
fn templates(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        match after.split_once('}') {
            Some((inside, behind))
                if !inside.is_empty() && inside.chars().all(name) && !before.ends_with('\\') =>
            {
                out.push('*');
                rest = behind;
            }
            _ => {
                out.push('{');
                rest = after;
            }
        }
    }
    out + rest
}

/// A network, or a single address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Net(pub(crate) IpNet);

/// Reads a network, or an address, which is a network of one.
///
/// # Errors
/// What is wrong with the text, and the mend.
pub fn network(text: &str) -> Result<IpNet, String> {
    let wrong = || format!("'{text}' is no network: write 10.0.0.0/8, 2001:db8::/32 or an address");
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address.to_canonical()));
    }
    let net: IpNet = text.parse().map_err(|_| wrong())?;
    if net.trunc() != net {
        return Err(format!("'{text}' has bits behind its prefix: write {}", net.trunc()));
    }
    Ok(net)
}

impl std::str::FromStr for Net {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        network(text).map(Self)
    }
}

impl<'de> Deserialize<'de> for Net {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Numbers from the first to the last: `404`, `"5xx"`, `"200-299"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) u32, pub(crate) u32);

impl Span {
    /// Whether the number is one of them.
    pub(crate) fn has(self, number: u32) -> bool {
        (self.0..=self.1).contains(&number)
    }

    fn parse(text: &str) -> Option<Self> {
        if let Some(class) = text.strip_suffix("xx") {
            let class: u32 = class.parse().ok().filter(|class| (1..10).contains(class))?;
            return Some(Self(class * 100, class * 100 + 99));
        }
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let span = Self(first.trim().parse().ok()?, last.trim().parse().ok()?);
        (span.0 <= span.1).then_some(span)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = Span;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number such as 404, or text such as \"5xx\" or \"200-299\"")
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Span, E> {
                let number = u32::try_from(number).map_err(|_| E::custom("the number is too large"))?;
                Ok(Span(number, number))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Span, E> {
                Span::parse(text).ok_or_else(|| {
                    E::custom(format!("'{text}' is no range: write 404, \"5xx\" or \"200-299\""))
                })
            }
        }
        deserializer.deserialize_any(Read)
    }
}

/// More than 0 and at most 100.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Percent(pub(crate) f64);

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let percent = f64::deserialize(deserializer)?;
        if !(0.0..=100.0).contains(&percent) {
            return Err(D::Error::custom(format!("{percent} is no share: write a number from 0 to 100")));
        }
        Ok(Self(percent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_checked_as_they_are_read() {
        fn read<T: for<'de> Deserialize<'de> + fmt::Debug>(json: &str) -> String {
            match serde_json::from_str::<T>(json) {
                Ok(value) => format!("{value:?}"),
                Err(error) => error.to_string(),
            }
        }
        for (got, says) in [
            (read::<Span>("404"), "Span(404, 404)"),
            (read::<Span>("\"5xx\""), "Span(500, 599)"),
            (read::<Span>("\"200-299\""), "Span(200, 299)"),
            (read::<Span>("\"9-1\""), "is no range"),
            (read::<Span>("\"0xx\""), "is no range"),
            (read::<Span>("true"), "expected a number"),
            (read::<Net>("\"10.0.0.0/8\""), "10.0.0.0/8"),
            (read::<Net>("\"::ffff:10.0.0.1\""), "10.0.0.1/32"),
            (read::<Net>("\"10.1.0.0/8\""), "write 10.0.0.0/8"),
            (read::<Net>("\"10.0.0\""), "is no network"),
            (read::<Pattern>("\"re:(\""), "unclosed group"),
            (read::<Pattern>("\"[a\""), "not a glob"),
            (read::<Pattern>("\"\""), "is empty"),
            (read::<Percent>("101"), "is no share"),
        ] {
            assert!(got.contains(says), "{got}: {says}");
        }
    }

    #[test]
    fn a_segment_is_written_as_in_openapi() {
        assert_eq!(templates("/a/{id}/b/{c,d}/{e"), "/a/*/b/{c,d}/{e");
        let glob = glob("/users/{id}/orders", true, false).unwrap().compile_matcher();
        assert!(glob.is_match("/users/7/orders") && !glob.is_match("/users/7/8/orders"));
    }
}
