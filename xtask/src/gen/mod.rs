//! `cargo xtask gen`: makes captures.
//!
//! `traffic` makes the traffic of an API under load, of any size, with the server's access log beside it:
//! for the benchmark, and for tests of loss. `golden` makes the captures of `captures/`, so that their
//! source is this code. Everything is made from a seed: the same options give the same bytes.

mod conversation;
pub(crate) mod disturb;
mod golden;
mod mix;
mod packet;
mod prng;
#[cfg(test)]
mod tests;
pub(crate) mod traffic;
pub(crate) mod tunnel;

use anyhow::Result;
use std::path::PathBuf;

/// What is made.
#[derive(clap::Args)]
pub(crate) struct GenArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Traffic of an API under load, and the access log of its server
    Traffic {
        /// The capture
        pcap: PathBuf,
        /// The access log: JSON lines
        truth: PathBuf,
        #[command(flatten)]
        traffic: traffic::Traffic,
    },
    /// The captures of captures/
    Golden {
        /// Only say whether they are as this code makes them
        #[arg(long)]
        check: bool,
    },
}

/// Makes what the arguments ask for.
///
/// # Errors
/// When a file cannot be written, or with `--check` when one differs.
pub(crate) fn run(args: &GenArgs) -> Result<()> {
    match &args.what {
        What::Golden { check } => golden::run(*check),
        What::Traffic { pcap, truth, traffic } => {
            let made = traffic::write(traffic, pcap, truth)?;
            println!(
                "{} transactions on {} connections: {} packets, {} bytes; lost {}, duplicated {}, reordered {}",
                made.transactions,
                made.connections,
                made.packets,
                made.bytes,
                made.suffered.lost,
                made.suffered.duplicated,
                made.suffered.reordered,
            );
            Ok(())
        }
    }
}
