//! A topic of a Kafka cluster.
mod config;
#[cfg(feature = "kafka")]
mod producer;
#[cfg(feature = "kafka")]
mod record;
#[cfg(feature = "kafka")]
mod topic;
#[cfg(feature = "kafka")]
mod transaction;
#[cfg(feature = "kafka")]
mod verdict;

pub use config::{Compression, Config, CreateTopic, Key, Partitioner, Timestamp};
#[cfg(feature = "kafka")]
pub use producer::Kafka;

#[cfg(not(feature = "kafka"))]
pub use absent::Kafka;

#[cfg(not(feature = "kafka"))]
mod absent {
    use super::Config;
    use crate::datasink::{Batch, Datasink, Failure, Invalid};
    use async_trait::async_trait;

    /// The datasink in a build without it: it cannot be opened.
    pub enum Kafka {}

    impl Kafka {
        /// Says what is wrong in the settings, or that this build has none.
        ///
        /// # Errors
        ///
        /// Always.
        pub fn open(config: &Config) -> Result<Self, String> {
            config.check()?;
            Err(crate::kafka::ABSENT.to_owned())
        }
    }

    #[async_trait]
    impl Datasink for Kafka {
        fn kind(&self) -> &'static str {
            match *self {}
        }

        async fn check(&self) -> Result<(), Invalid> {
            match *self {}
        }

        async fn write(&self, _: &Batch) -> Result<(), Failure> {
            match *self {}
        }
    }
}
