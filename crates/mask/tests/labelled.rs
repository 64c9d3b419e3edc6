//! Precision and recall on the labelled set (`generate.py`, values of python-stdnum), and false positives on
//! benign bodies made here.
#![allow(unused_crate_dependencies, reason = "the dependencies are those of the whole package")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops by panicking")]

use harken_mask::detect::Wanted;
use harken_mask::{Class, Detector, Kind};
use std::collections::BTreeMap;

#[test]
fn precision_and_recall() {
    let detector = Detector::new(Wanted::of(|_| true));
    // Right, missed, and found where there is none or something else.
    let mut counts: BTreeMap<&str, [u32; 3]> = BTreeMap::new();
    let mut found = Vec::new();
    let mut shown = 0;
    for line in include_str!("labelled.tsv").lines() {
        let [kind, is_one, text] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let text = text.replace("\\n", "\n");
        detector.find(text.as_bytes(), b"", &mut found);
        let hit = found.iter().any(|found| found.kind.name() == kind);
        if is_one == "1" {
            counts.entry(kind).or_default()[usize::from(!hit)] += 1;
        }
        for wrong in found.iter().filter(|found| is_one == "0" || found.kind.name() != kind) {
            counts.entry(wrong.kind.name()).or_default()[2] += 1;
        }
        let wrong = (is_one == "1") != hit || found.iter().any(|found| found.kind.name() != kind);
        if wrong && shown < 60 {
            shown += 1;
            println!("! {line}: {found:?}");
        }
    }
    let mut below = Vec::new();
    for (kind, [right, missed, wrong]) in counts {
        let precision = f64::from(right) / f64::from((right + wrong).max(1));
        let recall = f64::from(right) / f64::from((right + missed).max(1));
        println!(
            "{kind:20} right {right:4} missed {missed:3} wrong {wrong:3} precision {precision:.3} recall {recall:.3}"
        );
        if precision < 0.99 || recall < 0.97 {
            below.push(kind);
        }
    }
    assert!(below.is_empty(), "below 0.99 precision or 0.97 recall: {below:?}");
}

/// 10,000 bodies as APIs send them: ids, times, amounts, versions, UUIDs, hashes, words.
#[test]
fn benign_bodies() {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let everything = Detector::new(Wanted::of(|_| true));
    let default = Detector::new(Wanted::of(|kind| matches!(kind.class(), Class::Secret | Class::Card)));
    let (mut found, mut bodies, mut by_default) = (Vec::new(), 0, 0);
    let mut kinds: BTreeMap<&str, u32> = BTreeMap::new();
    for n in 0..10_000u64 {
        let (a, b, c) = (next(), next(), next());
        let body = format!(
            r#"{{"id":{},"order":"{:09}","uuid":"{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}","ts":{},"ms":{},"us":{},
            "amount":{}.{:02},"ratio":0.{:016},"sha":"{:016x}{:016x}","ip":"10.{}.{}.7","version":"{}.{}.{}","sku":"AB-{:06}",
            "date":"20{:02}-{:02}-{:02}T10:{:02}:00Z","trace":"{:x}","note":"token type and password policy, basic training"}}"#,
            a % 10_000_000,
            b % 1_000_000_000,
            a as u32,
            b as u16,
            c & 0xfff,
            a & 0xfff,
            b & 0xffff_ffff_ffff,
            1_700_000_000 + n,
            1_700_000_000_000 + a % 1_000_000_000,
            1_700_000_000_000_000 + b % 1_000_000_000,
            a % 9999,
            b % 100,
            c % 10_000_000_000_000_000,
            a,
            b,
            a % 255,
            b % 255,
            a % 20,
            b % 40,
            c % 9,
            c % 1_000_000,
            a % 30,
            1 + b % 12,
            1 + c % 28,
            a % 60,
            c,
        );
        default.find(body.as_bytes(), b"", &mut found);
        by_default += u32::from(!found.is_empty());
        everything.find(body.as_bytes(), b"", &mut found);
        bodies += u32::from(!found.is_empty());
        for found in &found {
            *kinds.entry(found.kind.name()).or_default() += 1;
        }
    }
    println!("of 10000 benign bodies: {by_default} by the default, {bodies} with everything on: {kinds:?}");
    assert_eq!(by_default, 0);
    assert!(bodies <= 20, "{bodies}");
    assert_eq!(Kind::ALL.len(), 31);
}
