//! Files that are read again when they change.
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

/// Time between two looks.
const LOOK: Duration = Duration::from_secs(1);

/// Notices that one of some files has changed.
pub struct Watch {
    files: Vec<PathBuf>,
    seen: Vec<Option<(SystemTime, u64)>>,
    looked: Instant,
}

impl Watch {
    /// Begins with the files as they are.
    pub fn new(files: Vec<PathBuf>) -> Self {
        let mut watch = Self { files, seen: Vec::new(), looked: Instant::now() };
        watch.seen = watch.look();
        watch
    }

    fn look(&self) -> Vec<Option<(SystemTime, u64)>> {
        let state = |path: &PathBuf| {
            let data = std::fs::metadata(path).ok()?;
            Some((data.modified().ok()?, data.len()))
        };
        self.files.iter().map(state).collect()
    }

    /// Whether one has changed since this was asked last.
    pub fn has_changed(&mut self) -> bool {
        if self.files.is_empty() || self.looked.elapsed() < LOOK {
            return false;
        }
        self.looked = Instant::now();
        let now = self.look();
        let before = std::mem::replace(&mut self.seen, now);
        before != self.seen
    }
}
