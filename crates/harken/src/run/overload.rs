//! What a worker leaves undone when more arrives than it has time for.
//!
//! The measure is how full the buffer between kernel and worker is. Each step is taken only when the one before
//! did not help, and given back when there is room: first bodies, then connections that nobody can read, then a
//! share of the new connections, then a share of all. How large the share is follows from what the worker has
//! worked off while it had no rest, and from what arrives, so that it fits after one look and not after many: a
//! share that is too large leaves the worker idle, one that is too small has the kernel drop packets of every
//! connection. What is left undone is counted.
use harken_engine::Shedding;
use std::time::{Duration, Instant};

/// Percent of the buffer above which more is left undone.
const HIGH: u8 = 50;
/// Percent of the buffer below which there is room. A UDP source that keeps up may show 25.
const LOW: u8 = 30;
/// Time between two looks, over which rates are taken.
const WINDOW: Duration = Duration::from_millis(250);
/// Time between the first steps up, which need no rates.
const QUICK: Duration = Duration::from_millis(50);
/// The largest share, in 256ths: something is always read.
const MAX_SHARE: u8 = 240;
/// Of what was worked off without rest, what is aimed at: the buffer has to become empty again.
const DRAIN: f64 = 0.97;
/// What is tried while there is room, of what is known to be possible.
const PROBE: f64 = 1.25;

/// How much is left undone; the larger, the more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Level {
    /// 0 nothing; 1 bodies; 2 opaque flows, too; 3 a share of new flows, too; 4 a share of all flows, too.
    pub step: u8,
    /// 256ths of flows, at steps 3 and 4.
    pub share: u8,
}

impl Level {
    /// Bodies are neither decoded nor kept.
    pub const fn bodies(self) -> bool {
        self.step >= 1
    }

    /// What is left undone of flows.
    pub const fn flows(self) -> Shedding {
        Shedding { opaque: self.step >= 2, share: self.share, only_new: self.step < 4 }
    }

    /// For people.
    pub fn name(self) -> String {
        let percent = u32::from(self.share) * 100 / 256;
        match self.step {
            0 => "nothing".to_owned(),
            1 => "bodies".to_owned(),
            2 => "bodies, opaque flows".to_owned(),
            3 => format!("bodies, opaque flows, {percent} % of new flows"),
            _ => format!("bodies, opaque flows, {percent} % of all flows"),
        }
    }
}

/// Packets since the start.
#[derive(Clone, Copy, Default, Debug)]
pub struct Load {
    /// Came, whatever became of them.
    pub arrived: u64,
    /// Were analysed.
    pub worked: u64,
}

/// Decides how much is left undone.
#[derive(Debug)]
pub struct Overload {
    level: Level,
    /// When the window began.
    since: Instant,
    /// What had come until then.
    before: Load,
    /// How full the buffer was at most since then.
    peak: u8,
    /// Packets a second that can be worked off, as far as is known.
    capacity: f64,
}

impl Overload {
    /// Nothing is left undone.
    pub fn new(now: Instant) -> Self {
        Self { level: Level::default(), since: now, before: Load::default(), peak: 0, capacity: 0.0 }
    }

    /// The level now.
    pub const fn level(&self) -> Level {
        self.level
    }

    /// Takes note of how full the buffer is, in percent. Returns the level when it has changed.
    pub fn update(&mut self, backlog: u8, now: Instant, load: impl FnOnce() -> Load) -> Option<Level> {
        self.peak = self.peak.max(backlog);
        let waited = now.saturating_duration_since(self.since);
        let window = if self.peak >= HIGH && self.level.step < 2 { QUICK } else { WINDOW };
        if waited < window {
            return None;
        }
        let peak = std::mem::take(&mut self.peak);
        let load = load();
        let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / waited.as_secs_f64();
        let arrived = rate(load.arrived, self.before.arrived);
        let worked = rate(load.worked, self.before.worked);
        (self.since, self.before) = (now, load);
        let Level { step, share } = self.level;
        match peak {
            // A window may hold more or less of the time that the system gives: the lesser figure counts, since
            // packets that are dropped at random cost more than a connection that is passed over.
            HIGH.. if step >= 3 => self.capacity = self.capacity.min(worked * DRAIN),
            HIGH.. => self.capacity = worked * DRAIN,
            ..LOW => self.capacity = self.capacity.max(worked) * PROBE,
            _ => {}
        }
        let fitting = match arrived > self.capacity {
            true => ((1.0 - self.capacity / arrived) * 256.0).clamp(0.0, f64::from(MAX_SHARE)) as u8,
            false => 0,
        };
        let level = match peak {
            HIGH.. if step < 2 => Level { step: step + 1, share: 0 },
            HIGH.. => Level { step: 4.min(step + 1), share: fitting.max(1) },
            ..LOW => match (step, share.min(fitting)) {
                (0, _) => Level::default(),
                (1 | 2, _) => Level { step: step - 1, share: 0 },
                (_, 0) => Level { step: 2, share: 0 },
                (step, share) => Level { step, share },
            },
            _ => self.level,
        };
        if level == self.level {
            return None;
        }
        self.level = level;
        Some(level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A worker that can read so many packets a second, its buffer, and what arrives. (The levels have effect
    /// at once, which is what a filter in the kernel does.)
    struct Model {
        overload: Overload,
        now: Instant,
        load: Load,
        buffered: u64,
        dropped: u64,
    }

    /// Packets that the worker can read in 10 ms, and that its buffer holds.
    const SPEED: u64 = 1000;
    const BUFFER: u64 = 25_000;

    impl Model {
        fn new() -> Self {
            let now = Instant::now();
            let (overload, load) = (Overload::new(now), Load::default());
            Self { overload, now, load, buffered: 0, dropped: 0 }
        }

        /// So many packets arrive each 10 ms.
        fn run(&mut self, arriving: u64, seconds: u64) -> Vec<(u8, u8)> {
            self.ticks(arriving, seconds * 100)
        }

        /// The same, for so many times 10 ms.
        fn ticks(&mut self, arriving: u64, ticks: u64) -> Vec<(u8, u8)> {
            let mut changes = Vec::new();
            for _ in 0..ticks {
                self.now += Duration::from_millis(10);
                self.load.arrived += arriving;
                let level = self.overload.level();
                let refused = if level.step == 4 { arriving * u64::from(level.share) / 256 } else { 0 };
                let wanted = self.buffered + arriving - refused;
                let read = wanted.min(SPEED);
                self.buffered = (wanted - read).min(BUFFER);
                self.dropped += wanted - read - self.buffered;
                self.load.worked += read;
                let load = self.load;
                let backlog = (self.buffered * 100 / BUFFER) as u8;
                changes.extend(self.overload.update(backlog, self.now, || load).map(|l| (l.step, l.share)));
            }
            changes
        }
    }

    #[test]
    fn what_fits_is_found_and_everything_comes_back() {
        for (factor, share) in [(125, 51), (200, 128), (400, 192)] {
            let mut model = Model::new();
            assert_eq!(model.run(SPEED / 2, 5), [], "no overload");
            let steps = model.run(SPEED * factor / 100, 3);
            let order: Vec<u8> = steps.iter().map(|(step, _)| *step).collect();
            assert!(order.starts_with(&[1, 2, 3, 4]), "one after the other: {steps:?}");
            let found = model.overload.level().share;
            assert!(found.abs_diff(share) <= 16, "{factor} %: {found}, not about {share}: {steps:?}");
            let (worked, dropped) = (model.load.worked, model.dropped);
            let steps = model.run(SPEED * factor / 100, 60);
            let done = (model.load.worked - worked) as f64 / (60 * 100 * SPEED) as f64;
            assert!(done > 0.9, "{factor} %: {done} of what is possible, {steps:?}");
            let lost = (model.dropped - dropped) as f64 / (60 * SPEED * factor) as f64;
            assert!(lost < 0.02, "{factor} %: {lost} were dropped at random, {steps:?}");
            model.run(SPEED / 2, 5);
            assert_eq!(model.overload.level(), Level::default(), "the load has fallen");
            assert_eq!(model.run(SPEED / 2, 5), []);
        }
    }

    #[test]
    fn something_is_always_read() {
        let mut model = Model::new();
        model.run(SPEED * 1000, 30);
        assert!(model.overload.level().share <= MAX_SHARE);
    }

    #[test]
    fn a_short_burst_that_the_buffer_holds_costs_no_connection() {
        let mut model = Model::new();
        model.run(SPEED / 2, 5);
        for _ in 0..20 {
            model.ticks(SPEED * 2, 10);
            assert!(model.buffered > BUFFER / 4, "it is a burst");
            model.run(SPEED / 2, 1);
        }
        assert_eq!((model.overload.level(), model.dropped), (Level::default(), 0));
    }
}
