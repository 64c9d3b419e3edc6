//! The golden captures: the program writes the logs that lie beside each, and they say what tshark sees.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use support::{replay, scratch};

/// The folders of `captures/` that hold a capture.
fn cases() -> Vec<PathBuf> {
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../captures");
    let folders = fs::read_dir(captures).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<_> = folders.filter(|folder| folder.join("input.pcap").is_file()).collect();
    cases.sort();
    assert!(cases.len() >= 21, "the golden captures are there");
    cases
}

/// What a log must be, and what it is.
#[track_caller]
fn check(expected: &Path, actual: &Path) {
    let (want, have) = (fs::read_to_string(expected), fs::read_to_string(actual).unwrap());
    let want = want.unwrap_or_default();
    for (number, (want, have)) in want.lines().zip(have.lines()).enumerate() {
        let hint = "if it is meant to change: cargo xtask golden --update";
        assert_eq!(want, have, "{}, line {} ({hint})", expected.display(), number + 1);
    }
    assert_eq!(want.lines().count(), have.lines().count(), "{}", expected.display());
}

#[test]
fn logs_are_as_they_were() {
    for case in cases() {
        let name = case.file_name().unwrap().to_str().unwrap();
        let capture = case.join("input.pcap");
        let zeek = scratch(&format!("golden-{name}-zeek"));
        let ecs = scratch(&format!("golden-{name}-ecs"));
        replay(&capture, &zeek, &["--format", "zeek-json"]);
        replay(&capture, &ecs, &["--format", "ecs"]);
        for (dir, log) in [(&zeek, "http.log"), (&zeek, "conn.log"), (&ecs, "events.json")] {
            check(&case.join(log), &dir.join(log));
        }
    }
}

#[test]
fn several_threads_find_the_same() {
    for case in cases() {
        let name = case.file_name().unwrap().to_str().unwrap();
        let dir = scratch(&format!("golden-{name}-threads"));
        replay(&case.join("input.pcap"), &dir, &["--threads", "3"]);
        for log in ["http.log", "conn.log"] {
            let sorted = |dir: &Path| {
                let text = fs::read_to_string(dir.join(log)).unwrap();
                let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
                lines.sort();
                lines
            };
            assert_eq!(sorted(&case), sorted(&dir), "{name}, {log}");
        }
    }
}

/// The columns of `tshark.tsv`, from a line of `http.log`.
fn row(line: &str) -> String {
    let record: serde_json::Value = serde_json::from_str(line).unwrap();
    let columns =
        ["id.orig_p", "method", "host", "uri", "request_body_len", "status_code", "response_body_len"];
    let text = |name: &str| match &record[name] {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    columns.map(text).join("\t")
}

/// Zeek's `uri` has percent-escapes taken off.
fn unescaped(row: &str) -> String {
    let mut pieces = row.split('%');
    let mut text = pieces.next().unwrap().to_owned();
    for piece in pieces {
        text.push(char::from(u8::from_str_radix(&piece[..2], 16).unwrap()));
        text.push_str(&piece[2..]);
    }
    text
}

#[test]
fn tshark_sees_the_same() {
    for case in cases() {
        let read = |name: &str| fs::read_to_string(case.join(name)).unwrap();
        let theirs = read("tshark.tsv");
        let mut theirs: Vec<_> = theirs.lines().filter(|l| !l.starts_with('#')).map(unescaped).collect();
        let mut ours: Vec<_> = read("http.log").lines().map(row).collect();
        theirs.sort();
        ours.sort();
        assert_eq!(theirs, ours, "{}", case.display());
    }
}
