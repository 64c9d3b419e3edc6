//! The filter: simple rules first, then those of the advanced file.

use crate::advanced::{self, Advanced, Asked};
use crate::decision::{Decision, RuleId, Verdict};
use crate::problem::Errors;
use crate::rate::Buckets;
use crate::simple::{Marks, Outcome, Rules, Simple};
use crate::view::View;
use harken_mask::Masker;
use std::fmt;
use std::sync::Arc;

/// Compiled filter files. Share it behind an `Arc`, and put a new one in its place when a file changes.
#[derive(Debug)]
pub struct Filter {
    pub(crate) simple: Rules,
    pub(crate) advanced: advanced::Rules,
    /// Tells a state whether it has counted for this filter.
    identity: Arc<()>,
}

/// What a filter remembers from event to event: one for each thread that asks.
///
/// It may be used with a new filter after a reload: the token buckets stay, the counters begin anew.
#[derive(Debug, Default)]
pub struct State {
    buckets: Buckets,
    marks: Marks,
    maskers: Vec<Masker>,
    counts: Vec<[u64; 3]>,
    identity: Option<Arc<()>>,
}

/// Bytes that are no event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAnEvent(pub String);

impl fmt::Display for NotAnEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not an event: {}", self.0)
    }
}

impl std::error::Error for NotAnEvent {}

/// What a rule has done so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// The rule.
    pub rule: RuleId,
    /// Events that it matched.
    pub matched: u64,
    /// Events that lack something that its expression asks for; they count as not matched.
    pub absent: u64,
    /// Events for which its expression failed; they count as not matched.
    pub failed: u64,
}

impl Filter {
    /// Compiles the rules of the files, and the shipped ones where the files do not turn them off.
    ///
    /// # Errors
    /// All that is wrong with the rules, each with its place.
    pub fn new(simple: &Simple, advanced: &Advanced) -> Result<Self, Errors> {
        match (Rules::new(simple), advanced::Rules::new(advanced)) {
            (Ok(simple), Ok(advanced)) => Ok(Self { simple, advanced, identity: Arc::new(()) }),
            (Err(Errors(mut all)), other) => {
                all.extend(other.err().into_iter().flat_map(|errors| errors.0));
                Err(Errors(all))
            }
            (Ok(_), Err(errors)) => Err(errors),
        }
    }

    /// Names of the datasinks that rules route to, each once: the pipeline must have them.
    pub fn routes(&self) -> Vec<Arc<str>> {
        self.advanced.routes()
    }

    /// Says what becomes of an event, which is one object of JSON.
    ///
    /// # Errors
    /// When the bytes are no event: not JSON, or with a field of another type than the schema says.
    pub fn decide(&self, state: &mut State, event: &[u8]) -> Result<Decision, NotAnEvent> {
        let not_an_event = |error: serde_json::Error| NotAnEvent(error.to_string());
        state.begin(self);
        let line = std::str::from_utf8(event).map_err(|error| NotAnEvent(error.to_string()))?;
        let view = View::read(line).map_err(not_an_event)?;
        let State { buckets, marks, maskers, counts, .. } = state;
        let (of_simple, of_advanced) = counts.split_at_mut(self.simple.rules.len());
        let count = |number: usize| {
            if let Some([matched, ..]) = of_simple.get_mut(number) {
                *matched += 1;
            }
        };
        let (decision, settled) = match self.simple.decide(&view, marks, buckets, count) {
            Outcome::Final(decision) => (decision, true),
            Outcome::SoFar(decision) => (decision, false),
        };
        if decision.verdict == Verdict::Drop || self.advanced.rules.is_empty() {
            return Ok(decision);
        }
        let count = |number: usize, asked: &Asked| {
            if let Some([matched, absent, failed]) = of_advanced.get_mut(number) {
                let one = match asked {
                    Asked::Matched => matched,
                    Asked::Absent => absent,
                    Asked::Failed => failed,
                };
                *one += 1;
            }
        };
        let decided = self.advanced.decide(&view, line, decision, settled, maskers, count);
        let mut decision = decided.map_err(not_an_event)?;
        // A line stays a line.
        if let Some(changed) = decision.changed.as_mut().filter(|_| event.ends_with(b"\n")) {
            changed.push(b'\n');
        }
        Ok(decision)
    }
}

impl State {
    /// Begins the counters anew for a filter that was not asked before.
    fn begin(&mut self, filter: &Filter) {
        if self.identity.as_ref().is_some_and(|known| Arc::ptr_eq(known, &filter.identity)) {
            return;
        }
        self.identity = Some(Arc::clone(&filter.identity));
        self.maskers.clone_from(&filter.advanced.maskers);
        self.counts = vec![[0; 3]; filter.simple.rules.len() + filter.advanced.rules.len()];
    }

    /// What each rule of the filter has done since the filter was first asked with this state, in the order
    /// in which they are asked.
    pub fn counts(&mut self, filter: &Filter) -> Vec<Count> {
        self.begin(filter);
        let ids = filter.simple.rules.iter().map(|rule| &rule.id);
        let ids = ids.chain(filter.advanced.rules.iter().map(|rule| &rule.id));
        let count = |(rule, [matched, absent, failed]): (&RuleId, &[u64; 3])| Count {
            rule: rule.clone(),
            matched: *matched,
            absent: *absent,
            failed: *failed,
        };
        ids.zip(&self.counts).map(count).collect()
    }

    /// How many token buckets are held; at most 65,536.
    pub fn buckets(&self) -> usize {
        self.buckets.len()
    }
}
