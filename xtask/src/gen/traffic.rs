//! Traffic of an API under load: many keep-alive connections at once, mirrored from several interfaces, and
//! the server's view of every request beside it.
use super::{
    conversation::{Conversation, End, MSS, ROUND_TRIP, Timed},
    disturb::{Disturbance, Disturber, Mirrored, Suffered},
    mix::{Exchange, Mix},
    prng::Prng,
    tunnel::{Outer, Tunnel, wrap},
};
use anyhow::{Context, Result, bail};
use harken_capture::{PcapWriter, Precision};
use harken_wire::Timestamp;
use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fs::File,
    io::{BufWriter, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
};

/// 2026-11-24 10:00:00 UTC in nanoseconds: when the traffic starts.
const START: u64 = 1_795_514_400_000_000_000;
/// The first client port; the ports of a client address count up from it.
const FIRST_PORT: u64 = 10_000;
const PORTS: u64 = 50_000;
const SERVER_PORT: u16 = 8080;
/// The host names behind the mirrored interfaces, in turn.
const SERVICES: [&str; 4] = ["api", "shop", "users", "orders"];

/// What traffic to make.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Traffic {
    /// Requests, each with its response
    #[arg(long, default_value_t = 10_000)]
    pub(crate) transactions: u64,
    /// Connections open at a time
    #[arg(long, default_value_t = 64)]
    pub(crate) connections: u32,
    /// Transactions on a connection, on the average; then another one opens in its place
    #[arg(long, default_value_t = 500)]
    pub(crate) per_connection: u64,
    /// Transactions in a second of packet time, all connections together
    #[arg(long, default_value_t = 25_000)]
    pub(crate) rate: u64,
    /// Mirrored interfaces, each with its own address and VNI
    #[arg(long, default_value_t = 4)]
    pub(crate) enis: u32,
    /// What is around the mirrored frames
    #[arg(long, value_enum, default_value = "vxlan")]
    pub(crate) tunnel: Tunnel,
    /// The mirrored hosts speak IPv6
    #[arg(long)]
    pub(crate) inner_ipv6: bool,
    /// The mirror's own packets are IPv6
    #[arg(long)]
    pub(crate) outer_ipv6: bool,
    /// The largest TCP payload in bytes
    #[arg(long, default_value_t = MSS)]
    pub(crate) mss: usize,
    #[command(flatten)]
    pub(crate) disturbance: Disturbance,
    /// Another number, other traffic
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

impl Default for Traffic {
    fn default() -> Self {
        Self {
            transactions: 10_000,
            connections: 64,
            per_connection: 500,
            rate: 25_000,
            enis: 4,
            tunnel: Tunnel::Vxlan,
            inner_ipv6: false,
            outer_ipv6: false,
            mss: MSS,
            disturbance: Disturbance::default(),
            seed: 1,
        }
    }
}

/// What was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) transactions: u64,
    pub(crate) connections: u64,
    /// Packets in the file.
    pub(crate) packets: u64,
    /// Bytes of the file.
    pub(crate) bytes: u64,
    pub(crate) suffered: Suffered,
}

/// One request as the server's access log has it, with nginx's meaning of the fields.
#[derive(serde::Serialize)]
struct Access<'a> {
    ts: f64,
    c: IpAddr,
    p: u16,
    m: &'a str,
    u: &'a str,
    s: u16,
    b: usize,
    h: &'a str,
    ua: &'a str,
    conn: u64,
    n: u64,
    proto: &'static str,
    rl: usize,
}

/// Writes the capture, and the ground truth as JSON lines.
///
/// # Errors
/// When a file cannot be written, or the options contradict each other.
pub(crate) fn write(traffic: &Traffic, pcap: &Path, truth: &Path) -> Result<Summary> {
    let create = |path: &Path| -> Result<_> {
        let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(BufWriter::with_capacity(1 << 20, file))
    };
    generate(traffic, create(pcap)?, create(truth)?)
}

/// As [`write()`], to any writers.
///
/// # Errors
/// Those of the writers, or when the options contradict each other.
pub(crate) fn generate(traffic: &Traffic, pcap: impl Write, truth: impl Write) -> Result<Summary> {
    if traffic.connections == 0 || traffic.enis == 0 || traffic.rate == 0 || traffic.per_connection == 0 {
        bail!("connections, interfaces, rate and transactions on a connection start at 1");
    }
    // An IPv4 packet has room for 65,535 bytes, the headers of a tunnel among them.
    if !(1..=64_000).contains(&traffic.mss) {
        bail!("a segment carries between 1 and 64000 bytes");
    }
    if traffic
        .tunnel
        .versions()
        .is_some_and(|(inner, outer)| (inner, outer) != (traffic.inner_ipv6, traffic.outer_ipv6))
    {
        bail!("the tunnel names IP versions: say --inner-ipv6 and --outer-ipv6 accordingly");
    }
    let pcap = PcapWriter::new(pcap, Precision::Micro, traffic.tunnel.dlt())?;
    let mut world = World::new(traffic, pcap, truth);
    world.run()?;
    world.disturber.finish(|packet| world.file.put(packet))?;
    world.summary.packets = world.file.packets;
    world.summary.bytes = world.file.bytes;
    world.summary.suffered = world.disturber.suffered;
    world.file.pcap.finish()?;
    world.truth.flush()?;
    Ok(world.summary)
}

/// The capture file and what is needed to write into it.
struct Capture<W> {
    pcap: PcapWriter<W>,
    tunnel: Tunnel,
    buffer: Vec<u8>,
    packets: u64,
    bytes: u64,
}

impl<W: Write> Capture<W> {
    fn put(&mut self, packet: &Mirrored) -> std::io::Result<()> {
        self.buffer.clear();
        wrap(&mut self.buffer, self.tunnel, &packet.outer, &packet.frame);
        self.packets += 1;
        self.bytes += 16 + self.buffer.len() as u64;
        self.pcap.write(Timestamp(packet.ts), &self.buffer, self.buffer.len() as u32)
    }
}

/// A place for one connection at a time.
#[derive(Default)]
struct Slot {
    open: Option<Open>,
}

/// A connection in use.
struct Open {
    conversation: Conversation,
    client: SocketAddr,
    host: String,
    eni: u32,
    id: u64,
    /// Requests so far, and those still to come.
    done: u64,
    left: u64,
}

/// What happens next: a slot's turn, or a frame that passes the mirror.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Happens {
    Turn(usize),
    Frame { eni: u32, frame: Vec<u8> },
}

struct World<'a, P: Write, T> {
    traffic: &'a Traffic,
    file: Capture<P>,
    truth: T,
    disturber: Disturber,
    prng: Prng,
    mix: Mix,
    exchange: Exchange,
    slots: Vec<Slot>,
    /// By time, then by the order of planning.
    agenda: BinaryHeap<Reverse<(u64, u64, Happens)>>,
    planned: u64,
    /// Packets of each interface so far.
    counts: Vec<u32>,
    fresh: Vec<Timed>,
    summary: Summary,
}

impl<'a, P: Write, T: Write> World<'a, P, T> {
    fn new(traffic: &'a Traffic, pcap: PcapWriter<P>, truth: T) -> Self {
        let mut prng = Prng::new(traffic.seed);
        let tunnel = traffic.tunnel;
        let mut world = Self {
            traffic,
            // The file's header.
            file: Capture { pcap, tunnel, buffer: Vec::new(), packets: 0, bytes: 24 },
            truth,
            disturber: Disturber::new(traffic.disturbance, traffic.seed ^ 0x5eed),
            mix: Mix::new(&mut prng),
            prng,
            exchange: Exchange::default(),
            slots: (0..traffic.connections).map(|_| Slot::default()).collect(),
            agenda: BinaryHeap::new(),
            planned: 0,
            counts: vec![0; traffic.enis as usize],
            fresh: Vec::new(),
            summary: Summary::default(),
        };
        // The connections open one after the other, over the time between two requests on one of them.
        for slot in 0..world.slots.len() {
            let at = START + world.prng.below(world.pause());
            world.plan(at, Happens::Turn(slot));
        }
        world
    }

    fn plan(&mut self, at: u64, happens: Happens) {
        self.planned += 1;
        self.agenda.push(Reverse((at, self.planned, happens)));
    }

    /// The mean time between the starts of two requests on one connection, in nanoseconds.
    fn pause(&self) -> u64 {
        u64::from(self.traffic.connections) * 1_000_000_000 / self.traffic.rate
    }

    fn run(&mut self) -> Result<()> {
        while let Some(Reverse((ts, _, happens))) = self.agenda.pop() {
            match happens {
                Happens::Frame { eni, frame } => {
                    let outer = self.outer(eni);
                    self.disturber.pass(Mirrored { ts, outer, frame }, |packet| self.file.put(packet))?;
                }
                Happens::Turn(slot) => self.turn(slot, ts)?,
            }
        }
        Ok(())
    }

    /// Lets a slot's connection open, do one exchange, or close.
    fn turn(&mut self, slot: usize, ts: u64) -> Result<()> {
        let Some(place) = self.slots.get_mut(slot) else { return Ok(()) };
        let more = self.summary.transactions < self.traffic.transactions;
        let (eni, next) = match place.open.take() {
            Some(mut open) if more && open.left > 0 => {
                let after = self.exchange(&mut open, ts)?;
                let eni = open.eni;
                if let Some(place) = self.slots.get_mut(slot) {
                    place.open = Some(open);
                }
                (eni, Some(after + self.prng.below(2 * self.pause())))
            }
            Some(mut open) => (open.eni, Some(open.conversation.close(ts, End::Client, &mut self.fresh))),
            None if more => {
                let mut open = self.connect();
                let (eni, after) = (open.eni, open.conversation.open(ts, &mut self.fresh));
                if let Some(place) = self.slots.get_mut(slot) {
                    place.open = Some(open);
                }
                (eni, Some(after))
            }
            None => (0, None),
        };
        let mut fresh = std::mem::take(&mut self.fresh);
        for Timed { ts, frame } in fresh.drain(..) {
            self.plan(ts, Happens::Frame { eni, frame });
        }
        self.fresh = fresh;
        if let Some(at) = next {
            self.plan(at, Happens::Turn(slot));
        }
        Ok(())
    }

    fn connect(&mut self) -> Open {
        let id = self.summary.connections;
        self.summary.connections += 1;
        let eni = (id % u64::from(self.traffic.enis)) as u32;
        let client = SocketAddr::new(
            self.address(0x0a14_0000, 20, (id / PORTS) as u32 + 2),
            (FIRST_PORT + id % PORTS) as u16,
        );
        let server = SocketAddr::new(self.address(0x0a09_0000, 9, eni + 1), SERVER_PORT);
        let conversation = Conversation::new(client, server, self.prng.next(), self.traffic.mss);
        // Uniform around the mean, so that connections do not all end together.
        let left = 1 + self.prng.below(2 * self.traffic.per_connection - 1);
        let service = SERVICES.get(eni as usize % SERVICES.len()).copied().unwrap_or_default();
        let host = format!("{service}.example:{SERVER_PORT}");
        Open { conversation, client, host, eni, id, done: 0, left }
    }

    /// An address of the mirrored network: `n` of this IPv4 or IPv6 subnet.
    fn address(&self, v4: u32, v6: u16, n: u32) -> IpAddr {
        if self.traffic.inner_ipv6 {
            let (high, low) = ((n >> 16) as u16, n as u16);
            Ipv6Addr::new(0x2001, 0xdb8, v6, 0, 0, 0, high, low).into()
        } else {
            Ipv4Addr::from_bits(v4 + n).into()
        }
    }

    /// The mirror's outer hosts: the interface's primary address, and the collector's.
    fn outer(&mut self, eni: u32) -> Outer {
        let (src, dst) = if self.traffic.outer_ipv6 {
            let host = |n| IpAddr::from(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, n));
            (host(0x100 + eni as u16), host(1))
        } else {
            let host = |n| IpAddr::from(Ipv4Addr::from_bits(0x0a00_0000 + n));
            (host(0x100 + eni), host(1))
        };
        let mut count = 0;
        if let Some(seen) = self.counts.get_mut(eni as usize) {
            count = *seen;
            *seen = seen.wrapping_add(1);
        }
        Outer { src, dst, vni: 0x12_3456 + eni, count }
    }

    /// One request and its response. Returns the time when the client has the response.
    fn exchange(&mut self, open: &mut Open, ts: u64) -> Result<u64> {
        self.summary.transactions += 1;
        open.done += 1;
        open.left -= 1;
        self.mix.next(&mut self.prng, &open.host, &mut self.exchange);
        let exchange = &self.exchange;
        let sent = open.conversation.send(ts, End::Client, &exchange.request, false, &mut self.fresh);
        // A slow answer is acknowledged first; a quick one carries the acknowledgement.
        let work = 80_000 + self.prng.below(900_000);
        if work > 700_000 {
            self.fresh.push(open.conversation.segment(sent + 40_000, End::Server, super::packet::ACK, &[]));
        }
        let done =
            open.conversation.send(sent + work, End::Server, &exchange.response, true, &mut self.fresh);
        let record = Access {
            ts: (done / 1_000_000) as f64 / 1000.0,
            c: open.client.ip(),
            p: open.client.port(),
            m: exchange.method,
            u: &exchange.uri,
            s: exchange.status,
            b: exchange.body,
            h: &open.host,
            ua: &exchange.user_agent,
            conn: open.id + 1,
            n: open.done,
            proto: "HTTP/1.1",
            rl: exchange.request.len(),
        };
        serde_json::to_writer(&mut self.truth, &record)?;
        self.truth.write_all(b"\n")?;
        Ok(done + ROUND_TRIP)
    }
}
