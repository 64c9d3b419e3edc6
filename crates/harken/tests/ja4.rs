//! The captures and values that FoxIO publishes with JA4, where a copy of its repository lies.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]
mod support;

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use support::{replay, scratch};

/// How often each client port has each value.
type Found = BTreeMap<(String, String), u32>;

/// The values in one of the published lists: entries of `name: value`.
fn published(list: &str) -> Found {
    let mut found = Found::new();
    for entry in list.split("\n- ").skip(1) {
        let value = |name: &str| {
            let line =
                entry.lines().find_map(|line| line.trim_start().strip_prefix(name)?.strip_prefix(": "));
            line.map(|value| value.trim_matches('"').to_owned())
        };
        if let (Some("tcp" | "udp"), Some(port), Some(ja4)) =
            (value("transport").as_deref(), value("src_port"), value("ja4"))
        {
            *found.entry((port, ja4)).or_default() += 1;
        }
    }
    found
}

#[test]
fn values_are_as_published() {
    let Some(folder) = std::env::var_os("HARKEN_JA4").map(PathBuf::from) else {
        eprintln!("SKIPPED: HARKEN_JA4 does not name a copy of the repository FoxIO-LLC/ja4");
        return;
    };
    let (mut captures, mut equal, mut differing) = (0, 0, Vec::new());
    for entry in std::fs::read_dir(folder.join("rust/ja4/src/snapshots")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let Some(capture) = name.strip_prefix("ja4__insta@").and_then(|name| name.strip_suffix(".snap"))
        else {
            continue;
        };
        let file = folder.join("pcap").join(capture);
        if !file.is_file() {
            continue;
        }
        let want = published(&format!("\n{}", std::fs::read_to_string(&path).unwrap()));
        let out = scratch(&format!("ja4-{capture}"));
        replay(&file, &out, &[]);
        let mut have = Found::new();
        let [tcp, quic] = ["ssl.log", "quic.log"].map(|log| std::fs::read_to_string(out.join(log)).unwrap());
        for line in tcp.lines().chain(quic.lines()) {
            let record: Value = serde_json::from_str(line).unwrap();
            if let Some(ja4) = record.get("ja4").and_then(Value::as_str) {
                *have.entry((record["id.orig_p"].to_string(), ja4.to_owned())).or_default() += 1;
            }
        }
        captures += u32::from(!want.is_empty());
        match want == have {
            true => equal += want.values().sum::<u32>(),
            false => differing.push(capture.to_owned()),
        }
    }
    println!("{captures} captures, {equal} values equal, differing: {differing:?}");
    // There the list has the value of an older text: today's takes the digits of a protocol's name that is no word.
    assert_eq!(differing, ["tls-non-ascii-alpn.pcapng"]);
    assert!(equal > 100);
}
