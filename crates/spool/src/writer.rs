//! The thread that writes: takes what waits, seals a block, writes and syncs it.
use crate::batch::Batch;
use crate::block;
use crate::config::{Error, Policy};
use crate::files;
use crate::state::{FileInfo, Reason, Shared, State, Waiting};
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

/// How long after a failure it is tried again.
const AGAIN: Duration = Duration::from_millis(200);
/// Batches whose memory is kept for the next ones.
const SPARE: usize = 32;

/// A sealed block that is not yet on the disk.
struct Sealed {
    first: u64,
    records: u32,
    raw: usize,
    bytes: Vec<u8>,
}

/// The file that is written to.
struct Active {
    file: File,
    first: u64,
    bytes: u64,
}

/// The thread's own parts.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    active: Option<Active>,
    /// The memory in which a block is put together.
    block: Batch,
}

impl Writer {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, active: None, block: Batch::default() }
    }

    /// Works until the spool is closed and everything is written, or until then an attempt fails.
    pub(crate) fn run(mut self) {
        while let Some(block) = self.take() {
            while let Err((reason, error)) = self.write(&block) {
                let mut state = self.shared.lock();
                if reason == Reason::Disk {
                    state.counters.write_failures += 1;
                }
                state.failure = Some((reason, error.to_string()));
                self.shared.news.notify_all();
                if state.is_closed {
                    return;
                }
                let wait = self.shared.work.wait_timeout(state, AGAIN);
                drop(wait.unwrap_or_else(PoisonError::into_inner));
            }
        }
    }

    /// The next block, once it is due; nothing when the spool is closed and nothing waits.
    fn take(&mut self) -> Option<Sealed> {
        let shared = Arc::clone(&self.shared);
        let config = &shared.config;
        let mut state = shared.lock();
        loop {
            let age = state.since.map(|since| since.elapsed());
            let due = state.waiting_bytes >= config.commit_bytes
                || age.is_some_and(|age| age >= config.commit_interval)
                || state.waiting.front().is_some_and(|waiting| waiting.first < state.flush)
                || state.is_closed;
            if due && let Some(Waiting { first, batch }) = state.waiting.pop_front() {
                let mut size = batch.bytes();
                let mut parts = vec![batch];
                while let Some(next) = state.waiting.pop_front_if(|next| {
                    size += next.batch.bytes();
                    size <= config.commit_bytes
                }) {
                    parts.push(next.batch);
                }
                // What is left came later, but not much: when exactly is not kept.
                state.since = state.since.filter(|_| !state.waiting.is_empty());
                drop(state);
                return Some(self.seal(first, parts));
            }
            if state.is_closed {
                return None;
            }
            state = match age {
                Some(age) => {
                    let rest = config.commit_interval.saturating_sub(age);
                    shared.work.wait_timeout(state, rest).unwrap_or_else(PoisonError::into_inner).0
                }
                None => shared.work.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// A block of batches whose records follow one another. Their memory is used again.
    fn seal(&mut self, first: u64, mut parts: Vec<Batch>) -> Sealed {
        let block = &mut self.block;
        block.clear();
        for part in &mut parts {
            block.extend(part);
        }
        parts.truncate(SPARE);
        self.shared.lock().spare = parts;
        let times = (block.earliest, block.latest);
        let bytes = block::seal(&block.body, block.records, first, times, self.shared.config.compress);
        Sealed { first, records: block.records, raw: block.body.len(), bytes }
    }

    /// Brings a block to the disk, and says so.
    fn write(&mut self, block: &Sealed) -> Result<(), (Reason, Error)> {
        self.make_room(block.bytes.len() as u64).map_err(|error| (Reason::Bound, error))?;
        let first = self.put(block).map_err(|error| {
            self.give_up_file();
            (Reason::Disk, error)
        })?;
        let mut state = self.shared.lock();
        let end = block.first + u64::from(block.records);
        let written = block.bytes.len() as u64;
        let file = state.files.entry(first).or_insert(FileInfo { end, bytes: 0 });
        file.end = end;
        file.bytes += written;
        state.active = Some(first);
        state.committed = end;
        state.waiting_bytes = state.waiting_bytes.saturating_sub(block.raw);
        state.failure = None;
        state.counters.committed += u64::from(block.records);
        state.counters.blocks += 1;
        state.counters.bytes += written;
        state.counters.raw_bytes += block.raw as u64;
        self.shared.news.notify_all();
        Ok(())
    }

    fn make_room(&mut self, size: u64) -> Result<(), Error> {
        let config = &self.shared.config;
        let mut affected = Vec::new();
        let is_over = self.shared.lock().bytes() + size > config.max_bytes;
        if is_over {
            // A reader in another process may be done with the oldest.
            self.shared.collect();
        }
        let mut state = self.shared.lock();
        while state.bytes() + size > config.max_bytes && !state.files.is_empty() {
            let dropped =
                config.policy == Policy::DropOldest && self.shared.drop_oldest(&mut state, &mut affected);
            if !dropped {
                return Err(Error::Full(config.dir.clone()));
            }
        }
        if self.active.as_ref().is_some_and(|active| state.active != Some(active.first)) {
            self.active = None;
        }
        drop(state);
        affected.sort_unstable();
        affected.dedup();
        for name in affected {
            // The reader's next commit writes it again. Until then a restart counts these records as missing.
            if self.shared.persist(&name).is_err() {
                self.shared.lock().counters.other_failures += 1;
            }
        }
        Ok(())
    }

    /// Writes and syncs; the first number of the file that it went to.
    fn put(&mut self, block: &Sealed) -> Result<u64, Error> {
        let config = &self.shared.config;
        let full = |active: &Active| active.bytes + block.bytes.len() as u64 > config.file_bytes;
        if self.active.as_ref().is_some_and(full) {
            self.active = None;
            self.shared.lock().active = None;
            self.shared.collect();
        }
        let is_new = self.active.is_none();
        let active = match &mut self.active {
            Some(active) => active,
            none => none.insert(create(&config.dir, block.first)?),
        };
        let path = files::path(&config.dir, active.first);
        active.file.seek(SeekFrom::Start(active.bytes)).map_err(Error::io("cannot write", &path))?;
        active.file.write_all(&block.bytes).map_err(Error::io("cannot write", &path))?;
        active.file.sync_data().map_err(Error::io("cannot sync", &path))?;
        if is_new {
            files::sync_folder(&config.dir).map_err(Error::io("cannot sync", &config.dir))?;
        }
        active.bytes += block.bytes.len() as u64;
        Ok(active.first)
    }

    /// After a failure the file is closed and a new one begun: a sync that failed says nothing about what the next
    /// one on the same file would mean. What of the block has reached the file is cut off; where even that fails, it
    /// stands behind the committed part, and its records come again in the next file.
    fn give_up_file(&mut self) {
        if let Some(active) = self.active.take() {
            let _ = active.file.set_len(active.bytes);
            if active.bytes == 0 {
                let _ = std::fs::remove_file(files::path(&self.shared.config.dir, active.first));
            }
        }
        let mut state = self.shared.lock();
        state.active = None;
    }
}

/// A new file. One of that name holds nothing that was committed: its first record would have this number.
fn create(dir: &std::path::Path, first: u64) -> Result<Active, Error> {
    let path = files::path(dir, first);
    let file = File::create(&path).map_err(Error::io("cannot create", &path))?;
    Ok(Active { file, first, bytes: 0 })
}

/// Waits until `ready` says so, at most until `deadline`; whether it did.
pub(crate) fn wait_for(shared: &Shared, deadline: Instant, mut ready: impl FnMut(&State) -> bool) -> bool {
    let mut state = shared.lock();
    loop {
        if ready(&state) {
            return true;
        }
        let rest = deadline.saturating_duration_since(Instant::now());
        if rest.is_zero() {
            return false;
        }
        state = shared.news.wait_timeout(state, rest).unwrap_or_else(PoisonError::into_inner).0;
    }
}
