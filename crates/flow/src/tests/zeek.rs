//! State, history and sizes as Zeek's `conn.log` has them.
use super::*;

/// Connection state, history, originator's and responder's bytes.
#[track_caller]
fn check_conn(packets: &[Packet], state: &str, history: &str, orig: u64, resp: u64) {
    let r = run(packets);
    let one = r.closed.first().expect("a flow");
    assert_eq!((one.state, one.history.as_str(), one.orig.size, one.resp.size), (state, history, orig, resp));
}

#[test]
fn states() {
    let syn = c("S", 1000, 0, "");
    check_conn(std::slice::from_ref(&syn), "S0", "S", 0, 0);
    check_conn(&[syn.clone(), s("RA", 0, 1001, "")], "REJ", "Sr", 0, 0);
    check_conn(&[syn.clone(), c("R", 1001, 0, "")], "RSTOS0", "SR", 0, 0);
    check_conn(&[syn.clone(), c("F", 1001, 0, "")], "SH", "SF", 0, 0);
    check_conn(&[s("SA", 5000, 1001, ""), s("FA", 5001, 1001, "")], "SHR", "^hf", 0, 0);
    check_conn(&[s("SA", 5000, 1001, ""), s("RA", 5001, 1001, "")], "RSTRH", "^hr", 0, 0);
    check_conn(&handshake(), "S1", "ShA", 0, 0);
    check_conn(&after_handshake([c("FA", 1001, 5001, "")]), "S2", "ShAF", 0, 0);
    check_conn(&after_handshake([s("FA", 5001, 1001, "")]), "S3", "ShAf", 0, 0);
    check_conn(&after_handshake([c("R", 1001, 0, "")]), "RSTO", "ShAR", 0, 0);
    check_conn(&after_handshake([s("R", 5001, 0, "")]), "RSTR", "ShAr", 0, 0);
    check_conn(
        &after_handshake([
            c("PA", 1001, 5001, "GET"),
            s("A", 5001, 1004, ""),
            s("PA", 5001, 1004, "200"),
            c("FA", 1004, 5004, ""),
            s("FA", 5004, 1005, ""),
            c("A", 1005, 5005, ""),
        ]),
        "SF",
        "ShADadFf",
        3,
        3,
    );
    check_conn(&[c("A", 1001, 5001, "GET"), s("A", 5001, 1004, "200")], "OTH", "Dd", 3, 3);
}

#[test]
fn letters_that_repeat() {
    let mut packets = after_handshake([c("PA", 1001, 5001, "GET")]);
    packets.extend((0..12).map(|_| c("PA", 1001, 5001, "GET")));
    packets.extend((0..12).map(|_| s("A", 5001, 1004, "").window(0)));
    check_conn(&packets, "S1", "ShADTTaww", 3, 0);
}

#[test]
fn flags_that_do_not_go_together() {
    check_conn(&[c("SF", 1000, 0, "")], "SH", "Q", 0, 0);
    check_conn(&[c("FR", 1000, 0, "")], "OTH", "I", 0, 0);
}

#[test]
fn sizes_by_sequence_numbers() {
    // Only the ends were captured: the sizes are known all the same.
    check_conn(
        &after_handshake([c("FA", 1001 + 500, 5001 + 70_000, ""), s("FA", 5001 + 70_000, 1502, "")]),
        "SF",
        "ShAFfGg",
        500,
        70_000,
    );
    check_conn(&[c("S", 10, 0, ""), c("F", 3_000_000_011, 0, "")], "SH", "SF", 3_000_000_000, 0);
}

#[test]
fn missed_bytes_are_those_acknowledged() {
    let r = run(&after_handshake([
        c("A", 1001, 5001, "AAA"),
        c("A", 1014, 5001, "CCC"),
        s("A", 5001, 1017, ""),
        s("A", 5001, 1017, "").at(1500),
    ]));
    let one = &r.closed[0];
    assert_eq!((one.orig.missed_bytes, one.orig.gap_bytes, one.orig.gaps), (10, 10, 1));
    assert_eq!(one.history, "ShADaG");
    let r = run(&after_handshake([c("A", 1001, 5001, "AAA"), c("A", 1014, 5001, "CCC")]));
    assert_eq!((r.closed[0].orig.missed_bytes, r.closed[0].orig.gap_bytes), (0, 10));
}

#[test]
fn packets_and_bytes() {
    let r = run(&after_handshake([c("PA", 1001, 5001, "GET"), s("PA", 5001, 1004, "200").cut(5)]));
    let one = &r.closed[0];
    assert_eq!((one.orig.packets, one.orig.ip_bytes), (3, 123));
    assert_eq!((one.resp.packets, one.resp.ip_bytes), (2, 88));
    assert_eq!((one.resp.size, one.resp.truncated_packets, one.resp.truncated_bytes), (8, 1, 5));
    assert_eq!(one.reason, CloseReason::EndOfInput);
}
