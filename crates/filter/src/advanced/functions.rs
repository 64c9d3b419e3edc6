//! Harken's own functions in CEL, and the values that they are given ready-made: networks, patterns, a
//! budget.
#![expect(clippy::needless_pass_by_value, reason = "the library gives functions their arguments so")]

use cel::common::types::{self as cel_types, CelBool, CelInt, CelList, CelMap, CelString, Type};
use cel::common::value::{CowVal, StaticVal, Val};
use cel::{DeclarationError, Env, ExecutionError};
use globset::{Candidate, GlobSet};
use ipnet::IpNet;
use std::any::Any;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Steps that the loops of one expression may take for one event. A step is a part of an expression that is
/// evaluated, an element that is kept, or 64 bytes of text that are read.
pub(crate) const BUDGET: u64 = 200_000;

/// What is left of the steps.
#[derive(Debug)]
pub(crate) struct Budget(AtomicU64);

impl Budget {
    /// All steps are left.
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(BUDGET))
    }

    /// Whether more steps were asked for than there were. From then on nothing is evaluated.
    pub(crate) fn is_used_up(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

/// Networks of a call of `inNetwork`.
#[derive(Debug, Clone)]
pub(crate) struct Networks(pub(crate) Arc<[IpNet]>);

/// Patterns of a call of `glob`.
#[derive(Debug, Clone)]
pub(crate) struct Globs(pub(crate) Arc<GlobSet>);

/// The pattern of a call of `matches`.
#[derive(Debug, Clone)]
pub(crate) struct Regex(pub(crate) regex::Regex);

macro_rules! value {
    ($($type:ident $name:literal $constant:ident $clone:expr;)*) => {$(
        static $constant: Type = Type::new_unspecified_type($name);

        impl Val for $type {
            fn get_type(&self) -> &Type {
                &$constant
            }
            fn cel_type() -> &'static Type {
                &$constant
            }
            fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
                let clone: fn(&$type) -> $type = $clone;
                Box::new(clone(self))
            }
            fn as_any(&self) -> Option<&dyn Any> {
                Some(self)
            }
        }
        impl StaticVal for $type {}
    )*};
}

value! {
    Networks "@networks" NETWORKS Networks::clone;
    Globs "@globs" GLOBS Globs::clone;
    Regex "@regex" REGEX Regex::clone;
    // Nothing clones it: it is only ever an argument. A copy would have what is left now.
    Budget "@budget" BUDGET_TYPE |budget| Budget(AtomicU64::new(budget.0.load(Ordering::Relaxed)));
}

/// Names of the functions as expressions are rewritten to call them; `@` cannot be written in CEL.
pub(crate) mod name {
    pub(crate) const IN_NETWORK: &str = "@inNetwork";
    pub(crate) const GLOB: &str = "@glob";
    pub(crate) const MATCHES: &str = "@matches";
    pub(crate) const CHARGED: &str = "@charged";
}

/// The standard library and these functions.
pub(crate) fn environment() -> Result<Env, DeclarationError> {
    use cel_types::{DYN_TYPE, INT_TYPE, LIST_TYPE, STRING_TYPE};
    let mut env = Env::stdlib().with_optional_support(false);
    env.add_overload(name::IN_NETWORK, "in_network", vec![STRING_TYPE, NETWORKS.to_owned()], in_network)?;
    env.add_overload(name::GLOB, "glob", vec![STRING_TYPE, GLOBS.to_owned()], glob)?;
    env.add_overload(name::MATCHES, "matches_regex", vec![STRING_TYPE, REGEX.to_owned()], matches)?;
    env.add_overload(name::CHARGED, "charged", vec![BUDGET_TYPE.to_owned(), DYN_TYPE], charged)?;
    env.add_overload(
        name::CHARGED,
        "charged_loop",
        vec![BUDGET_TYPE.to_owned(), INT_TYPE, DYN_TYPE],
        charged,
    )?;
    env.add_overload("header", "header", vec![LIST_TYPE, STRING_TYPE], header)?;
    env.add_member_overload("lowerAscii", "lower_ascii", STRING_TYPE, vec![], lower_ascii)?;
    Ok(env)
}

type Arguments<'b, 'v> = Vec<CowVal<'b, 'v>>;
type Outcome<'b, 'v> = Result<CowVal<'b, 'v>, ExecutionError>;

fn yes_or_no<'b, 'v>(yes: bool) -> CowVal<'b, 'v> {
    CowVal::Borrowed(if yes { &CelBool::TRUE } else { &CelBool::FALSE })
}

/// Arguments of other types than declared do not arrive; this is what the signature asks for.
fn unexpected() -> ExecutionError {
    ExecutionError::missing_argument_or_target()
}

fn text<'a, 'b, 'v>(arguments: &'a [CowVal<'b, 'v>], number: usize) -> Result<&'a str, ExecutionError> {
    let value = arguments.get(number).and_then(|value| value.downcast_ref::<CelString<'_>>());
    value.map(CelString::inner).ok_or_else(unexpected)
}

fn in_network<'b, 'v>(arguments: Arguments<'b, 'v>) -> Outcome<'b, 'v> {
    let networks =
        arguments.get(1).and_then(|value| value.downcast_ref::<Networks>()).ok_or_else(unexpected)?;
    let address = text(&arguments, 0)?;
    let wrong = |_| ExecutionError::function_error("inNetwork", format!("'{address}' is no address"));
    let address = address.parse::<IpAddr>().map_err(wrong)?.to_canonical();
    Ok(yes_or_no(networks.0.iter().any(|network| network.contains(&address))))
}

fn glob<'b, 'v>(arguments: Arguments<'b, 'v>) -> Outcome<'b, 'v> {
    let globs = arguments.get(1).and_then(|value| value.downcast_ref::<Globs>()).ok_or_else(unexpected)?;
    Ok(yes_or_no(globs.0.is_match_candidate(&Candidate::from_bytes(text(&arguments, 0)?))))
}

fn matches<'b, 'v>(arguments: Arguments<'b, 'v>) -> Outcome<'b, 'v> {
    let regex = arguments.get(1).and_then(|value| value.downcast_ref::<Regex>()).ok_or_else(unexpected)?;
    Ok(yes_or_no(regex.0.is_match(text(&arguments, 0)?)))
}

fn lower_ascii<'b, 'v>(arguments: Arguments<'b, 'v>) -> Outcome<'b, 'v> {
    Ok(CowVal::owned(CelString::from(text(&arguments, 0)?.to_ascii_lowercase())))
}

/// The value of the first header field with this name, whatever its case; empty text where there is none.
fn header<'b, 'v>(arguments: Arguments<'b, 'v>) -> Outcome<'b, 'v> {
    let name = text(&arguments, 1)?;
    let list =
        arguments.first().and_then(|value| value.downcast_ref::<CelList<'_>>()).ok_or_else(unexpected)?;
    for field in list.inner() {
        let part = |part: &str| {
            let field = field.as_indexer()?;
            let value = field.get(&CelString::from(part)).ok()?;
            value.downcast_ref::<CelString<'_>>().map(|text| text.inner().to_owned())
        };
        if part("name").is_some_and(|is| is.eq_ignore_ascii_case(name)) {
            return Ok(CowVal::owned(CelString::from(part("value").unwrap_or_default())));
        }
    }
    Ok(CowVal::owned(CelString::from("")))
}

/// Gives its last argument, and takes the size of it from the budget, as often as a second of three says.
fn charged<'b, 'v>(mut arguments: Arguments<'b, 'v>) -> Outcome<'b, 'v> {
    let value = arguments.pop().ok_or_else(unexpected)?;
    let budget = arguments.first().and_then(|value| value.downcast_ref::<Budget>()).ok_or_else(unexpected)?;
    let times = arguments.get(1).and_then(|value| value.downcast_ref::<CelInt>()).map(|times| *times.inner());
    let times = times.and_then(|times| u64::try_from(times).ok()).unwrap_or(1).max(1);
    let left = budget.0.load(Ordering::Relaxed);
    // What is left over of a step that is not whole is given up.
    let rest = weigh(&*value, left / times).map(|rest| rest * times).filter(|rest| *rest > 0);
    budget.0.store(rest.unwrap_or(0), Ordering::Relaxed);
    match rest {
        Some(_) => Ok(value),
        None => {
            let message = format!("the loops of the expression take more than {BUDGET} steps");
            Err(ExecutionError::function_error("loop", message))
        }
    }
}

/// What is left of a budget after a value; `None` when it is used up, which also bounds this walk.
fn weigh(value: &dyn Val, left: u64) -> Option<u64> {
    let long = |length: usize| left.checked_sub(1 + length as u64 / 64);
    if let Some(text) = value.downcast_ref::<CelString<'_>>() {
        return long(text.inner().len());
    }
    if let Some(bytes) = value.downcast_ref::<cel_types::CelBytes<'_>>() {
        return long(bytes.inner().len());
    }
    let left = left.checked_sub(1)?;
    if let Some(list) = value.downcast_ref::<CelList<'_>>() {
        return list.inner().iter().try_fold(left, |left, inner| weigh(&**inner, left));
    }
    if let Some(map) = value.downcast_ref::<CelMap<'_>>() {
        return map.inner().values().try_fold(left, |left, inner| weigh(&**inner, left.checked_sub(1)?));
    }
    Some(left)
}
