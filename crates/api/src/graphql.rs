//! GraphQL documents (specification of October 2021, section 2), scanned once and without recursion, cut off and
//! invalid as they may be.
mod scan;
mod tokens;

use crate::json::{Doc, Docs, has};
use crate::{Call, answers, media_type};

/// Most operations, most fragments, and most uses of fragments in one of them.
const MAX: usize = 16;
/// Most fields of a root that are kept.
const MAX_FIELDS: usize = 32;
/// Levels beyond this one are not told apart.
const MAX_DEPTH: u32 = 1024;

/// An operation of a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Operation {
    /// `query`, `mutation` or `subscription`; empty where only a hash stands for the document.
    pub kind: &'static str,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// The fields of its root, by their names and not their aliases, those of fragments among them; at most 32.
    pub root_fields: Vec<String>,
    /// How deep its fields are nested, with those of its fragments.
    pub depth: u32,
    /// Fields of the document that have another name in the response.
    pub aliases: u32,
    /// The document asks for the schema (`__schema` or `__type`).
    pub is_introspection: bool,
    /// Hash of a persisted query that stands for the document, or beside it.
    pub persisted: Option<String>,
    /// The document goes on beyond what was kept of it.
    pub is_cut: bool,
}

/// What there is in a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    operations: Vec<Definition>,
    fragments: Vec<Definition>,
    aliases: u32,
    is_introspection: bool,
    is_cut: bool,
}

/// An operation or a fragment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Definition {
    kind: &'static str,
    name: Option<String>,
    root_fields: Vec<String>,
    depth: u32,
    /// Fragments that it uses, and the depth there.
    spreads: Vec<(String, u32)>,
}

impl Document {
    /// Scans a text; `None` when it is no document.
    pub fn scan(text: &str) -> Option<Self> {
        scan::document(text)
    }

    /// The operation that is asked for by name, or else the first one.
    pub fn operation(&self, name: Option<&str>) -> Option<Operation> {
        let named = self.operations.iter().find(|o| name.is_some() && o.name.as_deref() == name);
        let chosen = named.or_else(|| self.operations.first())?;
        let (mut depth, mut root_fields) = (chosen.depth, chosen.root_fields.clone());
        for (fragment, (lowest, deepest)) in self.fragments.iter().zip(self.used(chosen)) {
            if let Some(at) = deepest {
                depth = depth.max(at.saturating_add(fragment.depth));
            }
            if lowest == Some(0) {
                fragment.root_fields.iter().for_each(|field| keep(&mut root_fields, field));
            }
        }
        Some(Operation {
            kind: chosen.kind,
            name: chosen.name.clone(),
            root_fields,
            depth: depth.min(MAX_DEPTH),
            aliases: self.aliases,
            is_introspection: self.is_introspection,
            persisted: None,
            is_cut: self.is_cut,
        })
    }

    /// How deep each fragment is used at least and at most by an operation; `None` for those that it does not use.
    fn used(&self, operation: &Definition) -> Vec<(Option<u32>, Option<u32>)> {
        let index = |name: &str| self.fragments.iter().position(|f| f.name.as_deref() == Some(name));
        let resolve = |definition: &Definition| -> Vec<(usize, u32)> {
            let spreads = definition.spreads.iter();
            spreads.filter_map(|(name, depth)| Some((index(name)?, *depth))).collect()
        };
        let mut used = vec![(None, None); self.fragments.len()];
        let note = |used: &mut Vec<(Option<u32>, Option<u32>)>, at: usize, depth: (u32, u32)| {
            let Some(place) = used.get_mut(at) else { return false };
            let before = *place;
            place.0 = Some(place.0.map_or(depth.0, |known| known.min(depth.0)));
            place.1 = Some(place.1.map_or(depth.1, |known| known.max(depth.1)).min(MAX_DEPTH));
            before != *place
        };
        for (at, depth) in resolve(operation) {
            note(&mut used, at, (depth, depth));
        }
        let edges: Vec<_> = self.fragments.iter().map(resolve).collect();
        // The longest way without a cycle, which is not valid, has as many steps as there are fragments.
        for _ in 0..self.fragments.len() {
            let mut has_changed = false;
            for (from, edges) in edges.iter().enumerate() {
                let Some((Some(lowest), Some(deepest))) = used.get(from).copied() else { continue };
                for (to, depth) in edges {
                    let depth = (lowest.saturating_add(*depth), deepest.saturating_add(*depth));
                    has_changed |= note(&mut used, *to, depth);
                }
            }
            if !has_changed {
                break;
            }
        }
        used
    }
}

/// Keeps a name, once, while there is room.
fn keep(names: &mut Vec<String>, name: &str) {
    if names.len() < MAX_FIELDS && !names.iter().any(|known| known == name) {
        names.push(name.to_owned());
    }
}

/// The operations of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GraphQl {
    /// The operation, or those of a batch; the first few.
    pub operations: Vec<Operation>,
    /// How many there are.
    pub count: u64,
    /// Elements of the list `errors` of the response, of all of them together.
    pub errors: u64,
    /// A body goes on beyond what was kept of it.
    pub is_cut: bool,
}

impl GraphQl {
    /// Of documents in JSON.
    pub(crate) fn of(call: &Call<'_>, docs: &Docs) -> Option<Self> {
        let operations: Vec<_> = docs.docs.iter().filter_map(operation).collect();
        if operations.is_empty() {
            return None;
        }
        let is_cut = !docs.is_whole || operations.iter().any(|operation| operation.is_cut);
        Some(Self { operations, count: docs.count, errors: 0, is_cut }.answered(call))
    }

    /// Of the target of a GET.
    pub(crate) fn of_query(call: &Call<'_>) -> Option<Self> {
        if !(has(call.query, b"query=") || has(call.query, b"extensions=")) {
            return None;
        }
        let mut doc = Doc::default();
        for (name, value) in form_urlencoded::parse(call.query) {
            match &*name {
                "query" => doc.query = Document::scan(&value),
                "operationName" => doc.operation_name = Some(value.into_owned()),
                "extensions" => {
                    // They stand where a document has them.
                    let text = format!("{{\"extensions\":{value}}}");
                    let docs = Docs::read(text.as_bytes(), false).docs;
                    doc.persisted = docs.into_iter().find_map(|doc| doc.persisted);
                }
                _ => {}
            }
        }
        Self::one(call, operation(&doc)?)
    }

    /// Of a body that is the document, by its media type.
    pub(crate) fn of_text(call: &Call<'_>) -> Option<Self> {
        let request = call.request?;
        if !media_type(request).eq_ignore_ascii_case(b"application/graphql") {
            return None;
        }
        let document = Document::scan(&String::from_utf8_lossy(&request.body.kept))?;
        let mut operation = document.operation(None)?;
        operation.is_cut |= request.body.is_cut();
        Self::one(call, operation)
    }

    /// Of the part `operations` of a form, as files are uploaded with.
    pub(crate) fn of_multipart(call: &Call<'_>) -> Option<Self> {
        let request = call.request?;
        if !media_type(request).eq_ignore_ascii_case(b"multipart/form-data") {
            return None;
        }
        let kept = request.body.kept.as_slice();
        let part = kept.get(memchr::memmem::find(kept, b"name=\"operations\"")?..)?;
        let part = part.get(memchr::memmem::find(part, b"\r\n\r\n")? + 4..)?;
        let end = memchr::memmem::find(part, b"\r\n--");
        let docs = Docs::read(part.get(..end.unwrap_or(part.len()))?, end.is_none());
        Self::of(call, &docs)
    }

    fn one(call: &Call<'_>, operation: Operation) -> Option<Self> {
        let is_cut = operation.is_cut;
        Some(Self { operations: vec![operation], count: 1, errors: 0, is_cut }.answered(call))
    }

    /// With what the response says.
    fn answered(mut self, call: &Call<'_>) -> Self {
        self.errors = answers(call.response, &[b"\"errors\""]).iter().map(|doc| doc.errors).sum();
        self
    }

    pub(crate) fn operation(&self) -> String {
        let shown: Vec<_> = self.operations.iter().map(Operation::summary).collect();
        match self.count {
            0 | 1 => shown.concat(),
            count => format!("[{count}] {}", shown.join(", ")),
        }
    }
}

impl Operation {
    /// Kind and name, or else the fields of the root.
    fn summary(&self) -> String {
        match (&self.name, &self.persisted) {
            (Some(name), _) if self.kind.is_empty() => name.clone(),
            (Some(name), _) => format!("{} {name}", self.kind),
            (None, Some(hash)) if self.kind.is_empty() => {
                format!("persisted {}", hash.chars().take(12).collect::<String>())
            }
            (None, _) => format!("{} {{ {} }}", self.kind, self.root_fields.join(" ")),
        }
    }
}

/// The operation of a document in JSON.
fn operation(doc: &Doc) -> Option<Operation> {
    let name = doc.operation_name.as_deref();
    let operation = doc.query.as_ref().and_then(|document| document.operation(name));
    if operation.is_none() && doc.persisted.is_none() {
        return None;
    }
    let mut operation = operation.unwrap_or_default();
    if operation.kind.is_empty() {
        operation.name = doc.operation_name.clone();
    }
    operation.persisted.clone_from(&doc.persisted);
    Some(operation)
}
