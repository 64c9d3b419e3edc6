//! Reading beside the process that writes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops by panicking"
)]
mod support;
use harken_spool::{Config, Error, Follower, Policy, Seek, Spool, request_seek};
use std::path::Path;
use std::time::Duration;
use support::{LONG, block, config, files, record};

const NONE: Duration = Duration::ZERO;

/// Everything that there is now, each with its number; all of it is committed.
fn drain(follower: &mut Follower) -> Vec<(u64, Vec<u8>)> {
    let mut all = Vec::new();
    while let Some(block) = follower.next(NONE).unwrap() {
        all.extend((block.first()..).zip(block.iter().map(<[u8]>::to_vec)));
        assert!(follower.commit(block.end()).unwrap());
    }
    all
}

fn expected(numbers: std::ops::Range<u64>) -> Vec<(u64, Vec<u8>)> {
    numbers.map(|number| (number, record(number))).collect()
}

#[test]
fn it_follows_over_files_and_restarts_of_both_sides() {
    let dir = tempfile::tempdir().unwrap();
    let mut follower = None;
    let mut read = 0;
    for round in 0..6 {
        let spool = Spool::open(config(dir.path())).unwrap();
        for step in 0..5 {
            let from = round * 500 + step * 100;
            block(&spool, from..from + 100);
            let follower =
                follower.get_or_insert_with(|| Follower::open(dir.path(), "f", Seek::Oldest).unwrap());
            assert!(drain(follower) == expected(read..from + 100), "{from}");
            read = from + 100;
        }
        assert_eq!(follower.as_ref().unwrap().passed(), harken_spool::Passed::default());
        if round % 2 == 1 {
            follower = None;
        }
        // What it is past is deleted by the process that writes.
        assert!(files(dir.path()).len() <= 3, "{:?}", files(dir.path()));
    }
}

#[test]
fn it_waits_for_what_is_still_being_written() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(config(dir.path())).unwrap();
    block(&spool, 0..10);
    let path = files(dir.path()).remove(0);
    block(&spool, 10..20);
    drop(spool);
    let whole = std::fs::read(&path).unwrap();
    let first = whole.len() / 2;
    let mut follower = None;
    let mut all = Vec::new();
    // Each length that the file has on its way.
    for length in (first.saturating_sub(200)..whole.len()).chain([whole.len()]) {
        std::fs::write(&path, &whole[..length]).unwrap();
        let follower: &mut Follower =
            follower.get_or_insert_with(|| Follower::open(dir.path(), "f", Seek::Oldest).unwrap());
        all.extend(drain(follower));
        assert_eq!(follower.passed(), harken_spool::Passed::default(), "{length}");
    }
    assert!(all == expected(0..20));
}

#[test]
fn what_was_deleted_or_damaged_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Config { max_bytes: 24 << 10, policy: Policy::DropOldest, ..config(dir.path()) };
    let spool = Spool::open(settings).unwrap();
    block(&spool, 0..50);
    let mut follower = Follower::open(dir.path(), "f", Seek::Oldest).unwrap();
    assert_eq!(follower.next(LONG).unwrap().unwrap().first(), 0);
    for from in (50..2000).step_by(50) {
        block(&spool, from..from + 50);
    }
    let mut got = 50;
    while let Some(block) = follower.next(NONE).unwrap() {
        got += block.records();
    }
    let missing = follower.passed().missing;
    assert!(missing > 0);
    assert_eq!(got + missing, 2000);
    // A block in the middle of an earlier file.
    let damaged = files(dir.path()).remove(0);
    let mut bytes = std::fs::read(&damaged).unwrap();
    bytes[100] ^= 0xff;
    std::fs::write(&damaged, bytes).unwrap();
    let mut follower = Follower::open(dir.path(), "g", Seek::Oldest).unwrap();
    let first = harken_spool::status(dir.path()).unwrap().first;
    let got: u64 = std::iter::from_fn(|| follower.next(NONE).unwrap()).map(|block| block.records()).sum();
    let passed = follower.passed();
    assert_eq!((passed.damaged_blocks, got + passed.missing), (1, 2000 - first));
    assert!(passed.damaged_bytes > 0 && passed.missing > 0);
}

#[test]
fn a_name_is_read_once() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(config(dir.path())).unwrap();
    let reader = spool.reader("a", Seek::Oldest).unwrap();
    assert!(matches!(Follower::open(dir.path(), "a", Seek::Oldest), Err(Error::Reader(_))));
    drop(reader);
    let follower = Follower::open(dir.path(), "a", Seek::Oldest).unwrap();
    assert!(matches!(spool.reader("a", Seek::Oldest), Err(Error::Reader(_))));
    drop(follower);
    spool.reader("a", Seek::Oldest).unwrap();
}

fn seek(dir: &Path, to: Seek) -> u64 {
    request_seek(dir, "a", to).unwrap()
}

#[test]
fn a_reader_is_moved_from_outside() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(config(dir.path())).unwrap();
    block(&spool, 0..100);
    assert!(matches!(request_seek(dir.path(), "a", Seek::Oldest), Err(Error::Reader(_))));
    let mut follower = Follower::open(dir.path(), "a", Seek::Newest).unwrap();
    assert!(follower.next(NONE).unwrap().is_none());
    assert_eq!(seek(dir.path(), Seek::Number(40)), 40);
    let moved = follower.next(LONG).unwrap().unwrap();
    assert_eq!(moved.first(), 40);
    // What was read before a move cannot be committed behind it.
    assert_eq!(seek(dir.path(), Seek::Oldest), 0);
    std::thread::sleep(Duration::from_millis(600));
    assert_eq!(follower.next(LONG).unwrap().unwrap().first(), 0);
    assert!(!follower.commit(moved.end()).unwrap());
    drop(follower);
    // One that does not run begins there.
    assert_eq!(seek(dir.path(), Seek::Number(70)), 70);
    let mut reader = spool.reader("a", Seek::Oldest).unwrap();
    assert_eq!(reader.next(LONG).unwrap().unwrap().first(), 70);
    assert_eq!(seek(dir.path(), Seek::Time(0)), 0);
    std::thread::sleep(Duration::from_millis(600));
    assert_eq!(reader.next(LONG).unwrap().unwrap().first(), 0);
}
