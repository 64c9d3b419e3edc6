//! The file of advanced filters, as it is written.

use crate::sample::By;
use crate::simple::value::Percent;
use harken_mask::Method;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The whole file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct File {
    /// The key of masking by `hash` and `format_preserving`: hexadecimal, 32 digits or more.
    pub(crate) mask_key: Option<String>,
    /// The rules, asked in this order.
    pub(crate) rules: Vec<Rule>,
}

/// One rule.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    pub(crate) name: String,
    /// For people; `explain` shows it.
    #[serde(default)]
    pub(crate) description: String,
    /// An expression in CEL; every event if not given.
    #[serde(default)]
    pub(crate) when: Option<String>,
    pub(crate) actions: Vec<Action>,
}

/// What a rule does with what it matches.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    Drop,
    Keep,
    Tag(Vec<String>),
    Route(Vec<String>),
    Set(BTreeMap<String, Value>),
    Remove(Vec<String>),
    Mask(Mask),
    Sample(Share),
}

/// Fields, and how they are masked.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mask {
    pub(crate) fields: Vec<String>,
    pub(crate) method: Method,
}

/// A share that is kept.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Share {
    pub(crate) percent: Percent,
    #[serde(default)]
    pub(crate) by: By,
}
