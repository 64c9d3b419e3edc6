//! What becomes of an event, and which rule says so.

use std::fmt;
use std::sync::Arc;

/// Whether an event goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Keep,
    /// It ends here, and counts as filtered out.
    Drop,
}

/// Kinds of rules, in the order in which they are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Dropped at once.
    Ignore,
    /// Kept at once: no rule after it drops the event.
    Allow,
    /// Dropped.
    Exclude,
    /// Where there are such rules, only what one of them matches goes on.
    Include,
    /// A share of what matches goes on.
    Sample,
    /// So many a second go on of each endpoint.
    RateLimit,
    /// A rule of the advanced file.
    Advanced,
}

impl Kind {
    /// The name of the list in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ignore => "ignore",
            Self::Allow => "allow",
            Self::Exclude => "exclude",
            Self::Include => "include",
            Self::Sample => "sample",
            Self::RateLimit => "rate_limit",
            Self::Advanced => "rules",
        }
    }
}

/// A rule, as decisions and counters name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleId {
    /// The list that it stands in.
    pub kind: Kind,
    /// Its place in the list of its file, from 0.
    pub position: usize,
    /// Its name.
    pub name: Arc<str>,
    /// Whether it is one of the shipped rules.
    pub shipped: bool,
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = if self.shipped { " of the defaults" } else { "" };
        write!(f, "{} ({}[{}]{of})", self.name, self.kind.name(), self.position)
    }
}

/// Why a verdict is what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// No rule decided: events are kept unless a rule drops them.
    NoRule,
    /// The rule matched.
    Matched,
    /// There are include rules, and none matched.
    NotIncluded,
    /// The rule's sample has the event.
    InSample,
    /// The rule's sample does not have the event.
    NotInSample,
    /// The endpoint's rate is not used up.
    WithinRate,
    /// The endpoint had no token left.
    RateLimited,
}

impl Why {
    /// In plain words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::NoRule => "no rule decided",
            Self::Matched => "the rule matches",
            Self::NotIncluded => "no include rule matches",
            Self::InSample => "it is in the sample",
            Self::NotInSample => "it is not in the sample",
            Self::WithinRate => "within the endpoint's rate",
            Self::RateLimited => "the endpoint's rate is used up",
        }
    }
}

/// What becomes of an event.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Whether it goes on.
    pub verdict: Verdict,
    /// The rule that decided; `None` where no rule did.
    pub rule: Option<RuleId>,
    /// Why.
    pub why: Why,
    /// Tags that rules gave it, each once, in order. The event has them in its field `tags`.
    pub tags: Vec<Arc<str>>,
    /// Names of the datasinks that it goes to; empty for all of the pipeline.
    pub routes: Vec<Arc<str>>,
    /// The event as actions changed it, a line of JSON; `None` where none did, and the bytes that came in go
    /// on.
    pub changed: Option<Vec<u8>>,
}

impl Decision {
    /// A decision that changes nothing.
    pub(crate) fn new(verdict: Verdict, rule: Option<RuleId>, why: Why) -> Self {
        Self { verdict, rule, why, tags: Vec::new(), routes: Vec::new(), changed: None }
    }
}
