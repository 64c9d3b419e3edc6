//! Reads a spool, of this process or of another.
use super::{Next, Reader};
use harken_spool::{Block, Error, Follower, Passed, Position, Seek, Spool};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Who owns the spool.
#[derive(Debug)]
enum Source {
    /// This process.
    Own(harken_spool::Reader),
    /// Another one, or none.
    Other(Follower),
    /// Nobody yet: its folder is not there.
    Missing { dir: PathBuf, route: String },
}

/// A reader of the spool under the route's name.
#[derive(Debug)]
pub struct SpoolReader {
    source: Source,
    /// Behind what was read last.
    end: Option<Position>,
}

impl SpoolReader {
    /// Reads a spool that this process has opened. It goes on where this route committed; one that is new
    /// begins with the oldest record.
    ///
    /// # Errors
    ///
    /// What the spool says.
    pub fn open(spool: &Spool, route: &str) -> Result<Self, String> {
        let reader = spool.reader(route, Seek::Oldest).map_err(|error| error.to_string())?;
        Ok(Self { source: Source::Own(reader), end: None })
    }

    /// The same for a spool into which another process writes, or none. A folder that does not exist is waited for.
    ///
    /// # Errors
    ///
    /// A reader that is open elsewhere, or what the system gives.
    pub fn follow(dir: &Path, route: &str) -> Result<Self, String> {
        let mut reader =
            Self { source: Source::Missing { dir: dir.to_owned(), route: route.to_owned() }, end: None };
        if dir.is_dir() {
            reader.come()?;
        }
        Ok(reader)
    }

    /// Opens the spool that was missing.
    fn come(&mut self) -> Result<(), String> {
        if let Source::Missing { dir, route } = &self.source {
            if !dir.is_dir() {
                let dir = dir.display();
                return Err(format!(
                    "there is no spool {dir} yet: start the sensor, or name its folder in dir"
                ));
            }
            let follower = Follower::open(dir, route, Seek::Oldest).map_err(|error| error.to_string())?;
            self.source = Source::Other(follower);
        }
        Ok(())
    }

    fn block(&mut self, timeout: Duration) -> Result<Option<Block>, Error> {
        match &mut self.source {
            Source::Own(reader) => reader.next(timeout),
            Source::Other(follower) => follower.next(timeout),
            Source::Missing { .. } => Ok(None),
        }
    }
}

impl Reader for SpoolReader {
    fn next(&mut self, timeout: Duration, each: &mut dyn FnMut(u64, &[u8])) -> Result<Next, String> {
        self.come()?;
        match self.block(timeout) {
            Ok(Some(block)) => {
                self.end = Some(block.end());
                (block.first()..).zip(&block).for_each(|(number, record)| each(number, record));
                Ok(Next::Some)
            }
            Ok(None) => Ok(Next::Nothing),
            Err(Error::Closed) => Ok(Next::End),
            Err(error) => Err(error.to_string()),
        }
    }

    fn passed(&self) -> Passed {
        match &self.source {
            Source::Own(reader) => reader.passed(),
            Source::Other(follower) => follower.passed(),
            Source::Missing { .. } => Passed::default(),
        }
    }

    fn commit(&mut self, before: u64) -> Result<(), String> {
        let Some(end) = self.end else { return Ok(()) };
        let position = end.back(end.number().saturating_sub(before));
        let committed = match &mut self.source {
            Source::Own(reader) => reader.commit(position),
            Source::Other(follower) => follower.commit(position),
            // Nothing was read.
            Source::Missing { .. } => return Ok(()),
        };
        // False says that the reader was moved meanwhile, so that there is nothing to commit.
        committed.map(drop).map_err(|error| error.to_string())
    }
}
