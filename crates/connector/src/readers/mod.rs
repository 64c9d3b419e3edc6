//! The kinds of readers: where the events of a pipeline come from.
mod file;
#[cfg(feature = "kafka")]
mod kafka;
mod spool;

pub use file::FileReader;
#[cfg(feature = "kafka")]
pub use kafka::{KafkaReader, Positions};
pub use spool::SpoolReader;

use crate::kafka::Cluster;
use harken_spool::Passed;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What became of a call of [`Reader::next`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Events were given.
    Some,
    /// None came in time.
    Nothing,
    /// None will come any more.
    End,
    /// What was given and is not done was taken back: it is given again, here or elsewhere.
    TakenBack,
}

/// Where a reader stands, for a datasink that commits it; only of a build with Kafka.
#[cfg(not(feature = "kafka"))]
#[derive(Debug)]
pub enum Positions {}

/// Gives the events of one route, in order, each with a number that is larger than the one before. A smaller
/// number says that the reader was moved back, and that what waits will be given again.
pub trait Reader: Send {
    /// Calls `each` with the number and the bytes of each event at hand (as many as are read at once, some
    /// MiB at most), waiting at most `timeout` for the first.
    ///
    /// # Errors
    ///
    /// What keeps it from reading, for the operator; the next call tries again.
    fn next(&mut self, timeout: Duration, each: &mut dyn FnMut(u64, &[u8])) -> Result<Next, String>;

    /// Makes it durable that all events with a number below `before` are done: a restart goes on behind them.
    ///
    /// # Errors
    ///
    /// What keeps it from being written; the next call tries again.
    fn commit(&mut self, before: u64) -> Result<(), String>;

    /// Called now and then while nothing may be read, for readers that have to give signs of life.
    fn idle(&mut self) -> Next {
        Next::Nothing
    }

    /// What it had to pass over since it was opened, or for longer.
    fn passed(&self) -> Passed {
        Passed::default()
    }

    /// Where it stands, for a datasink that commits that with what it writes.
    fn positions(&self) -> Option<Arc<Positions>> {
        None
    }
}

/// The settings of a reader, by its kind.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Kind {
    /// The durable queue of a sensor.
    Spool(SpoolConfig),
    /// A file with an event a line.
    File(FileConfig),
    /// Topics of a Kafka cluster, read as a consumer group.
    Kafka(Box<KafkaConfig>),
}

/// The durable queue of a sensor.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpoolConfig {
    /// Its folder.
    pub dir: PathBuf,
}

/// A file with an event a line.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileConfig {
    /// The file.
    pub path: PathBuf,
    /// Wait at its end for more lines; else the pipeline is finished there.
    #[serde(default)]
    pub follow: bool,
}

/// Topics of a Kafka cluster, an event a record.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KafkaConfig {
    /// The cluster.
    pub cluster: Cluster,
    /// The topics.
    pub topics: Vec<String>,
    /// The consumer group is called so, with the pipeline and the datasink behind it: `GROUP.PIPELINE.DATASINK`.
    /// Processes with the same group share the partitions out.
    #[serde(default = "group")]
    pub group: String,
    /// Where a group begins that has read nothing yet.
    #[serde(default)]
    pub from: From,
}

fn group() -> String {
    "harken".to_owned()
}

/// Where a group begins that has read nothing yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum From {
    /// With the oldest record.
    #[default]
    Earliest,
    /// With what comes from now on.
    Latest,
}

/// Opens the readers of a configuration.
pub trait Readers: Send + Sync {
    /// Opens a reader for the route of that name.
    ///
    /// # Errors
    ///
    /// What keeps it from being opened, and the mend.
    fn open(&self, kind: &Kind, route: &str) -> Result<Box<dyn Reader>, String>;
}

/// Readers of files, of spools that this process has opened, and of those that another one has.
#[derive(Debug)]
pub struct Local {
    /// Folder of the positions in files.
    dir: PathBuf,
    spools: BTreeMap<PathBuf, Arc<harken_spool::Spool>>,
}

impl Local {
    /// Keeps the positions of files in `dir`. Spools that are not [lent](Self::lend) are those of other
    /// processes.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), spools: BTreeMap::new() }
    }

    /// Lends the open spool of that folder (as it is named in the configuration).
    pub fn lend(&mut self, dir: &Path, spool: Arc<harken_spool::Spool>) {
        self.spools.insert(dir.to_owned(), spool);
    }
}

impl Readers for Local {
    fn open(&self, kind: &Kind, route: &str) -> Result<Box<dyn Reader>, String> {
        match kind {
            Kind::Spool(config) => match self.spools.get(&config.dir) {
                Some(spool) => Ok(Box::new(SpoolReader::open(spool, route)?)),
                None => Ok(Box::new(SpoolReader::follow(&config.dir, route)?)),
            },
            Kind::File(config) => {
                let position = self.dir.join(format!("{route}.position"));
                Ok(Box::new(FileReader::open(&config.path, &position, config.follow)?))
            }
            #[cfg(feature = "kafka")]
            Kind::Kafka(config) => Ok(Box::new(KafkaReader::open(config, route)?)),
            #[cfg(not(feature = "kafka"))]
            Kind::Kafka(_) => Err(crate::kafka::ABSENT.to_owned()),
        }
    }
}
