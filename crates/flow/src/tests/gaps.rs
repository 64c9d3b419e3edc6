//! When bytes are given up.
use super::*;

/// `n` pure acknowledgements of the server, `step` ms apart, beginning at `from` ms.
fn acks(n: u64, from: u64, step: u64, ack: u32) -> impl Iterator<Item = Packet> {
    (0..n).map(move |i| s("A", 5001, ack, "").at(from + i * step))
}

/// "AAA" is there, "BBB" is missing, "CCC" comes at 1 ms.
fn lossy() -> Vec<Packet> {
    after_handshake([c("A", 1001, 5001, "AAA"), c("A", 1007, 5001, "CCC").at(1)])
}

#[test]
fn acknowledged_and_the_window_gone_by() {
    let packets = lossy().into_iter().chain(acks(32, 2, 1, 1010)).chain([c("A", 1010, 5001, "DDD").at(40)]);
    check(&packets.collect::<Vec<_>>(), &[">0 AAA", ">3 gap 3 acked", ">6 CCC", ">9 DDD"]);
}

#[test]
fn packets_alone_do_not_make_a_gap() {
    // 40 packets within 5 ms: the late one still finds its place.
    let mut packets = lossy();
    packets.extend((0..40).map(|_| s("A", 5001, 1010, "").at(5)));
    packets.push(c("A", 1004, 5001, "BBB").at(6));
    check(&packets, &[">0 AAA", ">3 BBB", ">6 CCC"]);
}

#[test]
fn time_alone_makes_a_gap_after_a_second() {
    let early = lossy().into_iter().chain([s("A", 5001, 1010, "").at(2), c("A", 1004, 5001, "BBB").at(900)]);
    check(&early.collect::<Vec<_>>(), &[">0 AAA", ">3 BBB", ">6 CCC"]);
    let late = lossy().into_iter().chain([s("A", 5001, 1010, "").at(2), c("A", 1010, 5001, "DDD").at(1002)]);
    check(&late.collect::<Vec<_>>(), &[">0 AAA", ">3 gap 3 acked", ">6 CCC", ">9 DDD"]);
}

#[test]
fn what_a_visible_peer_has_not_acknowledged_is_no_gap() {
    let packets = lossy()
        .into_iter()
        .chain(acks(100, 2, 100, 1004))
        .chain([c("A", 1004, 5001, "BBB").at(20_000), s("A", 5001, 1010, "").at(20_001)]);
    check(&packets.collect::<Vec<_>>(), &[">0 AAA", ">3 BBB", ">6 CCC"]);
}

#[test]
fn one_direction_needs_no_acknowledgement() {
    check(
        &[
            c("S", 1000, 0, ""),
            c("A", 1001, 5001, "AAA").at(1),
            c("A", 1007, 5100, "CCC").at(2),
            c("A", 1010, 5200, "DDD").at(2000),
        ],
        &[">0 AAA", ">3 gap 3 acked", ">6 CCC", ">9 DDD"],
    );
}

#[test]
fn the_end_of_a_message_that_only_an_acknowledgement_knows_of() {
    // The server answers a request whose end was lost.
    let packets = after_handshake([
        c("A", 1001, 5001, "GET").at(1),
        s("A", 5001, 1010, "200").at(2),
        c("A", 1010, 5004, "PUT").at(1100),
    ]);
    check(&packets, &[">0 GET", ">3 gap 6 acked", "<0 200", ">9 PUT"]);
}

#[test]
fn a_gap_is_declared_by_passing_time() {
    let mut table = FlowTable::new(Config::default());
    let mut r = Recorder::default();
    for p in after_handshake([c("A", 1001, 5001, "GET"), s("A", 5001, 1010, "200").at(2)]) {
        table.segment(Timestamp(p.at), &p.segment(), &mut r);
    }
    table.advance(Timestamp(900 * MS), &mut r);
    assert_eq!(r.log, [">0 GET"]);
    table.advance(Timestamp(1050 * MS), &mut r);
    assert_eq!(r.log, [">0 GET", ">3 gap 6 acked", "<0 200"]);
}

#[test]
fn a_lost_fin_is_no_gap() {
    check(
        &after_handshake([
            c("A", 1001, 5001, "GET").at(1),
            s("A", 5001, 1005, "200").at(2),
            s("FA", 5004, 1005, "").at(1500),
        ]),
        &[">0 GET", "<0 200", "<end"],
    );
    // What follows shows that it was data.
    check(
        &after_handshake([
            c("A", 1001, 5001, "GET").at(1),
            s("A", 5001, 1005, "200").at(2),
            c("A", 1005, 5004, "PUT").at(1500),
            s("A", 5004, 1008, "").at(1501),
            s("A", 5004, 1008, "").at(3000),
        ]),
        &[">0 GET", "<0 200", ">3 gap 1 acked", ">4 PUT"],
    );
}

#[test]
fn gaps_in_both_directions() {
    check(
        &after_handshake([
            c("A", 1001, 5001, "G1").at(1),
            c("A", 1005, 5001, "G3").at(1),
            s("A", 5001, 1007, "H1").at(2),
            s("A", 5005, 1007, "H3").at(2),
            c("A", 1007, 5007, "G4").at(3),
            s("A", 5007, 1009, "H4").at(1500),
        ]),
        &[">0 G1", ">2 gap 2 acked", ">4 G3", "<0 H1", "<2 gap 2 acked", "<4 H3", ">6 G4", "<6 H4"],
    );
}

#[test]
fn a_flow_that_ends_gives_up() {
    check(&lossy(), &[">0 AAA", ">3 gap 3 closed", ">6 CCC"]);
    check(
        &after_handshake([s("A", 5001, 1004, "200"), s("FA", 5010, 1004, "")]),
        &[">0 gap 3 closed", "<0 200", "<3 gap 6 closed", "<end"],
    );
}

#[test]
fn what_the_capture_has_cut_off_is_a_gap_at_once() {
    check(
        &after_handshake([c("A", 1001, 5001, "GET").cut(4), c("A", 1008, 5001, "PUT")]),
        &[">0 GET", ">3 gap 4 cut", ">7 PUT"],
    );
    // Held, then reached.
    check(
        &after_handshake([
            c("A", 1004, 5001, "BB").cut(2),
            c("A", 1008, 5001, "DD"),
            c("A", 1001, 5001, "AAA"),
        ]),
        &[">0 AAA", ">3 BB", ">5 gap 2 cut", ">7 DD"],
    );
    // A retransmission of less than what was cut off adds nothing.
    check(
        &after_handshake([c("FA", 1001, 5001, "GET").cut(4), c("A", 1002, 5001, "ET").cut(1)]),
        &[">0 GET", ">3 gap 4 cut", ">end"],
    );
}

#[test]
fn implausible_numbers_are_not_believed() {
    let r = run(&after_handshake([
        c("A", 1001, 5001, "AAA"),
        c("A", 1004u32.wrapping_add(3 << 29), 5001, "far"),
        s("A", 5001, 1004u32.wrapping_add(3 << 29), "ok"),
        c("A", 1004, 5003, "BBB").at(5000),
    ]));
    assert_eq!(r.log, [">0 AAA", "<0 ok", ">3 BBB", "close EndOfInput"]);
    assert_eq!(r.weirds, ["TCP_implausible_number"]);
    assert_eq!(r.closed[0].orig.dropped_bytes, 3);
}

#[test]
fn the_clock_may_step_back() {
    let hour = 3_600_000;
    check(
        &[
            c("S", 1000, 0, "").at(hour),
            s("SA", 5000, 1001, "").at(hour),
            c("A", 1001, 5001, "AAA").at(hour),
            c("A", 1007, 5001, "CCC").at(hour),
            s("A", 5001, 1010, "").at(10),
            s("A", 5001, 1010, "").at(2000),
            c("A", 1010, 5001, "DDD").at(2001),
        ],
        &[">0 AAA", ">3 gap 3 acked", ">6 CCC", ">9 DDD"],
    );
}

#[test]
fn a_start_that_has_no_room_to_wait() {
    // No page is free: the stream begins where it must, and every byte has its place.
    let config = Config { ooo_bytes_total: 2048, ..Config::default() };
    let packets = [c("", 1, 1, "").cut(15), c("", 0, 0, "abcde"), c("FA", 0x1_0000, 0, "y")];
    let r = run_with(config, Recorder::default(), &packets);
    let expected = [">m65535 abcde", ">m65540 gap 11 cut", ">m65551 gap 65520 budget", ">m131071 y", ">end"];
    assert_eq!(r.log[..5], expected);
}
