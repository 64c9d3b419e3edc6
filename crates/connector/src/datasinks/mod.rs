//! The kinds of datasinks. A new one is a file here, and a line in each of the three places below.
mod fields;
pub mod file;
pub mod http;
pub mod kafka;
pub mod parquet;
mod probe;
pub mod stdout;
pub mod syslog;

use crate::config::Delivery;
use crate::datasink::Datasink;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

/// The settings of a datasink, by its kind.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Kind {
    /// A file with an event a line.
    File(file::Config),
    /// A receiver over HTTP or HTTPS.
    Http(Box<http::Config>),
    /// A topic of a Kafka cluster.
    Kafka(Box<kafka::Config>),
    /// A folder of Parquet files.
    Parquet(parquet::Config),
    /// Standard output.
    Stdout(stdout::Config),
    /// A syslog receiver over UDP, TCP or TLS.
    Syslog(Box<syslog::Config>),
}

/// A datasink, and how it is fed.
#[derive(Clone)]
pub struct Opened {
    /// The datasink.
    pub datasink: Arc<dyn Datasink>,
    /// How it is fed.
    pub delivery: Delivery,
}

impl Kind {
    /// Opens it; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// The key that cannot be so, and the mend.
    pub fn open(&self) -> Result<Opened, String> {
        let (datasink, delivery): (Arc<dyn Datasink>, _) = match self {
            Self::File(config) => (Arc::new(file::FileSink::new(config)?), &config.delivery),
            Self::Http(config) => (Arc::new(http::Http::open(config)?), &config.delivery),
            Self::Kafka(config) => (Arc::new(kafka::Kafka::open(config)?), &config.delivery),
            Self::Parquet(config) => (Arc::new(parquet::Parquet::new(config)?), &config.delivery),
            Self::Stdout(config) => (Arc::new(stdout::Stdout), &config.delivery),
            Self::Syslog(config) => (Arc::new(syslog::Syslog::open(config)?), &config.delivery),
        };
        delivery.check()?;
        Ok(Opened { datasink, delivery: delivery.clone() })
    }
}
