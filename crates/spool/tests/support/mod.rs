//! What the tests share.
#![allow(dead_code, reason = "each test program uses a part")]
use harken_spool::{Appended, Batch, Config, Error, Reader, Spool};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) const LONG: Duration = Duration::from_secs(20);

/// Small files, so that much happens.
pub(crate) fn config(dir: &Path) -> Config {
    Config {
        max_bytes: 1 << 20,
        file_bytes: 8 << 10,
        commit_bytes: 4 << 10,
        commit_interval: Duration::from_millis(5),
        memory: 64 << 10,
        ..Config::new(dir)
    }
}

/// A record that says which one it is, and cannot be compressed to nothing.
pub(crate) fn record(number: u64) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = format!("{{\"n\":{number},\"x\":\"").into_bytes();
    for _ in 0..number % 120 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(format!("{:x}", state & 0xff).as_bytes());
    }
    out.extend_from_slice(b"\"}");
    out
}

/// Appends the records of these numbers in one batch.
pub(crate) fn append(spool: &Spool, numbers: std::ops::Range<u64>) -> Appended {
    let mut batch = Batch::default();
    for number in numbers {
        assert!(batch.push(1000 + number, &record(number)));
    }
    spool.append(&mut batch).unwrap()
}

/// Appends and makes a block of its own.
pub(crate) fn block(spool: &Spool, numbers: std::ops::Range<u64>) {
    append(spool, numbers);
    spool.flush(LONG).unwrap();
}

/// Everything that there is, each with its number.
pub(crate) fn drain(reader: &mut Reader) -> Vec<(u64, Vec<u8>)> {
    let mut all = Vec::new();
    loop {
        match reader.next(Duration::ZERO) {
            Ok(Some(block)) => {
                all.extend((block.first()..).zip(block.iter().map(<[u8]>::to_vec)));
                assert_eq!(block.iter().count() as u64, block.records());
            }
            Ok(None) | Err(Error::Closed) => return all,
            Err(error) => panic!("{error}"),
        }
    }
}

/// The block files, in order.
pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.retain(|path| path.extension().is_some_and(|ending| ending == "blocks"));
    all.sort();
    all
}
