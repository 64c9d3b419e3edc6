//! Segments that are at hand together: their flows are found and read ahead.
//!
//! With tens of thousands of flows, most of the time would go into waiting for memory. Each pass over a batch
//! asks for what the next one reads: the index, the flows, what the consumer keeps of them.
use super::{FlowTable, Place, Slot};
use crate::Handler;
use crate::key::PackedKey;
use harken_wire::{Segment, Timestamp, prefetch};

/// Segments whose flows are looked up ahead.
pub const BATCH: usize = 64;

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
                self.index.prefetch(place.hash);
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
            place.id = self.index.find(place.hash, |_| true).unwrap_or(Place::NOWHERE);
            if let Some(Slot { class, flow, .. }) = self.slots.get(place.id) {
                prefetch(class);
                prefetch(&flow.last);
                prefetch(&flow.halves.low);
                prefetch(&flow.halves.high);
            }
        }
        for (place, (_, seg)) in places.iter().zip(segments) {
            if (!seg.payload.is_empty() || seg.flags.fin() || seg.flags.rst())
                && let Some(Slot { flow, state: Some(state), .. }) = self.slots.get(place.id)
            {
                handler.warm(flow.dir(place.side), state);
            }
        }
    }
}
