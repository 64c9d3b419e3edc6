//! The datasink, read back by kcat.
use crate::broker::{Arrived, Broker, event_of, number_of};
use crate::datasink;
use crate::front::Front;
use crate::support::Bench;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

#[test]
fn what_is_sent_is_what_kcat_reads() {
    let dir = tempfile::tempdir().unwrap();
    let Some(broker) = Broker::start(dir.path()) else { return };
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../captures/vxlan-api/events.json");
    let text = std::fs::read_to_string(&golden).unwrap();
    let sent: BTreeSet<&str> = text.lines().collect();
    for (compression, key) in
        [("none", "flow"), ("gzip", "client"), ("snappy", "none"), ("lz4", "flow"), ("zstd", "flow")]
    {
        let topic = format!("golden.{compression}");
        let work = tempfile::tempdir().unwrap();
        let more = json!({"compression": compression, "key": key, "timestamp": "event", "headers": {"site": "eu-1"}});
        let bench = Bench::start_with(work.path(), &golden, datasink(&broker.address(), &topic, 3, more));
        let status = bench.finish();
        assert_eq!((status.datasinks[0].written as usize, status.datasinks[0].errors), (sent.len(), 0));
        assert!(status.datasinks[0].valid, "{}", bench.lines.text());
        let records = broker.records(&topic);
        let payloads: BTreeSet<&str> =
            records.iter().map(|record| record["payload"].as_str().unwrap()).collect();
        assert_eq!(payloads, sent, "{compression}");
        assert_eq!(records.len(), sent.len());
        let mut partitions = BTreeMap::new();
        for record in &records {
            let event = event_of(record);
            let wanted = match key {
                "flow" => event["harken"]["uid"].clone(),
                "client" => event["client"]["ip"].clone(),
                _ => Value::Null,
            };
            assert_eq!(record["key"], wanted);
            if !wanted.is_null() {
                let first = partitions.entry(wanted.to_string()).or_insert(record["partition"].clone());
                assert_eq!(*first, record["partition"], "a key keeps to its partition");
            }
            let headers: Vec<&str> =
                record["headers"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
            let headers: BTreeMap<&str, &str> = headers.chunks(2).map(|pair| (pair[0], pair[1])).collect();
            assert_eq!(headers["event.id"], event["event"]["id"].as_str().unwrap());
            assert_eq!(headers["harken.schema_version"], event["harken"]["schema_version"].as_str().unwrap());
            assert_eq!((headers["content-type"], headers["site"]), ("application/json", "eu-1"));
            let seconds = record["ts"].as_i64().unwrap() / 1000;
            assert!((1_795_514_400..1_795_514_500).contains(&seconds), "{record}");
        }
    }
}

/// The hashes are those of Kafka's own tests (`UtilsTest.testMurmur2`).
#[test]
fn partitions_are_those_of_other_clients() {
    let dir = tempfile::tempdir().unwrap();
    let Some(broker) = Broker::start(dir.path()) else { return };
    let keys = [
        ("21", -973_932_308_i32),
        ("foobar", -790_332_482),
        ("a-little-bit-long-string", -985_981_536),
        ("a-little-bit-longer-string", -1_486_304_829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        ("abc", 479_470_107),
    ];
    let file = dir.path().join("events");
    let line = |(key, _): &(&str, i32)| json!({"harken": {"uid": key}}).to_string() + "\n";
    std::fs::write(&file, keys.iter().map(line).collect::<String>()).unwrap();
    let bench = Bench::start_with(dir.path(), &file, datasink(&broker.address(), "keys", 7, json!({})));
    bench.finish();
    let records = broker.records("keys");
    assert_eq!(records.len(), keys.len());
    for record in records {
        let hash = keys.iter().find(|(key, _)| record["key"] == *key).unwrap().1;
        assert_eq!(record["partition"], (hash & 0x7fff_ffff) % 7, "{record}");
    }
}

#[test]
fn what_cannot_be_taken() {
    let dir = tempfile::tempdir().unwrap();
    let Some(broker) = Broker::start(dir.path()) else { return };
    // A topic that is missing and not to be made: nothing is lost, and the mend is said.
    let mut settings = datasink(&broker.address(), "absent", 1, json!({"delivery_timeout_ms": 1000}));
    settings["kafka"].as_object_mut().unwrap().remove("create_topic");
    let config: harken_connector::Config = serde_json::from_value(json!({
        "dir": dir.path(), "readers": {}, "pipelines": {}, "datasinks": settings,
    }))
    .unwrap();
    let checked = harken_connector::operator::check(&config).unwrap();
    let reason = checked[0].result.as_ref().err().map_or("", |invalid| &invalid.reason);
    assert!(reason.is_empty() || reason.contains("there is no topic 'absent': make it"), "{reason}");

    // An event that is too large is put aside, and those around it arrive.
    let file = dir.path().join("events");
    let large = "x".repeat(20_000);
    let events = [json!({"n": 1}), json!({"n": 2, "large": large}), json!({"n": 3})];
    std::fs::write(&file, events.iter().map(|event| event.to_string() + "\n").collect::<String>()).unwrap();
    let settings = datasink(&broker.address(), "small", 1, json!({"max_bytes": 10_000}));
    let bench = Bench::start_with(dir.path(), &file, settings);
    let status = bench.finish();
    assert_eq!((status.routes[0].ledger.written, status.routes[0].ledger.dead_lettered), (2, 1));
    let numbers: Vec<u64> = broker.records("small").iter().map(number_of).collect();
    assert_eq!(numbers, [1, 3]);
    let letters = bench.lines.text();
    assert!(letters.contains("the datasink takes 9000"), "{letters}");
}

/// Seconds for which the broker is gone.
fn outage() -> Duration {
    let seconds = std::env::var("HARKEN_TEST_OUTAGE_S").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(3))
}

#[test]
fn a_broker_that_goes_and_comes_back_under_load() {
    const COUNT: u64 = 20_000;
    let dir = tempfile::tempdir().unwrap();
    let Some(mut broker) = Broker::start(dir.path()) else { return };
    let feed =
        json!({"delivery": {"batch_events": 100, "linger_ms": 5, "retry_first_ms": 5, "retry_max_ms": 40}});
    let front = Front::start(broker.port, None, None);
    let bench =
        Bench::start(dir.path(), COUNT, datasink(&format!("127.0.0.1:{}", front.port()), "load", 3, feed));
    for part in [1, 2] {
        bench.wait("under way", |status| status.routes[0].ledger.written > part * COUNT / 4);
        // Once it is stopped, and once what is on its way is cut off in the middle.
        if part == 1 {
            broker.stop();
            std::thread::sleep(outage());
            broker.start_again();
        } else {
            front.cut(true);
            std::thread::sleep(outage());
            front.cut(false);
        }
    }
    let status = bench.finish();
    assert_eq!(status.routes[0].ledger.written, COUNT, "{}", bench.lines.text());
    let arrived = Arrived::of(&broker.records("load"));
    println!(
        "read {COUNT}, delivered {}, repeats {}, lost {}",
        arrived.numbers.len(),
        arrived.repeats,
        arrived.lost(COUNT)
    );
    assert_eq!((arrived.lost(COUNT), arrived.overtaken), (0, 0));
}
