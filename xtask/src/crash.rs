//! `cargo xtask crash`: the connector's crash test, at length.

use crate::sh;
use anyhow::Result;
use clap::Args;

#[derive(Args)]
pub(crate) struct CrashArgs {
    /// How often the connector is killed
    #[arg(long, default_value_t = 200)]
    rounds: u32,
}

/// Runs the test of `crates/connector/tests/crash.rs` with so many rounds; it prints what was read,
/// delivered, repeated and lost.
pub(crate) fn run(args: &CrashArgs) -> Result<()> {
    let mut test = sh::cargo();
    test.args(["test", "--package", "harken-connector", "--test", "crash"]);
    sh::run(test.env("HARKEN_CRASH_ROUNDS", args.rounds.to_string()))
}
