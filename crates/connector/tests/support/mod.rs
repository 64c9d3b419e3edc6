//! What the tests share.
#![allow(dead_code, reason = "each test program uses a part")]
pub(crate) mod pki;
pub(crate) mod python;
pub(crate) mod server;

use harken_connector::log::{Level, Log};
use harken_connector::readers::Local;
use harken_connector::{Config, Connector, KeepAll, Status};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A line that is not overlooked.
pub(crate) fn skip(why: &str) {
    eprintln!("\n!!! SKIPPED: {why}\n");
}

/// Longest wait for what has to come.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// Keeps the lines.
#[derive(Default)]
pub(crate) struct Lines(Mutex<Vec<String>>);

impl Lines {
    pub(crate) fn text(&self) -> String {
        self.0.lock().unwrap().join("\n")
    }
}

impl Log for Lines {
    fn say(&self, level: Level, text: &str) {
        self.0.lock().unwrap().push(format!("{level} {text}"));
    }
}

/// An event of the sensor, cut down to what the connector looks at; its flow is the number modulo 5.
pub(crate) fn event(number: u64) -> Value {
    json!({"event": {"id": format!("id-{number}")}, "n": number, "harken": {"uid": format!("C{}", number % 5)}})
}

/// A file of so many events.
pub(crate) fn events_file(dir: &Path, count: u64) -> std::path::PathBuf {
    let path = dir.join("events.ndjson");
    let text: String = (0..count).map(|number| event(number).to_string() + "\n").collect();
    std::fs::write(&path, text).unwrap();
    path
}

/// A connector over a file of events, with these datasinks.
pub(crate) struct Bench {
    pub(crate) connector: Connector,
    pub(crate) lines: Arc<Lines>,
    pub(crate) config: Config,
}

/// Small batches and short pauses, so that much happens.
pub(crate) fn delivery() -> Value {
    json!({"batch_events": 10, "linger_ms": 5, "retry_first_ms": 5, "retry_max_ms": 40})
}

impl Bench {
    pub(crate) fn start(dir: &Path, count: u64, datasinks: Value) -> Self {
        Self::start_with(dir, &events_file(dir, count), datasinks)
    }

    /// Over this file.
    pub(crate) fn start_with(dir: &Path, events: &Path, datasinks: Value) -> Self {
        Self::start_from(dir, json!({"type": "file", "path": events}), datasinks)
    }

    /// Over this reader.
    pub(crate) fn start_from(dir: &Path, reader: Value, datasinks: Value) -> Self {
        let names: Vec<_> = datasinks.as_object().unwrap().keys().cloned().collect();
        let config = json!({
            "dir": dir.join("connector"),
            "period_s": 1,
            "stop_s": 2,
            "readers": {"r": reader},
            "datasinks": datasinks,
            "pipelines": {"p": {"reader": "r", "datasinks": names}},
        });
        let config = Config::parse(&config.to_string()).unwrap();
        let lines = Arc::new(Lines::default());
        let log: Arc<dyn Log> = Arc::clone(&lines) as Arc<dyn Log>;
        let connector = Connector::start(&config, &Local::new(&config.dir), Arc::new(KeepAll), log).unwrap();
        Self { connector, lines, config }
    }

    /// Waits until that is so; the books are looked at all the time.
    pub(crate) fn wait(&self, what: &str, until: impl Fn(&Status) -> bool) -> Status {
        let begin = Instant::now();
        loop {
            let status = self.connector.status();
            assert!(status.balances, "{status:?}");
            if until(&status) {
                return status;
            }
            assert!(begin.elapsed() < LONG, "not {what}: {status:#?}\n{}", self.lines.text());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until everything is done.
    pub(crate) fn finish(&self) -> Status {
        self.wait("finished", |status| status.routes.iter().all(|route| route.finished))
    }
}
