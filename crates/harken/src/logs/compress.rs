//! The background thread: compresses what was rotated and removes what is too old or too much.
//!
//! It keeps no list: it looks into the archive each time, so that nothing is forgotten when a process is killed,
//! and nothing grows when rotation is faster than compression.
use super::Compress;
use super::archive::{self, Entry, Kind};
use super::clock::Clock;
use super::stats::{Counters, count};
use super::{Config, Say};
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// What failed is tried again this much later, and age is looked at.
const AGAIN: Duration = Duration::from_secs(60);
/// Bytes between two looks whether the thread is to end.
const STEP: usize = 64 << 10;

/// Wakes the thread.
#[derive(Default, Debug)]
pub struct Bell {
    state: Mutex<Rung>,
    wake: Condvar,
}

#[derive(Default, Debug)]
struct Rung {
    work: bool,
    stop: bool,
}

impl Bell {
    /// There is something new in the archive.
    pub fn work(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).work = true;
        self.wake.notify_one();
    }

    /// The thread is to end soon. What it has not completed is done by the next run.
    pub fn stop(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).stop = true;
        self.wake.notify_one();
    }

    fn is_stopped(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).stop
    }

    /// Waits for work. False when the thread is to end.
    fn wait(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.work && !state.stop {
            state = self.wake.wait_timeout(state, AGAIN).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.work = false;
        !state.stop
    }
}

/// The thread's own parts.
pub struct Archiver {
    dir: PathBuf,
    compress: Compress,
    keep_age: Option<Duration>,
    keep_bytes: Option<u64>,
    clock: Arc<dyn Clock>,
    say: Say,
    bell: Arc<Bell>,
    counters: Arc<Counters>,
    /// The operator was told of a failure.
    told: bool,
}

impl Archiver {
    /// An archiver of the logs of `config`.
    pub fn new(config: &Config, clock: Arc<dyn Clock>, bell: Arc<Bell>, counters: Arc<Counters>) -> Self {
        Self {
            dir: config.dir.clone(),
            compress: config.compress,
            keep_age: config.keep_age,
            keep_bytes: config.keep_bytes,
            clock,
            say: Arc::clone(&config.say),
            bell,
            counters,
            told: false,
        }
    }

    /// Works until it is told to end.
    pub fn run(mut self) {
        // On Linux this is for the calling thread alone. Where it is forbidden, compression competes.
        let _ = rustix::process::setpriority_process(None, 19);
        while self.bell.wait() {
            match self.pass() {
                Err(error) if !self.bell.is_stopped() => {
                    if !self.told {
                        (self.say)(&format!("{error}; tried again every {} s", AGAIN.as_secs()));
                    }
                    self.told = true;
                }
                Err(_) => {}
                Ok(()) => {
                    if self.told {
                        (self.say)("archived logs are compressed and removed again");
                    }
                    self.told = false;
                }
            }
        }
    }

    /// Compresses all that is not compressed, then removes what is not to be kept: sizes count only then.
    fn pass(&self) -> Result<(), String> {
        let compressed = self.compress_all();
        let removed = self.retain()?;
        if compressed.is_err() && removed > 0 {
            // Room was made.
            return self.compress_all();
        }
        compressed
    }

    fn list(&self) -> Result<Vec<Entry>, String> {
        archive::list(&self.dir)
            .map_err(|error| format!("cannot look through the folders of {}: {error}", self.dir.display()))
    }

    fn compress_all(&self) -> Result<(), String> {
        let (unfinished, complete): (Vec<_>, Vec<_>) =
            self.list()?.into_iter().partition(|entry| entry.kind == Kind::Unfinished);
        for entry in unfinished {
            fs::remove_file(&entry.path)
                .map_err(|error| format!("cannot remove {}: {error}", entry.path.display()))?;
        }
        // One that cannot be compressed does not hold up the others.
        let mut result = Ok(());
        let plain = complete.iter().filter(|entry| entry.kind == Kind::Plain);
        for entry in plain.filter(|_| self.compress != Compress::None) {
            match self.compress(&entry.path) {
                Ok(()) => count(&self.counters.compressed),
                Err(_) if self.bell.is_stopped() => break,
                Err(error) => {
                    count(&self.counters.compress_failures);
                    result = result.and(Err(format!("cannot compress {}: {error}", entry.path.display())));
                }
            }
        }
        result
    }

    fn retain(&self) -> Result<u64, String> {
        let oldest = self.keep_age.and_then(|age| self.clock.now().checked_sub(age));
        let removed = archive::retain(&self.dir, oldest, self.keep_bytes)
            .map_err(|error| format!("cannot remove old logs from {}: {error}", self.dir.display()))?;
        self.counters.removed.fetch_add(removed, Ordering::Relaxed);
        Ok(removed)
    }

    /// Puts a compressed file in the place of `path`, once it is proven to give the same bytes.
    fn compress(&self, path: &Path) -> io::Result<()> {
        let ending = if self.compress == Compress::Zstd { ".zst" } else { ".gz" };
        let target = archive::with_ending(path, ending);
        let unfinished = archive::with_ending(&target, ".tmp");
        let result = self.pack(path, &unfinished).and_then(|()| fs::rename(&unfinished, &target));
        match result {
            Ok(()) => fs::remove_file(path),
            Err(error) => {
                let _ = fs::remove_file(&unfinished);
                Err(error)
            }
        }
    }

    fn pack(&self, path: &Path, unfinished: &Path) -> io::Result<()> {
        let mut input = File::open(path)?;
        let output = OpenOptions::new().write(true).create_new(true).open(unfinished)?;
        let output = BufWriter::with_capacity(STEP, output);
        let output = match self.compress {
            Compress::Zstd => {
                let mut encoder = zstd::Encoder::new(output, 0)?;
                encoder.include_checksum(true)?;
                self.copy(&mut input, &mut encoder)?;
                encoder.finish()?
            }
            Compress::Gzip | Compress::None => {
                let mut encoder = GzEncoder::new(output, flate2::Compression::default());
                self.copy(&mut input, &mut encoder)?;
                encoder.finish()?
            }
        };
        let output = output.into_inner().map_err(io::IntoInnerError::into_error)?;
        output.set_modified(input.metadata()?.modified()?)?;
        // The original goes: what replaces it has to be on the disk.
        output.sync_all()?;
        if !self.gives_back(unfinished, path)? {
            return Err(io::Error::other("the compressed file does not give the same bytes back"));
        }
        Ok(())
    }

    fn copy(&self, input: &mut impl Read, output: &mut impl Write) -> io::Result<()> {
        let mut buffer = vec![0; STEP];
        loop {
            self.go_on()?;
            match input.read(&mut buffer)? {
                0 => return Ok(()),
                count => output.write_all(buffer.get(..count).unwrap_or_default())?,
            }
        }
    }

    /// Whether `packed` decodes to the bytes of `path`. Zstandard is decoded by another library than the one
    /// that encoded it.
    fn gives_back(&self, packed: &Path, path: &Path) -> io::Result<bool> {
        let mut original = File::open(path)?;
        let packed = BufReader::with_capacity(STEP, File::open(packed)?);
        let mut decoder: Box<dyn Read> = match self.compress {
            Compress::Zstd => {
                Box::new(ruzstd::decoding::StreamingDecoder::new(packed).map_err(io::Error::other)?)
            }
            Compress::Gzip | Compress::None => Box::new(MultiGzDecoder::new(packed)),
        };
        let (mut is, mut should) = (vec![0; STEP], vec![0; STEP]);
        loop {
            self.go_on()?;
            let expected = fill(&mut original, &mut should)?;
            let found = fill(&mut decoder, &mut is)?;
            if is.get(..found) != should.get(..expected) {
                return Ok(false);
            }
            if expected == 0 {
                return Ok(true);
            }
        }
    }

    fn go_on(&self) -> io::Result<()> {
        if self.bell.is_stopped() { Err(io::Error::other("the program ends")) } else { Ok(()) }
    }
}

/// Reads until `buffer` is full or the input over.
fn fill(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match input.read(rest) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
