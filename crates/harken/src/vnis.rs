//! Packets and bytes of each virtual network, and what is missing of it.
use foldhash::HashMap;

/// Virtual networks that are told apart; further ones are counted together with untunnelled packets.
const MAX: usize = 4096;

/// What came from one virtual network.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Seen {
    /// TCP segments.
    pub segments: u64,
    /// Bytes of their payload.
    pub payload: u64,
    /// Bytes of streams that are missing.
    pub gaps: u64,
}

impl Seen {
    /// Adds what was counted elsewhere.
    pub const fn add(&mut self, other: &Self) {
        self.segments += other.segments;
        self.payload += other.payload;
        self.gaps += other.gaps;
    }

    /// What has come since `earlier`.
    pub const fn since(&self, earlier: &Self) -> Self {
        Self {
            segments: self.segments.saturating_sub(earlier.segments),
            payload: self.payload.saturating_sub(earlier.payload),
            gaps: self.gaps.saturating_sub(earlier.gaps),
        }
    }
}

/// Counters by virtual network; `None` for packets without one, and for those beyond the limit.
#[derive(Clone, Default, Debug)]
pub struct Vnis(HashMap<Option<u32>, Seen>);

impl Vnis {
    /// The counters of one.
    pub fn of(&mut self, vni: Option<u32>) -> &mut Seen {
        let known = self.0.len() < MAX || self.0.contains_key(&vni);
        self.0.entry(vni.filter(|_| known)).or_default()
    }

    /// Adds what was counted elsewhere.
    pub fn add(&mut self, other: &Self) {
        for (vni, seen) in &other.0 {
            self.of(*vni).add(seen);
        }
    }

    /// All, by number.
    pub fn sorted(&self) -> Vec<(Option<u32>, Seen)> {
        let mut all: Vec<_> = self.0.iter().map(|(vni, seen)| (*vni, *seen)).collect();
        all.sort_unstable_by_key(|(vni, _)| *vni);
        all
    }

    /// What has come of one since `earlier`.
    pub fn since(&self, earlier: &Self, vni: Option<u32>) -> Seen {
        let before = earlier.0.get(&vni).copied().unwrap_or_default();
        self.0.get(&vni).copied().unwrap_or_default().since(&before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounded() {
        let mut vnis = Vnis::default();
        for vni in 0..10_000 {
            vnis.of(Some(vni)).segments += 1;
        }
        assert!(vnis.sorted().len() <= MAX + 1);
        assert_eq!(vnis.sorted().iter().map(|(_, seen)| seen.segments).sum::<u64>(), 10_000);
        let before = vnis.clone();
        vnis.of(Some(7)).gaps += 3;
        assert_eq!(vnis.since(&before, Some(7)), Seen { gaps: 3, ..Seen::default() });
    }
}
