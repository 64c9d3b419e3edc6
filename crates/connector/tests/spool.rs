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
use harken_connector::{Config, Connector, KeepAll, Status};
use harken_spool::{Batch, Spool};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
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
    Connector::start(&config, &readers, Arc::new(KeepAll), Arc::new(Lines::default())).unwrap()
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
fn a_spool_that_is_missing_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let config = json!({
        "dir": dir.path().join("connector"),
        "readers": {"spool": {"type": "spool", "dir": "/nonexistent/spool"}},
        "datasinks": {"out": {"type": "stdout"}},
        "pipelines": {"p": {"reader": "spool", "datasinks": ["out"]}},
    });
    let config = Config::parse(&config.to_string()).unwrap();
    let readers = Local::new(&config.dir);
    let error =
        Connector::start(&config, &readers, Arc::new(KeepAll), Arc::new(Lines::default())).unwrap_err();
    assert!(
        error.contains("readers.spool: there is no spool /nonexistent/spool: start the sensor first"),
        "{error}"
    );
}
