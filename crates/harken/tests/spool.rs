//! Events into the spool and out of it again, and what is masked on the way.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]
mod support;

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Output};
use support::scratch;

fn harken(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_harken")).args(args).output().unwrap()
}

/// Standard output of a call that succeeds.
#[track_caller]
fn out(args: &[&str]) -> String {
    let output = harken(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn capture() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../captures/vxlan-api/input.pcap");
    path.to_str().unwrap().to_owned()
}

#[test]
fn what_goes_in_comes_out() {
    let dir = scratch("spool");
    let path = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    let (spool, capture) = (path("events"), capture());
    let events = out(&["replay", "--format", "ecs", &capture]);
    for threads in ["1", "2"] {
        out(&["replay", "--quiet", "--threads", threads, "--spool", &spool, &capture]);
    }
    let status = out(&["spool", "status", "--json", "--spool", &spool]);
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["events"], 76);
    assert_eq!(out(&["spool", "peek", "--limit", "38", "--spool", &spool]), events);
    // By time: both runs have the events of the last seconds.
    let late = out(&["spool", "peek", "--limit", "99", "--from", "2026-11-24T10:00:12Z", "--spool", &spool]);
    assert_eq!(
        late.lines().count(),
        2 * events.lines().filter(|l| l > &"{\"@timestamp\":\"2026-11-24T10:00:12").count()
    );
    let exported = path("all.gz");
    out(&["spool", "export", "--spool", &spool, "--output", &exported]);
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(exported).unwrap()).read_to_string(&mut text).unwrap();
    assert!(text.starts_with(&events));
    assert_eq!(text.lines().count(), 76);

    let no_pipeline = harken(&["spool", "replay", "--from", "oldest", "--pipeline", "p", "--spool", &spool]);
    assert_eq!(no_pipeline.status.code(), Some(1));
    let error = String::from_utf8(no_pipeline.stderr).unwrap();
    assert!(error.contains("no pipeline p reads this spool"), "{error}");
    let nowhere = harken(&["spool", "status", "--spool", &path("nowhere")]);
    assert!(String::from_utf8(nowhere.stderr).unwrap().contains("there is no spool in"));
}

#[test]
fn secrets_are_masked_wherever_they_are_written() {
    let dir = scratch("masked");
    let (spool, logs, capture) = (dir.join("spool"), dir.join("logs"), capture());
    let (spool, logs) = (spool.to_str().unwrap(), logs.to_str().unwrap());
    out(&["replay", "--log-dir", logs, "--spool", spool, &capture]);
    let events = out(&["spool", "peek", "--limit", "99", "--spool", spool]);
    let shown = out(&["replay", "--format", "ecs", "--show-secrets", &capture]);
    for (secret, masked) in
        [("4111111111111111", "************1111"), ("\\\"cvv\\\":\\\"123\\\"", "\\\"cvv\\\":\\\"***\\\"")]
    {
        assert!(shown.contains(secret), "{secret}");
        assert!(!events.contains(secret) && events.contains(masked), "{secret}");
        let log = std::fs::read_to_string(Path::new(logs).join("http.log")).unwrap();
        assert!(!log.contains(secret));
    }
    let settings = dir.join("masking.json");
    std::fs::write(&settings, r#"{"card": {"method": "hash"}}"#).unwrap();
    let no_key = harken(&["replay", "--masking", settings.to_str().unwrap(), &capture]);
    assert_eq!(no_key.status.code(), Some(2));
    let error = String::from_utf8(no_key.stderr).unwrap();
    assert!(error.contains("--masking: masking: key: is missing"), "{error}");
}

#[test]
fn masking_can_be_tried() {
    let text = "pay 4111 1111 1111 1111 with password=hunter22";
    assert_eq!(out(&["mask", "test", "--text", text]), "pay **** **** **** 1111 with password=***\n");
    let url = out(&["mask", "test", "--as", "url", "--json", "--text", "https://u:pw@h/a?token=abc#x"]);
    let url: serde_json::Value = serde_json::from_str(&url).unwrap();
    assert_eq!(url["value"], "https://u:***@h/a?token=***#x");
    assert_eq!(url["masked"][1]["name"], "token");
    assert_eq!(out(&["mask", "test", "--header", "Cookie", "--text", "a=1; b=2"]), "a=***; b=***\n");
}
