//! The table of decisions: rules, an event, and what becomes of it. The data is in `cases.json`.
//!
//! A group has rules and rows. A row changes the base event at the paths that it names (`null` removes) and
//! says what is expected: `keep`, `drop`, with the rule that decided behind it, and tags, routes and changed
//! fields.
#![allow(clippy::panic, clippy::indexing_slicing, clippy::unwrap_used, reason = "a test stops by panicking")]

use harken_filter::{Advanced, Decision, Filter, Simple, State, Verdict};
use serde_json::Value;

/// The pointer of a path with dots; a header or a field with a dot in its name is not needed here.
fn pointer(path: &str) -> String {
    format!("/{}", path.replace('.', "/"))
}

fn set(event: &mut Value, path: &str, value: &Value) {
    let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
    if !parent.is_empty() && event.pointer(&pointer(parent)).is_none() {
        set(event, parent, &Value::Object(serde_json::Map::new()));
    }
    let parent = if parent.is_empty() { event } else { event.pointer_mut(&pointer(parent)).unwrap() };
    match (parent, value) {
        (Value::Object(fields), Value::Null) => drop(fields.remove(name)),
        (Value::Object(fields), value) => drop(fields.insert(name.to_owned(), value.clone())),
        (Value::Array(list), value) => list[name.parse::<usize>().unwrap()] = value.clone(),
        (other, _) => panic!("{path} in {other}"),
    }
}

fn words(decision: &Decision) -> String {
    let verdict = if decision.verdict == Verdict::Keep { "keep" } else { "drop" };
    match &decision.rule {
        Some(rule) => format!("{verdict} {}", rule.name),
        None => format!("{verdict}{}", if verdict == "drop" { " not included" } else { "" }),
    }
}

#[test]
fn every_row_of_the_table() {
    let table: Value = serde_json::from_str(include_str!("cases.json")).unwrap();
    let mut rows = 0;
    let mut wrong = Vec::new();
    for group in table["groups"].as_array().unwrap() {
        let text = |key: &str, none: &str| group.get(key).map_or(none.to_owned(), Value::to_string);
        // Without rules of their own the shipped ones are out of the way, but where they are the subject.
        let simple = Simple::parse("simple", &text("simple", "{\"defaults\": false}")).unwrap();
        let advanced = Advanced::parse("advanced", &text("advanced", "{}")).unwrap();
        let name = group["name"].as_str().unwrap();
        let filter = Filter::new(&simple, &advanced).unwrap_or_else(|errors| panic!("{name}: {errors}"));
        let mut state = State::default();
        for row in group["rows"].as_array().unwrap() {
            rows += 1;
            let mut event = table["base"].clone();
            for (path, value) in row["event"].as_object().unwrap() {
                set(&mut event, path, value);
            }
            let line = format!("{event}\n");
            let decision = filter.decide(&mut state, line.as_bytes()).unwrap();
            let mut say = |what: String| wrong.push(format!("{name}: {}: {what}", row["event"]));
            if words(&decision) != row["want"].as_str().unwrap() {
                say(format!("{} and not {}", words(&decision), row["want"]));
            }
            let list = |names: &[std::sync::Arc<str>]| {
                Value::from(names.iter().map(ToString::to_string).collect::<Vec<_>>())
            };
            for (key, got) in [("tags", list(&decision.tags)), ("routes", list(&decision.routes))] {
                let expected = row.get(key).cloned().unwrap_or(Value::Array(Vec::new()));
                if got != expected {
                    say(format!("{key} {got} and not {expected}"));
                }
            }
            let changes = row.get("changed").and_then(Value::as_object);
            if decision.changed.is_some() != (changes.is_some() || row.get("tags").is_some()) {
                say(format!("changed: {}", decision.changed.is_some()));
            }
            let Some(changed) = &decision.changed else { continue };
            assert!(changed.ends_with(b"}\n"), "{name}: a line stays a line");
            let after: Value = serde_json::from_slice(changed).unwrap();
            if let Some(tags) = row.get("tags").filter(|tags| after["tags"] != **tags) {
                say(format!("tags {} in the event and not {tags}", after["tags"]));
            }
            // What is named has changed as it says, and nothing else has.
            let mut expected = event.clone();
            for (path, value) in changes.into_iter().flatten() {
                set(&mut expected, path, value);
            }
            for event in [&mut expected, &mut after.clone()] {
                set(event, "tags", &Value::Null);
            }
            let mut after = after;
            set(&mut after, "tags", &Value::Null);
            if row.get("masked").is_some() {
                let notes = after.pointer("/harken/masked").cloned();
                if notes.as_ref() != row.get("masked") {
                    say(format!("masked {notes:?}"));
                }
                set(&mut after, "harken.masked", &Value::Null);
            }
            if after != expected {
                say(format!("changed to {after}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {rows} rows:\n{}", wrong.len(), wrong.join("\n"));
    assert!(rows >= 150, "{rows} rows");
    println!("{rows} rows");
}
