//! The full event as JSON: names of Elastic Common Schema and OpenTelemetry, and a published JSON Schema.

mod api;
mod json;
mod message;
mod model;
mod model_parts;
mod names;
mod schema;
mod target;
mod write;

pub use names::VniNames;
pub use schema::schema;

use crate::fingerprint::Fingerprints;
use crate::transaction::Transaction;

/// Version of the event's schema: the first number changes when a reader of the old one would break.
pub const SCHEMA_VERSION: &str = "4.2.0";

/// Writes events. It keeps a buffer, so use one for many events.
#[derive(Debug, Default)]
pub struct Writer {
    scratch: Vec<u8>,
    fingerprints: Fingerprints,
    names: VniNames,
}

impl Writer {
    /// With names of virtual networks.
    pub fn naming(names: &VniNames) -> Self {
        Self { names: names.clone(), ..Self::default() }
    }

    /// Appends one transaction as a line of JSON. What is to be masked must have been masked before
    /// ([`crate::Masking`]).
    pub fn write(&mut self, transaction: &Transaction<'_>, out: &mut Vec<u8>) {
        write::event(transaction, &mut self.scratch, &mut self.fingerprints, &self.names, out);
    }
}

#[cfg(test)]
mod tests;
