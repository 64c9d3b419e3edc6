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
use std::collections::{BTreeMap, HashMap};
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

/// Zeek gives up an unanswered SYN after 5 s.
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
                Err(_) => {}
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

#[test]
fn connections_are_those_of_zeek() {
    let Some(corpus) = capture::shared("corpus") else { return };
    let mut cases: Vec<_> = std::fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    let (mut compared, mut equal) = (0u64, 0u64);
    let mut wrong: HashMap<&str, u64> = HashMap::new();
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
                println!("{name}: {field}: ours {our}, Zeek's {their}");
            }
            equal += u64::from(differs.is_empty());
        }
        for rest in ours {
            *wrong.entry("not in Zeek's log").or_default() += 1;
            println!(
                "{name}: not Zeek's: {:?} {:?} at {} {:?}",
                rest.orig, rest.resp, rest.start, rest.fields["history"]
            );
        }
    }
    println!("{equal} of {compared} connections equal; differences: {wrong:?}");
    assert!(compared > 0);
}
