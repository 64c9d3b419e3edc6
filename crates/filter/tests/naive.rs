//! Compiled rules agree with an evaluation that looks at one value of one list after the other.
#![allow(clippy::panic, clippy::indexing_slicing, clippy::unwrap_used, reason = "a test stops by panicking")]

use globset::GlobBuilder;
use harken_filter::{Advanced, Filter, Simple, State, Verdict};
use ipnet::IpNet;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const HOSTS: &[&str] = &["api.example", "API.example", "a.b.example", "example", "x-1.test"];
const HOST_PATTERNS: &[&str] =
    &["api.example", "*.example", "*", "x-[0-9].test", "re:^A[.]", "{example,x-1.test}"];
const PATHS: &[&str] = &["/", "/a", "/a/b", "/a/b/c.js", "/health", "/a//b", "/users/17/x", "/A", "/é/x"];
const PATH_PATTERNS: &[&str] = &[
    "/a",
    "/a/*",
    "/a/**",
    "**/*.js",
    "/users/{id}/x",
    "**",
    "re:b",
    "re:^/a$",
    "/[ab]/b",
    "/health",
    "/é/*",
    "/?",
];
const AGENTS: &[&str] = &["curl/8", "Mozilla/5.0 (X11)", "kube-probe/1.29", ""];
const AGENT_PATTERNS: &[&str] = &["CURL/*", "*mozilla*", "kube-probe/?.??", "re:^$", "re:x11"];
const TYPES: &[&str] = &["application/json", "Text/HTML; charset=utf-8", "image/png"];
const TYPE_PATTERNS: &[&str] = &["application/*", "text/html", "re:^image/"];
const ADDRESSES: &[&str] = &["10.0.0.1", "10.200.0.1", "192.0.2.7", "2001:db8::1", "::1", "::ffff:10.0.0.1"];
const NETS: &[&str] = &["10.0.0.0/8", "10.0.0.0/24", "192.0.2.7", "0.0.0.0/0", "2001:db8::/32", "::/0"];
const METHODS: &[&str] = &["GET", "POST", "get"];
const KINDS: &[&str] = &["ignore", "allow", "exclude", "include"];

fn some(of: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    prop_oneof![3 => Just(Vec::new()), 2 => proptest::collection::vec(proptest::sample::select(of), 1..3)]
}

fn maybe(of: &'static [&'static str]) -> impl Strategy<Value = Option<&'static str>> {
    prop_oneof![1 => Just(None), 6 => proptest::sample::select(of).prop_map(Some)]
}

fn conditions() -> impl Strategy<Value = Value> {
    let numbers = |of: Vec<Value>| {
        let some = proptest::collection::vec(proptest::sample::select(of), 1..3);
        prop_oneof![3 => Just(Vec::new()), 1 => some]
    };
    let status = numbers(vec![json!(404), json!("2xx"), json!("400-499")]);
    let vni = numbers(vec![json!(7), json!("5-9")]);
    let texts =
        (some(HOST_PATTERNS), some(PATH_PATTERNS), some(AGENT_PATTERNS), some(TYPE_PATTERNS), some(METHODS));
    (texts, some(NETS), some(NETS), status, vni).prop_map(|(texts, client, server, status, vni)| {
        let mut all = Map::new();
        let (host, path, agent, kind, method) = texts;
        for (name, list) in [
            ("host", host),
            ("path", path),
            ("user_agent", agent),
            ("content_type", kind),
            ("method", method),
            ("client", client),
            ("server", server),
        ] {
            all.insert(name.to_owned(), json!(list));
        }
        all.insert("status".to_owned(), json!(status));
        all.insert("vni".to_owned(), json!(vni));
        all.retain(|_, list| list.as_array().is_some_and(|list| !list.is_empty()));
        Value::Object(all)
    })
}

fn rules() -> impl Strategy<Value = Vec<(&'static str, Value, Value)>> {
    let rule =
        (proptest::sample::select(KINDS), conditions(), prop_oneof![2 => Just(json!({})), 1 => conditions()]);
    let named = rule.prop_filter("names something", |(_, on, _)| !on.as_object().unwrap().is_empty());
    proptest::collection::vec(named, 0..12)
}

fn events() -> impl Strategy<Value = Value> {
    let texts = (maybe(HOSTS), maybe(PATHS), maybe(AGENTS), maybe(TYPES), maybe(METHODS));
    let status = proptest::option::of(proptest::sample::select(&[200_u16, 301, 404, 450, 500]));
    (texts, maybe(ADDRESSES), maybe(ADDRESSES), status, proptest::option::of(4_u32..10)).prop_map(
        |((host, path, agent, kind, method), client, server, status, vni)| {
            json!({
                "client": client.map(|ip| json!({"ip": ip})), "server": server.map(|ip| json!({"ip": ip})),
                "url": {"domain": host, "path": path}, "user_agent": {"original": agent},
                "http": {
                    "request": {"method": method},
                    "response": {"status_code": status,
                        "headers": kind.map_or(json!([]), |kind| json!([{"name": "content-TYPE", "value": kind}]))},
                },
                "harken": {"tunnel": {"vni": vni}},
            })
        },
    )
}

fn matches(pattern: &str, text: &str, segments: bool, any_case: bool) -> bool {
    if let Some(regex) = pattern.strip_prefix("re:") {
        return regex::RegexBuilder::new(regex).case_insensitive(any_case).build().unwrap().is_match(text);
    }
    let pattern = pattern.replace("{id}", "*");
    let mut builder = GlobBuilder::new(&pattern);
    let glob = builder.literal_separator(segments).case_insensitive(any_case).build().unwrap();
    regex::bytes::Regex::new(glob.regex()).unwrap().is_match(text.as_bytes())
}

fn holds(on: &Value, event: &Value) -> bool {
    let at = |pointer: &str| event.pointer(pointer).filter(|value| !value.is_null());
    let text = |pointer: &str| at(pointer).and_then(Value::as_str).map(str::to_owned);
    let number = |wanted: &Value, is: Option<&Value>| {
        let is = is.and_then(Value::as_u64);
        match wanted.as_str() {
            Some("2xx") => is.is_some_and(|n| (200..300).contains(&n)),
            Some("400-499") => is.is_some_and(|n| (400..500).contains(&n)),
            Some("5-9") => is.is_some_and(|n| (5..10).contains(&n)),
            _ => is == wanted.as_u64(),
        }
    };
    on.as_object().unwrap().iter().all(|(list, values)| {
        values.as_array().unwrap().iter().any(|wanted| {
            let pattern = |is: Option<String>, segments, any_case| {
                is.is_some_and(|is| matches(wanted.as_str().unwrap(), &is, segments, any_case))
            };
            let net = |is: Option<String>| {
                let wanted = wanted.as_str().unwrap();
                let net: IpNet = wanted
                    .parse()
                    .unwrap_or_else(|_| IpNet::from(wanted.parse::<std::net::IpAddr>().unwrap()));
                is.is_some_and(|is| net.contains(&is.parse::<std::net::IpAddr>().unwrap().to_canonical()))
            };
            match list.as_str() {
                "host" => pattern(text("/url/domain"), false, true),
                "path" => pattern(text("/url/path"), true, false),
                "user_agent" => pattern(text("/user_agent/original"), false, true),
                "content_type" => {
                    let value = text("/http/response/headers/0/value");
                    pattern(
                        value.map(|value| value.split(';').next().unwrap().trim().to_owned()),
                        false,
                        true,
                    )
                }
                "method" => text("/http/request/method")
                    .is_some_and(|is| is.eq_ignore_ascii_case(wanted.as_str().unwrap())),
                "client" => net(text("/client/ip")),
                "server" => net(text("/server/ip")),
                "status" => number(wanted, at("/http/response/status_code")),
                "vni" => number(wanted, at("/harken/tunnel/vni")),
                other => panic!("{other}"),
            }
        })
    })
}

/// The verdict, and the number of the rule that decided.
fn naive(rules: &[(&str, Value, Value)], event: &Value) -> (Verdict, Option<usize>) {
    let found = |kind: &str| {
        let applies = |on: &Value, unless: &Value| {
            holds(on, event) && (unless.as_object().unwrap().is_empty() || !holds(unless, event))
        };
        rules.iter().position(|(is, on, unless)| *is == kind && applies(on, unless))
    };
    for (kind, verdict) in [("ignore", Verdict::Drop), ("allow", Verdict::Keep), ("exclude", Verdict::Drop)] {
        if let Some(rule) = found(kind) {
            return (verdict, Some(rule));
        }
    }
    match found("include") {
        None if rules.iter().any(|(kind, ..)| *kind == "include") => (Verdict::Drop, None),
        found => (Verdict::Keep, found),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn compiled_rules_agree_with_naive_ones(rules in rules(), events in proptest::collection::vec(events(), 8)) {
        let mut file = json!({"defaults": false});
        for (number, (kind, on, unless)) in rules.iter().enumerate() {
            let list = file.as_object_mut().unwrap().entry(*kind).or_insert(json!([]));
            let rule = json!({"name": number.to_string(), "where": on, "unless": unless});
            list.as_array_mut().unwrap().push(rule);
        }
        let simple = Simple::parse("f", &file.to_string()).unwrap();
        let filter = Filter::new(&simple, &Advanced::shipped().unwrap()).unwrap();
        let mut state = State::default();
        for event in &events {
            let decision = filter.decide(&mut state, event.to_string().as_bytes()).unwrap();
            let rule = decision.rule.map(|rule| rule.name.parse::<usize>().unwrap());
            prop_assert_eq!((decision.verdict, rule), naive(&rules, event), "{}\n{}", file, event);
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    /// A sample is the share that it says, the same each time, and a smaller one is part of a larger one.
    #[test]
    fn samples_are_shares(
        percent in 1_u32..100,
        by in proptest::sample::select(&["flow", "client", "endpoint"][..]),
    ) {
        let filter = |percent: u32| {
            let file = json!({"sample": [{"name": "s", "percent": percent, "by": by}]}).to_string();
            Filter::new(&Simple::parse("f", &file).unwrap(), &Advanced::shipped().unwrap()).unwrap()
        };
        let (one, more) = (filter(percent), filter((percent + 10).min(100)));
        let mut state = State::default();
        let mut kept = 0;
        for number in 0..2000_u32 {
            let event = json!({
                "client": {"ip": std::net::Ipv4Addr::from(number).to_string()},
                "harken": {"uid": format!("C{number}")},
                "url": {"domain": format!("h{number}.example"), "path": "/a"},
            });
            let line = event.to_string();
            let mut keeps = |filter: &Filter| {
                let mut ask = || filter.decide(&mut state, line.as_bytes()).unwrap().verdict == Verdict::Keep;
                let keeps = ask();
                assert_eq!(keeps, ask());
                keeps
            };
            let (small, large) = (keeps(&one), keeps(&more));
            prop_assert!(!small || large);
            kept += u32::from(small);
        }
        // Five standard deviations.
        let (expected, p) = (f64::from(20 * percent), f64::from(percent) / 100.0);
        let deviation = (2000.0 * p * (1.0 - p)).sqrt();
        let off = (f64::from(kept) - expected).abs();
        prop_assert!(off < 5.0 * deviation + 1.0, "{} of 2000 at {} %", kept, percent);
    }
}
