//! From a captured frame to a TCP segment.
//!
//! Bytes in, values out: no clock, no file, no socket, no allocation. Each header has a file of its own,
//! each tunnel one under [`decap`]. The entry point is [`Decoder::decode`].
//!
//! Rules that hold for every header:
//! - Lengths come from IP headers, so that link padding is never read. A length beyond the captured bytes is
//!   truncation ([`Segment::truncated`]), not an error; length 0 means all that was captured.
//! - What cannot be read is a [`Stop`] that names the header, its offset and the reason, and is counted.
//! - Every repetition has a limit: tunnels ([`Config::max_depth`]), 8 VLAN tags, 16 MPLS labels, 16 IPv6
//!   extension headers, 64 link headers in all.
#![forbid(unsafe_code)]

mod addr;
mod checksum;
mod config;
mod datagram;
pub mod decap;
mod decoder;
mod express;
mod fragment;
mod ip;
mod link;
mod prefetch;
mod segment;
mod stats;
mod stop;
mod tcp;
mod time;
mod udp;
mod walk;

#[cfg(test)]
#[path = "../tests/build/mod.rs"]
mod build;

pub use addr::Ip;
pub use config::Config;
pub use datagram::Datagram;
pub use decoder::{Decoded, Decoder};
pub use fragment::{Fragment, FragmentHeader, FragmentKey};
pub use link::LinkType;
pub use prefetch::prefetch;
pub use segment::{Encap, GeneveOptions, Outer, Segment, TcpFlags, TunnelKind};
pub use stats::{Ignored, Outcomes, Stats};
pub use stop::{Layer, Reason, Stop};
pub use time::Timestamp;
