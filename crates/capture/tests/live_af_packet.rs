//! Packet sockets, in network namespaces of the tests' own. Each test needs root and iproute2, and says so
//! when it is skipped.
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

use harken_capture::live::{AfPacketConfig, Filter, Live, Tcp, Wanted, bpf::Program};
use harken_wire::LinkType;
use live::{capture, check_shared, flows, receive};
use net::{Wire, in_namespace, ip, tun, veth};
use std::{
    io::Write,
    net::UdpSocket,
    time::{Duration, Instant},
};

fn config(interface: &str, workers: u16) -> AfPacketConfig {
    AfPacketConfig {
        interface: interface.to_owned(),
        block_size: 256 << 10,
        blocks: 8,
        block_timeout_ms: 5,
        workers,
        ..AfPacketConfig::default()
    }
}

#[test]
fn all_packets_of_a_veth_pair_arrive() {
    in_namespace(|| {
        veth("livea0", "livea1");
        let sent = capture("vxlan-api");
        let mut workers = Live::open_af_packet(&config("livea1", 1)).unwrap();
        let wire = Wire::on("livea0");
        let before = std::time::SystemTime::now();
        sent.iter().for_each(|frame| wire.send(frame));
        let got = receive(&mut workers, sent.len()).remove(0);
        assert!(got.iter().map(|packet| &packet.data).eq(&sent), "the same frames, in order");
        let since = before.duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
        assert!(got.iter().all(|p| p.dlt == 1 && p.wire_len as usize == p.data.len()));
        assert!(got.iter().all(|p| (since..since + 60_000_000_000).contains(&p.ts)), "times of now");
        assert!(got.iter().any(|p| p.ts % 1000 != 0), "in nanoseconds");
        let stats = workers[0].stats();
        assert_eq!((stats.received, stats.dropped, stats.truncated, stats.malformed), (215, 0, 0, 0));
        assert_eq!(workers[0].backlog(), 0);
    });
}

#[test]
fn connections_stay_whole_with_several_workers() {
    in_namespace(|| {
        veth("liveb0", "liveb1");
        let wire = Wire::on("liveb0");
        for workers in [2, 3] {
            let sent = capture("vxlan-api");
            let mut config = config("liveb1", workers);
            config.filter = Filter::Wanted(Wanted::tunnels(&config.tunnels));
            let mut workers = Live::open_af_packet(&config).unwrap();
            sent.iter().for_each(|frame| wire.send(frame));
            // All but one ARP request, which the filter refuses.
            let got = receive(&mut workers, sent.len() - 1);
            check_shared(&sent, &got);
            let received: u64 = workers.iter_mut().map(|worker| worker.stats().received).sum();
            assert_eq!(received, 214);
            assert!(workers.iter_mut().all(|worker| worker.stats().dropped == 0));
        }
    });
}

#[test]
fn a_share_of_connections_is_passed_over_in_the_kernel_and_counted() {
    in_namespace(|| {
        veth("shed0", "shed1");
        let sent = capture("vxlan-api");
        let all = flows(sent.iter().map(Vec::as_slice), LinkType::Ethernet);
        let mut live = Live::open_af_packet(&config("shed1", 1)).unwrap();
        let wire = Wire::on("shed0");
        // What the filter takes of the capture, without a share.
        let mut taken = 0;
        let mut refused = 0;
        for share in [0, 128, 240, 0] {
            assert!(live[0].shed(share).unwrap());
            sent.iter().for_each(|frame| wire.send(frame));
            let got = receive(&mut live, sent.len());
            let whole = flows(got.iter().flatten().map(|packet| packet.data.as_slice()), LinkType::Ethernet);
            assert!(whole.iter().all(|(key, pieces)| all[key] == *pieces), "whole connections");
            let expected = if share == 0 { all.len()..=all.len() } else { 0..=all.len() - 1 };
            assert!(expected.contains(&whole.len()), "{share}: {} of {}", whole.len(), all.len());
            taken = taken.max(got[0].len());
            refused += (taken - got[0].len()) as u64;
            let stats = live[0].stats();
            assert_eq!((stats.dropped, stats.refused), (0, refused), "{share}");
        }
        assert!(refused > 0);
    });
}

#[test]
fn every_tunnel_passes_the_kernel_filter() {
    in_namespace(|| {
        veth("livec0", "livec1");
        let wire = Wire::on("livec0");
        let mut config = config("livec1", 2);
        let wanted = Wanted { tcp: Tcp::Ports(vec![80]), ..Wanted::tunnels(&config.tunnels) };
        config.filter = Filter::Wanted(wanted);
        let mut workers = Live::open_af_packet(&config).unwrap();
        for name in
            ["geneve-aws", "gre", "erspan1", "erspan2", "erspan3", "nvgre", "vxlan-gpe", "4in6", "6in4"]
        {
            let sent = capture(&format!("tunnel-{name}"));
            sent.iter().for_each(|frame| wire.send(frame));
            let got = receive(&mut workers, sent.len());
            let of_worker =
                |of: &[support::Owned]| flows(of.iter().map(|p| p.data.as_slice()), LinkType::Ethernet);
            let expected = flows(sent.iter().map(Vec::as_slice), LinkType::Ethernet);
            assert!(!expected.is_empty());
            let mut parts: Vec<_> = got.iter().map(|packets| of_worker(packets)).collect();
            let mut together = parts.remove(0);
            for (key, pieces) in parts.remove(0) {
                assert!(together.insert(key, pieces).is_none(), "{name}: a connection of two workers");
            }
            assert!(together == expected, "{name}");
        }
    });
}

#[test]
fn stripped_vlan_tags_are_put_back() {
    in_namespace(|| {
        veth("lived0", "lived1");
        let sent = capture("link-qinq");
        let mut workers = Live::open_af_packet(&config("lived1", 1)).unwrap();
        let wire = Wire::on("lived0");
        sent.iter().for_each(|frame| wire.send(frame));
        let got = receive(&mut workers, sent.len()).remove(0);
        assert!(sent.iter().all(|frame| frame[12..14] == [0x88, 0xa8] || frame[12..14] == [0x81, 0]));
        assert!(got.iter().map(|packet| &packet.data).eq(&sent), "the same frames, tags and all");
    });
}

#[test]
fn interfaces_without_ethernet_are_read() {
    in_namespace(|| {
        // Raw IP as a VPN has it; PPP, whose header the kernel replaces by a cooked one.
        for (name, hardware_type, dlt) in
            [("livek0", libc::ARPHRD_NONE, 101), ("livek1", libc::ARPHRD_PPP, 113)]
        {
            let Some(mut tun) = tun(name, hardware_type) else {
                eprintln!("SKIPPED: no TUN devices here");
                return;
            };
            for workers in [1, 2] {
                let mut config = config(name, workers);
                config.filter = Filter::Wanted(Wanted::tunnels(&config.tunnels));
                let mut live = Live::open_af_packet(&config).unwrap();
                let sent = capture("vxlan-api");
                sent.iter().filter(|frame| frame[12..14] == [8, 0]).for_each(|frame| {
                    tun.write_all(&frame[14..]).unwrap();
                });
                let got = receive(&mut live, 214);
                assert!(got.iter().flatten().all(|packet| packet.dlt == dlt));
                let link = LinkType::from_dlt(dlt).unwrap();
                let expected = flows(sent.iter().map(Vec::as_slice), LinkType::Ethernet);
                let mut together = std::collections::BTreeMap::new();
                for packets in &got {
                    for (key, pieces) in flows(packets.iter().map(|p| p.data.as_slice()), link) {
                        assert!(together.insert(key, pieces).is_none(), "a connection of two workers");
                    }
                }
                assert!(together == expected, "{name}, {workers} workers");
                assert!(got.iter().all(|packets| !packets.is_empty()));
            }
        }
    });
}

#[test]
fn fragments_of_the_outer_packet_reach_the_worker_of_the_inner() {
    in_namespace(|| {
        veth("livel0", "livel1");
        let mut config = config("livel1", 2);
        config.filter = Filter::Wanted(Wanted::tunnels(&config.tunnels));
        let mut workers = Live::open_af_packet(&config).unwrap();
        let wire = Wire::on("livel0");
        let sent = capture("vxlan-api");
        for (n, frame) in sent.iter().enumerate().filter(|(_, frame)| frame[12..14] == [8, 0]) {
            // Every other packet in pieces of 200 bytes.
            if n % 2 == 0 {
                wire.send(frame);
            } else {
                fragments(frame, n as u16, 200).iter().for_each(|fragment| wire.send(fragment));
            }
        }
        let got = receive(&mut workers, 214);
        check_shared(&sent, &got);
    });
}

/// Cuts an Ethernet frame with IPv4 into fragments.
fn fragments(frame: &[u8], id: u16, size: usize) -> Vec<Vec<u8>> {
    let (header, payload) = frame.split_at(34);
    let count = payload.len().div_ceil(size);
    let piece = |(n, bytes): (usize, &[u8])| {
        let mut header = header.to_vec();
        let more = if n + 1 < count { 0x2000 } else { 0 };
        header[16..18].copy_from_slice(&(20 + bytes.len() as u16).to_be_bytes());
        header[18..20].copy_from_slice(&id.to_be_bytes());
        header[20..22].copy_from_slice(&((n * size / 8) as u16 | more).to_be_bytes());
        header[24..26].fill(0);
        let sum: u32 = header[14..].chunks(2).map(|w| u32::from(w[0]) << 8 | u32::from(w[1])).sum();
        let folded = (sum & 0xffff) + (sum >> 16);
        header[24..26].copy_from_slice(&(!(folded as u16)).to_be_bytes());
        header.extend_from_slice(bytes);
        header
    };
    payload.chunks(size).enumerate().map(piece).collect()
}

#[test]
fn the_loopback_gives_each_packet_once() {
    in_namespace(|| {
        let mut workers = Live::open_af_packet(&config("lo", 1)).unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        for n in 0..10_u8 {
            socket.send_to(&[n; 9], socket.local_addr().unwrap()).unwrap();
        }
        let got = receive(&mut workers, 20).remove(0);
        let numbers: Vec<u8> = got.iter().map(|packet| packet.data[packet.data.len() - 1]).collect();
        assert_eq!(numbers, (0..10).collect::<Vec<u8>>());
    });
}

#[test]
fn a_program_of_tcpdump_filters_and_cuts() {
    in_namespace(|| {
        veth("livef0", "livef1");
        let mut config = config("livef1", 1);
        // tcpdump -i EN10MB -ddd arp
        config.filter =
            Filter::Program(Program::parse("4\n40 0 0 12\n21 0 1 2054\n6 0 0 262144\n6 0 0 0").unwrap());
        config.snaplen = 20;
        let mut workers = Live::open_af_packet(&config).unwrap();
        let wire = Wire::on("livef0");
        let sent = capture("vxlan-api");
        sent.iter().for_each(|frame| wire.send(frame));
        let got = receive(&mut workers, sent.len()).remove(0);
        let arp = sent.iter().find(|frame| frame[12..14] == [8, 6]).unwrap();
        assert_eq!(got.len(), 1);
        assert_eq!((&got[0].data[..], got[0].wire_len as usize), (&arp[..20], arp.len()));
        assert_eq!(workers[0].stats().truncated, 1);
        config.filter = Filter::Program(Program::parse("1\n40 0 0 12").unwrap());
        let error = Live::open_af_packet(&config).err().unwrap().to_string();
        assert!(error.contains("filter for livef1: Invalid argument") && error.contains("-ddd"), "{error}");
    });
}

#[test]
fn one_thread_reads_several_interfaces() {
    in_namespace(|| {
        let frame = &capture("vxlan-api")[0];
        let mut sources = Vec::new();
        for n in 0..2 {
            veth(&format!("livej{n}"), &format!("livej{n}p"));
            sources.extend(Live::open_af_packet(&config(&format!("livej{n}p"), 1)).unwrap());
        }
        let start = Instant::now();
        Live::wait_any(&sources, Duration::from_millis(20)).unwrap();
        assert!(start.elapsed() >= Duration::from_millis(20), "nothing is there");
        for n in [1, 0, 1] {
            Wire::on(&format!("livej{n}")).send(frame);
            let mut got = Vec::new();
            while got.is_empty() && start.elapsed() < Duration::from_secs(5) {
                Live::wait_any(&sources, Duration::from_secs(1)).unwrap();
                for source in &mut sources {
                    if !source.next_batch(32, Duration::ZERO).unwrap().is_empty() {
                        got.push(source.name().to_owned());
                    }
                }
            }
            assert_eq!(got, [format!("livej{n}p")]);
        }
    });
}

#[test]
fn a_full_ring_is_counted() {
    in_namespace(|| {
        veth("liveg0", "liveg1");
        let mut config = config("liveg1", 1);
        (config.block_size, config.blocks) = (64 << 10, 2);
        let mut workers = Live::open_af_packet(&config).unwrap();
        let wire = Wire::on("liveg0");
        for _ in 0..1000 {
            wire.send(&[0xee; 1000]);
        }
        assert_eq!(workers[0].backlog(), 100);
        let got = receive(&mut workers, 1000).remove(0);
        let stats = workers[0].stats();
        assert!(got.len() >= 60 && stats.dropped > 500 && stats.freezes > 0, "{stats:?}");
        assert_eq!(stats.received + stats.dropped, 1000);
        assert_eq!(workers[0].backlog(), 0);
        wire.send(&[0xdd; 100]);
        assert_eq!(receive(&mut workers, 1)[0].len(), 1, "it goes on");
    });
}

#[test]
fn an_interface_that_goes_and_comes_is_followed() {
    in_namespace(|| {
        for workers in [1, 2] {
            veth("liveh0", "liveh1");
            let mut live = Live::open_af_packet(&config("liveh1", workers)).unwrap();
            let frame = &capture("vxlan-api")[0];
            let rounds = |live: &mut [Live]| {
                for _ in 0..20 {
                    for worker in live.iter_mut() {
                        assert!(worker.next_batch(32, Duration::from_millis(5)).unwrap().is_empty());
                    }
                }
            };
            let arrives = |live: &mut [Live], what: &str| {
                Wire::on("liveh0").send(frame);
                let got = receive(live, 1);
                assert_eq!(got.iter().map(Vec::len).sum::<usize>(), 1, "{what}, {workers} workers");
            };
            arrives(&mut live, "at first");
            assert!(ip("link set liveh1 down"));
            rounds(&mut live);
            assert!(live.iter_mut().all(|worker| worker.stats().downs == 1 && worker.stats().ups == 0));
            assert!(ip("link set liveh1 up"));
            rounds(&mut live);
            arrives(&mut live, "after it was down");
            for again in 1..=2 {
                assert!(ip("link delete liveh1"));
                rounds(&mut live);
                veth("liveh0", "liveh1");
                rounds(&mut live);
                arrives(&mut live, "after it was made again");
                for worker in &mut live {
                    let stats = worker.stats();
                    assert_eq!((stats.downs, stats.ups), (1 + again, 1 + again));
                }
            }
            assert!(ip("link delete liveh1"));
        }
    });
}

#[test]
fn what_cannot_be_opened_is_explained() {
    in_namespace(|| {
        veth("livei0", "livei1");
        assert!(ip("link set livei1 down"));
        for (config, says) in [
            (config("livei9", 1), "cannot capture on livei9: there is no such interface; `ip link` lists"),
            (
                config("livei1", 1),
                "cannot capture on livei1: the interface is down; bring it up: ip link set livei1 up",
            ),
            (AfPacketConfig { blocks: u32::MAX, ..config("livei0", 1) }, "ring of 4294967295 blocks"),
        ] {
            let error = Live::open_af_packet(&config).err().unwrap().to_string();
            assert!(error.contains(says), "{error}");
        }
    });
}
