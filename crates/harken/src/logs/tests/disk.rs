//! A disk that is full, stuck, or not what it was; and who else uses the folder.
use super::*;
use std::io::Write as _;
use std::os::unix::fs::symlink;

#[test]
fn sending_never_waits_and_a_full_queue_drops() {
    let dir = Dir::new();
    let (mut config, _) = config(&dir.0);
    config.queue_bytes = 8 << 20;
    let clock = Hands::new();
    let writer = LogWriter::start_with(&config, JSON, clock.clone()).unwrap();
    let handle = writer.handle(0);
    // The writer's thread stops at its clock, as it would in a write to a disk that does not answer.
    let stuck = clock.stuck.lock().unwrap();
    let line = [b"x".repeat(99), vec![b'\n']].concat();
    let block = line.repeat(2622);
    let mut times = Vec::new();
    for _ in 0..400 {
        let began = Instant::now();
        handle.send(&block, 2622);
        times.push(began.elapsed());
    }
    times.sort_unstable();
    let stats = writer.stats();
    assert!(stats.waiting_bytes <= 8 << 20);
    assert!(stats.logs[0].dropped_blocks > 350, "{stats:?}");
    eprintln!("400 sends to a stuck writer: median {:?}, longest {:?}", times[200], times[399]);
    // Not the longest: the machine may take the processor away.
    assert!(times[380] < Duration::from_millis(1), "{times:?}");
    drop(stuck);
    let stats = close(writer);
    let log = &stats.logs[0];
    assert_eq!(log.lines + log.dropped_lines, 400 * 2622);
    assert_eq!(log.dropped_lines, log.dropped_blocks * 2622);
    assert_eq!(dir.get("current/http.log").lines().count() as u64, log.lines);
}

#[test]
fn buffers_are_used_again() {
    let dir = Dir::new();
    let (config, _) = config(&dir.0);
    let writer = LogWriter::start(&config, JSON).unwrap();
    let handle = writer.handle(0);
    let mut warm = 0;
    for round in 0..2000 {
        handle.send(b"a line of a log\n", 1);
        // As a shard does that is not faster than the disk.
        wait_for("the block", || writer.stats().waiting_bytes == 0);
        if round == 100 {
            warm = writer.stats().buffers;
        }
    }
    assert_eq!(writer.stats().buffers, warm);
    assert_eq!(close(writer).logs[0].lines, 2000);
}

#[test]
fn a_folder_that_cannot_be_written_is_waited_for() {
    let dir = Dir::new();
    let (config, said) = config(&dir.0);
    let writer = LogWriter::start(&config, TSV).unwrap();
    let current = dir.0.join("current");
    fs::remove_dir_all(&current).unwrap();
    fs::write(&current, "in the way").unwrap();
    send(&writer, 0, "a\n");
    send(&writer, 1, "b\n");
    wait_for("failures", || writer.stats().failing && writer.stats().failures >= 4);
    fs::remove_file(&current).unwrap();
    written(&writer, 2);
    wait_for("recovery", || !writer.stats().failing);
    wait_for("the end of the outage", || said.lock().unwrap().len() > 1);
    let lines = said.lock().unwrap().clone();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("/current/http.log: Not a directory"), "{lines:?}");
    assert!(lines[1].starts_with("logs are written again after"), "{lines:?}");
    // The end of a run does not wait for ever.
    fs::remove_dir_all(&current).unwrap();
    fs::write(&current, "in the way").unwrap();
    send(&writer, 0, "a\nb\n");
    wait_for("failure", || writer.stats().failing);
    send(&writer, 0, "c\n");
    let began = Instant::now();
    let stats = writer.close(Duration::from_millis(300)).unwrap();
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!((stats.logs[0].lines, stats.logs[0].dropped_lines), (1, 3));
}

#[test]
fn a_log_that_was_moved_or_emptied() {
    let dir = Dir::new();
    let (config, _) = config(&dir.0);
    let writer = LogWriter::start_with(&config, TSV, Hands::new()).unwrap();
    let path = dir.0.join("current/http.log");
    send(&writer, 0, "a\n");
    written(&writer, 1);
    // As logrotate does without and with `copytruncate`.
    fs::rename(&path, dir.0.join("moved")).unwrap();
    send(&writer, 0, "b\n");
    written(&writer, 2);
    assert!(dir.get("moved").ends_with("\na\n#close\t2026-11-24-10-59-58\n"));
    assert!(dir.get("current/http.log").starts_with("#separator"));
    assert!(dir.get("current/http.log").ends_with("\nb\n"));
    fs::File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    send(&writer, 0, "c\n");
    written(&writer, 3);
    let text = dir.get("current/http.log");
    assert!(text.starts_with("#separator") && text.ends_with("\nc\n") && !text.contains("\nb\n"));
    close(writer);
}

#[test]
fn one_process_a_folder_and_no_links() {
    let dir = Dir::new();
    let (config, _) = config(&dir.0);
    let writer = LogWriter::start(&config, JSON).unwrap();
    let error = format!("{:#}", LogWriter::start(&config, JSON).unwrap_err());
    assert!(error.contains("another process writes logs into"), "{error}");
    close(writer);
    let path = dir.0.join("current/http.log");
    fs::remove_file(&path).unwrap();
    dir.put("precious", "precious\n");
    symlink(dir.0.join("precious"), &path).unwrap();
    let error = format!("{:#}", LogWriter::start(&config, JSON).unwrap_err());
    assert!(error.contains("current/http.log") && error.contains("move it away"), "{error}");
    assert_eq!(dir.get("precious"), "precious\n");
}

#[test]
fn a_full_disk_is_survived() {
    let dir = Dir::new();
    let mounted = Command::new("unshare")
        .args(["-m", "mount", "-t", "tmpfs", "-o", "size=256k", "harken-logs"])
        .arg(&dir.0)
        .output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: a small file system of its own needs root, unshare and mount");
        return;
    }
    let script = "mount -t tmpfs -o size=256k harken-logs \"$HARKEN_LOGS_CHILD\" && exec \"$0\" \"$@\"";
    let prefix = ["unshare", "-m", "sh", "-c", script];
    let output = child("logs::tests::disk::on_a_small_disk", &prefix, &dir.0).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    eprintln!("{text}");
    assert!(output.status.success() && text.contains("1 passed"));
}

/// Run by [`a_full_disk_is_survived`] on a file system of 256 KiB.
#[test]
#[ignore = "is run by another test"]
fn on_a_small_disk() {
    let Some(dir) = child_dir() else { return };
    let dir = std::mem::ManuallyDrop::new(Dir(dir));
    for specs in [JSON, TSV] {
        let ballast = dir.0.join("ballast");
        fs::write(&ballast, vec![0; 100 << 10]).unwrap();
        let (mut config, said) = config(&dir.0);
        config.queue_bytes = 4 << 20;
        let writer = LogWriter::start(&config, specs).unwrap();
        // More than fits on the disk, and then more than fits into the queue.
        let (mut sent, mut blocks) = (0u64, 0);
        while writer.stats().logs[0].dropped_blocks < 3 {
            let text: String = (sent..sent + 700)
                .map(|n| format!("line {n:08} {}\n", "x".repeat(n as usize % 90)))
                .collect();
            sent += 700;
            blocks += 1;
            send(&writer, 0, &text);
            if blocks < 20 {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        let full = writer.stats();
        assert!(full.failing && full.failures > 0, "{full:?}");
        // What is there can be read, up to its end: also while it fails.
        let whole = |text: &str| {
            let mut last = None;
            for line in text.lines().filter(|line| !line.starts_with('#')) {
                let number: u64 = line[5..13].parse().unwrap();
                assert_eq!(line.len(), 14 + number as usize % 90, "torn: {line}");
                assert!(last.is_none_or(|last| number == last + 1), "{last:?} {number}");
                last = Some(number);
            }
        };
        assert!(dir.get("current/http.log").ends_with('\n'));
        whole(&dir.get("current/http.log"));
        // Not even a rotation breaks it, whose footer does not fit.
        writer.reopen();
        std::thread::sleep(Duration::from_millis(300));
        for _ in 0..2 {
            // Room for a while, again and again: the archive is taken away.
            let _ = fs::remove_file(&ballast);
            std::thread::sleep(Duration::from_millis(2500));
            for file in dir.files().iter().filter(|file| file.contains("http")) {
                whole(&dir.get(file));
            }
            for file in dir.files().iter().filter(|file| !file.starts_with("current")) {
                fs::remove_file(dir.0.join(file)).unwrap();
            }
            writer.reopen();
        }
        let _ = fs::remove_file(dir.0.join("current/http.log"));
        let began = Instant::now();
        let mut written = 0;
        while writer.stats().waiting_bytes > 0 && began.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_millis(100));
            whole(&fs::read_to_string(dir.0.join("current/http.log")).unwrap_or_default());
            if writer.stats().failing && writer.stats().logs[0].lines > written {
                written = writer.stats().logs[0].lines;
                let _ = fs::remove_file(dir.0.join("current/http.log"));
            }
        }
        let _ = fs::remove_file(dir.0.join("current/http.log"));
        wait_for("the end of the outage", || !writer.stats().failing);
        let stats = close(writer);
        eprintln!("{stats:?}");
        assert_eq!(stats.logs[0].lines + stats.logs[0].dropped_lines, sent);
        let lines = said.lock().unwrap().clone();
        eprintln!("{lines:#?}");
        assert!(lines[0].contains("No space left on device") && lines[0].contains("make room"), "{lines:?}");
        assert!(lines.last().unwrap().starts_with("logs are written again after"), "{lines:?}");
        full_from_the_start(&dir, specs);
        for file in dir.files() {
            let _ = fs::remove_file(dir.0.join(file));
        }
    }
}

/// A run that begins on a full disk, with the log of a run that was killed on it.
fn full_from_the_start(dir: &Dir, specs: &[Spec]) {
    let _ = fs::remove_dir_all(dir.0.join("2026-11-24"));
    dir.put("current/http.log", "line\nhalf a li");
    let ballast = dir.0.join("ballast");
    let mut file = fs::File::create(&ballast).unwrap();
    while file.write_all(&[0; 512]).is_ok() {}
    drop(file);
    let (config, said) = config(&dir.0);
    let writer = LogWriter::start(&config, specs).unwrap();
    send(&writer, 0, &("x".repeat(20_000) + "\n"));
    wait_for("failure", || writer.stats().failing);
    fs::remove_file(&ballast).unwrap();
    written(&writer, 1);
    wait_for("recovery", || !writer.stats().failing);
    close(writer);
    assert_eq!(said.lock().unwrap().len(), 2, "{said:?}");
    let files = dir.files();
    let old = files.iter().find(|file| !file.starts_with("current") && file.contains("http")).unwrap();
    assert_eq!(dir.get(old), "line\n");
    assert_eq!(dir.get("current/http.log").lines().filter(|line| !line.starts_with('#')).count(), 1);
}
