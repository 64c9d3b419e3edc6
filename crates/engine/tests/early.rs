//! A request that nothing answers for long is told of while it waits, though no packet comes on its connection.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
use harken_engine::{Closed, Config, Output, Shard};
use harken_event::Transaction;
use harken_event::zeek::weird::Weird;
use harken_wire::{Encap, Ip, Segment, TcpFlags, Timestamp};

const SECOND: u64 = 1_000_000_000;

/// Whether what is told goes on, and when its request began.
#[derive(Default)]
struct Told(Vec<(bool, u64)>);

impl Output for Told {
    fn transaction(&mut self, transaction: &Transaction<'_>) {
        self.0.push((false, transaction.ts().0));
    }

    fn aside(&mut self, transaction: &Transaction<'_>) {
        assert!(transaction.exchange.in_progress && transaction.response().is_none());
        self.0.push((true, transaction.ts().0));
    }

    fn closed(&mut self, _: &Closed<'_>) {}

    fn weird(&mut self, weird: &Weird<'_>) {
        assert_eq!(weird.name, "", "nothing is odd");
    }
}

fn say(shard: &mut Shard<Told>, at: u64, is_client: bool, flags: u8, [seq, ack]: [u32; 2], payload: &[u8]) {
    let (client, server) = ((Ip::v4([10, 0, 0, 1]), 40_000), (Ip::v4([10, 0, 0, 2]), 80));
    let ((src, sport), (dst, dport)) = if is_client { (client, server) } else { (server, client) };
    let segment = Segment {
        src,
        dst,
        sport,
        dport,
        seq,
        ack,
        flags: TcpFlags(flags),
        window: 65_535,
        payload,
        truncated: 0,
        ip_len: 40 + payload.len() as u32,
        encap: Encap::default(),
    };
    shard.segment(Timestamp(at), &segment);
}

#[test]
fn long_poll_without_payload() {
    const ASKED: &[u8] = b"GET /poll HTTP/1.1\r\nHost: h\r\n\r\n";
    const ANSWERED: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";
    let mut shard = Shard::new(&Config::default(), Told::default());
    let start = 1_000 * SECOND;
    say(&mut shard, start, true, TcpFlags::SYN, [99, 0], b"");
    say(&mut shard, start, false, TcpFlags::SYN | TcpFlags::ACK, [499, 100], b"");
    say(&mut shard, start, true, TcpFlags::ACK, [100, 500], b"");
    say(&mut shard, start + SECOND, true, TcpFlags::ACK, [100, 500], ASKED);
    let begun = (start + SECOND, 100 + ASKED.len() as u32);
    for second in 2..60 {
        shard.advance(Timestamp(start + second * SECOND));
        let told = &shard.output().0;
        assert!(told.len() <= 1, "once");
        assert!(told.is_empty() || told == &[(true, begun.0)]);
        assert!(second >= 6 || told.is_empty(), "not before 5 seconds");
        assert!(second <= 16 || told == &[(true, begun.0)], "within 15 seconds");
    }
    say(&mut shard, start + 60 * SECOND, false, TcpFlags::ACK, [500, begun.1], ANSWERED);
    assert_eq!(shard.output().0, [(true, begun.0), (false, begun.0)]);
    shard.finish();
    assert_eq!(shard.output().0.len(), 2);
}
