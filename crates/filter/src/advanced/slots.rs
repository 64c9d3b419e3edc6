//! What an expression asks of an event, each as one slot, and the look-up of slots while it is evaluated.
//!
//! A chain such as `http.request.method` is rewritten to one identifier, `#3`, and the slot 3 holds the path:
//! nothing of the event is copied or converted but what an expression asks for.

use super::fields::{BODY_JSON, Step};
use super::functions::Budget;
use cel::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt,
};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use serde_json::Value;
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
    request: OnceLock<Option<Value>>,
    response: OnceLock<Option<Value>>,
}

/// An event while expressions are evaluated.
pub(crate) struct Vars<'e> {
    event: &'e Value,
    bodies: &'e Bodies,
    slots: &'e [Slot],
    budget: Budget,
}

impl<'e> Vars<'e> {
    pub(crate) fn new(event: &'e Value, bodies: &'e Bodies, slots: &'e [Slot]) -> Self {
        Self { event, bodies, slots, budget: Budget::new() }
    }

    /// Whether loops asked for more steps than there are.
    pub(crate) fn is_used_up(&self) -> bool {
        self.budget.is_used_up()
    }

    fn look_up(&self, path: &[Step]) -> Option<&'e Value> {
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
fn read_body(body: &Value) -> Option<Value> {
    let whole = body.get("truncated").is_none() && body.get("encoding").is_none();
    let content = body.get("content").and_then(Value::as_str).filter(|_| whole)?;
    // Nearly all that is no JSON is told by its first letter.
    let starts = |c: char| matches!(c, '{' | '[' | '"' | '-' | 't' | 'f' | 'n') || c.is_ascii_digit();
    content.trim_ascii_start().starts_with(starts).then(|| serde_json::from_str(content).ok())?
}

fn follow<'v>(value: &'v Value, path: &[Step]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, step| match step {
        Step::Key(name) => value.get(name),
        Step::Index(number) => value.get(number),
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
                let named = |field: &&Value| {
                    field.get("name").and_then(Value::as_str).is_some_and(|is| is.eq_ignore_ascii_case(name))
                };
                let field =
                    self.look_up(path).and_then(Value::as_array).and_then(|list| list.iter().find(named));
                let value =
                    field.and_then(|field| field.get("value")).and_then(Value::as_str).unwrap_or_default();
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
pub(crate) fn convert(value: &Value) -> CowVal<'_, '_> {
    match value {
        Value::Null => CowVal::owned(CelNull),
        Value::Bool(yes) => truth(*yes),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => CowVal::owned(CelInt::from(number)),
            (None, Some(number)) => CowVal::owned(CelUInt::from(number)),
            (None, None) => CowVal::owned(CelDouble::from(number.as_f64().unwrap_or(f64::NAN))),
        },
        Value::String(text) => CowVal::owned(CelString::from(text.as_str())),
        Value::Array(list) => {
            let list: Vec<Box<dyn Val + '_>> = list.iter().map(|value| convert(value).into_owned()).collect();
            CowVal::owned(CelList::from(list))
        }
        Value::Object(fields) => {
            let entry = |(name, value)| {
                let name: &String = name;
                (CelMapKey::String(CelString::from(name.as_str())), convert(value).into_owned())
            };
            let map: HashMap<CelMapKey<'_>, Box<dyn Val + '_>> = fields.iter().map(entry).collect();
            CowVal::owned(CelMap::from(map))
        }
    }
}
