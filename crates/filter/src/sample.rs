//! Sampling: the same key is always in the sample, or always out of it, on every sensor and after every
//! restart.

use crate::endpoint::endpoint;
use crate::view::View;
use serde::Deserialize;
use siphasher::sip::SipHasher13;
use std::fmt::Write as _;
use std::hash::Hasher as _;

/// What stays together in a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum By {
    /// All transactions of a connection.
    #[default]
    Flow,
    /// All of a client address.
    Client,
    /// All of an endpoint: method, host and path, with identifiers collapsed.
    Endpoint,
}

impl By {
    /// The name in files.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Flow => "flow",
            Self::Client => "client",
            Self::Endpoint => "endpoint",
        }
    }
}

/// A hash that is the same everywhere. Its key is no secret: a client that chooses its own key can choose to
/// be sampled.
pub(crate) fn hash(parts: &[&str]) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(0x6861_726b_656e, 0x7361_6d70_6c65);
    for part in parts {
        hasher.write(part.as_bytes());
        hasher.write_u8(0xff);
    }
    hasher.finish()
}

/// A share of all keys.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) percent: f64,
    pub(crate) by: By,
}

impl Sample {
    /// Whether the event is in the sample.
    pub(crate) fn keeps(self, view: &View<'_>) -> bool {
        let text =
            |text: &Option<crate::view::Text<'_>>| text.as_ref().map_or(String::new(), |t| t.0.to_string());
        let key = match self.by {
            By::Flow => text(&view.uid),
            By::Client => {
                let mut key = String::new();
                // Writing into a String cannot fail.
                let _ = view.client.map(|ip| write!(key, "{ip}"));
                key
            }
            By::Endpoint => endpoint(view),
        };
        // 53 bits are what a float holds.
        let place = (hash(&[self.by.name(), &key]) >> 11) as f64 / (1_u64 << 53) as f64;
        place * 100.0 < self.percent
    }
}
