//! Token buckets, driven by the time of the events, for a bounded number of endpoints.

use std::collections::HashMap;

/// Buckets of one generation. There are two, so that at most twice as many are held.
const GENERATION: usize = 32 * 1024;
/// Events that are older than the newest by more than this come from another recording: time begins anew.
const BACKWARDS: i64 = 60_000_000_000;

/// So many a second, and so many at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    pub(crate) per_second: f64,
    pub(crate) burst: f64,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    /// Nanoseconds since 1970.
    last: i64,
}

/// The buckets of all rate limits. When a generation is full the one before it is forgotten: a bucket that
/// was not asked since is full again.
#[derive(Debug, Default)]
pub(crate) struct Buckets {
    young: HashMap<u64, Bucket>,
    old: HashMap<u64, Bucket>,
}

impl Buckets {
    /// Takes one token at a time in nanoseconds since 1970, if there is one.
    pub(crate) fn take(&mut self, key: u64, rate: Rate, now: i64) -> bool {
        let known = self.young.get(&key).copied().or_else(|| self.old.get(&key).copied());
        let mut bucket = known.unwrap_or(Bucket { tokens: rate.burst, last: now });
        let passed = now.saturating_sub(bucket.last);
        if passed > 0 {
            bucket.tokens = (bucket.tokens + passed as f64 / 1e9 * rate.per_second).min(rate.burst);
            bucket.last = now;
        } else if passed < -BACKWARDS {
            bucket = Bucket { tokens: rate.burst, last: now };
        }
        let taken = bucket.tokens >= 1.0;
        if taken {
            bucket.tokens -= 1.0;
        }
        if self.young.len() >= GENERATION && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, bucket);
        taken
    }

    /// How many buckets are held.
    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_with_time() {
        let rate = Rate { per_second: 2.0, burst: 3.0 };
        let mut buckets = Buckets::default();
        let mut take = |ms: i64| buckets.take(1, rate, ms * 1_000_000);
        let taken: Vec<bool> =
            [0, 0, 0, 0, 500, 500, 400, 10_000, 10_000, 10_000, 10_000].map(&mut take).to_vec();
        assert_eq!(taken, [true, true, true, false, true, false, false, true, true, true, false]);
        assert!(!take(-40_000), "a little out of order");
        assert!(take(-60_000), "another recording");
    }

    #[test]
    fn buckets_are_bounded() {
        let rate = Rate { per_second: 1.0, burst: 1.0 };
        let mut buckets = Buckets::default();
        for key in 0..200_000 {
            assert!(buckets.take(key, rate, 0));
        }
        assert!(buckets.len() <= 2 * GENERATION);
        assert!(!buckets.take(199_999, rate, 0), "the newest are remembered");
        assert!(buckets.take(0, rate, 0), "the oldest are forgotten, and full again");
    }
}
