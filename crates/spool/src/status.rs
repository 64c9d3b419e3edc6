//! Looking into a spool without its lock, from any process.
use crate::block::Header;
use crate::config::Error;
use crate::files;
use crate::reader::Block;
use crate::scan::{Item, Scan};
use crate::state::Counters;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// What a spool holds. From another process it is as far as it can be seen on the disk.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Status {
    /// Number of block files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Records in them.
    pub records: u64,
    /// The number of the oldest record.
    pub first: u64,
    /// The number that the next record gets.
    pub next: u64,
    /// The earliest event time in nanoseconds since 1970; none when there is no record.
    pub oldest: Option<u64>,
    /// The latest event time.
    pub newest: Option<u64>,
    /// Bytes that belong to no block.
    pub junk: u64,
    /// Records in memory that are not yet on the disk; 0 from another process.
    pub waiting: u64,
    /// Why the last attempt to write failed; none from another process.
    pub failure: Option<String>,
    /// The readers by name.
    pub readers: Vec<ReaderStatus>,
    /// What happened since the spool was opened; none from another process.
    pub counters: Option<Counters>,
}

/// Where a reader is. The counters begin at 0 when the spool is opened, and are 0 from another process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReaderStatus {
    /// Its name.
    pub name: String,
    /// Everything before this number is committed.
    pub position: u64,
    /// Records on the disk that it has not committed.
    pub lag_records: u64,
    /// Bytes of the blocks that hold them.
    pub lag_bytes: u64,
    /// Somebody reads with it; false from another process.
    pub is_open: bool,
    /// Records deleted at the bound before it had read them.
    pub dropped: u64,
    /// Records that were damaged, or deleted by somebody else.
    pub missing: u64,
    /// Damaged blocks that it passed over.
    pub damaged_blocks: u64,
    /// Bytes that it passed over.
    pub damaged_bytes: u64,
}

/// Reads the status of the spool in `dir`. Only headers are read.
///
/// # Errors
///
/// A folder that cannot be listed, or a file that cannot be read.
pub fn status(dir: &Path) -> Result<Status, Error> {
    let mut readers: Vec<ReaderStatus> = Vec::new();
    // Before the blocks: a position never is beyond them.
    for (name, position) in files::positions(dir)? {
        readers.push(ReaderStatus { name, position: position.unwrap_or(0), ..ReaderStatus::default() });
    }
    let mut status = Status::default();
    let mut is_first = true;
    let mut peek = Peek::open(dir)?;
    while let Some(header) = peek.header()? {
        peek.skip(&header);
        if std::mem::take(&mut is_first) {
            status.first = header.first;
        }
        status.next = status.next.max(header.end());
        status.records += u64::from(header.records);
        status.oldest = Some(status.oldest.map_or(header.earliest, |oldest| oldest.min(header.earliest)));
        status.newest = Some(status.newest.map_or(header.latest, |newest| newest.max(header.latest)));
        for reader in readers.iter_mut().filter(|reader| reader.position < header.end()) {
            reader.lag_records += header.end() - header.first.max(reader.position);
            reader.lag_bytes += header.size();
        }
    }
    status.files = peek.files;
    status.bytes = peek.bytes;
    status.junk = peek.junk;
    status.next = readers.iter().map(|reader| reader.position).fold(status.next, u64::max);
    status.readers = readers;
    Ok(status)
}

/// The number of the first record of the first block with an event at or after `time`.
pub(crate) fn find_time(dir: &Path, time: u64) -> Result<Option<u64>, Error> {
    let mut peek = Peek::open(dir)?;
    while let Some(header) = peek.header()? {
        if header.latest >= time {
            return Ok(Some(header.first));
        }
        peek.skip(&header);
    }
    Ok(None)
}

/// Reads the records of a spool without a position and without its lock, while another process writes. It ends with
/// what was written when its last file was opened. The newest block may not be synced yet.
#[derive(Debug)]
pub struct Peek {
    dir: PathBuf,
    /// The files to come, the next one last.
    rest: Vec<u64>,
    open: Option<(Scan<File>, u64)>,
    files: u64,
    bytes: u64,
    junk: u64,
    damaged: u64,
}

impl Peek {
    /// Begins with the oldest record.
    ///
    /// # Errors
    ///
    /// A folder that cannot be listed.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let mut rest = files::list(dir)?;
        rest.reverse();
        Ok(Self { dir: dir.to_owned(), rest, open: None, files: 0, bytes: 0, junk: 0, damaged: 0 })
    }

    /// The next records of blocks that have an event at or after `time` (nanoseconds since 1970; 0 for all); nothing
    /// at the end. Damaged blocks are passed over.
    ///
    /// # Errors
    ///
    /// A file that cannot be read.
    pub fn next(&mut self, time: u64) -> Result<Option<Block>, Error> {
        while let Some(header) = self.header()? {
            if header.latest < time {
                self.skip(&header);
                continue;
            }
            let Some((scan, _)) = &mut self.open else { continue };
            match scan.body(&header).map_err(Error::io("cannot read", &self.dir))? {
                Some(body) => return Ok(Some(Block::of(&header, body, 0, 0))),
                None => self.damaged += 1,
            }
        }
        Ok(None)
    }

    /// Blocks that were passed over because they are damaged.
    pub fn damaged(&self) -> u64 {
        self.damaged
    }

    /// The next header, without passing it.
    fn header(&mut self) -> Result<Option<Header>, Error> {
        loop {
            if let Some((scan, length)) = &mut self.open {
                match scan.next(*length).map_err(Error::io("cannot read", &self.dir))? {
                    Item::Block(header) => return Ok(Some(header)),
                    Item::Junk(bytes) => self.junk += bytes,
                    Item::Short(_) => {
                        scan.step();
                        self.junk += 1;
                    }
                    Item::End => self.open = None,
                }
                continue;
            }
            let Some(first) = self.rest.pop() else { return Ok(None) };
            let path = files::path(&self.dir, first);
            let opened = File::open(&path).and_then(|file| Ok((file.metadata()?.len(), file)));
            match opened {
                Ok((length, file)) => {
                    self.files += 1;
                    self.bytes += length;
                    self.open = Some((Scan::new(file), length));
                }
                // Deleted since it was listed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(Error::io("cannot open", &path)(error)),
            }
        }
    }

    fn skip(&mut self, header: &Header) {
        if let Some((scan, _)) = &mut self.open {
            scan.skip(header);
        }
    }
}
