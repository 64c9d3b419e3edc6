//! `connector.log`: what the operator reads.
use chrono::{DateTime, Utc};
use file_rotate::compression::Compression;
use file_rotate::suffix::AppendCount;
use file_rotate::{ContentLimit, FileRotate};
use std::fmt;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// All is well.
    Info,
    /// Something is wrong and is dealt with.
    Warn,
    /// Somebody has to do something.
    Error,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        })
    }
}

/// Where lines go.
pub trait Log: Send + Sync {
    /// Writes a line with the time before it.
    fn say(&self, level: Level, text: &str);
}

/// A time in UTC with milliseconds, for example `2022-01-26T22:19:59.344Z`.
pub fn timestamp(time: SystemTime) -> String {
    DateTime::<Utc>::from(time).format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// A file that is rotated by size: `connector.log`, `connector.log.1`, `connector.log.2.gz` and so on.
pub struct FileLog {
    file: Mutex<FileRotate<AppendCount>>,
}

impl fmt::Debug for FileLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileLog")
    }
}

impl FileLog {
    /// Goes on with the file of that path; a new one is begun after `bytes`, and `keep` old ones are kept,
    /// all but the newest of them compressed by gzip. The folder must exist.
    ///
    /// # Errors
    ///
    /// A file that cannot be opened for writing.
    pub fn open(path: &Path, bytes: usize, keep: usize) -> std::io::Result<Self> {
        // The library panics where it cannot open the file, so that is tried before.
        std::fs::File::options().create(true).append(true).open(path)?;
        let suffix = AppendCount::new(keep);
        let limit = ContentLimit::BytesSurpassed(bytes);
        let file = FileRotate::new(path, suffix, limit, Compression::OnRotate(1), None);
        Ok(Self { file: Mutex::new(file) })
    }
}

impl Log for FileLog {
    fn say(&self, level: Level, text: &str) {
        // A block begins on a line of its own.
        let gap = if text.starts_with('\n') { "" } else { " " };
        let line = format!("{} {level}{gap}{text}\n", timestamp(SystemTime::now()));
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // A full disk must not stop the delivery; the figures are in the status as well.
        let _ = file.write_all(line.as_bytes()).and_then(|()| file.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use std::time::Duration;

    #[test]
    fn times_have_milliseconds() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_643_235_599_344);
        assert_eq!(timestamp(time), "2022-01-26T22:19:59.344Z");
    }

    #[test]
    fn old_files_are_compressed_and_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("connector.log");
        for part in 0..2 {
            let log = FileLog::open(&path, 100, 3).unwrap();
            for line in 0..6 {
                log.say(Level::Warn, &format!("line {part} {line} {}", "x".repeat(80)));
            }
        }
        let mut names: Vec<_> =
            std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["connector.log", "connector.log.1", "connector.log.2.gz", "connector.log.3.gz"]);
        let mut text = String::new();
        let old = std::fs::File::open(dir.path().join("connector.log.2.gz")).unwrap();
        flate2::read::GzDecoder::new(old).read_to_string(&mut text).unwrap();
        assert!(text.contains(" warn line 1 "), "{text}");
    }

    #[test]
    fn a_folder_that_is_missing_is_an_error() {
        assert!(FileLog::open(Path::new("/nonexistent/connector.log"), 100, 3).is_err());
    }
}
