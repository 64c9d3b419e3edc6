//! `cargo xtask live`: real traffic between nginx and wrk, mirrored as it happens through each source, and
//! judged by the server's access log: every request, no difference.

use super::generator::COLLECTOR;
use super::net::{self, Net};
use super::nginx::{NGINX, Nginx, WRK, wrk};
use super::process::Process;
use super::sensor::Sensor;
use super::{halt, harken, report};
use crate::bench::{fresh_dir, table};
use crate::loss::judge::{self, Tally};
use crate::sh;
use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use serde::Serialize;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// What is tried.
#[derive(clap::Args)]
pub(crate) struct LiveArgs {
    /// Only the cases whose names contain this; repeat for several
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
    /// Seconds of traffic for each case
    #[arg(long, value_name = "N", default_value_t = 5)]
    seconds: u64,
    /// Connections that ask one request after the other: they bound the rate
    #[arg(long, value_name = "N", default_value_t = 4)]
    connections: u32,
    /// af-packet and udp, 2 seconds each; skipped where root or a tool is missing
    #[arg(long, conflicts_with_all = ["only", "seconds"])]
    smoke: bool,
    /// This binary, in place of the release build
    #[arg(long, value_name = "FILE")]
    harken: Option<PathBuf>,
    /// Also write the figures to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// How the traffic reaches Harken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Source {
    AfPacket,
    AfXdp,
    Udp,
    Stdin,
    PcapOverIp,
}

/// One row.
struct Case {
    name: &'static str,
    source: Source,
    workers: u16,
    /// The interface hands over segments of up to 64 KiB, as it does unless told otherwise.
    offloads: bool,
    /// Part of the smoke.
    smoke: bool,
}

const CASE: Case =
    Case { name: "af-packet", source: Source::AfPacket, workers: 1, offloads: false, smoke: false };

const CASES: &[Case] = &[
    Case { smoke: true, ..CASE },
    Case { name: "af-packet, 2 workers", workers: 2, ..CASE },
    Case { name: "af-packet, offloads", offloads: true, ..CASE },
    Case { name: "af-packet, offloads, 2 workers", workers: 2, offloads: true, ..CASE },
    Case { name: "af-xdp", source: Source::AfXdp, ..CASE },
    Case { name: "udp", source: Source::Udp, smoke: true, ..CASE },
    Case { name: "udp, 2 workers", source: Source::Udp, workers: 2, ..CASE },
    Case { name: "stdin", source: Source::Stdin, ..CASE },
    Case { name: "pcap-over-ip", source: Source::PcapOverIp, ..CASE },
];

/// How long the last packets may take from the cable to the sensor.
const SETTLE: Duration = Duration::from_millis(1000);

/// What came of a case.
#[derive(Serialize)]
struct Outcome {
    case: &'static str,
    workers: u16,
    /// Workers that had packets.
    busy_workers: u64,
    offloads: bool,
    requests_per_second: f64,
    packets: u64,
    /// By the kernel, on the way to Harken.
    dropped: u64,
    #[serde(flatten)]
    tally: Tally,
    /// Seconds between SIGTERM, or the end of the input, and the end.
    end_seconds: f64,
    /// Every request, no difference, no packet dropped, no worker without work.
    passed: bool,
}

/// Runs the cases, prints the table, and fails when a case does.
pub(crate) fn run(args: &LiveArgs) -> Result<()> {
    let tools = [net::IP, net::ETHTOOL, NGINX, WRK, ("tcpdump", "--version")];
    if let Some(missing) = net::missing(&tools) {
        if args.smoke {
            eprintln!("!!! SKIPPED: live: {missing}");
            return Ok(());
        }
        bail!("live: {missing}");
    }
    halt::watch()?;
    let harken = harken(args.harken.as_deref())?;
    let seconds = if args.smoke { 2 } else { args.seconds };
    let wanted = |case: &Case| {
        let named = args.only.is_empty() || args.only.iter().any(|part| case.name.contains(part.as_str()));
        if args.smoke { case.smoke } else { named }
    };
    let mut outcomes = Vec::new();
    for case in CASES.iter().filter(|case| wanted(case)) {
        if case.source == Source::AfXdp && !super::has_af_xdp(&harken)? {
            eprintln!(
                "!!! SKIPPED: {}: the binary has no --af-xdp: build it with --features af_xdp",
                case.name
            );
            continue;
        }
        eprintln!("live: {}: {seconds} s of wrk over {} connections", case.name, args.connections);
        outcomes.push(try_case(case, &harken, seconds, args.connections).context(case.name)?);
    }
    if outcomes.is_empty() {
        bail!(
            "live: no case was run; their names are: {}",
            CASES.iter().map(|c| c.name).collect::<Vec<_>>().join("; ")
        );
    }
    let head = [
        "source",
        "busy workers",
        "requests/s",
        "requests",
        "packets",
        "dropped",
        "right",
        "hung up",
        "marked",
        "missing",
        "wrong",
        "verdict",
    ];
    table::print(&head, &outcomes.iter().map(row).collect::<Vec<_>>());
    if let Some(file) = &args.json {
        report(file, &outcomes)?;
    }
    let failed: Vec<&str> = outcomes.iter().filter(|o| !o.passed).map(|o| o.case).collect();
    if !failed.is_empty() {
        bail!("live: not every request was seen right: {}", failed.join(", "));
    }
    Ok(())
}

fn row(outcome: &Outcome) -> Vec<String> {
    let tally = &outcome.tally;
    let counts = [
        outcome.busy_workers,
        outcome.requests_per_second as u64,
        tally.total,
        outcome.packets,
        outcome.dropped,
        tally.right,
        tally.hung_up,
        tally.marked,
        tally.missing,
        tally.wrong,
    ];
    let verdict = if outcome.passed { "no difference" } else { "DIFFERENT" };
    let name = std::iter::once(outcome.case.to_owned());
    name.chain(counts.map(table::grouped)).chain([verdict.to_owned()]).collect()
}

/// A sensor and what feeds it.
struct Fed {
    sensor: Sensor,
    /// What feeds it, and has to end before it.
    feeder: Option<Process>,
}

fn try_case(case: &Case, harken: &Path, seconds: u64, connections: u32) -> Result<Outcome> {
    let dir = sh::target_dir().join("live/check");
    fresh_dir(&dir)?;
    // The mirror's packets are longer than those it wraps, by way of loopback; the cable has the usual MTU.
    let net = Net::new("live", 1500, case.offloads)?;
    let nginx = Nginx::start(&net.server, &dir)?;
    let mut fed = feed(case, &net, harken, &dir, seconds)?;
    fed.sensor.receiving()?;
    // Captures that are wanted from the first packet on: let the kernel's side of it be in place.
    halt::pause(Duration::from_millis(700))?;
    let rate = wrk(&net, &dir, seconds, connections)?;
    halt::pause(SETTLE)?;
    let busy = match case.source {
        // A capture has one worker, and may be over by now.
        Source::Stdin | Source::PcapOverIp => 1,
        _ => fed.sensor.busy_workers(harken)?,
    };
    let (closed, lost) = match (&mut fed.feeder, case.source) {
        (Some(tcpdump), Source::Stdin | Source::PcapOverIp) => {
            let lost = stop_tcpdump(tcpdump)?;
            (fed.sensor.over()?, lost)
        }
        (Some(mirror), _) => {
            mirror.finish(Duration::from_secs(seconds + 30))?;
            halt::pause(SETTLE)?;
            (fed.sensor.stop()?, refused(&mirror.said()?))
        }
        (None, _) => (fed.sensor.stop()?, 0),
    };
    let access = nginx.stop()?;
    let log = fed.sensor.log("http.log");
    let text = std::fs::read_to_string(&log).with_context(|| log.display().to_string())?;
    let tally = judge::judge_live(judge::truth(&access)?, judge::records(&text)?);
    let dropped = closed.books.dropped() + lost;
    let passed =
        dropped == 0 && tally.total > 0 && tally.right + tally.hung_up == tally.total && tally.wrong == 0;
    Ok(Outcome {
        case: case.name,
        workers: case.workers,
        busy_workers: busy,
        offloads: case.offloads,
        requests_per_second: rate,
        packets: closed.books.received(),
        dropped,
        tally,
        end_seconds: closed.took.as_secs_f64(),
        passed,
    })
}

fn feed(case: &Case, net: &Net, harken: &Path, dir: &Path, seconds: u64) -> Result<Fed> {
    let end = &net.server;
    let workers = case.workers.to_string();
    let flags = |own: &[&str]| {
        let all = ["--workers", &workers, "--rotate-every", "0"].into_iter().chain(own.iter().copied());
        all.map(str::to_owned).collect::<Vec<_>>()
    };
    let start = |own: &[&str], stdin: Stdio| Sensor::start(end.command(harken), dir, &flags(own), stdin);
    let tcpdump = || {
        let mut command = end.command("tcpdump");
        // -Z root: it does not change to a user who may not be there.
        command.args([
            "-Z",
            "root",
            "-i",
            &end.device,
            "-s0",
            "-B",
            "65536",
            "-U",
            "-w",
            "-",
            "tcp port 8080",
        ]);
        command
    };
    let log = dir.join("feeder.out");
    Ok(match case.source {
        Source::AfPacket => {
            Fed { sensor: start(&["--interface", &end.device, "--plain-tcp"], Stdio::null())?, feeder: None }
        }
        Source::Udp | Source::AfXdp => {
            // AF_XDP takes tunnel packets alone: those of the mirror, on the interface that they go over.
            let own = match case.source {
                Source::AfXdp => &["--interface", "lo", "--af-xdp"][..],
                _ => &["--udp", COLLECTOR],
            };
            let mut sensor = start(own, Stdio::null())?;
            sensor.receiving()?;
            let mut mirror = end.command(harken);
            mirror.args(["mirror-sim", "--interface", &end.device, "--to", COLLECTOR, "--vni", "77"]);
            // wrk and the waits around it; then it prints its figures.
            mirror.args(["--run-for", &format!("{}s", seconds + 4)]);
            let mut feeder = Process::start(&mut mirror, &log, Stdio::null(), None)?;
            feeder.until_said("mirroring", Duration::from_secs(5))?;
            Fed { sensor, feeder: Some(feeder) }
        }
        Source::Stdin => {
            let mut feeder = Process::start(&mut tcpdump(), &log, Stdio::null(), Some(Stdio::piped()))?;
            let pipe = feeder.stdout()?.into();
            Fed { sensor: start(&["--read", "-"], pipe)?, feeder: Some(feeder) }
        }
        Source::PcapOverIp => {
            // A namespace has a loopback of its own: the connection is made in that of this process.
            let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
            let own = flags(&["--pcap-over-ip", &format!("listen:{port}")]);
            let mut sensor = Sensor::start(sh::command(harken), dir, &own, Stdio::null())?;
            sensor.process.until_said("waiting for a capture", Duration::from_secs(5))?;
            let stream = TcpStream::connect(port).with_context(|| format!("cannot connect to {port}"))?;
            let feeder =
                Process::start(&mut tcpdump(), &log, Stdio::null(), Some(OwnedFd::from(stream).into()))?;
            Fed { sensor, feeder: Some(feeder) }
        }
    })
}

/// Ends tcpdump, and returns how many packets its kernel side dropped.
fn stop_tcpdump(tcpdump: &mut Process) -> Result<u64> {
    tcpdump.stop(Signal::SIGINT, Duration::from_secs(10))?;
    let said = tcpdump.said()?;
    first_number(&said, " packets dropped by kernel")
        .with_context(|| format!("tcpdump does not say what it dropped:\n{}", said.trim_end()))
}

/// Packets that the mirror could not send.
fn refused(said: &str) -> u64 {
    first_number(said, " refused by the system").unwrap_or(0)
}

/// The number that stands before `what`.
fn first_number(said: &str, what: &str) -> Option<u64> {
    let before = said.split_once(what)?.0;
    before.rsplit(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_feeders_say() {
        let tcpdump = "12 packets captured\n12 packets received by filter\n3 packets dropped by kernel\n";
        assert_eq!(first_number(tcpdump, " packets dropped by kernel"), Some(3));
        assert_eq!(
            refused("harken: 9 packets, 8 bytes: 7 packets/s; 2 refused by the system, 0 not Ethernet"),
            2
        );
        assert_eq!(first_number("nothing", " packets"), None);
    }

    #[test]
    fn cases_have_names_of_their_own() {
        for (at, case) in CASES.iter().enumerate() {
            assert!(CASES.iter().skip(at + 1).all(|other| other.name != case.name), "{}", case.name);
        }
        assert!(CASES.iter().any(|case| case.smoke));
    }
}
