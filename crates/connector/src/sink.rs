//! A datasink in use: shared by all routes that lead to it.
use crate::config::Delivery;
use crate::datasink::{Datasink, Invalid, Limits};
use crate::datasinks::Opened;
use crate::log::{Level, Log};
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Debug, Default)]
struct State {
    valid: bool,
    /// Why it is not valid, as it was told to the operator.
    reason: Option<String>,
    /// It took something since the last check.
    took: bool,
}

/// A datasink with its settings and whether it is valid.
pub(crate) struct Sink {
    pub(crate) name: String,
    pub(crate) datasink: Arc<dyn Datasink>,
    pub(crate) delivery: Delivery,
    /// What counts of its own limits and the settings.
    pub(crate) limits: Limits,
    log: Arc<dyn Log>,
    state: Mutex<State>,
}

impl Sink {
    pub(crate) fn new(name: &str, opened: Opened, log: Arc<dyn Log>) -> Self {
        let Opened { datasink, delivery } = opened;
        let own = datasink.limits();
        let limits = Limits {
            batch_events: own.batch_events.min(delivery.batch_events),
            batch_bytes: own.batch_bytes.min(delivery.batch_bytes),
            in_flight: own.in_flight.min(delivery.in_flight),
            ..own
        };
        Self { name: name.to_owned(), datasink, delivery, limits, log, state: Mutex::default() }
    }

    /// Whether it passed its last check, or took something since.
    pub(crate) fn is_valid(&self) -> bool {
        self.lock().valid
    }

    /// Why it is not valid.
    pub(crate) fn reason(&self) -> Option<String> {
        self.lock().reason.clone()
    }

    /// It took a batch.
    pub(crate) fn took(&self) {
        self.lock().took = true;
        self.note(Ok(()));
    }

    /// It is valid, or why not; a change is told to the operator.
    pub(crate) fn note(&self, result: Result<(), Invalid>) {
        let mut state = self.lock();
        state.valid = result.is_ok();
        let reason = result.err().map(|invalid| invalid.reason);
        if state.reason == reason {
            return;
        }
        state.reason.clone_from(&reason);
        drop(state);
        match reason {
            Some(reason) => {
                self.log.say(Level::Error, &format!("datasink {} is not valid: {reason}", self.name));
            }
            None => self.log.say(Level::Info, &format!("datasink {} is valid", self.name)),
        }
    }

    /// Checks it, unless it has proved itself by taking something since the last time.
    pub(crate) async fn check(&self) {
        let took = std::mem::take(&mut self.lock().took);
        if !took {
            let result = self.datasink.check().await;
            self.note(result);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
