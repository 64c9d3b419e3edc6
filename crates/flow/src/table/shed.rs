//! What is left undone while more arrives than there is time for.
//!
//! What is left undone is chosen by flow and never by packet: half a flow is worth nothing. A segment that is
//! passed over costs a look-up and nothing else, and is counted by its reason in [`crate::Stats::shed`]. When
//! the load falls, flows go on behind a gap, or are joined in the middle.
use super::{FlowTable, Place};
use crate::flow::Mode;

/// What is left undone.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Shedding {
    /// Segments of flows that the consumer ignores are passed over.
    pub opaque: bool,
    /// So many 256ths of all flows, chosen by their hash, are passed over.
    pub share: u8,
    /// But those that are open already go on.
    pub only_new: bool,
}

impl Shedding {
    /// Nothing is left undone.
    pub const NONE: Self = Self { opaque: false, share: 0, only_new: false };
}

/// Segments that were passed over, by reason.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Shed {
    /// Of flows that the consumer ignores.
    pub opaque: u64,
    /// Of flows in [`Shedding::share`] that were not open.
    pub new_flows: u64,
    /// Of those that were.
    pub share: u64,
}

impl Shed {
    /// All reasons together.
    pub const fn total(&self) -> u64 {
        self.opaque + self.new_flows + self.share
    }
}

impl<S> FlowTable<S> {
    /// Sets what is left undone from here on.
    pub const fn shed(&mut self, shedding: Shedding) {
        self.shedding = shedding;
    }

    /// Whether a segment is passed over, which is counted. `found` is the slot of its flow.
    #[cold]
    pub(super) fn is_shed(&mut self, place: &Place, found: Option<u32>) -> bool {
        let Shedding { opaque, share, only_new } = self.shedding;
        let slot = found.and_then(|id| self.slots.get(id));
        // The upper bits: the index uses the lower ones.
        let chosen = (place.hash >> 24) < u32::from(share);
        let count = if chosen && slot.is_none() {
            &mut self.stats.shed.new_flows
        } else if chosen && !only_new {
            &mut self.stats.shed.share
        } else if opaque && slot.is_some_and(|slot| slot.flow.mode == Mode::Ignore) {
            &mut self.stats.shed.opaque
        } else {
            return false;
        };
        *count += 1;
        true
    }
}
