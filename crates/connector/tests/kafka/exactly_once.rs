//! From topic to topic by transactions, while the connector is killed at random moments.
use crate::broker::{Arrived, Broker, number_of};
use crate::support::{Bench, LONG};
use crate::{datasink, lines};
use serde_json::json;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Names the folder for the process that is killed.
const CHILD: &str = "HARKEN_KAFKA_CHILD";
/// Names the broker for it.
const BROKER: &str = "HARKEN_KAFKA_CHILD_BROKER";
/// Most events that one writes before it is killed, but for those under way.
const SOME: u64 = 1_000;

fn start(dir: &Path, broker: &str) -> Bench {
    // By that name a broker knows one that comes back, and need not wait for the end of one that was killed.
    let cluster = json!({"brokers": [broker], "options": {"group.instance.id": "one"}});
    let reader = json!({"type": "kafka", "cluster": cluster, "topics": ["in"], "group": "g"});
    let feed = json!({"batch_events": 50, "linger_ms": 5, "retry_first_ms": 5, "retry_max_ms": 40});
    let out = datasink(broker, "out", 3, json!({"transactions": true, "delivery": feed}));
    Bench::start_from(dir, reader, out)
}

/// The process that is killed; a test by name only, so that this program can start itself again.
#[test]
fn child() {
    let (Ok(dir), Ok(broker)) = (std::env::var(CHILD), std::env::var(BROKER)) else { return };
    let bench = start(Path::new(&dir), &broker);
    loop {
        println!("written {}", bench.connector.status().routes[0].ledger.written);
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Lets one write some more, and kills it.
fn run_and_kill(dir: &Path, broker: &str) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "exactly_once::child", "--nocapture"])
        .envs([(CHILD, dir.to_str().unwrap()), (BROKER, broker)])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let some = fastrand::u64(1..SOME);
    let mut written = 0;
    // Open until it is killed, so that it does not end by itself.
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in said.by_ref() {
        let line = line.unwrap();
        written = line.strip_prefix("written ").map_or(0, |number| number.parse().unwrap());
        if written >= some {
            break;
        }
    }
    std::thread::sleep(Duration::from_micros(fastrand::u64(0..30_000)));
    child.kill().unwrap();
    child.wait().unwrap();
    written
}

#[test]
fn killed_at_random_moments() {
    let rounds: u32 = std::env::var("HARKEN_CRASH_ROUNDS").map_or(4, |rounds| rounds.parse().unwrap());
    // Enough that none of them comes to the end, where it would wait for more.
    let count = 2 * SOME * u64::from(rounds) + 2 * SOME;
    let dir = tempfile::tempdir().unwrap();
    let Some(broker) = Broker::start(dir.path()) else { return };
    broker.topic("in", 3);
    broker.produce("in", &lines(0..count));
    let mut written = 0;
    for _ in 0..rounds {
        written += run_and_kill(dir.path(), &broker.address());
    }
    assert!(written > 0);
    let last = start(dir.path(), &broker.address());
    let begin = Instant::now();
    let mut arrived = Arrived::default();
    while arrived.lost(count) > 0 {
        assert!(begin.elapsed() < LONG * 2, "lost {}: {}", arrived.lost(count), last.lines.text());
        std::thread::sleep(Duration::from_millis(500));
        arrived = Arrived::of(&broker.records("out"));
    }
    // What would come twice would come now.
    last.wait("all done", |status| status.routes[0].ledger.waiting == 0);
    let records = broker.records("out");
    let arrived = Arrived::of(&records);
    println!(
        "{rounds} kills: read {count}, delivered {}, repeats {}, lost {}",
        records.len(),
        arrived.repeats,
        arrived.lost(count)
    );
    assert_eq!((arrived.repeats, arrived.lost(count), arrived.overtaken), (0, 0, 0));
    assert!(records.iter().all(|record| number_of(record) < count));
}

#[test]
fn only_from_a_cluster() {
    let dir = tempfile::tempdir().unwrap();
    let config = json!({
        "dir": dir.path(),
        "readers": {"r": {"type": "file", "path": crate::support::events_file(dir.path(), 1)}},
        "datasinks": datasink("127.0.0.1:1", "out", 1, json!({"transactions": true})),
        "pipelines": {"p": {"reader": "r", "datasinks": ["kafka"]}},
    });
    let config = harken_connector::Config::parse(&config.to_string()).unwrap();
    let lines = std::sync::Arc::new(crate::support::Lines::default());
    let readers = harken_connector::readers::Local::new(&config.dir);
    let keep = std::sync::Arc::new(harken_connector::KeepAll);
    let error = harken_connector::Connector::start(&config, &readers, keep, lines).err().unwrap();
    assert!(error.to_string().contains("the reader of p.kafka is not of type kafka: take one"), "{error}");
}
