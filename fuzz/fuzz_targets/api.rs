//! Any bytes as the bodies and targets of requests and responses of each kind: nothing panics, and what comes out is
//! bounded.
#![no_main]
use harken_api::{Api, Descriptors};
use harken_http::body::units::{Kind, Units};
use harken_http::{Body, Exchange, Field, Known, Message, Span};
use harken_wire::Timestamp;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

/// A service whose messages have fields of every kind.
static SERVICE: LazyLock<Descriptors> = LazyLock::new(|| {
    let mut descriptors = Descriptors::default();
    let set = include_bytes!("../../captures/recorded/grpc/descriptors.binpb");
    descriptors.add(set).expect("the set is sound");
    descriptors
});

/// The most that one body becomes as JSON.
const MAX_JSON: usize = 1 << 20;

/// Method, path and media type of the request, and media type of the response.
const CALLS: [[&[u8]; 4]; 12] = [
    [b"POST", b"/graphql", b"application/json", b"application/json"],
    [b"POST", b"/graphql", b"application/graphql", b"application/json"],
    [b"POST", b"/graphql", b"multipart/form-data; boundary=b", b"application/json"],
    [b"GET", b"/graphql", b"", b"application/json"],
    [b"POST", b"/mcp", b"application/json", b"text/event-stream"],
    [b"POST", b"/v1/chat/completions", b"application/json", b"text/event-stream"],
    [b"POST", b"/token", b"application/x-www-form-urlencoded", b"application/json"],
    [b"POST", b"/soap", b"text/xml", b"text/xml"],
    [b"POST", b"/a.B/C", b"application/grpc-web", b"application/grpc-web"],
    [b"POST", b"/orders.v1.Orders/Trade", b"application/grpc", b"application/grpc"],
    [b"POST", b"/orders.v1.Orders/Place", b"application/proto", b"application/proto"],
    [b"POST", b"/a.B/C", b"application/connect+json", b"application/connect+json"],
];

fn message([method, path]: [&[u8]; 2], kind: &[u8], body: &[u8], is_cut: bool, response: bool) -> Box<Message> {
    let head = [method, path, b"content-type", kind].concat();
    let target = Span::new(method.len(), method.len() + path.len());
    let name = Span::new(target.end as usize, target.end as usize + 12);
    let value = Span::new(name.end as usize, head.len());
    let mut message = Message {
        first: Span::new(0, method.len()),
        second: target,
        fields: vec![Field { name, value }],
        trailers_at: 1,
        response,
        status: if response { 400 } else { 0 },
        head,
        body: Body {
            kept: body.to_vec(),
            decoded_len: body.len() as u64 + u64::from(is_cut),
            ..Body::default()
        },
        ..Message::default()
    };
    if let Some(place) = message.known.get_mut(Known::ContentType as usize) {
        *place = 1;
    }
    message.body.units = Kind::of(kind).map(|kind| {
        let mut units = Units::new(kind);
        units.push(body, Timestamp(1));
        units.finish();
        Box::new(units)
    });
    Box::new(message)
}

fuzz_target!(|data: &[u8]| {
    let [which, split, rest @ ..] = data else { return };
    let (asked, answered) = rest.split_at(rest.len() * usize::from(*split) / 255);
    let is_cut = which & 0x80 != 0;
    for [method, path, kind, answer] in CALLS {
        let mut exchange = Exchange {
            request: Some(message([method, path], kind, asked, is_cut, false)),
            response: Some(message([b"HTTP/1.1", b""], answer, answered, is_cut, true)),
            ..Exchange::default()
        };
        SERVICE.decode(&mut exchange);
        for body in [&exchange.request, &exchange.response].into_iter().flatten().map(|message| &message.body) {
            assert!(body.decoded_messages == 0 || body.kept.len() <= MAX_JSON + 2);
            assert!(body.decoded_messages == 0 || serde_json::from_slice::<Vec<serde::de::IgnoredAny>>(&body.kept).is_ok());
        }
        let Some(api) = Api::of(&exchange, path, asked) else { continue };
        assert!(!api.protocol().is_empty());
        // Lists and names have their limits; a body of one operation gives no more than it has.
        assert!(api.operation().len() <= 4 * data.len() + 64, "{api:?}");
        assert!(api.error().is_none_or(|error| error.len() <= data.len() + 64), "{api:?}");
        if let Api::GraphQl(graphql) = &api {
            assert!(graphql.operations.len() <= 32);
            assert!(graphql.operations.iter().all(|o| o.root_fields.len() <= 32 && o.depth <= 1024));
        }
    }
});
