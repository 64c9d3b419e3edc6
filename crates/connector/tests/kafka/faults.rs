//! What brokers answer when something is wrong, by the mock cluster of librdkafka.
use crate::broker::{Arrived, has_kcat, records};
use crate::datasink;
use crate::support::{Bench, delivery};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr as Code};
use serde_json::json;
use std::time::Duration;

type Cluster = MockCluster<'static, DefaultProducerContext>;

/// A cluster with a topic of one partition.
fn cluster() -> Cluster {
    let cluster = MockCluster::new(3).unwrap();
    cluster.create_topic("t", 1, 3).unwrap();
    cluster
}

/// Writes that many events while produce requests are answered so.
fn bench(dir: &std::path::Path, cluster: &Cluster, count: u64, answers: &[Code]) -> Bench {
    cluster.request_errors(RDKafkaApiKey::Produce, answers);
    let more = json!({"create_topic": null, "delivery_timeout_ms": 20_000});
    Bench::start(dir, count, datasink(&cluster.bootstrap_servers(), "t", 1, more))
}

#[test]
fn answers_and_what_they_mean() {
    use Code::*;
    if !has_kcat() {
        return;
    }
    // What librdkafka gets over by itself, without a repeat.
    let passing = [
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
    ];
    // What the operator has to mend; it goes on by itself once that is done.
    let invalid = [RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED];
    // A batch with a record that is refused is halved.
    let refused = [RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE];
    let record = [RD_KAFKA_RESP_ERR_INVALID_RECORD];
    // The producer cannot go on, and another one takes over.
    let fenced = [RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER];
    for (answers, fails, says) in [
        (&passing[..], false, ""),
        (&invalid[..], true, "Topic authorization failed"),
        (&refused[..], true, "the batch is halved to find the event"),
        (&record[..], true, "the batch is halved to find the event"),
        (&fenced[..], true, "OutOfOrderSequenceNumber"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let cluster = cluster();
        let bench = bench(dir.path(), &cluster, 100, answers);
        let status = bench.finish();
        let text = bench.lines.text();
        let arrived = Arrived::of(&records(&cluster.bootstrap_servers(), "t"));
        assert_eq!((arrived.lost(100), arrived.overtaken, arrived.repeats), (0, 0, 0), "{answers:?}: {text}");
        // Several batches may be in the request that is refused.
        assert_eq!(status.datasinks[0].errors > 0, fails, "{answers:?}: {text}");
        assert!(text.contains(says), "{answers:?}: {text}");
        assert_eq!(status.routes[0].ledger.written, 100);
    }
}

#[test]
fn a_record_that_is_refused_is_dead_lettered() {
    if !has_kcat() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let cluster = cluster();
    // Three events, refused as a whole and in every half, but for the last.
    let answers = [Code::RD_KAFKA_RESP_ERR_INVALID_RECORD; 4];
    let bench = bench(dir.path(), &cluster, 3, &answers);
    let status = bench.finish();
    let arrived = Arrived::of(&records(&cluster.bootstrap_servers(), "t"));
    let ledger = &status.routes[0].ledger;
    assert_eq!(ledger.written, arrived.numbers.len() as u64);
    assert!(ledger.dead_lettered > 0 && ledger.written + ledger.dead_lettered == 3, "{ledger:?}");
    assert!(bench.lines.text().contains("dead-lettered: "), "{}", bench.lines.text());
}

#[test]
fn brokers_go_and_come_back() {
    const COUNT: u64 = 5_000;
    if !has_kcat() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let cluster = cluster();
    let mut feed = delivery();
    feed["batch_events"] = json!(20);
    let more = json!({"create_topic": null, "delivery": feed});
    let bench = Bench::start(dir.path(), COUNT, datasink(&cluster.bootstrap_servers(), "t", 1, more));
    for part in 1..4 {
        bench.wait("under way", |status| status.routes[0].ledger.written > part * COUNT / 5);
        (1..=3).for_each(|broker| cluster.broker_down(broker).unwrap());
        std::thread::sleep(Duration::from_millis(700));
        (1..=3).for_each(|broker| cluster.broker_up(broker).unwrap());
    }
    bench.finish();
    let arrived = Arrived::of(&records(&cluster.bootstrap_servers(), "t"));
    assert_eq!((arrived.lost(COUNT), arrived.overtaken), (0, 0), "{}", bench.lines.text());
}
