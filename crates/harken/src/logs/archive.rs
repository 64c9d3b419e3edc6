//! Logs that are complete: their names, what a killed process left behind, and how long they are kept.
//!
//! An archive is `YYYY-MM-DD/http.HH:MM:SS-HH:MM:SS.log`, begin and end in UTC, with `-2` and so on behind the
//! end when that name is taken, and `.gz` or `.zst` at the end of a compressed one. Only files with such a name
//! are ever compressed or removed. Their time is the time of their end.
use super::clock::{date, time_of_day, timestamp};
use super::stats::{Counters, count};
use anyhow::{Context as _, Result, bail};
use harken_event::{Form, zeek};
use rustix::fs::OFlags;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Folder of the logs that are being written.
pub const CURRENT: &str = "current";
/// Names of all logs that Harken writes, in any of its forms.
const NAMES: &[&str] = &[
    "http.log",
    "conn.log",
    "weird.log",
    "ssl.log",
    "quic.log",
    "websocket.log",
    "tunnel.log",
    "stats.log",
    "capture_loss.log",
    "events.json",
];
/// Bytes at the end of a file that are searched for its last line at a time.
const STEP: u64 = 64 << 10;
/// A file that may consist of a header alone is not larger than this.
const HEADER: u64 = 64 << 10;

/// An archive in its folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// When it ended. First, so that entries sort by age.
    pub time: SystemTime,
    /// Where it is.
    pub path: PathBuf,
    /// Bytes of the file.
    pub bytes: u64,
    /// What it is.
    pub kind: Kind,
}

/// What kind of file a name of the archive stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A log as it was written.
    Plain,
    /// A compressed one.
    Compressed,
    /// One whose compression was not completed.
    Unfinished,
}

/// Whether Harken writes a log of that name.
pub fn is_known(name: &str) -> bool {
    NAMES.contains(&name)
}

/// Makes sure that the folder of the current logs is there.
pub fn prepare(dir: &Path) -> Result<()> {
    let current = dir.join(CURRENT);
    fs::create_dir_all(&current).with_context(|| {
        format!(
            "cannot make the folder {}; give the user that runs harken leave to write there, or choose another \
             folder with --log-dir",
            current.display()
        )
    })
}

/// Moves each log that another run has left in `current` into the archive. What a full disk prevents is left to
/// the time when that log is begun anew.
pub fn leftovers(dir: &Path, counters: &Counters) -> Result<()> {
    for name in NAMES {
        match leftover(dir, name, counters).map_err(|error| io_error(&error)) {
            Err(error) if !is_full(&error) => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

/// Whether there is no room on the disk.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// The error with its whole text, and still of the kind of what caused it.
pub fn io_error(error: &anyhow::Error) -> io::Error {
    let cause = error.downcast_ref::<io::Error>();
    let kind = cause.map_or(io::ErrorKind::Other, io::Error::kind);
    io::Error::new(kind, format!("{error:#}"))
}

/// Moves the log `name` of another run into the archive, if it is there: what a killed process left is cut
/// after its last whole line, and a TSV log gets its end.
pub fn leftover(dir: &Path, name: &str, counters: &Counters) -> Result<()> {
    let path = dir.join(CURRENT).join(name);
    // A link is not followed: who owns the folder could make us change any file.
    let opened =
        OpenOptions::new().read(true).write(true).custom_flags(OFlags::NOFOLLOW.bits() as i32).open(&path);
    let file = match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.with_context(|| {
            format!("cannot open {}, the log of an earlier run; move it away", path.display())
        })?,
    };
    let describe = || format!("cannot put the log of an earlier run, {}, in order", path.display());
    let found = file.metadata().with_context(describe)?;
    if !found.is_file() {
        bail!("{} is not a file; move it away", path.display());
    }
    let end = found.modified().with_context(describe)?;
    let begin = found.created().map_or(end, |created| created.min(end));
    if put_in_order(&file, end).with_context(describe)? {
        count(&counters.cut);
    }
    if has_records(&file).with_context(describe)? {
        let _ = file.set_modified(end);
        store(dir, name, begin, end)?;
        count(&counters.archived);
        return Ok(());
    }
    fs::remove_file(&path).with_context(describe)
}

/// Cuts half a last line off and ends a TSV log. Returns whether something was cut off.
fn put_in_order(file: &File, end: SystemTime) -> io::Result<bool> {
    let length = file.metadata()?.len();
    let whole = line_end(file, length)?;
    if whole < length {
        file.set_len(whole)?;
    }
    let mut magic = [0; 10];
    let is_tsv = whole > 10 && file.read_exact_at(&mut magic, 0).is_ok() && &magic == b"#separator";
    let last = line_end(file, whole.saturating_sub(1))?;
    let mut close = [0; 7];
    let is_closed = file.read_exact_at(&mut close, last).is_ok() && &close == b"#close\t";
    if is_tsv && !is_closed && has_records(file)? {
        let mut foot = Vec::new();
        zeek::HTTP.footer(&mut foot, Form::Tsv, timestamp(end));
        if file.write_all_at(&foot, whole).is_err() {
            // A full disk: the log can be read without it.
            file.set_len(whole)?;
        }
    }
    Ok(whole < length)
}

/// Offset behind the last line feed before `length`.
fn line_end(file: &File, length: u64) -> io::Result<u64> {
    let mut end = length;
    while end > 0 {
        let begin = end.saturating_sub(STEP);
        let mut bytes = vec![0; usize::try_from(end - begin).unwrap_or(0)];
        file.read_exact_at(&mut bytes, begin)?;
        if let Some(at) = bytes.iter().rposition(|&byte| byte == b'\n') {
            return Ok(begin + at as u64 + 1);
        }
        end = begin;
    }
    Ok(0)
}

/// Whether there is anything but header lines.
fn has_records(file: &File) -> io::Result<bool> {
    let length = file.metadata()?.len();
    if length > HEADER {
        return Ok(true);
    }
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes.split(|&byte| byte == b'\n').any(|line| !line.is_empty() && !line.starts_with(b"#")))
}

/// Moves `current/NAME` into the archive under a name that is not taken.
pub fn store(dir: &Path, name: &str, begin: SystemTime, end: SystemTime) -> Result<()> {
    let folder = dir.join(date(begin));
    fs::create_dir_all(&folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, "log"));
    let span = format!("{stem}.{}-{}", time_of_day(begin), time_of_day(end));
    let mut target = folder.join(format!("{span}.{extension}"));
    for number in 2.. {
        if !is_taken(&target) {
            break;
        }
        target = folder.join(format!("{span}-{number}.{extension}"));
    }
    let path = dir.join(CURRENT).join(name);
    fs::rename(&path, &target)
        .with_context(|| format!("cannot move {} to {}", path.display(), target.display()))
}

fn is_taken(target: &Path) -> bool {
    ["", ".gz", ".zst"].iter().any(|ending| fs::symlink_metadata(with_ending(target, ending)).is_ok())
}

/// `path` with something behind its name.
pub fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}

/// All archives below `dir`, oldest first.
pub fn list(dir: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for folder in fs::read_dir(dir)? {
        let folder = folder?;
        let is_day = folder.file_name().to_str().is_some_and(|name| is_like(name, "0000-00-00"));
        if !is_day || !folder.file_type()?.is_dir() {
            continue;
        }
        for file in fs::read_dir(folder.path())? {
            let file = file?;
            let Some(kind) = file.file_name().to_str().and_then(kind) else { continue };
            // It may have gone since; links are no archives.
            let Ok(found) = fs::symlink_metadata(file.path()) else { continue };
            if found.is_file() {
                entries.push(Entry { time: found.modified()?, path: file.path(), bytes: found.len(), kind });
            }
        }
    }
    entries.sort_unstable_by(|a, b| (a.time, &a.path).cmp(&(b.time, &b.path)));
    Ok(entries)
}

/// What a file of that name is; `None` when it is not one of Harken's archives.
fn kind(name: &str) -> Option<Kind> {
    let (name, kind) = if let Some(name) = name.strip_suffix(".tmp") {
        (name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst"))?, Kind::Unfinished)
    } else if let Some(name) = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")) {
        (name, Kind::Compressed)
    } else {
        (name, Kind::Plain)
    };
    let (rest, extension) = name.rsplit_once('.')?;
    let (stem, span) = rest.rsplit_once('.')?;
    let known = NAMES.iter().any(|known| known.strip_prefix(stem) == Some(&format!(".{extension}")));
    let (times, number) = (span.get(..17)?, span.get(17..)?);
    let numbered =
        number.strip_prefix('-').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    (known && is_like(times, "00:00:00-00:00:00") && (number.is_empty() || numbered)).then_some(kind)
}

/// Whether `text` has digits where `shape` has them, and is the same elsewhere.
fn is_like(text: &str, shape: &str) -> bool {
    let same = |(a, b): (u8, u8)| if b == b'0' { a.is_ascii_digit() } else { a == b };
    text.len() == shape.len() && text.bytes().zip(shape.bytes()).all(same)
}

/// Removes archives that ended before `oldest`, then the oldest ones until all logs together are at most `most`
/// bytes. Returns how many were removed.
pub fn retain(dir: &Path, oldest: Option<SystemTime>, most: Option<u64>) -> io::Result<u64> {
    if oldest.is_none() && most.is_none() {
        return Ok(0);
    }
    let entries = list(dir)?;
    let current = NAMES.iter().filter_map(|name| fs::symlink_metadata(dir.join(CURRENT).join(name)).ok());
    let mut total = entries.iter().map(|entry| entry.bytes).sum::<u64>();
    total += current.map(|found| found.len()).sum::<u64>();
    let mut removed = 0;
    for entry in entries {
        let is_old = oldest.is_some_and(|oldest| entry.time < oldest);
        let is_too_much = most.is_some_and(|most| total > most);
        if !is_old && !is_too_much {
            break;
        }
        match fs::remove_file(&entry.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        total -= entry.bytes;
        removed += 1;
        if let Some(folder) = entry.path.parent() {
            // Only an empty one goes.
            let _ = fs::remove_dir(folder);
        }
    }
    Ok(removed)
}

/// Keeps other processes from writing logs into a folder.
#[derive(Debug)]
pub struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing it is not enough: a child process that another thread has just begun has the file, too, until it
        // executes its program.
        let _ = self.0.unlock();
    }
}

/// Makes sure that no other process writes logs into `dir`, as long as the lock is there.
pub fn lock(dir: &Path) -> Result<Lock> {
    let path = dir.join(".lock");
    let flags = OFlags::NOFOLLOW.bits() as i32;
    let opened = OpenOptions::new().create(true).truncate(false).write(true).custom_flags(flags).open(&path);
    let mut file = opened.with_context(|| format!("cannot write {}", path.display()))?;
    match file.try_lock() {
        Err(fs::TryLockError::WouldBlock) => bail!(
            "another process writes logs into {}; choose another folder with --log-dir, or end that process \
             (its number is in {})",
            dir.display(),
            path.display()
        ),
        // A file system without locks is no reason not to write logs.
        Err(fs::TryLockError::Error(_)) | Ok(()) => {}
    }
    // The number is for people. A full disk may well refuse it.
    let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    Ok(Lock(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_free_although_a_child_process_still_has_its_lock_file() {
        let dir = tempfile::tempdir().unwrap();
        let held = lock(dir.path()).unwrap();
        let inherited = held.0.try_clone().unwrap();
        assert!(lock(dir.path()).is_err());
        drop(held);
        lock(dir.path()).unwrap();
        drop(inherited);
    }

    #[test]
    fn names_of_archives() {
        for (name, expected) in [
            ("http.10:00:00-11:00:00.log", Some(Kind::Plain)),
            ("http.10:00:00-11:00:00.log.gz", Some(Kind::Compressed)),
            ("capture_loss.10:00:00-11:00:00-12.log.zst", Some(Kind::Compressed)),
            ("events.10:00:00-11:00:00.json.gz.tmp", Some(Kind::Unfinished)),
            ("events.10:00:00-11:00:00.log", None),
            ("http.10:00:00-11:00:00-.log", None),
            ("http.10:00:00-11:00:00-x.log", None),
            ("http.10:00:00-11:00.log", None),
            ("http.10:00:00-11:00:0é.log", None),
            ("http.log", None),
            ("notes.10:00:00-11:00:00.log", None),
            ("http.10:00:00-11:00:00.log.bz2", None),
            ("http.10:00:00-11:00:00.log.tmp", None),
            ("", None),
        ] {
            assert_eq!(kind(name), expected, "{name}");
        }
    }
}
