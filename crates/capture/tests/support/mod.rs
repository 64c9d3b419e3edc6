//! Builds capture files byte by byte, and reads them back.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]
use harken_capture::{Damage, Error, Packet, Reader};
use std::io::{Cursor, Write};

/// A packet that owns its bytes: time in nanoseconds, link type, bytes, length on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned {
    pub ts: u64,
    pub dlt: u32,
    pub data: Vec<u8>,
    pub wire_len: u32,
}

impl From<Packet<'_>> for Owned {
    fn from(p: Packet<'_>) -> Self {
        Self { ts: p.ts.0, dlt: p.dlt, data: p.data.to_vec(), wire_len: p.wire_len }
    }
}

pub fn owned(ts: u64, dlt: u32, data: &[u8], wire_len: u32) -> Owned {
    Owned { ts, dlt, data: data.to_vec(), wire_len }
}

pub fn reader(file: &[u8]) -> Result<Reader, Error> {
    Reader::from_source("test", Box::new(Cursor::new(file.to_vec())), Some(file.len() as u64))
}

/// All packets of a file, and its damage.
pub fn read(file: &[u8]) -> (Vec<Owned>, Option<Damage>) {
    let mut reader = reader(file).unwrap();
    let mut packets = Vec::new();
    loop {
        match reader.next_packet() {
            Ok(Some(packet)) => packets.push(packet.into()),
            Ok(None) => return (packets, None),
            Err(damage) => {
                assert!(reader.next_packet().unwrap().is_none(), "damage is reported last, and once");
                return (packets, Some(damage));
            }
        }
    }
}

/// Numbers in the byte order of the file that is being built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Big,
    Little,
}

impl Order {
    pub fn u16(self, n: u16) -> Vec<u8> {
        if self == Self::Big { n.to_be_bytes().to_vec() } else { n.to_le_bytes().to_vec() }
    }

    pub fn u32(self, n: u32) -> Vec<u8> {
        if self == Self::Big { n.to_be_bytes().to_vec() } else { n.to_le_bytes().to_vec() }
    }

    pub fn u32s(self, ns: &[u32]) -> Vec<u8> {
        ns.iter().flat_map(|n| self.u32(*n)).collect()
    }

    pub fn pcap(self, magic: u32, snaplen: u32, network: u32) -> Vec<u8> {
        let version = [self.u16(2), self.u16(4)].concat();
        [self.u32(magic), version, self.u32s(&[0, 0, snaplen, network])].concat()
    }

    pub fn record(self, seconds: u32, fraction: u32, wire_len: u32, data: &[u8]) -> Vec<u8> {
        [self.u32s(&[seconds, fraction, data.len() as u32, wire_len]), data.to_vec()].concat()
    }

    /// A pcapng block, padded and framed.
    pub fn block(self, kind: u32, body: &[u8]) -> Vec<u8> {
        let padding = vec![0; body.len().next_multiple_of(4) - body.len()];
        let length = (12 + body.len() + padding.len()) as u32;
        [self.u32s(&[kind, length]), body.to_vec(), padding, self.u32(length)].concat()
    }

    pub fn section(self) -> Vec<u8> {
        let body = [self.u32(0x1a2b_3c4d), self.u16(1), self.u16(0), vec![0xff; 8]].concat();
        self.block(0x0a0d_0d0a, &body)
    }

    pub fn interface(self, dlt: u16, snaplen: u32, options: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = [self.u16(dlt), self.u16(0), self.u32(snaplen)].concat();
        for (code, value) in options {
            body.extend([self.u16(*code), self.u16(value.len() as u16), value.to_vec()].concat());
            body.resize(body.len().next_multiple_of(4), 0);
        }
        self.block(1, &body)
    }

    pub fn enhanced(self, interface: u32, ticks: u64, wire_len: u32, data: &[u8]) -> Vec<u8> {
        let fields = [interface, (ticks >> 32) as u32, ticks as u32, data.len() as u32, wire_len];
        let mut body = [self.u32s(&fields), data.to_vec()].concat();
        body.resize(body.len().next_multiple_of(4), 0);
        body.extend([self.u16(2), self.u16(4), vec![0; 4], vec![0; 4]].concat());
        self.block(6, &body)
    }

    pub fn obsolete(self, interface: u16, ticks: u64, wire_len: u32, data: &[u8]) -> Vec<u8> {
        let fields = [(ticks >> 32) as u32, ticks as u32, data.len() as u32, wire_len];
        self.block(2, &[self.u16(interface), self.u16(7), self.u32s(&fields), data.to_vec()].concat())
    }

    pub fn simple(self, wire_len: u32, data: &[u8]) -> Vec<u8> {
        self.block(3, &[self.u32(wire_len), data.to_vec()].concat())
    }
}

pub fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

pub fn zstd(data: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(data, ruzstd::encoding::CompressionLevel::Fastest)
}

/// A zstd skippable frame.
pub fn skippable(data: &[u8]) -> Vec<u8> {
    [&0x184d_2a53u32.to_le_bytes()[..], &(data.len() as u32).to_le_bytes(), data].concat()
}
