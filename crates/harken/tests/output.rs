//! What goes to standard output and what to standard error, and that threads change nothing in the ledger.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use support::scratch;

const SYN: u8 = 2;
const ACK: u8 = 0x10;

/// An IPv4 packet with a TCP segment between 10.0.0.1:`port` and 10.0.0.2:80.
fn segment(port: u16, from_client: bool, seq: u32, ack: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(40 + payload.len()).unwrap().to_be_bytes();
    let (client, server) = ([10, 0, 0, 1], [10, 0, 0, 2]);
    let (src, dst) = if from_client { (client, server) } else { (server, client) };
    let (from, to) = if from_client { (port, 80) } else { (80, port) };
    let mut packet = vec![0x45, 0, len[0], len[1], 0, 1, 0x40, 0, 64, 6, 0, 0];
    packet.extend(src.iter().chain(&dst).chain(&from.to_be_bytes()).chain(&to.to_be_bytes()));
    packet.extend(seq.to_be_bytes().iter().chain(&ack.to_be_bytes()));
    packet.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    packet.extend(payload);
    packet
}

/// A capture of `ports` conversations, one every 400 seconds, none of which is ended.
fn capture(name: &str, ports: u16) -> PathBuf {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65535, 101] {
        file.extend(word.to_le_bytes());
    }
    let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let response = b"HTTP/1.1 204 No Content\r\n\r\n";
    for port in 1000..1000 + ports {
        let asked = 101 + u32::try_from(request.len()).unwrap();
        let packets = [
            segment(port, true, 100, 0, SYN, b""),
            segment(port, false, 500, 101, SYN | ACK, b""),
            segment(port, true, 101, 501, ACK, request),
            segment(port, false, 501, asked, ACK, response),
        ];
        for (micros, packet) in (0u32..).zip(packets) {
            let len = u32::try_from(packet.len()).unwrap();
            for word in [1_600_000_000 + u32::from(port) * 400, micros, len, len] {
                file.extend(word.to_le_bytes());
            }
            file.extend(packet);
        }
    }
    let path = scratch(name).join("capture.pcap");
    std::fs::write(&path, file).unwrap();
    path
}

/// Standard output and standard error.
#[track_caller]
fn run(capture: &Path, options: &[&str]) -> (String, String) {
    let program =
        Command::new(env!("CARGO_BIN_EXE_harken")).arg("replay").args(options).arg(capture).output();
    let output = program.unwrap();
    assert!(output.status.success(), "{options:?}");
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn quiet_is_quiet_in_every_format() {
    let capture = capture("output-quiet", 1);
    for options in [
        &["--quiet"][..],
        &["--quiet", "--json"],
        &["--quiet", "--format", "zeek-tsv"],
        &["--quiet", "--format", "ecs"],
        &["--quiet", "--format", "table"],
    ] {
        assert_eq!(run(&capture, options), (String::new(), String::new()), "{options:?}");
    }
}

#[test]
fn the_ledger_does_not_mix_with_machine_readable_transactions() {
    let capture = capture("output-ledger", 1);
    for format in ["zeek-json", "ecs"] {
        let (out, err) = run(&capture, &["--stats", "--format", format]);
        assert_eq!(out.lines().count(), 1, "{out}");
        assert!(serde_json::from_str::<serde_json::Value>(&out).is_ok(), "{out}");
        assert!(err.contains("beside the sums"), "{err}");
    }
    let (out, err) = run(&capture, &["--stats", "--json"]);
    assert!(serde_json::from_str::<serde_json::Value>(&out).is_ok(), "{out}");
    assert_eq!(err, "");
    let (out, _) = run(&capture, &["--stats"]);
    assert!(out.contains("beside the sums") && !out.contains("GET"), "{out}");
}

#[test]
fn time_passes_alike_for_all_threads_up_to_the_end() {
    let capture = capture("output-threads", 12);
    let closed = |threads: &str| {
        let (out, _) = run(&capture, &["--stats", "--json", "--threads", threads]);
        let ledger: serde_json::Value = serde_json::from_str(&out).unwrap();
        let find = |entry: &serde_json::Value| entry["parts"]["closed.idle"].as_u64();
        ledger.as_object().unwrap().values().find_map(find)
    };
    // All but the last have been idle for longer than the limit when the input ends.
    assert_eq!(closed("1"), Some(11));
    assert_eq!(closed("4"), Some(11));
}
