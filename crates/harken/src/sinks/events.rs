//! Events on their way into the spool.
use crate::cli::{SpoolArgs, SpoolFull};
use anyhow::{Context as _, Result, bail};
use harken_event::{Transaction, VniNames, ecs};
use harken_spool::{Batch, Config, Counters, Policy, Spool};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the disk may take for what waits, when the program ends.
const CLOSE: Duration = Duration::from_secs(3);
/// Bytes of events after which they are given on.
const BLOCK: usize = 256 << 10;

/// Opens the spool that the flags name, if any. `full` is what gives way by default.
pub fn open(args: &SpoolArgs, full: SpoolFull) -> Result<Option<Arc<Spool>>> {
    let Some(dir) = &args.spool else { return Ok(None) };
    let policy = match args.spool_full.unwrap_or(full) {
        SpoolFull::DropOldest => Policy::DropOldest,
        SpoolFull::DropNewest => Policy::DropNewest,
        SpoolFull::Block => Policy::Block,
    };
    let mut config =
        Config { max_bytes: args.spool_size, policy, commit_interval: args.spool_commit, ..Config::new(dir) };
    // A file is the unit in which old events are deleted: a small spool has small ones.
    config.file_bytes = config.file_bytes.min(config.max_bytes / 8);
    let spool = Spool::open(config).context("--spool")?;
    if let Some(text) = torn(&spool.counters()) {
        crate::run::say(&format!("warning: spool {}: {text}", dir.display()));
    }
    Ok(Some(Arc::new(spool)))
}

/// What a crash or the disk has spoiled, in words.
fn torn(counters: &Counters) -> Option<String> {
    let Counters { torn_blocks, torn_bytes, torn_records, damaged_positions, .. } = counters;
    let mut parts = Vec::new();
    if *torn_bytes > 0 {
        parts.push(format!(
            "a torn end was cut off, as a loss of power leaves it: {torn_blocks} blocks, {torn_bytes} bytes, \
             {torn_records} events that were not yet committed"
        ));
    }
    if *damaged_positions > 0 {
        parts.push(format!("{damaged_positions} readers have lost their position and read everything again"));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// What became of the events, for the end.
fn line(spool: &Spool) -> String {
    let counters = spool.counters();
    let mut line = format!("spool: {} events taken, {} on the disk", counters.appended, counters.committed);
    for (why, count) in counters.dropped().into_iter().filter(|(_, count)| *count > 0) {
        line.push_str(&format!(", {count} dropped ({why})"));
    }
    line
}

/// Tells the operator of events that were lost, once a period.
pub struct Losses {
    every: Duration,
    looked: Instant,
    told: u64,
}

impl Losses {
    /// Begins with nothing lost.
    pub fn new(every: Duration) -> Self {
        Self { every, looked: Instant::now(), told: 0 }
    }

    /// Says what was lost, when a period is over.
    pub fn look(&mut self, spool: &Spool) {
        if self.every.is_zero() || self.looked.elapsed() < self.every {
            return;
        }
        self.looked = Instant::now();
        let counters = spool.counters();
        let lost: u64 = counters.dropped().iter().map(|(_, count)| count).sum();
        if lost > std::mem::replace(&mut self.told, lost) {
            crate::run::say(&format!("events were lost; {}", line(spool)));
        }
    }
}

/// Has everything written and ends the spool, which nobody else may hold any more. Gives a line for the end.
pub fn close(spool: Arc<Spool>) -> Result<String> {
    // What does not get written in this time is counted as such by `close`.
    let _ = spool.flush(CLOSE);
    let text = line(&spool);
    match Arc::try_unwrap(spool) {
        Ok(spool) => spool.close()?,
        Err(_) => bail!("the spool is still in use at the end, which is a defect of Harken"),
    }
    Ok(text)
}

/// The events of one shard.
pub struct Events {
    spool: Arc<Spool>,
    writer: ecs::Writer,
    batch: Batch,
}

impl Events {
    /// Events of one shard that go to `spool`.
    pub fn new(spool: &Arc<Spool>, names: &VniNames) -> Self {
        Self { spool: Arc::clone(spool), writer: ecs::Writer::naming(names), batch: Batch::default() }
    }

    /// Takes a transaction, which is masked.
    pub fn add(&mut self, transaction: &Transaction<'_>) {
        let Self { writer, batch, .. } = self;
        let is_taken = batch.write(transaction.ts().0, |record| {
            writer.write(transaction, record);
            // The end of the line.
            record.pop();
        });
        if !is_taken {
            self.spool.refused();
        }
        if self.batch.bytes() >= BLOCK {
            self.flush();
        }
    }

    /// Gives on what is there. What cannot be taken is counted by the spool, for the period's line and the end.
    pub fn flush(&mut self) {
        let _ = self.spool.append(&mut self.batch);
    }
}
