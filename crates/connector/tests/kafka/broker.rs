//! A Kafka broker for the tests, and what a client that is not ours reads from it.
use crate::support::python::venv;
use crate::support::{LONG, skip};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Names another broker: a program that is called with a port and a folder, and that serves on 127.0.0.1 there, with its
/// data in that folder, until it gets SIGTERM.
const PROGRAM: &str = "HARKEN_TEST_KAFKA";
/// What is installed from PyPI where no other is named.
const PACKAGE: &str = "noida-db==0.2.3";

/// Tells where its program is.
const WHERE: &str = "import importlib.resources as r; print(r.files('noida_db').joinpath('noida-db'))";

/// A broker of the test, on loopback; it ends when it is dropped.
pub(crate) struct Broker {
    program: PathBuf,
    /// The program is another one than that from PyPI.
    is_named: bool,
    dir: PathBuf,
    pub(crate) port: u16,
    child: Option<Child>,
}

/// The broker's program in a folder of the target folder; nothing, said loudly, where it cannot be had.
fn install() -> Option<PathBuf> {
    let python = venv("kafka", &[PACKAGE]).map_err(|why| skip(&format!("no Kafka broker: {why}"))).ok()?;
    // The program itself, and not the script that starts it: to end the script does not end the program.
    let output = Command::new(python).args(["-c", WHERE]).output().unwrap();
    let program = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim_end());
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    Some(program)
}

/// Whether there is kcat; said loudly where not.
pub(crate) fn has_kcat() -> bool {
    let has = Command::new("kcat").arg("-V").output().is_ok();
    if !has {
        skip("no kcat (Debian: kcat)");
    }
    has
}

impl Broker {
    /// Starts one; nothing, said loudly, where there is none, or no kcat to read it.
    pub(crate) fn start(dir: &Path) -> Option<Self> {
        if !has_kcat() {
            return None;
        }
        let named = std::env::var_os(PROGRAM).map(PathBuf::from);
        let is_named = named.is_some();
        let program = named.or_else(install)?;
        let dir = dir.join("broker");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut broker = Self { program, is_named, dir, port, child: None };
        broker.begin();
        Some(broker)
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Stops it as an operator does, which keeps what it has acknowledged. To end the process of the one from PyPI loses
    /// some of that, as kcat alone shows.
    pub(crate) fn stop(&mut self) {
        if self.is_named {
            self.end();
        } else {
            self.order("stop");
        }
        assert!(self.connect().is_err(), "the broker still listens");
    }

    /// Starts it again.
    pub(crate) fn start_again(&mut self) {
        if self.is_named {
            self.begin();
        } else {
            self.order("start");
        }
        assert!(self.connect().is_ok(), "the broker does not listen");
    }

    fn order(&self, word: &str) {
        let output =
            Command::new(&self.program).args([word, "kafka", "--data-dir"]).arg(&self.dir).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    fn connect(&self) -> std::io::Result<TcpStream> {
        TcpStream::connect(("127.0.0.1", self.port))
    }

    fn begin(&mut self) {
        std::fs::create_dir_all(&self.dir).unwrap();
        let port = self.port.to_string();
        let mut command = Command::new(&self.program);
        if self.is_named {
            command.arg(port);
        } else {
            command.args(["start", "--only", "kafka", "--kafka-port", &port, "--data-dir"]);
        }
        command.arg(&self.dir);
        let log =
            std::fs::File::options().create(true).append(true).open(self.dir.with_extension("log")).unwrap();
        let child =
            command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        self.child = Some(child);
        let begin = Instant::now();
        while self.connect().is_err() {
            let log = std::fs::read_to_string(self.dir.with_extension("log")).unwrap();
            assert!(begin.elapsed() < LONG, "the broker does not listen: {log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends its process, and waits until it has.
    fn end(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let done = Command::new("kill").arg(child.id().to_string()).status().unwrap();
        assert!(done.success());
        child.wait().unwrap();
    }

    pub(crate) fn records(&self, topic: &str) -> Vec<Value> {
        records(&self.address(), topic)
    }

    /// Makes a topic.
    pub(crate) fn topic(&self, topic: &str, partitions: i32) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let admin: AdminClient<DefaultClientContext> =
            ClientConfig::new().set("bootstrap.servers", self.address()).create().unwrap();
        let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        let made = runtime.block_on(admin.create_topics([&new], &AdminOptions::new())).unwrap();
        assert!(made[0].is_ok(), "{made:?}");
    }

    /// Lets kcat write these lines, each with the part up to the first tab as its key.
    pub(crate) fn produce(&self, topic: &str, lines: &str) {
        use std::io::Write as _;
        let mut child = Command::new("kcat")
            .args(["-P", "-b", &self.address(), "-t", topic, "-K", "\t", "-X", "enable.idempotence=true"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.end();
    }
}

/// What kcat reads of a topic from its beginning to its end: key, partition, offset, headers and payload of each record
/// that is committed.
pub(crate) fn records(address: &str, topic: &str) -> Vec<Value> {
    let output = Command::new("kcat")
        .args(["-C", "-b", address, "-t", topic, "-e", "-q", "-J", "-o", "beginning"])
        .args(["-X", "isolation.level=read_committed"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The event of a record as kcat gives it.
pub(crate) fn event_of(record: &Value) -> Value {
    serde_json::from_str(record["payload"].as_str().unwrap()).unwrap()
}

pub(crate) fn number_of(record: &Value) -> u64 {
    event_of(record)["n"].as_u64().unwrap()
}

/// What arrived of events that are numbered.
#[derive(Debug, Default)]
pub(crate) struct Arrived {
    pub(crate) numbers: BTreeSet<u64>,
    /// Those that came once more.
    pub(crate) repeats: u64,
    /// Those that came for the first time behind a later one with the same key.
    pub(crate) overtaken: u64,
    last: BTreeMap<String, u64>,
}

impl Arrived {
    /// What these records have, in their order.
    pub(crate) fn of(records: &[Value]) -> Self {
        let mut arrived = Self::default();
        for record in records {
            arrived.take(record["key"].as_str().unwrap(), number_of(record));
        }
        arrived
    }

    pub(crate) fn take(&mut self, key: &str, number: u64) {
        if !self.numbers.insert(number) {
            self.repeats += 1;
            return;
        }
        let before = self.last.insert(key.to_owned(), number);
        self.overtaken += u64::from(before.is_some_and(|before| before > number));
    }

    /// Those of the first numbers, from 0, that are missing.
    pub(crate) fn lost(&self, count: u64) -> usize {
        (0..count).filter(|number| !self.numbers.contains(number)).count()
    }
}
