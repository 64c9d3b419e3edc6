//! A route: from the reader of a pipeline to one of its datasinks.
//!
//! A thread reads, asks the filters, and shares the events out among lanes by their flow (`intake.rs`). Each
//! lane is a task with one batch on its way at a time (`lane.rs`), which it tries until it is written or put
//! aside (`deliver.rs`), so that the order of a flow is kept. The position that is committed is the lowest
//! that is not done in any lane (`tracker.rs`). What is read and not done is bounded: the rest stays in the
//! reader.
mod deliver;
mod intake;
mod lane;
mod tracker;
mod window;

pub(crate) use deliver::run as run_lane;
pub(crate) use intake::run as run_intake;

use crate::datasink::Datasink;
use crate::deadletter::Folder;
use crate::decide::Decide;
use crate::ledger::{self, Ledger};
use crate::log::{Level, Log};
use crate::readers::Reader;
use crate::sink::Sink;
use lane::{Item, Lane, Load};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tracker::{Ticket, Tracker};
use window::Window;

/// Least time between two lines of the log about the same trouble of a route.
const QUIET: Duration = Duration::from_secs(10);

/// How far the connector is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Events are read and written.
    Running,
    /// Nothing new is read or tried; what is on its way may be answered.
    Stopping,
    /// Nothing is on its way any more.
    Ended,
}

#[derive(Debug, Default)]
struct State {
    tracker: Tracker,
    ledger: Ledger,
    /// Bytes of the events that wait.
    bytes: usize,
    errors: u64,
    failure: Option<String>,
    reader_failure: Option<String>,
    dead_letters_dropped: u64,
    missing: u64,
    finished: bool,
}

/// A route.
pub(crate) struct Route {
    pub(crate) pipeline: String,
    pub(crate) sink: Arc<Sink>,
    /// What writes: the sink's datasink, or one of its own for this route.
    datasink: Arc<dyn Datasink>,
    decide: RwLock<Arc<dyn Decide>>,
    lanes: Vec<Lane>,
    window: Window,
    state: Mutex<State>,
    /// Something was done: there may be room.
    room: Condvar,
    dead: Folder,
    log: Arc<dyn Log>,
    phase: watch::Receiver<Phase>,
    /// Lines about attempts and the reader.
    failures: Mutex<Throttle>,
    /// Lines about dead letters, which those about attempts must not hide.
    letters: Mutex<Throttle>,
    /// What reads, or a lane, has panicked.
    panicked: AtomicBool,
}

/// Keeps in mind that a panic has gone through.
struct Guard<'a>(&'a AtomicBool);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

/// The name under which the position of a route is kept.
pub(crate) fn name(pipeline: &str, sink: &Sink) -> String {
    format!("{pipeline}.{}", sink.name)
}

impl Route {
    pub(crate) fn new(
        pipeline: &str,
        sink: Arc<Sink>,
        reader: &dyn Reader,
        decide: Arc<dyn Decide>,
        dead: Folder,
        log: Arc<dyn Log>,
        phase: watch::Receiver<Phase>,
    ) -> Result<Self, String> {
        let lanes = sink.limits.in_flight;
        let datasink = sink.datasink.bind(&name(pipeline, &sink), reader)?;
        Ok(Self {
            datasink: datasink.unwrap_or_else(|| Arc::clone(&sink.datasink)),
            pipeline: pipeline.to_owned(),
            window: Window::new(lanes),
            lanes: (0..lanes).map(|_| Lane::default()).collect(),
            sink,
            decide: RwLock::new(decide),
            state: Mutex::default(),
            room: Condvar::new(),
            dead,
            log,
            phase,
            failures: Mutex::default(),
            letters: Mutex::default(),
            panicked: AtomicBool::new(false),
        })
    }

    pub(crate) fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// Whether a part of it has panicked, so that its events wait for ever.
    pub(crate) fn has_panicked(&self) -> bool {
        self.panicked.load(Ordering::Relaxed)
    }

    /// Decides by other filters from now on.
    pub(crate) fn set_decide(&self, decide: Arc<dyn Decide>) {
        *self.decide.write().unwrap_or_else(PoisonError::into_inner) = decide;
    }

    /// What is known of it; the books balance in each such picture.
    pub(crate) fn status(&self) -> ledger::Route {
        let state = self.lock();
        ledger::Route {
            pipeline: self.pipeline.clone(),
            datasink: self.sink.name.clone(),
            ledger: state.ledger,
            errors: state.errors,
            failure: state.failure.clone(),
            window: self.window.limit(),
            dead_letters_dropped: state.dead_letters_dropped,
            reader_failure: state.reader_failure.clone(),
            missing: state.missing,
            finished: state.finished,
        }
    }

    fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Returns once nothing new may be tried.
    async fn stopping(&self) {
        let mut phase = self.phase.clone();
        // An error says that the connector is gone, which ends it as well.
        let _ = phase.wait_for(|phase| *phase >= Phase::Stopping).await;
    }

    /// These events are done: written, or dead-lettered.
    fn done(&self, tickets: &[Ticket], bytes: usize, dead: Option<u64>) {
        let mut state = self.lock();
        let count = tickets.len() as u64;
        tickets.iter().for_each(|ticket| state.tracker.done(*ticket));
        state.ledger.waiting -= count;
        state.bytes -= bytes;
        match dead {
            None => {
                state.ledger.written += count;
                state.failure = None;
            }
            Some(dropped) => {
                state.ledger.dead_lettered += count;
                state.errors += count;
                state.dead_letters_dropped += dropped;
            }
        }
        drop(state);
        self.room.notify_all();
    }

    /// Leaves out of a batch what the reader has taken back, and so gives again; nothing when that is all of it.
    fn give_back(&self, load: Load) -> Option<Load> {
        let mut state = self.lock();
        if !load.tickets.iter().any(|ticket| state.tracker.is_taken_back(*ticket)) {
            return Some(load);
        }
        let (rest, back) = load.split_by(|ticket| !state.tracker.is_taken_back(ticket));
        state.ledger.waiting -= back.tickets.len() as u64;
        state.ledger.given_back += back.tickets.len() as u64;
        state.bytes -= back.batch.bytes();
        drop(state);
        self.room.notify_all();
        (!rest.tickets.is_empty()).then_some(rest)
    }

    /// An attempt failed.
    fn failed(&self, reason: &str) {
        let mut state = self.lock();
        state.errors += 1;
        state.failure = Some(reason.to_owned());
        drop(state);
        self.say(&self.failures, Level::Warn, reason);
    }

    /// Tells the operator, but not more often than makes sense.
    fn say(&self, throttle: &Mutex<Throttle>, level: Level, text: &str) {
        let suppressed = throttle.lock().unwrap_or_else(PoisonError::into_inner).pass(Instant::now());
        if let Some(suppressed) = suppressed {
            let more =
                if suppressed == 0 { String::new() } else { format!(" ({suppressed} like it before)") };
            self.tell(level, &format!("{text}{more}"));
        }
    }

    /// Tells the operator, who reads whose line it is.
    fn tell(&self, level: Level, text: &str) {
        self.log.say(level, &format!("pipeline {}, datasink {}: {text}", self.pipeline, self.sink.name));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets a line through, and none for a while after it.
#[derive(Debug, Default)]
struct Throttle {
    last: Option<Instant>,
    suppressed: u64,
}

impl Throttle {
    /// How many were not let through since the last one; nothing when this is not either.
    fn pass(&mut self, now: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| now.duration_since(last) < QUIET) {
            self.suppressed += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests;
