//! `harken mirror verify`.
use super::places::Place;
use super::plan;
use super::spec::{self, Needs};
use crate::cli::Verify;
use crate::run::control;
use crate::style::Palette;
use anyhow::{Context as _, Result, anyhow, bail};
use harken_mirror::plan::Choices;
use harken_mirror::verify::{self, Check, Counted, Evidence, Level, Received};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How often the sensor's log is looked at for a probe.
const LOOK: Duration = Duration::from_millis(50);

/// Runs the command.
pub async fn run(args: &Verify) -> Result<ExitCode> {
    let spec = spec::read(&args.spec)?;
    let places = Place::all(&spec, Needs::Sources).await?;
    let plans = plan::plans(&spec, &places, Choices::default())?;
    let mut evidence = Evidence { watched: args.wait, ..Evidence::default() };
    let mut probed = None;
    if !args.no_sensor {
        let before = received(&args.control)?;
        if !args.json {
            eprintln!("watching for {} s what arrives ...", args.wait.as_secs_f64());
        }
        let until = Instant::now() + args.wait;
        if let Some(url) = &args.probe {
            probed = Some(probe(url, &args.log_dir, args.wait).await);
        }
        tokio::time::sleep(until.saturating_duration_since(Instant::now())).await;
        let after = received(&args.control)?;
        let since =
            |(vni, now): (u32, Received)| (vni, now.since(&before.get(&vni).copied().unwrap_or_default()));
        evidence.received = Some(after.into_iter().map(since).collect());
    }
    let mut worst = if matches!(probed, Some(Err(_))) { Level::Fail } else { Level::Ok };
    let mut all = Vec::new();
    for (place, plan) in places.iter().zip(&plans) {
        let mut said = Vec::new();
        evidence.counted = None;
        if let Some(before) = args.cloudwatch {
            let instances = plan.sources.iter().filter_map(|source| source.instance.as_deref());
            match verify::counted(&place.client, instances, chrono::Utc::now(), before).await {
                Ok(counted) => evidence.counted = Some(counted),
                // The right to it may be missing; the rest is worth having.
                Err(error) if error.is_denied() => said.push(format!("CloudWatch was not asked: {error}")),
                Err(error) => return Err(error.into()),
            }
        }
        let checks = verify::check(&spec, &place.world, plan, &evidence);
        worst = checks.iter().map(|check| check.level).fold(worst, Level::max);
        if checks.is_empty() {
            worst = Level::Fail;
            said.push("nothing that is selected can be mirrored: `harken mirror plan` says why".to_owned());
        }
        if args.json {
            all.push(
                json!({"account": plan.account, "region": plan.region, "checks": checks, "notes": said}),
            );
        } else {
            crate::print(&text(place, &checks, &said, super::palette()))?;
        }
    }
    if args.json {
        let probe = probed.as_ref().map(|probed| match probed {
            Ok((status, took)) => json!({"status": status, "seconds": took.as_secs_f64()}),
            Err(error) => json!({"error": error.to_string()}),
        });
        let all = json!({"level": worst, "places": all, "probe": probe});
        crate::print_json(&all)?;
    } else if let Some(probed) = &probed {
        crate::print(&match probed {
            Ok((status, took)) => {
                format!(
                    "probe: the request came out of the sensor after {:.2} s (status {status})\n",
                    took.as_secs_f64()
                )
            }
            Err(error) => format!("probe: {error:#}\n"),
        })?;
    }
    Ok(if worst == Level::Fail { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What a sensor has received so far, by VNI.
fn received(control: &Path) -> Result<BTreeMap<u32, Received>> {
    let figures = control::ask(control, "stats")?;
    let vnis = figures.get("vnis").and_then(Value::as_array).context("the sensor has no figures by VNI")?;
    let mut all = BTreeMap::new();
    for seen in vnis {
        let Some(vni) = seen.get("vni").and_then(Value::as_u64).and_then(|vni| u32::try_from(vni).ok())
        else {
            continue;
        };
        let received =
            serde_json::from_value(seen.clone()).context("the sensor's figures are of another version")?;
        all.insert(vni, received);
    }
    Ok(all)
}

/// Sends a marked request and waits until the sensor has logged it. Gives its status, and the time from its end until then.
async fn probe(url: &str, log_dir: &Path, wait: Duration) -> Result<(u16, Duration)> {
    let mark = format!("harken-probe/{:016x}", fastrand::u64(..));
    let path = log_dir.join("current/http.log");
    let mut from = std::fs::metadata(&path).map_or(0, |file| file.len());
    let began = Instant::now();
    let status = verify::probe(url, &mark).await.map_err(|error| anyhow!("no answer from {url}: {error}"))?;
    let answered = Instant::now();
    let mut tail = String::new();
    while began.elapsed() < wait {
        if logged(&path, &mut from, &mut tail, &mark) {
            return Ok((status, answered.elapsed()));
        }
        tokio::time::sleep(LOOK).await;
    }
    bail!(
        "{url} has answered (status {status}), but the request has not come out of the sensor in {} s (looked for in {}); \
         mend: is a source that is mirrored in its way? are --log-dir and --wait right?",
        wait.as_secs(),
        path.display()
    )
}

/// Whether a log has got a line with that text since it was looked at.
fn logged(path: &Path, from: &mut u64, tail: &mut String, text: &str) -> bool {
    let Ok(mut file) = std::fs::File::open(path) else { return false };
    // A new log was begun.
    if file.metadata().is_ok_and(|now| now.len() < *from) {
        *from = 0;
        tail.clear();
    }
    let mut new = Vec::new();
    if file.seek(SeekFrom::Start(*from)).and_then(|_| file.read_to_end(&mut new)).is_err() {
        return false;
    }
    *from += new.len() as u64;
    tail.push_str(&String::from_utf8_lossy(&new));
    let found = tail.contains(text);
    // The end of a line may be yet to come.
    *tail = tail.rsplit('\n').next().unwrap_or_default().to_owned();
    found
}

fn text(place: &Place, checks: &[Check], said: &[String], palette: Palette) -> String {
    let mut out = place.heading(palette);
    for check in checks {
        let level = match check.level {
            Level::Ok => palette.status("ok  ", 200),
            Level::Warn => palette.warn("warn"),
            Level::Fail => palette.status("fail", 500),
        };
        let name = check.name.as_ref().map(|name| format!("{name} ")).unwrap_or_default();
        let vni = check.vni.map(|vni| format!(", VNI {vni}")).unwrap_or_default();
        let session = check.session.as_deref().unwrap_or("no session");
        let _ =
            writeln!(out, "{level} {name}({}) {}", check.interface, palette.dim(&format!("{session}{vni}")));
        if let Some(figures) = check.received.filter(|received| received.segments > 0) {
            let _ = writeln!(out, "       {}", palette.dim(&figures_text(&figures)));
        }
        if let Some(Counted { mirrored, skipped }) = check.counted {
            let line = format!("CloudWatch: {mirrored} packets mirrored, {skipped} skipped");
            let _ = writeln!(out, "       {}", palette.dim(&line));
        }
        for finding in &check.findings {
            let mend = finding.mend.as_ref().map(|mend| format!("; mend: {mend}")).unwrap_or_default();
            let line = format!("{}: {}{mend}", finding.about.replace('_', " "), finding.text);
            let line =
                if finding.level == Level::Fail { palette.status(&line, 500) } else { palette.warn(&line) };
            let _ = writeln!(out, "       {line}");
        }
    }
    for line in said {
        let _ = writeln!(out, "{}", palette.warn(line));
    }
    out
}

fn figures_text(received: &Received) -> String {
    let percent = |part: u64, whole: u64| part as f64 * 100.0 / (whole as f64).max(1.0);
    format!(
        "{} segments ({:.0} % from servers), {} transactions, {} TLS connections, {:.2} % of bytes missing, {:.1} % cut",
        received.segments,
        percent(received.from_server, received.segments),
        received.transactions,
        received.tls_connections,
        percent(received.gap_bytes, received.payload_bytes + received.gap_bytes),
        percent(received.truncated, received.segments),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn a_mark_is_found_however_it_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("http.log");
        let (mut from, mut tail) = (0, String::new());
        assert!(!logged(&path, &mut from, &mut tail, "mark"));
        let mut file = std::fs::File::create(&path).unwrap();
        file.write_all(b"one\ntwo ma").unwrap();
        assert!(!logged(&path, &mut from, &mut tail, "mark"));
        file.write_all(b"rk\n").unwrap();
        assert!(logged(&path, &mut from, &mut tail, "mark"));
        assert!(!logged(&path, &mut from, &mut tail, "mark"));
        std::fs::write(&path, "mark\n").unwrap();
        assert!(logged(&path, &mut from, &mut tail, "mark"));
    }
}
