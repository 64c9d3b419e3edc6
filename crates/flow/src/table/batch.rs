//! Segments that are at hand together: their flows are found and read ahead.
//!
//! With tens of thousands of flows, most of the time goes into waiting for memory. Each pass over a batch is a
//! short loop whose rounds do not depend on each other, so that the processor waits for many of them at once.
use super::{FlowTable, Place, Slot, spread};
use crate::Handler;
use crate::key::PackedKey;
use harken_wire::{Segment, Timestamp};
use std::hint::black_box;

/// Segments whose flows are looked up ahead.
pub const BATCH: usize = 32;

impl<S> FlowTable<S> {
    /// Takes segments in order, each with the time of its capture. It does what [`FlowTable::segment`] does for
    /// each of them, and is faster when they belong to many flows.
    pub fn segments<H: Handler<State = S>>(
        &mut self,
        segments: &[(Timestamp, Segment<'_>)],
        handler: &mut H,
    ) {
        let mut places = [Place::default(); BATCH];
        for chunk in segments.chunks(BATCH) {
            for (place, (_, segment)) in places.iter_mut().zip(chunk) {
                *place = self.place(segment);
            }
            let places = places.get_mut(..chunk.len()).unwrap_or_default();
            self.read_ahead(places, chunk, handler);
            for (place, (ts, segment)) in places.iter().zip(chunk) {
                self.segment_at(*ts, segment, place, handler);
            }
        }
    }

    /// Where to look for the flow of a segment.
    #[inline]
    pub(super) fn place(&self, segment: &Segment<'_>) -> Place {
        let (key, side) = PackedKey::new(segment, self.config.tunnel_in_key);
        let hash = self.seed.hash(&key) as u32;
        Place { key, side, hash, id: Place::NOWHERE }
    }

    #[inline]
    fn read_ahead<H: Handler<State = S>>(
        &self,
        places: &mut [Place],
        segments: &[(Timestamp, Segment<'_>)],
        handler: &H,
    ) {
        for place in places.iter_mut() {
            // The key is compared when the flow is used: a hash of 32 bits is hardly ever wrong.
            let entry = self.index.find(spread(place.hash), |entry| entry.hash == place.hash);
            place.id = entry.map_or(Place::NOWHERE, |entry| entry.id);
        }
        let slot = |place: &Place| self.slots.get(place.id);
        let sum = places.iter().filter_map(slot).fold(0, |sum, Slot { class, flow, .. }| {
            sum ^ *class as u64 ^ flow.last.0 ^ flow.halves.low.next ^ flow.halves.high.next
        });
        black_box(sum);
        let speaks = |(_, seg): &(Timestamp, Segment<'_>)| {
            !seg.payload.is_empty() || seg.flags.fin() || seg.flags.rst()
        };
        let speakers = places.iter().zip(segments).filter(|(_, segment)| speaks(segment));
        handler.warm(speakers.filter_map(|(place, _)| {
            let Slot { flow, state, .. } = slot(place)?;
            Some((flow.dir(place.side), state.as_ref()?))
        }));
    }
}
