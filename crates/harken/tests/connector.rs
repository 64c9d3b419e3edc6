//! `harken connector` and `harken deadletter` as an operator uses them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod support;

use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use support::connector;

fn harken(dir: &Path, args: &[&str]) -> (bool, String) {
    support::said(&mut support::harken_in(dir, args))
}

fn good(dir: &Path, args: &[&str]) -> String {
    support::good(&mut support::harken_in(dir, args))
}

/// A receiver that answers 400 to what has "bad" in it, while it is strict.
struct Receiver {
    port: u16,
    strict: Arc<AtomicBool>,
    bodies: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (strict, bodies) = (Arc::new(AtomicBool::new(true)), Arc::new(Mutex::new(Vec::new())));
        let receiver = Self { port, strict: Arc::clone(&strict), bodies: Arc::clone(&bodies) };
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (strict, bodies) = (Arc::clone(&strict), Arc::clone(&bodies));
                std::thread::spawn(move || serve(stream.unwrap(), &strict, &bodies));
            }
        });
        receiver
    }
}

fn serve(mut stream: TcpStream, strict: &AtomicBool, bodies: &Mutex<Vec<String>>) {
    let mut input = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut length = 0;
        let mut line = String::new();
        while input.read_line(&mut line).unwrap_or(0) > 2 {
            let lower = line.to_ascii_lowercase();
            length =
                lower.strip_prefix("content-length:").map_or(length, |value| value.trim().parse().unwrap());
            line.clear();
        }
        if line.is_empty() {
            return;
        }
        let mut body = vec![0; length];
        input.read_exact(&mut body).unwrap();
        let body = String::from_utf8(body).unwrap();
        let status =
            if strict.load(Ordering::Relaxed) && body.contains("bad") { "400 Bad" } else { "200 OK" };
        if status == "200 OK" && !body.is_empty() {
            bodies.lock().unwrap().push(body);
        }
        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").unwrap();
    }
}

#[test]
fn from_the_start_to_the_dead_letters() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let receiver = Receiver::start();
    let config = json!({
        "period_s": 1,
        "readers": {"file": {"type": "file", "path": "events.ndjson", "follow": true}},
        "datasinks": {
            "edge": {"type": "http", "url": format!("http://127.0.0.1:{}/in", receiver.port)},
            "archive": {"type": "file", "path": "out/events.ndjson"},
        },
        "pipelines": {"all": {"reader": "file", "datasinks": ["edge", "archive"]}},
    });
    std::fs::write(dir.join("connector.json"), config.to_string()).unwrap();
    let line = |n: u32| format!("{{\"n\":{n},\"is\":\"{}\"}}\n", if n % 10 == 3 { "bad" } else { "good" });
    let text: String = (0..20).map(line).collect();
    std::fs::write(dir.join("events.ndjson"), &text).unwrap();

    let checked = good(dir, &["connector", "check"]);
    assert!(checked.contains("datasink edge, type http: valid\n"), "{checked}");
    assert!(!harken(dir, &["connector", "status"]).0);
    good(dir, &["connector", "start"]);
    let (second, says) = harken(dir, &["connector", "start"]);
    assert!(!second && says.contains("runs already"), "{says}");
    let written = |status: &Value, sink: &str| {
        let all = status["datasinks"].as_array().unwrap();
        all.iter().find(|found| found["name"] == sink).unwrap()["written"].as_u64().unwrap()
    };
    let status = connector(dir, |status| written(status, "edge") == 18 && written(status, "archive") == 20);
    assert_eq!(status["routes"][1]["ledger"]["dead_lettered"], 2, "{status}");
    good(dir, &["connector", "reload"]);
    let shown = good(dir, &["connector", "status"]);
    assert!(shown.contains("datasink: edge, type: http, received: 20, written: 18, "), "{shown}");
    assert_eq!(std::fs::read_to_string(dir.join("out/events.ndjson")).unwrap(), text);

    good(dir, &["connector", "restart"]);
    let mut input = std::fs::File::options().append(true).open(dir.join("events.ndjson")).unwrap();
    input.write_all(line(20).as_bytes()).unwrap();
    connector(dir, |status| written(status, "edge") == 1);
    good(dir, &["connector", "stop"]);
    assert!(!dir.join("connector/connector.pid").exists());
    let log = std::fs::read_to_string(dir.join("connector/connector.log")).unwrap();
    for says in [
        "Z info\n==============================connector stats==============================\nreader: read: ",
        "\npipeline: all, received: 20, filtered out: 0\n",
        "Z warn pipeline all, datasink edge: dead-lettered: answered 400 Bad Request",
        "Z info filters: read again\n",
        "Z info ended; 0 events",
    ] {
        assert!(log.contains(says), "{says}: {log}");
    }

    let list = good(dir, &["deadletter", "list"]);
    assert!(list.contains("all edge: 2, the newest of 2") && list.contains("all archive: 0\n"), "{list}");
    let show = good(dir, &["deadletter", "show", "all", "edge"]);
    let letters: Vec<Value> = show.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(letters.iter().map(|letter| &letter["event"]["n"]).collect::<Vec<_>>(), [3, 13]);
    assert_eq!((&letters[0]["status"], &letters[0]["pipeline"]), (&json!(400), &json!("all")));
    let replayed = good(dir, &["deadletter", "replay", "all", "edge"]);
    assert_eq!(replayed, "sent 0, still dead letters 2\n");
    receiver.strict.store(false, Ordering::Relaxed);
    assert_eq!(good(dir, &["deadletter", "replay", "all", "edge"]), "sent 2, still dead letters 0\n");
    assert_eq!(good(dir, &["deadletter", "show", "all", "edge"]), "");
    let bodies = receiver.bodies.lock().unwrap().concat();
    assert!((0..21).all(|n| bodies.contains(line(n).trim())), "{bodies}");
}

#[test]
fn what_is_wrong_is_said_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (started, says) = harken(dir, &["connector", "start"]);
    assert!(
        !started && says.contains("connector.json: cannot be read") && says.contains("--config"),
        "{says}"
    );
    let config = json!({
        "readers": {"file": {"type": "file", "path": "missing.ndjson"}},
        "datasinks": {"out": {"type": "stdout"}},
        "pipelines": {"all": {"reader": "file", "datasinks": ["out"]}},
    });
    std::fs::write(dir.join("connector.json"), config.to_string()).unwrap();
    let (started, says) = harken(dir, &["connector", "start"]);
    let expected = "connector.json: readers.file: cannot read missing.ndjson: ";
    assert!(!started && says.contains("ended at once") && says.contains(expected), "{says}");
    // A file that is not followed ends the connector once all is delivered.
    std::fs::write(dir.join("missing.ndjson"), "{\"n\":1}\n{\"n\":2}\n").unwrap();
    assert!(good(dir, &["connector", "run"]).starts_with("{\"n\":1}\n{\"n\":2}\n"));
    assert!(!good(dir, &["connector", "run"]).contains("{\"n\":"));
}
