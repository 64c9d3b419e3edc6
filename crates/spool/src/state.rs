//! What the writer, the readers and the appending threads share.
use crate::batch::Batch;
use crate::config::{Config, Error};
use crate::files;
use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Why records were dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// [`crate::Policy::DropNewest`]: the bound on disk use is reached and the memory full.
    Bound,
    /// The disk gives errors (it is full, or read-only), and the memory is full.
    Disk,
    /// The disk is slower than the records come, and the memory is full.
    Behind,
    /// The record alone is larger than a block.
    TooLarge,
}

/// What happened since the spool was opened. Unless the name says otherwise, these are numbers of records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Taken by `append`.
    pub appended: u64,
    /// On the disk, synced.
    pub committed: u64,
    /// Blocks written.
    pub blocks: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Bytes of the records before they were compressed.
    pub raw_bytes: u64,
    /// Refused by `append`, with the reason [`Reason::Bound`].
    pub dropped_bound: u64,
    /// The same with [`Reason::Disk`].
    pub dropped_disk: u64,
    /// The same with [`Reason::Behind`].
    pub dropped_behind: u64,
    /// The same with [`Reason::TooLarge`].
    pub dropped_too_large: u64,
    /// Deleted with their file at the bound before every reader had read them (or without any reader).
    pub dropped_oldest: u64,
    /// Files deleted at the bound.
    pub files_dropped: u64,
    /// Attempts to write that failed.
    pub write_failures: u64,
    /// Positions of readers that could not be written at the bound, or files that could not be deleted.
    pub other_failures: u64,
    /// Never written: the spool was closed while the disk gave errors.
    pub unwritten: u64,
    /// Torn blocks that were cut off when the spool was opened.
    pub torn_blocks: u64,
    /// Their bytes.
    pub torn_bytes: u64,
    /// Their records, where that is known.
    pub torn_records: u64,
    /// Position files that were damaged; their readers began at the oldest record.
    pub damaged_positions: u64,
}

impl Counters {
    /// Records that no reader is ever going to get, with the reason in words for an operator.
    pub fn dropped(&self) -> [(&'static str, u64); 5] {
        [
            ("the spool was full", self.dropped_bound),
            ("the disk gave errors", self.dropped_disk),
            ("the disk was too slow", self.dropped_behind),
            ("too large", self.dropped_too_large),
            ("deleted unread to make room", self.dropped_oldest),
        ]
    }
}

/// A file of blocks, as far as it is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileInfo {
    /// The number after its last record.
    pub(crate) end: u64,
    pub(crate) bytes: u64,
}

/// A reader, open or not.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReaderState {
    /// Everything before is done.
    pub(crate) position: u64,
    /// Everything before was handed out.
    pub(crate) read: u64,
    /// Raised by each seek: what was read before it cannot be committed.
    pub(crate) turn: u64,
    pub(crate) is_open: bool,
    pub(crate) dropped: u64,
    pub(crate) missing: u64,
    pub(crate) damaged_blocks: u64,
    pub(crate) damaged_bytes: u64,
}

/// Records that have a number and wait for the disk.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) first: u64,
    pub(crate) batch: Batch,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) files: BTreeMap<u64, FileInfo>,
    /// The file that is written to.
    pub(crate) active: Option<u64>,
    pub(crate) waiting: VecDeque<Waiting>,
    /// Empty, with their memory: for those who fill the next ones.
    pub(crate) spare: Vec<Batch>,
    /// Bytes in `waiting` and in the writer's hands.
    pub(crate) waiting_bytes: usize,
    /// When the first of `waiting` came.
    pub(crate) since: Option<Instant>,
    /// The number of the next record.
    pub(crate) next: u64,
    /// Everything before is on the disk.
    pub(crate) committed: u64,
    pub(crate) readers: BTreeMap<String, ReaderState>,
    pub(crate) counters: Counters,
    /// Why the last attempt to write failed, and whether it was the bound.
    pub(crate) failure: Option<(Reason, String)>,
    /// Records up to this number are to be written at once.
    pub(crate) flush: u64,
    pub(crate) is_closed: bool,
}

impl State {
    pub(crate) fn bytes(&self) -> u64 {
        self.files.values().map(|file| file.bytes).sum()
    }
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    state: Mutex<State>,
    /// The writer has something to do.
    pub(crate) work: Condvar,
    /// Something was committed, or there is room, or the spool was closed.
    pub(crate) news: Condvar,
    /// Held while a position is written, so that an older one never replaces a newer one.
    persist: Mutex<()>,
}

impl Shared {
    pub(crate) fn new(config: Config, state: State) -> Self {
        Self {
            config,
            state: Mutex::new(state),
            work: Condvar::new(),
            news: Condvar::new(),
            persist: Mutex::new(()),
        }
    }

    /// The state. A panic of another thread does not make it wrong: nothing under the lock is half done.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the position of a reader to the disk.
    pub(crate) fn persist(&self, name: &str) -> Result<(), Error> {
        let _guard = self.persist.lock().unwrap_or_else(PoisonError::into_inner);
        let position = self.lock().readers.get(name).map(|reader| reader.position);
        match position {
            Some(position) => files::write_position(&self.config.dir, name, position),
            None => Ok(()),
        }
    }

    /// Forgets a reader and its position.
    pub(crate) fn forget(&self, name: &str) -> Result<(), Error> {
        let _guard = self.persist.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.lock();
        if state.readers.get(name).is_none_or(|reader| reader.is_open) {
            return Err(Error::Reader(name.to_owned()));
        }
        state.readers.remove(name);
        drop(state);
        files::remove_position(&self.config.dir, name)
    }

    /// Learns how far the readers in other processes are.
    fn learn(&self) {
        let _guard = self.persist.lock().unwrap_or_else(PoisonError::into_inner);
        // Without an answer nothing is known to be done, and nothing is deleted for it.
        let Ok(positions) = files::positions(&self.config.dir) else { return };
        let mut state = self.lock();
        for (name, position) in positions {
            let Some(position) = position else { continue };
            let reader = state.readers.entry(name).or_default();
            if !reader.is_open {
                (reader.position, reader.read) = (position, position);
            }
        }
    }

    /// Moves a reader: what it has read and not committed cannot be committed any more. False without that reader.
    pub(crate) fn move_to(&self, name: &str, place: u64) -> bool {
        let mut state = self.lock();
        let Some(reader) = state.readers.get_mut(name) else { return false };
        (reader.position, reader.read) = (place, place);
        reader.turn += 1;
        drop(state);
        self.news.notify_all();
        true
    }

    /// Deletes the files that every reader is past. Without readers all are kept.
    pub(crate) fn collect(&self) {
        self.learn();
        let mut state = self.lock();
        let Some(done) = state.readers.values().map(|reader| reader.position).min() else { return };
        let old: Vec<u64> = state
            .files
            .iter()
            .filter(|(first, file)| file.end <= done && state.active != Some(**first))
            .map(|(first, _)| *first)
            .collect();
        for first in &old {
            if !self.remove(&mut state, *first) {
                break;
            }
        }
        if !old.is_empty() {
            self.news.notify_all();
            self.work.notify_all();
        }
    }

    /// Deletes the oldest file, read or not; the readers that lost something by it. False when there is no file
    /// that can be deleted.
    pub(crate) fn drop_oldest(&self, state: &mut State, affected: &mut Vec<String>) -> bool {
        let Some((first, file)) = state.files.first_key_value().map(|(first, file)| (*first, *file)) else {
            return false;
        };
        if !self.remove(state, first) {
            return false;
        }
        let mut lost = if state.readers.is_empty() { file.end.saturating_sub(first) } else { 0 };
        for (name, reader) in &mut state.readers {
            let unread = file.end.saturating_sub(reader.read.max(first));
            lost = lost.max(unread);
            reader.dropped += unread;
            reader.read = reader.read.max(file.end);
            if reader.position < file.end {
                reader.position = file.end;
                affected.push(name.clone());
            }
        }
        state.counters.dropped_oldest += lost;
        state.counters.files_dropped += 1;
        true
    }

    fn remove(&self, state: &mut State, first: u64) -> bool {
        let removed = fs::remove_file(files::path(&self.config.dir, first));
        if removed.is_err_and(|error| error.kind() != std::io::ErrorKind::NotFound) {
            state.counters.other_failures += 1;
            return false;
        }
        state.files.remove(&first);
        if state.active == Some(first) {
            state.active = None;
        }
        true
    }
}
