//! Types of expressions, as far as they are known before an event is there, and what operators and functions
//! take.

use super::fields::Field;
use cel::common::ast::operators as op;

/// The type of a part of an expression; `Dyn` is known only when it is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Dyn,
    Bool,
    Int,
    Uint,
    Double,
    Text,
    Bytes,
    Null,
    List,
    Map,
    Timestamp,
    Duration,
    /// A type as a value: `type(x) == int`.
    OfTypes,
}

use Type::{Bool, Bytes, Double, Duration, Dyn, Int, List, Map, Null, Text, Timestamp, Uint};

impl Type {
    /// The type of a field of the event.
    pub(crate) const fn of(field: &Field) -> Self {
        match field {
            Field::Object(_) => Map,
            Field::List(_) => List,
            Field::Text => Text,
            Field::Int => Int,
            Field::Number => Double,
            Field::Bool => Bool,
            Field::Any => Dyn,
        }
    }

    /// The name in CEL.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Dyn => "dyn",
            Bool => "bool",
            Int => "int",
            Uint => "uint",
            Double => "double",
            Text => "string",
            Bytes => "bytes",
            Null => "null",
            List => "list",
            Map => "map",
            Timestamp => "timestamp",
            Duration => "duration",
            Self::OfTypes => "type",
        }
    }

    /// Whether a value of this type may stand where `other` is asked for.
    pub(crate) fn fits(self, other: Self) -> bool {
        self == other || self == Dyn || other == Dyn
    }

    const fn is_number(self) -> bool {
        matches!(self, Int | Uint | Double | Dyn)
    }

    /// Whether two values can be equal at all.
    fn comparable(self, other: Self) -> bool {
        self.fits(other) || self.is_number() && other.is_number() || self == Null || other == Null
    }

    /// Whether its values are small, whatever the event.
    pub(crate) const fn is_small(self) -> bool {
        matches!(self, Bool | Int | Uint | Double | Null | Timestamp | Duration | Self::OfTypes)
    }
}

/// The sign of an operator, for messages.
pub(crate) fn sign(function: &str) -> &str {
    match function {
        op::IN => "in",
        op::CONDITIONAL => "? :",
        op::INDEX => "[ ]",
        op::LOGICAL_NOT => "!",
        op::NEGATE => "-",
        name => name.trim_matches('_'),
    }
}

/// The type of an operator's result; `None` when it does not take these types, the outer `None` when it is
/// none.
pub(crate) fn operator(function: &str, types: &[Type]) -> Option<Option<Type>> {
    let result = match (function, types) {
        (op::CONDITIONAL, [condition, one, other]) => {
            let joined = if one == other { *one } else { Dyn };
            condition.fits(Bool).then_some(joined)
        }
        (op::LOGICAL_AND | op::LOGICAL_OR, [one, other]) => {
            (one.fits(Bool) && other.fits(Bool)).then_some(Bool)
        }
        (op::LOGICAL_NOT | op::NOT_STRICTLY_FALSE, [one]) => one.fits(Bool).then_some(Bool),
        (op::NEGATE, [one]) => matches!(one, Int | Double | Dyn).then_some(*one),
        (op::EQUALS | op::NOT_EQUALS, [one, other]) => one.comparable(*other).then_some(Bool),
        (op::LESS | op::LESS_EQUALS | op::GREATER | op::GREATER_EQUALS, [one, other]) => {
            let ordered = one.is_number() && other.is_number() || one.fits(*other);
            let unordered = |side: &Type| matches!(side, List | Map | Null | Type::OfTypes);
            (ordered && !unordered(one) && !unordered(other)).then_some(Bool)
        }
        (op::ADD, [one, other]) => sum(*one, *other),
        (op::SUBSTRACT, [one, other]) => match (one, other) {
            (Timestamp, Timestamp) => Some(Duration),
            (Timestamp, Duration) => Some(Timestamp),
            (Text | Bytes | List, _) | (_, Text | Bytes | List) => None,
            (Timestamp, Dyn) | (Dyn, _) => Some(Dyn),
            _ => sum(*one, *other),
        },
        (op::MULTIPLY | op::DIVIDE | op::MODULO, [one, other]) => {
            let fits = one.is_number() && other.is_number() && one.fits(*other);
            let whole = function != op::MODULO || *one != Double && *other != Double;
            (fits && whole).then_some(if *one == Dyn { *other } else { *one })
        }
        (op::IN, [_, list]) => matches!(list, List | Map | Dyn).then_some(Bool),
        (op::INDEX, [list, index]) => match list {
            List => (index.is_number()).then_some(Dyn),
            Map => (index.is_number() || matches!(index, Text | Bool)).then_some(Dyn),
            Dyn => Some(Dyn),
            _ => None,
        },
        _ => return None,
    };
    Some(result)
}

fn sum(one: Type, other: Type) -> Option<Type> {
    match (one, other) {
        (Timestamp, Duration) | (Duration, Timestamp) => Some(Timestamp),
        (Dyn, Bool | Null | Map) | (Bool | Null | Map, Dyn) => None,
        (Dyn, Duration) | (Duration, Dyn) => Some(Dyn),
        (Dyn, other) => Some(other),
        (one, Dyn) => Some(one),
        (one, other) => (one == other && matches!(one, Int | Uint | Double | Text | Bytes | List | Duration))
            .then_some(one),
    }
}

/// A function: its name, whether it is written behind its first argument, what it takes, what it gives.
#[derive(Clone, Copy)]
struct Signature(&'static str, bool, &'static [Type], Type);

/// Every function that an expression may call, but for those of dates: those of CEL's standard library, and
/// Harken's own.
#[rustfmt::skip]
const FUNCTIONS: &[Signature] = &[
    Signature("size", false, &[Dyn], Int), Signature("size", true, &[Dyn], Int),
    Signature("contains", true, &[Text, Text], Bool), Signature("startsWith", true, &[Text, Text], Bool),
    Signature("endsWith", true, &[Text, Text], Bool),
    Signature("matches", true, &[Text, Text], Bool), Signature("matches", false, &[Text, Text], Bool),
    Signature("bool", false, &[Bool], Bool), Signature("bool", false, &[Text], Bool),
    Signature("bytes", false, &[Bytes], Bytes), Signature("bytes", false, &[Text], Bytes),
    Signature("double", false, &[Double], Double), Signature("double", false, &[Int], Double),
    Signature("double", false, &[Uint], Double), Signature("double", false, &[Text], Double),
    Signature("int", false, &[Int], Int), Signature("int", false, &[Uint], Int),
    Signature("int", false, &[Double], Int), Signature("int", false, &[Text], Int),
    Signature("int", false, &[Timestamp], Int),
    Signature("uint", false, &[Uint], Uint), Signature("uint", false, &[Int], Uint),
    Signature("uint", false, &[Double], Uint), Signature("uint", false, &[Text], Uint),
    Signature("string", false, &[Dyn], Text),
    Signature("dyn", false, &[Dyn], Dyn), Signature("type", false, &[Dyn], Type::OfTypes),
    Signature("duration", false, &[Text], Duration), Signature("duration", false, &[Duration], Duration),
    Signature("timestamp", false, &[Text], Timestamp), Signature("timestamp", false, &[Int], Timestamp),
    Signature("timestamp", false, &[Timestamp], Timestamp),
    Signature("inNetwork", false, &[Text, Dyn], Bool), Signature("glob", false, &[Text, Dyn], Bool),
    Signature("header", false, &[List, Text], Text), Signature("lowerAscii", true, &[Text], Text),
];

/// Parts of a timestamp, in UTC or the time zone that is given; the last four are also parts of a duration.
const PARTS: &[&str] = &[
    "getFullYear",
    "getMonth",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getHours",
    "getMinutes",
    "getSeconds",
    "getMilliseconds",
];

/// The functions with a name.
fn named(name: &str) -> Vec<Signature> {
    let Some(part) = PARTS.iter().copied().find(|part| *part == name) else {
        return FUNCTIONS.iter().filter(|signature| signature.0 == name).copied().collect();
    };
    let mut all =
        vec![Signature(part, true, &[Timestamp], Int), Signature(part, true, &[Timestamp, Text], Int)];
    if ["getHours", "getMinutes", "getSeconds", "getMilliseconds"].contains(&part) {
        all.push(Signature(part, true, &[Duration], Int));
    }
    all
}

/// The type of a function's result for arguments of these types; the first is what it is written behind.
///
/// # Errors
/// What is wrong: there is no such function, or it does not take these.
pub(crate) fn function(name: &str, member: bool, types: &[Type]) -> Result<Type, String> {
    let takes = |of: &Signature| {
        of.1 == member
            && of.2.len() == types.len()
            && types.iter().zip(of.2).all(|(is, wanted)| is.fits(*wanted))
    };
    let named = named(name);
    if named.is_empty() {
        let all = FUNCTIONS.iter().map(|signature| signature.0).chain(PARTS.iter().copied());
        let mut names: Vec<String> = all.map(str::to_owned).collect();
        names.dedup();
        return Err(format!("there is no function '{name}'{}", super::fields::nearest(name, names.iter())));
    }
    let fitting: Vec<Signature> = named.into_iter().filter(takes).collect();
    match fitting.as_slice() {
        [] => {
            let types: Vec<&str> = types.iter().map(|of| of.name()).collect();
            let call = match (member, types.split_first()) {
                (true, Some((target, rest))) => format!("{target}.{name}({})", rest.join(", ")),
                _ => format!("{name}({})", types.join(", ")),
            };
            Err(format!("{call} is not a call that there is"))
        }
        [first, rest @ ..] => Ok(if rest.iter().all(|other| other.3 == first.3) { first.3 } else { Dyn }),
    }
}
