//! What a live packet costs; measured when asked for, as root:
//! `cargo test --release -p harken-capture --features af_xdp --test live_cost -- --ignored --nocapture`
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

use harken_capture::live::{AfPacketConfig, Filter, Live, UdpConfig, Wanted};
use live::capture;
use net::{Wire, cpu_nanos, in_namespace, veth};
use std::{
    net::UdpSocket,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

const ROUNDS: usize = 3000;

/// Reads until the sender has ended and nothing comes any more; gives CPU nanoseconds and bytes touched.
fn read(live: &mut Live, ended: &AtomicBool) -> (u64, u64) {
    let start = cpu_nanos();
    let mut sum = 0_u64;
    loop {
        let over = ended.load(Ordering::Acquire);
        let batch = live.next_batch(32, Duration::from_millis(50)).unwrap();
        if batch.is_empty() && over {
            return (cpu_nanos() - start, sum);
        }
        // One byte of each packet is looked at, so that its first cache line is paid for.
        batch.iter().for_each(|packet| sum += u64::from(packet.data[30]));
    }
}

fn measure(what: &str, workers: Vec<Live>, count: usize, send: impl FnOnce() + Send) {
    let ended = AtomicBool::new(false);
    let (start, mut sent_for) = (Instant::now(), Duration::ZERO);
    let (mut received, mut dropped, mut cpu) = (0, 0, 0);
    thread::scope(|scope| {
        let ended = &ended;
        let threads: Vec<_> = workers
            .into_iter()
            .map(|mut worker| {
                scope.spawn(move || {
                    let (cpu, _) = read(&mut worker, ended);
                    (cpu, worker.stats())
                })
            })
            .collect();
        send();
        sent_for = start.elapsed();
        ended.store(true, Ordering::Release);
        for thread in threads {
            let (nanos, stats) = thread.join().unwrap();
            cpu += nanos;
            received += stats.received;
            dropped += stats.dropped;
        }
    });
    let rate = count as f64 / sent_for.as_secs_f64() / 1e6;
    println!(
        "{what}: {count} sent at {rate:.2} million/s, {received} received, {dropped} dropped, {:.0} ns of CPU each",
        cpu as f64 / received as f64
    );
    assert_eq!(received + dropped, count as u64, "every packet is accounted for");
}

#[test]
#[ignore = "a measurement"]
fn cost_of_a_packet() {
    in_namespace(|| {
        veth("livem0", "livem1");
        let frames: Vec<_> =
            capture("vxlan-api").into_iter().filter(|frame| frame[12..14] == [8, 0]).collect();
        for workers in [1, 2] {
            let mut config =
                AfPacketConfig { interface: "livem1".to_owned(), workers, ..AfPacketConfig::default() };
            config.filter = Filter::Wanted(Wanted::tunnels(&config.tunnels));
            let live = Live::open_af_packet(&config).unwrap();
            measure(&format!("af_packet, {workers} workers"), live, frames.len() * ROUNDS, || {
                let wire = Wire::on("livem0");
                (0..ROUNDS).for_each(|_| frames.iter().for_each(|frame| wire.send(frame)));
            });
        }
        #[cfg(feature = "af_xdp")]
        for (workers, generic) in [(1, true), (1, false), (2, true), (2, false)] {
            // As on a usual link, else the driver's own XDP copies packets once more.
            assert!(net::ip("link set livem0 mtu 1700") && net::ip("link set livem1 mtu 1700"));
            let config = harken_capture::live::AfXdpConfig {
                interface: "livem1".to_owned(),
                workers,
                generic,
                memory: 64 << 20,
                ..Default::default()
            };
            let live = Live::open_af_xdp(&config).unwrap();
            let what = if generic { "generic" } else { "native" };
            measure(&format!("af_xdp, {what}, {workers} workers"), live, frames.len() * ROUNDS, || {
                let wire = Wire::on("livem0");
                (0..ROUNDS).for_each(|_| frames.iter().for_each(|frame| wire.send(frame)));
            });
        }
        for workers in [1, 2] {
            let listen = vec!["127.0.0.1:4789".parse().unwrap()];
            let live = Live::open_udp(&UdpConfig { listen, workers, ..UdpConfig::default() }).unwrap();
            measure(&format!("udp, {workers} workers"), live, frames.len() * ROUNDS, || {
                let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
                socket.connect("127.0.0.1:4789").unwrap();
                (0..ROUNDS).for_each(|_| {
                    frames.iter().for_each(|frame| assert!(socket.send(&frame[42..]).is_ok()));
                });
            });
        }
        // Full batches, as under load: what waits in the receive buffer is read at once.
        let listen = vec!["127.0.0.1:4789".parse().unwrap()];
        let mut live = Live::open_udp(&UdpConfig { listen, ..UdpConfig::default() }).unwrap().remove(0);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (mut cpu, mut received) = (0, 0);
        for _ in 0..10 {
            for frame in (0..50).flat_map(|_| &frames) {
                socket.send_to(&frame[42..], "127.0.0.1:4789").unwrap();
            }
            cpu += read(&mut live, &AtomicBool::new(true)).0;
        }
        received += live.stats().received;
        println!(
            "udp, full batches: {received} received, {:.0} ns of CPU each",
            cpu as f64 / received as f64
        );
    });
}
