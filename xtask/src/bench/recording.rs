//! The recordings: made by the generator of `cargo xtask gen`, kept in `target/bench`.

use crate::r#gen::traffic::{self, Traffic};
use crate::sh;
use anyhow::{Context, Result};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// A generated capture and what is known of it.
pub(crate) struct Recording {
    pub(crate) pcap: PathBuf,
    /// Packets in the capture.
    pub(crate) packets: u64,
    /// Transactions in the ground truth beside it.
    pub(crate) transactions: u64,
}

impl Recording {
    /// The recording with that many transactions, on that many connections at a time that carry
    /// `per_connection` of them each, generated unless it is there and newer than this program.
    pub(crate) fn make(transactions: u64, connections: u32, per_connection: u64) -> Result<Self> {
        let dir = sh::target_dir()
            .join("bench")
            .join(format!("recording-{transactions}-{connections}-{per_connection}"));
        let (pcap, truth) = (dir.join("capture.pcap"), dir.join("access.jsonl"));
        if !is_fresh(&truth) || !is_fresh(&pcap) {
            super::fresh_dir(&dir)?;
            let traffic = Traffic { transactions, connections, per_connection, ..Traffic::default() };
            traffic::write(&traffic, &pcap, &truth)?;
        }
        let packets = packets(&pcap)?;
        let transactions = BufReader::new(File::open(&truth)?).lines().count() as u64;
        Ok(Self { pcap, packets, transactions })
    }
}

/// Whether a file is there and newer than this program.
pub(crate) fn is_fresh(path: &Path) -> bool {
    let changed = |path: &Path| path.metadata().and_then(|meta| meta.modified());
    let program = std::env::current_exe().and_then(|program| changed(&program));
    matches!((changed(path), program), (Ok(file), Ok(program)) if file > program)
}

fn packets(pcap: &Path) -> Result<u64> {
    let mut reader = harken_capture::open(pcap).with_context(|| pcap.display().to_string())?;
    while reader.next_packet()?.is_some() {}
    Ok(reader.packets())
}
