//! What was masked, without the values.

use crate::kind::Kind;
use crate::method::Method;
use serde::{Deserialize, Serialize};

/// Bytes of a name that are kept.
const LONGEST_NAME: usize = 128;

/// Where a value stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Location {
    /// A header field.
    Header,
    /// The password or the path of a URL.
    Url,
    /// A query parameter.
    Query,
    /// A parameter in the fragment of a URL.
    Fragment,
    /// A field of a form.
    Form,
    /// A value in JSON.
    Json,
    /// A field of a gRPC message.
    Grpc,
    /// Free text.
    Text,
}

impl Location {
    /// The name in reports and in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Url => "url",
            Self::Query => "query",
            Self::Fragment => "fragment",
            Self::Form => "form",
            Self::Json => "json",
            Self::Grpc => "grpc",
            Self::Text => "text",
        }
    }
}

/// One kind that was masked at one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Masked {
    /// What it was.
    pub kind: Kind,
    /// Where.
    pub location: Location,
    /// The name of the field or the path in the document (`$.cards[].number`, `1.3`), cut at 128 bytes; itself masked
    /// to `*` where it holds something that would be masked.
    pub name: String,
    /// What was done.
    pub method: Method,
    /// How often.
    pub count: u64,
}

/// What was masked in one event.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// One entry for each kind at each place, at most [`Report::MOST`].
    pub entries: Vec<Masked>,
    /// How many more were masked, which found no entry.
    pub more: u64,
    /// Names of earlier events, whose memory is used again.
    #[serde(skip)]
    spare: Vec<String>,
}

impl Report {
    /// The most entries that are kept.
    pub const MOST: usize = 64;

    /// Empties it for the next event; the memory stays.
    pub fn clear(&mut self) {
        // Most have nothing in them, and there are several for each event.
        if !self.entries.is_empty() {
            self.spare.extend(self.entries.drain(..).map(|entry| entry.name));
        }
        self.more = 0;
    }

    /// Whether nothing was masked.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn add(&mut self, kind: Kind, location: Location, name: &[u8], method: Method) {
        let name = String::from_utf8_lossy(name.get(..LONGEST_NAME).unwrap_or(name));
        let same = |entry: &&mut Masked| {
            entry.kind == kind && entry.location == location && entry.method == method && entry.name == name
        };
        if let Some(entry) = self.entries.iter_mut().find(same) {
            entry.count += 1;
        } else if self.entries.len() < Self::MOST {
            let mut own = self.spare.pop().unwrap_or_else(|| String::with_capacity(LONGEST_NAME));
            own.clear();
            own.push_str(&name);
            self.entries.push(Masked { kind, location, name: own, method, count: 1 });
        } else {
            self.more += 1;
        }
    }
}
