//! Terms, what they let through, and what is said of bad ones.
use super::*;
use crate::testing::{flow, message, typical};
use crate::zeek::Form;
use harken_http::Exchange;
use harken_wire::Encap;

fn holds(terms: &[&str], exchange: &Exchange) -> bool {
    let flow = flow(Form::Json, Encap { vni: Some(42), ..Encap::default() });
    Filter::parse(terms).unwrap().matches(&Transaction {
        flow: &flow,
        exchange,
        masking: None,
        trust: crate::Trust::private(),
    })
}

#[test]
fn terms() {
    let mut exchange = typical();
    exchange.response.as_mut().unwrap().completeness = Completeness::Gap;
    for (term, want) in [
        ("method=GET", true),
        ("method=get", false),
        ("method!=POST", true),
        (" method ~ G* ", true),
        ("host=Shop.Example.com", true),
        ("host~*.example.com", true),
        ("host~*.example.org", false),
        ("path=/api/v1/orders/4711", true),
        ("path ~ /api/*/orders/????", true),
        ("path ~ /api/*/orders/???", false),
        ("uri~*expand=items", true),
        ("uri=/api/v1/orders/4711?expand=items", true),
        ("status=200", true),
        ("status=2xx", true),
        ("status!=2xx", false),
        ("status=400-499", false),
        ("status = 100 - 599", true),
        ("client=10.0.0.1", true),
        ("client=10.0.0.0/8", true),
        ("client=10.0.0.2/31", false),
        ("client=0.0.0.0/0", true),
        ("client=::/0", true),
        ("client=2001:db8::/32", false),
        ("server!=10.0.0.0/8", true),
        ("port=8080", true),
        ("port=8000-8999", true),
        ("vni=42", true),
        ("vni=43", false),
        ("user_agent~*Firefox*", true),
        ("content_type=application/json", true),
        ("content_type~text/*", false),
        ("completeness=gap", true),
        ("completeness=full", false),
        ("completeness!=full", true),
        ("pairing=paired", true),
        ("pairing~*_lost", false),
    ] {
        assert_eq!(holds(&[term], &exchange), want, "{term}");
    }
    assert!(holds(&[], &exchange));
    assert!(holds(&["method=GET", "status=2xx"], &exchange));
    assert!(!holds(&["method=GET", "status=5xx"], &exchange));
}

#[test]
fn absent_values() {
    let mut exchange = typical();
    (exchange.request, exchange.response) = (None, Some(Box::new(message(b"HTTP/1.1 204 No\r\n\r\n", b""))));
    for term in ["method=GET", "host~*", "path~*", "uri~*", "user_agent~*", "content_type~*"] {
        assert!(!holds(&[term], &exchange), "{term}");
    }
    assert!(holds(&["method!=GET", "status=204", "completeness=full"], &exchange));
}

#[test]
fn bad_terms() {
    for (term, want) in [
        ("status", "'status': write FIELD OP VALUE, for example status=5xx"),
        ("", "'': write FIELD OP VALUE, for example status=5xx"),
        ("status!4", "'status!4': the operators are = and != and ~"),
        ("status=abc", "'status=abc': 'abc' does not fit status: write 404, 4xx or 400-499"),
        ("status=499-400", "'status=499-400': '499-400' does not fit status: write 404, 4xx or 400-499"),
        ("status=0xx", "'status=0xx': '0xx' does not fit status: write 404, 4xx or 400-499"),
        ("status~5xx", "'status~5xx': status takes = and !=, not ~: write status=VALUE"),
        (
            "client=10.0.0.0/33",
            "'client=10.0.0.0/33': '10.0.0.0/33' does not fit client: write an address or a network such as 10.0.0.0/8",
        ),
        (
            "completeness=half",
            "'completeness=half': 'half' does not fit completeness: write full, gap or truncated",
        ),
        (
            "verb=GET",
            "'verb=GET': there is no field 'verb'; fields are method, host, path, uri, status, client, server, \
             port, vni, user_agent, content_type, completeness, pairing",
        ),
    ] {
        assert_eq!(Filter::parse(&[term]).unwrap_err().to_string(), want);
    }
}

#[test]
fn globs() {
    for (pattern, text, want) in [
        ("", "", true),
        ("", "a", false),
        ("*", "", true),
        ("a*b*c", "axxbyyc", true),
        ("a*b*c", "axxbyy", false),
        ("*ab", "aab", true),
        ("?", "", false),
        ("*?", "x", true),
        ("a**b", "ab", true),
        ("*a*a*a*a*b", &"a".repeat(200), false),
    ] {
        assert_eq!(glob(pattern.as_bytes(), text.as_bytes()), want, "{pattern} {text}");
    }
}
