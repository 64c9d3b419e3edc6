//! `harken top`: the live figures of a running sensor.
use super::control::ask;
use crate::cli::Top;
use crate::style::{Palette, counted, grouped, human_bytes};
use anyhow::Result;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

/// Totals that make sense as rates.
const RATES: [&str; 10] = [
    "packets",
    "bytes",
    "kernel_dropped",
    "tcp_segments",
    "flows_opened",
    "transactions",
    "gap_bytes",
    "packets_shed",
    "segments_shed",
    "bodies_shed",
];

/// Runs the command.
pub fn run(args: &Top) -> Result<ExitCode> {
    let path = &args.control.control;
    let terminal = std::io::stdout().is_terminal();
    let palette = Palette::auto(terminal);
    // The first question lets the workers know that someone watches: endpoints come with the second.
    ask(path, "stats")?;
    std::thread::sleep(Duration::from_millis(500));
    let mut before = ask(path, "stats")?;
    let every = if args.once { Duration::from_secs(1) } else { args.every.max(Duration::from_millis(100)) };
    loop {
        std::thread::sleep(every);
        let mut now = ask(path, "stats")?;
        let rates = rates(&before, &now);
        let networks = changes(&before, &now, "vnis", "vni", &["segments", "payload_bytes", "gap_bytes"]);
        let endpoints = changes(&before, &now, "endpoints", "endpoint", &["transactions"]);
        let deliveries =
            changes(&before, &now, "deliveries", "delivery", &["written", "read", "dead_lettered"]);
        let text = if args.json {
            if let Some(root) = now.as_object_mut() {
                root.insert("rates".to_owned(), rates.into());
                root.insert("vni_rates".to_owned(), networks.into());
                root.insert("endpoint_rates".to_owned(), endpoints.into());
                root.insert("delivery_rates".to_owned(), deliveries.into());
            }
            format!("{now}\n")
        } else {
            page(&now, &rates, &networks, &endpoints, palette) + &delivery(&now, &deliveries, palette)
        };
        // Home, the text, and nothing of the page before below it.
        let text = match !args.once && !args.json && terminal {
            true => format!("\x1b[H{}\x1b[J", text.replace('\n', "\x1b[K\n")),
            false => text,
        };
        match std::io::stdout().write_all(text.as_bytes()).and_then(|()| std::io::stdout().flush()) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
            result => result?,
        }
        if args.once {
            return Ok(ExitCode::SUCCESS);
        }
        before = now;
    }
}

/// A figure of an object; 0 where there is none.
fn figure(of: &Value, name: &str) -> u64 {
    of.get(name).and_then(Value::as_u64).unwrap_or(0)
}

fn seconds(before: &Value, now: &Value) -> f64 {
    let at = |v: &Value| v.get("time").and_then(Value::as_f64).unwrap_or(0.0);
    (at(now) - at(before)).max(0.001)
}

/// Changes a second of the totals.
fn rates(before: &Value, now: &Value) -> Map<String, Value> {
    let seconds = seconds(before, now);
    let totals = |v: &Value| v.get("totals").cloned().unwrap_or_default();
    let (before, now) = (totals(before), totals(now));
    let rate = |name: &&str| {
        let change = figure(&now, name).saturating_sub(figure(&before, name));
        ((*name).to_owned(), json!(change as f64 / seconds))
    };
    RATES.iter().map(rate).collect()
}

/// The rows of a list with the change of their figures, a second; the busiest first.
fn changes(before: &Value, now: &Value, list: &str, key: &str, figures: &[&str]) -> Vec<Value> {
    let seconds = seconds(before, now);
    let rows = |v: &Value| v.get(list).and_then(Value::as_array).cloned().unwrap_or_default();
    let old = rows(before);
    let mut changed: Vec<(u64, Value)> = rows(now)
        .into_iter()
        .map(|row| {
            let id = row.get(key).cloned().unwrap_or_default();
            let was = old.iter().find(|row| row.get(key) == Some(&id));
            let change =
                |name: &str| figure(&row, name).saturating_sub(was.map_or(0, |was| figure(was, name)));
            let busy = figures.first().map_or(0, |name| change(name));
            let mut changed = Map::new();
            for name in figures {
                changed.insert((*name).to_owned(), json!(change(name) as f64 / seconds));
            }
            changed.insert(key.to_owned(), id);
            if let Some(label) = row.get("name").filter(|label| !label.is_null()) {
                changed.insert("name".to_owned(), label.clone());
            }
            (busy, changed.into())
        })
        .filter(|(busy, _)| *busy > 0)
        .collect();
    changed.sort_by_key(|(busy, _)| std::cmp::Reverse(*busy));
    changed.into_iter().map(|(_, row)| row).collect()
}

/// Rows of each list on the page.
const ROWS: usize = 10;
/// Ports and names of what is encrypted.
const NAMES: usize = 5;

/// How much is encrypted, and where: of connections that are over.
fn encrypted(seen: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    let (tls, bytes) = (figure(seen, "tls_connections"), figure(seen, "tls_bytes"));
    if tls > 0 {
        let share = 100.0 * bytes as f64 / figure(seen, "all_bytes").max(1) as f64;
        lines.push(format!("{share:.0} % of the bytes are TLS: {}", human_bytes(bytes)));
        for (by, list) in [("port", "tls_ports"), ("name", "tls_names")] {
            let named: Vec<_> = seen
                .get(list)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .take(NAMES)
                .map(|one| {
                    let name = one.get("name").and_then(Value::as_str).unwrap_or_default();
                    format!("{name} {}", human_bytes(figure(one, "bytes")))
                })
                .collect();
            if !named.is_empty() {
                lines.push(format!("by {by}: {}", named.join(", ")));
            }
        }
    }
    let quic = figure(seen, "quic_connections");
    if quic > 0 {
        lines.push(format!("{} with QUIC", counted(quic, "connection")));
    }
    lines
}

fn page(now: &Value, rates: &Map<String, Value>, vnis: &[Value], endpoints: &[Value], p: Palette) -> String {
    let mut out = String::new();
    let rate = |name: &str| rates.get(name).and_then(Value::as_f64).unwrap_or(0.0);
    let totals = now.get("totals").cloned().unwrap_or_default();
    let whole = |value: f64| grouped(value as u64);
    let mut row = |name: &str, text: String| {
        let _ = writeln!(out, "{} {text}", p.bold(&format!("{name:<14}")));
    };
    row("packets", format!("{}/s, {}/s", whole(rate("packets")), human_bytes(rate("bytes") as u64)));
    row(
        "transactions",
        format!("{}/s, {} in all", whole(rate("transactions")), grouped(figure(&totals, "transactions"))),
    );
    row(
        "connections",
        format!(
            "{} open, {}/s new, {} with TLS",
            grouped(figure(&totals, "flows")),
            whole(rate("flows_opened")),
            grouped(figure(&totals, "tls_connections"))
        ),
    );
    for line in encrypted(&now.get("encrypted").cloned().unwrap_or_default()) {
        row("not readable", line);
    }
    let (gaps, seen) = (figure(&totals, "gap_bytes"), figure(&totals, "delivered_bytes"));
    let share = 100.0 * gaps as f64 / (gaps + seen).max(1) as f64;
    row("missing", format!("{}/s, {share:.3} % of all bytes", human_bytes(rate("gap_bytes") as u64)));
    let lost = figure(&totals, "kernel_dropped");
    let text = format!("{}/s by the kernel, {} in all", whole(rate("kernel_dropped")), grouped(lost));
    row("dropped", if lost > 0 { p.warn(&text) } else { text });
    let undone = totals.get("undone").and_then(Value::as_str).unwrap_or_default();
    row("left undone", if undone == "nothing" { undone.to_owned() } else { p.warn(undone) });
    let (packets, segments) = (figure(&totals, "packets_shed"), figure(&totals, "segments_shed"));
    if packets + segments > 0 {
        let passed = whole(rate("packets_shed") + rate("segments_shed"));
        row("passed over", format!("{passed} packets/s, {} in all", grouped(packets + segments)));
    }
    let udp = now.get("system_udp").cloned().unwrap_or_default();
    let (unheard, full, bad) =
        (figure(&udp, "no_port"), figure(&udp, "buffer_full"), figure(&udp, "bad_checksum"));
    if unheard + full + bad > 0 {
        let parts = [
            (unheard, "to ports without a listener"),
            (full, "found a full buffer"),
            (bad, "with a bad checksum"),
        ];
        let said: Vec<_> =
            parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", grouped(*n))).collect();
        row("system's UDP", format!("{}, since it was started", said.join(", ")));
    }
    for (number, worker) in now.get("workers").and_then(Value::as_array).into_iter().flatten().enumerate() {
        row(
            &format!("worker {number}"),
            format!(
                "{} packets, {} dropped, buffer {} % full",
                grouped(figure(worker, "packets")),
                grouped(figure(worker, "kernel_dropped")),
                figure(worker, "backlog_percent")
            ),
        );
    }
    for vni in vnis.iter().take(ROWS) {
        let name = vni
            .get("vni")
            .and_then(Value::as_u64)
            .map_or_else(|| "no VNI".to_owned(), |v| format!("VNI {v}"));
        let label = vni.get("name").and_then(Value::as_str);
        let label = label.map(|label| format!("{label}: ")).unwrap_or_default();
        let of = |name: &str| vni.get(name).and_then(Value::as_f64).unwrap_or(0.0);
        row(
            &name,
            format!(
                "{label}{} segments/s, {}/s",
                whole(of("segments")),
                human_bytes(of("payload_bytes") as u64)
            ),
        );
    }
    for endpoint in endpoints.iter().take(ROWS) {
        let name = endpoint.get("endpoint").and_then(Value::as_str).unwrap_or_default();
        let count = endpoint.get("transactions").and_then(Value::as_f64).unwrap_or(0.0);
        let _ = writeln!(out, "{count:>12.1}/s  {name}");
    }
    out
}

/// What becomes of the events: a row for each pair of a pipeline and a datasink.
fn delivery(now: &Value, changes: &[Value], p: Palette) -> String {
    let mut out = String::new();
    // Writing into a text cannot fail.
    if now.pointer("/connector/runs") == Some(&json!(false)) {
        let _ = writeln!(out, "{}", p.warn("the connector has panicked and is started again in a while"));
    }
    for row in now.get("deliveries").and_then(Value::as_array).into_iter().flatten() {
        let name = row.get("delivery").and_then(Value::as_str).unwrap_or_default();
        let change = changes.iter().find(|change| change.get("delivery") == row.get("delivery"));
        let rate = change.and_then(|change| change.get("written")?.as_f64()).unwrap_or(0.0);
        let mut text = format!(
            "{}/s written, {} in all, {} waiting",
            grouped(rate as u64),
            grouped(figure(row, "written")),
            grouped(figure(row, "waiting"))
        );
        let dead = figure(row, "dead_lettered");
        if dead > 0 {
            text += &p.warn(&format!(", {} dead-lettered", grouped(dead)));
        }
        if let Some(failure) = row.get("failure").and_then(Value::as_str) {
            text += &p.warn(&format!("; fails: {failure}"));
        }
        let _ = writeln!(out, "{} {text}", p.bold(&format!("{name:<14}")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_rows() {
        let at = |time: f64, n: u64| {
            json!({"time": time, "totals": {"packets": n, "transactions": n / 2},
                "vnis": [{"vni": 7, "segments": n}, {"vni": null, "segments": 3}]})
        };
        let (before, now) = (at(10.0, 100), at(12.0, 300));
        assert_eq!(rates(&before, &now).get("packets"), Some(&json!(100.0)));
        let rows = changes(&before, &now, "vnis", "vni", &["segments"]);
        assert_eq!(rows, [json!({"segments": 100.0, "vni": 7})], "what did not change is left out");
        let books = |n: u64, failure: Value| {
            json!({"time": n as f64, "connector": {"runs": n < 3}, "deliveries": [
                {"delivery": "p to out", "written": n * 10, "waiting": 3, "dead_lettered": n - 2, "failure": failure},
            ]})
        };
        let (old, new) = (books(2, Value::Null), books(3, json!("refused")));
        let rows_of = changes(&old, &new, "deliveries", "delivery", &["written"]);
        let text = delivery(&new, &rows_of, Palette::new(false));
        let row = "p to out       10/s written, 30 in all, 3 waiting, 1 dead-lettered; fails: refused\n";
        assert_eq!(text, format!("the connector has panicked and is started again in a while\n{row}"));
        assert!(!delivery(&old, &[], Palette::new(false)).contains("dead-lettered"));
        let text = page(&now, &rates(&before, &now), &rows, &[], Palette::new(false));
        assert!(text.contains("VNI 7") && text.contains("100/s"), "{text}");
    }
}
