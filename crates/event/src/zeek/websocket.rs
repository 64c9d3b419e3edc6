//! `websocket.log`: one line for each connection that goes on in WebSocket.
use super::Form;
use super::column::columns;
use super::row::{Json, Row, Tsv};
use crate::transaction::Transaction;
use harken_http::{Known, Message};

columns! {
    HOST "host" String,
    URI "uri" String,
    USER_AGENT "user_agent" String,
    SUBPROTOCOL "subprotocol" String,
    CLIENT_PROTOCOLS "client_protocols" VectorString,
    SERVER_EXTENSIONS "server_extensions" VectorString,
    CLIENT_EXTENSIONS "client_extensions" VectorString,
}

/// Appends the line of a transaction that begins WebSocket.
pub fn write(transaction: &Transaction<'_>, form: Form, out: &mut Vec<u8>) {
    match form {
        Form::Json => record(&mut Json(out), transaction),
        Form::Tsv => record(&mut Tsv(out), transaction),
    }
}

fn record<R: Row>(row: &mut R, t: &Transaction<'_>) {
    let (request, response) = (t.request(), t.response());
    row.start(response.map_or(t.ts(), |response| response.head_end));
    row.flow(t.flow);
    row.text(&HOST, request.and_then(|r| r.known(Known::Host)));
    row.text(&URI, request.map(Message::target));
    row.text(&USER_AGENT, request.and_then(|r| r.known(Known::UserAgent)));
    row.text(&SUBPROTOCOL, response.and_then(|r| values(r, PROTOCOL).next()));
    list(row, &CLIENT_PROTOCOLS, request, PROTOCOL);
    list(row, &SERVER_EXTENSIONS, response, EXTENSIONS);
    list(row, &CLIENT_EXTENSIONS, request, EXTENSIONS);
    row.end();
}

const PROTOCOL: &str = "sec-websocket-protocol";
const EXTENSIONS: &str = "sec-websocket-extensions";

/// The elements of the fields of that name.
fn values<'m>(message: &'m Message, name: &'static str) -> impl Iterator<Item = &'m [u8]> {
    let fields = message.headers().filter(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()));
    fields.flat_map(|(_, value)| value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
}

fn list<R: Row>(row: &mut R, column: &super::column::Column, message: Option<&Message>, name: &'static str) {
    let message = message.filter(|message| values(message, name).next().is_some());
    row.list(column, message.map(|message| values(message, name)));
}
