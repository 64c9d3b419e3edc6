//! `cargo xtask golden`: the logs that lie beside the golden captures.

use crate::sh;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// What is done with the logs.
#[derive(clap::Args)]
pub(crate) struct GoldenArgs {
    /// Only say which of them differ from what the program writes; this is the default
    #[arg(long)]
    check: bool,
    /// Write them as the program writes them now
    #[arg(long, conflicts_with = "check")]
    update: bool,
}

/// The logs of a case, and the form by which the program writes them.
const LOGS: &[(&str, &str)] = &[("zeek-json", "http.log"), ("zeek-json", "conn.log"), ("ecs", "events.json")];

/// Builds the program and compares or writes the logs of every case.
///
/// # Errors
/// When the program fails, and when a log differs and is not to be written.
pub(crate) fn run(args: &GoldenArgs) -> Result<()> {
    let program = build()?;
    let scratch = sh::target_dir().join("golden");
    let mut differing = Vec::new();
    for case in cases(&sh::root().join("captures"))? {
        let name = case.file_name().unwrap_or_default();
        for (form, log) in LOGS {
            let dir = scratch.join(name).join(form);
            replay(&program, form, &case.join("input.pcap"), &dir)?;
            let (made, kept) = (fs::read(dir.join(log))?, fs::read(case.join(log)).ok());
            if kept.as_ref() == Some(&made) {
                continue;
            }
            differing.push(Path::new(name).join(log).display().to_string());
            if args.update {
                fs::write(case.join(log), made)?;
            }
        }
    }
    match (differing.is_empty(), args.update) {
        (true, _) => println!("golden: all logs are as the program writes them"),
        (false, true) => println!("golden: written: {}", differing.join(", ")),
        (false, false) => bail!("golden: these differ: {} (--update writes them)", differing.join(", ")),
    }
    Ok(())
}

fn build() -> Result<PathBuf> {
    sh::run(sh::cargo().args(["build", "--quiet", "--package", "harken"]))?;
    Ok(sh::target_dir().join("debug/harken"))
}

/// The folders that hold a capture, in the order of their names.
fn cases(captures: &Path) -> Result<Vec<PathBuf>> {
    let mut cases = Vec::new();
    for entry in fs::read_dir(captures).with_context(|| captures.display().to_string())? {
        cases.extend(Some(entry?.path()).filter(|folder| folder.join("input.pcap").is_file()));
    }
    cases.sort();
    Ok(cases)
}

fn replay(program: &Path, form: &str, capture: &Path, dir: &Path) -> Result<()> {
    fs::create_dir_all(dir)?;
    let mut command = sh::command(program);
    command.args(["replay", "--quiet", "--format", form, "--log-dir"]).arg(dir).arg(capture);
    sh::stdout(&mut command).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_has_its_logs() {
        let cases = cases(&sh::root().join("captures")).unwrap();
        assert!(!cases.is_empty());
        for case in cases {
            for (_, log) in LOGS {
                let path = case.join(log);
                assert!(path.is_file(), "{} is missing: cargo xtask golden --update", path.display());
            }
        }
    }
}
