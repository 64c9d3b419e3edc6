//! `harken mirror-sim`: packets of an interface or of a capture, wrapped in VXLAN and sent on, as traffic
//! mirroring does. For trying things out, and for measuring.
use crate::cli::MirrorSim;
use crate::run::{open, say};
use anyhow::{Context, Result, bail};
use harken_capture::{Batch, Packet};
use harken_wire::{Config, Decoded, Decoder, Ip, LinkType, Segment};
use std::net::{SocketAddr, UdpSocket};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Link type of Ethernet in capture files.
const ETHERNET: u32 = 1;
/// Packets between two looks at the clock.
const BURST: u64 = 32;
/// Virtual networks that the passes of a capture take turns in.
const NETWORKS: u32 = 64;
/// Header of VXLAN, RFC 7348 section 5.
const HEADER: usize = 8;

/// Wraps and sends.
struct Mirror {
    /// A flow always leaves from the same port, as with AWS; different flows spread over these.
    sockets: Vec<UdpSocket>,
    decoder: Decoder,
    buffer: Vec<u8>,
    length: usize,
    only_from: Option<Ip>,
    sent: u64,
    bytes: u64,
    refused: u64,
    skipped: u64,
    pace: Pace,
}

/// Keeps to a rate.
struct Pace {
    /// Packets a second; 0 is no bound.
    rate: u64,
    began: Instant,
    due: u64,
}

impl Pace {
    /// Waits until the next packet is due.
    fn wait(&mut self) {
        self.due += 1;
        if self.rate == 0 || !self.due.is_multiple_of(BURST) {
            return;
        }
        let at = Duration::from_secs_f64(self.due as f64 / self.rate as f64);
        let early = at.saturating_sub(self.began.elapsed());
        // Sleeping is never exact: short waits are made up for by the next ones.
        if early > Duration::from_micros(200) {
            std::thread::sleep(early);
        }
    }
}

/// Runs the command.
pub fn run(args: &MirrorSim) -> Result<ExitCode> {
    let mut mirror = Mirror::new(args)?;
    let began = Instant::now();
    let over = || args.run_for.is_some_and(|time| began.elapsed() >= time);
    match (&args.read, &args.interface) {
        (Some(path), _) => {
            for pass in 0..args.times.max(1) {
                if over() {
                    break;
                }
                // Another network each time: the connections of the pass before do not come again.
                mirror.set_vni(args.vni.wrapping_add(pass % NETWORKS));
                let mut reader = harken_capture::open(path)?;
                let mut batch = Batch::default();
                while !over() {
                    let lent = reader.next_batch(&mut batch, BURST as usize)?;
                    if lent.is_empty() {
                        break;
                    }
                    lent.iter().for_each(|packet| mirror.packet(&packet));
                }
            }
        }
        (None, Some(interface)) => {
            let mut live = open::tap(interface)?;
            say(&format!("mirroring {interface} to {}", args.to));
            while !over() {
                let lent = live.next_batch(BURST as usize, Duration::from_millis(100))?;
                let others = lent.iter().filter(|packet| !is_own(packet, args.to));
                others.for_each(|packet| mirror.packet(&packet));
            }
        }
        (None, None) => unreachable!("clap asks for one of the two"),
    }
    let seconds = began.elapsed().as_secs_f64();
    say(&format!(
        "{} packets, {} bytes in {seconds:.2} s: {:.0} packets/s; {} refused by the system, {} not Ethernet",
        mirror.sent,
        mirror.bytes,
        mirror.sent as f64 / seconds.max(1e-9),
        mirror.refused,
        mirror.skipped
    ));
    Ok(ExitCode::SUCCESS)
}

impl Mirror {
    fn new(args: &MirrorSim) -> Result<Self> {
        if args.vni >= 1 << 24 {
            bail!("--vni {}: a VNI has 24 bits, so that it is at most 16777215", args.vni);
        }
        let any: SocketAddr =
            if args.to.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
        let mut sockets = Vec::new();
        for _ in 0..args.ports.max(1) {
            let socket = UdpSocket::bind(any).context("cannot make a socket")?;
            socket.connect(args.to).with_context(|| format!("cannot send to {}", args.to))?;
            sockets.push(socket);
        }
        let pace = Pace { rate: args.rate, began: Instant::now(), due: 0 };
        let mut mirror = Self {
            sockets,
            decoder: Decoder::new(Config::default()),
            buffer: Vec::new(),
            length: args.packet_length.map_or(usize::MAX, usize::from),
            only_from: args.only_from.map(Ip::from),
            sent: 0,
            bytes: 0,
            refused: 0,
            skipped: 0,
            pace,
        };
        mirror.set_vni(args.vni);
        Ok(mirror)
    }

    /// Writes the header that stands before each packet; of a larger number the lowest 24 bits count.
    fn set_vni(&mut self, vni: u32) {
        let [_, a, b, c] = vni.to_be_bytes();
        self.buffer.clear();
        self.buffer.extend_from_slice(&[0x08, 0, 0, 0, a, b, c, 0]);
    }

    fn packet(&mut self, packet: &Packet<'_>) {
        if packet.dlt != ETHERNET {
            self.skipped += 1;
            return;
        }
        let socket = match self.decoder.decode(LinkType::Ethernet, packet.data) {
            Ok(Decoded::Tcp(segment)) if self.only_from.is_none_or(|from| segment.src == from) => {
                spread(&segment) % self.sockets.len()
            }
            _ if self.only_from.is_some() => return,
            _ => 0,
        };
        let Some(socket) = self.sockets.get(socket) else { return };
        self.pace.wait();
        self.buffer.truncate(HEADER);
        self.buffer.extend_from_slice(packet.data.get(..self.length).unwrap_or(packet.data));
        match socket.send(&self.buffer) {
            Ok(sent) => {
                self.sent += 1;
                self.bytes += sent as u64;
            }
            // Nobody listens, or the packet is too large for the way: a mirror does not care either.
            Err(_) => self.refused += 1,
        }
    }
}

/// Whether a packet is one of those that are sent here: mirroring it would never end.
fn is_own(packet: &Packet<'_>, to: SocketAddr) -> bool {
    // Ethernet, IP of either version, UDP: the destination port is the mirror's.
    let port = |at: usize| packet.data.get(at..at + 2) == Some(&to.port().to_be_bytes());
    let udp4 = packet.data.get(12..15) == Some(&[0x08, 0x00, 0x45]) && packet.data.get(23) == Some(&17);
    let udp6 = packet.data.get(12..14) == Some(&[0x86, 0xdd]) && packet.data.get(20) == Some(&17);
    udp4 && port(36) || udp6 && port(56)
}

/// A number that is the same for both directions of a flow.
fn spread(segment: &Segment<'_>) -> usize {
    let ports = u64::from(segment.sport ^ segment.dport);
    let hosts = segment.src.bits() ^ segment.dst.bits();
    ((hosts as u64 ^ ports).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize
}
