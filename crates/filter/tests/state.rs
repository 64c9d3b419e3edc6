//! What a state remembers: over a reload the token buckets, not the counters. What is no event is said to be none.
#![allow(clippy::panic, clippy::indexing_slicing, clippy::unwrap_used, reason = "a test stops by panicking")]

use harken_filter::{Advanced, Decision, Filter, Simple, State, Verdict, Why};
use serde_json::json;

fn filter(simple: &serde_json::Value) -> Filter {
    Filter::new(&Simple::parse("simple", &simple.to_string()).unwrap(), &Advanced::shipped().unwrap())
        .unwrap()
}

const EVENT: &[u8] =
    br#"{"@timestamp": "2026-11-24T10:00:00Z", "url": {"domain": "a.example", "path": "/a"}}"#;

#[test]
fn a_filter_is_shared_and_a_state_moves() {
    fn shared<T: Send + Sync>() {}
    fn moved<T: Send>() {}
    shared::<Filter>();
    shared::<Decision>();
    moved::<State>();
}

#[test]
fn buckets_stay_over_a_reload_and_counters_begin_anew() {
    let limit = json!({"name": "limit", "per_second": 1});
    let before = filter(&json!({"defaults": false, "rate_limit": [limit]}));
    let after = filter(&json!({"rate_limit": [limit]}));
    let other = filter(&json!({"rate_limit": [{"name": "another", "per_second": 1}]}));
    let mut state = State::default();
    let mut ask = |filter: &Filter| {
        let decision = filter.decide(&mut state, EVENT).unwrap();
        let counts = state.counts(filter);
        (decision.why, counts.last().map(|count| count.matched), counts.len())
    };
    assert_eq!(ask(&before), (Why::WithinRate, Some(1), 1));
    assert_eq!(ask(&before), (Why::RateLimited, Some(2), 1));
    assert_eq!(ask(&after), (Why::RateLimited, Some(1), 4), "the bucket is the same, the counter is not");
    assert_eq!(ask(&other), (Why::WithinRate, Some(1), 4), "another rule has another bucket");
    assert_eq!(state.buckets(), 2);
}

#[test]
fn what_is_no_event_is_an_error() {
    let filter = filter(&json!({}));
    let mut state = State::default();
    for bytes in [
        &b""[..],
        b"[]",
        b"7",
        b"{",
        b"{} {}",
        b"{\"url\": 3}",
        b"{\"http\": {\"response\": {\"status_code\": \"200\"}}}",
        b"\xff",
    ] {
        assert!(filter.decide(&mut state, bytes).is_err(), "{}", String::from_utf8_lossy(bytes));
    }
    for bytes in [&b"{}"[..], b" {\"x\": [1]}\n", b"{\"client\": {\"ip\": \"masked\"}}"] {
        assert_eq!(filter.decide(&mut state, bytes).unwrap().verdict, Verdict::Keep);
    }
}

#[test]
fn files_that_are_wrong_say_all_that_is_wrong() {
    let simple = r#"{"exclude": [
        {"name": "a", "where": {}},
        {"name": "a", "where": {"host": ["x"]}}
    ], "disable": ["nothing"]}"#;
    let advanced = r#"{"rules": [{"name": "b", "when": "url.pth == 'x'", "actions": []}]}"#;
    let errors =
        Filter::new(&Simple::parse("s.json", simple).unwrap(), &Advanced::parse("a.json", advanced).unwrap())
            .unwrap_err();
    let mut places: Vec<String> = errors
        .0
        .iter()
        .map(|problem| format!("{}:{}:{} {}", problem.file, problem.line, problem.column, problem.key))
        .collect();
    places.sort();
    assert_eq!(
        places,
        [
            "a.json:1:34 rules[0].when",
            "a.json:1:63 rules[0].actions",
            "s.json:2:32 exclude[0].where",
            "s.json:3:18 exclude[1].name",
            "s.json:4:20 disable[0]",
        ]
    );
}
