//! Appending, reading, positions, the bound.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops by panicking"
)]
mod support;
use harken_spool::{Appended, Batch, Config, Error, Peek, Policy, Reason, Seek, Spool, status};
use std::time::Duration;
use support::{LONG, append, block, config, drain, files, record};

#[test]
fn everything_comes_back_in_order() {
    for compress in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(Config { compress, memory: 1 << 20, ..config(dir.path()) }).unwrap();
        let mut reader = spool.reader("a", Seek::Oldest).unwrap();
        for start in (0..2000).step_by(50) {
            assert_eq!(append(&spool, start..start + 50), Appended::Taken(start + 50));
            if start % 500 == 0 {
                spool.flush(LONG).unwrap();
            }
        }
        spool.flush(LONG).unwrap();
        let expected: Vec<_> = (0..2000).map(|number| (number, record(number))).collect();
        assert!(drain(&mut reader) == expected, "compressed: {compress}");
        let mut peek = Peek::open(dir.path()).unwrap();
        let mut peeked = Vec::new();
        while let Some(block) = peek.next(0).unwrap() {
            peeked.extend(block.iter().map(<[u8]>::to_vec));
        }
        assert_eq!(peeked, (0..2000).map(record).collect::<Vec<_>>());
        let status = spool.status().unwrap();
        assert_eq!((status.records, status.first, status.next, status.junk), (2000, 0, 2000, 0));
        assert_eq!((status.oldest, status.newest), (Some(1000), Some(2999)));
        assert_eq!(status.readers[0].lag_records, 2000);
        assert_eq!(status.readers[0].lag_bytes, status.bytes);
        assert!(status.files > 1);
    }
}

#[test]
fn a_record_is_committed_within_the_interval() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(Config { commit_interval: Duration::from_millis(50), ..Config::new(dir.path()) })
        .unwrap();
    let mut reader = spool.reader("a", Seek::Oldest).unwrap();
    assert_eq!(append(&spool, 0..1), Appended::Taken(1));
    let block = reader.next(LONG).unwrap().unwrap();
    assert_eq!((block.first(), block.records(), block.times()), (0, 1, (1000, 1000)));
}

#[test]
fn a_reader_goes_on_where_it_committed() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(config(dir.path())).unwrap();
    let mut reader = spool.reader("a", Seek::Oldest).unwrap();
    assert!(matches!(spool.reader("a", Seek::Oldest), Err(Error::Reader(_))));
    assert!(matches!(spool.reader("../a", Seek::Oldest), Err(Error::Name(_))));
    for start in [0, 10, 20] {
        block(&spool, start..start + 10);
    }
    let first = reader.next(LONG).unwrap().unwrap();
    assert!(reader.commit(first.end().back(3)).unwrap());
    drop((reader, spool));
    let spool = Spool::open(config(dir.path())).unwrap();
    let mut reader = spool.reader("a", Seek::Newest).unwrap();
    assert_eq!(drain(&mut reader), (7..30).map(|number| (number, record(number))).collect::<Vec<_>>());
    block(&spool, 30..31);
    assert_eq!(drain(&mut reader), vec![(30, record(30))]);
}

#[test]
fn seeking_by_time_makes_older_commits_void() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(config(dir.path())).unwrap();
    let mut reader = spool.reader("a", Seek::Oldest).unwrap();
    for start in [0, 10, 20] {
        block(&spool, start..start + 10);
    }
    let first = reader.next(LONG).unwrap().unwrap();
    assert_eq!(spool.seek("a", Seek::Time(1000 + 15)).unwrap(), 10);
    assert!(!reader.commit(first.end()).unwrap());
    assert_eq!(drain(&mut reader).first().unwrap().0, 10);
    assert_eq!(spool.seek("a", Seek::Time(u64::MAX)).unwrap(), 30);
    assert_eq!(drain(&mut reader), vec![]);
    assert!(spool.seek("b", Seek::Oldest).is_err());
}

#[test]
fn files_go_when_every_reader_is_past_them() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(config(dir.path())).unwrap();
    let mut slow = spool.reader("slow", Seek::Oldest).unwrap();
    let mut fast = spool.reader("fast", Seek::Oldest).unwrap();
    for start in (0..1000).step_by(20) {
        block(&spool, start..start + 20);
    }
    let before = files(dir.path()).len();
    for reader in [&mut fast, &mut slow] {
        assert_eq!(files(dir.path()).len(), before);
        let mut last = None;
        while let Some(block) = reader.next(Duration::ZERO).unwrap() {
            last = Some(block.end());
        }
        reader.commit(last.unwrap()).unwrap();
    }
    assert_eq!(files(dir.path()).len(), 1, "the one that is written to stays");
    drop((slow, fast, spool));
    // Numbers do not begin again when everything has been read and deleted.
    for file in files(dir.path()) {
        std::fs::remove_file(file).unwrap();
    }
    let spool = Spool::open(config(dir.path())).unwrap();
    block(&spool, 1000..1001);
    let mut fast = spool.reader("fast", Seek::Oldest).unwrap();
    assert_eq!(drain(&mut fast), vec![(1000, record(1000))]);
}

#[test]
fn drop_oldest_keeps_the_bound_and_counts_for_each_reader() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { max_bytes: 40 << 10, compress: false, ..config(dir.path()) };
    let max = config.max_bytes;
    let spool = Spool::open(config).unwrap();
    let mut one = spool.reader("one", Seek::Oldest).unwrap();
    let _two = spool.reader("two", Seek::Oldest).unwrap();
    block(&spool, 0..20);
    let mut read = drain(&mut one);
    for start in (20..2000).step_by(20) {
        block(&spool, start..start + 20);
        assert!(status(dir.path()).unwrap().bytes <= max);
    }
    read.extend(drain(&mut one));
    assert!(read.iter().all(|(number, bytes)| *bytes == record(*number)));
    let status = spool.status().unwrap();
    let [one, two] = [&status.readers[0], &status.readers[1]];
    assert_eq!(one.dropped + read.len() as u64, 2000);
    assert_eq!(two.dropped, one.dropped + 20);
    assert_eq!(two.dropped + two.lag_records, 2000);
    let counters = status.counters.unwrap();
    assert_eq!(counters.dropped_oldest, two.dropped);
    assert_eq!((one.missing, one.damaged_blocks), (0, 0));
}

#[test]
fn drop_newest_drops_what_does_not_fit_the_memory() {
    let dir = tempfile::tempdir().unwrap();
    let config =
        Config { max_bytes: 16 << 10, policy: Policy::DropNewest, compress: false, ..config(dir.path()) };
    let spool = Spool::open(config).unwrap();
    let mut reader = spool.reader("a", Seek::Oldest).unwrap();
    // Of a batch that is cut a part may be taken and another not.
    let mut whole = 0u64;
    for start in (0..4000).step_by(20) {
        match append(&spool, start..start + 20) {
            Appended::Taken(_) => whole += 20,
            Appended::Dropped(reason) => assert!(matches!(reason, Reason::Bound | Reason::Behind)),
        }
    }
    assert!(matches!(spool.flush(Duration::from_millis(50)), Err(Error::Unwritten { .. })));
    let counters = spool.status().unwrap().counters.unwrap();
    let (taken, dropped) = (counters.appended, counters.dropped_bound + counters.dropped_behind);
    assert_eq!(taken + dropped, 4000);
    assert!(dropped > 0 && taken >= whole);
    // Reading makes room for what waits.
    let mut read = 0;
    while read < taken {
        let block = reader.next(LONG).unwrap().expect("what waits is written once there is room");
        read += block.records();
        reader.commit(block.end()).unwrap();
    }
    spool.close().unwrap();
}

#[test]
fn block_waits_until_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { max_bytes: 16 << 10, policy: Policy::Block, compress: false, ..config(dir.path()) };
    let spool = Spool::open(config).unwrap();
    let mut reader = spool.reader("a", Seek::Oldest).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for start in (0..2000).step_by(20) {
                assert_eq!(append(&spool, start..start + 20), Appended::Taken(start + 20));
            }
        });
        let mut next = 0;
        while next < 2000 {
            let block = reader.next(LONG).unwrap().unwrap();
            for bytes in &block {
                assert_eq!(bytes, record(next));
                next += 1;
            }
            reader.commit(block.end()).unwrap();
        }
    });
    assert_eq!(spool.status().unwrap().counters.unwrap().dropped_bound, 0);
}

#[test]
fn one_writer_and_a_clear_refusal() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(config(dir.path())).unwrap();
    let error = Spool::open(config(dir.path())).unwrap_err();
    assert!(error.to_string().contains("another process writes into it"), "{error}");
    drop(spool);
    Spool::open(config(dir.path())).unwrap();
}

#[test]
fn large_batches_are_cut_and_too_large_records_counted() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(config(dir.path())).unwrap();
    let mut batch = Batch::default();
    for number in 0..300 {
        assert!(batch.push(number, &record(number)));
    }
    assert!(batch.push(300, &vec![b'x'; 5000]));
    assert_eq!(spool.append(&mut batch).unwrap(), Appended::Dropped(Reason::TooLarge), "one of them");
    assert!(batch.is_empty());
    spool.flush(LONG).unwrap();
    assert_eq!(spool.committed(), 300);
    let mut reader = spool.reader("a", Seek::Oldest).unwrap();
    assert_eq!(drain(&mut reader).len(), 300);
    assert_eq!(spool.status().unwrap().counters.unwrap().dropped_too_large, 1);
}

#[test]
fn a_damaged_position_reads_again_rather_than_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(config(dir.path())).unwrap();
    let mut reader = spool.reader("a", Seek::Oldest).unwrap();
    block(&spool, 0..10);
    let end = reader.next(LONG).unwrap().unwrap().end();
    reader.commit(end).unwrap();
    drop((reader, spool));
    std::fs::write(dir.path().join("a.position"), b"99999 00000000\n").unwrap();
    let spool = Spool::open(config(dir.path())).unwrap();
    assert_eq!(spool.status().unwrap().counters.unwrap().damaged_positions, 1);
    assert_eq!(drain(&mut spool.reader("a", Seek::Newest).unwrap()).len(), 10);
}
