//! What is made is what it claims to be: read back by the project's own decoder.
use super::{
    disturb::Disturbance,
    golden,
    traffic::{Summary, Traffic, generate},
    tunnel::Tunnel,
};
use clap::ValueEnum;
use harken_capture::Reader;
use std::io::Cursor;

fn packets(file: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut reader = Reader::from_source("generated", Box::new(Cursor::new(file.to_vec())), None).unwrap();
    let mut packets = Vec::new();
    while let Some(packet) = reader.next_packet().unwrap() {
        assert_eq!(packet.data.len(), packet.wire_len as usize);
        packets.push((packet.ts.0, packet.data.to_vec()));
    }
    packets
}

fn make(traffic: &Traffic) -> (Summary, Vec<u8>, String) {
    let (mut pcap, mut truth) = (Vec::new(), Vec::new());
    let summary = generate(traffic, &mut pcap, &mut truth).unwrap();
    (summary, pcap, String::from_utf8(truth).unwrap())
}

#[test]
fn the_summary_tells_the_truth() {
    for (transactions, connections, per_connection) in [(0, 3, 10), (1, 1, 1), (500, 7, 3), (300, 1000, 500)]
    {
        let traffic = Traffic { transactions, connections, per_connection, ..Traffic::default() };
        let (summary, pcap, truth) = make(&traffic);
        assert_eq!(summary.transactions, transactions);
        assert_eq!(truth.lines().count() as u64, transactions);
        assert_eq!(summary.bytes, pcap.len() as u64);
        let packets = packets(&pcap);
        assert_eq!(summary.packets, packets.len() as u64);
        assert!(packets.is_sorted_by_key(|(ts, _)| ts), "packets come in the order of time");
    }
}

#[test]
fn a_seed_decides_all() {
    let traffic = Traffic { transactions: 50, ..Traffic::default() };
    let other = Traffic { seed: 2, ..traffic.clone() };
    assert_eq!(make(&traffic), make(&traffic));
    assert_ne!(make(&traffic), make(&other));
}

#[test]
fn about_five_packets_carry_a_transaction() {
    let (summary, ..) = make(&Traffic { transactions: 5000, ..Traffic::default() });
    let each = summary.packets as f64 / summary.transactions as f64;
    assert!((4.5..5.5).contains(&each), "{each}");
}

#[test]
fn disturbed_packets_are_counted() {
    let disturbance = Disturbance { lose: 0.02, duplicate: 0.03, reorder: 0.05 };
    let calm = Traffic { transactions: 2000, ..Traffic::default() };
    let rough = Traffic { disturbance, ..calm.clone() };
    let ((calm, _, truth), (rough, _, same)) = (make(&calm), make(&rough));
    assert_eq!(truth, same, "what the server saw does not change");
    let suffered = rough.suffered;
    assert_eq!(rough.packets, calm.packets - suffered.lost + suffered.duplicated);
    for (count, chance) in [(suffered.lost, 0.02), (suffered.duplicated, 0.03), (suffered.reordered, 0.05)] {
        let expected = calm.packets as f64 * chance;
        assert!((count as f64 - expected).abs() < expected / 4.0, "{count} of {expected}");
    }
}

#[test]
fn options_that_contradict_each_other() {
    for traffic in [
        Traffic { connections: 0, ..Traffic::default() },
        Traffic { mss: 0, ..Traffic::default() },
        Traffic { tunnel: Tunnel::V6in4, ..Traffic::default() },
    ] {
        assert!(generate(&traffic, Vec::new(), Vec::new()).is_err(), "{traffic:?}");
    }
}

/// The same frames come out of every tunnel.
#[test]
fn every_tunnel_is_taken_off() {
    use harken_wire::{Config, Decoded, Decoder, LinkType};
    for &tunnel in Tunnel::value_variants() {
        for (inner_ipv6, outer_ipv6) in [(false, false), (false, true), (true, false), (true, true)] {
            if tunnel.versions().is_some_and(|versions| versions != (inner_ipv6, outer_ipv6)) {
                continue;
            }
            let traffic = Traffic {
                transactions: 30,
                connections: 3,
                tunnel,
                inner_ipv6,
                outer_ipv6,
                ..Traffic::default()
            };
            let (_, pcap, truth) = make(&traffic);
            let mut decoder = Decoder::new(Config { verify_checksums: true, ..Config::default() });
            let link = LinkType::from_dlt(tunnel.dlt()).unwrap();
            let mut requests = 0;
            for (_, packet) in packets(&pcap) {
                match decoder.decode(link, &packet) {
                    Ok(Decoded::Tcp(segment)) => {
                        requests +=
                            usize::from(segment.dport == 8080 && segment.payload.ends_with(b"\r\n\r\n"));
                        requests += usize::from(segment.payload.starts_with(b"POST "));
                    }
                    Ok(Decoded::Fragment(_) | Decoded::Datagram(_)) => panic!("{tunnel:?}: no segment"),
                    Err(stop) => panic!("{tunnel:?}: {stop:?}"),
                }
            }
            assert_eq!(requests, truth.lines().count(), "{tunnel:?}");
        }
    }
}

#[test]
fn golden_captures_are_small() {
    let captures = golden::captures().unwrap();
    assert!(captures.iter().map(|(_, file)| file.len()).sum::<usize>() < 1 << 20);
    for (name, file) in captures {
        assert!(packets(&file).len() > 10, "{name}");
        assert!(file.len() < 300_000, "{name}");
    }
}
