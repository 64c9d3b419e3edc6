//! The full event as JSON: names of Elastic Common Schema and OpenTelemetry, and a published JSON Schema.

mod build;
mod json;
mod mask;
mod model;
mod schema;
mod value;

pub use mask::MARK;
pub use schema::schema;

use crate::auth::user_name;
use crate::transaction::Transaction;
use std::mem;

/// Version of the event's schema: the first number changes when a reader of the old one would break.
pub const SCHEMA_VERSION: &str = "1.0.0";

/// What an event contains.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Options {
    /// Secrets in header fields and in the URL are not masked.
    pub show_secrets: bool,
}

/// Writes events. It keeps buffers, so use one for many events.
#[derive(Debug, Default)]
pub struct Writer {
    options: Options,
    scratch: Vec<u8>,
    version: String,
}

impl Writer {
    /// A writer with these options.
    pub const fn new(options: Options) -> Self {
        Self { options, scratch: Vec::new(), version: String::new() }
    }

    /// Appends one transaction as a line of JSON.
    pub fn write(&mut self, transaction: &Transaction<'_>, out: &mut Vec<u8>) {
        let mut scratch = mem::take(&mut self.scratch);
        let mut version = mem::take(&mut self.version);
        let id = transaction.id();
        let fields = transaction.fields();
        let message = transaction.request().or(transaction.response());
        let derived = build::Derived {
            id: id.as_str(),
            user: fields.credentials.map(|c| user_name(c, &mut scratch)),
            fields,
            version: build::version_text(message.and_then(|m| m.version), &mut version),
        };
        let start = out.len();
        let event = build::event(transaction, &derived, &self.options);
        match json::write(out, &event) {
            Ok(()) => out.push(b'\n'),
            // An event holds no unsupported value; if it did, half an event would be worse than none.
            Err(json::Unsupported) => out.truncate(start),
        }
        (self.scratch, self.version) = (scratch, version);
    }
}

#[cfg(test)]
mod tests;
