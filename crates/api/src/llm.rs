//! Language models, by the interfaces that are commonly offered: which model is asked, and what it used.
use crate::json::{Doc, Docs};
use crate::{Call, answers, text};

/// A request to a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Llm {
    /// `chat`, `text_completion`, `embeddings` or `generate_content`.
    pub operation: &'static str,
    /// The model that is asked.
    pub model: Option<String>,
    /// The model that has answered.
    pub answered_by: Option<String>,
    /// Tokens of the request, as the response counts them.
    pub input_tokens: Option<u64>,
    /// Tokens of the answer.
    pub output_tokens: Option<u64>,
    /// The request's body goes on beyond what was kept of it.
    pub is_cut: bool,
}

/// What the end of a path asks for.
const PATHS: [(&[u8], &str); 18] = [
    (b"/chat/completions", "chat"),
    (b"/v1/messages", "chat"),
    (b"/v1/responses", "chat"),
    (b"/v1/chat", "chat"),
    (b"/v2/chat", "chat"),
    (b"/api/chat", "chat"),
    (b"/converse", "chat"),
    (b"/converse-stream", "chat"),
    (b"/invoke", "chat"),
    (b"/invoke-with-response-stream", "chat"),
    (b"/completions", "text_completion"),
    (b"/v1/complete", "text_completion"),
    (b"/api/generate", "text_completion"),
    (b"/embeddings", "embeddings"),
    (b"/api/embed", "embeddings"),
    (b":embedContent", "embeddings"),
    (b":generateContent", "generate_content"),
    (b":streamGenerateContent", "generate_content"),
];

/// What a path asks of a model, if it is one of those that do.
pub(crate) fn operation(path: &[u8]) -> Option<&'static str> {
    PATHS.iter().find(|(end, _)| path.ends_with(end)).map(|(_, operation)| *operation)
}

/// The model in a path: `/model/NAME/invoke`, `/models/NAME:generateContent`.
fn in_path(path: &[u8]) -> Option<String> {
    let mut segments = path.split(|byte| *byte == b'/').skip_while(|s| !matches!(*s, b"model" | b"models"));
    segments.next()?;
    let name = segments.next()?.split(|byte| *byte == b':').next()?;
    (!name.is_empty()).then(|| text(name))
}

impl Llm {
    /// Of a document in JSON: by its path and a model, or by a model and messages.
    pub(crate) fn of(call: &Call<'_>, docs: &Docs) -> Option<Self> {
        let doc = docs.docs.first().filter(|_| !docs.is_batch)?;
        let asked = operation(call.path);
        let model = doc.model.clone().or_else(|| asked.and_then(|_| in_path(call.path)));
        if model.is_none() || asked.is_none() && !doc.has_input {
            return None;
        }
        let answers = answers(call.response, &[b"\"usage", b"\"model"]);
        let last = |of: fn(&Doc) -> Option<u64>| answers.iter().rev().find_map(of);
        Some(Self {
            operation: asked.unwrap_or("chat"),
            model,
            answered_by: answers.iter().find_map(|doc| doc.model.clone()),
            input_tokens: last(|doc| doc.input_tokens),
            output_tokens: last(|doc| doc.output_tokens),
            is_cut: !docs.is_whole,
        })
    }

    pub(crate) fn summary(&self) -> String {
        format!("{} {}", self.operation, self.model.as_deref().unwrap_or_default())
    }
}
