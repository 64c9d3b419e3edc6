//! `http.log`: one line for each transaction.
use super::Form;
use super::column::columns;
use super::row::{Json, Row, Tsv};
use crate::fields::{RequestFields, file_name, proxy_field};
use crate::transaction::Transaction;
use crate::url::unescape;
use harken_http::{Coding, Message};

columns! {
    TRANS_DEPTH "trans_depth" Count,
    METHOD "method" String,
    HOST "host" String,
    URI "uri" String,
    REFERRER "referrer" String,
    VERSION "version" String,
    USER_AGENT "user_agent" String,
    ORIGIN "origin" String,
    REQUEST_BODY_LEN "request_body_len" Count,
    RESPONSE_BODY_LEN "response_body_len" Count,
    STATUS_CODE "status_code" Count,
    STATUS_MSG "status_msg" String,
    INFO_CODE "info_code" Count,
    INFO_MSG "info_msg" String,
    TAGS "tags" SetEnum,
    USERNAME "username" String,
    PASSWORD "password" String,
    PROXIED "proxied" SetString,
    ORIG_FUIDS "orig_fuids" VectorString,
    ORIG_FILENAMES "orig_filenames" VectorString,
    ORIG_MIME_TYPES "orig_mime_types" VectorString,
    RESP_FUIDS "resp_fuids" VectorString,
    RESP_FILENAMES "resp_filenames" VectorString,
    RESP_MIME_TYPES "resp_mime_types" VectorString,
}

/// Writes `http.log`. It keeps a buffer for values that must be decoded, so use one for many records.
#[derive(Debug, Default)]
pub struct HttpLog {
    form: Form,
    scratch: Vec<u8>,
}

impl HttpLog {
    /// A writer of lines in this form.
    pub const fn new(form: Form) -> Self {
        Self { form, scratch: Vec::new() }
    }

    /// Appends the line of one transaction.
    pub fn write(&mut self, transaction: &Transaction<'_>, out: &mut Vec<u8>) {
        // Most lines fit, so that the appends below find room.
        out.reserve(1024);
        match self.form {
            Form::Json => record(&mut Json(out), transaction, &mut self.scratch),
            Form::Tsv => record(&mut Tsv(out), transaction, &mut self.scratch),
        }
    }
}

fn record<R: Row>(row: &mut R, t: &Transaction<'_>, scratch: &mut Vec<u8>) {
    let (request, response) = (t.request(), t.response());
    let fields = t.fields();
    row.start(t.ts());
    row.flow(t.flow);
    row.count(&TRANS_DEPTH, Some(u64::from(t.exchange.depth)));
    row.text(&METHOD, request.map(Message::method));
    row.text(&HOST, fields.host);
    row.text(&URI, request.map(|r| plain_uri(r.target(), scratch)));
    row.text(&REFERRER, fields.referrer);
    version(row, t);
    row.text(&USER_AGENT, fields.user_agent);
    row.text(&ORIGIN, fields.origin);
    row.count(&REQUEST_BODY_LEN, Some(body_len(request)));
    row.count(&RESPONSE_BODY_LEN, Some(body_len(response)));
    row.count(&STATUS_CODE, t.status().map(u64::from));
    let informational = t.exchange.informational.as_ref();
    row.text(
        &STATUS_MSG,
        match (response, informational) {
            // HTTP/2 has none (RFC 9113 section 8.3.2).
            (Some(r), _) if !r.has_reason() && r.version.is_some_and(|v| v.major >= 2) => None,
            // Zeek's words for a status line without a place for a reason phrase.
            (Some(r), _) if !r.has_reason() => Some(b"<empty>"),
            (Some(r), _) => Some(r.reason()),
            (None, Some(i)) => Some(&i.reason),
            (None, None) => None,
        },
    );
    match (informational, response) {
        (Some(i), _) => info(row, i.status, &i.reason),
        // 101 is final for HTTP, but still one of the interim class for Zeek.
        (None, Some(r)) if (100..200).contains(&r.status) => info(row, r.status, r.reason()),
        (None, _) => {
            row.unset(&INFO_CODE);
            row.unset(&INFO_MSG);
        }
    }
    row.list(&TAGS, Some(t.tags().map(str::as_bytes)));
    row.text(&USERNAME, t.user_name(scratch));
    row.unset(&PASSWORD);
    proxied(row, request, &fields, scratch);
    row.unset(&ORIG_FUIDS);
    files(row, request, [&ORIG_FILENAMES, &ORIG_MIME_TYPES], scratch);
    row.unset(&RESP_FUIDS);
    files(row, response, [&RESP_FILENAMES, &RESP_MIME_TYPES], scratch);
    row.end();
}

/// The target as Zeek logs it: percent-escapes decoded.
#[inline]
pub(super) fn plain_uri<'t>(target: &'t [u8], scratch: &'t mut Vec<u8>) -> &'t [u8] {
    if memchr::memchr(b'%', target).is_none() {
        return target;
    }
    scratch.clear();
    unescape(target, scratch);
    scratch
}

/// Zeek takes the version from the response alone.
#[inline]
fn version<R: Row>(row: &mut R, t: &Transaction<'_>) {
    let version = match (t.response(), t.request()) {
        (Some(response), _) => response.version,
        // An interim response keeps no version of its own: it answers in the request's.
        (None, Some(request)) if t.exchange.informational.is_some() => request.version,
        _ => return row.unset(&VERSION),
    };
    let (major, minor) = version.map_or((0, 9), |v| (v.major, v.minor));
    if let (1, 0 | 1) | (0, 9) = (major, minor) {
        return row.name(
            &VERSION,
            Some(if major == 0 {
                b"0.9"
            } else if minor == 0 {
                b"1.0"
            } else {
                b"1.1"
            }),
        );
    }
    let (mut a, mut b) = (itoa::Buffer::new(), itoa::Buffer::new());
    row.name(&VERSION, Some(&[a.format(major).as_bytes(), b".", b.format(minor).as_bytes()].concat()));
}

/// Zeek's count: decoded for the codings that it decodes, and with the bytes that a gap took.
#[inline]
fn body_len(message: Option<&Message>) -> u64 {
    let Some(Message { body, .. }) = message else { return 0 };
    let seen = match body.coding {
        Coding::Brotli | Coding::Zstd => body.wire_len,
        Coding::Identity | Coding::Gzip | Coding::Deflate | Coding::Other => body.decoded_len,
    };
    seen + body.missing
}

#[inline]
fn info<R: Row>(row: &mut R, status: u16, reason: &[u8]) {
    row.count(&INFO_CODE, Some(u64::from(status)));
    row.text(&INFO_MSG, Some(reason));
}

/// Most values of `proxied`: telling duplicates apart costs each against each.
pub(super) const MAX_PROXIED: usize = 32;

/// `NAME -> value` of each field that says that a proxy passed the request on.
fn proxied<R: Row>(
    row: &mut R,
    request: Option<&Message>,
    fields: &RequestFields<'_>,
    scratch: &mut Vec<u8>,
) {
    let Some(request) = request.filter(|_| fields.proxied) else { return row.unset(&PROXIED) };
    scratch.clear();
    let mut ends: Vec<usize> = Vec::new();
    for (name, value) in request.headers().filter(|(name, _)| proxy_field(name)).take(MAX_PROXIED) {
        let start = scratch.len();
        scratch.extend(name.iter().map(u8::to_ascii_uppercase));
        scratch.extend_from_slice(b" -> ");
        scratch.extend_from_slice(value);
        let (before, this) = scratch.split_at_checked(start).unwrap_or_default();
        if items(before, &ends).any(|item| item == this) {
            scratch.truncate(start);
        } else {
            ends.push(scratch.len());
        }
    }
    row.list(&PROXIED, Some(items(scratch, &ends)));
}

/// The pieces of `bytes` that end at `ends`.
fn items<'b>(bytes: &'b [u8], ends: &'b [usize]) -> impl Iterator<Item = &'b [u8]> {
    ends.iter().scan(0, |start, end| {
        let item = bytes.get(*start..*end);
        *start = *end;
        item
    })
}

/// Name and media type of a body, where there is one. Harken keeps no files, so that there are no fuids.
#[inline]
fn files<R: Row>(
    row: &mut R,
    message: Option<&Message>,
    [name, mime]: [&super::Column; 2],
    scratch: &mut Vec<u8>,
) {
    let Some(message) = message.filter(|m| m.body.wire_len > 0) else {
        row.unset(name);
        return row.unset(mime);
    };
    scratch.clear();
    let named = file_name(message, scratch);
    row.list(name, named.then(|| std::iter::once(scratch.as_slice())));
    row.list(mime, message.body.sniffed.map(|m| std::iter::once(m.as_bytes())));
}
