//! Packets as they arrive: from an interface ([`AfPacketConfig`], and `AfXdpConfig` with the cargo feature
//! `af_xdp`) or from UDP sockets ([`UdpConfig`]).
//!
//! Opening gives one [`Live`] for each worker. Which worker gets a packet is decided in the kernel by the
//! addresses of the inner packet (`steer.rs`), so that both directions of a connection meet in one place and
//! no thread hands packets to another. A worker calls [`Live::next_batch`] in a loop; packets are lent out
//! of memory that was allocated at the start.
//!
//! | file | what |
//! |---|---|
//! | `af_packet.rs` | a packet socket: set-up, interfaces that go and come |
//! | `link.rs` | a packet of that socket as a frame: link types, stripped VLAN tags |
//! | `ring.rs` | the memory that it shares with the kernel |
//! | `udp.rs` | UDP sockets: set-up, who owns a port |
//! | `datagram.rs` | datagrams in slots, each with the headers in front that it had on the wire |
//! | `bpf.rs` | writing and reading programs for the kernel |
//! | `filter.rs` | the program that says which packets are wanted |
//! | `steer.rs` | the programs that say which worker gets one |
//! | `snmp.rs` | the kernel's counters of UDP |
//! | `sys.rs` | system calls |
//! | `xdp/` | AF_XDP: an XDP program and its sockets |
//!
//! Only `ring.rs`, `sys.rs`, `datagram.rs` and `xdp/{kernel,memory,queue}.rs` have `unsafe` code.
mod af_packet;
pub mod bpf;
mod datagram;
mod error;
mod filter;
mod link;
mod ring;
mod snmp;
mod steer;
mod sys;
#[cfg(test)]
mod tests;
mod udp;
#[cfg(feature = "af_xdp")]
mod xdp;

pub use af_packet::{AfPacketConfig, Filter};
pub use error::LiveError;
pub use filter::{Tcp, Wanted};
pub use snmp::{UdpCounters, udp_counters};
pub use udp::UdpConfig;
#[cfg(feature = "af_xdp")]
pub use xdp::AfXdpConfig;

use crate::{Packet, reader::Located};
use harken_wire::Timestamp;
use std::{
    io,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Counters of a [`Live`], since it was opened.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct LiveStats {
    /// Packets that were lent.
    pub received: u64,
    /// Packets that the kernel dropped since there was no room: the ring or the receive buffer was full.
    pub dropped: u64,
    /// Packets that the kernel refused because [`Live::shed`] had it refuse a share of flows. Of a UDP source
    /// those are among them that found no room meanwhile: the kernel has one count for both.
    pub refused: u64,
    /// Packets of `received` that were cut: longer than the snapshot length, the block or the slot.
    pub truncated: u64,
    /// Times that the ring was full; of AF_XDP, that no frame was free for a packet.
    pub freezes: u64,
    /// Packets that were left to the host although a tunnel may be in them (AF_XDP only): fragments, IPv6 with
    /// extension headers, MPLS, PPPoE.
    pub passed: u64,
    /// Times that the interface went down or away (interfaces only).
    pub downs: u64,
    /// Times that it came back.
    pub ups: u64,
    /// Blocks of the ring that made no sense; 0 unless the kernel is at fault.
    pub malformed: u64,
}

impl LiveStats {
    /// Adds the counters of another source (another worker's).
    pub const fn add(&mut self, other: &Self) {
        self.received += other.received;
        self.dropped += other.dropped;
        self.refused += other.refused;
        self.truncated += other.truncated;
        self.freezes += other.freezes;
        self.passed += other.passed;
        self.downs += other.downs;
        self.ups += other.ups;
        self.malformed += other.malformed;
    }
}

/// One worker's source of live packets.
pub struct Live(Kind);

enum Kind {
    AfPacket(Box<af_packet::AfPacket>),
    Udp(Box<udp::Udp>),
    #[cfg(feature = "af_xdp")]
    AfXdp(Box<xdp::AfXdp>),
}

/// Packets that are lent until the source is asked again.
pub struct LiveBatch<'a> {
    memory: Memory<'a>,
    located: &'a [Located],
}

/// What packets are lent out of.
#[derive(Clone, Copy)]
enum Memory<'a> {
    /// One stretch: a block, the slots.
    Bytes(&'a [u8]),
    /// Frames among others that are the kernel's.
    #[cfg(feature = "af_xdp")]
    Frames(&'a xdp::Held),
}

impl<'a> LiveBatch<'a> {
    fn of_bytes(memory: &'a [u8], located: &'a [Located]) -> Self {
        Self { memory: Memory::Bytes(memory), located }
    }

    #[cfg(feature = "af_xdp")]
    fn of_frames(held: &'a xdp::Held, located: &'a [Located]) -> Self {
        Self { memory: Memory::Frames(held), located }
    }

    /// Number of packets; 0 when none came in time.
    pub fn len(&self) -> usize {
        self.located.len()
    }

    /// Whether none came in time.
    pub fn is_empty(&self) -> bool {
        self.located.is_empty()
    }

    /// The packets, in order.
    pub fn iter(&self) -> impl Iterator<Item = Packet<'a>> {
        let memory = self.memory;
        self.located.iter().filter_map(move |found| {
            let &Located { ts, dlt, at, len, wire_len } = found;
            let data = match memory {
                Memory::Bytes(bytes) => bytes.get(at..)?.get(..len)?,
                #[cfg(feature = "af_xdp")]
                Memory::Frames(held) => held.bytes(at, len)?,
            };
            Some(Packet { ts, dlt, data, wire_len })
        })
    }
}

impl Live {
    /// Opens an interface, once for each worker. Needs `CAP_NET_RAW`; [`Live::next_batch`] needs no
    /// privilege.
    ///
    /// # Errors
    /// When it cannot be opened: the text names the reason and what helps.
    pub fn open_af_packet(config: &AfPacketConfig) -> Result<Vec<Self>, LiveError> {
        let sources = af_packet::open(config)?;
        Ok(sources.into_iter().map(|source| Self(Kind::AfPacket(Box::new(source)))).collect())
    }

    /// Opens UDP sockets: one on each address for each worker. Needs no privilege for ports above 1023.
    ///
    /// # Errors
    /// When one cannot be opened: the text names the reason and what helps.
    pub fn open_udp(config: &UdpConfig) -> Result<Vec<Self>, LiveError> {
        let sources = udp::open(config)?;
        Ok(sources.into_iter().map(|source| Self(Kind::Udp(Box::new(source)))).collect())
    }

    /// Takes tunnel packets off an interface by AF_XDP, once for each worker: they reach neither the host nor packet
    /// sockets any more. Needs `CAP_NET_RAW`, `CAP_NET_ADMIN`, `CAP_BPF` and `CAP_PERFMON`, and `CAP_IPC_LOCK` or a limit of
    /// locked memory that is high enough; [`Live::next_batch`] needs no privilege. All workers' sources must be read as
    /// long as one is: they share memory.
    ///
    /// # Errors
    /// When it cannot be done: the text names the reason and what helps. [`Live::open_af_packet`] asks for less.
    #[cfg(feature = "af_xdp")]
    pub fn open_af_xdp(config: &AfXdpConfig) -> Result<Vec<Self>, LiveError> {
        let sources = xdp::open(config)?;
        Ok(sources.into_iter().map(|source| Self(Kind::AfXdp(Box::new(source)))).collect())
    }

    /// Lends the packets that are at hand, at most `max`. When there are none it waits for some, at most
    /// `timeout`, and then may lend none. Allocates nothing once the largest batch has been seen.
    ///
    /// # Errors
    /// When the source is lost for good. An interface that goes down or away is no error: it is waited for. Only
    /// AF_XDP cannot follow one that went away.
    #[inline]
    pub fn next_batch(&mut self, max: usize, timeout: Duration) -> io::Result<LiveBatch<'_>> {
        match &mut self.0 {
            Kind::AfPacket(source) => source.next_batch(max, timeout),
            Kind::Udp(source) => source.next_batch(max, timeout),
            #[cfg(feature = "af_xdp")]
            Kind::AfXdp(source) => source.next_batch(max, timeout),
        }
    }

    /// Waits until one of several sources has packets, at most `timeout`: for a thread that reads them in turn
    /// by [`Live::next_batch`] without waiting. May end early.
    ///
    /// # Errors
    /// When the system cannot wait.
    pub fn wait_any(sources: &[Self], timeout: Duration) -> io::Result<()> {
        let mut sockets = Vec::new();
        for source in sources {
            match &source.0 {
                Kind::AfPacket(source) => source.poll_for(&mut sockets),
                Kind::Udp(source) => source.poll_for(&mut sockets),
                #[cfg(feature = "af_xdp")]
                Kind::AfXdp(source) => source.poll_for(&mut sockets),
            }
        }
        sys::poll(&mut sockets, timeout)
    }

    /// The counters up to now; asks the kernel.
    pub fn stats(&mut self) -> LiveStats {
        match &mut self.0 {
            Kind::AfPacket(source) => source.stats(),
            Kind::Udp(source) => source.stats(),
            #[cfg(feature = "af_xdp")]
            Kind::AfXdp(source) => source.stats(),
        }
    }

    /// How full the ring or the fullest receive buffer is, in percent: a measure of overload. Asks the kernel
    /// for a UDP source (one system call for each socket); reads a few words for an interface. The kernel
    /// gives the room of datagrams back by quarters of the buffer, so that a busy UDP source that keeps up
    /// may show up to 25.
    pub fn backlog(&self) -> u8 {
        match &self.0 {
            Kind::AfPacket(source) => source.backlog(),
            Kind::Udp(source) => source.backlog(),
            #[cfg(feature = "af_xdp")]
            Kind::AfXdp(source) => source.backlog(),
        }
    }

    /// Has the kernel refuse `share` 256ths of all flows (0: none), always the same ones and of a larger share
    /// more, before they cost anything here. `false`: this source cannot, and the reader has to pass them over.
    ///
    /// # Errors
    /// When the kernel does not take the program.
    pub fn shed(&mut self, share: u8) -> io::Result<bool> {
        match &mut self.0 {
            Kind::AfPacket(source) => source.shed(share).map(|()| true),
            // A program cannot be changed any more once privileges are gone.
            #[cfg(feature = "af_xdp")]
            Kind::AfXdp(_) => Ok(false),
            Kind::Udp(source) => source.shed(share).map(|()| true),
        }
    }

    /// Where the packets come from, for messages: the interface's name, or the addresses listened on.
    pub fn name(&self) -> &str {
        match &self.0 {
            Kind::AfPacket(source) => source.name(),
            Kind::Udp(source) => source.name(),
            #[cfg(feature = "af_xdp")]
            Kind::AfXdp(source) => source.name(),
        }
    }

    /// Whether it opens sockets again when its interface was away, for which `CAP_NET_RAW` has to be kept.
    pub const fn opens_again(&self) -> bool {
        matches!(self.0, Kind::AfPacket(_))
    }

    /// What the operator should know although the source is open, a line each: a receive buffer that is
    /// smaller than asked for, the mode that AF_XDP has.
    pub fn notes(&self) -> &[String] {
        match &self.0 {
            Kind::AfPacket(_) => &[],
            Kind::Udp(source) => source.notes(),
            #[cfg(feature = "af_xdp")]
            Kind::AfXdp(source) => source.notes(),
        }
    }

    /// The addresses that a UDP source listens on, with the ports that were chosen for port 0; empty for an
    /// interface.
    pub fn addresses(&self) -> Vec<std::net::SocketAddr> {
        match &self.0 {
            Kind::AfPacket(_) => Vec::new(),
            #[cfg(feature = "af_xdp")]
            Kind::AfXdp(_) => Vec::new(),
            Kind::Udp(source) => source.addresses(),
        }
    }
}

/// The time of a packet that the kernel gives none for.
#[cold]
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::new(since.as_secs(), since.subsec_nanos())
}
