//! The two messages of an event.
use super::json::Json;
use harken_http::{Body, Coding, Field, Informational, Message};

/// Bytes of head and body, the body without its chunk framing.
pub(super) fn size(message: &Message) -> u64 {
    message.head_len.saturating_add(message.body.wire_len)
}

/// Appends the request as a further member.
pub(super) fn request(json: &mut Json<'_>, m: &Message, referrer: Option<&[u8]>) {
    json.raw(br#","request":{"method":""#).text(m.method()).raw(br#"","#);
    if let Some(referrer) = referrer {
        json.raw(br#""referrer":""#).text(referrer).raw(br#"","#);
    }
    common(json, m);
    json.raw(b"}");
}

/// Appends the response as a further member, if any was seen.
pub(super) fn response(json: &mut Json<'_>, message: Option<&Message>, interim: Option<&Informational>) {
    if message.is_none() && interim.is_none() {
        return;
    }
    json.raw(br#","response":{"#);
    if let Some(m) = message {
        if m.status != 0 {
            json.raw(br#""status_code":"#).number(m.status).raw(b",");
        }
        if m.version.is_some() {
            json.raw(br#""reason":""#).text(m.reason()).raw(br#"","#);
        }
    }
    if let Some(interim) = interim {
        json.raw(br#""informational":{"status_code":"#).number(interim.status);
        json.raw(br#","reason":""#).text(&interim.reason).raw(br#""},"#);
    }
    if let Some(m) = message {
        common(json, m);
    }
    json.close(b'}');
}

/// Appends the members that all messages have.
fn common(json: &mut Json<'_>, m: &Message) {
    json.raw(br#""bytes":"#).number(size(m));
    if let Some(media_type) = m.body.sniffed {
        json.raw(br#","mime_type":""#).raw(media_type.as_bytes()).raw(b"\"");
    }
    let (before, behind) = m.fields.split_at_checked(m.trailers_at).unwrap_or((&m.fields, &[]));
    if !before.is_empty() {
        json.raw(br#","headers":"#);
        list(json, &m.head, before);
    }
    if !behind.is_empty() {
        json.raw(br#","trailers":"#);
        list(json, &m.head, behind);
    }
    body(json, &m.body);
}

/// Appends header or trailer fields.
fn list(json: &mut Json<'_>, head: &[u8], fields: &[Field]) {
    json.raw(b"[");
    for field in fields {
        let (name, value) = (field.name.of(head), field.value.of(head));
        json.raw(br#"{"name":""#).text(name).raw(br#"","value":""#).text(value).raw(br#""},"#);
    }
    json.close(b']');
}

fn body(json: &mut Json<'_>, body: &Body) {
    json.raw(br#","body":{"bytes":"#).number(body.wire_len);
    json.raw(br#","decoded_bytes":"#).number(body.decoded_len);
    if body.missing != 0 {
        json.raw(br#","missing_bytes":"#).number(body.missing);
    }
    let coding: &[u8] = match body.coding {
        Coding::Identity => b"",
        Coding::Gzip => b"gzip",
        Coding::Deflate => b"deflate",
        Coding::Brotli => b"br",
        Coding::Zstd => b"zstd",
        Coding::Other => b"other",
    };
    if !coding.is_empty() {
        json.raw(br#","coding":""#).raw(coding).raw(b"\"");
    }
    if body.decode_failed {
        json.raw(br#","decode_failed":true"#);
    }
    if body.decoded_messages > 0 {
        json.raw(br#","decoded_messages":"#).number(body.decoded_messages);
    }
    if !body.kept.is_empty() {
        let cut = body.is_cut();
        json.raw(br#","content":""#);
        let base64 = json.content(&body.kept, cut);
        json.raw(b"\"");
        if base64 {
            json.raw(br#","encoding":"base64""#);
        }
        if cut {
            json.raw(br#","truncated":true"#);
        }
    }
    json.raw(b"}");
}
