//! What libFuzzer said, in one line.

use crate::bench::table::grouped;
use std::fmt;

/// The end of one target's run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    runs: u64,
    per_second: u64,
    /// Code edges that the inputs reach, after the corpus was read and at the end.
    coverage: (u64, u64),
    new_inputs: u64,
    /// Why the run ended early, with the input that did it where there is one.
    crash: Option<String>,
}

impl Report {
    /// Reads libFuzzer's standard error.
    pub(super) fn parse(said: &str, success: bool) -> Self {
        let mut report = Self::default();
        for line in said.lines() {
            if let Some((name, value)) = line.strip_prefix("stat::").and_then(|stat| stat.split_once(':')) {
                let value = value.trim().parse().unwrap_or(0);
                match name {
                    "number_of_executed_units" => report.runs = value,
                    "average_exec_per_sec" => report.per_second = value,
                    "new_units_added" => report.new_inputs = value,
                    _ => {}
                }
            } else if let Some(artifact) = line.split("Test unit written to ").nth(1) {
                report.crash = Some(artifact.trim().to_owned());
            } else if let Some(edges) = edges(line) {
                if line.contains("INITED") {
                    report.coverage.0 = edges;
                }
                report.coverage.1 = edges;
            }
        }
        if !success && report.crash.is_none() {
            report.crash = Some("no input was written".to_owned());
        }
        report
    }

    /// Whether the target stopped on an input, or did not run at all.
    pub(super) fn crashed(&self) -> bool {
        self.crash.is_some()
    }
}

/// `#123 NEW cov: 456 ft: ...`
fn edges(line: &str) -> Option<u64> {
    line.strip_prefix('#')?.split("cov: ").nth(1)?.split(' ').next()?.parse().ok()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = self.coverage;
        let (runs, rate) = (grouped(self.runs), grouped(self.per_second));
        write!(f, "{runs} runs, {rate}/s, {last} edges (+{}), ", last.saturating_sub(first))?;
        write!(f, "{} new inputs, ", self.new_inputs)?;
        match &self.crash {
            None => write!(f, "no crash"),
            Some(artifact) => write!(f, "CRASHED: {artifact}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "\
#2	INITED cov: 100 ft: 20 corp: 1/1b exec/s: 0 rss: 30Mb
#900	NEW    cov: 130 ft: 25 corp: 2/9b lim: 4 exec/s: 0 rss: 31Mb
stat::number_of_executed_units: 4321
stat::average_exec_per_sec:     2160
stat::new_units_added:          7
";

    #[test]
    fn runs_are_told_in_one_line() {
        let report = Report::parse(RUN, true);
        assert!(!report.crashed());
        assert_eq!(report.to_string(), "4,321 runs, 2,160/s, 130 edges (+30), 7 new inputs, no crash");
    }

    #[test]
    fn a_crash_names_its_input() {
        let said = format!("{RUN}artifact_prefix='a/'; Test unit written to a/crash-1\n");
        assert!(Report::parse(&said, false).to_string().ends_with("CRASHED: a/crash-1"));
        assert!(Report::parse(RUN, false).crashed());
        assert!(Report::parse("", false).crashed());
    }
}
