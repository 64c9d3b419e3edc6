//! What an expression says by literals, made ready once: networks, globs, a regular expression.

use super::functions::{Globs, Networks, Regex};
use crate::simple::value::{self, Net};
use cel::common::value::Val;
use globset::GlobSetBuilder;
use std::sync::Arc;

/// Makes a value of literals.
pub(crate) type Make = fn(&[&str]) -> Result<Box<dyn Val>, String>;

/// The networks of `inNetwork`.
pub(crate) fn networks(texts: &[&str]) -> Result<Box<dyn Val>, String> {
    let networks: Vec<_> =
        texts.iter().map(|text| text.parse::<Net>().map(|net| net.0)).collect::<Result<_, _>>()?;
    Ok(Box::new(Networks(Arc::from(networks))))
}

/// The patterns of `glob`: `*` stays between slashes, as in the paths of simple filters.
pub(crate) fn globs(texts: &[&str]) -> Result<Box<dyn Val>, String> {
    let mut set = GlobSetBuilder::new();
    for text in texts {
        set.add(value::glob(text, true, false)?);
    }
    let set = set.build().map_err(|error| error.to_string())?;
    Ok(Box::new(Globs(Arc::new(set))))
}

/// The pattern of `matches`.
pub(crate) fn regex(texts: &[&str]) -> Result<Box<dyn Val>, String> {
    let pattern = texts.first().copied().unwrap_or_default();
    let regex = value::regex_builder(pattern, false).build().map_err(|error| {
        let text = error.to_string();
        format!("not a regular expression: {}", value::reason(&text))
    })?;
    Ok(Box::new(Regex(regex)))
}
