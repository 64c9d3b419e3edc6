//! SOAP 1.1 and 1.2.
use crate::json::has;
use crate::{Call, header, media_type, text};
use harken_http::{Known, Message};
use memchr::{memchr, memmem};

/// An action.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Soap {
    /// The action: that of the header, or else the name of the first element in the body.
    pub action: String,
    /// Name of the first element in the body, where it was kept.
    pub element: Option<String>,
    /// `1.1` or `1.2`.
    pub version: &'static str,
    /// The answer is a fault.
    pub is_fault: bool,
}

impl Soap {
    /// By the header field `SOAPAction`, the media type, or the name of the envelope.
    pub(crate) fn of(call: &Call<'_>) -> Option<Self> {
        let request = call.request?;
        let kind = media_type(request);
        let is_12 = kind.eq_ignore_ascii_case(b"application/soap+xml");
        if !(is_12 || kind.eq_ignore_ascii_case(b"text/xml") || kind.eq_ignore_ascii_case(b"application/xml"))
        {
            return None;
        }
        let named = if is_12 { parameter(request) } else { header(call.request, "soapaction") };
        let element = first_element(&request.body.kept);
        if named.is_none() && !(is_12 || element.is_some()) {
            return None;
        }
        let action = named
            .map(|value| text(value.trim_ascii().trim_ascii_start()))
            .map(|value| value.trim_matches('"').to_owned())
            .filter(|value| !value.is_empty());
        Some(Self {
            action: action.or_else(|| element.clone()).unwrap_or_default(),
            element,
            version: if is_12 { "1.2" } else { "1.1" },
            is_fault: call
                .response
                .is_some_and(|r| first_element(&r.body.kept).is_some_and(|name| name == "Fault")),
        })
    }
}

/// The parameter `action` of the media type.
fn parameter(request: &Message) -> Option<&[u8]> {
    let mut parameters = request.known(Known::ContentType)?.split(|byte| *byte == b';').skip(1);
    parameters.find_map(|parameter| parameter.trim_ascii().strip_prefix(b"action="))
}

/// Name of the first element in the body of an envelope, without its prefix.
fn first_element(xml: &[u8]) -> Option<String> {
    if !has(xml, b"/soap/envelope") && !has(xml, b"/soap-envelope") {
        return None;
    }
    let body = memmem::find_iter(xml, b"Body").find(|at| {
        // The name of a start tag: `<Body>`, `<soap:Body id="1">`.
        let is_name = xml.get(at + 4).is_some_and(|byte| *byte == b'>' || byte.is_ascii_whitespace());
        let before = xml.get(..*at).unwrap_or_default();
        let tag = memchr::memrchr(b'<', before).and_then(|open| before.get(open + 1..)).unwrap_or(b"/");
        let is_start = tag.is_empty() || tag.ends_with(b":") && !tag.iter().any(|b| matches!(b, b'/' | b' '));
        is_name && is_start
    })?;
    let mut rest = xml.get(body..)?;
    loop {
        rest = rest.get(memchr(b'<', rest)? + 1..)?;
        match rest.first()? {
            b'!' if rest.starts_with(b"!--") => rest = rest.get(memmem::find(rest, b"-->")?..)?,
            b'!' | b'?' => {}
            // The body has no element.
            b'/' => return None,
            _ => break,
        }
    }
    let end = rest.iter().position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/'))?;
    let name = rest.get(..end)?.rsplit(|byte| *byte == b':').next()?;
    Some(text(name))
}
