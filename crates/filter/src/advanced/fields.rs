//! The fields that an event can have, by its published schema, and what rules may ask beyond them.

use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// A field, or an object of fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Field {
    Object(BTreeMap<String, Field>),
    List(Box<Field>),
    Text,
    Int,
    Number,
    Bool,
    /// A value of which the schema says nothing: JSON out of a body, labels.
    Any,
}

/// One step into a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

/// Name of the field under which a body is read as JSON.
pub(crate) const BODY_JSON: &str = "json";

impl Field {
    /// The event. Beyond the schema it has `tags`, `labels`, and `json` in each body.
    pub(crate) fn event() -> &'static Self {
        static EVENT: LazyLock<Field> = LazyLock::new(Field::read_event);
        &EVENT
    }

    fn read_event() -> Self {
        let schema = harken_event::ecs::schema();
        let mut event = read(&schema, &schema, 0);
        if let Self::Object(fields) = &mut event {
            fields.entry("tags".to_owned()).or_insert(Self::List(Box::new(Self::Text)));
            fields.entry("labels".to_owned()).or_insert(Self::Any);
            for message in ["request", "response"] {
                let body =
                    ["http", message, "body"].iter().try_fold(&mut *fields, |fields, name| {
                        match fields.get_mut(*name) {
                            Some(Self::Object(inner)) => Some(inner),
                            _ => None,
                        }
                    });
                if let Some(body) = body {
                    body.insert(BODY_JSON.to_owned(), Self::Any);
                }
            }
        }
        event
    }

    /// The field that a step leads to; the error says what there is.
    pub(crate) fn step(&self, step: &Step) -> Result<&Self, String> {
        match (self, step) {
            (Self::Any, _) => Ok(self),
            (Self::Object(fields), Step::Key(name)) => fields
                .get(name)
                .ok_or_else(|| format!("there is no field '{name}' here{}", nearest(name, fields.keys()))),
            (Self::List(inner), Step::Index(_)) => Ok(inner),
            (Self::List(_), Step::Key(name)) => Err(format!(
                "this is a list, it has no field '{name}': ask its elements, as in .exists(x, x.name == 'a')"
            )),
            (Self::Object(_), Step::Index(_)) => Err("this is no list".to_owned()),
            (Self::Text | Self::Int | Self::Number | Self::Bool, Step::Key(name)) => {
                Err(format!("this is {}, it has no field '{name}'", self.words()))
            }
            (_, Step::Index(_)) => Err(format!("this is {}, no list", self.words())),
        }
    }

    /// What it is, in plain words.
    pub(crate) const fn words(&self) -> &'static str {
        match self {
            Self::Object(_) => "an object",
            Self::List(_) => "a list",
            Self::Text => "text",
            Self::Int | Self::Number => "a number",
            Self::Bool => "true or false",
            Self::Any => "any value",
        }
    }
}

/// `; did you mean ...?`, or the names that there are.
pub(crate) fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n String>) -> String {
    let known: Vec<&String> = known.collect();
    let near = known.iter().map(|other| (distance(name, other), other)).min_by_key(|(distance, _)| *distance);
    match near {
        Some((distance, other)) if distance <= 1 + name.len() / 4 => format!("; did you mean '{other}'?"),
        _ => {
            let names: Vec<&str> = known.iter().map(|name| name.as_str()).collect();
            format!("; there are {}", names.join(", "))
        }
    }
}

/// The number of letters to add, remove or change.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (number, letter) in one.chars().take(64).enumerate() {
        let mut above_left = number;
        let mut left = number + 1;
        for (place, same) in other.iter().enumerate() {
            let above = row.get(place + 1).copied().unwrap_or(0);
            let value = (above + 1).min(left + 1).min(above_left + usize::from(letter != *same));
            if let Some(cell) = row.get_mut(place) {
                *cell = left;
            }
            above_left = above;
            left = value;
        }
        if let Some(cell) = row.last_mut() {
            *cell = left;
        }
    }
    row.last().copied().unwrap_or(0)
}

/// The most objects inside each other in a schema that is followed.
const DEPTH: usize = 16;

fn read(schema: &Value, root: &Value, depth: usize) -> Field {
    if depth > DEPTH {
        return Field::Any;
    }
    let named = schema.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix('#'));
    if let Some(schema) = named.and_then(|pointer| root.pointer(pointer)) {
        return read(schema, root, depth + 1);
    }
    if let Some(Value::Object(properties)) = schema.get("properties") {
        let read = |(name, schema): (&String, &Value)| (name.clone(), read(schema, root, depth + 1));
        return Field::Object(properties.iter().map(read).collect());
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("string") => Field::Text,
        Some("integer") => Field::Int,
        Some("number") => Field::Number,
        Some("boolean") => Field::Bool,
        Some("array") => {
            let first = || schema.get("prefixItems").and_then(|items| items.get(0));
            let items = schema.get("items").filter(|items| items.is_object()).or_else(first);
            Field::List(Box::new(items.map_or(Field::Any, |items| read(items, root, depth + 1))))
        }
        _ => Field::Any,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_the_schema_is_understood() {
        let event = Field::event();
        let field = |path: &str| {
            path.split('.').try_fold(event, |field, name| {
                field.step(&name.parse().map_or(Step::Key(name.to_owned()), Step::Index))
            })
        };
        for (path, expected) in [
            ("@timestamp", Field::Text),
            ("client.ip", Field::Text),
            ("client.port", Field::Int),
            ("http.request.method", Field::Text),
            ("http.request.headers.0.name", Field::Text),
            ("http.request.body.content", Field::Text),
            ("http.request.body.json.a.b.3", Field::Any),
            ("http.response.status_code", Field::Int),
            ("http.response.body.truncated", Field::Bool),
            ("harken.tunnel.outer.source.ip", Field::Text),
            ("harken.completeness.gaps.1.bytes", Field::Int),
            ("harken.timing.request_end_ns", Field::Int),
            ("event.category.0", Field::Text),
            ("labels.team", Field::Any),
            ("tags.0", Field::Text),
        ] {
            assert_eq!(field(path), Ok(&expected), "{path}");
        }
        for (path, says) in [
            ("http.request.methd", "did you mean 'method'?"),
            ("http.request.headers.host", "this is a list"),
            ("client.ip.x", "this is text"),
            ("client.0", "this is no list"),
            ("user_agent.x", "there are original"),
        ] {
            assert!(field(path).is_err_and(|error| error.contains(says)), "{path}");
        }
    }
}
