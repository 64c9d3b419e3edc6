//! `harken run` as a child: started, waited for, told to stop, and its books read.

use super::books::Books;
use super::process::Process;
use crate::bench::fresh_dir;
use crate::sh;
use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// How long the start may take.
const START: Duration = Duration::from_secs(10);
/// How long the end may take: SIGTERM has everything written within it.
pub(super) const END: Duration = Duration::from_secs(5);

/// A running sensor.
pub(super) struct Sensor {
    pub(super) process: Process,
    logs: PathBuf,
}

/// What it leaves behind.
pub(super) struct Closed {
    pub(super) books: Books,
    /// Time from the signal to the end.
    pub(super) took: Duration,
    /// All that it said.
    pub(super) said: String,
}

impl Sensor {
    /// Starts it with these flags, its logs in `dir/logs`. `command` is the binary, in a namespace or not.
    pub(super) fn start(mut command: Command, dir: &Path, flags: &[String], stdin: Stdio) -> Result<Self> {
        let logs = dir.join("logs");
        fresh_dir(&logs)?;
        command.arg("run").arg("--log-dir").arg(&logs).arg("--no-sandbox").args(flags);
        let process = Process::start(&mut command, &dir.join("harken.out"), stdin, None)?;
        Ok(Self { process, logs })
    }

    /// Waits until it receives.
    pub(super) fn receiving(&mut self) -> Result<()> {
        self.process.until_said("receiving from", START)
    }

    /// Tells it to stop.
    pub(super) fn stop(&mut self) -> Result<Closed> {
        self.process.signal(Signal::SIGTERM);
        self.over()
    }

    /// Waits for it to end by itself, its input being over, and reads its books.
    pub(super) fn over(&mut self) -> Result<Closed> {
        let ended = self.process.wait(END).context("harken")?;
        let said = self.process.said()?;
        if !ended.status.success() {
            bail!("harken failed: {}\n{}", ended.status, said.trim_end());
        }
        Ok(Closed { books: Books::read(&said)?, took: ended.took, said })
    }

    /// How many of its workers have received packets so far, as `harken top` says.
    pub(super) fn busy_workers(&self, harken: &Path) -> Result<u64> {
        let mut top = sh::command(harken);
        top.args(["top", "--once", "--json", "--control"]).arg(self.logs.join("control.sock"));
        let said: serde_json::Value = serde_json::from_str(&sh::stdout(&mut top)?)?;
        let workers = said.get("workers").and_then(serde_json::Value::as_array);
        let workers = workers.with_context(|| format!("harken top tells of no workers: {said}"))?;
        let busy =
            |worker: &&serde_json::Value| worker.get("packets").and_then(serde_json::Value::as_u64) > Some(0);
        Ok(workers.iter().filter(busy).count() as u64)
    }

    /// The log that was being written last.
    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.logs.join("current").join(name)
    }
}

/// Counts the lines of a log of JSON lines that have all these fields.
pub(super) fn lines_with(path: &Path, fields: &[&str]) -> Result<u64> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let (mut line, mut count) = (Vec::new(), 0);
    let has = |line: &[u8], field: &str| line.windows(field.len()).any(|part| part == field.as_bytes());
    while reader.read_until(b'\n', &mut line)? > 0 {
        count += u64::from(fields.iter().all(|field| has(&line, field)));
        line.clear();
    }
    Ok(count)
}
