//! `cargo xtask bench --smoke`: the benchmark works, and Harken finds on a small recording exactly the
//! transactions that the generator wrote down, in every format and with every number of threads.

use super::{SCENARIOS, fresh_dir, replay};
use crate::sh;
use anyhow::{Context, Result, bail};
use std::path::Path;

/// Transactions of the recording.
const TRANSACTIONS: u64 = 2_000;

/// Runs every scenario once.
pub(super) fn run() -> Result<()> {
    let binary = sh::release_binary()?;
    let dir = sh::target_dir().join("bench/smoke");
    for scenario in SCENARIOS {
        let recording = scenario.recording(TRANSACTIONS)?;
        fresh_dir(&dir)?;
        let usage =
            super::measure(&replay(&binary, &recording.pcap, &dir, scenario)).context(scenario.name)?;
        let found = transactions(&dir.join(log_name(scenario.format)))?;
        if found != recording.transactions {
            bail!(
                "bench: {}: {found} transactions, the recording has {}",
                scenario.name,
                recording.transactions
            );
        }
        println!("bench: {}: {found} transactions as recorded, {:.3} s CPU", scenario.name, usage.cpu());
    }
    Ok(())
}

fn log_name(format: &str) -> &'static str {
    match format {
        "ecs" => "events.json",
        _ => "http.log",
    }
}

fn transactions(log: &Path) -> Result<u64> {
    let text = std::fs::read_to_string(log).with_context(|| log.display().to_string())?;
    Ok(count(&text))
}

/// The records of a log: lines that are neither empty nor a header of Zeek's TSV.
fn count(log: &str) -> u64 {
    log.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_no_records() {
        assert_eq!(count("#fields\tts\n1\t2\n3\t4\n#close\n"), 2);
        assert_eq!(count("{}\n{}\n"), 2);
    }
}
