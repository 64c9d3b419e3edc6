//! The programs for the kernel, run by an interpreter of a few lines on the frames of the repository's
//! captures.
use super::{
    bpf::{Instruction, Program},
    filter::{Tcp, Wanted},
    steer,
};
use crate::open;
use harken_wire::{Config, Decoded, Decoder, LinkType};
use std::{fs, net::IpAddr, path::PathBuf};

/// A packet as a program of the kernel's sees it.
struct Seen<'a> {
    data: &'a [u8],
    ether_type: u32,
    packet_type: u32,
}

/// Runs a program; a load beyond the end gives 0, as in the kernel.
fn run(program: &Program, seen: &Seen<'_>) -> u32 {
    let code = program.instructions();
    let (mut a, mut x, mut scratch, mut pc) = (0_u32, 0_u32, [None::<u32>; 16], 0);
    loop {
        let Instruction { code: op, if_true, if_false, k } = code[pc];
        pc += 1;
        let operand = if op & 0x08 != 0 { x } else { k };
        match op {
            0x06 => return k,
            0x16 => return a,
            0x28 if k == 0xffff_f000 => a = seen.ether_type,
            0x28 if k == 0xffff_f004 => a = seen.packet_type,
            0x40 | 0x48 | 0x50 => {
                let len = match op {
                    0x40 => 4,
                    0x48 => 2,
                    _ => 1,
                };
                let at = x.wrapping_add(k) as usize;
                let Some(bytes) = seen.data.get(at..at + len) else { return 0 };
                a = bytes.iter().fold(0, |n, b| n << 8 | u32::from(*b));
            }
            0x00 => a = k,
            0x60 => a = scratch[k as usize].expect("the kernel refuses a word that was not stored"),
            0x61 => x = scratch[k as usize].expect("the kernel refuses a word that was not stored"),
            0x02 => scratch[k as usize] = Some(a),
            0x03 => scratch[k as usize] = Some(x),
            0x07 => x = a,
            0x87 => a = x,
            0x05 => pc += k as usize,
            0x15 => pc += usize::from(if a == k { if_true } else { if_false }),
            0x35 => pc += usize::from(if a >= k { if_true } else { if_false }),
            0x45 => pc += usize::from(if a & k != 0 { if_true } else { if_false }),
            0x04 | 0x0c => a = a.wrapping_add(operand),
            0x24 => a = a.wrapping_mul(operand),
            0x54 => a &= operand,
            0x64 => a <<= operand,
            0x74 => a >>= operand,
            0x94 => a %= operand,
            0xac => a ^= operand,
            other => panic!("operation {other:#x} is not used"),
        }
    }
}

/// The frames of all golden captures that are Ethernet, with the capture's name.
fn frames() -> Vec<(String, Vec<u8>)> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../captures");
    let mut all = Vec::new();
    for entry in fs::read_dir(root).unwrap().flatten() {
        let file = entry.path().join("input.pcap");
        if file.exists() {
            let mut reader = open(&file).unwrap();
            while let Some(packet) = reader.next_packet().unwrap() {
                if packet.dlt == 1 {
                    all.push((entry.file_name().to_string_lossy().into_owned(), packet.data.to_vec()));
                }
            }
        }
    }
    assert!(all.len() > 400, "{} frames", all.len());
    all
}

/// What the kernel makes of a frame that arrives: the first VLAN tag is taken off.
fn arrived(frame: &[u8]) -> (Vec<u8>, u32) {
    let ether_type = |frame: &[u8]| u32::from(frame[12]) << 8 | u32::from(frame[13]);
    let mut frame = frame.to_vec();
    if matches!(ether_type(&frame), 0x8100 | 0x88a8) {
        frame.drain(12..16);
    }
    let ether_type = ether_type(&frame);
    (frame, ether_type)
}

/// The worker of a pair of addresses, written once more.
fn worker(pair: (IpAddr, IpAddr), workers: u32) -> u32 {
    let words = |ip| match ip {
        IpAddr::V4(ip) => vec![u32::from(ip)],
        IpAddr::V6(ip) => ip.octets().chunks(4).map(|w| u32::from_be_bytes(w.try_into().unwrap())).collect(),
    };
    let hash = |ip| {
        let n = words(ip).into_iter().fold(0_u32, |n, word| (n ^ word).wrapping_mul(0x9e37_79b1));
        n ^ n >> 16
    };
    let n = hash(pair.0).wrapping_add(hash(pair.1)).wrapping_mul(0x85eb_ca6b);
    (n ^ n >> 13) % workers
}

/// The addresses of the segment or fragment in a frame.
fn pair(frame: &[u8]) -> Option<(IpAddr, IpAddr)> {
    match Decoder::new(Config::default()).decode(LinkType::Ethernet, frame) {
        Ok(Decoded::Tcp(segment)) => Some((segment.src.to_std(), segment.dst.to_std())),
        _ => None,
    }
}

#[test]
fn the_filter_takes_what_the_decoder_reads_and_no_more() {
    let tunnels = Wanted::tunnels(&Config::default());
    let all = Wanted { tcp: Tcp::All, ..tunnels.clone() };
    let ports = Wanted { tcp: Tcp::Ports(vec![8080, 80]), ..tunnels.clone() };
    let other = Wanted { tcp: Tcp::Ports(vec![9]), ..tunnels.clone() };
    let mut refused = 0;
    for (capture, frame) in frames() {
        let (data, ether_type) = arrived(&frame);
        let seen = Seen { data: &data, ether_type, packet_type: 0 };
        let takes = |wanted: &Wanted| run(&wanted.program(14, 1000), &seen) == 1000;
        let in_tunnel = capture.starts_with("tunnel") || capture == "vxlan-api";
        let (is_ip, is_tcp) = (matches!(ether_type, 0x0800 | 0x86dd), pair(&frame).is_some());
        if is_tcp {
            assert!(takes(&all) && takes(&ports), "{capture}");
            // Behind MPLS and PPPoE, and behind a tag in a tag, it is taken unseen.
            assert_eq!(takes(&tunnels), in_tunnel || !is_ip && ether_type != 0x8100, "{capture}");
            assert_eq!(takes(&other), takes(&tunnels), "{capture}");
        } else if ether_type == 0x0806 {
            assert!(!takes(&all), "ARP");
            refused += 1;
        }
    }
    assert!(refused > 0, "the captures have something to refuse");
}

#[test]
fn the_filter_takes_fragments_and_refuses_other_protocols() {
    let wanted = Wanted::tunnels(&Config::default());
    let with_tcp = Wanted { tcp: Tcp::Ports(vec![80]), ..wanted.clone() };
    let v4 = |protocol: u8, fragment: u16, ports: [u8; 4]| {
        let mut packet =
            vec![0x46, 0, 0, 60, 0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 1, 1, 1, 0];
        packet[6..8].copy_from_slice(&fragment.to_be_bytes());
        packet.extend_from_slice(&ports);
        packet
    };
    let v6 = |next: u8, rest: &[u8]| {
        let mut packet = vec![0x60, 0, 0, 0, 0, 20, next, 64];
        packet.resize(40, 1);
        packet.extend_from_slice(rest);
        packet
    };
    const VXLAN: [u8; 4] = [0xc0, 0, 0x12, 0xb5];
    const HTTP: [u8; 4] = [0, 80, 0xc0, 0];
    for (packet, tunnels, tcp) in [
        (v4(17, 0, VXLAN), true, true),
        (v4(17, 0x4000, VXLAN), true, true),
        (v4(17, 0, [0x12, 0xb5, 0, 53]), true, true),
        (v4(17, 0, [0xc0, 0, 0, 53]), false, false),
        (v4(17, 0x2000, [0; 4]), true, true),
        (v4(17, 0x00b9, [0; 4]), true, true),
        (v4(47, 0, [0; 4]), true, true),
        (v4(4, 0x00b9, [0; 4]), true, true),
        (v4(51, 0, [0; 4]), true, true),
        (v4(1, 0, [0; 4]), false, false),
        (v4(1, 0x2000, [0; 4]), false, false),
        (v4(6, 0, HTTP), false, true),
        (v4(6, 0x00b9, [0; 4]), false, true),
        (v4(6, 0, [0, 22, 0xc0, 0]), false, false),
        (v4(17, 0, VXLAN)[..20].to_vec(), false, false),
        (v6(17, &VXLAN), true, true),
        (v6(17, &HTTP), false, false),
        (v6(44, &[17, 0, 0, 8]), true, true),
        (v6(44, &[6, 0, 0, 8]), false, true),
        (v6(44, &[58, 0, 0, 8]), false, false),
        (v6(0, &[0; 8]), true, true),
        (v6(6, &HTTP), false, true),
        (v6(58, &[0; 8]), false, false),
    ] {
        let ether_type = if packet[0] >> 4 == 4 { 0x0800 } else { 0x86dd };
        let seen = Seen { data: &packet, ether_type, packet_type: 0 };
        assert_eq!(run(&wanted.program(0, 99), &seen) == 99, tunnels, "{packet:x?}");
        assert_eq!(run(&with_tcp.program(0, 99), &seen) == 99, tcp, "{packet:x?}");
    }
}

#[test]
fn a_source_that_takes_packets_away_takes_only_what_is_surely_a_tunnel() {
    let strict = Wanted::tunnels(&Config::default()).strict(14);
    let answer = |ether_type: u16, rest: &[u8]| {
        let frame = [&[0; 12][..], &ether_type.to_be_bytes(), rest].concat();
        run(&strict, &Seen { data: &frame, ether_type: u32::from(ether_type), packet_type: 0 })
    };
    let v4 = |protocol: u8, fragment: u16, ports: [u16; 2]| {
        let mut packet = vec![0x45, 0, 0, 60, 0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        packet[6..8].copy_from_slice(&fragment.to_be_bytes());
        packet.extend(ports.map(u16::to_be_bytes).concat());
        answer(0x0800, &packet)
    };
    let v6 = |next: u8, rest: &[u8]| {
        let mut packet = vec![0x60, 0, 0, 0, 0, 20, next, 64];
        packet.resize(40, 1);
        packet.extend_from_slice(rest);
        answer(0x86dd, &packet)
    };
    for (found, expected, what) in [
        (v4(17, 0, [9999, 4789]), 2, "VXLAN"),
        (v4(17, 0, [4789, 9999]), 0, "an answer to the port of a tunnel"),
        (v4(17, 0x2000, [9999, 4789]), 1, "a first fragment"),
        (v4(17, 0x0010, [0, 0]), 1, "another fragment"),
        (v4(6, 0x2000, [0, 0]), 0, "a fragment of TCP"),
        (v4(6, 0, [4789, 4789]), 0, "TCP"),
        (v4(47, 0, [0, 0x0800]), 2, "GRE"),
        (v4(51, 0, [0, 0]), 1, "AH"),
        (v6(17, &[0x27, 0x0f, 0x17, 0xc1]), 2, "GENEVE over IPv6"),
        (v6(44, &[17, 0, 0, 0]), 1, "a fragment over IPv6"),
        (v6(0, &[17, 0, 0, 0]), 1, "UDP behind options"),
        (v6(0, &[58, 0, 0, 0]), 0, "a report of multicast groups"),
        (answer(0x8847, &[0; 20]), 1, "MPLS"),
        (answer(0x0806, &[0; 20]), 0, "ARP"),
        (answer(0x0800, &[0x45]), 0, "a cut header"),
    ] {
        assert_eq!(found, expected, "{what}");
    }
}

#[test]
fn workers_are_chosen_by_the_inner_addresses() {
    let config = Config::default();
    let mut checked = [0; 2];
    for workers in [2, 3, 7] {
        let packets = steer::of_packets(&config, 14, workers);
        for (capture, frame) in frames() {
            let Some(pair) = pair(&frame) else { continue };
            let (data, ether_type) = arrived(&frame);
            if !matches!(ether_type, 0x0800 | 0x86dd | 0x8100) {
                continue;
            }
            let expected = worker(pair, u32::from(workers));
            assert_eq!(expected, worker((pair.1, pair.0), u32::from(workers)), "both directions");
            let incoming = Seen { data: &data[14..], ether_type, packet_type: 0 };
            assert_eq!(run(&packets, &incoming), expected, "{capture}");
            let outgoing = Seen { data: &data, ether_type, packet_type: 4 };
            assert_eq!(run(&packets, &outgoing), expected, "{capture}, on its way out");
            checked[0] += 1;
            // IPv4 without options, UDP: the datagram begins at 42.
            if ether_type == 0x0800 && data[23] == 17 {
                let port = u16::from_be_bytes([data[36], data[37]]);
                let datagrams = steer::of_datagrams(&config, port, workers);
                let seen = Seen { data: &data[42..], ether_type: 0, packet_type: 0 };
                assert_eq!(run(&datagrams, &seen), expected, "{capture}, as a datagram");
                checked[1] += 1;
            }
        }
    }
    assert!(checked[0] > 1000 && checked[1] > 600, "{checked:?}");
}

#[test]
fn a_cut_packet_goes_to_a_worker_that_exists() {
    let config = Config::default();
    let packets = steer::of_packets(&config, 14, 3);
    for (capture, frame) in frames() {
        for len in 14..frame.len().min(160) {
            let (data, ether_type) = arrived(&frame[..len.max(18)]);
            let seen = Seen { data: &data[14..], ether_type, packet_type: 0 };
            assert!(run(&packets, &seen) < 3, "{capture}");
        }
    }
}

#[test]
fn few_hosts_are_spread() {
    let packets = steer::of_packets(&Config::default(), 14, 4);
    for (clients, servers) in [(64, 1), (8, 8), (1, 64)] {
        let mut counts = [0; 4];
        for client in 0..clients {
            for server in 0..servers {
                let mut packet =
                    vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 1, client, 10, 0, 2, server];
                packet.resize(40, 0);
                let seen = Seen { data: &packet, ether_type: 0x0800, packet_type: 0 };
                counts[run(&packets, &seen) as usize] += 1;
            }
        }
        assert!(counts.iter().all(|n| (6..=28).contains(n)), "{clients} x {servers}: {counts:?}");
    }
}

/// A datagram from its UDP header on: VXLAN, Ethernet and a TCP segment between the two ends.
fn vxlan(from: ([u8; 4], u16), to: ([u8; 4], u16)) -> Vec<u8> {
    let mut datagram = vec![0x12, 0xb5, 0x12, 0xb5, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 7, 0];
    datagram.extend([0; 12]);
    datagram.extend([8, 0, 0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0]);
    datagram.extend([from.0, to.0].concat());
    datagram.extend([from.1.to_be_bytes(), to.1.to_be_bytes()].concat());
    datagram.resize(datagram.len() + 16, 0);
    datagram
}

#[test]
fn a_share_of_flows_is_refused_whole_and_a_larger_one_refuses_more() {
    let refused = |share: u8, datagram: &[u8]| {
        let program = steer::refusing(&Config::default(), 4789, share);
        run(&program, &Seen { data: datagram, ether_type: 0, packet_type: 0 }) == 0
    };
    // One client and one server: only the ports tell the flows apart.
    for share in [8, 64, 128, 240] {
        let mut count = 0;
        for port in 32768..33768 {
            let (client, server) = (([10, 0, 0, 1], port), ([10, 0, 0, 2], 443));
            let gone = refused(share, &vxlan(client, server));
            assert_eq!(gone, refused(share, &vxlan(server, client)), "both directions");
            assert!(gone || !refused(share / 2, &vxlan(client, server)), "a smaller share refuses no more");
            count += u32::from(gone);
        }
        let expected = u32::from(share) * 1000 / 256;
        assert!(count.abs_diff(expected) < 60, "{share}: {count} of 1000, not about {expected}");
    }
    // What cannot be told from others is taken.
    let mut arp = vxlan(([10, 0, 0, 1], 1), ([10, 0, 0, 2], 2));
    arp[28..30].copy_from_slice(&[8, 6]);
    assert!(!refused(255, &arp));
    // The fragments of one packet meet the same answer.
    let mut first = vxlan(([10, 0, 0, 1], 1), ([10, 0, 0, 2], 2));
    first[36] = 0x20;
    let mut second = vxlan(([10, 0, 0, 1], 999), ([10, 0, 0, 2], 9));
    second[36..38].copy_from_slice(&[0, 100]);
    assert_eq!(refused(128, &first), refused(128, &second));
}

#[test]
fn a_share_of_what_an_interface_gives_is_marked_behind_the_filter() {
    let config = Config::default();
    let filter = Wanted::tunnels(&config).program(14, 9000);
    assert_eq!(filter.takes(), 9000);
    let both = filter.then(&steer::marking(&config, 14, 128, filter.takes()));
    let mut counts = [0; 3];
    for (capture, frame) in frames() {
        let (data, ether_type) = arrived(&frame);
        let seen = Seen { data: &data, ether_type, packet_type: 0 };
        let (alone, together) = (run(&filter, &seen), run(&both, &seen));
        match (alone, together) {
            (0, 0) => counts[0] += 1,
            (9000, 1) => counts[1] += 1,
            (9000, 9000) => counts[2] += 1,
            other => panic!("{capture}: {other:?}"),
        }
    }
    assert!(counts.iter().all(|count| *count > 10), "{counts:?}");
}

#[test]
fn programs_are_read_as_tcpdump_prints_them() {
    // `tcpdump -ddd tcp port 80 and ip`
    let text = "4\n40 0 0 12\n21 0 1 2048\n6 0 0 262144\n6 0 0 0\n";
    let program = Program::parse(text).unwrap();
    assert_eq!(program.to_string(), text.trim());
    assert_eq!(Program::parse("4,40 0 0 12,21 0 1 2048,6 0 0 262144,6 0 0 0").unwrap(), program);
    assert_eq!(program.clone().cut(128).instructions()[2].k, 128);
    assert_eq!(program.cut(128).instructions()[3].k, 0);
    for (text, line, says) in [
        ("", 1, "empty"),
        ("x", 1, "number of instructions"),
        ("0", 1, "number of instructions"),
        ("5000", 1, "number of instructions"),
        ("1\n6 0 0", 2, "four numbers"),
        ("1\n6 0 0 0 0", 2, "four numbers"),
        ("1\n6 0 0 -1", 2, "four numbers"),
        ("1\n6 300 0 1", 2, "too large"),
        ("2\n6 0 0 1", 2, "1 of 2"),
        ("1\n6 0 0 1\n6 0 0 1", 3, "more than the 1"),
    ] {
        let error = Program::parse(text).unwrap_err();
        assert!(error.line == line && error.what.contains(says), "{text:?}: {error}");
    }
}

#[test]
fn outgoing_packets_are_refused_on_the_loopback() {
    let program = Program::accept(77).without_outgoing();
    for (packet_type, taken) in [(0, 77), (3, 77), (4, 0)] {
        assert_eq!(run(&program, &Seen { data: &[], ether_type: 0, packet_type }), taken);
    }
}
