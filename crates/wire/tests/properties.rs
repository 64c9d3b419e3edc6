//! What must hold for any input: no panic, balanced books, truncation told as it is, and agreement with an
//! independent decoder and packet builder.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod build;

use build::*;
use etherparse::{NetSlice, PacketBuilder, SlicedPacket, TransportSlice};
use harken_wire::{Config, Decoded, Decoder, Ip, LinkType, Reason, Segment};
use proptest::collection::vec;
use proptest::prelude::*;

const LINKS: &[LinkType] = &[
    LinkType::Ethernet,
    LinkType::LinuxSll,
    LinkType::LinuxSll2,
    LinkType::RawIp,
    LinkType::Null,
    LinkType::Loop,
    LinkType::Ppp,
    LinkType::PppEther,
    LinkType::Chdlc,
    LinkType::Mpls,
    LinkType::Wlan,
    LinkType::WlanRadiotap,
    LinkType::Nflog,
];

/// The inner segment of [`build`] in every tunnel, by name.
fn tunnelled() -> Vec<(&'static str, Bytes)> {
    let (v4, v6, frame) = (inner_ipv4(), inner_ipv6(), inner_frame());
    let aws = [option(0x0108, 1, &[1; 8]), option(0x0108, 3, &[2; 4])].concat();
    let mirror = ipv4(OUTER, 17, &udp(4789, &vxlan(8, &frame)));
    vec![
        ("ethernet", frame.clone()),
        ("qinq", eth(0x88a8, &vlan(5, 0x8100, &vlan(6, 0x0800, &v4)))),
        ("mpls", eth(0x8847, &[&[0, 0, 1, 64], &v4[..]].concat())),
        ("pppoe", eth(0x8864, &[&[0x11, 0, 0, 1, 0, 47, 0, 0x21], &v4[..]].concat())),
        ("ipv6 extensions", eth(0x86dd, &ipv6(0, &extension(60, &extension(6, &tcp(b"hello")))))),
        ("ipv6 atomic fragment", eth(0x86dd, &ipv6(44, &ipv6_fragment(6, 0, &tcp(b"hello"))))),
        ("vxlan", outer_udp(4789, &vxlan(1, &frame))),
        ("vxlan gpe", outer_udp(4790, &vxlan_gpe(0x0c, 2, 1, &v6))),
        ("geneve", outer_udp(6081, &geneve(0x6558, 1, &aws, &frame))),
        ("geneve around vxlan", outer_udp(6081, &geneve(0x0800, 0, &aws, &mirror))),
        ("gre", outer(47, &gre(0xb000, 0x0800, 5, &v4))),
        ("nvgre", outer(47, &gre(0x2000, 0x6558, 0x500, &frame))),
        ("erspan 1", outer(47, &gre(0, 0x88be, 0, &frame))),
        (
            "erspan 2",
            outer(47, &gre(0x1000, 0x88be, 0, &[&[0x10, 0, 0, 1, 0, 0, 0, 0], &frame[..]].concat())),
        ),
        (
            "erspan 3",
            outer(
                47,
                &gre(0x1000, 0x22eb, 0, &[&[0x20, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0], &frame[..]].concat()),
            ),
        ),
        ("4 in 4", outer(4, &v4)),
        ("6 in 4", outer(41, &v6)),
    ]
}

fn segment<'p>(decoder: &mut Decoder, frame: &'p [u8]) -> Option<Segment<'p>> {
    match decoder.decode(LinkType::Ethernet, frame) {
        Ok(Decoded::Tcp(segment)) => Some(segment),
        _ => None,
    }
}

/// Cut at any byte, a packet either gives its segment with the missing bytes counted, or stops.
#[test]
fn truncation_at_every_byte() {
    for (name, frame) in tunnelled() {
        let mut decoder = Decoder::default();
        let whole = segment(&mut decoder, &frame).unwrap();
        assert_eq!((whole.payload, whole.truncated), (&b"hello"[..], 0), "{name}");
        let tcp_header_end = frame.len() - 5;
        for length in 0..frame.len() {
            let cut = segment(&mut decoder, &frame[..length]);
            assert_eq!(cut.is_some(), length >= tcp_header_end, "{name} cut to {length}");
            if let Some(cut) = cut {
                assert_eq!(cut.payload, &b"hello"[..length - tcp_header_end], "{name} cut to {length}");
                assert_eq!(cut.payload.len() + cut.truncated as usize, 5, "{name} cut to {length}");
                assert_eq!((cut.ip_len, cut.encap), (whole.ip_len, whole.encap), "{name} cut to {length}");
            }
        }
        let stats = decoder.stats();
        assert_eq!(stats.frames.received(), frame.len() as u64 + 1, "{name}");
        assert_eq!((stats.truncated_packets, stats.truncated_bytes), (5, 15), "{name}");
    }
}

/// A wrong checksum of any header that has one is refused, if asked to look; a cut packet's is not known.
#[test]
fn checksums() {
    let strict = || Decoder::new(Config { verify_checksums: true, ..Config::default() });
    let mut inner = Vec::new();
    let builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64);
    builder.tcp(1, 80, 7, 8192).write(&mut inner, b"hello").unwrap();
    let mut inner_v6 = Vec::new();
    let builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv6(v6(1), v6(2), 64);
    builder.tcp(1, 80, 7, 8192).write(&mut inner_v6, b"hello").unwrap();
    let mut mirrored = Vec::new();
    let builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64);
    builder.udp(9, 4789).write(&mut mirrored, &vxlan(1, &inner)).unwrap();
    // A GRE header of C alone; its checksum is that of RFC 2784.
    let mut in_gre = gre(0x8000, 0x6558, 0, &inner_v6);
    let checksum = !in_gre.chunks(2).fold(0_u32, |sum, pair| {
        let sum = sum + (u32::from(pair[0]) << 8) + pair.get(1).map_or(0, |byte| u32::from(*byte));
        (sum & 0xffff) + (sum >> 16)
    }) as u16;
    in_gre[4..6].copy_from_slice(&checksum.to_be_bytes());
    let in_gre = outer(47, &in_gre);

    // Name, frame, checksums verified, and bytes that a checksum covers.
    let cases = [
        ("ipv4", &inner, 2, 14 + 12..inner.len()),
        ("ipv6", &inner_v6, 1, 14 + 8..inner_v6.len()),
        ("vxlan", &mirrored, 4, 14 + 12..mirrored.len()),
        ("gre", &in_gre, 3, 14 + 12..in_gre.len()),
    ];
    for (name, frame, count, covered) in cases {
        let mut decoder = strict();
        assert!(segment(&mut decoder, frame).is_some(), "{name}");
        assert_eq!((decoder.stats().checksums_good, decoder.stats().checksums_bad), (count, 0), "{name}");
        for position in covered {
            let mut wrong = frame.clone();
            wrong[position] ^= 0x10;
            let mut decoder = strict();
            let refused = decoder.decode(LinkType::Ethernet, &wrong).is_err();
            assert!(refused, "{name}: byte {position} changed");
            if Decoder::default()
                .decode(LinkType::Ethernet, &wrong)
                .is_ok_and(|d| matches!(d, Decoded::Tcp(_)))
            {
                assert_eq!(
                    decoder.stats().frames.ignored.by_reason(Reason::Checksum),
                    1,
                    "{name} {position}"
                );
                assert_eq!(decoder.stats().checksums_bad, 1, "{name} {position}");
            }
        }
        let mut decoder = strict();
        let cut = segment(&mut decoder, &frame[..frame.len() - 2]).unwrap();
        assert_eq!(cut.truncated, 2, "{name}");
        assert_eq!(decoder.stats().checksums_bad, 0, "{name}");
        assert!(decoder.stats().checksums_unverified > 0, "{name}");
    }
    // Off by default, and then nothing is counted.
    let mut wrong = inner.clone();
    *wrong.last_mut().unwrap() ^= 1;
    let mut decoder = Decoder::default();
    assert!(segment(&mut decoder, &wrong).is_some());
    let stats = decoder.stats();
    assert_eq!((stats.checksums_good, stats.checksums_bad, stats.checksums_unverified), (0, 0, 0));
}

/// Fragments of a VXLAN datagram and of the TCP packet in it lead to the same segment as the whole.
#[test]
fn resume_after_fragments() {
    let inner = tcp(b"hello");
    let inner_parts = [(0, 0x2000, &inner[..16]), (16, 2, &inner[16..])];
    let datagrams = inner_parts.map(|(_, field, part)| {
        let frame = eth(0x0800, &ipv4_with(INNER, part.len() as u16 + 20, (7, field), 6, &[], part));
        udp(4789, &vxlan(9, &frame))
    });
    let mut decoder = Decoder::default();
    let mut payload = Vec::new();
    let mut header = None;
    for (datagram, (offset, field, part)) in datagrams.iter().zip(inner_parts) {
        // The outer datagram arrives in two fragments as well.
        let (first, second) = datagram.split_at(24);
        let mut whole = Vec::new();
        let mut outer_header = None;
        for (field, part) in [(0x2000, first), (3, second)] {
            let packet = ipv4_with(OUTER, part.len() as u16 + 20, (8, field), 17, &[], part);
            let frame = eth(0x0800, &packet);
            let Ok(Decoded::Fragment(fragment)) = decoder.decode(LinkType::Ethernet, &frame) else {
                unreachable!("an outer fragment");
            };
            assert_eq!(fragment.offset as usize, whole.len());
            assert_eq!(fragment.more, field == 0x2000);
            whole.extend(fragment.payload);
            outer_header.get_or_insert(fragment.header);
        }
        let Ok(Decoded::Fragment(fragment)) = decoder.resume(&outer_header.unwrap(), &whole) else {
            unreachable!("an inner fragment");
        };
        assert_eq!((fragment.offset, fragment.more), (offset, field == 0x2000));
        assert_eq!(fragment.payload, part);
        assert_eq!(fragment.header.key().vni, Some(9));
        payload.extend(fragment.payload);
        header.get_or_insert(fragment.header);
    }
    let Ok(Decoded::Tcp(segment)) = decoder.resume(&header.unwrap(), &payload) else {
        unreachable!("the segment");
    };
    assert_eq!((segment.payload, segment.ip_len, segment.truncated), (&b"hello"[..], 45, 0));
    assert_eq!((segment.encap.depth, segment.encap.vni), (1, Some(9)));
    let stats = decoder.stats();
    assert_eq!((stats.frames.fragments, stats.frames.received()), (4, 4));
    assert_eq!((stats.resumed.fragments, stats.resumed.tcp, stats.resumed.received()), (2, 1, 3));
}

/// The keys of fragments of one IPv6 packet agree although their next headers do not; those of IPv4 do not.
#[test]
fn fragment_keys() {
    let key = |packet: &[u8]| match Decoder::default().decode(LinkType::RawIp, packet) {
        Ok(Decoded::Fragment(fragment)) => fragment.header.key(),
        other => unreachable!("{other:?}"),
    };
    let v6 = |next, field| key(&ipv6(44, &ipv6_fragment(next, field, &[0; 8])));
    assert_eq!(v6(6, 1), v6(17, 8));
    let v4 = |protocol| key(&ipv4_with(INNER, 28, (1, 0x2000), protocol, &[], &[0; 8]));
    assert_ne!(v4(6), v4(17));
}

/// Counters of tolerated oddities, and adding up the counters of two decoders.
#[test]
fn counters() {
    let mut decoder = Decoder::default();
    let group_policy = [&[0x88, 0, 0, 5, 0, 0, 1, 0], &inner_frame()[..]].concat();
    let critical = geneve(0x0800, 1, &option(0x0101, 0x81, &[0; 4]), &inner_ipv4());
    let known_critical = geneve(0x0800, 1, &option(0x0132, 0x81, &[0; 4]), &inner_ipv4());
    let malformed = geneve(0x0800, 1, &[1, 8, 1, 2], &inner_ipv4());
    for frame in [
        outer_udp(4789, &group_policy),
        outer_udp(6081, &critical),
        outer_udp(6081, &known_critical),
        outer_udp(6081, &malformed),
        outer_udp(53, &[]),
    ] {
        let _ = decoder.decode(LinkType::Ethernet, &frame);
    }
    let mut sum = decoder.stats().clone();
    sum.add(decoder.stats());
    let expected = "vxlan_reserved_bits 2, geneve_unknown_critical 2, geneve_bad_options 2, tcp 8, vxlan 2, geneve 6, \
                    udp not_a_tunnel 2, total 2";
    let cells: Vec<_> =
        sum.frames.ignored.iter().map(|(l, r, n)| format!("{} {} {n}", l.name(), r.name())).collect();
    let actual = format!(
        "vxlan_reserved_bits {}, geneve_unknown_critical {}, geneve_bad_options {}, tcp {}, vxlan {}, geneve {}, {}, \
         total {}",
        sum.vxlan_reserved_bits,
        sum.geneve_unknown_critical,
        sum.geneve_bad_options,
        sum.frames.tcp,
        sum.tunnel(harken_wire::TunnelKind::Vxlan),
        sum.tunnel(harken_wire::TunnelKind::Geneve),
        cells.join(", "),
        sum.frames.ignored.total(),
    );
    assert_eq!(actual, expected);
}

/// One call: no panic, one count, and what comes out lies within the frame.
fn decode_any(link: LinkType, frame: &[u8], verify_checksums: bool) {
    let mut decoder = Decoder::new(Config { verify_checksums, ..Config::default() });
    let inside = |payload: &[u8]| payload.is_empty() || frame.as_ptr_range().contains(&payload.as_ptr());
    match decoder.decode(link, frame) {
        Ok(Decoded::Tcp(segment)) => assert!(inside(segment.payload) && segment.encap.depth <= 8),
        Ok(Decoded::Datagram(datagram)) => assert!(inside(datagram.payload) && datagram.encap.depth <= 8),
        Ok(Decoded::Fragment(fragment)) => {
            assert!(inside(fragment.payload) && fragment.offset <= 0xfff8);
            let mut resumed = decoder.clone();
            let _ = resumed.resume(&fragment.header, frame);
            assert_eq!(resumed.stats().resumed.received(), 1);
        }
        Err(stop) => assert!(stop.offset as usize <= frame.len(), "{stop} in {} bytes", frame.len()),
    }
    assert_eq!(decoder.stats().frames.received(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(link in 0..LINKS.len(), frame in vec(any::<u8>(), 0..200), verify in any::<bool>()) {
        decode_any(LINKS[link], &frame, verify);
    }

    /// Random bytes hardly get past a header; packets with a few bytes changed do.
    #[test]
    fn changed_packets(
        which in 0..17_usize,
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
        verify in any::<bool>(),
    ) {
        let (_, mut frame) = tunnelled().swap_remove(which);
        for (index, value) in changes {
            let position = index.index(frame.len());
            frame[position] = value;
        }
        frame.truncate(cut.index(frame.len() + 1));
        decode_any(LinkType::Ethernet, &frame, verify);
    }

    /// Packets that etherparse builds are read as etherparse reads them.
    #[test]
    fn agrees_with_etherparse(
        tags in vec(1..4095_u16, 0..3),
        v6 in any::<bool>(),
        (src, dst) in any::<([u8; 16], [u8; 16])>(),
        (sport, dport, seq, ack, window) in any::<(u16, u16, u32, u32, u16)>(),
        (syn, fin, rst, push) in any::<(bool, bool, bool, bool)>(),
        options in 0..10_usize,
        payload in vec(any::<u8>(), 0..100),
        padding in 0..10_usize,
    ) {
        let mut header = etherparse::TcpHeader::new(sport, dport, seq, window);
        (header.acknowledgment_number, header.ack) = (ack, true);
        (header.syn, header.fin, header.rst, header.psh) = (syn, fin, rst, push);
        header.set_options_raw(&vec![1; options * 4]).unwrap();
        let ethernet = PacketBuilder::ethernet2([2; 6], [4; 6]);
        let id = |at: usize| etherparse::VlanId::try_new(tags[at]).unwrap();
        let (v4_src, v4_dst) = ([src[0], src[1], src[2], src[3]], [dst[0], dst[1], dst[2], dst[3]]);
        let network = match (tags.len(), v6) {
            (0, false) => ethernet.ipv4(v4_src, v4_dst, 64),
            (0, true) => ethernet.ipv6(src, dst, 64),
            (1, false) => ethernet.single_vlan(id(0)).ipv4(v4_src, v4_dst, 64),
            (1, true) => ethernet.single_vlan(id(0)).ipv6(src, dst, 64),
            (_, false) => ethernet.double_vlan(id(0), id(1)).ipv4(v4_src, v4_dst, 64),
            (_, true) => ethernet.double_vlan(id(0), id(1)).ipv6(src, dst, 64),
        };
        let mut frame = Vec::new();
        network.tcp_header(header).write(&mut frame, &payload).unwrap();
        frame.extend(vec![0; padding]);

        let oracle = SlicedPacket::from_ethernet(&frame).unwrap();
        let Some(TransportSlice::Tcp(tcp)) = oracle.transport else { unreachable!("built with TCP") };
        let (from, to) = match oracle.net {
            Some(NetSlice::Ipv4(ip)) => (Ip::v4(ip.header().source()), Ip::v4(ip.header().destination())),
            Some(NetSlice::Ipv6(ip)) => (Ip::v6(ip.header().source()), Ip::v6(ip.header().destination())),
            other => unreachable!("{other:?}"),
        };
        let mut decoder = Decoder::new(Config { verify_checksums: true, ..Config::default() });
        let mine = segment(&mut decoder, &frame).unwrap();
        prop_assert_eq!((mine.src, mine.dst), (from, to));
        prop_assert_eq!((mine.sport, mine.dport), (tcp.source_port(), tcp.destination_port()));
        prop_assert_eq!((mine.seq, mine.ack), (tcp.sequence_number(), tcp.acknowledgment_number()));
        prop_assert_eq!(mine.flags.0, tcp.slice()[13]);
        prop_assert_eq!((mine.window, mine.truncated), (tcp.window_size(), 0));
        prop_assert_eq!(mine.payload, tcp.payload());
        prop_assert_eq!(mine.payload, &payload[..]);
        let ids = [mine.encap.vlan, mine.encap.inner_vlan];
        prop_assert_eq!(ids.into_iter().flatten().collect::<Vec<_>>(), tags);
    }
}
