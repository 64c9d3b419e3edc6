//! Damaged files: all that is readable, then one report of where and what.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: what is unexpected fails the test"
)]
mod support;

use harken_capture::{ErrorKind, Reason, open};
use proptest::prelude::*;
use std::path::Path;
use support::{Order, gzip, owned, read, reader, zstd};

const LITTLE: Order = Order::Little;

fn pcap() -> Vec<u8> {
    let header = LITTLE.pcap(0xa1b2_c3d4, 65535, 1);
    [header, LITTLE.record(1, 0, 3, b"one"), LITTLE.record(2, 0, 9, b"second"), LITTLE.record(3, 0, 0, b"")]
        .concat()
}

fn pcapng() -> Vec<u8> {
    let front = [LITTLE.section(), LITTLE.interface(1, 0, &[]), LITTLE.enhanced(0, 1, 3, b"one")].concat();
    let back =
        [LITTLE.block(9, b"unknown"), LITTLE.simple(6, b"second"), LITTLE.obsolete(0, 3, 0, b"")].concat();
    [front, back].concat()
}

#[test]
fn a_cut_file_gives_what_is_whole() {
    for file in [pcap(), pcapng()] {
        let (whole, damage) = read(&file);
        assert!(damage.is_none() && whole.len() == 3);
        let (mut clean, mut opened) = (0, 0);
        for cut in 0..file.len() {
            let Ok(mut reader) = reader(&file[..cut]) else { continue };
            opened += 1;
            let mut packets = 0;
            let damage = loop {
                match reader.next_packet() {
                    Ok(Some(packet)) => {
                        assert_eq!(&support::Owned::from(packet), &whole[packets]);
                        packets += 1;
                    }
                    Ok(None) => break None,
                    Err(damage) => break Some(damage),
                }
            };
            match damage {
                None => clean += 1,
                Some(damage) => {
                    assert!(damage.offset <= cut as u64, "{damage}");
                    assert_eq!(damage.packets, packets as u64, "{damage}");
                    assert!(matches!(damage.reason, Reason::Truncated { .. }), "{damage}");
                }
            }
        }
        assert!(opened + 24 >= file.len());
        // Only between two records a cut cannot be seen: 3 for pcap, 6 for pcapng.
        assert_eq!(clean, if file.starts_with(&[0x0a]) { 5 } else { 3 });
    }
}

#[test]
fn damaged_records() {
    let header = LITTLE.pcap(0xa1b2_c3d4, 65535, 1);
    let lying = |length: u32| [LITTLE.u32s(&[0, 0, length, length]), vec![0; 100]].concat();
    let framed = |block: Vec<u8>| [LITTLE.section(), LITTLE.interface(1, 0, &[]), block].concat();
    let mut trailer = LITTLE.enhanced(0, 0, 3, b"abc");
    let (at, length) = (trailer.len() - 4, trailer.len() as u32);
    trailer[at] += 4;
    let start = (LITTLE.section().len() + LITTLE.interface(1, 0, &[]).len()) as u64;
    let mut overlong = LITTLE.enhanced(0, 0, 3, b"abc");
    overlong[20] = 200;
    let block = |length: u32| framed(LITTLE.u32s(&[6, length, 0, 0, 0, 0, 0, 0, 0, 0]));
    let mut many = LITTLE.section();
    (0..4097).for_each(|_| many.extend(LITTLE.interface(1, 0, &[])));
    let many_at = (many.len() - LITTLE.interface(1, 0, &[]).len()) as u64;
    let second = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut section = LITTLE.section();
        change(&mut section);
        framed(section)
    };
    for (what, file, offset, reason) in [
        (
            "length",
            [header.clone(), lying(1 << 30)].concat(),
            24,
            Reason::CaptureLength { length: 1 << 30, limit: 256 << 10 },
        ),
        ("end", [header, lying(101)].concat(), 24, Reason::Truncated { needed: 117, present: 116 }),
        ("trailer", framed(trailer), start, Reason::BlockTrailer { head: length, tail: length + 4 }),
        ("room", framed(overlong), start, Reason::PacketLength { captured: 200, room: 16 }),
        ("short block", block(8), start, Reason::BlockLength { block: 6, length: 8 }),
        ("odd block", block(33), start, Reason::BlockLength { block: 6, length: 33 }),
        ("long block", block(1 << 31), start, Reason::BlockLength { block: 6, length: 1 << 31 }),
        ("no fields", framed(LITTLE.block(6, b"")), start, Reason::BlockLength { block: 6, length: 12 }),
        ("interface", framed(LITTLE.enhanced(1, 0, 0, b"")), start, Reason::Interface { id: 1, known: 1 }),
        ("interfaces", many, many_at, Reason::TooManyInterfaces { limit: 4096 }),
        ("magic", second(&|s| s[8] = 0), start, Reason::ByteOrder { magic: [0, 0x3c, 0x2b, 0x1a] }),
        ("version", second(&|s| s[12] = 2), start, Reason::Version { major: 2, minor: 0 }),
        ("section", second(&|s| s[4] = 24), start, Reason::BlockLength { block: 0x0a0d_0d0a, length: 24 }),
    ] {
        let (packets, damage) = read(&file);
        let damage = damage.unwrap_or_else(|| panic!("{what}: not seen"));
        assert_eq!((damage.offset, &damage.reason), (offset, &reason), "{what}: {damage}");
        assert_eq!(damage.packets, packets.len() as u64, "{what}");
        assert_eq!(damage.compressed_offset, None, "{what}");
    }
}

/// Where the framing of a pcapng file holds, a bad block costs itself only.
#[test]
fn reading_goes_on_behind_a_bad_block() {
    let good = LITTLE.enhanced(0, 1000, 3, b"abc");
    let bad = LITTLE.enhanced(7, 0, 0, b"");
    let file = [LITTLE.section(), LITTLE.interface(1, 0, &[]), bad.clone(), good.clone(), bad, good].concat();
    let (packets, damage) = read(&file);
    assert_eq!(packets, vec![owned(1_000_000, 1, b"abc", 3); 2]);
    let damage = damage.unwrap();
    assert_eq!((damage.packets, damage.reason), (0, Reason::Interface { id: 7, known: 1 }));
}

#[test]
fn broken_compression() {
    let data: Vec<u8> = (0..50_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut plain = LITTLE.pcap(0xa1b2_c3d4, 0, 1);
    (0..20).for_each(|n| plain.extend(LITTLE.record(n, 0, 50_000, &data)));
    for packed in [gzip(&plain), zstd(&plain)] {
        for cut in [packed.len() - 1, packed.len() / 2, packed.len() / 3] {
            let (packets, damage) = read(&packed[..cut]);
            let damage = damage.expect("a cut stream is damaged even when all packets came out");
            assert!(matches!(damage.reason, Reason::Compression(_)), "{damage}");
            assert!(damage.compressed_offset.is_some_and(|at| at <= cut as u64), "{damage}");
            assert!(packets.len() <= 20);
        }
        let (packets, _) = read(&packed[..packed.len() - 1]);
        assert_eq!(packets.len(), 20, "what is whole comes out");
    }
    let garbage = [gzip(&plain), b"garbage".to_vec()].concat();
    let (packets, damage) = read(&garbage);
    assert_eq!(packets.len(), 20);
    assert!(matches!(damage.unwrap().reason, Reason::Compression(_)));
    // A frame that asks for a window of 2 GiB is refused before anything is allocated by it.
    let huge = [&[0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8][..], &[0; 64]].concat();
    let error = reader(&huge).err().unwrap().to_string();
    assert!(error.contains("above the limit") && error.contains("zstd -dc"), "{error}");
}

#[test]
fn files_that_are_no_captures() {
    for (file, expected) in [
        (&b""[..], "test: is empty: not even a capture file's header is there"),
        (b"hello world, this is a text file", "starts with 68 65 6c 6c 6f 20 77 6f; expected pcap or pcapng"),
        (b"a", "starts with 61;"),
        (b"\xfd7zXZ\0", "is an xz file, which is not read here: decompress it first"),
        (b"snoop\0\0\0\0\0\0\x02", "is a Solaris snoop capture"),
        (b"\xd4\xc3\xb2\xa1\x02\0", "its header is damaged: the file ends inside a record: 6 of at least 24"),
        (b"\x0a\x0d\x0d\x0a\x1c\0\0\0text", "starts with 0a 0d 0d 0a"),
        (&[&b"\xd4\xc3\xb2\xa1\x09"[..], &[0; 19]].concat(), "version 9.0 of the format is not known"),
        (&gzip(b""), "is empty"),
        (&gzip(b"text")[..12], "the compressed stream is broken: it ends early"),
    ] {
        let error = reader(file).err().unwrap_or_else(|| panic!("{file:?}: opened")).to_string();
        assert!(error.contains(expected), "{error}");
    }
    let error = open(Path::new("/nonexistent/x.pcap")).err().unwrap();
    assert!(matches!(error.kind, ErrorKind::Io(_)));
    assert!(error.to_string().starts_with("/nonexistent/x.pcap: cannot be read: "), "{error}");
    let error = open(Path::new("/")).err().unwrap().to_string();
    assert!(error.starts_with("/: "), "{error}");
}

/// Reads whatever can be read; nothing may panic, and it must end.
fn survives(file: &[u8]) {
    let Ok(mut reader) = reader(file) else { return };
    let mut bytes = 0;
    while let Ok(Some(packet)) = reader.next_packet() {
        bytes += packet.data.len();
    }
    assert!(bytes <= file.len().max(16 << 20));
    assert!(reader.next_packet().is_ok_and(|p| p.is_none()));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(kind in 0..8usize, bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let starts = [
            vec![], LITTLE.pcap(0xa1b2_c3d4, 0, 1), Order::Big.pcap(0xa1b2_3c4d, 0, 1),
            LITTLE.pcap(0xa1b2_cd34, u32::MAX, 1), LITTLE.section(),
            [Order::Big.section(), Order::Big.interface(1, 0, &[])].concat(),
            vec![0x1f, 0x8b, 8, 0], vec![0x28, 0xb5, 0x2f, 0xfd],
        ];
        survives(&[starts[kind].as_slice(), &bytes].concat());
    }

    #[test]
    fn mutated_captures(
        kind in 0..4usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut file = match kind {
            0 => pcap(),
            1 => pcapng(),
            2 => gzip(&pcap()),
            _ => zstd(&pcapng()),
        };
        for (at, byte) in changes {
            let at = at.index(file.len());
            file[at] = byte;
        }
        survives(&file);
    }
}
