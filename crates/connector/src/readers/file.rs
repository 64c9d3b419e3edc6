//! Reads a file with an event a line, from a position that survives a restart.
use super::{Next, Reader};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Bytes that are read at once.
const STEP: usize = 256 << 10;
/// The longest line; what is longer is no event of a sensor, and is passed over.
const LONGEST: usize = 64 << 20;
/// Pause before looking for new lines again.
const PAUSE: Duration = Duration::from_millis(50);

/// How far a file is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    /// Lines before it.
    line: u64,
    /// Bytes before it.
    offset: u64,
}

/// A reader of lines. Empty lines are passed over.
#[derive(Debug)]
pub struct FileReader {
    path: PathBuf,
    position: PathBuf,
    follow: bool,
    file: File,
    /// Where `rest` begins.
    place: Place,
    /// Bytes that were read behind the last whole line.
    rest: Vec<u8>,
    /// A line is being passed over because it is too long.
    skips: bool,
    /// The places behind lines that were given and are not committed.
    given: VecDeque<Place>,
}

impl FileReader {
    /// Opens the file at the place that the file `position` has; `follow` waits at its end for more.
    ///
    /// # Errors
    ///
    /// A file that cannot be opened, or a position that cannot be read.
    pub fn open(path: &Path, position: &Path, follow: bool) -> Result<Self, String> {
        let failed = |path: &Path| {
            let path = path.display().to_string();
            move |error: std::io::Error| format!("cannot read {path}: {error}")
        };
        let mut file = File::open(path).map_err(failed(path))?;
        let mut place = match std::fs::read(position) {
            Ok(text) => serde_json::from_slice(&text)
                .map_err(|error| format!("{}: {error}; delete it to begin again", position.display()))?,
            Err(error) if error.kind() == ErrorKind::NotFound => Place::default(),
            Err(error) => return Err(failed(position)(error)),
        };
        if file.metadata().map_err(failed(path))?.len() < place.offset {
            // Another file of the same name: all of it is new.
            place = Place::default();
        }
        file.seek(SeekFrom::Start(place.offset)).map_err(failed(path))?;
        let (path, position) = (path.to_owned(), position.to_owned());
        let (rest, given) = (Vec::new(), VecDeque::new());
        Ok(Self { path, position, follow, file, place, rest, skips: false, given })
    }

    /// Gives the whole lines of what was read; whether there was one. `end`: what has no line end is a line,
    /// too.
    fn give(&mut self, end: bool, each: &mut dyn FnMut(u64, &[u8])) -> bool {
        let mut given = false;
        let mut rest = std::mem::take(&mut self.rest);
        let mut start = 0;
        loop {
            let tail = rest.get(start..).unwrap_or_default();
            let (line, length) = match tail.iter().position(|byte| *byte == b'\n') {
                Some(length) => (tail.get(..length).unwrap_or_default(), length + 1),
                None if end && !tail.is_empty() => (tail, tail.len()),
                None => break,
            };
            let number = self.place.line;
            self.place.line += 1;
            self.place.offset += length as u64;
            if !std::mem::take(&mut self.skips) && !line.trim_ascii().is_empty() {
                self.given.push_back(self.place);
                each(number, line.trim_ascii());
                given = true;
            }
            start += length;
        }
        rest.drain(..start);
        if rest.len() > LONGEST {
            self.place.offset += rest.len() as u64;
            rest.clear();
            self.skips = true;
        }
        self.rest = rest;
        given
    }
}

impl Reader for FileReader {
    fn next(&mut self, timeout: Duration, each: &mut dyn FnMut(u64, &[u8])) -> Result<Next, String> {
        let deadline = Instant::now() + timeout;
        loop {
            let before = self.rest.len();
            let read = (&mut self.file).take(STEP as u64).read_to_end(&mut self.rest);
            read.map_err(|error| format!("cannot read {}: {error}", self.path.display()))?;
            let end = self.rest.len() == before;
            if self.give(end && !self.follow, each) {
                return Ok(Next::Some);
            }
            if end && !self.follow {
                return Ok(Next::End);
            }
            if end && Instant::now() >= deadline {
                return Ok(Next::Nothing);
            }
            if end {
                std::thread::sleep(PAUSE.min(deadline.saturating_duration_since(Instant::now())));
            }
        }
    }

    fn commit(&mut self, before: u64) -> Result<(), String> {
        let mut place = None;
        while let Some(given) = self.given.front().filter(|given| given.line <= before) {
            place = Some(*given);
            self.given.pop_front();
        }
        let Some(place) = place else { return Ok(()) };
        let text = serde_json::json!(place).to_string();
        crate::files::replace(&self.position, text.as_bytes())
            .map_err(|error| format!("cannot write {}: {error}", self.position.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn drain(reader: &mut FileReader) -> Vec<(u64, String)> {
        let mut all = Vec::new();
        let mut each = |number, line: &[u8]| all.push((number, String::from_utf8(line.to_vec()).unwrap()));
        while reader.next(Duration::ZERO, &mut each).unwrap() == Next::Some {}
        all
    }

    fn texts(all: &[(u64, String)]) -> Vec<&str> {
        all.iter().map(|(_, line)| line.as_str()).collect()
    }

    #[test]
    fn it_goes_on_where_it_committed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, position) = (dir.path().join("in"), dir.path().join("position"));
        std::fs::write(&path, "{1}\n\n{2}\r\n{3}\n{4}").unwrap();
        let mut reader = FileReader::open(&path, &position, false).unwrap();
        let all = drain(&mut reader);
        assert_eq!(texts(&all), ["{1}", "{2}", "{3}", "{4}"]);
        reader.commit(all[2].0).unwrap();
        let mut reader = FileReader::open(&path, &position, false).unwrap();
        let rest = drain(&mut reader);
        assert_eq!(rest, all[2..]);
        reader.commit(rest[1].0 + 1).unwrap();
        assert!(drain(&mut FileReader::open(&path, &position, false).unwrap()).is_empty());
        // Shorter than the position: another file.
        std::fs::write(&path, "{5}\n").unwrap();
        assert_eq!(texts(&drain(&mut FileReader::open(&path, &position, false).unwrap())), ["{5}"]);
        std::fs::write(&position, "x").unwrap();
        assert!(FileReader::open(&path, &position, false).unwrap_err().contains("delete it to begin again"));
    }

    #[test]
    fn it_waits_for_the_end_of_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let (path, position) = (dir.path().join("in"), dir.path().join("position"));
        std::fs::write(&path, "{1}\n{2").unwrap();
        let mut reader = FileReader::open(&path, &position, true).unwrap();
        assert_eq!(texts(&drain(&mut reader)), ["{1}"]);
        File::options().append(true).open(&path).unwrap().write_all(b"}\n").unwrap();
        assert_eq!(texts(&drain(&mut reader)), ["{2}"]);
    }
}
