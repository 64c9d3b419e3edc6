//! The filter files of the pipelines, read again when they change.
use crate::watch::Watch;
use anyhow::Context as _;
use harken_connector::{Config, Decide, Decision, Filters, Outcome, Pipeline};
use harken_filter::{Filter, State, Verdict};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The files of all pipelines.
pub struct Files {
    pipelines: BTreeMap<String, Pipeline>,
}

impl Files {
    /// Those that a configuration names.
    pub fn new(config: &Config) -> Self {
        Self { pipelines: config.pipelines.clone() }
    }

    fn read(&self, name: &str) -> anyhow::Result<Filter> {
        let pipeline = self.pipelines.get(name).context("is not in the configuration")?;
        let files = &pipeline.filters;
        let filter = crate::filter::load(files.simple.as_deref(), files.advanced.as_deref())?;
        for route in filter.routes() {
            if !pipeline.datasinks.iter().any(|datasink| **datasink == *route) {
                let known = pipeline.datasinks.join(", ");
                anyhow::bail!(
                    "a rule routes to {route}, which is none of its datasinks: name one of {known}"
                );
            }
        }
        Ok(filter)
    }
}

impl Filters for Files {
    fn load(&self, pipeline: &str) -> Result<Arc<dyn Decide>, String> {
        let filter = self.read(pipeline).map_err(|error| format!("filters: {error:#}"))?;
        Ok(Arc::new(Rules { filter, state: Mutex::default() }))
    }
}

/// The rules of one route.
struct Rules {
    filter: Filter,
    state: Mutex<State>,
}

impl Decide for Rules {
    fn decide(&self, event: &[u8]) -> Decision {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // What cannot be read is not for a filter to take away: the datasink says what it thinks of it.
        let Ok(decision) = self.filter.decide(&mut state, event) else { return Decision::all(Outcome::Keep) };
        let outcome = match (decision.verdict, decision.changed) {
            (Verdict::Drop, _) => Outcome::Drop,
            (Verdict::Keep, None) => Outcome::Keep,
            (Verdict::Keep, Some(changed)) => Outcome::Changed(changed),
        };
        let routes: Vec<_> = decision.routes.iter().map(ToString::to_string).collect();
        Decision { outcome, routes: (!routes.is_empty()).then_some(routes) }
    }
}

/// Notices that a filter file has changed.
pub fn watch(config: &Config) -> Watch {
    let filters = config.pipelines.values().map(|pipeline| &pipeline.filters);
    Watch::new(filters.flat_map(|files| [&files.simple, &files.advanced]).flatten().cloned().collect())
}
