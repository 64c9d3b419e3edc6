//! Zeek's own logs as the measure: its records are taken apart, put into messages, and written again.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests are not in test functions: what is not as expected is to fail the test"
)]
use harken_event::zeek::conn::{Conn, Sent};
use harken_event::zeek::http::HttpLog;
use harken_event::{FlowInfo, Form, Transaction};
use harken_http::{Exchange, Field, Informational, Known, Message, Span, Version};
use harken_wire::Timestamp;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::sync::Arc;

type Record = Map<String, Value>;

/// The folder with captures and logs, when there is one.
fn corpus() -> Option<PathBuf> {
    #[allow(clippy::disallowed_methods, reason = "the captures live outside of the repository")]
    let shared = std::env::var("HARKEN_SHARED").map(PathBuf::from);
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let corpus = shared.unwrap_or_else(|_| beside()).join("corpus");
    if !corpus.is_dir() {
        eprintln!("SKIPPED: no corpus at {}: set HARKEN_SHARED", corpus.display());
        return None;
    }
    Some(corpus)
}

/// All records of the logs of one name.
fn records(corpus: &Path, log: &str) -> Vec<Record> {
    let mut all = Vec::new();
    for case in corpus.read_dir().unwrap() {
        #[allow(clippy::disallowed_methods, reason = "the logs live in files")]
        let Ok(text) = std::fs::read_to_string(case.unwrap().path().join(log)) else { continue };
        all.extend(text.lines().map(|line| serde_json::from_str::<Record>(line).unwrap()));
    }
    all
}

fn text<'r>(record: &'r Record, name: &str) -> Option<&'r str> {
    record.get(name).and_then(Value::as_str)
}

/// Undoes Zeek's `\xNN`.
fn bytes(text: &str) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), text);
    while let Some(at) = rest.find("\\x") {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        match rest.get(at + 2..at + 4).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = &rest[at + 4..];
            }
            None => {
                out.extend_from_slice(b"\\x");
                rest = &rest[at + 2..];
            }
        }
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

fn flow(record: &Record) -> FlowInfo {
    let end = |side: &str| {
        let ip: std::net::IpAddr = text(record, &format!("id.{side}_h")).unwrap().parse().unwrap();
        (ip.into(), record[&format!("id.{side}_p")].as_u64().unwrap() as u16)
    };
    FlowInfo::new(end("orig"), end("resp"), Arc::default(), time(record), Form::Json, 0)
}

fn time(record: &Record) -> Timestamp {
    let micros = (record["ts"].as_f64().unwrap() * 1e6).round();
    Timestamp(micros as u64 * 1000)
}

/// Harken rounds times to microseconds, Zeek's are floating point: a small difference is taken out.
fn close(got: &mut Record, want: &Record, name: &str) {
    let (Some(have), Some(want)) = (got.get_mut(name), want.get(name)) else { return };
    assert!((have.as_f64().unwrap() - want.as_f64().unwrap()).abs() < 1e-6, "{name}: {have} {want}");
    *have = want.clone();
}

fn append(head: &mut Vec<u8>, part: &[u8]) -> Span {
    let start = head.len();
    head.extend_from_slice(part);
    Span::new(start, head.len())
}

fn request(record: &Record) -> Option<Box<Message>> {
    let mut m = Message { start: time(record), ..Message::default() };
    m.first = append(&mut m.head, &bytes(text(record, "method")?));
    // What Zeek has decoded is coded again, so that the writer has something to decode.
    let uri = bytes(text(record, "uri")?).iter().map(|b| format!("%{b:02x}")).collect::<String>();
    m.second = append(&mut m.head, uri.as_bytes());
    for (field, name, which) in [
        ("host", "HOST", Known::Host),
        ("referrer", "Referer", Known::Referer),
        ("user_agent", "user-agent", Known::UserAgent),
        ("origin", "Origin", Known::Origin),
    ] {
        if let Some(value) = text(record, field) {
            let name = append(&mut m.head, name.as_bytes());
            let value = append(&mut m.head, &bytes(value));
            m.fields.push(Field { name, value });
            m.known[which as usize] = m.fields.len() as u16;
        }
    }
    for value in record.get("proxied").and_then(Value::as_array).into_iter().flatten() {
        let (name, value) = value.as_str().unwrap().split_once(" -> ").unwrap();
        let name = append(&mut m.head, name.to_lowercase().as_bytes());
        let value = append(&mut m.head, value.as_bytes());
        m.fields.push(Field { name, value });
    }
    m.trailers_at = m.fields.len();
    m.body.decoded_len = record["request_body_len"].as_u64()?;
    Some(Box::new(m))
}

fn response(record: &Record) -> Option<Box<Message>> {
    let mut m = Message { response: true, start: time(record), ..Message::default() };
    m.status = record.get("status_code")?.as_u64()? as u16;
    let reason = bytes(text(record, "status_msg")?);
    if reason != b"<empty>" {
        append(&mut m.head, b"HTTP/1.1 200 ");
        m.third = append(&mut m.head, &reason);
    }
    let (major, minor) = text(record, "version")?.split_once('.')?;
    let version = Version { major: major.parse().ok()?, minor: minor.parse().ok()? };
    m.version = (text(record, "version") != Some("0.9")).then_some(version);
    m.body.decoded_len = record["response_body_len"].as_u64()?;
    Some(Box::new(m))
}

#[test]
fn http_log_reads_like_zeeks() {
    let Some(corpus) = corpus() else { return };
    // Files are not kept, and user names are told from credentials that Zeek does not log.
    let apart = ["uid", "username"];
    let files = |name: &str| name.starts_with("orig_") || name.starts_with("resp_");
    let (mut log, mut out, mut count) = (HttpLog::new(Form::Json), Vec::new(), 0);
    // A request whose head Zeek did not see, but some of its body: there is no message to make from that.
    let headless = |r: &Record| r["request_body_len"] != 0 && !r.contains_key("method");
    for mut record in records(&corpus, "http.log").into_iter().filter(|r| !headless(r)) {
        let informational = record.get("info_code").map(|code| Informational {
            status: code.as_u64().unwrap() as u16,
            reason: bytes(text(&record, "info_msg").unwrap()),
        });
        let exchange = Exchange {
            depth: record["trans_depth"].as_u64().unwrap() as u32,
            request: request(&record),
            response: response(&record),
            informational,
            ..Exchange::default()
        };
        out.clear();
        log.write(
            &Transaction {
                flow: &flow(&record),
                exchange: &exchange,
                masking: None,
                trust: harken_event::Trust::private(),
            },
            &mut out,
        );
        let mut got: Record = serde_json::from_slice(&out).unwrap();
        for line in [&mut got, &mut record] {
            line.retain(|name, _| !apart.contains(&name.as_str()) && !files(name));
        }
        close(&mut got, &record, "ts");
        assert_eq!(got, record);
        count += 1;
    }
    assert!(count > 500, "only {count} records");
}

#[test]
fn conn_log_reads_like_zeeks() {
    let Some(corpus) = corpus() else { return };
    let (mut out, mut count) = (Vec::new(), 0);
    for mut record in records(&corpus, "conn.log").into_iter().filter(|r| text(r, "proto") == Some("tcp")) {
        let number = |name: &str| record.get(name).and_then(Value::as_u64).unwrap_or_default();
        let sent = |side: &str| Sent {
            bytes: number(&format!("{side}_bytes")),
            packets: number(&format!("{side}_pkts")),
            ip_bytes: number(&format!("{side}_ip_bytes")),
        };
        let seconds = record.get("duration").and_then(Value::as_f64).unwrap_or_default();
        let conn = Conn {
            flow: &flow(&record),
            service: text(&record, "service"),
            duration: (seconds * 1e9) as u64,
            orig: sent("orig"),
            resp: sent("resp"),
            state: text(&record, "conn_state").unwrap(),
            missed_bytes: number("missed_bytes"),
            history: text(&record, "history").unwrap_or_default().as_bytes(),
            other_encap: None,
        };
        out.clear();
        conn.write(Form::Json, &mut out);
        let mut got: Record = serde_json::from_slice(&out).unwrap();
        for line in [&mut got, &mut record] {
            // Tunnels are of Zeek's own naming, and its ids are random.
            line.retain(|name, _| !matches!(name.as_str(), "uid" | "ts" | "tunnel_parents"));
        }
        close(&mut got, &record, "duration");
        assert_eq!(got, record);
        count += 1;
    }
    assert!(count > 500, "only {count} records");
}
