//! What a process holds, sample by sample, and whether it grows.

use anyhow::{Context, Result};
use serde::Serialize;
use std::time::Duration;

/// What a process holds at a time.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Sample {
    /// Since the beginning.
    pub(super) seconds: f64,
    /// Bytes in memory.
    pub(super) resident: u64,
    /// Open file handles.
    pub(super) files: u64,
    /// Threads.
    pub(super) threads: u64,
}

impl Sample {
    /// Looks at a process in /proc.
    pub(super) fn take(pid: u32, at: Duration) -> Result<Self> {
        let proc = |file: &str| format!("/proc/{pid}/{file}");
        let status = std::fs::read_to_string(proc("status")).with_context(|| proc("status"))?;
        let files = std::fs::read_dir(proc("fd")).with_context(|| proc("fd"))?.count() as u64;
        let (resident, threads) =
            read(&status).with_context(|| format!("{}: no VmRSS and Threads", proc("status")))?;
        Ok(Self { seconds: at.as_secs_f64(), resident, files, threads })
    }
}

/// Bytes in memory and threads, out of the text of /proc/PID/status.
fn read(status: &str) -> Option<(u64, u64)> {
    let number = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().trim_end_matches("kB").trim().parse().ok()
    };
    Some((number("VmRSS:")? << 10, number("Threads:")?))
}

/// How a figure runs over time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Trend {
    /// Growth a second: the line with the least squares.
    pub(super) slope: f64,
    pub(super) least: f64,
    pub(super) most: f64,
    pub(super) mean: f64,
    /// Seconds from the first sample to the last.
    span: f64,
    count: usize,
}

impl Trend {
    /// Of one figure of these samples.
    pub(super) fn of(samples: &[&Sample], figure: impl Fn(&Sample) -> f64) -> Self {
        let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return Self::default() };
        let count = samples.len() as f64;
        let mean = samples.iter().map(|sample| figure(sample)).sum::<f64>() / count;
        let middle = samples.iter().map(|sample| sample.seconds).sum::<f64>() / count;
        let (mut above, mut below) = (0.0, 0.0);
        for sample in samples {
            let from_middle = sample.seconds - middle;
            above += from_middle * (figure(sample) - mean);
            below += from_middle * from_middle;
        }
        Self {
            slope: if below > 0.0 { above / below } else { 0.0 },
            least: samples.iter().map(|sample| figure(sample)).fold(f64::INFINITY, f64::min),
            most: samples.iter().map(|sample| figure(sample)).fold(f64::NEG_INFINITY, f64::max),
            mean,
            span: last.seconds - first.seconds,
            count: samples.len(),
        }
    }

    /// Whether the line rises by no more than `by` from the first sample to the last. Without samples nothing
    /// is known, and that is not flat.
    pub(super) fn is_flat(&self, by: f64) -> bool {
        self.count >= 3 && self.slope * self.span <= by
    }
}

/// Whether the least that is held comes back to what it was: what is open for a moment only, as while logs are
/// rotated, does not count. Compares the last third of the samples with the first.
pub(super) fn comes_back(samples: &[&Sample], figure: impl Fn(&Sample) -> u64) -> bool {
    let third = samples.len() / 3;
    let least = |part: Option<&[&Sample]>| part?.iter().map(|sample| figure(sample)).min();
    match (least(samples.get(..third)), least(samples.get(samples.len() - third..))) {
        (Some(first), Some(last)) => last <= first,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(figures: impl IntoIterator<Item = u64>) -> Vec<Sample> {
        let sample = |(at, resident)| Sample { seconds: at as f64 * 2.0, resident, ..Sample::default() };
        figures.into_iter().enumerate().map(sample).collect()
    }

    #[test]
    fn what_grows_is_told_from_what_varies() {
        let trend =
            |samples: &[Sample]| Trend::of(&samples.iter().collect::<Vec<_>>(), |s| s.resident as f64);
        let grows = trend(&run((0..100).map(|at| 1000 + at * 4)));
        assert!((grows.slope - 2.0).abs() < 1e-9 && !grows.is_flat(100.0) && grows.is_flat(400.0));
        let varies = trend(&run((0..100).map(|at| 1000 + at % 2 * 300)));
        assert!(varies.is_flat(100.0) && varies.least == 1000.0 && varies.most == 1300.0);
        assert!(trend(&run((0..100).map(|at| 1000 - at))).is_flat(0.0), "what shrinks does not grow");
        assert!(!trend(&run([1, 1])).is_flat(10.0) && !trend(&[]).is_flat(10.0), "too few to tell");
    }

    #[test]
    fn a_leak_is_told_from_a_rotation() {
        let back = |figures: &[u64]| {
            let samples = run(figures.iter().copied());
            comes_back(&samples.iter().collect::<Vec<_>>(), |sample| sample.resident)
        };
        assert!(back(&[14, 18, 14, 14, 14, 18, 14, 14, 18]));
        assert!(!back(&[14, 18, 14, 15, 15, 19, 15, 15, 19]));
        assert!(!back(&[14, 14]), "too few to tell");
    }

    #[test]
    fn the_status_of_a_process() {
        assert_eq!(read("Name:\tx\nVmRSS:\t    2048 kB\nThreads:\t3\n"), Some((2 << 20, 3)));
        assert_eq!(read("Name:\tx\n"), None);
        let own = Sample::take(std::process::id(), Duration::from_secs(1)).unwrap();
        assert!(own.resident > 0 && own.files > 0 && own.threads > 0);
    }
}
