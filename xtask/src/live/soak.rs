//! `cargo xtask soak`: Harken under half of what it can take, for a long time: does anything grow, and do the
//! books balance at the end to the last packet?

use super::contender::{Bench, Contender, Kind};
use super::generator::{COLLECTOR, Captures, mirrored};
use super::net::{self, Net};
use super::process::Process;
use super::samples::{Sample, Trend, comes_back};
use super::search::search;
use super::sensor::{Closed, Sensor};
use super::{halt, harken, machine, report};
use crate::bench::{fresh_dir, table};
use crate::r#gen::disturb::Disturbance;
use crate::r#gen::traffic::Traffic;
use crate::sh;
use anyhow::{Context, Result, bail};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// How long, and how much.
#[derive(clap::Args)]
pub(crate) struct SoakArgs {
    /// Minutes of traffic
    #[arg(long, value_name = "N", default_value_t = 60.0)]
    minutes: f64,
    /// The part of the knee's rate that is sent
    #[arg(long, value_name = "PART", default_value_t = 0.5)]
    share: f64,
    /// Send so many packets a second, in place of looking for the knee
    #[arg(long, value_name = "N", conflicts_with = "share")]
    rate: Option<u64>,
    /// Harken's workers
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    workers: u16,
    /// The part of the packets that the mirror loses
    #[arg(long = "drop", value_name = "P", default_value_t = 0.001)]
    lose: f64,
    /// The part of the packets that the mirror delivers late
    #[arg(long, value_name = "P", default_value_t = 0.01)]
    reorder: f64,
    /// The part of the packets that the mirror delivers twice
    #[arg(long, value_name = "P", default_value_t = 0.001)]
    duplicate: f64,
    /// How often Harken begins new logs
    #[arg(long, value_name = "TIME", default_value = "20s")]
    rotate_every: String,
    /// What Harken keeps of rotated logs
    #[arg(long, value_name = "BYTES", default_value = "500m")]
    keep_size: String,
    /// This binary, in place of the release build
    #[arg(long, value_name = "FILE")]
    harken: Option<PathBuf>,
    /// Also write the figures, and every sample, to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Time between two samples.
const EVERY: Duration = Duration::from_secs(2);
/// Time that memory has to find its size; of a short soak it is half.
const WARM_UP: f64 = 300.0;
/// How long the last packets may take.
const SETTLE: Duration = Duration::from_secs(1);
/// Between two lines on standard error.
const TELL: Duration = Duration::from_secs(30);

/// One thing that has to be so at the end.
#[derive(Serialize)]
struct Verdict {
    what: &'static str,
    figures: String,
    good: bool,
}

/// All figures.
#[derive(Serialize)]
struct Report<'a> {
    machine: String,
    rate: u64,
    workers: u16,
    sent: u64,
    received: u64,
    dropped: u64,
    end_seconds: f64,
    verdicts: &'a [Verdict],
    samples: &'a [Sample],
}

/// Runs the soak, prints the table, and fails when something is not as it has to be.
pub(crate) fn run(args: &SoakArgs) -> Result<()> {
    if let Some(missing) = net::missing(&[net::IP, net::ETHTOOL]) {
        bail!("soak: {missing}");
    }
    if args.minutes <= 0.0 {
        bail!("--minutes {}: it takes some time", args.minutes);
    }
    halt::watch()?;
    let harken = harken(args.harken.as_deref())?;
    let rate = match args.rate {
        Some(rate) => rate,
        None => (knee(&harken, args.workers)? * args.share) as u64,
    };
    let traffic = Traffic {
        transactions: 200_000,
        connections: 500,
        // Short connections: several hundred open and close each second.
        per_connection: 10,
        disturbance: Disturbance { lose: args.lose, reorder: args.reorder, duplicate: args.duplicate },
        ..Traffic::default()
    };
    let captures = Captures::make(&traffic, false)?;
    let dir = sh::target_dir().join("live/soak");
    fresh_dir(&dir)?;
    let net = Net::new("soak", 1500, true)?;
    let workers = args.workers.to_string();
    let flags = [
        ["--udp", COLLECTOR],
        ["--workers", &workers],
        ["--rotate-every", &args.rotate_every],
        ["--keep-size", &args.keep_size],
        ["--compress", "gzip"],
        ["--stats-every", "10s"],
    ];
    let flags: Vec<String> = flags.as_flattened().iter().map(|&flag| flag.to_owned()).collect();
    let mut sensor = Sensor::start(net.server.command(&harken), &dir, &flags, Stdio::null())?;
    sensor.receiving()?;
    let mut mirror = net.server.command(&harken);
    mirror.arg("mirror-sim").arg("--read").arg(&captures.plain).args(["--to", COLLECTOR]);
    mirror.args(["--rate", &rate.to_string(), "--times", "4000000000"]);
    let seconds = args.minutes * 60.0;
    mirror.args(["--run-for", &format!("{}ms", (seconds * 1000.0) as u64)]);
    let mut mirror = Process::start(&mut mirror, &dir.join("mirror.out"), Stdio::null(), None)?;
    eprintln!("soak: {rate} packets/s for {} minutes", args.minutes);
    let samples = watch(&mut sensor, &mut mirror, seconds)?;
    halt::pause(SETTLE)?;
    let said = mirror.said()?;
    let sent = mirrored(&said).with_context(|| format!("mirror-sim does not say what it sent:\n{said}"))?;
    let closed = sensor.stop()?;
    let verdicts = judge(args, &samples, sent.packets, &closed, seconds);
    println!(
        "{}\n{rate} packets/s asked, {:.0} sent\n",
        machine(),
        sent.packets as f64 / sent.seconds.max(1e-9)
    );
    print(&verdicts);
    if let Some(file) = &args.json {
        let all = Report {
            machine: machine(),
            rate,
            workers: args.workers,
            sent: sent.packets,
            received: closed.books.received(),
            dropped: closed.books.dropped(),
            end_seconds: closed.took.as_secs_f64(),
            verdicts: &verdicts,
            samples: &samples,
        };
        report(file, &all)?;
    }
    let bad: Vec<&str> =
        verdicts.iter().filter(|verdict| !verdict.good).map(|verdict| verdict.what).collect();
    if !bad.is_empty() {
        bail!(
            "soak: not as it has to be: {}; harken said, at the end:\n{}",
            bad.join(", "),
            tail(&closed.said)
        );
    }
    Ok(())
}

/// The rate that Harken takes over UDP without loss.
fn knee(harken: &Path, workers: u16) -> Result<f64> {
    eprintln!("soak: looking for the knee; --rate N saves that");
    let bench = Bench {
        harken: harken.to_owned(),
        captures: Captures::make(
            &Traffic { transactions: 300_000, connections: 1000, per_connection: 50, ..Traffic::default() },
            false,
        )?,
        net: Net::new("soak", 1600, true)?,
        quota: None,
        dir: sh::target_dir().join("live/knee"),
        seconds: 3.0,
    };
    let contender = Contender { name: "harken-udp", kind: Kind::Udp, workers };
    let knee = search(|rate, times| bench.measure(&contender, rate, times))?;
    if knee.rate() < 1.0 {
        bail!("soak: no rate without loss was found; name one with --rate N");
    }
    Ok(knee.rate())
}

/// Takes samples until the mirror has ended.
fn watch(sensor: &mut Sensor, mirror: &mut Process, seconds: f64) -> Result<Vec<Sample>> {
    let began = Instant::now();
    let (mut samples, mut told) = (Vec::new(), Instant::now());
    while mirror.runs()? {
        if began.elapsed().as_secs_f64() > seconds + 60.0 {
            bail!("mirror-sim goes on a minute longer than it was told to");
        }
        halt::pause(EVERY)?;
        sensor.process.still_runs()?;
        let sample = Sample::take(sensor.process.pid(), began.elapsed())?;
        if told.elapsed() >= TELL {
            told = Instant::now();
            eprintln!(
                "soak: {:.0} s: {:.1} MiB resident, {} open files, {} threads",
                sample.seconds,
                sample.resident as f64 / 1_048_576.0,
                sample.files,
                sample.threads
            );
        }
        samples.push(sample);
    }
    Ok(samples)
}

fn judge(args: &SoakArgs, samples: &[Sample], sent: u64, closed: &Closed, seconds: f64) -> Vec<Verdict> {
    let warm_up = WARM_UP.min(seconds / 2.0);
    let later: Vec<&Sample> = samples.iter().filter(|sample| sample.seconds >= warm_up).collect();
    let memory = Trend::of(&later, |sample| sample.resident as f64);
    let files = Trend::of(&later, |sample| sample.files as f64);
    let threads = Trend::of(&later, |sample| sample.threads as f64);
    let books = &closed.books;
    let counted = books.received() + books.dropped();
    let read = books.total("packets");
    let growth = memory.slope * 60.0;
    vec![
        Verdict {
            what: "resident memory is flat",
            figures: format!(
                "{growth:+.0} bytes/minute after the first {warm_up:.0} s; {:.1} to {:.1} MiB",
                memory.least / 1_048_576.0,
                memory.most / 1_048_576.0
            ),
            good: memory.is_flat(memory.mean * 0.02 + 1_048_576.0),
        },
        Verdict {
            what: "no file handle is left open",
            figures: format!(
                "{:.0} to {:.0} open, {:.1} on the average",
                files.least, files.most, files.mean
            ),
            good: comes_back(&later, |sample| sample.files),
        },
        Verdict {
            what: "no thread is left over",
            figures: format!("{:.0} to {:.0}", threads.least, threads.most),
            good: comes_back(&later, |sample| sample.threads),
        },
        Verdict {
            what: "sent = received + dropped",
            figures: format!(
                "{} = {} + {}",
                table::grouped(sent),
                table::grouped(books.received()),
                table::grouped(books.dropped())
            ),
            good: sent == counted && sent > 0,
        },
        Verdict {
            what: "the ledger has every packet that was received",
            figures: format!("{} of {}", table::grouped(read), table::grouped(books.received())),
            good: read == books.received(),
        },
        Verdict {
            what: "nothing was dropped or passed over",
            figures: format!(
                "{} packets dropped, {} segments passed over, {} lines of logs dropped",
                books.dropped(),
                books.shed(),
                books.lines_dropped
            ),
            // Above half the knee it may well be.
            good: books.dropped() + books.shed() + books.lines_dropped == 0 || args.share > 0.5,
        },
        Verdict {
            what: "SIGTERM ends it within 5 seconds",
            figures: format!("{:.2} s", closed.took.as_secs_f64()),
            good: closed.took < super::sensor::END,
        },
    ]
}

fn print(verdicts: &[Verdict]) {
    let rows: Vec<Vec<String>> = verdicts
        .iter()
        .map(|verdict| {
            let good = if verdict.good { "yes" } else { "NO" };
            vec![verdict.what.to_owned(), verdict.figures.clone(), good.to_owned()]
        })
        .collect();
    table::print(&["what has to be", "measured", "so"], &rows);
}

/// The last lines of what was said.
fn tail(said: &str) -> String {
    let lines: Vec<&str> = said.lines().collect();
    lines.get(lines.len().saturating_sub(40)..).unwrap_or_default().join("\n")
}
