//! A capture over TCP, on the loopback interface, in both roles.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: what is unexpected fails the test"
)]
use harken_capture::pcap_over_ip::{Listener, connect};
use std::{fs, io::Write, net::TcpListener, net::TcpStream, path::PathBuf, thread, time::Duration};

fn capture() -> Vec<u8> {
    fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../captures/vxlan-api/input.pcap")).unwrap()
}

#[test]
fn a_capture_is_read_from_who_connects() {
    let listener = Listener::bind("127.0.0.1:0").unwrap();
    let to = listener.address().unwrap();
    let sender = thread::spawn(move || TcpStream::connect(to).unwrap().write_all(&capture()).unwrap());
    let mut reader = listener.accept().unwrap().reader().unwrap();
    assert!(reader.name().starts_with(&format!("pcap-over-ip on {}", "127.0.0.1:0")), "{}", reader.name());
    while reader.next_packet().unwrap().is_some() {}
    assert_eq!(reader.packets(), 215);
    sender.join().unwrap();
}

#[test]
fn a_capture_is_read_from_who_is_connected_to() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let sender = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(&capture()).unwrap();
        // Stays open, as a sender of live packets does.
        stream
    });
    let connection = connect(&address, Duration::from_secs(5)).unwrap();
    let stop = connection.stop_handle().unwrap();
    let mut reader = connection.reader().unwrap();
    for _ in 0..215 {
        assert!(reader.next_packet().unwrap().is_some());
    }
    let _open = sender.join().unwrap();
    stop.stop();
    assert!(reader.next_packet().unwrap().is_none(), "stopped between two packets: a clean end");
    let error = connect("127.0.0.1:1", Duration::from_secs(1)).err().unwrap().to_string();
    assert!(error.contains("pcap-over-ip from 127.0.0.1:1") && error.contains("refused"), "{error}");
}
