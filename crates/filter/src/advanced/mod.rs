//! Advanced filters: rules with an expression in CEL over the whole event, and actions.

mod action;
mod charge;
mod check;
mod compiler;
mod constants;
mod fields;
mod functions;
mod json;
mod model;
mod place;
mod slots;
mod target;
mod types;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod tests;

use crate::decision::{Decision, Kind, RuleId, Verdict, Why};
use crate::problem::{Errors, Problem, Source};
use crate::view::View;
pub(crate) use action::words;
use action::{Action, Actions};
use cel::common::ast::IdedExpr;
use cel::common::types::CelBool;
use cel::{Context, Env, ExecutionError, Value as Evaluate};
use compiler::Compiler;
use fields::Field;
use harken_mask::Masker;
use json::{Json, Part};
use model::File;
use slots::{Bodies, Slot, Vars};
use std::collections::HashSet;
use std::sync::Arc;
use types::Type;

/// The shipped file; it has no rules.
pub(crate) const DEFAULT: &str = include_str!("../../defaults/filters-advanced-default.json");
/// The name of the shipped file.
pub(crate) const DEFAULT_NAME: &str = "filters-advanced-default.json";

/// A file of advanced filters that was read, and not compiled yet.
#[derive(Debug, Clone)]
pub struct Advanced {
    file: File,
    source: Source,
}

impl Advanced {
    /// Reads the text of a file; `name` is what messages call it.
    ///
    /// # Errors
    /// The first thing in it that cannot be read, with its place.
    pub fn parse(name: &str, text: &str) -> Result<Self, Errors> {
        let source = Source { name: name.to_owned(), text: text.to_owned() };
        Ok(Self { file: source.read()?, source })
    }

    /// The shipped file, for where there is no other.
    ///
    /// # Errors
    /// None: a test reads it.
    pub fn shipped() -> Result<Self, Errors> {
        Self::parse(DEFAULT_NAME, DEFAULT)
    }
}

/// A rule, compiled.
pub(crate) struct Compiled {
    pub(crate) id: RuleId,
    pub(crate) description: String,
    /// The expression as it is written; `None` for every event.
    pub(crate) when: Option<String>,
    expression: Option<IdedExpr>,
    pub(crate) actions: Vec<Action>,
}

/// What came of asking a rule.
pub(crate) enum Asked {
    Matched,
    /// The expression asks for something that the event does not have.
    Absent,
    /// The expression failed.
    Failed,
}

/// All advanced rules, in the order in which they are asked.
pub(crate) struct Rules {
    pub(crate) rules: Vec<Compiled>,
    slots: Vec<Slot>,
    /// What the slots ask for.
    part: Part,
    pub(crate) maskers: Vec<Masker>,
    env: Arc<Env>,
}

impl std::fmt::Debug for Rules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.rules.iter().map(|rule| &*rule.id.name).collect();
        f.debug_struct("Rules").field("rules", &names).finish_non_exhaustive()
    }
}

impl Rules {
    /// Compiles a file.
    pub(crate) fn new(advanced: &Advanced) -> Result<Self, Errors> {
        let Advanced { file, source } = advanced;
        let env = functions::environment();
        let env = env
            .map_err(|error| Errors(vec![source.problem("", format!("the functions conflict: {error}"))]))?;
        let root = Field::event();
        let mut compiler = Compiler::new(root);
        let (mask_key, maskers) = (&file.mask_key, Vec::new());
        let mut actions = Actions { root, source, mask_key, maskers, problems: Vec::new() };
        let mut names = HashSet::new();
        let mut rules = Vec::new();
        for (position, rule) in file.rules.iter().enumerate() {
            let key = format!("rules[{position}]");
            if rule.name.is_empty() || !names.insert(&rule.name) {
                let message =
                    "is empty, or the name of another rule: decisions and counters name the rule by it";
                actions.problems.push(source.problem(&format!("{key}.name"), message));
            }
            if rule.actions.is_empty() {
                let message = "is empty: write for example [\"drop\"] or [{\"tag\": [\"a\"]}]";
                actions.problems.push(source.problem(&format!("{key}.actions"), message));
            }
            let mut expression = None;
            if let Some(when) = &rule.when {
                match condition(&mut compiler, when, source, &format!("{key}.when")) {
                    Ok(compiled) => expression = Some(compiled),
                    Err(problem) => actions.problems.push(problem),
                }
            }
            let compile = |(number, written)| actions.compile(written, &format!("{key}.actions[{number}]"));
            rules.push(Compiled {
                id: RuleId {
                    kind: Kind::Advanced,
                    position,
                    name: rule.name.as_str().into(),
                    shipped: false,
                },
                description: rule.description.clone(),
                when: rule.when.clone(),
                expression,
                actions: rule.actions.iter().enumerate().map(compile).collect(),
            });
        }
        let Actions { maskers, problems, .. } = actions;
        if !problems.is_empty() {
            return Err(Errors(problems));
        }
        let part = slots::part(&compiler.slots);
        Ok(Self { rules, slots: compiler.slots, part, maskers, env: Arc::new(env) })
    }

    /// Names of datasinks that rules route to.
    pub(crate) fn routes(&self) -> Vec<Arc<str>> {
        let mut all: Vec<Arc<str>> = Vec::new();
        for action in self.rules.iter().flat_map(|rule| &rule.actions) {
            if let Action::Route(names) = action {
                add(&mut all, names);
            }
        }
        all
    }

    /// Asks the rules about an event; `settled` says that none of them may drop it.
    ///
    /// # Errors
    /// When the event cannot be read.
    pub(crate) fn decide(
        &self,
        view: &View<'_>,
        line: &str,
        mut decision: Decision,
        mut settled: bool,
        maskers: &mut [Masker],
        mut count: impl FnMut(usize, &Asked),
    ) -> Result<Decision, serde_json::Error> {
        let mut bodies = Bodies::default();
        // What the rules ask for, until an action changes it; from then on all of the event.
        let mut event = self.part.read(line)?;
        let (mut whole, mut changed) = (false, false);
        for (number, rule) in self.rules.iter().enumerate() {
            let Some(asked) = self.ask(rule, &event, &bodies) else { continue };
            count(number, &asked);
            if !matches!(asked, Asked::Matched) {
                continue;
            }
            for action in &rule.actions {
                let verdict = match action {
                    Action::Drop => Some((Verdict::Drop, Why::Matched)),
                    Action::Keep => Some((Verdict::Keep, Why::Matched)),
                    Action::Sample(sample) if !sample.keeps(view) => Some((Verdict::Drop, Why::NotInSample)),
                    Action::Sample(_) => None,
                    Action::Route(names) => {
                        add(&mut decision.routes, names);
                        None
                    }
                    Action::Tag(_) | Action::Set(_) | Action::Remove(_) | Action::Mask(..) => {
                        if !std::mem::replace(&mut whole, true) {
                            event = Part::Whole.read(line)?;
                        }
                        if let Action::Tag(names) = action {
                            add(&mut decision.tags, names);
                            changed |= tag(&mut event, names);
                        } else if action::change(action, &mut event, maskers) {
                            changed = true;
                            bodies = Bodies::default();
                        }
                        None
                    }
                };
                let Some((verdict, why)) = verdict.filter(|_| !settled) else { continue };
                decision = Decision { verdict, rule: Some(rule.id.clone()), why, ..decision };
                if verdict == Verdict::Drop {
                    return Ok(Decision::new(verdict, decision.rule, why));
                }
                settled = true;
            }
        }
        if changed {
            decision.changed = Some(serde_json::to_vec(&event)?);
        }
        Ok(decision)
    }

    /// Evaluates the expression of a rule; `None` when it is false.
    fn ask(&self, rule: &Compiled, event: &Json<'_>, bodies: &Bodies) -> Option<Asked> {
        let Some(expression) = &rule.expression else { return Some(Asked::Matched) };
        let vars = Vars::new(event, bodies, &self.slots);
        let mut context = Context::with_env(Arc::clone(&self.env));
        context.set_variable_resolver(&vars);
        let result = Evaluate::resolve_val(expression, &context);
        if vars.is_used_up() {
            return Some(Asked::Failed);
        }
        match result {
            Ok(value) => match value.downcast_ref::<CelBool>() {
                Some(yes) => yes.inner().then_some(Asked::Matched),
                None => Some(Asked::Failed),
            },
            Err(ExecutionError::NoSuchKey(_)) => Some(Asked::Absent),
            Err(ExecutionError::UndeclaredReference(name)) if name.starts_with('#') => Some(Asked::Absent),
            Err(_) => Some(Asked::Failed),
        }
    }
}

/// Compiles an expression that must be true or false.
fn condition(
    compiler: &mut Compiler<'_>,
    text: &str,
    source: &Source,
    key: &str,
) -> Result<IdedExpr, Problem> {
    let problem = |at: usize, message: String| {
        let mut problem = source.problem(key, format!("character {}: {message}", at + 1));
        problem.expression = Some((text.to_owned(), at));
        problem
    };
    let (expression, is) = compiler.compile(text).map_err(|wrong| problem(wrong.at, wrong.message))?;
    if !is.fits(Type::Bool) {
        return Err(problem(0, format!("is a {}, and must be true or false", is.name())));
    }
    Ok(expression)
}

/// Adds names that are not in the list.
fn add(list: &mut Vec<Arc<str>>, names: &[Arc<str>]) {
    for name in names {
        if !list.contains(name) {
            list.push(Arc::clone(name));
        }
    }
}

/// Writes tags into the event's field `tags`; says whether that changed it.
fn tag(event: &mut Json<'_>, tags: &[Arc<str>]) -> bool {
    let Some(Json::List(list)) = event.entry("tags", Json::List(Vec::new())) else { return false };
    let before = list.len();
    for tag in tags {
        if !list.iter().any(|known| known.as_str() == Some(tag)) {
            list.push(Json::Text(tag.to_string().into()));
        }
    }
    list.len() != before
}
