//! Filters: which events are kept, and what is changed in them.
//!
//! Text of two files in, a compiled [`Filter`] out; an event (a line of JSON) in, a [`Decision`] out. No
//! clock, no file: rate limits are driven by the time of the events.
//!
//! ```
//! use harken_filter::{Advanced, Filter, Simple, State, Verdict};
//!
//! let simple = r#"{"exclude": [{"name": "probes", "where": {"path": ["/probe/**"]}}]}"#;
//! let advanced = r#"{"rules": [
//!     {"name": "errors", "when": "http.response.status_code >= 500", "actions": [{"tag": ["error"]}]}
//! ]}"#;
//! let filter = Filter::new(
//!     &Simple::parse("filters-simple.json", simple)?,
//!     &Advanced::parse("filters-advanced.json", advanced)?,
//! )?;
//! let mut state = State::default();
//! let decision = filter.decide(&mut state, br#"{"url": {"path": "/probe/1"}}"#)?;
//! assert_eq!(decision.verdict, Verdict::Drop);
//! let decision = filter.decide(&mut state, br#"{"http": {"response": {"status_code": 502}}}"#)?;
//! assert_eq!((decision.verdict, &*decision.tags[0]), (Verdict::Keep, "error"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Simple`] rules look at a few values that are borrowed from the text (`view.rs`), all patterns of a field
//! in one pass (`simple/tables.rs`). Only where there are [`Advanced`] rules the whole event is read; their
//! expressions are rewritten to ask for slots (`advanced/check.rs`, `advanced/slots.rs`), so that nothing
//! else of it is converted. An event that no action changes goes on byte for byte.
#![forbid(unsafe_code)]

mod advanced;
mod asset;
mod decision;
mod endpoint;
mod explain;
mod filter;
mod problem;
mod rate;
mod sample;
mod simple;
mod view;

pub use advanced::Advanced;
pub use decision::{Decision, Kind, RuleId, Verdict, Why};
pub use explain::{Defaults, Explained};
pub use filter::{Count, Filter, NotAnEvent, State};
pub use problem::{Errors, Problem};
pub use simple::Simple;
pub use simple::value::network;
