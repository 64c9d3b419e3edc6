//! From what is wanted and what there is to what has to be done. Nothing is asked and nothing is done here.
mod build;
mod end;
mod families;
mod network;
mod remarks;
mod request;
mod rules;
mod source;

pub use network::VXLAN;
pub(crate) use network::{Reach, missing_rule, reach};
pub use request::{About, Call, MADE_FILTER, MADE_TARGET, Request};
pub use source::{Source, Verdict};

use crate::spec::{Destination, Place, Spec};
use crate::world::World;
use serde::Serialize;

/// What has to be done in one account and region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Name of the spec.
    pub stack: String,
    /// The account.
    pub account: String,
    /// Who we are in it.
    pub identity: String,
    /// The region.
    pub region: String,
    /// The target.
    pub target: Part,
    /// Where it leads.
    pub destination: Destination,
    /// The filter.
    pub filter: Part,
    /// The filter in words.
    pub sentence: String,
    /// Its rules, each as a line.
    pub rules: Vec<String>,
    /// The sources, and what becomes of each.
    pub sources: Vec<Source>,
    /// What else is to be known.
    pub notes: Vec<Note>,
    /// What is done, in this order.
    pub calls: Vec<Call>,
}

/// The target, or the filter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Its id; none when it is yet to be made.
    pub id: Option<String>,
    /// What becomes of it.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// How much a note matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// To be known.
    Info,
    /// Something will not go as well as it could.
    Warning,
}

/// Something that is to be known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// How much it matters.
    pub level: Level,
    /// What it is about: `capacity`, `mtu`, `security_group`, `billing`, ...
    pub about: &'static str,
    /// It.
    pub text: String,
}

/// What is left to choose when a plan is made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Choices {
    /// Whether the security group of the target may be opened.
    pub open_security_group: bool,
}

impl Plan {
    /// What has to be done for a spec in one of its places.
    ///
    /// # Errors
    /// When the spec cannot be fulfilled here, with the key and how to mend it.
    pub fn build(spec: &Spec, place: &Place, world: &World, choices: Choices) -> Result<Self, String> {
        build::build(spec, place, world, choices)
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// How many sources have a verdict of that name.
    pub fn count(&self, verdict: fn(&Verdict) -> bool) -> usize {
        self.sources.iter().filter(|source| verdict(&source.verdict)).count()
    }
}
