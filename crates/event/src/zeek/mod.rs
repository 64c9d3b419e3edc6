//! Logs with Zeek's names, types, order and escapes, as JSON lines or tab-separated.
//!
//! A log is a table of columns and one function that gives their values in that order; `row` turns the
//! values into either form. The writers append to a buffer and never fail: where it goes is the caller's
//! affair.

pub mod column;
pub mod conn;
pub mod http;
pub mod of_event;
pub mod quic;
mod row;
pub mod sensor;
mod site;
pub mod ssl;
pub mod tunnel;
pub mod websocket;
pub mod weird;

use crate::flow::FlowInfo;
use crate::number;
use column::Column;
use harken_wire::Timestamp;
use row::{Json, Row, Tsv};

/// The form of a log.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum Form {
    /// One JSON object a line.
    #[default]
    Json,
    /// Tab-separated values below header lines: what `zeek-cut` reads.
    Tsv,
}

/// Name and columns of a log.
#[derive(Clone, Copy, Debug)]
pub struct Log {
    /// Zeek's name of it, and of its file without `.log`.
    pub path: &'static str,
    /// Its columns, in order.
    pub columns: &'static [Column],
}

/// One transaction a line.
pub const HTTP: Log = Log { path: "http", columns: http::COLUMNS };
/// One connection a line.
pub const CONN: Log = Log { path: "conn", columns: conn::COLUMNS };
/// One oddity a line.
pub const WEIRD: Log = Log { path: "weird", columns: weird::COLUMNS };
/// One TLS connection a line.
pub const SSL: Log = Log { path: "ssl", columns: ssl::COLUMNS };
/// One QUIC connection a line.
pub const QUIC: Log = Log { path: "quic", columns: quic::COLUMNS };
/// One WebSocket connection a line.
pub const WEBSOCKET: Log = Log { path: "websocket", columns: websocket::COLUMNS };
/// How the sensor is doing, one line a period.
pub const STATS: Log = Log { path: "stats", columns: sensor::stats::COLUMNS };
/// What the capture misses, a few lines a period.
pub const CAPTURE_LOSS: Log = Log { path: "capture_loss", columns: sensor::capture_loss::COLUMNS };
/// One tunnel a line.
pub const TUNNEL: Log = Log { path: "tunnel", columns: tunnel::COLUMNS };

impl Log {
    /// Appends what stands above the records: nothing in JSON. `open` is when the file was opened.
    pub fn header(&self, out: &mut Vec<u8>, form: Form, open: Timestamp) {
        if form == Form::Json {
            return;
        }
        out.extend_from_slice(
            b"#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n",
        );
        out.extend_from_slice(b"#path\t");
        out.extend_from_slice(self.path.as_bytes());
        out.extend_from_slice(b"\n#open\t");
        number::zeek_open(out, open);
        out.extend_from_slice(b"\n#fields");
        for column in self.columns {
            out.push(b'\t');
            out.extend_from_slice(column.name.as_bytes());
        }
        out.extend_from_slice(b"\n#types");
        for column in self.columns {
            out.push(b'\t');
            out.extend_from_slice(column.kind.name().as_bytes());
        }
        out.push(b'\n');
    }

    /// Appends what stands below the records: nothing in JSON. `close` is when the file was closed.
    pub fn footer(&self, out: &mut Vec<u8>, form: Form, close: Timestamp) {
        if form == Form::Tsv {
            out.extend_from_slice(b"#close\t");
            number::zeek_open(out, close);
            out.push(b'\n');
        }
    }
}

/// Appends the columns `uid` to `id.resp_p` of `flow`.
pub(crate) fn prefix(out: &mut Vec<u8>, form: Form, flow: &FlowInfo) {
    let (uid, ends) = (Some(flow.uid.as_bytes()), Some((&flow.client, &flow.server)));
    match form {
        Form::Json => Json(out).identity(uid, ends),
        Form::Tsv => Tsv(out).identity(uid, ends),
    }
}

#[cfg(test)]
mod tests;
