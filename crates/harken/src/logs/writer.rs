//! The thread that writes: one block after the other, rotation by time and size, and what to do when the disk
//! does not work.
use super::archive;
use super::clock::{Clock, next_multiple, since_epoch};
use super::compress::Bell;
use super::file::LogFile;
use super::queue::{Block, Queue, Work};
use super::stats::{Counters, count};
use super::{Config, Say, Spec};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

/// Longest time between two looks at the clock.
const LOOK: Duration = Duration::from_secs(1);
/// The first wait after a failure; each is twice as long as the one before.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// An outage is over when nothing has failed for so long: a disk with a little room now and then is one outage.
const CALM: Duration = Duration::from_secs(3);
/// A buffer that nobody has needed for so long is freed.
const TRIM: Duration = Duration::from_secs(10);
/// A rotation that failed is tried again this much later.
const ROTATE_AGAIN: Duration = Duration::from_secs(5);

/// The thread's own parts.
pub struct Writer {
    logs: Vec<Log>,
    every: Option<Duration>,
    size: Option<u64>,
    next: Option<SystemTime>,
    queue: Arc<Queue>,
    counters: Arc<Counters>,
    bell: Arc<Bell>,
    clock: Arc<dyn Clock>,
    say: Say,
    outage: Option<Outage>,
    /// The operator was told that rotation fails.
    told: bool,
    /// Buffers were given back last.
    trimmed: Instant,
}

/// One log and what is still to be done for it.
struct Log {
    file: LogFile,
    /// A block that could not be written whole, and how much of it was.
    pending: Option<(Block, usize)>,
    /// When to try again after a failure, and how long to wait after the next one.
    retry: Option<(Instant, Duration)>,
    /// It is to be rotated, not before that time.
    rotate: Option<Instant>,
}

/// Logs cannot be written.
struct Outage {
    began: Instant,
    /// Lines that had been dropped before.
    dropped: u64,
    /// Since when all logs have been written again.
    calm: Option<Instant>,
    /// The error of which the operator was told last.
    kind: io::ErrorKind,
}

impl Writer {
    /// Opens the logs. What is only for lack of space is tried again later; other errors are given back.
    pub fn new(
        config: &Config,
        specs: &[Spec],
        clock: Arc<dyn Clock>,
        queue: Arc<Queue>,
        counters: Arc<Counters>,
        bell: Arc<Bell>,
    ) -> Result<Self, String> {
        let logs = specs.iter().map(|spec| Log {
            file: LogFile::new(&config.dir, *spec),
            pending: None,
            retry: None,
            rotate: None,
        });
        let now = clock.now();
        let mut writer = Self {
            logs: logs.collect(),
            every: config.every.filter(|every| !every.is_zero()),
            size: config.size.filter(|&size| size > 0),
            next: None,
            queue,
            counters,
            bell,
            clock,
            say: Arc::clone(&config.say),
            outage: None,
            told: false,
            trimmed: Instant::now(),
        };
        writer.next = writer.every.map(|every| next_multiple(now, every));
        for which in 0..writer.logs.len() {
            let Some(log) = writer.logs.get_mut(which) else { continue };
            if let Err(error) = log.file.ready(now, &writer.counters) {
                if !archive::is_full(&error) {
                    return Err(cannot(&log.file, &error));
                }
                writer.failed(which, &error);
            }
        }
        Ok(writer)
    }

    /// Writes until the queue is closed.
    pub fn run(mut self) {
        loop {
            let (wait, now) = (self.wait(), Instant::now());
            let work = {
                let logs = &self.logs;
                self.queue.take(wait, |which| logs.get(which).is_some_and(|log| log.pending.is_none()))
            };
            self.rotate_by_time();
            if self.queue.take_rotate() {
                self.rotate_all(now);
            }
            if let Work::Block(which, block) = work
                && let Some(log) = self.logs.get_mut(which)
            {
                log.pending = Some((block, 0));
            }
            for which in 0..self.logs.len() {
                self.work(which);
            }
            self.settle(CALM);
            if now.saturating_duration_since(self.trimmed) >= TRIM {
                self.trimmed = now;
                self.queue.trim();
            }
            if let Some(by) = self.queue.close_by() {
                let is_done = self.queue.is_empty() && self.logs.iter().all(|log| log.pending.is_none());
                if is_done || Instant::now() >= by {
                    break;
                }
            }
        }
        self.end();
    }

    /// How long nothing has to be done.
    fn wait(&self) -> Duration {
        let now = Instant::now();
        let times = self.logs.iter().filter_map(|log| log.retry.map(|(at, _)| at));
        let first = times.chain(self.queue.close_by()).min();
        let clock = self.next.and_then(|next| next.duration_since(self.clock.now()).ok());
        first.map_or(LOOK, |at| at.saturating_duration_since(now)).min(clock.unwrap_or(LOOK)).min(LOOK)
    }

    fn rotate_by_time(&mut self) {
        let (Some(every), Some(next)) = (self.every, self.next) else { return };
        let now = self.clock.now();
        if now >= next {
            self.next = Some(next_multiple(now, every));
            self.rotate_all(Instant::now());
        } else if since_epoch(next) > since_epoch(now).saturating_add(every) {
            // The clock was set back.
            self.next = Some(next_multiple(now, every));
        }
    }

    fn rotate_all(&mut self, now: Instant) {
        for log in &mut self.logs {
            log.rotate = Some(now);
        }
    }

    /// Does for a log what is due.
    fn work(&mut self, which: usize) {
        let now = Instant::now();
        let Some(log) = self.logs.get_mut(which) else { return };
        if log.retry.is_some_and(|(at, _)| now < at && self.queue.close_by().is_none_or(|by| now < by)) {
            return;
        }
        if log.rotate.is_some_and(|at| at <= now) {
            self.rotate(which);
        }
        let Some(log) = self.logs.get_mut(which) else { return };
        let clock = self.clock.now();
        if let Some((block, done)) = &mut log.pending {
            let rest = block.bytes.get(*done..).unwrap_or_default();
            match log.file.write(rest, clock, &self.counters) {
                Ok(()) => self.counters.wrote(which, block.lines, block.bytes.len()),
                Err((more, error)) => {
                    *done += more;
                    return self.failed(which, &error);
                }
            }
            if let Some((block, _)) = log.pending.take() {
                self.queue.give_back(which, block);
            }
            if self.size.is_some_and(|size| log.file.size() >= size) && log.rotate.is_none() {
                log.rotate = Some(now);
                self.rotate(which);
            }
            self.worked(which);
        } else if !log.file.is_open() {
            match log.file.ready(clock, &self.counters) {
                Ok(()) => self.worked(which),
                Err(error) => self.failed(which, &error),
            }
        }
    }

    fn rotate(&mut self, which: usize) {
        let Some(log) = self.logs.get_mut(which) else { return };
        match log.file.rotate(self.clock.now(), &self.counters) {
            Ok(is_new) => {
                log.rotate = None;
                if self.told && self.logs.iter().all(|log| log.rotate.is_none()) {
                    self.told = false;
                    (self.say)("logs are rotated again");
                }
                if is_new {
                    self.bell.work();
                }
            }
            Err(error) => {
                // It is written on; with a full disk this has its own line.
                log.rotate = Some(Instant::now() + ROTATE_AGAIN);
                if !self.told && self.outage.is_none() {
                    self.told = true;
                    let again = ROTATE_AGAIN.as_secs();
                    (self.say)(&format!("cannot rotate: {error:#}; tried again every {again} s"));
                }
            }
        }
    }

    fn failed(&mut self, which: usize, error: &io::Error) {
        count(&self.counters.failures);
        self.counters.failing.store(true, Ordering::Relaxed);
        let Some(log) = self.logs.get_mut(which) else { return };
        let wait = log.retry.map_or(FIRST_WAIT, |(_, wait)| wait);
        log.retry = Some((Instant::now() + wait, (wait * 2).min(LONGEST_WAIT)));
        let is_known = self.outage.as_ref().is_some_and(|outage| outage.kind == error.kind());
        if !is_known {
            (self.say)(&format!(
                "{}; lines wait in memory and are dropped when the queue of {} MiB is full",
                cannot(&log.file, error),
                self.queue.limit() >> 20
            ));
        }
        match &mut self.outage {
            Some(outage) => (outage.kind, outage.calm) = (error.kind(), None),
            None => {
                let dropped = self.counters.stats().dropped_lines();
                self.outage = Some(Outage { began: Instant::now(), dropped, calm: None, kind: error.kind() });
            }
        }
    }

    fn worked(&mut self, which: usize) {
        if let Some(log) = self.logs.get_mut(which) {
            log.retry = None;
        }
        if let Some(outage) = &mut self.outage
            && self.logs.iter().all(|log| log.retry.is_none())
        {
            outage.calm.get_or_insert_with(Instant::now);
            self.counters.failing.store(false, Ordering::Relaxed);
        }
    }

    /// Says that an outage is over, once that has lasted for `calm`.
    fn settle(&mut self, calm: Duration) {
        let Some(outage) = &self.outage else { return };
        let Some(since) = outage.calm.filter(|since| since.elapsed() >= calm) else { return };
        (self.say)(&format!(
            "logs are written again after {:.1} s; {} lines were dropped",
            since.duration_since(outage.began).as_secs_f64(),
            self.counters.stats().dropped_lines() - outage.dropped
        ));
        self.outage = None;
    }

    /// Gives up what could not be written, and ends the files.
    fn end(&mut self) {
        self.settle(Duration::ZERO);
        self.queue.shut();
        let clock = self.clock.now();
        for (which, log) in self.logs.iter_mut().enumerate() {
            if let Some((block, done)) = log.pending.take() {
                let rest = block.bytes.get(done..).unwrap_or_default();
                let lost = rest.iter().filter(|&&byte| byte == b'\n').count() as u64;
                self.counters.wrote(which, block.lines.saturating_sub(lost), done);
                self.counters.dropped(which, lost);
                self.queue.give_back(which, block);
            }
            if let Err(error) = log.file.end(clock)
                && self.outage.is_none()
            {
                (self.say)(&cannot(&log.file, &error));
            }
        }
    }
}

/// What an operator needs to know.
fn cannot(file: &LogFile, error: &io::Error) -> String {
    let mend = match error.kind() {
        _ if archive::is_full(error) => "make room on that disk, or keep less with --keep-size or --keep-age",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "give the user that runs harken leave to write there"
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists | io::ErrorKind::IsADirectory => {
            "move away what stands in its place"
        }
        _ => "look at the disk, and for its errors with dmesg",
    };
    format!("cannot write {}: {error}; {mend}", file.path().display())
}
