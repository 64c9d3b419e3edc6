//! The statistics: the block in `connector.log`, and the same as JSON.
use crate::connector::Parts;
use crate::files;
use crate::ledger;
use crate::log::{Level, Log, timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

/// How it goes. All numbers of events count from the start of the connector; `rate` is the part of the last
/// period.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Status {
    /// When this was so, in UTC.
    pub time: String,
    /// The process.
    pub pid: u32,
    /// How often it was started again because a thread of it had panicked, which is a defect; all figures began anew
    /// then.
    pub restarts: u64,
    /// The readers.
    pub readers: Vec<Reader>,
    /// The pipelines.
    pub pipelines: Vec<Pipeline>,
    /// The datasinks.
    pub datasinks: Vec<Datasink>,
    /// The books of each pipeline and datasink.
    pub routes: Vec<ledger::Route>,
    /// Whether all of them balance.
    pub balances: bool,
    /// The block of `connector.log` with these figures.
    pub block: String,
}

/// A reader.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Reader {
    /// Its name.
    pub name: String,
    /// Events read by the pipeline that is furthest.
    pub read: u64,
    /// Of these in the last period.
    pub rate: u64,
}

/// A pipeline.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Pipeline {
    /// Its name.
    pub name: String,
    /// Events that came from the reader, by the datasink that is furthest.
    pub received: u64,
    /// Of these dropped by filters.
    pub filtered_out: u64,
}

/// A datasink, over all pipelines that lead to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Datasink {
    /// Its name.
    pub name: String,
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// Events that the filters have sent it.
    pub received: u64,
    /// Taken by it.
    pub written: u64,
    /// Attempts that failed, and events that were dead-lettered.
    pub errors: u64,
    /// Written in the last period.
    pub rate: u64,
    /// It passed its last check of address, TLS and credentials, or took something since.
    pub valid: bool,
    /// Why it is not valid.
    pub reason: Option<String>,
}

impl Status {
    pub(crate) fn of(parts: &Parts) -> Self {
        let routes: Vec<_> = parts.routes.iter().map(|route| route.status()).collect();
        let pipelines: Vec<_> = parts.pipelines.keys().map(|name| pipeline(name, &routes)).collect();
        let reader = |name: &String| {
            let own = pipelines.iter().filter(|pipeline| parts.pipelines.get(&pipeline.name) == Some(name));
            Reader { name: name.clone(), read: own.map(|own| own.received).max().unwrap_or(0), rate: 0 }
        };
        let datasink = |sink: &Arc<crate::sink::Sink>| {
            let own = || routes.iter().filter(|route| route.datasink == sink.name);
            Datasink {
                name: sink.name.clone(),
                kind: sink.datasink.kind().to_owned(),
                received: own().map(|route| route.ledger.received()).sum(),
                written: own().map(|route| route.ledger.written).sum(),
                errors: own().map(|route| route.errors).sum(),
                rate: 0,
                valid: sink.is_valid(),
                reason: sink.reason(),
            }
        };
        Self {
            time: timestamp(SystemTime::now()),
            pid: std::process::id(),
            restarts: parts.restarts,
            readers: parts.readers.iter().map(reader).collect(),
            datasinks: parts.sinks.iter().map(datasink).collect(),
            balances: routes.iter().all(|route| route.ledger.balances()),
            block: String::new(),
            pipelines,
            routes,
        }
    }

    /// The block, without the time before it.
    fn make_block(&self) -> String {
        let mut text = format!("{:=^75}\n", "connector stats");
        for reader in &self.readers {
            // One reader needs no name.
            let name = if self.readers.len() == 1 { String::new() } else { format!("{}, ", reader.name) };
            // Writing into a text cannot fail.
            let _ = writeln!(text, "reader: {name}read: {}, rate: {}", reader.read, reader.rate);
        }
        for Pipeline { name, received, filtered_out } in &self.pipelines {
            let _ = writeln!(text, "pipeline: {name}, received: {received}, filtered out: {filtered_out}");
        }
        for sink in &self.datasinks {
            let Datasink { name, kind, received, written, errors, rate, valid, .. } = sink;
            let _ = writeln!(
                text,
                "datasink: {name}, type: {kind}, received: {received}, written: {written}, errors: {errors}, \
                 rate: {rate}, valid: {valid}"
            );
        }
        text.push_str(&"=".repeat(75));
        text
    }
}

fn pipeline(name: &str, routes: &[ledger::Route]) -> Pipeline {
    let own = routes.iter().filter(|route| route.pipeline == name).map(|route| route.ledger);
    let furthest = own.max_by_key(|ledger| ledger.read).unwrap_or_default();
    Pipeline { name: name.to_owned(), received: furthest.read, filtered_out: furthest.filtered_out }
}

/// What the rates of a period are told from and, once it is over, what they are.
#[derive(Default)]
struct Rates {
    before: BTreeMap<String, u64>,
    rates: BTreeMap<String, u64>,
}

impl Rates {
    fn period(&mut self, status: &Status) {
        let readers = status.readers.iter().map(|reader| (format!("r {}", reader.name), reader.read));
        let sinks = status.datasinks.iter().map(|sink| (format!("d {}", sink.name), sink.written));
        let now: BTreeMap<_, _> = readers.chain(sinks).collect();
        let rate = |(key, now): (&String, &u64)| {
            (key.clone(), now.saturating_sub(self.before.get(key).copied().unwrap_or(0)))
        };
        self.rates = now.iter().map(rate).collect();
        self.before = now;
    }

    fn fill(&self, status: &mut Status) {
        let rate = |key: String| self.rates.get(&key).copied().unwrap_or(0);
        for reader in &mut status.readers {
            reader.rate = rate(format!("r {}", reader.name));
        }
        for sink in &mut status.datasinks {
            sink.rate = rate(format!("d {}", sink.name));
        }
        status.block = status.make_block();
    }
}

/// The time of day against a clock that only runs.
struct Clock {
    day: SystemTime,
    steady: Instant,
}

impl Clock {
    /// Less than this is how clocks are kept right.
    const SLACK: Duration = Duration::from_secs(2);

    fn new() -> Self {
        Self { day: SystemTime::now(), steady: Instant::now() }
    }

    /// What to tell when the time of day was set since the last look.
    fn look(&mut self, day: SystemTime, steady: Instant) -> Option<String> {
        let expected = self.day + steady.saturating_duration_since(self.steady);
        (self.day, self.steady) = (day, steady);
        let (by, way) = match day.duration_since(expected) {
            Ok(by) => (by, "forward"),
            Err(error) => (error.duration(), "back"),
        };
        (by > Self::SLACK).then(|| {
            format!(
                "this machine's clock was set {way} by {} s: times in logs and names of files jump, nothing else does",
                by.as_secs()
            )
        })
    }
}

/// The thread that reports.
pub(crate) struct Reporter {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Reporter {
    /// Writes the status file each second, and the block each period.
    pub(crate) fn start(
        parts: Arc<Parts>,
        log: Arc<dyn Log>,
        file: PathBuf,
        period_s: u64,
    ) -> Result<Self, String> {
        let (stop, stopped) = mpsc::channel();
        let period = Duration::from_secs(period_s);
        let work = move || {
            let mut rates = Rates::default();
            let mut due = Instant::now() + period;
            // At once for the first time, so that whoever starts it sees that it runs.
            let mut wait = Duration::ZERO;
            let mut clock = Clock::new();
            loop {
                let last = stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout);
                if let Some(text) = clock.look(SystemTime::now(), Instant::now()) {
                    log.say(Level::Warn, &text);
                }
                wait = Duration::from_secs(1);
                let mut status = Status::of(&parts);
                if last || Instant::now() >= due {
                    due += period;
                    rates.period(&status);
                    rates.fill(&mut status);
                    log.say(Level::Info, &format!("\n{}", status.block));
                    warn(&parts, &status, log.as_ref());
                } else {
                    rates.fill(&mut status);
                }
                // The next second tries again, and the block has the same figures.
                let text = serde_json::to_vec_pretty(&status).unwrap_or_default();
                let _ = files::replace_lightly(&file, &text);
                if last {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("report".to_owned()).spawn(work);
        Ok(Self { stop, thread: thread.map_err(|error| format!("cannot start a thread: {error}"))? })
    }

    /// Whether it works no more.
    pub(crate) fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// Writes a last time and ends.
    pub(crate) fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.thread.join();
    }
}

/// What the operator must not forget.
fn warn(parts: &Parts, status: &Status, log: &dyn Log) {
    for sink in &parts.sinks {
        for warning in sink.datasink.warnings() {
            log.say(Level::Warn, &format!("datasink {}: {warning}", sink.name));
        }
    }
    if !status.balances {
        log.say(Level::Error, &format!("the books do not balance, please report this: {:?}", status.routes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_has_the_documented_shape() {
        let status = Status {
            readers: vec![Reader { name: "reader".into(), read: 98, rate: 98 }],
            pipelines: vec![Pipeline { name: "sensor-sentinel".into(), received: 98, filtered_out: 3 }],
            datasinks: vec![Datasink {
                name: "sentinel-api-edge".into(),
                kind: "http".into(),
                received: 95,
                written: 95,
                rate: 95,
                valid: true,
                ..Datasink::default()
            }],
            ..Status::default()
        };
        let expected = "\
==============================connector stats==============================
reader: read: 98, rate: 98
pipeline: sensor-sentinel, received: 98, filtered out: 3
datasink: sentinel-api-edge, type: http, received: 95, written: 95, errors: 0, rate: 95, valid: true
===========================================================================";
        assert_eq!(status.make_block(), expected);
    }

    #[test]
    fn a_clock_that_was_set_is_told() {
        let (day, steady) = (SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 30), Instant::now());
        let mut clock = Clock { day, steady };
        let after = |seconds| Duration::from_secs(seconds);
        assert_eq!(clock.look(day + after(61), steady + after(60)), None);
        let forward = clock.look(day + after(3662), steady + after(61)).unwrap();
        assert!(forward.starts_with("this machine's clock was set forward by 3600 s: "), "{forward}");
        let back = clock.look(day + after(63), steady + after(62)).unwrap();
        assert!(back.starts_with("this machine's clock was set back by 3600 s: "), "{back}");
        assert_eq!(clock.look(day + after(64), steady + after(63)), None);
    }

    #[test]
    fn rates_are_those_of_the_period() {
        let mut rates = Rates::default();
        let mut status =
            Status { readers: vec![Reader { name: "a".into(), read: 98, rate: 0 }], ..Status::default() };
        for (read, rate) in [(98, 98), (100, 2), (100, 0)] {
            status.readers[0].read = read;
            rates.period(&status);
            rates.fill(&mut status);
            assert_eq!(status.readers[0].rate, rate, "{read}");
        }
    }
}
