//! The datasink `http` against a real HTTPS server with its own CA.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "a test stops by panicking, and copies what is small"
)]
mod support;

use hyper::Version;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use support::pki::Ca;
use support::server::{Act, Seen, Server};
use support::{Bench, delivery, event};

/// A datasink with the settings that all have, and these.
fn datasink(server: &Server, ca: &Path, more: Value) -> Value {
    let mut settings = json!({
        "type": "http",
        "url": format!("https://localhost:{}/in", server.address.port()),
        "tls": {"ca_file": ca, "ca_file_only": true},
        "request_timeout_ms": 300,
        "proxy": {"type": "none"},
        "delivery": delivery(),
    });
    for (key, value) in more.as_object().unwrap() {
        settings[key] = value.clone();
    }
    json!({"edge": settings})
}

/// The numbers of all events that were taken, sorted.
fn numbers(server: &Server) -> Vec<u64> {
    let all = server.taken().into_iter().flat_map(|seen| seen.events());
    let mut numbers: Vec<_> = all.map(|event| event["n"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

/// Whether the first of each event in each flow came in order.
fn assert_order(server: &Server) {
    let mut last: BTreeMap<u64, i64> = BTreeMap::new();
    let mut known = std::collections::BTreeSet::new();
    for event in server.taken().into_iter().flat_map(|seen| seen.events()) {
        let number = event["n"].as_u64().unwrap();
        if known.insert(number) {
            let before = last.insert(number % 5, number as i64).unwrap_or(-1);
            assert!(before < number as i64, "{number} after {before}");
        }
    }
}

#[test]
fn every_form_arrives_unaltered() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Ca::new(dir.path(), "ca");
    let own = ca.issue(&["localhost"], 2030);
    for (format, content_type) in [
        ("json_array", "application/json"),
        ("ndjson", "application/x-ndjson"),
        ("api_edge", "application/json"),
    ] {
        for (compression, encoding) in [("none", ""), ("gzip", "gzip"), ("zstd", "zstd")] {
            for (asked, version) in
                [("auto", Version::HTTP_2), ("1.1", Version::HTTP_11), ("2", Version::HTTP_2)]
            {
                let server = Server::start(&own, None, |_| Act::Take);
                let more = json!({
                    "format": format, "compression": compression, "http_version": asked,
                    "headers": {"X-Sensor": "s1"},
                });
                let run = tempfile::tempdir().unwrap();
                let bench = Bench::start(run.path(), 40, datasink(&server, &ca.file, more));
                let status = bench.finish();
                let name = format!("{format} {compression} {asked}");
                assert_eq!(numbers(&server), (0..40).collect::<Vec<_>>(), "{name}");
                assert_order(&server);
                for seen in server.taken() {
                    assert_eq!(seen.version, version, "{name}");
                    assert_eq!(seen.header("content-type"), content_type, "{name}");
                    assert_eq!(seen.header("content-encoding"), encoding, "{name}");
                    assert_eq!(seen.header("x-sensor"), "s1", "{name}");
                    assert_eq!(seen.header("idempotency-key").len(), 32, "{name}");
                    assert!(seen.events().iter().all(|e| *e == event(e["n"].as_u64().unwrap())), "{name}");
                }
                assert!(status.datasinks[0].valid, "{status:?}");
                assert_eq!((status.datasinks[0].written, status.datasinks[0].errors), (40, 0), "{name}");
            }
        }
    }
}

#[test]
fn each_fault_passes_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Ca::new(dir.path(), "ca");
    let own = ca.issue(&["localhost"], 2030);
    let faults: &[(&str, Act)] = &[
        ("500", Act::status(500)),
        ("503", Act::status(503)),
        ("429", Act::Answer(429, Some(("retry-after", "0".into())), String::new())),
        ("cut", Act::Cut),
        ("hang", Act::Hang),
        ("refuse", Act::Refuse(Duration::from_millis(150))),
        ("take and die", Act::TakeAndDie),
    ];
    for (name, fault) in faults {
        for version in ["1.1", "2"] {
            let (count, fault) = (AtomicUsize::new(0), fault.clone());
            // Every third batch meets it.
            let script = move |seen: &Seen| match seen.method == "POST" {
                true if count.fetch_add(1, Ordering::Relaxed) % 3 == 1 => fault.clone(),
                _ => Act::Take,
            };
            let server = Server::start(&own, None, script);
            let run = tempfile::tempdir().unwrap();
            let more = json!({"http_version": version});
            let bench = Bench::start(run.path(), 100, datasink(&server, &ca.file, more));
            let status = bench.finish();
            let mut all = numbers(&server);
            assert!(all.len() == 100 || *name == "take and die", "{name} {version}: {all:?}");
            all.dedup();
            assert_eq!(all, (0..100).collect::<Vec<_>>(), "{name} {version}");
            assert_order(&server);
            let ledger = status.routes[0].ledger;
            assert_eq!((ledger.read, ledger.written, ledger.dead_lettered), (100, 100, 0), "{name}");
            assert!(status.datasinks[0].errors > 0, "{name} {version}: {status:?}");
            assert!(!bench.lines.text().contains("Secret"));
            // The key of a batch is the same each time, and no other batch has it.
            let mut keys: BTreeMap<String, Vec<u8>> = BTreeMap::new();
            for seen in server.seen().into_iter().filter(|seen| seen.method == "POST") {
                let body = keys.entry(seen.header("idempotency-key").to_owned()).or_insert(seen.body.clone());
                assert_eq!(*body, seen.body, "{name}");
            }
        }
    }
}

#[test]
fn retry_after_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Ca::new(dir.path(), "ca");
    let own = ca.issue(&["localhost"], 2030);
    let first = AtomicUsize::new(0);
    let server = Server::start(&own, None, move |seen| {
        match seen.method == "POST" && first.fetch_add(1, Ordering::Relaxed) == 0 {
            true => Act::Answer(429, Some(("retry-after", "1".into())), String::new()),
            false => Act::Take,
        }
    });
    let bench =
        Bench::start(dir.path(), 3, datasink(&server, &ca.file, json!({"delivery": {"in_flight": 1}})));
    bench.finish();
    let posts: Vec<_> = server.seen().into_iter().filter(|seen| seen.method == "POST").collect();
    assert_eq!(posts.len(), 2);
    assert!(posts[1].at - posts[0].at >= Duration::from_secs(1));
}

#[test]
fn bad_and_large_events_alone_become_dead_letters() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Ca::new(dir.path(), "ca");
    let own = ca.issue(&["localhost"], 2030);
    let server = Server::start(&own, None, |seen| {
        let has =
            |number: u64| seen.method == "POST" && seen.events().iter().any(|event| event["n"] == number);
        match (has(17), has(42), seen.method == "POST" && seen.events().len() > 4) {
            (true, ..) => Act::Answer(400, None, "event.id is unknown".into()),
            (_, true, _) | (.., true) => Act::status(413),
            _ => Act::Take,
        }
    });
    let bench = Bench::start(dir.path(), 60, datasink(&server, &ca.file, json!({})));
    let status = bench.finish();
    assert_eq!(numbers(&server), (0..60).filter(|n| ![17, 42].contains(n)).collect::<Vec<_>>());
    let ledger = status.routes[0].ledger;
    assert_eq!((ledger.written, ledger.dead_lettered), (58, 2));
    let mut letters = Vec::new();
    let folder = harken_connector::dead_letters(&bench.config, "p", "edge");
    folder
        .read(&mut |letter| letters.push((letter.status, letter.reason, letter.event.get().to_owned())))
        .unwrap();
    letters.sort();
    assert_eq!(
        letters[0],
        (Some(400), "answered 400 Bad Request: event.id is unknown".into(), event(17).to_string())
    );
    assert_eq!((letters[1].0, &letters[1].2), (Some(413), &event(42).to_string()));
}

#[test]
fn refused_credentials_put_nothing_aside_and_a_new_secret_is_taken_up() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Ca::new(dir.path(), "ca");
    let own = ca.issue(&["localhost"], 2030);
    let server = Server::start(&own, None, |seen| match seen.header("authorization") {
        "Bearer new" => Act::Take,
        _ => Act::status(401),
    });
    let token = dir.path().join("token");
    std::fs::write(&token, "old-secret\n").unwrap();
    let more = json!({"auth": {"type": "bearer", "token": {"file": token}}});
    let bench = Bench::start(dir.path(), 30, datasink(&server, &ca.file, more));
    bench.wait("refused", |status| status.datasinks[0].errors > 2);
    let status = bench.connector.status();
    assert!(!status.datasinks[0].valid);
    assert!(status.datasinks[0].reason.as_deref().unwrap().contains("401"), "{status:?}");
    assert_eq!((status.routes[0].ledger.dead_lettered, status.routes[0].ledger.waiting), (0, 30));
    std::fs::write(&token, "new").unwrap();
    let status = bench.finish();
    assert!(status.datasinks[0].valid);
    assert_eq!(numbers(&server), (0..30).collect::<Vec<_>>());
    assert!(!bench.lines.text().contains("old-secret"));
    assert!(bench.lines.text().contains("error datasink edge is not valid: "), "{}", bench.lines.text());
}

#[test]
fn each_kind_of_credentials() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Ca::new(dir.path(), "ca");
    let own = ca.issue(&["localhost"], 2030);
    for (auth, header, value) in [
        (json!({"type": "bearer", "token": "t"}), "authorization", "Bearer t"),
        (json!({"type": "basic", "user": "u", "password": "p"}), "authorization", "Basic dTpw"),
        (json!({"type": "api_key", "header": "X-Api-Key", "key": "k"}), "x-api-key", "k"),
    ] {
        let server = Server::start(&own, None, |_| Act::Take);
        let run = tempfile::tempdir().unwrap();
        let bench = Bench::start(run.path(), 10, datasink(&server, &ca.file, json!({"auth": auth})));
        bench.finish();
        assert!(server.taken().iter().all(|seen| seen.header(header) == value), "{auth}");
        assert_eq!(numbers(&server).len(), 10);
    }
}

#[test]
fn tokens_are_fetched_anew_before_they_expire() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Ca::new(dir.path(), "ca");
    let own = ca.issue(&["localhost"], 2030);
    for in_form in [false, true] {
        let tokens = AtomicUsize::new(0);
        let server = Server::start(&own, None, move |seen| {
            if seen.path != "/token" {
                std::thread::sleep(Duration::from_millis(100));
                return if seen.header("authorization").starts_with("Bearer t") {
                    Act::Take
                } else {
                    Act::status(401)
                };
            }
            let form = String::from_utf8_lossy(&seen.body).into_owned();
            let basic = seen.header("authorization") == "Basic Y2xpZW50OnNlY3JldA==";
            let right = if in_form { form.contains("client_id=client&client_secret=secret") } else { basic };
            assert!(form.contains("grant_type=client_credentials") && form.contains("scope=write"), "{form}");
            let number = tokens.fetch_add(1, Ordering::Relaxed);
            match right {
                true => Act::Answer(200, None, format!(r#"{{"access_token":"t{number}","expires_in":1}}"#)),
                false => Act::status(400),
            }
        });
        let auth = json!({
            "type": "oauth2", "token_url": format!("https://localhost:{}/token", server.address.port()),
            "client_id": "client", "client_secret": "secret", "scope": "write", "credentials_in_form": in_form,
        });
        let more = json!({"auth": auth, "delivery": {"in_flight": 1, "batch_events": 1, "linger_ms": 1}});
        let run = tempfile::tempdir().unwrap();
        let bench = Bench::start(run.path(), 20, datasink(&server, &ca.file, more));
        bench.finish();
        assert_eq!(numbers(&server), (0..20).collect::<Vec<_>>());
        let mut used: Vec<_> =
            server.taken().iter().map(|seen| seen.header("authorization").to_owned()).collect();
        used.dedup();
        // Two seconds of batches, tokens that live one: some, but not one for each batch.
        assert!((2..8).contains(&used.len()), "{used:?}");
    }
}

#[test]
fn a_client_certificate_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Ca::new(dir.path(), "ca");
    let own = ca.issue(&["localhost"], 2030);
    let client = ca.issue(&["sensor"], 2030);
    let server = Server::start(&own, Some(&ca.file), |_| Act::Take);
    let without = tempfile::tempdir().unwrap();
    let bench = Bench::start(without.path(), 10, datasink(&server, &ca.file, json!({})));
    bench.wait("refused", |status| status.datasinks[0].errors > 0 && status.datasinks[0].reason.is_some());
    drop(bench);
    assert_eq!(numbers(&server), Vec::<u64>::new());
    let tls = json!({
        "ca_file": ca.file, "ca_file_only": true,
        "client_certificate_file": client.certificate, "client_key_file": client.key,
    });
    let bench = Bench::start(dir.path(), 10, datasink(&server, &ca.file, json!({"tls": tls})));
    bench.finish();
    assert_eq!(numbers(&server), (0..10).collect::<Vec<_>>());
}

#[test]
fn a_certificate_that_fails_is_explained() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Ca::new(dir.path(), "ca-of-the-receiver");
    let other = Ca::new(dir.path(), "another-ca");
    for (own, trusted, says) in [
        (
            ca.own(),
            &ca.file,
            ["it is that of a CA, and not of a server", "basicConstraints=critical,CA:FALSE"],
        ),
        (ca.issue(&["localhost"], 2030), &other.file, ["no trusted CA has issued it", "tls.ca_file"]),
        (ca.issue(&["localhost"], 2024), &ca.file, ["it has expired", "renew it"]),
        (ca.issue(&["edge.example"], 2030), &ca.file, ["it is for other names", "edge.example"]),
    ] {
        let server = Server::start(&own, None, |_| Act::Take);
        let run = tempfile::tempdir().unwrap();
        let bench = Bench::start(run.path(), 10, datasink(&server, trusted, json!({})));
        let status = bench.wait("refused", |status| status.datasinks[0].errors > 0);
        assert!(!status.datasinks[0].valid);
        let failure = status.routes[0].failure.clone().unwrap();
        for says in [says[0], says[1], "issuer: CN=ca-of-the-receiver", "mend: ", "localhost"] {
            assert!(failure.contains(says), "{says}: {failure}");
        }
        assert_eq!(status.routes[0].ledger.waiting, 10);
        assert!(server.seen().is_empty());
    }
}

#[test]
fn without_verification_each_period_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Ca::new(dir.path(), "ca");
    let own = ca.issue(&["edge.example"], 2030);
    let server = Server::start(&own, None, |_| Act::Take);
    let tls = json!({"dangerously_accept_any_certificate_and_let_anyone_read_the_events": true});
    let bench = Bench::start(dir.path(), 10, datasink(&server, &ca.file, json!({"tls": tls})));
    bench.finish();
    assert_eq!(numbers(&server).len(), 10);
    bench.wait("said twice", |_| bench.lines.text().matches("CERTIFICATES ARE NOT VERIFIED").count() >= 2);
}

#[test]
fn a_datasink_that_is_stuck_holds_back_only_itself() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Ca::new(dir.path(), "ca");
    let own = ca.issue(&["localhost"], 2030);
    let stuck = Server::start(&own, None, |seen| if seen.method == "POST" { Act::Hang } else { Act::Take });
    let good = Server::start(&own, None, |_| Act::Take);
    let mut datasinks = datasink(&good, &ca.file, json!({}));
    datasinks["stuck"] = datasink(&stuck, &ca.file, json!({}))["edge"].clone();
    let bench = Bench::start(dir.path(), 200, datasinks);
    let status = bench.wait("delivered to one", |status| status.routes.iter().any(|route| route.finished));
    assert_eq!(numbers(&good), (0..200).collect::<Vec<_>>());
    let of = |name: &str| status.datasinks.iter().find(|sink| sink.name == name).unwrap();
    assert_eq!((of("edge").written, of("stuck").written), (200, 0));
    assert_eq!(status.pipelines[0].received, 200);
    let last = bench.connector.stop();
    assert!(last.balances);
}

#[test]
fn dead_letters_that_cannot_be_written_hold_the_event() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Ca::new(dir.path(), "ca");
    let own = ca.issue(&["localhost"], 2030);
    let server = Server::start(&own, None, |seen| {
        let bad = seen.method == "POST" && seen.events().iter().any(|event| event["n"] == 3);
        if bad { Act::status(422) } else { Act::Take }
    });
    // A file is where the folder has to be.
    let blocked = dir.path().join("connector/dead-letters");
    std::fs::create_dir_all(dir.path().join("connector")).unwrap();
    std::fs::write(&blocked, "").unwrap();
    let bench = Bench::start(dir.path(), 10, datasink(&server, &ca.file, json!({})));
    let failure = |status: &harken_connector::Status| status.routes[0].failure.clone().unwrap_or_default();
    bench.wait("failing", |status| failure(status).contains("cannot write dead letters"));
    let ledger = bench.connector.status().routes[0].ledger;
    assert_eq!(ledger.dead_lettered, 0);
    assert!(ledger.waiting >= 1, "{ledger:?}");
    std::fs::remove_file(&blocked).unwrap();
    let ledger = bench.finish().routes[0].ledger;
    assert_eq!((ledger.written, ledger.dead_lettered), (9, 1));
}

/// A proxy that takes CONNECT with a password and passes bytes on; what it was asked for.
fn proxy() -> (u16, std::sync::Arc<std::sync::Mutex<Vec<String>>>) {
    let asked = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, asks) = (listener.local_addr().unwrap().port(), std::sync::Arc::clone(&asked));
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let asks = std::sync::Arc::clone(&asks);
            std::thread::spawn(move || tunnel(client, &asks));
        }
    });
    (port, asked)
}

fn tunnel(mut client: std::net::TcpStream, asks: &std::sync::Mutex<Vec<String>>) {
    use std::io::{Read as _, Write as _};
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let target = head.split(' ').nth(1).unwrap().to_owned();
    asks.lock().unwrap().push(head);
    let mut server = std::net::TcpStream::connect(target.replace("localhost", "127.0.0.1")).unwrap();
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    // Either end may go away at the end of the test.
    std::thread::spawn(move || std::io::copy(&mut from, &mut to));
    let _ = std::io::copy(&mut server, &mut client);
}

#[test]
fn a_proxy_is_asked_to_connect() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Ca::new(dir.path(), "ca");
    let own = ca.issue(&["localhost"], 2030);
    let server = Server::start(&own, None, |_| Act::Take);
    let (port, asked) = proxy();
    let url = format!("http://127.0.0.1:{port}");
    let more = json!({"proxy": {"type": "http", "url": url, "user": "u", "password": "p"}});
    let bench = Bench::start(dir.path(), 20, datasink(&server, &ca.file, more));
    bench.finish();
    assert_eq!(numbers(&server), (0..20).collect::<Vec<_>>());
    let asked = asked.lock().unwrap();
    assert!(!asked.is_empty());
    for head in asked.iter() {
        assert!(head.starts_with(&format!("CONNECT localhost:{} ", server.address.port())), "{head}");
        assert!(head.to_ascii_lowercase().contains("proxy-authorization: basic dtpw"), "{head}");
    }
}
