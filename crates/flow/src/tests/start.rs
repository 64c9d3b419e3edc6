//! How flows begin: late handshakes, joined in the middle, roles, reuse.
use super::*;
use crate::MIDSTREAM_BASE;

/// Offset of the first byte seen of a stream that begins with data.
const M: u64 = 1 << 16;

#[test]
fn joined_in_the_middle() {
    // The answer is seen first and tells the roles; both streams begin where they were joined.
    let r = run(&[s("A", 700, 300, "H"), c("A", 300, 701, "G"), s("A", 701, 301, "I")]);
    assert_eq!(
        r.log,
        [format!("<m{M} H"), format!(">m{M} G"), format!("<m{} I", M + 1), "close EndOfInput".into()]
    );
    assert_eq!((r.closed[0].orig_port, r.closed[0].state), (CLIENT.1, "OTH"));
}

#[test]
fn content_tells_the_roles() {
    // A request to a high port from port 80: whoever asks is the client.
    let mut asked = s("A", 700, 300, "GET");
    asked.at = 0;
    let r = run(&[asked, c("A", 300, 703, "HTTP")]);
    assert_eq!(r.log, [format!(">m{M} GET"), format!("<m{M} HTTP"), "close EndOfInput".into()]);
    assert_eq!(r.closed[0].orig_port, SERVER.1);
}

#[test]
fn the_first_data_seen_may_have_overtaken_earlier_data() {
    let r = run(&[
        c("A", 303, 700, "two"),
        c("A", 300, 700, "Gne"),
        c("A", 306, 700, "three").at(2000),
        c("A", 297, 700, "old").at(2001),
    ]);
    let at = |n: u64, text: &str| format!(">m{n} {text}");
    assert_eq!(r.log, [at(M - 3, "Gne"), at(M, "two"), at(M + 3, "three"), "close EndOfInput".into()]);
    assert_eq!(r.closed[0].orig.dropped_bytes, 3);
}

#[test]
fn a_handshake_that_was_overtaken() {
    let orders: &[&[usize]] = &[
        &[0, 1, 2, 3, 4],
        &[1, 0, 2, 3, 4],
        &[2, 1, 0, 3, 4],
        &[3, 2, 1, 0, 4],
        &[2, 0, 4, 1, 3],
        &[4, 3, 2, 1, 0],
    ];
    let packets = after_handshake([c("A", 1001, 5001, "GET"), s("A", 5001, 1004, "200")]);
    for order in orders {
        let mixed: Vec<Packet> = order.iter().map(|i| packets[*i].clone()).collect();
        let r = run(&mixed);
        assert_eq!(r.log, [">0 GET", "<0 200", "close EndOfInput"], "{order:?}");
        assert_eq!(r.closed[0].orig_port, CLIENT.1, "{order:?}");
    }
}

#[test]
fn keep_alive_probes_before_anything_else() {
    check(
        &[c("A", 299, 700, ""), s("A", 700, 300, ""), c("A", 300, 700, "GET"), s("A", 700, 303, "200")],
        &[">m65537 GET", "<m65536 200"],
    );
}

#[test]
fn simultaneous_open() {
    let r = run(&[
        c("S", 1000, 0, ""),
        s("S", 5000, 0, ""),
        c("SA", 1000, 5001, ""),
        s("SA", 5000, 1001, ""),
        c("A", 1001, 5001, "hi"),
        s("A", 5001, 1003, "ho"),
    ]);
    assert_eq!(r.log, [">0 hi", "<0 ho", "close EndOfInput"]);
    assert!(r.weirds.contains(&"simultaneous_open"));
}

#[test]
fn the_same_endpoints_again() {
    let again = |at: u64| {
        [
            c("S", 90_000, 0, "").at(at),
            s("SA", 70_000, 90_001, "").at(at),
            c("A", 90_001, 70_001, "new").at(at),
        ]
    };
    // After a close, after a reset, and across a live connection.
    let endings: [&[Packet]; 3] = [
        &[c("FA", 1004, 5001, ""), s("FA", 5001, 1005, ""), c("A", 1005, 5002, "")],
        &[s("RA", 5001, 1004, "")],
        &[],
    ];
    for (i, ending) in endings.into_iter().enumerate() {
        let packets: Vec<Packet> = after_handshake([c("A", 1001, 5001, "old")])
            .into_iter()
            .chain(ending.iter().cloned())
            .chain(again(100).map(|mut p| {
                p.seq = p.seq.wrapping_add(if i == 2 { 1 << 30 } else { 0 });
                if p.dir == Dir::Resp || p.ack != 0 {
                    p.ack = p.ack.wrapping_add(if i == 2 { 1 << 30 } else { 0 });
                }
                p
            }))
            .collect();
        let r = run(&packets);
        let texts: Vec<&String> = r.log.iter().filter(|l| !l.contains("end")).collect();
        assert_eq!(texts, [">0 old", "close Reused", ">0 new", "close EndOfInput"], "{i}");
    }
}

#[test]
fn a_repeated_syn_is_no_new_connection() {
    let packets = [c("S", 1000, 0, ""), c("S", 1000, 0, "").at(3000), s("SA", 5000, 1001, "").at(3001)];
    assert_eq!(run(&packets).closed.len(), 1);
    // Nor is one that could be an injection into a live connection.
    let r =
        run(&after_handshake([c("A", 1001, 5001, "AA"), c("S", 2000, 0, "evil"), c("A", 1003, 5001, "BB")]));
    assert_eq!(r.log, [">0 AA", ">2 BB", "close EndOfInput"]);
    assert!(r.weirds.contains(&"SYN_inside_connection"));
}

#[test]
fn tunnels_are_part_of_the_key() {
    let one = c("S", 1000, 0, "");
    for (config, flows) in
        [(Config::default(), 2), (Config { tunnel_in_key: crate::TunnelInKey::None, ..Config::default() }, 1)]
    {
        let mut table = FlowTable::new(config);
        let mut r = Recorder::default();
        for vni in [1, 2] {
            let mut seg = one.segment();
            seg.encap.vni = Some(vni);
            seg.encap.depth = 1;
            table.segment(Timestamp(0), &seg, &mut r);
        }
        assert_eq!(table.stats().flows, flows);
    }
}

#[test]
fn shards_get_both_directions() {
    let (a, b) = (c("S", 0, 0, ""), s("SA", 0, 0, ""));
    for tunnel in [crate::TunnelInKey::Vni, crate::TunnelInKey::None] {
        assert_eq!(crate::key_hash(&a.segment(), tunnel), crate::key_hash(&b.segment(), tunnel));
    }
    // The value is part of what keeps a flow on its shard across processes.
    assert_eq!(
        crate::key_hash(&a.segment(), crate::TunnelInKey::Vni),
        crate::key_hash(&a.segment(), crate::TunnelInKey::None)
    );
    assert!(MIDSTREAM_BASE > u64::from(u32::MAX));
}

#[test]
fn an_answer_of_an_earlier_connection() {
    // A half-open server still has the old connection, and the client resets it.
    let r = run(&[
        c("S", 1000, 0, ""),
        s("A", 800_000_000, 900_000_000, "").at(1),
        c("R", 900_000_000, 0, "").at(2),
        c("S", 1000, 0, "").at(1000),
        s("SA", 5000, 1001, "").at(1001),
        c("A", 1001, 5001, "GET").at(1002),
    ]);
    assert_eq!(r.log, [">end", "<end", "close Reused", ">0 GET", "close EndOfInput"]);
    assert_eq!(
        (r.closed[0].history.as_str(), r.closed[0].state, r.closed[0].orig.size),
        ("SaR", "RSTOS0", 0)
    );
}

#[test]
fn injected_segments_before_the_answer() {
    // A RST and a FIN that no stack would believe, then the real answer.
    let r = run(&[
        c("S", 1000, 0, ""),
        s("RA", 0, 1001, ""),
        s("FA", 0, 1001, ""),
        s("SA", 5_000_000, 1001, ""),
        c("A", 1001, 5_000_001, "GET"),
        s("A", 5_000_001, 1004, "200"),
    ]);
    assert_eq!(r.log, [">0 GET", "<0 200", ">end", "<end", "close EndOfInput"]);
}
