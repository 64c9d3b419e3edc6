//! Writes pcap files.
use harken_wire::Timestamp;
use std::io::{self, Write};

/// What the time fields of a capture file count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// Microseconds: every reader knows such files.
    Micro,
    /// Nanoseconds.
    Nano,
}

/// Writes a pcap file in little-endian order to `W`, which should be buffered.
#[derive(Debug)]
pub struct PcapWriter<W> {
    out: W,
    precision: Precision,
}

impl<W: Write> PcapWriter<W> {
    /// Writes the file's header. `dlt` is the link type number, 1 for Ethernet.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn new(mut out: W, precision: Precision, dlt: u32) -> io::Result<Self> {
        let magic: u32 = match precision {
            Precision::Micro => 0xa1b2_c3d4,
            Precision::Nano => 0xa1b2_3c4d,
        };
        let mut header = Vec::with_capacity(24);
        header.extend(magic.to_le_bytes());
        header.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        header.extend(crate::MAX_PACKET.to_le_bytes());
        header.extend(dlt.to_le_bytes());
        out.write_all(&header)?;
        Ok(Self { out, precision })
    }

    /// Writes one packet. `wire_len` is its length on the wire in bytes: that of `data`, or more when `data`
    /// was cut. Times are cut to the file's precision.
    ///
    /// # Errors
    /// Those of the writer below; [`io::ErrorKind::InvalidInput`] for a packet above [`crate::MAX_PACKET`],
    /// or a time after the year 2106.
    pub fn write(&mut self, ts: Timestamp, data: &[u8], wire_len: u32) -> io::Result<()> {
        let nanos = (ts.0 % 1_000_000_000) as u32;
        let fraction = match self.precision {
            Precision::Micro => nanos / 1000,
            Precision::Nano => nanos,
        };
        let captured = u32::try_from(data.len()).ok().filter(|n| *n <= crate::MAX_PACKET);
        let (Ok(seconds), Some(captured)) = (u32::try_from(ts.0 / 1_000_000_000), captured) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        for field in [seconds, fraction, captured, wire_len] {
            self.out.write_all(&field.to_le_bytes())?;
        }
        self.out.write_all(data)
    }

    /// Flushes, and gives back what was written to.
    ///
    /// # Errors
    /// Those of the writer below.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}
