//! Every variant of the formats, built byte by byte.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: what is unexpected fails the test"
)]
mod support;

use harken_capture::{Merge, PcapWriter, Precision};
use harken_wire::Timestamp;
use support::{Order, Owned, gzip, owned, read, reader, skippable, zstd};

const S: u64 = 1_000_000_000;

fn check(what: &str, file: &[u8], expected: &[Owned]) {
    let (packets, damage) = read(file);
    assert_eq!(packets, expected, "{what}");
    assert!(damage.is_none(), "{what}: {}", damage.unwrap());
}

#[test]
fn pcap_variants() {
    for order in [Order::Big, Order::Little] {
        for (what, magic, fraction, nanos) in [
            ("microseconds", 0xa1b2_c3d4, 250_000, 250_000_000),
            ("nanoseconds", 0xa1b2_3c4d, 250_000, 250_000),
            ("more than a second of microseconds", 0xa1b2_c3d4, 2_000_001, 2_000_001_000),
        ] {
            let file = [
                order.pcap(magic, 65535, 1),
                order.record(10, fraction, 3, b"abc"),
                order.record(11, 0, 1500, b""),
                order.record(u32::MAX, 0, 9, b"cut"),
            ]
            .concat();
            let expected = [
                owned(10 * S + nanos, 1, b"abc", 3),
                owned(11 * S, 1, b"", 1500),
                owned(u64::from(u32::MAX) * S, 1, b"cut", 9),
            ];
            check(&format!("{what}, {order:?}"), &file, &expected);
        }
        let mut record = order.record(10, 5, 3, b"");
        record[8..12].copy_from_slice(&order.u32(3));
        let file = [order.pcap(0xa1b2_cd34, 65535, 1), record, vec![9; 8], b"abc".to_vec()].concat();
        check("modified", &file, &[owned(10 * S + 5000, 1, b"abc", 3)]);
    }
}

#[test]
fn pcap_headers() {
    let order = Order::Little;
    let long = vec![7; 300_000];
    let record = order.record(1, 0, 300_000, &long);
    for (what, header, packet) in [
        ("no snapshot length", order.pcap(0xa1b2_c3d4, 0, 1), owned(S, 1, &[7; 300], 300)),
        ("check sequence bits", order.pcap(0xa1b2_c3d4, 65535, 0x2400_0071), owned(S, 113, &[7; 300], 300)),
        ("more than the snapshot length", order.pcap(0xa1b2_c3d4, 96, 1), owned(S, 1, &[7; 300], 300)),
    ] {
        check(what, &[header, order.record(1, 0, 300, &[7; 300])].concat(), &[packet]);
    }
    let file = [order.pcap(0xa1b2_c3d4, 400_000, 1), record.clone(), record].concat();
    check("a packet above the window", &file, &[owned(S, 1, &long, 300_000), owned(S, 1, &long, 300_000)]);
    check("no packet", &order.pcap(0xa1b2_c3d4, 0, 1), &[]);
}

#[test]
fn pcapng_blocks() {
    for order in [Order::Big, Order::Little] {
        let offset = if order == Order::Big { (-5i64).to_be_bytes() } else { (-5i64).to_le_bytes() };
        let file = [
            order.section(),
            order.interface(1, 0, &[(2, b"eth0"), (9, &[9]), (0, b"")]),
            order.interface(101, 4, &[(14, &offset)]),
            order.block(4, b"names"),
            order.enhanced(0, 3 * S + 7, 4, b"nano"),
            order.enhanced(1, 9_000_001, 90, b"micro"),
            order.block(0x8000_0bad, &vec![1; 700_000]),
            order.obsolete(1, 8_000_000, 3, b"old"),
            order.simple(6, b"simple"),
            order.block(5, b"statistics.."),
        ]
        .concat();
        let expected = [
            owned(3 * S + 7, 1, b"nano", 4),
            owned(4 * S + 1000, 101, b"micro", 90),
            owned(3 * S, 101, b"old", 3),
            owned(3 * S, 1, b"simple", 6),
        ];
        check(&format!("{order:?}"), &file, &expected);
    }
}

#[test]
fn pcapng_sections() {
    let of = |order: Order, dlt| {
        [order.section(), order.interface(dlt, 0, &[]), order.enhanced(0, 1_000_000, 1, b"x")].concat()
    };
    let file =
        [of(Order::Big, 1), of(Order::Little, 113), Order::Big.section(), of(Order::Little, 12)].concat();
    check("sections", &file, &[owned(S, 1, b"x", 1), owned(S, 113, b"x", 1), owned(S, 12, b"x", 1)]);
    let order = Order::Little;
    let file = [order.section(), order.interface(1, 3, &[]), order.simple(9, b"abc")].concat();
    check("a simple packet cut by the snapshot length", &file, &[owned(0, 1, b"abc", 9)]);
}

#[test]
fn pcapng_clocks() {
    let order = Order::Little;
    for (resolution, ticks, nanos) in [
        (0, 3, 3 * S),
        (3, 1500, 1500 * 1_000_000),
        (6, 1, 1000),
        (9, 1, 1),
        (12, 5_999, 5),
        (30, u64::MAX, 0),
        (127, u64::MAX, 0),
        (0x80, 2, 2 * S),
        (0x80 | 10, 1536, 1_500_000_000),
        (0x80 | 32, 1 << 31, 500_000_000),
        (0x80 | 127, u64::MAX, 0),
        (0, u64::MAX, u64::MAX),
    ] {
        let interface = order.interface(1, 0, &[(9, &[resolution])]);
        let file = [order.section(), interface, order.enhanced(0, ticks, 1, b"x")].concat();
        check(&format!("resolution {resolution:#x}"), &file, &[owned(nanos, 1, b"x", 1)]);
    }
}

#[test]
fn compressed() {
    let order = Order::Little;
    let data: Vec<u8> = (0..200_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let header = order.pcap(0xa1b2_c3d4, 262_144, 1);
    let records: Vec<_> = (0..20).map(|n| order.record(n, 0, 9_999, &data[..9_999])).collect();
    let expected: Vec<_> = (0..20).map(|n| owned(n * S, 1, &data[..9_999], 9_999)).collect();
    let plain = [header, records.concat()].concat();
    let (front, back) = plain.split_at(77_777);
    for (what, file) in [
        ("plain", plain.clone()),
        ("gzip", gzip(&plain)),
        ("two gzip members", [gzip(front), gzip(back)].concat()),
        ("zstd", zstd(&plain)),
        ("two zstd frames", [zstd(front), zstd(back)].concat()),
        ("zstd, skippable frames", [skippable(b"12345"), zstd(front), skippable(b""), zstd(back)].concat()),
    ] {
        check(what, &file, &expected);
        let mut reader = reader(&file).unwrap();
        while reader.next_packet().unwrap().is_some() {
            assert!(reader.position() <= reader.size().unwrap());
        }
        assert_eq!(reader.position(), file.len() as u64, "{what}: all of the file is done at its end");
        assert_eq!(reader.packets(), 20);
    }
}

#[test]
fn written_files_are_read_back() {
    for (precision, nanos) in [(Precision::Micro, 123_456_000), (Precision::Nano, 123_456_789)] {
        let mut writer = PcapWriter::new(Vec::new(), precision, 113).unwrap();
        writer.write(Timestamp::new(7, 123_456_789), b"one", 3).unwrap();
        writer.write(Timestamp::new(8, 0), b"two", 200).unwrap();
        let file = writer.finish().unwrap();
        check("written", &file, &[owned(7 * S + nanos, 113, b"one", 3), owned(8 * S, 113, b"two", 200)]);
    }
    let mut writer = PcapWriter::new(Vec::new(), Precision::Nano, 1).unwrap();
    assert!(writer.write(Timestamp::new(1 << 32, 0), b"", 0).is_err(), "after 2106");
    assert!(
        writer.write(Timestamp(0), &vec![0; (256 << 10) + 1], 0).is_err(),
        "longer than any reader takes"
    );
}

#[test]
fn merged_by_time() {
    let order = Order::Little;
    let file = |times: &[u32], name: &[u8]| {
        let mut file = order.pcap(0xa1b2_c3d4, 0, 1);
        file.extend(times.iter().flat_map(|t| order.record(*t, 0, 1, name)));
        file
    };
    for (what, files, expected) in [
        ("nothing", vec![], ""),
        ("one", vec![file(&[3, 1, 2], b"a")], "a3 a1 a2"),
        ("interleaved", vec![file(&[1, 4, 6], b"a"), file(&[2, 3, 5, 7], b"b")], "a1 b2 b3 a4 b5 a6 b7"),
        ("equal times", vec![file(&[1, 2], b"a"), file(&[1, 2], b"b")], "a1 b1 a2 b2"),
        ("an empty one", vec![file(&[], b"a"), file(&[1], b"b")], "b1"),
        ("a clock that stepped back", vec![file(&[5, 1, 6], b"a"), file(&[4, 7], b"b")], "b4 a5 a1 a6 b7"),
    ] {
        let mut merge = Merge::new(files.iter().map(|f| reader(f).unwrap()).collect());
        let mut seen = Vec::new();
        while let Some((index, packet)) = merge.next_packet().unwrap() {
            assert_eq!(packet.data, [b"a", b"b"][index]);
            seen.push(format!("{}{}", char::from(packet.data[0]), packet.ts.0 / S));
        }
        assert_eq!(seen.join(" "), expected, "{what}");
    }
}

#[test]
fn merging_goes_on_behind_a_damaged_file() {
    let order = Order::Little;
    let good =
        [order.pcap(0xa1b2_c3d4, 0, 1), order.record(1, 0, 1, b"a"), order.record(9, 0, 1, b"a")].concat();
    let mut bad = good.clone();
    bad.pop();
    for files in [[&good, &bad], [&bad, &good]] {
        let mut merge = Merge::new(files.iter().map(|f| reader(f).unwrap()).collect());
        let (mut packets, mut damages) = (0, 0);
        loop {
            match merge.next_packet() {
                Ok(Some(_)) => packets += 1,
                Ok(None) => break,
                Err(_) => damages += 1,
            }
        }
        assert_eq!((packets, damages), (3, 1));
    }
}
