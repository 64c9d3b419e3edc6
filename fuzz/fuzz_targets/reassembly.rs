//! Any segments of a few flows: nothing panics, the books balance, memory stays within its limits, each
//! direction comes in order and without holes, and every byte stands where its sequence number puts it.
#![no_main]
use harken_flow::{Chunk, CloseReason, Config, Dir, Flow, FlowTable, Gap, Handler, Verdict};
use harken_wire::{Encap, Ip, Segment, TcpFlags, Timestamp};
use libfuzzer_sys::fuzz_target;

/// One direction: the next offset, and the difference between an offset and the byte that stands there.
type Track = Option<(u64, Option<u8>)>;

#[derive(Default)]
struct Judge {
    ignore: bool,
    open: u64,
}

#[derive(Default)]
struct State {
    tracks: [Track; 2],
    ended: [bool; 2],
}

impl State {
    fn step(&mut self, dir: Dir, offset: u64, len: u64) -> &mut Option<u8> {
        assert!(len > 0 && !self.ended[dir as usize]);
        let (next, difference) = self.tracks[dir as usize].get_or_insert((offset, None));
        assert_eq!(*next, offset);
        *next += len;
        difference
    }
}

impl Handler for Judge {
    type State = State;
    fn open(&mut self, _: &Flow) -> State {
        self.open += 1;
        State::default()
    }
    fn orient(&mut self, bytes: &[u8]) -> Option<Dir> {
        bytes.first().and_then(|b| [None, Some(Dir::Orig), Some(Dir::Resp)][usize::from(b % 3)])
    }
    fn data(&mut self, flow: &Flow, state: &mut State, chunk: Chunk<'_>) -> Verdict {
        let difference = state.step(chunk.dir, chunk.offset, chunk.bytes.len() as u64);
        for (byte, offset) in chunk.bytes.iter().zip(chunk.offset..) {
            let here = byte.wrapping_sub(offset as u8);
            assert_eq!(*difference.get_or_insert(here), here);
        }
        assert!(!flow.history().is_empty());
        if self.ignore { Verdict::Ignore } else { Verdict::Continue }
    }
    fn gap(&mut self, _: &Flow, state: &mut State, gap: Gap) -> Verdict {
        state.step(gap.dir, gap.offset, gap.len);
        Verdict::Continue
    }
    fn end(&mut self, _: &Flow, state: &mut State, dir: Dir, _: Timestamp) {
        assert!(!std::mem::replace(&mut state.ended[dir as usize], true));
    }
    fn close(&mut self, flow: &Flow, _: State, _: CloseReason) {
        self.open -= 1;
        let _ = (flow.conn_state(), flow.counters(Dir::Orig), flow.counters(Dir::Resp), flow.encap());
    }
    fn weird(&mut self, _: &Flow, _: &'static str, _: Timestamp) {}
}

fuzz_target!(|data: &[u8]| {
    let config =
        Config { max_flows: 3, ooo_bytes_per_flow: 8 << 10, ooo_bytes_total: 16 << 10, ..Config::default() };
    let mut table = FlowTable::new(config);
    let mut judge = Judge::default();
    let mut now = 1u64 << 40;
    for step in data.chunks_exact(12) {
        let &[who, flags, seq_a, seq_b, jump, ack_a, ack_b, len, long, cut, wait, extra] = step else { return };
        now = if extra & 1 != 0 { now.wrapping_sub(u64::from(wait) << 28) } else { now.wrapping_add(u64::from(wait) << 22) };
        let far = |bits: u8| [0, 1 << 16, 1 << 29, u32::MAX / 2][usize::from(bits & 3)];
        let seq = u32::from(u16::from_be_bytes([seq_a, seq_b])).wrapping_add(far(jump));
        let ack = u32::from(u16::from_be_bytes([ack_a, ack_b])).wrapping_add(far(jump >> 2));
        let first = seq.wrapping_add(u32::from(flags & TcpFlags::SYN != 0)) as u8;
        let len = usize::from(len) << (long & 7);
        let payload: Vec<u8> = (0..len).map(|i| first.wrapping_add(i as u8)).collect();
        let (client, server) = ((Ip::v4([10, 0, 0, 1]), 1024 + u16::from(who >> 1 & 3)), (Ip::v4([10, 0, 0, 2]), 80));
        let (src, dst) = if who & 1 == 0 { (client, server) } else { (server, client) };
        let segment = Segment {
            src: src.0,
            dst: dst.0,
            sport: src.1,
            dport: dst.1,
            seq,
            ack,
            flags: TcpFlags(flags & 0x1f),
            window: u16::from(extra >> 1),
            payload: &payload,
            truncated: u32::from(cut).saturating_sub(240) << (jump >> 4),
            ip_len: 40 + payload.len() as u32,
            encap: Encap { vlan: (who & 0x40 != 0).then_some(1), ..Encap::default() },
        };
        judge.ignore = who & 0x80 != 0;
        table.segment(Timestamp(now), &segment, &mut judge);
        let stats = table.stats();
        assert_eq!(stats.payload_bytes, stats.accounted());
        assert!(stats.page_bytes <= 16 << 10 && stats.flows <= 3);
        assert_eq!(stats.flows, judge.open);
    }
    table.finish(&mut judge);
    let stats = table.stats();
    assert_eq!(stats.payload_bytes, stats.accounted());
    assert_eq!((stats.held_bytes, stats.page_bytes, judge.open), (0, 0, 0));
});
