//! `cargo xtask bench`: what Harken costs, on recordings that the project makes itself.
//!
//! Without options it runs a table of scenarios and prints the median of several runs each.
//! `--callgrind` counts instructions, `--smoke` asserts on a small recording that the benchmark works
//! and the sums are right, `compare` sets Harken beside its peers.

mod callgrind;
mod compare;
pub(crate) mod measure;
pub(crate) mod recording;
mod smoke;
pub(crate) mod table;

use crate::sh;
use anyhow::{Context, Result};
use measure::{Usage, measure, median};
use recording::Recording;
pub(crate) use recording::is_fresh;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is measured.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    peers: Option<Peers>,
    /// Count instructions per packet and transaction by stage, with valgrind
    #[arg(long)]
    callgrind: bool,
    /// With --callgrind: compare with these earlier figures
    #[arg(long, value_name = "FILE", requires = "callgrind")]
    baseline: Option<PathBuf>,
    /// With --callgrind: keep the figures
    #[arg(long, value_name = "FILE", requires = "callgrind")]
    save: Option<PathBuf>,
    /// Only assert that a small recording is read right
    #[arg(long, conflicts_with = "callgrind")]
    smoke: bool,
    /// Transactions of the full-size recording
    #[arg(long, default_value_t = 100_000)]
    transactions: u64,
    /// Runs of each scenario; the median counts
    #[arg(long, default_value_t = 5)]
    runs: usize,
}

#[derive(clap::Subcommand)]
enum Peers {
    /// Set Harken beside Suricata and a program that only walks the packets
    Compare(compare::CompareArgs),
}

/// Runs what the arguments ask for.
pub(crate) fn run(args: &BenchArgs) -> Result<()> {
    match &args.peers {
        Some(Peers::Compare(args)) => compare::run(args),
        None if args.callgrind => callgrind::run(args.baseline.as_deref(), args.save.as_deref()),
        None if args.smoke => smoke::run(),
        None => scenarios(args.transactions, args.runs),
    }
}

/// One way of running Harken on one recording.
struct Scenario {
    name: &'static str,
    /// The part of the full number of transactions: 1 for all, 2 for half.
    part: u64,
    /// Connections open at a time.
    connections: u32,
    /// Transactions on each.
    per_connection: u64,
    format: &'static str,
    bodies: &'static str,
    threads: &'static str,
    /// Events go into a spool as well.
    spool: bool,
}

const BASE: Scenario = Scenario {
    name: "http.log as JSON",
    part: 1,
    connections: 64,
    per_connection: 500,
    format: "zeek-json",
    bodies: "0",
    threads: "1",
    spool: false,
};

/// Connections of two transactions, so that the full number of transactions opens 50,000 of them. The two
/// scenarios differ only in how many are open at a time.
const SHORT: Scenario = Scenario { name: "short connections", per_connection: 2, ..BASE };

const SCENARIOS: &[Scenario] = &[
    BASE,
    Scenario { name: "half the size", part: 2, ..BASE },
    SHORT,
    Scenario { name: "50,000 at a time", connections: 50_000, ..SHORT },
    Scenario { name: "two threads", threads: "2", ..BASE },
    Scenario { name: "http.log as TSV", format: "zeek-tsv", ..BASE },
    Scenario { name: "ECS, no bodies", format: "ecs", ..BASE },
    Scenario { name: "ECS, 16 KiB bodies", format: "ecs", bodies: "16384", ..BASE },
    Scenario { name: "spool, no bodies", spool: true, ..BASE },
    Scenario { name: "spool, 16 KiB bodies", spool: true, bodies: "16384", ..BASE },
];

impl Scenario {
    /// Its part of the full number of transactions.
    fn recording(&self, transactions: u64) -> Result<Recording> {
        Recording::make(transactions / self.part, self.connections, self.per_connection)
    }
}

/// What a scenario adds over another one, in CPU per packet.
struct Step {
    text: &'static str,
    from: &'static str,
    to: &'static str,
    /// Of the shard's thread alone, and not of all.
    shard: bool,
}

const STEPS: &[Step] = &[
    Step { text: "twice the size", from: "half the size", to: BASE.name, shard: false },
    Step { text: "64 to 50,000 connections", from: SHORT.name, to: "50,000 at a time", shard: false },
    Step { text: "one thread to two", from: BASE.name, to: "two threads", shard: false },
    Step {
        text: "http.log to a spool beside it, the shard",
        from: BASE.name,
        to: "spool, 16 KiB bodies",
        shard: true,
    },
    Step {
        text: "http.log to a spool beside it, all threads",
        from: BASE.name,
        to: "spool, 16 KiB bodies",
        shard: false,
    },
];

fn scenarios(transactions: u64, runs: usize) -> Result<()> {
    let binary = sh::release_binary()?;
    let mut rows = Vec::new();
    let mut per_packet: Vec<(&str, [f64; 2])> = Vec::new();
    for scenario in SCENARIOS {
        let recording = scenario.recording(transactions)?;
        let mut all = Vec::new();
        for _ in 0..runs.max(1) {
            let dir = sh::target_dir().join("bench/logs");
            fresh_dir(&dir)?;
            let command = replay(&binary, &recording.pcap, &dir, scenario);
            all.push(measure(&command).with_context(|| scenario.name)?);
        }
        let Some(usage) = median(all) else { continue };
        let packets = recording.packets.max(1) as f64;
        per_packet.push((scenario.name, [usage.cpu() / packets, usage.first / packets]));
        rows.push(row(scenario.name, &usage, &recording));
    }
    let head = [
        "scenario",
        "CPU s",
        "first thread",
        "wall s",
        "peak MiB",
        "packets/s",
        "transactions/s",
        "ns/packet",
        "ns/transaction",
    ];
    println!("\nmedian of {runs} runs; rates are per second of processor time\n");
    table::print(&head, &rows);
    println!();
    let figure = |name: &str, shard: bool| {
        let (_, [all, first]) = per_packet.iter().find(|(known, _)| *known == name)?;
        Some(if shard { *first } else { *all })
    };
    for step in STEPS {
        if let (Some(from), Some(to)) = (figure(step.from, step.shard), figure(step.to, step.shard)) {
            println!("{}, CPU per packet: {:+.1} %", step.text, (to / from - 1.0) * 100.0);
        }
    }
    Ok(())
}

fn row(name: &str, usage: &Usage, recording: &Recording) -> Vec<String> {
    let cpu = usage.cpu();
    let rate = |count: u64| table::grouped((count as f64 / cpu) as u64);
    let cost = |count: u64| format!("{:.0}", cpu * 1e9 / count.max(1) as f64);
    vec![
        name.to_owned(),
        format!("{cpu:.3}"),
        format!("{:.3}", usage.first),
        format!("{:.3}", usage.wall),
        format!("{:.1}", usage.peak_mib()),
        rate(recording.packets),
        rate(recording.transactions),
        cost(recording.packets),
        cost(recording.transactions),
    ]
}

fn replay(binary: &Path, capture: &Path, dir: &Path, scenario: &Scenario) -> Command {
    let mut command = Command::new(binary);
    command.arg("replay").arg(capture).arg("--log-dir").arg(dir);
    command.args(["--format", scenario.format, "--bodies", scenario.bodies, "--threads", scenario.threads]);
    if scenario.spool {
        command.arg("--spool").arg(dir.join("spool"));
    }
    command
}

/// An empty folder.
pub(crate) fn fresh_dir(dir: &Path) -> Result<()> {
    if dir.exists() {
        std::fs::remove_dir_all(dir).with_context(|| dir.display().to_string())?;
    }
    std::fs::create_dir_all(dir).with_context(|| dir.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_name_scenarios() {
        for step in STEPS {
            for name in [step.from, step.to] {
                assert!(SCENARIOS.iter().any(|scenario| scenario.name == name), "{name}");
            }
        }
    }
}
