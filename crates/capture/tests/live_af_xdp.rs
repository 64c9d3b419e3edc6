//! AF_XDP, in network namespaces of the tests' own. Each test needs root and iproute2, and says so when it is
//! skipped.
#![cfg(all(target_os = "linux", feature = "af_xdp"))]
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

use harken_capture::live::{AfPacketConfig, AfXdpConfig, Live};
use live::{capture, check_shared, receive};
use net::{Wire, in_namespace, ip, veth};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::mpsc,
    thread,
    time::Duration,
};

fn config(interface: &str, workers: u16, generic: bool) -> AfXdpConfig {
    AfXdpConfig {
        interface: interface.to_owned(),
        memory: 4 << 20,
        workers,
        generic,
        ..AfXdpConfig::default()
    }
}

/// Opens it; says so and gives nothing where the kernel has no AF_XDP.
fn open(config: &AfXdpConfig) -> Option<Vec<Live>> {
    match Live::open_af_xdp(config) {
        Ok(live) => Some(live),
        Err(e) if e.to_string().contains("this kernel has no") => {
            let _ = writeln!(std::io::stderr(), "SKIPPED: {e}");
            None
        }
        Err(e) => panic!("{e}"),
    }
}

/// A pair of interfaces as on a usual link, whose driver can run XDP programs.
fn usual(one: &str, other: &str) {
    veth(one, other);
    for name in [one, other] {
        assert!(ip(&format!("link set {name} mtu 1700")));
    }
}

/// The IPv4 packets of a capture: all but an ARP request.
fn tunnelled() -> Vec<Vec<u8>> {
    capture("vxlan-api").into_iter().filter(|frame| frame[12..14] == [8, 0]).collect()
}

#[test]
fn tunnel_packets_arrive_in_every_mode() {
    in_namespace(|| {
        usual("xdpa0", "xdpa1");
        let wire = Wire::on("xdpa0");
        for (generic, says) in [(true, "in generic mode"), (false, "in native mode")] {
            let Some(mut workers) = open(&config("xdpa1", 1, generic)) else { return };
            assert!(
                workers[0].notes()[0].starts_with(&format!("xdpa1: AF_XDP {says}")),
                "{:?}",
                workers[0].notes()
            );
            let sent = tunnelled();
            let before = std::time::SystemTime::now();
            sent.iter().for_each(|frame| wire.send(frame));
            let got = receive(&mut workers, sent.len()).remove(0);
            assert!(got.iter().map(|packet| &packet.data).eq(&sent), "the same frames, in order");
            let since = before.duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
            assert!(got.iter().all(|p| p.dlt == 1 && p.wire_len as usize == p.data.len()));
            assert!(got.iter().all(|p| (since..since + 60_000_000_000).contains(&p.ts)), "times of now");
            let stats = workers[0].stats();
            assert_eq!((stats.received, stats.dropped, stats.truncated, stats.malformed), (214, 0, 0, 0));
            assert_eq!((workers[0].backlog(), workers[0].name()), (0, "xdpa1"));
        }
    });
}

#[test]
fn connections_stay_whole_with_several_workers() {
    in_namespace(|| {
        usual("xdpb0", "xdpb1");
        let wire = Wire::on("xdpb0");
        for (workers, generic) in [(2, true), (2, false), (3, false)] {
            let Some(mut live) = open(&config("xdpb1", workers, generic)) else { return };
            let sent = tunnelled();
            sent.iter().for_each(|frame| wire.send(frame));
            let got = receive(&mut live, sent.len());
            check_shared(&sent, &got);
            assert_eq!(live.iter_mut().map(|worker| worker.stats().received).sum::<u64>(), 214);
            assert!(live.iter_mut().all(|worker| worker.stats().dropped == 0));
        }
    });
}

#[test]
fn workers_are_the_same_as_those_of_a_packet_socket() {
    in_namespace(|| {
        usual("xdpc0", "xdpc1");
        let wire = Wire::on("xdpc0");
        let names =
            ["geneve-aws", "gre", "erspan1", "erspan2", "erspan3", "nvgre", "vxlan-gpe", "4in6", "6in4"];
        let mut parts = Vec::new();
        for xdp in [false, true] {
            let mut live = if xdp {
                let Some(live) = open(&config("xdpc1", 3, false)) else { return };
                live
            } else {
                let interface = "xdpc1".to_owned();
                Live::open_af_packet(&AfPacketConfig { interface, workers: 3, ..AfPacketConfig::default() })
                    .unwrap()
            };
            let mut of_names = Vec::new();
            for name in names {
                let sent = capture(&format!("tunnel-{name}"));
                sent.iter().for_each(|frame| wire.send(frame));
                let got = receive(&mut live, sent.len());
                assert_eq!(got.iter().map(Vec::len).sum::<usize>(), sent.len(), "{name}");
                let data = |packets: Vec<support::Owned>| packets.into_iter().map(|p| p.data).collect();
                of_names.push(got.into_iter().map(data).collect::<Vec<Vec<Vec<u8>>>>());
            }
            parts.push(of_names);
        }
        for (name, (packet, xdp)) in names.iter().zip(parts[0].iter().zip(&parts[1])) {
            assert!(packet == xdp, "{name}");
        }
    });
}

#[test]
fn everything_else_reaches_the_host() {
    in_namespace(|| {
        usual("xdpd0", "xdpd1");
        assert!(ip("address add 10.77.1.1/24 dev xdpd1"));
        for generic in [true, false] {
            let Some(mut workers) = open(&config("xdpd1", 2, generic)) else { return };
            let server = TcpListener::bind("10.77.1.1:0").unwrap();
            let address = server.local_addr().unwrap();
            let (to_peer, at_peer) = mpsc::channel();
            let (to_us, at_us) = mpsc::channel();
            // The other end is another host: it gets a namespace of its own.
            let peer = thread::spawn(move || {
                // SAFETY: takes an integer, and concerns this thread alone, which ends with the test.
                #[allow(unsafe_code, reason = "as said")]
                let (made, tid) = unsafe { (libc::unshare(libc::CLONE_NEWNET), libc::gettid()) };
                assert_eq!(made, 0);
                to_us.send(tid).unwrap();
                let () = at_peer.recv().unwrap();
                assert!(ip("address add 10.77.1.2/24 dev xdpd0") && ip("link set xdpd0 up"));
                let mut stream = TcpStream::connect(address).unwrap();
                stream.write_all(&vec![7; 300_000]).unwrap();
                drop(stream);
                let socket = UdpSocket::bind("10.77.1.2:0").unwrap();
                // In pieces, the first of which shows the port of a tunnel.
                socket.send_to(&[1; 4000], (address.ip(), 4789)).unwrap();
                // To a port of no tunnel.
                socket.send_to(b"hello", (address.ip(), 4790 + 1000)).unwrap();
                let wire = Wire::on("xdpd0");
                tunnelled().iter().for_each(|frame| wire.send(frame));
                let () = at_peer.recv().unwrap();
                assert!(ip("link delete xdpd0"));
            });
            let in_pieces = UdpSocket::bind("10.77.1.1:4789").unwrap();
            let other = UdpSocket::bind("10.77.1.1:5790").unwrap();
            for socket in [&in_pieces, &other] {
                socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            }
            assert!(ip(&format!("link set xdpd0 netns {}", at_us.recv().unwrap())));
            to_peer.send(()).unwrap();
            let mut text = Vec::new();
            assert_eq!(server.accept().unwrap().0.read_to_end(&mut text).unwrap(), 300_000);
            assert_eq!(in_pieces.recv(&mut [0; 9000]).unwrap(), 4000);
            assert_eq!(other.recv(&mut [0; 9000]).unwrap(), 5);
            let got = receive(&mut workers, 214);
            check_shared(&tunnelled(), &got);
            assert_eq!(workers[0].stats().passed, 3, "the fragments are counted");
            assert_eq!(workers[1].stats().passed, 0, "once");
            to_peer.send(()).unwrap();
            peer.join().unwrap();
            drop(workers);
            if generic {
                usual("xdpd0", "xdpd1");
                assert!(ip("address add 10.77.1.1/24 dev xdpd1"));
            }
        }
    });
}

#[test]
fn long_packets_come_in_pieces() {
    in_namespace(|| {
        veth("xdpe0", "xdpe1");
        let wire = Wire::on("xdpe0");
        for generic in [true, false] {
            let mut workers = match Live::open_af_xdp(&config("xdpe1", 1, generic)) {
                Ok(workers) => workers,
                Err(e) => {
                    assert!(e.to_string().contains("6.6") || e.to_string().contains("no AF_XDP"), "{e}");
                    let _ = writeln!(std::io::stderr(), "SKIPPED: {e}");
                    return;
                }
            };
            let first = &tunnelled()[0];
            let mut sent = Vec::new();
            for length in [200, 3839, 3840, 3841, 5000, 8000, 9000, 100] {
                let mut frame = first.clone();
                (frame.len()..length).for_each(|n| frame.push(n as u8));
                wire.send(&frame);
                sent.push(frame);
            }
            let got = receive(&mut workers, sent.len()).remove(0);
            let lengths: Vec<_> = got.iter().map(|p| (p.data.len(), p.wire_len)).collect();
            assert!(
                got.iter().map(|packet| &packet.data).eq(&sent),
                "{generic}: {lengths:?}, {:?}",
                workers[0].stats()
            );
            assert_eq!(workers[0].stats().dropped, 0);
        }
    });
}

#[test]
fn tags_in_the_frame_are_kept() {
    in_namespace(|| {
        usual("xdpf0", "xdpf1");
        let wire = Wire::on("xdpf0");
        for generic in [true, false] {
            for tags in [1, 2] {
                let Some(mut workers) = open(&config("xdpf1", 2, generic)) else { return };
                let tag = |mut frame: Vec<u8>| {
                    for n in 0..tags {
                        frame.splice(12..12, [0x81, 0, 0, 100 + n]);
                    }
                    frame
                };
                let sent: Vec<_> = tunnelled().into_iter().map(tag).collect();
                sent.iter().for_each(|frame| wire.send(frame));
                let got = receive(&mut workers, sent.len());
                check_shared(&sent, &got);
            }
        }
    });
}

#[test]
fn what_finds_no_room_is_counted() {
    in_namespace(|| {
        usual("xdpg0", "xdpg1");
        let wire = Wire::on("xdpg0");
        for generic in [true, false] {
            let config = AfXdpConfig { memory: 0, ..config("xdpg1", 2, generic) };
            let Some(mut workers) = open(&config) else { return };
            let frames = tunnelled();
            (0..10).for_each(|_| frames.iter().for_each(|frame| wire.send(frame)));
            thread::sleep(Duration::from_millis(100));
            assert!(workers.iter().all(|worker| worker.backlog() == 100), "it is shared memory");
            let got: usize = receive(&mut workers, 2140).iter().map(Vec::len).sum();
            let mut total = workers[0].stats();
            total.add(&workers[1].stats());
            assert_eq!((got, total.received, total.dropped), (1024, 1024, 2140 - 1024));
            assert!(total.freezes > 0);
            assert_eq!(workers[0].backlog(), 0);
            frames.iter().for_each(|frame| wire.send(frame));
            check_shared(&frames, &receive(&mut workers, 214));
        }
    });
}

#[test]
fn several_queues_are_read() {
    in_namespace(|| {
        assert!(ip(
            "link add xdph0 numtxqueues 4 numrxqueues 4 type veth peer name xdph1 numtxqueues 4 numrxqueues 4"
        ));
        for name in ["xdph0", "xdph1"] {
            let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6"), "1");
            assert!(ip(&format!("link set {name} mtu 1700 up")));
        }
        let wire = Wire::on("xdph0");
        for (workers, generic) in [(1, true), (3, false)] {
            let Some(mut live) = open(&config("xdph1", workers, generic)) else { return };
            assert!(live[0].notes()[0].contains(", 4 queues"), "{:?}", live[0].notes());
            let sent = tunnelled();
            // Other outer ports and so other queues.
            sent.iter().for_each(|frame| wire.send(frame));
            check_shared(&sent, &receive(&mut live, sent.len()));
        }
    });
}

#[test]
fn nothing_is_left_behind() {
    in_namespace(|| {
        usual("xdpi0", "xdpi1");
        let attached = || {
            let shown = std::process::Command::new("ip").args(["link", "show", "xdpi1"]).output().unwrap();
            let shown = String::from_utf8(shown.stdout).unwrap();
            shown.contains("prog/xdp") || shown.contains("xdpgeneric")
        };
        for generic in [true, false] {
            assert!(!attached());
            let Some(workers) = open(&config("xdpi1", 2, generic)) else { return };
            assert!(attached());
            let second = Live::open_af_xdp(&config("xdpi1", 1, generic)).err().unwrap().to_string();
            assert!(second.contains("on xdpi1: Device or resource busy"), "{second}");
            drop(workers);
        }
        assert!(!attached());
    });
}

#[test]
fn what_cannot_be_opened_is_explained() {
    in_namespace(|| {
        usual("xdpj0", "xdpj1");
        assert!(ip("link set xdpj1 down"));
        for (name, says) in [
            ("xdpj9", "cannot use AF_XDP on xdpj9: there is no such interface; `ip link` lists"),
            ("xdpj1", "cannot use AF_XDP on xdpj1: the interface is down; bring it up: ip link set xdpj1 up"),
        ] {
            let error = Live::open_af_xdp(&config(name, 1, false)).err().unwrap().to_string();
            assert!(error.starts_with(says), "{error}");
        }
        if let Some(_tun) = net::tun("xdpj2", libc::ARPHRD_NONE) {
            let error = Live::open_af_xdp(&config("xdpj2", 1, false)).err().unwrap().to_string();
            assert!(error.contains("it has no Ethernet frames"), "{error}");
        }
    });
}

#[test]
fn an_interface_that_goes_away_ends_it() {
    in_namespace(|| {
        usual("xdpk0", "xdpk1");
        let Some(mut workers) = open(&config("xdpk1", 1, false)) else { return };
        let mut look = || {
            thread::sleep(Duration::from_millis(1100));
            workers[0].next_batch(32, Duration::ZERO).map(|batch| batch.len()).map_err(|e| e.to_string())
        };
        assert_eq!(look(), Ok(0));
        assert!(ip("link set xdpk1 down"));
        assert_eq!(look(), Ok(0));
        assert!(ip("link set xdpk1 up"));
        assert_eq!(look(), Ok(0));
        let wire = Wire::on("xdpk0");
        thread::sleep(Duration::from_millis(100));
        wire.send(&tunnelled()[0]);
        assert_eq!(look(), Ok(1), "after it was down");
        assert!(ip("link delete xdpk1"));
        let error = look().unwrap_err();
        assert!(error.contains("xdpk1 went away"), "{error}");
        let stats = workers[0].stats();
        assert_eq!((stats.downs, stats.ups), (2, 1));
    });
}
