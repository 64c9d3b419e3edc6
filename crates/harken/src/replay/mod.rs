//! `harken replay`: capture files in, transactions out.
mod progress;
mod shards;

use crate::analysis::usage;
use crate::cli::{Color, Format, Replay, SpoolFull};
use crate::logs::clock::now;
use crate::names::NamesFile;
use crate::report;
use crate::sinks::dest::Dest;
use crate::sinks::{Plan, Sinks, events};
use crate::style::Palette;
use crate::summary::Summary;
use anyhow::{Context, Result, bail};
use harken_capture::{Batch, Damage, Merge};
use harken_engine::{BATCH, Ledger};
use progress::Progress;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The input was damaged; all that is readable was given.
const DAMAGED: u8 = 3;

/// Packets between two looks at the clock, at failed outputs and at Ctrl-C.
const CHECK_EVERY: u64 = 4096;

/// Runs the command.
pub fn run(args: &Replay) -> Result<ExitCode> {
    let terminal = std::io::stdout().is_terminal();
    let palette = match args.color {
        Color::Auto => Palette::auto(terminal),
        Color::Always => Palette::new(true),
        Color::Never => Palette::new(false),
    };
    let mut input = open(args)?;
    let plan = Arc::new(plan(args, palette, terminal)?);
    let bodies = matches!(plan.format, Format::Ecs | Format::Table) || plan.spool.is_some();
    let config = args.analysis.engine(plan.form(), bodies);
    let mut front = args.analysis.front();
    let stop = stop_on_interrupt();
    let mut shards = shards::Shards::new(usize::from(args.threads), &config, &plan)?;
    let size = input.readers().iter().map(harken_capture::Reader::size).sum::<Option<u64>>();
    let mut progress = Progress::new(size, terminal && plan.transactions.is_some() && plan.logs.is_none());
    plan.begin(now());

    let mut damages: Vec<Damage> = Vec::new();
    let mut batch = Batch::default();
    let (mut packets, mut next_check) = (0, CHECK_EVERY);
    loop {
        match input.next_batch(&mut batch, BATCH) {
            Ok(lent) if lent.is_empty() => break,
            Ok(lent) => {
                packets += lent.len() as u64;
                let frames = lent.iter().map(|packet| (packet.ts, packet.dlt, packet.data));
                front.frames(frames, &mut |segments| shards.segments(segments));
                while let Some(hello) = front.take_hello() {
                    shards.quic(hello);
                }
            }
            Err(damage) => damages.push(damage),
        }
        if packets >= next_check {
            next_check = packets + CHECK_EVERY;
            progress.update(&input, packets);
            if stop.load(Ordering::Relaxed) || plan.has_failed() {
                break;
            }
        }
    }
    progress.finish();
    front.finish();
    let (summary, flow, http) = shards.finish()?;
    let ledger = Ledger::new(front.stats(), flow, http);
    plan.end(&summary, now())?;
    print(args, &plan, &summary, &ledger)?;
    let spool = plan.spool.clone();
    drop(plan);
    if let Some(line) = spool.map(events::close).transpose()? {
        eprintln!("{line}");
    }
    for damage in &damages {
        eprintln!("harken: warning: {damage}");
    }
    if let Err(imbalance) = ledger.check() {
        bail!("the ledger does not balance, which is a defect of Harken: {imbalance}");
    }
    Ok(if damages.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(DAMAGED) })
}

fn open(args: &Replay) -> Result<Merge> {
    let mut readers = Vec::new();
    for file in &args.files {
        readers.push(harken_capture::open(file)?);
    }
    Ok(Merge::new(readers))
}

fn plan(args: &Replay, palette: Palette, terminal: bool) -> Result<Plan> {
    let given = if args.json && !args.stats { Some(Format::ZeekJson) } else { args.format };
    let default = if args.log_dir.is_some() { Format::ZeekJson } else { Format::Table };
    if args.log_dir.is_some() && given == Some(Format::Table) {
        usage("--log-dir cannot write --format table: choose zeek-json, zeek-tsv or ecs");
    }
    let width =
        if terminal { terminal_size::terminal_size().map_or(0, |(w, _)| usize::from(w.0)) } else { 0 };
    let mut plan = Plan {
        format: given.unwrap_or(default),
        transactions: None,
        logs: None,
        filter: args.analysis.filter(),
        spool: events::open(&args.spool, SpoolFull::Block)?,
        names: NamesFile::open(args.analysis.vni_names.as_deref())?.names(),
        palette,
        width,
        // A pipe that grows is watched, too.
        interactive: args.log_dir.is_none()
            && (terminal || args.files.iter().any(|file| file.as_os_str() == "-")),
    };
    match &args.log_dir {
        Some(dir) => plan.open_logs(dir)?,
        // Silence was asked for, or the ledger and no form of transactions: they are only counted.
        None if args.quiet || args.stats && given.is_none() => {}
        None => plan.transactions = Some(Dest::stdout()),
    }
    Ok(plan)
}

fn print(args: &Replay, plan: &Plan, summary: &Summary, ledger: &Ledger) -> Result<()> {
    let palette = plan.palette;
    let text = if args.stats {
        if args.json { report::json(ledger)? } else { report::text(ledger, palette) }
    } else if args.quiet {
        return Ok(());
    } else {
        format!("{}{}", report::headline(ledger, palette), summary.print(args.top, palette))
    };
    let beside = plan.transactions.is_some() && plan.logs.is_none();
    let blank = if beside { "\n" } else { "" };
    // Beside machine-readable transactions on standard output, the rest goes to standard error: the ledger,
    // which was asked for, and the summary where someone reads it.
    let result = if beside && plan.format != Format::Table {
        if !args.stats && !std::io::stderr().is_terminal() {
            return Ok(());
        }
        write!(std::io::stderr(), "{blank}{text}")
    } else {
        write!(std::io::stdout(), "{blank}{text}")
    };
    match result {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot print the summary")
        }
        _ => Ok(()),
    }
}

/// The first Ctrl-C ends the reading, and what was read is still shown; the second ends the program.
fn stop_on_interrupt() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    // Without a handler Ctrl-C just ends the program, which is no reason to fail.
    let _ = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    });
    stop
}

/// The output of one shard when it is done.
pub type Done = (Summary, harken_flow::Stats, harken_http::Stats);

/// A shard that writes to the plan's places.
pub type ReplayShard = harken_engine::Shard<Sinks>;

/// Ends a shard and takes what it counted.
pub fn conclude(mut shard: ReplayShard) -> Done {
    shard.finish();
    let (flow, http) = (*shard.flow_stats(), *shard.http_stats());
    let mut sinks = shard.into_output();
    sinks.end();
    (sinks.into_summary(), flow, http)
}
