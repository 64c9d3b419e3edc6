//! Recordings of real servers and clients with packets lost, and joined in the middle: what is told as whole is true, and what is
//! not says so. Without losses their events are what the servers and clients say themselves (`recorded.rs`).
//!
//! The table of docs/loss.md is printed by
//! `cargo test -p harken --test recorded_loss -- --nocapture --test-threads 1`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]
mod support;

use serde_json::{Value, json};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use support::{at, json_lines, replay, scratch};

/// Captures of each row of the table.
const SEEDS: u64 = 12;

/// How packets are taken away.
#[derive(Clone, Copy)]
enum Loss {
    /// Each with this probability.
    Share(f64),
    /// All before a place that the seed chooses.
    Before,
}

const LOSSES: [(&str, Loss); 5] = [
    ("0.01 % lost", Loss::Share(0.0001)),
    ("0.1 % lost", Loss::Share(0.001)),
    ("1 % lost", Loss::Share(0.01)),
    ("5 % lost", Loss::Share(0.05)),
    ("joined late", Loss::Before),
];

/// Numbers that look random, the same for each seed (SplitMix64).
struct Numbers(u64);

impl Numbers {
    /// From 0 up to 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ z >> 31) as f64 / u64::MAX as f64
    }
}

/// The records of a capture of tcpdump's usual form, behind its header.
fn packets(capture: &[u8]) -> Vec<&[u8]> {
    let (mut rest, mut packets) = (&capture[24..], Vec::new());
    while rest.len() >= 16 {
        let length = u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
        let (packet, behind) = rest.split_at(16 + length);
        packets.push(packet);
        rest = behind;
    }
    packets
}

fn impaired(capture: &[u8], loss: Loss, seed: u64) -> Vec<u8> {
    let mut numbers = Numbers(seed);
    let packets = packets(capture);
    let first = (numbers.next() * packets.len() as f64) as usize;
    let kept = packets.into_iter().enumerate().filter(|(at, _)| match loss {
        Loss::Share(share) => numbers.next() >= share,
        Loss::Before => *at >= first,
    });
    [&capture[..24]].into_iter().chain(kept.map(|(_, packet)| packet)).flatten().copied().collect()
}

fn events(capture: &Path, name: &str) -> Vec<Value> {
    let out = scratch(name);
    replay(capture, &out, &["--format", "ecs", "--websocket-messages", "1000"]);
    json_lines(&out.join("events.json"))
}

/// Whether an event says that all of it was seen.
fn is_whole(event: &Value) -> bool {
    let completeness = &event["harken"]["completeness"];
    let is_partial = |place: &str| !at(event, place).is_null();
    completeness["request"] == "full"
        && completeness["response"] == "full"
        && completeness["pairing"] == "paired"
        && completeness["headers"].is_null()
        && ["request", "response"].iter().all(|side| {
            !is_partial(&format!("/harken/messages/{side}/partial"))
                && !is_partial(&format!("/http/{side}/body/decode_failed"))
        })
        && ["client", "server"].iter().all(|side| !is_partial(&format!("/harken/websocket/{side}/partial")))
        && (event["event"]["dataset"] != "harken.websocket" || is_partial("/harken/websocket/close"))
}

/// What an event says, without the times and the places on its connection.
fn said(event: &Value) -> String {
    let side = |side: &str| {
        let message = &event["http"][side];
        let units = at(event, &format!("/harken/messages/{side}"));
        let headers = [&message["headers"], &message["trailers"]];
        let messages = [&units["count"], &units["bytes"], &units["largest"], &units["compressed"]];
        json!([headers, message["body"], message["method"], message["status_code"], messages])
    };
    // The ordinal counts what was seen.
    let message = ["by", "type", "compressed"].map(|name| at(event, "/harken/websocket_message").get(name));
    let own = [&event["harken"]["websocket"], &event["harken"]["api"], &event["rpc"]];
    json!([event["event"]["dataset"], event["url"], side("request"), side("response"), message, own])
        .to_string()
}

/// Impairs a recording in every way: a row of the table for each.
fn matrix(kind: &str, about: &str) {
    let capture =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../captures/recorded").join(kind).join("input.pcap");
    let bytes = fs::read(&capture).unwrap();
    let mut truth: HashMap<String, i64> = HashMap::new();
    let whole = events(&capture, &format!("loss-{kind}"));
    for event in &whole {
        *truth.entry(said(event)).or_default() += 1;
    }
    let file: PathBuf = scratch(&format!("loss-{kind}-capture")).join("input.pcap");
    for (name, loss) in LOSSES {
        let [mut right, mut marked, mut wrong] = [0_u64; 3];
        for seed in 0..SEEDS {
            fs::write(&file, impaired(&bytes, loss, seed)).unwrap();
            let mut left = truth.clone();
            for event in events(&file, &format!("loss-{kind}")) {
                if !is_whole(&event) {
                    marked += 1;
                    continue;
                }
                let count = left.entry(said(&event)).or_default();
                *count -= 1;
                if *count >= 0 {
                    right += 1;
                } else {
                    wrong += 1;
                    println!("wrong with {name}, seed {seed}: {event}");
                }
            }
        }
        // Of what says that it is whole without a loss.
        let all = whole.iter().filter(|event| is_whole(event)).count() as u64 * SEEDS;
        let share = right as f64 * 100.0 / all as f64;
        println!("| {about} | {name} | {all} | {share:.2} % | {marked} | {wrong} |");
        assert_eq!(wrong, 0, "{kind}, {name}");
        // What a connection of HTTP/2 has said before is not known to whom joins it: nothing may be whole.
        assert!(right > 0 || matches!(loss, Loss::Before), "{kind}, {name}");
    }
}

#[test]
fn grpc() {
    matrix("grpc", "gRPC");
}

#[test]
fn websocket() {
    matrix("websocket", "WebSocket");
}

#[test]
fn websocket_h2() {
    matrix("websocket-h2", "WebSocket over HTTP/2");
}

#[test]
fn graphql() {
    matrix("graphql", "GraphQL");
}

#[test]
fn mcp() {
    matrix("mcp", "MCP");
}
