//! `cargo xtask fuzz`: runs the fuzz targets, each on a corpus that begins with the golden captures.
//!
//! The targets are built once, with libFuzzer and without a sanitizer: the code is safe Rust, and what
//! is looked for are panics, overflows, endless loops and memory without bounds. Where cargo-fuzz is
//! missing, the corpora are replayed by the plain test `xtask/tests/fuzz_replay.rs`.

mod report;
mod seeds;

use crate::bench::table::grouped;
use crate::sh;
use anyhow::{Context, Result, bail};
use report::Report;
use seeds::Kind;
use std::path::{Path, PathBuf};

/// Which targets are run and for how long.
#[derive(clap::Args)]
pub(crate) struct FuzzArgs {
    /// Seconds for each target
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// The targets; all without a name
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
}

/// How a target is fed.
struct Target {
    name: &'static str,
    /// The longest input in bytes.
    max_len: u32,
    seeds: Kind,
}

const TARGETS: &[Target] = &[
    Target { name: "frame", max_len: 2048, seeds: Kind::Frames },
    Target { name: "decap", max_len: 2048, seeds: Kind::Tunnels },
    Target { name: "defrag", max_len: 8192, seeds: Kind::Packets },
    Target { name: "quic", max_len: 2048, seeds: Kind::Payloads },
    Target { name: "reassembly", max_len: 8192, seeds: Kind::Packets },
    Target { name: "http1", max_len: 16_384, seeds: Kind::Payloads },
    Target { name: "http2", max_len: 4096, seeds: Kind::Payloads },
    Target { name: "body", max_len: 16_384, seeds: Kind::Payloads },
    Target { name: "websocket", max_len: 4096, seeds: Kind::Payloads },
    Target { name: "tls", max_len: 8192, seeds: Kind::Payloads },
    Target { name: "units", max_len: 4096, seeds: Kind::Payloads },
    Target { name: "api", max_len: 16_384, seeds: Kind::Payloads },
    Target { name: "filter", max_len: 16_384, seeds: Kind::Filters },
    Target { name: "mask", max_len: 16_384, seeds: Kind::Payloads },
    Target { name: "capture_file", max_len: 65_536, seeds: Kind::Captures },
    Target { name: "spool", max_len: 16_384, seeds: Kind::Payloads },
    Target { name: "whole_capture", max_len: 65_536, seeds: Kind::Captures },
];

/// Seconds after which one input counts as an endless loop.
const TIMEOUT: u32 = 10;
/// MiB of memory that no input may need.
const MEMORY: u32 = 1024;

/// Runs the targets that have a file, and fails when one of them crashes.
pub(crate) fn run(args: &FuzzArgs) -> Result<()> {
    let targets = chosen(&args.targets)?;
    let corpus = sh::root().join("fuzz/corpus");
    for target in &targets {
        let count = seeds::write(&target.seeds, target.max_len, &corpus.join(target.name))?;
        println!("fuzz: {}: {} seeds", target.name, grouped(count));
    }
    if !sh::has_cargo_tool("fuzz") {
        println!("fuzz: NOT FUZZED: cargo-fuzz is not installed (cargo install --locked cargo-fuzz)");
        println!("fuzz: the corpora are replayed by a plain test instead");
        let mut test = sh::cargo();
        test.args(["test", "--quiet", "--package", "xtask", "--test", "fuzz_replay"]);
        return sh::run(test.env("HARKEN_FUZZ_CORPUS", &corpus));
    }
    let binaries = build()?;
    let mut crashed = Vec::new();
    for target in &targets {
        let report = fuzz(target, &binaries, &corpus.join(target.name), args.seconds)?;
        println!("fuzz: {}: {report}", target.name);
        if report.crashed() {
            crashed.push(target.name);
        }
    }
    match crashed.is_empty() {
        true => Ok(()),
        false => bail!("fuzz: crashed: {}", crashed.join(", ")),
    }
}

/// The targets of those names; all whose file exists without names.
fn chosen(names: &[String]) -> Result<Vec<&'static Target>> {
    if names.is_empty() {
        let file = |target: &Target| sh::root().join("fuzz/fuzz_targets").join(format!("{}.rs", target.name));
        return Ok(TARGETS.iter().filter(|target| file(target).is_file()).collect());
    }
    let find = |name: &String| {
        let known = || TARGETS.iter().map(|target| target.name).collect::<Vec<_>>().join(", ");
        TARGETS
            .iter()
            .find(|target| target.name == name)
            .with_context(|| format!("no target {name}; known: {}", known()))
    };
    names.iter().map(find).collect()
}

/// Builds all targets and returns the folder of their programs.
fn build() -> Result<PathBuf> {
    let target_dir = sh::target_dir().join("fuzz");
    let mut build = sh::cargo();
    // libFuzzer's coverage needs flags that the stable compiler takes only from its own bootstrap.
    build.env("RUSTC_BOOTSTRAP", "1");
    build.args(["fuzz", "build", "--fuzz-dir", "fuzz", "--sanitizer", "none", "--target-dir"]);
    sh::run(build.arg(&target_dir))?;
    let triples =
        std::fs::read_dir(&target_dir)?.filter_map(Result::ok).map(|entry| entry.path().join("release"));
    let mut folders: Vec<PathBuf> = triples.filter(|folder| folder.join("capture_file").is_file()).collect();
    folders.pop().with_context(|| format!("no fuzz targets in {}", target_dir.display()))
}

fn fuzz(target: &Target, binaries: &Path, corpus: &Path, seconds: u64) -> Result<Report> {
    let artifacts = sh::root().join("fuzz/artifacts").join(target.name);
    std::fs::create_dir_all(&artifacts)?;
    let mut program = sh::command(binaries.join(target.name));
    program.arg(corpus);
    let regressions = sh::root().join("fuzz/regressions").join(target.name);
    if regressions.is_dir() {
        program.arg(regressions);
    }
    program
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-max_len={}", target.max_len))
        .arg(format!("-timeout={TIMEOUT}"))
        .arg(format!("-rss_limit_mb={MEMORY}"))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .arg("-print_final_stats=1");
    let output = sh::output(&mut program)?;
    let said = String::from_utf8_lossy(&output.stderr);
    let report = Report::parse(&said, output.status.success());
    if report.crashed() {
        // What the target panicked about stands just before the stack and the statistics.
        let told: Vec<&str> =
            said.lines().filter(|line| !line.starts_with('#') && !line.starts_with("stat::")).collect();
        println!("{}", told.get(told.len().saturating_sub(40)..).unwrap_or_default().join("\n"));
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_target_is_named_with_those_that_are_known() {
        let error = chosen(&["htpp1".to_owned()]).err().unwrap().to_string();
        assert!(error.contains("htpp1") && error.contains("http1, http2, body"), "{error}");
    }

    #[test]
    fn every_target_file_is_known() {
        for entry in std::fs::read_dir(sh::root().join("fuzz/fuzz_targets")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            assert!(TARGETS.iter().any(|target| target.name == name), "{name} is in no row of TARGETS");
        }
    }
}
