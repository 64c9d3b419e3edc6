//! The wall clock, which tests replace, and how it is written in names: in UTC, as Zeek's `#open` lines are.
use harken_wire::Timestamp;
use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The wall-clock time.
    fn now(&self) -> SystemTime;
}

/// The system's clock.
#[derive(Debug)]
pub struct System;

impl Clock for System {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// Time since 1970; zero for what was before.
pub fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO)
}

/// The time now.
pub fn now() -> Timestamp {
    timestamp(SystemTime::now())
}

/// In nanoseconds, as packets and logs have it.
pub fn timestamp(time: SystemTime) -> Timestamp {
    let since = since_epoch(time);
    Timestamp::new(since.as_secs(), since.subsec_nanos())
}

/// `2026-11-24`.
pub fn date(time: SystemTime) -> String {
    part(time, 0..10)
}

/// `12:36:18`.
pub fn time_of_day(time: SystemTime) -> String {
    part(time, 11..19)
}

/// A part of `2026-11-24T12:36:18`.
fn part(time: SystemTime, range: Range<usize>) -> String {
    let text = harken_event::rfc3339(timestamp(time));
    String::from_utf8_lossy(text.get(range).unwrap_or_default()).into_owned()
}

/// The first multiple of `every` since 1970 that is later than `now`: for 1 hour, the next full hour.
pub fn next_multiple(now: SystemTime, every: Duration) -> SystemTime {
    let every = every.as_secs().max(1);
    let next = (since_epoch(now).as_secs() / every).saturating_add(1).saturating_mul(every);
    UNIX_EPOCH.checked_add(Duration::from_secs(next)).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_times() {
        for (seconds, day, time) in [
            (0, "1970-01-01", "00:00:00"),
            (951_782_399, "2000-02-28", "23:59:59"),
            (951_782_400, "2000-02-29", "00:00:00"),
            (1_795_523_778, "2026-11-24", "12:36:18"),
            (4_107_542_400, "2100-03-01", "00:00:00"),
        ] {
            let at = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!((date(at).as_str(), time_of_day(at).as_str()), (day, time), "{seconds}");
        }
    }

    #[test]
    fn full_hours() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let hour = Duration::from_secs(3600);
        assert_eq!(next_multiple(at(1_795_523_778), hour), at(1_795_525_200));
        assert_eq!(next_multiple(at(3600), hour), at(7200));
        assert_eq!(next_multiple(at(5), Duration::ZERO), at(6));
    }
}
