//! The file of names of virtual networks (`--vni-names`).
use crate::run::say;
use crate::watch::Watch;
use anyhow::{Context as _, Result, anyhow};
use harken_event::VniNames;
use std::path::{Path, PathBuf};

/// The file, and what it says.
pub struct NamesFile {
    path: Option<PathBuf>,
    names: VniNames,
    watch: Watch,
}

impl NamesFile {
    /// Reads it, where there is one.
    pub fn open(path: Option<&Path>) -> Result<Self> {
        let path = path.map(Path::to_owned);
        let watch = Watch::new(path.iter().cloned().collect());
        let file = Self { path, names: VniNames::default(), watch };
        file.read()?;
        Ok(file)
    }

    /// The names. They change with the file.
    pub fn names(&self) -> VniNames {
        self.names.clone()
    }

    /// Reads it again when it has changed. One that is wrong leaves the names as they are.
    pub fn look(&mut self) {
        // A file that is gone for a moment is being replaced.
        if !self.watch.has_changed() || !self.path.as_ref().is_some_and(|path| path.exists()) {
            return;
        }
        match self.read() {
            Ok(count) => {
                say(&format!("names of {count} virtual networks are in force, since their file has changed"));
            }
            Err(error) => say(&format!("warning: {error:#}; the names before stay in force")),
        }
    }

    fn read(&self) -> Result<usize> {
        let Some(path) = &self.path else { return Ok(0) };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("--vni-names: cannot read {}", path.display()))?;
        self.names.set(&text).map_err(|error| anyhow!("--vni-names: {}: {error}", path.display()))
    }
}
