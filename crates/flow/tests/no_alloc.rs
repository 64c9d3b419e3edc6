//! In a steady state no packet allocates: neither one in order, nor one out of order.
#![allow(clippy::indexing_slicing, reason = "a test may panic")]
use harken_flow::{Chunk, CloseReason, Config, Dir, Flow, FlowTable, Gap, Handler, Verdict};
use harken_wire::{Encap, Ip, Segment, TcpFlags, Timestamp};

#[derive(Default)]
struct Count {
    bytes: u64,
    gaps: u64,
}

impl Handler for Count {
    type State = ();
    fn open(&mut self, _: &Flow) {}
    fn orient(&mut self, _: &[u8]) -> Option<Dir> {
        None
    }
    fn data(&mut self, _: &Flow, (): &mut (), chunk: Chunk<'_>) -> Verdict {
        self.bytes += chunk.bytes.len() as u64;
        Verdict::Continue
    }
    fn gap(&mut self, _: &Flow, (): &mut (), _: Gap) -> Verdict {
        self.gaps += 1;
        Verdict::Continue
    }
    fn end(&mut self, _: &Flow, (): &mut (), _: Dir, _: Timestamp) {}
    fn close(&mut self, _: &Flow, (): (), _: CloseReason) {}
    fn weird(&mut self, _: &Flow, _: &'static str, _: Timestamp) {}
}

const FLOWS: u16 = 50;
const BODY: [u8; 1400] = [b'x'; 1400];

struct Feed {
    table: FlowTable<()>,
    count: Count,
    at: u64,
}

impl Feed {
    fn packet(&mut self, flow: u16, dir: Dir, flags: u8, seq: u32, ack: u32, payload: &[u8]) {
        let (client, server) = ((Ip::v4([10, 0, 0, 1]), 1024 + flow), (Ip::v4([10, 0, 0, 2]), 80));
        let (src, dst) = if dir == Dir::Orig { (client, server) } else { (server, client) };
        let segment = Segment {
            src: src.0,
            dst: dst.0,
            sport: src.1,
            dport: dst.1,
            seq,
            ack,
            flags: TcpFlags(flags),
            window: 1000,
            payload,
            truncated: 0,
            ip_len: 40 + payload.len() as u32,
            encap: Encap::default(),
        };
        self.at += 1000;
        self.table.segment(Timestamp(self.at), &segment, &mut self.count);
    }

    /// One request and an answer of four segments on every flow, the segments in the given order.
    fn round(&mut self, round: u32, order: [u32; 4]) {
        let len = BODY.len() as u32;
        for flow in 0..FLOWS {
            let (client, server) = (1 + round * len, 1 + round * 4 * len);
            self.packet(flow, Dir::Orig, TcpFlags::ACK, client, server, &BODY);
            for i in order {
                self.packet(flow, Dir::Resp, TcpFlags::ACK, server + i * len, client + len, &BODY);
            }
            self.packet(flow, Dir::Orig, TcpFlags::ACK, client + len, server + 4 * len, &[]);
        }
    }
}

#[test]
fn a_steady_state_allocates_nothing() {
    let mut feed = Feed { table: FlowTable::new(Config::default()), count: Count::default(), at: 0 };
    for flow in 0..FLOWS {
        feed.packet(flow, Dir::Orig, TcpFlags::SYN, 0, 0, &[]);
        feed.packet(flow, Dir::Resp, TcpFlags::SYN | TcpFlags::ACK, 0, 1, &[]);
        feed.packet(flow, Dir::Orig, TcpFlags::ACK, 1, 1, &[]);
    }
    let orders = [[0, 1, 2, 3], [3, 2, 1, 0], [1, 0, 3, 2]];
    let allocations = |feed: &mut Feed, rounds: std::ops::Range<u32>| {
        let run = || rounds.for_each(|round| feed.round(round, orders[round as usize % orders.len()]));
        allocation_counter::measure(run).count_total
    };
    let warming = allocations(&mut feed, 0..9);
    assert!(warming > 0, "the counter works: pages and states are allocated at first");
    assert_eq!(allocations(&mut feed, 9..99), 0);
    let stats = feed.table.stats();
    assert_eq!((feed.count.bytes, feed.count.gaps), (stats.payload_bytes, 0));
    assert!(stats.out_of_order > 1000);
}
