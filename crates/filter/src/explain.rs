//! The rules in plain words, in the order in which they are asked.

use crate::advanced;
use crate::decision::{Kind, RuleId};
use crate::filter::Filter;
use crate::sample::Sample;
use crate::simple::Act;

/// A rule in plain words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The rule.
    pub rule: RuleId,
    /// What the file says about it; may be empty.
    pub description: String,
    /// What it matches.
    pub condition: String,
    /// What it does with that.
    pub effect: String,
}

/// Whether the shipped simple rules are in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Defaults {
    /// They are, but for those with these names.
    Without(Vec<String>),
    /// They are not.
    Off,
}

impl Filter {
    /// All rules, in the order in which they are asked.
    pub fn explain(&self) -> Vec<Explained> {
        let simple = self.simple.rules.iter().map(|rule| Explained {
            rule: rule.id.clone(),
            description: rule.description.clone(),
            condition: rule.words.clone(),
            effect: effect(rule.id.kind, rule.act),
        });
        let advanced = self.advanced.rules.iter().map(|rule| Explained {
            rule: rule.id.clone(),
            description: rule.description.clone(),
            condition: rule.when.clone().unwrap_or_else(|| "every event".to_owned()),
            effect: rule.actions.iter().map(advanced::words).collect::<Vec<_>>().join("; "),
        });
        simple.chain(advanced).collect()
    }

    /// Whether the shipped simple rules are in force.
    pub fn defaults(&self) -> Defaults {
        if self.simple.defaults { Defaults::Without(self.simple.disabled.clone()) } else { Defaults::Off }
    }
}

fn effect(kind: Kind, act: Act) -> String {
    match (act, kind) {
        (Act::Sample(sample), _) => share(sample),
        (Act::Rate(rate, _), _) => format!(
            "at most {} a second of each endpoint are kept, up to {} at once; the rest is dropped",
            rate.per_second, rate.burst
        ),
        (Act::List, Kind::Allow) => "kept; no later rule drops it".to_owned(),
        (Act::List, Kind::Include) => "kept; what no include rule matches is dropped".to_owned(),
        (Act::List, _) => "dropped".to_owned(),
    }
}

/// A sample in plain words.
pub(crate) fn share(sample: Sample) -> String {
    format!("{} % are kept, chosen by {}; the rest is dropped", sample.percent, sample.by.name())
}
