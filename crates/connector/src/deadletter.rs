//! Dead letters: events that a datasink will never take, kept with the reason, to be looked at and sent
//! again.
//!
//! Each route has a folder `PIPELINE.DATASINK` with files `NUMBER.jsonl`, a letter a line; `lock` keeps the
//! connector and `harken deadletter replay` apart.
use crate::files;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::fs::{self, File, TryLockError};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

/// Files that the bound is divided into: the oldest is dropped as a whole.
const PARTS: u64 = 8;
/// Ending of the files.
const ENDING: &str = "jsonl";

/// A letter.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Letter {
    /// When it was put aside.
    pub time: String,
    /// The pipeline.
    pub pipeline: String,
    /// The datasink.
    pub datasink: String,
    /// Why, in the datasink's words.
    pub reason: String,
    /// The status that the datasink answered with.
    pub status: Option<u16>,
    /// How many times its batch was tried.
    pub attempts: u32,
    /// The event, as it was to be written. What is no JSON is a text.
    pub event: Box<RawValue>,
}

/// The event as JSON: itself, or where it is none, a text with what it was.
pub(crate) fn raw(event: &[u8]) -> Box<RawValue> {
    let text = String::from_utf8_lossy(event).into_owned();
    RawValue::from_string(text)
        .or_else(|_| {
            RawValue::from_string(serde_json::Value::from(String::from_utf8_lossy(event)).to_string())
        })
        .unwrap_or_default()
}

/// The folder of one route's letters.
#[derive(Debug, Clone)]
pub struct Folder {
    dir: PathBuf,
    max_bytes: u64,
}

/// A file whose lock is given up when it goes.
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing it is not enough: a child process that another thread has just begun has the file, too, until it
        // executes its program.
        let _ = self.0.unlock();
    }
}

impl Folder {
    /// The folder of a route inside `dir`, bounded to about `max_bytes`. Nothing is made yet.
    pub fn new(dir: &Path, pipeline: &str, datasink: &str, max_bytes: u64) -> Self {
        Self { dir: dir.join(format!("{pipeline}.{datasink}")), max_bytes }
    }

    /// Adds letters, durably. How many old ones were dropped at the bound.
    ///
    /// # Errors
    ///
    /// What the system gives, with the file.
    pub fn add(&self, letters: &[Letter]) -> io::Result<u64> {
        fs::create_dir_all(&self.dir)?;
        let _lock = self.lock()?;
        let mut numbers = self.numbers(ENDING)?;
        let part = self.max_bytes / PARTS;
        let mut newest = match numbers.last() {
            Some(newest) if self.size(*newest)? < part => *newest,
            Some(newest) => newest + 1,
            // Behind those that are being sent again, which must not be overwritten by the next time.
            None => self.numbers("replay")?.last().map_or(0, |newest| newest + 1),
        };
        let mut text = Vec::new();
        for letter in letters {
            serde_json::to_writer(&mut text, letter)?;
            text.push(b'\n');
        }
        if numbers.last() != Some(&newest) {
            numbers.push(newest);
        } else if self.is_torn(newest)? {
            // A crash has cut the last line: what follows must not become part of it.
            newest += 1;
            numbers.push(newest);
        }
        let path = self.path(newest);
        let mut file = File::options().create(true).append(true).open(&path)?;
        file.write_all(&text)?;
        file.sync_data()?;
        files::sync_folder(&path)?;
        let mut dropped = 0;
        let mut bytes = 0;
        for number in numbers.iter().rev() {
            bytes += self.size(*number)?;
            if bytes > self.max_bytes && *number != newest {
                dropped += self.count(*number)?;
                fs::remove_file(self.path(*number))?;
            }
        }
        Ok(dropped)
    }

    /// Gives all letters to `each`, the oldest first; a line that is no letter (cut by a crash) is passed
    /// over.
    ///
    /// # Errors
    ///
    /// What the system gives.
    pub fn read(&self, each: &mut dyn FnMut(Letter)) -> io::Result<()> {
        for number in self.numbers(ENDING)? {
            read_file(&self.path(number), each)?;
        }
        Ok(())
    }

    /// Takes all letters out: `deliver` gets them in parts, the oldest first, and gives back those that have
    /// to stay. A part is deleted once what stays of it was written again, so that a crash repeats a part at
    /// most.
    ///
    /// # Errors
    ///
    /// What the system gives.
    pub fn replay(&self, deliver: &mut dyn FnMut(Vec<Letter>) -> Vec<Letter>) -> io::Result<()> {
        if !self.dir.is_dir() {
            return Ok(());
        }
        let alone = self.open_lock("replay.lock")?;
        alone.0.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => io::Error::other("another replay of these dead letters is under way"),
            TryLockError::Error(error) => error,
        })?;
        let lock = self.lock()?;
        let taken = self.numbers(ENDING)?;
        // The connector goes on behind these; what is taken now is no longer its own.
        let mut parts: Vec<PathBuf> = self.list("replay")?;
        for number in taken {
            let part = self.dir.join(format!("{number:020}.replay"));
            fs::rename(self.path(number), &part)?;
            parts.push(part);
        }
        drop(lock);
        parts.sort();
        parts.dedup();
        for part in parts {
            let mut letters = Vec::new();
            read_file(&part, &mut |letter| letters.push(letter))?;
            let stay = deliver(letters);
            if !stay.is_empty() {
                self.add(&stay)?;
            }
            fs::remove_file(&part)?;
        }
        Ok(())
    }

    fn lock(&self) -> io::Result<Lock> {
        let lock = self.open_lock("lock")?;
        lock.0.lock()?;
        Ok(lock)
    }

    fn open_lock(&self, name: &str) -> io::Result<Lock> {
        let file = File::options().create(true).truncate(false).write(true).open(self.dir.join(name));
        file.map(Lock)
    }

    fn path(&self, number: u64) -> PathBuf {
        self.dir.join(format!("{number:020}.{ENDING}"))
    }

    fn size(&self, number: u64) -> io::Result<u64> {
        Ok(fs::metadata(self.path(number))?.len())
    }

    fn count(&self, number: u64) -> io::Result<u64> {
        let mut count = 0;
        read_file(&self.path(number), &mut |_| count += 1)?;
        Ok(count)
    }

    fn is_torn(&self, number: u64) -> io::Result<bool> {
        use std::io::{Read as _, Seek as _, SeekFrom};
        let mut file = File::open(self.path(number))?;
        let mut last = [b'\n'];
        if file.metadata()?.len() > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        }
        Ok(last != *b"\n")
    }

    fn list(&self, ending: &str) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|found| found == ending) {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }

    /// The numbers of the files with that ending, the oldest first.
    fn numbers(&self, ending: &str) -> io::Result<Vec<u64>> {
        let number = |path: PathBuf| path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
        Ok(self.list(ending)?.into_iter().filter_map(number).collect())
    }
}

fn read_file(path: &Path, each: &mut dyn FnMut(Letter)) -> io::Result<()> {
    let mut file = BufReader::new(File::open(path)?);
    let mut line = Vec::new();
    while file.read_until(b'\n', &mut line)? > 0 {
        if let Ok(letter) = serde_json::from_slice(&line) {
            each(letter);
        }
        line.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(n: u32) -> Letter {
        Letter {
            time: "2026-11-25T22:45:00.123Z".into(),
            pipeline: "p".into(),
            datasink: "d".into(),
            reason: "answered 400".into(),
            status: Some(400),
            attempts: 1,
            event: raw(format!("{{\"n\":{n}}}").as_bytes()),
        }
    }

    fn events(folder: &Folder) -> Vec<String> {
        let mut all = Vec::new();
        folder.read(&mut |letter| all.push(letter.event.get().to_owned())).unwrap();
        all
    }

    #[test]
    fn the_oldest_are_dropped_and_counted() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path(), "p", "d", 2_000);
        let dropped: u64 = (0..100).map(|n| folder.add(&[letter(n)]).unwrap()).sum();
        let kept = events(&folder);
        assert_eq!(dropped + kept.len() as u64, 100);
        assert!((10..=20).contains(&kept.len()), "{}", kept.len());
        assert_eq!(kept.last().unwrap(), "{\"n\":99}");
    }

    #[test]
    fn a_torn_line_costs_itself_only() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path(), "p", "d", 1 << 20);
        folder.add(&[letter(0), letter(1)]).unwrap();
        let path = folder.path(0);
        let text = fs::read(&path).unwrap();
        fs::write(&path, &text[..text.len() - 5]).unwrap();
        folder.add(&[letter(2)]).unwrap();
        assert_eq!(events(&folder), ["{\"n\":0}", "{\"n\":2}"]);
    }

    #[test]
    fn a_replay_keeps_what_is_not_delivered_and_survives_a_crash() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path(), "p", "d", 1 << 20);
        folder.replay(&mut |_| panic!("there are none")).unwrap();
        folder.add(&[letter(0), letter(1), letter(2)]).unwrap();
        // A crash after they were taken.
        fs::rename(folder.path(0), dir.path().join("p.d/00000000000000000000.replay")).unwrap();
        folder.add(&[letter(3)]).unwrap();
        let mut given = Vec::new();
        let mut deliver = |letters: Vec<Letter>| {
            // One that comes in meanwhile stays.
            folder.add(&[letter(4)]).unwrap();
            let nested = folder.replay(&mut |_| panic!("another replay is under way"));
            assert!(nested.is_err());
            given.extend(letters.iter().map(|letter| letter.event.get().to_owned()));
            letters.into_iter().filter(|letter| letter.event.get().contains('1')).collect()
        };
        folder.replay(&mut deliver).unwrap();
        assert_eq!(given, [0, 1, 2, 3].map(|n| format!("{{\"n\":{n}}}")));
        assert_eq!(events(&folder), [4, 1, 4].map(|n| format!("{{\"n\":{n}}}")));
    }

    #[test]
    fn what_is_no_json_is_kept_as_a_text() {
        assert_eq!(raw(b"{\"a\": 1}").get(), "{\"a\": 1}");
        assert_eq!(raw(b"{\"a").get(), r#""{\"a""#);
    }
}
