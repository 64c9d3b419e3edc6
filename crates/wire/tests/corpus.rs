//! Compares the TCP connections that the decoder sees in each shared capture with those in Zeek's conn.log.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test reads files and may panic"
)]
mod capture;

use harken_wire::{Decoded, Decoder, Fragment, FragmentHeader, FragmentKey, LinkType};
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::path::Path;

/// Both endpoints of a connection, the lower first.
type Connection = [(IpAddr, u16); 2];

fn connection(mut ends: Connection) -> Connection {
    ends.sort();
    ends
}

/// A packet whose fragments are being put together.
#[derive(Default)]
struct Partial {
    header: Option<FragmentHeader>,
    end: Option<usize>,
    bytes: Vec<Option<u8>>,
}

/// Puts fragments together the simple way: complete when the bytes up to the last fragment are all there.
#[derive(Default)]
struct Defragmenter(HashMap<FragmentKey, Partial>);

impl Defragmenter {
    fn add(&mut self, fragment: &Fragment<'_>) -> Option<(FragmentHeader, Vec<u8>)> {
        let Partial { header, end, bytes } = self.0.entry(fragment.header.key()).or_default();
        let offset = fragment.offset as usize;
        if offset == 0 {
            *header = Some(fragment.header);
        }
        let reach = offset + fragment.payload.len();
        if !fragment.more {
            *end = Some(reach);
        }
        bytes.resize(bytes.len().max(reach), None);
        for (slot, byte) in bytes[offset..].iter_mut().zip(fragment.payload) {
            *slot = Some(*byte);
        }
        let whole = bytes[..(*end)?.min(bytes.len())].iter().copied().collect::<Option<Vec<u8>>>()?;
        let header = (*header)?;
        self.0.remove(&fragment.header.key());
        Some((header, whole))
    }
}

fn decoded(capture: &Path) -> (BTreeSet<Connection>, Decoder) {
    let mut decoder = Decoder::default();
    let mut defragmenter = Defragmenter::default();
    let mut seen = BTreeSet::new();
    let packets = capture::read_capture(capture);
    for (dlt, frame) in &packets {
        let link = LinkType::from_dlt(*dlt).unwrap();
        let mut payload;
        let mut result = decoder.decode(link, frame);
        loop {
            match result {
                Ok(Decoded::Tcp(s)) => {
                    seen.insert(connection([(s.src.to_std(), s.sport), (s.dst.to_std(), s.dport)]));
                }
                Ok(Decoded::Fragment(fragment)) => {
                    if let Some((header, whole)) = defragmenter.add(&fragment) {
                        payload = whole;
                        result = decoder.resume(&header, &payload);
                        continue;
                    }
                }
                Ok(Decoded::Datagram(_)) | Err(_) => {}
            }
            break;
        }
    }
    assert_eq!(decoder.stats().frames.received(), packets.len() as u64, "{}: the books", capture.display());
    (seen, decoder)
}

fn logged(log: &Path) -> BTreeSet<Connection> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let records = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let end = |record: &serde_json::Value, side: &str| {
        let host = record[format!("id.{side}_h")].as_str().unwrap().parse().unwrap();
        (host, record[format!("id.{side}_p")].as_u64().unwrap() as u16)
    };
    records
        .filter(|record| record["proto"] == "tcp")
        .map(|record| connection([end(&record, "orig"), end(&record, "resp")]))
        .collect()
}

/// Where the two differ, and why.
const DIFFERENCES: &[(&str, &str)] = &[
    ("suri__bug-4810__pppoe-session-http.pcap", "Zeek does not read PPP's compressed protocol field"),
    ("suri__decode-chdlc-01__hdlc-http_1tx.pcap", "Zeek does not read Cisco HDLC"),
    ("zeek__tunnels__Teredo.pcap", "Teredo is not taken off"),
    ("zeek__tunnels__gtp__gtp2_different_udp_port.pcap", "GTP is not taken off"),
    ("zeek__tunnels__gtp__gtp6_gtp_0x32.pcap", "GTP is not taken off"),
    ("zeek__tunnels__gtp__gtp9_unknown_or_too_short_payload.pcap", "GTP is not taken off"),
];

#[test]
fn connections_are_those_of_zeek() {
    let Some(corpus) = capture::shared("corpus") else { return };
    let mut cases: Vec<_> = std::fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    let (mut compared, mut connections, mut failures) = (0, 0, Vec::new());
    for case in cases.iter().filter(|case| case.is_dir()) {
        let capture = ["capture.pcap", "capture.pcapng"].map(|name| case.join(name));
        let Some(capture) = capture.iter().find(|path| path.exists()) else { continue };
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let (mine, decoder) = decoded(capture);
        let zeek = logged(&case.join("conn.log"));
        compared += 1;
        connections += zeek.len();
        if mine == zeek {
            continue;
        }
        let known = DIFFERENCES.iter().find(|(case, _)| *case == name);
        println!("{name}: {}", known.map_or("NOT EXPLAINED", |(_, reason)| reason));
        for missing in zeek.difference(&mine) {
            println!("    only Zeek:   {missing:?}");
        }
        for extra in mine.difference(&zeek) {
            println!("    only Harken: {extra:?}");
        }
        for (layer, reason, count) in decoder.stats().frames.ignored.iter() {
            println!("    ignored {count} {} {}", layer.name(), reason.name());
        }
        if known.is_none() {
            failures.push(name);
        }
    }
    println!("{compared} captures, {connections} connections compared");
    assert!(failures.is_empty(), "not explained: {failures:?}");
}
