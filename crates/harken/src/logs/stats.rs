//! What the log writer has counted, for anyone to read at any time.
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counters that the writer's threads and the senders share.
#[derive(Debug)]
pub struct Counters {
    logs: Vec<(&'static str, LogCounters)>,
    /// Bytes of memory that waiting blocks hold.
    pub waiting: AtomicU64,
    /// A log cannot be written at present.
    pub failing: AtomicBool,
    /// Attempts to write that failed.
    pub failures: AtomicU64,
    /// Buffers that were made because none was there to be used again.
    pub buffers: AtomicU64,
    /// Files that were moved into the archive.
    pub archived: AtomicU64,
    /// Archives that were compressed.
    pub compressed: AtomicU64,
    /// Archives that could not be compressed (and stay as they are).
    pub compress_failures: AtomicU64,
    /// Archives that retention removed.
    pub removed: AtomicU64,
    /// Logs of a killed process whose half last line was cut off.
    pub cut: AtomicU64,
}

/// Counters of one log.
#[derive(Default, Debug)]
pub struct LogCounters {
    /// Lines written.
    pub lines: AtomicU64,
    /// Bytes of these.
    pub bytes: AtomicU64,
    /// Blocks dropped.
    pub dropped_blocks: AtomicU64,
    /// Lines of these.
    pub dropped_lines: AtomicU64,
}

/// All counters at one moment.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Stats {
    /// Each log, in the order of the specifications.
    pub logs: Vec<LogStats>,
    /// Bytes of memory that hold lines which are not written yet.
    pub waiting_bytes: u64,
    /// A log cannot be written at present.
    pub failing: bool,
    /// Attempts to write that failed; each is repeated.
    pub failures: u64,
    /// Buffers made since the start; constant in steady state.
    pub buffers: u64,
    /// Files moved into the archive.
    pub archived: u64,
    /// Archives compressed.
    pub compressed: u64,
    /// Attempts to compress that failed: the archive stays uncompressed.
    pub compress_failures: u64,
    /// Archives removed by age or total size.
    pub removed: u64,
    /// Logs left by a killed process whose half last line was cut off.
    pub cut: u64,
}

/// One log.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct LogStats {
    /// Its file name, `http.log`.
    pub name: &'static str,
    /// Lines written.
    pub lines: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Blocks dropped because the queue was full, or the program ended before the disk worked again.
    pub dropped_blocks: u64,
    /// Lines of these.
    pub dropped_lines: u64,
}

impl Stats {
    /// Lines dropped, of all logs.
    pub fn dropped_lines(&self) -> u64 {
        self.logs.iter().map(|log| log.dropped_lines).sum()
    }
}

impl Counters {
    /// All zero, for logs of these names.
    pub fn new(names: impl Iterator<Item = &'static str>) -> Self {
        Self {
            logs: names.map(|name| (name, LogCounters::default())).collect(),
            waiting: AtomicU64::new(0),
            failing: AtomicBool::new(false),
            failures: AtomicU64::new(0),
            buffers: AtomicU64::new(0),
            archived: AtomicU64::new(0),
            compressed: AtomicU64::new(0),
            compress_failures: AtomicU64::new(0),
            removed: AtomicU64::new(0),
            cut: AtomicU64::new(0),
        }
    }

    /// The counters as they are now.
    pub fn stats(&self) -> Stats {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let logs = self.logs.iter().map(|(name, log)| LogStats {
            name,
            lines: of(&log.lines),
            bytes: of(&log.bytes),
            dropped_blocks: of(&log.dropped_blocks),
            dropped_lines: of(&log.dropped_lines),
        });
        Stats {
            logs: logs.collect(),
            waiting_bytes: of(&self.waiting),
            failing: self.failing.load(Ordering::Relaxed),
            failures: of(&self.failures),
            buffers: of(&self.buffers),
            archived: of(&self.archived),
            compressed: of(&self.compressed),
            compress_failures: of(&self.compress_failures),
            removed: of(&self.removed),
            cut: of(&self.cut),
        }
    }

    /// Lines were written.
    pub fn wrote(&self, which: usize, lines: u64, bytes: usize) {
        if let Some((_, log)) = self.logs.get(which) {
            log.lines.fetch_add(lines, Ordering::Relaxed);
            log.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }

    /// A block, or the rest of one, was dropped.
    pub fn dropped(&self, which: usize, lines: u64) {
        if let Some((_, log)) = self.logs.get(which) {
            log.dropped_blocks.fetch_add(1, Ordering::Relaxed);
            log.dropped_lines.fetch_add(lines, Ordering::Relaxed);
        }
    }
}

/// Adds one.
pub fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
