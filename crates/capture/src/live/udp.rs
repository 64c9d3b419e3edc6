//! Plain UDP sockets on the ports of tunnels: no privilege is needed.
use super::{
    LiveBatch, LiveError, LiveStats,
    datagram::{SLOTS, Slots},
    steer, sys,
};
use crate::reader::Located;
use std::{
    fs, io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::OwnedFd,
    path::Path,
    time::Duration,
};

/// What is listened on, and how.
#[derive(Clone, Debug)]
pub struct UdpConfig {
    /// Addresses and ports. An IPv6 address takes IPv6 alone: `[::]` and `0.0.0.0` are two addresses.
    pub listen: Vec<SocketAddr>,
    /// Bytes of the receive buffer that each socket asks for.
    pub receive_buffer: usize,
    /// Bytes of a datagram that are kept; 65,536 keeps every one whole.
    pub slot: usize,
    /// How many workers share the datagrams, at least 1.
    pub workers: u16,
    /// Which ports are those of which tunnel, so that datagrams are shared by what is in them.
    pub tunnels: harken_wire::Config,
}

impl Default for UdpConfig {
    /// VXLAN and GENEVE over IPv4 and IPv6, for one worker, with buffers of 64 MiB.
    fn default() -> Self {
        let v4 = Ipv4Addr::UNSPECIFIED;
        let v6 = Ipv6Addr::UNSPECIFIED;
        Self {
            listen: vec![(v4, 4789).into(), (v4, 6081).into(), (v6, 4789).into(), (v6, 6081).into()],
            receive_buffer: 64 << 20,
            slot: 64 << 10,
            workers: 1,
            tunnels: harken_wire::Config::default(),
        }
    }
}

/// What `libc` lacks of <asm-generic/socket.h>. Of the nine words the first two and the last count: memory
/// in the receive queue, its limit, drops. `SO_RXQ_OVFL` gives the same drops, but only beside a datagram
/// that comes after them.
const SO_MEMINFO: i32 = 55;

/// One worker's sockets.
pub(crate) struct Udp {
    name: String,
    sockets: Vec<Socket>,
    polled: Vec<libc::pollfd>,
    /// The socket to be asked next: none is preferred.
    next: usize,
    slots: Slots,
    located: Vec<Located>,
    notes: Vec<String>,
    received: u64,
    truncated: u64,
    tunnels: harken_wire::Config,
    /// 256ths of all flows that the kernel refuses now.
    share: u8,
}

struct Socket {
    fd: OwnedFd,
    local: SocketAddr,
    /// The kernel's count of drops when it was last asked; it wraps.
    told: u32,
    /// Drops since the start.
    dropped: u64,
    /// Those while a share of flows was refused.
    refused: u64,
}

impl Socket {
    /// Memory in the receive queue, its limit, and drops.
    fn memory(&self) -> Option<(u32, u32, u32)> {
        let told = sys::option(&self.fd, libc::SOL_SOCKET, SO_MEMINFO, [0_u32; 9]).ok()?;
        let [used, limit, .., drops] = told;
        Some((used, limit, drops))
    }

    /// Asks for the drops since it was last asked. The kernel counts a datagram that a filter refuses like one
    /// that found no room.
    fn count(&mut self, refusing: bool) {
        let Some((_, _, drops)) = self.memory() else { return };
        let new = u64::from(drops.wrapping_sub(self.told));
        self.told = drops;
        *(if refusing { &mut self.refused } else { &mut self.dropped }) += new;
    }
}

/// Opens the sockets of all workers.
pub(crate) fn open(config: &UdpConfig) -> Result<Vec<Udp>, LiveError> {
    let workers = config.workers.max(1);
    if config.listen.is_empty() {
        let reason = io::Error::new(io::ErrorKind::InvalidInput, "no address is given");
        return Err(LiveError::new("listen for datagrams", reason, "name one: 0.0.0.0:4789"));
    }
    let mut sources: Vec<Udp> = (0..workers).map(|_| Udp::new(config)).collect();
    for address in &config.listen {
        if workers > 1 && address.port() != 0 {
            // With SO_REUSEPORT a second Harken would share the port, and take half of the packets.
            let alone = socket(*address).map_err(|e| refused(*address, e))?;
            sys::bind(&alone, *address).map_err(|e| refused(*address, e))?;
        }
        // The group's members are numbered in the order in which they are bound.
        let mut local = *address;
        for source in &mut sources {
            let (fd, note) = bound(config, local).map_err(|e| refused(local, e))?;
            local = sys::local_address(&fd).map_err(|e| refused(local, e))?.unwrap_or(local);
            source.sockets.push(Socket { fd, local, told: 0, dropped: 0, refused: 0 });
            if let Some(note) = note.filter(|note| !source.notes.contains(note)) {
                source.notes.push(note);
            }
        }
        if workers > 1
            && let Some(first) = sources.first().and_then(|source| source.sockets.last())
        {
            let program = steer::of_datagrams(&config.tunnels, local.port(), workers);
            let name = libc::SO_ATTACH_REUSEPORT_CBPF;
            sys::set_program(&first.fd, libc::SOL_SOCKET, name, &program.raw()).map_err(|e| {
                LiveError::new(format!("share between workers the datagrams to {local}"), e, "use one worker")
            })?;
        }
    }
    for source in &mut sources {
        source.start()?;
    }
    Ok(sources)
}

/// What listening failed for.
fn refused(address: SocketAddr, e: io::Error) -> LiveError {
    let port = address.port();
    let mend = match e.raw_os_error() {
        Some(libc::EADDRINUSE) => owner(port, Path::new("/sys/class/net")),
        Some(libc::EACCES) => {
            format!(
                "ports below 1024 need root or CAP_NET_BIND_SERVICE: setcap cap_net_bind_service=ep harken, or use another port than {port}"
            )
        }
        Some(libc::EADDRNOTAVAIL) => {
            "no interface has this address: `ip address` lists them; 0.0.0.0 and [::] stand for all"
                .to_owned()
        }
        Some(libc::EAFNOSUPPORT) if address.is_ipv6() => {
            "this machine has no IPv6: listen on IPv4 addresses only".to_owned()
        }
        _ => String::new(),
    };
    LiveError::new(format!("listen on UDP {address}"), e, mend)
}

/// Who has taken a port. The kernel's tunnel devices hold theirs without a process that could be named;
/// `interfaces` is where the kernel lists them.
fn owner(port: u16, interfaces: &Path) -> String {
    let device = fs::read_dir(interfaces).ok().and_then(|entries| {
        entries.flatten().find_map(|entry| {
            let about = fs::read_to_string(entry.path().join("uevent")).ok()?;
            let kind = ["vxlan", "geneve"]
                .into_iter()
                .find(|kind| about.lines().any(|line| line.strip_prefix("DEVTYPE=") == Some(*kind)))?;
            Some((kind, entry.file_name().to_string_lossy().into_owned()))
        })
    });
    let process = format!("`ss -ulpn sport = :{port}` names the process that has it");
    match device {
        Some((kind, name)) => format!(
            "there is a kernel {kind} device, {name}, which takes the datagrams of its port (`ip -d link show {name}` \
             tells which): remove it (ip link delete {name}), or capture on it or on the interface below it with the \
             af_packet source; if it is not the one, {process}"
        ),
        None => format!("{process}; end it, or use another port"),
    }
}

fn socket(address: SocketAddr) -> io::Result<OwnedFd> {
    let domain = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let fd = sys::socket(domain, libc::SOCK_DGRAM | libc::SOCK_NONBLOCK, 0)?;
    if address.is_ipv6() {
        // Else it would take IPv4 too, and a second socket for that could not be bound.
        sys::set_option(&fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1_i32)?;
    }
    Ok(fd)
}

/// A bound socket that takes nothing before [`Udp::start`], and what is to be said about it.
fn bound(config: &UdpConfig, address: SocketAddr) -> io::Result<(OwnedFd, Option<String>)> {
    let fd = socket(address)?;
    let (level, name) = if address.is_ipv4() {
        (libc::IPPROTO_IP, libc::IP_PKTINFO)
    } else {
        (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO)
    };
    sys::set_option(&fd, level, name, 1_i32)?;
    sys::set_option(&fd, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1_i32)?;
    if config.workers > 1 {
        sys::set_option(&fd, libc::SOL_SOCKET, libc::SO_REUSEPORT, 1_i32)?;
    }
    let note = enlarge(&fd, config.receive_buffer)?;
    let hold = super::bpf::Program::accept(0).raw();
    sys::set_program(&fd, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &hold)?;
    sys::bind(&fd, address)?;
    Ok((fd, note))
}

/// Enlarges the receive buffer as far as allowed; says so when that is not far enough.
fn enlarge(fd: &OwnedFd, bytes: usize) -> io::Result<Option<String>> {
    // The kernel doubles the number, for its own needs, and cannot double a larger one.
    let asked = i32::try_from(bytes).unwrap_or(i32::MAX).min(i32::MAX / 2);
    if sys::set_option(fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, asked).is_ok() {
        return Ok(None);
    }
    sys::set_option(fd, libc::SOL_SOCKET, libc::SO_RCVBUF, asked)?;
    let got = sys::option(fd, libc::SOL_SOCKET, libc::SO_RCVBUF, 0_i32)? / 2;
    Ok((got < asked).then(|| {
        format!(
            "a receive buffer holds {got} bytes, not the {asked} asked for: raise the limit (sysctl -w \
             net.core.rmem_max={asked}), or give CAP_NET_ADMIN"
        )
    }))
}

impl Udp {
    fn new(config: &UdpConfig) -> Self {
        let names: Vec<String> = config.listen.iter().map(ToString::to_string).collect();
        Self {
            name: format!("udp {}", names.join(", ")),
            sockets: Vec::new(),
            polled: Vec::new(),
            next: 0,
            // The longest datagram has 65,527 bytes.
            slots: Slots::new(config.slot.clamp(64, 64 << 10)),
            located: Vec::new(),
            notes: Vec::new(),
            received: 0,
            truncated: 0,
            tunnels: config.tunnels.clone(),
            share: 0,
        }
    }

    /// Lets datagrams in.
    fn start(&mut self) -> Result<(), LiveError> {
        for socket in &mut self.sockets {
            // What was held back counts as dropped.
            socket.told = socket.memory().map_or(0, |(_, _, drops)| drops);
            sys::detach_filter(&socket.fd).map_err(|e| refused(socket.local, e))?;
        }
        self.polled = self.sockets.iter().map(|socket| sys::readable(&socket.fd)).collect();
        Ok(())
    }

    pub(crate) fn next_batch(&mut self, max: usize, timeout: Duration) -> io::Result<LiveBatch<'_>> {
        self.located.clear();
        // A socket that gave all that was asked for may have more: it is asked again without polling first.
        if !self.receive(max)? {
            sys::poll(&mut self.polled, timeout)?;
            self.receive(max)?;
        }
        Ok(LiveBatch::of_bytes(self.slots.memory(), &self.located))
    }

    /// Takes datagrams from the next socket that is said to have some; `false` when none is.
    fn receive(&mut self, max: usize) -> io::Result<bool> {
        let count = self.sockets.len();
        for n in (self.next..count).chain(0..self.next) {
            let (Some(socket), Some(polled)) = (self.sockets.get(n), self.polled.get_mut(n)) else {
                continue;
            };
            if polled.revents == 0 {
                continue;
            }
            let got = self.slots.receive(&socket.fd, max)?;
            if got < max.min(SLOTS) {
                polled.revents = 0;
            }
            for slot in 0..got {
                let Some(frame) = self.slots.frame(slot, socket.local) else { continue };
                self.truncated += u64::from(frame.len < frame.wire_len);
                let ts = frame.ts.unwrap_or_else(super::now);
                let wire_len = u32::try_from(frame.wire_len).unwrap_or(u32::MAX);
                self.located.push(Located { ts, dlt: 1, at: frame.at, len: frame.len, wire_len });
            }
            self.received += self.located.len() as u64;
            if !self.located.is_empty() {
                self.next = (n + 1) % count;
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(crate) fn stats(&mut self) -> LiveStats {
        let (mut dropped, mut refused) = (0, 0);
        for socket in &mut self.sockets {
            socket.count(self.share > 0);
            dropped += socket.dropped;
            refused += socket.refused;
        }
        let Self { received, truncated, .. } = *self;
        LiveStats { received, dropped, refused, truncated, ..LiveStats::default() }
    }

    /// Has the kernel refuse a share of all flows. To read a datagram costs several times what is done with
    /// it, so that what is read only to be passed over would win nothing.
    pub(crate) fn shed(&mut self, share: u8) -> io::Result<()> {
        if share == self.share {
            return Ok(());
        }
        for socket in &mut self.sockets {
            socket.count(self.share > 0);
            if share > 0 {
                let program = steer::refusing(&self.tunnels, socket.local.port(), share);
                sys::set_program(&socket.fd, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program.raw())?;
            } else {
                sys::detach_filter(&socket.fd)?;
            }
        }
        self.share = share;
        Ok(())
    }

    pub(crate) fn backlog(&self) -> u8 {
        let percent = |socket: &Socket| {
            let (used, limit, _) = socket.memory()?;
            Some(u64::from(used) * 100 / u64::from(limit.max(1)))
        };
        let fullest = self.sockets.iter().filter_map(percent).max().unwrap_or(0);
        fullest.min(100) as u8
    }

    pub(crate) fn poll_for(&self, sockets: &mut Vec<libc::pollfd>) {
        sockets.extend(self.sockets.iter().map(|socket| sys::readable(&socket.fd)));
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets.iter().map(|socket| socket.local).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_of_a_tunnel_device_is_explained() {
        let net = std::env::temp_dir().join(format!("harken-live-net-{}", std::process::id()));
        let device = |name: &str, about: &str| {
            fs::create_dir_all(net.join(name)).unwrap();
            fs::write(net.join(name).join("uevent"), about).unwrap();
        };
        device("eth0", "INTERFACE=eth0\nIFINDEX=2\n");
        let plain = owner(4789, &net);
        assert!(plain.contains("ss -ulpn sport = :4789") && !plain.contains("device"), "{plain}");
        device("vx5", "DEVTYPE=vxlan\nINTERFACE=vx5\nIFINDEX=7\n");
        let explained = owner(4789, &net);
        assert!(explained.contains("kernel vxlan device, vx5") && explained.contains("ip link delete vx5"));
        fs::remove_dir_all(&net).unwrap();
    }
}
