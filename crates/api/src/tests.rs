//! Exchanges as they are sent, and what they do.
use super::*;
use harken_flow::{Chunk, Dir};
use harken_http::{Analyzer, Limits};
use harken_wire::Timestamp;

/// What the analyzer makes of a request and a response, of whose bodies `keep` bytes are kept.
fn exchange(request: &[u8], response: &[u8], keep: usize) -> Exchange {
    let mut limits = Limits::default();
    limits.body.keep = keep;
    let mut analyzer = Analyzer::new(limits);
    let mut conn = analyzer.open(80, false);
    let sent = request.len() as u64;
    for (dir, bytes, ack) in [(Dir::Orig, request, 0), (Dir::Resp, response, sent)] {
        let ts = Timestamp(ack + 1);
        analyzer.data(&mut conn, &Chunk { dir, offset: 0, bytes, ack, ts });
    }
    analyzer.close(&mut conn, Timestamp(sent + 2));
    analyzer.take().unwrap()
}

/// A message from start line, header fields and body.
fn message(start: &str, fields: &str, body: &str) -> Vec<u8> {
    let fields = fields.replace('|', "\r\n");
    let separator = if fields.is_empty() { "" } else { "\r\n" };
    format!("{start}\r\n{fields}{separator}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn api(start: &str, fields: &str, body: &str, answer: (&str, &str), keep: usize) -> Option<Api> {
    let request = message(&format!("{start} HTTP/1.1"), &format!("host: h|{fields}"), body);
    let response = message("HTTP/1.1 200 OK", answer.0, answer.1);
    let exchange = exchange(&request, &response, keep);
    let target = start.split(' ').nth(1).unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Api::of(&exchange, path.as_bytes(), query.as_bytes())
}

const JSON: &str = "content-type: application/json";

/// Protocol, operation, and the error with an arrow before it.
fn told(api: Option<&Api>) -> String {
    let Some(api) = api else { return "-".to_owned() };
    let error = api.error().map(|error| format!(" -> {error}")).unwrap_or_default();
    let cut = if api.is_cut() { " (cut)" } else { "" };
    format!("{}: {}{error}{cut}", api.protocol(), api.operation())
}

#[track_caller]
fn post(path: &str, fields: &str, body: &str, answer: &str, want: &str) {
    let api = api(&format!("POST {path}"), fields, body, (JSON, answer), 16 << 10);
    assert_eq!(told(api.as_ref()), want);
}

#[test]
fn graphql() {
    let check = |body: &str, answer: &str, want: &str| post("/graphql", JSON, body, answer, want);
    check(r#"{"query":"{ cart { total } }"}"#, "{}", "graphql: query { cart }");
    check(
        r#"{"operationName":"B","query":"query A{a} query B{b}","variables":{"query":"x"}}"#,
        "{}",
        "graphql: query B",
    );
    check(
        r#"{"query":"mutation($x:Int){pay(x:$x){id}}"}"#,
        r#"{"errors":[{"message":"no"}]}"#,
        "graphql: mutation { pay } -> errors",
    );
    check(r#"[{"query":"{a}"},{"query":"mutation M{b}"}]"#, "[]", "graphql: [2] query { a }, mutation M");
    check(
        r#"{"operationName":"Get","extensions":{"persistedQuery":{"version":1,"sha256Hash":"abcdef0123456789"}}}"#,
        "{}",
        "graphql: Get",
    );
    check(
        r#"{"extensions":{"persistedQuery":{"sha256Hash":"abcdef0123456789"}}}"#,
        "{}",
        "graphql: persisted abcdef012345",
    );
    // What is called a query elsewhere.
    check(r#"{"query":"SELECT 1"}"#, "{}", "-");
    check(r#"{"query":"query performance"}"#, "{}", "-");
    check(r#"{"query":{"match":{"a":1}}}"#, "{}", "-");
    check(r#"{"query":"{}"}"#, "{}", "-");
    post("/graphql", "content-type: application/graphql", "query Q { a }", "{}", "graphql: query Q");
    let form = "--b\r\ncontent-disposition: form-data; name=\"operations\"\r\n\r\n\
        {\"query\":\"mutation Up($f: Upload!) { upload(file: $f) { id } }\"}\r\n--b\r\n\r\n\r\n--b--\r\n";
    let multipart = "content-type: multipart/form-data; boundary=b";
    post("/graphql", multipart, form, "{}", "graphql: mutation Up");
}

#[test]
fn graphql_in_the_target() {
    for (target, want) in [
        ("/graphql?query=query%20Q%7Ba%7D&operationName=Q", "graphql: query Q"),
        (
            "/g?extensions=%7B%22persistedQuery%22:%7B%22sha256Hash%22:%22ff%22%7D%7D&operationName=P",
            "graphql: P",
        ),
        ("/search?query=shoes", "-"),
        ("/search?q=1", "-"),
    ] {
        let api = api(&format!("GET {target}"), "", "", (JSON, "{}"), 1024);
        assert_eq!(told(api.as_ref()), want);
    }
}

/// Depths, fields and aliases are those that graphql-core finds: the depth of the deepest field with fragments put in
/// place, the collected fields of the root, the fields with an alias.
#[test]
fn graphql_documents() {
    for (document, fields, depth, aliases) in [
        ("{a}", "a", 1, 0),
        ("{ a: b c { d { e } } }", "b c", 3, 1),
        ("query Q($a: [Int!] = [1, 2] @x) @y(z: {b: \"}\"}) { f(o: {a: {b: 1}}) { g } }", "f", 2, 0),
        ("query { ...F } fragment F on Query { x { y } }", "x", 2, 0),
        ("fragment F on Query { x { ...G } } fragment G on X { y { z } } { ...F, w }", "w x", 3, 0),
        ("{ ... on Query { a { b } } ... @include(if: true) { c } }", "a c", 2, 0),
        ("# { no }\n{ s(t: \"\"\"{ \"quoted\" \\\"\"\" }\"\"\") }", "s", 1, 0),
        ("subscription S { on { on } }", "on", 2, 0),
        ("{ query { fragment: mutation } }", "query", 2, 1),
    ] {
        let operation = graphql::Document::scan(document).unwrap().operation(None).unwrap();
        assert_eq!(operation.root_fields.join(" "), fields, "{document}");
        assert_eq!((operation.depth, operation.aliases), (depth, aliases), "{document}");
        assert!(!operation.is_cut, "{document}");
    }
    for document in ["", "{", "{}", "query Q", "a { b }", "query Q(", "{ ! }", "type A { b: C }"] {
        let operation = graphql::Document::scan(document);
        assert!(operation.is_none(), "{document}: {operation:?}");
    }
    // A cycle, which is not valid: it ends.
    let cycle = graphql::Document::scan("{ ...A } fragment A on Q { b { ...A } }");
    assert_eq!(cycle.unwrap().operation(None).unwrap().root_fields, ["b"]);
    let schema = graphql::Document::scan("query IntrospectionQuery { __schema { types { name } } }");
    assert!(schema.unwrap().operation(None).unwrap().is_introspection);
}

#[test]
fn bodies_that_are_cut() {
    let long = format!(r#"{{"query":"query Long {{ a(x: \"\u00e4\\\") {{ b }} {} }}"}}"#, "f ".repeat(999));
    for keep in 30..200 {
        let api = api("POST /graphql", JSON, &long, (JSON, "{}"), keep);
        assert_eq!(told(api.as_ref()), "graphql: query Long (cut)", "{keep} bytes kept");
    }
    let rpc = format!(r#"{{"jsonrpc":"2.0","method":"m","id":1,"params":["{}"]}}"#, "x".repeat(999));
    let api = api("POST /", JSON, &rpc, (JSON, "{}"), 100);
    assert_eq!(told(api.as_ref()), "jsonrpc: m (cut)");
}

#[test]
fn json_rpc() {
    let check = |body: &str, answer: &str, want: &str| post("/", JSON, body, answer, want);
    check(
        r#"{"jsonrpc":"2.0","method":"eth_call","params":[{"to":"0x1"}],"id":7}"#,
        r#"{"jsonrpc":"2.0","id":7,"result":"0x"}"#,
        "jsonrpc: eth_call",
    );
    check(
        r#"[{"jsonrpc":"2.0","method":"a","id":"x"},{"jsonrpc":"2.0","method":"b"}]"#,
        r#"[{"jsonrpc":"2.0","id":"x","error":{"code":-32601,"message":"Method not found"}}]"#,
        "jsonrpc: [2] a, b -> -32601",
    );
    check(r#"{"method":"a","id":1}"#, "{}", "-");
}

#[test]
fn mcp() {
    let session = "content-type: application/json|mcp-session-id: s1|mcp-protocol-version: 2025-06-18";
    let call =
        r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"search","arguments":{"q":"x"}}}"#;
    let events =
        "event: message\r\ndata: {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"isError\":true}}\r\n\r\n";
    let called = api("POST /mcp", session, call, ("content-type: text/event-stream", events), 4096);
    assert_eq!(told(called.as_ref()), "mcp: tools/call search -> tool error");
    let Some(Api::JsonRpc(JsonRpc { mcp: Some(mcp), .. })) = called else { panic!("{called:?}") };
    assert_eq!((mcp.session.as_deref(), mcp.version.as_deref()), (Some("s1"), Some("2025-06-18")));

    let begin = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#;
    let agreed = r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-06-18"}}"#;
    let begun = api("POST /mcp", JSON, begin, (JSON, agreed), 4096);
    assert_eq!(told(begun.as_ref()), "mcp: initialize");
    let Some(Api::JsonRpc(JsonRpc { mcp: Some(mcp), .. })) = begun else { panic!("{begun:?}") };
    assert_eq!(mcp.version.as_deref(), Some("2025-06-18"), "the server has the last word");

    let listen = api("GET /mcp", "mcp-session-id: s1", "", ("content-type: text/event-stream", ""), 99);
    assert_eq!(told(listen.as_ref()), "mcp: listen");
    let end = api("DELETE /mcp", "mcp-session-id: s1", "", ("", ""), 99);
    assert_eq!(told(end.as_ref()), "mcp: end session");
}

#[test]
fn soap() {
    let envelope = |body: &str| {
        format!(
            "<?xml version=\"1.0\"?><s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\">\
             <s:Header><BodyLength>1</BodyLength></s:Header><s:Body><!-- <x> -->{body}</s:Body></s:Envelope>"
        )
    };
    let xml = "content-type: text/xml; charset=utf-8";
    let get = envelope("<m:GetPrice xmlns:m=\"urn:x\"><m:Item>1</m:Item></m:GetPrice>");
    let with_action = format!("{xml}|SOAPAction: \"urn:x#GetPrice\"");
    post("/soap", &with_action, &get, &envelope("<s:Fault/>"), "soap: urn:x#GetPrice -> fault");
    post("/soap", xml, &envelope("<GetPrice/>"), "", "soap: x".replace('x', "GetPrice").as_str());
    let new = "content-type: application/soap+xml; charset=utf-8; action=\"urn:y\"";
    post("/soap", new, "<x/>", "", "soap: urn:y");
    post("/feed", xml, "<rss/>", "", "-");
}

#[test]
fn oauth() {
    let form = "content-type: application/x-www-form-urlencoded";
    post(
        "/token",
        form,
        "grant_type=authorization_code&code=***&client_id=app",
        r#"{"error":"invalid_grant"}"#,
        "oauth: token authorization_code -> invalid_grant",
    );
    let device = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code";
    post("/token", form, device, "{}", "oauth: token device_code");
    post("/t", JSON, r#"{"grant_type":"client_credentials"}"#, "{}", "oauth: token client_credentials");
}

#[test]
fn language_models() {
    let chat = r#"{"model":"gpt-5","messages":[{"role":"user","content":"model"}]}"#;
    let answer = r#"{"model":"gpt-5-2025","usage":{"prompt_tokens":12,"completion_tokens":34}}"#;
    let openai = api("POST /v1/chat/completions", JSON, chat, (JSON, answer), 4096);
    assert_eq!(told(openai.as_ref()), "llm: chat gpt-5");
    let Some(Api::Llm(llm)) = openai else { panic!("{openai:?}") };
    assert_eq!((llm.input_tokens, llm.output_tokens), (Some(12), Some(34)));
    assert_eq!(llm.answered_by.as_deref(), Some("gpt-5-2025"));

    let events = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"c-1\",\"usage\":\
        {\"input_tokens\":9,\"output_tokens\":1}}}\n\ndata: {\"type\":\"ping\"}\n\n\
        data: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":20}}\n\n";
    let body = r#"{"model":"c","stream":true,"messages":[]}"#;
    let stream = api("POST /v1/messages", JSON, body, ("content-type: text/event-stream", events), 4096);
    let Some(Api::Llm(llm)) = stream else { panic!("{stream:?}") };
    assert_eq!((llm.input_tokens, llm.output_tokens), (Some(9), Some(20)));

    let gemini = r#"{"contents":[{"parts":[{"text":"x"}]}]}"#;
    post("/v1beta/models/g-pro:generateContent", JSON, gemini, "{}", "llm: generate_content g-pro");
    post("/model/anthropic.c-v2/converse", JSON, r#"{"messages":[]}"#, "{}", "llm: chat anthropic.c-v2");
    post("/cars", JSON, r#"{"model":"T","colour":"black"}"#, "{}", "-");
}

#[test]
fn connect() {
    let unary = "content-type: application/json|connect-protocol-version: 1|connect-timeout-ms: 500";
    post("/shop.v1.Cart/Add", unary, "{}", "{}", "connect_rpc: shop.v1.Cart/Add");
    let stream = "content-type: application/connect+json|connect-protocol-version: 1";
    let request = message("POST /shop.v1.Cart/List HTTP/1.1", stream, "\0\0\0\0\x02{}");
    let end = "{\"error\":{\"code\":\"not_found\",\"message\":\"no cart\"}}";
    let body = format!("\0\0\0\0\x02{{}}\0\0\0\0\x03{{ }}\x02\0\0\0{}{end}", char::from(end.len() as u8));
    let response = message("HTTP/1.1 200 OK", "content-type: application/connect+json", &body);
    let exchange = exchange(&request, &response, 4096);
    let api = Api::of(&exchange, b"/shop.v1.Cart/List", b"");
    assert_eq!(told(api.as_ref()), "connect_rpc: shop.v1.Cart/List -> NOT_FOUND");
    let units = exchange.response.unwrap().body.units.unwrap();
    assert_eq!((units.count, units.bytes, units.largest, units.is_partial), (2, 5, 3, false));
}

#[test]
fn grpc_web() {
    let kind = "content-type: application/grpc-web-text";
    let request = message("POST /a.B/C HTTP/1.1", kind, "AAAAAAA=");
    // A message of two bytes, then the trailers, in two pieces of base64.
    let response = message(
        "HTTP/1.1 200 OK",
        kind,
        "AAAAAAJoaQ==gAAAADFncnBjLXN0YXR1czogNQ0KZ3JwYy1tZXNzYWdlOiBubyUyMHN1Y2glMjB0aGluZw0K",
    );
    let exchange = exchange(&request, &response, 4096);
    let api = Api::of(&exchange, b"/a.B/C", b"");
    assert_eq!(told(api.as_ref()), "grpc_web: a.B/C -> NOT_FOUND");
    let Some(Api::Rpc(rpc)) = api else { panic!("{api:?}") };
    assert_eq!(rpc.message.as_deref(), Some("no such thing"));
    let [request, response] = [exchange.request, exchange.response].map(|m| m.unwrap().body.units.unwrap());
    assert_eq!((request.count, request.bytes, request.is_partial), (1, 0, false));
    assert_eq!((response.count, response.bytes, response.is_partial), (1, 2, false));
}
