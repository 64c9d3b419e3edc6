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
    /// The capture is HTTP/2, where a loss also costs what it has taken of the header tables: it is also told of how many
    /// requests method, URI and status are known, and that is what must be enough
    #[arg(long)]
    http2: bool,
    /// Chooses other packets
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// One row of the table.
struct Case {
    name: &'static str,
    disturbance: Disturbance,
    /// The percentage that must be right in HTTP/1, and of which method, URI and status must be known in HTTP/2; nothing may
    /// ever be wrong.
    bounds: [f64; 2],
}

const NONE: Disturbance = Disturbance { lose: 0.0, duplicate: 0.0, reorder: 0.0 };

const CASES: &[Case] = &[
    Case { name: "nothing", disturbance: NONE, bounds: [100.0, 100.0] },
    Case { name: "0.01 % lost", disturbance: Disturbance { lose: 0.0001, ..NONE }, bounds: [99.0, 99.9] },
    Case { name: "0.1 % lost", disturbance: Disturbance { lose: 0.001, ..NONE }, bounds: [99.0, 99.0] },
    Case { name: "1 % lost", disturbance: Disturbance { lose: 0.01, ..NONE }, bounds: [92.0, 96.0] },
    Case { name: "5 % lost", disturbance: Disturbance { lose: 0.05, ..NONE }, bounds: [0.0, 85.0] },
    Case {
        name: "1 % reordered",
        disturbance: Disturbance { reorder: 0.01, ..NONE },
        bounds: [100.0, 100.0],
    },
    Case {
        name: "5 % reordered",
        disturbance: Disturbance { reorder: 0.05, ..NONE },
        bounds: [100.0, 100.0],
    },
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
        rows.push(row(case.name, packets, &tally, args.http2));
        let [http1, http2] = case.bounds;
        let (count, bound) = if args.http2 { (tally.known, http2) } else { (tally.right, http1) };
        if tally.share(count) < bound || tally.wrong > 0 {
            missed.push(case.name);
        }
    }
    fresh_dir(&dir)?;
    let known = args.http2.then_some("known");
    let titles = ["packets", "left", "requests", "right", "marked"].into_iter().chain(known);
    table::print(&titles.chain(["missing", "wrong"]).collect::<Vec<_>>(), &rows);
    if !missed.is_empty() {
        bail!("loss: out of bounds: {}", missed.join(", "));
    }
    Ok(())
}

fn row(name: &str, packets: u64, tally: &Tally, is_http2: bool) -> Vec<String> {
    let share = |count: u64| format!("{:.2} %", tally.share(count));
    let mut row = vec![
        name.to_owned(),
        table::grouped(packets),
        table::grouped(tally.total),
        share(tally.right),
        share(tally.marked),
    ];
    row.extend(is_http2.then(|| share(tally.known)));
    row.extend([share(tally.missing), table::grouped(tally.wrong)]);
    row
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
