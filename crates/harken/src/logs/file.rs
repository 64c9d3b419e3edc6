//! One log that is being written: `current/http.log`.
//!
//! Lines are written at an offset that this module keeps, so that what a failed write has left behind is cut
//! off or written over, and the file has whole lines only. A file that somebody moved away or removed is
//! noticed before the next write, and a new one is begun.
use super::Spec;
use super::archive;
use super::clock::timestamp;
use super::stats::{Counters, count};
use anyhow::{Context as _, Result};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A log and its file.
#[derive(Debug)]
pub struct LogFile {
    spec: Spec,
    dir: PathBuf,
    path: PathBuf,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// Device and number of the file.
    id: (u64, u64),
    /// Length of what stands above the records.
    head: u64,
    /// Length of all whole lines.
    good: u64,
    began: SystemTime,
}

impl LogFile {
    /// A log below `dir`, not opened yet.
    pub fn new(dir: &Path, spec: Spec) -> Self {
        let path = dir.join(archive::CURRENT).join(spec.name);
        Self { spec, dir: dir.to_owned(), path, open: None }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it has a file.
    pub const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Bytes of the file.
    pub fn size(&self) -> u64 {
        self.open.as_ref().map_or(0, |open| open.good)
    }

    /// Opens the file when it is not open, or not in its place any more.
    pub fn ready(&mut self, now: SystemTime, counters: &Counters) -> io::Result<()> {
        if let Some(open) = &mut self.open {
            match fs::symlink_metadata(&self.path) {
                Ok(found) if (found.dev(), found.ino()) == open.id => {
                    if found.len() > open.good {
                        // The rest of a write that failed, which could not be cut off then.
                        open.file.set_len(open.good)?;
                    }
                    if found.len() < open.head {
                        // Somebody has emptied the file.
                        open.head = self.spec.write_head(&open.file, now)?;
                    }
                    open.good = open.good.min(found.len().max(open.head));
                    return Ok(());
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            // Moved away: it is ended where it now lies. That it may be gone altogether is no matter.
            let _ = self.spec.write_foot(&open.file, open.good, now);
            self.open = None;
        }
        self.begin(now, counters)
    }

    fn begin(&mut self, now: SystemTime, counters: &Counters) -> io::Result<()> {
        if let Some(parent) = self.path.parent() {
            fs::create_dir_all(parent)?;
        }
        let create = || OpenOptions::new().write(true).create_new(true).open(&self.path);
        let file = match create() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // Put there by somebody else: kept, like the log of a run that was killed.
                archive::leftover(&self.dir, self.spec.name, counters)
                    .map_err(|error| archive::io_error(&error))?;
                create()?
            }
            other => other?,
        };
        let found = file.metadata()?;
        match self.spec.write_head(&file, now) {
            Ok(head) => {
                let id = (found.dev(), found.ino());
                self.open = Some(Open { file, id, head, good: head, began: now });
                Ok(())
            }
            Err(error) => {
                // A later attempt begins anew.
                let _ = fs::remove_file(&self.path);
                Err(error)
            }
        }
    }

    /// Writes whole lines. Of a block that could not be written whole, the error comes with the number of bytes
    /// that were: whole lines, too. The others are to be given again.
    pub fn write(
        &mut self,
        bytes: &[u8],
        now: SystemTime,
        counters: &Counters,
    ) -> Result<(), (usize, io::Error)> {
        self.ready(now, counters).map_err(|error| (0, error))?;
        let Some(open) = &mut self.open else { return Err((0, io::ErrorKind::NotFound.into())) };
        let (done, result) = write_at(&open.file, bytes, open.good);
        let Err(error) = result else {
            open.good += done as u64;
            return Ok(());
        };
        let written = bytes.get(..done).unwrap_or_default();
        let whole = written.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        open.good += whole as u64;
        // If this fails, too, `ready` does it before the next write.
        let _ = open.file.set_len(open.good);
        Err((whole, error))
    }

    /// Moves the file into the archive and begins a new one. A file without records stays where it is.
    /// Returns whether there is something new in the archive.
    pub fn rotate(&mut self, now: SystemTime, counters: &Counters) -> Result<bool> {
        let path = self.path.clone();
        let describe = || format!("cannot write {}", path.display());
        self.ready(now, counters).with_context(describe)?;
        let Some(open) = &mut self.open else { return Ok(false) };
        if open.good == open.head {
            open.began = now;
            if open.head > 0 {
                // The header tells when the file was opened.
                open.head = self.spec.write_head(&open.file, now).with_context(describe)?;
                open.good = open.head;
            }
            return Ok(false);
        }
        let end = self.spec.write_foot(&open.file, open.good, now).with_context(describe);
        let moved = end.and_then(|()| {
            // So that the age of an archive can be told by its time, whatever is done to it.
            let _ = open.file.set_modified(now);
            archive::store(&self.dir, self.spec.name, open.began, now)
        });
        if let Err(error) = moved {
            // It goes on: the footer is taken off.
            let _ = open.file.set_len(open.good);
            return Err(error);
        }
        count(&counters.archived);
        self.open = None;
        // Where that fails, the next write tries it again, and says so.
        let _ = self.begin(now, counters);
        Ok(true)
    }

    /// Writes what stands below the records. The file stays in its place, for people to read; the next run
    /// archives it.
    pub fn end(&mut self, now: SystemTime) -> io::Result<()> {
        match self.open.take() {
            Some(open) => self.spec.write_foot(&open.file, open.good, now),
            None => Ok(()),
        }
    }
}

impl Spec {
    /// Writes the header at the start of `file` and returns its length.
    fn write_head(&self, file: &File, now: SystemTime) -> io::Result<u64> {
        let mut head = Vec::new();
        if let Some((log, form)) = self.zeek {
            log.header(&mut head, form, timestamp(now));
        }
        write_at(file, &head, 0).1?;
        Ok(head.len() as u64)
    }

    /// Writes the footer at `at`; nothing of it stays when that fails.
    fn write_foot(&self, file: &File, at: u64, now: SystemTime) -> io::Result<()> {
        let mut foot = Vec::new();
        if let Some((log, form)) = self.zeek {
            log.footer(&mut foot, form, timestamp(now));
        }
        let (_, result) = write_at(file, &foot, at);
        if result.is_err() {
            let _ = file.set_len(at);
        }
        result
    }
}

/// Writes all of `bytes` at `offset`; says how many were written when that fails.
fn write_at(file: &File, bytes: &[u8], offset: u64) -> (usize, io::Result<()>) {
    let mut done = 0;
    while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
        match file.write_at(rest, offset + done as u64) {
            Ok(0) => return (done, Err(io::ErrorKind::WriteZero.into())),
            Ok(more) => done += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (done, Err(error)),
        }
    }
    (done, Ok(()))
}
