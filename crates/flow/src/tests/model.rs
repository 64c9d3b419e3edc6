//! Random conversations, damaged on their way through the mirror, against what was really sent.
//!
//! The conversation is made turn by turn, so that it is known what each segment's sender had received. The
//! mirror then drops, repeats, splits, re-cuts and displaces. What must hold: what is delivered is what was
//! sent, in order, with gaps exactly where bytes are missing; no segment comes before what its sender had
//! received; without losses there is no gap; the books balance.
use super::*;
use crate::MIDSTREAM_BASE;
use proptest::prelude::*;

/// One turn: who speaks, how much, and in pieces of which size.
type Turn = (bool, u16, u16);

/// The byte of a stream at an offset: any misplacement shows.
fn byte(dir: Dir, offset: u64) -> u8 {
    let x = (offset as u32).wrapping_mul(0x9e37_79b9) ^ (dir as u32).wrapping_mul(0x85eb_ca6b);
    (x >> 24) as u8 ^ x as u8
}

/// A conversation as it was on the wire: in causal order.
struct Talk {
    packets: Vec<Packet>,
    isn: [u32; 2],
    sent: [u64; 2],
}

fn talk(turns: &[Turn], isn: [u32; 2], handshake: bool) -> Talk {
    let mut talk = Talk { packets: Vec::new(), isn, sent: [0, 0] };
    let [client, server] = isn;
    if handshake {
        talk.packets.push(c("S", client, 0, ""));
        talk.packets.push(s("SA", server, client.wrapping_add(1), ""));
        talk.packets.push(c("A", client.wrapping_add(1), server.wrapping_add(1), ""));
    }
    for &(by_client, len, mss) in turns {
        let dir = if by_client { Dir::Orig } else { Dir::Resp };
        let (me, peer) = (dir as usize, dir.other() as usize);
        let mut left = u64::from(len);
        while left > 0 {
            let n = left.min(u64::from(mss));
            let from = talk.sent[me];
            let data: Vec<u8> = (from..from + n).map(|o| byte(dir, o)).collect();
            talk.packets.push(packet(dir, "PA", talk.seq(me, from), talk.seq(peer, talk.sent[peer]), &data));
            talk.sent[me] += n;
            left -= n;
        }
        // The other side acknowledges the turn.
        talk.packets.push(packet(
            dir.other(),
            "A",
            talk.seq(peer, talk.sent[peer]),
            talk.seq(me, talk.sent[me]),
            b"",
        ));
    }
    talk
}

impl Talk {
    fn seq(&self, side: usize, offset: u64) -> u32 {
        self.isn[side].wrapping_add(1).wrapping_add(offset as u32)
    }

    fn close(&mut self) {
        let (a, b) = (self.seq(0, self.sent[0]), self.seq(1, self.sent[1]));
        self.packets.push(c("FA", a, b, ""));
        self.packets.push(s("FA", b, a.wrapping_add(1), ""));
        self.packets.push(c("A", a.wrapping_add(1), b.wrapping_add(1), ""));
    }
}

/// What the mirror does to each packet: drop, repeat, displace by so many places, repeat a part of it later.
type Fate = (bool, bool, u8, Option<(u8, u8)>);

/// The first `spared` packets come through unharmed.
fn mirror(packets: &[Packet], fates: &[Fate], spared: usize) -> (Vec<Packet>, usize) {
    let mut lost = 0;
    let mut placed: Vec<(usize, Packet)> = Vec::new();
    for (i, (p, fate)) in packets.iter().zip(fates.iter().cycle()).enumerate() {
        let &(drop, repeat, by, part) = if i < spared { &(false, false, 0, None) } else { fate };
        if drop && !p.data.is_empty() {
            lost += 1;
            continue;
        }
        placed.push((i + usize::from(by), p.clone()));
        if repeat {
            placed.push((i + usize::from(by) + 1, p.clone()));
        }
        if let Some((from, later)) = part
            && usize::from(from) < p.data.len()
        {
            // A retransmission that is cut differently.
            let mut copy = p.clone();
            copy.seq = copy.seq.wrapping_add(u32::from(from));
            copy.data = copy.data[usize::from(from)..].to_vec();
            placed.push((i + usize::from(later), copy));
        }
    }
    placed.sort_by_key(|(at, _)| *at);
    let packets = placed.into_iter().enumerate().map(|(i, (_, mut p))| {
        // A tenth of a millisecond apart.
        p.at = i as u64 * MS / 10;
        p
    });
    (packets.collect(), lost)
}

/// Checks every byte that it is given.
#[derive(Default)]
struct Judge {
    next: [Option<u64>; 2],
    delivered: [u64; 2],
    gaps: [u64; 2],
    gap_count: u64,
    ended: [bool; 2],
    /// Offset 0 of the true stream in the offsets given, per direction.
    base: [u64; 2],
}

impl Judge {
    fn step(&mut self, dir: Dir, offset: u64, len: u64) {
        let next = self.next[dir as usize].get_or_insert(offset);
        assert_eq!(*next, offset, "{dir:?}: out of order");
        *next += len;
    }
}

impl Handler for Judge {
    type State = ();
    fn open(&mut self, _: &Flow) {}
    fn orient(&mut self, _: &[u8]) -> Option<Dir> {
        None
    }
    fn data(&mut self, _: &Flow, (): &mut (), chunk: Chunk<'_>) -> Verdict {
        let first = self.next[chunk.dir as usize].is_none();
        if first && chunk.offset >= MIDSTREAM_BASE {
            // The handshake came late; the stream is numbered from its first byte all the same.
            self.base[chunk.dir as usize] = chunk.offset;
        }
        self.step(chunk.dir, chunk.offset, chunk.bytes.len() as u64);
        let base = self.base[chunk.dir as usize];
        for (o, b) in (chunk.offset - base..).zip(chunk.bytes) {
            assert_eq!(*b, byte(chunk.dir, o), "{:?} at {o}", chunk.dir);
        }
        let other = chunk.dir.other() as usize;
        let reached = self.next[other].unwrap_or(self.base[other]);
        assert!(
            chunk.ack <= reached || self.next[other].is_none() && chunk.ack >= MIDSTREAM_BASE,
            "{:?} {} acknowledges {} of {reached}",
            chunk.dir,
            chunk.offset,
            chunk.ack
        );
        self.delivered[chunk.dir as usize] += chunk.bytes.len() as u64;
        Verdict::Continue
    }
    fn gap(&mut self, _: &Flow, (): &mut (), gap: Gap) -> Verdict {
        self.step(gap.dir, gap.offset, gap.len);
        self.gaps[gap.dir as usize] += gap.len;
        self.gap_count += 1;
        Verdict::Continue
    }
    fn end(&mut self, _: &Flow, (): &mut (), dir: Dir, _: Timestamp) {
        assert!(!std::mem::replace(&mut self.ended[dir as usize], true), "ended twice");
    }
    fn close(&mut self, _: &Flow, (): (), _: CloseReason) {}
    fn weird(&mut self, _: &Flow, name: &'static str, _: Timestamp) {
        assert_ne!(name, "rexmit_inconsistency");
    }
}

fn judge(packets: &[Packet], config: Config) -> Judge {
    let mut table = FlowTable::new(config);
    let mut judge = Judge::default();
    for p in packets {
        table.segment(Timestamp(p.at), &p.segment(), &mut judge);
        assert_eq!(table.stats().payload_bytes, table.stats().accounted());
        assert!(table.stats().page_bytes <= u64::from(config.ooo_bytes_total));
    }
    table.finish(&mut judge);
    assert_eq!((table.stats().held_bytes, table.stats().page_bytes), (0, 0));
    assert_eq!(table.stats().payload_bytes, table.stats().accounted());
    judge
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    prop::collection::vec(
        (any::<bool>(), 1u16..6000, prop::sample::select(vec![1u16, 7, 536, 1460, 9000])),
        1..12,
    )
    .prop_map(|turns| {
        // Byte-sized segments are for short turns.
        turns.into_iter().map(|(d, len, mss)| (d, if mss < 100 { len % 60 + 1 } else { len }, mss)).collect()
    })
}

fn fates(loss: f64) -> impl Strategy<Value = Vec<Fate>> {
    let fate = (
        prop::bool::weighted(loss),
        prop::bool::weighted(0.1),
        prop_oneof![4 => Just(0u8), 1 => 1u8..8],
        prop::option::weighted(0.1, (1u8..50, 1u8..8)),
    );
    prop::collection::vec(fate, 1..200)
}

fn isns() -> impl Strategy<Value = [u32; 2]> {
    let isn = prop_oneof![any::<u32>(), (0u32..3000).prop_map(|n| u32::MAX - n)];
    [isn.clone(), isn]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Reordering and repetition alone lose nothing.
    #[test]
    fn disorder_loses_nothing(turns in turns(), isn in isns(), fates in fates(0.0)) {
        let mut talk = talk(&turns, isn, true);
        talk.close();
        let (packets, _) = mirror(&talk.packets, &fates, 0);
        let judge = judge(&packets, Config::default());
        prop_assert_eq!(judge.delivered, talk.sent);
        prop_assert_eq!(judge.gaps, [0, 0]);
        prop_assert_eq!(judge.ended, [true, true]);
    }

    /// With losses the rest comes, and the gaps are where it is missing.
    #[test]
    fn losses_are_gaps(turns in turns(), isn in isns(), fates in fates(0.05)) {
        let mut talk = talk(&turns, isn, true);
        talk.close();
        let (packets, lost) = mirror(&talk.packets, &fates, 3);
        let judge = judge(&packets, Config::default());
        for side in 0..2 {
            prop_assert_eq!(judge.delivered[side] + judge.gaps[side], talk.sent[side]);
        }
        prop_assert_eq!(judge.ended, [true, true]);
        if lost == 0 {
            prop_assert_eq!(judge.gap_count, 0);
        }
    }

    /// Every packet within the budget of a few pages: more gaps, never a wrong byte.
    #[test]
    fn a_small_budget_is_safe(turns in turns(), isn in isns(), fates in fates(0.1)) {
        let talk = talk(&turns, isn, true);
        let (packets, _) = mirror(&talk.packets, &fates, 3);
        let config = Config { ooo_bytes_per_flow: 12 << 10, ooo_bytes_total: 20 << 10, ..Config::default() };
        let mut table = FlowTable::new(config);
        // Causality yields to the budget, order does not.
        let mut recorder = Recorder::default();
        for p in &packets {
            table.segment(Timestamp(p.at), &p.segment(), &mut recorder);
            prop_assert!(table.stats().page_bytes <= 20 << 10);
            prop_assert_eq!(table.stats().payload_bytes, table.stats().accounted());
        }
        table.finish(&mut recorder);
        prop_assert_eq!(table.stats().held_bytes, 0);
    }

    /// Joined in the middle: what is delivered is right, from wherever the stream begins.
    #[test]
    fn midstream(turns in turns(), fates in fates(0.0), skip in 0usize..6) {
        let talk = talk(&turns, [99, 999], true);
        let (packets, _) = mirror(&talk.packets, &fates, 0);
        let mut table = FlowTable::new(Config::default());
        let mut recorder = Recorder::default();
        for p in packets.iter().skip(skip) {
            table.segment(Timestamp(p.at), &p.segment(), &mut recorder);
            prop_assert_eq!(table.stats().payload_bytes, table.stats().accounted());
        }
        table.finish(&mut recorder);
        prop_assert_eq!(table.stats().payload_bytes, table.stats().accounted());
        prop_assert!(table.stats().gap_bytes.iter().sum::<u64>() < MIDSTREAM_BASE);
    }

    /// Anything at all: no panic, the books balance, memory stays within its limits.
    #[test]
    fn chaos(packets in prop::collection::vec(
        (any::<bool>(), 0u8..64, prop_oneof![0u32..40, any::<u32>()], prop_oneof![0u32..40, any::<u32>()],
         0usize..20, prop_oneof![9 => Just(0u32), 1 => any::<u32>()], prop_oneof![0u64..2000, any::<u64>()]), 1..80)) {
        let config = Config { ooo_bytes_per_flow: 8 << 10, ooo_bytes_total: 16 << 10, ..Config::default() };
        let mut table = FlowTable::new(config);
        let mut recorder = Recorder { ignore_after: Some(30), ..Recorder::default() };
        for (orig, flags, seq, ack, len, cut, at) in packets {
            let dir = if orig { Dir::Orig } else { Dir::Resp };
            let mut p = packet(dir, "", seq, ack, &vec![b'x'; len]).cut(cut);
            p.flags = flags;
            p.at = at.wrapping_mul(MS);
            table.segment(Timestamp(p.at), &p.segment(), &mut recorder);
            prop_assert_eq!(table.stats().payload_bytes, table.stats().accounted());
            prop_assert!(table.stats().page_bytes <= 16 << 10);
        }
        table.finish(&mut recorder);
        prop_assert_eq!(table.stats().payload_bytes, table.stats().accounted());
        prop_assert_eq!((table.stats().held_bytes, table.stats().flows), (0, 0));
    }
}
