//! `cargo xtask tidy`: the habits of the project that no compiler checks.
//!
//! Each check is a function from a [`Tree`] to findings. A finding names the file, the line where
//! there is one, and the mend.

mod deps;
mod fuzz;
mod links;
pub(crate) mod manual;
mod pages;
mod pure;
mod rust;
mod size;
mod source;
mod unsafe_code;

use crate::tree::Tree;
use anyhow::{Result, bail};

/// Something to mend.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    path: String,
    /// Counted from 1; 0 when the whole file is meant.
    line: usize,
    message: String,
}

impl Finding {
    fn new(path: impl Into<String>, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.into(), line, message: message.into() }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.message),
            line => write!(f, "{}:{line}: {}", self.path, self.message),
        }
    }
}

/// One named check of the files alone.
struct Check {
    name: &'static str,
    run: fn(&Tree) -> Vec<Finding>,
}

const CHECKS: &[Check] = &[
    Check { name: "dependencies point up the page", run: deps::check },
    Check { name: "pure crates see bytes and timestamps only", run: pure::check },
    Check { name: "modules: header, length, leftovers", run: source::check },
    Check { name: "no unsafe outside harken-capture", run: unsafe_code::check },
    Check { name: "every decoder has a fuzz target", run: fuzz::check },
    Check { name: "links of the documents", run: links::check },
    Check { name: "shape of README and ARCHITECTURE", run: pages::check },
    Check { name: "no large files", run: size::check },
];

/// Runs every check and fails when one finds something.
pub(crate) fn run() -> Result<()> {
    let tree = Tree::load()?;
    let mut total = 0;
    for check in CHECKS {
        total += report(check.name, &(check.run)(&tree));
    }
    total += report("the manual's lists equal the binary's", &manual::check(&tree)?);
    match total {
        0 => Ok(()),
        n => bail!("tidy: {n} findings"),
    }
}

fn report(name: &str, findings: &[Finding]) -> usize {
    println!("tidy: {name}: {}", if findings.is_empty() { "ok" } else { "FAILED" });
    for finding in findings {
        println!("  {finding}");
    }
    findings.len()
}

/// The messages of a check on made-up files, for its tests.
#[cfg(test)]
fn found(check: fn(&Tree) -> Vec<Finding>, files: &[(&str, &str)]) -> Vec<String> {
    check(&Tree::of(files)).iter().map(ToString::to_string).collect()
}
