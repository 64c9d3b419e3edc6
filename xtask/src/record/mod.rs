//! `cargo xtask record`: real servers and clients of one kind, captured, with what both ends saw beside it.
//!
//! A recording runs in a network namespace of its own that has a loopback interface and nothing else. The servers and
//! clients are Python packages, which are installed into a virtual environment under `target/`.

use crate::sh;
use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use std::fs;
use std::path::{Path, PathBuf};

/// What is recorded.
#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// gRPC calls of all four kinds: grpcio
    Grpc,
    /// WebSocket connections: websockets
    Websocket,
    /// WebSocket connections inside HTTP/2 (RFC 8441): hypercorn, and a client of h2 and wsproto
    WebsocketH2,
    /// The Model Context Protocol: the official SDK
    Mcp,
    /// GraphQL over HTTP: graphql-core behind uvicorn
    Graphql,
    /// Many requests over HTTP/2 in the clear: nginx and h2load
    Http2Load,
    /// The same over HTTP/1.1
    Http1Load,
}

impl Kind {
    /// The script, and the packages that it needs.
    const fn script(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Grpc => ("grpc_calls.py", &["grpcio==1.85.3", "grpcio-health-checking==1.85.1"]),
            Self::Websocket => ("websocket_talks.py", &["websockets==17.4"]),
            Self::WebsocketH2 => {
                ("websocket_h2_talks.py", &["hypercorn==0.18.0", "h2==4.3.0", "wsproto==1.2.0"])
            }
            Self::Mcp => ("mcp_session.py", &["mcp==2.3.0", "uvicorn==0.54.0"]),
            Self::Http2Load | Self::Http1Load => ("load_requests.py", &[]),
            Self::Graphql => (
                "graphql_requests.py",
                &["graphql-core==3.3.2", "uvicorn==0.54.0", "starlette==1.10.0", "httpx==0.28.1"],
            ),
        }
    }
}

impl Kind {
    /// The version of HTTP of a load.
    const fn version(self) -> Option<&'static str> {
        match self {
            Self::Http2Load => Some("http2"),
            Self::Http1Load => Some("http1"),
            _ => None,
        }
    }
}

#[derive(Args)]
#[command(after_help = "Example:
  cargo xtask record grpc --out /tmp/grpc
  cargo run -p harken -- replay /tmp/grpc/input.pcap

Needs root, python3 with venv, tcpdump, ethtool and iproute2.")]
pub(crate) struct RecordArgs {
    /// What to record
    kind: Kind,
    /// Folder for `input.pcap` and `truth.jsonl`
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Requests of a load [default: 300000]
    #[arg(long, value_name = "N")]
    requests: Option<u64>,
}

/// Records in a namespace of its own: `$1` folder, `$2` Python, `$3` script, and what it is told beside port and truth.
const RUN: &str = r#"
ip link set lo mtu 1500 up
ethtool -K lo tso off gso off gro off >/dev/null 2>&1
tcpdump -Z root -i lo -s0 -B 65536 -w "$1/input.pcap" tcp port 8080 2>"$1/tcpdump.log" & dump=$!
sleep 1
timeout 900 "$2" "$3" 8080 "$1/truth.jsonl" "${@:4}"; code=$?
sleep 1; kill -INT $dump; wait $dump
grep -q '^0 packets dropped by kernel' "$1/tcpdump.log" || { echo "the capture dropped packets" >&2; exit 1; }
exit $code
"#;

pub(crate) fn run(args: &RecordArgs) -> Result<()> {
    if args.requests.is_some() && args.kind.version().is_none() {
        bail!("--requests is for http1-load and http2-load; what other kinds ask for is fixed");
    }
    for (tool, probe) in [("python3", "--version"), ("tcpdump", "--version"), ("ethtool", "--version")] {
        if !sh::is_there(tool, probe) {
            bail!(
                "{tool} is not installed; on Debian: apt-get install python3-venv tcpdump ethtool iproute2"
            );
        }
    }
    fs::create_dir_all(&args.out).with_context(|| format!("cannot make {}", args.out.display()))?;
    let (script, packages) = args.kind.script();
    let requests = args.requests.unwrap_or(300_000);
    if args.kind.version().is_some() {
        for (tool, probe) in [("nginx", "-v"), ("h2load", "--version")] {
            if !sh::is_there(tool, probe) {
                bail!("{tool} is not installed; on Debian: apt-get install nginx nghttp2-client");
            }
        }
    }
    let python = environment(packages)?;
    let script = sh::root().join("xtask/src/record").join(script);
    sh::run(
        sh::command("unshare")
            .args(["-n", "bash", "-c", RUN, "record"])
            .args([&args.out, &python, &script])
            .args(
                args.kind
                    .version()
                    .into_iter()
                    .flat_map(|version| [version.to_owned(), requests.to_string()]),
            ),
    )?;
    let truth =
        fs::read_to_string(args.out.join("truth.jsonl")).context("the recording has no truth.jsonl")?;
    println!("{} in {}", truth.lines().count(), args.out.display());
    Ok(())
}

/// The interpreter of a virtual environment that has these packages.
fn environment(packages: &[&str]) -> Result<PathBuf> {
    let folder = sh::root().join("target/record");
    let python = folder.join("bin/python");
    if !Path::new(&python).exists() {
        sh::run(sh::command("python3").args(["-m", "venv"]).arg(&folder))?;
    }
    if !packages.is_empty() {
        sh::run(sh::command(&python).args(["-m", "pip", "install", "--quiet"]).args(packages))?;
    }
    Ok(python)
}
