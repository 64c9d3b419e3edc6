//! A full disk, a folder that is read-only, damage in the spool, a clock that jumps: what the operator reads, and that
//! everything arrives all the same.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod support;

use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use support::{connector, good, harken_in, said};

fn log(dir: &Path) -> String {
    fs::read_to_string(dir.join("connector/connector.log")).unwrap()
}

#[track_caller]
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "'{part}' is not in: {text}");
    }
}

const EVENTS: &str = include_str!("../../../captures/vxlan-api/events.json");

/// A connector without filters from that reader into `out/events.ndjson`.
fn configure(dir: &Path, reader: &Value) {
    fs::write(dir.join("simple.json"), r#"{"defaults": false}"#).unwrap();
    let config = json!({
        "period_s": 1,
        "readers": {"in": reader},
        "datasinks": {"out": {
            "type": "file", "path": "out/events.ndjson", "gzip": false,
            "delivery": {"linger_ms": 1, "retry_first_ms": 50, "retry_max_ms": 200},
        }},
        "pipelines": {"all": {"reader": "in", "datasinks": ["out"], "filters": {"simple": "simple.json"}}},
    });
    fs::write(dir.join("connector.json"), config.to_string()).unwrap();
}

/// A file of events, so often as many as there are.
fn input(dir: &Path, times: usize) -> String {
    let text = EVENTS.repeat(times);
    fs::write(dir.join("events.json"), &text).unwrap();
    text
}

/// Works where file systems can be mounted that nobody else sees.
fn with_mounts(work: impl FnOnce() + Send + 'static) {
    let thread = std::thread::spawn(|| {
        if let Err(error) = nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS) {
            eprintln!("!!! SKIPPED: no mounts of our own, which root may have: {error}");
            return;
        }
        good(Command::new("mount").args(["--make-rprivate", "/"]));
        work();
    });
    thread.join().unwrap();
}

fn mount(dir: &Path, options: &str) {
    fs::create_dir_all(dir).unwrap();
    good(Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(dir));
}

#[test]
fn a_datasink_on_a_full_disk_is_told_and_tried_again() {
    with_mounts(|| {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let events = input(dir, 100);
        configure(dir, &json!({"type": "file", "path": "events.json", "follow": true}));
        mount(&dir.join("out"), "size=64m");
        let room = 40 << 20;
        fs::write(dir.join("out/other"), vec![0; (64 << 20) - (1 << 20)]).unwrap();
        assert!(events.len() > 1 << 20 && events.len() < room);
        good(&mut harken_in(dir, &["connector", "start"]));
        let status = connector(dir, |status| !status["routes"][0]["failure"].is_null());
        let full =
            "cannot write out/events.ndjson: No space left on device (os error 28); make room on that disk";
        assert_eq!(status["routes"][0]["failure"], full, "{status}");
        fs::remove_file(dir.join("out/other")).unwrap();
        let all = events.lines().count() as u64;
        connector(dir, |status| status["routes"][0]["ledger"]["written"] == all);
        good(&mut harken_in(dir, &["connector", "stop"]));
        // No line twice, and none in part: what was written of a batch that failed was taken back.
        assert!(fs::read_to_string(dir.join("out/events.ndjson")).unwrap() == events);
        says(&log(dir), &[&format!("Z warn pipeline all, datasink out: {full}")]);
        // Still in use by nobody, so that the folder can go.
        good(Command::new("umount").arg(dir.join("out")));
    });
}

#[test]
fn a_read_only_folder_is_told_and_tried_again() {
    with_mounts(|| {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let events = input(dir, 1);
        configure(dir, &json!({"type": "file", "path": "events.json", "follow": true}));
        mount(&dir.join("out"), "ro");
        let why = "cannot write out/events.ndjson: Read-only file system (os error 30); mount it for writing or name another \
                   path";
        let (good_one, text) = said(&mut harken_in(dir, &["connector", "check"]));
        assert!(!good_one);
        says(&text, &[&format!("datasink out, type file: NOT VALID: {why}\n")]);
        good(&mut harken_in(dir, &["connector", "start"]));
        connector(dir, |status| {
            status["routes"][0]["failure"] == why && status["datasinks"][0]["valid"] == false
        });
        good(Command::new("mount").args(["-o", "remount,rw"]).arg(dir.join("out")));
        let all = events.lines().count() as u64;
        connector(dir, |status| status["routes"][0]["ledger"]["written"] == all);
        good(&mut harken_in(dir, &["connector", "stop"]));
        assert_eq!(fs::read_to_string(dir.join("out/events.ndjson")).unwrap(), events);
        says(
            &log(dir),
            &[&format!("Z error datasink out is not valid: {why}\n"), "Z info datasink out is valid\n"],
        );
        good(Command::new("umount").arg(dir.join("out")));
    });
}

fn replay(dir: &Path, spool: &str) -> (bool, String) {
    let capture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../captures/vxlan-api/input.pcap");
    said(harken_in(dir, &["replay", "--quiet", "--spool", spool]).arg(capture))
}

#[test]
fn a_spool_on_a_full_or_read_only_disk_is_told() {
    with_mounts(|| {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        mount(&dir.join("spool"), "size=64k");
        fs::write(dir.join("spool/other"), vec![0; 60 << 10]).unwrap();
        let (good_one, text) = replay(dir, "spool");
        assert!(!good_one, "{text}");
        says(&text, &["No space left on device", "make room"]);
        good(Command::new("mount").args(["-o", "remount,ro"]).arg(dir.join("spool")));
        let (good_one, text) = replay(dir, "spool");
        assert!(!good_one, "{text}");
        says(&text, &["--spool", "Read-only file system"]);
        good(Command::new("umount").arg(dir.join("spool")));
    });
}

/// The files of the spool with blocks, in order.
fn blocks(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> =
        fs::read_dir(dir.join("spool")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.metadata().unwrap().len() > 1000);
    files.sort();
    files
}

#[test]
fn a_corrupt_block_costs_itself_and_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for _ in 0..3 {
        let (good_one, text) = replay(dir, "spool");
        assert!(good_one, "{text}");
    }
    let all = EVENTS.lines().count() as u64;
    let files = blocks(dir);
    // The middle of the second run's block.
    let whole: u64 = files.iter().map(|file| file.metadata().unwrap().len()).sum();
    let mut at = whole / 2;
    for file in &files {
        let mut bytes = fs::read(file).unwrap();
        let length = bytes.len() as u64;
        if at < length {
            bytes[at as usize] ^= 0x10;
            fs::write(file, bytes).unwrap();
            break;
        }
        at -= length;
    }
    configure(dir, &json!({"type": "spool", "dir": "spool"}));
    good(&mut harken_in(dir, &["connector", "start"]));
    let status = connector(dir, |status| status["routes"][0]["ledger"]["written"] == 2 * all);
    assert_eq!(status["routes"][0]["missing"], all, "{status}");
    good(&mut harken_in(dir, &["connector", "stop"]));
    says(
        &log(dir),
        &[&format!(
            "Z error pipeline all, datasink out: {all} events are missing in the spool: damaged on the disk (1 blocks, "
        )],
    );
    assert_eq!(fs::read_to_string(dir.join("out/events.ndjson")).unwrap().lines().count() as u64, 2 * all);
}

#[test]
fn a_torn_end_is_cut_off_and_told() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for _ in 0..2 {
        assert!(replay(dir, "spool").0);
    }
    let last = blocks(dir).pop().unwrap();
    let file = fs::File::options().write(true).open(&last).unwrap();
    file.set_len(last.metadata().unwrap().len() - 100).unwrap();
    let (good_one, text) = replay(dir, "spool");
    assert!(good_one, "{text}");
    let all = EVENTS.lines().count();
    says(
        &text,
        &[
            "harken: warning: spool spool: a torn end was cut off, as a loss of power leaves it: 1 blocks, ",
            &format!(" bytes, {all} events that were not yet committed"),
        ],
    );
}

/// By a library before the system's, since the clock of the machine is for all.
#[test]
fn a_clock_that_jumps_is_told_and_costs_nothing() {
    let library = Path::new("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1");
    if !library.exists() {
        eprintln!("!!! SKIPPED: no {}: apt-get install faketime", library.display());
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let mut expected = input(dir, 1);
    configure(dir, &json!({"type": "file", "path": "events.json", "follow": true}));
    let clock = dir.join("clock");
    let set = |text: &str| {
        fs::write(dir.join("clock.new"), text).unwrap();
        fs::rename(dir.join("clock.new"), &clock).unwrap();
    };
    set("+0");
    let mut start = harken_in(dir, &["connector", "start"]);
    start.env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", &clock);
    start.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    good(&mut start);
    let mut all = EVENTS.lines().count() as u64;
    connector(dir, |status| status["routes"][0]["ledger"]["written"] == all);
    for (offset, line) in [
        ("+172800", "Z warn this machine's clock was set forward by 172"),
        ("-86400", "Z warn this machine's clock was set back by 25"),
    ] {
        set(offset);
        let begin = Instant::now();
        while !log(dir).contains(line) {
            assert!(begin.elapsed() < Duration::from_secs(30), "{line}: {}", log(dir));
            std::thread::sleep(Duration::from_millis(50));
        }
        let mut file = fs::File::options().append(true).open(dir.join("events.json")).unwrap();
        file.write_all(EVENTS.as_bytes()).unwrap();
        expected += EVENTS;
        all += EVENTS.lines().count() as u64;
        connector(dir, |status| status["routes"][0]["ledger"]["written"] == all);
    }
    good(&mut harken_in(dir, &["connector", "stop"]));
    // Also over the rotation that the jump of two days brings with it.
    let mut written = String::new();
    let mut files: Vec<_> =
        fs::read_dir(dir.join("out")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort_by_key(|path| path.file_name().unwrap() == "events.ndjson");
    for file in files {
        written += &fs::read_to_string(file).unwrap();
    }
    assert_eq!(written, expected);
}
