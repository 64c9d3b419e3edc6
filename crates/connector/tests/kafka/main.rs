//! The reader and the datasink `kafka` against a broker that speaks Kafka, read back by kcat.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test stops by panicking")]
#![allow(clippy::needless_pass_by_value, reason = "a literal reads better without a reference")]
mod broker;
mod datasink;
mod exactly_once;
mod faults;
mod front;
mod group;
mod scram;
mod security;
#[path = "../support/mod.rs"]
mod support;

use serde_json::{Value, json};

/// A datasink with a topic of that many partitions that it makes itself.
fn datasink(address: &str, topic: &str, partitions: u32, more: Value) -> Value {
    let mut config = json!({
        "type": "kafka",
        "cluster": {"brokers": address.split(',').collect::<Vec<_>>()},
        "topic": topic,
        "create_topic": {"partitions": partitions, "replicas": 1},
        "delivery": support::delivery(),
    });
    for (key, value) in more.as_object().unwrap() {
        config[key] = value.clone();
    }
    json!({"kafka": config})
}

/// The lines that kcat writes to a topic: numbered events, each with its connection as key.
fn lines(numbers: std::ops::Range<u64>) -> String {
    let line = |number: u64| {
        let event = support::event(number);
        format!("{}\t{event}\n", event["harken"]["uid"].as_str().unwrap())
    };
    numbers.map(line).collect()
}
