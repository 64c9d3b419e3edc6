//! The flags of `harken connector` and `harken deadletter`.
use clap::{Args, Subcommand, ValueHint};
use std::path::PathBuf;

/// `harken connector`.
#[derive(Subcommand, Debug)]
pub enum Connector {
    /// Deliver events in the foreground, until SIGTERM or SIGINT; SIGHUP reads the filters again.
    #[command(after_long_help = "Examples:\n  \
        harken connector run\n  \
        harken connector run --config /etc/harken/connector.json\n  \
        harken replay --format ecs capture.pcap > events.ndjson && harken connector run  # a reader of type file")]
    Run(Settings),
    /// Start it in the background; what it says until it runs is in start.log.
    Start(Settings),
    /// End it: what is on its way may be answered, the rest is read again next time.
    Stop(Settings),
    /// End it and start it again.
    Restart(Settings),
    /// Have its filters read again; wrong ones leave the old ones in force.
    Reload(Settings),
    /// Show how it goes: the statistics block, and what fails and why.
    #[command(after_long_help = "Examples:\n  \
        harken connector status\n  \
        harken connector status --json | jq '.routes[].ledger'")]
    Status {
        /// As JSON.
        #[arg(long)]
        json: bool,
        /// Which one.
        #[command(flatten)]
        settings: Settings,
    },
    /// Check the configuration, and the address, TLS and credentials of each datasink; nothing is written.
    Check(Settings),
}

/// The configuration.
#[derive(Args, Debug)]
pub struct Settings {
    /// The configuration: readers, pipelines and datasinks.
    #[arg(long, value_name = "FILE", default_value = "connector.json", value_hint = ValueHint::FilePath)]
    pub config: PathBuf,
}

/// `harken deadletter`.
#[derive(Subcommand, Debug)]
pub enum DeadLetter {
    /// Count them, by pipeline and datasink, with the reason of the newest.
    List(Settings),
    /// Print them, one JSON object a line, the oldest first.
    #[command(after_long_help = "Examples:\n  \
        harken deadletter show sensor-sentinel sentinel-api-edge\n  \
        harken deadletter show sensor-sentinel sentinel-api-edge | jq -r .reason | sort | uniq -c")]
    Show(Named),
    /// Send them to their datasink again; what it takes is removed.
    Replay(Named),
}

/// One pipeline and datasink.
#[derive(Args, Debug)]
pub struct Named {
    /// The pipeline.
    #[arg(value_name = "PIPELINE")]
    pub pipeline: String,
    /// The datasink.
    #[arg(value_name = "DATASINK")]
    pub datasink: String,
    /// Which connector.
    #[command(flatten)]
    pub settings: Settings,
}
