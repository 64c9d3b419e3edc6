//! Time-outs, eviction, budgets.
use super::*;

/// A SYN from one of many sources.
fn syn(n: u32) -> Segment<'static> {
    Segment {
        src: Ip::v4((0x0b00_0000 | n & 0xff_ffff).to_be_bytes()),
        dst: Ip::v4(SERVER.0),
        sport: 1024 + (n >> 24) as u16,
        dport: 80,
        seq: n,
        ack: 0,
        flags: TcpFlags(TcpFlags::SYN),
        window: 1,
        payload: &[],
        truncated: 0,
        ip_len: 40,
        encap: Encap::default(),
    }
}

/// Feeds packets, lets time pass until `until` ms, and returns why flows were closed.
fn closes(packets: &[Packet], until: u64) -> Vec<CloseReason> {
    let mut table = FlowTable::new(Config::default());
    let mut r = Recorder::default();
    for p in packets {
        table.segment(Timestamp(p.at), &p.segment(), &mut r);
    }
    table.advance(Timestamp(until * MS), &mut r);
    r.closed.iter().map(|c| c.reason).collect()
}

#[test]
fn time_outs() {
    use CloseReason::{Finished, Idle};
    let half_open = [c("S", 1000, 0, "")];
    let finished = after_handshake([c("FA", 1001, 5001, ""), s("FA", 5001, 1002, "")]);
    let cases: [(&[Packet], u64, &[CloseReason]); 6] = [
        (&half_open, 9_999, &[]),
        (&half_open, 10_000, &[Idle]),
        (&handshake(), 299_999, &[]),
        (&handshake(), 340_000, &[Idle]),
        (&finished, 4_999, &[]),
        (&finished, 5_000, &[Finished]),
    ];
    for (i, (packets, until, expected)) in cases.into_iter().enumerate() {
        assert_eq!(closes(packets, until), expected, "case {i}");
    }
}

#[test]
fn a_packet_after_the_time_out_begins_another_flow() {
    let r = run(&after_handshake([c("A", 1001, 5001, "old"), c("A", 1004, 5001, "GET").at(300_000)]));
    let texts: Vec<&str> = r.log.iter().map(String::as_str).collect();
    assert_eq!(texts, [">0 old", "close Idle", ">m65536 GET", "close EndOfInput"]);
}

#[test]
fn busy_flows_do_not_time_out() {
    let packets = after_handshake((0..200u32).map(|i| c("A", 1001 + i, 5001, "x").at(u64::from(i) * 10_000)));
    let r = run(&packets);
    assert_eq!(r.closed.len(), 1);
    assert_eq!(r.closed[0].orig.delivered, 200);
}

#[test]
fn half_open_flows_go_first() {
    let mut table = FlowTable::new(Config { max_flows: 100, ..Config::default() });
    let mut r = Recorder::default();
    for p in after_handshake([c("A", 1001, 5001, "GET")]) {
        table.segment(Timestamp(p.at), &p.segment(), &mut r);
    }
    for n in 0..10_000 {
        table.segment(Timestamp(u64::from(n)), &syn(n), &mut r);
    }
    let stats = *table.stats();
    assert_eq!((stats.flows, stats.flows_peak), (100, 100));
    assert_eq!((stats.closed[3], stats.evicted_half_open), (9_901, 9_901));
    table.segment(Timestamp(MS), &c("A", 1004, 5001, "PUT").segment(), &mut r);
    assert_eq!(r.log.last().map(String::as_str), Some(">3 PUT"));
}

#[test]
fn the_idlest_of_established_flows_goes() {
    let mut table = FlowTable::new(Config { max_flows: 3, ..Config::default() });
    let mut r = Recorder::default();
    let mut feed = |port: u16, at: u64, packets: &[Packet]| {
        for p in packets {
            let mut seg = p.segment();
            *if p.dir == Dir::Orig { &mut seg.sport } else { &mut seg.dport } = port;
            table.segment(Timestamp(at * MS), &seg, &mut r);
        }
    };
    for port in [1, 2, 3] {
        feed(port + 40_000, u64::from(port), &handshake());
    }
    feed(40_001, 10, &[c("A", 1001, 5001, "busy")]);
    feed(40_004, 20, &handshake());
    assert_eq!(r.closed.len(), 1);
    assert_eq!((r.closed[0].orig_port, r.closed[0].reason), (40_002, CloseReason::Evicted));
}

#[test]
fn the_budget_of_a_flow() {
    let config = Config { ooo_bytes_per_flow: 8 * 2048, ..Config::default() };
    let body = "x".repeat(1000);
    let packets = after_handshake((0..40u32).map(|i| c("A", 2001 + i * 2000, 5001, &body)));
    let r = run_with(config, Recorder::default(), &packets);
    let gaps = r.log.iter().filter(|l| l.contains("gap 1000 budget")).count();
    assert!(gaps >= 32, "{gaps}");
    assert_eq!(r.closed[0].orig.delivered, 40_000);
    assert_eq!(r.closed[0].orig.gap_bytes, 40_000);
}

#[test]
fn the_budget_of_all_flows() {
    let config = Config { ooo_bytes_total: 4 * 2048, ..Config::default() };
    let mut table = FlowTable::new(config);
    let mut r = Recorder::default();
    for port in 0..20u16 {
        for p in after_handshake([c("A", 1005, 5001, "late"), c("A", 1001, 5001, "now")]) {
            let mut seg = p.segment();
            *if p.dir == Dir::Orig { &mut seg.sport } else { &mut seg.dport } = 40_000 + port;
            table.segment(Timestamp(0), &seg, &mut r);
            assert!(table.stats().page_bytes <= 4 * 2048);
            assert_eq!(table.stats().payload_bytes, table.stats().accounted());
        }
    }
    table.finish(&mut r);
    assert_eq!(r.log.iter().filter(|l| l.ends_with(" late")).count(), 20);
}

#[test]
fn a_flood_leaves_no_more_than_its_limit() {
    let mut table = FlowTable::new(Config { max_flows: 1000, ..Config::default() });
    let mut r = Recorder::default();
    for n in 0..200_000 {
        table.segment(Timestamp(u64::from(n) * 1000), &syn(n), &mut r);
        r.log.clear();
        r.closed.clear();
    }
    assert_eq!(table.stats().flows, 1000);
}
