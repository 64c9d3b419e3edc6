//! The writing side: opening, appending, positions of readers.
use crate::batch::Batch;
use crate::config::{Config, Error, Policy};
use crate::files::{self, Lock};
use crate::reader::Reader;
use crate::state::{Counters, ReaderState, Reason, Shared, State, Waiting};
use crate::status::{self, Status};
use crate::writer::{Writer, wait_for};
use std::fs;
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Batches with fewer bytes are put together at once, so that few large pieces of memory wait half empty.
const SMALL: usize = 64 << 10;

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// Taken; it is on the disk once [`Spool::committed`] is at least this number.
    Taken(u64),
    /// Dropped and counted. Of a batch larger than [`Config::commit_bytes`], which is cut, other parts may have been
    /// taken, and the reason is that of the last part that was not; [`Counters`] have the numbers of records.
    Dropped(Reason),
}

/// A place to seek.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seek {
    /// The oldest record.
    Oldest,
    /// Behind the newest record.
    Newest,
    /// The first block with an event at or after this time (nanoseconds since 1970). Records of that block may be
    /// earlier, and, since events come out of order, those of later blocks as well.
    Time(u64),
    /// The record of that number.
    Number(u64),
}

/// The queue, open for writing. Shared by reference or `Arc` between threads. Dropping it closes it.
#[derive(Debug)]
pub struct Spool {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// Of the folder; the last field, so that it is given back last.
    _lock: Lock,
}

impl Spool {
    /// Opens or makes the spool of that folder: takes the lock, cuts off a torn tail, starts the thread.
    ///
    /// # Errors
    ///
    /// A setting that cannot be, a folder that another process writes into, or what the system gives.
    pub fn open(config: Config) -> Result<Self, Error> {
        config.check()?;
        let dir = config.dir.clone();
        fs::create_dir_all(&dir).map_err(Error::io("cannot make the folder", &dir))?;
        let lock = Lock::take(&dir.join("lock"), || Error::Locked(dir.clone()))?;
        let mut counters = Counters::default();
        let files = files::recover(&dir, &mut counters)?;
        let oldest = files.keys().next().copied();
        let mut next = files.values().map(|file| file.end).max().unwrap_or(0);
        let mut readers = std::collections::BTreeMap::new();
        for (name, position) in files::positions(&dir)? {
            // Without a position everything comes again, which is better than not at all.
            counters.damaged_positions += u64::from(position.is_none());
            let position = position.unwrap_or_else(|| oldest.unwrap_or(0));
            // Numbers never go back, not even when somebody has deleted the files.
            next = next.max(position);
            readers.insert(name, ReaderState { position, read: position, ..ReaderState::default() });
        }
        let state = State { files, next, committed: next, readers, counters, ..State::default() };
        let shared = Arc::new(Shared::new(config, state));
        let writer = Writer::new(Arc::clone(&shared));
        let thread = std::thread::Builder::new().name("spool".to_owned()).spawn(move || writer.run());
        let thread = thread.map_err(Error::io("cannot start the thread of", &dir))?;
        shared.collect();
        Ok(Self { shared, thread: Some(thread), _lock: lock })
    }

    /// Hands a batch over; it becomes empty and keeps its memory. This copies or swaps and never waits for the disk,
    /// but with [`Policy::Block`], which waits while the memory is full.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`].
    pub fn append(&self, batch: &mut Batch) -> Result<Appended, Error> {
        let config = &self.shared.config;
        if batch.bytes() <= config.commit_bytes {
            return self.append_block(batch);
        }
        // Larger than a block: cut. The parts keep the times of the whole.
        let times = [batch.earliest, batch.latest];
        let mut whole = std::mem::take(batch);
        let mut part = Batch::default();
        let (mut taken, mut dropped) = (None, None);
        let mut note = |appended| match appended {
            Appended::Taken(end) => taken = Some(end),
            Appended::Dropped(reason) => dropped = Some(reason),
        };
        for record in &whole {
            if record.len() > config.largest() {
                self.shared.lock().counters.dropped_too_large += 1;
                note(Appended::Dropped(Reason::TooLarge));
                continue;
            }
            if part.bytes() + 4 + record.len() > config.commit_bytes {
                note(self.append_block(&mut part)?);
            }
            // Both ends of the time have to be in the header.
            let _ = part.push(times[0], record);
            part.latest = part.latest.max(times[1]);
        }
        if !part.is_empty() {
            note(self.append_block(&mut part)?);
        }
        whole.clear();
        *batch = whole;
        Ok(match (dropped, taken) {
            (Some(reason), _) => Appended::Dropped(reason),
            (None, taken) => Appended::Taken(taken.unwrap_or_else(|| self.shared.lock().next)),
        })
    }

    fn append_block(&self, batch: &mut Batch) -> Result<Appended, Error> {
        let config = &self.shared.config;
        let mut state = self.shared.lock();
        // One batch is always taken when nothing waits, so that the bound cannot lock the queue up.
        while !state.is_closed
            && state.waiting_bytes > 0
            && state.waiting_bytes + batch.bytes() > config.memory
        {
            if config.policy != Policy::Block {
                let reason = state.failure.as_ref().map_or(Reason::Behind, |(reason, _)| *reason);
                let records = u64::from(batch.records);
                match reason {
                    Reason::Bound => state.counters.dropped_bound += records,
                    Reason::Disk => state.counters.dropped_disk += records,
                    Reason::Behind => state.counters.dropped_behind += records,
                    Reason::TooLarge => state.counters.dropped_too_large += records,
                }
                batch.clear();
                return Ok(Appended::Dropped(reason));
            }
            state = self.shared.news.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.is_closed {
            return Err(Error::Closed);
        }
        if batch.is_empty() {
            return Ok(Appended::Taken(state.next));
        }
        let first = state.next;
        state.next += u64::from(batch.records);
        state.counters.appended += u64::from(batch.records);
        let was_empty = state.waiting.is_empty();
        state.waiting_bytes += batch.bytes();
        match state.waiting.back_mut() {
            Some(last)
                if batch.bytes() < SMALL && last.batch.bytes() + batch.bytes() <= config.commit_bytes =>
            {
                last.batch.extend(batch);
            }
            _ => {
                let spare = state.spare.pop().unwrap_or_default();
                state.waiting.push_back(Waiting { first, batch: std::mem::replace(batch, spare) });
            }
        }
        if was_empty {
            state.since = Some(Instant::now());
        }
        if was_empty || state.waiting_bytes >= config.commit_bytes {
            self.shared.work.notify_one();
        }
        Ok(Appended::Taken(state.next))
    }

    /// Every record before this number is on the disk.
    pub fn committed(&self) -> u64 {
        self.shared.lock().committed
    }

    /// Waits until every record before `number` is on the disk; false when it is not after `timeout`.
    pub fn wait_committed(&self, number: u64, timeout: Duration) -> bool {
        wait_for(&self.shared, Instant::now() + timeout, |state| state.committed >= number)
    }

    /// Has everything written now, and waits for it.
    ///
    /// # Errors
    ///
    /// What keeps it from being written, when it is not after `timeout`.
    pub fn flush(&self, timeout: Duration) -> Result<(), Error> {
        let mut state = self.shared.lock();
        let number = state.next;
        state.flush = state.flush.max(number);
        drop(state);
        self.shared.work.notify_all();
        if self.wait_committed(number, timeout) {
            return Ok(());
        }
        let state = self.shared.lock();
        Err(Error::Unwritten { records: number.saturating_sub(state.committed), reason: reason(&state) })
    }

    /// Opens the reader of that name. One that is new begins at `start`; one that is known goes on where it
    /// committed.
    ///
    /// # Errors
    ///
    /// A name that cannot be, a reader that is open, or a position that cannot be written.
    pub fn reader(&self, name: &str, start: Seek) -> Result<Reader, Error> {
        files::check_name(name)?;
        let lock = files::lock_reader(&self.shared.config.dir, name)?;
        let place = self.place(start)?;
        let mut state = self.shared.lock();
        let is_new = !state.readers.contains_key(name);
        let reader = state.readers.entry(name.to_owned()).or_insert_with(|| ReaderState {
            position: place,
            read: place,
            ..ReaderState::default()
        });
        if reader.is_open {
            return Err(Error::Reader(name.to_owned()));
        }
        reader.is_open = true;
        reader.read = reader.position;
        reader.turn += 1;
        drop(state);
        let reader = Reader::new(Arc::clone(&self.shared), name.to_owned(), lock);
        if is_new {
            self.shared.persist(name)?;
        }
        Ok(reader)
    }

    /// Moves a reader, open or not, to another place. What it has read and not yet committed cannot be committed
    /// any more. The record that it stands at from now on.
    ///
    /// # Errors
    ///
    /// A reader that does not exist, or what the system gives.
    pub fn seek(&self, name: &str, to: Seek) -> Result<u64, Error> {
        let place = self.place(to)?;
        if !self.shared.move_to(name, place) {
            return Err(Error::Reader(name.to_owned()));
        }
        self.shared.persist(name)?;
        Ok(place)
    }

    /// Removes a reader that is not open, with its position: files need not be kept for it any more.
    ///
    /// # Errors
    ///
    /// A reader that is open or unknown, or what the system gives.
    pub fn forget(&self, name: &str) -> Result<(), Error> {
        self.shared.forget(name)?;
        self.shared.collect();
        Ok(())
    }

    fn place(&self, to: Seek) -> Result<u64, Error> {
        let state = self.shared.lock();
        let committed = state.committed;
        let oldest = state.files.keys().next().copied().unwrap_or(committed);
        drop(state);
        Ok(match to {
            Seek::Oldest => oldest,
            Seek::Newest => committed,
            Seek::Number(number) => number.clamp(oldest, committed),
            Seek::Time(time) => status::find_time(&self.shared.config.dir, time)?
                .unwrap_or(committed)
                .clamp(oldest, committed),
        })
    }

    /// Counts a record that [`Batch::push`] has refused.
    pub fn refused(&self) {
        self.shared.lock().counters.dropped_too_large += 1;
    }

    /// The counters alone, which costs nothing.
    pub fn counters(&self) -> Counters {
        self.shared.lock().counters.clone()
    }

    /// Files, readers and counters.
    ///
    /// # Errors
    ///
    /// What the system gives.
    pub fn status(&self) -> Result<Status, Error> {
        let mut status = status::status(&self.shared.config.dir)?;
        let state = self.shared.lock();
        status.counters = Some(state.counters.clone());
        status.failure = state.failure.as_ref().map(|(_, text)| text.clone());
        status.waiting = state.next.saturating_sub(state.committed);
        status.next = state.next;
        for reader in &mut status.readers {
            if let Some(known) = state.readers.get(&reader.name) {
                reader.is_open = known.is_open;
                reader.dropped = known.dropped;
                reader.missing = known.missing;
                reader.damaged_blocks = known.damaged_blocks;
                reader.damaged_bytes = known.damaged_bytes;
            }
        }
        Ok(status)
    }

    /// Writes what waits and ends the thread.
    ///
    /// # Errors
    ///
    /// [`Error::Unwritten`] when something could not be written.
    pub fn close(mut self) -> Result<(), Error> {
        self.end();
        let state = self.shared.lock();
        match state.counters.unwritten {
            0 => Ok(()),
            records => Err(Error::Unwritten { records, reason: reason(&state) }),
        }
    }

    fn end(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        self.shared.lock().is_closed = true;
        self.shared.work.notify_all();
        self.shared.news.notify_all();
        // A panic of the thread leaves its records unwritten, which is counted here.
        let _ = thread.join();
        let mut state = self.shared.lock();
        state.counters.unwritten = state.next.saturating_sub(state.committed);
        drop(state);
        self.shared.news.notify_all();
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        self.end();
    }
}

fn reason(state: &State) -> String {
    state.failure.as_ref().map_or_else(|| "the disk is slow".to_owned(), |(_, text)| text.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_spool_is_free_although_a_child_process_still_has_its_lock_file() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(Config::new(dir.path())).unwrap();
        let inherited = spool._lock.0.try_clone().unwrap();
        assert!(matches!(Spool::open(Config::new(dir.path())), Err(Error::Locked(_))));
        drop(spool);
        Spool::open(Config::new(dir.path())).unwrap();
        drop(inherited);
    }
}
