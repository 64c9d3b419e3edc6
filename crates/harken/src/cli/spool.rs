//! Flags of `harken spool`, and those of a spool that is written to.
use super::{run::duration, size};
use clap::{Args, Subcommand, ValueEnum, ValueHint};
use std::path::PathBuf;
use std::time::Duration;

/// Where events wait for the connector.
#[derive(Args, Debug, Clone)]
pub struct SpoolArgs {
    /// Also put every transaction, as an event, into a durable queue in this folder, for `harken connector`.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub spool: Option<PathBuf>,

    /// Bytes that the queue may have on the disk.
    #[arg(long, value_name = "BYTES", default_value = "10g", value_parser = size, requires = "spool")]
    pub spool_size: u64,

    /// What gives way when it has.
    #[arg(long, value_enum, value_name = "WHAT", requires = "spool")]
    pub spool_full: Option<SpoolFull>,

    /// How long an event may wait before it is on the disk.
    #[arg(long, value_name = "TIME", default_value = "200ms", value_parser = duration, requires = "spool")]
    pub spool_commit: Duration,
}

/// What gives way when a spool has its size.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum SpoolFull {
    /// The oldest events are deleted, delivered or not. The default of `harken run`.
    DropOldest,
    /// New events are dropped.
    DropNewest,
    /// Reading waits until there is room: for captures, not for live traffic. The default of `harken replay`.
    Block,
}

/// `harken spool`.
#[derive(Subcommand, Debug)]
pub enum Spool {
    /// Show how much is in a spool, and how far each reader is.
    #[command(after_help = "Example:\n  harken spool status --spool /var/lib/harken/spool")]
    Status {
        /// The spool.
        #[command(flatten)]
        at: SpoolAt,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print events without taking them away from any reader.
    #[command(after_help = "Example:\n  harken spool peek --limit 3 --from 10m | jq .url.path")]
    Peek {
        /// The spool.
        #[command(flatten)]
        at: SpoolAt,
        /// Which events.
        #[command(flatten)]
        range: Range,
        /// Events, at most.
        #[arg(long, value_name = "N", default_value_t = 10)]
        limit: u64,
    },
    /// Have a pipeline deliver again what is in the spool from a time on.
    #[command(
        after_help = "The reader goes there within a second, or when it is started. What is delivered again \
        has the same event.id as before.\n\nExamples:\n  \
        harken spool replay --pipeline sensor-sentinel --from 2026-11-25T10:00:00Z\n  \
        harken spool replay --pipeline sensor-sentinel --from 1h"
    )]
    Replay {
        /// The spool.
        #[command(flatten)]
        at: SpoolAt,
        /// From when on: a time (2026-11-25T10:00:00Z), how long ago (90s, 10m, 1h, 2d), `oldest` or `newest`.
        #[arg(long, value_name = "TIME", value_parser = since)]
        from: Since,
        /// The pipeline: all its datasinks, or with `PIPELINE.DATASINK` that one.
        #[arg(long, value_name = "NAME")]
        pipeline: String,
    },
    /// Write events to a file, one JSON object a line.
    #[command(after_help = "Example:\n  harken spool export --from 1d --output yesterday.ndjson.gz")]
    Export {
        /// The spool.
        #[command(flatten)]
        at: SpoolAt,
        /// Which events.
        #[command(flatten)]
        range: Range,
        /// The file; `.gz` at its end compresses it. `-` is standard output.
        #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
        output: PathBuf,
    },
}

/// Which spool.
#[derive(Args, Debug)]
pub struct SpoolAt {
    /// Folder of the spool.
    #[arg(long, value_name = "DIR", default_value = "spool", value_hint = ValueHint::DirPath)]
    pub spool: PathBuf,
}

/// A range of time.
#[derive(Args, Debug)]
pub struct Range {
    /// Not those that began before: a time (2026-11-25T10:00:00Z) or how long ago (10m, 1h, 2d).
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub from: Option<Since>,
    /// Not those that began then or later.
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub to: Option<Since>,
}

/// A place in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Since {
    /// The first event that there is.
    Oldest,
    /// Behind the last event that there is.
    Newest,
    /// Nanoseconds since 1970.
    At(u64),
    /// So long ago.
    Ago(Duration),
}

/// Reads a place in time.
fn since(text: &str) -> Result<Since, String> {
    match text {
        "oldest" => return Ok(Since::Oldest),
        "newest" => return Ok(Since::Newest),
        _ => {}
    }
    if let Ok(time) = chrono::DateTime::parse_from_rfc3339(text) {
        return Ok(Since::At(time.timestamp_nanos_opt().and_then(|ns| u64::try_from(ns).ok()).unwrap_or(0)));
    }
    duration(text).map(Since::Ago).map_err(|_| {
        format!("'{text}' is no time: write 2026-11-25T10:00:00Z, or how long ago as 90s, 10m, 1h, 2d")
    })
}
