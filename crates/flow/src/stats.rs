//! The ledger of a flow table.
use crate::{CloseReason, GapReason, Shed};

/// Payload bytes that belong to no place in their stream, by reason.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Dropped {
    /// Before the first byte of a stream that was joined in the middle.
    pub before_start: u64,
    /// Behind the FIN.
    pub after_fin: u64,
    /// In a RST segment: a diagnostic, not part of the stream.
    pub in_rst: u64,
    /// In a SYN that does not belong to the connection that it arrived in.
    pub in_syn: u64,
    /// More than 1 GiB ahead of the stream.
    pub implausible: u64,
    /// No page was free for them.
    pub over_budget: u64,
}

impl Dropped {
    /// All reasons together.
    pub const fn total(&self) -> u64 {
        self.before_start
            .wrapping_add(self.after_fin)
            .wrapping_add(self.in_rst)
            .wrapping_add(self.in_syn)
            .wrapping_add(self.implausible)
            .wrapping_add(self.over_budget)
    }
}

/// Counters of a flow table. At every moment `payload_bytes` equals the sum of `delivered_bytes`,
/// `duplicate_bytes`, `opaque_bytes`, `held_bytes` and all of `dropped`.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Stats {
    /// Segments taken in, without those in `shed`.
    pub packets: u64,
    /// Segments passed over for lack of time.
    pub shed: Shed,
    /// Payload bytes in them.
    pub payload_bytes: u64,
    /// Payload bytes handed to the consumer.
    pub delivered_bytes: u64,
    /// Payload bytes seen before.
    pub duplicate_bytes: u64,
    /// Packets whose payload had all been seen before.
    pub duplicate_packets: u64,
    /// Payload bytes of flows that the consumer ignores.
    pub opaque_bytes: u64,
    /// Payload bytes held at this moment, waiting for earlier ones.
    pub held_bytes: u64,
    /// Payload bytes dropped.
    pub dropped: Dropped,
    /// Segments that had to be put aside.
    pub out_of_order: u64,
    /// Segments whose bytes differ from bytes already held at the same place.
    pub inconsistent: u64,
    /// Segments that were cut short by the capture.
    pub truncated_packets: u64,
    /// Payload bytes cut off.
    pub truncated_bytes: u64,
    /// Acknowledgement numbers more than 1 GiB ahead, not believed.
    pub implausible_acks: u64,
    /// Steps of packet time backwards by more than a second.
    pub clock_steps: u64,
    /// Gaps by reason: acknowledged, truncated, budget, closed.
    pub gaps: [u64; 4],
    /// Bytes of these gaps.
    pub gap_bytes: [u64; 4],
    /// Flows opened.
    pub opened: u64,
    /// Flows closed by reason: finished, idle, reused, evicted, end of input.
    pub closed: [u64; 5],
    /// Flows open at this moment.
    pub flows: u64,
    /// Most flows open at once.
    pub flows_peak: u64,
    /// Flows evicted while half-open.
    pub evicted_half_open: u64,
    /// Bytes of the pages in use at this moment.
    pub page_bytes: u64,
    /// Most bytes of pages in use at once.
    pub page_bytes_peak: u64,
}

impl Stats {
    pub(crate) fn gap(&mut self, reason: GapReason, len: u64) {
        let [a, t, b, c] = &mut self.gaps;
        let [ab, tb, bb, cb] = &mut self.gap_bytes;
        let (count, bytes) = match reason {
            GapReason::Acknowledged => (a, ab),
            GapReason::Truncated => (t, tb),
            GapReason::Budget => (b, bb),
            GapReason::Closed => (c, cb),
        };
        *count += 1;
        *bytes = bytes.wrapping_add(len);
    }

    pub(crate) const fn close(&mut self, reason: CloseReason) {
        let [finished, idle, reused, evicted, end] = &mut self.closed;
        let count = match reason {
            CloseReason::Finished => finished,
            CloseReason::Idle => idle,
            CloseReason::Reused => reused,
            CloseReason::Evicted => evicted,
            CloseReason::EndOfInput => end,
        };
        *count += 1;
        self.flows = self.flows.saturating_sub(1);
    }

    /// Adds the counters of another table (another shard's). Peaks are added, too: the shards run at once.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.packets, other.packets),
            (&mut self.shed.opaque, other.shed.opaque),
            (&mut self.shed.new_flows, other.shed.new_flows),
            (&mut self.shed.share, other.shed.share),
            (&mut self.payload_bytes, other.payload_bytes),
            (&mut self.delivered_bytes, other.delivered_bytes),
            (&mut self.duplicate_bytes, other.duplicate_bytes),
            (&mut self.duplicate_packets, other.duplicate_packets),
            (&mut self.opaque_bytes, other.opaque_bytes),
            (&mut self.held_bytes, other.held_bytes),
            (&mut self.out_of_order, other.out_of_order),
            (&mut self.inconsistent, other.inconsistent),
            (&mut self.truncated_packets, other.truncated_packets),
            (&mut self.truncated_bytes, other.truncated_bytes),
            (&mut self.implausible_acks, other.implausible_acks),
            (&mut self.clock_steps, other.clock_steps),
            (&mut self.opened, other.opened),
            (&mut self.flows, other.flows),
            (&mut self.flows_peak, other.flows_peak),
            (&mut self.evicted_half_open, other.evicted_half_open),
            (&mut self.page_bytes, other.page_bytes),
            (&mut self.page_bytes_peak, other.page_bytes_peak),
            (&mut self.dropped.before_start, other.dropped.before_start),
            (&mut self.dropped.after_fin, other.dropped.after_fin),
            (&mut self.dropped.in_rst, other.dropped.in_rst),
            (&mut self.dropped.in_syn, other.dropped.in_syn),
            (&mut self.dropped.implausible, other.dropped.implausible),
            (&mut self.dropped.over_budget, other.dropped.over_budget),
        ] {
            *mine = mine.wrapping_add(theirs);
        }
        for (mine, theirs) in [
            (self.gaps.as_mut_slice(), other.gaps.as_slice()),
            (&mut self.gap_bytes, &other.gap_bytes),
            (&mut self.closed, &other.closed),
        ] {
            for (mine, theirs) in mine.iter_mut().zip(theirs) {
                *mine = mine.wrapping_add(*theirs);
            }
        }
    }

    /// Payload bytes that are accounted for; equal to `payload_bytes`.
    pub const fn accounted(&self) -> u64 {
        self.delivered_bytes
            .wrapping_add(self.duplicate_bytes)
            .wrapping_add(self.opaque_bytes)
            .wrapping_add(self.held_bytes)
            .wrapping_add(self.dropped.total())
    }
}
