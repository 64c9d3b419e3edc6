//! The configuration of masking, as it stands in a file.

use crate::kind::{Class, Kind};
use crate::method::Method;
use crate::report::Location;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What is masked, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Credentials, tokens and keys: on, `fixed`.
    pub secret: ClassConfig,
    /// Payment cards: on, `keep_last_4`.
    pub card: ClassConfig,
    /// IBAN: off.
    pub iban: ClassConfig,
    /// E-mail addresses: off.
    pub email: ClassConfig,
    /// Telephone numbers: off.
    pub phone: ClassConfig,
    /// National ids: off.
    pub national_id: ClassConfig,
    /// Kinds that are not looked for though their class is on.
    pub except: Vec<Kind>,
    /// Whether the built-in names (`authorization`, `cookie`, `password`, `token`, ...) are masked.
    pub default_names: bool,
    /// More names.
    pub names: Vec<NameRule>,
    /// The key of `hash` and `format_preserving`: hexadecimal, 32 digits or more. Whoever has it can link a
    /// pseudonym with a value.
    pub key: Option<String>,
}

/// One class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClassConfig {
    /// Whether it is looked for.
    pub on: bool,
    /// What is done with it.
    pub method: Method,
}

impl Default for ClassConfig {
    fn default() -> Self {
        Self { on: true, method: Method::Fixed }
    }
}

/// A name whose value is masked, whatever it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NameRule {
    /// Where the name counts; everywhere if not given.
    #[serde(default)]
    pub location: Option<Location>,
    /// The name (case, `-` and `_` make no difference), or a path: `$.user.cards[].number` in JSON, `1.3` (numbers
    /// of the fields) in gRPC.
    pub name: String,
    /// What is done; as secrets are masked if not given.
    #[serde(default)]
    pub method: Option<Method>,
}

impl Default for Config {
    fn default() -> Self {
        let off = ClassConfig { on: false, ..ClassConfig::default() };
        Self {
            secret: ClassConfig::default(),
            card: ClassConfig { on: true, method: Method::KeepLast4 },
            iban: off,
            email: off,
            phone: off,
            national_id: off,
            except: Vec::new(),
            default_names: true,
            names: Vec::new(),
            key: None,
        }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The key that is wrong, as `names[2].name`.
    pub key: String,
    /// What is wrong with it, and the mend.
    pub reason: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "masking: {}: {}", self.key, self.reason)
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// The settings of a class.
    pub fn class(&self, class: Class) -> ClassConfig {
        match class {
            Class::Secret => self.secret,
            Class::Card => self.card,
            Class::Iban => self.iban,
            Class::Email => self.email,
            Class::Phone => self.phone,
            Class::NationalId => self.national_id,
        }
    }

    /// Whether a kind is looked for.
    pub fn wants(&self, kind: Kind) -> bool {
        self.class(kind.class()).on && !self.except.contains(&kind)
    }

    /// Checks the whole and gives the bytes of the key, if there is one.
    ///
    /// # Errors
    /// The first key that is wrong, with the mend.
    pub fn check(&self) -> Result<Option<Vec<u8>>, ConfigError> {
        let error = |key: String, reason: &str| Err(ConfigError { key, reason: reason.to_owned() });
        let classes =
            [Class::Secret, Class::Card, Class::Iban, Class::Email, Class::Phone, Class::NationalId]
                .map(|class| self.class(class));
        let keyed = classes.iter().filter(|class| class.on).map(|class| class.method);
        let keyed =
            keyed.chain(self.names.iter().filter_map(|rule| rule.method)).find(|method| method.needs_key());
        for (place, rule) in self.names.iter().enumerate() {
            if rule.name.is_empty() || rule.name.len() > 128 {
                return error(
                    format!("names[{place}].name"),
                    "is empty or longer than 128 bytes: give the name of a field, or a path such as $.user.pin",
                );
            }
            if rule.name.starts_with('$') && !matches!(rule.location, None | Some(Location::Json)) {
                return error(
                    format!("names[{place}].location"),
                    "a path with $ is one of JSON: set it to json, or leave it out",
                );
            }
        }
        match (&self.key, keyed) {
            (None, Some(_)) => error(
                "key".to_owned(),
                "is missing, and a method needs it (hash, format_preserving): set 64 hex digits, as from `openssl rand -hex 32`",
            ),
            (None, None) => Ok(None),
            (Some(key), _) => match unhex(key) {
                Some(bytes) if bytes.len() >= 16 => Ok(Some(bytes)),
                _ => error(
                    "key".to_owned(),
                    "is not an even number, 32 or more, of hex digits: make one with `openssl rand -hex 32`",
                ),
            },
        }
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pair = |pair: &[u8]| {
        let [high, low] = pair else { return None };
        let value = char::from(*high).to_digit(16)? << 4 | char::from(*low).to_digit(16)?;
        u8::try_from(value).ok()
    };
    text.as_bytes().chunks(2).map(pair).collect()
}
