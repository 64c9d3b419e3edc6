//! Reads a spool of this process.
use super::{Next, Reader};
use harken_spool::{Error, Position, Seek, Spool};
use std::time::Duration;

/// A reader of the spool under the route's name.
#[derive(Debug)]
pub struct SpoolReader {
    reader: harken_spool::Reader,
    /// Behind what was read last.
    end: Option<Position>,
}

impl SpoolReader {
    /// Goes on where this route committed; one that is new begins with the oldest record.
    ///
    /// # Errors
    ///
    /// What the spool says.
    pub fn open(spool: &Spool, route: &str) -> Result<Self, String> {
        let reader = spool.reader(route, Seek::Oldest).map_err(|error| error.to_string())?;
        Ok(Self { reader, end: None })
    }
}

impl Reader for SpoolReader {
    fn next(&mut self, timeout: Duration, each: &mut dyn FnMut(u64, &[u8])) -> Result<Next, String> {
        match self.reader.next(timeout) {
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
        // False says that the reader was moved meanwhile, so that there is nothing to commit.
        let position = end.back(end.number().saturating_sub(before));
        self.reader.commit(position).map(drop).map_err(|error| error.to_string())
    }
}
