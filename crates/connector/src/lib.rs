//! The connector: takes events from readers through the filters of pipelines to datasinks, and loses none.
//!
//! [`Connector::start`] runs the pipelines of a [`Config`]. Each pair of a pipeline and a datasink is a
//! *route* with a position of its own in the reader (`route/`), so that a datasink that is stuck holds back
//! only itself. A datasink implements [`Datasink`]; the kinds are in [`datasinks`], a file each. Delivery is
//! at least once: the position moves on only behind events that the datasink took or that lie as dead letters
//! ([`deadletter`]). The books ([`Ledger`]) balance at any time.
#![forbid(unsafe_code)]

pub mod config;
mod connector;
pub mod datasink;
pub mod datasinks;
pub mod deadletter;
pub mod decide;
mod files;
pub mod kafka;
mod ledger;
pub mod log;
pub mod metrics;
pub mod operator;
pub mod readers;
mod report;
mod route;
mod sink;
mod supervise;

pub use config::{Config, FilterFiles, Pipeline};
pub use connector::{Connector, dead_letters, status_file};
pub use datasink::{Batch, Datasink, Event, Failure, Invalid, Limits, Refusal};
pub use decide::{Decide, Decision, Filters, KeepAll, Outcome};
pub use files::replace_lightly;
pub use ledger::{Ledger, Route};
pub use report::Status;
pub use supervise::Supervised;
