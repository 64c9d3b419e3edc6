//! Gives inputs to the fuzz targets without any fuzzing tool: the committed regressions, the golden
//! captures, and the corpora of `HARKEN_FUZZ_CORPUS` where that is set.
//!
//! The target files are compiled as they are. They say `use libfuzzer_sys::fuzz_target`; here that name
//! is this crate, and its macro makes a plain function.
#![allow(unused_attributes, reason = "a target says no_main, which means nothing in a module")]
#![allow(unused_crate_dependencies, reason = "the dependencies are those of the whole package")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a target stops by panicking")]
#![allow(clippy::indexing_slicing, reason = "a target stops by panicking")]
#![allow(
    clippy::duplicate_mod,
    reason = "each target is a program of its own, with what it shares with others"
)]

extern crate self as libfuzzer_sys;

macro_rules! targets {
    ($($name:ident in $file:literal),* $(,)?) => {
        $(
            #[path = $file]
            mod $name;
        )*
        const TARGETS: &[(&str, fn(&[u8]))] = &[$((stringify!($name), $name::run)),*];
    };
}

targets! {
    frame in "../../fuzz/fuzz_targets/frame.rs",
    decap in "../../fuzz/fuzz_targets/decap.rs",
    defrag in "../../fuzz/fuzz_targets/defrag.rs",
    reassembly in "../../fuzz/fuzz_targets/reassembly.rs",
    http1 in "../../fuzz/fuzz_targets/http1.rs",
    http2 in "../../fuzz/fuzz_targets/http2.rs",
    body in "../../fuzz/fuzz_targets/body.rs",
    websocket in "../../fuzz/fuzz_targets/websocket.rs",
    tls in "../../fuzz/fuzz_targets/tls.rs",
    quic in "../../fuzz/fuzz_targets/quic.rs",
    units in "../../fuzz/fuzz_targets/units.rs",
    api in "../../fuzz/fuzz_targets/api.rs",
    filter in "../../fuzz/fuzz_targets/filter.rs",
    mask in "../../fuzz/fuzz_targets/mask.rs",
    capture_file in "../../fuzz/fuzz_targets/capture_file.rs",
    spool in "../../fuzz/fuzz_targets/spool.rs",
    whole_capture in "../../fuzz/fuzz_targets/whole_capture.rs",
}

/// The macro of libfuzzer-sys, for targets that take bytes. It stands below the targets, so that they
/// find it by their import alone.
#[macro_export]
macro_rules! fuzz_target {
    (|$data:ident: &[u8]| $body:expr) => {
        pub(crate) fn run($data: &[u8]) {
            $body
        }
    };
}

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Every file of a folder, none where it does not exist.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

/// Runs a target on an input, and names both when it panics.
fn feed(name: &str, run: fn(&[u8]), what: &str, data: &[u8]) {
    if std::panic::catch_unwind(|| run(data)).is_err() {
        panic!("the fuzz target {name} fails on {what}");
    }
}

#[test]
fn regressions_and_corpora() {
    let corpora = std::env::var_os("HARKEN_FUZZ_CORPUS").map(PathBuf::from);
    for (name, run) in TARGETS {
        let mut inputs = files(&root().join("fuzz/regressions").join(name));
        inputs.extend(corpora.iter().flat_map(|corpora| files(&corpora.join(name))));
        for path in &inputs {
            feed(name, *run, &path.display().to_string(), &std::fs::read(path).unwrap());
        }
        println!("{name}: {} inputs", inputs.len());
    }
}

#[test]
fn regressions_belong_to_a_target() {
    for entry in std::fs::read_dir(root().join("fuzz/regressions")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let known = name == "README.md" || TARGETS.iter().any(|(target, _)| *target == name);
        assert!(known, "{}: there is no such target", path.display());
    }
}

#[test]
fn golden_captures_and_their_packets() {
    let mut fed = 0;
    for case in std::fs::read_dir(root().join("captures")).into_iter().flatten() {
        let capture = case.unwrap().path().join("input.pcap");
        if !capture.is_file() {
            continue;
        }
        let what = capture.display().to_string();
        let whole = std::fs::read(&capture).unwrap();
        let mut packets = Vec::new();
        let mut reader = harken_capture::open(&capture).unwrap();
        while let Some(packet) = reader.next_packet().unwrap() {
            packets.push(packet.data.to_vec());
        }
        for (name, run) in TARGETS {
            feed(name, *run, &what, &whole);
            for (number, packet) in packets.iter().enumerate() {
                feed(name, *run, &format!("packet {} of {what}", number + 1), packet);
            }
            fed += 1 + packets.len();
        }
    }
    println!("{fed} inputs");
}
