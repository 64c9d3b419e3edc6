//! The writer and the schema are two texts; this holds them together: no event has a field that the schema does
//! not have, and each field of the schema is written.
use super::*;
use harken_http::body::units::{Kind, Units};
use harken_http::websocket::{Close, Counts, Dir, Spoken, WebSocket};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

/// The published schema, but for one thing: what it does not name is an error.
static CLOSED: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    fn close(schema: &mut Value) {
        match schema {
            Value::Object(members) => {
                members.values_mut().for_each(close);
                if members.contains_key("properties") {
                    members.insert("additionalProperties".to_owned(), json!(false));
                }
            }
            Value::Array(items) => items.iter_mut().for_each(close),
            _ => {}
        }
    }
    let mut schema = schema();
    close(&mut schema);
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
});

#[track_caller]
pub(super) fn validate(event: &Value) {
    let errors: Vec<_> = CLOSED.iter_errors(event).map(|e| format!("{} {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:?} in {event:#}");
}

/// The names of all members of an event, like `client.ip` and `http.request.headers[].name`.
fn written(value: &Value, at: &str, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let at = join(at, name);
                names.insert(at.clone());
                written(member, &at, names);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| written(item, &format!("{at}[]"), names)),
        _ => {}
    }
}

/// The same of all that a schema describes.
fn described(schema: &Value, root: &Value, at: &str, names: &mut BTreeSet<String>) {
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        described(root.pointer(target.trim_start_matches('#')).unwrap(), root, at, names);
    }
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let at = join(at, name);
        names.insert(at.clone());
        described(property, root, &at, names);
    }
    if let Some(items) = schema.get("items") {
        described(items, root, &format!("{at}[]"), names);
    }
}

fn join(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
}

/// A transaction that has everything an event can say, however unlikely.
fn everything() -> (FlowInfo, Exchange) {
    let head = |start_line: &str| {
        let fields =
            "Host: h:81\r\nUser-Agent: a\r\nReferer: r\r\nAuthorization: Basic dTpw\r\nX-Trailer: t\r\n\r\n";
        format!("{start_line}\r\n{fields}").into_bytes()
    };
    let [request, response] = ["PUT http://u:p@h:81/p?q#f HTTP/1.1", "HTTP/1.1 200 OK"].map(|start_line| {
        let mut m = message(&head(start_line), b"\xff\xfe");
        m.trailers_at -= 1;
        m.head_cut = true;
        m.unknown = 1;
        m.desync = Desync(Desync::NUL);
        m.completeness = Completeness::Gap;
        m.why = Some(Why::NotCaptured);
        m.body.coding = Coding::Brotli;
        m.body.sniffed = Some("text/plain");
        m.body.decoded_len = 10;
        m.body.missing = 7;
        m.body.gaps = vec![BodyGap { offset: 1, len: 7 }];
        m.body.decode_failed = true;
        m.body.decoded_messages = 1;
        m
    });
    let informational = Some(Informational { status: 103, reason: b"Early Hints".to_vec() });
    let exchange = Exchange { informational, ..exchange(Some(request), Some(response)) };
    let geneve = GeneveOptions {
        aws_endpoint_eni: Some(1),
        aws_attachment: Some(2),
        aws_flow_cookie: Some(3),
        gcp_network: Some(4),
        gcp_endpoint: Some([5; 16]),
        gcp_profile: Some(6),
    };
    let encap = Encap {
        depth: 1,
        kind: Some(TunnelKind::Geneve),
        vni: Some(42),
        vlan: Some(100),
        inner_vlan: Some(7),
        outer: Outer { src: Ip::v4([172, 16, 0, 1]), dst: Ip::v4([172, 16, 0, 2]), sport: 6081, dport: 6081 },
        geneve: Some(geneve),
    };
    (flow(Form::Json, encap), exchange)
}

/// Transactions that do something which has a name, each in its way.
fn apis() -> Vec<Exchange> {
    let exchange = |start: &str, fields: &str, body: &str, answer: (&str, &str)| {
        let head = |start: &str, fields: &str| format!("{start}\r\n{fields}\r\n").into_bytes();
        let request = message(&head(&format!("{start} HTTP/1.1"), fields), body.as_bytes());
        let response = message(&head("HTTP/1.1 400 No", answer.0), answer.1.as_bytes());
        exchange(Some(request), Some(response))
    };
    let json = "Content-Type: application/json\r\n";
    let rpc = |method: &str, params: &str| {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{{params}}}}}"#);
        let fields = format!("{json}Mcp-Session-Id: s\r\nMcp-Protocol-Version: 2025-06-18\r\n");
        let error = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no"}}"#;
        exchange("POST /mcp", &fields, &body, (json, error))
    };
    let mut grpc = exchange(
        "POST /grpc.health.v1.Health/Check",
        "Content-Type: application/grpc\r\ngrpc-timeout: 1S\r\ngrpc-encoding: gzip\r\n",
        "",
        ("Content-Type: application/grpc\r\ngrpc-status: 5\r\ngrpc-message: no%20\r\n", ""),
    );
    for message in [&mut grpc.request, &mut grpc.response].into_iter().flatten() {
        let mut units = Units::new(Kind::Grpc);
        units.push(b"\x01\0\0\0\x01a\0", T0);
        units.finish();
        message.body.units = Some(Box::new(units));
    }
    let query =
        r#"{"query":"query Q { __schema { a: b } }","extensions":{"persistedQuery":{"sha256Hash":"f"}}}"#;
    let errors = r#"{"errors":[{}]}"#;
    let connect = "Connect-Protocol-Version: 1\r\nContent-Type: application/proto\r\n";
    let usage = r#"{"model":"m","usage":{"input_tokens":1,"output_tokens":2}}"#;
    let envelope =
        "<Envelope xmlns=\"http://schemas.xmlsoap.org/soap/envelope/\"><Body><E/></Body></Envelope>";
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    vec![
        grpc,
        exchange("POST /a.B/C", connect, "", (json, r#"{"code":"not_found"}"#)),
        exchange("POST /graphql", json, query, (json, errors)),
        exchange("POST /graphql", json, &format!("[{query},{query}]"), (json, errors)),
        rpc("tools/call", r#""name":"t""#),
        rpc("prompts/get", r#""name":"p""#),
        rpc("resources/read", r#""uri":"u""#),
        exchange("POST /v1/messages", json, r#"{"model":"m"}"#, (json, usage)),
        exchange(
            "POST /token",
            form,
            "grant_type=password&client_id=c",
            (json, r#"{"error":"invalid_grant"}"#),
        ),
        exchange("POST /soap", "Content-Type: text/xml\r\n", envelope, ("", "")),
        // A client behind a proxy, by HTTP/2.
        {
            let mut forwarded = exchange("GET /", "X-Forwarded-For: 203.0.113.7:4711\r\n", "", ("", ""));
            if let Some(request) = &mut forwarded.request {
                request.client = Some("1:65536|00|0|m,p".into());
            }
            forwarded
        },
        Exchange { in_progress: true, ..exchange("GET /stream", "", "", ("", "")) },
        // A WebSocket connection that is over.
        {
            let mut over = exchange("GET /ws", "", "", ("", ""));
            let counts = Counts { compressed: 1, pings: 1, pongs: 1, is_partial: true, ..Counts::default() };
            let close = Some(Close { by: Dir::Resp, code: Some(1000), reason: "bye".to_owned() });
            over.websocket = Some(Box::new(WebSocket { client: counts, server: counts, close, last: T0 }));
            over
        },
        // One of its messages.
        {
            let spoken = Spoken { by: Dir::Orig, is_text: true, ordinal: 1, is_compressed: true };
            Exchange { spoken: Some(spoken), ..exchange("GET /ws", "", "hello", ("", "")) }
        },
        // What is left of a body that was cut.
        exchange("POST /v1/messages", json, r#"{"model":"m","#, ("", "")),
    ]
}

#[test]
fn all_that_the_schema_describes_is_written() {
    let (flow, exchange) = everything();
    let (mut has, mut may_have) = (BTreeSet::new(), BTreeSet::new());
    written(&write(&flow, &exchange, false), "", &mut has);
    for exchange in apis() {
        written(&write(&flow, &exchange, false), "", &mut has);
    }
    let schema = schema();
    described(&schema, &schema, "", &mut may_have);
    assert_eq!(has, may_have);
    assert!(has.len() > 180, "{has:?}");
}

#[test]
fn the_manual_has_every_field() {
    let manual = include_str!("../../../../../docs/event.md");
    let rows =
        manual.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | ")).map(|row| row.0);
    let rows = rows.filter(|name| name.contains(['.', '@'])).flat_map(|name| {
        let either = name.split_once('{').and_then(|(before, rest)| {
            let ((one, other), behind) =
                rest.split_once('}').map(|(e, b)| (e.split_once(',').unwrap(), b))?;
            Some(vec![format!("{before}{one}{behind}"), format!("{before}{other}{behind}")])
        });
        either.unwrap_or_else(|| vec![name.to_owned()])
    });
    let rows: BTreeSet<_> = rows.map(|name| name.trim_end_matches("[]").to_owned()).collect();
    let (mut names, schema) = (BTreeSet::new(), schema());
    described(&schema, &schema, "", &mut names);
    let has_members = |name: &str| names.iter().any(|other| other.starts_with(&format!("{name}.")));
    // The manual says in a sentence that these two repeat `client` and `server`.
    let repeated = |name: &str| name.starts_with("source.") || name.starts_with("destination.");
    let fields = names.iter().filter(|name| !has_members(name) && !repeated(name));
    assert_eq!(rows, fields.cloned().collect());
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the golden events live in files")]
fn golden_events_fit_the_schema() {
    let mut events = 0;
    for case in Path::new(env!("CARGO_MANIFEST_DIR")).join("../../captures").read_dir().unwrap() {
        let Ok(text) = std::fs::read_to_string(case.unwrap().path().join("events.json")) else { continue };
        for line in text.lines() {
            validate(&serde_json::from_str(line).unwrap());
            events += 1;
        }
    }
    assert!(events > 90, "{events} events");
}

#[test]
fn the_schema_describes_every_field() {
    fn walk(schema: &Value, at: &str, count: &mut usize) {
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            for (name, property) in properties {
                *count += 1;
                let at = format!("{at}.{name}");
                assert!(property.get("description").is_some_and(|d| d != ""), "{at} has no description");
                walk(property, &at, count);
            }
        }
        for definition in schema.get("$defs").and_then(Value::as_object).into_iter().flatten() {
            walk(definition.1, definition.0, count);
        }
        assert_ne!(schema.get("type"), Some(&json!("null")), "{at}");
    }
    let schema = schema();
    assert_eq!(schema["$id"], json!("urn:harken:schema:event:4.2.0"));
    let mut count = 0;
    walk(&schema, "event", &mut count);
    assert!(count > 90, "{count} fields");
    assert!(!schema.to_string().contains("\"null\""));
}

#[test]
fn the_schema_refuses() {
    let good = event(&typical());
    for (pointer, bad) in [
        ("/@timestamp", json!("yesterday")),
        ("/client/ip", json!("10.0.0.256")),
        ("/client/port", json!(65536)),
        ("/http/request/headers/0/value", Value::Null),
        ("/harken/masked/0/kind", json!("other")),
        ("/url/path", json!(1)),
    ] {
        let mut event = good.clone();
        *event.pointer_mut(pointer).unwrap() = bad;
        assert!(!CLOSED.is_valid(&event), "{pointer}");
    }
    let mut event = good;
    event["harken"].as_object_mut().unwrap().remove("uid");
    assert!(!CLOSED.is_valid(&event));
}
