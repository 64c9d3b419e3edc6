//! What a worker leaves undone when more arrives than it has time for.
//!
//! The measure is how full the buffer between kernel and worker is. Each step is taken only after the one
//! before did not help, and given back only when there has been room for a while: first bodies, then flows
//! that nobody can read, then new flows, then a growing share of all flows. What is left undone is counted.
use harken_engine::Shedding;
use std::time::{Duration, Instant};

/// Percent of the buffer above which more is left undone.
const HIGH: u8 = 50;
/// Percent of the buffer below which more is done again.
const LOW: u8 = 10;
/// Percent of the buffer that is as good as full: packets are being dropped.
const FULL: u8 = 90;
/// Time between two steps up.
const UP: Duration = Duration::from_millis(50);
/// Time of room before a step down.
const DOWN: Duration = Duration::from_millis(200);
/// 256ths of all flows that one step of the share is.
const SHARE: u8 = 8;
/// The largest share: something is always read.
const MAX_SHARE: u8 = 240;

/// How much is left undone; the larger, the more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Level {
    /// 0 nothing, 1 bodies, 2 opaque flows, too, 3 new flows, too, 4 a share of all flows, too.
    pub step: u8,
    /// 256ths of all flows, at step 4.
    pub share: u8,
}

impl Level {
    /// Bodies are neither decoded nor kept.
    pub const fn bodies(self) -> bool {
        self.step >= 1
    }

    /// What is left undone of flows.
    pub const fn flows(self) -> Shedding {
        Shedding { opaque: self.step >= 2, new_flows: self.step >= 3, share: self.share }
    }

    /// For people.
    pub fn name(self) -> String {
        match self.step {
            0 => "nothing".to_owned(),
            1 => "bodies".to_owned(),
            2 => "bodies, opaque flows".to_owned(),
            3 => "bodies, opaque and new flows".to_owned(),
            _ => {
                format!("bodies, opaque and new flows, {} % of all flows", u32::from(self.share) * 100 / 256)
            }
        }
    }

    const fn more(self) -> Self {
        match self.step {
            0..3 => Self { step: self.step + 1, share: 0 },
            _ if self.share >= MAX_SHARE => self,
            _ => Self { step: 4, share: self.share + SHARE },
        }
    }

    const fn less(self) -> Self {
        match (self.step, self.share) {
            (0, _) => self,
            (4, SHARE..) if self.share > SHARE => Self { step: 4, share: self.share - SHARE },
            (step, _) => Self { step: step - 1, share: 0 },
        }
    }
}

/// Decides how much is left undone.
#[derive(Debug)]
pub struct Overload {
    level: Level,
    /// When the level changed last, or had a reason not to.
    since: Instant,
    /// How full the buffer was then.
    backlog: u8,
}

impl Overload {
    /// Nothing is left undone.
    pub const fn new(now: Instant) -> Self {
        Self { level: Level { step: 0, share: 0 }, since: now, backlog: 0 }
    }

    /// The level now.
    pub const fn level(&self) -> Level {
        self.level
    }

    /// Takes note of how full the buffer is, in percent. Returns the level when it has changed.
    pub fn update(&mut self, backlog: u8, now: Instant) -> Option<Level> {
        let waited = now.saturating_duration_since(self.since);
        let level = match backlog {
            // What was done helps when the buffer empties: then it only takes time.
            HIGH.. if waited >= UP && (backlog >= self.backlog || backlog >= FULL) => self.level.more(),
            ..LOW if waited >= DOWN => self.level.less(),
            HIGH.. if waited < UP => return None,
            ..LOW => return None,
            _ => self.level,
        };
        (self.since, self.backlog) = (now, backlog);
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

    /// Feeds a backlog every 50 ms, so many times; gives the changes.
    fn feed(overload: &mut Overload, now: &mut Instant, backlog: u8, times: u32) -> Vec<(u8, u8)> {
        let mut changes = Vec::new();
        for _ in 0..times {
            *now += UP;
            changes.extend(overload.update(backlog, *now).map(|level| (level.step, level.share)));
        }
        changes
    }

    #[test]
    fn up_step_by_step_and_down_again() {
        let mut now = Instant::now();
        let mut overload = Overload::new(now);
        assert_eq!(overload.update(95, now + UP / 2), None, "too early");
        assert_eq!(feed(&mut overload, &mut now, 95, 5), [(1, 0), (2, 0), (3, 0), (4, 8), (4, 16)]);
        feed(&mut overload, &mut now, 95, 100);
        assert_eq!(overload.level(), Level { step: 4, share: 240 }, "something is always read");
        assert_eq!(feed(&mut overload, &mut now, 30, 100), [], "a middling backlog changes nothing");
        let down = feed(&mut overload, &mut now, 5, 4 * 40);
        assert_eq!(down.first(), Some(&(4, 232)));
        assert_eq!(overload.level(), Level::default());
    }

    #[test]
    fn a_backlog_that_falls_is_given_time() {
        let mut now = Instant::now();
        let mut overload = Overload::new(now);
        feed(&mut overload, &mut now, 80, 2);
        assert_eq!(overload.level().step, 2);
        for backlog in (50..80).rev().step_by(3) {
            assert_eq!(feed(&mut overload, &mut now, backlog, 1), []);
        }
    }
}
