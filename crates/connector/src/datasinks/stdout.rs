//! Standard output: an event a line.
use crate::config::Delivery;
use crate::datasink::{Batch, Datasink, Failure, Invalid, Limits};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use std::io::Write as _;

/// Settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How it is fed.
    pub delivery: Delivery,
}

/// The datasink.
#[derive(Debug, Clone, Copy)]
pub struct Stdout;

#[async_trait]
impl Datasink for Stdout {
    fn kind(&self) -> &'static str {
        "stdout"
    }

    /// One lane, so that the lines have the order of the events.
    fn limits(&self) -> Limits {
        Limits { in_flight: 1, ..Limits::default() }
    }

    async fn check(&self) -> Result<(), Invalid> {
        Ok(())
    }

    async fn write(&self, batch: &Batch) -> Result<(), Failure> {
        let text = lines(batch);
        // A pipe whose reader is slow must not stop the other datasinks.
        let write = tokio::task::spawn_blocking(move || {
            let mut out = std::io::stdout().lock();
            out.write_all(&text).and_then(|()| out.flush())
        });
        match write.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Failure::passing(format!("cannot write to standard output: {error}"))),
            Err(error) => Err(Failure::passing(format!("the write was broken off: {error}"))),
        }
    }
}

/// The events of a batch, each ended by a line end.
pub(crate) fn lines(batch: &Batch) -> Vec<u8> {
    let mut text = Vec::with_capacity(batch.bytes() + batch.len());
    for event in batch.events() {
        text.extend_from_slice(&event.json);
        text.push(b'\n');
    }
    text
}
