//! The settings of the datasink `kafka`.
use crate::config::{Delivery, Secret};
use crate::kafka::Cluster;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Settings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The cluster.
    pub cluster: Cluster,
    /// The topic.
    pub topic: String,
    /// The key of a record, which decides its partition.
    #[serde(default)]
    pub key: Key,
    /// How a key becomes a partition.
    #[serde(default)]
    pub partitioner: Partitioner,
    /// How records are compressed.
    #[serde(default)]
    pub compression: Compression,
    /// The time of a record.
    #[serde(default)]
    pub timestamp: Timestamp,
    /// Headers of each record, beside those that say what it is.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// Bytes of a record that brokers take (`message.max.bytes` there); an event that is larger is dead-lettered.
    #[serde(default = "max_bytes")]
    pub max_bytes: usize,
    /// Makes the topic where it is missing; nothing to leave that to others.
    #[serde(default)]
    pub create_topic: Option<CreateTopic>,
    /// Records and the reader's position are committed together, so that each event is in the topic exactly once for
    /// consumers that read what is committed. The reader must be of type `kafka`, on the same cluster.
    #[serde(default)]
    pub transactions: bool,
    /// Milliseconds in which a record has to be acknowledged; librdkafka tries again so long, without repeats and in
    /// order. Behind it the batch is sent anew.
    #[serde(default = "delivery_timeout_ms")]
    pub delivery_timeout_ms: u32,
    /// How it is fed.
    #[serde(default)]
    pub delivery: Delivery,
}

fn max_bytes() -> usize {
    1_000_000
}

fn delivery_timeout_ms() -> u32 {
    120_000
}

/// The key of a record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Key {
    /// The connection (`harken.uid`): its transactions stay in order.
    #[default]
    Flow,
    /// The client's address (`client.ip`): all of a client is in one partition, in the order in which it was read.
    Client,
    /// None: records are spread evenly.
    None,
}

/// How a key becomes a partition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Partitioner {
    /// As Java's clients do it (murmur2).
    #[default]
    Murmur2,
    /// As librdkafka's own clients do it (CRC32).
    Consistent,
    /// As Sarama's do it (FNV-1a).
    Fnv1a,
}

/// How records are compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// Snappy.
    Snappy,
    /// LZ4.
    #[default]
    Lz4,
    /// Zstandard, since Kafka 2.1.
    Zstd,
}

/// The time of a record, by which brokers retain it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Timestamp {
    /// When it is sent.
    #[default]
    Sent,
    /// That of the event; a broker may refuse what is too old for it, and drops it sooner.
    Event,
}

/// A topic to be made.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTopic {
    /// Partitions.
    pub partitions: i32,
    /// Replicas of each; nothing for what the cluster does by default.
    #[serde(default)]
    pub replicas: Option<i32>,
    /// Settings of the topic, by their names in Kafka, for example `retention.ms`.
    #[serde(default)]
    pub config: BTreeMap<String, String>,
}

impl Config {
    /// The key that cannot be so, and the mend.
    pub(super) fn check(&self) -> Result<(), String> {
        self.cluster.check()?;
        let sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let topic = &self.topic;
        if !(1..=249).contains(&topic.len()) || !topic.bytes().all(sound) || topic == "." || topic == ".." {
            return Err(format!(
                "topic: '{topic}' cannot be one: use 1 to 249 letters, digits, '.', '_' and '-'"
            ));
        }
        if !(2_000..=1_000_000_000).contains(&self.max_bytes) {
            return Err(format!("max_bytes is {}: give 2000 to 1000000000", self.max_bytes));
        }
        if !(1_000..=2_147_483_647).contains(&self.delivery_timeout_ms) {
            return Err(format!("delivery_timeout_ms is {}: give at least 1000", self.delivery_timeout_ms));
        }
        if let Some(create) = &self.create_topic
            && (create.partitions < 1 || create.replicas.is_some_and(|replicas| replicas < 1))
        {
            return Err("create_topic.partitions and replicas: give at least 1".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_named() {
        for (more, says) in [
            (r#""topic": """#, "topic: ''"),
            (r#""topic": "a b""#, "topic: 'a b' cannot be one"),
            (r#""topic": "..""#, "topic: '..'"),
            (r#""topic": "t", "max_bytes": 10"#, "max_bytes is 10"),
            (r#""topic": "t", "delivery_timeout_ms": 1"#, "delivery_timeout_ms is 1"),
            (r#""topic": "t", "create_topic": {"partitions": 0}"#, "at least 1"),
            (r#""topic": "t", "key": "host""#, "unknown variant `host`"),
            (r#""topic": "t", "cluster": {"brokers": []}"#, "duplicate field"),
        ] {
            let json = format!(r#"{{"cluster": {{"brokers": ["a:9092"]}}, {more}}}"#);
            let parsed = serde_json::from_str::<Config>(&json).map_err(|error| error.to_string());
            let error = parsed.and_then(|config| config.check()).err().unwrap_or_default();
            assert!(error.contains(says), "{json}: {error}");
        }
    }
}
