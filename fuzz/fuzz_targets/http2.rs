//! Frames of both directions of an HTTP/2 connection, from its preface or joined late, with gaps and other bytes between
//! them: nothing panics, every byte that was fed is either read or passed over, a transaction has something in it, and a
//! body is not longer than what was fed.
//!
//! Each step is a byte that says which, three more of type, flags and stream, one of a length, and so many bytes.
#![no_main]
use harken_flow::{Chunk, Dir, Gap, GapReason};
use harken_http::Analyzer;
use harken_wire::Timestamp;
use libfuzzer_sys::fuzz_target;
use shared::{judge, limits};

#[path = "../shared/exchange.rs"]
mod shared;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Everything that is fed.
struct Feed {
    analyzer: Analyzer,
    conn: harken_http::Conn,
    at: [u64; 2],
    fed: u64,
}

impl Feed {
    fn data(&mut self, dir: Dir, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let offset = self.at[dir as usize];
        self.at[dir as usize] += bytes.len() as u64;
        self.fed += bytes.len() as u64;
        let chunk = Chunk { dir, offset, bytes, ack: 0, ts: Timestamp(self.fed) };
        self.analyzer.data(&mut self.conn, &chunk);
    }

    fn gap(&mut self, dir: Dir, len: u64) {
        let offset = self.at[dir as usize];
        self.at[dir as usize] += len;
        let gap = Gap { dir, offset, len, reason: GapReason::Acknowledged, ts: Timestamp(self.fed) };
        self.analyzer.gap(&mut self.conn, &gap);
    }
}

fuzz_target!(|data: &[u8]| {
    let limits = limits();
    let (midstream, mut rest) = match data.split_first() {
        Some((first, rest)) => (first & 1 == 1, rest),
        None => return,
    };
    let analyzer = Analyzer::new(limits);
    let conn = analyzer.open(8080, midstream);
    let mut feed = Feed { analyzer, conn, at: [0; 2], fed: 0 };
    if !midstream {
        feed.data(Dir::Orig, PREFACE);
    }
    while let Some(([step, kind, flags, stream, length], tail)) = rest.split_first_chunk::<5>() {
        let (payload, tail) = tail.split_at(usize::from(*length).min(tail.len()));
        rest = tail;
        let dir = if step & 1 == 0 { Dir::Orig } else { Dir::Resp };
        match step >> 1 & 7 {
            0 => feed.gap(dir, u64::from(*length) + 1),
            1 => feed.data(dir, payload),
            _ => {
                let head = [0, 0, payload.len() as u8, kind % 11, *flags, 0, 0, 0, stream % 8];
                let frame = [&head, payload].concat();
                let (first, second) = frame.split_at(usize::from(step >> 4).min(frame.len()));
                feed.data(dir, first);
                feed.data(dir, second);
            }
        }
        while let Some(exchange) = feed.analyzer.take() {
            judge(&exchange, &limits, feed.fed);
            feed.analyzer.recycle(exchange);
        }
        while feed.analyzer.take_weird().is_some() {}
    }
    feed.analyzer.close(&mut feed.conn, Timestamp(feed.fed));
    while let Some(exchange) = feed.analyzer.take() {
        judge(&exchange, &limits, feed.fed);
    }
    let stats = feed.analyzer.stats();
    assert_eq!(stats.parsed + stats.skipped, feed.fed, "{stats:?}");
    assert_eq!(stats.exchanges, stats.pairings.iter().sum::<u64>());
});
