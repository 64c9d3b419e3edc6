//! What is measured with live traffic, in network namespaces of its own: `cargo xtask live` (is every request
//! seen?), `cargo xtask knee` (at which rate is the first packet lost, and what comes after?) and
//! `cargo xtask soak` (does anything grow?).

mod books;
pub(crate) mod check;
mod contender;
mod curve;
mod generator;
mod halt;
pub(crate) mod knee;
mod net;
mod nginx;
mod process;
mod quota;
mod samples;
mod search;
mod sensor;
pub(crate) mod soak;
mod suricata;
mod svg;
pub(crate) mod throughput;

use crate::sh;
use anyhow::{Context, Result};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// The binary to be measured: the one that was named, else a release build.
fn harken(named: Option<&Path>) -> Result<PathBuf> {
    match named {
        Some(path) => path.canonicalize().with_context(|| path.display().to_string()),
        None => sh::release_binary(),
    }
}

/// Writes figures as JSON.
fn report(file: &Path, figures: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(figures)? + "\n";
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// Whether a binary has the source AF_XDP. Every binary knows the flag; one that was built without says so, and the
/// other that there is no such interface.
fn has_af_xdp(harken: &Path) -> Result<bool> {
    let mut command = sh::command(harken);
    let output = sh::output(command.args(["run", "--interface", "no-such-device", "--af-xdp"]))?;
    Ok(!String::from_utf8_lossy(&output.stderr).contains("built without AF_XDP"))
}

/// The machine in words: what figures depend on.
fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown processor");
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    format!("{count} processors ({}), Linux {}", model.trim_start_matches([' ', '\t', ':']), kernel.trim())
}
