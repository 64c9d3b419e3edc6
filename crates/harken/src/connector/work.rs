//! A connector at work: in a process of its own, or on threads of its own inside a sensor.
use super::filters::{self, Files};
use super::process::{Owner, PidFile};
use crate::watch::Watch;
use anyhow::{Context as _, Result, anyhow};
use harken_connector::log::{FileLog, Level, Log};
use harken_connector::readers::Local;
use harken_connector::{Config, Status, Supervised};
use std::path::Path;
use std::sync::Arc;

/// Its folder is taken; nothing runs yet.
pub struct Work {
    config: Config,
    pid: PidFile,
}

/// It runs.
pub struct Running {
    connector: Supervised,
    watch: Watch,
    log: Arc<dyn Log>,
    /// Held until it has ended.
    _pid: PidFile,
}

/// The log in a file, of which the errors are also told elsewhere.
struct Loud {
    log: FileLog,
    errors: fn(&str),
}

impl Log for Loud {
    fn say(&self, level: Level, text: &str) {
        self.log.say(level, text);
        if level == Level::Error {
            (self.errors)(text);
        }
    }
}

impl Work {
    /// Makes the folder and takes it.
    pub fn take(config: Config, owner: Owner) -> Result<Self> {
        std::fs::create_dir_all(&config.dir)
            .with_context(|| format!("cannot make the folder {}", config.dir.display()))?;
        let pid = PidFile::take(&config.dir, owner)?;
        Ok(Self { config, pid })
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Starts it; `file` is that of the configuration. What goes wrong is also told to `errors`.
    pub fn start(self, file: &Path, readers: Local, errors: fn(&str)) -> Result<Running> {
        let Self { config, pid } = self;
        let path = config.dir.join("connector.log");
        let log = FileLog::open(&path, config.log.max_bytes, config.log.keep);
        let log = log.with_context(|| format!("cannot write {}", path.display()))?;
        let log: Arc<dyn Log> = Arc::new(Loud { log, errors });
        let (filters, watch) = (Arc::new(Files::new(&config)), filters::watch(&config));
        let connector = Supervised::start(config, Box::new(readers), filters, Arc::clone(&log));
        let connector = connector.map_err(|error| anyhow!("{}: {error}", file.display()))?;
        log.say(Level::Info, &format!("running, configuration {}", file.display()));
        Ok(Running { connector, watch, log, _pid: pid })
    }
}

impl Running {
    /// Starts it again when it has panicked; reads the filters again when they have changed, or when that is asked for.
    pub fn look(&mut self, reload: bool) {
        self.connector.look();
        if (reload || self.watch.has_changed())
            && let Err(error) = self.connector.reload()
        {
            self.log.say(Level::Error, &format!("the old filters stay in force: {error}"));
        }
    }

    /// How it goes, and whether it is at work: it waits for a while after a panic.
    pub fn status(&self) -> (Status, bool) {
        (self.connector.status(), self.connector.runs())
    }

    /// Whether all readers have come to their end and everything is done.
    pub fn is_finished(&self) -> bool {
        self.connector.is_finished()
    }

    /// Ends it: what is on its way may be answered, the rest is read again next time.
    pub fn stop(self) -> Status {
        let last = self.connector.stop();
        let waiting: u64 = last.routes.iter().map(|route| route.ledger.waiting).sum();
        self.log
            .say(Level::Info, &format!("ended; {waiting} events that were read are read again next time"));
        last
    }
}
