//! The file of simple filters, as it is written.

use super::value::{Net, Pattern, Percent, Span};
use crate::asset::Asset;
use crate::sample::By;
use serde::Deserialize;

/// The whole file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct File {
    /// Whether the shipped rules are asked as well, behind those of the file.
    #[serde(default = "yes")]
    pub(crate) defaults: bool,
    /// Names of shipped rules that are not asked.
    pub(crate) disable: Vec<String>,
    pub(crate) ignore: Vec<Rule>,
    pub(crate) allow: Vec<Rule>,
    pub(crate) exclude: Vec<Rule>,
    pub(crate) include: Vec<Rule>,
    pub(crate) sample: Vec<SampleRule>,
    pub(crate) rate_limit: Vec<RateRule>,
}

fn yes() -> bool {
    true
}

/// A rule of the four lists.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    pub(crate) name: String,
    /// For people; `explain` shows it.
    #[serde(default)]
    pub(crate) description: String,
    #[serde(rename = "where")]
    pub(crate) on: Conditions,
    #[serde(default)]
    pub(crate) unless: Conditions,
}

/// A share of what matches is kept.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SampleRule {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) description: String,
    #[serde(default, rename = "where")]
    pub(crate) on: Conditions,
    #[serde(default)]
    pub(crate) unless: Conditions,
    pub(crate) percent: Percent,
    #[serde(default)]
    pub(crate) by: By,
}

/// So many events a second are kept of each endpoint.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RateRule {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) description: String,
    #[serde(default, rename = "where")]
    pub(crate) on: Conditions,
    #[serde(default)]
    pub(crate) unless: Conditions,
    pub(crate) per_second: f64,
    /// How many may come at once; as many as in a second if not given, at least one.
    pub(crate) burst: Option<f64>,
}

/// What must hold: each list that is given, by one of its values.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Conditions {
    pub(crate) host: Vec<Pattern>,
    pub(crate) path: Vec<Pattern>,
    pub(crate) user_agent: Vec<Pattern>,
    pub(crate) content_type: Vec<Pattern>,
    pub(crate) method: Vec<String>,
    pub(crate) status: Vec<Span>,
    pub(crate) client: Vec<Net>,
    pub(crate) server: Vec<Net>,
    pub(crate) vni: Vec<Span>,
    pub(crate) asset: Vec<Asset>,
}

impl Conditions {
    /// Whether no list is given.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
