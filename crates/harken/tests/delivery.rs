//! From a capture through the spool, the filters and the connector into a file.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]
mod support;

use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use support::scratch;

fn harken(dir: &Path, args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_harken")).current_dir(dir).args(args).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{args:?}: {text}");
    text
}

/// Waits for what `get` gives to be so.
#[track_caller]
fn wait<T>(what: &str, get: impl Fn() -> T, is_so: impl Fn(&T) -> bool) -> T
where
    T: std::fmt::Debug,
{
    let began = Instant::now();
    loop {
        let now = get();
        if is_so(&now) {
            return now;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{what}: {now:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The ledger of the only route.
fn ledger(dir: &Path) -> Value {
    let status: Value = serde_json::from_str(&harken(dir, &["connector", "status", "--json"])).unwrap();
    assert_eq!(status["balances"], true, "{status}");
    status["routes"][0]["ledger"].clone()
}

/// Method and status of each event in the file.
fn written(dir: &Path) -> Vec<(String, u64)> {
    let text = std::fs::read_to_string(dir.join("out.ndjson")).unwrap_or_default();
    let of = |line: &str| {
        let event: Value = serde_json::from_str(line).unwrap();
        let method = event["http"]["request"]["method"].as_str().unwrap_or("-").to_owned();
        (method, event["http"]["response"]["status_code"].as_u64().unwrap_or(0))
    };
    text.lines().map(of).collect()
}

#[test]
fn filters_decide_and_are_read_again_when_they_change() {
    let dir = scratch("delivery");
    let capture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../captures/vxlan-api/input.pcap");
    let config = json!({
        "readers": {"reader": {"type": "spool", "dir": "spool"}},
        "datasinks": {"out": {"type": "file", "path": "out.ndjson"}},
        "pipelines": {"p": {"reader": "reader", "datasinks": ["out"], "filters": {"simple": "simple.json"}}},
    });
    std::fs::write(dir.join("connector.json"), config.to_string()).unwrap();
    let filter = |text: &str| std::fs::write(dir.join("simple.json"), text).unwrap();
    filter(r#"{"defaults": false, "exclude": [{"name": "reads", "where": {"method": ["GET", "HEAD"]}}]}"#);
    harken(&dir, &["replay", "--quiet", "--spool", "spool", capture.to_str().unwrap()]);
    harken(&dir, &["connector", "start"]);

    let done = wait("delivered", || ledger(&dir), |l| l["read"] == 38 && l["waiting"] == 0);
    assert_eq!((&done["filtered_out"], &done["written"]), (&json!(23), &json!(15)));
    let events = written(&dir);
    assert_eq!(events.len(), 15);
    assert!(events.iter().all(|(method, _)| method != "GET" && method != "HEAD"), "{events:?}");

    let log = || std::fs::read_to_string(dir.join("connector/connector.log")).unwrap();
    filter(r#"{"exclude": [{"name": "reads", "where": {"methd": ["GET"]}}]}"#);
    let text = wait("refused", log, |log| log.contains("stay in force"));
    assert!(text.contains("simple.json:1:") && text.contains("methd"), "{text}");

    filter(r#"{"defaults": false, "include": [{"name": "failures", "where": {"status": ["5xx"]}}]}"#);
    wait("read again", log, |log| log.contains("filters: read again"));
    harken(&dir, &["spool", "replay", "--pipeline", "p", "--from", "oldest"]);
    wait("again", || ledger(&dir), |l| l["read"] == 76 && l["waiting"] == 0);
    let again = written(&dir).split_off(15);
    assert_eq!(again.len(), 3);
    assert!(again.iter().all(|(_, status)| *status >= 500), "{again:?}");
    harken(&dir, &["connector", "stop"]);
}
