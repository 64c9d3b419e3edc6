//! What a worker leaves undone when more arrives than it has time for.
//!
//! The measure is how full the buffer between kernel and worker is. Each step is taken only when the one before
//! did not help, and given back when there is room: first bodies, then connections that nobody can read, then a
//! share of the new connections, then a share of all. What is left undone is counted.
//!
//! The steps are taken while the buffer fills, so that the share is in force before it overflows: once packets are
//! dropped at random every stream has gaps, and such a stream costs far more to analyse than a whole one.
//! How large the share has to be is known before anything is lost: packets that arrived within one second by their
//! timestamps, and took two to work off, are twice too many. Afterwards it follows what is worked off without rest.
use harken_engine::Shedding;
use harken_wire::Timestamp;
use std::time::{Duration, Instant};

/// Percent of the buffer above which more is left undone.
const HIGH: u8 = 50;
/// Percent of the buffer below which there is room. A UDP source that keeps up may show 25.
const LOW: u8 = 30;
/// Percent of the buffer above which there is no time for one step after the other.
const LAST: u8 = 80;
/// Time between two looks, over which rates are taken.
const WINDOW: Duration = Duration::from_millis(250);
/// The same while the buffer is half full.
const SHORT: Duration = Duration::from_millis(100);
/// Time between the steps up.
const QUICK: Duration = Duration::from_millis(30);
/// The largest share, in 256ths: something is always read.
const MAX_SHARE: u8 = 240;
/// A change of the share by less is not worth it: connections that are taken in again are without their beginning.
const MIN_CHANGE: u8 = 4;
/// The part of the capacity that is kept free when the whole buffer above `LOW` is full: it has to become empty.
const DRAIN: f64 = 0.4;
/// What is tried first while there is room, of what is known to be possible; twice as much more each time.
const PROBE: f64 = 0.03;
/// The most that is tried at a time.
const MAX_PROBE: f64 = 0.2;

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
    /// Were read.
    pub read: u64,
    /// Were dropped or refused by the kernel.
    pub lost: u64,
    /// Were read, and passed over unanalysed.
    pub passed: u64,
    /// When the last one that was read had arrived.
    pub last: Timestamp,
}

/// Packets a second.
#[derive(Clone, Copy, Debug)]
struct Rates {
    arrived: f64,
    worked: f64,
}

impl Rates {
    fn between(before: &Load, now: &Load, waited: Duration) -> Self {
        let seconds = waited.as_secs_f64().max(1e-6);
        let read = now.read.saturating_sub(before.read) as f64;
        // Those that were read arrived in this time. It is shorter than the time that it took to read them while
        // the buffer fills, and longer while it empties. (Clocks may be set.)
        let span = now.last.0.saturating_sub(before.last.0) as f64 / 1e9;
        let span = span.clamp(seconds / 16.0, seconds * 16.0);
        let lost = now.lost.saturating_sub(before.lost) as f64;
        let passed = now.passed.saturating_sub(before.passed) as f64;
        Self { arrived: read / span + lost / seconds, worked: (read - passed).max(0.0) / seconds }
    }
}

/// Decides how much is left undone.
#[derive(Debug)]
pub struct Overload {
    level: Level,
    /// When the time began over which rates are taken.
    since: Instant,
    /// What had come until then.
    before: Load,
    /// How full the buffer was at least and at most since then.
    least: u8,
    most: u8,
    /// The buffer was filling then.
    filling: bool,
    /// The last decision, and how full the buffer was.
    stepped: (Instant, u8),
    /// Packets a second that can be worked off, as far as is known.
    capacity: f64,
    /// How much more than that is tried next.
    probe: f64,
}

impl Overload {
    /// Nothing is left undone.
    pub fn new(now: Instant) -> Self {
        Self {
            level: Level::default(),
            since: now,
            before: Load::default(),
            least: 100,
            most: 0,
            filling: false,
            stepped: (now, 0),
            capacity: 0.0,
            probe: PROBE,
        }
    }

    /// The level now.
    pub const fn level(&self) -> Level {
        self.level
    }

    /// Takes note of how full the buffer is, in percent. Returns the level when it has changed.
    pub fn update(&mut self, backlog: u8, now: Instant, load: impl FnOnce() -> Load) -> Option<Level> {
        (self.least, self.most) = (self.least.min(backlog), self.most.max(backlog));
        let waited = now.saturating_duration_since(self.since);
        // What fills the buffer is measured from where it begins, without the rest before.
        if !self.filling && self.level.step < 4 && backlog >= LOW {
            self.begin(backlog, now, load());
            return None;
        }
        let climbing = backlog >= HIGH && self.level.step < 4;
        let due = match climbing {
            true => now.saturating_duration_since(self.stepped.0) >= QUICK,
            false => waited >= if backlog >= HIGH { SHORT } else { WINDOW },
        };
        if !due {
            return None;
        }
        let load = load();
        let rates = Rates::between(&self.before, &load, waited);
        self.estimate(rates.worked, backlog > self.stepped.1);
        let share = self.share(backlog, rates.arrived);
        let level = if climbing { self.up(backlog, share) } else { self.follow(share) };
        // The way up is measured as a whole; what comes after it has rates of its own.
        if !climbing || level.step == 4 {
            self.begin(backlog, now, load);
        } else {
            self.stepped = (now, backlog);
        }
        if level == self.level {
            return None;
        }
        self.level = level;
        Some(level)
    }

    /// Rates are taken from here on.
    fn begin(&mut self, backlog: u8, now: Instant, load: Load) {
        (self.since, self.before) = (now, load);
        (self.least, self.most, self.filling) = (backlog, backlog, backlog >= LOW);
        self.stepped = (now, backlog);
    }

    /// What can be worked off, after a time with so many packets a second.
    fn estimate(&mut self, worked: f64, rising: bool) {
        if self.level.step < 3 {
            self.capacity = worked;
        } else if self.least >= LOW {
            // There was no rest. Time that the system gives to others makes one look differ from the next.
            self.capacity = if rising { worked } else { self.capacity.midpoint(worked) };
            self.probe = PROBE;
        } else if self.most < LOW {
            self.capacity = self.capacity.max(worked) * (1.0 + self.probe);
            self.probe = (self.probe * 2.0).min(MAX_PROBE);
        }
    }

    /// The share that has to be left undone, in 256ths.
    fn share(&self, backlog: u8, arrived: f64) -> u8 {
        let above = f64::from(backlog.saturating_sub(LOW)) / f64::from(100 - LOW);
        let fits = self.capacity * (1.0 - DRAIN * above);
        if arrived > fits {
            ((1.0 - fits / arrived) * 256.0).clamp(0.0, f64::from(MAX_SHARE)) as u8
        } else {
            0
        }
    }

    /// The next step, unless the last one helps.
    fn up(&self, backlog: u8, share: u8) -> Level {
        let step = match self.level.step {
            _ if backlog >= LAST => 4,
            step if backlog < self.stepped.1 => step,
            step => step + 1,
        };
        if step < 3 { Level { step, share: 0 } } else { Level { step, share: share.max(1) } }
    }

    /// The same step with the share that fits, or one down.
    fn follow(&self, fitting: u8) -> Level {
        let Level { step, share } = self.level;
        let room = self.most < LOW;
        if step < 3 {
            return Level { step: step - u8::from(room && step > 0), share: 0 };
        }
        match room {
            true if share.min(fitting) == 0 => Level { step: 2, share: 0 },
            true => Level { step, share: share.min(fitting) },
            false if self.least < LOW || fitting.abs_diff(share) < MIN_CHANGE => self.level,
            false => Level { step, share: fitting.max(1) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    /// A worker that can read so many packets a second, its buffer, and what arrives. (The levels have effect
    /// at once, which is what a filter in the kernel does.)
    struct Model {
        overload: Overload,
        now: Instant,
        /// The same as a timestamp.
        clock: u64,
        load: Load,
        /// Packets that the worker reads in 10 ms now.
        speed: u64,
        /// When packets arrived that wait, and how many.
        waiting: VecDeque<(u64, u64)>,
        dropped: u64,
    }

    /// Packets that the worker can read in 10 ms, and that its buffer holds.
    const SPEED: u64 = 1000;
    const BUFFER: u64 = 25_000;

    impl Model {
        fn new() -> Self {
            let now = Instant::now();
            let overload = Overload::new(now);
            Self {
                overload,
                now,
                clock: 0,
                load: Load::default(),
                speed: SPEED,
                waiting: VecDeque::new(),
                dropped: 0,
            }
        }

        /// So many packets arrive each 10 ms.
        fn run(&mut self, arriving: u64, seconds: u64) -> Vec<(u8, u8)> {
            self.ticks(arriving, seconds * 100)
        }

        fn buffered(&self) -> u64 {
            self.waiting.iter().map(|(_, count)| count).sum()
        }

        /// The same, for so many times 10 ms.
        fn ticks(&mut self, arriving: u64, ticks: u64) -> Vec<(u8, u8)> {
            let began = self.now;
            let mut changes = Vec::new();
            for tick in 0..ticks {
                self.now = began + Duration::from_millis(10 * (tick + 1));
                self.clock += 10_000_000;
                let level = self.overload.level();
                let refused = if level.step == 4 { arriving * u64::from(level.share) / 256 } else { 0 };
                let dropped = (self.buffered() + arriving - refused).saturating_sub(BUFFER + self.speed);
                self.waiting.push_back((self.clock, arriving - refused - dropped));
                self.dropped += dropped;
                self.load.lost += refused + dropped;
                let mut time = self.speed;
                while let Some((arrived, count)) = self.waiting.front_mut() {
                    let read = time.min(*count);
                    (*count, time, self.load.read) = (*count - read, time - read, self.load.read + read);
                    self.load.last = Timestamp(*arrived);
                    if *count > 0 {
                        break;
                    }
                    self.waiting.pop_front();
                }
                let load = self.load;
                let backlog = (self.buffered() * 100 / BUFFER) as u8;
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
            let at_once = factor == 400;
            assert!(order.starts_with(if at_once { &[1, 4] } else { &[1, 2, 3, 4] }), "{steps:?}");
            let found = model.overload.level().share;
            assert!(found.abs_diff(share) <= 16, "{factor} %: {found}, not about {share}: {steps:?}");
            let (read, dropped) = (model.load.read, model.dropped);
            let steps = model.run(SPEED * factor / 100, 60);
            let done = (model.load.read - read) as f64 / (60 * 100 * SPEED) as f64;
            assert!(done > 0.9, "{factor} %: {done} of what is possible, {steps:?}");
            let lost = model.dropped - dropped;
            assert!(lost == 0, "{factor} %: {lost} were dropped at random, {steps:?}");
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
            assert!(model.buffered() > BUFFER / 4, "it is a burst");
            model.run(SPEED / 2, 1);
        }
        assert_eq!((model.overload.level(), model.dropped), (Level::default(), 0));
    }

    #[test]
    fn a_worker_that_was_held_up_recovers() {
        let mut model = Model::new();
        model.speed = SPEED / 10;
        model.ticks(SPEED * 2, 20);
        model.speed = SPEED;
        let steps = model.run(SPEED * 2, 3);
        let (read, dropped) = (model.load.read, model.dropped);
        model.run(SPEED * 2, 10);
        let done = (model.load.read - read) as f64 / (10 * 100 * SPEED) as f64;
        assert!(done > 0.9, "{done} of what is possible, {steps:?}");
        assert_eq!(model.dropped, dropped, "{steps:?}");
    }
}
