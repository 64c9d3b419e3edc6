//! `connector.json`: readers, pipelines and datasinks by name.
mod delivery;
mod secret;

pub use delivery::Delivery;
pub use secret::Secret;

use crate::{datasinks, metrics, readers};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The settings of a connector.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Folder of the pid file, the logs, the status, the positions of file readers and the dead letters. A
    /// path in this file that is not absolute begins at the folder that the connector was started in.
    #[serde(default = "dir")]
    pub dir: PathBuf,
    /// Seconds between two blocks of statistics.
    #[serde(default = "period_s")]
    pub period_s: u64,
    /// Seconds that batches on their way get to be answered when the connector is stopped.
    #[serde(default = "stop_s")]
    pub stop_s: u64,
    /// `connector.log`.
    #[serde(default)]
    pub log: LogFile,
    /// Dead letters.
    #[serde(default)]
    pub dead_letters: DeadLetters,
    /// Statistics over HTTP; without it there are none.
    #[serde(default)]
    pub metrics: Option<metrics::Config>,
    /// Where events come from, by name.
    #[serde(deserialize_with = "each")]
    pub readers: BTreeMap<String, readers::Kind>,
    /// Where events go, by name.
    #[serde(deserialize_with = "each")]
    pub datasinks: BTreeMap<String, datasinks::Kind>,
    /// Which go where, by name.
    #[serde(deserialize_with = "each")]
    pub pipelines: BTreeMap<String, Pipeline>,
}

/// A pipeline: one reader, filters, datasinks. Each of its datasinks has a position of its own in the reader,
/// so that one that is stuck holds back no other.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pipeline {
    /// The name of its reader.
    pub reader: String,
    /// The names of its datasinks.
    pub datasinks: Vec<String>,
    /// Which events go on, and what is changed in them. Without it the shipped filters are in force, which exclude
    /// health checks and static assets.
    #[serde(default)]
    pub filters: FilterFiles,
}

/// The filter files of a pipeline. They are read again when they change; one that is wrong leaves the rules that are
/// in force.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FilterFiles {
    /// Simple filters (`filters-simple.json`); the shipped ones are asked behind them.
    pub simple: Option<PathBuf>,
    /// Advanced filters (`filters-advanced.json`).
    pub advanced: Option<PathBuf>,
}

/// How `connector.log` is rotated.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogFile {
    /// Bytes after which a new file is begun.
    pub max_bytes: usize,
    /// Old files that are kept, compressed by gzip.
    pub keep: usize,
}

impl Default for LogFile {
    fn default() -> Self {
        Self { max_bytes: 10 << 20, keep: 10 }
    }
}

/// The bound of the dead letters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DeadLetters {
    /// Bytes that are kept of each route (pipeline and datasink); beyond it the oldest are dropped and
    /// counted.
    pub max_bytes: u64,
}

impl Default for DeadLetters {
    fn default() -> Self {
        Self { max_bytes: 256 << 20 }
    }
}

fn dir() -> PathBuf {
    PathBuf::from("connector")
}

fn period_s() -> u64 {
    60
}

fn stop_s() -> u64 {
    10
}

/// Names the entry that is wrong, which the library does not.
fn each<'de, D: serde::Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<BTreeMap<String, T>, D::Error> {
    let entries = BTreeMap::<String, Value>::deserialize(deserializer)?;
    let parse = |(name, value): (String, Value)| match serde_json::from_value(value) {
        Ok(value) => Ok((name, value)),
        Err(error) => Err(serde::de::Error::custom(format!("'{name}': {error}"))),
    };
    entries.into_iter().map(parse).collect()
}

impl Config {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, or the place, the key and the mend of what is wrong in it.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            format!("{}: cannot be read: {error}; name another by --config", path.display())
        })?;
        Self::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Reads the text of such a file.
    ///
    /// # Errors
    ///
    /// The place, the key and the mend of what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let config: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        config.check()?;
        Ok(config)
    }

    /// The JSON Schema of the file.
    pub fn schema() -> Value {
        schemars::schema_for!(Self).to_value()
    }

    fn check(&self) -> Result<(), String> {
        if self.period_s == 0 || self.period_s > 86_400 {
            return Err(format!("period_s is {}: give 1 to 86400", self.period_s));
        }
        if self.log.max_bytes < 1 << 10 || self.log.keep == 0 {
            return Err("log.max_bytes and log.keep: give at least 1024 and 1".into());
        }
        let names = self.readers.keys().chain(self.datasinks.keys()).chain(self.pipelines.keys());
        for name in names {
            let sound = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            if name.is_empty() || name.len() > 31 || !name.bytes().all(sound) {
                return Err(format!("'{name}' cannot be a name: use 1 to 31 letters, digits, '-' and '_'"));
            }
        }
        if self.pipelines.is_empty() {
            return Err("pipelines is empty: name at least one, with a reader and a datasink".into());
        }
        for (name, pipeline) in &self.pipelines {
            if !self.readers.contains_key(&pipeline.reader) {
                let known = list(self.readers.keys());
                return Err(format!(
                    "pipelines.{name}.reader: no reader '{}' (there is {known})",
                    pipeline.reader
                ));
            }
            if pipeline.datasinks.is_empty() {
                return Err(format!("pipelines.{name}.datasinks is empty: name at least one"));
            }
            for (place, datasink) in pipeline.datasinks.iter().enumerate() {
                if !self.datasinks.contains_key(datasink) {
                    let known = list(self.datasinks.keys());
                    return Err(format!(
                        "pipelines.{name}.datasinks: no datasink '{datasink}' (there is {known})"
                    ));
                }
                if pipeline.datasinks.iter().take(place).any(|other| other == datasink) {
                    return Err(format!("pipelines.{name}.datasinks: '{datasink}' is named twice"));
                }
            }
        }
        Ok(())
    }
}

fn list<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<_> = names.map(|name| format!("'{name}'")).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests;
