//! `weird.log`: one line for each oddity.
use super::Form;
use super::column::columns;
use super::row::{Json, Row, Tsv};
use crate::flow::FlowInfo;
use harken_wire::Timestamp;

columns! {
    NAME "name" String,
    ADDL "addl" String,
    NOTICE "notice" Bool,
    PEER "peer" String,
    SOURCE "source" String,
}

/// Something odd in the traffic.
#[derive(Clone, Copy)]
pub struct Weird<'a> {
    /// When it was seen.
    pub ts: Timestamp,
    /// The connection, when it belongs to one.
    pub flow: Option<&'a FlowInfo>,
    /// Zeek's name of it where Zeek has one.
    pub name: &'a str,
    /// What it was about, where the name does not say all.
    pub addl: Option<&'a [u8]>,
    /// Name of this sensor.
    pub peer: &'a str,
    /// The layer that noticed: `TCP`, `HTTP`, `IP` and so on.
    pub source: Option<&'a str>,
}

impl Weird<'_> {
    /// Appends the oddity's line.
    pub fn write(&self, form: Form, out: &mut Vec<u8>) {
        match form {
            Form::Json => self.record(&mut Json(out)),
            Form::Tsv => self.record(&mut Tsv(out)),
        }
    }

    fn record<R: Row>(&self, row: &mut R) {
        row.start(self.ts);
        match self.flow {
            Some(flow) => row.flow(flow),
            None => row.identity(None, None),
        }
        row.text(&NAME, Some(self.name.as_bytes()));
        row.text(&ADDL, self.addl);
        // Harken raises no notices.
        row.flag(&NOTICE, Some(false));
        row.text(&PEER, Some(self.peer.as_bytes()));
        row.text(&SOURCE, self.source.map(str::as_bytes));
        row.end();
    }
}
