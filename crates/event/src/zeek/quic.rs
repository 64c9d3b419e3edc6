//! `quic.log`: one line for each QUIC connection, when its ClientHello is whole.
use super::Form;
use super::column::columns;
use super::row::{Json, Row, Tsv};
use crate::flow::FlowInfo;
use crate::text;
use harken_http::Quic;
use harken_http::quic::version_name;

columns! {
    VERSION "version" String,
    CLIENT_INITIAL_DCID "client_initial_dcid" String,
    CLIENT_SCID "client_scid" String,
    SERVER_NAME "server_name" String,
    CLIENT_PROTOCOL "client_protocol" String,
    JA4 "ja4" String,
}

/// Appends the line of a connection.
pub fn write(flow: &FlowInfo, quic: &Quic, form: Form, out: &mut Vec<u8>) {
    match form {
        Form::Json => record(&mut Json(out), flow, quic),
        Form::Tsv => record(&mut Tsv(out), flow, quic),
    }
}

fn record<R: Row>(row: &mut R, flow: &FlowInfo, quic: &Quic) {
    let digits = |id: &[u8]| {
        let mut digits = Vec::with_capacity(2 * id.len());
        id.iter().for_each(|byte| text::hex_byte(&mut digits, *byte));
        digits
    };
    row.start(quic.start);
    row.flow(flow);
    row.text(&VERSION, Some(version_name(quic.version).as_bytes()));
    row.text(&CLIENT_INITIAL_DCID, Some(&digits(&quic.initial_dcid)));
    row.text(&CLIENT_SCID, Some(&digits(&quic.client_scid)));
    row.text(&SERVER_NAME, quic.server_name.as_deref().map(str::as_bytes));
    row.text(&CLIENT_PROTOCOL, quic.client_protocol.as_deref().map(str::as_bytes));
    row.text(&JA4, Some(quic.ja4.as_bytes()));
    row.end();
}
