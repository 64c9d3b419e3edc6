//! Reads a spool, of this process or of another.
use super::{Next, Reader};
use harken_spool::{Block, Error, Follower, Position, Seek, Spool};
use std::path::Path;
use std::time::Duration;

/// Who owns the spool.
#[derive(Debug)]
enum Source {
    /// This process.
    Own(harken_spool::Reader),
    /// Another one, or none.
    Other(Follower),
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

    /// The same for a spool into which another process writes, or none.
    ///
    /// # Errors
    ///
    /// A folder that does not exist, a reader that is open elsewhere, or what the system gives.
    pub fn follow(dir: &Path, route: &str) -> Result<Self, String> {
        if !dir.is_dir() {
            let dir = dir.display();
            return Err(format!(
                "there is no spool {dir}: start the sensor first, or name its folder in dir"
            ));
        }
        let follower = Follower::open(dir, route, Seek::Oldest).map_err(|error| error.to_string())?;
        Ok(Self { source: Source::Other(follower), end: None })
    }

    fn block(&mut self, timeout: Duration) -> Result<Option<Block>, Error> {
        match &mut self.source {
            Source::Own(reader) => reader.next(timeout),
            Source::Other(follower) => follower.next(timeout),
        }
    }
}

impl Reader for SpoolReader {
    fn next(&mut self, timeout: Duration, each: &mut dyn FnMut(u64, &[u8])) -> Result<Next, String> {
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

    fn commit(&mut self, before: u64) -> Result<(), String> {
        let Some(end) = self.end else { return Ok(()) };
        let position = end.back(end.number().saturating_sub(before));
        let committed = match &mut self.source {
            Source::Own(reader) => reader.commit(position),
            Source::Other(follower) => follower.commit(position),
        };
        // False says that the reader was moved meanwhile, so that there is nothing to commit.
        committed.map(drop).map_err(|error| error.to_string())
    }
}
