//! `harken run`: mirrored traffic as it happens, until told to stop.
//!
//! Each worker is one thread with its own sources, its own shard and its own buffers; nothing is shared on the
//! way of a packet. What workers write goes as whole blocks to the one thread of the log writer, which never
//! makes them wait. This thread only looks at signals, writes the figures of each period, and ends it all.
pub mod control;
mod health;
pub mod open;
mod overload;
mod period;
mod silence;
mod source;
pub mod top;
mod worker;

use crate::cli::{Format, Run, SpoolFull};
use crate::connector::Running;
use crate::connector::inside::{self, Inside};
use crate::logs::LogWriter;
use crate::names::NamesFile;
use crate::report;
use crate::sandbox;
use crate::sinks::{Live, Sinks, events};
use crate::style::Palette;
use anyhow::{Context, Result, bail};
use harken_spool::Spool;
use period::Period;
use source::Sources;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use worker::{Ended, Shared, Snapshot, Worker};

/// How often this thread looks around.
const LOOK: Duration = Duration::from_millis(100);
/// Time that the log writer has to write what waits, when the program ends.
const CLOSE: Duration = Duration::from_secs(3);

/// Runs the command.
pub fn run(args: &Run) -> Result<ExitCode> {
    if args.format == Format::Table {
        crate::analysis::usage("--format table is for people: choose zeek-json, zeek-tsv or ecs");
    }
    let form = args.format.form();
    let connector = args.connector.as_deref();
    let connector = connector.map(|file| Inside::open(file, args.spool.spool.as_deref())).transpose()?;
    let mut spool = args.spool.clone();
    if let Some(connector) = &connector {
        spool.spool = Some(connector.spool().to_owned());
    }
    let config = args.analysis.engine(form, args.format == Format::Ecs || spool.spool.is_some());
    let filter = args.analysis.filter();
    let mut vni_names = NamesFile::open(args.analysis.vni_names.as_deref())?;

    let sources = open::sources(args)?;
    let folder = &args.log_dir;
    for folder in [Some(folder), spool.spool.as_ref()].into_iter().flatten() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    let control_path = args.control.clone().unwrap_or_else(|| folder.join("control.sock"));
    let control = control::Server::bind(&control_path)?;
    let health = args.health.map(health::bind).transpose()?;
    // From here on no more is allowed than is needed. No other thread is running yet.
    if args.no_sandbox {
        say("running with all privileges, as --no-sandbox asks for");
    } else {
        let dir = spool.spool.as_deref();
        let plan = open::sandbox_plan(args, dir, connector.as_ref(), &control_path, &sources);
        let report = sandbox::enter(&plan)?;
        for line in &report.lines {
            say(&if line.in_force { line.to_string() } else { format!("warning: {line}") });
        }
    }
    let signals = Signals::install()?;
    let logs = open::logs(args, form)?;
    let spool = events::open(&spool, SpoolFull::DropOldest)?;
    let connector = match (connector, &spool) {
        (Some(connector), Some(spool)) => Some(connector.start(spool)?),
        _ => None,
    };
    let health = health.map(health::Health::start).transpose()?;

    let live = sources.iter().all(Sources::are_live);
    let names = sources.first().map(Sources::names).unwrap_or_default();
    say(&format!(
        "receiving from {} with {} worker{}",
        names.join(", "),
        args.workers,
        if args.workers == 1 { "" } else { "s" }
    ));
    let plan = Live {
        filter,
        format: args.format,
        form,
        logs: [0, 1, 2, 3, 4, 5, 6].map(|which| logs.handle(which)),
        tunnels: Arc::default(),
        spool: spool.clone(),
        names: vni_names.names(),
    };
    let mut workers = Vec::new();
    for (number, sources) in sources.into_iter().enumerate() {
        let shared = Arc::new(Shared::default());
        let worker = Worker::new(
            &config,
            args.analysis.front(),
            Sinks::live(&plan, &config)?,
            sources,
            Arc::clone(&shared),
        );
        let pin = args.pin.then_some(number);
        let thread = std::thread::Builder::new()
            .name(format!("worker-{number}"))
            .spawn(move || {
                if let Some(cpu) = pin {
                    open::pin(cpu);
                }
                worker.run()
            })
            .context("cannot start a thread")?;
        workers.push(Receiving { thread, shared });
    }
    let shared: Vec<Arc<Shared>> = workers.iter().map(|w| Arc::clone(&w.shared)).collect();
    let asked = control::Asked::with(connector);
    let control = control.start(shared.clone(), logs.counters(), vni_names.names(), asked.clone())?;

    let began = Instant::now();
    drop(plan);
    let mut losses = events::Losses::new(args.stats_every);
    let mut period = Period::new(args.stats_every, form, &logs, &names, live, vni_names.names());
    let code = loop {
        std::thread::sleep(LOOK);
        let anew =
            signals.hangup.swap(false, Ordering::Relaxed) || asked.reopen.swap(false, Ordering::Relaxed);
        if anew {
            logs.reopen();
            say("new logs, as asked for");
        }
        if let Some(connector) = asked.connector().as_mut() {
            connector.look(anew);
        }
        vni_names.look();
        period.look(&shared, &logs);
        if let Some(spool) = &spool {
            losses.look(spool);
        }
        let over = args.run_for.is_some_and(|time| began.elapsed() >= time);
        if signals.stop.load(Ordering::Relaxed) || over || workers.iter().all(|w| w.thread.is_finished()) {
            break ExitCode::SUCCESS;
        }
        if workers.iter().any(|w| w.thread.is_finished()) && workers.len() > 1 {
            say("a worker has ended: stopping, since its share of the traffic would be missing");
            break ExitCode::FAILURE;
        }
    };
    drop(control);
    drop(health);
    let connector = asked.connector().take();
    end(workers, period, logs, Delivery { spool, connector }, &shared, code)
}

/// One worker's thread.
struct Receiving {
    thread: JoinHandle<Ended>,
    shared: Arc<Shared>,
}

/// What is behind the workers.
struct Delivery {
    spool: Option<Arc<Spool>>,
    connector: Option<Running>,
}

impl Delivery {
    /// Ends it in the order in which events go. Gives lines for the end.
    fn end(self) -> Result<Vec<String>> {
        if let Some(spool) = &self.spool {
            // What cannot be written is counted when the spool is closed.
            let _ = spool.flush(CLOSE);
        }
        let mut lines = self.connector.map_or_else(Vec::new, |connector| inside::lines(&connector.stop()));
        lines.extend(self.spool.map(events::close).transpose()?);
        Ok(lines)
    }
}

/// Ends the workers, then the logs, and prints the books.
fn end(
    workers: Vec<Receiving>,
    mut period: Period,
    logs: LogWriter,
    delivery: Delivery,
    shared: &[Arc<Shared>],
    mut code: ExitCode,
) -> Result<ExitCode> {
    for worker in &workers {
        worker.shared.stop.store(true, Ordering::Relaxed);
    }
    let mut panicked = false;
    for worker in workers {
        match worker.thread.join() {
            Ok(Ended::Done) => {}
            Ok(Ended::Failed(error)) => {
                say(&error);
                code = ExitCode::FAILURE;
            }
            Err(_) => panicked = true,
        }
    }
    period.last(shared, &logs);
    let written = logs.close(CLOSE);
    // Whatever else went wrong: what is there is delivered.
    let delivered = delivery.end();
    if panicked {
        bail!("a worker's thread has panicked");
    }
    let written = written?;
    let total = total(shared);
    let ledger = total.ledger();
    let palette = Palette::auto(std::io::stderr().is_terminal());
    let _ = std::io::stderr().write_all(report::text(&ledger, palette).as_bytes());
    for line in open::source_lines(&total).into_iter().chain(open::log_lines(&written)) {
        eprintln!("{line}");
    }
    for line in delivered? {
        eprintln!("{line}");
    }
    if let Err(imbalance) = ledger.check() {
        bail!("the ledger does not balance, which is a defect of Harken: {imbalance}");
    }
    Ok(code)
}

/// What all workers together have counted.
pub fn total(shared: &[Arc<Shared>]) -> Snapshot {
    let mut total = Snapshot::default();
    for worker in shared {
        total.add(&worker.snapshot());
    }
    total
}

/// Tells the operator.
pub fn say(text: &str) {
    eprintln!("harken: {text}");
}

/// What the operator's signals ask for.
struct Signals {
    /// SIGTERM or SIGINT.
    stop: Arc<AtomicBool>,
    /// SIGHUP.
    hangup: Arc<AtomicBool>,
}

impl Signals {
    fn install() -> Result<Self> {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
        let signals = Self { stop: Arc::default(), hangup: Arc::default() };
        for signal in [SIGTERM, SIGINT] {
            // The second one ends the program at once.
            signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&signals.stop))
                .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&signals.stop)))
                .context("cannot take signals")?;
        }
        signal_hook::flag::register(SIGHUP, Arc::clone(&signals.hangup)).context("cannot take signals")?;
        Ok(signals)
    }
}
