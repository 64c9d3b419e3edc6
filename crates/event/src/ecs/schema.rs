//! The event's JSON Schema, made from the types in `model.rs`.
use super::SCHEMA_VERSION;
use super::model::Event;
use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use serde_json::{Value, json};

/// The JSON Schema (draft 2020-12) of an event.
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with_transform(NeverNull);
    let mut schema = settings.into_generator().into_root_schema_for::<Event>();
    schema.insert("$id".to_owned(), json!(format!("urn:harken:schema:event:{SCHEMA_VERSION}")));
    schema.to_value()
}

/// An absent value is left out, so that no value can be null.
#[derive(Clone)]
struct NeverNull;

impl Transform for NeverNull {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        if let Some(Value::Array(types)) = schema.get_mut("type") {
            types.retain(|name| name != "null");
            if let [only] = types.as_slice() {
                let only = only.clone();
                schema.insert("type".to_owned(), only);
            }
        }
        if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
            choices.retain(|choice| *choice != json!({"type": "null"}));
            if let [Value::Object(only)] = choices.as_slice() {
                let only = only.clone();
                schema.remove("anyOf");
                for (key, value) in only {
                    schema.insert(key, value);
                }
            }
        }
    }
}
