//! UDP sockets, on the loopback interface. Each test has a network namespace of its own, so that the usual
//! ports are free; it needs root and iproute2, and says so when it is skipped.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: what is unexpected fails the test"
)]
#[path = "support/live.rs"]
mod live;
#[path = "support/net.rs"]
mod net;
mod support;

use harken_capture::live::{AfPacketConfig, Live, UdpConfig, udp_counters};
use harken_wire::LinkType;
use live::{capture, check_shared, flows, receive};
use net::in_namespace;
use std::{net::UdpSocket, time::Duration};

/// Where the datagram begins in the captures' frames: behind Ethernet, IPv4 and UDP.
const PAYLOAD: usize = 42;

fn config(listen: &[&str], workers: u16) -> UdpConfig {
    let listen = listen.iter().map(|address| address.parse().unwrap()).collect();
    UdpConfig { listen, receive_buffer: 4 << 20, workers, ..UdpConfig::default() }
}

/// The frames of a capture that are UDP.
fn datagrams(name: &str) -> Vec<Vec<u8>> {
    capture(name).into_iter().filter(|frame| frame[12..14] == [8, 0] && frame[23] == 17).collect()
}

#[test]
fn datagrams_decode_like_the_frames_they_were() {
    in_namespace(|| {
        for (workers, listen) in
            [(1, "127.0.0.1:4789"), (2, "127.0.0.1:4789"), (2, "0.0.0.0:4789"), (3, "[::]:4789")]
        {
            let sent = datagrams("vxlan-api");
            assert_eq!(sent.len(), 214);
            let mut live = Live::open_udp(&config(&[listen], workers)).unwrap();
            let v6 = listen.starts_with('[');
            let socket = UdpSocket::bind(if v6 { "[::1]:0" } else { "127.0.0.9:0" }).unwrap();
            let to = if v6 { "[::1]:4789" } else { "127.0.0.1:4789" };
            for frame in &sent {
                socket.send_to(&frame[PAYLOAD..], to).unwrap();
            }
            let got = receive(&mut live, sent.len());
            check_shared(&sent, &got);
            // The headers in front are those that the wire had, as far as it can be known.
            for packet in got.iter().flatten() {
                assert_eq!((packet.dlt, packet.wire_len as usize), (1, packet.data.len()));
                let from_port = socket.local_addr().unwrap().port().to_be_bytes();
                let (ip, udp) = packet.data[14..].split_at(if v6 { 40 } else { 20 });
                assert_eq!(udp[..4], [&from_port[..], &4789_u16.to_be_bytes()].concat());
                assert_eq!(usize::from(u16::from_be_bytes([udp[4], udp[5]])), udp.len());
                if !v6 {
                    assert_eq!(ip[12..], [127, 0, 0, 9, 127, 0, 0, 1]);
                    assert_eq!(usize::from(u16::from_be_bytes([ip[2], ip[3]])), packet.data.len() - 14);
                }
            }
            let now =
                std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
            assert!(got.iter().flatten().all(|p| (now - 60_000_000_000..=now).contains(&p.ts)));
            let stats: Vec<_> = live.iter_mut().map(Live::stats).collect();
            assert_eq!(stats.iter().map(|s| s.received).sum::<u64>(), 214);
            assert!(stats.iter().all(|s| (s.dropped, s.truncated) == (0, 0)), "{stats:?}");
        }
    });
}

#[test]
fn a_share_of_connections_is_refused_in_the_kernel_and_counted() {
    in_namespace(|| {
        let sent = datagrams("vxlan-api");
        let all = flows(sent.iter().map(Vec::as_slice), LinkType::Ethernet);
        let mut live = Live::open_udp(&config(&["127.0.0.1:4789"], 1)).unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut refused = 0;
        for share in [128, 240, 0] {
            assert!(live[0].shed(share).unwrap(), "UDP sockets can");
            for frame in &sent {
                socket.send_to(&frame[PAYLOAD..], "127.0.0.1:4789").unwrap();
            }
            let got = receive(&mut live, sent.len());
            let whole = flows(got.iter().flatten().map(|packet| packet.data.as_slice()), LinkType::Ethernet);
            assert!(whole.iter().all(|(key, pieces)| all[key] == *pieces), "whole connections");
            let expected = if share == 0 { all.len()..=all.len() } else { 0..=all.len() - 1 };
            assert!(expected.contains(&whole.len()), "{share}: {} of {}", whole.len(), all.len());
            refused += (sent.len() - got[0].len()) as u64;
            let stats = live[0].stats();
            assert_eq!((stats.dropped, stats.refused), (0, refused), "{share}");
        }
        assert!(refused > 0);
    });
}

#[test]
fn several_ports_are_read_by_each_worker() {
    in_namespace(|| {
        let mut live = Live::open_udp(&UdpConfig { workers: 2, ..UdpConfig::default() }).unwrap();
        assert_eq!(live[0].addresses().len(), 4);
        assert_eq!(live[0].addresses(), live[1].addresses());
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut frames = Vec::new();
        for (name, port) in [("tunnel-vxlan", 4789), ("tunnel-geneve", 6081), ("tunnel-geneve-aws", 6081)] {
            let sent = datagrams(name);
            assert!(!sent.is_empty());
            for frame in &sent {
                socket.send_to(&frame[PAYLOAD..], ("127.0.0.1", port)).unwrap();
            }
            let got = receive(&mut live, sent.len());
            let expected = flows(sent.iter().map(Vec::as_slice), LinkType::Ethernet);
            let mut together = Vec::new();
            for packets in &got {
                together.extend(flows(packets.iter().map(|p| p.data.as_slice()), LinkType::Ethernet));
            }
            assert!(together.into_iter().eq(expected), "{name}: its one connection is whole");
            frames.extend(sent);
        }
        assert_eq!(live.iter_mut().map(|worker| worker.stats().received).sum::<u64>(), frames.len() as u64);
    });
}

#[test]
fn what_does_not_fit_is_counted() {
    in_namespace(|| {
        let mut cut = UdpConfig { slot: 256, ..config(&["127.0.0.1:0"], 1) };
        let mut live = Live::open_udp(&cut).unwrap();
        let to = live[0].addresses()[0];
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.send_to(&[1; 256], to).unwrap();
        socket.send_to(&[2; 5000], to).unwrap();
        socket.send_to(&[], to).unwrap();
        let got = receive(&mut live, 3).remove(0);
        let lengths: Vec<_> = got.iter().map(|p| (p.data.len(), p.wire_len)).collect();
        assert_eq!(lengths, [(298, 298), (298, 5042), (42, 42)]);
        // The datagram's own length stays what it was: the decoder sees that bytes are missing.
        assert_eq!(got[1].data[38..40], 5008_u16.to_be_bytes());
        assert_eq!(live[0].stats().truncated, 1);

        // A buffer that is full: the rest is dropped, and all of it is counted.
        let before = udp_counters().unwrap();
        cut = UdpConfig { receive_buffer: 16 << 10, ..config(&["127.0.0.1:0"], 1) };
        let mut live = Live::open_udp(&cut).unwrap();
        let to = live[0].addresses()[0];
        for _ in 0..100 {
            socket.send_to(&[3; 1000], to).unwrap();
        }
        assert!(live[0].backlog() > 90, "{} %", live[0].backlog());
        let got = receive(&mut live, 100).remove(0);
        let stats = live[0].stats();
        assert!(stats.dropped > 50 && stats.received as usize == got.len(), "{stats:?}");
        assert_eq!(stats.received + stats.dropped, 100);
        assert_eq!(udp_counters().unwrap().buffer_full - before.buffer_full, stats.dropped);
        assert!(live[0].next_batch(8, Duration::from_millis(1)).unwrap().is_empty());
    });
}

#[test]
fn a_port_that_is_taken_is_explained() {
    in_namespace(|| {
        let _other = UdpSocket::bind("127.0.0.1:4789").unwrap();
        for workers in [1, 2] {
            let error = Live::open_udp(&config(&["127.0.0.1:4789"], workers)).err().unwrap().to_string();
            let says =
                "cannot listen on UDP 127.0.0.1:4789: Address already in use; `ss -ulpn sport = :4789` names";
            assert!(error.contains(says), "{error}");
        }
        // Workers share a port, but no second sensor does.
        let first = Live::open_udp(&config(&["127.0.0.1:6081"], 2)).unwrap();
        for workers in [1, 2] {
            assert!(Live::open_udp(&config(&["127.0.0.1:6081"], workers)).is_err());
        }
        drop(first);
        Live::open_udp(&config(&["127.0.0.1:6081"], 2)).unwrap();
        let error = Live::open_udp(&config(&["192.0.2.1:4789"], 1)).err().unwrap().to_string();
        assert!(error.contains("no interface has this address"), "{error}");
        assert!(Live::open_udp(&config(&[], 1)).err().unwrap().to_string().contains("no address is given"));
    });
}

/// Outside of a namespace, so that it holds for whoever runs the tests.
#[test]
fn no_privilege_is_needed() {
    let mut live = Live::open_udp(&config(&["127.0.0.1:0"], 2)).unwrap();
    let to = live[0].addresses()[0];
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for n in 0..5_u8 {
        socket.send_to(&[n; 60], to).unwrap();
    }
    assert_eq!(receive(&mut live, 5).iter().map(Vec::len).sum::<usize>(), 5);
    for note in live[0].notes() {
        assert!(note.contains("net.core.rmem_max"), "{note}");
    }
    // A packet socket does need one.
    let config = AfPacketConfig { interface: "lo".to_owned(), blocks: 2, ..AfPacketConfig::default() };
    if let Err(error) = Live::open_af_packet(&config) {
        let says =
            "cannot open a packet socket on lo: Operation not permitted; run as root or give CAP_NET_RAW";
        assert!(error.to_string().contains(says), "{error}");
    }
}
