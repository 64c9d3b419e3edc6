//! `cargo xtask loss`: what is left of the transactions when a mirror loses or reorders packets.
//!
//! A capture of plain frames is wrapped in VXLAN, as a mirror session does, and packets are dropped or
//! moved; Harken reads the result, and every request of the server's access log is judged.

mod impair;
pub(crate) mod judge;

use crate::bench::{fresh_dir, table};
use crate::r#gen::disturb::Disturbance;
use crate::sh;
use anyhow::{Context, Result, bail};
use judge::{Tally, judge};
use std::path::{Path, PathBuf};

/// What is impaired and judged.
#[derive(clap::Args)]
pub(crate) struct LossArgs {
    /// The capture: plain Ethernet frames, as the server's side saw them
    #[arg(long)]
    capture: PathBuf,
    /// The server's access log: one JSON object a request (c, p, m, u, s, b, h, ua)
    #[arg(long)]
    access: PathBuf,
    /// Chooses other packets
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// One row of the table.
struct Case {
    name: &'static str,
    disturbance: Disturbance,
    /// The percentage that must be right; nothing may ever be wrong.
    right: f64,
}

const NONE: Disturbance = Disturbance { lose: 0.0, duplicate: 0.0, reorder: 0.0 };

const CASES: &[Case] = &[
    Case { name: "nothing", disturbance: NONE, right: 100.0 },
    Case { name: "0.01 % lost", disturbance: Disturbance { lose: 0.0001, ..NONE }, right: 99.0 },
    Case { name: "0.1 % lost", disturbance: Disturbance { lose: 0.001, ..NONE }, right: 99.0 },
    Case { name: "1 % lost", disturbance: Disturbance { lose: 0.01, ..NONE }, right: 92.0 },
    Case { name: "5 % lost", disturbance: Disturbance { lose: 0.05, ..NONE }, right: 0.0 },
    Case { name: "1 % reordered", disturbance: Disturbance { reorder: 0.01, ..NONE }, right: 100.0 },
    Case { name: "5 % reordered", disturbance: Disturbance { reorder: 0.05, ..NONE }, right: 100.0 },
];

/// Prints the table, and fails when a row misses its bound or anything is wrong.
pub(crate) fn run(args: &LossArgs) -> Result<()> {
    let binary = sh::release_binary()?;
    let access = std::fs::read_to_string(&args.access).with_context(|| args.access.display().to_string())?;
    let truth = judge::truth(&access)?;
    let dir = sh::target_dir().join("loss");
    fresh_dir(&dir)?;
    let (mut rows, mut missed) = (Vec::new(), Vec::new());
    for case in CASES {
        let impaired = dir.join("impaired.pcap");
        let (packets, _) = impair::write(&args.capture, &impaired, case.disturbance, args.seed)?;
        let tally = judge(&truth, &records(&binary, &impaired, &dir.join("logs"))?);
        rows.push(row(case.name, packets, &tally));
        if tally.share(tally.right) < case.right || tally.wrong > 0 {
            missed.push(case.name);
        }
    }
    fresh_dir(&dir)?;
    table::print(&["packets", "left", "requests", "right", "marked", "missing", "wrong"], &rows);
    if !missed.is_empty() {
        bail!("loss: out of bounds: {}", missed.join(", "));
    }
    Ok(())
}

fn row(name: &str, packets: u64, tally: &Tally) -> Vec<String> {
    let share = |count: u64| format!("{:.2} %", tally.share(count));
    vec![
        name.to_owned(),
        table::grouped(packets),
        table::grouped(tally.total),
        share(tally.right),
        share(tally.marked),
        share(tally.missing),
        table::grouped(tally.wrong),
    ]
}

/// Lets Harken read the capture and returns the lines of its http.log.
fn records(binary: &Path, capture: &Path, logs: &Path) -> Result<judge::Records> {
    fresh_dir(logs)?;
    let mut command = sh::command(binary);
    command.arg("replay").arg(capture).arg("--log-dir").arg(logs);
    sh::stdout(command.args(["--format", "zeek-json", "--bodies", "0"]))?;
    let log = logs.join("http.log");
    judge::records(&std::fs::read_to_string(&log).with_context(|| log.display().to_string())?)
}
