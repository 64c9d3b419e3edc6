//! The reader: several connectors share the partitions of a topic out.
use crate::broker::{Arrived, Broker};
use crate::lines;
use crate::support::pki::Ca;
use crate::support::server::{Act, Server};
use crate::support::{Bench, event};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

fn reader(broker: &Broker, topic: &str) -> Value {
    json!({"type": "kafka", "cluster": {"brokers": [broker.address()]}, "topics": [topic], "group": "g"})
}

#[test]
fn connectors_come_and_go() {
    const COUNT: u64 = 6_000;
    let dir = tempfile::tempdir().unwrap();
    let Some(broker) = Broker::start(dir.path()) else { return };
    broker.topic("in", 4);
    broker.produce("in", &lines(0..COUNT));
    let ca = Ca::new(dir.path(), "ca");
    let arrived = Arc::new(Mutex::new(Arrived::default()));
    let taken = Arc::clone(&arrived);
    // Slow enough for the group to be shared out while much is on its way.
    let server = Server::start(&ca.issue(&["localhost"], 2030), None, move |seen| {
        std::thread::sleep(Duration::from_millis(10));
        if seen.method == "POST" {
            let mut taken = taken.lock().unwrap();
            for it in seen.events() {
                let number = it["n"].as_u64().unwrap();
                assert_eq!(it, event(number), "altered");
                taken.take(it["harken"]["uid"].as_str().unwrap(), number);
            }
        }
        Act::Take
    });
    let start = |name: &str| {
        let work = dir.path().join(name);
        std::fs::create_dir(&work).unwrap();
        Bench::start_from(&work, reader(&broker, "in"), edge(&server, &ca.file))
    };
    let first = start("first");
    first.wait("under way", |status| status.routes[0].ledger.written > 200);
    let second = start("second");
    second.wait("sharing", |status| status.routes[0].ledger.written > 200);
    let third = start("third");
    third.wait("sharing", |status| status.routes[0].ledger.written > 50);
    let mut given_back = second.connector.status().routes[0].ledger.given_back;
    drop(second);
    let done = |bench: &Bench| bench.connector.status().routes[0].ledger.waiting == 0;
    let begin = Instant::now();
    while arrived.lock().unwrap().lost(COUNT) > 0 || !done(&first) || !done(&third) {
        assert!(begin.elapsed() < Duration::from_secs(120), "{:?}", arrived.lock().unwrap().lost(COUNT));
        std::thread::sleep(Duration::from_millis(20));
    }
    for bench in [&first, &third] {
        let status = bench.connector.status();
        assert!(status.balances);
        given_back += status.routes[0].ledger.given_back;
    }
    let (repeats, overtaken) = {
        let arrived = arrived.lock().unwrap();
        (arrived.repeats, arrived.overtaken)
    };
    println!("connectors come and go: read {COUNT}, given back {given_back}, repeats {repeats}, lost 0");
    assert_eq!(overtaken, 0);
    assert!(given_back > 0, "{}", first.lines.text());

    // What is done is committed within a quarter of a second: one that joins later has nothing to do.
    std::thread::sleep(Duration::from_secs(1));
    drop((first, third));
    let later = start("later");
    broker.produce("in", &lines(COUNT..COUNT + 1));
    let status = later.wait("has the new one", |status| status.routes[0].ledger.written > 0);
    assert_eq!(status.routes[0].ledger.read, 1);
}

fn edge(server: &Server, ca: &Path) -> Value {
    json!({"edge": {
        "type": "http",
        "url": format!("https://localhost:{}/in", server.address.port()),
        "tls": {"ca_file": ca, "ca_file_only": true},
        "proxy": {"type": "none"},
        "delivery": {"batch_events": 10, "linger_ms": 5, "retry_first_ms": 5, "retry_max_ms": 50},
    }})
}

#[test]
fn a_group_begins_where_it_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let Some(broker) = Broker::start(dir.path()) else { return };
    broker.topic("old", 1);
    broker.produce("old", &lines(0..10));
    let out = json!({"out": {"type": "file", "path": dir.path().join("out.ndjson")}});
    // A topic that does not exist is waited for.
    let mut both = reader(&broker, "old");
    both["topics"] = json!(["old", "new"]);
    let bench = Bench::start_from(dir.path(), both, out);
    bench.wait("has the old ones", |status| status.routes[0].ledger.written == 10);
    broker.produce("new", &lines(10..15));
    bench.wait("has the new ones", |status| status.routes[0].ledger.written == 15);
    drop(bench);
    let text = std::fs::read_to_string(dir.path().join("out.ndjson")).unwrap();
    let mut numbers: Vec<u64> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["n"].as_u64().unwrap())
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..15).collect::<Vec<_>>());

    // From what comes from now on.
    let work = tempfile::tempdir().unwrap();
    let mut latest = reader(&broker, "old");
    latest["from"] = json!("latest");
    latest["group"] = json!("late");
    let out = json!({"out": {"type": "file", "path": work.path().join("out.ndjson")}});
    let bench = Bench::start_from(work.path(), latest, out);
    let mut number = 100;
    // Nobody tells when the group has its partitions; what comes before is not for it.
    let status = loop {
        broker.produce("old", &lines(number..number + 1));
        number += 1;
        let status = bench.connector.status();
        if status.routes[0].ledger.written > 0 {
            break status;
        }
        assert!(number < 400, "{}", bench.lines.text());
        std::thread::sleep(Duration::from_millis(100));
    };
    assert!(status.routes[0].ledger.read <= number - 100);
    let text = std::fs::read_to_string(work.path().join("out.ndjson")).unwrap();
    let first: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert!(first["n"].as_u64().unwrap() >= 100, "{text}");
}
