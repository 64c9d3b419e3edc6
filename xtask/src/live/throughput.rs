//! `cargo xtask throughput`: the sensor and the connector together, from a recording to a datasink.

use super::process::Process;
use super::{halt, machine};
use crate::bench::measure::measure;
use crate::bench::{fresh_dir, recording::Recording, table};
use crate::sh;
use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What is measured.
#[derive(clap::Args)]
pub(crate) struct ThroughputArgs {
    /// Transactions of the recording
    #[arg(long, value_name = "N", default_value_t = 400_000)]
    transactions: u64,
    /// Runs of each row; the median counts
    #[arg(long, value_name = "N", default_value_t = 3)]
    runs: usize,
    /// Only to these datasinks
    #[arg(long, value_enum, value_name = "NAME")]
    to: Vec<Target>,
    /// A Kafka broker: a program that is called with a port and a folder, serves on 127.0.0.1 there, and ends at
    /// SIGTERM
    #[arg(long, value_name = "PROGRAM")]
    broker: Option<PathBuf>,
    /// This binary, in place of the release build; for the broker it needs the feature `kafka`
    #[arg(long, value_name = "FILE")]
    harken: Option<PathBuf>,
}

/// Where events go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Target {
    /// Lines of JSON in a file
    File,
    /// nginx on loopback, over TLS, gzip
    Https,
    /// The broker on loopback
    Kafka,
}

/// Rules that are asked about every event. None of them matches, so that all events go the whole way.
const FILTERS: usize = 30;
/// Longest wait for the end of a run.
const LIMIT: Duration = Duration::from_secs(600);
const TOPIC: &str = "harken.http";

struct Row {
    target: &'static str,
    rules: bool,
    wall: f64,
    sensor: f64,
    connector: f64,
}

/// Runs all that is asked for and prints a table.
pub(crate) fn run(args: &ThroughputArgs) -> Result<()> {
    halt::watch()?;
    let all = [Target::File, Target::Https, Target::Kafka];
    let targets: Vec<Target> =
        all.into_iter().filter(|target| args.to.is_empty() || args.to.contains(target)).collect();
    let recording = Recording::make(args.transactions, 64, 500)?;
    let binary = match &args.harken {
        Some(binary) => binary.clone(),
        None => build(targets.contains(&Target::Kafka))?,
    };
    let dir = sh::target_dir().join("bench/throughput");
    let mut rows = Vec::new();
    for target in targets {
        let Some(server) = Server::start(target, &dir.join("server"), args.broker.as_deref())? else {
            continue;
        };
        for rules in [false, true] {
            let mut runs = Vec::new();
            for _ in 0..args.runs.max(1) {
                fresh_dir(&dir.join("run"))?;
                runs.push(Run { binary: &binary, dir: &dir.join("run"), rules }.go(&server, &recording)?);
            }
            runs.sort_by(|a, b| a.wall.total_cmp(&b.wall));
            let middle = runs.len() / 2;
            rows.push(runs.swap_remove(middle));
        }
    }
    print(&rows, &recording);
    Ok(())
}

/// A release build with what the targets need.
fn build(kafka: bool) -> Result<PathBuf> {
    let features: &[&str] = if kafka { &["--features", "kafka"] } else { &[] };
    let mut build = sh::cargo();
    sh::run(build.args(["build", "--quiet", "--release", "--package", "harken"]).args(features))?;
    Ok(sh::target_dir().join("release/harken"))
}

fn print(rows: &[Row], recording: &Recording) {
    println!("{}; {} transactions in {} packets", machine(), recording.transactions, recording.packets);
    let head =
        ["to", "masking and 30 filters", "events/s", "CPU s, sensor", "CPU s, connector", "CPU, to none"];
    let mut none = 0.0;
    let cells = rows.iter().map(|row| {
        let cpu = row.sensor + row.connector;
        if !row.rules {
            none = cpu;
        }
        vec![
            row.target.to_owned(),
            if row.rules { "on" } else { "off" }.to_owned(),
            table::grouped((recording.transactions as f64 / row.wall) as u64),
            format!("{:.2}", row.sensor),
            format!("{:.2}", row.connector),
            format!("{:.2}", cpu / none),
        ]
    });
    table::print(&head, &cells.collect::<Vec<_>>());
}

/// What takes the events.
struct Server {
    target: Target,
    port: u16,
    dir: PathBuf,
    _process: Option<Process>,
}

impl Server {
    /// Starts it; nothing, said loudly, where it is not there.
    fn start(target: Target, dir: &Path, broker: Option<&Path>) -> Result<Option<Self>> {
        fresh_dir(dir)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let command = match (target, broker) {
            (Target::File, _) => None,
            (Target::Https, _) if sh::is_there("nginx", "-v") && sh::is_there("openssl", "version") => {
                Some(nginx(dir, port)?)
            }
            (Target::Https, _) => {
                eprintln!("!!! SKIPPED: no nginx, or no openssl for its certificate");
                return Ok(None);
            }
            (Target::Kafka, Some(broker)) => {
                let mut command = Command::new(broker);
                command.arg(port.to_string()).arg(dir.join("data"));
                Some(command)
            }
            (Target::Kafka, None) => {
                eprintln!("!!! SKIPPED: no broker: give --broker PROGRAM");
                return Ok(None);
            }
        };
        let mut process = None;
        if let Some(mut command) = command {
            let mut started = Process::start(&mut command, &dir.join("log"), Stdio::null(), None)?;
            let began = Instant::now();
            while TcpStream::connect(("127.0.0.1", port)).is_err() {
                started.still_runs()?;
                if began.elapsed() > Duration::from_secs(60) {
                    bail!("{} does not listen\n{}", sh::shown(&command), started.said()?);
                }
                halt::pause(halt::LOOK)?;
            }
            process = Some(started);
        }
        Ok(Some(Self { target, port, dir: dir.to_owned(), _process: process }))
    }

    fn name(&self) -> &'static str {
        match self.target {
            Target::File => "file",
            Target::Https => "HTTPS",
            Target::Kafka => "Kafka",
        }
    }

    /// The datasink that leads to it.
    fn datasink(&self, run: &Path) -> Value {
        let port = self.port;
        match self.target {
            Target::File => json!({"type": "file", "path": run.join("events.ndjson")}),
            Target::Https => json!({
                "type": "http", "url": format!("https://localhost:{port}/"), "format": "ndjson", "compression": "gzip",
                "proxy": {"type": "none"}, "tls": {"ca_file": self.dir.join("cert.pem"), "ca_file_only": true},
            }),
            Target::Kafka => json!({
                "type": "kafka", "cluster": {"brokers": [format!("127.0.0.1:{port}")]}, "topic": TOPIC,
                "create_topic": {"partitions": 4, "replicas": 1},
            }),
        }
    }
}

/// nginx with a certificate of its own, which reads what it gets and answers 204.
fn nginx(dir: &Path, port: u16) -> Result<Command> {
    let (key, cert) = (dir.join("key.pem"), dir.join("cert.pem"));
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]);
    openssl.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]);
    openssl.args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"]);
    sh::stdout(openssl.arg(&key).arg("-out").arg(&cert))?;
    let at = dir.display();
    let config = format!(
        "daemon off; pid {at}/pid; worker_processes 1; events {{}}\n\
         http {{ access_log off; client_max_body_size 0; client_body_temp_path {at}/body; proxy_temp_path {at}/p;\n\
         fastcgi_temp_path {at}/f; uwsgi_temp_path {at}/u; scgi_temp_path {at}/s; keepalive_requests 1000000;\n\
         server {{ listen 127.0.0.1:{port} ssl http2; ssl_certificate {}; ssl_certificate_key {};\n\
         location / {{ return 204; }} }} }}\n",
        cert.display(),
        key.display(),
    );
    let file = dir.join("nginx.conf");
    std::fs::write(&file, config).with_context(|| file.display().to_string())?;
    let mut command = Command::new("nginx");
    command.arg("-e").arg(dir.join("error.log")).arg("-c").arg(file);
    Ok(command)
}

/// One run.
struct Run<'a> {
    binary: &'a Path,
    dir: &'a Path,
    /// Masking as shipped, and filters; else neither.
    rules: bool,
}

impl Run<'_> {
    fn go(&self, server: &Server, recording: &Recording) -> Result<Row> {
        let (spool, work) = (self.dir.join("spool"), self.dir.join("connector"));
        std::fs::create_dir_all(&spool)?;
        let [simple, advanced] = self.filters()?;
        let config = json!({
            "dir": work,
            "readers": {"spool": {"type": "spool", "dir": spool}},
            "datasinks": {"out": server.datasink(self.dir)},
            "pipelines": {"p": {
                "reader": "spool", "datasinks": ["out"], "filters": {"simple": simple, "advanced": advanced},
            }},
        });
        let file = self.dir.join("connector.json");
        std::fs::write(&file, config.to_string())?;
        let mut command = Command::new(self.binary);
        command.args(["connector", "run", "--config"]).arg(&file);
        let log = self.dir.join("connector.out");

        let mut sensor = Command::new(self.binary);
        sensor
            .args(["replay", "--format", "zeek-json", "--quiet", "--spool-full", "block", "--spool"])
            .arg(&spool);
        if !self.rules {
            sensor.arg("--show-secrets");
        }
        sensor.arg("--log-dir").arg(self.dir.join("logs")).arg(&recording.pcap);

        let began = Instant::now();
        let mut connector = Process::start(&mut command, &log, Stdio::null(), None)?;
        let usage = measure(&sensor)?;
        let sensor = usage.cpu();
        let status = work.join("status.json");
        loop {
            connector.still_runs()?;
            let written = written(&status).unwrap_or(0);
            if written == recording.transactions {
                break;
            }
            if began.elapsed() > LIMIT || written > recording.transactions {
                bail!("{written} of {} events are written\n{}", recording.transactions, connector.said()?);
            }
            halt::pause(halt::LOOK)?;
        }
        let wall = began.elapsed().as_secs_f64();
        let cpu = cpu_of(connector.pid())?;
        connector.stop(Signal::SIGTERM, Duration::from_secs(30))?;
        Ok(Row { target: server.name(), rules: self.rules, wall, sensor, connector: cpu })
    }

    /// The filter files.
    fn filters(&self) -> Result<[PathBuf; 2]> {
        let (simple, advanced) = match self.rules {
            false => (json!({"defaults": false}), json!({"rules": []})),
            true => {
                let rule = |n: usize| json!({"name": format!("r{n}"), "where": {"host": [format!("host{n}.*")], "path": [format!("/none/{n}/**")]}});
                let expression = |n: usize| {
                    json!({
                        "name": format!("a{n}"),
                        "when": format!("http.response.status_code == {} && url.path.startsWith('/none/{n}')", 600 + n),
                        "actions": ["drop"],
                    })
                };
                let half = FILTERS / 2;
                (
                    json!({"exclude": (0..half).map(rule).collect::<Vec<_>>()}),
                    json!({"rules": (half..FILTERS).map(expression).collect::<Vec<_>>()}),
                )
            }
        };
        let files = [self.dir.join("filters-simple.json"), self.dir.join("filters-advanced.json")];
        for (file, value) in files.iter().zip([simple, advanced]) {
            std::fs::write(file, value.to_string()).with_context(|| file.display().to_string())?;
        }
        Ok(files)
    }
}

/// How much the connector says that it has written or filtered out.
fn written(status: &Path) -> Option<u64> {
    let status: Value = serde_json::from_slice(&std::fs::read(status).ok()?).ok()?;
    let ledger = status.get("routes")?.get(0)?.get("ledger")?;
    let number = |name: &str| ledger.get(name).and_then(Value::as_u64);
    Some(number("written")? + number("filtered_out")?)
}

/// Seconds of processor time that a process has used so far.
fn cpu_of(pid: u32) -> Result<f64> {
    let file = format!("/proc/{pid}/stat");
    let text = std::fs::read_to_string(&file).with_context(|| file.clone())?;
    // Behind the name, which may have blanks in it: fields 14 and 15, in hundredths of a second (proc(5)).
    let fields: Vec<&str> = text.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let ticks = |place: usize| fields.get(place).and_then(|field| field.parse::<f64>().ok());
    let (user, system) = ticks(11).zip(ticks(12)).with_context(|| format!("{file}: no times in it"))?;
    Ok((user + system) / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_some_time() {
        let began = Instant::now();
        while cpu_of(std::process::id()).unwrap() < 0.02 {
            assert!(began.elapsed() < Duration::from_secs(60));
        }
        assert!(cpu_of(0).is_err());
    }
}
