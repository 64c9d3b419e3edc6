//! `ssl.log`: one line for each TLS connection, when its handshake is over.
use super::Form;
use super::column::columns;
use super::row::{Json, Row, Tsv};
use crate::flow::FlowInfo;
use crate::text;
use harken_http::Tls;
use harken_http::tls::names;

columns! {
    VERSION "version" String,
    CIPHER "cipher" String,
    CURVE "curve" String,
    SERVER_NAME "server_name" String,
    RESUMED "resumed" Bool,
    LAST_ALERT "last_alert" String,
    NEXT_PROTOCOL "next_protocol" String,
    ESTABLISHED "established" Bool,
    SSL_HISTORY "ssl_history" String,
    JA3 "ja3" String,
    JA3S "ja3s" String,
    JA4 "ja4" String,
}

/// Appends the line of a connection.
pub fn write(flow: &FlowInfo, tls: &Tls, form: Form, out: &mut Vec<u8>) {
    match form {
        Form::Json => record(&mut Json(out), flow, tls),
        Form::Tsv => record(&mut Tsv(out), flow, tls),
    }
}

fn record<R: Row>(row: &mut R, flow: &FlowInfo, tls: &Tls) {
    let hash = |hash: Option<[u8; 16]>| {
        hash.map(|hash| {
            let mut digits = Vec::with_capacity(32);
            hash.iter().for_each(|byte| text::hex_byte(&mut digits, *byte));
            digits
        })
    };
    row.start(tls.start);
    row.flow(flow);
    row.text(&VERSION, tls.version.map(names::version).as_deref().map(str::as_bytes));
    let cipher =
        tls.cipher.map(|id| names::cipher(id).map_or_else(|| format!("unknown-{id}"), str::to_owned));
    row.text(&CIPHER, cipher.as_deref().map(str::as_bytes));
    row.text(&CURVE, tls.curve.map(names::curve).as_deref().map(str::as_bytes));
    row.text(&SERVER_NAME, tls.server_name.as_deref().map(str::as_bytes));
    row.flag(&RESUMED, Some(tls.resumed));
    row.text(&LAST_ALERT, tls.last_alert.map(names::alert).as_deref().map(str::as_bytes));
    row.text(&NEXT_PROTOCOL, tls.next_protocol.as_deref().map(str::as_bytes));
    row.flag(&ESTABLISHED, Some(tls.established));
    row.text(&SSL_HISTORY, Some(tls.history.as_bytes()));
    row.text(&JA3, hash(tls.ja3).as_deref());
    row.text(&JA3S, hash(tls.ja3s).as_deref());
    row.text(&JA4, tls.ja4.as_deref().map(str::as_bytes));
    row.end();
}
