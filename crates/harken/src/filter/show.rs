//! What becomes of events, for people and as JSON.

use anyhow::Result;
use harken_filter::{Count, Decision, Verdict};
use serde_json::{Value, json};
use std::io::Write;

/// Events by what became of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub events: u64,
    pub kept: u64,
    pub dropped: u64,
    /// Of those that were kept.
    pub changed: u64,
    /// Lines that are no events.
    pub damaged: u64,
}

/// A way to show.
pub trait Show {
    /// One event; `line` is what it came as.
    fn event(&mut self, number: u64, line: &[u8], decision: &Decision, out: &mut dyn Write) -> Result<()>;
    /// A line that is no event.
    fn damaged(&mut self, number: u64, error: &str, out: &mut dyn Write) -> Result<()>;
    /// The end.
    fn totals(&mut self, totals: &Totals, counts: &[Count], out: &mut dyn Write) -> Result<()>;
}

const fn verdict(decision: &Decision) -> &'static str {
    match decision.verdict {
        Verdict::Keep => "keep",
        Verdict::Drop => "drop",
    }
}

/// For people: a line for each event, then tables.
pub struct Human;

impl Show for Human {
    fn event(&mut self, number: u64, line: &[u8], decision: &Decision, out: &mut dyn Write) -> Result<()> {
        let event: Value = serde_json::from_slice(line)?;
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or("-");
        let status = event.pointer("/http/response/status_code").and_then(Value::as_u64);
        let status = status.map_or("-".to_owned(), |status| status.to_string());
        let mut why = match &decision.rule {
            Some(rule) => format!("{rule}: {}", decision.why.words()),
            None => decision.why.words().to_owned(),
        };
        let list = |names: &[std::sync::Arc<str>]| names.join(",");
        if !decision.tags.is_empty() {
            why += &format!("; tags {}", list(&decision.tags));
        }
        if !decision.routes.is_empty() {
            why += &format!("; goes to {}", list(&decision.routes));
        }
        if decision.changed.is_some() {
            why += "; changed";
        }
        let (host, path) = (text("/url/domain"), text("/url/path"));
        let (verdict, method) = (verdict(decision), text("/http/request/method"));
        writeln!(out, "{number:>6}  {verdict}  {method} {host}{path} {status}  {why}")?;
        Ok(())
    }

    fn damaged(&mut self, number: u64, error: &str, out: &mut dyn Write) -> Result<()> {
        writeln!(out, "{number:>6}  ????  {error}")?;
        Ok(())
    }

    fn totals(&mut self, totals: &Totals, counts: &[Count], out: &mut dyn Write) -> Result<()> {
        let Totals { events, kept, dropped, changed, damaged } = totals;
        writeln!(out, "\n{events} events: {kept} kept ({changed} of them changed), {dropped} dropped")?;
        if *damaged > 0 {
            writeln!(out, "{damaged} lines are no events")?;
        }
        if !counts.is_empty() {
            writeln!(out, "\n   matched    absent    failed  rule")?;
        }
        for Count { rule, matched, absent, failed } in counts {
            writeln!(out, "{matched:>10}{absent:>10}{failed:>10}  {rule}")?;
        }
        Ok(())
    }
}

/// Lines of JSON.
pub struct Json;

impl Show for Json {
    fn event(&mut self, number: u64, line: &[u8], decision: &Decision, out: &mut dyn Write) -> Result<()> {
        let event: Value = serde_json::from_slice(line)?;
        let rule = decision.rule.as_ref();
        let value = json!({
            "line": number,
            "id": event.pointer("/event/id"),
            "verdict": verdict(decision),
            "rule": rule.map(|rule| &*rule.name),
            "list": rule.map(|rule| rule.kind.name()),
            "position": rule.map(|rule| rule.position),
            "shipped": rule.map(|rule| rule.shipped),
            "why": decision.why.words(),
            "tags": decision.tags.iter().map(|tag| &**tag).collect::<Vec<_>>(),
            "routes": decision.routes.iter().map(|route| &**route).collect::<Vec<_>>(),
            "changed": decision.changed.is_some(),
        });
        writeln!(out, "{value}")?;
        Ok(())
    }

    fn damaged(&mut self, number: u64, error: &str, out: &mut dyn Write) -> Result<()> {
        writeln!(out, "{}", json!({"line": number, "error": error}))?;
        Ok(())
    }

    fn totals(&mut self, totals: &Totals, counts: &[Count], out: &mut dyn Write) -> Result<()> {
        let Totals { events, kept, dropped, changed, damaged } = totals;
        let rules: Vec<Value> = counts
            .iter()
            .map(|Count { rule, matched, absent, failed }| {
                json!({"rule": &*rule.name, "list": rule.kind.name(), "matched": matched, "absent": absent,
                    "failed": failed})
            })
            .collect();
        let totals = json!({"events": events, "kept": kept, "dropped": dropped, "changed": changed, "no_events": damaged});
        writeln!(out, "{}", json!({"totals": totals, "rules": rules}))?;
        Ok(())
    }
}
