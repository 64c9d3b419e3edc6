//! A mirror that loses and reorders: wraps every frame in VXLAN, drops some, holds some back.

use anyhow::{Context, Result, bail};
use harken_capture::{PcapWriter, Precision};
use harken_wire::Timestamp;
use std::collections::VecDeque;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

/// LINKTYPE_ETHERNET.
const ETHERNET: u32 = 1;
/// A packet that is held back lets up to this many pass.
const REORDER_DEPTH: u64 = 8;
/// Ethernet, IPv4, UDP and VXLAN in front of each frame.
const OUTER: usize = 14 + 20 + 8 + 8;
/// The outer port of VXLAN (RFC 7348 section 5).
const VXLAN_PORT: u16 = 4789;
const VNI: u32 = 0x0012_3456;

/// Probabilities by packet.
pub(super) struct Impairment {
    pub(super) drop: f64,
    pub(super) reorder: f64,
}

/// What became of the packets.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) written: u64,
    pub(super) dropped: u64,
    pub(super) reordered: u64,
}

impl Impairment {
    /// Writes the impaired capture. The same seed gives the same file.
    pub(super) fn write(&self, capture: &Path, to: &Path, seed: u64) -> Result<Counts> {
        let mut reader = harken_capture::open(capture).with_context(|| capture.display().to_string())?;
        let out = BufWriter::with_capacity(1 << 20, File::create(to)?);
        let mut writer = PcapWriter::new(out, Precision::Nano, ETHERNET)?;
        let mut mirror = Mirror::new(self, seed);
        let mut emit = |ts, frame: &[u8]| Ok(writer.write(ts, frame, frame.len() as u32)?);
        let mut wrapped = Vec::new();
        while let Some(packet) = reader.next_packet()? {
            if packet.dlt != ETHERNET {
                bail!("{}: link type {}, not Ethernet", capture.display(), packet.dlt);
            }
            wrap(packet.data, &mut wrapped)?;
            mirror.packet(packet.ts, &wrapped, &mut emit)?;
        }
        mirror.end(&mut emit)?;
        let counts = mirror.counts;
        writer.finish()?;
        Ok(counts)
    }
}

/// Drops and holds back packets one by one.
struct Mirror<'a> {
    impairment: &'a Impairment,
    dice: Dice,
    seen: u64,
    /// Packets held back, each until that many packets have been seen.
    held: VecDeque<(u64, Timestamp, Vec<u8>)>,
    counts: Counts,
}

type Emit<'a> = dyn FnMut(Timestamp, &[u8]) -> Result<()> + 'a;

impl<'a> Mirror<'a> {
    fn new(impairment: &'a Impairment, seed: u64) -> Self {
        Self { impairment, dice: Dice(seed), seen: 0, held: VecDeque::new(), counts: Counts::default() }
    }

    fn packet(&mut self, ts: Timestamp, frame: &[u8], emit: &mut Emit<'_>) -> Result<()> {
        self.seen += 1;
        if self.dice.chance(self.impairment.drop) {
            self.counts.dropped += 1;
        } else if self.dice.chance(self.impairment.reorder) {
            self.counts.reordered += 1;
            let until = self.seen + 1 + self.dice.next() % REORDER_DEPTH;
            self.held.push_back((until, ts, frame.to_vec()));
        } else {
            self.emit(ts, frame, emit)?;
        }
        while let Some((_, ts, frame)) = self.held.pop_front_if(|(until, ..)| *until <= self.seen) {
            self.emit(ts, &frame, emit)?;
        }
        Ok(())
    }

    fn end(&mut self, emit: &mut Emit<'_>) -> Result<()> {
        while let Some((_, ts, frame)) = self.held.pop_front() {
            self.emit(ts, &frame, emit)?;
        }
        Ok(())
    }

    fn emit(&mut self, ts: Timestamp, frame: &[u8], emit: &mut Emit<'_>) -> Result<()> {
        self.counts.written += 1;
        emit(ts, frame)
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014): small, and good enough for dice.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn chance(&mut self, probability: f64) -> bool {
        // 53 bits, as many as a double holds. Without a probability no die is cast.
        probability > 0.0 && ((self.next() >> 11) as f64) < probability * (1_u64 << 53) as f64
    }
}

/// Puts the frame into a VXLAN packet from one mirrored interface to its target.
fn wrap(frame: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let Ok(ip_len) = u16::try_from(frame.len() + OUTER - 14) else {
        bail!("a frame of {} bytes does not fit into an IPv4 packet", frame.len());
    };
    out.clear();
    out.extend([0x0a, 0, 0, 0, 0, 1, 0x0a, 0, 0, 0, 0, 2, 0x08, 0x00]);
    out.extend([0x45, 0]);
    out.extend(ip_len.to_be_bytes());
    out.extend([0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1]);
    out.extend(49152_u16.to_be_bytes());
    out.extend(VXLAN_PORT.to_be_bytes());
    out.extend((ip_len - 20).to_be_bytes());
    out.extend([0, 0]);
    out.extend(0x0800_0000_u32.to_be_bytes());
    out.extend((VNI << 8).to_be_bytes());
    out.extend(frame);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(impairment: &Impairment, packets: u32) -> (Vec<u32>, Counts) {
        let mut mirror = Mirror::new(impairment, 7);
        let mut out = Vec::new();
        let mut emit = |_: Timestamp, frame: &[u8]| {
            out.push(u32::from_be_bytes(frame.try_into()?));
            Ok(())
        };
        for number in 0..packets {
            mirror.packet(Timestamp(0), &number.to_be_bytes(), &mut emit).unwrap();
        }
        mirror.end(&mut emit).unwrap();
        (out, mirror.counts)
    }

    #[test]
    fn probabilities_hold() {
        let all: Vec<u32> = (0..10_000).collect();
        let (out, counts) = through(&Impairment { drop: 0.0, reorder: 0.0 }, 10_000);
        assert_eq!((out, counts.written), (all.clone(), 10_000));

        let (out, counts) = through(&Impairment { drop: 0.05, reorder: 0.0 }, 10_000);
        assert!((400..600).contains(&counts.dropped), "{counts:?}");
        assert_eq!((out.len() as u64, counts.written + counts.dropped), (counts.written, 10_000));

        let (mut out, counts) = through(&Impairment { drop: 0.0, reorder: 0.05 }, 10_000);
        assert!((400..600).contains(&counts.reordered), "{counts:?}");
        assert!(out.iter().enumerate().all(|(place, number)| place.abs_diff(*number as usize) <= 16));
        assert_ne!(out, all);
        out.sort_unstable();
        assert_eq!(out, all);
    }

    #[test]
    fn the_decoder_takes_the_tunnel_off() {
        let mut tcp = vec![0; 12];
        tcp.extend([8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 9, 0, 2, 10, 9, 0, 1]);
        tcp.extend([0x9c, 0x40, 0x1f, 0x90, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0, 0]);
        let mut frame = Vec::new();
        wrap(&tcp, &mut frame).unwrap();
        let decoded = harken_wire::Decoder::default().decode(harken_wire::LinkType::Ethernet, &frame);
        let Ok(harken_wire::Decoded::Tcp(segment)) = decoded else { panic!("{decoded:?}") };
        assert_eq!((segment.encap.vni, segment.dport), (Some(VNI), 8080));
        assert!(wrap(&[0; 65_536], &mut frame).is_err());
    }
}
