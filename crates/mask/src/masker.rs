//! The masker: one call for each value of an event.

use crate::config::{Config, ConfigError};
use crate::detect::{Detector, Match, Wanted};
use crate::kind::Kind;
use crate::method::{self, Keys, MARK, Method};
use crate::names::Names;
use crate::report::{Location, Report};
use crate::{form, grpc, json, multipart, url};

/// A configuration, compiled, with the memory that its work needs. One for each thread.
///
/// Every method appends the masked form of a value to `out` and gives true, or leaves `out` as it is and gives
/// false: then the value may be used as it is.
#[derive(Debug, Clone)]
pub struct Masker {
    pub(crate) core: Core,
    /// A value without its escapes.
    pub(crate) plain: Vec<u8>,
    /// The same, masked.
    pub(crate) masked: Vec<u8>,
    /// The path of the value at hand.
    pub(crate) path: Vec<u8>,
    /// The open objects and arrays of the document at hand.
    pub(crate) levels: Vec<usize>,
    /// What was masked in the URL at hand.
    inner: Report,
}

/// What masks one value.
#[derive(Debug, Clone)]
pub(crate) struct Core {
    detector: Detector,
    names: Names,
    methods: [Method; Kind::ALL.len()],
    keys: Option<Keys>,
    found: Vec<Match>,
}

/// Schemes of authentication that are worth showing. Anything else in their place may be the secret itself.
const SCHEMES: [&str; 18] = [
    "apikey",
    "aws4-hmac-sha256",
    "basic",
    "bearer",
    "digest",
    "dpop",
    "gnap",
    "hawk",
    "hoba",
    "mutual",
    "negotiate",
    "ntlm",
    "oauth",
    "privatetoken",
    "scram-sha-256",
    "signature",
    "token",
    "vapid",
];

/// Where a value stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) location: Location,
    /// The name by which national ids are recognised: the last part of a path.
    pub(crate) name: &'a [u8],
    /// What the report says.
    pub(crate) path: &'a [u8],
}

/// A copy that is begun with the first change.
pub(crate) struct Edits<'a> {
    pub(crate) text: &'a [u8],
    copied: usize,
    pub(crate) changed: bool,
}

impl<'a> Edits<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self { text, copied: 0, changed: false }
    }

    /// Copies what stands before `start`; what stands up to `end` is replaced by what the caller appends next.
    pub(crate) fn replace(&mut self, start: usize, end: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(self.text.get(self.copied..start).unwrap_or_default());
        self.copied = end;
        self.changed = true;
    }

    /// Copies the rest if anything was changed, and says whether.
    pub(crate) fn finish(self, out: &mut Vec<u8>) -> bool {
        if self.changed {
            out.extend_from_slice(self.text.get(self.copied..).unwrap_or_default());
        }
        self.changed
    }
}

impl Core {
    /// What the name of a field, or its whole path, asks for.
    pub(crate) fn rule(&self, location: Location, name: &[u8]) -> Option<(Kind, Method)> {
        self.names.find(location, name)
    }

    /// Whether paths in JSON are masked, beside names.
    pub(crate) fn has_paths(&self) -> bool {
        self.names.has_paths()
    }

    /// Whether a text, or a part of it as it stands, may hold something that would be masked.
    pub(crate) fn may_find(&self, text: &[u8]) -> bool {
        self.detector.may_find(text)
    }

    /// Whether a text holds something that would be masked.
    pub(crate) fn finds(&mut self, text: &[u8]) -> bool {
        self.detector.find(text, b"", &mut self.found);
        !self.found.is_empty()
    }

    fn add(&mut self, kind: Kind, place: Place<'_>, method: Method, report: &mut Report) {
        let path = if self.finds(place.path) { b"*" } else { place.path };
        report.add(kind, place.location, path, method);
    }

    /// Masks a whole value by a rule; one that is empty or masked already stays.
    pub(crate) fn whole(
        &mut self,
        (kind, method): (Kind, Method),
        place: Place<'_>,
        text: &[u8],
        out: &mut Vec<u8>,
        report: &mut Report,
    ) -> bool {
        if text.is_empty() || text == MARK {
            return false;
        }
        method::write(method, self.keys.as_ref(), kind, text, true, out);
        self.add(kind, place, method, report);
        true
    }

    /// Masks what is found in a text.
    pub(crate) fn parts(
        &mut self,
        place: Place<'_>,
        text: &[u8],
        out: &mut Vec<u8>,
        report: &mut Report,
    ) -> bool {
        self.detector.find(text, place.name, &mut self.found);
        if self.found.is_empty() {
            return false;
        }
        let found = std::mem::take(&mut self.found);
        let mut edits = Edits::new(text);
        for found in &found {
            let Some(value) = text.get(found.start..found.end) else { continue };
            let method = self.methods.get(found.kind as usize).copied().unwrap_or(Method::Fixed);
            let whole = value.len() == text.len() && place.location != Location::Text;
            edits.replace(found.start, found.end, out);
            method::write(method, self.keys.as_ref(), found.kind, value, whole, out);
            self.add(found.kind, place, method, report);
        }
        self.found = found;
        edits.finish(out)
    }

    /// Masks a value by the rule that its name or path has asked for, or what is found in it.
    pub(crate) fn value(
        &mut self,
        rule: Option<(Kind, Method)>,
        place: Place<'_>,
        text: &[u8],
        out: &mut Vec<u8>,
        report: &mut Report,
    ) -> bool {
        match rule {
            Some(rule) => self.whole(rule, place, text, out, report),
            None => self.parts(place, text, out, report),
        }
    }
}

impl Masker {
    /// Compiles a configuration.
    ///
    /// # Errors
    /// The first key of it that is wrong, with the mend.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let key = config.check()?;
        let mut methods = [Method::Fixed; Kind::ALL.len()];
        for (method, kind) in methods.iter_mut().zip(Kind::ALL) {
            *method = config.class(kind.class()).method;
        }
        let core = Core {
            detector: Detector::new(Wanted::of(|kind| config.wants(kind))),
            names: Names::new(config),
            methods,
            keys: key.and_then(|key| Keys::new(&key)),
            found: Vec::new(),
        };
        Ok(Self {
            core,
            plain: Vec::new(),
            masked: Vec::new(),
            path: Vec::new(),
            levels: Vec::new(),
            inner: Report::default(),
        })
    }

    /// A header field. Of Authorization the scheme stays, of cookies their names and attributes.
    pub fn header(&mut self, name: &[u8], value: &[u8], out: &mut Vec<u8>, report: &mut Report) -> bool {
        let place = Place { location: Location::Header, name, path: name };
        let Some(rule) = self.core.rule(Location::Header, name) else {
            if url::is_url_field(name) {
                return self.url_field(name, value, out, report);
            }
            return self.core.parts(place, value, out, report);
        };
        let mut edits = Edits::new(value);
        match rule.0 {
            Kind::Authorization => {
                let scheme = value.iter().position(|byte| *byte == b' ').filter(|length| {
                    let scheme = value.get(..*length).unwrap_or_default();
                    SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known.as_bytes()))
                });
                self.part(
                    &mut edits,
                    rule,
                    place,
                    scheme.map_or(0, |length| length + 1),
                    value.len(),
                    out,
                    report,
                );
            }
            Kind::Cookie => {
                // Set-Cookie has one pair, and attributes behind it.
                let pairs = if name.len() > b"cookie".len() { 1 } else { usize::MAX };
                let mut start = 0;
                for pair in value.split(|byte| *byte == b';').take(pairs) {
                    // One without a name is all value.
                    let equals = match pair.iter().position(|byte| *byte == b'=') {
                        Some(at) => at + 1,
                        None => pair.len() - pair.trim_ascii_start().len(),
                    };
                    self.part(&mut edits, rule, place, start + equals, start + pair.len(), out, report);
                    start += pair.len() + 1;
                }
            }
            _ => return self.core.whole(rule, place, value, out, report),
        }
        edits.finish(out)
    }

    /// Masks a part of a value by a rule.
    #[allow(clippy::too_many_arguments, reason = "what is masked, where, by which rule, and where it goes")]
    fn part(
        &mut self,
        edits: &mut Edits<'_>,
        rule: (Kind, Method),
        place: Place<'_>,
        start: usize,
        end: usize,
        out: &mut Vec<u8>,
        report: &mut Report,
    ) {
        let text = edits.text.get(start..end).unwrap_or_default();
        self.masked.clear();
        if self.core.whole(rule, place, text, &mut self.masked, report) {
            edits.replace(start, end, out);
            out.extend_from_slice(&self.masked);
        }
    }

    /// A header field that holds a URL: what is masked in it is reported under the field's name.
    fn url_field(&mut self, name: &[u8], value: &[u8], out: &mut Vec<u8>, report: &mut Report) -> bool {
        let mut inner = std::mem::take(&mut self.inner);
        let is_changed = url::mask(self, value, out, &mut inner);
        for entry in &inner.entries {
            report.add(entry.kind, Location::Header, name, entry.method);
        }
        inner.clear();
        self.inner = inner;
        is_changed
    }

    /// The target of a request, or another URL: the password in it, its path, its query and its fragment.
    pub fn url(&mut self, url: &[u8], out: &mut Vec<u8>, report: &mut Report) -> bool {
        url::mask(self, url, out, report)
    }

    /// A query, without the `?`.
    pub fn query(&mut self, query: &[u8], out: &mut Vec<u8>, report: &mut Report) -> bool {
        form::mask(self, Location::Query, query, out, report)
    }

    /// A body of `application/x-www-form-urlencoded`.
    pub fn form(&mut self, body: &[u8], out: &mut Vec<u8>, report: &mut Report) -> bool {
        form::mask(self, Location::Form, body, out, report)
    }

    /// A body of `multipart/form-data`.
    pub fn multipart(&mut self, body: &[u8], out: &mut Vec<u8>, report: &mut Report) -> bool {
        multipart::mask(self, body, out, report)
    }

    /// A body of JSON, which may be cut off or invalid: what can be walked is masked by name and by detection,
    /// and what stands outside of strings by detection.
    pub fn json(&mut self, body: &[u8], out: &mut Vec<u8>, report: &mut Report) -> bool {
        json::mask(self, body, out, report)
    }

    /// The messages of a gRPC body, each behind its prefix of five bytes.
    pub fn grpc(&mut self, body: &[u8], out: &mut Vec<u8>, report: &mut Report) -> bool {
        grpc::mask(self, grpc::Messages::Protobuf, body, out, report)
    }

    /// Messages of JSON with the same prefixes, as a stream of Connect has them.
    pub fn json_messages(&mut self, body: &[u8], out: &mut Vec<u8>, report: &mut Report) -> bool {
        grpc::mask(self, grpc::Messages::Json, body, out, report)
    }

    /// Free text.
    pub fn text(&mut self, text: &[u8], out: &mut Vec<u8>, report: &mut Report) -> bool {
        self.core.parts(Place { location: Location::Text, name: b"", path: b"" }, text, out, report)
    }
}
