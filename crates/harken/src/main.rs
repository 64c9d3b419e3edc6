//! The command line of Harken, a passive API traffic sensor.
#![allow(
    unreachable_pub,
    reason = "nothing of a binary is reachable; `pub` marks what a module offers the others"
)]
mod analysis;
mod cli;
mod connector;
mod filter;
mod logs;
mod manual;
mod mask;
#[cfg(feature = "mirror")]
mod mirror;
mod mirror_sim;
mod names;
mod origins;
mod replay;
mod report;
mod run;
mod sandbox;
mod sinks;
mod spool;
mod style;
mod summary;
mod watch;

// Flows come and go by the thousand: with the allocator of the C library a fifth of the time of short
// connections went into it.
#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

use anyhow::Result;
use clap::{CommandFactory as _, Parser as _};
use cli::{Cli, Command, Schema};
use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("harken: error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        Command::Replay(args) => return replay::run(&args),
        Command::Run(args) => return run::run(&args),
        #[cfg(feature = "mirror")]
        Command::Mirror(command) => return mirror::run(&command),
        Command::MirrorSim(args) => return mirror_sim::run(&args),
        Command::Top(args) => return run::top::run(&args),
        Command::Filter(args) => return filter::run(&args),
        Command::Reload(args) => run::control::reload(&args.control)?,
        Command::Connector(command) => return connector::run(&command),
        Command::Deadletter(command) => return connector::letters::run(&command),
        Command::Schema { what: Schema::Connector } => {
            print_json(&harken_connector::Config::schema())?;
        }
        #[cfg(feature = "mirror")]
        Command::Schema { what: Schema::Mirror } => {
            print_json(&harken_mirror::spec::Spec::schema())?;
        }
        Command::Mask(cli::Mask::Test(args)) => mask::test(&args)?,
        Command::Spool(args) => spool::run(&args)?,
        Command::Schema { what: Schema::Event } => {
            print_json(&harken_event::ecs::schema())?;
        }
        Command::Version { json } => print(&version(json)?)?,
        Command::Completions { shell } => {
            let mut out = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "harken", &mut out);
            print(&String::from_utf8(out)?)?;
        }
        Command::Manual { what, dir } => manual::run(what, &dir)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints to standard output; a reader that went away is no error.
fn print(text: &str) -> Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Prints a value as JSON that people can read, too.
fn print_json(value: &impl serde::Serialize) -> Result<()> {
    print(&(serde_json::to_string_pretty(value)? + "\n"))
}

/// Whether an error is that whoever reads the output went away, which is no failure: it has seen enough.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

fn version(json: bool) -> Result<String> {
    let debug = cfg!(debug_assertions);
    if !json {
        return Ok(format!("harken {}\n", env!("CARGO_PKG_VERSION")));
    }
    let value = serde_json::json!({
        "name": "harken",
        "version": env!("CARGO_PKG_VERSION"),
        "os": std::env::consts::OS,
        "arch": std::env::consts::ARCH,
        "profile": if debug { "debug" } else { "release" },
        "event_schema_version": harken_event::ecs::SCHEMA_VERSION,
    });
    Ok(serde_json::to_string_pretty(&value)? + "\n")
}
