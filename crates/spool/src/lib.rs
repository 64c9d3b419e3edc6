//! The durable queue between the shards and the connector: an append-only log of blocks on disk.
//!
//! A [`Spool`] is the only writer of its folder. [`Spool::append`] takes a [`Batch`] of records (opaque bytes, one
//! event each) and gives each record a number; a thread of the spool writes them as a block and syncs it, at the
//! latest [`Config::commit_interval`] or [`Config::commit_bytes`] later. Each pipeline has a [`Reader`] with a
//! position of its own, which survives a restart; what was read and not committed is read again.
//!
//! Within the folder: `NUMBER.blocks` files (the number of their first record; [`block`] has their form),
//! `NAME.position` files, `NAME.seek` where a reader is to be moved, and locks. A file is deleted when every reader is past it, or when the bound on disk use
//! demands it ([`Policy`]). Another process reads with a [`Follower`], which is a reader as well, and looks at status
//! and records with [`status()`] and [`Peek`]; [`request_seek`] moves a reader wherever it runs.
//!
//! What is damaged costs the blocks that are damaged and is counted ([`Counters`], [`ReaderStatus`]); it is never
//! fatal, and neither is a full disk. The order of the records is that of their numbers: no clock decides it.
//!
//! It is an own format, since a general store does more than is needed here and was no faster: the disk's sync
//! decides. Blocks are deleted by whole files only, so that no file is ever rewritten.
#![forbid(unsafe_code)]

mod batch;
pub mod block;
mod config;
mod files;
mod follow;
mod reader;
pub mod scan;
mod spool;
mod state;
mod status;
mod writer;

pub use batch::{Batch, Records};
pub use config::{Config, Error, Policy};
pub use follow::{Follower, Passed, request_seek};
pub use reader::{Block, Position, Reader};
pub use spool::{Appended, Seek, Spool};
pub use state::{Counters, Reason};
pub use status::{Peek, ReaderStatus, Status, status};
