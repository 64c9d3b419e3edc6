//! The connector: starts and ends what works, and tells how it goes.
use crate::config::Config;
use crate::deadletter::Folder;
use crate::decide::Filters;
use crate::log::{Level, Log};
use crate::metrics;
use crate::readers::Readers;
use crate::report::{Reporter, Status};
use crate::route::{self, Phase, Route};
use crate::sink::Sink;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// Threads of the runtime at most: the work is waiting.
const THREADS: usize = 4;

/// What is known of a connector's parts; shared with the thread that reports.
pub(crate) struct Parts {
    /// The reader of each pipeline.
    pub(crate) pipelines: BTreeMap<String, String>,
    pub(crate) readers: Vec<String>,
    pub(crate) sinks: Vec<Arc<Sink>>,
    pub(crate) routes: Vec<Arc<Route>>,
    /// How often it was started again because a thread of it had panicked.
    pub(crate) restarts: u64,
}

/// A running connector. Dropping it ends it at once; [`Connector::stop`] lets what is on its way be answered.
pub struct Connector {
    parts: Arc<Parts>,
    filters: Arc<dyn Filters>,
    log: Arc<dyn Log>,
    phase: watch::Sender<Phase>,
    runtime: Option<Runtime>,
    lanes: Vec<tokio::task::JoinHandle<()>>,
    /// The checks of each datasink.
    checks: Vec<tokio::task::JoinHandle<()>>,
    threads: Vec<JoinHandle<()>>,
    reporter: Option<Reporter>,
    grace: Duration,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").field("pipelines", &self.parts.pipelines).finish_non_exhaustive()
    }
}

/// Opens the datasinks of a configuration.
///
/// # Errors
///
/// The datasink, the key and the mend.
pub(crate) fn sinks(config: &Config, log: &Arc<dyn Log>) -> Result<Vec<Arc<Sink>>, String> {
    let open = |(name, kind): (&String, &crate::datasinks::Kind)| {
        let opened = kind.open().map_err(|error| format!("datasinks.{name}: {error}"))?;
        Ok(Arc::new(Sink::new(name, opened, Arc::clone(log))))
    };
    config.datasinks.iter().map(open).collect()
}

/// The folder of a route's dead letters.
pub fn dead_letters(config: &Config, pipeline: &str, datasink: &str) -> Folder {
    let dir = config.dir.join("dead-letters");
    Folder::new(&dir, pipeline, datasink, config.dead_letters.max_bytes)
}

impl Connector {
    /// Starts all pipelines on threads of their own.
    ///
    /// # Errors
    ///
    /// What keeps one from being started, with the key and the mend; then none is.
    pub fn start(
        config: &Config,
        readers: &dyn Readers,
        filters: Arc<dyn Filters>,
        log: Arc<dyn Log>,
    ) -> Result<Self, String> {
        Self::start_again(config, readers, filters, log, 0)
    }

    /// The same, after so many that have panicked.
    pub(crate) fn start_again(
        config: &Config,
        readers: &dyn Readers,
        filters: Arc<dyn Filters>,
        log: Arc<dyn Log>,
        restarts: u64,
    ) -> Result<Self, String> {
        std::fs::create_dir_all(&config.dir)
            .map_err(|error| format!("cannot make the folder {}: {error}", config.dir.display()))?;
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("connector")
            .enable_all()
            .build()
            .map_err(|error| format!("cannot start threads: {error}"))?;
        let (phase, phases) = watch::channel(Phase::Running);
        let listener = config.metrics.as_ref().map(metrics::bind).transpose()?;
        // Some datasinks want a runtime around them when they are opened.
        let guard = runtime.enter();
        let sinks = sinks(config, &log)?;
        drop(guard);
        let mut routes = Vec::new();
        let mut opened = Vec::new();
        for (name, pipeline) in &config.pipelines {
            let Some(kind) = config.readers.get(&pipeline.reader) else { continue };
            for sink in sinks.iter().filter(|sink| pipeline.datasinks.contains(&sink.name)) {
                let decide = filters.load(name).map_err(|error| format!("pipelines.{name}: {error}"))?;
                let dead = dead_letters(config, name, &sink.name);
                let (sink, log) = (Arc::clone(sink), Arc::clone(&log));
                let reader = readers.open(kind, &route::name(name, &sink));
                let reader = reader.map_err(|error| format!("readers.{}: {error}", pipeline.reader))?;
                let route = Route::new(name, sink, reader.as_ref(), decide, dead, log, phases.clone());
                let route = route.map_err(|error| format!("pipelines.{name}: {error}"))?;
                opened.push(reader);
                routes.push(Arc::new(route));
            }
        }
        let parts = Arc::new(Parts {
            pipelines: config
                .pipelines
                .iter()
                .map(|(n, pipeline)| (n.clone(), pipeline.reader.clone()))
                .collect(),
            readers: config.readers.keys().cloned().collect(),
            sinks,
            routes,
            restarts,
        });
        let mut connector = Self {
            parts,
            filters,
            log,
            phase,
            runtime: None,
            lanes: Vec::new(),
            checks: Vec::new(),
            threads: Vec::new(),
            reporter: None,
            grace: Duration::from_secs(config.stop_s),
        };
        connector.start_checks(&runtime, Duration::from_secs(config.period_s));
        if let Some(listener) = listener {
            runtime.spawn(metrics::serve(listener, Arc::clone(&connector.parts)));
        }
        for route in &connector.parts.routes {
            for lane in 0..route.lanes() {
                connector.lanes.push(runtime.spawn(route::run_lane(Arc::clone(route), lane)));
            }
        }
        connector.runtime = Some(runtime);
        for (route, mut reader) in connector.parts.routes.iter().zip(opened) {
            let work = Arc::clone(route);
            let thread = std::thread::Builder::new().name(route.pipeline.clone());
            let thread = thread.spawn(move || route::run_intake(&work, reader.as_mut()));
            connector.threads.push(thread.map_err(|error| format!("cannot start a thread: {error}"))?);
        }
        let (parts, log) = (Arc::clone(&connector.parts), Arc::clone(&connector.log));
        connector.reporter = Some(Reporter::start(parts, log, status_file(&config.dir), config.period_s)?);
        Ok(connector)
    }

    fn start_checks(&mut self, runtime: &Runtime, period: Duration) {
        for sink in &self.parts.sinks {
            let sink = Arc::clone(sink);
            self.checks.push(runtime.spawn(async move {
                loop {
                    sink.check().await;
                    tokio::time::sleep(period).await;
                }
            }));
        }
    }

    /// What works no more since a thread or a task has panicked, which is a defect; while it runs, none ends otherwise.
    pub fn broken(&self) -> Option<String> {
        if let Some(route) = self.parts.routes.iter().find(|route| route.has_panicked()) {
            return Some(format!("pipeline {}, datasink {}", route.pipeline, route.sink.name));
        }
        let checks = self.checks.iter().zip(&self.parts.sinks);
        if let Some((_, sink)) = checks.into_iter().find(|(check, _)| check.is_finished()) {
            return Some(format!("the checks of datasink {}", sink.name));
        }
        self.reporter.as_ref().filter(|reporter| reporter.has_ended()).map(|_| "the statistics".to_owned())
    }

    /// Reads the filters of all pipelines again.
    ///
    /// # Errors
    ///
    /// Which are wrong, and where; all old ones stay in force.
    pub fn reload(&self) -> Result<(), String> {
        let mut fresh = Vec::new();
        for route in &self.parts.routes {
            let decide = self.filters.load(&route.pipeline);
            fresh.push(decide.map_err(|error| format!("pipelines.{}: {error}", route.pipeline))?);
        }
        for (route, decide) in self.parts.routes.iter().zip(fresh) {
            route.set_decide(decide);
        }
        self.log.say(Level::Info, "filters: read again");
        Ok(())
    }

    /// How it goes.
    pub fn status(&self) -> Status {
        Status::of(&self.parts)
    }

    /// Whether all readers have come to their end and everything is done.
    pub fn is_finished(&self) -> bool {
        self.parts.routes.iter().all(|route| route.status().finished)
    }

    /// Ends it: nothing new is read, what is on its way may be answered for the configured time, what is done
    /// is committed. The last status.
    pub fn stop(mut self) -> Status {
        let grace = self.grace;
        self.end(grace)
    }

    fn end(&mut self, grace: Duration) -> Status {
        // Nobody listens where nothing was started.
        let _ = self.phase.send(Phase::Stopping);
        if let Some(runtime) = self.runtime.take() {
            let lanes = std::mem::take(&mut self.lanes);
            runtime.block_on(async {
                let all = async {
                    for lane in lanes {
                        // A lane that broke off leaves its events to be read again.
                        let _ = lane.await;
                    }
                };
                let _ = tokio::time::timeout(grace, all).await;
            });
            runtime.shutdown_background();
        }
        let _ = self.phase.send(Phase::Ended);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
        if let Some(reporter) = self.reporter.take() {
            reporter.stop();
        }
        self.status()
    }
}

impl Drop for Connector {
    fn drop(&mut self) {
        if self.runtime.is_some() {
            self.end(Duration::ZERO);
        }
    }
}

/// Where the status of a connector with that folder is written each second.
pub fn status_file(dir: &Path) -> std::path::PathBuf {
    dir.join("status.json")
}
