//! The reading side: one reader for each pipeline.
use crate::batch::Records;
use crate::block::split;
use crate::config::Error;
use crate::files;
use crate::follow::{Passed, SEEK_POLL};
use crate::scan::{Item, Scan};
use crate::state::Shared;
use std::fs::File;
use std::io;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

/// How far a reader is done: what [`Block::end`] gives and [`Reader::commit`] takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    number: u64,
    turn: u64,
}

impl Position {
    /// Every record before this number is done.
    pub fn number(self) -> u64 {
        self.number
    }

    pub(crate) fn turn(self) -> u64 {
        self.turn
    }

    /// The position `records` records earlier: for what is done of a block only in part.
    #[must_use]
    pub fn back(self, records: u64) -> Self {
        Self { number: self.number.saturating_sub(records), ..self }
    }
}

/// Records that were read, in order.
#[derive(Debug)]
pub struct Block {
    body: Vec<u8>,
    /// Bytes of records that came before the reader's position.
    skip: usize,
    first: u64,
    end: u64,
    turn: u64,
    times: (u64, u64),
}

impl Block {
    /// The number of the first record.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// How many records there are; at least one.
    pub fn records(&self) -> u64 {
        self.end - self.first
    }

    /// The records.
    pub fn iter(&self) -> Records<'_> {
        Records { body: self.body.get(self.skip..).unwrap_or_default() }
    }

    /// The position behind the last record.
    pub fn end(&self) -> Position {
        Position { number: self.end, turn: self.turn }
    }

    /// The earliest and the latest event time of the whole block, in nanoseconds since 1970.
    pub fn times(&self) -> (u64, u64) {
        self.times
    }

    /// A block of which the records before `from` are passed over.
    pub(crate) fn of(header: &crate::block::Header, body: Vec<u8>, from: u64, turn: u64) -> Self {
        let first = header.first.max(from);
        let mut rest = body.as_slice();
        for _ in header.first..first {
            rest = split(rest).map_or(&[], |(_, rest)| rest);
        }
        let skip = body.len() - rest.len();
        Self { skip, first, end: header.end(), turn, times: (header.earliest, header.latest), body }
    }
}

impl<'a> IntoIterator for &'a Block {
    type Item = &'a [u8];
    type IntoIter = Records<'a>;

    fn into_iter(self) -> Records<'a> {
        self.iter()
    }
}

#[derive(Debug)]
struct Open {
    first: u64,
    scan: Scan<File>,
}

/// Reads the spool from a position that survives a restart. Dropping it leaves its name free again.
#[derive(Debug)]
pub struct Reader {
    shared: Arc<Shared>,
    name: String,
    open: Option<Open>,
    /// The seek that this reader has followed.
    turn: u64,
    /// When it was last looked whether somebody wants it to be elsewhere.
    looked: Option<Instant>,
    /// Nobody else reads under this name as long as it is held.
    _lock: files::Lock,
}

/// What there is to read.
enum Ahead {
    Nothing,
    Closed,
    /// The file that begins with the first number, its end, and how much of it is committed.
    File {
        first: u64,
        end: u64,
        bytes: u64,
        from: u64,
    },
}

impl Reader {
    pub(crate) fn new(shared: Arc<Shared>, name: String, lock: files::Lock) -> Self {
        Self { shared, name, open: None, turn: 0, looked: None, _lock: lock }
    }

    /// The reader's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The next records, waiting for them at most `timeout`; nothing when none have come. Damaged blocks and files
    /// that were deleted are passed over and counted.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] when the spool is closed and everything was read; a file that cannot be opened, in which
    /// case the next call tries again.
    pub fn next(&mut self, timeout: Duration) -> Result<Option<Block>, Error> {
        let deadline = Instant::now() + timeout;
        self.look_for_seek()?;
        loop {
            match self.ahead(deadline) {
                Ahead::Nothing => return Ok(None),
                Ahead::Closed => return Err(Error::Closed),
                Ahead::File { first, end, bytes, from } => {
                    if let Some(block) = self.read(first, end, bytes, from)? {
                        return Ok(Some(block));
                    }
                }
            }
        }
    }

    fn look_for_seek(&mut self) -> Result<(), Error> {
        if self.looked.is_some_and(|looked| looked.elapsed() < SEEK_POLL) {
            return Ok(());
        }
        self.looked = Some(Instant::now());
        if let Some(number) = files::take_seek(&self.shared.config.dir, &self.name)? {
            self.shared.move_to(&self.name, number);
            self.shared.persist(&self.name)?;
        }
        Ok(())
    }

    fn ahead(&mut self, deadline: Instant) -> Ahead {
        let mut state = self.shared.lock();
        loop {
            // Forgotten is what is not open, so that it is always there.
            let Some(reader) = state.readers.get(&self.name) else { return Ahead::Closed };
            if reader.turn != self.turn {
                self.turn = reader.turn;
                self.open = None;
            }
            let from = reader.read;
            if from < state.committed {
                let holds = state.files.range(..=from).next_back().filter(|(_, file)| file.end > from);
                let file = holds.or_else(|| state.files.range(from..).next());
                return match file.map(|(first, file)| (*first, *file)) {
                    Some((first, file)) => Ahead::File { first, end: file.end, bytes: file.bytes, from },
                    None => {
                        // Committed, and no file any more: somebody has deleted them.
                        let committed = state.committed;
                        if let Some(reader) = state.readers.get_mut(&self.name) {
                            reader.missing += committed - from;
                            reader.read = committed;
                        }
                        continue;
                    }
                };
            }
            if state.is_closed && state.committed == state.next {
                return Ahead::Closed;
            }
            let rest = deadline.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return if state.is_closed { Ahead::Closed } else { Ahead::Nothing };
            }
            state = self.shared.news.wait_timeout(state, rest).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The next records of a file; nothing when it has none behind `from`, or a seek came in between.
    fn read(&mut self, first: u64, end: u64, bytes: u64, from: u64) -> Result<Option<Block>, Error> {
        let mut open = match self.open.take().filter(|open| open.first == first) {
            Some(open) => open,
            None => {
                let path = files::path(&self.shared.config.dir, first);
                match File::open(&path) {
                    Ok(file) => Open { first, scan: Scan::new(file) },
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        self.advance(from, end);
                        return Ok(None);
                    }
                    Err(error) => return Err(Error::io("cannot open", &path)(error)),
                }
            }
        };
        loop {
            // A place on the disk that gives errors would give them for ever: what is behind it in the file is lost.
            let item = open.scan.next(bytes).unwrap_or(Item::End);
            match item {
                Item::End => {
                    self.advance(from, end);
                    self.open = Some(open);
                    return Ok(None);
                }
                Item::Junk(length) => self.damaged(0, length),
                Item::Short(_) => {
                    open.scan.step();
                    self.damaged(0, 1);
                }
                // Read before, or (where a file could not be cut after a failure) written again later.
                Item::Block(header) if header.end() <= from => open.scan.skip(&header),
                // A number beyond the file's is a lie, however right its checksum.
                Item::Block(header) if header.end() > end => {
                    open.scan.skip(&header);
                    self.damaged(1, header.size());
                }
                Item::Block(header) => match open.scan.body(&header) {
                    Ok(Some(body)) => {
                        let block = Block::of(&header, body, from, self.turn);
                        if !self.advance_to(from, block.first, block.end) {
                            return Ok(None);
                        }
                        self.open = Some(open);
                        return Ok(Some(block));
                    }
                    Ok(None) => self.damaged(1, header.size()),
                    Err(_) => {
                        self.damaged(1, header.size());
                        open.scan.skip(&header);
                    }
                },
            }
        }
    }

    /// What it had to pass over since the spool was opened.
    pub fn passed(&self) -> Passed {
        let state = self.shared.lock();
        state.readers.get(&self.name).map_or_else(Passed::default, |reader| Passed {
            missing: reader.missing + reader.dropped,
            damaged_blocks: reader.damaged_blocks,
            damaged_bytes: reader.damaged_bytes,
        })
    }

    fn damaged(&self, blocks: u64, bytes: u64) {
        if let Some(reader) = self.shared.lock().readers.get_mut(&self.name) {
            reader.damaged_blocks += blocks;
            reader.damaged_bytes += bytes;
        }
    }

    /// Nothing more in this file: what it should have had until `end` is missing.
    fn advance(&self, from: u64, end: u64) {
        self.advance_to(from, end, end);
    }

    /// The records before `first` are missing, those until `end` were read. False when a seek, or a file dropped at
    /// the bound, has moved the reader meanwhile: then nothing changes.
    fn advance_to(&self, from: u64, first: u64, end: u64) -> bool {
        let mut state = self.shared.lock();
        let Some(reader) = state.readers.get_mut(&self.name) else { return false };
        if reader.turn != self.turn || reader.read != from {
            return false;
        }
        reader.missing += first.saturating_sub(from);
        reader.read = reader.read.max(end);
        true
    }

    /// Makes it durable that everything before `position` is done; a restart goes on there. Files that every reader
    /// is past are deleted. False when the reader was moved by [`crate::Spool::seek`] after these records were read:
    /// then nothing changes.
    ///
    /// # Errors
    ///
    /// A position that cannot be written. It counts all the same for this process, and the next commit tries again.
    pub fn commit(&mut self, position: Position) -> Result<bool, Error> {
        let mut state = self.shared.lock();
        let Some(reader) = state.readers.get_mut(&self.name) else { return Err(Error::Closed) };
        if reader.turn != position.turn {
            return Ok(false);
        }
        reader.position = reader.position.max(position.number);
        drop(state);
        self.shared.persist(&self.name)?;
        self.shared.collect();
        Ok(true)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(reader) = self.shared.lock().readers.get_mut(&self.name) {
            reader.is_open = false;
        }
    }
}
