//! What a rule does with an event that it matches.

use super::fields::Field;
use super::json::Json;
use super::model::{Action as Written, Mask};
use super::target::{self, Target};
use crate::explain::share;
use crate::problem::{Problem, Source};
use crate::sample::Sample;
use harken_mask::config::{ClassConfig, NameRule};
use harken_mask::{Config, Kind, Location, Masker, Method, Report};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::sync::Arc;

/// The name under which the masker of an action knows whole values.
const WHOLE: &str = "value";

/// An action, compiled.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    Drop,
    Keep,
    Sample(Sample),
    Tag(Vec<Arc<str>>),
    Route(Vec<Arc<str>>),
    Set(Vec<(Target, Json<'static>)>),
    Remove(Vec<Target>),
    /// The fields, the method, and the number of the masker.
    Mask(Vec<Target>, Method, usize),
}

/// Compiles the actions of the rules of a file.
pub(crate) struct Actions<'a> {
    pub(crate) root: &'a Field,
    pub(crate) source: &'a Source,
    pub(crate) mask_key: &'a Option<String>,
    pub(crate) maskers: Vec<Masker>,
    pub(crate) problems: Vec<Problem>,
}

impl Actions<'_> {
    /// Compiles an action; `key` is where it stands. What is wrong with it is noted.
    pub(crate) fn compile(&mut self, written: &Written, key: &str) -> Action {
        match written {
            Written::Drop => Action::Drop,
            Written::Keep => Action::Keep,
            Written::Sample(share) => Action::Sample(Sample { percent: share.percent.0, by: share.by }),
            Written::Tag(names) => Action::Tag(self.names(names, &format!("{key}.tag"))),
            Written::Route(names) => Action::Route(self.names(names, &format!("{key}.route"))),
            Written::Set(values) => {
                if values.is_empty() {
                    self.problem(
                        &format!("{key}.set"),
                        "names no field: write {\"labels.team\": \"payments\"}".to_owned(),
                    );
                }
                let mut all = Vec::new();
                for (name, value) in values {
                    // A name with dots is no step of the key: the place is that of the whole action.
                    match settable(name, value, self.root) {
                        Ok(target) => {
                            all.extend(with_twin(target).map(|target| (target, Json::from(value.clone()))));
                        }
                        Err(message) => self.problem(&format!("{key}.set"), message),
                    }
                }
                Action::Set(all)
            }
            Written::Remove(names) => {
                let parsed = self.targets(names, &format!("{key}.remove"), |target, _| match target {
                    Target::Json(..) => {
                        Err("a value in a body is not removed but masked, by the method remove".to_owned())
                    }
                    _ => Ok(()),
                });
                Action::Remove(parsed)
            }
            Written::Mask(Mask { fields, method }) => {
                let parsed = self.targets(fields, &format!("{key}.mask.fields"), |_, field| match field {
                    Field::Text | Field::Any => Ok(()),
                    other => Err(format!(
                        "is {}, and text is masked: remove it, or name the text in it",
                        other.words()
                    )),
                });
                let masker = self.masker(&parsed, *method, key);
                Action::Mask(parsed, *method, masker)
            }
        }
    }

    fn problem(&mut self, key: &str, message: String) {
        self.problems.push(self.source.problem(key, message));
    }

    fn names(&mut self, names: &[String], key: &str) -> Vec<Arc<str>> {
        if names.is_empty() || names.iter().any(String::is_empty) {
            self.problem(key, "is empty: write a list of names".to_owned());
        }
        names.iter().map(|name| Arc::from(name.as_str())).collect()
    }

    fn targets(
        &mut self,
        names: &[String],
        key: &str,
        fits: impl Fn(&Target, &Field) -> Result<(), String>,
    ) -> Vec<Target> {
        if names.is_empty() {
            self.problem(key, "is empty: write a list of fields".to_owned());
        }
        let mut all = Vec::new();
        for (number, name) in names.iter().enumerate() {
            let parsed = Target::parse(name, self.root)
                .and_then(|(target, field)| fits(&target, field).map(|()| target));
            match parsed {
                Ok(target) => all.extend(with_twin(target)),
                Err(message) => self.problem(&format!("{key}[{number}]"), message),
            }
        }
        all
    }

    /// A masker that masks whole values by the method, and the named values in JSON; and nothing else.
    fn masker(&mut self, targets: &[Target], method: Method, key: &str) -> usize {
        let off = ClassConfig { on: false, method };
        let whole =
            NameRule { location: Some(Location::Header), name: WHOLE.to_owned(), method: Some(method) };
        let in_json = targets.iter().filter_map(|target| match target {
            Target::Json(_, path) => {
                Some(NameRule { location: Some(Location::Json), name: path.clone(), method: Some(method) })
            }
            _ => None,
        });
        let config = Config {
            secret: off,
            card: off,
            default_names: false,
            names: std::iter::once(whole).chain(in_json).collect(),
            key: self.mask_key.clone(),
            ..Config::default()
        };
        match Masker::new(&config) {
            Ok(masker) => self.maskers.push(masker),
            Err(error) => {
                let key = if error.key == "key" { "mask_key".to_owned() } else { format!("{key}.mask") };
                self.problem(&key, error.reason);
            }
        }
        self.maskers.len().saturating_sub(1)
    }
}

/// The field, and the one that repeats it.
fn with_twin(target: Target) -> impl Iterator<Item = Target> {
    let twin = target.twin();
    std::iter::once(target).chain(twin)
}

/// A field that takes this value.
fn settable(name: &str, value: &Value, root: &Field) -> Result<Target, String> {
    let (target, field) = Target::parse(name, root)?;
    let fits = match field {
        Field::Text => value.is_string(),
        Field::Int => value.is_i64() || value.is_u64(),
        Field::Number => value.is_number(),
        Field::Bool => value.is_boolean(),
        Field::Any => matches!(target, Target::Field(ref names) if names.len() > 1) && !value.is_null(),
        Field::Object(_) | Field::List(_) => false,
    };
    match target {
        Target::Field(_) if fits => Ok(target),
        Target::Field(_) => Err(format!("'{name}' is {}, and {value} does not fit", field.words())),
        _ => Err(format!("'{name}': header fields and values in bodies can be masked, not set")),
    }
}

/// Sets, removes or masks; says whether the event has changed. `maskers` are those of the filter, for this thread.
pub(crate) fn change(action: &Action, event: &mut Json<'_>, maskers: &mut [Masker]) -> bool {
    let mut changed = false;
    match action {
        Action::Set(values) => {
            for (target, value) in values {
                if let Target::Field(path) = target {
                    changed |= target::set(event, path, value);
                }
            }
        }
        Action::Remove(targets) => {
            for target in targets {
                changed |= match target {
                    Target::Field(path) => target::remove(event, path),
                    Target::Header(path, name) => target::headers(event, path).is_some_and(|list| {
                        let before = list.len();
                        list.retain(|field| !target::is_named(field, name));
                        list.len() != before
                    }),
                    Target::Json(..) => false,
                };
            }
        }
        Action::Mask(targets, method, masker) => {
            let Some(masker) = maskers.get_mut(*masker) else { return false };
            for target in targets {
                let count = mask(target, event, masker);
                if count > 0 {
                    note(event, target, *method, count);
                    changed = true;
                }
            }
        }
        Action::Drop | Action::Keep | Action::Sample(_) | Action::Tag(_) | Action::Route(_) => {}
    }
    changed
}

/// Masks a field; says how many values were.
fn mask(target: &Target, event: &mut Json<'_>, masker: &mut Masker) -> u64 {
    let mut report = Report::default();
    let mut replace = |value: Option<&mut Json<'_>>, in_json: bool| {
        let Some(Json::Text(text)) = value else { return };
        let mut out = Vec::new();
        let masked = match in_json {
            true => masker.json(text.as_bytes(), &mut out, &mut report),
            false => masker.header(WHOLE.as_bytes(), text.as_bytes(), &mut out, &mut report),
        };
        if masked {
            *text = Cow::Owned(String::from_utf8_lossy(&out).into_owned());
        }
    };
    match target {
        Target::Field(path) => replace(target::find(event, path), false),
        Target::Header(path, name) => {
            let list = target::headers(event, path).into_iter().flatten();
            list.filter(|field| target::is_named(field, name))
                .for_each(|field| replace(field.get_mut("value"), false));
        }
        Target::Json(message, _) => {
            let path = ["http", message, "body", "content"].map(str::to_owned);
            replace(target::find(event, &path), true);
        }
    }
    report.entries.iter().map(|entry| entry.count).sum()
}

/// Notes in the event what was masked, without the value: a secret that is known by the name it was given under.
fn note(event: &mut Json<'_>, target: &Target, method: Method, count: u64) {
    let harken = event.entry("harken", Json::Map(Vec::new()));
    let list = harken.and_then(|harken| harken.entry("masked", Json::List(Vec::new())));
    let Some(Json::List(list)) = list else { return };
    let (location, name) = match target {
        Target::Field(path) => (path.join("."), None),
        Target::Header(path, name) => (path.join("."), Some(name)),
        Target::Json(message, path) => (format!("http.{message}.body.content"), Some(path)),
    };
    let mut entry =
        json!({"kind": Kind::Password.name(), "location": location, "method": method, "count": count});
    if let (Value::Object(entry), Some(name)) = (&mut entry, name) {
        entry.insert("name".to_owned(), Value::String(name.clone()));
    }
    list.push(Json::from(entry));
}

/// An action in plain words.
pub(crate) fn words(action: &Action) -> String {
    let list = |names: &[Arc<str>]| names.join(", ");
    let fields = |targets: &mut dyn Iterator<Item = &Target>| {
        targets.map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    match action {
        Action::Drop => "dropped".to_owned(),
        Action::Keep => "kept; no later rule drops it".to_owned(),
        Action::Sample(sample) => share(*sample),
        Action::Tag(names) => format!("tagged {}", list(names)),
        Action::Route(names) => format!("goes to {}", list(names)),
        Action::Set(values) => {
            let set: Vec<String> = values
                .iter()
                .map(|(target, value)| {
                    let value = serde_json::to_string(value).unwrap_or_default();
                    format!("{target} is set to {value}")
                })
                .collect();
            set.join(", ")
        }
        Action::Remove(targets) => format!("{} removed", fields(&mut targets.iter())),
        Action::Mask(targets, method, _) => {
            let method = serde_json::to_value(method).ok();
            let method = method.as_ref().and_then(Value::as_str).unwrap_or_default();
            format!("{} masked by {method}", fields(&mut targets.iter()))
        }
    }
}
