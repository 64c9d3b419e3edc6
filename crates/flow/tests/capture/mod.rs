//! Reading captures for tests.
use harken_wire::{LinkType, Timestamp};
use pcap_parser::{Block, PcapBlockOwned, PcapError};
use std::path::{Path, PathBuf};

/// The folder of shared captures beside the checkout, if it is there.
pub(crate) fn shared(part: &str) -> Option<PathBuf> {
    let root = std::env::var_os("HARKEN_SHARED")
        .map(PathBuf::from)
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"));
    let path = root.join(part);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: {} is not there; set HARKEN_SHARED to the folder that has {part}", path.display());
    None
}

/// A captured packet.
pub(crate) struct Frame {
    pub(crate) at: Timestamp,
    pub(crate) link: LinkType,
    pub(crate) bytes: Vec<u8>,
}

/// The packets of a capture file, as far as it can be read.
pub(crate) fn read_capture(path: &Path) -> Vec<Frame> {
    let file = std::fs::File::open(path).unwrap();
    let mut reader = pcap_parser::create_reader(1 << 20, file).unwrap();
    let mut frames = Vec::new();
    // Per interface: link type, offset and resolution of its clock.
    let mut links: Vec<(LinkType, i64, u64)> = Vec::new();
    let link = |number: i32| LinkType::from_dlt(number as u32).unwrap();
    loop {
        let used = match reader.next() {
            Ok((used, block)) => {
                match block {
                    PcapBlockOwned::LegacyHeader(h) => {
                        let resolution = if h.is_nanosecond_precision() { 1_000_000_000 } else { 1_000_000 };
                        links = vec![(link(h.network.0), 0, resolution)];
                    }
                    PcapBlockOwned::Legacy(p) => {
                        let nanos = u64::from(p.ts_usec) * 1_000_000_000 / links[0].2;
                        let at = Timestamp(u64::from(p.ts_sec) * 1_000_000_000 + nanos);
                        frames.push(Frame { at, link: links[0].0, bytes: p.data.to_vec() });
                    }
                    PcapBlockOwned::NG(Block::SectionHeader(_)) => links.clear(),
                    PcapBlockOwned::NG(Block::InterfaceDescription(i)) => {
                        links.push((
                            link(i.linktype.0),
                            i.if_tsoffset,
                            i.ts_resolution().unwrap_or(1_000_000),
                        ));
                    }
                    PcapBlockOwned::NG(Block::EnhancedPacket(p)) => {
                        let (link, offset, resolution) = links[p.if_id as usize];
                        let ticks = u128::from(p.ts_high) << 32 | u128::from(p.ts_low);
                        let nanos = (ticks * 1_000_000_000 / u128::from(resolution)) as u64;
                        let at = Timestamp(nanos.wrapping_add_signed(offset * 1_000_000_000));
                        frames.push(Frame { at, link, bytes: p.data[..p.caplen as usize].to_vec() });
                    }
                    PcapBlockOwned::NG(Block::SimplePacket(p)) => {
                        frames.push(Frame { at: Timestamp(0), link: links[0].0, bytes: p.data.to_vec() });
                    }
                    PcapBlockOwned::NG(_) => {}
                }
                used
            }
            Err(PcapError::Incomplete(_)) => {
                reader.refill().unwrap();
                continue;
            }
            // The end, or damage: what was read is what there is.
            Err(_) => return frames,
        };
        reader.consume(used);
    }
}
