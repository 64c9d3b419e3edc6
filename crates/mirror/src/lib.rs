//! AWS VPC Traffic Mirroring, set up from a small description: discover, plan, apply, verify, destroy.
//!
//! A [`spec::Spec`] says what is wanted, a [`world::World`] what there is; [`plan::Plan`] is the difference as a list of
//! calls, which is made without asking or doing anything. An [`execute::Executor`] makes the calls. [`aws`] speaks to AWS.
//! No run against a live account of AWS has been made by the project; what the client sends is held against AWS's own model
//! of its API (`tests/`).
#![forbid(unsafe_code)]

pub mod aws;
pub mod execute;
pub mod export;
pub mod names;
mod ours;
pub mod plan;
pub mod policy;
mod select;
pub mod spec;
pub mod teardown;
pub mod verify;
pub mod world;

pub use ours::is_ours;
pub use select::select;
