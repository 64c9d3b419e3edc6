//! Suricata on an interface, with memory and work as Harken has them: its HTTP events alone, no rules.

use super::net::{End, Tool};
use super::process::Process;
use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// The program.
pub(super) const SURICATA: Tool = ("suricata", "-V");

const CONFIG: &str = include_str!("suricata.yaml");
/// How long the start may take, with little processor time.
const START: Duration = Duration::from_secs(90);
/// How long the end may take.
const END: Duration = Duration::from_secs(60);

/// A running Suricata.
pub(super) struct Suricata {
    pub(super) process: Process,
    events: PathBuf,
}

/// What it has counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    /// Packets that the kernel had for it, among them those dropped.
    pub(super) packets: u64,
    /// Packets that the kernel dropped for want of room.
    pub(super) dropped: u64,
}

impl Suricata {
    /// Starts it on an end's interface. `threads` of 1 is its run mode `single`, more is `workers`.
    pub(super) fn start(end: &End, dir: &Path, threads: u16) -> Result<Self> {
        let config = dir.join("suricata.yaml");
        let text = CONFIG.replace("@DEVICE@", &end.device).replace("@THREADS@", &threads.to_string());
        std::fs::write(&config, text)?;
        let mode = if threads == 1 { "single" } else { "workers" };
        let mut command = end.command("suricata");
        command.arg("-c").arg(&config).arg(format!("--af-packet={}", end.device));
        command.args(["--runmode", mode, "-k", "none", "-l"]).arg(dir);
        let process = Process::start(&mut command, &dir.join("suricata.out"), Stdio::null(), None)?;
        Ok(Self { process, events: dir.join("eve.json") })
    }

    /// Waits until it receives.
    pub(super) fn receiving(&mut self) -> Result<()> {
        self.process.until_said("Engine started", START)
    }

    /// Ends it, and returns what it has counted.
    pub(super) fn stop(&mut self) -> Result<Counted> {
        let ended = self.process.stop(Signal::SIGINT, END)?;
        let said = self.process.said()?;
        if !ended.status.success() {
            bail!("suricata failed: {}\n{}", ended.status, said.trim_end());
        }
        counted(&said)
            .with_context(|| format!("suricata does not say how many packets it had:\n{}", said.trim_end()))
    }

    /// Its events.
    pub(super) fn events(&self) -> &Path {
        &self.events
    }
}

/// Reads `Notice: device: NAME: packets: N, drops: N (0.00%), ...`.
fn counted(said: &str) -> Option<Counted> {
    let line = said.lines().find(|line| line.contains("packets: ") && line.contains("drops: "))?;
    let number = |what: &str| {
        let after = line.split_once(what)?.1;
        after.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    Some(Counted { packets: number("packets: ")?, dropped: number("drops: ")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_says() {
        let said = "Info: x\nNotice: device: ltb1: packets: 280069, drops: 12 (0.00%), invalid chksum: 0\n";
        assert_eq!(counted(said), Some(Counted { packets: 280_069, dropped: 12 }));
        assert_eq!(counted("Info: nothing"), None);
    }
}
