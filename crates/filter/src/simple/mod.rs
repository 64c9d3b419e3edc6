//! Simple filters: lists of rules by host, path, method and so on.
//!
//! The kinds are asked in the order of [`Kind`], and the rules of a kind in the order of the file, the
//! shipped ones last. The first rule that matches decides.

mod matcher;
mod model;
mod tables;
pub(crate) mod value;
pub(crate) mod words;

use crate::decision::{Decision, Kind, RuleId, Verdict, Why};
use crate::endpoint::endpoint;
use crate::problem::{Errors, Problem, Source};
use crate::rate::{Buckets, Rate};
use crate::sample::{Sample, hash};
use crate::view::View;
pub(crate) use matcher::{Marks, Matcher};
pub(crate) use model::Conditions;
use model::{File, RateRule, Rule, SampleRule};
use std::collections::HashMap;

/// The shipped file: health checks and static assets are excluded.
pub(crate) const DEFAULT: &str = include_str!("../../defaults/filters-simple-default.json");
/// The name of the shipped file.
pub(crate) const DEFAULT_NAME: &str = "filters-simple-default.json";

/// A file of simple filters that was read, and not compiled yet.
#[derive(Debug, Clone)]
pub struct Simple {
    pub(crate) file: File,
    pub(crate) source: Source,
}

impl Simple {
    /// Reads the text of a file; `name` is what messages call it.
    ///
    /// # Errors
    /// The first thing in it that cannot be read, with its place.
    pub fn parse(name: &str, text: &str) -> Result<Self, Errors> {
        let source = Source { name: name.to_owned(), text: text.to_owned() };
        Ok(Self { file: source.read()?, source })
    }

    /// No rules of one's own: the shipped ones are in force.
    pub fn empty() -> Self {
        let file = File { defaults: true, ..File::default() };
        Self { file, source: Source { name: "filters-simple.json".to_owned(), text: "{}".to_owned() } }
    }
}

/// What a rule does when it matches.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act {
    List,
    Sample(Sample),
    Rate(Rate, u64),
}

/// A rule, compiled.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) id: RuleId,
    pub(crate) description: String,
    /// Number of the clause, and of the one that must not hold.
    on: Option<usize>,
    unless: Option<usize>,
    pub(crate) act: Act,
    pub(crate) words: String,
}

/// All simple rules, in the order in which they are asked.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    pub(crate) rules: Vec<Compiled>,
    matcher: Matcher,
    /// Whether the shipped rules are in force, and which of them are not.
    pub(crate) defaults: bool,
    pub(crate) disabled: Vec<String>,
}

/// What the simple rules say.
pub(crate) enum Outcome {
    /// Decided: nothing may drop it, or it is dropped.
    Final(Decision),
    /// Kept so far, by the rule if one has matched.
    SoFar(Decision),
}

/// A rule while it is compiled.
struct Draft<'f> {
    id: RuleId,
    description: &'f str,
    on: &'f Conditions,
    unless: &'f Conditions,
    act: Act,
}

impl Rules {
    /// Compiles a file and the shipped rules behind it.
    pub(crate) fn new(simple: &Simple) -> Result<Self, Errors> {
        let shipped = Simple::parse(DEFAULT_NAME, DEFAULT)?;
        let mut problems = Vec::new();
        let mut drafts = drafts(simple, false, &mut problems);
        let own = drafts.len();
        if simple.file.defaults {
            drafts.extend(drafts_of_defaults(&shipped, simple, &mut problems));
        } else if !simple.file.disable.is_empty() {
            problems.push(
                simple.source.problem("disable", "has no meaning where \"defaults\" is false: remove it"),
            );
        }
        unique_names(simple, &drafts, own, &mut problems);
        if !problems.is_empty() {
            return Err(Errors(problems));
        }
        drafts.sort_by_key(|draft| draft.id.kind);
        let mut clauses: Vec<&Conditions> = Vec::new();
        let mut rules = Vec::new();
        for draft in drafts {
            let mut number = |on| {
                let on: &Conditions = on;
                (!on.is_empty()).then(|| {
                    clauses.push(on);
                    clauses.len() - 1
                })
            };
            rules.push(Compiled {
                words: words::rule(draft.on, draft.unless),
                on: number(draft.on),
                unless: number(draft.unless),
                id: draft.id,
                description: draft.description.to_owned(),
                act: draft.act,
            });
        }
        let matcher = Matcher::new(&clauses).map_err(|message| {
            Errors(vec![simple.source.problem("", format!("too much to compile: {message}"))])
        })?;
        Ok(Self { matcher, rules, defaults: simple.file.defaults, disabled: simple.file.disable.clone() })
    }

    /// Asks the rules. `count` is called with the number of each rule that matched.
    pub(crate) fn decide(
        &self,
        view: &View<'_>,
        marks: &mut Marks,
        buckets: &mut Buckets,
        mut count: impl FnMut(usize),
    ) -> Outcome {
        let mut so_far = Decision::new(Verdict::Keep, None, Why::NoRule);
        if self.rules.is_empty() {
            return Outcome::SoFar(so_far);
        }
        self.matcher.mark(view, marks);
        let mut first = 0;
        for group in self.rules.chunk_by(|one, other| one.id.kind == other.id.kind) {
            let found = group.iter().enumerate().find(|(_, rule)| self.matches(rule, view, marks));
            let Some((number, rule)) = found else {
                first += group.len();
                if group.first().is_some_and(|rule| rule.id.kind == Kind::Include) {
                    return Outcome::Final(Decision::new(Verdict::Drop, None, Why::NotIncluded));
                }
                continue;
            };
            count(first + number);
            first += group.len();
            let decision = |verdict, why| Outcome::Final(Decision::new(verdict, Some(rule.id.clone()), why));
            let mut why = Why::Matched;
            match rule.act {
                Act::List if rule.id.kind == Kind::Allow => return decision(Verdict::Keep, Why::Matched),
                Act::List if rule.id.kind == Kind::Include => {}
                Act::List => return decision(Verdict::Drop, Why::Matched),
                Act::Sample(sample) if !sample.keeps(view) => {
                    return decision(Verdict::Drop, Why::NotInSample);
                }
                Act::Rate(rate, salt) if !within(rate, salt, view, buckets) => {
                    return decision(Verdict::Drop, Why::RateLimited);
                }
                Act::Sample(_) => why = Why::InSample,
                Act::Rate(..) => why = Why::WithinRate,
            }
            so_far = Decision::new(Verdict::Keep, Some(rule.id.clone()), why);
        }
        Outcome::SoFar(so_far)
    }

    fn matches(&self, rule: &Compiled, view: &View<'_>, marks: &Marks) -> bool {
        rule.on.is_none_or(|clause| self.matcher.holds(clause, view, marks))
            && !rule.unless.is_some_and(|clause| self.matcher.holds(clause, view, marks))
    }
}

/// Whether the endpoint of an event has a token left. An event without a readable time takes none.
fn within(rate: Rate, salt: u64, view: &View<'_>, buckets: &mut Buckets) -> bool {
    let time = view.timestamp.as_ref().and_then(|text| text.0.parse::<jiff::Timestamp>().ok());
    let Some(now) = time.and_then(|time| i64::try_from(time.as_nanosecond()).ok()) else { return true };
    buckets.take(hash(&[&endpoint(view)]) ^ salt, rate, now)
}

fn drafts<'f>(simple: &'f Simple, shipped: bool, problems: &mut Vec<Problem>) -> Vec<Draft<'f>> {
    let (file, source) = (&simple.file, &simple.source);
    let id = |kind, position, name: &str| RuleId { kind, position, name: name.into(), shipped };
    let mut drafts = Vec::new();
    let lists = [
        (Kind::Ignore, &file.ignore),
        (Kind::Allow, &file.allow),
        (Kind::Exclude, &file.exclude),
        (Kind::Include, &file.include),
    ];
    for (kind, list) in lists {
        for (position, Rule { name, description, on, unless }) in list.iter().enumerate() {
            if on.is_empty() {
                let key = format!("{}[{position}].where", kind.name());
                let message = "names nothing, so that everything would match: name what is meant, or write \
                               {\"path\": [\"**\"]} for everything that has a path";
                problems.push(source.problem(&key, message));
            }
            drafts.push(Draft { id: id(kind, position, name), description, on, unless, act: Act::List });
        }
    }
    for (position, SampleRule { name, description, on, unless, percent, by }) in
        file.sample.iter().enumerate()
    {
        let act = Act::Sample(Sample { percent: percent.0, by: *by });
        drafts.push(Draft { id: id(Kind::Sample, position, name), description, on, unless, act });
    }
    for (position, RateRule { name, description, on, unless, per_second, burst }) in
        file.rate_limit.iter().enumerate()
    {
        let burst = burst.unwrap_or(per_second.max(1.0));
        let fits = |number: f64, least: f64| number.is_finite() && number >= least && number <= 1e9;
        if !fits(*per_second, 0.001) || !fits(burst, 1.0) {
            let key = format!("rate_limit[{position}].per_second");
            let message = "per_second is from 0.001 to 1e9, and burst from 1 to 1e9";
            problems.push(source.problem(&key, message));
        }
        let act = Act::Rate(Rate { per_second: *per_second, burst }, hash(&[name]));
        drafts.push(Draft { id: id(Kind::RateLimit, position, name), description, on, unless, act });
    }
    drafts
}

/// The shipped rules but those that the file disables; a name that it disables must be one of theirs.
fn drafts_of_defaults<'f>(
    shipped: &'f Simple,
    simple: &Simple,
    problems: &mut Vec<Problem>,
) -> Vec<Draft<'f>> {
    let mut drafts = drafts(shipped, true, problems);
    for (position, name) in simple.file.disable.iter().enumerate() {
        let before = drafts.len();
        drafts.retain(|draft| *draft.id.name != **name);
        if drafts.len() == before {
            let left: Vec<&str> = drafts.iter().map(|draft| &*draft.id.name).collect();
            let message =
                format!("there is no shipped rule '{name}' to disable; there are {}", left.join(", "));
            problems.push(simple.source.problem(&format!("disable[{position}]"), message));
        }
    }
    drafts
}

/// Each rule has a name, and no two have the same.
fn unique_names(simple: &Simple, drafts: &[Draft<'_>], own: usize, problems: &mut Vec<Problem>) {
    let mut seen: HashMap<&str, &RuleId> = HashMap::new();
    // The shipped rules first, so that the message names the rule of the file.
    let (own, shipped) = drafts.split_at(own.min(drafts.len()));
    for Draft { id, .. } in shipped.iter().chain(own) {
        let key = format!("{}[{}].name", id.kind.name(), id.position);
        if id.name.is_empty() {
            problems
                .push(simple.source.problem(&key, "is empty: decisions and counters name the rule by it"));
        } else if let Some(other) = seen.insert(&id.name, id) {
            let message = format!("another rule has this name: {other}");
            problems.push(simple.source.problem(&key, message));
        }
    }
}
