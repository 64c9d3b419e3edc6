//! Order within a direction and between the two.
use super::*;

#[test]
fn in_order() {
    check(
        &after_handshake([
            c("PA", 1001, 5001, "GET"),
            s("A", 5001, 1004, ""),
            s("PA", 5001, 1004, "200"),
            c("FA", 1004, 5004, ""),
            s("FA", 5004, 1005, ""),
            c("A", 1005, 5005, ""),
        ]),
        &[">0 GET", "<0 200", ">end", "<end"],
    );
}

#[test]
fn out_of_order_is_put_in_order() {
    check(
        &after_handshake([
            c("A", 1007, 5001, "CC"),
            c("A", 1004, 5001, "BBB"),
            c("A", 1001, 5001, "AAA"),
            c("A", 1009, 5001, "DD"),
        ]),
        &[">0 AAA", ">3 BBB", ">6 CC", ">8 DD"],
    );
}

#[test]
fn duplicates_and_overlaps_are_absorbed() {
    let r = run(&after_handshake([
        c("A", 1001, 5001, "ABC"),
        c("A", 1001, 5001, "ABC"),
        c("A", 1002, 5001, "BCDE"),
        c("A", 1008, 5001, "HI"),
        c("A", 1007, 5001, "GHIJ"),
        c("A", 1006, 5001, "F"),
    ]));
    assert_eq!(r.log, [">0 ABC", ">3 DE", ">5 F", ">6 G", ">7 HI", ">9 J", "close EndOfInput"]);
    let orig = r.closed[0].orig;
    assert_eq!((orig.duplicate_packets, orig.duplicate_bytes, orig.delivered), (1, 7, 10));
}

#[test]
fn first_copy_wins_and_a_difference_is_told() {
    let r = run(&after_handshake([
        c("A", 1004, 5001, "DEF"),
        c("A", 1003, 5001, "cXXXg"),
        c("A", 1001, 5001, "AB"),
    ]));
    assert_eq!(r.log, [">0 AB", ">2 c", ">3 DEF", ">6 g", "close EndOfInput"]);
    assert_eq!(r.weirds, ["rexmit_inconsistency"]);
}

#[test]
fn sequence_numbers_wrap() {
    let isn = u32::MAX - 2;
    check(
        &[
            c("S", isn, 0, ""),
            s("SA", u32::MAX, isn + 1, ""),
            c("A", isn + 1, 0, "AB"),
            c("A", 3, 0, "EF"),
            c("A", 0, 0, "CDd"),
            s("A", 0, 5, "xy"),
        ],
        &[">0 AB", ">2 CDd", ">5 EF", "<0 xy"],
    );
}

#[test]
fn an_answer_waits_for_the_question() {
    check(&after_handshake([s("PA", 5001, 1004, "200"), c("PA", 1001, 5001, "GET")]), &[">0 GET", "<0 200"]);
    // Pipelined requests stay in front of the answers that they were sent before.
    check(
        &after_handshake([
            c("PA", 1001, 5001, "one"),
            c("PA", 1007, 5004, "three"),
            s("PA", 5001, 1004, "ONE"),
            c("PA", 1004, 5001, "two"),
            s("PA", 5004, 1007, "TWO"),
        ]),
        &[">0 one", "<0 ONE", ">3 two", ">6 three", "<3 TWO"],
    );
}

#[test]
fn fin_is_reached_in_order() {
    check(
        &after_handshake([
            s("FA", 5004, 1004, ""),
            s("PA", 5001, 1004, "200"),
            c("PA", 1001, 5001, "GET"),
            c("A", 1004, 5005, ""),
        ]),
        &[">0 GET", "<0 200", "<end"],
    );
}

#[test]
fn a_retransmission_with_a_newer_acknowledgement_does_not_deadlock() {
    // The request's original was lost; its copy acknowledges the answer.
    check(
        &after_handshake([s("PA", 5001, 1004, "200"), c("A", 1004, 5004, ""), c("PA", 1001, 5004, "GET")]),
        &[">0 GET", "<0 200"],
    );
}

#[test]
fn probes_are_absorbed() {
    check(
        &after_handshake([
            c("PA", 1001, 5001, "GET"),
            s("A", 5001, 1004, "").window(0),
            c("A", 1003, 5001, ""),
            c("A", 1003, 5001, "x"),
            s("A", 5001, 1004, ""),
            c("PA", 1004, 5001, "more"),
        ]),
        &[">0 GET", ">3 more"],
    );
}

#[test]
fn data_in_syn_and_behind_fin() {
    let r = run(&[
        c("S", 1000, 0, "GET"),
        s("SA", 5000, 1004, ""),
        c("A", 1004, 5001, "go"),
        c("FA", 1006, 5001, ""),
        c("A", 1006, 5001, "late"),
    ]);
    assert_eq!(r.log, [">0 GET", ">3 go", ">end", "close EndOfInput"]);
    assert_eq!(r.weirds, ["SYN_with_data"]);
    assert_eq!(r.closed[0].orig.dropped_bytes, 4);
}

#[test]
fn data_behind_a_reset_is_still_put_in_order() {
    check(
        &after_handshake([
            c("A", 1001, 5001, "AAA"),
            s("RA", 5001, 1004, ""),
            c("A", 1007, 5001, "CCC"),
            c("A", 1004, 5001, "BBB"),
        ]),
        &[">0 AAA", ">3 BBB", ">6 CCC", ">end", "<end"],
    );
}

#[test]
fn half_close_goes_on() {
    check(
        &after_handshake([
            c("FPA", 1001, 5001, "GET"),
            s("A", 5001, 1005, ""),
            s("PA", 5001, 1005, "one"),
            c("A", 1005, 5004, ""),
            s("PA", 5004, 1005, "two").at(60_000),
            s("FA", 5007, 1005, "").at(60_001),
        ]),
        &[">0 GET", ">end", "<0 one", "<3 two", "<end"],
    );
}

#[test]
fn ignored_bytes_are_counted() {
    let r = run_with(
        Config::default(),
        Recorder { ignore_after: Some(1), ..Recorder::default() },
        &after_handshake([
            c("A", 1001, 5001, "one"),
            s("A", 5001, 1004, "answer"),
            c("A", 1010, 5007, "ahead"),
            c("A", 1004, 5007, "two"),
            c("FA", 1015, 5007, ""),
        ]),
    );
    assert_eq!(r.log, [">0 one", "close EndOfInput"]);
    let closed = &r.closed[0];
    assert_eq!((closed.orig.delivered, closed.orig.opaque, closed.orig.size), (3, 8, 14));
    assert_eq!((closed.resp.delivered, closed.resp.opaque, closed.resp.size), (0, 6, 6));
    assert_eq!(closed.history, "ShADdTF");
}

#[test]
fn ignoring_lets_go_of_what_is_held() {
    let r = run_with(
        Config::default(),
        Recorder { ignore_after: Some(1), ..Recorder::default() },
        &after_handshake([
            c("A", 1004, 5001, "two"),
            c("A", 1010, 5001, "four"),
            c("A", 1001, 5001, "oneTW"),
        ]),
    );
    assert_eq!(r.log, [">0 one", "close EndOfInput"]);
    assert_eq!(r.closed[0].orig.opaque, 9);
}

#[test]
fn two_ends_of_one_stream() {
    let r = run(&[
        s("FPA", 0x1_b9b9, 0xb9b9 + (1 << 29), &"x".repeat(370)),
        s("F", 0x1_b9b9, 0, "").at(1103),
        s("FPA", 0xa0a + u32::MAX / 2, 0x9797 + 65536, &"x".repeat(100)).at(1061),
        s("FPA", 0xb9 + (1 << 29), 0x4100 + (1 << 29), &"x".repeat(976)).cut(15).at(1103),
    ]);
    assert_eq!(r.log.len(), 3, "{:?}", r.log);
    assert_eq!((r.closed[0].resp.delivered, r.closed[0].resp.dropped_bytes), (370, 1076));
}
