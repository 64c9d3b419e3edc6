//! The logs of `harken run`: written by one thread, rotated, compressed, kept for a time.
//!
//! ```text
//! DIR/current/http.log                                  is being written (file.rs)
//! DIR/2026-11-24/http.10:00:00-11:00:00.log.gz          is complete (archive.rs)
//! DIR/.lock                                             one process at a time
//! ```
//!
//! Shards hand whole blocks of lines to a bounded queue (`queue.rs`), which never makes them wait: when it is
//! full, the block is dropped and counted. The writer's thread (`writer.rs`) writes each block when it comes;
//! what cannot be written is tried again until it can. A second thread (`compress.rs`) compresses and removes
//! archives, so that neither delays writing.
mod archive;
mod buffer;
pub mod clock;
mod compress;
mod file;
mod queue;
mod stats;
#[cfg(test)]
mod tests;
mod writer;

pub use stats::{Counters, Stats};

use anyhow::{Context as _, Result, anyhow, bail};
use clock::{Clock, System};
use compress::{Archiver, Bell};
use harken_event::{Form, zeek};
use queue::Queue;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};
use writer::Writer;

/// Takes a line for the operator.
pub type Say = Arc<dyn Fn(&str) + Send + Sync>;

/// How rotated logs are compressed.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compress {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

/// Where logs go, and how.
#[derive(Clone)]
pub struct Config {
    /// Folder of the logs; made when absent.
    pub dir: PathBuf,
    /// Begin new logs this often, at multiples of it since 1970 (UTC); whole seconds.
    pub every: Option<Duration>,
    /// Begin a new log when it has at least so many bytes. It may be larger by a block.
    pub size: Option<u64>,
    /// How complete logs are compressed.
    pub compress: Compress,
    /// Remove archives that ended longer ago.
    pub keep_age: Option<Duration>,
    /// Remove the oldest archives when all logs together have more bytes.
    pub keep_bytes: Option<u64>,
    /// Bytes of memory that lines which wait for the disk may hold; at least 4 MiB.
    pub queue_bytes: usize,
    /// Takes a line for the operator, when something begins to fail and when it works again.
    pub say: Say,
}

/// A log.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Name of its file: `http.log`.
    pub name: &'static str,
    /// Whose header and footer it has; `None` is neither.
    pub zeek: Option<(zeek::Log, Form)>,
}

/// The threads that write and archive logs.
#[derive(Debug)]
pub struct LogWriter {
    queue: Arc<Queue>,
    counters: Arc<Counters>,
    bell: Arc<Bell>,
    threads: Vec<Thread>,
    /// Keeps others out as long as it is there.
    _lock: archive::Lock,
}

/// A thread that can be waited for with a time limit.
#[derive(Debug)]
struct Thread {
    what: &'static str,
    handle: JoinHandle<()>,
    /// Disconnected when the thread is over.
    over: Receiver<()>,
}

impl Thread {
    fn spawn(what: &'static str, run: impl FnOnce() + Send + 'static) -> Result<Self> {
        let (guard, over) = channel::<()>();
        let handle = Builder::new()
            .name(what.to_owned())
            .spawn(move || {
                let _guard = guard;
                run();
            })
            .context("cannot start a thread")?;
        Ok(Self { what, handle, over })
    }

    /// Waits for the end of the thread, until `by`.
    fn join(self, by: Instant) -> Result<()> {
        let left = by.saturating_duration_since(Instant::now());
        match self.over.recv_timeout(left) {
            Err(RecvTimeoutError::Timeout) => bail!("the thread {} is stuck in a file operation", self.what),
            Ok(()) | Err(RecvTimeoutError::Disconnected) => {
                self.handle.join().map_err(|_| anyhow!("the thread {} has panicked", self.what))
            }
        }
    }
}

impl LogWriter {
    /// Archives what an earlier run has left, opens the logs and starts the threads.
    pub fn start(config: &Config, specs: &[Spec]) -> Result<Self> {
        Self::start_with(config, specs, Arc::new(System))
    }

    /// As [`Self::start`], with another clock.
    fn start_with(config: &Config, specs: &[Spec], clock: Arc<dyn Clock>) -> Result<Self> {
        let counters = Arc::new(Counters::new(specs.iter().map(|spec| spec.name)));
        let queue = Arc::new(Queue::new(specs.len(), config.queue_bytes, Arc::clone(&counters)));
        let bell = Arc::new(Bell::default());
        archive::prepare(&config.dir)?;
        let lock = archive::lock(&config.dir)?;
        if let Some(unknown) = specs.iter().find(|spec| !archive::is_known(spec.name)) {
            bail!("{} is no log that the archive knows, which is a defect of Harken", unknown.name);
        }
        archive::leftovers(&config.dir, &counters)?;
        let args = (Arc::clone(&queue), Arc::clone(&counters), Arc::clone(&bell));
        let writer = Writer::new(config, specs, Arc::clone(&clock), args.0, args.1, args.2)
            .map_err(anyhow::Error::msg)?;
        let archiver = Archiver::new(config, clock, Arc::clone(&bell), Arc::clone(&counters));
        bell.work();
        let threads =
            vec![Thread::spawn("logs", || writer.run())?, Thread::spawn("archive", || archiver.run())?];
        Ok(Self { queue, counters, bell, threads, _lock: lock })
    }

    /// For sending lines to the log with that number in the specifications.
    pub fn handle(&self, which: usize) -> LogHandle {
        LogHandle { queue: Arc::clone(&self.queue), which }
    }

    /// What has been counted so far.
    pub fn stats(&self) -> Stats {
        self.counters.stats()
    }

    /// The counters, for a thread that reads them.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Begins new logs now. Does not wait for it.
    pub fn reopen(&self) {
        self.queue.rotate();
    }

    /// Writes what waits, ends the logs and the threads, within `deadline`; what could not be written by then
    /// is dropped and counted. An error when a thread is stuck in the kernel or has panicked.
    pub fn close(mut self, deadline: Duration) -> Result<Stats> {
        let by = Instant::now() + deadline;
        self.queue.close(by);
        self.bell.stop();
        // The writer ends its files at the deadline: a little more time to notice a thread that does not.
        let last = by + Duration::from_millis(500);
        // All are waited for, whatever becomes of one.
        let joined: Vec<Result<()>> = self.threads.drain(..).map(|thread| thread.join(last)).collect();
        joined.into_iter().collect::<Result<()>>()?;
        Ok(self.counters.stats())
    }
}

impl Drop for LogWriter {
    /// Without [`LogWriter::close`] the threads end by themselves, with what they can write at once.
    fn drop(&mut self) {
        if !self.threads.is_empty() {
            self.queue.close(Instant::now() + Duration::from_secs(1));
            self.bell.stop();
        }
    }
}

/// Sends lines to a log.
#[derive(Clone, Debug)]
pub struct LogHandle {
    queue: Arc<Queue>,
    which: usize,
}

impl LogHandle {
    /// Hands over `block`: `lines` whole lines, which are copied. When the queue is full they are dropped and
    /// counted. Never waits for the disk.
    pub fn send(&self, block: &[u8], lines: u64) {
        self.queue.send(self.which, block, lines);
    }
}
