//! What a datasink is: a place that takes batches of events, and says what became of them.
use crate::readers::Reader;
use async_trait::async_trait;
use bytes::Bytes;
use ring::digest::{Context, SHA256};
use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// One event on its way: a JSON object without a line end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its number in the reader; unique among the events that wait at a time.
    pub number: u64,
    /// The JSON object.
    pub json: Bytes,
}

/// Events that are written together, in the order in which they were read; never empty.
#[derive(Debug, Clone)]
pub struct Batch {
    events: Vec<Event>,
    bytes: usize,
}

impl Batch {
    /// A batch of these events.
    pub fn new(events: Vec<Event>) -> Self {
        let bytes = events.iter().map(|event| event.json.len()).sum();
        Self { events, bytes }
    }

    /// The events.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// How many events.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Bytes of the events.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// A key of the batch's content: the same in every attempt, and after a restart when the batch is the
    /// same.
    pub fn key(&self) -> String {
        let mut context = Context::new(&SHA256);
        for event in &self.events {
            context.update(&(event.json.len() as u64).to_le_bytes());
            context.update(&event.json);
        }
        context.finish().as_ref().iter().take(16).fold(String::new(), |mut text, byte| {
            // Writing into a text cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// The two halves; the first may be empty only when the batch is.
    pub(crate) fn split(mut self) -> (Self, Self) {
        let rest = self.events.split_off(self.events.len().div_ceil(2));
        (Self::new(self.events), Self::new(rest))
    }
}

/// How much a datasink takes at a time. The lower one of this and of the configuration counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Events of a batch.
    pub batch_events: usize,
    /// Bytes of a batch's events. One event that is larger makes a batch of its own.
    pub batch_bytes: usize,
    /// Bytes of one event; what is larger is dead-lettered without an attempt.
    pub event_bytes: usize,
    /// Batches on their way at the same time. 1 keeps the order of all events, not only that of each flow.
    pub in_flight: usize,
}

impl Default for Limits {
    /// No limits.
    fn default() -> Self {
        let most = usize::MAX;
        Self { batch_events: most, batch_bytes: most, event_bytes: most, in_flight: most }
    }
}

/// The datasink itself is wrong (address, TLS, credentials), whatever the events are. They are kept and tried
/// again, and the datasink shows as `valid: false` until it takes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// What is wrong, and the mend.
    pub reason: String,
}

impl Invalid {
    /// With that reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

/// Why an event will never be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The datasink's words.
    pub reason: String,
    /// The status that it answered with, where it has such.
    pub status: Option<u16>,
}

/// Why a batch was not written, or not whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It may pass (time-out, overload, a broken connection): the same batch is tried again.
    Passing {
        /// What happened.
        reason: String,
        /// How long the datasink asks to wait at least.
        after: Option<Duration>,
    },
    /// The datasink itself is wrong: tried again, with long pauses.
    Invalid(Invalid),
    /// An event of the batch is wrong: the batch is halved until it stands alone, and is dead-lettered.
    Refused(Refusal),
    /// The batch is too large: it is halved; an event alone is dead-lettered.
    TooLarge(Refusal),
    /// All were written but these (index in the batch), which are dead-lettered.
    Partial(Vec<(usize, Refusal)>),
}

impl Failure {
    /// A failure that may pass, without a time to wait.
    pub fn passing(reason: impl Into<String>) -> Self {
        Self::Passing { reason: reason.into(), after: None }
    }
}

/// A place that events are written to.
///
/// `write` is called from several tasks at the same time, each with a batch of other flows, when the route
/// has more than one lane. It says `Ok` only when the whole batch is safe at the receiver; a batch of which
/// that is not known comes again, so that a receiver sees events at least once.
#[async_trait]
pub trait Datasink: Send + Sync {
    /// The name of the kind, as in the configuration.
    fn kind(&self) -> &'static str;

    /// How much it takes at a time.
    fn limits(&self) -> Limits {
        Limits::default()
    }

    /// Whether it could be written to now: address, TLS, credentials. Writes nothing.
    async fn check(&self) -> Result<(), Invalid>;

    /// Writes a batch.
    async fn write(&self, batch: &Batch) -> Result<(), Failure>;

    /// What writes in its place for one route, where writing and the position of its reader go together; nothing where
    /// they do not.
    ///
    /// # Errors
    ///
    /// A reader that cannot do so, with the mend.
    fn bind(&self, _route: &str, _reader: &dyn Reader) -> Result<Option<Arc<dyn Datasink>>, String> {
        Ok(None)
    }

    /// What the operator has to be told each period, for example that certificates are not verified.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }
}
