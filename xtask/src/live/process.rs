//! A program that runs beside this one, and ends with it at the latest.

use super::halt;
use crate::sh;
use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Time that a program has to end when it is dropped, before it is killed.
const PATIENCE: Duration = Duration::from_secs(3);

/// A running program. Dropping it stops it, by its process number.
pub(super) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

/// How a program ended.
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    /// Time between the signal and the end.
    pub(super) took: Duration,
}

impl Process {
    /// Starts a command whose standard error goes to the file `log`, and its output too unless it has a place of
    /// its own.
    pub(super) fn start(
        command: &mut Command,
        log: &Path,
        stdin: Stdio,
        stdout: Option<Stdio>,
    ) -> Result<Self> {
        let file = File::create(log).with_context(|| format!("cannot create {}", log.display()))?;
        let stdout = stdout.map_or_else(|| file.try_clone().map(Stdio::from), Ok)?;
        halt::check()?;
        let name = sh::shown(command);
        // A group of its own: Ctrl-C reaches this program alone, which then stops the others in order.
        command.stdin(stdin).stdout(stdout).stderr(file).process_group(0);
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name, child, log: log.to_owned() })
    }

    /// Its process number.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it writes, when that is piped; once.
    pub(super) fn stdout(&mut self) -> Result<ChildStdout> {
        self.child.stdout.take().with_context(|| format!("{}: no pipe", self.name))
    }

    /// What it has said so far.
    pub(super) fn said(&self) -> Result<String> {
        let bytes = std::fs::read(&self.log).with_context(|| self.log.display().to_string())?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Waits until it has said `text`.
    pub(super) fn until_said(&mut self, text: &str, limit: Duration) -> Result<()> {
        let began = Instant::now();
        loop {
            let said = self.said()?;
            if said.contains(text) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended at once: {status}\n{}", self.name, said.trim_end());
            }
            if began.elapsed() > limit {
                bail!("{} did not say {text:?} within {limit:?}\n{}", self.name, said.trim_end());
            }
            halt::pause(halt::LOOK)?;
        }
    }

    /// Fails if it has ended.
    pub(super) fn still_runs(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{} has ended: {status}\n{}", self.name, self.said()?.trim_end());
        }
        Ok(())
    }

    /// Whether it goes on; fails when it has failed.
    pub(super) fn runs(&mut self) -> Result<bool> {
        match self.child.try_wait()? {
            None => Ok(true),
            Some(status) if status.success() => Ok(false),
            Some(status) => bail!("{} failed: {status}\n{}", self.name, self.said()?.trim_end()),
        }
    }

    /// Waits for its end.
    pub(super) fn wait(&mut self, limit: Duration) -> Result<Ended> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Ended { status, took: began.elapsed() });
            }
            if began.elapsed() > limit {
                bail!("{} did not end within {limit:?}", self.name);
            }
            halt::pause(halt::LOOK)?;
        }
    }

    /// Waits for its end, and fails when it failed.
    pub(super) fn finish(&mut self, limit: Duration) -> Result<()> {
        let ended = self.wait(limit)?;
        if !ended.status.success() {
            bail!("{} failed: {}\n{}", self.name, ended.status, self.said()?.trim_end());
        }
        Ok(())
    }

    /// Sends a signal.
    pub(super) fn signal(&self, signal: Signal) {
        // It may have ended by itself just now.
        let _ = kill(Pid::from_raw(self.child.id() as i32), signal);
    }

    /// Sends a signal and waits for the end.
    pub(super) fn stop(&mut self, signal: Signal, limit: Duration) -> Result<Ended> {
        self.signal(signal);
        self.wait(limit)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let runs = |child: &mut Child| matches!(child.try_wait(), Ok(None));
        if !runs(&mut self.child) {
            return;
        }
        self.signal(Signal::SIGTERM);
        let began = Instant::now();
        while runs(&mut self.child) && began.elapsed() < PATIENCE {
            std::thread::sleep(halt::LOOK);
        }
        // Both fail only when it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
