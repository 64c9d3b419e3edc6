//! Recordings of real servers and clients: events say what these say themselves.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]
mod support;

use serde_json::{Value, json};
use std::path::Path;
use support::{at, json_lines as lines, replay, scratch};

/// Compares what the events of a recording say with what is true, whatever the order.
#[track_caller]
fn check(kind: &str, truth: impl Fn(&Value) -> Value, told: impl Fn(&Value) -> Value) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../captures/recorded").join(kind);
    let out = scratch(&format!("recorded-{kind}"));
    replay(&folder.join("input.pcap"), &out, &["--format", "ecs"]);
    let sorted = |values: Vec<Value>, of: &dyn Fn(&Value) -> Value| {
        let mut lines: Vec<_> = values.iter().map(|value| of(value).to_string()).collect();
        lines.sort();
        lines
    };
    let want = sorted(lines(&folder.join("truth.jsonl")), &truth);
    let events = lines(&out.join("events.json")).into_iter();
    let dataset = if kind.starts_with("websocket") { "harken.websocket" } else { "harken.http" };
    let have = sorted(events.filter(|event| event["event"]["dataset"] == dataset).collect(), &told);
    assert!(want.len() >= 10, "{kind} has a truth");
    assert_eq!(want, have, "{kind}");
}

#[test]
fn grpc() {
    // A call that the client has given up has whatever status was under way.
    let is_given_up = |path: &Value| path == "/shop.v1.Cart/Slow";
    let truth = |line: &Value| {
        let path = &line["path"];
        if is_given_up(path) {
            return json!([path, line["request"][0]]);
        }
        // A handler does not see how a message was compressed.
        json!([path, line["request"][0], line["response"][0], line["status"], line["message"]])
    };
    check("grpc", truth, |event| {
        let path = at(event, "/url/path");
        let [sent, got] =
            ["request", "response"].map(|side| at(event, &format!("/harken/messages/{side}/count")));
        if is_given_up(path) {
            return json!([path, sent]);
        }
        assert_eq!(at(event, "/rpc/system"), "grpc");
        assert_eq!(at(event, "/harken/messages/response/partial"), &Value::Null);
        let (service, method) = (&event["rpc"]["service"], &event["rpc"]["method"]);
        let called = format!("/{}/{}", service.as_str().unwrap(), method.as_str().unwrap());
        assert_eq!(&json!(called), path);
        let is_health = called.starts_with("/grpc.health");
        assert_eq!(at(event, "/harken/api/health_check").as_bool().unwrap_or(false), is_health);
        // A call that fails at once has a response without a body.
        let got = if got.is_null() { &json!(0) } else { got };
        let status = at(event, "/rpc/grpc/status_code");
        let message = at(event, "/harken/api/error_message");
        // Only the text of the failing handler is in the truth.
        let message = if called.ends_with("/Fail") { message } else { &Value::Null };
        json!([path, sent, got, status, message])
    });
}

#[test]
fn bytes_of_grpc_messages() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../captures/recorded/grpc");
    let out = scratch("recorded-grpc-bytes");
    replay(&folder.join("input.pcap"), &out, &["--format", "ecs"]);
    let events = lines(&out.join("events.json"));
    // The first connection does not compress: bytes are those of the handlers, call after call.
    let port = at(&events[0], "/client/port");
    let mut plain: Vec<_> = events.iter().filter(|event| at(event, "/client/port") == port).collect();
    plain.sort_by_key(|event| event["@timestamp"].as_str().unwrap().to_owned());
    let truth = lines(&folder.join("truth.jsonl"));
    assert_eq!(plain.len(), 18);
    for (event, line) in plain.iter().zip(&truth) {
        assert_eq!(at(event, "/url/path"), &line["path"]);
        assert_eq!(at(event, "/harken/messages/request/bytes"), &line["request"][1], "{line}");
        if line["status"] == 0 {
            assert_eq!(at(event, "/harken/messages/response/bytes"), &line["response"][1], "{line}");
        }
    }
    let compressed =
        events.iter().filter(|event| !at(event, "/harken/messages/request/compressed").is_null());
    assert!(compressed.count() >= 2, "the second connection compresses what is large");
}

/// With descriptors messages are JSON, as Google's own library writes it: streams and compressed messages too.
#[test]
fn messages_of_protocol_buffers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../captures/recorded/grpc");
    let out = scratch("recorded-grpc-decoded");
    let set = folder.join("descriptors.binpb");
    let options = ["--format", "ecs", "--bodies", "256k", "--proto-descriptors", set.to_str().unwrap()];
    replay(&folder.join("input.pcap"), &out, &options);
    let events = lines(&out.join("events.json"));
    let sorted = |mut calls: Vec<String>| {
        calls.sort();
        calls
    };
    let decoded = |event: &Value, side: &str| {
        let body = at(event, &format!("/http/{side}/body"));
        let list: Value = serde_json::from_str(body["content"].as_str()?).ok()?;
        assert_eq!(json!(list.as_array()?.len()), body["decoded_messages"]);
        assert_eq!(at(event, &format!("/harken/messages/{side}/count")), &body["decoded_messages"]);
        Some(list)
    };
    let have: Vec<_> = events
        .iter()
        .filter_map(|event| {
            let sides = ["request", "response"].map(|side| decoded(event, side));
            sides[0].as_ref()?;
            Some(json!([at(event, "/url/path"), sides]).to_string())
        })
        .collect();
    let truth = lines(&folder.join("truth.jsonl"));
    let want: Vec<_> = truth
        .iter()
        .filter(|line| !line["decoded"].is_null())
        .map(|line| json!([line["path"], line["decoded"]]).to_string())
        .collect();
    assert!(want.len() >= 14);
    assert_eq!(sorted(have), sorted(want));
}

#[test]
fn graphql() {
    check(
        "graphql",
        |line| json!([line["target"], line["operations"], line["errors"]]),
        |event| {
            assert_eq!(at(event, "/harken/api/protocol"), "graphql");
            let target = at(event, "/url/original").as_str().unwrap();
            let operations: Vec<_> = event["harken"]["api"]["calls"]
                .as_array()
                .unwrap()
                .iter()
                .map(|call| {
                    let number = |name| at(call, name).as_u64().unwrap_or(0);
                    let fields = at(call, "/fields").as_array().cloned().unwrap_or_default();
                    json!({
                        "kind": at(call, "/type"), "name": at(call, "/name"), "fields": fields,
                        "depth": number("/depth"), "aliases": number("/aliases")
                    })
                })
                .collect();
            json!([target, operations, at(event, "/harken/api/errors").as_u64().unwrap_or(0)])
        },
    );
}

#[test]
fn mcp() {
    check(
        "mcp",
        |line| json!([line["http"], line["status"], line["calls"], line["session"], line["version"]]),
        |event| {
            assert_eq!(at(event, "/harken/api/protocol"), "mcp");
            let calls = at(event, "/harken/api/calls").as_array().cloned().unwrap_or_default();
            let calls: Vec<_> = calls
                .iter()
                .map(|call| json!({"method": at(call, "/name"), "target": at(call, "/target")}))
                .collect();
            // The first request gets its session and version with the answer.
            let is_first = at(event, "/mcp/method/name") == "initialize";
            let given = |pointer| if is_first { &Value::Null } else { at(event, pointer) };
            let (session, version) = (given("/mcp/session/id"), given("/mcp/protocol/version"));
            json!([
                at(event, "/http/request/method"),
                at(event, "/http/response/status_code"),
                calls,
                session,
                version
            ])
        },
    );
}

/// WebSocket connections, over HTTP/1.1 and inside one connection of HTTP/2.
const WEBSOCKETS: [&str; 2] = ["websocket", "websocket-h2"];

#[test]
fn websocket() {
    WEBSOCKETS.into_iter().for_each(connections);
}

fn connections(kind: &str) {
    let truth = |line: &Value| {
        let sides = ["client", "server"].map(|side| {
            let side = &line[side];
            json!([side["texts"], side["binaries"], side["bytes"], side["compressed"]])
        });
        json!([line["path"], sides, line["pings"], line["close"]])
    };
    check(kind, truth, |event| {
        let seen = &event["harken"]["websocket"];
        let number = |side: &str, name: &str| seen[side][name].as_u64().unwrap_or(0);
        let sides = ["client", "server"].map(|side| {
            assert!(seen[side]["partial"].is_null());
            let compressed = number(side, "compressed");
            // How small a message becomes is not in the truth.
            let bytes = (compressed == 0).then(|| number(side, "bytes"));
            json!([number(side, "texts"), number(side, "binaries"), bytes, compressed])
        });
        assert_eq!(number("client", "pings"), number("server", "pongs"));
        let close = seen["close"].as_object().map(|close| {
            let reason = close.get("reason").cloned().unwrap_or_else(|| json!(""));
            json!({"by": close["by"], "code": close["code"], "reason": reason})
        });
        json!([at(event, "/url/path"), sides, number("client", "pings"), close])
    });
}

/// What was said on each connection, message by message, inflated where it was compressed.
#[test]
fn websocket_messages() {
    for kind in WEBSOCKETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../captures/recorded").join(kind);
        let out = scratch(&format!("recorded-messages-{kind}"));
        replay(&folder.join("input.pcap"), &out, &["--format", "ecs", "--websocket-messages", "1000"]);
        let events = lines(&out.join("events.json"));
        let mut ids: Vec<_> = events.iter().map(|event| at(event, "/event/id").to_string()).collect();
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), count, "every event has an identifier of its own");
        for line in lines(&folder.join("truth.jsonl")) {
            for (side, message) in [("client", "request"), ("server", "response")] {
                let said = events.iter().filter(|event| {
                    at(event, "/url/path") == &line["path"]
                        && at(event, "/harken/websocket_message/by") == side
                });
                let said: Vec<_> = said.map(|event| shown(event, message)).collect();
                assert_eq!(json!(said), line[side]["said"], "{kind}: {} of {}", line["path"], side);
            }
        }
    }
}

/// Kind, length and beginning of a message, as the recordings have them.
fn shown(event: &Value, message: &str) -> Value {
    let kind = at(event, "/harken/websocket_message/type");
    let body = at(event, &format!("/http/{message}/body"));
    let content = body["content"].as_str().unwrap_or_default();
    assert!(at(event, "/harken/websocket_message/ordinal").as_u64() > Some(0));
    let beginning: String = if kind == "text" {
        content.chars().take(40).collect()
    } else {
        content.bytes().take(40).map(|byte| format!("{byte:02x}")).collect()
    };
    json!([kind, body["decoded_bytes"], beginning])
}

/// No more messages are told than are asked for, and none unless they are.
#[test]
fn websocket_messages_up_to_a_limit() {
    let capture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../captures/recorded/websocket/input.pcap");
    for (limit, most) in [("0", 0), ("3", 3)] {
        let out = scratch(&format!("recorded-messages-limit-{limit}"));
        replay(&capture, &out, &["--format", "ecs", "--websocket-messages", limit]);
        let events = lines(&out.join("events.json"));
        let many = |event: &&Value| at(event, "/url/path") == "/many";
        let told = events.iter().filter(many).filter(|e| !at(e, "/harken/websocket_message").is_null());
        assert_eq!(told.count(), most);
        assert_eq!(events.iter().filter(many).count(), 2 + most, "the connection is told of as ever");
    }
}

/// Requests of h2load to nginx, on 16 connections of HTTP/2 at once, as nginx has logged them.
#[test]
fn http2_load() {
    let truth = |line: &Value| {
        let bytes = &line["bytes"];
        json!([line["method"], line["path"], line["status"], line["protocol"], bytes])
    };
    check("http2-load", truth, |event| {
        assert!(at(event, "/harken/completeness/request_reason").is_null());
        let version = format!("HTTP/{}", at(event, "/http/version").as_str().unwrap());
        let target = at(event, "/url/original");
        let [method, status, bytes] = ["request/method", "response/status_code", "response/body/bytes"]
            .map(|name| at(event, &format!("/http/{name}")));
        json!([method, target, status, version, bytes])
    });
}
