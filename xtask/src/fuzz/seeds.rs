//! The seeds: taken from the golden captures when they are needed, so that none are kept twice.

use crate::sh;
use anyhow::Result;
use harken_wire::{Decoded, Decoder, LinkType};
use serde_json::Value;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

/// What a target's inputs look like.
pub(super) enum Kind {
    /// Whole files.
    Captures,
    /// Single packets.
    Packets,
    /// The number of a link type and a frame, as the target `frame` takes them.
    Frames,
    /// The number of a tunnel and what its outer headers carry, as the target `decap` takes them.
    Tunnels,
    /// Payloads of single TCP segments.
    Payloads,
    /// A simple and an advanced filter file and an event, as the target `filter` takes them.
    Filters,
}

/// The table of the filter's decisions, of which its seeds are made.
const FILTERS: &str = "crates/filter/tests/cases.json";

/// Link types of the golden captures (`LINKTYPE_`) and their numbers in the target `frame`.
const LINKS: &[(u32, u8)] = &[(1, 0), (113, 1), (276, 2), (101, 3)];

/// IP protocol and UDP port, 0 for none, of the tunnels, and their numbers in the target `decap`.
const TUNNELS: &[(u8, u16, u8)] =
    &[(17, 4789, 0), (17, 4790, 1), (17, 6081, 2), (47, 0, 4), (4, 0, 5), (41, 0, 6)];

/// Writes the seeds of a kind into the folder, cut at `max_len`; returns how many there are.
pub(super) fn write(kind: &Kind, max_len: u32, folder: &Path) -> Result<u64> {
    std::fs::create_dir_all(folder)?;
    let mut seen = HashSet::new();
    let mut take = |seed: &[u8]| {
        let seed = seed.get(..max_len as usize).unwrap_or(seed);
        let mut hasher = DefaultHasher::new();
        seed.hash(&mut hasher);
        let hash = hasher.finish();
        if !seed.is_empty() && seen.insert(hash) {
            std::fs::write(folder.join(format!("seed-{hash:016x}")), seed)?;
        }
        Ok(())
    };
    if matches!(kind, Kind::Filters) {
        filters(&sh::root().join(FILTERS), &mut take)?;
    } else {
        for capture in captures(&sh::root().join("captures"))? {
            each(kind, &capture, &mut take)?;
        }
    }
    Ok(seen.len() as u64)
}

/// The rules of each group of the table, with its event.
fn filters(table: &Path, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let table: Value = serde_json::from_slice(&std::fs::read(table)?)?;
    let event = table.get("base").map(Value::to_string).unwrap_or_default();
    for group in table.get("groups").and_then(Value::as_array).into_iter().flatten() {
        let text = |key: &str| group.get(key).map_or("{}".to_owned(), Value::to_string);
        take(format!("{}\0{}\0{event}", text("simple"), text("advanced")).as_bytes())?;
    }
    Ok(())
}

/// The captures of the golden cases, one a folder.
fn captures(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for folder in [folder.to_path_buf(), folder.join("recorded")].iter().filter(|folder| folder.is_dir()) {
        for case in std::fs::read_dir(folder)? {
            all.extend(Some(case?.path().join("input.pcap")).filter(|capture| capture.is_file()));
        }
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
        match kind {
            Kind::Captures | Kind::Filters => {}
            Kind::Packets => take(packet.data)?,
            Kind::Frames => {
                let number =
                    LINKS.iter().find(|(dlt, _)| *dlt == packet.dlt).map_or(0, |(_, number)| *number);
                take(&[&[number], packet.data].concat())?;
            }
            Kind::Tunnels => {
                if let Some((number, inside)) = tunnel(packet.data) {
                    take(&[&[number], inside].concat())?;
                }
            }
            Kind::Payloads => {
                if let Some(link) = LinkType::from_dlt(packet.dlt)
                    && let Ok(Decoded::Tcp(segment)) = decoder.decode(link, packet.data)
                {
                    take(segment.payload)?;
                }
            }
        }
    }
    Ok(())
}

/// The number of the tunnel in an Ethernet frame with an IPv4 header of 20 bytes, and what it carries.
fn tunnel(frame: &[u8]) -> Option<(u8, &[u8])> {
    let ip = frame.strip_prefix(frame.get(..12)?)?.strip_prefix(&[0x08, 0x00, 0x45])?;
    let (protocol, payload) = (*ip.get(8)?, ip.get(19..)?);
    let (port, inside) = match protocol {
        17 => (u16::from_be_bytes([*payload.get(2)?, *payload.get(3)?]), payload.get(8..)?),
        _ => (0, payload),
    };
    let known = TUNNELS.iter().find(|(known, at, _)| (*known, *at) == (protocol, port))?;
    Some((known.2, inside))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outer_headers_are_cut_off() {
        let frame = |protocol: u8, rest: &[u8]| {
            let mut frame = vec![0; 12];
            frame.extend([8, 0, 0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
            frame.extend(rest);
            frame
        };
        let vxlan = [0xc0, 0, 0x12, 0xb5, 0, 10, 0, 0, 8, 1];
        for (frame, expected) in [
            (frame(17, &vxlan), Some((0, &[8, 1][..]))),
            (frame(47, &[1, 2]), Some((4, &[1, 2]))),
            (frame(6, &[1, 2]), None),
            (frame(17, &vxlan[..7]), None),
            (vec![0; 30], None),
        ] {
            assert_eq!(tunnel(&frame), expected);
        }
    }

    #[test]
    fn the_table_of_decisions_gives_seeds() {
        let mut found = 0;
        filters(&sh::root().join(FILTERS), &mut |seed| {
            assert_eq!(seed.iter().filter(|byte| **byte == 0).count(), 2);
            found += 1;
            Ok(())
        })
        .unwrap();
        assert!(found > 50);
    }

    #[test]
    fn every_kind_finds_seeds_in_the_golden_captures() {
        let folder = sh::root().join("captures");
        for kind in [Kind::Captures, Kind::Packets, Kind::Frames, Kind::Tunnels, Kind::Payloads] {
            let mut found = 0;
            for capture in captures(&folder).unwrap() {
                each(&kind, &capture, &mut |seed| {
                    found += usize::from(!seed.is_empty());
                    Ok(())
                })
                .unwrap();
            }
            assert!(found > 0);
        }
    }
}
