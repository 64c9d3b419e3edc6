//! The command line, defined once: help, manual pages and completions are derived from it.
mod connector;
mod filter;
mod mask;
#[cfg(feature = "mirror")]
mod mirror;
mod run;
mod spool;

pub use connector::{Connector, DeadLetter, Named, Settings};
pub use filter::{Filter, FilterFiles, FilterTest};
pub use mask::{Mask, MaskTest, ValueForm};
#[cfg(feature = "mirror")]
pub use mirror::{Apply, How, Mirror, PlaceArgs, SourceArgs, SpecArgs, Verify, Which};
pub use run::{Control, MirrorSim, Run, Top};
pub use spool::{Range, Since, Spool, SpoolArgs, SpoolFull};

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use harken_event::Form;
use std::path::PathBuf;

/// Passive API traffic sensor: rebuilds every HTTP transaction from mirrored traffic.
#[derive(Parser, Debug)]
#[command(name = "harken", version, max_term_width = 100, propagate_version = true)]
#[command(after_help = "Exit codes: 0 success, 1 something failed, 2 wrong usage, 3 the input is damaged \
    (all that is readable was given).")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Read capture files and show the HTTP transactions in them.
    Replay(Box<Replay>),
    /// Receive mirrored traffic as it happens and write logs.
    Run(Box<Run>),
    /// Show the live figures of a running sensor.
    Top(Top),
    /// Let a running sensor begin new logs now (as SIGHUP does).
    Reload(Control),
    /// Set up AWS VPC Traffic Mirroring: discover, plan, apply, verify, destroy.
    #[cfg(feature = "mirror")]
    #[command(subcommand)]
    Mirror(Box<Mirror>),
    /// Wrap the packets of an interface or a capture in VXLAN and send them, as traffic mirroring does.
    MirrorSim(MirrorSim),
    /// Deliver events from a spool or a file, through pipelines, to datasinks.
    #[command(subcommand)]
    Connector(Connector),
    /// Look at events that a datasink did not take, and send them again.
    #[command(subcommand)]
    Deadletter(DeadLetter),
    /// Try what masks secrets and personal data.
    #[command(subcommand)]
    Mask(Mask),
    /// Look into the durable queue of events, and have it delivered again.
    #[command(subcommand)]
    Spool(Spool),
    /// Try filter files on recorded events, or have them explained.
    #[command(subcommand)]
    Filter(Filter),
    /// Print the JSON Schema of what Harken writes.
    Schema {
        /// Which schema.
        #[arg(value_enum, default_value_t = Schema::Event)]
        what: Schema,
    },
    /// Print the version and how the program was built.
    Version {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print completions for a shell, to be sourced by it.
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Write the manual pages, or print the reference of all flags as Markdown.
    Manual {
        /// What to produce.
        #[arg(value_enum)]
        what: Manual,
        /// Folder that the manual pages are written to.
        #[arg(long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
        dir: PathBuf,
    },
}

/// Schemas that can be printed.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Schema {
    /// The Transaction event (`--format ecs`).
    Event,
    /// The configuration of `harken connector`.
    Connector,
    /// The description of what `harken mirror` sets up.
    #[cfg(feature = "mirror")]
    Mirror,
}

/// Forms of the manual.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Manual {
    /// roff pages, one a command, into `--dir`.
    Man,
    /// A Markdown reference of every command and flag, to standard output.
    Flags,
}

/// How transactions are written.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// A readable line for each transaction.
    Table,
    /// Zeek's http.log as JSON lines.
    ZeekJson,
    /// Zeek's http.log as tab-separated values, readable by zeek-cut.
    ZeekTsv,
    /// The full event as JSON lines, with Elastic Common Schema names.
    Ecs,
}

impl Format {
    /// Form of the Zeek logs beside it.
    pub const fn form(self) -> Form {
        match self {
            Self::ZeekTsv => Form::Tsv,
            Self::Table | Self::ZeekJson | Self::Ecs => Form::Json,
        }
    }
}

/// When to use colours.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Color {
    /// When standard output is a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Whether the tunnel belongs to a connection's identity.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum TunnelInKey {
    /// Connections in different VNIs or VLANs are different, even with equal addresses.
    Vni,
    /// Addresses and ports alone: for conversations whose two ends are mirrored under two VNIs.
    None,
}

/// `harken replay`.
#[derive(Args, Debug)]
#[command(after_long_help = "Examples:\n  \
    harken replay capture.pcap\n  \
    tcpdump -i eth0 -w - udp port 4789 | harken replay -\n  \
    harken replay --json a.pcap.gz b.pcapng.zst | jq .uri\n  \
    harken replay --log-dir logs --format zeek-tsv capture.pcap && zeek-cut host uri < logs/http.log\n  \
    harken replay --format ecs --bodies 64k --filter 'status=5xx' --filter 'path~/api/*' capture.pcap\n  \
    harken replay --stats capture.pcap")]
pub struct Replay {
    /// Capture files (pcap or pcapng, plain, gzip or zstd), merged by time; `-` is standard input.
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,

    /// Write http.log, conn.log, weird.log, ssl.log, quic.log, websocket.log and tunnel.log (with `--format ecs`: events.json in
    /// place of http.log) into this folder, which is made when absent.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub log_dir: Option<PathBuf>,

    /// Short for `--format zeek-json`; with `--stats`, the ledger as JSON.
    #[arg(long, conflicts_with = "format")]
    pub json: bool,

    /// How transactions are written. [default: table; zeek-json with --log-dir]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<Format>,

    /// How traffic is analysed.
    #[command(flatten)]
    pub analysis: Analysis,

    /// Where events wait for the connector.
    #[command(flatten)]
    pub spool: SpoolArgs,

    /// Threads that analyse; connections are shared out among them.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub threads: u16,

    /// Print the ledger: what became of every packet, byte and transaction.
    #[arg(long)]
    pub stats: bool,

    /// Do not print transactions or the summary (logs are written all the same).
    #[arg(long, short)]
    pub quiet: bool,

    /// Lines of each "top" list of the summary.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub top: usize,

    /// When to use colours.
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    pub color: Color,
}

/// What `replay` and `run` have in common: how traffic is analysed.
#[derive(Args, Debug)]
pub struct Analysis {
    /// Only transactions for which this holds: FIELD OP VALUE, OP one of = != ~ (glob); repeat for more
    /// conditions, all of which must hold.
    #[arg(long, value_name = "TERM")]
    pub filter: Vec<String>,

    /// Descriptors of services that speak protocol buffers (gRPC, gRPC-Web, Connect): their messages are shown, masked and
    /// filtered as JSON. A file that `protoc --include_imports --descriptor_set_out=FILE` or `buf build -o FILE` has written;
    /// repeat for more.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub proto_descriptors: Vec<PathBuf>,

    /// Names of virtual networks: which instance and interface is mirrored under a VNI, as `harken mirror apply --names` or
    /// `harken mirror names` has written it. `run` reads it again when it changes.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub vni_names: Option<PathBuf>,

    /// Messages of each WebSocket connection that get an event of their own, of both sides together; 0 for none.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub websocket_messages: u32,

    /// Bytes kept of each body, after decoding, a side; `k` and `m` are understood, 0 turns bodies off.
    /// Events and the table are made from them: `--format ecs`, `--spool`. [default: 16k with one of these or the
    /// table, else 0]
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub bodies: Option<usize>,

    /// What is masked before anything is written, and how: a JSON file. Without it, secrets (credentials, cookies,
    /// tokens, keys) and payment cards.
    #[arg(long, value_name = "FILE")]
    pub masking: Option<PathBuf>,

    /// Mask nothing.
    #[arg(long, conflicts_with = "masking")]
    pub show_secrets: bool,

    /// Network whose hosts are believed when they name the client that they speak for (X-Forwarded-For, Forwarded, PROXY
    /// protocol, ...): repeat for several; `private` stands for all private ones, `none` for nobody.
    #[arg(long, value_name = "NETWORK", default_values_t = ["private".to_owned()])]
    pub trusted_proxy: Vec<String>,

    /// Whether the tunnel belongs to a connection's identity.
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = TunnelInKey::Vni)]
    pub tunnel_in_key: TunnelInKey,

    /// UDP port of VXLAN; repeat for several.
    #[arg(long, value_name = "PORT", default_values_t = [4789])]
    pub vxlan_port: Vec<u16>,

    /// UDP port of GENEVE; repeat for several.
    #[arg(long, value_name = "PORT", default_values_t = [6081])]
    pub geneve_port: Vec<u16>,

    /// Tunnels inside each other that are taken off.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u8).range(0..=32))]
    pub max_tunnel_depth: u8,

    /// Refuse packets with a wrong checksum (mirrors often carry ones that were never computed).
    #[arg(long)]
    pub verify_checksums: bool,

    /// Connections followed at the same time; beyond it the oldest is given up.
    #[arg(long, value_name = "N", default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_flows: u32,

    /// Packets of a connection that may overtake a missing one before it counts as lost.
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub reorder_packets: u32,

    /// Milliseconds of packet time, beside `--reorder-packets`, before a missing packet counts as lost.
    #[arg(long, value_name = "MS", default_value_t = 20)]
    pub reorder_ms: u64,

    /// Seed of the Community ID.
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub community_id_seed: u16,
}

/// A number of bytes that are kept of a body.
fn bytes(text: &str) -> Result<usize, String> {
    up_to(text, 64 << 20, "64m")
}

/// A number of bytes that is at most `most`, which is written so.
fn up_to(text: &str, most: usize, written: &str) -> Result<usize, String> {
    let bytes = usize::try_from(size(text)?).ok().filter(|bytes| *bytes <= most);
    bytes.ok_or_else(|| format!("'{text}' is more than {written}"))
}

/// A number of bytes: `4096`, `16k`, `2m`, `20g`, `1t`.
fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("'{text}' is not a number of bytes: write for example 4096, 16k, 2m or 20g");
    let lower = text.to_ascii_lowercase();
    let digits = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    let shift = match lower.get(digits.len()..).unwrap_or_default() {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return Err(wrong()),
    };
    number.checked_mul(1 << shift).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn numbers_of_bytes() {
        for (text, expected) in [
            ("0", Some(0)),
            ("16k", Some(16 << 10)),
            ("2M", Some(2 << 20)),
            ("x", None),
            ("65m", None),
            ("k", None),
        ] {
            assert_eq!(bytes(text).ok(), expected, "{text}");
        }
    }
}
