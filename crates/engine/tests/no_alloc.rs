//! In a steady state nothing is allocated: not for a packet in the middle of a body, and not for a whole
//! exchange when bodies are not kept.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic")]
use harken_engine::{Closed, Config, Front, Output, Shard};
use harken_event::zeek::http::HttpLog;
use harken_event::zeek::weird::Weird;
use harken_event::{Form, Transaction};
use harken_flow::Dir;
use harken_wire::{Encap, Ip, Segment, TcpFlags, Timestamp};

/// Writes `http.log` into one buffer, as a log on disk does.
struct Log {
    http: HttpLog,
    out: Vec<u8>,
    transactions: u64,
}

impl Output for Log {
    fn transaction(&mut self, transaction: &Transaction<'_>) {
        self.transactions += 1;
        self.out.clear();
        self.http.write(transaction, &mut self.out);
    }
    fn closed(&mut self, _: &Closed<'_>) {}
    fn weird(&mut self, _: &Weird<'_>) {}
}

/// The allocations that something takes on this thread, growing of buffers included.
fn allocations(run: impl FnOnce()) -> u64 {
    allocation_counter::measure(run).count_total
}

const FLOWS: u16 = 50;
const REQUEST: &[u8] =
    b"POST /v1/orders?limit=3 HTTP/1.1\r\nHost: api.shop.example\r\nUser-Agent: okhttp/4.9.3\r\n\
    Content-Type: application/json\r\nContent-Length: 12\r\n\r\n{\"order\":42}";
const HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 4200\r\n\r\n";
const PART: [u8; 1400] = [b'x'; 1400];

struct Feed {
    shard: Shard<Log>,
    at: u64,
    /// Next sequence number of each direction, the same on all flows.
    next: [u32; 2],
}

impl Feed {
    fn new(keep: usize) -> Self {
        let mut config = Config::default();
        config.http.body.keep = keep;
        let log = Log { http: HttpLog::new(Form::Json), out: Vec::new(), transactions: 0 };
        let mut feed = Self { shard: Shard::new(&config, log), at: 0, next: [0, 0] };
        feed.all(Dir::Orig, TcpFlags::SYN, &[]);
        feed.all(Dir::Resp, TcpFlags::SYN | TcpFlags::ACK, &[]);
        feed.all(Dir::Orig, TcpFlags::ACK, &[]);
        feed
    }

    /// One segment on every flow; the allocations that they took.
    fn all(&mut self, dir: Dir, flags: u8, payload: &[u8]) -> u64 {
        let took = allocations(|| self.send(dir, flags, payload));
        let step = payload.len() as u32 + u32::from(flags & TcpFlags::SYN != 0);
        self.next[dir as usize] = self.next[dir as usize].wrapping_add(step);
        took
    }

    fn send(&mut self, dir: Dir, flags: u8, payload: &[u8]) {
        for flow in 0..FLOWS {
            let (client, server) = ((Ip::v4([10, 0, 0, 1]), 1024 + flow), (Ip::v4([10, 0, 0, 2]), 80));
            let (src, dst) = if dir == Dir::Orig { (client, server) } else { (server, client) };
            let segment = Segment {
                src: src.0,
                dst: dst.0,
                sport: src.1,
                dport: dst.1,
                seq: self.next[dir as usize],
                ack: self.next[dir.other() as usize],
                flags: TcpFlags(flags),
                window: 1000,
                payload,
                truncated: 0,
                ip_len: 40 + payload.len() as u32,
                encap: Encap::default(),
            };
            self.at += 1000;
            self.shard.segment(Timestamp(self.at), &segment);
        }
    }

    /// A request, and a response of four segments, on every flow. The allocations inside of the response's
    /// body, and those of all together.
    fn exchange(&mut self) -> (u64, u64) {
        let request = self.all(Dir::Orig, TcpFlags::ACK | TcpFlags::PSH, REQUEST);
        let head = self.all(Dir::Resp, TcpFlags::ACK, HEAD);
        let inside = self.all(Dir::Resp, TcpFlags::ACK, &PART) + self.all(Dir::Resp, TcpFlags::ACK, &PART);
        let last = self.all(Dir::Resp, TcpFlags::ACK | TcpFlags::PSH, &PART);
        let ack = self.all(Dir::Orig, TcpFlags::ACK, &[]);
        (inside, request + head + inside + last + ack)
    }
}

/// Each of `rounds` exchanges on every flow takes `inside` and `exchange` allocations when it has warmed up.
#[track_caller]
fn check(keep: usize, inside: u64, exchange: u64) {
    let mut feed = Feed::new(keep);
    let warming: u64 = (0..20).map(|_| feed.exchange().1).sum();
    assert!(warming > 0, "the counter works");
    for round in 0..100 {
        assert_eq!(
            feed.exchange(),
            (inside * u64::from(FLOWS), exchange * u64::from(FLOWS)),
            "round {round}"
        );
    }
    assert_eq!(feed.shard.output().transactions, 120 * u64::from(FLOWS));
    assert!(feed.shard.output().out.ends_with(b"}\n"));
}

#[test]
fn without_bodies_nothing_is_allocated() {
    check(0, 0, 0);
}

#[test]
fn with_bodies_nothing_is_allocated_either() {
    check(16 << 10, 0, 0);
}

#[test]
fn frames_are_decoded_without_allocation() {
    let mut front = Front::new(harken_wire::Config::default(), harken_flow::DefragConfig::default());
    let case = concat!(env!("CARGO_MANIFEST_DIR"), "/../../captures/vxlan-api/input.pcap");
    let mut reader = harken_capture::open(std::path::Path::new(case)).unwrap();
    let mut segments = 0;
    while let Some(packet) = reader.next_packet().unwrap() {
        let took = allocations(|| {
            let _ = front.frame(packet.ts, packet.dlt, packet.data, &mut |_, _| segments += 1);
        });
        assert_eq!(took, 0);
    }
    assert_eq!(segments, 213);
}
