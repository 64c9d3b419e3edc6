//! What the consumer of ordered bytes is told.
//!
//! Order of calls for one flow: `open`, then any number of `data`, `gap` and `end`, then `close`. Bytes and
//! gaps of one direction arrive in stream order, each byte once, and delivery is causal across the two
//! directions: a chunk that acknowledges bytes of the other direction is delivered after those bytes (or
//! after their gap was declared), however the mirror interleaved the two.
use crate::Flow;
use harken_wire::Timestamp;

/// A direction of a flow.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Dir {
    /// From the originator (client) to the responder.
    Orig = 0,
    /// From the responder (server) to the originator.
    Resp = 1,
}

impl Dir {
    /// The opposite direction.
    #[inline]
    pub const fn other(self) -> Self {
        match self {
            Self::Orig => Self::Resp,
            Self::Resp => Self::Orig,
        }
    }
}

/// In-order bytes of one direction. `bytes` never straddles two captured segments, so that the start of a
/// chunk is the start of what a sender wrote in one segment (less what had been delivered before).
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'p> {
    /// Which way the bytes went.
    pub dir: Dir,
    /// Stream offset of the first byte. Offset 0 is the byte after the SYN; a stream whose start was not seen
    /// begins at [`crate::MIDSTREAM_BASE`].
    pub offset: u64,
    /// The bytes, never empty.
    pub bytes: &'p [u8],
    /// Stream offset of the *other* direction up to which the sender of these bytes had received when it sent
    /// them (the segment's acknowledgement number).
    pub ack: u64,
    /// When the segment that carried them was captured.
    pub ts: Timestamp,
}

/// Bytes of one direction that are known to be missing and will not come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gap {
    /// Which direction misses them.
    pub dir: Dir,
    /// Stream offset of the first missing byte.
    pub offset: u64,
    /// Number of missing bytes, never 0.
    pub len: u64,
    /// Why it was given up.
    pub reason: GapReason,
    /// Packet time of the decision.
    pub ts: Timestamp,
}

/// Why a gap was declared.
#[derive(Default, Clone, Copy, PartialEq, Eq, Debug)]
pub enum GapReason {
    /// Acknowledged past, and the reorder window has gone by.
    #[default]
    Acknowledged,
    /// The packet was captured but cut short (mirror MTU, snap length).
    Truncated,
    /// The out-of-order budget was full.
    Budget,
    /// The flow ended or timed out with the bytes still missing.
    Closed,
}

/// What the consumer wants next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// More bytes, please.
    Continue,
    /// Nothing more of this flow: its bytes are only counted from here on (opaque), at next to no cost.
    Ignore,
}

/// Why a flow ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CloseReason {
    /// Both sides sent FIN, or one RST, and the linger time is over.
    Finished,
    /// No packet for the idle time-out of its state.
    Idle,
    /// A new connection took over the same endpoints.
    Reused,
    /// The flow table was full and this was the oldest.
    Evicted,
    /// The source ended.
    EndOfInput,
}

/// A consumer of ordered bytes. One handler serves all flows of a shard; what it keeps per flow is `State`.
pub trait Handler {
    /// Per-flow state of the consumer.
    type State;

    /// A flow begins (its first segment was accepted).
    fn open(&mut self, flow: &Flow) -> Self::State;

    /// Asked once, before the first delivery, for a flow whose handshake was not seen: which direction do
    /// these first bytes belong to by their content (a request line: `Orig`, a status line: `Resp`)? `None`
    /// leaves it to the ports.
    fn orient(&mut self, bytes: &[u8]) -> Option<Dir>;

    /// Called some segments ahead of `data` and `end`, with the direction that these will be called with, when
    /// many segments are at hand: a consumer may ask for what it keeps of the flow
    /// ([`harken_wire::prefetch`]), so that it lies in the cache when it is needed.
    fn warm(&self, _dir: Dir, _state: &Self::State) {}

    /// In-order bytes.
    fn data(&mut self, flow: &Flow, state: &mut Self::State, chunk: Chunk<'_>) -> Verdict;

    /// Missing bytes; the next `data` of this direction continues behind them.
    fn gap(&mut self, flow: &Flow, state: &mut Self::State, gap: Gap) -> Verdict;

    /// The direction ended in order (FIN reached, or RST): no more bytes of it will come.
    fn end(&mut self, flow: &Flow, state: &mut Self::State, dir: Dir, ts: Timestamp);

    /// Time has passed on a flow that is established, some [`crate::LOOK_PERIOD`] since the last time or its first segment,
    /// whether bytes came or not.
    fn look(&mut self, _flow: &Flow, _state: &mut Self::State, _now: Timestamp) {}

    /// The flow is over. `flow` has its final counters.
    fn close(&mut self, flow: &Flow, state: Self::State, reason: CloseReason);

    /// Something odd about this flow, by Zeek's `weird` name where Zeek has one.
    fn weird(&mut self, flow: &Flow, name: &'static str, ts: Timestamp);
}
