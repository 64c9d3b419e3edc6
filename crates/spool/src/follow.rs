//! Reading from another process than the one that writes.
//!
//! A [`Follower`] has its own position file, which the writing process looks at before it deletes files. It sees a
//! block as soon as it stands in the file, perhaps a moment before it is synced: after a power loss something may have
//! been delivered that the spool does not have any more.
use crate::config::Error;
use crate::files;
use crate::reader::{Block, Position};
use crate::scan::{Item, Scan};
use crate::spool::Seek;
use crate::status::{find_time, status};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Between two looks for something new.
const POLL: Duration = Duration::from_millis(50);
/// Between two looks for the wish to be somewhere else ([`request_seek`]).
pub(crate) const SEEK_POLL: Duration = Duration::from_millis(500);

/// What a reader had to pass over: a follower since it was opened, a reader of this process since the spool was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Passed {
    /// Records that were deleted before it had read them, or were damaged.
    pub missing: u64,
    /// Damaged blocks that it passed over.
    pub damaged_blocks: u64,
    /// Bytes that it passed over.
    pub damaged_bytes: u64,
}

/// Reads a spool into which another process writes, or none, from a position that survives a restart.
#[derive(Debug)]
pub struct Follower {
    dir: PathBuf,
    name: String,
    /// Nobody else reads under this name as long as it is held.
    _lock: files::Lock,
    /// Everything before is committed.
    position: u64,
    /// Everything before was handed out.
    read: u64,
    turn: u64,
    open: Option<Open>,
    looked: Option<Instant>,
    passed: Passed,
}

#[derive(Debug)]
struct Open {
    first: u64,
    file: File,
    scan: Scan<File>,
}

impl Follower {
    /// Opens the reader of that name. One that is new begins at `start`; one that is known goes on where it
    /// committed.
    ///
    /// # Errors
    ///
    /// A name that cannot be, a reader that is open (here or in another process), a folder that does not exist, or
    /// what the system gives.
    pub fn open(dir: &Path, name: &str, start: Seek) -> Result<Self, Error> {
        files::check_name(name)?;
        let lock = files::lock_reader(dir, name)?;
        let position = match files::positions(dir)?.get(name) {
            Some(Some(position)) => *position,
            // One whose position is damaged reads everything again.
            Some(None) => place(dir, Seek::Oldest)?,
            None => {
                let position = place(dir, start)?;
                files::write_position(dir, name, position)?;
                position
            }
        };
        Ok(Self {
            dir: dir.to_owned(),
            name: name.to_owned(),
            _lock: lock,
            position,
            read: position,
            turn: 0,
            open: None,
            looked: None,
            passed: Passed::default(),
        })
    }

    /// The reader's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it had to pass over.
    pub fn passed(&self) -> Passed {
        self.passed
    }

    /// The next records, waiting for them at most `timeout`; nothing when none have come.
    ///
    /// # Errors
    ///
    /// What the system gives; the next call tries again.
    pub fn next(&mut self, timeout: Duration) -> Result<Option<Block>, Error> {
        let deadline = Instant::now() + timeout;
        loop {
            self.look_for_seek()?;
            if let Some(block) = self.step()? {
                return Ok(Some(block));
            }
            let rest = deadline.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return Ok(None);
            }
            sleep(rest.min(POLL));
        }
    }

    /// Makes it durable that everything before `position` is done; a restart goes on there. False when the reader was
    /// moved by [`request_seek`] after these records were read: then nothing changes.
    ///
    /// # Errors
    ///
    /// A position that cannot be written. It counts all the same for this process.
    pub fn commit(&mut self, position: Position) -> Result<bool, Error> {
        if position.turn() != self.turn {
            return Ok(false);
        }
        self.position = self.position.max(position.number());
        files::write_position(&self.dir, &self.name, self.position)?;
        Ok(true)
    }

    fn look_for_seek(&mut self) -> Result<(), Error> {
        if self.looked.is_some_and(|looked| looked.elapsed() < SEEK_POLL) {
            return Ok(());
        }
        self.looked = Some(Instant::now());
        let Some(number) = files::take_seek(&self.dir, &self.name)? else { return Ok(()) };
        (self.position, self.read) = (number, number);
        self.turn += 1;
        self.open = None;
        files::write_position(&self.dir, &self.name, number)
    }

    /// What is there now.
    fn step(&mut self) -> Result<Option<Block>, Error> {
        loop {
            let Some(mut open) = self.open.take() else {
                if self.enter()? {
                    continue;
                }
                return Ok(None);
            };
            let limit = open.file.metadata().map_err(Error::io("cannot read", &self.dir))?.len();
            // Cut by a writer that began anew: what stands before was read.
            if open.scan.offset() > limit {
                continue;
            }
            let is_last = files::list(&self.dir)?.last().is_none_or(|last| *last <= open.first);
            if let Some(block) = self.read(&mut open, limit, is_last)? {
                self.open = Some(open);
                return Ok(Some(block));
            }
            if is_last {
                self.open = Some(open);
                return Ok(None);
            }
            // Nothing more comes into this file. A block may have been written since its length was read.
            let length = open.file.metadata().map_err(Error::io("cannot read", &self.dir))?.len();
            if length > limit {
                self.open = Some(open);
            } else {
                self.pass(&open);
            }
        }
    }

    /// Opens the file that has the next record; false when there is none.
    fn enter(&mut self) -> Result<bool, Error> {
        let all = files::list(&self.dir)?;
        let holds = all.iter().rev().find(|first| **first <= self.read);
        let Some(first) = holds.or_else(|| all.first()).copied() else { return Ok(false) };
        let path = files::path(&self.dir, first);
        let opened = File::open(&path).and_then(|file| Ok((file.try_clone()?, file)));
        match opened {
            Ok((file, scan)) => {
                self.open = Some(Open { first, file, scan: Scan::new(scan) });
                Ok(true)
            }
            // Deleted since it was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(error) => Err(Error::io("cannot open", &path)(error)),
        }
    }

    /// A file is over: what it should have had until the next one is missing.
    fn pass(&mut self, open: &Open) {
        let Ok(all) = files::list(&self.dir) else { return };
        if let Some(next) = all.into_iter().find(|first| *first > open.first) {
            self.passed.missing += next.saturating_sub(self.read);
            self.read = self.read.max(next);
        }
    }

    /// The next block of a file, in its first `limit` bytes. What is not whole at the end of the last file is still
    /// being written.
    fn read(&mut self, open: &mut Open, limit: u64, is_last: bool) -> Result<Option<Block>, Error> {
        loop {
            if is_last && limit - open.scan.offset().min(limit) < crate::block::HEADER as u64 {
                return Ok(None);
            }
            let item = open.scan.next(limit).map_err(Error::io("cannot read", &self.dir))?;
            match item {
                Item::End => return Ok(None),
                Item::Short(_) if is_last => return Ok(None),
                Item::Short(_) => {
                    open.scan.step();
                    self.passed.damaged_bytes += 1;
                }
                Item::Junk(bytes) => self.passed.damaged_bytes += bytes,
                Item::Block(header) if header.end() <= self.read => open.scan.skip(&header),
                Item::Block(header) => {
                    let Some(body) = open.scan.body(&header).map_err(Error::io("cannot read", &self.dir))?
                    else {
                        self.passed.damaged_blocks += 1;
                        self.passed.damaged_bytes += header.size();
                        continue;
                    };
                    let block = Block::of(&header, body, self.read, self.turn);
                    self.passed.missing += block.first().saturating_sub(self.read);
                    self.read = header.end();
                    return Ok(Some(block));
                }
            }
        }
    }
}

/// Asks the reader of that name, wherever it runs, to go on at another place; one that does not run begins there.
/// Gives the record that it is going to stand at.
///
/// # Errors
///
/// A reader that does not exist, or what the system gives.
pub fn request_seek(dir: &Path, name: &str, to: Seek) -> Result<u64, Error> {
    files::check_name(name)?;
    if !files::positions(dir)?.contains_key(name) {
        return Err(Error::Reader(name.to_owned()));
    }
    let number = place(dir, to)?;
    files::write_seek(dir, name, number)?;
    Ok(number)
}

/// The number of the record at a place, as far as it can be seen on the disk.
fn place(dir: &Path, to: Seek) -> Result<u64, Error> {
    let status = status(dir)?;
    Ok(match to {
        Seek::Oldest => status.first,
        Seek::Newest => status.next,
        Seek::Number(number) => number.clamp(status.first, status.next),
        Seek::Time(time) => find_time(dir, time)?.unwrap_or(status.next),
    })
}
