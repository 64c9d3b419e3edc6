//! A sensor that runs, and what is mirrored to it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
use super::scratch;
use std::io::Read as _;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A capture of the repository.
pub(crate) fn capture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../captures").join(name)
}

pub(crate) fn harken(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harken"));
    command.args(args);
    command
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A running sensor.
pub(crate) struct Sensor {
    child: Option<Child>,
    pub(crate) logs: PathBuf,
    pub(crate) control: String,
}

impl Sensor {
    /// Starts one and waits until it answers.
    pub(crate) fn start(name: &str, args: &[&str]) -> Self {
        let logs = scratch(name);
        let control = logs.join("control.sock").display().to_string();
        let child = harken(&["run", "--log-dir"])
            .arg(&logs)
            .args(args)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let sensor = Self { child: Some(child), logs, control };
        sensor.until("the sensor answers", || sensor.top().is_some());
        sensor
    }

    /// What `harken top` says.
    pub(crate) fn top(&self) -> Option<serde_json::Value> {
        let output = harken(&["top", "--once", "--json", "--control", &self.control]).output().unwrap();
        output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
    }

    pub(crate) fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let begin = Instant::now();
        while !holds() {
            assert!(begin.elapsed() < Duration::from_secs(20), "waited for: {what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until the sensor has seen so many packets.
    pub(crate) fn seen(&self, packets: u64) {
        self.until(&format!("{packets} packets"), || {
            self.top().is_some_and(|top| top["totals"]["packets"].as_u64().unwrap() >= packets)
        });
    }

    /// Ends it as the system does. Returns what it said, and how long it took.
    pub(crate) fn end(mut self) -> (Output, Duration, PathBuf) {
        let child = self.child.take().unwrap();
        let begin = Instant::now();
        let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        let output = child.wait_with_output().unwrap();
        (output, begin.elapsed(), self.logs.clone())
    }
}

impl Drop for Sensor {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// All lines of a log, those being written and those rotated away.
pub(crate) fn lines(logs: &Path, name: &str) -> Vec<serde_json::Value> {
    let mut text = String::new();
    for folder in std::fs::read_dir(logs).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir()) {
        for file in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
            let file_name = file.file_name().unwrap().to_string_lossy().into_owned();
            if !file_name.starts_with(&format!("{name}.")) {
                continue;
            }
            let bytes = std::fs::read(&file).unwrap();
            match file_name.ends_with(".gz") {
                true => {
                    flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_string(&mut text).unwrap();
                }
                false => text.push_str(std::str::from_utf8(&bytes).unwrap()),
            }
        }
    }
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What of a transaction does not depend on when it was captured, sorted.
pub(crate) fn essence(records: &[serde_json::Value]) -> Vec<String> {
    let of = |r: &serde_json::Value| {
        let fields = ["method", "host", "uri", "status_code", "request_body_len", "response_body_len"];
        fields.map(|f| r.get(f).map(ToString::to_string).unwrap_or_default()).join(" ")
    };
    let mut all: Vec<String> = records.iter().map(of).collect();
    all.sort();
    all
}

/// What is expected of a capture: the golden log, which was compared with other tools.
pub(crate) fn golden(name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(capture(name).join("http.log")).unwrap();
    essence(&text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<_>>())
}

pub(crate) fn mirror(case: &str, port: u16) {
    let output = harken(&["mirror-sim", "--rate", "2000", "--to", &format!("127.0.0.1:{port}"), "--read"])
        .arg(capture(case).join("input.pcap"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Flags to listen on an address for VXLAN, also for that in the captures: they are wrapped once more.
pub(crate) fn to_port(listen: &str) -> Vec<&str> {
    let port = listen.rsplit(':').next().unwrap();
    vec!["--udp", listen, "--vxlan-port", port, "--vxlan-port", "4789"]
}

/// Packets of a capture.
pub(crate) fn packets(case: &str) -> u64 {
    let mut reader = harken_capture::open(&capture(case).join("input.pcap")).unwrap();
    while reader.next_packet().unwrap().is_some() {}
    reader.packets()
}
