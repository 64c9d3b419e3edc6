//! The file of names of virtual networks (`--vni-names`).
use crate::run::say;
use anyhow::{Context as _, Result, anyhow};
use harken_event::VniNames;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// How often it is looked whether the file has changed.
const LOOK: Duration = Duration::from_secs(1);

/// The file, and what it says.
#[derive(Default)]
pub struct NamesFile {
    path: Option<PathBuf>,
    names: VniNames,
    /// When it was changed last, as far as is known.
    changed: Option<SystemTime>,
    looked: Option<Instant>,
}

impl NamesFile {
    /// Reads it, where there is one.
    pub fn open(path: Option<&Path>) -> Result<Self> {
        let mut file = Self { path: path.map(Path::to_owned), ..Self::default() };
        file.changed = file.time();
        file.read()?;
        Ok(file)
    }

    /// The names. They change with the file.
    pub fn names(&self) -> VniNames {
        self.names.clone()
    }

    /// Reads it again when it has changed. One that is wrong leaves the names as they are.
    pub fn look(&mut self) {
        if self.path.is_none() || self.looked.is_some_and(|looked| looked.elapsed() < LOOK) {
            return;
        }
        self.looked = Some(Instant::now());
        let time = self.time();
        // A file that is gone for a moment is being replaced.
        if time.is_none() || time == self.changed {
            return;
        }
        self.changed = time;
        match self.read() {
            Ok(count) => {
                say(&format!("names of {count} virtual networks are in force, since their file has changed"));
            }
            Err(error) => say(&format!("warning: {error:#}; the names before stay in force")),
        }
    }

    fn time(&self) -> Option<SystemTime> {
        std::fs::metadata(self.path.as_ref()?).ok()?.modified().ok()
    }

    fn read(&self) -> Result<usize> {
        let Some(path) = &self.path else { return Ok(0) };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("--vni-names: cannot read {}", path.display()))?;
        self.names.set(&text).map_err(|error| anyhow!("--vni-names: {}: {error}", path.display()))
    }
}

/// The folder of a file.
pub fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}
