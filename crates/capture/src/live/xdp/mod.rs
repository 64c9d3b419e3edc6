//! Tunnel packets taken off an interface before the kernel's network stack sees them: AF_XDP (cargo feature
//! `af_xdp`).
//!
//! An XDP program on the interface sends tunnel packets to sockets, a queue of the card and a worker each, and
//! lets everything else pass. It is attached by a link whose descriptor belongs to the sources: when the last of
//! them goes, at the latest with the process, the interface is as it was before.
//!
//! | file | what |
//! |---|---|
//! | `open.rs` | from an interface to sockets and a program, in the best way that works |
//! | `queue.rs` | the sockets on one receive queue (`unsafe`) |
//! | `memory.rs` | the memory that they share with the kernel (`unsafe`) |
//! | `program.rs` | the program |
//! | `kernel.rs` | `bpf(2)` (`unsafe`) |
mod kernel;
mod memory;
mod open;
mod program;
mod queue;

pub(crate) use open::open;

use super::{LiveBatch, LiveStats, sys};
use crate::reader::Located;
use memory::{Counter, Frame};
use queue::Queue;
use std::{
    fmt, io,
    os::fd::OwnedFd,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// How tunnel packets are taken off an interface by AF_XDP.
#[derive(Clone, Debug)]
pub struct AfXdpConfig {
    /// The interface's name; one with Ethernet frames.
    pub interface: String,
    /// Bytes of memory for packets, for each worker. It is shared out over the card's queues.
    pub memory: usize,
    /// Take packets that are for other stations too, as a tap or a mirror port delivers them.
    pub promiscuous: bool,
    /// How many workers share the packets, at least 1.
    pub workers: u16,
    /// Which ports are those of tunnels: packets to them are taken, and shared by what is in them.
    pub tunnels: harken_wire::Config,
    /// Do not try the driver's own XDP, but go at once for the generic one, which any interface has.
    pub generic: bool,
}

impl Default for AfXdpConfig {
    /// No interface: 32 MiB for one worker.
    fn default() -> Self {
        Self {
            interface: String::new(),
            memory: 32 << 20,
            promiscuous: true,
            workers: 1,
            tunnels: harken_wire::Config::default(),
            generic: false,
        }
    }
}

/// How packets come from the card into the sockets' memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    /// The card writes them there.
    ZeroCopy,
    /// The driver runs the program; what is taken is copied once.
    Native,
    /// The kernel runs the program on a packet of its own; what is taken is copied once more.
    Generic,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ZeroCopy => "native mode, zero copy",
            Self::Native => "native mode, with a copy",
            Self::Generic => "generic mode",
        })
    }
}

/// Bytes of packets in several frames that are put together for one batch; then the batch ends.
const PIECES: usize = 256 << 10;
/// The longest packet that is put together; what is behind is cut off.
const LONGEST: usize = 64 << 10;
/// What a frame allows a pause to be longer: as if packets came at 30 million a second, of which there can be no
/// more on a link of 20 Gbit/s.
const PAUSE: Duration = Duration::from_nanos(30);
/// The longest pause: how late a packet may be when others came just before it.
const LONGEST_PAUSE: Duration = Duration::from_millis(1);
/// How often an idle worker looks after the interface.
const LOOK: Duration = Duration::from_secs(1);

/// What the workers of an interface have in common.
struct Common {
    name: String,
    /// The kernel's number of the interface.
    index: u32,
    queues: Vec<Queue>,
    /// A packet socket that receives nothing: it keeps the interface promiscuous, and is asked about it.
    guard: OwnedFd,
    /// Packets with perhaps a tunnel that were left to the kernel.
    passed: Counter,
    /// The program is attached as long as this is open.
    _link: OwnedFd,
}

/// One worker's source.
pub(crate) struct AfXdp {
    common: Arc<Common>,
    worker: usize,
    /// The queue that is asked next.
    next: usize,
    held: Held,
    located: Vec<Located>,
    /// What is waited for.
    polled: Vec<libc::pollfd>,
    /// How long to let packets come together.
    pause: Duration,
    looked: Instant,
    down: bool,
    notes: Vec<String>,
    stats: LiveStats,
}

/// The packets of a batch: frames of one queue, and packets that came in pieces.
pub(crate) struct Held {
    common: Arc<Common>,
    queue: usize,
    frames: Vec<Frame>,
    together: Vec<u8>,
}

/// Places of `Located` from here on are those of packets that came in pieces.
const TOGETHER: usize = 1 << 31;

impl Held {
    /// What was located: a frame by its number, or a packet that was put together.
    #[inline]
    pub(crate) fn bytes(&self, at: usize, len: usize) -> Option<&[u8]> {
        match at.checked_sub(TOGETHER) {
            Some(at) => self.together.get(at..)?.get(..len),
            None => Some(self.common.queues.get(self.queue)?.frames.bytes(self.frames.get(at)?)),
        }
    }

    /// Copies a packet that lies in several frames, of which this is the first. The kernel puts all of them on the
    /// ring at once. Gives where it begins, its length on the wire, and whether all of it came.
    #[cold]
    fn put_together(&mut self, queue: &Queue, worker: usize, first: Frame) -> (usize, u32, bool) {
        let (at, mut wire_len) = (self.together.len(), 0_u32);
        let (mut frame, mut more) = (first, true);
        loop {
            let bytes = queue.frames.bytes(&frame);
            wire_len = wire_len.saturating_add(bytes.len() as u32);
            let room = LONGEST.saturating_sub(self.together.len() - at);
            self.together.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
            self.frames.push(frame);
            if !more {
                return (at, wire_len, true);
            }
            let Some((address, len, flags)) = queue.receive(worker) else { return (at, wire_len, false) };
            let Some(next) = queue.frames.take(address, len) else { return (at, wire_len, false) };
            (frame, more) = (next, flags & libc::XDP_PKT_CONTD != 0);
        }
    }

    /// Gives the frames back to the kernel.
    fn clear(&mut self) {
        self.together.clear();
        if !self.frames.is_empty() {
            match self.common.queues.get(self.queue) {
                Some(queue) => queue.give_back(self.frames.drain(..)),
                None => self.frames.clear(),
            }
        }
    }
}

impl AfXdp {
    fn new(common: Arc<Common>, worker: usize, notes: Vec<String>) -> Self {
        let held = Held { common: Arc::clone(&common), queue: 0, frames: Vec::new(), together: Vec::new() };
        let sockets = common.queues.iter().filter_map(|queue| queue.socket(worker));
        let polled = sockets.map(sys::readable).collect();
        let frames = common.queues.iter().map(|queue| queue.frames.count()).min().unwrap_or(0);
        let pause = PAUSE.saturating_mul(frames).min(LONGEST_PAUSE);
        Self {
            common,
            worker,
            next: 0,
            held,
            located: Vec::new(),
            polled,
            pause,
            looked: Instant::now(),
            down: false,
            notes,
            stats: LiveStats::default(),
        }
    }

    pub(crate) fn next_batch(&mut self, max: usize, timeout: Duration) -> io::Result<LiveBatch<'_>> {
        let busy = !self.located.is_empty();
        self.located.clear();
        // What was lent has come back, since `self` is ours again.
        self.held.clear();
        self.take(max);
        if self.located.is_empty() && busy && !timeout.is_zero() {
            // A wake-up costs as much as many packets: let some come together.
            thread::sleep(self.pause.min(timeout));
            self.take(max);
        }
        if self.located.is_empty() {
            // Also with no time to wait: it has a driver that sleeps go on.
            sys::poll(&mut self.polled, timeout)?;
            self.take(max);
            if self.located.is_empty() && self.looked.elapsed() >= LOOK {
                self.look_after_interface()?;
            }
        }
        Ok(LiveBatch::of_frames(&self.held, &self.located))
    }

    /// Takes the packets of the next queue that has some.
    fn take(&mut self, max: usize) {
        let count = self.common.queues.len();
        for _ in 0..count {
            let queue = self.next;
            self.next = (self.next + 1) % count.max(1);
            self.held.queue = queue;
            self.take_from(queue, max);
            if !self.located.is_empty() {
                break;
            }
            // Frames without a packet, if any.
            self.held.clear();
        }
        self.stats.received += self.located.len() as u64;
    }

    fn take_from(&mut self, number: usize, max: usize) {
        let Self { common, worker, held, located, stats, .. } = self;
        let Some(queue) = common.queues.get(number) else { return };
        let mut ts = None;
        while located.len() < max && held.together.len() < PIECES {
            let Some((address, len, flags)) = queue.receive(*worker) else { return };
            let Some(frame) = queue.frames.take(address, len) else {
                stats.malformed += 1;
                continue;
            };
            // The sockets give no time: it is that of the batch.
            let ts = *ts.get_or_insert_with(super::now);
            if flags & libc::XDP_PKT_CONTD == 0 {
                let at = held.frames.len();
                held.frames.push(frame);
                located.push(Located { ts, dlt: 1, at, len: len as usize, wire_len: len });
                continue;
            }
            let (at, wire_len, whole) = held.put_together(queue, *worker, frame);
            let len = held.together.len() - at;
            stats.malformed += u64::from(!whole);
            stats.truncated += u64::from((len as u64) < u64::from(wire_len));
            located.push(Located { ts, dlt: 1, at: at + TOGETHER, len, wire_len });
        }
    }

    /// Whether the interface is there, and up.
    #[cold]
    fn look_after_interface(&mut self) -> io::Result<()> {
        self.looked = Instant::now();
        let Common { name, index, guard, .. } = &*self.common;
        if sys::interface_index(guard, name) != Some(*index) {
            self.stats.downs += u64::from(!self.down);
            self.down = true;
            return Err(io::Error::other(format!(
                "{name} went away, and its XDP program with it; to attach it anew needs privileges that were given \
                 up: start again when it is back"
            )));
        }
        let up = sys::is_up(guard, name)?;
        self.stats.downs += u64::from(!up && !self.down);
        self.stats.ups += u64::from(up && self.down);
        self.down = !up;
        Ok(())
    }

    pub(crate) fn stats(&mut self) -> LiveStats {
        (self.stats.dropped, self.stats.freezes) = (0, 0);
        for queue in &self.common.queues {
            let counted = queue.counted(self.worker);
            self.stats.dropped = self.stats.dropped.saturating_add(counted.dropped);
            // Of all workers together: once is enough.
            if self.worker == 0 {
                self.stats.freezes = self.stats.freezes.saturating_add(counted.starved);
            }
        }
        if self.worker == 0 {
            self.stats.passed = self.common.passed.get();
        }
        self.stats
    }

    pub(crate) fn backlog(&self) -> u8 {
        self.common.queues.iter().map(Queue::backlog).max().unwrap_or(0)
    }

    pub(crate) fn poll_for(&self, sockets: &mut Vec<libc::pollfd>) {
        sockets.extend_from_slice(&self.polled);
    }

    pub(crate) fn name(&self) -> &str {
        &self.common.name
    }

    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }
}
