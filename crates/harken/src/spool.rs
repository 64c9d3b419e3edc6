//! `harken spool`: looks into the durable queue of events, beside the sensor that writes it.
use crate::cli::{Range, Since, Spool};
use crate::logs::clock;
use anyhow::{Context as _, Result, bail};
use flate2::write::GzEncoder;
use harken_event::rfc3339;
use harken_spool::{Peek, ReaderStatus, Seek, Status, request_seek, status};
use harken_wire::Timestamp;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Duration;

/// Runs the command.
pub fn run(command: &Spool) -> Result<()> {
    let done = match command {
        Spool::Status { at, json } => show(&at.spool, *json),
        Spool::Peek { at, range, limit } => {
            let mut out = io::stdout().lock();
            events(&at.spool, range, *limit, &mut out).map(|_| ())
        }
        Spool::Replay { at, from, pipeline } => replay(&at.spool, *from, pipeline),
        Spool::Export { at, range, output } => export(&at.spool, range, output),
    };
    match done {
        Err(error) if crate::is_broken_pipe(&error) => Ok(()),
        done => done,
    }
}

fn look(dir: &Path) -> Result<Status> {
    if !dir.is_dir() {
        bail!(
            "there is no spool in {}: name the folder that `harken run --spool` has, with --spool",
            dir.display()
        );
    }
    Ok(status(dir)?)
}

fn show(dir: &Path, as_json: bool) -> Result<()> {
    let status = look(dir)?;
    let mut out = io::stdout().lock();
    if as_json {
        writeln!(out, "{:#}", status_json(&status))?;
        return Ok(());
    }
    let time = |time: Option<u64>| time.map_or("-".to_owned(), text);
    writeln!(out, "files    {}, {}", status.files, size(status.bytes))?;
    writeln!(out, "events   {} (numbers {} to {})", status.records, status.first, status.next)?;
    writeln!(out, "times    {} to {}", time(status.oldest), time(status.newest))?;
    if status.junk > 0 {
        writeln!(out, "damaged  {}", size(status.junk))?;
    }
    if status.readers.is_empty() {
        writeln!(out, "readers  none: nothing is deleted before the spool has its full size")?;
    }
    for ReaderStatus { name, position, lag_records, lag_bytes, .. } in &status.readers {
        writeln!(out, "reader   {name}: at {position}, {lag_records} events behind ({})", size(*lag_bytes))?;
    }
    Ok(())
}

fn status_json(status: &Status) -> Value {
    let readers = status.readers.iter().map(|reader| {
        json!({
            "name": reader.name, "position": reader.position,
            "lag": {"events": reader.lag_records, "bytes": reader.lag_bytes},
        })
    });
    json!({
        "files": status.files, "bytes": status.bytes, "events": status.records, "first": status.first,
        "next": status.next, "oldest": status.oldest.map(text), "newest": status.newest.map(text),
        "damaged_bytes": status.junk, "readers": readers.collect::<Vec<_>>(),
    })
}

/// A time for people and programs.
fn text(time: u64) -> String {
    String::from_utf8_lossy(&rfc3339(Timestamp(time))).into_owned()
}

fn size(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}

/// Nanoseconds since 1970 of a place in time.
fn nanoseconds(since: Since) -> u64 {
    match since {
        Since::Oldest => 0,
        Since::Newest => u64::MAX,
        Since::At(time) => time,
        Since::Ago(ago) => clock::now().0.saturating_sub(nanos(ago)),
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Writes the events of a range, at most `limit`; gives how many.
fn events(dir: &Path, range: &Range, limit: u64, out: &mut impl Write) -> Result<u64> {
    look(dir)?;
    let from = range.from.map_or(0, nanoseconds);
    let to = range.to.map_or(u64::MAX, nanoseconds);
    let mut peek = Peek::open(dir)?;
    let mut count = 0;
    while count < limit
        && let Some(block) = peek.next(from)?
    {
        let (earliest, latest) = block.times();
        if earliest >= to {
            continue;
        }
        let is_inside = earliest >= from && latest < to;
        for record in &block {
            if count >= limit {
                break;
            }
            if !is_inside && !time_of(record).is_none_or(|time| (from..to).contains(&time)) {
                continue;
            }
            out.write_all(record)?;
            out.write_all(b"\n")?;
            count += 1;
        }
    }
    if peek.damaged() > 0 {
        eprintln!("harken: warning: {} damaged blocks were passed over", peek.damaged());
    }
    out.flush()?;
    Ok(count)
}

/// When the transaction of an event began; `None` where that cannot be read.
fn time_of(event: &[u8]) -> Option<u64> {
    #[derive(serde::Deserialize)]
    struct Head {
        #[serde(rename = "@timestamp")]
        time: chrono::DateTime<chrono::Utc>,
    }
    let head: Head = serde_json::from_slice(event).ok()?;
    u64::try_from(head.time.timestamp_nanos_opt()?).ok()
}

fn replay(dir: &Path, from: Since, pipeline: &str) -> Result<()> {
    let status = look(dir)?;
    let of_pipeline =
        |name: &str| name == pipeline || name.strip_prefix(pipeline).is_some_and(|r| r.starts_with('.'));
    let readers: Vec<_> = status.readers.iter().filter(|reader| of_pipeline(&reader.name)).collect();
    if readers.is_empty() {
        let known: Vec<_> = status.readers.iter().map(|reader| reader.name.as_str()).collect();
        bail!("no pipeline {pipeline} reads this spool; it has the readers: {}", known.join(", "));
    }
    let seek = match from {
        Since::Oldest => Seek::Oldest,
        Since::Newest => Seek::Newest,
        time => Seek::Time(nanoseconds(time)),
    };
    for reader in readers {
        let number = request_seek(dir, &reader.name, seek)?;
        let again = status.next.saturating_sub(number);
        println!("{}: goes on at {number}, {again} events are delivered from there", reader.name);
    }
    Ok(())
}

fn export(dir: &Path, range: &Range, output: &Path) -> Result<()> {
    if output == Path::new("-") {
        events(dir, range, u64::MAX, &mut BufWriter::new(io::stdout().lock()))?;
        return Ok(());
    }
    let cannot = || format!("cannot write {}", output.display());
    let mut file = BufWriter::new(File::create(output).with_context(cannot)?);
    let count = if output.extension().is_some_and(|ending| ending == "gz") {
        let mut gzip = GzEncoder::new(&mut file, flate2::Compression::default());
        let count = events(dir, range, u64::MAX, &mut gzip).with_context(cannot)?;
        gzip.finish().with_context(cannot)?;
        count
    } else {
        events(dir, range, u64::MAX, &mut file).with_context(cannot)?
    };
    file.flush().with_context(cannot)?;
    eprintln!("{count} events written to {}", output.display());
    Ok(())
}
