//! The Transaction event and its forms: Zeek's logs, ECS JSON with its published schema, a small filter.
//!
//! Values in, bytes out: no clock, no file, no socket. A [`FlowInfo`] is made once per connection, a
//! [`Transaction`] borrows it together with a request/response pair, and the writers append to a buffer that
//! the caller reuses.
#![forbid(unsafe_code)]

mod auth;
pub mod client;
pub mod community_id;
pub mod ecs;
pub mod fields;
pub mod filter;
pub mod fingerprint;
pub mod flow;
pub mod masking;
mod number;
mod prepare;
mod text;
pub mod transaction;
pub mod uid;
pub mod url;
pub mod zeek;

pub use client::{Client, Trust};
pub use community_id::CommunityId;
pub use ecs::VniNames;
pub use filter::{Filter, FilterError};
pub use flow::{Endpoint, FlowInfo, IpText};
pub use harken_api::Api;
pub use harken_api::Descriptors;
pub use masking::Masking;
pub use number::rfc3339;
pub use prepare::Preparation;
pub use transaction::Transaction;
pub use uid::{EventId, Uid};
pub use zeek::Form;

#[cfg(test)]
mod testing;
