//! A file of simple filters, one of advanced filters and an event, with a zero byte between them: nothing
//! panics, nothing hangs, a decision is the same when it is asked for again, and a changed event is an event.
#![no_main]
use harken_filter::{Advanced, Filter, Kind, Simple, State, Verdict};
use libfuzzer_sys::fuzz_target;

/// Rules under which any bytes are an event to decide about.
const SIMPLE: &str =
    r#"{"exclude": [{"name": "a", "where": {"path": ["/a/**", "re:x"], "client": ["10.0.0.0/8"]}}]}"#;
const ADVANCED: &str = r#"{"rules": [
    {"name": "b", "when": "http.request.headers.exists(h, h.name == 'a') || http.request.body.json.a[0] == 1",
     "actions": [{"tag": ["t"]}, {"remove": ["url.query"]}]},
    {"name": "c", "actions": [{"mask": {"fields": ["url.path", "http.request.body.json.a"], "method": "fixed"}}]}
]}"#;

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(3, |byte| *byte == 0);
    let mut text = || parts.next().and_then(|part| std::str::from_utf8(part).ok()).unwrap_or_default();
    let (simple, advanced, event) = (text(), text(), text());
    // Bytes without a zero are an expression, and an event.
    let whole = String::from_utf8_lossy(data);
    let quoted: String =
        whole.chars().map(|c| if c == '"' || c == '\\' || c < ' ' { '\'' } else { c }).collect();
    let expression = format!(r#"{{"rules": [{{"name": "e", "when": "{quoted}", "actions": ["drop"]}}]}}"#);
    for (simple, advanced, event) in [
        (simple, advanced, event),
        ("{}", &expression, r#"{"http":{"request":{"method":"GET"}}}"#),
        (SIMPLE, ADVANCED, &whole),
    ] {
        let (Ok(simple), Ok(advanced)) = (Simple::parse("s", simple), Advanced::parse("a", advanced)) else {
            continue;
        };
        let Ok(filter) = Filter::new(&simple, &advanced) else { continue };
        let decide = || filter.decide(&mut State::default(), event.as_bytes());
        let Ok(first) = decide() else { continue };
        assert_eq!(decide(), Ok(first.clone()));
        if let Some(changed) = &first.changed {
            assert_eq!(first.verdict, Verdict::Keep);
            assert!(serde_json::from_slice::<serde_json::Value>(changed).is_ok());
        }
        if let Some(rule) = &first.rule {
            assert!(rule.kind != Kind::Include || first.verdict == Verdict::Keep);
        }
    }
});
