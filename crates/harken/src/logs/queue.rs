//! The queue between those who make lines and the one thread that writes them.
//!
//! It is bounded by the memory that its blocks hold, not by the bytes in them: a block of one line in a buffer
//! of 256 KiB costs 256 KiB. So that a slow hour with a stuck disk does not fill it with such blocks, lines that
//! fit into the spare room of the block before them are copied there. The lock is held for copying lines, never
//! while a file is touched: sending does not wait for the disk.
use super::buffer::Buffer;
use super::stats::{Counters, count};
use std::collections::VecDeque;
use std::mem;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Size of a buffer, unless what is sent at once is more: four blocks of 64 KiB with the lines that completed them.
const BUFFER: usize = 260 << 10;
/// Buffers that may wait to be used again: 8 MiB.
const FREE: usize = (8 << 20) / BUFFER;
/// The smallest queue: room for a block of each log.
const SMALLEST: usize = 4 << 20;

/// Whole lines of one log.
#[derive(Debug)]
pub struct Block {
    /// The lines.
    pub bytes: Buffer,
    /// How many.
    pub lines: u64,
    /// Memory it is charged for.
    charge: usize,
}

/// What the writer has to do next.
#[derive(Debug)]
pub enum Work {
    /// A block of that log.
    Block(usize, Block),
    /// Nothing came in time, or a command did.
    Look,
}

/// The queue.
#[derive(Debug)]
pub struct Queue {
    state: Mutex<State>,
    wake: Condvar,
    limit: usize,
    share: usize,
    counters: Arc<Counters>,
}

#[derive(Debug)]
struct State {
    logs: Vec<Waiting>,
    charged: usize,
    free: Vec<Buffer>,
    /// How many of them nobody has needed since the last [`Queue::trim`].
    idle: usize,
    /// The log that is looked at first: none starves another.
    next: usize,
    rotate: bool,
    poked: bool,
    close_by: Option<Instant>,
    closed: bool,
}

#[derive(Debug)]
struct Waiting {
    blocks: VecDeque<Block>,
    /// Memory of these and of the block that is being written.
    charged: usize,
}

impl Queue {
    /// A queue for `logs` logs that holds `limit` bytes of memory (at least 4 MiB). When there are several
    /// logs, none takes more than half of it: one that cannot be written does not silence the others.
    pub fn new(logs: usize, limit: usize, counters: Arc<Counters>) -> Self {
        let limit = limit.max(SMALLEST);
        let waiting = || Waiting { blocks: VecDeque::with_capacity(64), charged: 0 };
        let state = State {
            logs: (0..logs).map(|_| waiting()).collect(),
            charged: 0,
            free: Vec::with_capacity(FREE),
            idle: 0,
            next: 0,
            rotate: false,
            poked: false,
            close_by: None,
            closed: false,
        };
        let share = if logs > 1 { limit / 2 } else { limit };
        Self { state: Mutex::new(state), wake: Condvar::new(), limit, share, counters }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands over whole lines of log `which`. When there is no room they are dropped and counted.
    pub fn send(&self, which: usize, block: &[u8], lines: u64) {
        if block.is_empty() {
            return;
        }
        let (is_sent, charged) = {
            let mut state = self.lock();
            (self.push(&mut state, which, block, lines), state.charged)
        };
        self.counters.waiting.store(charged as u64, Ordering::Relaxed);
        if !is_sent {
            self.counters.dropped(which, lines);
        }
        self.wake.notify_one();
    }

    /// Whether there was room.
    fn push(&self, state: &mut State, which: usize, block: &[u8], lines: u64) -> bool {
        let Some(log) = state.logs.get_mut(which).filter(|_| !state.closed) else { return false };
        if let Some(last) = log.blocks.back_mut()
            && last.bytes.append(block)
        {
            last.lines += lines;
            return true;
        }
        let capacity = BUFFER.max(block.len());
        let charge = capacity + size_of::<Block>();
        if state.charged + charge > self.limit || log.charged + charge > self.share {
            return false;
        }
        let free = if capacity == BUFFER { state.free.pop() } else { None };
        state.idle = state.idle.min(state.free.len());
        let made = free.is_none();
        // Without memory the lines are dropped, as without room.
        let Some(mut bytes) = free.or_else(|| Buffer::new(capacity).ok()) else { return false };
        if made {
            count(&self.counters.buffers);
        }
        bytes.append(block);
        state.charged += charge;
        log.charged += charge;
        log.blocks.push_back(Block { bytes, lines, charge });
        true
    }

    /// The next block of a log that `wanted` accepts. Waits for at most `wait`.
    pub fn take(&self, wait: Duration, wanted: impl Fn(usize) -> bool) -> Work {
        let until = Instant::now() + wait;
        let mut state = self.lock();
        loop {
            if let Some((which, block)) = state.pop(&wanted) {
                return Work::Block(which, block);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || state.rotate || mem::take(&mut state.poked) {
                return Work::Look;
            }
            state = self.wake.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Takes a block back that was written or given up, so that its buffer is used again.
    pub fn give_back(&self, which: usize, block: Block) {
        let unused = {
            let mut state = self.lock();
            state.charged = state.charged.saturating_sub(block.charge);
            if let Some(log) = state.logs.get_mut(which) {
                log.charged = log.charged.saturating_sub(block.charge);
            }
            self.counters.waiting.store(state.charged as u64, Ordering::Relaxed);
            state.keep(block.bytes)
        };
        // Freed without the lock.
        drop(unused);
    }

    /// Frees the buffers that nobody has needed since the last call, which are those of a burst, or of a time when
    /// the disk was slow.
    pub fn trim(&self) {
        let unused = {
            let mut state = self.lock();
            let idle = state.idle.min(state.free.len());
            let unused: Vec<_> = state.free.drain(..idle).collect();
            state.idle = state.free.len();
            unused
        };
        // Freed without the lock.
        drop(unused);
    }

    /// Memory that its blocks may hold, in bytes.
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// Asks for a rotation of all logs.
    pub fn rotate(&self) {
        self.lock().rotate = true;
        self.wake.notify_one();
    }

    /// Whether a rotation was asked for, once.
    pub fn take_rotate(&self) -> bool {
        mem::take(&mut self.lock().rotate)
    }

    /// Has the writer look at the clock.
    #[cfg(test)]
    pub fn poke(&self) {
        self.lock().poked = true;
        self.wake.notify_one();
    }

    /// Asks the writer to write what waits and to end, at the latest at `by`.
    pub fn close(&self, by: Instant) {
        let mut state = self.lock();
        state.close_by = Some(by);
        state.poked = true;
        drop(state);
        self.wake.notify_one();
    }

    /// The latest end, when it was asked for.
    pub fn close_by(&self) -> Option<Instant> {
        self.lock().close_by
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.lock().logs.iter().all(|log| log.blocks.is_empty())
    }

    /// Takes nothing more, and drops and counts what still waits.
    pub fn shut(&self) {
        let mut state = self.lock();
        state.closed = true;
        for (which, log) in state.logs.iter_mut().enumerate() {
            for block in log.blocks.drain(..) {
                self.counters.dropped(which, block.lines);
            }
        }
    }
}

impl State {
    fn pop(&mut self, wanted: &impl Fn(usize) -> bool) -> Option<(usize, Block)> {
        let count = self.logs.len();
        for step in 0..count {
            let which = (self.next + step) % count;
            let waiting = self.logs.get_mut(which).filter(|_| wanted(which));
            if let Some(block) = waiting.and_then(|log| log.blocks.pop_front()) {
                self.next = which + 1;
                return Some((which, block));
            }
        }
        None
    }

    /// Keeps a buffer to be used again, or returns it to be freed.
    fn keep(&mut self, mut buffer: Buffer) -> Option<Buffer> {
        if buffer.capacity() != BUFFER || self.free.len() >= FREE {
            return Some(buffer);
        }
        buffer.clear();
        self.free.push(buffer);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(logs: usize) -> Queue {
        Queue::new(logs, SMALLEST, Arc::new(Counters::new((0..logs).map(|_| "x.log"))))
    }

    /// One line goes through the queue.
    fn send_and_take(queue: &Queue) {
        queue.send(0, b"a line\n", 1);
        let Work::Block(0, taken) = queue.take(Duration::ZERO, |_| true) else { panic!() };
        queue.give_back(0, taken);
    }

    #[test]
    fn small_blocks_share_a_buffer() {
        let queue = queue(1);
        for _ in 0..10_000 {
            queue.send(0, b"a line\n", 1);
        }
        let stats = queue.counters.stats();
        assert_eq!((stats.dropped_lines(), stats.buffers), (0, 1));
        let Work::Block(0, all) = queue.take(Duration::ZERO, |_| true) else { panic!() };
        assert_eq!((all.bytes.len(), all.lines), (70_000, 10_000));
        queue.give_back(0, all);
        assert_eq!(queue.counters.stats().waiting_bytes, 0);
    }

    #[test]
    fn memory_is_bounded_and_a_stuck_log_leaves_room_for_others() {
        let queue = queue(2);
        let big = vec![b'x'; BUFFER];
        for _ in 0..100 {
            queue.send(0, &big, 3);
        }
        let stats = queue.counters.stats();
        assert!(stats.waiting_bytes <= SMALLEST as u64 / 2);
        let kept = SMALLEST / 2 / (BUFFER + size_of::<Block>());
        assert_eq!(stats.logs[0].dropped_blocks, 100 - kept as u64);
        assert_eq!(stats.logs[0].dropped_lines, 3 * (100 - kept as u64));
        queue.send(1, &big, 1);
        assert_eq!(queue.counters.stats().logs[1].dropped_blocks, 0);
        // The stuck log is passed over.
        assert!(matches!(queue.take(Duration::ZERO, |which| which != 0), Work::Block(1, _)));
        assert!(matches!(queue.take(Duration::ZERO, |which| which != 0), Work::Look));
        queue.shut();
        assert_eq!(queue.counters.stats().logs[0].dropped_lines, 300);
    }

    #[test]
    fn buffers_go_round() {
        let queue = queue(1);
        for _ in 0..1000 {
            send_and_take(&queue);
        }
        assert_eq!(queue.counters.stats().buffers, 1);
    }

    #[test]
    fn a_long_line_has_a_buffer_of_its_own_which_is_not_kept() {
        let queue = queue(1);
        queue.send(0, &[b'x'; BUFFER + 1], 1);
        let Work::Block(0, taken) = queue.take(Duration::ZERO, |_| true) else { panic!() };
        assert_eq!((taken.bytes.len(), taken.lines), (BUFFER + 1, 1));
        queue.give_back(0, taken);
        assert!(queue.lock().free.is_empty());
    }

    #[test]
    fn buffers_of_a_burst_are_given_back_and_the_others_stay() {
        let queue = queue(1);
        let held = || queue.lock().free.len();
        for _ in 0..10 {
            queue.send(0, &[b'x'; BUFFER], 1);
        }
        while let Work::Block(0, taken) = queue.take(Duration::ZERO, |_| true) {
            queue.give_back(0, taken);
        }
        assert_eq!(held(), 10);
        queue.trim();
        assert_eq!(held(), 10, "the burst was in this time");
        send_and_take(&queue);
        queue.trim();
        assert_eq!(held(), 1, "the one that goes round is needed");
        let made = queue.counters.stats().buffers;
        send_and_take(&queue);
        queue.trim();
        send_and_take(&queue);
        assert_eq!((held(), queue.counters.stats().buffers), (1, made));
    }
}
