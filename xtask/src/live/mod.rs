//! What is measured with live traffic, in network namespaces of its own: `cargo xtask live` (is every request
//! seen?), `cargo xtask knee` (at which rate is the first packet lost, and what comes after?) and
//! `cargo xtask soak` (does anything grow?).

mod books;
pub(crate) mod check;
mod halt;
mod net;
mod nginx;
mod process;
mod sensor;

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
