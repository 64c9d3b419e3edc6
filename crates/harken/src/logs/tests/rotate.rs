//! Rotation, names, compression, retention, what an earlier run has left.
use super::*;

#[test]
fn by_the_clock() {
    let dir = Dir::new();
    let (mut config, _) = config(&dir.0);
    config.every = Some(Duration::from_secs(3600));
    let clock = Hands::new();
    let writer = LogWriter::start_with(&config, JSON, clock.clone()).unwrap();
    send(&writer, 0, "a\n");
    written(&writer, 1);
    assert_eq!(dir.get("current/http.log"), "a\n");
    clock.seconds.store(START + 2, Ordering::Relaxed);
    writer.queue.poke();
    wait_for("rotation", || writer.stats().archived == 1);
    send(&writer, 0, "b\n");
    written(&writer, 2);
    // A block that comes late does not delay the next one; a log without records is not archived.
    clock.seconds.store(START + 3603, Ordering::Relaxed);
    send(&writer, 0, "c\n");
    written(&writer, 3);
    assert_eq!(close(writer).archived, 2);
    assert_eq!(
        dir.files(),
        [
            "2026-11-24/http.10:59:58-11:00:00.log",
            "2026-11-24/http.11:00:00-12:00:01.log",
            "current/conn.log",
            "current/http.log"
        ]
    );
    assert_eq!(dir.get("2026-11-24/http.10:59:58-11:00:00.log"), "a\n");
    assert_eq!(dir.get("2026-11-24/http.11:00:00-12:00:01.log"), "b\n");
    assert_eq!(dir.get("current/http.log"), "c\n");
}

#[test]
fn a_clock_set_back_does_not_stop_rotation() {
    let dir = Dir::new();
    let (mut config, _) = config(&dir.0);
    config.every = Some(Duration::from_secs(3600));
    let clock = Hands::new();
    let writer = LogWriter::start_with(&config, JSON, clock.clone()).unwrap();
    clock.seconds.store(START - 1_000_000, Ordering::Relaxed);
    send(&writer, 0, "a\n");
    written(&writer, 1);
    clock.seconds.store(START - 1_000_000 + 3600, Ordering::Relaxed);
    writer.queue.poke();
    wait_for("rotation", || writer.stats().archived == 1);
    close(writer);
}

#[test]
fn by_size_with_header_and_footer_in_each() {
    let dir = Dir::new();
    let (mut config, _) = config(&dir.0);
    config.size = Some(4000);
    let writer = LogWriter::start_with(&config, TSV, Hands::new()).unwrap();
    let line = "x".repeat(999) + "\n";
    for _ in 0..10 {
        send(&writer, 0, &line);
        wait_for("the block", || writer.stats().waiting_bytes == 0);
    }
    let stats = close(writer);
    assert!(stats.archived >= 2, "{stats:?}");
    let files = dir.files();
    let names = ["2026-11-24/http.10:59:58-10:59:58-2.log", "2026-11-24/http.10:59:58-10:59:58.log"];
    assert!(names.iter().all(|name| files.iter().any(|file| file == name)), "{files:?}");
    let mut records = 0;
    for file in files.iter().filter(|file| file.contains("http")) {
        let text = dir.get(file);
        assert!(text.starts_with("#separator \\x09\n"), "{file}");
        assert!(text.contains("#open\t2026-11-24-10-59-58\n"), "{file}");
        assert!(text.ends_with("\n#close\t2026-11-24-10-59-58\n"), "{file}");
        records += text.lines().filter(|text| !text.starts_with('#')).count();
        assert!(text.len() < 6000, "{file}");
    }
    assert_eq!(records, 10);
}

#[test]
fn reload_and_tools_read_what_is_compressed() {
    for (how, ending, tool) in [(Compress::Gzip, "gz", "gzip"), (Compress::Zstd, "zst", "zstd")] {
        let dir = Dir::new();
        let (mut config, said) = config(&dir.0);
        config.compress = how;
        config.queue_bytes = 64 << 20;
        // Killed while it compressed: done again.
        dir.put("2026-11-23/http.01:00:00-02:00:00.log", "old\n");
        dir.put(&format!("2026-11-23/http.01:00:00-02:00:00.log.{ending}.tmp"), "half");
        dir.put("2026-11-23/notes.txt", "not ours");
        let writer = LogWriter::start_with(&config, JSON, Hands::new()).unwrap();
        // Lines of some variety: more than one block of the compressed form.
        let text: String = (0..60_000_u64)
            .map(|n| format!("{{\"n\":{n},\"x\":{}}}\n", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
            .collect();
        send(&writer, 0, &text);
        written(&writer, 60_000);
        writer.reopen();
        wait_for("compression", || writer.stats().compressed == 2);
        assert_eq!(close(writer).compress_failures, 0);
        let archive = format!("2026-11-24/http.10:59:58-10:59:58.log.{ending}");
        let old = format!("2026-11-23/http.01:00:00-02:00:00.log.{ending}");
        assert_eq!(
            dir.files(),
            [&old, "2026-11-23/notes.txt", &archive, "current/conn.log", "current/http.log"]
        );
        let path = dir.0.join(&archive);
        let found = fs::metadata(&path).unwrap();
        assert_eq!(found.modified().unwrap(), UNIX_EPOCH + Duration::from_secs(START));
        assert!(found.len() < text.len() as u64 / 2);
        let path = path.to_str().unwrap();
        for program in [tool, if how == Compress::Gzip { "zcat" } else { "zstdcat" }] {
            let args: &[&str] = if program == tool { &["-dc", path] } else { &[path] };
            if let Some(plain) = output_of(program, args) {
                assert!(plain == text.as_bytes(), "{program}");
            }
        }
        assert_eq!(*said.lock().unwrap(), [""; 0]);
    }
}

#[test]
fn one_archive_that_cannot_be_compressed() {
    let dir = Dir::new();
    let (mut config, said) = config(&dir.0);
    config.compress = Compress::Gzip;
    for log in ["conn", "http", "weird"] {
        dir.put(&format!("2026-11-23/{log}.01:00:00-02:00:00.log"), "old\n");
    }
    // A folder has the name of what it would become.
    dir.put("2026-11-23/conn.01:00:00-02:00:00.log.gz/x", "in the way");
    let writer = LogWriter::start_with(&config, JSON, Hands::new()).unwrap();
    wait_for("compression", || writer.stats().compressed == 2);
    wait_for("failure", || !said.lock().unwrap().is_empty());
    assert_eq!(close(writer).compress_failures, 1);
    assert!(said.lock().unwrap()[0].contains("cannot compress "), "{said:?}");
    assert_eq!(dir.get("2026-11-23/conn.01:00:00-02:00:00.log"), "old\n");
    assert!(!dir.files().iter().any(|file| file.ends_with(".tmp")));
}

#[test]
fn archives_are_kept_by_age_and_size() {
    let ended = |dir: &Dir, path: &str, seconds: u64| {
        let file = fs::File::options().write(true).open(dir.0.join(path)).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
    };
    let names = [
        "2026-11-21/http.10:00:00-11:00:00.log.gz",
        "2026-11-22/conn.10:00:00-11:00:00.log",
        "2026-11-22/http.10:00:00-11:00:00-2.log",
        "2026-11-23/events.10:00:00-11:00:00.json.zst",
    ];
    let others =
        ["2026-11-21/mine.log", "2026-11-22x/http.10:00:00-11:00:00.log", "http.10:00:00-11:00:00.log"];
    // What is kept of the four; all are 100 bytes, the current logs are empty.
    for (age, bytes, kept) in [
        (None, None, 4),
        (Some(86_400 * 30), None, 4),
        (Some(86_400 * 2), None, 2),
        (Some(10), None, 0),
        (None, Some(400), 4),
        (None, Some(399), 3),
        (None, Some(100), 1),
        (Some(86_400 * 2), Some(150), 1),
        (None, Some(1), 0),
    ] {
        let dir = Dir::new();
        for (day, name) in names.iter().enumerate() {
            dir.put(name, &"x".repeat(100));
            ended(&dir, name, START - 86_400 * (4 - day as u64) + 3600);
        }
        others.iter().for_each(|name| {
            dir.put(name, "x");
            ended(&dir, name, 1);
        });
        let (mut config, _) = config(&dir.0);
        config.keep_age = age.map(Duration::from_secs);
        config.keep_bytes = bytes;
        let writer = LogWriter::start_with(&config, JSON, Hands::new()).unwrap();
        wait_for("removal", || writer.stats().removed == 4 - kept);
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(close(writer).removed, 4 - kept, "{age:?} {bytes:?}");
        let left = dir.files();
        let mut expected: Vec<&str> = names[4 - kept as usize..].to_vec();
        expected.extend(others.iter().chain(&["current/conn.log", "current/http.log"]));
        expected.sort_unstable();
        assert_eq!(left, expected, "{age:?} {bytes:?}");
        assert_eq!(dir.0.join("2026-11-23").exists(), kept > 0);
    }
}

#[test]
fn what_a_killed_process_left() {
    let head = "#separator \\x09\n#path\thttp\n";
    for (text, expected, cut) in [
        ("{\"a\":1}\n{\"a\":2}\n", Some("{\"a\":1}\n{\"a\":2}\n".to_owned()), 0),
        ("{\"a\":1}\n{\"a\":", Some("{\"a\":1}\n".to_owned()), 1),
        ("{\"a\":", None, 1),
        ("", None, 0),
        (head, None, 0),
        (&format!("{head}1\t2\n3\t"), Some(format!("{head}1\t2\n#close\tTIME\n")), 1),
        (&format!("{head}1\t2\n#close\t2026"), Some(format!("{head}1\t2\n#close\tTIME\n")), 1),
        (&format!("{head}1\t2\n#close\tTIME\n"), Some(format!("{head}1\t2\n#close\tTIME\n")), 0),
        (&("y".repeat(200_000) + "\n" + &"z".repeat(200_000)), Some("y".repeat(200_000) + "\n"), 1),
    ] {
        let dir = Dir::new();
        // A log of another form than this run's is archived, too; what is not ours stays.
        dir.put("current/http.log", text);
        dir.put("current/events.json", "{}\n");
        dir.put("current/mine.txt", "mine");
        let (config, _) = config(&dir.0);
        let writer = LogWriter::start_with(&config, JSON, Hands::new()).unwrap();
        let stats = close(writer);
        assert_eq!((stats.cut, stats.archived), (cut, 1 + u64::from(expected.is_some())));
        assert_eq!(dir.get("current/http.log"), "");
        assert_eq!(dir.get("current/mine.txt"), "mine");
        let files = dir.files();
        let archived = files.iter().find(|file| file.contains("/http.") && !file.starts_with("current"));
        let archived = archived.map(|file| dir.get(file));
        let time = archived.as_deref().and_then(|text| text.split("#close\t").nth(1)).map(str::trim);
        let expected = expected.map(|text| text.replace("TIME", time.unwrap_or_default()));
        assert!(archived == expected, "{archived:?} {expected:?}");
    }
}

#[test]
fn an_ended_log_is_archived_by_the_next_run() {
    let dir = Dir::new();
    let (config, _) = config(&dir.0);
    for run in 1..=2 {
        let writer = LogWriter::start(&config, TSV).unwrap();
        send(&writer, 0, "1\t2\n");
        let stats = close(writer);
        assert_eq!((stats.logs[0].lines, stats.cut, stats.archived), (1, 0, run - 1));
        assert_eq!(dir.get("current/http.log").matches("#close").count(), 1);
    }
    assert_eq!(dir.files().len(), 3);
}
