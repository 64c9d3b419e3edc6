//! Masking: secrets and personal data are found by name and by shape, and replaced.
//!
//! Values in, values out: no clock, no file, no socket. A [`Config`] is compiled once into a [`Masker`]. Its
//! methods take one value (a header, a query, a body) and write the masked bytes into the caller's buffer
//! *only* when something was found. What was masked goes into a [`Report`], never the value itself.
//!
//! Detection is linear in the input: one pass of an automaton for the words that secrets begin with
//! (`secret.rs`), one of `memchr` for `@` (`email.rs`), one over the digits (`number.rs`), each with a bounded
//! look around what it stops at. There is no regular expression, and no recursion over the input.
#![forbid(unsafe_code)]

mod beginnings;
pub mod config;
pub mod detect;
mod email;
mod form;
mod grpc;
mod json;
pub mod kind;
pub mod masker;
pub mod method;
mod multipart;
mod names;
mod national;
mod number;
mod phone;
pub mod report;
mod secret;
mod sums;
mod url;

pub use config::{Config, ConfigError};
pub use detect::{Detector, Match};
pub use kind::{Class, Kind};
pub use masker::Masker;
pub use method::Method;
pub use report::{Location, Masked, Report};
