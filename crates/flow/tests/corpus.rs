//! Compares the flow table's view of each shared capture with Zeek's `conn.log`.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test reads files and may panic"
)]
mod capture;

use harken_flow::{
    Chunk, CloseReason, Config, DefragConfig, Defragmenter, Dir, Flow, FlowTable, Gap, Handler, Verdict,
};
use harken_wire::{Decoded, Decoder, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;

type End = (IpAddr, u16);

/// One connection, as either program sees it.
#[derive(Clone, PartialEq, Debug)]
struct Conn {
    orig: End,
    resp: End,
    /// Microseconds since the epoch.
    start: u64,
    fields: BTreeMap<&'static str, String>,
}

/// What is compared.
const FIELDS: [&str; 9] = [
    "orig_bytes",
    "resp_bytes",
    "conn_state",
    "history",
    "missed_bytes",
    "orig_pkts",
    "resp_pkts",
    "orig_ip_bytes",
    "resp_ip_bytes",
];

#[derive(Default)]
struct Conns(Vec<Conn>);

impl Handler for Conns {
    type State = ();
    fn open(&mut self, _: &Flow) {}
    fn orient(&mut self, bytes: &[u8]) -> Option<Dir> {
        // As an HTTP parser would, roughly.
        let text = |p: &str| bytes.starts_with(p.as_bytes());
        if ["GET ", "POST ", "HEAD ", "PUT "].into_iter().any(text) {
            Some(Dir::Orig)
        } else {
            text("HTTP/1.").then_some(Dir::Resp)
        }
    }
    fn data(&mut self, _: &Flow, (): &mut (), _: Chunk<'_>) -> Verdict {
        Verdict::Continue
    }
    fn gap(&mut self, _: &Flow, (): &mut (), _: Gap) -> Verdict {
        Verdict::Continue
    }
    fn end(&mut self, _: &Flow, (): &mut (), _: Dir, _: Timestamp) {}
    fn close(&mut self, flow: &Flow, (): (), _: CloseReason) {
        let (orig, resp) = (flow.counters(Dir::Orig), flow.counters(Dir::Resp));
        let values = [
            orig.size.to_string(),
            resp.size.to_string(),
            flow.conn_state().as_str().to_owned(),
            flow.history().to_owned(),
            (orig.missed_bytes + resp.missed_bytes).to_string(),
            orig.packets.to_string(),
            resp.packets.to_string(),
            orig.ip_bytes.to_string(),
            resp.ip_bytes.to_string(),
        ];
        let end = |e: (harken_wire::Ip, u16)| (e.0.to_std(), e.1);
        self.0.push(Conn {
            orig: end(flow.orig()),
            resp: end(flow.resp()),
            start: flow.start().0 / 1000,
            fields: FIELDS.into_iter().zip(values).collect(),
        });
    }
    fn weird(&mut self, _: &Flow, _: &'static str, _: Timestamp) {}
}

/// Zeek gives up an unanswered SYN 5 s after it was sent, which splits some connections.
fn config() -> Config {
    Config { idle_half_open: 5_000_000_000, ..Config::default() }
}

fn ours(capture: &Path) -> Vec<Conn> {
    let mut decoder = Decoder::default();
    let mut defrag = Defragmenter::new(DefragConfig::default());
    let mut table = FlowTable::new(config());
    let mut conns = Conns::default();
    for frame in capture::read_capture(capture) {
        let mut whole;
        let mut result = decoder.decode(frame.link, &frame.bytes);
        loop {
            match result {
                Ok(Decoded::Tcp(segment)) => table.segment(frame.at, &segment, &mut conns),
                Ok(Decoded::Fragment(fragment)) => {
                    if let Some(d) = defrag.push(frame.at, &fragment) {
                        whole = d.payload.to_vec();
                        let header = *d.header;
                        result = decoder.resume(&header, &whole);
                        continue;
                    }
                }
                Ok(Decoded::Datagram(_)) | Err(_) => {}
            }
            break;
        }
    }
    table.finish(&mut conns);
    let stats = table.stats();
    assert_eq!(stats.payload_bytes, stats.accounted(), "{}: {stats:?}", capture.display());
    assert_eq!(stats.held_bytes, 0);
    conns.0
}

fn zeeks(log: &Path) -> Vec<Conn> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let mut conns = Vec::new();
    for line in text.lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        if record["proto"] != "tcp" {
            continue;
        }
        let end = |side: &str| {
            let host = record[format!("id.{side}_h")].as_str().unwrap().parse().unwrap();
            (host, record[format!("id.{side}_p")].as_u64().unwrap() as u16)
        };
        let text = |field: &str| match &record[field] {
            serde_json::Value::String(s) => Some(s.clone()),
            serde_json::Value::Null => None,
            other => Some(other.to_string()),
        };
        let fields = FIELDS.into_iter().filter_map(|f| Some((f, text(f)?))).collect();
        let start = (record["ts"].as_f64().unwrap() * 1e6).round() as u64;
        conns.push(Conn { orig: end("orig"), resp: end("resp"), start, fields });
    }
    conns
}

const SYN_TIMEOUT: &str = "Zeek gives up an unanswered SYN after 5 s and calls the rest another connection";
const GAP_LETTER: &str = "the gap's letter stands where the gap was decided, and Zeek decides at once";
const TFO: &str = "Zeek takes a SYN with data for a retransmission (T)";
const PORTS: &str = "neither side's first packet was seen: the roles are a guess, and the guesses differ";
const WIRE: &str = "the link or tunnel is read by one of the two programs only";
const IP_BYTES: &str = "extension headers are counted differently";

/// Where the two differ, and why.
const DIFFERENCES: &[(&str, &str)] = &[
    ("suri__bug-2491-01__simple_http_download.onesided.pcap", SYN_TIMEOUT),
    ("suri__bug-2512__sample_10.62.112.41_62227.pcap", GAP_LETTER),
    ("suri__bug-3286-02-linux-evasion__with_evasion_linux.pcap", "Zeek takes an injected FIN off the size"),
    (
        "suri__bug-3286-03-windows-evasion__with_evasion_windows.pcap",
        "Zeek takes an injected FIN off the size",
    ),
    ("suri__bug-4810__pppoe-session-http.pcap", WIRE),
    (
        "suri__bug-5392__TPWhite-carved-out-7787-s1.pcap",
        "bytes that came after their acknowledgement are not missing",
    ),
    ("suri__decode-chdlc-01__hdlc-http_1tx.pcap", WIRE),
    ("suri__detect-bypass__input.pcap", "the acknowledgements of these made-up packets mean nothing"),
    ("suri__detect-bytetest-02__input.pcap", PORTS),
    ("suri__detect-pcre__detect-pcre-04__input.pcap", PORTS),
    ("suri__detect-pcre__detect-pcre-05__input.pcap", PORTS),
    ("suri__firewall__tcp-session-ipv6-decode-malformed__input.pcap", IP_BYTES),
    ("suri__http-gap-beyond-body__input.pcap", GAP_LETTER),
    ("suri__http-gap-simple__input.pcap", GAP_LETTER),
    ("suri__http-gap-whole-body__input.pcap", GAP_LETTER),
    ("suri__http-post-file__input.pcap", PORTS),
    ("suri__mqtt-events-missing-connect__input.pcap", GAP_LETTER),
    ("suri__tcp-fastopen-01__tfo.pcap", TFO),
    ("suri__tcp-fastopen-03__tfo.pcap", TFO),
    ("suri__tcp-fastopen-06__tfo-s1.pcap", TFO),
    ("suri__tcp-fastopen-08__tcp_fastopen_segmentation-s1.pcap", TFO),
    ("suri__tcp-fastopen-13__tfo.pcap", TFO),
    ("suri__tcp-rst-unacked-stream-10__TLPW1-tcp-174.56.47.59-10.3.11.101-tcp-80-49309.pcap", SYN_TIMEOUT),
    ("zeek__communityid__tcp.pcap", "bytes that came after their acknowledgement are not missing"),
    ("zeek__http__entity_gap.pcap", GAP_LETTER),
    ("zeek__http__entity_gap2.pcap", GAP_LETTER),
    ("zeek__ipv6-http-atomic-frag.pcap", IP_BYTES),
    ("zeek__ncp.pcap", PORTS),
    ("zeek__quic__383379789-decrypt-crash.pcap", PORTS),
    ("zeek__socks.pcap", SYN_TIMEOUT),
    ("zeek__tcp__payload-syn.pcap", TFO),
    ("zeek__tls__ocsp-request-only.pcap", GAP_LETTER),
    ("zeek__tunnels__Teredo.pcap", WIRE),
    ("zeek__tunnels__gre-aruba.pcap", SYN_TIMEOUT),
    ("zeek__tunnels__gtp__gtp2_different_udp_port.pcap", WIRE),
    ("zeek__tunnels__gtp__gtp6_gtp_0x32.pcap", WIRE),
    ("zeek__tunnels__gtp__gtp9_unknown_or_too_short_payload.pcap", WIRE),
    ("zeek__tunnels__tunnel-direct-bypass.pcap", "Zeek notes that a limit of its own was reached (X)"),
    ("zeek__vlan-collisions.pcap", "three VLANs with the same addresses are three connections"),
];

#[test]
fn connections_are_those_of_zeek() {
    let Some(corpus) = capture::shared("corpus") else { return };
    let mut cases: Vec<_> = std::fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    let (mut compared, mut equal) = (0u64, 0u64);
    let mut wrong: BTreeMap<&str, u64> = BTreeMap::new();
    let mut differing = BTreeSet::new();
    for case in cases.iter().filter(|case| case.is_dir()) {
        let capture = ["capture.pcap", "capture.pcapng"].map(|name| case.join(name));
        let Some(capture) = capture.iter().find(|path| path.exists()) else { continue };
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let (mut ours, theirs) = (ours(capture), zeeks(&case.join("conn.log")));
        for their in theirs {
            compared += 1;
            let same_ends = |c: &Conn| {
                (c.orig, c.resp) == (their.orig, their.resp) || (c.resp, c.orig) == (their.orig, their.resp)
            };
            let Some(at) = ours.iter().position(|c| same_ends(c) && c.start.abs_diff(their.start) <= 1)
            else {
                *wrong.entry("no such flow").or_default() += 1;
                differing.insert(name.clone());
                println!("{name}: no flow {:?} {:?} at {}", their.orig, their.resp, their.start);
                continue;
            };
            let our = ours.remove(at);
            let mut differs = Vec::new();
            if our.orig != their.orig {
                differs.push((
                    "roles",
                    format!("{:?}", our.orig),
                    format!("{:?} {:?}", their.orig, their.fields.get("history")),
                ));
            } else {
                for (field, value) in &their.fields {
                    if our.fields[field] != *value {
                        differs.push((field, our.fields[field].clone(), value.clone()));
                    }
                }
            }
            for (field, our, their) in &differs {
                *wrong.entry(field).or_default() += 1;
                differing.insert(name.clone());
                println!("{name}: {field}: ours {our}, Zeek's {their}");
            }
            equal += u64::from(differs.is_empty());
        }
        for rest in ours {
            *wrong.entry("not in Zeek's log").or_default() += 1;
            differing.insert(name.clone());
            println!(
                "{name}: not Zeek's: {:?} {:?} at {} {:?}",
                rest.orig, rest.resp, rest.start, rest.fields["history"]
            );
        }
    }
    println!("{equal} of {compared} connections equal; differences: {wrong:?}");
    let listed: BTreeSet<String> = DIFFERENCES.iter().map(|(case, _)| (*case).to_owned()).collect();
    for case in differing.intersection(&listed) {
        let why = DIFFERENCES.iter().find(|(c, _)| c == case).map_or("", |(_, why)| why);
        println!("{case}: {why}");
    }
    for case in listed.difference(&differing) {
        println!("{case}: differs no longer");
    }
    assert_eq!(differing.difference(&listed).collect::<Vec<_>>(), [""; 0], "cases that are not listed");
    assert!(compared > 0);
}
