//! From a spool of this process, and of another, to two datasinks.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "a test stops by panicking, and copies what is small"
)]
mod support;

use harken_connector::readers::Local;
use harken_connector::{Config, Connector, Decide, Decision, Filters, KeepAll, Outcome, Status};
use harken_spool::{Batch, Spool};
use serde_json::json;
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

fn start_with(dir: &Path, lent: Option<&Arc<Spool>>, filters: Arc<dyn Filters>) -> Connector {
    let config = json!({
        "dir": dir.join("connector"),
        "readers": {"spool": {"type": "spool", "dir": dir.join("spool")}},
        "datasinks": {
            "a": {"type": "file", "path": dir.join("a.ndjson"), "delivery": {"linger_ms": 1}},
            "b": {"type": "file", "path": dir.join("b.ndjson"), "delivery": {"batch_events": 7}},
        },
        "pipelines": {"p": {"reader": "spool", "datasinks": ["a", "b"]}},
    });
    let config = Config::parse(&config.to_string()).unwrap();
    let mut readers = Local::new(&config.dir);
    if let Some(spool) = lent {
        readers.lend(&dir.join("spool"), Arc::clone(spool));
    }
    Connector::start(&config, &readers, filters, Arc::new(Lines::default())).unwrap()
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
