//! What an expression asks of an event, each as one slot, and the look-up of slots while it is evaluated.
//!
//! A chain such as `http.request.method` is rewritten to one identifier, `#3`, and the slot 3 holds the path:
//! nothing of the event is copied or converted but what an expression asks for.

use super::fields::{BODY_JSON, Step};
use super::functions::Budget;
use super::json::{Json, Part};
use cel::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt,
};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::OnceLock;

/// One thing that expressions ask for.
#[derive(Debug)]
pub(crate) enum Slot {
    /// The value at a path; absent where the event has none.
    Path(Vec<Step>),
    /// Whether there is a value at a path.
    Has(Vec<Step>),
    /// The value of a header field of the list at a path, by its name in small letters; empty where there is
    /// none.
    Header(Vec<Step>, String),
    /// A value that does not depend on the event.
    Constant(Box<dyn Val>),
    /// What is left of the steps.
    Budget,
}

impl Slot {
    /// Whether it is the same question.
    pub(crate) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Path(one), Self::Path(other)) | (Self::Has(one), Self::Has(other)) => one == other,
            (Self::Header(one, name), Self::Header(other, named)) => one == other && name == named,
            (Self::Budget, Self::Budget) => true,
            _ => false,
        }
    }
}

/// The bodies of an event as JSON, read when first asked for.
#[derive(Debug, Default)]
pub(crate) struct Bodies {
    request: OnceLock<Option<Json<'static>>>,
    response: OnceLock<Option<Json<'static>>>,
}

/// An event while expressions are evaluated.
pub(crate) struct Vars<'e> {
    event: &'e Json<'e>,
    bodies: &'e Bodies,
    slots: &'e [Slot],
    budget: Budget,
}

impl<'e> Vars<'e> {
    pub(crate) fn new(event: &'e Json<'e>, bodies: &'e Bodies, slots: &'e [Slot]) -> Self {
        Self { event, bodies, slots, budget: Budget::new() }
    }

    /// Whether loops asked for more steps than there are.
    pub(crate) fn is_used_up(&self) -> bool {
        self.budget.is_used_up()
    }

    fn look_up(&self, path: &[Step]) -> Option<&'e Json<'e>> {
        if let [Step::Key(http), Step::Key(message), Step::Key(body), Step::Key(json), rest @ ..] = path
            && (http.as_str(), body.as_str(), json.as_str()) == ("http", "body", BODY_JSON)
        {
            let cell = if message == "request" { &self.bodies.request } else { &self.bodies.response };
            let body =
                self.event.get("http").and_then(|http| http.get(message)).and_then(|it| it.get("body"));
            return cell.get_or_init(|| read_body(body?)).as_ref().and_then(|value| follow(value, rest));
        }
        follow(self.event, path)
    }
}

/// A body as JSON, where it is whole and is JSON.
fn read_body(body: &Json<'_>) -> Option<Json<'static>> {
    let whole = body.get("truncated").is_none() && body.get("encoding").is_none();
    let content = body.get("content").and_then(Json::as_str).filter(|_| whole)?;
    // Nearly all that is no JSON is told by its first letter.
    let starts = |c: char| matches!(c, '{' | '[' | '"' | '-' | 't' | 'f' | 'n') || c.is_ascii_digit();
    let value = || serde_json::from_str::<serde_json::Value>(content).ok();
    content.trim_ascii_start().starts_with(starts).then(value)?.map(Json::from)
}

fn follow<'v>(value: &'v Json<'v>, path: &[Step]) -> Option<&'v Json<'v>> {
    path.iter().try_fold(value, |value, step| match step {
        Step::Key(name) => value.get(name),
        Step::Index(number) => value.item(*number),
    })
}

impl VariableResolver for Vars<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let number: usize = variable.strip_prefix('#')?.parse().ok()?;
        let slot = self.slots.get(number)?;
        // Loops that are left to run must not convert anything any more.
        if self.is_used_up() && !matches!(slot, Slot::Constant(_) | Slot::Budget) {
            return None;
        }
        Some(match slot {
            Slot::Path(path) => convert(self.look_up(path)?),
            Slot::Has(path) => truth(self.look_up(path).is_some()),
            Slot::Header(path, name) => {
                let named = |field: &&Json<'_>| {
                    field.get("name").and_then(Json::as_str).is_some_and(|is| is.eq_ignore_ascii_case(name))
                };
                let list = match self.look_up(path) {
                    Some(Json::List(list)) => list.as_slice(),
                    _ => &[],
                };
                let field = list.iter().find(named).and_then(|field| field.get("value"));
                let value = field.and_then(Json::as_str).unwrap_or_default();
                CowVal::owned(CelString::from(value))
            }
            Slot::Constant(value) => CowVal::Borrowed(&**value),
            Slot::Budget => CowVal::Borrowed(&self.budget),
        })
    }
}

fn truth<'b>(yes: bool) -> CowVal<'b, 'b> {
    CowVal::Borrowed(if yes { &CelBool::TRUE } else { &CelBool::FALSE })
}

/// A value of JSON as one of CEL; text is borrowed. It calls itself as deep as JSON is nested, which its
/// reader limits.
pub(crate) fn convert<'v>(value: &'v Json<'v>) -> CowVal<'v, 'v> {
    match value {
        Json::Null => CowVal::owned(CelNull),
        Json::Bool(yes) => truth(*yes),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => CowVal::owned(CelInt::from(number)),
            (None, Some(number)) => CowVal::owned(CelUInt::from(number)),
            (None, None) => CowVal::owned(CelDouble::from(number.as_f64().unwrap_or(f64::NAN))),
        },
        Json::Text(text) => CowVal::owned(CelString::from(&**text)),
        Json::List(list) => {
            let list: Vec<Box<dyn Val + '_>> = list.iter().map(|value| convert(value).into_owned()).collect();
            CowVal::owned(CelList::from(list))
        }
        Json::Map(fields) => {
            let entry = |(name, value): &'v (Cow<'v, str>, Json<'v>)| {
                (CelMapKey::String(CelString::from(&**name)), convert(value).into_owned())
            };
            let map: HashMap<CelMapKey<'_>, Box<dyn Val + '_>> = fields.iter().map(entry).collect();
            CowVal::owned(CelMap::from(map))
        }
    }
}

/// The part of an event that slots ask for.
pub(crate) fn part(slots: &[Slot]) -> Part {
    let mut part = Part::default();
    for slot in slots {
        match slot {
            Slot::Path(path) | Slot::Header(path, _) => part.add(path, true),
            Slot::Has(path) => part.add(path, false),
            Slot::Constant(_) | Slot::Budget => {}
        }
    }
    part
}
