//! The books: what was read is filtered out, waits, was written or is dead-lettered. Always.
use schemars::JsonSchema;
use serde::Serialize;

/// The books of one route, in events since the connector was started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Ledger {
    /// Read. An event that was read before a restart and not done counts again.
    pub read: u64,
    /// Dropped by the pipeline's filters.
    pub filtered_out: u64,
    /// Sent by the filters to other datasinks of the pipeline only.
    pub routed_elsewhere: u64,
    /// Read and not yet done.
    pub waiting: u64,
    /// Taken by the datasink.
    pub written: u64,
    /// Put aside as dead letters.
    pub dead_lettered: u64,
    /// Given back undone since the reader was moved back or its partitions were taken back; they are read again, here or
    /// by another process.
    pub given_back: u64,
}

impl Ledger {
    /// Whether everything that was read is somewhere.
    pub fn balances(&self) -> bool {
        self.read
            == self.filtered_out
                + self.routed_elsewhere
                + self.waiting
                + self.written
                + self.dead_lettered
                + self.given_back
    }

    /// What the datasink got: all that the filters have sent it, and that was not given back.
    pub fn received(&self) -> u64 {
        self.read - self.filtered_out - self.routed_elsewhere - self.given_back
    }
}

/// What else is known of a route.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Route {
    /// The pipeline.
    pub pipeline: String,
    /// The datasink.
    pub datasink: String,
    /// The books.
    pub ledger: Ledger,
    /// Attempts that failed, and events that were dead-lettered.
    pub errors: u64,
    /// The last failure; none when the last attempt succeeded.
    pub failure: Option<String>,
    /// Batches that may be on their way at a time now.
    pub window: usize,
    /// Dead letters that were dropped at the bound on their folder.
    pub dead_letters_dropped: u64,
    /// Events that the reader had to pass over: deleted at the spool's bound before they were read, or damaged on the
    /// disk.
    pub missing: u64,
    /// Why nothing can be read or committed now.
    pub reader_failure: Option<String>,
    /// Its reader has no more, and everything is done.
    pub finished: bool,
}
