//! One record on its way into a line: the same calls make a JSON line or a tab-separated one.
use super::Form;
use super::column::{Column, ORIG_H, ORIG_P, RESP_H, RESP_P, TS, UID};
use crate::flow::{Endpoint, FlowInfo, IpText};
use crate::{number, text};
use harken_wire::Timestamp;

/// A record being written. Columns are given in the order of their table, each exactly once: an absent value
/// is written as unset where the form has a mark for that.
pub(crate) trait Row {
    /// The form of the line.
    const FORM: Form;

    /// Bytes that are already in this form.
    fn raw(&mut self, bytes: &[u8]);
    /// The first column.
    fn start(&mut self, ts: Timestamp);
    /// Text from the wire.
    fn text(&mut self, column: &Column, value: Option<&[u8]>);
    /// Text of our own, which needs no escaping.
    fn name(&mut self, column: &Column, value: Option<&[u8]>);
    /// A number.
    fn count(&mut self, column: &Column, value: Option<u64>);
    /// Yes or no.
    fn flag(&mut self, column: &Column, value: Option<bool>);
    /// Nanoseconds.
    fn interval(&mut self, column: &Column, value: Option<u64>);
    /// A set or vector of texts.
    fn list<'t>(&mut self, column: &Column, value: Option<impl Iterator<Item = &'t [u8]>>);
    /// The end of the line.
    fn end(&mut self);

    /// A column without a value.
    fn unset(&mut self, column: &Column) {
        self.text(column, None);
    }

    /// The columns that name the connection.
    #[inline]
    fn flow(&mut self, flow: &FlowInfo) {
        match flow.prefix(Self::FORM) {
            Some(bytes) => self.raw(bytes),
            None => self.identity(Some(flow.uid.as_bytes()), Some((&flow.client, &flow.server))),
        }
    }

    /// The columns that name a connection or tunnel, one by one.
    fn identity(&mut self, uid: Option<&[u8]>, ends: Option<(&Endpoint, &Endpoint)>) {
        self.name(&UID, uid);
        self.name(&ORIG_H, ends.map(|(o, _)| IpText::new(o.ip)).as_ref().map(IpText::as_bytes));
        self.count(&ORIG_P, ends.map(|(o, _)| u64::from(o.port)));
        self.name(&RESP_H, ends.map(|(_, r)| IpText::new(r.ip)).as_ref().map(IpText::as_bytes));
        self.count(&RESP_P, ends.map(|(_, r)| u64::from(r.port)));
    }
}

/// Writes a JSON line; unset columns are left out.
pub(crate) struct Json<'o>(pub &'o mut Vec<u8>);

impl Json<'_> {
    #[inline(always)]
    fn key(&mut self, column: &Column) {
        self.0.extend_from_slice(column.key.as_bytes());
    }
}

impl Row for Json<'_> {
    const FORM: Form = Form::Json;

    #[inline]
    fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    #[inline]
    fn start(&mut self, ts: Timestamp) {
        self.key(&TS);
        number::seconds_short(self.0, ts.0);
    }

    #[inline]
    fn text(&mut self, column: &Column, value: Option<&[u8]>) {
        if let Some(value) = value {
            self.key(column);
            self.0.push(b'"');
            text::json(self.0, value);
            self.0.push(b'"');
        }
    }

    #[inline]
    fn name(&mut self, column: &Column, value: Option<&[u8]>) {
        if let Some(value) = value {
            self.key(column);
            self.0.push(b'"');
            self.0.extend_from_slice(value);
            self.0.push(b'"');
        }
    }

    #[inline]
    fn count(&mut self, column: &Column, value: Option<u64>) {
        if let Some(value) = value {
            self.key(column);
            number::decimal(self.0, value);
        }
    }

    #[inline]
    fn flag(&mut self, column: &Column, value: Option<bool>) {
        if let Some(value) = value {
            self.key(column);
            self.0.extend_from_slice(if value { b"true" } else { b"false" });
        }
    }

    #[inline]
    fn interval(&mut self, column: &Column, value: Option<u64>) {
        if let Some(value) = value {
            self.key(column);
            number::seconds_short(self.0, value);
        }
    }

    #[inline]
    fn list<'t>(&mut self, column: &Column, value: Option<impl Iterator<Item = &'t [u8]>>) {
        if let Some(items) = value {
            self.key(column);
            self.0.push(b'[');
            for (i, item) in items.enumerate() {
                self.0.extend_from_slice(if i == 0 { b"\"" } else { b",\"" });
                text::json(self.0, item);
                self.0.push(b'"');
            }
            self.0.push(b']');
        }
    }

    #[inline]
    fn end(&mut self) {
        self.0.extend_from_slice(b"}\n");
    }
}

/// Writes a tab-separated line; an unset column is `-`, an empty one `(empty)`.
pub(crate) struct Tsv<'o>(pub &'o mut Vec<u8>);

impl Tsv<'_> {
    #[inline(always)]
    fn value<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Vec<u8>, T)) {
        self.0.push(b'\t');
        match value {
            Some(value) => write(self.0, value),
            None => self.0.push(b'-'),
        }
    }
}

impl Row for Tsv<'_> {
    const FORM: Form = Form::Tsv;

    #[inline]
    fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    #[inline]
    fn start(&mut self, ts: Timestamp) {
        number::seconds_fixed(self.0, ts.0);
    }

    #[inline]
    fn text(&mut self, _: &Column, value: Option<&[u8]>) {
        self.value(value, text::tsv);
    }

    #[inline]
    fn name(&mut self, _: &Column, value: Option<&[u8]>) {
        self.value(value, Vec::extend_from_slice);
    }

    #[inline]
    fn count(&mut self, _: &Column, value: Option<u64>) {
        self.value(value, number::decimal);
    }

    #[inline]
    fn flag(&mut self, _: &Column, value: Option<bool>) {
        self.value(value, |out, value| out.push(if value { b'T' } else { b'F' }));
    }

    #[inline]
    fn interval(&mut self, _: &Column, value: Option<u64>) {
        self.value(value, number::seconds_fixed);
    }

    #[inline]
    fn list<'t>(&mut self, _: &Column, value: Option<impl Iterator<Item = &'t [u8]>>) {
        self.value(value, |out, items| {
            let before = out.len();
            for (i, item) in items.enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                text::tsv_element(out, item);
            }
            if out.len() == before {
                out.extend_from_slice(b"(empty)");
            }
        });
    }

    #[inline]
    fn end(&mut self) {
        self.0.push(b'\n');
    }
}
