//! `harken filter test` and `explain` as a user runs them: what is printed, and the exit codes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]
mod support;

use serde_json::Value;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use support::scratch;

fn events() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../captures/vxlan-api/events.json")
}

fn harken(arguments: &[&str], input: &[u8]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_harken"));
    program.arg("filter").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = program.spawn().unwrap();
    // A program that ends over its files does not read its input.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

#[track_caller]
fn check(output: &Output, code: i32, says: &[&str]) {
    let all = [&output.stdout[..], &output.stderr[..]].concat();
    let all = String::from_utf8(all).unwrap();
    assert_eq!(output.status.code(), Some(code), "{all}");
    for says in says {
        assert!(all.contains(says), "{says}:\n{all}");
    }
}

#[test]
fn recorded_events_are_decided_and_counted() {
    let path = events().display().to_string();
    let output = harken(&["test", "--events", &path], b"");
    check(
        &output,
        0,
        &["38 events: 35 kept (0 of them changed), 3 dropped", "default-assets (exclude[2] of the defaults)"],
    );
    let output = harken(&["test", "--json", "--events", "-"], &std::fs::read(&path).unwrap());
    check(&output, 0, &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 39);
    let dropped = lines.iter().filter(|line| line["verdict"] == "drop").count();
    assert_eq!((dropped, &lines[38]["totals"]["dropped"]), (3, &Value::from(3)));
    assert!(lines[..38].iter().all(|line| line["id"].as_str().is_some_and(|id| id.len() == 32)));
}

#[test]
fn packed_events_are_read() {
    let folder = scratch("filter-packed");
    let plain = std::fs::read(events()).unwrap();
    let path = folder.join("events.json.gz");
    let mut packed =
        flate2::write::GzEncoder::new(std::fs::File::create(&path).unwrap(), flate2::Compression::fast());
    packed.write_all(&plain).unwrap();
    packed.finish().unwrap();
    check(&harken(&["test", "--events", path.to_str().unwrap()], b""), 0, &["38 events: "]);
}

#[test]
fn what_is_wrong_is_said_by_the_exit_code() {
    let folder = scratch("filter-wrong");
    let rules = folder.join("filters-advanced.json");
    std::fs::write(
        &rules,
        "{\"rules\": [\n  {\"name\": \"x\", \"when\": \"url.pth == 'a'\", \"actions\": [\"drop\"]}\n]}",
    )
    .unwrap();
    let rules = rules.to_str().unwrap();
    let output = harken(&["test", "--events", "-", "--advanced", rules], b"");
    check(
        &output,
        1,
        &["filters-advanced.json:2:25: rules[0].when: character 5: ", "    url.pth == 'a'\n        ^"],
    );
    check(&harken(&["test", "--events", "/nowhere"], b""), 1, &["cannot read /nowhere"]);
    check(&harken(&["test"], b""), 2, &["--events"]);
    let output = harken(&["test", "--events", "-"], b"{}\nno event\n\n{\"url\": {\"path\": \"/a.css\"}}\n");
    check(&output, 3, &["2 events: 1 kept (0 of them changed), 1 dropped\n1 lines are no events"]);
}

#[test]
fn rules_are_explained_in_their_order() {
    check(&harken(&["explain"], b""), 0, &["The shipped rules are in force.", "  1. default-health-path"]);
    let folder = scratch("filter-explain");
    let simple = folder.join("s.json");
    let text = r#"{"defaults": false, "allow": [{"name": "mine", "where": {"status": ["5xx"]}}],
        "ignore": [{"name": "noise", "where": {"method": ["GET"]}, "unless": {"vni": [7]}}]}"#;
    std::fs::write(&simple, text).unwrap();
    let says = [
        "The shipped rules are not in force",
        "  1. noise (ignore[0])\n     when  method is GET; unless VNI is 7\n     then  dropped\n",
        "  2. mine (allow[0])\n     when  status is 5xx\n     then  kept; no later rule drops it\n",
    ];
    check(&harken(&["explain", "--simple", simple.to_str().unwrap()], b""), 0, &says);
}
