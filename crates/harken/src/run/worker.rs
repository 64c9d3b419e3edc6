//! A worker: receives, analyses and hands on, on one thread, run to completion.
use super::overload::{Level, Load, Overload};
use super::source::{Polled, Sources};
use crate::logs::clock;
use crate::origins::{Origin, Origins};
use crate::sinks::Sinks;
use crate::summary::{Encrypted, add_named};
use harken_capture::Packet;
use harken_capture::live::LiveStats;
use harken_engine::{BATCH, Config, Front, FrontStats, Ledger, Shard};
use harken_wire::Timestamp;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Longest wait for a packet: how late a stop is noticed.
const WAIT: Duration = Duration::from_millis(50);
/// How long a line may wait in a worker, and how old the published figures may be.
const PERIOD: Duration = Duration::from_millis(400);
/// Batches between two looks at the clock, when packets keep coming.
const LOOK: u32 = 16;
/// The wall clock moves the flows' time-outs only this far behind it, so that packets that still wait in the
/// kernel's buffer are not late.
const BEHIND: u64 = 2_000_000_000;

/// Endpoints that are told of.
pub const ENDPOINTS: usize = 20;

/// What a worker has counted, for all to read.
#[derive(Clone, Default, Debug)]
pub struct Snapshot {
    /// Packets read.
    pub packets: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// When the last of them was captured.
    pub last: Timestamp,
    /// Decoding.
    pub front: FrontStats,
    /// Flows.
    pub flow: harken_flow::Stats,
    /// HTTP.
    pub http: harken_http::Stats,
    /// Each source: what the kernel says.
    pub sources: Vec<(String, LiveStats)>,
    /// How full the fullest buffer between kernel and worker is, in percent.
    pub backlog: u8,
    /// What is left undone.
    pub level: Level,
    /// By source and virtual network.
    pub origins: Origins,
    /// Transactions by the first digit of their status code; 0 is none.
    pub by_class: [u64; 10],
    /// Most frequent endpoints.
    pub endpoints: Vec<(String, u64)>,
    /// What cannot be read.
    pub encrypted: Encrypted,
}

impl Snapshot {
    /// Adds what another worker counted.
    pub fn add(&mut self, other: &Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.last = self.last.max(other.last);
        self.front.add(&other.front);
        self.flow.add(&other.flow);
        self.http.add(&other.http);
        for (name, stats) in &other.sources {
            match self.sources.iter_mut().find(|(known, _)| known == name) {
                Some((_, mine)) => mine.add(stats),
                None => self.sources.push((name.clone(), *stats)),
            }
        }
        self.backlog = self.backlog.max(other.backlog);
        self.level = self.level.max(other.level);
        self.origins.add(&other.origins);
        for (mine, theirs) in self.by_class.iter_mut().zip(other.by_class) {
            *mine += theirs;
        }
        add_named(&mut self.endpoints, &other.endpoints);
        self.encrypted.add(&other.encrypted);
    }

    /// Packets that the kernel dropped.
    pub fn dropped(&self) -> u64 {
        self.sources.iter().map(|(_, stats)| stats.dropped).sum()
    }

    /// Packets that the kernel refused under load because it was asked to.
    pub fn refused(&self) -> u64 {
        self.sources.iter().map(|(_, stats)| stats.refused).sum()
    }

    /// Bytes of streams that are missing.
    pub fn gap_bytes(&self) -> u64 {
        self.flow.gap_bytes.iter().sum()
    }

    /// The books.
    pub fn ledger(&self) -> Ledger {
        Ledger::new(self.front.clone(), self.flow, self.http)
    }
}

/// What a worker and the rest of the program share.
#[derive(Default, Debug)]
pub struct Shared {
    snapshot: Mutex<Snapshot>,
    /// The worker is to end.
    pub stop: AtomicBool,
    /// Someone watches: the endpoints are worked out, too.
    pub watched: AtomicBool,
}

impl Shared {
    /// The figures that were published last.
    pub fn snapshot(&self) -> Snapshot {
        self.published().clone()
    }

    /// What is left undone, of the figures that were published last.
    pub fn level(&self) -> Level {
        self.published().level
    }

    fn published(&self) -> MutexGuard<'_, Snapshot> {
        self.snapshot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a worker ended by itself.
#[derive(Debug)]
pub enum Ended {
    /// It was told to, or its input is over.
    Done,
    /// A source cannot be read any more.
    Failed(String),
}

/// A worker's own parts.
pub struct Worker {
    intake: Intake,
    sources: Sources,
    shared: Arc<Shared>,
    overload: Overload,
    published: Instant,
}

impl Worker {
    /// A worker that reads `sources`.
    pub fn new(config: &Config, front: Front, sinks: Sinks, sources: Sources, shared: Arc<Shared>) -> Self {
        let now = Instant::now();
        let shard = Shard::new(config, sinks);
        let last = Timestamp(0);
        let intake = Intake { front, shard, origins: Origins::default(), packets: 0, bytes: 0, last };
        Self { intake, sources, shared, overload: Overload::new(now), published: now }
    }

    /// Works until told to stop, or until the input is over.
    pub fn run(mut self) -> Ended {
        let mut ended = Ended::Done;
        let mut rounds = 0u32;
        while !self.shared.stop.load(Ordering::Relaxed) {
            let polled = self.sources.poll(BATCH, WAIT, &mut self.intake);
            match polled {
                Polled::Over => break,
                Polled::Failed(error) => {
                    ended = Ended::Failed(error);
                    break;
                }
                Polled::Packets | Polled::Nothing => {}
            }
            rounds = rounds.wrapping_add(1);
            if matches!(polled, Polled::Nothing) || rounds.is_multiple_of(LOOK) {
                self.look(matches!(polled, Polled::Nothing));
            }
        }
        // What the kernel already has is still read, within a bound.
        if matches!(ended, Ended::Done) && self.sources.are_live() {
            let until = Instant::now() + Duration::from_secs(1);
            let mut left = || self.sources.poll(BATCH, Duration::ZERO, &mut self.intake);
            while Instant::now() < until && matches!(left(), Polled::Packets) {}
        }
        self.intake.front.finish();
        self.intake.shard.finish();
        self.intake.shard.output().end();
        self.publish();
        ended
    }

    /// The clock, the load, and what is to be given on.
    fn look(&mut self, idle: bool) {
        let now = Instant::now();
        let backlog = self.sources.backlog();
        let Self { intake, sources, .. } = self;
        let load = || {
            let lost = sources.stats().iter().map(|(_, stats)| stats.dropped + stats.refused).sum::<u64>();
            Load {
                read: intake.packets,
                lost,
                passed: intake.shard.flow_stats().shed.total(),
                last: intake.last,
            }
        };
        if let Some(level) = self.overload.update(backlog, now, load) {
            let mut flows = level.flows();
            // Which flows are open is known here alone; of all flows a share is refused before it costs anything.
            let of_all = if flows.only_new { 0 } else { flows.share };
            if self.sources.shed(of_all) {
                flows.share -= of_all;
            }
            self.intake.shard.shed(level.bodies(), flows);
        }
        if now.saturating_duration_since(self.published) < PERIOD {
            return;
        }
        self.published = now;
        if idle && self.sources.are_live() {
            self.intake.shard.advance(Timestamp(clock::now().0.saturating_sub(BEHIND)).max(self.intake.last));
        }
        self.intake.shard.output().flush();
        self.publish();
    }

    fn publish(&mut self) {
        let watched = self.shared.watched.load(Ordering::Relaxed);
        let mut origins = self.intake.origins.clone();
        let names = if watched { ENDPOINTS } else { 0 };
        let (by_class, endpoints) = self.intake.shard.output().transactions(names);
        let encrypted = self.intake.shard.output().encrypted(names);
        origins.add(self.intake.shard.output().origins());
        let snapshot = Snapshot {
            packets: self.intake.packets,
            bytes: self.intake.bytes,
            last: self.intake.last,
            front: self.intake.front.stats(),
            flow: *self.intake.shard.flow_stats(),
            http: *self.intake.shard.http_stats(),
            sources: self.sources.stats(),
            backlog: self.sources.backlog(),
            level: self.overload.level(),
            origins,
            by_class,
            endpoints,
            encrypted,
        };
        *self.shared.published() = snapshot;
    }
}

/// What takes packets in.
pub struct Intake {
    front: Front,
    shard: Shard<Sinks>,
    origins: Origins,
    packets: u64,
    bytes: u64,
    last: Timestamp,
}

impl Intake {
    /// Decodes packets of the source with this number and hands their segments to the shard, in order.
    pub fn take<'p>(&mut self, source: u16, lent: impl Iterator<Item = Packet<'p>>) {
        let Self { front, shard, origins, packets, bytes, last } = self;
        shard.set_source(source);
        let frames = lent.map(|packet| {
            *packets += 1;
            *bytes += packet.data.len() as u64;
            *last = packet.ts.max(*last);
            (packet.ts, packet.dlt, packet.data)
        });
        front.frames(frames, &mut |segments| {
            // Neighbours are mostly of the same network.
            for run in segments.chunk_by(|(_, a), (_, b)| a.encap.vni == b.encap.vni) {
                let Some((_, first)) = run.first() else { continue };
                let seen = origins.of(Origin { source, vni: first.encap.vni });
                seen.segments += run.len() as u64;
                for (_, segment) in run {
                    seen.payload += segment.payload.len() as u64;
                    seen.from_server += u64::from(segment.sport < segment.dport);
                    seen.cut += u64::from(segment.truncated > 0);
                }
            }
            shard.segments(segments);
        });
        while let Some(hello) = front.take_hello() {
            shard.quic(hello);
        }
    }
}
