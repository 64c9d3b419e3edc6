//! The connector is killed by SIGKILL at random moments, while events are appended to its spool and the
//! receiver fails in every way. In the end every event that the spool has committed is at the receiver,
//! unaltered and in order.
//!
//! The program starts itself again as the process that is killed. `HARKEN_CRASH_ROUNDS` says how often.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "a test stops by panicking, and copies what is small"
)]
mod support;

use harken_connector::log::Log;
use harken_connector::readers::Local;
use harken_connector::{Config, Connector, KeepAll};
use harken_spool::{Batch, Spool};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::pki::Ca;
use support::server::{Act, Server};
use support::{LONG, Lines, event};

/// Names the folder for the process that is killed.
const CHILD: &str = "HARKEN_CRASH_CHILD";
/// Set where the spool belongs to the first process, as to a sensor that goes on while the connector is
/// killed.
const FOLLOWS: &str = "HARKEN_CRASH_FOLLOWS";
/// Set for the last process, which appends nothing and ends by itself.
const LAST: &str = "HARKEN_CRASH_LAST";

fn main() {
    match std::env::var(CHILD) {
        Ok(dir) => child(Path::new(&dir), std::env::var(FOLLOWS).is_ok(), std::env::var(LAST).is_ok()),
        Err(_) => [false, true].into_iter().for_each(parent),
    }
}

/// What the receiver has.
#[derive(Default)]
struct Received {
    /// How often each number came.
    counts: BTreeMap<u64, u64>,
    /// The newest number of each flow when it came first.
    newest: BTreeMap<u64, u64>,
}

impl Received {
    fn take(&mut self, event: &serde_json::Value) {
        let number = event["n"].as_u64().unwrap();
        assert_eq!(*event, support::event(number), "altered");
        let count = self.counts.entry(number).or_insert(0);
        *count += 1;
        if *count == 1 {
            let before = self.newest.insert(number % 5, number);
            assert!(before.is_none_or(|before| before < number), "{number} came after {before:?}");
        }
    }
}

fn fault() -> Act {
    match fastrand::u8(0..20) {
        0 => Act::status(500),
        1 => Act::Answer(429, Some(("retry-after", "0".into())), String::new()),
        2 => Act::status(503),
        3 => Act::Cut,
        4 => Act::Hang,
        5 => Act::Refuse(Duration::from_millis(50)),
        6 | 7 => Act::TakeAndDie,
        _ => Act::Take,
    }
}

/// Kills the connector, with the spool in the same process, or in this one.
fn parent(follows: bool) {
    let rounds: u32 = std::env::var("HARKEN_CRASH_ROUNDS").map_or(6, |rounds| rounds.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let ca = Ca::new(dir.path(), "ca");
    let received = Arc::new(Mutex::new(Received::default()));
    let faulty = Arc::new(AtomicBool::new(true));
    let (taken, fails) = (Arc::clone(&received), Arc::clone(&faulty));
    let server = Server::start(&ca.issue(&["localhost"], 2030), None, move |seen| {
        let act = if fails.load(Ordering::Relaxed) { fault() } else { Act::Take };
        if seen.method == "POST" && matches!(act, Act::Take | Act::TakeAndDie) {
            let mut received = taken.lock().unwrap();
            seen.events().iter().for_each(|event| received.take(event));
        }
        act
    });
    let config = json!({
        "dir": dir.path().join("connector"),
        "readers": {"spool": {"type": "spool", "dir": dir.path().join("spool")}},
        "datasinks": {"edge": {
            "type": "http",
            "url": format!("https://localhost:{}/in", server.address.port()),
            "tls": {"ca_file": ca.file, "ca_file_only": true},
            "compression": "gzip",
            "request_timeout_ms": 200,
            "proxy": {"type": "none"},
            "delivery": {"batch_events": 40, "linger_ms": 5, "retry_first_ms": 5, "retry_max_ms": 50},
        }},
        "pipelines": {"p": {"reader": "spool", "datasinks": ["edge"]}},
    });
    std::fs::write(dir.path().join("connector.json"), config.to_string()).unwrap();
    let committed = AtomicU64::new(0);
    let end = Arc::new(AtomicBool::new(false));
    let sensor = follows.then(|| {
        let (dir, end) = (dir.path().join("spool"), Arc::clone(&end));
        std::thread::spawn(move || {
            let spool = open(&dir);
            append(&spool, |_| !end.load(Ordering::Relaxed));
            spool.flush(LONG).unwrap();
            spool.committed()
        })
    });
    while follows && !dir.path().join("spool").is_dir() {
        std::thread::sleep(Duration::from_millis(1));
    }
    for round in 0..rounds {
        let mut child = start(dir.path(), follows, false);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        std::thread::scope(|scope| {
            let reading = scope.spawn(|| {
                for number in lines.map_while(Result::ok).filter_map(|line| line.parse().ok()) {
                    committed.fetch_max(number, Ordering::Relaxed);
                }
            });
            std::thread::sleep(Duration::from_millis(fastrand::u64(20..600)));
            assert!(child.try_wait().unwrap().is_none(), "round {round}: it ended by itself");
            child.kill().unwrap();
            child.wait().unwrap();
            reading.join().unwrap();
        });
    }
    faulty.store(false, Ordering::Relaxed);
    end.store(true, Ordering::Relaxed);
    if let Some(sensor) = sensor {
        committed.store(sensor.join().unwrap(), Ordering::Relaxed);
    }
    let mut last = start(dir.path(), follows, true);
    let begin = Instant::now();
    let status = loop {
        match last.try_wait().unwrap() {
            Some(status) => break status,
            None => assert!(begin.elapsed() < 5 * LONG, "the last one does not end"),
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    assert!(status.success(), "{status}");
    let read = harken_spool::status(&dir.path().join("spool")).unwrap().next;
    let received = received.lock().unwrap();
    let committed = committed.load(Ordering::Relaxed);
    let delivered = received.counts.len() as u64;
    let repeats = received.counts.values().sum::<u64>() - delivered;
    let lost: Vec<_> = (0..read).filter(|number| !received.counts.contains_key(number)).collect();
    println!(
        "crash: {rounds} kills{}: committed {committed}, read {read}, delivered {delivered}, repeats {repeats}, lost {}",
        if follows { " of the connector alone" } else { "" },
        lost.len()
    );
    assert!(committed > 0 && read >= committed, "the spool lost what it had committed");
    assert_eq!((lost, delivered), (Vec::new(), read));
}

fn start(dir: &Path, follows: bool, last: bool) -> std::process::Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(CHILD, dir).stdout(Stdio::piped()).stdin(Stdio::null());
    if follows {
        command.env(FOLLOWS, "1");
    }
    if last {
        command.env(LAST, "1").stdout(Stdio::null());
    }
    command.spawn().unwrap()
}

fn open(dir: &Path) -> Spool {
    let settings = harken_spool::Config {
        commit_interval: Duration::from_millis(10),
        file_bytes: 64 << 10,
        ..harken_spool::Config::new(dir)
    };
    Spool::open(settings).unwrap()
}

/// Delivers, and appends where the spool is its own, until it is killed; the last one delivers what there is.
fn child(dir: &Path, follows: bool, last: bool) {
    let config = Config::read(&dir.join("connector.json")).unwrap();
    let mut readers = Local::new(&config.dir);
    let spool = (!follows).then(|| Arc::new(open(&dir.join("spool"))));
    if let Some(spool) = &spool {
        readers.lend(&dir.join("spool"), Arc::clone(spool));
    }
    let log: Arc<dyn Log> = Arc::new(Lines::default());
    let connector = Connector::start(&config, &readers, Arc::new(KeepAll), log).unwrap();
    match spool {
        _ if last => drain(&dir.join("spool"), connector),
        Some(spool) => append(&spool, |committed| {
            println!("{committed}");
            true
        }),
        None => loop {
            std::thread::sleep(LONG);
        },
    }
}

/// Appends, and says what is committed, as long as `go_on` says so.
fn append(spool: &Spool, go_on: impl Fn(u64) -> bool) {
    let mut number = spool.status().unwrap().next;
    let mut batch = Batch::default();
    while go_on(spool.committed()) {
        for _ in 0..fastrand::u64(1..20) {
            assert!(batch.push(number, event(number).to_string().as_bytes()));
            number += 1;
        }
        spool.append(&mut batch).unwrap();
        std::thread::sleep(Duration::from_millis(fastrand::u64(1..5)));
    }
}

/// Waits until all is delivered.
fn drain(dir: &Path, connector: Connector) {
    loop {
        let (status, books) = (harken_spool::status(dir).unwrap(), connector.status());
        assert!(books.balances, "{books:?}");
        if status.readers[0].position == status.next && books.routes[0].ledger.waiting == 0 {
            connector.stop();
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
