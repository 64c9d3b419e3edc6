//! The project's own chores, run as `cargo xtask NAME`: what would otherwise be scripts.

mod bench;
mod crash;
mod deny;
mod fuzz;
mod r#gen;
mod golden;
mod live;
mod loss;
mod record;
mod sh;
mod tidy;
mod tree;

use clap::Parser;
use std::ffi::OsString;
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
    /// Run the fuzz targets, or replay their corpora where cargo-fuzz is missing
    Fuzz(fuzz::FuzzArgs),
    /// Make captures: traffic for benchmarks, and the golden captures
    Gen(r#gen::GenArgs),
    /// Compare the logs beside the golden captures with what the program writes, or write them
    Golden(golden::GoldenArgs),
    /// Measure processor time and memory
    Bench(bench::BenchArgs),
    /// Tell what is left of the transactions when packets are lost or reordered
    Loss(loss::LossArgs),
    /// Record real servers and clients, with what both ends saw beside it (needs root)
    Record(record::RecordArgs),
    /// Kill the connector many times while it delivers through faults: is anything lost?
    Crash(crash::CrashArgs),
    /// Real traffic through every source, judged by the server's access log (needs root)
    Live(live::check::LiveArgs),
    /// The highest rate without loss, and what is delivered beyond it, beside Suricata (needs root)
    Knee(live::knee::KneeArgs),
    /// Half the highest rate for an hour: does anything grow, do the books balance? (needs root)
    Soak(live::soak::SoakArgs),
    /// Sensor and connector together, from a recording to a file, HTTPS and Kafka
    Throughput(live::throughput::ThroughputArgs),
    /// Run a command and print what it cost
    #[command(hide = true)]
    Measure {
        #[arg(last = true)]
        command: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    let done = match Task::parse() {
        Task::Tidy => tidy::run(),
        Task::Manual => tidy::manual::write(),
        Task::Deny => deny::run(),
        Task::Fuzz(args) => fuzz::run(&args),
        Task::Golden(args) => golden::run(&args),
        Task::Gen(args) => r#gen::run(&args),
        Task::Bench(args) => bench::run(&args),
        Task::Record(args) => record::run(&args),
        Task::Loss(args) => loss::run(&args),
        Task::Crash(args) => crash::run(&args),
        Task::Live(args) => live::check::run(&args),
        Task::Knee(args) => live::knee::run(&args),
        Task::Soak(args) => live::soak::run(&args),
        Task::Throughput(args) => live::throughput::run(&args),
        Task::Measure { command } => bench::measure::helper(&command),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Task::command().debug_assert();
    }
}
