//! Where lines go: a file or standard output, shared by the shards.
use crate::logs::LogHandle;
use anyhow::{Context, Result};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What the buffer of [`Lines`] keeps after lines that needed more, in bytes.
const LARGEST_KEPT: usize = 1 << 20;

/// A file that several writers append whole lines to. The first error is kept and ends the run.
pub struct Dest {
    name: String,
    out: Mutex<Box<dyn Write + Send>>,
    failed: AtomicBool,
    error: Mutex<Option<io::Error>>,
}

impl Dest {
    /// A new file, replacing an old one of that name.
    pub fn file(path: &Path) -> Result<Arc<Self>> {
        let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self::new(path.display().to_string(), Box::new(file)))
    }

    /// Standard output.
    pub fn stdout() -> Arc<Self> {
        Self::new("standard output".to_owned(), Box::new(io::stdout()))
    }

    fn new(name: String, out: Box<dyn Write + Send>) -> Arc<Self> {
        Arc::new(Self { name, out: Mutex::new(out), failed: AtomicBool::new(false), error: Mutex::new(None) })
    }

    /// Whether writing has failed: there is no use in going on.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Writes whole lines.
    pub fn write(&self, bytes: &[u8]) {
        if self.has_failed() {
            return;
        }
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = out.write_all(bytes).and_then(|()| out.flush()) {
            self.failed.store(true, Ordering::Relaxed);
            *self.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
    }

    /// The error that ended writing, if any. A reader that went away (`| head`) is none.
    pub fn result(&self) -> Result<()> {
        match self.error.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(error).with_context(|| format!("cannot write to {}", self.name))
            }
            _ => Ok(()),
        }
    }
}

/// Where blocks of lines go.
enum Target {
    /// A file or standard output, written at once.
    Dest(Arc<Dest>),
    /// The log writer, which never makes anyone wait.
    Log(LogHandle),
}

/// Lines on their way to where they are written, given to it in blocks.
pub struct Lines {
    target: Target,
    buffer: Vec<u8>,
    /// Lines in the buffer.
    lines: u64,
    /// Bytes after which a block is given on; 0 for every line.
    block: usize,
}

impl Lines {
    /// Lines to a file: in blocks of 256 KiB.
    pub fn blocks(dest: Arc<Dest>) -> Self {
        Self::new(Target::Dest(dest), 256 << 10)
    }

    /// Lines that somebody may watch: each at once.
    pub fn each(dest: Arc<Dest>) -> Self {
        Self::new(Target::Dest(dest), 0)
    }

    /// Lines to a live log: in blocks of 64 KiB, so that one that is dropped is not much.
    pub fn log(log: LogHandle) -> Self {
        Self::new(Target::Log(log), 64 << 10)
    }

    const fn new(target: Target, block: usize) -> Self {
        Self { target, buffer: Vec::new(), lines: 0, block }
    }

    /// Appends what `write` appends.
    #[inline]
    pub fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.buffer);
        self.lines += 1;
        if self.buffer.len() > self.block {
            self.flush();
        }
    }

    /// Gives on what is there.
    pub fn flush(&mut self) {
        if !self.buffer.is_empty() {
            match &self.target {
                Target::Dest(dest) => dest.write(&self.buffer),
                Target::Log(log) => log.send(&self.buffer, self.lines),
            }
            self.buffer.clear();
            self.buffer.shrink_to(LARGEST_KEPT);
            self.lines = 0;
        }
    }
}
