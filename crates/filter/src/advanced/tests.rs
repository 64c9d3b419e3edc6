//! What is wrong with an expression or an action is said with its place; loops end.

use super::{Advanced, Rules};
use crate::filter::{Filter, State};
use crate::simple::Simple;
use serde_json::json;

fn errors(rule: &serde_json::Value) -> String {
    let text = json!({"rules": [rule]}).to_string();
    Rules::new(&Advanced::parse("f.json", &text).unwrap())
        .map_or_else(|errors| errors.to_string(), |_| String::new())
}

fn when(expression: &str) -> String {
    errors(&json!({"name": "a", "when": expression, "actions": ["drop"]}))
}

/// The expression and what is said about it; the caret stands below the character `^` of the pattern.
#[test]
fn an_error_points_at_the_character() {
    let mut wrong = Vec::new();
    for (expression, caret, says) in [
        ("http.request.methd == 'GET'", "             ^", "no field 'methd' here; did you mean 'method'?"),
        ("htp.request.method == 'GET'", "^", "no variable 'htp'; did you mean 'http'?"),
        ("has(http.response.status)", "                  ^", "no field 'status'"),
        ("url.path.starsWith('/a')", "         ^", "no function 'starsWith'; did you mean 'startsWith'?"),
        ("foo(url.path)", "^", "no function 'foo'"),
        (
            "http.response.status_code == '500'",
            "                          ^",
            "'==' does not take int and string",
        ),
        ("true && url.path", "     ^", "'&&' does not take bool and string"),
        ("url.path.contains(3)", "         ^", "string.contains(int) is not a call"),
        ("inNetwork(client.ip, '10.0.0/8')", "                     ^", "is no network"),
        (
            "inNetwork(client.ip, server.ip)",
            "                           ^",
            "takes text that stands in the expression",
        ),
        ("url.path.matches('(')", "                 ^", "unclosed group"),
        (
            "http.request.headers.exists(h, h.nme == 'a')",
            "                                 ^",
            "did you mean 'name'?",
        ),
        ("http.request.headers.host == 'a'", "                     ^", "this is a list"),
        ("[1, 2].exists(http, true)", "             ^", "another name"),
        ("client.port.exists(x, true)", "      ^", "no elements to go over"),
        ("url.path == ", "            ^", "cannot be parsed"),
        ("url.path == 'a' &&& true", "                  ^", "cannot be parsed"),
        ("client.port + 1", "^", "must be true or false"),
        ("Foo{a: 1} == 1", "   ^", "no message 'Foo'"),
        ("'ü' == url.pth", "           ^", "no field 'pth'"),
    ] {
        let text = when(expression);
        let lines: Vec<&str> = text.lines().collect();
        let place = lines.len() == 3 && lines[1..] == [format!("    {expression}"), format!("    {caret}")];
        if !place || !text.starts_with("f.json:1:") || !text.contains(says) {
            wrong.push(format!("{says}\n{text}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn what_is_right_compiles() {
    for expression in [
        "true",
        "http.request.method in ['GET'] && !has(http.response)",
        "http.response.body.json.a.b[3].c == {'x': [1, 2u, 3.0]}",
        "http.request.headers[0].name == 'a' || http.request.headers.exists_one(h, h.value == '')",
        "time - timestamp('2026-01-01T00:00:00Z') > duration('1h')",
        "time.getDayOfWeek('America/New_York') in [0, 6]",
        "harken.timing.response_start_ns - harken.timing.request_end_ns > 1000000",
        "labels.anything == 3 && 'a' in tags && type(labels.x) == int",
        "string(client.port).matches('^4') && size(url.query) > 3",
        "http.response.body.json",
        "glob(url.path, '/a/**') || header(http.response.headers, 'server').startsWith('e')",
        "[1, 2].map(x, [x, x]).filter(y, y.size() == 2).all(z, z[0] > 0)",
    ] {
        assert_eq!(when(expression), "", "{expression}");
    }
}

#[test]
fn what_is_wrong_with_an_action_is_said() {
    for (action, says) in [
        (json!({"set": {"url.pth": "x"}}), "no field 'pth'"),
        (json!({"set": {"client.port": "x"}}), "'client.port' is a number, and \"x\" does not fit"),
        (json!({"set": {"labels": "x"}}), "does not fit"),
        (json!({"set": {"event.id": "x"}}), "cannot be changed"),
        (json!({"set": {"event": {}}}), "cannot be changed"),
        (json!({"set": {"http.request.headers.host": "x"}}), "masked, not set"),
        (json!({"remove": ["http.response.body.json.a"]}), "by the method remove"),
        (json!({"remove": []}), "is empty"),
        (json!({"tag": [""]}), "is empty"),
        (json!({"mask": {"fields": ["client.port"], "method": "fixed"}}), "is a number, and text is masked"),
        (json!({"mask": {"fields": ["client.ip"], "method": "hash"}}), "mask_key: is missing"),
    ] {
        let text = errors(&json!({"name": "a", "actions": [action]}));
        assert!(text.contains(says), "{action}: {text}");
    }
    for (text, says) in [
        (
            r#"{"rules": [{"name": "a", "actions": ["dorp"]}]}"#,
            "f.json:1:43: rules[0].actions[0]: unknown variant `dorp`",
        ),
        (r#"{"rules": [{"name": "a", "wen": "", "actions": []}]}"#, "unknown field `wen`"),
        ("{\n  \"rulez\": []\n}", "f.json:2:9: "),
        (r#"{"rules": []} x"#, "f.json:1:15: trailing characters"),
    ] {
        let error = Advanced::parse("f.json", text).unwrap_err().to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
}

/// An expression over a large body, nested loops over it, and values that double: each ends, and the ones
/// that would take long fail.
#[test]
fn loops_end() {
    let items: Vec<u32> = (0..3000).collect();
    let body = json!({"items": items, "text": "x".repeat(200_000)}).to_string();
    let many = json!({"items": (0..20_000).collect::<Vec<u32>>()}).to_string();
    let event =
        json!({"http": {"request": {"body": {"content": body}}, "response": {"body": {"content": many}}}});
    let event = event.to_string();
    let items = "http.request.body.json.items";
    let many = "http.response.body.json.items";
    let text = "http.request.body.json.text";
    let doubling = "[1].map(x, [x, x])".to_owned() + &".map(x, [x, x])".repeat(40);
    let long = "x + 1 > 0".to_owned() + &" && x + 1 > 0".repeat(500);
    for (expression, fails) in [
        (format!("{items}.all(x, x >= 0)"), false),
        (format!("{items}.map(x, x + 1).filter(x, x % 2 == 0).size() == 1500"), false),
        (format!("{many}.exists(x, x == 19999)"), false),
        (format!("{items}.exists(a, {items}.exists(b, {items}.exists(c, a + b + c == -1)))"), true),
        (format!("{items}.all(a, {items}.all(b, a + b >= 0))"), true),
        (format!("{many}.exists(a, {many}.exists(b, a + b < 0))"), true),
        (format!("{many}.exists(a, {many}.exists(b, a + b < 0) || true)"), true),
        (format!("[{many}].exists(x, x.exists(a, x.exists(b, a + b < 0)))"), true),
        (format!("{many}.exists(a, {many}[a] < 0)"), true),
        (format!("{many}.exists(a, a in {many} && a < 0)"), true),
        (format!("{items}.exists(a, {text}.contains('y'))"), true),
        (format!("{items}.map(a, {text} + 'y').size() == 3000"), true),
        (format!("{items}.map(a, [{items}, {items}]).size() == 3000"), true),
        (format!("{items}.all(x, {long})"), true),
        (format!("{doubling}.size() == 1"), true),
    ] {
        let rules = json!({"rules": [{"name": "a", "when": expression, "actions": ["drop"]}]}).to_string();
        let filter = Filter::new(&Simple::empty(), &Advanced::parse("f", &rules).unwrap())
            .unwrap_or_else(|errors| panic!("{errors}"));
        let mut state = State::default();
        filter.decide(&mut state, event.as_bytes()).unwrap();
        let count = state.counts(&filter).pop().unwrap();
        let expected = (u64::from(!fails), 0, u64::from(fails));
        assert_eq!((count.matched, count.absent, count.failed), expected, "{expression}");
    }
}

#[test]
fn what_is_missing_is_counted_apart_from_errors() {
    let rules = r#"{"rules": [
        {"name": "absent", "when": "http.response.status_code > 1", "actions": ["drop"]},
        {"name": "no key", "when": "http.request.headers[0].value == 'a'", "actions": ["drop"]},
        {"name": "failed", "when": "labels.a > 'x'", "actions": ["drop"]}
    ]}"#;
    let filter = Filter::new(&Simple::empty(), &Advanced::parse("f", rules).unwrap()).unwrap();
    let mut state = State::default();
    filter
        .decide(&mut state, br#"{"http": {"request": {"headers": [{"name": "a"}]}}, "labels": {"a": 1}}"#)
        .unwrap_err();
    filter.decide(&mut state, br#"{"http": {"request": {"headers": []}}, "labels": {"a": 1}}"#).unwrap();
    let counts = state.counts(&filter);
    let of = |name: &str| {
        counts.iter().find(|count| &*count.rule.name == name).map(|c| (c.matched, c.absent, c.failed))
    };
    assert_eq!(of("absent"), Some((0, 1, 0)));
    assert_eq!(of("no key"), Some((0, 1, 0)));
    assert_eq!(of("failed"), Some((0, 0, 1)));
}
