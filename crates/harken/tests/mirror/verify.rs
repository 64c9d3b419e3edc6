//! `verify` against packets: a server in a network namespace, its interfaces mirrored under the VNIs of sessions in the fake.
use crate::estate::Estate;
use crate::support::sensor::{Sensor, free_port};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// HTTP on port 8080 and HTTPS on 8443, with a body that no packet of 300 bytes holds.
const SERVER: &str = r#"
import http.server, ssl, sys, threading
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = b"x" * 600
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
plain = http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Handler)
threading.Thread(target=plain.serve_forever, daemon=True).start()
secure = http.server.ThreadingHTTPServer(("0.0.0.0", 8443), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
secure.socket = context.wrap_socket(secure.socket, server_side=True)
print("ready", flush=True)
secure.serve_forever()
"#;

const NAMESPACE: &str = "hk-verify";

fn ip(args: &str) -> bool {
    let done = Command::new("ip").args(args.split(' ')).stderr(Stdio::null()).status();
    done.is_ok_and(|done| done.success())
}

/// What is started here, and ends with the test.
struct Net {
    children: Vec<Child>,
}

impl Net {
    /// A namespace with that many interfaces: 10.98.N.2 there, 10.98.N.1 here. Nothing, said loudly, without the right to it.
    fn new(interfaces: usize) -> Option<Self> {
        let _ = ip(&format!("netns delete {NAMESPACE}"));
        if !ip(&format!("netns add {NAMESPACE}")) {
            eprintln!("SKIPPED: no network namespace; it needs root and iproute2");
            return None;
        }
        for n in 0..interfaces {
            let (here, there) = (format!("hkv{n}"), format!("hkv{n}p"));
            let inside = |args: &str| ip(&format!("netns exec {NAMESPACE} ip {args}"));
            let made = ip(&format!("link add {here} type veth peer name {there} netns {NAMESPACE}"))
                && ip(&format!("address add 10.98.{n}.1/24 dev {here}"))
                && ip(&format!("link set {here} up"))
                && inside(&format!("address add 10.98.{n}.2/24 dev {there}"))
                && inside(&format!("link set {there} up"));
            assert!(made, "interface {n}");
        }
        Some(Self { children: Vec::new() })
    }

    fn run(&mut self, command: &mut Command) -> Option<std::process::ChildStdout> {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let out = child.stdout.take();
        self.children.push(child);
        out
    }

    /// The server, inside.
    fn serve(&mut self, dir: &std::path::Path) {
        let made = rcgen::generate_simple_self_signed(vec!["shop.example".to_owned()]).unwrap();
        std::fs::write(dir.join("cert.pem"), made.cert.pem()).unwrap();
        std::fs::write(dir.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        std::fs::write(dir.join("server.py"), SERVER).unwrap();
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", NAMESPACE, "python3", "server.py", "cert.pem", "key.pem"])
            .current_dir(dir);
        let mut ready = [0; 6];
        self.run(&mut command).unwrap().read_exact(&mut ready).unwrap();
    }

    /// What AWS does: interface N to the sensor, under that VNI.
    fn mirror(&mut self, n: usize, vni: u64, port: u16, more: &[&str]) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_harken"));
        command.args(["mirror-sim", "--interface", &format!("hkv{n}"), "--vni", &vni.to_string()]);
        self.run(command.args(["--to", &format!("127.0.0.1:{port}")]).args(more));
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = ip(&format!("netns delete {NAMESPACE}"));
    }
}

/// A request by a connection of its own.
fn get(n: u8) {
    let to = SocketAddr::from((Ipv4Addr::new(10, 98, n, 2), 8080));
    let Ok(mut stream) = TcpStream::connect_timeout(&to, Duration::from_secs(1)) else { return };
    let _ = stream.write_all(b"GET /cart HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n");
    let _ = stream.read_to_end(&mut Vec::new());
}

#[test]
fn verdicts_on_live_packets() {
    let Some(estate) = Estate::new(5) else { return };
    let Some(mut net) = Net::new(4) else { return };
    estate.spec(json!({}));
    estate.mirror(&["apply", "--spec", "mirror.json", "--yes", "--open-security-group"]).ok();
    let vnis: Vec<u64> =
        estate.sessions().values().map(|s| s["VirtualNetworkId"].as_u64().unwrap()).collect();
    let port = free_port();
    let (listen, number) = (format!("127.0.0.1:{port}"), port.to_string());
    let sensor = Sensor::start("mirror-verify", &["--udp", &listen, "--vxlan-port", &number]);
    net.serve(estate.dir.path());
    net.mirror(0, vnis[0], port, &[]);
    net.mirror(1, vnis[1], port, &["--only-from", "10.98.1.2"]);
    net.mirror(2, vnis[2], port, &["--packet-length", "300"]);
    net.mirror(3, vnis[3], port, &[]);
    std::thread::sleep(Duration::from_millis(500));

    let stop = Arc::new(AtomicBool::new(false));
    let until = Arc::clone(&stop);
    let clients = std::thread::spawn(move || {
        while !until.load(Ordering::Relaxed) {
            (0..3).for_each(get);
            let script = "import ssl, urllib.request as u; c = ssl._create_unverified_context(); \
                          u.urlopen('https://10.98.3.2:8443/', context=c).read()";
            let _ = Command::new("python3").args(["-c", script]).stderr(Stdio::null()).status();
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let logs = sensor.logs.display().to_string();
    let verify = ["verify", "--spec", "mirror.json", "--control", &sensor.control];
    let with = |more: &[&str]| estate.mirror(&[&verify[..], more].concat());
    let said = with(&["--wait", "4s", "--json", "--probe", "http://10.98.0.2:8080/", "--log-dir", &logs]);
    let shown = with(&["--wait", "4s"]);
    stop.store(true, Ordering::Relaxed);
    clients.join().unwrap();

    assert_eq!(said.code, 1, "{}", said.err);
    let answer: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(answer["probe"]["status"], 200, "{answer}");
    let of = |vni: u64| {
        let checks = answer["places"][0]["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["vni"] == vni).unwrap();
        let findings = check["findings"].as_array().unwrap().iter();
        let findings: Vec<_> = findings.map(|f| f["about"].as_str().unwrap().to_owned()).collect();
        (check["level"].as_str().unwrap().to_owned(), findings)
    };
    let is = |level: &str, about: &[&str]| {
        (level.to_owned(), about.iter().map(|about| (*about).to_owned()).collect::<Vec<_>>())
    };
    assert_eq!(of(vnis[0]), is("ok", &[]), "healthy: {answer}");
    assert_eq!(of(vnis[1]), is("fail", &["directions"]), "one way: {answer}");
    let cut = of(vnis[2]);
    assert!(cut.0 == "warn" && cut.1.contains(&"truncation".to_owned()), "cut: {answer}");
    assert_eq!(of(vnis[3]), is("fail", &["tls"]), "all TLS: {answer}");
    assert_eq!(of(vnis[4]), is("fail", &["arrival"]), "silent: {answer}");
    assert!(shown.out.contains("only what servers send arrives"), "{}", shown.out);
    assert!(shown.out.contains("all that arrives is TLS"), "{}", shown.out);
    // A request that no source is in the way of does not come out.
    let elsewhere = format!("{}/nowhere", estate.fake.url());
    let said = with(&["--wait", "1s", "--probe", &elsewhere, "--log-dir", &logs]);
    assert!(said.out.contains("has answered (status 404), but the request has not come out"), "{}", said.out);
}

#[test]
fn what_aws_says_of_sessions() {
    let Some(estate) = Estate::new(2) else { return };
    estate.apply(json!({})).ok();
    let verify = ["verify", "--spec", "mirror.json", "--no-sensor"];
    // The security group was not opened.
    let said = estate.mirror(&verify);
    assert!(said.code == 1 && said.out.contains("lets no UDP 4789 in"), "{}", said.out);
    estate.mirror(&["apply", "--spec", "mirror.json", "--yes", "--open-security-group"]).ok();
    estate.mirror(&verify).ok();
    // What CloudWatch has counted.
    let instance = estate.mirror(&["discover", "--tag", "app=shop", "--json"]).json();
    let instance = &instance[0]["interfaces"][0]["instance"];
    let at = (chrono::Utc::now() - Duration::from_secs(60)).to_rfc3339();
    for (metric, count) in [("NetworkPacketsMirrorOut", 1000), ("NetworkPacketsSkipMirrorOut", 7)] {
        estate.fake.boto("cloudwatch", "put_metric_data", json!({"Namespace": "AWS/EC2", "MetricData": [
            {"MetricName": metric, "Value": count, "Timestamp": at, "Dimensions": [{"Name": "InstanceId", "Value": instance}]},
        ]}));
    }
    let said = estate.mirror(&[&verify[..], &["--cloudwatch", "15m"]].concat()).ok();
    assert!(said.contains("CloudWatch: 1000 packets mirrored, 7 skipped"), "{said}");
    assert!(said.contains("skipped: AWS has skipped 7 packets"), "{said}");
    // The sensor's instance stops: AWS would mirror into nothing.
    estate.fake.boto("ec2", "stop_instances", json!({"InstanceIds": [estate.sensor.0]}));
    let said = estate.mirror(&verify);
    assert!(said.code == 1 && said.out.contains("target: the sensor's instance is stopped"), "{}", said.out);
    // No sensor answers.
    let said = estate.mirror(&["verify", "--spec", "mirror.json"]);
    assert!(said.code == 1 && said.err.contains("no sensor answers on"), "{}", said.err);
}
