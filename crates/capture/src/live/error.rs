//! What can go wrong when a live source is opened, in words that name the mend.
use std::{fmt, io};

/// A live source that cannot be opened.
#[derive(Debug)]
pub struct LiveError {
    /// What was tried, and on what: "open a packet socket on eth1".
    what: String,
    /// Why it failed.
    reason: io::Error,
    /// What helps; empty when nothing is known to.
    mend: String,
}

impl LiveError {
    pub(crate) fn new(what: impl Into<String>, reason: io::Error, mend: impl Into<String>) -> Self {
        Self { what: what.into(), reason, mend: mend.into() }
    }

    /// The system's error.
    pub fn reason(&self) -> &io::Error {
        &self.reason
    }
}

impl fmt::Display for LiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The number of the error stands for nothing that the text does not say.
        let reason = self.reason.to_string();
        let reason = reason.split(" (os error").next().unwrap_or_default();
        write!(f, "cannot {}: {reason}", self.what)?;
        if self.mend.is_empty() { Ok(()) } else { write!(f, "; {}", self.mend) }
    }
}

// The text names its cause: a source would make error chains say it twice.
impl std::error::Error for LiveError {}
