//! Reading captures for tests.
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

/// The packets of a capture file, each with its link type's number.
pub(crate) fn read_capture(path: &Path) -> Vec<(u32, Vec<u8>)> {
    let file = std::fs::File::open(path).unwrap();
    let mut reader = pcap_parser::create_reader(1 << 20, file).unwrap();
    let mut packets = Vec::new();
    let mut links = Vec::new();
    loop {
        let used = match reader.next() {
            Ok((used, block)) => {
                match block {
                    PcapBlockOwned::LegacyHeader(header) => links = vec![header.network.0 as u32],
                    PcapBlockOwned::Legacy(packet) => packets.push((links[0], packet.data.to_vec())),
                    PcapBlockOwned::NG(Block::SectionHeader(_)) => links.clear(),
                    PcapBlockOwned::NG(Block::InterfaceDescription(link)) => {
                        links.push(link.linktype.0 as u32);
                    }
                    PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                        let data = &packet.data[..packet.caplen as usize];
                        packets.push((links[packet.if_id as usize], data.to_vec()));
                    }
                    PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
                        packets.push((links[0], packet.data.to_vec()));
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
            Err(_) => return packets,
        };
        reader.consume(used);
    }
}
