//! Fields that actions change, and how they are reached in an event.

use super::fields::{BODY_JSON, Field, Step};
use super::json::Json;
use std::fmt;

/// A field that an action changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// A value by its names.
    Field(Vec<String>),
    /// The header fields with this name, in `http.request.headers` or `http.response.headers`.
    Header(Vec<String>, String),
    /// A value in a body of JSON: the body's message, and the path as masking knows it.
    Json(&'static str, String),
}

/// Fields by which receivers know an event, or which filters write themselves.
const FIXED: &[&str] = &[
    "@timestamp",
    "event.id",
    "event.kind",
    "harken.schema_version",
    "harken.uid",
    "harken.masked",
    "tags",
    "ecs.version",
];

impl Target {
    /// Reads a field's name; gives also the field, for what an action needs of it.
    pub(crate) fn parse<'r>(text: &str, root: &'r Field) -> Result<(Self, &'r Field), String> {
        if FIXED
            .iter()
            .any(|fixed| *fixed == text || fixed.strip_prefix(text).is_some_and(|rest| rest.starts_with('.')))
        {
            return Err(format!("'{text}' cannot be changed: receivers know events by it"));
        }
        let names: Vec<&str> = text.split('.').collect();
        match names.as_slice() {
            ["http", message @ ("request" | "response"), list @ ("headers" | "trailers"), name] => {
                let path = ["http", message, list].map(str::to_owned).to_vec();
                return Ok((Self::Header(path, (*name).to_owned()), &Field::Text));
            }
            ["http", message @ ("request" | "response"), "body", json, first, ..] if *json == BODY_JSON => {
                let message = if *message == "request" { "request" } else { "response" };
                let start =
                    text.find(&format!(".{BODY_JSON}.{first}")).map_or(0, |at| at + BODY_JSON.len() + 2);
                let path = format!("$.{}", text.get(start..).unwrap_or_default());
                return Ok((Self::Json(message, path), &Field::Any));
            }
            _ => {}
        }
        let mut field = root;
        for name in &names {
            field = field.step(&Step::Key((*name).to_owned()))?;
        }
        Ok((Self::Field(names.iter().map(|name| (*name).to_owned()).collect()), field))
    }

    /// The same field of `source` for one of `client`, of `destination` for one of `server`, and the other
    /// way.
    pub(crate) fn twin(&self) -> Option<Self> {
        let Self::Field(names) = self else { return None };
        let (first, rest) = names.split_first()?;
        let twin = match first.as_str() {
            "client" => "source",
            "source" => "client",
            "server" => "destination",
            "destination" => "server",
            _ => return None,
        };
        Some(Self::Field(std::iter::once(twin.to_owned()).chain(rest.iter().cloned()).collect()))
    }
}

/// The value at a path.
pub(crate) fn find<'v, 'a>(event: &'v mut Json<'a>, path: &[String]) -> Option<&'v mut Json<'a>> {
    path.iter().try_fold(event, |value, name| value.get_mut(name))
}

/// Sets the value at a path, and makes the objects that lead to it; says whether anything changed.
pub(crate) fn set(event: &mut Json<'_>, path: &[String], new: &Json<'static>) -> bool {
    let Some((last, parents)) = path.split_last() else { return false };
    let mut at = event;
    for name in parents {
        let Some(inner) = at.entry(name, Json::Map(Vec::new())) else { return false };
        at = inner;
    }
    let Some(value) = at.entry(last, Json::Null).filter(|value| **value != *new) else { return false };
    *value = new.clone();
    true
}

/// Removes the value at a path; says whether there was one.
pub(crate) fn remove(event: &mut Json<'_>, path: &[String]) -> bool {
    let Some((last, parents)) = path.split_last() else { return false };
    let Some(Json::Map(fields)) = find(event, parents) else { return false };
    let before = fields.len();
    fields.retain(|(name, _)| name != last);
    fields.len() != before
}

/// Header fields.
pub(crate) fn headers<'v, 'a>(event: &'v mut Json<'a>, path: &[String]) -> Option<&'v mut Vec<Json<'a>>> {
    match find(event, path) {
        Some(Json::List(list)) => Some(list),
        _ => None,
    }
}

/// Whether a header field has a name, whatever its case.
pub(crate) fn is_named(field: &Json<'_>, name: &str) -> bool {
    field.get("name").and_then(Json::as_str).is_some_and(|is| is.eq_ignore_ascii_case(name))
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(names) => f.write_str(&names.join(".")),
            Self::Header(path, name) => write!(f, "{}.{name}", path.join(".")),
            Self::Json(message, path) => {
                write!(f, "http.{message}.body.{BODY_JSON}{}", path.strip_prefix('$').unwrap_or(path))
            }
        }
    }
}
