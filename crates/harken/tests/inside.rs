//! The connector inside the sensor: `harken run --connector`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]
#[path = "../../connector/tests/support/pki.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod pki;
mod support;

use pki::Ca;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};
use support::scratch;
use support::sensor::{Sensor, essence, free_port, golden, harken, lines, mirror, to_port};

/// The `event.id` of each line.
fn ids(text: &str) -> Vec<String> {
    let id = |line: &str| {
        let event: Value = serde_json::from_str(line).unwrap();
        event["event"]["id"].as_str().unwrap().to_owned()
    };
    text.lines().map(id).collect()
}

/// Writes a configuration with the folders below `state`, one pipeline `p`, and its filters. The file's name.
fn configure(state: &Path, name: &str, datasink: &Value, simple: &Value) -> String {
    let [config, filters] = ["connector.json", "filters.json"].map(|name| state.join(name));
    std::fs::write(&filters, simple.to_string()).unwrap();
    let settings = json!({
        "dir": state.join("connector"),
        "readers": {"spool": {"type": "spool", "dir": state.join("spool")}},
        "datasinks": {name: datasink},
        "pipelines": {"p": {"reader": "spool", "datasinks": [name], "filters": {"simple": filters}}},
    });
    std::fs::write(&config, settings.to_string()).unwrap();
    config.display().to_string()
}

#[test]
fn the_connector_inside_delivers_what_the_spool_has() {
    let state = scratch("live-inside-state");
    std::fs::create_dir_all(&state).unwrap();
    let (spool, archive) = (state.join("spool"), state.join("out/events.ndjson"));
    let datasink = json!({"type": "file", "path": archive});
    let file = configure(&state, "archive", &datasink, &json!({"defaults": false}));
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let mut args = to_port(&listen);
    args.extend(["--connector", &file]);
    let arrived = || std::fs::read_to_string(&archive).map(|text| ids(&text)).unwrap_or_default();
    let connector = |word: &str| harken(&["connector", word, "--config", &file]).output().unwrap();

    let sensor = Sensor::start("live-inside", &args);
    mirror("vxlan-api", port);
    let all = golden("vxlan-api").len();
    sensor.until("the events of a capture", || arrived().len() == all);
    assert_eq!(essence(&lines(&sensor.logs, "http")).len(), all);
    let status = connector("status");
    assert!(String::from_utf8_lossy(&status.stdout).starts_with("running, inside `harken run`, process "));
    for word in ["stop", "restart"] {
        let refused = connector(word);
        assert!(!refused.status.success());
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(said.contains("is a part of `harken run`") && said.contains("end that one"), "{said}");
    }
    let top = sensor.top().unwrap();
    assert_eq!(top["deliveries"][0]["delivery"], "p to archive", "{top}");
    assert_eq!(
        (&top["deliveries"][0]["written"], &top["connector"]["runs"]),
        (&all.into(), &true.into()),
        "{top}"
    );
    let second = connector("run");
    assert!(String::from_utf8_lossy(&second.stderr).contains("a connector runs already with this folder"));

    // Killed while events are on their way.
    mirror("vxlan-api", port);
    drop(sensor);
    let peek = harken(&["spool", "peek", "--limit", "1000", "--spool"]).arg(&spool).output().unwrap();
    let committed = ids(&String::from_utf8_lossy(&peek.stdout));
    assert!(committed.len() >= all);
    let sensor = Sensor::start("live-inside-again", &args);
    sensor.until("what was committed", || {
        let arrived = arrived();
        committed.iter().all(|id| arrived.contains(id))
    });
    let (output, took, _) = sensor.end();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && took < Duration::from_secs(5), "took {took:?}: {said}");
    assert!(said.contains("connector, p to archive: ") && said.contains(" 0 waiting"), "{said}");
    let status = connector("status");
    assert!(String::from_utf8_lossy(&status.stderr).contains("the connector is not running"));
}

/// An HTTPS server that keeps what is posted to it, and its CA.
struct Receiver {
    child: Child,
    port: u16,
    ca: PathBuf,
}

const SERVER: &str = r#"
import http.server, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with open(sys.argv[1], "ab") as file:
            file.write(body if body.endswith(b"\n") else body + b"\n")
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[3], sys.argv[4])
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"#;

impl Receiver {
    /// Nothing where there is no Python.
    fn start(dir: &Path) -> Option<Self> {
        let ca = Ca::new(dir, "ca");
        let own = ca.issue(&["localhost"], 2030);
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut python = Command::new("python3");
        python
            .args(["-c", SERVER])
            .arg(dir.join("got"))
            .arg(port.to_string())
            .args([own.certificate, own.key]);
        let receiver = Self { child: python.spawn().ok()?, port, ca: ca.file };
        let begin = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begin.elapsed() < Duration::from_secs(20));
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(receiver)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A name to be resolved, a CA in a file, filters and masking, all from inside the sandbox.
#[test]
fn the_connector_inside_delivers_over_https() {
    let state = scratch("live-inside-https");
    let received = state.join("receiver");
    std::fs::create_dir_all(&received).unwrap();
    let Some(receiver) = Receiver::start(&received) else {
        eprintln!("!!! SKIPPED: no python3, which the receiver of this test needs");
        return;
    };
    let datasink = json!({
        "type": "http", "url": format!("https://localhost:{}/in", receiver.port), "format": "ndjson",
        "compression": "none", "proxy": {"type": "none"}, "delivery": {"linger_ms": 20},
        "tls": {"ca_file": receiver.ca, "ca_file_only": true},
    });
    let filters =
        json!({"defaults": false, "exclude": [{"name": "carts", "where": {"path": ["/v1/cart/**"]}}]});
    let file = configure(&state, "edge", &datasink, &filters);
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let mut args = to_port(&listen);
    args.extend(["--connector", &file]);
    let sensor = Sensor::start("live-inside-https-logs", &args);
    mirror("vxlan-api", port);
    let carts = golden("vxlan-api").iter().filter(|line| line.contains("\"/v1/cart/")).count();
    let all = golden("vxlan-api").len() - carts;
    assert!(carts > 0);
    let got = || std::fs::read_to_string(received.join("got")).unwrap_or_default();
    sensor.until("all but the carts", || got().lines().count() >= all);
    let (output, _, _) = sensor.end();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    // What the WebSocket connection was is told at its end, with the sensor's: it is written as well, or waits.
    let read = all + carts + 1;
    let written = |count: usize, waiting: usize| {
        format!(
            "connector, p to edge: {read} events read, {carts} filtered out, {count} written, 0 dead-lettered, \
             {waiting} waiting"
        )
    };
    assert!(said.contains(&written(all, 1)) || said.contains(&written(all + 1, 0)), "{said}");
    assert!(ids(&got()).len() >= all);
    assert!(got().contains("\"Bearer ***\"") && !got().contains("/v1/cart/"), "{}", got());
}

#[test]
fn a_connector_inside_that_cannot_be_is_refused_before_anything_is_received() {
    let state = scratch("live-inside-wrong");
    std::fs::create_dir_all(&state).unwrap();
    let file = state.join("connector.json");
    let run = |text: &str, more: &[&str]| {
        std::fs::write(&file, text).unwrap();
        let mut command = harken(&["run", "--udp", "127.0.0.1:0", "--log-dir"]);
        command.arg(state.join("logs")).arg("--connector").arg(&file).args(more);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let dir = state.join("connector").display().to_string();
    let with = |readers: &str| {
        format!(
            r#"{{"dir": "{dir}", "readers": {readers}, "datasinks": {{"o": {{"type": "stdout"}}}}, "pipelines": {{"p": {{"reader": "r", "datasinks": ["o"]}}}}}}"#
        )
    };
    assert!(run("{", &[]).contains("connector.json: "));
    let none = with(r#"{"r": {"type": "file", "path": "events"}}"#);
    assert!(run(&none, &[]).contains("readers has none of type spool"));
    let other = with(r#"{"r": {"type": "spool", "dir": "/elsewhere"}}"#);
    assert!(run(&other, &["--spool", "here"]).contains("no reader of type spool has the dir here"));
}
