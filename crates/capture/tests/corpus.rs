//! Real captures: the same packets as `pcap-parser` reads.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: what is unexpected fails the test"
)]
mod support;

use pcap_parser::{Block, PcapBlockOwned, PcapError};
use std::path::{Path, PathBuf};
use support::{Owned, read};

/// The folder of captures beside the checkout.
fn corpus() -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    std::env::var_os("HARKEN_SHARED").map_or(beside, PathBuf::from).join("corpus")
}

/// Packets as the other reader sees them, time aside for what it does not convert.
fn oracle(file: &[u8]) -> Vec<Owned> {
    let mut reader = pcap_parser::create_reader(1 << 22, file).unwrap();
    let (mut packets, mut interfaces, mut dlt, mut unit) = (Vec::new(), Vec::new(), 0, 1000);
    loop {
        match reader.next() {
            Ok((n, block)) => {
                match block {
                    PcapBlockOwned::LegacyHeader(h) => {
                        dlt = h.network.0 as u32;
                        unit = if h.is_nanosecond_precision() { 1 } else { 1000 };
                    }
                    PcapBlockOwned::Legacy(p) => packets.push(Owned {
                        ts: u64::from(p.ts_sec) * 1_000_000_000 + u64::from(p.ts_usec) * unit,
                        dlt,
                        data: p.data.to_vec(),
                        wire_len: p.origlen,
                    }),
                    PcapBlockOwned::NG(Block::SectionHeader(_)) => interfaces.clear(),
                    PcapBlockOwned::NG(Block::InterfaceDescription(i)) => {
                        interfaces.push((i.linktype.0 as u32, i.if_tsresol, i.if_tsoffset));
                    }
                    PcapBlockOwned::NG(Block::EnhancedPacket(p)) => {
                        let (dlt, resolution, offset) = interfaces[p.if_id as usize];
                        assert!(offset == 0 && matches!(resolution, 6 | 9), "the oracle is told more");
                        let ticks = u64::from(p.ts_high) << 32 | u64::from(p.ts_low);
                        packets.push(Owned {
                            ts: if resolution == 6 { ticks * 1000 } else { ticks },
                            dlt,
                            data: p.data[..p.caplen as usize].to_vec(),
                            wire_len: p.origlen,
                        });
                    }
                    PcapBlockOwned::NG(_) => {}
                }
                reader.consume(n);
            }
            Err(PcapError::Eof | PcapError::UnexpectedEof) => return packets,
            Err(PcapError::Incomplete(_)) => {
                if reader.refill().is_err() || reader.reader_exhausted() && reader.data().is_empty() {
                    return packets;
                }
            }
            Err(e) => panic!("the oracle stops: {e:?}"),
        }
    }
}

#[test]
fn every_capture_of_the_corpus() {
    let corpus = corpus();
    let Ok(cases) = std::fs::read_dir(&corpus) else {
        eprintln!("SKIPPED: no corpus at {}", corpus.display());
        return;
    };
    let (mut files, mut packets) = (0, 0);
    for case in cases.flatten() {
        for name in ["capture.pcap", "capture.pcapng"] {
            let Ok(file) = std::fs::read(case.path().join(name)) else { continue };
            let (seen, damage) = read(&file);
            if let Some(damage) = damage {
                eprintln!("{}: {damage}", case.path().display());
            }
            let expected = oracle(&file);
            assert_eq!(seen.len(), expected.len(), "{}", case.path().display());
            for (at, (seen, expected)) in seen.iter().zip(&expected).enumerate() {
                assert_eq!(seen, expected, "{}: packet {at}", case.path().display());
            }
            files += 1;
            packets += seen.len();
        }
    }
    println!("{files} captures, {packets} packets");
    assert!(files > 0, "a corpus without captures");
}
