//! What the decoder counts. Every call increments exactly one of `tcp`, `fragments` and one `ignored` cell,
//! so that received = decoded + ignored can be summed.
use crate::decap::vxlan::Vxlan;
use crate::{Decoded, Layer, Reason, Stop, TunnelKind};

/// Counters of one [`crate::Decoder`].
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Stats {
    /// Outcomes of [`crate::Decoder::decode`].
    pub frames: Outcomes,
    /// Outcomes of [`crate::Decoder::resume`]: packets put together from fragments.
    pub resumed: Outcomes,
    /// Tunnel headers taken off, by `TunnelKind as usize`.
    pub tunnels: [u64; TunnelKind::COUNT],
    /// Segments and fragments that the capture has only the beginning of.
    pub truncated_packets: u64,
    /// Payload bytes that those miss.
    pub truncated_bytes: u64,
    /// Checksums that were verified and right.
    pub checksums_good: u64,
    /// Checksums that were verified and wrong.
    pub checksums_bad: u64,
    /// Checksums that should have been verified, but bytes that they cover were not captured.
    pub checksums_unverified: u64,
    /// VXLAN headers with reserved bits set (group policy and other extensions), which is tolerated.
    pub vxlan_reserved_bits: u64,
    /// GENEVE headers with a critical option that is not known, which is tolerated.
    pub geneve_unknown_critical: u64,
    /// GENEVE headers whose option list does not add up; their payload is read all the same.
    pub geneve_bad_options: u64,
}

/// How decoding ended, counted.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Outcomes {
    /// TCP segments.
    pub tcp: u64,
    /// IP fragments, handed to the defragmenter.
    pub fragments: u64,
    /// Everything else.
    pub ignored: Ignored,
}

/// Refusals by layer and reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ignored([[u64; Reason::COUNT]; Layer::COUNT]);

impl Default for Ignored {
    fn default() -> Self {
        Self([[0; Reason::COUNT]; Layer::COUNT])
    }
}

impl Ignored {
    /// Count of one layer and reason.
    pub fn get(&self, layer: Layer, reason: Reason) -> u64 {
        self.0.get(layer as usize).and_then(|row| row.get(reason as usize)).copied().unwrap_or(0)
    }

    /// The cells that are not zero.
    pub fn iter(&self) -> impl Iterator<Item = (Layer, Reason, u64)> + '_ {
        Layer::ALL.iter().zip(&self.0).flat_map(|(layer, row)| {
            let cells = Reason::ALL.iter().zip(row).filter(|(_, count)| **count != 0);
            cells.map(|(reason, count)| (*layer, *reason, *count))
        })
    }

    /// Sum of all cells.
    pub fn total(&self) -> u64 {
        self.0.iter().flatten().sum()
    }

    /// Sum over the layers of one reason.
    pub fn by_reason(&self, reason: Reason) -> u64 {
        self.0.iter().filter_map(|row| row.get(reason as usize)).sum()
    }

    #[inline]
    fn count(&mut self, stop: Stop) {
        if let Some(cell) = self.0.get_mut(stop.layer as usize).and_then(|r| r.get_mut(stop.reason as usize))
        {
            *cell += 1;
        }
    }
}

impl Outcomes {
    /// Calls made: decoded plus ignored.
    pub fn received(&self) -> u64 {
        self.tcp + self.fragments + self.ignored.total()
    }

    fn add(&mut self, other: &Self) {
        self.tcp += other.tcp;
        self.fragments += other.fragments;
        for (mine, theirs) in self.ignored.0.iter_mut().flatten().zip(other.ignored.0.iter().flatten()) {
            *mine += theirs;
        }
    }
}

impl Stats {
    /// Tunnel headers of one kind that were taken off.
    pub fn tunnel(&self, kind: TunnelKind) -> u64 {
        self.tunnels.get(kind as usize).copied().unwrap_or(0)
    }

    /// Adds the counters of another decoder (another shard's).
    pub fn add(&mut self, other: &Self) {
        self.frames.add(&other.frames);
        self.resumed.add(&other.resumed);
        for (mine, theirs) in self.tunnels.iter_mut().zip(other.tunnels) {
            *mine += theirs;
        }
        self.truncated_packets += other.truncated_packets;
        self.truncated_bytes += other.truncated_bytes;
        self.checksums_good += other.checksums_good;
        self.checksums_bad += other.checksums_bad;
        self.checksums_unverified += other.checksums_unverified;
        self.vxlan_reserved_bits += other.vxlan_reserved_bits;
        self.geneve_unknown_critical += other.geneve_unknown_critical;
        self.geneve_bad_options += other.geneve_bad_options;
    }

    #[inline]
    pub(crate) fn count(&mut self, result: &Result<Decoded<'_>, Stop>, resumed: bool) {
        let outcomes = if resumed { &mut self.resumed } else { &mut self.frames };
        let truncated = match result {
            Ok(Decoded::Tcp(segment)) => {
                outcomes.tcp += 1;
                segment.truncated
            }
            Ok(Decoded::Fragment(fragment)) => {
                outcomes.fragments += 1;
                fragment.truncated
            }
            Ok(Decoded::Datagram(_)) => {
                outcomes.ignored.count(Stop { layer: Layer::Udp, offset: 0, reason: Reason::NotATunnel });
                0
            }
            Err(stop) => {
                outcomes.ignored.count(*stop);
                0
            }
        };
        self.count_truncated(truncated);
    }

    /// Counts a segment that went the straight way.
    #[inline]
    pub(crate) fn count_express(&mut self, truncated: u32, vxlan: Option<Vxlan>) {
        self.frames.tcp += 1;
        if let Some(vxlan) = vxlan {
            self.count_tunnel(TunnelKind::Vxlan);
            self.vxlan_reserved_bits += u64::from(vxlan.reserved_bits);
        }
        self.count_truncated(truncated);
    }

    #[inline]
    fn count_truncated(&mut self, bytes: u32) {
        if bytes != 0 {
            self.truncated_packets += 1;
            self.truncated_bytes += u64::from(bytes);
        }
    }

    #[inline]
    pub(crate) fn count_tunnel(&mut self, kind: TunnelKind) {
        if let Some(count) = self.tunnels.get_mut(kind as usize) {
            *count += 1;
        }
    }
}
