//! Where packets come from: capture files, interfaces, UDP sockets.
//!
//! [`open`] takes a path (or `-` for standard input) and gives a [`Reader`], which lends one [`Packet`]
//! after the other: pcap and pcapng, plain or compressed by gzip or zstd, told apart by their first bytes.
//! [`Merge`] reads several captures as one, ordered by time. [`PcapWriter`] writes.
//!
//! # Memory and speed
//!
//! A reader owns one window of 256 KiB that is filled by plain `read` calls, and lends the packets out of
//! it. It grows only for a single larger record, at most to [`MAX_RECORD`]. A memory map was measured
//! beside it and lost on every count, so that there is no `unsafe` here: the copy into a window that stays
//! in the second-level cache costs less than the page faults and cache misses of a map, and mapped pages
//! count as resident memory. A file of 1.2 GB with 1.84 million packets in the page cache, 128 bytes of
//! every packet touched, Linux 6, one of 2 cores:
//!
//! | way | CPU seconds (user + system) | peak resident memory |
//! |---|---|---|
//! | `read` of 64 KiB, 256 KiB, 1 MiB | 0.05 (0.01 + 0.04) | 2.0, 2.1, 2.8 MiB |
//! | `mmap`, faults as they come | 0.15 (0.14 + 0.01) | 1147 MiB |
//! | `mmap`, `MAP_POPULATE` | 0.19 (0.14 + 0.05) | 1147 MiB |
//! | `mmap`, populated and dropped in steps of 4 MiB | 0.24 (0.16 + 0.08) | 146 MiB |
//!
//! The figures of the reader itself: `cargo build --release -p harken-capture --example walk`, then
//! `/usr/bin/time -v target/release/examples/walk FILE`, which prints nanoseconds for each packet (30 for
//! this file, of which 5 in user mode).
//!
//! A damaged file gives every packet that is readable, then one [`Damage`] that names file, offset and
//! reason.
//!
//! Live packets come from a [`live::Live`]: a packet socket or UDP sockets (Linux). [`pcap_over_ip`] reads
//! a capture that another program sends over TCP.
// Not `forbid`: a few files of `live` talk to the kernel by pointers. The workspace denies it elsewhere.
#![deny(unsafe_code)]

mod error;
mod input;
#[cfg(target_os = "linux")]
pub mod live;
mod merge;
mod pcap;
pub mod pcap_over_ip;
mod pcapng;
mod reader;
mod window;
mod writer;
mod zstd;

pub use error::{Damage, Error, ErrorKind, Reason};
pub use merge::Merge;
pub use reader::{Batch, Packet, Packets, Reader, open};
pub use writer::{PcapWriter, Precision};

/// The largest record of a capture file that is read, in bytes: the one bound of what a length in a file
/// can make a reader allocate. Packets are limited further, see [`MAX_PACKET`].
pub const MAX_RECORD: usize = 16 << 20;

/// The captured length that is believed even when the file's own snapshot length is smaller, in bytes. It
/// is the snapshot length that libpcap, tcpdump and Wireshark treat as unlimited. A file that declares a
/// larger one is believed up to [`MAX_RECORD`]; a longer packet is [`Reason::CaptureLength`].
pub const MAX_PACKET: u32 = 256 << 10;
