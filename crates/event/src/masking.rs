//! Masking of an exchange, before anything of it is written.
//!
//! The values are replaced inside the [`Exchange`], so that whatever is written of it afterwards (logs, events, the
//! table) cannot hold them: a masked value is appended to the head of the message, and its span is set to there.
use crate::auth::user_name;
use crate::fields::{credentials, proxy_field};
use harken_http::websocket::Close;
use harken_http::{Coding, Exchange, Known, Message, Span};
use harken_mask::{Config, ConfigError, Masked, Masker, Report};

/// What is going to be written of an exchange, and so has to be masked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// What the Zeek logs and the table show: the target and a few header fields.
    Log,
    /// Everything.
    Event,
}

/// Places in an event.
#[derive(Clone, Copy)]
enum Place {
    User,
    Url,
    RequestHeaders,
    RequestTrailers,
    RequestBody,
    ResponseHeaders,
    ResponseTrailers,
    ResponseBody,
    CloseReason,
}

impl Place {
    /// Where they are in the event, by number.
    const PATHS: [&str; 9] = [
        "user.name",
        "url",
        "http.request.headers",
        "http.request.trailers",
        "http.request.body.content",
        "http.response.headers",
        "http.response.trailers",
        "http.response.body.content",
        "harken.websocket.close.reason",
    ];
}

/// Masks one exchange after the other, and remembers what it masked in the last one. One for each thread.
#[derive(Clone, Debug)]
pub struct Masking {
    masker: Masker,
    scope: Scope,
    /// A masked value.
    out: Vec<u8>,
    reports: [Report; Place::PATHS.len()],
    /// The user name of the last exchange, whose credentials are masked; empty without `has_user`.
    user: Vec<u8>,
    has_user: bool,
}

impl Masking {
    /// Compiles the configuration.
    ///
    /// # Errors
    /// The key of it that is wrong, with the mend.
    pub fn new(config: &Config, scope: Scope) -> Result<Self, ConfigError> {
        Ok(Self {
            masker: Masker::new(config)?,
            scope,
            out: Vec::new(),
            reports: Default::default(),
            user: Vec::new(),
            has_user: false,
        })
    }

    /// Masks what is in an exchange.
    pub fn mask(&mut self, exchange: &mut Exchange) {
        for report in &mut self.reports {
            report.clear();
        }
        self.has_user = false;
        if let Some(request) = exchange.request.as_deref_mut() {
            self.user(request);
            self.target(request);
            self.message(request, [Place::RequestHeaders, Place::RequestTrailers, Place::RequestBody]);
        }
        if let Some(response) = exchange.response.as_deref_mut() {
            self.message(response, [Place::ResponseHeaders, Place::ResponseTrailers, Place::ResponseBody]);
        }
        if let Some(close) = exchange.websocket.as_deref_mut().and_then(|websocket| websocket.close.as_mut())
        {
            self.close(close);
        }
    }

    /// The user name in the Basic credentials of the last exchange.
    pub(crate) fn user_name(&self) -> Option<&[u8]> {
        self.has_user.then_some(&self.user)
    }

    /// What was masked in the last exchange, each with its place in the event.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'static str, &Masked)> {
        let reports = Place::PATHS.into_iter().zip(&self.reports);
        reports.flat_map(|(path, report)| report.entries.iter().map(move |entry| (path, entry)))
    }

    fn close(&mut self, close: &mut Close) {
        let Self { masker, out, reports, .. } = self;
        let Some(report) = reports.get_mut(Place::CloseReason as usize) else { return };
        out.clear();
        if masker.text(close.reason.as_bytes(), out, report) {
            close.reason = String::from_utf8_lossy(out).into_owned();
        }
    }

    /// Keeps the user name, since the credentials are going to be masked as a whole.
    fn user(&mut self, request: &Message) {
        let Some(credentials) = credentials(request) else { return };
        let Self { masker, out, reports, user, .. } = self;
        let Some(report) = reports.get_mut(Place::User as usize) else { return };
        out.clear();
        let name = user_name(credentials, out);
        user.clear();
        if !masker.text(name, user, report) {
            user.extend_from_slice(name);
        }
        self.has_user = true;
    }

    fn target(&mut self, message: &mut Message) {
        let Self { masker, out, reports, .. } = self;
        let Some(report) = reports.get_mut(Place::Url as usize) else { return };
        out.clear();
        if masker.url(message.target(), out, report) {
            message.second = append(&mut message.head, out);
        }
    }

    fn message(&mut self, message: &mut Message, [headers, trailers, body]: [Place; 3]) {
        for at in 0..message.fields.len() {
            self.field(message, at, if at < message.trailers_at { headers } else { trailers });
        }
        if self.scope == Scope::Event && !message.body.kept.is_empty() {
            self.body(message, body);
        }
        if message.body.units.is_some() {
            self.end(message, trailers);
        }
    }

    /// Trailers that the body holds, as in gRPC-Web, and the end of a stream of Connect.
    fn end(&mut self, message: &mut Message, place: Place) {
        let Self { masker, out, reports, .. } = self;
        let (Some(units), Some(report)) = (&mut message.body.units, reports.get_mut(place as usize)) else {
            return;
        };
        out.clear();
        if Form::of("", &units.end).mask(masker, &units.end, out, report) {
            std::mem::swap(&mut units.end, out);
        }
    }

    fn field(&mut self, message: &mut Message, at: usize, place: Place) {
        let Self { masker, out, reports, scope, .. } = self;
        let (Some(field), Some(report)) = (message.fields.get_mut(at), reports.get_mut(place as usize))
        else {
            return;
        };
        let (name, value) = (field.name.of(&message.head), field.value.of(&message.head));
        if *scope == Scope::Log && !is_logged(name) {
            return;
        }
        out.clear();
        if masker.header(name, value, out, report) {
            field.value = append(&mut message.head, out);
        }
    }

    fn body(&mut self, message: &mut Message, place: Place) {
        // Bytes in a coding that is not read have no text in them.
        if message.body.coding == Coding::Other {
            return;
        }
        let Self { masker, out, reports, .. } = self;
        let Some(report) = reports.get_mut(place as usize) else { return };
        let kept = &message.body.kept;
        let form = match message.body.decoded_messages {
            0 => Form::of(message.known(Known::ContentType).unwrap_or_default(), kept),
            _ => Form::Json,
        };
        out.clear();
        if form.mask(masker, kept, out, report) {
            message.body.changed_from.get_or_insert(kept.len() as u64);
            std::mem::swap(&mut message.body.kept, out);
        }
    }
}

/// Appends `value` to a head and says where it stands.
fn append(head: &mut Vec<u8>, value: &[u8]) -> Span {
    let start = head.len();
    head.extend_from_slice(value);
    Span::new(start, head.len())
}

/// Whether the Zeek logs show a field of this name.
fn is_logged(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 8] = [
        b"host",
        b"origin",
        b"referer",
        b"user-agent",
        b"content-type",
        b"content-disposition",
        b"sec-websocket-protocol",
        b"sec-websocket-extensions",
    ];
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known)) || proxy_field(name)
}

/// How a body is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// JSON.
    Json,
    /// `application/x-www-form-urlencoded`.
    Pairs,
    /// `multipart/form-data`.
    Multipart,
    /// gRPC messages.
    Grpc,
    /// Messages of JSON with gRPC's prefixes.
    JsonMessages,
    /// Other text.
    Text,
    /// Pictures, sound, video and fonts, in which nothing is looked for.
    Media,
}

impl Form {
    /// By the value of Content-Type, and by the first byte of a body that calls itself something else.
    pub fn of(content_type: impl AsRef<[u8]>, body: &[u8]) -> Self {
        let kind = content_type.as_ref().split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        let begins =
            |with: &str| kind.get(..with.len()).is_some_and(|k| k.eq_ignore_ascii_case(with.as_bytes()));
        let holds = |part: &[u8]| kind.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part));
        let has_prefixes = ["application/grpc", "application/connect+"].into_iter().any(begins)
            && !begins("application/grpc-web-text");
        if has_prefixes && holds(b"json") {
            Self::JsonMessages
        } else if has_prefixes {
            Self::Grpc
        } else if holds(b"json") {
            Self::Json
        } else if begins("application/x-www-form-urlencoded") {
            Self::Pairs
        } else if begins("multipart/") {
            Self::Multipart
        } else if ["image/", "audio/", "video/", "font/"].into_iter().any(begins) && !holds(b"xml") {
            Self::Media
        } else if matches!(body.trim_ascii_start().first(), Some(b'{' | b'[')) {
            Self::Json
        } else {
            Self::Text
        }
    }

    /// Appends the masked form of a body and gives true, or leaves `out` as it is and gives false.
    pub fn mask(self, masker: &mut Masker, body: &[u8], out: &mut Vec<u8>, report: &mut Report) -> bool {
        match self {
            Self::Json => masker.json(body, out, report),
            Self::Pairs => masker.form(body, out, report),
            Self::Multipart => masker.multipart(body, out, report),
            Self::Grpc => masker.grpc(body, out, report),
            Self::JsonMessages => masker.json_messages(body, out, report),
            Self::Text => masker.text(body, out, report),
            Self::Media => false,
        }
    }
}
