//! An event as values: text is borrowed from its line, and only what rules ask for is read.

use super::fields::{BODY_JSON, Step};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::{Number, Value};
use std::borrow::Cow;
use std::fmt;

/// A value of JSON. Fields keep their order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'a, str>),
    List(Vec<Json<'a>>),
    Map(Vec<(Cow<'a, str>, Json<'a>)>),
}

/// The part of an event that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it.
    Whole,
    /// Of an object these fields; anything else as a whole.
    Fields(Vec<(String, Part)>),
}

impl Default for Part {
    fn default() -> Self {
        Self::Fields(Vec::new())
    }
}

impl Part {
    /// Adds the value at a path, or no more of it than that it is there. Of a list all is read.
    pub(crate) fn add(&mut self, path: &[Step], whole: bool) {
        let is = |step: &Step, name: &str| matches!(step, Step::Key(key) if key == name);
        if let [http, message, body, json, ..] = path
            && is(http, "http")
            && is(body, "body")
            && is(json, BODY_JSON)
        {
            for name in ["content", "encoding", "truncated"] {
                let path = [http.clone(), message.clone(), body.clone(), Step::Key(name.to_owned())];
                self.add(&path, true);
            }
            return;
        }
        match (path.split_first(), &mut *self) {
            (_, Self::Whole) => {}
            (None, part) if whole => *part = Self::Whole,
            (None, _) => {}
            (Some((Step::Index(_), _)), part) => *part = Self::Whole,
            (Some((Step::Key(name), rest)), Self::Fields(fields)) => {
                let place = fields.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
                    fields.push((name.clone(), Self::default()));
                    fields.len() - 1
                });
                if let Some((_, part)) = fields.get_mut(place) {
                    part.add(rest, whole);
                }
            }
        }
    }

    /// Reads this part of an event.
    pub(crate) fn read<'de>(&self, text: &'de str) -> Result<Json<'de>, serde_json::Error> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let value = self.deserialize(&mut reader)?;
        reader.end()?;
        Ok(value)
    }
}

impl<'de> DeserializeSeed<'de> for &Part {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &Part {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E: Error>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }
    fn visit_bool<E: Error>(self, yes: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(yes))
    }
    fn visit_i64<E: Error>(self, number: i64) -> Result<Json<'de>, E> {
        Ok(Json::Number(number.into()))
    }
    fn visit_u64<E: Error>(self, number: u64) -> Result<Json<'de>, E> {
        Ok(Json::Number(number.into()))
    }
    fn visit_f64<E: Error>(self, number: f64) -> Result<Json<'de>, E> {
        Ok(Number::from_f64(number).map_or(Json::Null, Json::Number))
    }
    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json<'de>, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(&Part::Whole)? {
            values.push(value);
        }
        Ok(Json::List(values))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json<'de>, A::Error> {
        let mut values = Vec::new();
        while let Some(name) = map.next_key_seed(Name)? {
            let part = match self {
                Part::Whole => Some(&Part::Whole),
                Part::Fields(fields) => {
                    fields.iter().find(|(known, _)| *known == *name).map(|(_, part)| part)
                }
            };
            match part {
                Some(part) => values.push((name, map.next_value_seed(part)?)),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Json::Map(values))
    }
}

/// The name of a field.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }
    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(text))
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(yes) => serializer.serialize_bool(*yes),
            Self::Number(number) => number.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(values) => serializer.collect_seq(values),
            Self::Map(fields) => serializer.collect_map(fields.iter().map(|(name, value)| (name, value))),
        }
    }
}

impl From<Value> for Json<'static> {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(yes) => Self::Bool(yes),
            Value::Number(number) => Self::Number(number),
            Value::String(text) => Self::Text(Cow::Owned(text)),
            Value::Array(values) => Self::List(values.into_iter().map(Self::from).collect()),
            Value::Object(fields) => Self::Map(
                fields.into_iter().map(|(name, value)| (Cow::Owned(name), Self::from(value))).collect(),
            ),
        }
    }
}

impl<'a> Json<'a> {
    /// The field of an object.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        let Self::Map(fields) = self else { return None };
        fields.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The element of a list.
    pub(crate) fn item(&self, number: usize) -> Option<&Self> {
        let Self::List(values) = self else { return None };
        values.get(number)
    }

    /// The field of an object.
    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Self> {
        let Self::Map(fields) = self else { return None };
        fields.iter_mut().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The field of an object, which is made if it is not there; `None` for what is no object.
    pub(crate) fn entry(&mut self, name: &str, new: Self) -> Option<&mut Self> {
        let Self::Map(fields) = self else { return None };
        let place = fields.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            fields.push((Cow::Owned(name.to_owned()), new));
            fields.len() - 1
        });
        fields.get_mut(place).map(|(_, value)| value)
    }

    /// Text.
    pub(crate) fn as_str(&self) -> Option<&str> {
        let Self::Text(text) = self else { return None };
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_what_was_added() {
        let text = r#"{"a":{"b":[1,{"c":2}],"d":"x\n","e":{"f":-1.5}},"g":null,"http":{"request":{"body":{"content":"{}"}}}}"#;
        let key = |name: &str| Step::Key(name.to_owned());
        let whole = Part::Whole.read(text).unwrap();
        assert_eq!(serde_json::to_string(&whole).unwrap(), text, "the order stays");
        for (path, all, expected) in [
            (vec![key("a"), key("d")], true, r#"{"a":{"d":"x\n"}}"#),
            (vec![key("a"), key("e")], true, r#"{"a":{"e":{"f":-1.5}}}"#),
            (vec![key("a"), key("e")], false, r#"{"a":{"e":{}}}"#),
            (vec![key("a"), key("b"), Step::Index(1), key("c")], true, r#"{"a":{"b":[1,{"c":2}]}}"#),
            (vec![key("x")], true, "{}"),
            (
                vec![key("http"), key("request"), key("body"), key("json"), key("a")],
                true,
                r#"{"http":{"request":{"body":{"content":"{}"}}}}"#,
            ),
            (vec![], true, text),
        ] {
            let mut part = Part::default();
            part.add(&path, all);
            assert_eq!(serde_json::to_string(&part.read(text).unwrap()).unwrap(), expected, "{path:?}");
        }
    }
}
