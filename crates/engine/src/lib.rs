//! One shard: wire, flow, http and event, run to completion.
//!
//! A [`Front`] turns captured frames into TCP segments (tunnels off, fragments put together); a [`Shard`]
//! turns segments into transactions and hands them to an [`Output`]. One front may feed several shards:
//! [`shard_of`] sends both directions of a flow to the same one.
#![forbid(unsafe_code)]

mod front;
mod ledger;
mod output;
mod shard;

pub use front::{Front, FrontStats, QuicHello};
pub use harken_flow::{BATCH, Shedding};
pub use ledger::Ledger;
pub use output::{Closed, Output};
pub use shard::{Config, Shard, shard_of};
