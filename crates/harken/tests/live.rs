//! Live capture as a user has it: a sensor that runs, traffic that is mirrored to it, its logs, its end.
//!
//! Everything goes over loopback, without privileges. `cargo xtask live` does the same with a real server and
//! client in network namespaces.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]
mod support;

use std::io::Read as _;
use std::process::Stdio;
use std::time::Duration;
use support::scratch;
use support::sensor::{Sensor, capture, essence, free_port, golden, harken, lines, mirror, packets, to_port};

#[test]
fn each_pass_of_a_mirrored_capture_is_a_network_of_its_own() {
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let sensor = Sensor::start("live-passes", &to_port(&listen));
    let output =
        harken(&["mirror-sim", "--times", "3", "--vni", "16777214", "--rate", "2000", "--to", &listen])
            .arg("--read")
            .arg(capture("link-qinq").join("input.pcap"))
            .output()
            .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    sensor.seen(3 * packets("link-qinq"));
    let (output, _, logs) = sensor.end();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let mut vnis: Vec<u64> =
        lines(&logs, "capture_loss").iter().filter_map(|line| line["vni"].as_u64()).collect();
    vnis.sort_unstable();
    assert_eq!(vnis, [0, 16_777_214, 16_777_215], "of a number of 25 bits 24 count: {said}");
    let once = golden("link-qinq");
    let mut thrice: Vec<String> = std::iter::repeat_n(once, 3).flatten().collect();
    thrice.sort();
    assert_eq!(essence(&lines(&logs, "http")), thrice, "{said}");
}

#[test]
fn mirrored_traffic_over_udp() {
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    for workers in ["1", "2"] {
        let mut args = to_port(&listen);
        args.extend(["--workers", workers]);
        let sensor = Sensor::start(&format!("live-udp-{workers}"), &args);
        mirror("vxlan-api", port);
        sensor.seen(packets("vxlan-api"));
        let (output, took, logs) = sensor.end();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        assert!(took < Duration::from_secs(5), "took {took:?} to end: {said}");
        assert_eq!(essence(&lines(&logs, "http")), golden("vxlan-api"), "{said}");
        assert!(said.contains("transactions"), "the ledger is printed: {said}");
        let conns = lines(&logs, "conn");
        assert!(conns.iter().all(|c| c["missed_bytes"] == 0), "{conns:?}");
        assert!(!lines(&logs, "tunnel").is_empty() && !lines(&logs, "capture_loss").is_empty());
        let stats = lines(&logs, "stats");
        let read = stats.iter().map(|s| s["pkts_proc"].as_u64().unwrap()).sum::<u64>();
        assert_eq!(read, packets("vxlan-api"), "{stats:?}");
    }
}

#[test]
fn a_killed_sensor_leaves_logs_that_lack_at_most_the_last_second() {
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let sensor = Sensor::start("live-killed", &to_port(&listen));
    mirror("vxlan-api", port);
    sensor.seen(packets("vxlan-api"));
    std::thread::sleep(Duration::from_secs(1));
    let logs = sensor.logs.clone();
    drop(sensor); // SIGKILL
    let got = essence(&lines(&logs, "http"));
    let golden = golden("vxlan-api");
    assert!(got.iter().all(|line| golden.contains(line)), "{got:?}");
    // What waits for the end of its connection is not over, and not in the log.
    assert!(got.len() + 4 >= golden.len(), "{} of {}", got.len(), golden.len());

    // The next one takes the folder, and adds to what is there.
    let args = ["run", "--udp", &listen, "--run-for", "1s", "--log-dir"];
    let output = harken(&args).arg(&logs).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(essence(&lines(&logs, "http")), got);
}

#[test]
fn a_load_balancer_finds_the_sensor_healthy() {
    use std::io::Write as _;
    let (udp, health) = (free_port(), free_port());
    let health = format!("127.0.0.1:{health}");
    let sensor =
        Sensor::start("live-health", &["--udp", &format!("127.0.0.1:{udp}"), "--health", health.as_str()]);
    for _ in 0..2 {
        let mut stream = std::net::TcpStream::connect(&health).unwrap();
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: target\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    // A check that only connects.
    drop(std::net::TcpStream::connect(&health).unwrap());
    let (output, took, _) = sensor.end();
    assert!(output.status.success() && took < Duration::from_secs(5), "{took:?} {output:?}");
    assert!(std::net::TcpStream::connect(&health).is_err(), "nobody is healthy any more");
}

#[test]
fn a_reload_begins_new_logs_and_loses_nothing() {
    let port = free_port();
    let (listen, vxlan) = (format!("127.0.0.1:{port}"), port.to_string());
    let args = ["--udp", &listen, "--vxlan-port", &vxlan, "--vxlan-port", "4789", "--format", "zeek-json"];
    let sensor = Sensor::start("live-reload", &args);
    mirror("vxlan-api", port);
    sensor.seen(packets("vxlan-api"));
    sensor.until("lines in the log", || {
        std::fs::read_to_string(sensor.logs.join("current/http.log"))
            .is_ok_and(|text| text.lines().count() > 10)
    });
    let output = harken(&["reload", "--control", &sensor.control]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    sensor.until("an empty log", || {
        std::fs::metadata(sensor.logs.join("current/http.log")).is_ok_and(|meta| meta.len() == 0)
    });
    let (output, _, logs) = sensor.end();
    assert!(output.status.success());
    assert_eq!(essence(&lines(&logs, "http")), golden("vxlan-api"));
}

#[test]
fn a_capture_from_standard_input() {
    let logs = scratch("live-stdin");
    let mut child = harken(&["run", "--read", "-", "--log-dir"])
        .arg(&logs)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut file = std::fs::File::open(capture("vxlan-api").join("input.pcap")).unwrap();
    std::io::copy(&mut file, &mut child.stdin.take().unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(essence(&lines(&logs, "http")), golden("vxlan-api"));
}

#[test]
fn two_sensors_do_not_share_a_folder() {
    let port = free_port();
    let sensor = Sensor::start("live-twice", &["--udp", &format!("127.0.0.1:{port}")]);
    let second = harken(&["run", "--udp", &format!("127.0.0.1:{}", free_port()), "--log-dir"])
        .arg(&sensor.logs)
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("another sensor"));
    assert!(sensor.end().0.status.success());
}

#[test]
fn wrong_usage_is_told() {
    for (args, text) in [
        (["run", "--interface", "no-such-interface0"].as_slice(), "no-such-interface0"),
        (&["run", "--read", "/no/such/file"], "/no/such/file"),
        (&["top", "--control", "/no/such/socket"], "/no/such/socket"),
    ] {
        let logs = scratch("live-usage");
        let output = harken(args).current_dir(&logs).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.contains(text), "{args:?}: {said}");
    }
}

#[test]
#[cfg(not(feature = "af_xdp"))]
fn a_build_without_af_xdp_says_how_to_get_it() {
    let output = harken(&["run", "--interface", "lo", "--af-xdp"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("cargo build --release -p harken --features af_xdp"), "{said}");
}

/// Needs root, iproute2 and a kernel with AF_XDP, and says so where one is missing.
#[test]
#[cfg(feature = "af_xdp")]
fn mirrored_traffic_over_af_xdp_and_what_takes_its_place() {
    use nix::sched::{CloneFlags, unshare};
    use std::net::UdpSocket;
    use std::process::Command;
    use std::sync::mpsc;
    let ip = |arguments: &str| {
        Command::new("ip").args(arguments.split(' ')).status().is_ok_and(|status| status.success())
    };
    // Network namespaces of these two threads; they end with them.
    let (to_peer, at_peer) = mpsc::channel::<()>();
    let (to_us, at_us) = mpsc::channel();
    let peer = std::thread::spawn(move || {
        let ready = unshare(CloneFlags::CLONE_NEWNET).map(|()| nix::unistd::gettid());
        let ours = ready.is_ok();
        to_us.send(ready).unwrap();
        if !ours || at_peer.recv().is_err() {
            return;
        }
        assert!(ip("address add 10.77.0.1/24 dev xdprun0") && ip("link set xdprun0 up"));
        while at_peer.recv().is_ok() {
            let output = harken(&["mirror-sim", "--rate", "2000", "--to", "10.77.0.2:4789", "--read"])
                .arg(capture("vxlan-api").join("input.pcap"))
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    });
    let skip =
        |why: &str| eprintln!("SKIPPED mirrored_traffic_over_af_xdp: {why}; it needs root and iproute2");
    let tid = match (at_us.recv().unwrap(), unshare(CloneFlags::CLONE_NEWNET)) {
        (Ok(tid), Ok(())) => tid,
        (other, _) => return skip(&format!("no network namespace: {other:?}")),
    };
    if !ip("link add xdprun1 mtu 1700 type veth peer name xdprun0 mtu 1700") {
        return skip("no veth");
    }
    let up = "address add 10.77.0.2/24 dev xdprun1";
    assert!(ip(&format!("link set xdprun0 netns {tid}")) && ip(up) && ip("link set xdprun1 up"));
    to_peer.send(()).unwrap();
    for workers in ["1", "2"] {
        let args = ["--interface", "xdprun1", "--af-xdp", "--workers", workers];
        let sensor = Sensor::start(&format!("live-xdp-{workers}"), &args);
        to_peer.send(()).unwrap();
        sensor.seen(packets("vxlan-api"));
        // The place is taken: this one goes on with a packet socket.
        let second = Sensor::start(&format!("live-xdp-second-{workers}"), &args);
        let said = String::from_utf8_lossy(&second.end().0.stderr).into_owned();
        assert!(said.contains("another program uses AF_XDP on this queue"), "{said}");
        assert!(said.contains("Going on with AF_PACKET on xdprun1"), "{said}");
        let (output, _, logs) = sensor.end();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        if said.contains("Going on with AF_PACKET") {
            return skip(&said);
        }
        assert_eq!(essence(&lines(&logs, "http")), golden("vxlan-api"), "{said}");
        assert!(said.contains("xdprun1: AF_XDP in ") && said.contains("capabilities: none\n"), "{said}");
        // Afterwards a packet socket sees what is sent, and so does the host; a port that nobody has would make the
        // sender give up.
        let _port = UdpSocket::bind("10.77.0.2:4789").unwrap();
        let after = Sensor::start(&format!("live-xdp-after-{workers}"), &args[..2]);
        to_peer.send(()).unwrap();
        after.seen(packets("vxlan-api"));
        let (_, _, logs) = after.end();
        assert_eq!(essence(&lines(&logs, "http")), golden("vxlan-api"));
    }
    drop(to_peer);
    peer.join().unwrap();
}
