//! The ledger, for people and for programs.
use crate::style::{Palette, counted, grouped};
use anyhow::Result;
use harken_engine::Ledger;
use std::fmt::Write as _;

/// The lines at the top of the summary: what came in, and what is missing.
pub fn headline(ledger: &Ledger, palette: Palette) -> String {
    let mut out = String::new();
    let mut row = |name: &str, text: String| {
        let _ = writeln!(out, "{} {text}", palette.bold(&format!("{name:<13}")));
    };
    let sections = ledger.sections();
    let find = |name: &str| sections.iter().find(|s| s.name == name);
    let Some(packets) = find("packets") else { return out };
    let ignored: Vec<_> =
        packets.parts.iter().filter(|(name, count)| name.starts_with("ignored.") && *count > 0).collect();
    let total: u64 = ignored.iter().map(|(_, count)| count).sum();
    let cut = ledger.front.wire.truncated_packets;
    let cut = if cut > 0 { format!(", {} of them cut short", grouped(cut)) } else { String::new() };
    row("packets", format!("{} read{cut}", grouped(packets.total)));
    if total > 0 {
        let mut reasons = ignored;
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let named = reasons.iter().take(4).map(|(name, count)| {
            let reason = name.trim_start_matches("ignored.").replace(['.', '_'], " ");
            format!("{reason} {}", grouped(*count))
        });
        row("ignored", format!("{}: {}", counted(total, "packet"), named.collect::<Vec<_>>().join(", ")));
    }
    let gaps: u64 = ledger.flow.gap_bytes.iter().sum();
    if gaps > 0 {
        let count: u64 = ledger.flow.gaps.iter().sum();
        row("gaps", palette.warn(&format!("{}, {} bytes missing", grouped(count), grouped(gaps))));
    }
    out
}

/// The whole ledger.
pub fn text(ledger: &Ledger, palette: Palette) -> String {
    let mut out = String::new();
    for section in ledger.sections() {
        let _ = writeln!(
            out,
            "{}",
            palette.bold(&format!("{:<44} {:>16}", section.name, grouped(section.total)))
        );
        for (name, count) in section.parts.iter().filter(|(_, count)| *count > 0) {
            let _ = writeln!(out, "  {name:<42} {:>16}", grouped(*count));
        }
    }
    let _ = writeln!(out, "{}", palette.bold("beside the sums"));
    for (name, count) in ledger.notes().into_iter().filter(|(_, count)| *count > 0) {
        let _ = writeln!(out, "  {name:<42} {:>16}", grouped(count));
    }
    out
}

/// The whole ledger as one JSON object; parts that are 0 are there, too.
pub fn json(ledger: &Ledger) -> Result<String> {
    let mut root = serde_json::Map::new();
    for section in ledger.sections() {
        let mut entry = serde_json::Map::new();
        entry.insert("total".to_owned(), section.total.into());
        let parts = section.parts.into_iter().map(|(name, count)| (name, count.into())).collect();
        entry.insert("parts".to_owned(), serde_json::Value::Object(parts));
        root.insert(section.name.replace(' ', "_"), entry.into());
    }
    let notes = ledger
        .notes()
        .into_iter()
        .map(|(name, count)| (name.replace([' ', '/', ','], "_"), count.into()))
        .collect();
    root.insert("notes".to_owned(), serde_json::Value::Object(notes));
    Ok(serde_json::to_string_pretty(&root)? + "\n")
}
