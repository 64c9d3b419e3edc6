//! JSON-RPC 2.0, and the Model Context Protocol over streamable HTTP (2025-03-26 and later).
use crate::json::{Doc, Docs};
use crate::{Call, answers, header, media_type, text};

/// The calls of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JsonRpc {
    /// The call, or those of a batch; the first few.
    pub calls: Vec<JsonCall>,
    /// How many there are.
    pub count: u64,
    /// What MCP adds; `None` for other calls.
    pub mcp: Option<Mcp>,
    /// A body goes on beyond what was kept of it.
    pub is_cut: bool,
}

/// One call, or a notification, which has no id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JsonCall {
    /// The method; `None` for the answer to a call that came the other way.
    pub method: Option<String>,
    /// The id, as text.
    pub id: Option<String>,
    /// Code of the error that was the answer.
    pub error_code: Option<String>,
    /// Its message.
    pub error_message: Option<String>,
    /// MCP: the tool, prompt or resource that is meant.
    pub target: Option<String>,
}

/// What MCP adds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mcp {
    /// Version of the protocol that was agreed on, or else asked for.
    pub version: Option<String>,
    /// The session, as its header field says.
    pub session: Option<String>,
    /// What is done where the request has no call: `listen`, `end session`.
    pub action: Option<&'static str>,
    /// The tool says that it failed.
    pub is_tool_error: bool,
}

impl JsonRpc {
    /// Of documents in JSON.
    pub(crate) fn of(call: &Call<'_>, docs: &Docs) -> Option<Self> {
        if !docs.docs.iter().any(|doc| doc.version.as_deref() == Some("2.0")) {
            return None;
        }
        let answers = answers(call.response, &[b"\"jsonrpc\""]);
        let calls: Vec<_> = docs.docs.iter().map(|doc| of_doc(doc, &answers)).collect();
        let mcp = mcp(call, &docs.docs, &answers);
        Some(Self { calls, count: docs.count, mcp, is_cut: !docs.is_whole })
    }

    /// A request of MCP without a call: a stream to listen to, or the end of a session.
    pub(crate) fn of_session(call: &Call<'_>) -> Option<Self> {
        let streams = |r| media_type(r).eq_ignore_ascii_case(b"text/event-stream");
        let action = match call.request?.method() {
            b"GET" if call.response.is_none_or(streams) => "listen",
            b"DELETE" => "end session",
            _ => return None,
        };
        let mut mcp = mcp(call, &[], &[])?;
        mcp.action = Some(action);
        Some(Self { mcp: Some(mcp), ..Self::default() })
    }

    pub(crate) fn operation(&self) -> String {
        let shown: Vec<_> = self.calls.iter().map(JsonCall::summary).collect();
        match (self.count, self.mcp.as_ref().and_then(|mcp| mcp.action)) {
            (_, Some(action)) => action.to_owned(),
            (0 | 1, None) => shown.concat(),
            (count, None) => format!("[{count}] {}", shown.join(", ")),
        }
    }

    pub(crate) fn error(&self) -> Option<&str> {
        let code = self.calls.iter().find_map(|call| call.error_code.as_deref());
        code.or_else(|| self.mcp.as_ref().and_then(|mcp| mcp.is_tool_error.then_some("tool error")))
    }
}

impl JsonCall {
    fn summary(&self) -> String {
        match (&self.method, &self.target) {
            (Some(method), Some(target)) => format!("{method} {target}"),
            (Some(method), None) => method.clone(),
            (None, _) => "answer".to_owned(),
        }
    }
}

fn of_doc(doc: &Doc, answers: &[Doc]) -> JsonCall {
    let answer = answers.iter().find(|answer| answer.method.is_none() && answer.id == doc.id);
    let answer = answer.filter(|_| doc.id.is_some());
    let is_named = doc
        .method
        .as_deref()
        .is_some_and(|m| ["tools/call", "prompts/get", "resources/read", "resources/subscribe"].contains(&m));
    JsonCall {
        method: doc.method.clone(),
        id: doc.id.clone(),
        error_code: answer.and_then(|answer| answer.error_code.clone()),
        error_message: answer.and_then(|answer| answer.error_message.clone()),
        target: doc.target.clone().or_else(|| doc.uri.clone()).filter(|_| is_named),
    }
}

/// What MCP adds; `None` when neither header field nor method says that it is MCP.
fn mcp(call: &Call<'_>, docs: &[Doc], answers: &[Doc]) -> Option<Mcp> {
    let session = header(call.request, "mcp-session-id").or_else(|| header(call.response, "mcp-session-id"));
    let version = header(call.request, "mcp-protocol-version").map(text);
    let begins = |doc: &Doc| doc.method.as_deref() == Some("initialize") && doc.protocol.is_some();
    if session.is_none() && version.is_none() && !docs.iter().any(begins) {
        return None;
    }
    let agreed = answers.iter().chain(docs).find_map(|doc| doc.protocol.clone());
    Some(Mcp {
        version: agreed.or(version),
        session: session.map(text),
        action: None,
        is_tool_error: answers.iter().any(|doc| doc.is_error),
    })
}
