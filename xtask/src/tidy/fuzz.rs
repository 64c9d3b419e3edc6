//! Every decoder has a fuzz target, every target is listed in `fuzz/Cargo.toml`, and the other way.

use super::Finding;
use crate::tree::{Tree, is_under};
use std::collections::BTreeSet;
use toml::{Table, Value};

const MANIFEST: &str = "fuzz/Cargo.toml";
const TARGETS: &str = "fuzz/fuzz_targets";
/// The test that replays the corpora and regressions names each target, too.
const REPLAY: &str = "xtask/tests/fuzz_replay.rs";

/// What reads bytes of the wire, a file or folder, and the target that feeds it.
const DECODERS: &[(&str, &str)] = &[
    ("crates/wire/src", "frame"),
    ("crates/wire/src/link", "frame"),
    ("crates/wire/src/ip", "frame"),
    ("crates/wire/src/decap", "decap"),
    ("crates/flow/src", "reassembly"),
    ("crates/flow/src/defrag.rs", "defrag"),
    ("crates/http/src/h1", "http1"),
    ("crates/http/src/h2", "http2"),
    ("crates/http/src/body", "body"),
    ("crates/http/src/conn", "http1"),
    ("crates/http/src/tls", "tls"),
    ("crates/http/src/quic", "quic"),
    ("crates/http/src/websocket", "websocket"),
    ("crates/http/src/websocket.rs", "websocket"),
    ("crates/http/src/body/units.rs", "units"),
    ("crates/api/src", "api"),
    ("crates/mask/src", "mask"),
    ("crates/filter/src", "filter"),
    ("crates/capture/src", "capture_file"),
    ("crates/engine/src", "whole_capture"),
    ("crates/spool/src", "spool"),
];

/// Folders whose own folders are a decoder each, and must be in the list above.
const PARENTS: &[&str] = &["crates/wire/src", "crates/http/src"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(manifest) = tree.text(MANIFEST) else {
        return vec![Finding::new(MANIFEST, 0, "is missing")];
    };
    let listed = match listed(manifest) {
        Ok(listed) => listed,
        Err(error) => return vec![Finding::new(MANIFEST, 0, format!("not a manifest: {}", error.message()))],
    };
    let files: BTreeSet<String> = tree
        .with_extension("rs")
        .filter_map(|(path, _)| {
            path.strip_prefix(TARGETS)?.strip_prefix('/')?.strip_suffix(".rs").map(str::to_owned)
        })
        .collect();
    let mut findings = Vec::new();
    for target in files.difference(&listed) {
        findings.push(Finding::new(MANIFEST, 0, format!("the target {target} has a file and no [[bin]]")));
    }
    for target in listed.difference(&files) {
        findings.push(Finding::new(MANIFEST, 0, format!("the target {target} has a [[bin]] and no file")));
    }
    let replay = tree.text(REPLAY).unwrap_or_default();
    for target in files.iter().filter(|target| !replay.contains(&format!("{target}.rs"))) {
        findings.push(Finding::new(REPLAY, 0, format!("does not replay the target {target}")));
    }
    for (decoder, target) in DECODERS.iter().filter(|(decoder, _)| tree.has(decoder)) {
        if !files.contains(*target) {
            findings.push(Finding::new(
                *decoder,
                0,
                format!("has no fuzz target: {TARGETS}/{target}.rs is missing"),
            ));
        }
    }
    findings.extend(unknown_decoders(tree));
    findings
}

/// The names of the `[[bin]]` tables.
fn listed(manifest: &str) -> Result<BTreeSet<String>, toml::de::Error> {
    let manifest = manifest.parse::<Table>()?;
    let bins = manifest.get("bin").and_then(Value::as_array).into_iter().flatten();
    Ok(bins.filter_map(|bin| bin.get("name")?.as_str().map(str::to_owned)).collect())
}

fn unknown_decoders(tree: &Tree) -> Vec<Finding> {
    let mut folders = BTreeSet::new();
    for (path, _) in tree.with_extension("rs") {
        for parent in PARENTS.iter().filter(|parent| is_under(path, parent)) {
            let inside = path.get(parent.len() + 1..).and_then(|rest| rest.split_once('/'));
            folders.extend(inside.map(|(folder, _)| format!("{parent}/{folder}")));
        }
    }
    let known =
        |folder: &String| DECODERS.iter().any(|(decoder, _)| decoder == folder || is_under(decoder, folder));
    // A folder that holds nothing but the tests of its module is no decoder.
    let tested = |folder: &String| {
        let prefix = format!("{folder}/");
        tree.iter().filter(|(path, _)| path.starts_with(&prefix)).all(|(path, _)| path.ends_with("/tests.rs"))
    };
    folders
        .into_iter()
        .filter(|folder| !known(folder) && !tested(folder))
        .map(|folder| {
            Finding::new(folder, 0, "is in no row of DECODERS in tidy/fuzz.rs: which target feeds it?")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    #[test]
    fn decoders_targets_and_manifest_agree() {
        let bin = (MANIFEST, "[[bin]]\nname = \"frame\"\n");
        let file = ("fuzz/fuzz_targets/frame.rs", "//! F.");
        let replay = (REPLAY, "#[path = \"frame.rs\"]");
        let wire = ("crates/wire/src/lib.rs", "//! W.");
        assert!(found(check, &[bin, file, replay, wire]).is_empty());
        for (files, says) in [
            (&[(MANIFEST, ""), file, replay][..], "has a file and no [[bin]]"),
            (&[bin, replay], "has a [[bin]] and no file"),
            (&[bin, file], "does not replay the target frame"),
            (&[(MANIFEST, ""), wire], "crates/wire/src: has no fuzz target"),
            (&[bin, file, replay, ("crates/http/src/h9/mod.rs", "")], "crates/http/src/h9: is in no row"),
            (
                &[bin, file, replay, ("crates/http/src/h9/tests.rs", ""), ("crates/http/src/h1/a.rs", "")],
                "h1: has no fuzz target",
            ),
            (&[file], "fuzz/Cargo.toml: is missing"),
            (&[(MANIFEST, "[[bin")], "not a manifest"),
        ] {
            let all = found(check, files);
            assert!(all.len() == 1 && all[0].contains(says), "{says}: {all:?}");
        }
    }
}
