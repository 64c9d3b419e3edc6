//! `cargo xtask bench compare`: Harken beside its peers on one capture, in one run, in turns, so that
//! all of them meet the same machine.

use super::measure::{Usage, measure, median};
use super::table;
use crate::sh;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is compared.
#[derive(clap::Args)]
pub(crate) struct CompareArgs {
    /// The capture that all of them read
    #[arg(long)]
    capture: PathBuf,
    /// Suricata's configuration; without it Suricata is left out
    #[arg(long)]
    suricata_config: Option<PathBuf>,
    /// A program that only walks the packets: a binary, or a .rs file that is compiled with rustc -O
    #[arg(long)]
    floor: Option<PathBuf>,
    /// Runs of each; the median counts
    #[arg(long, default_value_t = 3)]
    runs: usize,
}

/// One of those that are compared.
struct Contender {
    name: &'static str,
    command: Command,
    /// Where it writes; emptied before each run.
    dir: PathBuf,
    goals: &'static [Goal],
}

/// A bound on a contender's figures.
struct Goal {
    text: &'static str,
    met: fn(&Figures) -> Option<bool>,
}

/// A contender's cost beside that of its peers.
struct Figures {
    usage: Usage,
    suricata: Option<f64>,
    floor: Option<f64>,
}

const LOG_GOALS: &[Goal] = &[
    Goal { text: "CPU at most 1/8 of Suricata's", met: |f| f.suricata.map(|s| f.usage.cpu() * 8.0 <= s) },
    Goal { text: "CPU at most 4 times the floor's", met: |f| f.floor.map(|s| f.usage.cpu() <= s * 4.0) },
    Goal { text: "peak memory under 64 MiB", met: |f| Some(f.usage.peak_mib() < 64.0) },
];
const ECS_GOALS: &[Goal] = &[
    Goal { text: "CPU at most 1/4 of Suricata's", met: |f| f.suricata.map(|s| f.usage.cpu() * 4.0 <= s) },
    Goal { text: "peak memory under 64 MiB", met: |f| Some(f.usage.peak_mib() < 64.0) },
];

const SURICATA: &str = "suricata";
const FLOOR: &str = "floor";

/// Runs the comparison and prints its table.
pub(crate) fn run(args: &CompareArgs) -> Result<()> {
    let capture = args.capture.canonicalize().with_context(|| args.capture.display().to_string())?;
    let work = sh::target_dir().join("bench/compare");
    std::fs::create_dir_all(&work)?;
    let mut contenders = contenders(args, &capture, &work)?;
    // The first read fills the page cache, so that no contender pays for the disk.
    let size = std::io::copy(&mut std::fs::File::open(&capture)?, &mut std::io::sink())?;
    println!("{}: {} bytes, {} runs each, in turns\n", capture.display(), table::grouped(size), args.runs);
    let mut runs: Vec<Vec<Usage>> = contenders.iter().map(|_| Vec::new()).collect();
    for _ in 0..args.runs.max(1) {
        for (contender, runs) in contenders.iter_mut().zip(&mut runs) {
            super::fresh_dir(&contender.dir)?;
            runs.push(measure(&contender.command).with_context(|| contender.name)?);
        }
    }
    let medians: Vec<Usage> = runs.into_iter().filter_map(median).collect();
    let cpu_of = |name: &str| {
        contenders
            .iter()
            .zip(&medians)
            .find(|(contender, _)| contender.name == name)
            .map(|(_, usage)| usage.cpu())
    };
    let (suricata, floor) = (cpu_of(SURICATA), cpu_of(FLOOR));
    let mut rows = Vec::new();
    let mut verdicts = Vec::new();
    for (contender, usage) in contenders.iter().zip(&medians) {
        rows.push(row(contender.name, usage, suricata, floor));
        let figures = Figures { usage: usage.clone(), suricata, floor };
        for goal in contender.goals {
            let verdict = match (goal.met)(&figures) {
                Some(true) => "met",
                Some(false) => "NOT MET",
                None => "not measured",
            };
            verdicts.push(format!("{}: {}: {verdict}", contender.name, goal.text));
        }
    }
    let head = ["reader", "CPU s", "user s", "system s", "wall s", "peak MiB", "of Suricata", "of floor"];
    table::print(&head, &rows);
    println!();
    for verdict in verdicts {
        println!("{verdict}");
    }
    Ok(())
}

fn row(name: &str, usage: &Usage, suricata: Option<f64>, floor: Option<f64>) -> Vec<String> {
    let seconds = |value: f64| format!("{value:.3}");
    vec![
        name.to_owned(),
        seconds(usage.cpu()),
        seconds(usage.user),
        seconds(usage.system),
        seconds(usage.wall),
        format!("{:.1}", usage.peak_mib()),
        suricata.map_or_else(String::new, |peer| format!("1/{:.1}", peer / usage.cpu())),
        floor.map_or_else(String::new, |peer| format!("{:.2} x", usage.cpu() / peer)),
    ]
}

fn contenders(args: &CompareArgs, capture: &Path, work: &Path) -> Result<Vec<Contender>> {
    let binary = sh::release_binary()?;
    let mut all = Vec::new();
    for (name, folder, format, bodies, goals) in [
        ("harken, http.log as JSON", "zeek", "zeek-json", "0", LOG_GOALS),
        ("harken, ECS, 16 KiB bodies", "ecs", "ecs", "16384", ECS_GOALS),
    ] {
        let dir = work.join(folder);
        let mut command = Command::new(&binary);
        command.arg("replay").arg(capture).arg("--log-dir").arg(&dir);
        command.args(["--threads", "1", "--format", format, "--bodies", bodies]);
        all.push(Contender { name, command, dir, goals });
    }
    match &args.suricata_config {
        None => println!("SKIPPED: Suricata: no --suricata-config FILE was given"),
        Some(_) if !sh::is_there("suricata", "-V") => println!("SKIPPED: Suricata: it is not installed"),
        Some(config) => {
            let config = config.canonicalize().with_context(|| config.display().to_string())?;
            let dir = work.join("suricata");
            let mut command = Command::new("suricata");
            command.arg("-c").arg(config).args(["--runmode", "single", "-k", "none", "-r"]).arg(capture);
            command.arg("-l").arg(&dir);
            all.push(Contender { name: SURICATA, command, dir, goals: &[] });
        }
    }
    match &args.floor {
        None => println!("SKIPPED: the floor: no --floor PROGRAM was given"),
        Some(program) => {
            let mut command = Command::new(floor_binary(program, work)?);
            command.arg(capture);
            all.push(Contender { name: FLOOR, command, dir: work.join("floor.d"), goals: &[] });
        }
    }
    Ok(all)
}

/// The program itself, or what rustc makes of its source.
fn floor_binary(program: &Path, work: &Path) -> Result<PathBuf> {
    let program = program.canonicalize().with_context(|| program.display().to_string())?;
    if program.extension().is_none_or(|extension| extension != "rs") {
        return Ok(program);
    }
    let binary = work.join("floor");
    // Outside the workspace's folder, so that its warnings are its own affair.
    let built =
        sh::output(Command::new("rustc").args(["--edition", "2021", "-O", "-o"]).arg(&binary).arg(&program))?;
    if !built.status.success() {
        bail!("rustc cannot build {}\n{}", program.display(), String::from_utf8_lossy(&built.stderr));
    }
    Ok(binary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_are_ratios() {
        let figures = |cpu, suricata, floor, mib: i64| Figures {
            usage: Usage { user: cpu, peak_kib: mib * 1024, ..Usage::default() },
            suricata,
            floor,
        };
        let verdicts =
            |goals: &[Goal], f: &Figures| goals.iter().map(|goal| (goal.met)(f)).collect::<Vec<_>>();
        let good = figures(1.0, Some(8.0), Some(0.25), 63);
        assert_eq!(verdicts(LOG_GOALS, &good), [Some(true); 3]);
        let bad = figures(1.0, Some(7.9), Some(0.24), 64);
        assert_eq!(verdicts(LOG_GOALS, &bad), [Some(false); 3]);
        assert_eq!(verdicts(ECS_GOALS, &figures(1.0, Some(4.0), None, 1)), [Some(true); 2]);
        assert_eq!(verdicts(LOG_GOALS, &figures(1.0, None, None, 1)), [None, None, Some(true)]);
    }
}
