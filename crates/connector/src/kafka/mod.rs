//! What the reader and the datasink `kafka` share: the settings of a cluster, and how a client gets into it.
//!
//! The settings are known to every build, so that a configuration is read and checked the same everywhere; the
//! client (librdkafka) only to one with the feature `kafka`.
#[cfg(feature = "kafka")]
mod client;
mod config;
#[cfg(feature = "msk-iam")]
mod msk;
#[cfg(feature = "kafka")]
mod token;

#[cfg(feature = "kafka")]
pub(crate) use client::{Client, Context};
pub use config::{Cluster, OauthBearer, Sasl};

/// What a build without the client says.
#[cfg(not(feature = "kafka"))]
pub(crate) const ABSENT: &str =
    "this harken was built without Kafka: build it with `cargo build --release -p harken --features kafka`";
