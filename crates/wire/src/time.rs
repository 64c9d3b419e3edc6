//! Packet time.

/// Nanoseconds since the Unix epoch, as the capture recorded them. Every timer of the pure crates runs on
/// this clock, so that replaying a file is deterministic.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// From whole seconds and nanoseconds; saturates.
    #[inline]
    pub const fn new(seconds: u64, nanos: u32) -> Self {
        Self(seconds.saturating_mul(1_000_000_000).saturating_add(nanos as u64))
    }

    /// Nanoseconds from `earlier` to `self`; zero when the clock stepped back.
    #[inline]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This time plus `nanos`; saturates.
    #[inline]
    pub const fn plus(self, nanos: u64) -> Self {
        Self(self.0.saturating_add(nanos))
    }
}
