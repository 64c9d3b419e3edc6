//! Two directions of a connection, cut into chunks and gaps: nothing panics, every byte that was fed is either
//! read or passed over, a transaction has something in it, and a body is not longer than what was fed.
//!
//! A byte 0xff begins a step and the byte behind it says which; what follows up to the next 0xff is its data.
//! Bytes without any step are one chunk, so that payloads of segments are good seeds.
#![no_main]
use harken_flow::{Chunk, Dir, Gap, GapReason, Verdict};
use harken_http::{Analyzer, probe};
use harken_wire::Timestamp;
use libfuzzer_sys::fuzz_target;
use shared::{judge, limits};

#[path = "../shared/exchange.rs"]
mod shared;

fuzz_target!(|data: &[u8]| {
    let limits = limits();
    let mut analyzer = Analyzer::new(limits);
    let midstream = data.first() == Some(&0xfe);
    let mut conn = analyzer.open(if data.len().is_multiple_of(2) { 80 } else { 40_000 }, midstream);
    let (mut fed, mut at, mut clock, mut ended) = (0u64, [0u64; 2], 1u64, [false; 2]);
    for (number, step) in data.split(|b| *b == 0xff).enumerate() {
        let plain = if probe::is_response_start(step) { 1 } else { 0 };
        let (kind, bytes) = match (number, step) {
            (0, bytes) => (plain, bytes),
            (_, [kind, bytes @ ..]) => (*kind, bytes),
            (_, []) => continue,
        };
        clock += 1;
        let (dir, ts) = (if kind & 1 == 0 { Dir::Orig } else { Dir::Resp }, Timestamp(clock));
        let (offset, other) = (at[dir as usize], at[dir.other() as usize]);
        if ended[dir as usize] {
            continue;
        }
        let verdict = match (kind >> 1 & 7, bytes) {
            (1, [high, low, ..]) => {
                let len = u64::from(u16::from_be_bytes([*high, *low])) + 1;
                at[dir as usize] += len;
                let gap = Gap { dir, offset, len, reason: GapReason::Acknowledged, ts };
                analyzer.gap(&mut conn, &gap)
            }
            (2, _) => {
                ended[dir as usize] = true;
                analyzer.end(&mut conn, dir, ts);
                Verdict::Continue
            }
            (_, []) => continue,
            (lag, bytes) => {
                at[dir as usize] += bytes.len() as u64;
                fed += bytes.len() as u64;
                let ack = if lag == 3 { other / 2 } else { other };
                analyzer.data(&mut conn, &Chunk { dir, offset, bytes, ack, ts })
            }
        };
        while let Some(exchange) = analyzer.take() {
            judge(&exchange, &limits, fed);
            analyzer.recycle(exchange);
        }
        while analyzer.take_weird().is_some() {}
        if verdict == Verdict::Ignore {
            assert!(conn.opaque().is_some());
            break;
        }
    }
    analyzer.close(&mut conn, Timestamp(clock));
    while let Some(exchange) = analyzer.take() {
        judge(&exchange, &limits, fed);
    }
    let stats = analyzer.stats();
    assert_eq!(stats.parsed + stats.skipped, fed, "{stats:?}");
    assert_eq!(stats.exchanges, stats.pairings.iter().sum::<u64>());
});
