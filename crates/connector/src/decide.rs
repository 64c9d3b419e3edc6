//! Which events of a pipeline go on, and to which of its datasinks.
use std::sync::Arc;

/// What happens to an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It goes on as it is.
    Keep,
    /// It is filtered out.
    Drop,
    /// It goes on like this: a JSON object without a line end.
    Changed(Vec<u8>),
}

/// A verdict over an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What happens to it.
    pub outcome: Outcome,
    /// The datasinks that it goes to; nothing for all of the pipeline's.
    pub routes: Option<Vec<String>>,
}

impl Decision {
    /// A verdict for all datasinks of the pipeline.
    pub fn all(outcome: Outcome) -> Self {
        Self { outcome, routes: None }
    }
}

/// Decides over the events of one route, in their order.
pub trait Decide: Send + Sync {
    /// The verdict over an event (a JSON object).
    fn decide(&self, event: &[u8]) -> Decision;
}

/// Keeps all events.
#[derive(Debug, Clone, Copy, Default)]
pub struct KeepAll;

impl Decide for KeepAll {
    fn decide(&self, _event: &[u8]) -> Decision {
        Decision::all(Outcome::Keep)
    }
}

/// Where the filters of the pipelines come from.
pub trait Filters: Send + Sync {
    /// Reads the filters of a pipeline, once for each of its routes, at the start and at each reload.
    ///
    /// # Errors
    ///
    /// Where they are wrong; at a reload the old ones stay in force.
    fn load(&self, pipeline: &str) -> Result<Arc<dyn Decide>, String>;
}

impl Filters for KeepAll {
    fn load(&self, _pipeline: &str) -> Result<Arc<dyn Decide>, String> {
        Ok(Arc::new(Self))
    }
}
