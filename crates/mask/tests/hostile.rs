//! The fuzz target's claims on spliced pieces of secrets and structure, without a fuzzing tool.
#![allow(unused_crate_dependencies, reason = "the dependencies are those of the whole package")]
#![allow(clippy::panic, clippy::indexing_slicing, clippy::unwrap_used, reason = "a test stops by panicking")]

extern crate self as libfuzzer_sys;

#[allow(unused_attributes, reason = "a target says no_main, which means nothing in a module")]
#[path = "../../../fuzz/fuzz_targets/mask.rs"]
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

const PIECES: &[&str] = &[
    "password",
    "=",
    ":",
    "\"",
    "'",
    " ",
    "token",
    "eyJhbGciOiJI",
    ".",
    "AKIA",
    "ABCDEFGHIJKLMNOP",
    "4111111111111111",
    "-",
    "a@b.co",
    "bearer ",
    "basic ",
    "dXNlcjpwYXNz",
    "ghp_",
    "abcdefghijklmnopqrstuvwxyz0123456789",
    "{",
    "}",
    "[",
    "]",
    ",",
    "\\",
    "\\u0041",
    "%41",
    "&",
    "+",
    "+14155552671",
    "DE89370400440532013000",
    "\0\0\0\0\x10",
    "\x0a\x05",
    "\u{e9}",
    "PRIVATE KEY-----",
    "-----END",
    "078-05-1120",
    "***",
    "xoxb-",
    "sk_live_",
    "\n",
    "1",
    "(",
    "0",
    ";",
    "_",
];

#[test]
fn spliced_pieces() {
    let mut state = 0x2545_F491_4F6C_DD1Du64;
    for _ in 0..3_000 {
        let mut text = Vec::new();
        for _ in 0..(state % 24) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            text.extend_from_slice(PIECES[(state >> 20) as usize % PIECES.len()].as_bytes());
        }
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        target::run(&text);
    }
}
