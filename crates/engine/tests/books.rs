//! The books balance for whatever comes in: golden captures, the corpus, and captures with bytes changed.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic, reason = "a test may panic")]
mod support;

use proptest::prelude::*;
use std::sync::LazyLock;
use support::{Case, Frame, corpus, golden, read, run};

#[test]
fn golden_captures() {
    for (name, frames) in golden() {
        let seen = run(&name, &frames);
        assert!(!seen.records.is_empty(), "{name}");
    }
}

#[test]
fn corpus_captures() {
    for capture in corpus() {
        run(&capture.display().to_string(), &read(&capture));
    }
}

/// What is done to a capture: (packet, byte, bits to flip), as parts of the whole.
type Flips = Vec<(u16, u16, u8)>;

fn flipped(frames: &[Frame], flips: &Flips, cut: Option<(u16, u16)>) -> Vec<Frame> {
    let mut frames = frames.to_vec();
    let part = |of: usize, part: u16| (usize::from(part) * of) >> 16;
    for (packet, byte, bits) in flips {
        let at = part(frames.len(), *packet);
        let bytes = &mut frames[at].bytes;
        // The headers are the front, and half of the flips are for them.
        let reach = if byte & 1 == 0 { bytes.len() } else { bytes.len().min(110) };
        bytes[part(reach, *byte)] ^= bits;
    }
    if let Some((packet, len)) = cut {
        let at = part(frames.len(), packet);
        let len = part(frames[at].bytes.len(), len);
        frames[at].bytes.truncate(len);
    }
    frames
}

static GOLDEN: LazyLock<Vec<Case>> = LazyLock::new(golden);

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_captures(
        case in 0usize..21,
        flips in prop::collection::vec((any::<u16>(), any::<u16>(), 1u8..), 1..40),
        cut in prop::option::of((any::<u16>(), any::<u16>())),
    ) {
        let (name, frames) = &GOLDEN[case];
        run(name, &flipped(frames, &flips, cut));
    }
}
