//! A process that is killed: what it leaves can be read, and lacks no more than what had not been handed over.
use super::*;
use std::io::{BufRead as _, BufReader};

#[test]
fn sigkill_leaves_logs_that_can_be_read() {
    for after in [3, 50, 400] {
        let dir = Dir::new();
        let mut command = child("logs::tests::kill::victim", &[], &dir.0);
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        // It tells how many lines it has sent, each time before it sends more.
        let told = output
            .lines()
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix("sent ")?.parse::<u64>().ok());
        let mut told = told.skip(after);
        let sent = told.next().unwrap();
        process.kill().unwrap();
        let sent_last = told.last().unwrap_or(sent);
        process.wait().unwrap();
        let (config, _) = config(&dir.0);
        close(LogWriter::start(&config, TSV).unwrap());
        let mut numbers = Vec::new();
        for file in dir.files().iter().filter(|file| file.contains("/http.") && !file.starts_with("current"))
        {
            let text = dir.get(file);
            assert!(text.starts_with("#separator"), "{file}");
            let end = text.lines().last().unwrap();
            assert!(end.starts_with("#close\t") && end.len() == 26, "{file}: {end}");
            for line in text.lines().filter(|line| !line.starts_with('#')) {
                let (number, rest) = line.split_once('\t').unwrap();
                let number = number.parse::<u64>().unwrap();
                assert_eq!(rest.len() as u64, number % 200, "{line}");
                numbers.push(number);
            }
        }
        numbers.sort_unstable();
        assert!(numbers.iter().copied().eq(0..numbers.len() as u64), "a line is missing in the middle");
        // The victim sends 100 lines a millisecond.
        let lost = sent_last.saturating_sub(numbers.len() as u64);
        eprintln!("killed after {sent_last} lines: {lost} lost");
        assert!(lost <= 20_000);
    }
}

/// Killed by [`sigkill_leaves_logs_that_can_be_read`].
#[test]
#[ignore = "is run by another test"]
fn victim() {
    let Some(dir) = child_dir() else { return };
    let (mut config, _) = config(&dir);
    config.size = Some(1 << 20);
    config.queue_bytes = 64 << 20;
    let writer = LogWriter::start(&config, TSV).unwrap();
    let mut sent = 0u64;
    for _ in 0..10_000 {
        let text: String =
            (sent..sent + 100).map(|n| format!("{n}\t{}\n", "x".repeat(n as usize % 200))).collect();
        send(&writer, 0, &text);
        sent += 100;
        println!("\nsent {sent}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
