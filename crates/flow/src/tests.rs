//! Tests of the whole table: packets in, the consumer's view out.
use crate::{Chunk, CloseReason, Config, Dir, Flow, FlowTable, Gap, GapReason, Handler, Verdict};
use harken_wire::{Encap, Ip, Segment, TcpFlags, Timestamp};

mod defrag;
mod gaps;
mod limits;
mod model;
mod order;
mod shed;
mod start;
mod zeek;

/// A millisecond of packet time.
const MS: u64 = 1_000_000;
const CLIENT: ([u8; 4], u16) = ([10, 0, 0, 1], 40_000);
const SERVER: ([u8; 4], u16) = ([10, 0, 0, 2], 80);

/// A packet to feed.
#[derive(Clone, Debug)]
struct Packet {
    /// Nanoseconds.
    at: u64,
    dir: Dir,
    flags: u8,
    seq: u32,
    ack: u32,
    data: Vec<u8>,
    cut: u32,
    window: u16,
}

/// `flags` are letters: S, A, F, R, P.
fn packet(dir: Dir, flags: &str, seq: u32, ack: u32, data: &[u8]) -> Packet {
    let flags = flags.bytes().fold(0, |all, letter| {
        all | match letter {
            b'S' => TcpFlags::SYN,
            b'A' => TcpFlags::ACK,
            b'F' => TcpFlags::FIN,
            b'R' => TcpFlags::RST,
            b'P' => TcpFlags::PSH,
            other => panic!("no flag {other}"),
        }
    });
    Packet { at: 0, dir, flags, seq, ack, data: data.to_vec(), cut: 0, window: 1000 }
}

fn c(flags: &str, seq: u32, ack: u32, data: &str) -> Packet {
    packet(Dir::Orig, flags, seq, ack, data.as_bytes())
}

fn s(flags: &str, seq: u32, ack: u32, data: &str) -> Packet {
    packet(Dir::Resp, flags, seq, ack, data.as_bytes())
}

impl Packet {
    /// At so many milliseconds.
    fn at(mut self, ms: u64) -> Self {
        self.at = ms * MS;
        self
    }

    fn cut(mut self, bytes: u32) -> Self {
        self.cut = bytes;
        self
    }

    fn window(mut self, window: u16) -> Self {
        self.window = window;
        self
    }

    fn segment(&self) -> Segment<'_> {
        let (from, to) = match self.dir {
            Dir::Orig => (CLIENT, SERVER),
            Dir::Resp => (SERVER, CLIENT),
        };
        Segment {
            src: Ip::v4(from.0),
            dst: Ip::v4(to.0),
            sport: from.1,
            dport: to.1,
            seq: self.seq,
            ack: self.ack,
            flags: TcpFlags(self.flags),
            window: self.window,
            payload: &self.data,
            truncated: self.cut,
            ip_len: 40 + self.data.len() as u32 + self.cut,
            encap: Encap::default(),
        }
    }
}

/// SYN, SYN-ACK, ACK: the client's first byte is 1001, the server's 5001.
fn handshake() -> Vec<Packet> {
    vec![c("S", 1000, 0, ""), s("SA", 5000, 1001, ""), c("A", 1001, 5001, "")]
}

fn after_handshake(more: impl IntoIterator<Item = Packet>) -> Vec<Packet> {
    handshake().into_iter().chain(more).collect()
}

/// Writes down what it is told.
#[derive(Default)]
struct Recorder {
    /// One line per call, readable.
    log: Vec<String>,
    weirds: Vec<&'static str>,
    /// Summary of each closed flow.
    closed: Vec<Summary>,
    ignore_after: Option<u64>,
    seen: u64,
    verbose_open: bool,
}

#[derive(Clone, Debug)]
struct Summary {
    state: &'static str,
    history: String,
    orig: crate::Counters,
    resp: crate::Counters,
    orig_port: u16,
    reason: CloseReason,
}

fn letter(dir: Dir) -> char {
    match dir {
        Dir::Orig => '>',
        Dir::Resp => '<',
    }
}

fn verdict(ignore: bool) -> Verdict {
    if ignore { Verdict::Ignore } else { Verdict::Continue }
}

/// Offsets of streams whose start was not seen, made readable.
fn show(offset: u64) -> String {
    match offset.checked_sub(crate::MIDSTREAM_BASE) {
        Some(rest) => format!("m{rest}"),
        None => offset.to_string(),
    }
}

impl Handler for Recorder {
    type State = ();

    fn open(&mut self, flow: &Flow) {
        if self.verbose_open {
            self.log.push(format!("open {}", flow.number()));
        }
    }

    fn orient(&mut self, bytes: &[u8]) -> Option<Dir> {
        match bytes {
            [b'G', ..] => Some(Dir::Orig),
            [b'H', ..] => Some(Dir::Resp),
            _ => None,
        }
    }

    fn data(&mut self, flow: &Flow, (): &mut (), chunk: Chunk<'_>) -> Verdict {
        assert!(!chunk.bytes.is_empty());
        assert!(flow.counters(chunk.dir).delivered >= chunk.bytes.len() as u64);
        let text = String::from_utf8_lossy(chunk.bytes);
        self.log.push(format!("{}{} {text}", letter(chunk.dir), show(chunk.offset)));
        self.seen += 1;
        verdict(self.ignore_after.is_some_and(|n| self.seen >= n))
    }

    fn gap(&mut self, _: &Flow, (): &mut (), gap: Gap) -> Verdict {
        assert!(gap.len > 0);
        let reason = match gap.reason {
            GapReason::Acknowledged => "acked",
            GapReason::Truncated => "cut",
            GapReason::Budget => "budget",
            GapReason::Closed => "closed",
        };
        self.log.push(format!("{}{} gap {} {reason}", letter(gap.dir), show(gap.offset), gap.len));
        Verdict::Continue
    }

    fn end(&mut self, _: &Flow, (): &mut (), dir: Dir, _: Timestamp) {
        self.log.push(format!("{}end", letter(dir)));
    }

    fn close(&mut self, flow: &Flow, (): (), reason: CloseReason) {
        self.log.push(format!("close {reason:?}"));
        self.closed.push(Summary {
            state: flow.conn_state().as_str(),
            history: flow.history().to_owned(),
            orig: flow.counters(Dir::Orig),
            resp: flow.counters(Dir::Resp),
            orig_port: flow.orig().1,
            reason,
        });
    }

    fn weird(&mut self, _: &Flow, name: &'static str, _: Timestamp) {
        self.weirds.push(name);
    }
}

/// Feeds packets and returns what the consumer saw, having checked the ledger after each.
fn run_with(config: Config, mut recorder: Recorder, packets: &[Packet]) -> Recorder {
    let mut table = FlowTable::new(config);
    for p in packets {
        table.segment(Timestamp(p.at), &p.segment(), &mut recorder);
        let stats = table.stats();
        assert_eq!(stats.payload_bytes, stats.accounted(), "after {p:?}: {stats:?}");
    }
    table.finish(&mut recorder);
    let stats = table.stats();
    assert_eq!(stats.payload_bytes, stats.accounted(), "{stats:?}");
    assert_eq!((stats.held_bytes, stats.page_bytes, stats.flows), (0, 0, 0), "{stats:?}");
    recorder
}

fn run(packets: &[Packet]) -> Recorder {
    run_with(Config::default(), Recorder::default(), packets)
}

/// The consumer's view of `packets` is `expected`; the closing line is left out.
#[track_caller]
fn check(packets: &[Packet], expected: &[&str]) {
    let mut log = run(packets).log;
    assert!(log.pop().is_some_and(|l| l.starts_with("close")));
    assert_eq!(log, expected);
}
