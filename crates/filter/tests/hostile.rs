//! The fuzz target's claims on damaged rules and events, without a fuzzing tool.
#![allow(unused_crate_dependencies, reason = "the dependencies are those of the whole package")]
#![allow(clippy::panic, clippy::indexing_slicing, clippy::unwrap_used, reason = "a test stops by panicking")]

extern crate self as libfuzzer_sys;

#[allow(unused_attributes, reason = "a target says no_main, which means nothing in a module")]
#[path = "../../../fuzz/fuzz_targets/filter.rs"]
mod target;

/// The macro of libfuzzer-sys, for a target that takes bytes.
#[macro_export]
macro_rules! fuzz_target {
    (|$data:ident: &[u8]| $body:expr) => {
        pub(crate) fn run($data: &[u8]) {
            $body
        }
    };
}

use serde_json::Value;

/// Pieces that mean something to a file, an expression or an event.
const PIECES: &[&str] = &[
    "\0",
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "(",
    ")",
    "((((((((",
    "[[[[[[[[",
    "!!!!!!!!",
    "--------",
    " && ",
    " || ",
    " in ",
    ".map(x, [x, x])",
    ".exists(y, true)",
    "has(",
    "url.path",
    "http.request.body.json",
    "9223372036854775808",
    "-9223372036854775808",
    "1e999",
    "'\\u0000'",
    "b'\\377'",
    "@timestamp",
    "**",
    "{a,b}",
    "re:(a*)*b",
    "0.0.0.0/0",
    "null",
    "true",
    "é",
    "\u{1F600}",
    "timestamp('9999-12-31T23:59:59Z')",
    "duration('1s') * 2",
    ".?x",
    "[?0]",
    "{?'a': 1}",
];

#[test]
fn damaged_rules_and_events() {
    let table: Value = serde_json::from_str(include_str!("cases.json")).unwrap();
    let event = table["base"].to_string();
    let text = |group: &Value, key: &str| group.get(key).map_or("{}".to_owned(), Value::to_string);
    let seeds: Vec<Vec<u8>> = table["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| format!("{}\0{}\0{event}", text(group, "simple"), text(group, "advanced")).into_bytes())
        .collect();
    seeds.iter().for_each(|seed| target::run(seed));
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    for round in 0..600 {
        let mut input = seeds[random(seeds.len())].clone();
        // Expressions by themselves, too: the target takes bytes without a zero as one.
        if round % 3 == 0 {
            let pieces: Vec<&str> = (0..=random(12)).map(|_| PIECES[1 + random(PIECES.len() - 1)]).collect();
            input = pieces.concat().into_bytes();
        }
        for _ in 0..random(4) {
            let at = random(input.len() + 1);
            match random(4) {
                0 => drop(input.splice(at..at, PIECES[random(PIECES.len())].bytes())),
                1 => input.truncate(at),
                2 => {
                    let end = (at + random(16)).min(input.len());
                    input.drain(at..end);
                }
                _ => {
                    let end = (at + random(64)).min(input.len());
                    let copy = input[at..end].to_vec();
                    input.splice(at..at, copy);
                }
            }
        }
        target::run(&input);
    }
}
