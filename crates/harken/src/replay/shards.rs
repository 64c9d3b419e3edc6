//! One shard on this thread, or several on threads of their own.
use super::{Done, ReplayShard, conclude};
use crate::sinks::{Plan, Sinks};
use crate::summary::Summary;
use anyhow::{Context, Result, anyhow};
use arrayvec::ArrayVec;
use harken_engine::{BATCH, Config, QuicHello, Shard, shard_of};
use harken_flow::TunnelInKey;
use harken_wire::{Segment, Timestamp};
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Segments that travel together.
const TOGETHER: usize = 512;
/// Batches that may wait for a shard; reading a file then waits, so that nothing is lost.
const QUEUE: usize = 16;
/// Segments read after which every batch is sent, so that time passes for idle shards, too.
const FLUSH_EVERY: u64 = 16_384;

/// The shards of a run.
pub enum Shards {
    /// All on this thread.
    One(Box<ReplayShard>),
    /// Each on a thread of its own.
    Many(Many),
}

/// The shards that run on threads.
pub struct Many {
    workers: Vec<Worker>,
    key: TunnelInKey,
    segments: u64,
    /// Packet time of the whole input.
    now: Timestamp,
}

struct Worker {
    batch: Batch,
    full: SyncSender<Batch>,
    empty: Receiver<Batch>,
    thread: JoinHandle<Done>,
}

/// Segments with their payload copied out of the reader's window.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    items: Vec<Item>,
    hellos: Vec<QuicHello>,
    /// Packet time of the whole input when the batch was sent.
    now: Timestamp,
}

struct Item {
    ts: Timestamp,
    segment: Segment<'static>,
    payload: Range<usize>,
}

impl Shards {
    /// `threads` shards.
    pub fn new(threads: usize, config: &Config, plan: &Arc<Plan>) -> Result<Self> {
        if threads <= 1 {
            return Ok(Self::One(Box::new(Shard::new(config, Sinks::new(plan, config)?))));
        }
        let mut workers = Vec::new();
        for number in 0..threads {
            let (full, full_end) = sync_channel::<Batch>(QUEUE);
            let (empty_end, empty) = sync_channel::<Batch>(QUEUE + 2);
            let shard = Shard::new(config, Sinks::new(plan, config)?);
            let thread = std::thread::Builder::new()
                .name(format!("shard-{number}"))
                .spawn(move || work(shard, &full_end, &empty_end))
                .context("cannot start a thread")?;
            workers.push(Worker { batch: Batch::default(), full, empty, thread });
        }
        Ok(Self::Many(Many { workers, key: config.flow.tunnel_in_key, segments: 0, now: Timestamp(0) }))
    }

    /// Takes segments, in order.
    #[inline]
    pub fn segments(&mut self, segments: &[(Timestamp, Segment<'_>)]) {
        match self {
            Self::One(shard) => shard.segments(segments),
            Self::Many(many) => segments.iter().for_each(|(ts, segment)| many.segment(*ts, segment)),
        }
    }

    /// Takes a connection of QUIC that has begun.
    pub fn quic(&mut self, hello: QuicHello) {
        match self {
            Self::One(shard) => shard.quic(hello),
            Self::Many(many) => {
                if let Some(worker) = many.workers.first_mut() {
                    worker.batch.hellos.push(hello);
                }
            }
        }
    }

    /// The input is over: waits for every shard and adds up what they counted.
    pub fn finish(self) -> Result<Done> {
        match self {
            Self::One(shard) => Ok(conclude(*shard)),
            Self::Many(many) => many.finish(),
        }
    }
}

fn work(mut shard: ReplayShard, full: &Receiver<Batch>, empty: &SyncSender<Batch>) -> Done {
    for mut batch in full {
        for items in batch.items.chunks(BATCH) {
            let whole = items.iter().map(|item| {
                let payload = batch.bytes.get(item.payload.clone()).unwrap_or_default();
                (item.ts, Segment { payload, ..item.segment })
            });
            shard.segments(&whole.collect::<ArrayVec<_, BATCH>>());
        }
        batch.hellos.drain(..).for_each(|hello| shard.quic(hello));
        shard.advance(batch.now);
        batch.items.clear();
        batch.bytes.clear();
        // The other end is gone when the input is over: the buffers are not needed any more.
        let _ = empty.try_send(batch);
    }
    conclude(shard)
}

impl Many {
    fn segment(&mut self, ts: Timestamp, segment: &Segment<'_>) {
        let index = shard_of(segment, self.key, self.workers.len());
        if let Some(worker) = self.workers.get_mut(index) {
            worker.push(ts, segment);
        }
        self.now = ts;
        self.segments += 1;
        if self.segments.is_multiple_of(FLUSH_EVERY) {
            for worker in &mut self.workers {
                worker.send(ts);
            }
        }
    }

    fn finish(self) -> Result<Done> {
        let (mut summary, mut flow, mut http) =
            (Summary::default(), harken_flow::Stats::default(), harken_http::Stats::default());
        for mut worker in self.workers {
            worker.send(self.now);
            drop(worker.full);
            let done = worker.thread.join().map_err(|_| anyhow!("a shard's thread has panicked"))?;
            summary.merge(done.0);
            flow.add(&done.1);
            http.add(&done.2);
        }
        Ok((summary, flow, http))
    }
}

impl Worker {
    #[inline]
    fn push(&mut self, ts: Timestamp, segment: &Segment<'_>) {
        let start = self.batch.bytes.len();
        self.batch.bytes.extend_from_slice(segment.payload);
        let payload = start..self.batch.bytes.len();
        self.batch.items.push(Item { ts, segment: Segment { payload: &[], ..*segment }, payload });
        if self.batch.items.len() >= TOGETHER {
            self.send(ts);
        }
    }

    fn send(&mut self, now: Timestamp) {
        let mut batch = self.empty.try_recv().unwrap_or_default();
        std::mem::swap(&mut batch, &mut self.batch);
        batch.now = now;
        // A shard whose thread has panicked takes nothing; `finish` reports it.
        let _ = self.full.send(batch);
    }
}
