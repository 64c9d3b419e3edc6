//! What does not change a conversation does not change its transactions: reordering, duplicates, other cuts
//! into segments, tunnels. And what takes something away is told: no transaction is wrong in silence.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic, reason = "a test may panic")]
mod support;

use std::collections::BTreeSet;
use support::packet::{Flow, Piece, TUNNELS, elsewhere, pieces, plain, tunnelled};
use support::{Case, Frame, Record, Seen, golden, run};

const MS: u64 = 1_000_000;

/// A generator of numbers that are the same in every run (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// The changed capture gives the same transactions as the case itself.
#[track_caller]
fn check(what: &str, case: &Case, changed: &[Frame]) -> Seen {
    let (name, frames) = case;
    let expected = run(name, frames).timeless();
    assert!(!expected.is_empty(), "{name} has transactions");
    let what = format!("{name}, {what}");
    let seen = run(&what, changed);
    let found = seen.timeless();
    for (expected, found) in expected.iter().zip(&found) {
        assert_eq!(expected, found, "{what}");
    }
    assert_eq!(expected.len(), found.len(), "{what}");
    seen
}

#[test]
fn rebuilt() {
    for case in golden() {
        check("rebuilt", &case, &plain(&pieces(&case.1)));
    }
}

/// Moves each frame by fewer than eight places, among those of the same burst; times stay in order, as a
/// capture has them.
fn reorder(frames: &[Frame], seed: u64) -> Vec<Frame> {
    let mut random = Random(seed * 2 + 1);
    let mut keys = Vec::new();
    let mut burst = 0;
    for (i, frame) in frames.iter().enumerate() {
        if i > 0 && frame.ts.saturating_sub(frames[i - 1].ts) > 10 * MS {
            burst += 1;
        }
        keys.push((burst, i as u64 + random.below(8), i));
    }
    keys.sort_unstable();
    let moved =
        keys.iter().zip(frames).map(|((_, _, from), at)| Frame { ts: at.ts, ..frames[*from].clone() });
    moved.collect()
}

#[test]
fn reordered() {
    let mut moved = 0;
    for case in golden() {
        for seed in 1..=20 {
            let seen = check(&format!("reordered by {seed}"), &case, &reorder(&case.1, seed));
            moved += seen.ledger.flow.out_of_order;
        }
    }
    assert!(moved > 100, "{moved} segments came out of order");
}

#[test]
fn duplicated() {
    for case in golden() {
        let pieces = pieces(&case.1);
        for distance in [0, 1, 5] {
            let mut frames = plain(&pieces);
            for (i, piece) in pieces.iter().enumerate().rev() {
                // No later than a second path of the mirror would show it.
                let late = (i..=i + distance)
                    .rev()
                    .find(|j| pieces.get(*j).is_some_and(|p| p.ts < piece.ts + 2 * MS));
                let at = late.unwrap_or(i);
                frames.insert(at + 1, Frame { ts: pieces[at].ts, ..elsewhere(piece) });
            }
            let seen = check(&format!("duplicated {distance} later"), &case, &frames);
            assert!(seen.ledger.flow.duplicate_bytes > 0);
        }
    }
}

#[test]
fn split() {
    for case in golden() {
        for size in [1, 7] {
            let split: Vec<_> = pieces(&case.1).iter().flat_map(|piece| piece.split(size)).collect();
            check(&format!("in segments of {size}"), &case, &plain(&split));
        }
    }
}

#[test]
fn wrapped() {
    for case in golden() {
        let pieces = pieces(&case.1);
        for (name, wrap) in TUNNELS {
            for v6 in [false, true] {
                let seen = check(name, &case, &tunnelled(&pieces, &[(wrap, v6)]));
                assert_eq!(seen.ledger.front.wire.frames.tcp, pieces.len() as u64);
            }
            // In a tunnel inside of another one.
            let (_, vxlan) = TUNNELS[0];
            check(&format!("{name} in vxlan"), &case, &tunnelled(&pieces, &[(wrap, false), (vxlan, true)]));
        }
    }
}

/// Every transaction that claims to be whole is one of `expected`; where a request and a response are given as
/// a pair they are one there, too.
#[track_caller]
fn honest(what: &str, expected: &[Record], found: &[Record]) {
    let lines: BTreeSet<_> = expected.iter().map(|r| (&r.line, &r.request, &r.response)).collect();
    let first = |side: &Option<String>| side.as_ref().map(|s| s.split('\r').next().unwrap().to_owned());
    let start = |r: &Record| {
        let request =
            first(&r.request).map(|s| s.rsplit_once(" HTTP/").map_or(s.clone(), |(s, _)| s.to_owned()));
        let status = r
            .response
            .as_ref()
            .map(|s| s.split(" HTTP/").nth(1).unwrap_or(s).chars().take(7).collect::<String>());
        (request, status)
    };
    let pairs: BTreeSet<_> = expected.iter().map(start).collect();
    for record in found {
        if !record.is_marked() {
            let known = lines.contains(&(&record.line, &record.request, &record.response));
            assert!(known, "{what}: a transaction that is wrong and does not say so: {record:#?}");
        } else if record.request.is_some() && record.response.is_some() {
            assert!(pairs.contains(&start(record)), "{what}: a wrong pair: {record:#?}");
        }
    }
}

fn flows(pieces: &[Piece]) -> BTreeSet<Flow> {
    pieces.iter().map(Piece::flow).collect()
}

#[test]
fn start_missing() {
    for (name, frames) in golden() {
        let all = pieces(&frames);
        for flow in flows(&all) {
            let own: Vec<_> = all.iter().filter(|p| p.flow() == flow).cloned().collect();
            let expected = run(&name, &plain(&own)).records;
            for cut in 1..own.len() {
                let what = format!("{name}, without the first {cut} packets of {flow:?}");
                let found = run(&what, &plain(&own[cut..])).records;
                honest(&what, &expected, &found);
                for whole in expected.iter().filter(|r| r.start > own[cut - 1].ts) {
                    // What was pipelined behind a start that is not known may be given apart, and then says so.
                    let same = |r: &Record| r.line == whole.line || r.is_marked();
                    let there = found.iter().any(|r| r.request == whole.request && same(r));
                    assert!(there, "{what}: {whole:#?} is not among {found:#?}");
                }
            }
        }
    }
}

#[test]
fn one_packet_lost() {
    for (name, frames) in golden() {
        let whole = run(&name, &frames).records;
        let mut marked = 0;
        for lost in 0..frames.len() {
            let mut left = frames.clone();
            left.remove(lost);
            let what = format!("{name}, without packet {}", lost + 1);
            let found = run(&what, &left).records;
            honest(&what, &whole, &found);
            marked += found.iter().filter(|r| r.is_marked()).count();
            // One packet is part of one transaction, or of a few: on the connection that pipelines, the order
            // proves nothing more when one of its six is lost.
            let kept = found.iter().filter(|r| !r.is_marked()).count();
            assert!(kept + 6 >= whole.len(), "{what}: only {kept} of {} are whole", whole.len());
        }
        assert!(marked > 0, "{name}: the loss of a packet shows");
    }
}
