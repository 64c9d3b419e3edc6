//! How many events a second are decided: `cargo run --release -p harken-filter --example speed -- EVENTS.json
//! [SECONDS]`.
//!
//! The events of the file are decided again and again, on one thread: with no rules, with the shipped ones,
//! with 30 simple rules, with 30 rules of which ten are advanced, with one that changes every event, and with
//! one that is ended by its bound.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "an example reads a file and a clock"
)]

use harken_filter::{Advanced, Filter, Simple, State};
use serde_json::{Value, json};
use std::time::Instant;

fn simple_rules(count: usize) -> Vec<Value> {
    let one = |number: usize| match number % 5 {
        0 => json!({"path": [format!("/internal{number}/**"), format!("/v{number}/admin/*")]}),
        1 => json!({"host": [format!("*.test{number}.example")], "method": ["GET", "POST"]}),
        2 => json!({"client": [format!("172.16.{number}.0/24"), "192.0.2.0/24"]}),
        3 => json!({"user_agent": [format!("*scanner{number}*"), "re:^probe/[0-9]"]}),
        _ => json!({"status": ["5xx"], "content_type": ["text/*"], "path": [format!("/legacy{number}/**")]}),
    };
    (0..count).map(|number| json!({"name": format!("simple {number}"), "where": one(number)})).collect()
}

fn advanced_rules(count: usize) -> Vec<Value> {
    let one = |number: usize| match number % 5 {
        0 => format!("http.response.status_code >= 590 && url.path.startsWith('/v{number}/')"),
        1 => format!("inNetwork(client.ip, '172.17.{number}.0/24') || url.domain == 'none{number}.example'"),
        2 => format!("header(http.request.headers, 'x-tenant') == 'tenant{number}'"),
        3 => format!("has(http.response.body.json.error) && http.response.body.json.error == 'e{number}'"),
        _ => format!("url.path.matches('^/old{number}/[0-9]+$') && http.request.method in ['PUT', 'DELETE']"),
    };
    let rule =
        |number| json!({"name": format!("advanced {number}"), "when": one(number), "actions": ["drop"]});
    (0..count).map(rule).collect()
}

/// A rule that would go over a body of 5,000 elements for each of them, and is ended.
fn costliest() -> (Value, String) {
    let items = "http.request.body.json.items";
    let when = format!("{items}.all(a, {items}.all(b, a + b >= 0))");
    let body = json!({"items": (0..5000).collect::<Vec<u32>>()}).to_string();
    let event = json!({"http": {"request": {"body": {"content": body}}}}).to_string();
    (json!({"rules": [{"name": "costly", "when": when, "actions": ["drop"]}]}), event)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("name a file of events, one a line")?;
    let seconds: f64 = arguments.next().map_or(Ok(2.0), |text| text.parse())?;
    let text = std::fs::read_to_string(path)?;
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let bytes = lines.iter().map(|line| line.len()).sum::<usize>() / lines.len().max(1);
    println!("{} events of {bytes} bytes on average", lines.len());
    let none = json!({"defaults": false});
    let (costly, large) = costliest();
    let large = [large.as_str()];
    let change = json!({"rules": [{"name": "tag", "actions": [{"tag": ["seen"]}]}]});
    for (name, simple, advanced, lines) in [
        ("no rules", none.clone(), json!({}), &*lines),
        ("the shipped rules", json!({}), json!({}), &*lines),
        ("30 simple rules", json!({"defaults": false, "exclude": simple_rules(30)}), json!({}), &*lines),
        (
            "20 simple and 10 advanced rules",
            json!({"defaults": false, "exclude": simple_rules(20)}),
            json!({"rules": advanced_rules(10)}),
            &lines,
        ),
        ("30 advanced rules", none.clone(), json!({"rules": advanced_rules(30)}), &lines),
        ("one that changes each event", none.clone(), change, &lines),
        ("a rule that its bound ends, on a body of 5,000 elements", none, costly, &large),
    ] {
        let simple = Simple::parse("simple", &simple.to_string())?;
        let filter = Filter::new(&simple, &Advanced::parse("advanced", &advanced.to_string())?)?;
        let mut state = State::default();
        let (mut decided, start) = (0_u64, Instant::now());
        while start.elapsed().as_secs_f64() < seconds {
            for line in lines {
                filter.decide(&mut state, line.as_bytes())?;
                decided += 1;
            }
        }
        let took = start.elapsed().as_secs_f64();
        println!(
            "{:>10.0} events/s, {:>7.2} us each: {name}",
            decided as f64 / took,
            took * 1e6 / decided as f64
        );
    }
    Ok(())
}
