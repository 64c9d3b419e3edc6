//! Secrets of the configuration: in the file itself, or better in the environment or a file of their own.
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::fmt;
use std::path::PathBuf;

/// A secret: a text, `{"env": "NAME"}` or `{"file": "PATH"}`. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(From);

#[derive(Clone, PartialEq, Eq)]
enum From {
    Text(String),
    Env(String),
    File(PathBuf),
}

impl Secret {
    /// The value now; the white space around that of a file is taken off.
    ///
    /// # Errors
    ///
    /// A variable that is not set, or a file that cannot be read; named, with the mend.
    pub fn value(&self) -> Result<String, String> {
        match &self.0 {
            From::Text(text) => Ok(text.clone()),
            From::Env(name) => std::env::var(name)
                .map_err(|_| format!("the environment variable {name} is not set: set it for this process")),
            From::File(path) => {
                std::fs::read_to_string(path).map(|text| text.trim().to_owned()).map_err(|error| {
                    format!(
                        "cannot read the secret in {}: {error}; make it readable for this process",
                        path.display()
                    )
                })
            }
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            From::Text(_) => f.write_str("Secret"),
            From::Env(name) => write!(f, "Secret(env {name})"),
            From::File(path) => write!(f, "Secret(file {})", path.display()),
        }
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong = || D::Error::custom("a secret is a text, {\"env\": \"NAME\"} or {\"file\": \"PATH\"}");
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(From::Text(text))),
            Value::Object(map) if map.len() == 1 => {
                match map.iter().next().map(|(key, value)| (key.as_str(), value.as_str())) {
                    Some(("env", Some(name))) => Ok(Self(From::Env(name.to_owned()))),
                    Some(("file", Some(path))) => Ok(Self(From::File(path.into()))),
                    _ => Err(wrong()),
                }
            }
            _ => Err(wrong()),
        }
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let only = |key: &str| {
            serde_json::json!({
                "type": "object", "properties": {key: {"type": "string"}}, "required": [key],
                "additionalProperties": false
            })
        };
        schemars::json_schema!({
            "description": "A secret: a text, an environment variable or a file.",
            "oneOf": [{"type": "string"}, only("env"), only("file")]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_ways_to_give_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "from-file\n").unwrap();
        let file = serde_json::json!({"file": path}).to_string();
        for (json, value) in [
            ("\"plain\"", Some("plain")),
            (file.as_str(), Some("from-file")),
            ("{\"env\":\"CARGO_PKG_NAME\"}", Some("harken-connector")),
            ("{\"env\":\"HARKEN_NO_SUCH_VARIABLE\"}", None),
            ("{\"file\":\"/nonexistent\"}", None),
        ] {
            let secret: Secret = serde_json::from_str(json).unwrap();
            assert_eq!(secret.value().ok().as_deref(), value, "{json}");
            assert!(!format!("{secret:?}").contains("plain"));
        }
        for json in ["1", "{}", "{\"env\":1}", "{\"env\":\"A\",\"file\":\"B\"}", "{\"path\":\"A\"}"] {
            assert!(serde_json::from_str::<Secret>(json).is_err(), "{json}");
        }
    }
}
