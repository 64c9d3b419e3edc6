//! Fragments in, datagrams out.
use crate::{DefragConfig, DefragStats, Defragmenter};
use harken_wire::{Encap, Fragment, FragmentHeader, Ip, Timestamp};

fn header(id: u32) -> FragmentHeader {
    FragmentHeader {
        src: Ip::v4([10, 0, 0, 1]),
        dst: Ip::v4([10, 0, 0, 2]),
        id,
        protocol: 6,
        ipv6: false,
        header_len: 20,
        encap: Encap::default(),
    }
}

fn fragment(id: u32, offset: u32, more: bool, payload: &[u8]) -> Fragment<'_> {
    Fragment { header: header(id), offset, more, payload, truncated: 0 }
}

/// Offset, whether more follow, payload.
type Part<'a> = (u32, bool, &'a str);

fn balanced(stats: &DefragStats) {
    let sum = stats.assembled + stats.refused.total() + stats.given_up + stats.waiting;
    assert_eq!(stats.fragments, sum, "{stats:?}");
}

/// Feeds the parts of one datagram; what comes out is `expected`.
#[track_caller]
fn check(parts: &[Part<'_>], expected: Option<&str>) -> DefragStats {
    let mut all = Defragmenter::new(DefragConfig::default());
    let mut out = None;
    for (offset, more, payload) in parts {
        if let Some(d) = all.push(Timestamp(0), &fragment(1, *offset, *more, payload.as_bytes())) {
            assert_eq!(d.header, &header(1));
            out = Some(String::from_utf8(d.payload.to_vec()).unwrap());
        }
        balanced(all.stats());
    }
    assert_eq!(out.as_deref(), expected);
    *all.stats()
}

#[test]
fn any_order() {
    let parts = [(0, true, "AAAAAAAA"), (8, true, "BBBBBBBBCCCCCCCC"), (24, false, "DD")];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let stats = check(&order.map(|i| parts[i]), Some("AAAAAAAABBBBBBBBCCCCCCCCDD"));
        assert_eq!((stats.datagrams, stats.assembled, stats.bytes, stats.waiting), (1, 3, 0, 0));
    }
}

#[test]
fn the_first_that_arrived_wins() {
    let stats = check(
        &[(8, true, "BBBBBBBB"), (0, true, "aaaaaaaaaaaaaaaacccccccc"), (24, false, "D")],
        Some("aaaaaaaaBBBBBBBBccccccccD"),
    );
    assert_eq!((stats.overlaps, stats.inconsistent), (1, 1));
    // An exact copy is an overlap that says the same.
    let stats = check(&[(0, true, "AAAAAAAA"), (0, true, "AAAAAAAA"), (8, false, "B")], Some("AAAAAAAAB"));
    assert_eq!((stats.overlaps, stats.inconsistent), (1, 0));
}

#[test]
fn teardrop() {
    // The second fragment lies within the first.
    let stats = check(&[(0, true, "AAAAAAAABBBBBBBB"), (8, false, "bbbb")], None);
    assert_eq!((stats.contradictory, stats.given_up), (1, 2));
}

#[test]
fn two_ends() {
    check(&[(8, false, "B"), (8, false, "BB")], None);
    check(&[(8, false, "B"), (16, true, "CCCCCCCC")], None);
}

#[test]
fn holes_stay_holes() {
    let stats = check(&[(0, true, "AAAAAAAA"), (16, false, "C")], None);
    assert_eq!(stats.waiting, 2);
}

#[test]
fn refused_by_name() {
    let big = "x".repeat(16);
    let refused = |parts: &[Part<'_>]| check(parts, None).refused;
    assert_eq!(refused(&[(0, true, "")]).empty, 1);
    assert_eq!(refused(&[(65_528, false, &big)]).oversize, 1);
    assert_eq!(refused(&[(u32::MAX - 4, false, &big)]).oversize, 1);
    assert_eq!(refused(&[(0, true, "1234567")]).unaligned, 1);
    let mut all = Defragmenter::new(DefragConfig::default());
    let mut cut = fragment(1, 0, true, b"12345678");
    cut.truncated = 8;
    assert!(all.push(Timestamp(0), &cut).is_none());
    assert_eq!(all.stats().refused.truncated, 1);
}

#[test]
fn scattered() {
    let parts: Vec<Part<'_>> = (0..200).map(|i| (i * 16, true, "12345678")).collect();
    let stats = check(&parts, None);
    assert_eq!((stats.scattered, stats.given_up, stats.waiting), (1, 129, 71));
}

#[test]
fn limits() {
    let config = DefragConfig { max_datagrams: 3, max_bytes: 100, timeout: 50 };
    let mut all = Defragmenter::new(config);
    for id in 0..10 {
        assert!(all.push(Timestamp(0), &fragment(id, 0, true, b"12345678")).is_none());
    }
    assert_eq!((all.stats().evicted, all.stats().waiting), (7, 3));
    // The newest three still complete.
    assert!(all.push(Timestamp(49), &fragment(9, 8, false, b"x")).is_some());
    assert!(all.push(Timestamp(50), &fragment(8, 8, false, b"x")).is_none());
    assert_eq!(all.stats().timed_out, 2);
    // A fragment far out costs what lies before it.
    assert!(all.push(Timestamp(60), &fragment(20, 2000, false, b"x")).is_none());
    assert_eq!(all.stats().bytes, 0);
    // The clock steps back.
    all.push(Timestamp(1000), &fragment(30, 0, true, b"12345678"));
    all.advance(Timestamp(10));
    assert_eq!(all.stats().waiting, 0);
    balanced(all.stats());
}

#[test]
fn datagrams_are_told_apart() {
    let mut all = Defragmenter::new(DefragConfig::default());
    let mut other = fragment(1, 8, false, b"x");
    other.header.encap.vni = Some(7);
    assert!(all.push(Timestamp(0), &fragment(1, 0, true, b"12345678")).is_none());
    assert!(all.push(Timestamp(0), &other).is_none());
    assert!(all.push(Timestamp(0), &fragment(2, 8, false, b"x")).is_none());
    assert!(all.push(Timestamp(0), &fragment(1, 8, false, b"x")).is_some());
}
