//! Settings, and what can be wrong.
use crate::block::MAX_BODY;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What gives way when the bound on disk use is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// The oldest file is deleted, read or not.
    #[default]
    DropOldest,
    /// What does not fit waits in memory; beyond [`Config::memory`] new records are dropped.
    DropNewest,
    /// What does not fit waits in memory; beyond [`Config::memory`] [`crate::Spool::append`] waits.
    Block,
}

/// The settings of a spool.
#[derive(Debug, Clone)]
pub struct Config {
    /// The folder; it is made when it is missing.
    pub dir: PathBuf,
    /// The bound on the bytes of all block files.
    pub max_bytes: u64,
    /// Bytes after which a new file is begun.
    pub file_bytes: u64,
    /// The most bytes of a block uncompressed, and how many wait before they are written at once.
    pub commit_bytes: usize,
    /// How long a record waits at most before it is written.
    pub commit_interval: Duration,
    /// Bytes that may wait in memory for the disk.
    pub memory: usize,
    /// What gives way at the bound.
    pub policy: Policy,
    /// Blocks are compressed with zstd.
    pub compress: bool,
}

impl Config {
    /// The default settings: 10 GiB in files of 64 MiB, committed after 200 ms or 4 MiB, 32 MiB in memory.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            max_bytes: 10 << 30,
            file_bytes: 64 << 20,
            commit_bytes: 4 << 20,
            commit_interval: Duration::from_millis(200),
            memory: 32 << 20,
            policy: Policy::DropOldest,
            compress: true,
        }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let wrong = |text: String| Err(Error::Config(text));
        if self.commit_bytes < 1024 || self.commit_bytes > MAX_BODY {
            return wrong(format!("commit_bytes is {}; give 1024 to {MAX_BODY}", self.commit_bytes));
        }
        let least = 2 * self.commit_bytes as u64 + 1024;
        if self.max_bytes < least {
            return wrong(format!("max_bytes is {}; give at least {least} (two blocks)", self.max_bytes));
        }
        if self.memory < self.commit_bytes {
            return wrong(format!("memory is {}; give at least commit_bytes", self.memory));
        }
        Ok(())
    }

    /// The most bytes of one record.
    pub(crate) fn largest(&self) -> usize {
        self.commit_bytes - 4
    }
}

/// Why a spool cannot do something.
#[derive(Debug)]
pub enum Error {
    /// A setting cannot be.
    Config(String),
    /// Another process (or another [`crate::Spool`] of this one) writes into the folder.
    Locked(PathBuf),
    /// The name of a reader is no file name: 1 to 64 of `a-z A-Z 0-9 - _ .`, not beginning with a dot.
    Name(String),
    /// The reader of that name is open already, or unknown where it had to be known.
    Reader(String),
    /// An operation on a file failed.
    Io {
        /// What was done, for example "cannot write".
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The bound on disk use leaves no room, and the policy does not delete.
    Full(PathBuf),
    /// The spool has been closed.
    Closed,
    /// The spool was closed while records waited that could not be written.
    Unwritten {
        /// How many records.
        records: u64,
        /// The reason of the last attempt.
        reason: String,
    },
}

impl Error {
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(text) => write!(f, "spool: {text}"),
            Self::Locked(dir) => write!(
                f,
                "spool {}: another process writes into it; stop that one or name another folder",
                dir.display()
            ),
            Self::Name(name) => write!(
                f,
                "spool: {name:?} cannot be the name of a reader: use 1 to 64 letters, digits, '-', '_' and '.', the \
                 first no dot"
            ),
            Self::Reader(name) => write!(f, "spool: the reader {name} is open already, or does not exist"),
            Self::Io { doing, path, source } => {
                write!(f, "spool: {doing} {}: {source}", path.display())?;
                match source.kind() {
                    io::ErrorKind::StorageFull => write!(f, "; make room on that disk"),
                    io::ErrorKind::PermissionDenied => {
                        write!(f, "; give the user of this process the right to write there")
                    }
                    io::ErrorKind::ReadOnlyFilesystem => {
                        write!(f, "; mount it for writing or name another folder")
                    }
                    _ => Ok(()),
                }
            }
            Self::Full(dir) => write!(
                f,
                "spool {}: the bound on its size is reached; raise it, or let the readers catch up",
                dir.display()
            ),
            Self::Closed => write!(f, "spool: it has been closed"),
            Self::Unwritten { records, reason } => {
                write!(f, "spool: closed with {records} records that could not be written: {reason}")
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
