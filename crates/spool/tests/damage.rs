//! Torn tails, flipped bytes, a full disk, processes that are killed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops by panicking"
)]
mod support;
use harken_spool::{Batch, Config, Seek, Spool};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use support::{LONG, block, config, drain, files, record};

/// A spool of one file with three blocks: records 0 to 5, 5 to 10, 10 to 15. Where each block begins, and the file.
fn three(dir: &Path) -> (Vec<usize>, Vec<u8>) {
    let spool = Spool::open(config(dir)).unwrap();
    let mut starts = Vec::new();
    for start in [0, 5, 10] {
        starts.push(files(dir).first().map_or(0, |file| file.metadata().unwrap().len() as usize));
        block(&spool, start..start + 5);
    }
    drop(spool);
    assert_eq!(files(dir).len(), 1);
    (starts, std::fs::read(&files(dir)[0]).unwrap())
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_off_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let (starts, whole) = three(dir.path());
    let file = files(dir.path()).remove(0);
    let last = starts[2];
    for length in last..whole.len() {
        for garbage in [false, true] {
            let mut bytes = whole[..length].to_vec();
            if garbage {
                // The length was on the disk, the data was not.
                bytes.resize(whole.len(), 0);
            }
            let torn = bytes.len() - last;
            // A few bytes at the end may be zero by themselves.
            if bytes == whole {
                continue;
            }
            for old in files(dir.path()) {
                std::fs::remove_file(old).unwrap();
            }
            std::fs::write(&file, bytes).unwrap();
            let spool = Spool::open(config(dir.path())).unwrap();
            let counters = spool.status().unwrap().counters.unwrap();
            assert_eq!(counters.torn_bytes, torn as u64, "{length}");
            assert_eq!(counters.torn_blocks, u64::from(torn > 0), "{length}");
            assert_eq!(file.metadata().unwrap().len(), last as u64);
            let mut reader = spool.reader(&format!("r{length}"), Seek::Oldest).unwrap();
            if length % 16 == 0 {
                // The numbers of what was torn were never committed: they are given again.
                block(&spool, 10..12);
                assert_eq!(drain(&mut reader), (0..12).map(|n| (n, record(n))).collect::<Vec<_>>());
            } else {
                assert_eq!(drain(&mut reader), (0..10).map(|n| (n, record(n))).collect::<Vec<_>>());
            }
            drop(reader);
            spool.forget(&format!("r{length}")).unwrap();
        }
    }
}

#[test]
fn a_flipped_byte_anywhere_costs_its_block_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (starts, whole) = three(dir.path());
    let file = files(dir.path()).remove(0);
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x5a;
        std::fs::write(&file, bytes).unwrap();
        let spool = Spool::open(config(dir.path())).unwrap();
        let hit = starts.iter().rposition(|start| *start <= at).unwrap() as u64;
        let mut reader = spool.reader("r", Seek::Number(0)).unwrap();
        let expected: Vec<_> = (0..15).filter(|n| n / 5 != hit).map(|n| (n, record(n))).collect();
        assert_eq!(drain(&mut reader), expected, "byte {at}");
        let status = spool.status().unwrap();
        let counters = status.counters.unwrap();
        if hit == 2 {
            assert_eq!(counters.torn_blocks, 1);
        } else {
            assert_eq!(status.readers[0].missing, 5);
            assert!(status.readers[0].damaged_bytes > 0);
        }
        drop(reader);
        spool.forget("r").unwrap();
    }
}

#[test]
fn a_full_disk_keeps_the_records_in_memory_until_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=256k", "harken-spool-test"])
        .arg(dir.path())
        .stderr(Stdio::null())
        .status();
    if !mount.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: a tmpfs cannot be mounted (this test needs root)");
        return;
    }
    let result = std::panic::catch_unwind(|| full(dir.path()));
    assert!(Command::new("umount").arg(dir.path()).status().unwrap().success());
    result.unwrap();
}

fn full(dir: &Path) {
    let ballast = dir.join("ballast");
    let spool = Spool::open(Config { compress: false, ..config(dir) }).unwrap();
    let mut reader = spool.reader("a", Seek::Oldest).unwrap();
    block(&spool, 0..10);
    // All of the disk is taken.
    let mut file = std::fs::File::create(&ballast).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    let mut dropped = 0;
    let mut next = 10;
    for _ in 0..3000 {
        let mut batch = Batch::default();
        assert!(batch.push(next, &record(next)));
        match spool.append(&mut batch).unwrap() {
            harken_spool::Appended::Taken(_) => next += 1,
            harken_spool::Appended::Dropped(_) => dropped += 1,
        }
    }
    assert!(dropped > 0);
    let error = spool.flush(Duration::from_millis(300)).unwrap_err().to_string();
    assert!(error.contains("No space left on device"), "{error}");
    let counters = spool.status().unwrap().counters.unwrap();
    assert!(counters.write_failures > 0);
    assert_eq!(counters.dropped_disk + counters.dropped_behind, dropped);
    drop(file);
    std::fs::remove_file(ballast).unwrap();
    spool.flush(LONG).unwrap();
    let read = drain(&mut reader);
    assert_eq!(read, (0..next).map(|n| (n, record(n))).collect::<Vec<_>>());
    drop(reader);
    spool.close().unwrap();
}

/// The child of the test below: appends for ever, and tells what is committed.
#[test]
fn child_appends_until_it_is_killed() {
    let Ok(dir) = std::env::var("HARKEN_SPOOL_CHILD") else { return };
    let spool =
        Spool::open(Config { max_bytes: 1 << 30, file_bytes: 64 << 10, ..config(Path::new(&dir)) }).unwrap();
    let mut next = spool.committed();
    let mut out = std::io::stdout();
    let mut told = 0;
    loop {
        let mut batch = Batch::default();
        for _ in 0..1 + next % 17 {
            assert!(batch.push(next, &record(next)));
            next += 1;
        }
        if let harken_spool::Appended::Dropped(_) = spool.append(&mut batch).unwrap() {
            next = spool.status().unwrap().next;
        }
        let committed = spool.committed();
        if committed > told {
            told = committed;
            writeln!(out, "\ncommitted {committed}").unwrap();
            out.flush().unwrap();
        }
    }
}

#[test]
fn what_was_reported_as_committed_survives_a_kill() {
    let rounds = std::env::var("HARKEN_SPOOL_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(30);
    let dir = tempfile::tempdir().unwrap();
    let (mut torn, mut read_to, mut seed) = (0, 0u64, 88_172_645_463_325_252u64);
    for round in 0..rounds {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_appends_until_it_is_killed", "--nocapture"])
            .env("HARKEN_SPOOL_CHILD", dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let pipe = BufReader::new(child.stdout.take().unwrap());
        let told = std::thread::spawn(move || {
            let numbers = pipe.lines().map_while(Result::ok);
            // The last line may have been cut by the kill: it then is a smaller number.
            numbers.filter_map(|line| line.strip_prefix("committed ")?.parse::<u64>().ok()).max()
        });
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        std::thread::sleep(Duration::from_micros(20_000 + seed % 150_000));
        child.kill().unwrap();
        child.wait().unwrap();
        let told = told.join().unwrap().unwrap_or(0);
        let spool = Spool::open(config(dir.path())).unwrap();
        torn += spool.status().unwrap().counters.unwrap().torn_blocks;
        let mut reader = spool.reader("check", Seek::Oldest).unwrap();
        while let Some(block) = reader.next(Duration::ZERO).unwrap() {
            assert_eq!(block.first(), read_to, "in order, once");
            for bytes in &block {
                assert_eq!(bytes, record(read_to));
                read_to += 1;
            }
            if block.first() % 3 == 0 {
                reader.commit(block.end()).unwrap();
            }
        }
        let status = spool.status().unwrap();
        assert_eq!((status.readers[0].missing, status.readers[0].dropped), (0, 0));
        assert!(read_to >= told, "round {round}: {told} were reported, {read_to} are there");
        read_to = status.readers[0].position;
    }
    eprintln!(
        "kills: {rounds}, committed records read back up to {read_to}, torn blocks cut off: {torn}, lost: 0"
    );
}
