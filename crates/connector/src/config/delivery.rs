//! How events are batched, sent side by side, and tried again: the same for every kind of datasink.
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// How a datasink is fed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Delivery {
    /// The most events of a batch.
    pub batch_events: usize,
    /// The most bytes of a batch's events; an event that is larger goes alone.
    pub batch_bytes: usize,
    /// Milliseconds that an event waits at most for others to make a batch with.
    pub linger_ms: u64,
    /// Batches on their way at the same time. Each flow keeps to one of these lanes, so that its order is
    /// kept. How many lanes really send adapts itself: one more after successes, half after an overload.
    pub in_flight: usize,
    /// The most events that were read and are not yet done, of each route.
    pub buffer_events: usize,
    /// The most bytes of them.
    pub buffer_bytes: usize,
    /// Milliseconds before the first new attempt; doubled for each further one, with jitter.
    pub retry_first_ms: u64,
    /// Milliseconds before a new attempt at most, but where the receiver asks for more.
    pub retry_max_ms: u64,
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            batch_events: 500,
            batch_bytes: 1 << 20,
            linger_ms: 200,
            in_flight: 4,
            buffer_events: 20_000,
            buffer_bytes: 32 << 20,
            retry_first_ms: 200,
            retry_max_ms: 30_000,
        }
    }
}

impl Delivery {
    /// How long an event waits for others.
    pub fn linger(&self) -> Duration {
        Duration::from_millis(self.linger_ms)
    }

    /// The key that cannot be so, and the mend.
    pub(crate) fn check(&self) -> Result<(), String> {
        let range = |key: &str, value: usize, least: usize, most: usize| match (least..=most).contains(&value)
        {
            true => Ok(()),
            false => Err(format!("delivery.{key} is {value}: give {least} to {most}")),
        };
        range("batch_events", self.batch_events, 1, 100_000)?;
        range("batch_bytes", self.batch_bytes, 1, 256 << 20)?;
        range("in_flight", self.in_flight, 1, 256)?;
        range("buffer_events", self.buffer_events, 1, 10_000_000)?;
        range("buffer_bytes", self.buffer_bytes, 1 << 10, 16 << 30)?;
        if self.retry_first_ms == 0 || self.retry_max_ms < self.retry_first_ms {
            return Err(
                "delivery.retry_first_ms and retry_max_ms: give at least 1, and the second no less".into()
            );
        }
        Ok(())
    }
}
