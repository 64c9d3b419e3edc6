//! The project's own chores, run as `cargo xtask NAME`: what would otherwise be scripts.

mod deny;
mod sh;
mod tidy;
mod tree;

use clap::Parser;
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's own chores", disable_version_flag = true)]
enum Task {
    /// Check the habits of the project that no compiler checks
    Tidy,
    /// Write the lists that the binary prints into the pages of docs/
    Manual,
    /// Check licences, bans and sources of the dependencies, and advisories where they can be fetched
    Deny,
}

fn main() -> ExitCode {
    let done = match Task::parse() {
        Task::Tidy => tidy::run(),
        Task::Manual => tidy::manual::write(),
        Task::Deny => deny::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
