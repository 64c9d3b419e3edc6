//! The pcapng format (draft-ietf-opsawg-pcapng): sections of blocks, each with its length before and behind
//! it, packets of several interfaces with their own link type and clock.
//!
//! Read: section header (both byte orders, any number of sections), interface description with
//! `if_tsresol` and `if_tsoffset`, enhanced, simple and obsolete packet blocks. Other blocks (names,
//! statistics, secrets, custom) are passed over, whatever their length.
use crate::{
    MAX_RECORD, Reason,
    pcap::packet_limit,
    reader::{Fault, Located},
    window::Window,
};
use harken_wire::Timestamp;

/// The section header's block type, which reads the same in both byte orders: the file's first bytes.
const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
/// The byte-order magic as a big-endian section writes it, and a little-endian one.
const BYTE_ORDER: [u8; 4] = [0x1a, 0x2b, 0x3c, 0x4d];
const BYTE_ORDER_SWAPPED: [u8; 4] = [0x4d, 0x3c, 0x2b, 0x1a];
const INTERFACE: u32 = 1;
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;
/// Type and length before the body.
const HEAD: usize = 8;
/// Head and the repeated length behind the body.
const FRAME: usize = 12;
/// Head, byte-order magic, versions, section length, repeated length.
const MIN_SECTION: u32 = 28;
/// Interfaces that are kept for one section; beyond them the section is damaged.
const MAX_INTERFACES: usize = 4096;

const OPTION_END: u16 = 0;
const OPTION_TSRESOL: u16 = 9;
const OPTION_TSOFFSET: u16 = 14;

/// What is known of the section that is being read.
#[derive(Default)]
pub(crate) struct Section {
    big_endian: bool,
    interfaces: Vec<Interface>,
    /// Simple packets carry no time: they get that of the packet before them.
    last: Timestamp,
}

/// A capture interface, as its description block says.
struct Interface {
    dlt: u32,
    snaplen: u32,
    /// Captured lengths above this are damage.
    limit: u32,
    clock: Clock,
}

/// How an interface's tick count becomes nanoseconds.
struct Clock {
    unit: Unit,
    /// Seconds to add.
    offset: i64,
}

#[derive(Clone, Copy)]
enum Unit {
    /// Nanoseconds in a tick.
    Nanos(u64),
    /// Ticks in a nanosecond.
    PerNano(u64),
    /// The tick is this negative power of two of a second.
    Binary(u8),
}

impl Unit {
    /// From an `if_tsresol` value: the tick is a negative power of 10, or of 2 with the top bit set.
    fn new(resolution: u8) -> Self {
        let exponent = resolution & 0x7f;
        if resolution & 0x80 != 0 {
            Self::Binary(exponent)
        } else if exponent <= 9 {
            Self::Nanos(10u64.pow(9 - u32::from(exponent)))
        } else {
            // Beyond 10^-28 s every count of 64 bits is less than a nanosecond.
            10u64.checked_pow(u32::from(exponent) - 9).map_or(Self::Nanos(0), Self::PerNano)
        }
    }
}

impl Clock {
    #[inline]
    fn time(&self, ticks: u64) -> Timestamp {
        let nanos = match self.unit {
            Unit::Nanos(n) => ticks.saturating_mul(n),
            Unit::PerNano(n) => ticks / n,
            Unit::Binary(shift) => {
                u64::try_from((u128::from(ticks) * 1_000_000_000) >> shift).unwrap_or(u64::MAX)
            }
        };
        Timestamp(if self.offset == 0 {
            nanos
        } else {
            nanos.saturating_add_signed(self.offset.saturating_mul(1_000_000_000))
        })
    }
}

impl Section {
    /// Whether a file that starts so is of this format.
    pub(crate) fn starts(file: &[u8]) -> bool {
        let magic = file.get(8..12);
        file.starts_with(&SECTION_HEADER)
            && (magic == Some(&BYTE_ORDER) || magic == Some(&BYTE_ORDER_SWAPPED))
    }

    /// The next packet, which then lies in the window.
    #[inline]
    pub(crate) fn locate(&mut self, window: &mut Window) -> Result<Option<Located>, Fault> {
        loop {
            let Some(&[t0, t1, t2, t3, l0, l1, l2, l3]) = window.rest().first_chunk::<HEAD>() else {
                if window.fill(HEAD) {
                    continue;
                }
                if window.at_end() {
                    return Ok(None);
                }
                let reason = window.shortage(FRAME as u64);
                return Err(Fault::fatal(window, reason));
            };
            let (kind, length) = ([t0, t1, t2, t3], [l0, l1, l2, l3]);
            if kind == SECTION_HEADER {
                self.start(window)?;
                continue;
            }
            let (kind, length) = (self.u32(kind), self.u32(length));
            if !matches!(kind, INTERFACE | PACKET | SIMPLE_PACKET | ENHANCED_PACKET) {
                self.pass(window, kind, length)?;
                continue;
            }
            if length < FRAME as u32 || !length.is_multiple_of(4) || length as usize > MAX_RECORD {
                return Err(Fault::fatal(window, Reason::BlockLength { block: kind, length }));
            }
            let needed = length as usize;
            if window.rest().len() < needed && !window.fill(needed) {
                let reason = window.shortage(u64::from(length));
                return Err(Fault::fatal(window, reason));
            }
            let (at, offset) = (window.cursor(), window.offset());
            window.consume(needed);
            let block = window.slice(at, needed);
            // The framing holds, so that what is wrong inside costs this block only.
            let fault = |reason| Fault { reason, offset, fatal: false };
            match block.last_chunk::<4>().map(|tail| self.u32(*tail)) {
                Some(tail) if tail != length => {
                    return Err(fault(Reason::BlockTrailer { head: length, tail }));
                }
                _ => {}
            }
            let body = block.get(HEAD..needed - 4).unwrap_or_default();
            if kind == INTERFACE {
                self.describe(body, length).map_err(fault)?;
                continue;
            }
            let (mut found, inside) = self.packet(kind, length, body).map_err(fault)?;
            found.at = at + HEAD + inside;
            self.last = found.ts;
            return Ok(Some(found));
        }
    }

    /// Decodes a packet block's body; beside the packet comes the offset of its data in the body.
    #[inline]
    fn packet(&self, kind: u32, length: u32, body: &[u8]) -> Result<(Located, usize), Reason> {
        let short = Reason::BlockLength { block: kind, length };
        if kind == SIMPLE_PACKET {
            let (wire_len, data) = body.split_first_chunk::<4>().ok_or(short)?;
            let wire_len = self.u32(*wire_len);
            let interface = self.interface(0)?;
            let snaplen = if interface.snaplen == 0 { u32::MAX } else { interface.snaplen };
            let captured = wire_len.min(snaplen);
            let len = check(captured, interface.limit, data)?;
            return Ok((Located { ts: self.last, dlt: interface.dlt, at: 0, len, wire_len }, 4));
        }
        let (head, data) = body.split_first_chunk::<20>().ok_or(short)?;
        let &[i0, i1, i2, i3, h0, h1, h2, h3, l0, l1, l2, l3, c0, c1, c2, c3, w0, w1, w2, w3] = head;
        // The obsolete block has a 16 bit interface and a drop count where the enhanced one has 32 bits.
        let id = if kind == PACKET { u32::from(self.u16([i0, i1])) } else { self.u32([i0, i1, i2, i3]) };
        let interface = self.interface(id)?;
        let ticks = u64::from(self.u32([h0, h1, h2, h3])) << 32 | u64::from(self.u32([l0, l1, l2, l3]));
        let len = check(self.u32([c0, c1, c2, c3]), interface.limit, data)?;
        let (ts, dlt, wire_len) = (interface.clock.time(ticks), interface.dlt, self.u32([w0, w1, w2, w3]));
        Ok((Located { ts, dlt, at: 0, len, wire_len }, 20))
    }

    #[inline]
    fn interface(&self, id: u32) -> Result<&Interface, Reason> {
        let known = self.interfaces.len() as u32;
        self.interfaces.get(id as usize).ok_or(Reason::Interface { id, known })
    }

    /// Reads a section header block, which resets what was known.
    #[cold]
    fn start(&mut self, window: &mut Window) -> Result<(), Fault> {
        if !window.fill(MIN_SECTION as usize) {
            let reason = window.shortage(u64::from(MIN_SECTION));
            return Err(Fault::fatal(window, reason));
        }
        let rest = window.rest();
        let field =
            |at: usize| rest.get(at..).and_then(|b| b.first_chunk::<4>()).copied().unwrap_or_default();
        let magic = field(8);
        self.big_endian = match magic {
            BYTE_ORDER => true,
            BYTE_ORDER_SWAPPED => false,
            _ => return Err(Fault::fatal(window, Reason::ByteOrder { magic })),
        };
        self.interfaces.clear();
        let length = self.u32(field(4));
        let [a, b, c, d] = field(12);
        let (major, minor) = (self.u16([a, b]), self.u16([c, d]));
        if major != 1 {
            return Err(Fault::fatal(window, Reason::Version { major, minor }));
        }
        if length < MIN_SECTION {
            let block = u32::from_be_bytes(SECTION_HEADER);
            return Err(Fault::fatal(window, Reason::BlockLength { block, length }));
        }
        self.pass(window, u32::from_be_bytes(SECTION_HEADER), length)
    }

    /// Passes over a block without keeping it.
    #[cold]
    fn pass(&self, window: &mut Window, block: u32, length: u32) -> Result<(), Fault> {
        let offset = window.offset();
        if length < FRAME as u32 || !length.is_multiple_of(4) {
            return Err(Fault::fatal(window, Reason::BlockLength { block, length }));
        }
        let fault = |reason, fatal| Fault { reason, offset, fatal };
        if !window.skip(u64::from(length) - 4) || (window.rest().len() < 4 && !window.fill(4)) {
            return Err(fault(window.shortage(u64::from(length)), true));
        }
        let tail = self.u32(window.rest().first_chunk::<4>().copied().unwrap_or_default());
        window.consume(4);
        if tail != length {
            return Err(fault(Reason::BlockTrailer { head: length, tail }, false));
        }
        Ok(())
    }

    /// Reads an interface description block.
    #[cold]
    fn describe(&mut self, body: &[u8], length: u32) -> Result<(), Reason> {
        let short = Reason::BlockLength { block: INTERFACE, length };
        let (&[d0, d1, _, _, s0, s1, s2, s3], mut options) = body.split_first_chunk::<8>().ok_or(short)?;
        if self.interfaces.len() >= MAX_INTERFACES {
            return Err(Reason::TooManyInterfaces { limit: MAX_INTERFACES as u32 });
        }
        let snaplen = self.u32([s0, s1, s2, s3]);
        let mut clock = Clock { unit: Unit::new(6), offset: 0 };
        while let Some((&[c0, c1, n0, n1], rest)) = options.split_first_chunk::<4>() {
            let (code, len) = (self.u16([c0, c1]), usize::from(self.u16([n0, n1])));
            let Some(value) = rest.get(..len) else { break };
            match (code, value) {
                (OPTION_END, _) => break,
                (OPTION_TSRESOL, &[resolution]) => clock.unit = Unit::new(resolution),
                (OPTION_TSOFFSET, value) => {
                    if let Ok(bytes) = <[u8; 8]>::try_from(value) {
                        clock.offset = if self.big_endian {
                            i64::from_be_bytes(bytes)
                        } else {
                            i64::from_le_bytes(bytes)
                        };
                    }
                }
                _ => {}
            }
            options = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        }
        let (dlt, limit) = (u32::from(self.u16([d0, d1])), packet_limit(snaplen));
        self.interfaces.push(Interface { dlt, snaplen, limit, clock });
        Ok(())
    }

    #[inline]
    fn u16(&self, bytes: [u8; 2]) -> u16 {
        if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
    }

    #[inline]
    fn u32(&self, bytes: [u8; 4]) -> u32 {
        if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }
}

/// The captured length, when it is believable and the block has room for it.
#[inline]
fn check(captured: u32, limit: u32, data: &[u8]) -> Result<usize, Reason> {
    if captured > limit {
        return Err(Reason::CaptureLength { length: captured, limit });
    }
    if captured as usize > data.len() {
        return Err(Reason::PacketLength { captured, room: data.len() as u32 });
    }
    Ok(captured as usize)
}
