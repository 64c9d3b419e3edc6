//! The full event as JSON: names of Elastic Common Schema and OpenTelemetry, and a published JSON Schema.

mod json;
mod mask;
mod message;
mod model;
mod schema;
mod target;
mod write;

pub use mask::MARK;
pub use schema::schema;

use crate::transaction::Transaction;
use mask::Masking;

/// Version of the event's schema: the first number changes when a reader of the old one would break.
pub const SCHEMA_VERSION: &str = "2.0.0";

/// What an event contains.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Options {
    /// Secrets in header fields and in the URL are not masked.
    pub show_secrets: bool,
}

/// Writes events. It keeps buffers, so use one for many events.
#[derive(Debug, Default)]
pub struct Writer {
    masking: Masking,
    scratch: Vec<u8>,
}

impl Writer {
    /// A writer with these options.
    pub const fn new(options: Options) -> Self {
        Self { masking: Masking::new(options.show_secrets), scratch: Vec::new() }
    }

    /// Appends one transaction as a line of JSON.
    pub fn write(&mut self, transaction: &Transaction<'_>, out: &mut Vec<u8>) {
        write::event(transaction, &mut self.masking, &mut self.scratch, out);
    }
}

#[cfg(test)]
mod tests;
