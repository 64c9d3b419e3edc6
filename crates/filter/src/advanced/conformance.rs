//! The published conformance cases of CEL (github.com/google/cel-spec, Apache-2.0) against the evaluator as
//! rules use it: parsed, checked, rewritten. `tests/cel/README.md` says which cases those are.

use super::compiler::Compiler;
use super::fields::Field;
use super::functions::environment;
use super::json::Json;
use super::slots::{Bodies, Vars};
use cel::common::types::{
    CelBool, CelBytes, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt,
};
use cel::common::value::Val;
use cel::{Context, Value as Evaluate};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A value of the cases as JSON, where JSON has it.
fn to_json(value: &Value) -> Option<Value> {
    let (kind, content) = value.as_object()?.iter().next()?;
    let text = || content.as_str();
    Some(match kind.as_str() {
        "int" => json!(text()?.parse::<i64>().ok()?),
        "double" => json!(text()?.parse::<f64>().ok().filter(|number| number.fract() != 0.0)?),
        "bool" => json!(text()? == "true"),
        "string" => json!(text()?),
        "null" => Value::Null,
        "list" => Value::Array(content.as_array()?.iter().map(to_json).collect::<Option<_>>()?),
        "map" => {
            let entry =
                |entry: &Value| Some((entry[0].get("string")?.as_str()?.to_owned(), to_json(&entry[1])?));
            Value::Object(content.as_array()?.iter().map(entry).collect::<Option<Map<_, _>>>()?)
        }
        _ => return None,
    })
}

/// Whether a value is what a case expects.
fn is(value: &dyn Val, want: &Value) -> bool {
    let (kind, content) = want.as_object().unwrap().iter().next().unwrap();
    let text = content.as_str().unwrap_or_default();
    match kind.as_str() {
        "int" => value.downcast_ref::<CelInt>().is_some_and(|is| is.inner().to_string() == text),
        "uint" => value.downcast_ref::<CelUInt>().is_some_and(|is| is.inner().to_string() == text),
        "double" => value.downcast_ref::<CelDouble>().is_some_and(|is| {
            let want: f64 = text.trim_end_matches("inity").parse().unwrap();
            is.inner().to_bits() == want.to_bits() || is.inner().is_nan() && want.is_nan()
        }),
        "bool" => value.downcast_ref::<CelBool>().is_some_and(|is| is.inner().to_string() == text),
        "string" => value.downcast_ref::<CelString<'_>>().is_some_and(|is| is.inner() == text),
        "bytes" => value.downcast_ref::<CelBytes<'_>>().is_some_and(|is| {
            is.inner().iter().map(|byte| format!("{byte:02X}")).collect::<String>() == text
        }),
        "null" => value.downcast_ref::<CelNull>().is_some(),
        "type" => value.get_type().name() == "type" && format!("{value:?}").contains(text),
        "list" => value.downcast_ref::<CelList<'_>>().is_some_and(|list| {
            let want = content.as_array().unwrap();
            list.inner().len() == want.len()
                && list.inner().iter().zip(want).all(|(value, want)| is(&**value, want))
        }),
        "map" => value.downcast_ref::<CelMap<'_>>().is_some_and(|map| {
            let want = content.as_array().unwrap();
            let key = |key: &CelMapKey<'_>, want: &Value| match key {
                CelMapKey::Bool(key) => is(key, want),
                CelMapKey::Int(key) => is(key, want),
                CelMapKey::UInt(key) => is(key, want),
                CelMapKey::String(key) => is(key, want),
            };
            let has =
                |entry: &Value| map.inner().iter().any(|(k, v)| key(k, &entry[0]) && is(&**v, &entry[1]));
            map.inner().len() == want.len() && want.iter().all(has)
        }),
        other => panic!("{other}"),
    }
}

/// What comes of a case.
enum Came {
    AsPublished,
    /// The case is one of an evaluator without a checker, and the checker refuses it.
    Refused,
    Otherwise(String),
}

fn run(case: &Value, env: &Arc<cel::Env>, bindings: Map<String, Value>) -> Came {
    let text = case["expr"].as_str().unwrap();
    let fields: BTreeMap<String, Field> = bindings.keys().map(|name| (name.clone(), Field::Any)).collect();
    let root = Field::Object(fields);
    let mut compiler = Compiler::new(&root);
    let fails = case["want"].get("error").is_some();
    let expression = match compiler.compile(text) {
        Ok((expression, _)) => expression,
        Err(_) if fails => return Came::AsPublished,
        Err(_) if case.get("unchecked").is_some() => return Came::Refused,
        Err(wrong) => return Came::Otherwise(format!("character {}: {}", wrong.at + 1, wrong.message)),
    };
    let (event, bodies) = (Json::from(Value::Object(bindings)), Bodies::default());
    let vars = Vars::new(&event, &bodies, &compiler.slots);
    let mut context = Context::with_env(Arc::clone(env));
    context.set_variable_resolver(&vars);
    match Evaluate::resolve_val(&expression, &context) {
        Err(_) if fails => Came::AsPublished,
        Err(error) => Came::Otherwise(error.to_string()),
        Ok(value) if !fails && is(&*value, &case["want"]) => Came::AsPublished,
        Ok(value) => Came::Otherwise(format!("gives {value:?}")),
    }
}

#[test]
fn published_cases() {
    let env = Arc::new(environment().unwrap());
    let (mut ran, mut left_out, mut wrong) = (BTreeMap::<String, usize>::new(), 0, Vec::new());
    let mut refused = 0;
    for line in include_str!("../../tests/cel/conformance.jsonl").lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let file = case["file"].as_str().unwrap().to_owned();
        let bindings = case["bindings"].as_object().unwrap();
        let simple = |name: &String| !name.contains('.');
        let json: Option<Map<String, Value>> = bindings
            .iter()
            .map(|(name, value)| Some((name.clone(), to_json(value).filter(|_| simple(name))?)))
            .collect();
        let Some(json) = json else {
            left_out += 1;
            continue;
        };
        let name = format!("{file}/{}/{}", case["section"].as_str().unwrap(), case["name"].as_str().unwrap());
        match run(&case, &env, json) {
            Came::AsPublished => {}
            Came::Refused => refused += 1,
            Came::Otherwise(what) => {
                wrong.push(format!("{name}: {}: {what}; wants {}", case["expr"], case["want"]));
            }
        }
        *ran.entry(file).or_default() += 1;
    }
    let total: usize = ran.values().sum();
    println!(
        "{total} cases: {ran:?}; {refused} of them the checker refuses; {left_out} more have bindings that JSON lacks"
    );
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
    assert!(total >= 1000 && refused < 30, "{total} cases, {refused} refused");
}
