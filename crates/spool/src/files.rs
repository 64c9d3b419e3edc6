//! The folder: names of files, positions, and what is found when a spool is opened.
use crate::block::MAX_NUMBER;
use crate::config::Error;
use crate::scan::{Item, Scan};
use crate::state::{Counters, FileInfo};
use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

const ENDING: &str = ".blocks";
const POSITION: &str = ".position";
const SEEK: &str = ".seek";

/// The file whose first record has the number `first`.
pub(crate) fn path(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:020}{ENDING}"))
}

/// Whether a reader may have that name.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let good = (1..=64).contains(&name.len()) && name.chars().all(allowed) && !name.starts_with('.');
    if good { Ok(()) } else { Err(Error::Name(name.to_owned())) }
}

/// The names of the folder's entries that are text.
fn names(dir: &Path) -> Result<Vec<String>, Error> {
    let list = || -> io::Result<Vec<String>> {
        fs::read_dir(dir)?
            .filter_map(|entry| entry.map(|entry| entry.file_name().into_string().ok()).transpose())
            .collect()
    };
    list().map_err(Error::io("cannot list", dir))
}

/// The first numbers of the block files, ascending.
pub(crate) fn list(dir: &Path) -> Result<Vec<u64>, Error> {
    let first = |name: &String| {
        let digits = name.strip_suffix(ENDING).filter(|digits| digits.len() == 20)?;
        digits.parse::<u64>().ok().filter(|first| *first < MAX_NUMBER)
    };
    let mut all: Vec<u64> = names(dir)?.iter().filter_map(first).collect();
    all.sort_unstable();
    Ok(all)
}

/// The readers and their positions; a position file that is damaged has none.
pub(crate) fn positions(dir: &Path) -> Result<BTreeMap<String, Option<u64>>, Error> {
    let mut all = BTreeMap::new();
    for file in names(dir)? {
        let Some(name) = file.strip_suffix(POSITION).filter(|name| check_name(name).is_ok()) else {
            continue;
        };
        let path = dir.join(&file);
        let mut text = String::new();
        let read = File::open(&path).and_then(|file| file.take(256).read_to_string(&mut text));
        match read {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidData => text.clear(),
            // Another process reads while this one is renamed or removed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(Error::io("cannot read", &path)(error)),
        }
        all.insert(name.to_owned(), parse_position(&text));
    }
    Ok(all)
}

fn parse_position(text: &str) -> Option<u64> {
    let (number, crc) = text.strip_suffix('\n')?.split_once(' ')?;
    let sound = format!("{:08x}", crc32c::crc32c(number.as_bytes())) == crc;
    number.parse().ok().filter(|number| sound && *number < MAX_NUMBER)
}

/// Writes a reader's position so that after a crash there is the old one or the new one.
pub(crate) fn write_position(dir: &Path, name: &str, number: u64) -> Result<(), Error> {
    write_number(dir, name, POSITION, number)
}

fn write_number(dir: &Path, name: &str, ending: &str, number: u64) -> Result<(), Error> {
    let path = dir.join(format!("{name}{ending}"));
    // It begins with a dot, as no reader's name does.
    let temporary = dir.join(format!(".{name}{ending}.tmp"));
    let number = number.to_string();
    let write = || -> io::Result<()> {
        let mut file = File::create(&temporary)?;
        file.write_all(format!("{number} {:08x}\n", crc32c::crc32c(number.as_bytes())).as_bytes())?;
        file.sync_data()?;
        fs::rename(&temporary, &path)?;
        sync_folder(dir)
    };
    write().map_err(Error::io("cannot write", &path))
}

/// Takes the lock on a reader's name. It ends with the file.
pub(crate) fn lock_reader(dir: &Path, name: &str) -> Result<Lock, Error> {
    Lock::take(&dir.join(format!(".{name}.lock")), || Error::Reader(name.to_owned()))
}

/// Keeps others away as long as it is there.
#[derive(Debug)]
pub(crate) struct Lock(pub(crate) File);

impl Lock {
    /// Takes the lock on a file, which is made; `taken` is what it means that somebody has it.
    pub(crate) fn take(path: &Path, taken: impl FnOnce() -> Error) -> Result<Self, Error> {
        let file = File::options().create(true).truncate(false).write(true).open(path);
        let file = file.map_err(Error::io("cannot open", path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(taken()),
            Err(TryLockError::Error(error)) => Err(Error::io("cannot lock", path)(error)),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing it is not enough: a child process that another thread has just begun has the file, too, until it
        // executes its program.
        let _ = self.0.unlock();
    }
}

/// Leaves word where a reader is to go on.
pub(crate) fn write_seek(dir: &Path, name: &str, number: u64) -> Result<(), Error> {
    write_number(dir, name, SEEK, number)
}

/// Where a reader is to go on, if somebody has left word; it is told once. A word that is damaged is none.
pub(crate) fn take_seek(dir: &Path, name: &str) -> Result<Option<u64>, Error> {
    let path = dir.join(format!("{name}{SEEK}"));
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => {
            return Ok(None);
        }
        Err(error) => return Err(Error::io("cannot read", &path)(error)),
    };
    fs::remove_file(&path).map_err(Error::io("cannot remove", &path))?;
    Ok(parse_position(&text))
}

/// Removes a reader's position.
pub(crate) fn remove_position(dir: &Path, name: &str) -> Result<(), Error> {
    let path = dir.join(format!("{name}{POSITION}"));
    fs::remove_file(&path).and_then(|()| sync_folder(dir)).map_err(Error::io("cannot remove", &path))
}

/// Makes entries of the folder survive a power loss.
pub(crate) fn sync_folder(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Looks through all files, cuts off a torn tail, and counts what is damaged. Bodies are checked in the last
/// file alone: only there can a crash leave a block that is not whole. The others are checked when they are read.
pub(crate) fn recover(dir: &Path, counters: &mut Counters) -> Result<BTreeMap<u64, FileInfo>, Error> {
    let all = list(dir)?;
    let last = all.last().copied();
    let mut files = BTreeMap::new();
    for first in all {
        let path = path(dir, first);
        let is_last = Some(first) == last;
        let info = recover_file(&path, is_last, counters).map_err(Error::io("cannot read", &path))?;
        match info {
            Some(info) => {
                files.insert(first, info);
            }
            None => fs::remove_file(&path).map_err(Error::io("cannot remove", &path))?,
        }
    }
    Ok(files)
}

/// What one file holds; nothing when it holds no block.
fn recover_file(path: &Path, is_last: bool, counters: &mut Counters) -> io::Result<Option<FileInfo>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut scan = Scan::new(io::BufReader::new(&file));
    let mut info: Option<FileInfo> = None;
    // Behind the last sound block, and what was found damaged since.
    let (mut sound, mut blocks, mut records) = (0, 0u64, 0u64);
    loop {
        match scan.next(length)? {
            Item::End => break,
            Item::Junk(_) => {}
            Item::Short(header) => {
                blocks += 1;
                records += u64::from(header.records);
                scan.step();
            }
            Item::Block(header) => {
                if is_last && scan.body(&header)?.is_none() {
                    blocks += 1;
                    records += u64::from(header.records);
                    continue;
                }
                if !is_last {
                    scan.skip(&header);
                }
                let entry = info.get_or_insert(FileInfo { end: 0, bytes: 0 });
                entry.end = entry.end.max(header.end());
                // What is damaged in the middle is counted by whoever reads over it.
                (sound, blocks, records) = (scan.offset(), 0, 0);
            }
        }
    }
    if is_last && sound < length {
        counters.torn_blocks += blocks.max(1);
        counters.torn_bytes += length - sound;
        counters.torn_records += records;
        let file = File::options().write(true).open(path)?;
        file.set_len(sound)?;
        file.sync_all()?;
    }
    if let Some(info) = &mut info {
        info.bytes = if is_last { sound } else { length };
    }
    Ok(info)
}
