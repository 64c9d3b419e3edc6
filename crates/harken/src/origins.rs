//! Packets and bytes of each source and virtual network, and what is missing of them.
use foldhash::HashMap;
use std::collections::BTreeMap;

/// Virtual networks that are told apart; further ones are counted together with untunnelled packets.
const MAX: usize = 4096;

/// Where segments come from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Origin {
    /// Number of the interface or socket among the worker's.
    pub source: u16,
    /// Virtual network; `None` for packets without one, and for those beyond the limit.
    pub vni: Option<u32>,
}

/// What came from one origin.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Seen {
    /// TCP segments.
    pub segments: u64,
    /// Bytes of their payload.
    pub payload: u64,
    /// Bytes of streams that are missing.
    pub gaps: u64,
    /// Segments that came from the lower port, which mostly is the server's.
    pub from_server: u64,
    /// Segments whose packets were cut short.
    pub cut: u64,
    /// Transactions.
    pub transactions: u64,
    /// Connections with TLS.
    pub tls: u64,
}

impl Seen {
    /// Adds what was counted elsewhere.
    pub const fn add(&mut self, other: &Self) {
        self.segments += other.segments;
        self.payload += other.payload;
        self.gaps += other.gaps;
        self.from_server += other.from_server;
        self.cut += other.cut;
        self.transactions += other.transactions;
        self.tls += other.tls;
    }

    /// What has come since `earlier`.
    const fn since(&self, earlier: &Self) -> Self {
        Self {
            segments: self.segments.saturating_sub(earlier.segments),
            payload: self.payload.saturating_sub(earlier.payload),
            gaps: self.gaps.saturating_sub(earlier.gaps),
            from_server: self.from_server.saturating_sub(earlier.from_server),
            cut: self.cut.saturating_sub(earlier.cut),
            transactions: self.transactions.saturating_sub(earlier.transactions),
            tls: self.tls.saturating_sub(earlier.tls),
        }
    }
}

/// Counters by origin.
#[derive(Clone, Default, Debug)]
pub struct Origins(HashMap<Origin, Seen>);

impl Origins {
    /// The counters of one.
    pub fn of(&mut self, origin: Origin) -> &mut Seen {
        let known = self.0.len() < MAX || self.0.contains_key(&origin);
        self.0.entry(Origin { vni: origin.vni.filter(|_| known), ..origin }).or_default()
    }

    /// Adds what was counted elsewhere.
    pub fn add(&mut self, other: &Self) {
        for (origin, seen) in &other.0 {
            self.of(*origin).add(seen);
        }
    }

    /// What has come since `earlier`.
    pub fn since(&self, earlier: &Self) -> Self {
        let before = |origin| earlier.0.get(origin).copied().unwrap_or_default();
        Self(self.0.iter().map(|(origin, seen)| (*origin, seen.since(&before(origin)))).collect())
    }

    /// By virtual network, whatever the source; in order.
    pub fn by_vni(&self) -> BTreeMap<Option<u32>, Seen> {
        let mut all = BTreeMap::<_, Seen>::new();
        for (origin, seen) in &self.0 {
            all.entry(origin.vni).or_default().add(seen);
        }
        all
    }

    /// All of one source.
    pub fn of_source(&self, source: u16) -> Seen {
        let mut all = Seen::default();
        self.0.iter().filter(|(origin, _)| origin.source == source).for_each(|(_, seen)| all.add(seen));
        all
    }

    /// The virtual networks of one source, in order.
    pub fn sorted(&self, source: u16) -> Vec<(u32, Seen)> {
        let of_source = self.0.iter().filter(|(origin, _)| origin.source == source);
        let mut all: Vec<_> =
            of_source.filter_map(|(origin, seen)| origin.vni.map(|vni| (vni, *seen))).collect();
        all.sort_unstable_by_key(|(vni, _)| *vni);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounded_and_told_apart() {
        let mut origins = Origins::default();
        for vni in 0..10_000 {
            origins.of(Origin { source: 1, vni: Some(vni) }).segments += 1;
        }
        assert!(origins.0.len() <= MAX + 1);
        assert_eq!(origins.of_source(1).segments, 10_000);
        assert_eq!(origins.of_source(0), Seen::default());
        let before = origins.clone();
        origins.of(Origin { source: 1, vni: Some(7) }).gaps += 3;
        let since = origins.since(&before);
        assert_eq!(since.of_source(1), Seen { gaps: 3, ..Seen::default() });
        assert_eq!(since.sorted(1)[7], (7, Seen { gaps: 3, ..Seen::default() }));
        origins.of(Origin { source: 0, vni: None }).segments += 1;
        assert_eq!(origins.by_vni()[&Some(7)], Seen { segments: 1, gaps: 3, ..Seen::default() });
    }
}
