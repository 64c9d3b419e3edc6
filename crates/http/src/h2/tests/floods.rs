//! Floods of HTTP/2 that are known from attacks on servers: what is held stays within the budget, what is given out is in
//! proportion to what came, and the time for a byte stays that of other traffic. The figures are printed with
//! `cargo test --release -p harken-http floods -- --nocapture`.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the time that a flood costs is measured"
)]
use super::*;
use crate::Conn;
use crate::h2::frame::{CONTINUATION, DATA, END_HEADERS, HEADERS, PING, RST_STREAM, SETTINGS};
use std::time::{Duration, Instant};

/// Budget of these tests for what is held back.
const HELD: u64 = 1 << 20;

/// What a flood came to.
#[derive(Debug, Default)]
struct Outcome {
    fed: u64,
    exchanges: u64,
    /// Bytes of all heads that were given out.
    heads: u64,
    /// The most that was held, by the sensor's own count.
    held: u64,
    took: Duration,
    dropped: u64,
}

struct Flood {
    analyzer: Analyzer,
    conns: Vec<(Conn, u64)>,
    outcome: Outcome,
}

impl Flood {
    fn new(conns: usize) -> Self {
        let analyzer = Analyzer::new(Limits { held: HELD, ..Limits::default() });
        let conns = (0..conns).map(|_| (analyzer.open(8080, false), 0)).collect();
        let mut flood = Self { analyzer, conns, outcome: Outcome::default() };
        flood.each(PREFACE);
        flood
    }

    /// Gives the bytes to each connection, as segments.
    fn each(&mut self, bytes: &[u8]) {
        let began = Instant::now();
        for (conn, at) in &mut self.conns {
            for bytes in bytes.chunks(1448) {
                let chunk = Chunk { dir: Dir::Orig, offset: *at, bytes, ack: 0, ts: Timestamp(*at) };
                *at += bytes.len() as u64;
                self.outcome.fed += bytes.len() as u64;
                self.analyzer.data(conn, &chunk);
                self.outcome.held = self.outcome.held.max(self.analyzer.held);
                while let Some(exchange) = self.analyzer.take() {
                    self.outcome.exchanges += 1;
                    let heads = [&exchange.request, &exchange.response].into_iter().flatten();
                    self.outcome.heads += heads.map(|message| message.head.len() as u64).sum::<u64>();
                    self.analyzer.recycle(exchange);
                }
                while self.analyzer.take_weird().is_some() {}
            }
        }
        self.outcome.took += began.elapsed();
    }

    /// Closes the connections: nothing is held any more, and every byte was read or passed over.
    fn end(mut self, name: &str) -> Outcome {
        for (conn, at) in &mut self.conns {
            self.analyzer.close(conn, Timestamp(*at));
        }
        while self.analyzer.take().is_some() {
            self.outcome.exchanges += 1;
        }
        let stats = self.analyzer.stats();
        assert_eq!(
            (stats.parsed + stats.skipped, stats.exchanges),
            (self.outcome.fed, self.outcome.exchanges)
        );
        assert_eq!(self.analyzer.held, 0, "{name}: nothing is held any more");
        self.outcome.dropped = stats.pending_dropped;
        let Outcome { fed, exchanges, heads, held, took, dropped } = &self.outcome;
        println!(
            "{name}: {fed} bytes, {:.1} ns for each; {exchanges} transactions with {heads} bytes of heads; at most {held} \
             bytes held; {dropped} given out early",
            took.as_nanos() as f64 / *fed as f64
        );
        // By far more than it needs, also in a build without optimisation: quadratic work would not do.
        assert!(*took < Duration::from_micros(1) * (*fed as u32), "{name}: {took:?} for {fed} bytes");
        self.outcome
    }
}

/// CVE-2023-44487: streams that are opened and reset at once.
#[test]
fn rapid_reset() {
    let mut flood = Flood::new(1);
    for stream in 0..50_000 {
        let id = 2 * stream + 1;
        flood.each(
            &[frame(HEADERS, 1 | END_HEADERS, id, GET), frame(RST_STREAM, 0, id, &[0, 0, 0, 8])].concat(),
        );
    }
    let outcome = flood.end("rapid reset");
    assert_eq!((outcome.exchanges, outcome.dropped), (50_000, 0));
    assert!(outcome.held < 64 << 10);
}

/// Streams that are opened and left open.
#[test]
fn open_streams() {
    let mut flood = Flood::new(1);
    for stream in 0..50_000 {
        flood.each(&frame(HEADERS, 1 | END_HEADERS, 2 * stream + 1, GET));
    }
    let outcome = flood.end("open streams");
    assert_eq!(outcome.exchanges, 50_000);
    assert!(outcome.held < 2 * HELD);
}

/// CVE-2024-27316 and its kin: a header block that does not end.
#[test]
fn continuation() {
    let mut flood = Flood::new(8);
    flood.each(&frame(HEADERS, 0, 1, GET));
    let part = frame(CONTINUATION, 0, 1, &[0; 4096]);
    (0..200).for_each(|_| flood.each(&part));
    let outcome = flood.end("CONTINUATION");
    assert_eq!(outcome.exchanges, 8);
    assert!(outcome.held < 2 * HELD);
}

/// CVE-2019-9518, CVE-2019-9515, CVE-2019-9512: frames that say nothing.
#[test]
fn frames_that_say_nothing() {
    for (name, again) in [
        ("empty DATA", frame(DATA, 0, 1, &[])),
        (
            "empty CONTINUATION",
            [frame(HEADERS, 0, 3, &[]), frame(CONTINUATION, END_HEADERS, 3, &[])].concat(),
        ),
        ("SETTINGS", frame(SETTINGS, 0, 0, &[0, 1, 0, 0, 16, 0])),
        ("PING", frame(PING, 0, 0, &[0; 8])),
    ] {
        let mut flood = Flood::new(1);
        flood.each(&frame(HEADERS, END_HEADERS, 1, GET));
        let many = again.repeat(100);
        (0..1000).for_each(|_| flood.each(&many));
        let outcome = flood.end(name);
        assert!(outcome.exchanges <= 2 && outcome.held < 64 << 10, "{name}: {outcome:?}");
    }
}

/// CVE-2016-6581: a large field is put into the table and named again and again.
#[test]
fn header_bomb() {
    let mut flood = Flood::new(1);
    // Inserted as `x: aaa…`, 4,000 bytes.
    let field = [&[0x40, 1, b'x', 0x7f, 0xa1, 0x1e][..], &[b'a'; 4000]].concat();
    flood.each(&frame(HEADERS, 1 | END_HEADERS, 1, &[GET, &field].concat()));
    let bomb = [&GET[..3], &[0xbe; 200]].concat();
    for stream in 1..2000 {
        let id = 2 * stream + 1;
        flood.each(
            &[frame(HEADERS, 1 | END_HEADERS, id, &bomb), frame(RST_STREAM, 0, id, &[0, 0, 0, 8])].concat(),
        );
    }
    let outcome = flood.end("header bomb");
    assert_eq!(outcome.exchanges, 2000);
    // Not 200 times the field: the table once, and 32 bytes for each byte of the block.
    assert!(outcome.heads < 2000 * 4096 + 32 * outcome.fed, "{outcome:?}");
}

/// Many connections that each keep large tables, large heads and large bodies.
#[test]
fn many_connections() {
    let mut flood = Flood::new(64);
    // A table of 64 KiB, and fields that fill it: `x: aaa…` of 1,000 bytes.
    let field = [&[0x40, 1, b'x', 0x7f, 0xe9, 0x06][..], &[b'a'; 1000]].concat();
    let block = [&[0x3f, 0xe1, 0xff, 0x03][..], GET, &field.repeat(15)].concat();
    for stream in 0..64 {
        flood.each(&frame(HEADERS, END_HEADERS, 2 * stream + 1, &block));
        flood.each(&frame(DATA, 0, 2 * stream + 1, &[b'b'; 16_000]));
    }
    let outcome = flood.end("many connections");
    assert_eq!(outcome.exchanges, 64 * 64);
    // Beyond the budget each connection keeps one stream and a small table.
    assert!(outcome.held < HELD + 64 * (96 << 10), "{outcome:?}");
}
