//! Events of hand-built transactions, each checked against the published schema, with other fields forbidden.
use super::*;
use crate::flow::FlowInfo;
use crate::masking::{Masking, Scope};
use crate::testing::{T0, exchange, flow, message, typical};
use crate::zeek::Form;
use harken_http::{
    BodyGap, Coding, Completeness, Desync, Exchange, Field, Informational, Pairing, Span, Why,
};
use harken_wire::{Encap, GeneveOptions, Ip, Outer, TunnelKind};
use proptest::prelude::*;
use serde_json::{Value, json};

mod schema;

/// Of the virtual network that the tests use.
const NAMES: &str = r#"{"vnis": {"42": {"provider": "aws", "account": "123456789012", "region": "eu-central-1",
    "interface": "eni-1", "instance": "i-1", "name": "shop", "session": "tms-1"}}}"#;

fn write(flow: &FlowInfo, exchange: &Exchange, show_secrets: bool) -> Value {
    let mut out = Vec::new();
    let mut exchange = exchange.clone();
    let mut masking = Masking::new(&harken_mask::Config::default(), Scope::Event).unwrap();
    let masking = (!show_secrets).then(|| {
        masking.mask(&mut exchange);
        &masking
    });
    let names = VniNames::default();
    names.set(NAMES).unwrap();
    Writer::naming(&names)
        .write(&Transaction { flow, exchange: &exchange, masking, trust: crate::Trust::private() }, &mut out);
    assert_eq!(out.pop(), Some(b'\n'));
    assert!(!out.contains(&b'\n'));
    let event = serde_json::from_slice(&out).unwrap();
    schema::validate(&event);
    event
}

fn event(exchange: &Exchange) -> Value {
    write(&flow(Form::Json, Encap::default()), exchange, false)
}

/// Every pointer in `want` must lead to its value; null stands for an absent one.
fn check(event: &Value, want: &[(&str, Value)]) {
    for (pointer, value) in want {
        assert_eq!(event.pointer(pointer).unwrap_or(&Value::Null), value, "{pointer} in {event:#}");
    }
}

#[test]
fn a_usual_transaction() {
    let mut event = event(&typical());
    let id = event["event"]["id"].take();
    assert_eq!(id.as_str().unwrap().len(), 32);
    let want = json!({
        "@timestamp": "2026-11-24T12:36:18.250000000Z",
        "ecs": {"version": "8.17.0"},
        "event": {
            "id": null, "kind": "event", "category": ["network", "web"], "type": ["access"],
            "dataset": "harken.http", "duration": 21_500_000, "outcome": "success"
        },
        "network": {
            "transport": "tcp", "protocol": "http", "type": "ipv4",
            "community_id": "1:AX0Uy1h7aYtmhJi7/q1MT9sTSD8="
        },
        "client": {"ip": "10.0.0.1", "port": 50000, "bytes": 339},
        "server": {"ip": "192.0.2.80", "port": 8080, "bytes": 159},
        "source": {"ip": "10.0.0.1", "port": 50000, "bytes": 339},
        "destination": {"ip": "192.0.2.80", "port": 8080, "bytes": 159},
        "http": {
            "version": "1.1",
            "request": {
                "method": "GET", "referrer": "https://shop.example.com/orders", "bytes": 339,
                "headers": [
                    {"name": "Host", "value": "shop.example.com"},
                    {"name": "User-Agent", "value": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"},
                    {"name": "Accept", "value": "application/json"},
                    {"name": "Accept-Encoding", "value": "gzip, br"},
                    {"name": "Referer", "value": "https://shop.example.com/orders"},
                    {"name": "Cookie", "value": "session=***; theme=***"},
                    {"name": "Authorization", "value": "Bearer ***"}
                ],
                "body": {"bytes": 0, "decoded_bytes": 0}
            },
            "response": {
                "status_code": 200, "reason": "OK", "bytes": 159, "mime_type": "application/json",
                "headers": [
                    {"name": "Server", "value": "nginx"},
                    {"name": "Content-Type", "value": "application/json"},
                    {"name": "Content-Length", "value": "27"},
                    {"name": "Set-Cookie", "value": "session=***; Path=/; HttpOnly"}
                ],
                "body": {"bytes": 27, "decoded_bytes": 27, "content": "{\"order\":4711,\"items\":[1]}\n"}
            }
        },
        "url": {
            "original": "/api/v1/orders/4711?expand=items",
            "full": "http://shop.example.com/api/v1/orders/4711?expand=items",
            "scheme": "http", "domain": "shop.example.com", "path": "/api/v1/orders/4711",
            "query": "expand=items"
        },
        "user_agent": {"original": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"},
        "harken": {
            "schema_version": "4.2.0", "uid": null, "depth": 1,
            "fingerprint": {"http": "hc1:11:ff50983941c1:93433baf4729"},
            "timing": {
                "request_end_ns": 3000, "response_start_ns": 20_000_000, "response_end_ns": 21_500_000
            },
            "completeness": {"request": "full", "response": "full", "pairing": "paired"},
            "masked": [
                {"kind": "cookie", "location": "http.request.headers", "name": "Cookie", "method": "fixed", "count": 2},
                {"kind": "authorization", "location": "http.request.headers", "name": "Authorization", "method": "fixed", "count": 1},
                {"kind": "cookie", "location": "http.response.headers", "name": "Set-Cookie", "method": "fixed", "count": 1}
            ]
        }
    });
    event["harken"]["uid"].take();
    assert_eq!(event, want, "{event:#}");
}

#[test]
fn secrets_can_be_shown() {
    let event = write(&flow(Form::Json, Encap::default()), &typical(), true);
    check(
        &event,
        &[
            ("/harken/masked", Value::Null),
            ("/http/request/headers/6/value", json!("Bearer eyJhbGciOi.J9.abc")),
            ("/http/response/headers/3/value", json!("session=fedcba; Path=/; HttpOnly")),
        ],
    );
}

#[test]
fn no_secret_is_left_anywhere() {
    let head = b"GET http://user:s3cr3t@h.example/p HTTP/1.1\r\nHost: u:s3cr3t@h\r\nAuthorization: Basic dTpzM2NyM3Q=\r\n\
        Cookie: a=s3cr3t; s3cr3t\r\nX-Api-Key: s3cr3t\r\nX-Secret: yes\r\n\r\n";
    let mut request = message(head, b"");
    // The last field is a trailer.
    let field = Field { name: request.fields[3].name, value: request.fields[3].value };
    request.fields.push(field);
    let text = event(&exchange(Some(request), None)).to_string();
    // `Host` is shown as sent: what stands in it is no credential to any server.
    assert_eq!(text.matches("s3cr3t").count(), 1, "{text}");
    assert!(!text.contains("dTpzM2NyM3Q="), "{text}");
    assert!(text.contains("http://user:***@h.example/p"), "{text}");
    assert!(text.contains(r#""name":"u""#), "{text}");
}

#[test]
fn what_is_missing_and_odd() {
    let mut response = message(b"HTTP/1.1 500 Oh\r\nContent-Encoding: gzip\r\nX-T: 1\r\n\r\n", b"\xff\xfe");
    response.trailers_at = 1;
    response.body.coding = Coding::Gzip;
    response.body.decoded_len = 10;
    response.body.decode_failed = true;
    response.body.missing = 7;
    response.body.gaps = vec![BodyGap { offset: 1, len: 7 }];
    response.completeness = Completeness::Gap;
    response.head_cut = true;
    response.unknown = 2;
    response.desync = Desync(Desync::NUL | Desync::HOST);
    let got = event(&Exchange { pairing: Pairing::RequestLost, ..exchange(None, Some(response)) });
    check(
        &got,
        &[
            ("/event/outcome", json!("failure")),
            ("/http/version", json!("1.1")),
            ("/http/request", Value::Null),
            ("/url", Value::Null),
            ("/http/response/trailers", json!([{"name": "X-T", "value": "1"}])),
            (
                "/http/response/body",
                json!({
                    "bytes": 2, "decoded_bytes": 10, "missing_bytes": 7, "coding": "gzip", "decode_failed": true,
                    "content": "//4=", "encoding": "base64", "truncated": true
                }),
            ),
            (
                "/harken/completeness",
                json!({
                    "request": "absent", "response": "gap", "pairing": "request_lost", "head_cut": true,
                    "headers": "partial",
                    "unknown_headers": [{"location": "http.response", "fields": 2, "names": []}],
                    "gaps": [{"location": "http.response.body", "offset": 1, "bytes": 7}]
                }),
            ),
            ("/harken/desync", json!(["nul", "host"])),
            ("/harken/timing", json!({"response_start_ns": 0, "response_end_ns": 3000})),
            ("/client/bytes", json!(0)),
        ],
    );
    let request = message(b"CONNECT db.example:443 HTTP/1.0\r\n\r\n", b"");
    let informational = Some(Informational { status: 100, reason: b"Continue".to_vec() });
    let got =
        event(&Exchange { informational, pairing: Pairing::NoResponse, ..exchange(Some(request), None) });
    check(
        &got,
        &[
            ("/event/outcome", json!("unknown")),
            ("/http/response", json!({"informational": {"status_code": 100, "reason": "Continue"}})),
            (
                "/url",
                json!({"original": "db.example:443", "scheme": "http", "domain": "db.example", "port": 443}),
            ),
            ("/harken/completeness/response", json!("absent")),
        ],
    );
    let mut request = message(b"GET / HTTP/1.1\r\n\r\n", b"");
    (request.first, request.second, request.unknown) = (Span::default(), Span::default(), 3);
    check(
        &event(&exchange(Some(request), None)),
        &[(
            "/harken/completeness/unknown_headers",
            json!([{"location": "http.request", "fields": 3, "names": [":method", ":path"]}]),
        )],
    );
    check(&event(&exchange(None, None)), &[("/http/response", Value::Null), ("/event/duration", json!(0))]);
}

#[test]
fn tunnels() {
    let geneve = GeneveOptions {
        aws_endpoint_eni: Some(0xab),
        aws_flow_cookie: Some(1),
        gcp_endpoint: Some([7; 16]),
        ..GeneveOptions::default()
    };
    let encap = Encap {
        depth: 2,
        kind: Some(TunnelKind::Vxlan),
        vni: Some(42),
        vlan: Some(100),
        inner_vlan: Some(7),
        outer: Outer { src: Ip::v4([172, 16, 0, 1]), dst: Ip::v6([0x20; 16]), sport: 6081, dport: 0 },
        geneve: Some(geneve),
    };
    check(
        &write(&flow(Form::Tsv, encap), &typical(), false),
        &[
            ("/network/vlan", json!({"id": "100"})),
            ("/network/inner", json!({"vlan": {"id": "7"}})),
            (
                "/harken/tunnel",
                json!({
                    "type": "vxlan", "depth": 2, "vni": 42, "interface": "eni-1",
                    "outer": {
                        "source": {"ip": "172.16.0.1", "port": 6081},
                        "destination": {"ip": "2020:2020:2020:2020:2020:2020:2020:2020"}
                    },
                    "geneve": {
                        "aws_endpoint_eni": "00000000000000ab", "aws_flow_cookie": "00000001",
                        "gcp_endpoint": "07070707070707070707070707070707"
                    }
                }),
            ),
        ],
    );
}

proptest! {
    #[test]
    fn every_event_fits_the_schema(
        target in proptest::collection::vec(prop_oneof![33u8..127, 128u8..], 0..30),
        name in "[!-9;-~]{1,20}",
        value in proptest::collection::vec(14u8.., 0..30),
        body in proptest::collection::vec(any::<u8>(), 0..30),
        encoded in any::<bool>(),
    ) {
        let name = if encoded { "authorization" } else { &name };
        let head = [
            b"PUT ".as_slice(), &target, b" HTTP/1.1\r\nHost: ", &target, b"\r\n", name.as_bytes(), b": ", &value, b"\r\n\r\n",
        ].concat();
        let mut request = message(&head, &body);
        request.third = Span::default();
        let event = event(&exchange(Some(request), None));
        if let Ok(text) = std::str::from_utf8(&body) {
            let content = event.pointer("/http/request/body/content").and_then(Value::as_str);
            prop_assert_eq!(content.unwrap_or_default(), text);
        }
        prop_assert_eq!(&event["@timestamp"], &json!(std::str::from_utf8(&crate::number::rfc3339(T0)).unwrap()));
    }
}

/// Run with `cargo test --release -p harken-event -- --ignored --nocapture speed`.
#[test]
#[ignore = "a measurement"]
#[allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a measurement needs a clock")]
fn speed_of_events() {
    let mut exchange = typical();
    exchange.response.as_mut().unwrap().body.kept.clear();
    let flow = flow(Form::Json, Encap::default());
    let (mut writer, mut out, rounds) = (Writer::default(), Vec::new(), 300_000u32);
    let start = std::time::Instant::now();
    for _ in 0..rounds {
        out.clear();
        writer.write(
            std::hint::black_box(&Transaction {
                flow: &flow,
                exchange: &exchange,
                masking: None,
                trust: crate::Trust::private(),
            }),
            &mut out,
        );
    }
    println!("ECS: {:?} for {} bytes", start.elapsed() / rounds, out.len());
}
