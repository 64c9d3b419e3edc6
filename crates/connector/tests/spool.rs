//! From a spool of this process, and of another, to two datasinks.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "a test stops by panicking, and copies what is small"
)]
mod support;

use harken_connector::log::Log;
use harken_connector::readers::Local;
use harken_connector::{
    Config, Connector, Decide, Decision, Filters, KeepAll, Outcome, Status, Supervised, metrics,
};
use harken_spool::{Batch, Spool};
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};
use support::{LONG, Lines, event};

fn append(spool: &Spool, numbers: std::ops::Range<u64>) {
    let mut batch = Batch::default();
    for number in numbers {
        assert!(batch.push(number, event(number).to_string().as_bytes()));
    }
    spool.append(&mut batch).unwrap();
    spool.flush(LONG).unwrap();
}

fn start(dir: &Path, lent: Option<&Arc<Spool>>) -> Connector {
    start_with(dir, lent, Arc::new(KeepAll))
}

fn config(dir: &Path) -> Config {
    let config = json!({
        "dir": dir.join("connector"),
        "readers": {"spool": {"type": "spool", "dir": dir.join("spool")}},
        "datasinks": {
            "a": {"type": "file", "path": dir.join("a.ndjson"), "delivery": {"linger_ms": 1}},
            "b": {"type": "file", "path": dir.join("b.ndjson"), "delivery": {"batch_events": 7}},
        },
        "pipelines": {"p": {"reader": "spool", "datasinks": ["a", "b"]}},
    });
    Config::parse(&config.to_string()).unwrap()
}

fn readers(dir: &Path, lent: Option<&Arc<Spool>>) -> Local {
    let mut readers = Local::new(&config(dir).dir);
    if let Some(spool) = lent {
        readers.lend(&dir.join("spool"), Arc::clone(spool));
    }
    readers
}

fn start_with(dir: &Path, lent: Option<&Arc<Spool>>, filters: Arc<dyn Filters>) -> Connector {
    Connector::start(&config(dir), &readers(dir, lent), filters, Arc::new(Lines::default())).unwrap()
}

fn wait(connector: &Connector, until: impl Fn(&Status) -> bool) {
    let begin = Instant::now();
    while !until(&connector.status()) {
        assert!(begin.elapsed() < LONG, "{:#?}", connector.status());
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn text(numbers: std::ops::Range<u64>) -> String {
    numbers.map(|number| event(number).to_string() + "\n").collect()
}

#[test]
fn it_goes_on_where_it_ended() {
    for lends in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let spool = Arc::new(Spool::open(harken_spool::Config::new(dir.join("spool"))).unwrap());
        let lent = lends.then_some(&spool);
        for numbers in [0..100, 100..101, 101..400] {
            let count = numbers.end - numbers.start;
            let connector = start(dir, lent);
            append(&spool, numbers.clone());
            wait(&connector, |status| status.datasinks.iter().all(|sink| sink.written == count));
            assert!(connector.stop().balances);
            for name in ["a.ndjson", "b.ndjson"] {
                let written = std::fs::read_to_string(dir.join(name)).unwrap();
                assert!(written == text(0..numbers.end), "lends {lends}: {name}: {written}");
            }
        }
        let status = spool.status().unwrap();
        let names: Vec<_> =
            status.readers.iter().map(|reader| (reader.name.as_str(), reader.position)).collect();
        assert_eq!(names, [("p.a", 400), ("p.b", 400)], "lends {lends}");
    }
}

#[test]
fn moved_back_it_delivers_again() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let spool = Arc::new(Spool::open(harken_spool::Config::new(dir.join("spool"))).unwrap());
    append(&spool, 0..50);
    let connector = start(dir, Some(&spool));
    wait(&connector, |status| status.datasinks.iter().all(|sink| sink.written == 50));
    spool.seek("p.a", harken_spool::Seek::Number(0)).unwrap();
    wait(&connector, |status| status.datasinks[0].written == 100);
    let last = connector.stop();
    assert_eq!(last.datasinks[1].written, 50);
    let written = std::fs::read_to_string(dir.join("a.ndjson")).unwrap();
    assert_eq!(written, text(0..50) + &text(0..50));
    assert_eq!(spool.status().unwrap().readers[0].position, 50);
}

#[test]
fn a_spool_that_is_missing_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let connector = start(dir.path(), None);
    let says = |failure: &Option<String>| {
        failure.as_ref().is_some_and(|text| text.contains("yet: start the sensor, or name its folder in dir"))
    };
    wait(&connector, |status| status.routes.iter().all(|route| says(&route.reader_failure)));
    let spool = Spool::open(harken_spool::Config::new(dir.path().join("spool"))).unwrap();
    append(&spool, 0..20);
    wait(&connector, |status| status.routes.iter().all(|route| route.ledger.written == 20));
    assert!(connector.status().routes.iter().all(|route| route.reader_failure.is_none()));
}

/// Drops everything.
struct DropAll;

impl Decide for DropAll {
    fn decide(&self, _: &[u8]) -> Decision {
        Decision::all(Outcome::Drop)
    }
}

/// Filters that keep all (0), drop all (1) or are wrong.
struct Switch(AtomicU8);

impl Filters for Switch {
    fn load(&self, pipeline: &str) -> Result<Arc<dyn Decide>, String> {
        assert_eq!(pipeline, "p");
        match self.0.load(Ordering::Relaxed) {
            0 => Ok(Arc::new(KeepAll)),
            1 => Ok(Arc::new(DropAll)),
            _ => Err("filters-simple.json:1: it is wrong".to_owned()),
        }
    }
}

#[test]
fn wrong_filters_leave_the_old_ones_in_force() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let spool = Arc::new(Spool::open(harken_spool::Config::new(dir.join("spool"))).unwrap());
    let filters = Arc::new(Switch(AtomicU8::new(1)));
    let connector = start_with(dir, Some(&spool), Arc::clone(&filters) as Arc<dyn Filters>);
    for (switch, good, numbers, filtered) in
        [(2, false, 0..10, 10), (0, true, 10..30, 10), (1, true, 30..35, 15)]
    {
        filters.0.store(switch, Ordering::Relaxed);
        let reloaded = connector.reload();
        assert_eq!(reloaded.is_ok(), good, "{reloaded:?}");
        append(&spool, numbers.clone());
        let read = |status: &Status| status.routes.iter().all(|route| route.ledger.read == numbers.end);
        wait(&connector, read);
        let status = connector.status();
        assert_eq!((status.pipelines[0].received, status.pipelines[0].filtered_out), (numbers.end, filtered));
    }
    assert!(connector.reload().is_ok());
    filters.0.store(2, Ordering::Relaxed);
    let error = connector.reload().unwrap_err();
    assert_eq!(error, "pipelines.p: filters-simple.json:1: it is wrong");
    wait(&connector, |status| status.datasinks.iter().all(|sink| sink.written == 20));
}

/// Panics at an event, the first time that it sees it.
struct Panics(AtomicU8);

impl Decide for Panics {
    fn decide(&self, json: &[u8]) -> Decision {
        let is_it = json == event(42).to_string().as_bytes();
        assert!(!is_it || self.0.fetch_add(1, Ordering::Relaxed) >= 2, "as the test wants it");
        Decision::all(Outcome::Keep)
    }
}

struct Shared(Arc<Panics>);

impl Filters for Shared {
    fn load(&self, _: &str) -> Result<Arc<dyn Decide>, String> {
        Ok(Arc::clone(&self.0) as Arc<dyn Decide>)
    }
}

/// Two routes, so two threads panic; both go on after a second, in the same process, and nothing is missing.
#[test]
fn after_a_panic_it_is_started_again() {
    for lends in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let spool = Arc::new(Spool::open(harken_spool::Config::new(dir.join("spool"))).unwrap());
        append(&spool, 0..100);
        let config = config(dir);
        let readers = Box::new(readers(dir, lends.then_some(&spool)));
        let log = Arc::new(Lines::default());
        let panics = Arc::new(Panics(AtomicU8::new(0)));
        let mut connector =
            Supervised::start(config, readers, Arc::new(Shared(panics)), Arc::clone(&log) as Arc<dyn Log>)
                .unwrap();
        let begin = Instant::now();
        while !(connector.runs() && connector.status().datasinks.iter().all(|sink| sink.written == 100)) {
            assert!(begin.elapsed() < LONG, "{:#?}", connector.status());
            connector.look();
            std::thread::sleep(Duration::from_millis(5));
        }
        let last = connector.stop();
        assert!(last.balances && (1..=2).contains(&last.restarts), "{last:?}");
        for name in ["a.ndjson", "b.ndjson"] {
            assert_eq!(
                std::fs::read_to_string(dir.join(name)).unwrap(),
                text(0..100),
                "lends {lends}: {name}"
            );
        }
        let said = log.text();
        assert!(
            said.contains(
                "a thread has panicked, please report this with what standard error says: pipeline p, "
            ),
            "{said}"
        );
        assert!(
            said.contains("started again in 1 s") && said.contains("started again after a panic"),
            "{said}"
        );
    }
}

/// What a path of the connector's own server answers.
fn get(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_statistics_can_be_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let spool = Arc::new(Spool::open(harken_spool::Config::new(dir.join("spool"))).unwrap());
    append(&spool, 0..100);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut config = config(dir);
    config.metrics = Some(metrics::Config { listen: ([127, 0, 0, 1], port).into() });
    let start = || {
        let readers = readers(dir, Some(&spool));
        Connector::start(&config, &readers, Arc::new(KeepAll), Arc::new(Lines::default()))
    };
    let error = start().unwrap_err();
    assert!(
        error.starts_with(&format!("metrics.listen: cannot listen on 127.0.0.1:{port}: Address")),
        "{error}"
    );
    drop(taken);
    let connector = start().unwrap();
    wait(&connector, |status| status.datasinks.iter().all(|sink| sink.written == 100));
    let answer = get(port, "/metrics");
    for part in [
        "HTTP/1.1 200 OK\r\n",
        "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n",
        "# TYPE harken_connector_written counter\n",
        "\nharken_connector_written_total{pipeline=\"p\",datasink=\"a\"} 100\n",
        "\nharken_connector_waiting{pipeline=\"p\",datasink=\"b\"} 0\n",
        "\nharken_connector_valid{datasink=\"b\",type=\"file\"} 1\n",
        "\nharken_connector_restarts_total 0\n",
        "\n# EOF\n",
    ] {
        assert!(answer.contains(part), "{part}: {answer}");
    }
    let answer = get(port, "/status");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let status: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(status["routes"][0]["ledger"]["written"], 100, "{status}");
    assert!(get(port, "/").starts_with("HTTP/1.1 404"));
    connector.stop();
}
