//! What is looked for in a JSON body, read in one pass by serde's visitor: what was read before the text breaks off, or
//! turns out to be no JSON, counts.
use crate::graphql::Document;
use harken_http::Message;
use memchr::memmem;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Documents of a batch that are kept; all are counted.
const MAX_BATCH: usize = 32;
/// Characters that are kept of a text.
const MAX_TEXT: usize = 256;

/// The documents of a body.
#[derive(Debug, Default)]
pub(crate) struct Docs {
    /// The document, or those of a batch, the first few.
    pub(crate) docs: Vec<Doc>,
    /// How many there are.
    pub(crate) count: u64,
    /// It is a batch: a list of documents.
    pub(crate) is_batch: bool,
    /// The text was read to its end, and all of it was kept.
    pub(crate) is_whole: bool,
}

/// The members of a document that mean something here, whatever the protocol.
#[derive(Debug, Default)]
pub(crate) struct Doc {
    /// GraphQL: `query`, when it is a document; `operationName`; the hash of a persisted query.
    pub(crate) query: Option<Document>,
    pub(crate) operation_name: Option<String>,
    pub(crate) persisted: Option<String>,
    /// Number of elements in the list `errors`.
    pub(crate) errors: u64,
    /// JSON-RPC.
    pub(crate) version: Option<String>,
    pub(crate) method: Option<String>,
    pub(crate) id: Option<String>,
    pub(crate) error_code: Option<String>,
    pub(crate) error_message: Option<String>,
    /// `error`, when it is a text; `code` and `message` of the document itself.
    pub(crate) error: Option<String>,
    pub(crate) code: Option<String>,
    pub(crate) message: Option<String>,
    /// MCP: `params.name`, `params.uri`, `protocolVersion` of params or result, `result.isError`.
    pub(crate) target: Option<String>,
    pub(crate) uri: Option<String>,
    pub(crate) protocol: Option<String>,
    pub(crate) is_error: bool,
    /// Language models: `model`, whether there is something to be answered, and the counts of tokens.
    pub(crate) model: Option<String>,
    pub(crate) has_input: bool,
    pub(crate) input_tokens: Option<u64>,
    pub(crate) output_tokens: Option<u64>,
    /// OAuth: `grant_type` and `client_id`.
    pub(crate) grant: Option<String>,
    pub(crate) client: Option<String>,
}

/// Where a value stands in a document.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Root,
    Top,
    Query,
    OperationName,
    Extensions,
    Persisted,
    Hash,
    Errors,
    Version,
    Method,
    Id,
    Error,
    ErrorCode,
    ErrorMessage,
    Code,
    /// `message` is a text in an error, and an object with the usage of tokens in a stream of answers.
    Message,
    Params,
    Target,
    Uri,
    Protocol,
    Result,
    IsError,
    Model,
    Input,
    Usage,
    InputTokens,
    OutputTokens,
    Grant,
    Client,
    Skip,
}

impl Place {
    /// Where the member of that name stands in an object that stands here.
    fn member(self, name: &str) -> Self {
        match (self, name) {
            (Self::Top, "query") => Self::Query,
            (Self::Top, "operationName") => Self::OperationName,
            (Self::Top, "extensions") => Self::Extensions,
            (Self::Extensions, "persistedQuery") => Self::Persisted,
            (Self::Persisted, "sha256Hash") => Self::Hash,
            (Self::Top, "errors") => Self::Errors,
            (Self::Top, "jsonrpc") => Self::Version,
            (Self::Top, "method") => Self::Method,
            (Self::Top, "id") => Self::Id,
            (Self::Top, "error") => Self::Error,
            (Self::Error, "code") => Self::ErrorCode,
            (Self::Error, "message") => Self::ErrorMessage,
            (Self::Top, "code") => Self::Code,
            (Self::Top, "message" | "response") => Self::Message,
            (Self::Top, "params") => Self::Params,
            (Self::Params, "name") => Self::Target,
            (Self::Params, "uri") => Self::Uri,
            (Self::Params | Self::Result, "protocolVersion") => Self::Protocol,
            (Self::Top, "result") => Self::Result,
            (Self::Result, "isError") => Self::IsError,
            (Self::Top | Self::Message, "model" | "modelVersion") => Self::Model,
            (Self::Top, "messages") => Self::Input,
            (Self::Top, "grant_type") => Self::Grant,
            (Self::Top, "client_id") => Self::Client,
            (Self::Top | Self::Message, "usage" | "usageMetadata") => Self::Usage,
            (Self::Usage, "prompt_tokens" | "input_tokens" | "inputTokens" | "promptTokenCount") => {
                Self::InputTokens
            }
            (
                Self::Usage,
                "completion_tokens" | "output_tokens" | "outputTokens" | "candidatesTokenCount",
            ) => Self::OutputTokens,
            _ => Self::Skip,
        }
    }
}

impl Doc {
    /// Takes a text or a number, as text, that stands in some place.
    fn take(&mut self, place: Place, text: &str) {
        let slot = match place {
            Place::Query => {
                self.query = Document::scan(text);
                return;
            }
            Place::OperationName => &mut self.operation_name,
            Place::Hash => &mut self.persisted,
            Place::Version => &mut self.version,
            Place::Method => &mut self.method,
            Place::Id => &mut self.id,
            Place::Error => &mut self.error,
            Place::ErrorCode => &mut self.error_code,
            Place::ErrorMessage => &mut self.error_message,
            Place::Code => &mut self.code,
            Place::Message => &mut self.message,
            Place::Target => &mut self.target,
            Place::Uri => &mut self.uri,
            Place::Protocol => &mut self.protocol,
            Place::Model => &mut self.model,
            Place::Grant => &mut self.grant,
            Place::Client => &mut self.client,
            _ => return self.seen(place),
        };
        if slot.is_none() {
            *slot = Some(text.chars().take(MAX_TEXT).collect());
        }
    }

    fn number(&mut self, place: Place, value: u64) {
        match place {
            // In a stream of answers the last count is the sum.
            Place::InputTokens => self.input_tokens = Some(value),
            Place::OutputTokens => self.output_tokens = Some(value),
            _ => self.take(place, &value.to_string()),
        }
    }

    /// There is something in that place.
    fn seen(&mut self, place: Place) {
        self.has_input |= place == Place::Input;
    }
}

impl Docs {
    /// Reads the documents of a body.
    pub(crate) fn of(message: &Message) -> Self {
        let mut docs = Self::read(&message.body.kept, message.body.is_cut());
        docs.is_whole &= message.body.missing == 0 && !message.body.decode_failed;
        docs
    }

    /// Reads the documents of a text, which may be cut off.
    pub(crate) fn read(text: &[u8], is_cut: bool) -> Self {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let (mut docs, outcome) = Self::pass(text);
        docs.is_whole = outcome.is_ok() && !is_cut;
        let ends = outcome.is_err_and(|e| e.is_eof());
        if ends && is_cut && docs.docs.iter().all(|doc| doc.query.is_none()) && has(text, b"\"query\"") {
            // It may have ended in the middle of the query, which is worth reading as far as it goes.
            let (again, _) = Self::pass(&closed(text));
            docs.docs = again.docs;
        }
        docs
    }

    fn pass(text: &[u8]) -> (Self, serde_json::Result<()>) {
        let mut docs = Self::default();
        let mut json = serde_json::Deserializer::from_slice(text);
        let outcome = Walk { docs: &mut docs, place: Place::Root }.deserialize(&mut json);
        (docs, outcome.and_then(|()| json.end()))
    }
}

/// The documents in the data of server-sent events, of those that have one of these words in them; the first few.
pub(crate) fn events(text: &[u8], words: &[&[u8]]) -> Vec<Doc> {
    let lines = text.split(|byte| matches!(byte, b'\n' | b'\r'));
    let data = lines.filter_map(|line| line.strip_prefix(b"data:")).map(<[u8]>::trim_ascii);
    let chosen = data.filter(|data| words.iter().any(|word| has(data, word)));
    chosen.take(MAX_BATCH).flat_map(|data| Docs::read(data, false).docs).collect()
}

/// Whether a text has that in it.
pub(crate) fn has(text: &[u8], part: &[u8]) -> bool {
    memmem::find(text, part).is_some()
}

/// A text that ends inside of quotes, with the closing quote.
fn closed(text: &[u8]) -> Vec<u8> {
    let mut text = match std::str::from_utf8(text) {
        Ok(text) => text.as_bytes(),
        Err(e) => text.get(..e.valid_up_to()).unwrap_or_default(),
    }
    .to_vec();
    // An escape at the end is not whole: at most `\uXXX`.
    let from = text.len().saturating_sub(6);
    if let Some(at) = memchr::memrchr(b'\\', text.get(from..).unwrap_or_default()) {
        text.truncate(from + at);
        while text.last() == Some(&b'\\') {
            text.pop();
        }
    }
    text.push(b'"');
    text
}

/// A value that stands in some place.
struct Walk<'m> {
    docs: &'m mut Docs,
    place: Place,
}

impl Walk<'_> {
    /// The document at hand.
    fn doc(&mut self) -> Option<&mut Doc> {
        if self.place == Place::Root || self.docs.count as usize > MAX_BATCH {
            None
        } else {
            self.docs.docs.last_mut()
        }
    }

    fn text(mut self, text: &str) {
        let place = self.place;
        if let Some(doc) = self.doc() {
            doc.take(place, text);
        }
    }

    fn begin(&mut self) {
        self.docs.count += 1;
        if self.docs.docs.len() < MAX_BATCH {
            self.docs.docs.push(Doc::default());
        }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(mut self, json: D) -> Result<(), D::Error> {
        if self.place == Place::Skip {
            return IgnoredAny::deserialize_in(json);
        }
        let place = self.place;
        if let Some(doc) = self.doc() {
            doc.seen(place);
        }
        json.deserialize_any(self)
    }
}

/// Passes over a value.
trait Ignore<'de>: Sized {
    fn deserialize_in<D: Deserializer<'de>>(json: D) -> Result<(), D::Error>;
}

impl<'de> Ignore<'de> for IgnoredAny {
    fn deserialize_in<D: Deserializer<'de>>(json: D) -> Result<(), D::Error> {
        json.deserialize_ignored_any(Self).map(|_| ())
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.text(text);
        Ok(())
    }

    fn visit_u64<E>(mut self, value: u64) -> Result<(), E> {
        let place = self.place;
        if let Some(doc) = self.doc() {
            doc.number(place, value);
        }
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.text(&value.to_string());
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.text(&value.to_string());
        Ok(())
    }

    fn visit_bool<E>(mut self, value: bool) -> Result<(), E> {
        let place = self.place;
        if let Some(doc) = self.doc() {
            doc.is_error |= place == Place::IsError && value;
        }
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        if self.place == Place::Root {
            self.docs.is_batch = true;
            while list.next_element_seed(Walk { docs: self.docs, place: Place::Top })?.is_some() {}
            return Ok(());
        }
        let mut count = 0_u64;
        while list.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        let place = self.place;
        if let Some(doc) = self.doc().filter(|_| place == Place::Errors) {
            doc.errors = count;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        // A document is an object: of the root, or one in a list there.
        if matches!(self.place, Place::Root | Place::Top) {
            self.begin();
            self.place = Place::Top;
        }
        while let Some(place) = map.next_key_seed(Key(self.place))? {
            map.next_value_seed(Walk { docs: self.docs, place })?;
        }
        Ok(())
    }
}

/// The name of a member of an object that stands in some place.
struct Key(Place);

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Place;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Place, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for Key {
    type Value = Place;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Place, E> {
        Ok(self.0.member(name))
    }
}
