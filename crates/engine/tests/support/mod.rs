//! Runs captures through a shard and keeps what comes out in a form that can be compared.
#![allow(dead_code, reason = "each test binary uses a part")]
pub(crate) mod packet;

use harken_engine::{Closed, Config, Front, Ledger, Output, Shard};
use harken_event::zeek::http::HttpLog;
use harken_event::zeek::weird::Weird;
use harken_event::{Form, Transaction};
use harken_http::Message;
use harken_wire::Timestamp;
use std::path::{Path, PathBuf};

/// A captured frame.
#[derive(Clone)]
pub(crate) struct Frame {
    pub(crate) ts: u64,
    pub(crate) dlt: u32,
    pub(crate) bytes: Vec<u8>,
}

/// A golden case: the name of its folder, and its packets.
pub(crate) type Case = (String, Vec<Frame>);

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The packets of a capture file, as far as they can be read.
pub(crate) fn read(path: &Path) -> Vec<Frame> {
    let mut reader = harken_capture::open(path).unwrap();
    let mut frames = Vec::new();
    while let Ok(Some(packet)) = reader.next_packet() {
        frames.push(Frame { ts: packet.ts.0, dlt: packet.dlt, bytes: packet.data.to_vec() });
    }
    frames
}

/// The golden cases.
pub(crate) fn golden() -> Vec<Case> {
    let mut cases = Vec::new();
    for folder in std::fs::read_dir(root().join("captures")).unwrap() {
        let folder = folder.unwrap().path();
        let capture = folder.join("input.pcap");
        if capture.is_file() {
            cases.push((folder.file_name().unwrap().to_string_lossy().into_owned(), read(&capture)));
        }
    }
    cases.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(cases.len() >= 21, "the golden captures are there");
    cases
}

/// The captures of the shared corpus; none, and loudly so, where it is not there.
pub(crate) fn corpus() -> Vec<PathBuf> {
    let shared = std::env::var_os("HARKEN_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from);
    let corpus = shared.join("corpus");
    let Ok(folders) = std::fs::read_dir(&corpus) else {
        eprintln!("SKIPPED: {} is not there; set HARKEN_SHARED to the folder that has it", corpus.display());
        return Vec::new();
    };
    let captures = folders.flat_map(|folder| {
        let folder = folder.unwrap().path();
        ["capture.pcap", "capture.pcapng"].map(|name| folder.join(name))
    });
    let mut captures: Vec<_> = captures.filter(|capture| capture.is_file()).collect();
    captures.sort();
    captures
}

/// A transaction, without what depends on how the packets came: times, uid, and its ordinal on the connection.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Record {
    /// Client, server, and the request's first line and body.
    pub(crate) request: Option<String>,
    /// The same of the response.
    pub(crate) response: Option<String>,
    /// The `http.log` line.
    pub(crate) line: String,
    /// `harken::` tags.
    pub(crate) tags: Vec<&'static str>,
    /// When it began.
    pub(crate) start: u64,
    /// Ordinal on the connection.
    pub(crate) depth: u32,
}

impl Record {
    /// The same without times.
    pub(crate) fn timeless(&self) -> Self {
        Self { start: 0, ..self.clone() }
    }

    /// Whether it says that something is missing.
    pub(crate) fn is_marked(&self) -> bool {
        !self.tags.is_empty()
    }
}

/// What came out of a capture.
pub(crate) struct Seen {
    pub(crate) records: Vec<Record>,
    pub(crate) ledger: Ledger,
}

impl Seen {
    /// The transactions without times, in an order that does not depend on how the packets came.
    pub(crate) fn timeless(&self) -> Vec<Record> {
        let mut records: Vec<_> = self.records.iter().map(Record::timeless).collect();
        records.sort();
        records
    }
}

struct Keep {
    log: HttpLog,
    records: Vec<Record>,
    connections: u64,
}

impl Output for Keep {
    fn transaction(&mut self, transaction: &Transaction<'_>) {
        let mut line = Vec::new();
        self.log.write(transaction, &mut line);
        let mut line: serde_json::Value = serde_json::from_slice(&line).unwrap();
        let fields = line.as_object_mut().unwrap();
        for name in ["ts", "uid", "trans_depth"] {
            assert!(fields.remove(name).is_some(), "{name} is in every line");
        }
        let client = format!("{} {}", fields["id.orig_h"], fields["id.orig_p"]);
        let side = |message: Option<&Message>| {
            let message = message?;
            let text = String::from_utf8_lossy(&message.head).into_owned();
            let first = text.lines().next().unwrap_or_default().to_owned();
            let body = &message.body;
            let kept = String::from_utf8_lossy(&body.kept).into_owned();
            Some(format!("{client} {first} {} {} {kept}", body.wire_len, body.decoded_len))
        };
        self.records.push(Record {
            request: side(transaction.request()),
            response: side(transaction.response()),
            line: line.to_string(),
            tags: transaction.tags().collect(),
            start: transaction.ts().0,
            depth: transaction.exchange.depth,
        });
    }

    fn closed(&mut self, _: &Closed<'_>) {
        self.connections += 1;
    }

    fn weird(&mut self, weird: &Weird<'_>) {
        assert!(!weird.name.is_empty());
    }
}

/// Runs frames through a front and a shard; the books must balance. `what` stands in messages.
pub(crate) fn run(what: &str, frames: &[Frame]) -> Seen {
    let mut front = Front::new(harken_wire::Config::default(), harken_flow::DefragConfig::default());
    let keep = Keep { log: HttpLog::new(Form::Json), records: Vec::new(), connections: 0 };
    let mut shard = Shard::new(&Config::default(), keep);
    for frame in frames {
        let _ = front.frame(Timestamp(frame.ts), frame.dlt, &frame.bytes, &mut |ts, s| shard.segment(ts, s));
    }
    let ledger = |shard: &Shard<Keep>| Ledger::new(front.stats(), *shard.flow_stats(), *shard.http_stats());
    let balance = |ledger: &Ledger, when: &str| {
        if let Err(imbalance) = ledger.check() {
            panic!("{what}, {when}: {imbalance}");
        }
    };
    shard.finish();
    let ledger = ledger(&shard);
    balance(&ledger, "at the end");
    assert_eq!(ledger.packets(), frames.len() as u64, "{what}");
    let keep = shard.into_output();
    assert_eq!(keep.records.len() as u64, ledger.http.exchanges, "{what}");
    assert_eq!(keep.connections, ledger.flow.opened, "{what}");
    Seen { records: keep.records, ledger }
}
