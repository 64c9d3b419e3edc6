//! A packet socket on one interface.
use super::{
    LiveBatch, LiveError, LiveStats, Wanted,
    bpf::Program,
    link::{Link, RESERVE, locate, mark},
    ring::{BEHIND_STATUS, Ring},
    steer, sys,
};
use crate::reader::Located;
use std::{
    io,
    os::fd::OwnedFd,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// How packets are taken from an interface.
#[derive(Clone, Debug)]
pub struct AfPacketConfig {
    /// The interface's name.
    pub interface: String,
    /// Bytes of a block of the ring; rounded up to 64 KiB. A packet fits into one block.
    pub block_size: u32,
    /// Blocks of each worker's ring, at least 2.
    pub blocks: u32,
    /// Milliseconds after which the kernel hands over a block that is not full: the delay of a packet on a
    /// quiet interface.
    pub block_timeout_ms: u32,
    /// Take packets that are for other stations too, as a tap or a mirror port delivers them.
    pub promiscuous: bool,
    /// Bytes that are taken of each packet, at least 1.
    pub snaplen: u32,
    /// Which packets are taken.
    pub filter: Filter,
    /// How many workers share the packets, at least 1.
    pub workers: u16,
    /// Which ports are those of tunnels, so that packets are shared by what is in them.
    pub tunnels: harken_wire::Config,
}

impl Default for AfPacketConfig {
    /// Everything on no interface: 64 MiB for one worker, 20 ms.
    fn default() -> Self {
        Self {
            interface: String::new(),
            block_size: 1 << 20,
            blocks: 64,
            block_timeout_ms: 20,
            promiscuous: true,
            snaplen: crate::MAX_PACKET,
            filter: Filter::Everything,
            workers: 1,
            tunnels: harken_wire::Config::default(),
        }
    }
}

/// Which packets the kernel takes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Filter {
    /// All.
    Everything,
    /// What a program of our own finds.
    Wanted(Wanted),
    /// What this program finds; it sees the link header where the interface has one that is read (Ethernet,
    /// raw IP), else the IP header first. It decides how much is taken, up to the snapshot length.
    Program(Program),
}

// What `libc` lacks of <linux/if_packet.h>.
const PACKET_FANOUT_DATA: i32 = 22;
const PACKET_FANOUT_CBPF: i32 = 6;
const PACKET_FANOUT_FLAG_UNIQUEID: i32 = 0x2000;
/// Fragments of the outer packet are put together first, so that what is inside can be seen.
const PACKET_FANOUT_FLAG_DEFRAG: i32 = 0x8000;

const ETH_P_ALL: u16 = 3;
/// Sockets that are kept for an interface that is made anew when the privilege to open more may be gone.
const SPARES: usize = 4;

/// The fanout group of an interface's workers.
#[derive(Default)]
struct Group(Mutex<Option<(u32, i32)>>);

/// One worker's socket.
pub(crate) struct AfPacket {
    config: AfPacketConfig,
    link: Link,
    filter: Program,
    fd: OwnedFd,
    spares: Vec<OwnedFd>,
    /// 256ths of all flows that are passed over now.
    share: u8,
    group: Arc<Group>,
    /// The kernel's number of the interface that the socket is bound to.
    index: u32,
    ring: Ring,
    /// The block that is read, or comes next.
    block: usize,
    /// Packets of that block that are not lent yet, and where the next is; `None` while it is the kernel's.
    open: Option<(u32, usize)>,
    located: Vec<Located>,
    down: bool,
    stats: LiveStats,
}

/// Opens the sockets of all workers.
pub(crate) fn open(config: &AfPacketConfig) -> Result<Vec<AfPacket>, LiveError> {
    let name = &config.interface;
    let failed = |what: &str, e: io::Error| LiveError::new(format!("{what} on {name}"), e, String::new());
    let probe = socket(libc::SOCK_DGRAM).map_err(|e| refused(name, e))?;
    let Some(index) = sys::interface_index(&probe, name) else {
        let mend = "`ip link` lists the interfaces; each is named by itself, there is no 'any'";
        return Err(LiveError::new(
            format!("capture on {name}"),
            io::Error::new(io::ErrorKind::NotFound, "there is no such interface"),
            mend,
        ));
    };
    let hardware = sys::hardware_type(&probe, name).map_err(|e| failed("ask for the link type", e))?;
    if !sys::is_up(&probe, name).map_err(|e| failed("ask whether packets flow", e))? {
        let mend = format!("bring it up: ip link set {name} up");
        let down = io::Error::new(io::ErrorKind::NetworkDown, "the interface is down");
        return Err(LiveError::new(format!("capture on {name}"), down, mend));
    }
    let link = Link::of(hardware);
    let snaplen = config.snaplen.max(1);
    let mut filter = match &config.filter {
        Filter::Everything => Program::accept(snaplen),
        Filter::Wanted(wanted) => wanted.program(link.header, snaplen),
        Filter::Program(program) => program.clone().cut(snaplen),
    };
    if link.loopback {
        filter = filter.without_outgoing();
    }
    let group = Arc::new(Group::default());
    let workers = config.workers.max(1);
    let mut sources = Vec::new();
    for _ in 0..workers {
        let fd = socket(link.kind()).map_err(|e| refused(name, e))?;
        let ring = prepare(&fd, config, name)?;
        let mut source = AfPacket {
            config: config.clone(),
            link,
            filter: filter.clone(),
            fd,
            spares: Vec::new(),
            share: 0,
            group: Arc::clone(&group),
            index,
            ring,
            block: 0,
            open: None,
            located: Vec::new(),
            down: false,
            stats: LiveStats::default(),
        };
        if workers > 1 {
            let spares = (0..SPARES).map(|_| socket(link.kind()));
            source.spares = spares.collect::<io::Result<_>>().map_err(|e| refused(name, e))?;
        }
        source.bind(index)?;
        sources.push(source);
    }
    // Only now: a packet that comes before all workers are there would go to the wrong one.
    for source in &sources {
        source.start()?;
    }
    Ok(sources)
}

/// A packet socket that receives nothing yet.
fn socket(kind: i32) -> io::Result<OwnedFd> {
    sys::socket(libc::AF_PACKET, kind, 0)
}

fn refused(name: &str, e: io::Error) -> LiveError {
    let mend = match e.raw_os_error() {
        Some(libc::EPERM) => "run as root or give CAP_NET_RAW: setcap cap_net_raw=ep harken",
        Some(libc::EAFNOSUPPORT) => "this kernel has no packet sockets (CONFIG_PACKET); use the udp source",
        _ => "",
    };
    LiveError::new(format!("open a packet socket on {name}"), e, mend)
}

/// Sets up the ring of a new socket, which takes no packet before [`AfPacket::start`].
fn prepare(fd: &OwnedFd, config: &AfPacketConfig, name: &str) -> Result<Ring, LiveError> {
    const VERSION_3: i32 = 2;
    let failed = |what: &str, e: io::Error| LiveError::new(format!("{what} on {name}"), e, String::new());
    sys::set_program(fd, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &Program::accept(0).raw())
        .map_err(|e| failed("hold packets back", e))?;
    sys::set_option(fd, libc::SOL_PACKET, libc::PACKET_VERSION, VERSION_3)
        .map_err(|e| failed("use TPACKET_V3", e))?;
    sys::set_option(fd, libc::SOL_PACKET, libc::PACKET_RESERVE, RESERVE)
        .map_err(|e| failed("reserve room for VLAN tags", e))?;
    Ring::new(fd, config.block_size, config.blocks, config.block_timeout_ms).map_err(|e| {
        let AfPacketConfig { block_size, blocks, .. } = config;
        let what = format!("set up a ring of {blocks} blocks of {block_size} bytes for {name}");
        LiveError::new(what, e, "fewer or smaller blocks need less memory")
    })
}

impl AfPacket {
    /// Binds the socket to the interface and, with several workers, joins their group.
    fn bind(&self, index: u32) -> Result<(), LiveError> {
        let name = &self.config.interface;
        let failed = |what: &str, e: io::Error| LiveError::new(format!("{what} {name}"), e, String::new());
        sys::bind_packet(&self.fd, index, ETH_P_ALL).map_err(|e| failed("bind a packet socket to", e))?;
        if self.config.promiscuous {
            sys::promiscuous(&self.fd, index).map_err(|e| failed("make promiscuous", e))?;
        }
        if self.config.workers > 1 {
            self.join(index).map_err(|e| failed("share between workers the packets of", e))?;
        }
        Ok(())
    }

    /// Joins the workers' fanout group; the first makes it.
    fn join(&self, index: u32) -> io::Result<()> {
        let flags = (PACKET_FANOUT_CBPF | PACKET_FANOUT_FLAG_DEFRAG) << 16;
        let join = |value: i32| sys::set_option(&self.fd, libc::SOL_PACKET, libc::PACKET_FANOUT, value);
        let mut group = self.group.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *group {
            Some((known, id)) if known == index => join(flags | id),
            // None yet, or that of an interface that is gone.
            _ => {
                join(flags | PACKET_FANOUT_FLAG_UNIQUEID << 16)?;
                let id = sys::option(&self.fd, libc::SOL_PACKET, libc::PACKET_FANOUT, 0_i32)? & 0xffff;
                let AfPacketConfig { tunnels, workers, .. } = &self.config;
                let program = steer::of_packets(tunnels, self.link.header, *workers);
                sys::set_program(&self.fd, libc::SOL_PACKET, PACKET_FANOUT_DATA, &program.raw())?;
                *group = Some((index, id));
                Ok(())
            }
        }
    }

    /// Lets packets in.
    fn start(&self) -> Result<(), LiveError> {
        self.attach_filter(self.share).map_err(|e| {
            let what = format!("give the kernel the filter for {}", self.config.interface);
            let mend = match e.raw_os_error() {
                Some(libc::EINVAL) => {
                    "it is no valid BPF program: make one with tcpdump -i INTERFACE -ddd EXPRESSION"
                }
                Some(libc::ENOMEM) => "it is too long: raise net.core.optmem_max, or simplify it",
                _ => "",
            };
            LiveError::new(what, e, mend)
        })
    }

    /// Gives the kernel the filter, and with it the share of flows that is passed over.
    fn attach_filter(&self, share: u8) -> io::Result<()> {
        let marking = (share > 0).then(|| {
            let AfPacketConfig { tunnels, .. } = &self.config;
            self.filter.then(&steer::marking(tunnels, self.link.header, share, self.filter.takes()))
        });
        let program = marking.as_ref().unwrap_or(&self.filter).raw();
        sys::set_program(&self.fd, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
    }

    /// Has the kernel take a byte of the packets of a share of all flows; they are counted and passed over.
    pub(crate) fn shed(&mut self, share: u8) -> io::Result<()> {
        if share != self.share {
            self.attach_filter(share)?;
            self.share = share;
        }
        Ok(())
    }

    pub(crate) fn next_batch(&mut self, max: usize, timeout: Duration) -> io::Result<LiveBatch<'_>> {
        self.located.clear();
        // What was lent has come back, since `self` is ours again.
        if matches!(self.open, Some((0, _))) {
            self.release();
        }
        if self.open.is_none() {
            if !self.ring.is_ours(self.block) {
                self.wait(timeout)?;
            }
            self.open = self.enter();
        }
        self.take(max);
        let memory = if self.located.is_empty() { &[] } else { self.ring.bytes(self.block) };
        Ok(LiveBatch::of_bytes(memory, &self.located))
    }

    /// Gives the block back that has been read.
    fn release(&mut self) {
        self.ring.release(self.block);
        self.block = (self.block + 1) % self.ring.blocks();
        self.open = None;
    }

    /// How many packets are in the next block, and where the first is; `None` while it is the kernel's.
    fn enter(&self) -> Option<(u32, usize)> {
        // Behind the status word: `num_pkts`, `offset_to_first_pkt`.
        let &[a, b, c, d, e, f, g, h] = self.ring.bytes(self.block).first_chunk()?;
        let first = u32::from_ne_bytes([e, f, g, h]) as usize;
        Some((u32::from_ne_bytes([a, b, c, d]), first.wrapping_sub(BEHIND_STATUS)))
    }

    /// Finds the next packets of the open block.
    fn take(&mut self, max: usize) {
        let Some((mut left, mut at)) = self.open else { return };
        let memory = self.ring.bytes_mut(self.block);
        while left > 0 && self.located.len() < max {
            if let Some(next) = mark(memory, at) {
                self.stats.refused += 1;
                left -= 1;
                at = at.wrapping_add(next);
                continue;
            }
            let Some((found, next)) = locate(memory, at, self.link) else {
                self.stats.malformed += 1;
                left = 0;
                break;
            };
            self.stats.truncated += u64::from((found.len as u64) < u64::from(found.wire_len));
            self.located.push(found);
            left -= 1;
            at = at.wrapping_add(next);
        }
        self.stats.received += self.located.len() as u64;
        self.open = Some((left, at));
    }

    /// Waits for a block; looks after the interface when something is wrong with it.
    fn wait(&mut self, timeout: Duration) -> io::Result<()> {
        let mut sockets = [sys::readable(&self.fd)];
        sys::poll(&mut sockets, timeout)?;
        if sockets.iter().any(|socket| socket.revents & !libc::POLLIN != 0) {
            match sys::take_error(&self.fd)? {
                0 => {}
                libc::ENETDOWN => {
                    if !self.down {
                        self.stats.downs += 1;
                    }
                    self.down = true;
                }
                e => return Err(io::Error::from_raw_os_error(e)),
            }
        }
        if self.down {
            self.look_for_interface()?;
        }
        Ok(())
    }

    /// Whether the interface that went down or away is back. The kernel goes on by itself with one that was
    /// down; one that was made anew, under the old name, must be bound to.
    fn look_for_interface(&mut self) -> io::Result<()> {
        let name = &self.config.interface;
        let Some(index) = sys::interface_index(&self.fd, name) else { return Ok(()) };
        if !sys::is_up(&self.fd, name).unwrap_or(false) {
            return Ok(());
        }
        if index != self.index && !self.reopen(index)? {
            return Ok(());
        }
        self.down = false;
        self.stats.ups += 1;
        Ok(())
    }

    /// Binds to the interface that has taken the place of the old one; `false` when it is gone again.
    #[cold]
    fn reopen(&mut self, index: u32) -> io::Result<bool> {
        let lost = |e: LiveError| io::Error::new(e.reason().kind(), e.to_string());
        self.ask_kernel();
        if self.config.workers > 1 {
            // A socket never leaves its group, and cannot be bound again while in it.
            let name = &self.config.interface;
            let fd = match self.spares.pop() {
                Some(fd) => fd,
                None => socket(self.link.kind()).map_err(|e| lost(refused(name, e)))?,
            };
            let ring = prepare(&fd, &self.config, name).map_err(lost)?;
            (self.fd, self.ring) = (fd, ring);
            (self.block, self.open) = (0, None);
        }
        let bound = self.bind(index).and_then(|()| self.start());
        if let Err(e) = bound {
            let gone = matches!(e.reason().raw_os_error(), Some(libc::ENODEV | libc::ENXIO | libc::ENETDOWN));
            return if gone { Ok(false) } else { Err(lost(e)) };
        }
        self.index = index;
        Ok(true)
    }

    /// Adds what the kernel has counted since it was last asked.
    fn ask_kernel(&mut self) {
        // `struct tpacket_stats_v3`: packets, drops, freezes. Reading clears them.
        let counted = sys::option(&self.fd, libc::SOL_PACKET, libc::PACKET_STATISTICS, [0_u32; 3]);
        let [_, drops, freezes] = counted.unwrap_or_default();
        self.stats.dropped += u64::from(drops);
        self.stats.freezes += u64::from(freezes);
    }

    pub(crate) fn stats(&mut self) -> LiveStats {
        self.ask_kernel();
        self.stats
    }

    pub(crate) fn backlog(&self) -> u8 {
        let held = usize::from(self.open.is_some());
        let waiting = self.ring.waiting(self.block).saturating_sub(held);
        u8::try_from(waiting * 100 / self.ring.blocks()).unwrap_or(100)
    }

    pub(crate) fn poll_for(&self, sockets: &mut Vec<libc::pollfd>) {
        sockets.push(sys::readable(&self.fd));
    }

    pub(crate) fn name(&self) -> &str {
        &self.config.interface
    }
}
