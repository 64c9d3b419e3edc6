//! A file with an event a line (NDJSON, or Zeek's `http.log`), rotated by size and age, old files compressed by gzip.
use crate::config::Delivery;
use crate::datasink::{Batch, Datasink, Failure, Invalid, Limits, Refusal};
use crate::datasinks::fields;
use crate::datasinks::stdout::lines;
use crate::files;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use flate2::write::GzEncoder;
use harken_event::Form;
use harken_event::zeek::{HTTP, of_event};
use harken_wire::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// Settings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The file that is written to, for example `events/events.ndjson`; its folder is made when it is
    /// missing. What is rotated lies beside it as `events-20261125T224500.123Z.ndjson.gz`.
    pub path: PathBuf,
    /// What is written of an event.
    #[serde(default)]
    pub format: Format,
    /// Bytes after which a new file is begun.
    #[serde(default = "max_bytes")]
    pub max_bytes: u64,
    /// Seconds after which a new file is begun, when something is written.
    #[serde(default = "max_age_s")]
    pub max_age_s: u64,
    /// Old files that are kept; nothing for all.
    #[serde(default)]
    pub keep: Option<usize>,
    /// Old files are compressed by gzip.
    #[serde(default = "gzip")]
    pub gzip: bool,
    /// How it is fed.
    #[serde(default)]
    pub delivery: Delivery,
}

/// What is written of an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// All of it, a JSON object a line.
    #[default]
    Ndjson,
    /// The line of Zeek's `http.log`, as JSON.
    ZeekJson,
    /// The same as tab-separated values below header lines, for `zeek-cut`.
    ZeekTsv,
}

impl Format {
    /// Zeek's form.
    fn zeek(self) -> Option<Form> {
        match self {
            Self::Ndjson => None,
            Self::ZeekJson => Some(Form::Json),
            Self::ZeekTsv => Some(Form::Tsv),
        }
    }

    /// What stands above the lines of a file.
    fn header(self) -> Vec<u8> {
        let mut header = Vec::new();
        if let Some(form) = self.zeek() {
            HTTP.header(&mut header, form, now());
        }
        header
    }

    /// What stands below the lines of a file that is complete.
    fn footer(self) -> Vec<u8> {
        let mut footer = Vec::new();
        if let Some(form) = self.zeek() {
            HTTP.footer(&mut footer, form, now());
        }
        footer
    }

    /// The lines of a batch, and the places of those events that have none.
    fn lines(self, batch: &Batch) -> (Vec<u8>, Vec<usize>) {
        let Some(form) = self.zeek() else { return (lines(batch), Vec::new()) };
        let (mut text, mut without) = (Vec::new(), Vec::new());
        for (place, event) in batch.events().iter().enumerate() {
            let value = serde_json::from_slice::<Value>(&event.json).unwrap_or_default();
            match fields::time(&value).and_then(|time| u64::try_from(time).ok()) {
                Some(time) => of_event::http(&value, Timestamp(time), form, &mut text),
                None => without.push(place),
            }
        }
        (text, without)
    }
}

/// The time of this machine.
fn now() -> Timestamp {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
}

fn max_bytes() -> u64 {
    100 << 20
}

fn max_age_s() -> u64 {
    3600
}

fn gzip() -> bool {
    true
}

/// The datasink.
#[derive(Debug, Clone)]
pub struct FileSink(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    open: Mutex<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    file: File,
    bytes: u64,
    /// Bytes of what stands above the lines.
    header: u64,
    since: SystemTime,
}

impl FileSink {
    /// Nothing is opened yet.
    ///
    /// # Errors
    ///
    /// A path that is no file name.
    pub fn new(config: &Config) -> Result<Self, String> {
        if config.path.file_name().is_none() {
            return Err(format!("path: '{}' is no file name", config.path.display()));
        }
        Ok(Self(Arc::new(Inner { config: config.clone(), open: Mutex::new(None) })))
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> io::Result<T> + Send + 'static,
    ) -> Result<T, String> {
        let inner = Arc::clone(&self.0);
        let path = self.0.config.path.display().to_string();
        let error = match tokio::task::spawn_blocking(move || work(&inner)).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => error,
            Err(error) => io::Error::other(error),
        };
        Err(format!("cannot write {path}: {}", files::with_mend(&error)))
    }
}

#[async_trait]
impl Datasink for FileSink {
    fn kind(&self) -> &'static str {
        "file"
    }

    /// One lane, so that the lines have the order of the events.
    fn limits(&self) -> Limits {
        Limits { in_flight: 1, ..Limits::default() }
    }

    async fn check(&self) -> Result<(), Invalid> {
        let opened = self.blocking(|inner| inner.with(|_| Ok(()))).await;
        opened.map_err(Invalid::new)
    }

    async fn write(&self, batch: &Batch) -> Result<(), Failure> {
        let (text, without) = self.0.config.format.lines(batch);
        self.blocking(move |inner| inner.write(&text)).await.map_err(Failure::passing)?;
        if without.is_empty() {
            return Ok(());
        }
        let refusal =
            || Refusal { reason: "it is no transaction: it has no @timestamp".to_owned(), status: None };
        Err(Failure::Partial(without.into_iter().map(|place| (place, refusal())).collect()))
    }
}

impl Inner {
    fn with<T>(&self, work: impl FnOnce(&mut Open) -> io::Result<T>) -> io::Result<T> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.is_none() {
            *open = Some(self.open()?);
        }
        match open.as_mut() {
            Some(open) => work(open),
            None => Err(io::Error::other("it is not open")),
        }
    }

    fn open(&self) -> io::Result<Open> {
        let path = &self.config.path;
        if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
            fs::create_dir_all(dir)?;
        }
        let mut file = File::options().create(true).truncate(false).read(true).write(true).open(path)?;
        let mut bytes = cut_tail(&mut file)?;
        let header = self.config.format.header();
        if bytes < header.len() as u64 {
            // It is new, or a crash has left a part of its header.
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(&header)?;
            bytes = header.len() as u64;
        }
        file.seek(SeekFrom::End(0))?;
        files::sync_folder(path)?;
        let since = file
            .metadata()?
            .created()
            .ok()
            .filter(|_| bytes > header.len() as u64)
            .unwrap_or_else(SystemTime::now);
        Ok(Open { file, bytes, header: header.len() as u64, since })
    }

    /// Writes whole lines, durably, or nothing.
    fn write(&self, text: &[u8]) -> io::Result<()> {
        let rotated = self.rotate_when_due(text.len() as u64)?;
        let written = self.with(|open| {
            let written = open.file.write_all(text).and_then(|()| open.file.sync_data());
            if let Err(error) = written {
                // A part of a batch that comes again must not stay.
                open.file.set_len(open.bytes)?;
                open.file.seek(SeekFrom::End(0))?;
                return Err(error);
            }
            open.bytes += text.len() as u64;
            Ok(())
        });
        if rotated {
            // What does not work now is done after the next rotation.
            let _ = self.tidy_up();
        }
        written
    }

    fn rotate_when_due(&self, more: u64) -> io::Result<bool> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(now) = open.as_mut().filter(|open| open.bytes > open.header) else { return Ok(false) };
        let old = now.since.elapsed().unwrap_or_default() >= Duration::from_secs(self.config.max_age_s);
        if now.bytes + more <= self.config.max_bytes && !old {
            return Ok(false);
        }
        let mut to = self.rotated(SystemTime::now());
        while to.exists() || files::beside(&to, ".gz").exists() {
            std::thread::sleep(Duration::from_millis(1));
            to = self.rotated(SystemTime::now());
        }
        now.file.write_all(&self.config.format.footer())?;
        fs::rename(&self.config.path, &to)?;
        *open = None;
        Ok(true)
    }

    /// Beginning and end of the names of rotated files.
    fn parts(&self) -> (String, String) {
        let part = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
        let ending = part(self.config.path.extension());
        let dot = if ending.is_empty() { "" } else { "." };
        (format!("{}-", part(self.config.path.file_stem())), format!("{dot}{ending}"))
    }

    fn rotated(&self, time: SystemTime) -> PathBuf {
        let (begin, end) = self.parts();
        let time = DateTime::<Utc>::from(time).format("%Y%m%dT%H%M%S%.3fZ");
        self.config.path.with_file_name(format!("{begin}{time}{end}"))
    }

    /// Compresses what was rotated and is not yet compressed, and deletes what is too much.
    fn tidy_up(&self) -> io::Result<()> {
        let (begin, end) = self.parts();
        let dir = match self.config.path.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir,
            _ => Path::new("."),
        };
        let mut all = Vec::new();
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let plain = name.strip_suffix(".gz").unwrap_or(&name);
            if plain.starts_with(&begin) && plain.ends_with(&end) && is_stamp(plain, &begin, &end) {
                all.push((name.ends_with(".gz"), path));
            }
        }
        all.sort_by(|a, b| a.1.cmp(&b.1));
        let too_many = self.config.keep.map_or(0, |keep| all.len().saturating_sub(keep));
        for (_, path) in all.iter().take(too_many) {
            fs::remove_file(path)?;
        }
        for (_, path) in all.iter().skip(too_many).filter(|(compressed, _)| self.config.gzip && !compressed) {
            compress(path)?;
        }
        Ok(())
    }
}

/// Whether between the two there is a time as [`Inner::rotated`] writes it.
fn is_stamp(name: &str, begin: &str, end: &str) -> bool {
    let stamp = name.strip_prefix(begin).and_then(|rest| rest.strip_suffix(end)).unwrap_or_default();
    stamp.len() == "20261125T224500.123Z".len()
        && stamp.ends_with('Z')
        && stamp.as_bytes().get(8) == Some(&b'T')
}

/// Cuts off what is behind the last line end: a crash has left it, and it comes again. The length then.
fn cut_tail(file: &mut File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let whole = end;
    let mut part = Vec::new();
    while end > 0 {
        let begin = end.saturating_sub(64 << 10);
        file.seek(SeekFrom::Start(begin))?;
        part.clear();
        file.take(end - begin).read_to_end(&mut part)?;
        if let Some(place) = part.iter().rposition(|byte| *byte == b'\n') {
            end = begin + place as u64 + 1;
            break;
        }
        end = begin;
    }
    if end < whole {
        file.set_len(end)?;
    }
    Ok(end)
}

fn compress(path: &Path) -> io::Result<()> {
    let part = files::beside(path, ".gz.part");
    let mut encoder = GzEncoder::new(File::create(&part)?, flate2::Compression::default());
    io::copy(&mut File::open(path)?, &mut encoder)?;
    encoder.finish()?.sync_data()?;
    fs::rename(&part, files::beside(path, ".gz"))?;
    files::sync_folder(path)?;
    fs::remove_file(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasink::Event;
    use std::collections::BTreeSet;

    fn config(path: &Path, text: &str) -> Config {
        let mut value: Value = serde_json::from_str(text).unwrap();
        value["path"] = path.to_str().unwrap().into();
        serde_json::from_value(value).unwrap()
    }

    fn batch(numbers: std::ops::Range<u64>) -> Batch {
        Batch::new(
            numbers.map(|number| Event { number, json: format!("{{\"n\":{number}}}").into() }).collect(),
        )
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn lines_are_whole_after_a_crash_and_a_rotation() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/events.ndjson");
        let config = config(&path, r#"{"max_bytes": 40}"#);
        let sink = FileSink::new(&config).unwrap();
        sink.check().await.unwrap();
        sink.write(&batch(0..3)).await.unwrap();
        drop(sink);
        File::options().append(true).open(&path).unwrap().write_all(b"{\"n\":9").unwrap();
        let sink = FileSink::new(&config).unwrap();
        sink.write(&batch(3..4)).await.unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"n\":0}\n{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n");
        sink.write(&batch(4..8)).await.unwrap();
        assert!(fs::read_to_string(&path).unwrap().starts_with("{\"n\":4}\n"));
        let names = names(&dir.path().join("a"));
        assert_eq!(names.len(), 2, "{names:?}");
        assert!(names[0].starts_with("events-2") && names[0].ends_with("Z.ndjson.gz"), "{names:?}");
        let old = File::open(dir.path().join("a").join(&names[0])).unwrap();
        let text = io::read_to_string(flate2::read::GzDecoder::new(old)).unwrap();
        assert_eq!(text, "{\"n\":0}\n{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n");
    }

    #[tokio::test]
    async fn old_files_are_bounded_and_others_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events");
        fs::write(dir.path().join("events-of-others"), "x").unwrap();
        let sink = FileSink::new(&config(&path, r#"{"max_bytes": 8, "keep": 2, "gzip": false}"#)).unwrap();
        for number in 0..6 {
            sink.write(&batch(number..number + 1)).await.unwrap();
        }
        let names: BTreeSet<_> = names(dir.path()).into_iter().collect();
        assert_eq!(names.len(), 4, "{names:?}");
        assert!(names.contains("events-of-others"));
        let kept: Vec<_> =
            names.iter().map(|name| fs::read_to_string(dir.path().join(name)).unwrap()).collect();
        assert_eq!(kept, ["{\"n\":5}\n", "{\"n\":3}\n", "{\"n\":4}\n", "x"]);
    }

    /// The events of a capture, and one that is none.
    fn captured() -> Batch {
        let text = include_str!("../../../../captures/vxlan-api/events.json");
        let lines = text.lines().map(|line| line.to_owned().into());
        let events = std::iter::once("{}".into()).chain(lines);
        Batch::new((0..).zip(events).map(|(number, json)| Event { number, json }).collect())
    }

    #[tokio::test]
    async fn lines_of_zeek() {
        let dir = tempfile::tempdir().unwrap();
        let log = include_str!("../../../../captures/vxlan-api/http.log");
        for (format, header, footer) in [("zeek-json", 0, 0), ("zeek-tsv", 8, 1)] {
            let path = dir.path().join(format).join("http.log");
            let config =
                config(&path, &format!(r#"{{"format": "{format}", "max_age_s": 0, "gzip": false}}"#));
            let sink = FileSink::new(&config).unwrap();
            sink.check().await.unwrap();
            let refused = sink.write(&captured()).await.unwrap_err();
            assert!(
                matches!(&refused, Failure::Partial(bad) if bad.len() == 1 && bad[0].0 == 0),
                "{refused:?}"
            );
            let text = fs::read_to_string(&path).unwrap();
            let lines: Vec<_> = text.lines().collect();
            assert_eq!(lines.len(), header + log.lines().count(), "{text}");
            if format == "zeek-json" {
                assert_eq!(text, log);
            } else {
                assert!(
                    lines[6].starts_with("#fields\tts\tuid\t") && lines[7].starts_with("#types\t"),
                    "{text}"
                );
                assert!(lines[8].starts_with("1795514400.000440\tC"), "{text}");
            }
            // The next write is too late for this file.
            drop(sink);
            let sink = FileSink::new(&config).unwrap();
            sink.check().await.unwrap();
            let _ = sink.write(&captured()).await;
            let names = names(&dir.path().join(format));
            assert_eq!(names.len(), 2, "{names:?}");
            let old = fs::read_to_string(dir.path().join(format).join(&names[0])).unwrap();
            assert_eq!(old.lines().count(), lines.len() + footer, "{old}");
            assert_eq!(footer == 1, old.lines().last().unwrap().starts_with("#close\t"), "{old}");
            // A crash has left a part of the header.
            fs::write(&path, if header == 0 { "{\"ts\":" } else { "#separator \\x09\n#set_sep" }).unwrap();
            let sink = FileSink::new(&config).unwrap();
            let _ = sink.write(&captured()).await;
            let again = fs::read_to_string(&path).unwrap();
            assert_eq!(again.lines().count(), lines.len(), "{again}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_written_says_so() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "").unwrap();
        let sink = FileSink::new(&config(&dir.path().join("a/b"), "{}")).unwrap();
        let Err(Failure::Passing { reason, .. }) = sink.write(&batch(0..1)).await else { panic!() };
        assert!(reason.contains("a/b: "), "{reason}");
        assert!(sink.check().await.is_err());
        let full = FileSink::new(&config(Path::new("/dev/full"), "{}")).unwrap();
        let Err(Failure::Passing { reason, .. }) = full.write(&batch(0..1)).await else { panic!() };
        assert!(reason.contains("/dev/full"), "{reason}");
    }
}
