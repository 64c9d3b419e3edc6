//! A connector that is started again when a thread of it has panicked.
use crate::config::Config;
use crate::connector::Connector;
use crate::decide::Filters;
use crate::log::{Level, Log};
use crate::readers::Readers;
use crate::report::Status;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Pause before the first start after a panic; doubled for each that follows.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause. A connector that has run for longer than this begins with the first one again.
const LONGEST: Duration = Duration::from_secs(60);

/// A connector, and what it is started from.
///
/// A panic is a defect, but it must not end the delivery for good, nor unnoticed. What the connector had read and not
/// committed is read again, as after any other end.
pub struct Supervised {
    config: Config,
    readers: Box<dyn Readers + Send>,
    filters: Arc<dyn Filters>,
    log: Arc<dyn Log>,
    state: State,
    restarts: u64,
    pause: Duration,
    /// When it was started.
    since: Instant,
}

enum State {
    Runs(Box<Connector>),
    /// It has panicked. Its last status, and when it is started again.
    Waits(Box<Status>, Instant),
}

impl std::fmt::Debug for Supervised {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Supervised").field("restarts", &self.restarts).finish_non_exhaustive()
    }
}

impl Supervised {
    /// Starts it, as [`Connector::start`] does.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn start(
        config: Config,
        readers: Box<dyn Readers + Send>,
        filters: Arc<dyn Filters>,
        log: Arc<dyn Log>,
    ) -> Result<Self, String> {
        let connector = Connector::start(&config, readers.as_ref(), Arc::clone(&filters), Arc::clone(&log))?;
        let state = State::Runs(Box::new(connector));
        Ok(Self { config, readers, filters, log, state, restarts: 0, pause: PAUSE, since: Instant::now() })
    }

    /// To be called now and then: notices that it has panicked, says so, and starts it again once its pause is over.
    pub fn look(&mut self) {
        match &self.state {
            State::Runs(connector) => {
                if let Some(what) = connector.broken() {
                    self.wait(&format!(
                        "a thread has panicked, please report this with what standard error says: {what}"
                    ));
                }
            }
            State::Waits(_, due) if Instant::now() >= *due => self.start_again(),
            State::Waits(..) => {}
        }
    }

    /// Ends what still runs, and waits for the next start.
    fn wait(&mut self, why: &str) {
        if self.since.elapsed() > LONGEST {
            self.pause = PAUSE;
        }
        self.log.say(Level::Error, &format!("{why}; started again in {} s", self.pause.as_secs()));
        let last = self.status();
        // Dropping a connector ends it: nothing that is on its way is waited for.
        self.state = State::Waits(Box::new(last), Instant::now() + self.pause);
        self.pause = (self.pause * 2).min(LONGEST);
    }

    fn start_again(&mut self) {
        self.restarts += 1;
        self.since = Instant::now();
        let (filters, log) = (Arc::clone(&self.filters), Arc::clone(&self.log));
        match Connector::start_again(&self.config, self.readers.as_ref(), filters, log, self.restarts) {
            Ok(connector) => {
                self.state = State::Runs(Box::new(connector));
                self.log.say(Level::Info, "started again after a panic");
            }
            Err(error) => self.wait(&format!("cannot be started again: {error}")),
        }
    }

    /// Reads the filters of all pipelines again, as [`Connector::reload`] does.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn reload(&self) -> Result<(), String> {
        match &self.state {
            State::Runs(connector) => connector.reload(),
            // It reads them when it starts.
            State::Waits(..) => Ok(()),
        }
    }

    /// How it goes; while it waits for its next start, how it went.
    pub fn status(&self) -> Status {
        match &self.state {
            State::Runs(connector) => connector.status(),
            State::Waits(last, _) => (**last).clone(),
        }
    }

    /// Whether it is at work, and does not wait for its next start.
    pub fn runs(&self) -> bool {
        matches!(self.state, State::Runs(_))
    }

    /// Whether all readers have come to their end and everything is done.
    pub fn is_finished(&self) -> bool {
        matches!(&self.state, State::Runs(connector) if connector.is_finished())
    }

    /// Ends it as [`Connector::stop`] does. The last status.
    pub fn stop(self) -> Status {
        match self.state {
            State::Runs(connector) => connector.stop(),
            State::Waits(last, _) => *last,
        }
    }
}
