//! Measures the spool: appends the lines of a file (JSON of events) again and again, reads them back, and prints
//! records and bytes a second and CPU seconds.
//!
//! `append FILE FOLDER [RECORDS] [--plain] [--read]`: the default is one million records. `--plain` leaves the blocks
//! uncompressed, `--read` has a reader follow and commit. The folder must be empty and is left behind.
use harken_spool::{Batch, Config, Error, Policy, Seek, Spool};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// User and system time of this process.
fn cpu() -> Option<(f64, f64)> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    // The kernel gives hundredths of a second on every architecture.
    let mut seconds = || fields.next()?.parse::<f64>().ok().map(|ticks| ticks / 100.0);
    Some((seconds()?, seconds()?))
}

fn main() -> ExitCode {
    let (flags, args): (Vec<_>, Vec<_>) = std::env::args().skip(1).partition(|arg| arg.starts_with("--"));
    let (Some(file), Some(folder)) = (args.first(), args.get(1)) else {
        eprintln!("usage: append FILE FOLDER [RECORDS] [--plain] [--read]");
        return ExitCode::from(2);
    };
    let count = args.get(2).and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    match run(file, folder, count, &flags) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("append: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(file: &str, folder: &str, count: u64, flags: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let text = std::fs::read(file)?;
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    if lines.is_empty() {
        return Err("the file has no lines".into());
    }
    let compress = !flags.iter().any(|flag| flag == "--plain");
    let spool = Spool::open(Config { compress, policy: Policy::Block, ..Config::new(folder) })?;
    let reader =
        flags.iter().any(|flag| flag == "--read").then(|| spool.reader("bench", Seek::Oldest)).transpose()?;
    let start = Instant::now();
    let mut bytes = 0u64;
    let mut appending = Duration::ZERO;
    let read = std::thread::scope(|scope| {
        let follower = reader.map(|mut reader| {
            scope.spawn(move || -> Result<u64, Error> {
                let mut read = 0;
                while read < count {
                    if let Some(block) = reader.next(Duration::from_secs(1))? {
                        read += block.iter().count() as u64;
                        reader.commit(block.end())?;
                    }
                }
                Ok(read)
            })
        });
        let mut batch = Batch::default();
        for (number, line) in (0..count).zip(lines.iter().cycle()) {
            bytes += line.len() as u64;
            if !batch.push(number, line) {
                return Err("a line is too large".into());
            }
            // As a shard does: a batch at a time.
            if batch.bytes() >= 64 << 10 || number + 1 == count {
                let before = Instant::now();
                spool.append(&mut batch)?;
                appending += before.elapsed();
            }
        }
        spool.flush(Duration::from_secs(60))?;
        match follower {
            Some(follower) => {
                Ok::<_, Box<dyn std::error::Error>>(follower.join().map_err(|_| "the reader panicked")??)
            }
            None => Ok(0),
        }
    })?;
    let seconds = start.elapsed().as_secs_f64();
    let (user, system) = cpu().ok_or("no /proc/self/stat")?;
    let counters = spool.status()?.counters.ok_or("no counters")?;
    println!(
        "{count} records of {} bytes in {seconds:.2} s: {:.0} records/s, {:.1} MB/s; on disk {:.1} MB in {} blocks; read \
         {read}; in append {:.2} s; CPU {user:.2} s user, {system:.2} s system",
        bytes / count.max(1),
        count as f64 / seconds,
        bytes as f64 / seconds / 1e6,
        counters.bytes as f64 / 1e6,
        counters.blocks,
        appending.as_secs_f64()
    );
    spool.close()?;
    Ok(())
}
