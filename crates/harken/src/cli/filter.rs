//! The command line of `harken filter`.

use clap::{Args, Subcommand, ValueHint};
use std::path::PathBuf;

/// `harken filter`.
#[derive(Subcommand, Debug)]
pub enum Filter {
    /// Show for each recorded event whether it is kept, which rule decided, and why.
    Test(FilterTest),
    /// Print the rules in the order in which they are asked, in plain words.
    Explain(FilterFiles),
}

/// The files that are tried.
#[derive(Args, Debug)]
#[command(after_long_help = "Examples:\n  \
    harken filter explain\n  \
    harken filter explain --simple filters-simple.json --advanced filters-advanced.json")]
pub struct FilterFiles {
    /// File of simple filters. [default: the shipped filters-simple-default.json]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub simple: Option<PathBuf>,

    /// File of advanced filters. [default: the shipped filters-advanced-default.json, which has no rules]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub advanced: Option<PathBuf>,
}

/// `harken filter test`.
#[derive(Args, Debug)]
#[command(after_long_help = "Examples:\n  \
    harken replay --format ecs capture.pcap > events.json\n  \
    harken filter test --events events.json\n  \
    harken filter test --events events.json.gz --simple filters-simple.json\n  \
    harken replay --format ecs capture.pcap | harken filter test --events - --advanced filters-advanced.json --json\n\n\
    Exit codes: 0 success, 1 a file cannot be read or used, 2 wrong usage, 3 some lines are no events.")]
pub struct FilterTest {
    /// Events, one a line (plain, gzip or zstd), as `harken replay --format ecs` writes them; `-` is standard
    /// input.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub events: PathBuf,

    /// The files that are tried.
    #[command(flatten)]
    pub files: FilterFiles,

    /// Print lines of JSON: one for each event, and one with the totals at the end.
    #[arg(long)]
    pub json: bool,
}
