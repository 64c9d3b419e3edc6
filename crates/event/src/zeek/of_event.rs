//! `http.log` out of events that were written before: for who has the JSON of an event and not its packets.
use super::Form;
use super::column::Column;
use super::http as log;
use super::row::{Json, Row, Tsv};
use crate::fields::{file_name_of, proxy_field};
use crate::transaction;
use harken_http::{Completeness, Pairing};
use harken_wire::Timestamp;
use serde_json::Value;

/// Appends the line of `http.log` for an event in JSON. `ts` is its `@timestamp`. What the event has not, because a
/// filter has taken it out, is unset.
///
/// The line is the one that [`HttpLog`](super::http::HttpLog) writes, but for what an event does not keep: the version
/// is that of the request where the response has another, bytes that are not UTF-8 are U+FFFD, and a status line
/// without a place for a reason phrase is not told from one with an empty phrase. An event that tells of a WebSocket
/// connection, or of a transaction that is not over, has no line: the transaction has one.
pub fn http(event: &Value, ts: Timestamp, form: Form, out: &mut Vec<u8>) {
    let is_websocket = event
        .pointer("/event/dataset")
        .and_then(Value::as_str)
        .is_some_and(|dataset| dataset.starts_with("harken.websocket"));
    if is_websocket || event.pointer("/harken/in_progress").is_some() {
        return;
    }
    match form {
        Form::Json => record(&mut Json(out), event, ts),
        Form::Tsv => record(&mut Tsv(out), event, ts),
    }
}

fn record<R: Row>(row: &mut R, event: &Value, ts: Timestamp) {
    let text = |path: &str| event.pointer(path).and_then(Value::as_str).map(str::as_bytes);
    let count = |path: &str| event.pointer(path).and_then(Value::as_u64);
    let request = Message::of(event, "/http/request");
    let response = Message::of(event, "/http/response");
    // Only an interim response has nothing but that.
    let finally = response.0.filter(|response| response.get("bytes").is_some());
    let has_version = finally.is_some() || response.0.is_some() && request.0.is_some();
    row.start(ts);
    row.name(&super::column::UID, text("/harken/uid"));
    row.name(&super::column::ORIG_H, text("/source/ip"));
    row.count(&super::column::ORIG_P, count("/source/port"));
    row.name(&super::column::RESP_H, text("/server/ip"));
    row.count(&super::column::RESP_P, count("/server/port"));
    row.count(&log::TRANS_DEPTH, count("/harken/depth"));
    row.text(&log::METHOD, text("/http/request/method"));
    row.text(&log::HOST, request.header(b"host"));
    let mut uri = Vec::new();
    row.text(&log::URI, text("/url/original").map(|target| log::plain_uri(target, &mut uri)));
    row.text(&log::REFERRER, text("/http/request/referrer"));
    row.name(&log::VERSION, text("/http/version").filter(|_| has_version));
    row.text(&log::USER_AGENT, text("/user_agent/original"));
    row.text(&log::ORIGIN, request.header(b"origin"));
    row.count(&log::REQUEST_BODY_LEN, Some(request.body_len()));
    row.count(&log::RESPONSE_BODY_LEN, Some(response.body_len()));
    let interim = count("/http/response/informational/status_code");
    let interim_reason = text("/http/response/informational/reason");
    let status = count("/http/response/status_code");
    row.count(&log::STATUS_CODE, if finally.is_some() { Some(status.unwrap_or(0)) } else { interim });
    let reason = text("/http/response/reason");
    let has_none = text("/http/version").is_some_and(|version| version.starts_with(b"2"));
    let without = if has_none { None } else { Some(&b"<empty>"[..]) };
    row.text(&log::STATUS_MSG, if finally.is_some() { reason.or(without) } else { interim_reason });
    let is_interim = |status: &u64| (100..200).contains(status);
    let (code, message) = match interim {
        Some(code) => (Some(code), interim_reason),
        None => {
            let code = status.filter(is_interim);
            (code, code.and_then(|_| text("/http/response/reason")))
        }
    };
    row.count(&log::INFO_CODE, code);
    row.text(&log::INFO_MSG, message);
    row.list(&log::TAGS, Some(tags(event, [request, response])));
    row.text(&log::USERNAME, text("/user/name"));
    row.unset(&log::PASSWORD);
    let proxied = request.proxied();
    row.list(&log::PROXIED, (!proxied.is_empty()).then(|| proxied.iter().map(Vec::as_slice)));
    row.unset(&log::ORIG_FUIDS);
    files(row, request, [&log::ORIG_FILENAMES, &log::ORIG_MIME_TYPES]);
    row.unset(&log::RESP_FUIDS);
    files(row, response, [&log::RESP_FILENAMES, &log::RESP_MIME_TYPES]);
    row.end();
}

/// A message of an event, if it has it.
#[derive(Clone, Copy)]
struct Message<'e>(Option<&'e Value>);

impl<'e> Message<'e> {
    fn of(event: &'e Value, path: &str) -> Self {
        Self(event.pointer(path))
    }

    fn text(self, path: &str) -> Option<&'e [u8]> {
        self.0?.pointer(path)?.as_str().map(str::as_bytes)
    }

    fn count(self, path: &str) -> u64 {
        self.0.and_then(|message| message.pointer(path)?.as_u64()).unwrap_or(0)
    }

    /// Name and value of the header fields.
    fn fields(self) -> impl Iterator<Item = (&'e [u8], &'e [u8])> {
        let list = self.0.and_then(|message| message.get("headers")?.as_array());
        list.into_iter().flatten().filter_map(|field| {
            let part = |key: &str| field.get(key).and_then(Value::as_str).map(str::as_bytes);
            Some((part("name")?, part("value")?))
        })
    }

    /// The value of the last field of that name.
    fn header(self, name: &[u8]) -> Option<&'e [u8]> {
        self.fields().filter(|(other, _)| other.eq_ignore_ascii_case(name)).last().map(|(_, value)| value)
    }

    /// As Zeek counts it; see `http.rs`.
    fn body_len(self) -> u64 {
        let seen = match self.text("/body/coding") {
            Some(b"br" | b"zstd") => self.count("/body/bytes"),
            _ => self.count("/body/decoded_bytes"),
        };
        seen.saturating_add(self.count("/body/missing_bytes"))
    }

    fn proxied(self) -> Vec<Vec<u8>> {
        let mut all: Vec<Vec<u8>> = Vec::new();
        for (name, value) in self.fields().filter(|(name, _)| proxy_field(name)).take(log::MAX_PROXIED) {
            let item = [name.to_ascii_uppercase().as_slice(), b" -> ", value].concat();
            if !all.contains(&item) {
                all.push(item);
            }
        }
        all
    }
}

/// The tags of the log, from the completeness of the event.
fn tags(event: &Value, messages: [Message<'_>; 2]) -> impl Iterator<Item = &'static [u8]> {
    let of = |name: &str| event.pointer("/harken/completeness")?.get(name);
    let text = |name: &str| of(name).and_then(Value::as_str);
    let pairing = Pairing::ALL.into_iter().find(|pairing| text("pairing") == Some(pairing.name()));
    let part = |name: &str| {
        let has_gap = event.pointer(&format!("/http/{name}/body/missing_bytes")).is_some();
        match text(name) {
            Some("gap") => Completeness::Gap,
            Some("head_only") if has_gap => Completeness::Gap,
            Some("truncated" | "head_only") => Completeness::Truncated,
            _ => Completeness::Full,
        }
    };
    let failed = messages.iter().any(|message| {
        message.0.and_then(|message| message.pointer("/body/decode_failed")?.as_bool()) == Some(true)
    });
    let flags = [
        of("head_cut").and_then(Value::as_bool) == Some(true),
        failed,
        event.pointer("/harken/desync").is_some(),
    ];
    transaction::tags(pairing.unwrap_or_default(), [part("request"), part("response")], flags)
        .map(str::as_bytes)
}

fn files<R: Row>(row: &mut R, message: Message<'_>, [name, mime]: [&Column; 2]) {
    if message.count("/body/bytes") == 0 {
        row.unset(name);
        return row.unset(mime);
    }
    let of = |wanted: &'static [u8]| {
        message.fields().filter(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value)
    };
    let mut file = Vec::new();
    let named = file_name_of(of(b"content-disposition"), of(b"content-type"), &mut file);
    row.list(name, named.then(|| std::iter::once(file.as_slice())));
    row.list(mime, message.text("/mime_type").map(std::iter::once));
}
