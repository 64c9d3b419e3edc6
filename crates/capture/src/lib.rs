//! Where packets come from: capture files.
//!
//! [`open`] takes a path (or `-` for standard input) and gives a [`Reader`], which lends one [`Packet`]
//! after the other: pcap and pcapng, plain or compressed by gzip or zstd, told apart by their first bytes.
//! [`Merge`] reads several captures as one, ordered by time. [`PcapWriter`] writes.
//!
//! # Memory and speed
//!
//! A reader owns one window of 256 KiB that is filled by plain `read` calls, and serves the packets out of
//! it; it grows only for a single record that is larger, at most to [`MAX_RECORD`]. A memory map was built
//! and measured beside it; `cargo run --release -p harken-capture --example walk -- FILE` repeats the
//! measurement of the reader.
//!
//! A damaged file gives every packet that is readable, then one [`Damage`] that names file, offset and
//! reason.
#![forbid(unsafe_code)]

mod error;
mod input;
mod merge;
mod pcap;
mod pcapng;
mod reader;
mod window;
mod writer;
mod zstd;

pub use error::{Damage, Error, ErrorKind, Reason};
pub use merge::Merge;
pub use reader::{Packet, Reader, open};
pub use writer::{PcapWriter, Precision};

/// The largest record of a capture file that is read, in bytes: the one bound of what a length in a file
/// can make a reader allocate. Packets are limited further, see [`MAX_PACKET`].
pub const MAX_RECORD: usize = 16 << 20;

/// The captured length that is believed even when the file's own snapshot length is smaller, in bytes. It
/// is the snapshot length that libpcap, tcpdump and Wireshark treat as unlimited. A file that declares a
/// larger one is believed up to [`MAX_RECORD`]; a longer packet is [`Reason::CaptureLength`].
pub const MAX_PACKET: u32 = 256 << 10;
