//! A mirror that loses and reorders: wraps every frame in VXLAN, drops some, holds some back.

use crate::r#gen::disturb::{Disturbance, Disturber, Mirrored, Suffered};
use crate::r#gen::tunnel::{Outer, Tunnel, wrap};
use anyhow::{Context, Result, bail};
use harken_capture::{PcapWriter, Precision};
use harken_wire::Timestamp;
use std::fs::File;
use std::io::BufWriter;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

/// LINKTYPE_ETHERNET.
const ETHERNET: u32 = 1;
/// The longest frame that fits with its tunnel into an IPv4 packet, in round figures.
const MAX_FRAME: usize = 65_000;
/// The mirrored interface and its collector.
const SESSION: Outer = Outer {
    src: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)),
    dst: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
    vni: 0x0012_3456,
    count: 0,
};

/// Writes the impaired capture; returns how many packets are left and what happened to the others. The
/// same seed gives the same file.
pub(super) fn write(
    capture: &Path,
    to: &Path,
    disturbance: Disturbance,
    seed: u64,
) -> Result<(u64, Suffered)> {
    let mut reader = harken_capture::open(capture).with_context(|| capture.display().to_string())?;
    let out = BufWriter::with_capacity(1 << 20, File::create(to)?);
    let mut writer = PcapWriter::new(out, Precision::Nano, ETHERNET)?;
    let mut disturber = Disturber::new(disturbance, seed);
    let (mut written, mut wrapped) = (0, Vec::new());
    let mut emit = |packet: &Mirrored| {
        wrapped.clear();
        wrap(&mut wrapped, Tunnel::Vxlan, &packet.outer, &packet.frame);
        written += 1;
        writer.write(Timestamp(packet.ts), &wrapped, wrapped.len() as u32)
    };
    while let Some(packet) = reader.next_packet()? {
        if packet.dlt != ETHERNET {
            bail!("{}: link type {}, not Ethernet", capture.display(), packet.dlt);
        }
        if packet.data.len() > MAX_FRAME {
            bail!("{}: a frame of {} bytes fits into no tunnel", capture.display(), packet.data.len());
        }
        let mirrored = Mirrored { ts: packet.ts.0, outer: SESSION, frame: packet.data.to_vec() };
        disturber.pass(mirrored, &mut emit)?;
    }
    disturber.finish(&mut emit)?;
    let suffered = disturber.suffered;
    writer.finish()?;
    Ok((written, suffered))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::r#gen::traffic::{Traffic, generate};
    use std::collections::BTreeSet;

    /// The inner frames of a capture, in order, its tunnel cut off.
    fn frames(path: &Path, tunnel: usize) -> Vec<Vec<u8>> {
        let mut reader = harken_capture::open(path).unwrap();
        let mut all = Vec::new();
        while let Some(packet) = reader.next_packet().unwrap() {
            all.push(packet.data[tunnel..].to_vec());
        }
        all
    }

    #[test]
    fn packets_are_lost_or_late_and_nothing_else() {
        let dir = std::env::temp_dir().join(format!("harken-impair-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let (inner, outer) = (dir.join("inner.pcap"), dir.join("outer.pcap"));
        let traffic = Traffic { transactions: 500, tunnel: Tunnel::None, ..Traffic::default() };
        generate(&traffic, File::create(&inner).unwrap(), Vec::new()).unwrap();
        let all = frames(&inner, 0);
        let distinct: BTreeSet<&Vec<u8>> = all.iter().collect();
        let through = |lose, reorder| {
            let disturbance = Disturbance { lose, reorder, ..Disturbance::default() };
            let (written, suffered) = write(&inner, &outer, disturbance, 7).unwrap();
            // Ethernet, IPv4, UDP and VXLAN: 50 bytes.
            let left = frames(&outer, 50);
            assert_eq!(left.len() as u64, written);
            assert_eq!(written + suffered.lost, all.len() as u64);
            assert!(left.iter().all(|frame| distinct.contains(frame)));
            (left, suffered)
        };
        assert_eq!(through(0.0, 0.0).0, all);
        assert!(through(0.05, 0.0).1.lost > 0);
        let (mut late, suffered) = through(0.0, 0.05);
        assert!(suffered.reordered > 0 && late != all);
        let mut sorted = all.clone();
        sorted.sort();
        late.sort();
        assert_eq!(late, sorted);
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
