//! What a program costs: processor time and peak memory of one run.
//!
//! The kernel sums up the children of a process, so that each program is started by a process of its
//! own (`cargo xtask measure`, hidden), which then has that one child to report. That process keeps the
//! peak above its own 4 MiB or so, since a started program begins as a copy of its parent.

use anyhow::{Context, Result, bail};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What one run cost.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Usage {
    /// Seconds of processor time in user mode, all threads.
    pub(crate) user: f64,
    /// Seconds of processor time in the kernel.
    pub(crate) system: f64,
    /// Seconds of processor time of the first thread alone: with one shard this is the shard.
    #[serde(default)]
    pub(crate) first: f64,
    /// Seconds by the clock.
    pub(crate) wall: f64,
    /// The largest resident set in KiB.
    pub(crate) peak_kib: i64,
    /// What the program printed.
    pub(crate) stdout: String,
}

impl Usage {
    /// Seconds of processor time.
    pub(crate) fn cpu(&self) -> f64 {
        self.user + self.system
    }

    /// The largest resident set in MiB.
    pub(crate) fn peak_mib(&self) -> f64 {
        self.peak_kib as f64 / 1024.0
    }
}

/// Runs a command to its end and says what it cost. Fails when the command fails.
pub(crate) fn measure(command: &Command) -> Result<Usage> {
    let helper = std::env::current_exe().context("cannot find this program")?;
    let mut outer = Command::new(helper);
    outer.arg("measure").arg("--").arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            outer.env(name, value);
        }
    }
    if let Some(dir) = command.get_current_dir() {
        outer.current_dir(dir);
    }
    let printed = crate::sh::stdout(&mut outer)?;
    serde_json::from_str(&printed).context("the measuring process printed something else")
}

/// The measuring process: runs the words as a command and prints its [`Usage`] as JSON.
pub(crate) fn helper(words: &[OsString]) -> Result<()> {
    let Some((program, arguments)) = words.split_first() else { bail!("nothing to measure") };
    let start = Instant::now();
    let child = Command::new(program).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.with_context(|| format!("cannot start {}", program.display()))?;
    let id = child.id();
    let first = std::thread::spawn(move || first_thread(id));
    let output = child.wait_with_output()?;
    let wall = start.elapsed().as_secs_f64();
    if !output.status.success() {
        bail!("{}\n{}", output.status, String::from_utf8_lossy(&output.stderr).trim_end());
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let usage = Usage {
        user: seconds(usage.user_time()),
        system: seconds(usage.system_time()),
        first: first.join().unwrap_or_default(),
        wall,
        peak_kib: usage.max_rss(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
    };
    println!("{}", serde_json::to_string(&usage)?);
    Ok(())
}

/// Seconds that the first thread of a process has run for, by the kernel's nanoseconds; looked at until the process is
/// gone. The last look is at most two milliseconds before.
fn first_thread(id: u32) -> f64 {
    let path = format!("/proc/{id}/task/{id}/schedstat");
    let mut nanoseconds = 0u64;
    while let Some(now) = std::fs::read_to_string(&path).ok().and_then(|text| {
        // A look between the end and its notice gives nothing.
        text.split(' ').next()?.parse().ok()
    }) {
        nanoseconds = nanoseconds.max(now);
        std::thread::sleep(Duration::from_millis(2));
    }
    nanoseconds as f64 / 1e9
}

fn seconds(time: TimeVal) -> f64 {
    time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6
}

/// The run whose processor time is the median, with the largest peak of all.
pub(crate) fn median(mut runs: Vec<Usage>) -> Option<Usage> {
    runs.sort_by(|a, b| a.cpu().total_cmp(&b.cpu()));
    let peak_kib = runs.iter().map(|run| run.peak_kib).max()?;
    let middle = runs.get(runs.len() / 2)?.clone();
    Some(Usage { peak_kib, ..middle })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_keeps_the_largest_peak() {
        let run = |user: f64, peak_kib| Usage { user, peak_kib, ..Usage::default() };
        let middle = median(vec![run(3.0, 1), run(1.0, 9), run(2.0, 5)]).unwrap();
        assert_eq!((middle.user, middle.peak_kib), (2.0, 9));
        assert!(median(Vec::new()).is_none());
    }
}
