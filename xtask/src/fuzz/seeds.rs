//! The seeds: taken from the golden captures when they are needed, so that none are kept twice.

use crate::sh;
use anyhow::Result;
use harken_wire::{Decoded, Decoder, LinkType};
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

/// What a target's inputs look like.
pub(super) enum Kind {
    /// Whole files.
    Captures,
    /// Single frames.
    Packets,
    /// Payloads of single TCP segments.
    Payloads,
}

/// Writes the seeds of a kind into the folder; returns how many there are.
pub(super) fn write(kind: &Kind, max_len: u32, folder: &Path) -> Result<u64> {
    std::fs::create_dir_all(folder)?;
    let mut seen = HashSet::new();
    for capture in captures(&sh::root().join("captures"))? {
        each(kind, &capture, &mut |seed| {
            let mut hasher = DefaultHasher::new();
            seed.hash(&mut hasher);
            let hash = hasher.finish();
            if !seed.is_empty() && seed.len() <= max_len as usize && seen.insert(hash) {
                std::fs::write(folder.join(format!("seed-{hash:016x}")), seed)?;
            }
            Ok(())
        })?;
    }
    Ok(seen.len() as u64)
}

/// The captures of the golden cases, one a folder.
fn captures(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    if !folder.is_dir() {
        return Ok(all);
    }
    for case in std::fs::read_dir(folder)? {
        all.extend(Some(case?.path().join("input.pcap")).filter(|capture| capture.is_file()));
    }
    all.sort();
    Ok(all)
}

fn each(kind: &Kind, capture: &Path, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    if matches!(kind, Kind::Captures) {
        return take(&std::fs::read(capture)?);
    }
    let mut decoder = Decoder::default();
    let mut reader = harken_capture::open(capture)?;
    while let Some(packet) = reader.next_packet()? {
        if matches!(kind, Kind::Packets) {
            take(packet.data)?;
        } else if let Some(link) = LinkType::from_dlt(packet.dlt)
            && let Ok(Decoded::Tcp(segment)) = decoder.decode(link, packet.data)
        {
            take(segment.payload)?;
        }
    }
    Ok(())
}
