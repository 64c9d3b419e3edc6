//! The connector inside `harken run`, with the spool of that sensor.
use super::process::Owner;
use super::work::{Running, Work};
use crate::run::say;
use anyhow::{Context as _, Result, anyhow, bail};
use harken_connector::readers::{Kind, Local};
use harken_connector::{Config, Status};
use harken_spool::Spool;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A connector that is going to run inside.
pub struct Inside {
    work: Work,
    file: PathBuf,
    /// The spool's folder, as the configuration names it.
    spool: PathBuf,
    paths: Paths,
}

/// What a connector reads and writes, for who closes the file system to the process.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Paths {
    /// Folders of files that are read, also again: files are replaced.
    pub readable: Vec<PathBuf>,
    /// Folders that are written to.
    pub writable: Vec<PathBuf>,
}

impl Inside {
    /// Reads the configuration and makes the folders that it writes to. `spool` is what the command line names.
    pub fn open(file: &Path, spool: Option<&Path>) -> Result<Self> {
        let config = Config::read(file).map_err(|error| anyhow!(error))?;
        let spool = spool_of(&config, spool).with_context(|| file.display().to_string())?;
        // It was read a moment ago.
        let text = std::fs::read(file).with_context(|| file.display().to_string())?;
        let mut paths = Paths::of(&serde_json::from_slice(&text)?);
        paths.readable.push(folder(file));
        for folder in &paths.writable {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        }
        let work = Work::take(config, Owner::Sensor)?;
        Ok(Self { work, file: file.to_owned(), spool, paths })
    }

    /// The folder of the spool.
    pub fn spool(&self) -> &Path {
        &self.spool
    }

    /// What it reads and writes.
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// Starts it on that spool.
    pub fn start(self, spool: &Arc<Spool>) -> Result<Running> {
        let mut readers = Local::new(&self.work.config().dir);
        readers.lend(&self.spool, Arc::clone(spool));
        self.work.start(&self.file, readers, |error| say(&format!("connector: {error}")))
    }
}

/// The spool that is read: the one that is named, or the only one.
fn spool_of(config: &Config, named: Option<&Path>) -> Result<PathBuf> {
    let mut dirs: Vec<&PathBuf> = Vec::new();
    for kind in config.readers.values() {
        if let Kind::Spool(spool) = kind {
            dirs.push(&spool.dir);
        }
    }
    dirs.sort();
    dirs.dedup();
    let same = |a: &Path, b: &Path| {
        a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
    };
    match (named, dirs.as_slice()) {
        (Some(named), dirs) => match dirs.iter().find(|dir| same(dir, named)) {
            Some(dir) => Ok((*dir).clone()),
            None => bail!(
                "no reader of type spool has the dir {}, which --spool names: put it into readers, or leave --spool out",
                named.display()
            ),
        },
        (None, [dir]) => Ok((*dir).clone()),
        (None, []) => bail!("readers has none of type spool: add one, with the dir that the sensor fills"),
        (None, _) => {
            bail!("readers has several of type spool: name the one that this sensor fills by --spool")
        }
    }
}

impl Paths {
    /// Those of a configuration. All its keys follow one rule: `dir` is a folder that is written to; `path` a file
    /// that is written to (in a reader: that is read); `file` and `..._file` and the files of filters are read.
    fn of(config: &Value) -> Self {
        let mut paths = Self::default();
        paths.walk(config, false);
        for list in [&mut paths.readable, &mut paths.writable] {
            list.sort();
            list.dedup();
        }
        paths
    }

    fn walk(&mut self, value: &Value, in_reader: bool) {
        let Value::Object(map) = value else { return };
        for (key, value) in map {
            match (key.as_str(), value) {
                ("dir", Value::String(path)) => self.writable.push(path.into()),
                ("path", Value::String(path)) if !in_reader => self.writable.push(folder(Path::new(path))),
                ("path" | "file" | "simple" | "advanced", Value::String(path)) => {
                    self.readable.push(folder(Path::new(path)));
                }
                (key, Value::String(path)) if key.ends_with("_file") => {
                    self.readable.push(folder(Path::new(path)));
                }
                (key, value) => self.walk(value, in_reader || key == "readers"),
            }
        }
    }
}

/// The folder that a file is in.
pub fn folder(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if parent.as_os_str().is_empty() => ".".into(),
        Some(parent) => parent.to_owned(),
        None => file.to_owned(),
    }
}

/// What is delivered, for who asks the sensor: a row for each pair of a pipeline and a datasink.
pub fn figures(running: &Running) -> Value {
    let (status, runs) = running.status();
    let row = |route: &harken_connector::Route| {
        let books = &route.ledger;
        let sink = status.datasinks.iter().find(|sink| sink.name == route.datasink);
        json!({
            "delivery": format!("{} to {}", route.pipeline, route.datasink),
            "pipeline": route.pipeline,
            "datasink": route.datasink,
            "read": books.read,
            "filtered_out": books.filtered_out + books.routed_elsewhere,
            "waiting": books.waiting,
            "written": books.written,
            "dead_lettered": books.dead_lettered,
            "given_back": books.given_back,
            "errors": route.errors,
            "valid": sink.is_some_and(|sink| sink.valid),
            "failure": route.failure.as_ref().or(route.reader_failure.as_ref()),
        })
    };
    let rows: Vec<Value> = status.routes.iter().map(row).collect();
    json!({"connector": {"runs": runs, "restarts": status.restarts}, "deliveries": rows})
}

/// What was delivered, for the end.
pub fn lines(last: &Status) -> Vec<String> {
    let line = |route: &harken_connector::Route| {
        let books = &route.ledger;
        format!(
            "connector, {} to {}: {} events read, {} filtered out, {} written, {} dead-lettered, {} waiting",
            route.pipeline,
            route.datasink,
            books.read,
            books.filtered_out + books.routed_elsewhere,
            books.written,
            books.dead_lettered,
            books.waiting
        )
    };
    last.routes.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn all_paths_are_found() {
        let config = json!({
            "dir": "state",
            "readers": {"s": {"type": "spool", "dir": "/q"}, "f": {"type": "file", "path": "/in/events"}},
            "datasinks": {
                "a": {"type": "file", "path": "out/events"},
                "p": {"type": "parquet", "dir": "/parquet"},
                "h": {
                    "type": "http", "url": "https://edge.example/path",
                    "auth": {"type": "bearer", "token": {"file": "/secrets/token"}},
                    "tls": {"ca_file": "ca.pem", "ca_file_only": true, "client_key_file": "/keys/key"},
                },
            },
            "pipelines": {"p": {"reader": "s", "filters": {"simple": "/f/s", "advanced": "/f/a"}}},
        });
        let paths = |list: &[&str]| list.iter().map(PathBuf::from).collect::<Vec<_>>();
        let wanted = Paths {
            readable: paths(&["/f", "/in", "/keys", "/secrets", "."]),
            writable: paths(&["/parquet", "/q", "out", "state"]),
        };
        assert_eq!(Paths::of(&config), wanted);
    }

    #[test]
    fn which_spool_is_meant() {
        let config = |readers: Value| {
            let config = json!({"readers": readers, "datasinks": {"o": {"type": "stdout"}}, "pipelines": {}});
            serde_json::from_value::<Config>(config).unwrap()
        };
        let of = |readers: Value, named: Option<&str>| {
            spool_of(&config(readers), named.map(Path::new)).map_err(|error| error.to_string())
        };
        let [one, two] = ["/a", "/b"].map(|dir| json!({"type": "spool", "dir": dir}));
        assert_eq!(of(json!({"r": one}), None), Ok("/a".into()));
        assert_eq!(of(json!({"r": one, "s": one}), None), Ok("/a".into()));
        assert_eq!(of(json!({"r": one, "s": two}), Some("/b")), Ok("/b".into()));
        for (readers, named, says) in [
            (json!({"r": one, "s": two}), None, "several"),
            (json!({"r": one}), Some("/c"), "no reader of type spool has the dir /c"),
            (json!({}), None, "has none of type spool"),
        ] {
            assert!(of(readers, named).unwrap_err().contains(says), "{says}");
        }
    }
}
