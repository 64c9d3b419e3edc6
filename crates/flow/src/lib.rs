//! From TCP segments to the ordered bytes of each direction.
//!
//! Segments in, [`Handler`] calls out: no clock, no file, no socket. See [`handler`] for what a consumer of
//! ordered bytes is told, and in which order; [`order`] for when bytes are given up.
#![forbid(unsafe_code)]

mod config;
pub mod defrag;
mod flow;
pub mod handler;
mod history;
mod hole;
mod key;
pub mod order;
mod pair;
mod pool;
mod reassembly;
mod state;
mod stats;
mod table;
mod timer;
mod track;
mod weird;

pub use config::{Config, LOOK_PERIOD};
pub use defrag::{Datagram, DefragConfig, DefragStats, Defragmenter, RefusedFragments};
pub use flow::{Counters, Flow};
pub use handler::{Chunk, CloseReason, Dir, Gap, GapReason, Handler, Verdict};
pub use key::{FlowKey, TunnelInKey, key_hash};
pub use state::ConnState;
pub use stats::{Dropped, Stats};
pub use table::{BATCH, FlowTable, Shed, Shedding};

/// Lowest stream offset of a stream whose start was not seen. Its first byte has this offset or one a little
/// above it, which leaves room for bytes that were overtaken by the first ones seen.
pub const MIDSTREAM_BASE: u64 = 1 << 40;

#[cfg(test)]
mod tests;
