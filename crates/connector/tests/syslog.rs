//! The datasink `syslog` against a real rsyslogd.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test stops by panicking")]
#![allow(clippy::needless_pass_by_value, reason = "a literal reads better without a reference")]
mod support;

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::pki::{Ca, Issued};
use support::{Bench, LONG, delivery, event, skip};

/// What rsyslogd writes of each message: its parts, a line.
const PARTS: &str = "%pri% %protocol-version% %timereported:::date-rfc3339% %hostname% %app-name% %procid% %msgid% \
                     %structured-data% %rawmsg-after-pri%\\n";

/// A daemon of the test, on loopback; it ends when it is dropped.
struct Daemon {
    dir: PathBuf,
    config: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl Daemon {
    /// Starts one; nothing, said loudly, where there is none.
    fn start(dir: &Path, transport: &str, tls: Option<(&Ca, &Issued)>) -> Option<Self> {
        let module = if tls.is_some() { "lmnsd_gtls.so" } else { "imtcp.so" };
        let found =
            ["/usr/lib/x86_64-linux-gnu/rsyslog", "/usr/lib/aarch64-linux-gnu/rsyslog", "/usr/lib64/rsyslog"];
        if !found.iter().any(|dir| Path::new(dir).join(module).exists()) {
            skip(&format!("no rsyslogd with {module} (Debian: rsyslog, rsyslog-gnutls)"));
            return None;
        }
        let port = match transport {
            "udp" => std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port(),
            _ => TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port(),
        };
        let (global, driver) = match tls {
            None => (String::new(), ""),
            Some((ca, own)) => (
                format!(
                    "global(DefaultNetstreamDriver=\"gtls\" DefaultNetstreamDriverCAFile=\"{}\" \
                     DefaultNetstreamDriverCertFile=\"{}\" DefaultNetstreamDriverKeyFile=\"{}\")\n",
                    ca.file.display(),
                    own.certificate.display(),
                    own.key.display()
                ),
                " StreamDriver.Name=\"gtls\" StreamDriver.Mode=\"1\" StreamDriver.AuthMode=\"x509/certvalid\"",
            ),
        };
        let module = if transport == "udp" { "imudp" } else { "imtcp" };
        let text = format!(
            "{global}global(workDirectory=\"{0}\" maxMessageSize=\"8k\")\nmodule(load=\"{module}\"{driver})\n\
             template(name=\"parts\" type=\"string\" string=\"{PARTS}\")\n\
             ruleset(name=\"all\") {{ action(type=\"omfile\" file=\"{0}/out\" template=\"parts\") }}\n\
             input(type=\"{module}\" address=\"127.0.0.1\" port=\"{port}\" ruleset=\"all\")\n",
            dir.display()
        );
        let config = dir.join("rsyslog.conf");
        std::fs::write(&config, text).unwrap();
        let mut daemon = Self { dir: dir.to_owned(), config, port, child: None };
        daemon.begin(transport == "udp");
        Some(daemon)
    }

    fn begin(&mut self, udp: bool) {
        let mut command = Command::new("rsyslogd");
        command.arg("-n").arg("-f").arg(&self.config).arg("-i").arg(self.dir.join("pid"));
        let log = std::fs::File::options().create(true).append(true).open(self.dir.join("log")).unwrap();
        self.child = Some(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
        let begin = Instant::now();
        let is_up = || match udp {
            true => std::net::UdpSocket::bind(("127.0.0.1", self.port)).is_err(),
            false => TcpStream::connect(("127.0.0.1", self.port)).is_ok(),
        };
        while !is_up() {
            assert!(begin.elapsed() < LONG, "{}", std::fs::read_to_string(self.dir.join("log")).unwrap());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it as an operator does.
    fn end(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let pid = child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        child.wait().unwrap();
    }

    /// The messages in its file, once there are so many.
    fn messages(&self, least: usize) -> Vec<Message> {
        let begin = Instant::now();
        loop {
            let text = std::fs::read_to_string(self.dir.join("out")).unwrap_or_default();
            let messages: Vec<_> = text.lines().map(Message::parse).collect();
            if messages.len() >= least {
                return messages;
            }
            let log = || std::fs::read_to_string(self.dir.join("log")).unwrap_or_default();
            assert!(begin.elapsed() < LONG, "{} of {least}: {}", messages.len(), log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn datasink(&self, transport: &str, more: Value) -> Value {
        let address = format!("localhost:{}", self.port);
        let mut settings = json!({
            "type": "syslog", "address": address, "transport": transport, "hostname": "sensor-1",
            "delivery": delivery(),
        });
        for (key, value) in more.as_object().unwrap() {
            settings[key] = value.clone();
        }
        json!({"siem": settings})
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.end();
    }
}

/// A message as the daemon has understood it.
#[derive(Debug)]
struct Message {
    /// PRI, version, time, host, app, procid, msgid.
    header: Vec<String>,
    /// From the structured data on.
    raw: String,
}

impl Message {
    fn parse(line: &str) -> Self {
        let mut parts = line.splitn(8, ' ');
        let header = parts.by_ref().take(7).map(ToOwned::to_owned).collect();
        Self { header, raw: parts.next().unwrap_or_default().to_owned() }
    }

    /// The event of a message in the form `json`.
    fn event(&self) -> Value {
        let json = &self.raw[self.raw.find('{').unwrap_or_else(|| panic!("{self:?}"))..];
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"))
    }

    fn number(&self) -> u64 {
        self.event()["n"].as_u64().unwrap()
    }
}

/// All are there, unaltered, and the first of each in order in its flow.
fn assert_all(messages: &[Message], count: u64) {
    let mut seen = BTreeSet::new();
    let mut last = BTreeMap::new();
    for message in messages {
        let number = message.number();
        assert_eq!(message.event(), event(number));
        if seen.insert(number) {
            let before = last.insert(number % 5, number);
            assert!(before.is_none_or(|before| before < number), "{number} after {before:?}");
        }
    }
    assert_eq!(seen, (0..count).collect());
}

#[test]
fn every_transport_arrives_unaltered() {
    for transport in ["udp", "tcp", "tls"] {
        for confirm in [true, false] {
            let dir = tempfile::tempdir().unwrap();
            let ca = Ca::new(dir.path(), "ca");
            let own = ca.issue(&["localhost"], 2030);
            let client = ca.issue(&["sensor-1"], 2030);
            let is_tls = transport == "tls";
            let Some(daemon) = Daemon::start(dir.path(), transport, is_tls.then_some((&ca, &own))) else {
                return;
            };
            let mut more = json!({"confirm": confirm});
            if is_tls {
                more["tls"] = json!({
                    "ca_file": ca.file, "ca_file_only": true,
                    "client_certificate_file": client.certificate, "client_key_file": client.key,
                });
            }
            let bench = Bench::start(dir.path(), 100, daemon.datasink(transport, more));
            let status = bench.finish();
            assert_eq!((status.datasinks[0].written, status.datasinks[0].valid), (100, true), "{status:?}");
            let messages = daemon.messages(100);
            assert_eq!(messages.len(), 100, "{transport} {confirm}");
            assert_all(&messages, 100);
            for message in &messages {
                let header = message.header.join(" ");
                assert!(header.starts_with("134 1 20") || header.starts_with("134 1 -"), "{header}");
                assert!(header.contains(" sensor-1 harken - -"), "{header}");
            }
        }
    }
}

#[test]
fn an_event_of_the_sensor_field_by_field() {
    let dir = tempfile::tempdir().unwrap();
    let Some(daemon) = Daemon::start(dir.path(), "tcp", None) else { return };
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../captures/vxlan-api/events.json");
    let datasink = daemon.datasink("tcp", json!({"format": "fields", "facility": "audit"}));
    let bench = Bench::start_with(dir.path(), &golden, datasink);
    bench.finish();
    let text = std::fs::read_to_string(golden).unwrap();
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let messages = daemon.messages(events.len());
    assert_eq!(messages.len(), events.len());
    for event in &events {
        let id = format!("event.id=\"{}\"", event["event"]["id"].as_str().unwrap());
        let message = messages.iter().find(|message| message.raw.contains(&id)).unwrap();
        let status = event["http"]["response"]["status_code"].as_u64().unwrap_or(0);
        let severity = if status >= 500 {
            3
        } else if status >= 400 {
            4
        } else {
            6
        };
        assert_eq!(message.header[0], (13 * 8 + severity).to_string());
        assert_eq!(message.header[2][..26], event["@timestamp"].as_str().unwrap()[..26], "{message:?}");
        let dataset = event["event"]["dataset"].as_str().unwrap();
        assert_eq!(message.header[3..7], ["sensor-1", "harken", "-", dataset]);
        for (name, value) in [
            ("client.ip", &event["client"]["ip"]),
            ("server.port", &event["server"]["port"]),
            ("http.request.method", &event["http"]["request"]["method"]),
            ("url.path", &event["url"]["path"]),
            ("harken.uid", &event["harken"]["uid"]),
        ] {
            let value = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
            assert!(message.raw.starts_with("[harken@32473 "), "{message:?}");
            assert!(message.raw.contains(&format!(" {name}=\"{value}\"")), "{name}: {value}: {message:?}");
        }
    }
}

#[test]
fn a_daemon_that_is_restarted_loses_nothing() {
    for transport in ["tcp", "tls"] {
        let dir = tempfile::tempdir().unwrap();
        let ca = Ca::new(dir.path(), "ca");
        let own = ca.issue(&["localhost"], 2030);
        let client = ca.issue(&["sensor-1"], 2030);
        let is_tls = transport == "tls";
        let Some(mut daemon) = Daemon::start(dir.path(), transport, is_tls.then_some((&ca, &own))) else {
            return;
        };
        let mut more = json!({});
        if is_tls {
            more["tls"] = json!({
                "ca_file": ca.file, "ca_file_only": true,
                "client_certificate_file": client.certificate, "client_key_file": client.key,
            });
        }
        let count = 4000;
        let bench = Bench::start(dir.path(), count, daemon.datasink(transport, more));
        let mut errors = 0;
        for restart in 1..=3 {
            let reached = restart * 500;
            bench.wait("on its way", |status| status.datasinks[0].written >= reached);
            daemon.end();
            bench.wait("failing", |status| status.datasinks[0].errors > errors);
            daemon.begin(false);
            errors = bench.connector.status().datasinks[0].errors;
        }
        let status = bench.finish();
        assert_eq!(status.datasinks[0].written, count);
        assert!(status.datasinks[0].errors >= 3);
        assert_all(&daemon.messages(count as usize), count);
    }
}

#[test]
fn what_is_too_long_is_put_aside_and_the_rest_arrives() {
    let dir = tempfile::tempdir().unwrap();
    let Some(daemon) = Daemon::start(dir.path(), "tcp", None) else { return };
    let path = dir.path().join("mixed.ndjson");
    let long = json!({"n": 1, "text": "x".repeat(9000)});
    std::fs::write(&path, format!("{}\n{long}\n{}\n", event(0), event(2))).unwrap();
    let bench = Bench::start_with(dir.path(), &path, daemon.datasink("tcp", json!({})));
    let status = bench.finish();
    assert_eq!(status.routes[0].ledger.written, 2);
    assert_eq!(status.routes[0].ledger.dead_lettered, 1);
    let numbers: BTreeSet<_> = daemon.messages(2).iter().map(Message::number).collect();
    assert_eq!(numbers, [0, 2].into());
    assert!(bench.lines.text().contains("max_bytes is 8192: raise it there"), "{}", bench.lines.text());
}

#[test]
fn a_certificate_that_is_not_trusted_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (ca, other) = (Ca::new(dir.path(), "ca"), Ca::new(dir.path(), "other"));
    let own = ca.issue(&["localhost"], 2030);
    let Some(daemon) = Daemon::start(dir.path(), "tls", Some((&ca, &own))) else { return };
    let more = json!({"tls": {"ca_file": other.file, "ca_file_only": true}});
    let bench = Bench::start(dir.path(), 10, daemon.datasink("tls", more));
    bench.wait("told", |status| status.datasinks[0].errors > 0 && !status.datasinks[0].valid);
    let text = bench.lines.text();
    assert!(text.contains("no trusted CA has issued it; issuer: CN=ca"), "{text}");
}
