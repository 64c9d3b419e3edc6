//! A readable line for each transaction.
use crate::style::{Palette, human_bytes, human_nanos};
use harken_event::{Api, Transaction};
use harken_http::{Completeness, Exchange, Message, Pairing};
use harken_wire::Timestamp;
use std::io::Write as _;

/// Writes transactions as lines of a table.
pub struct Table {
    palette: Palette,
    /// Columns of the terminal; 0 for no limit.
    width: usize,
    started: bool,
}

/// Widths of the columns before the last one.
const HEADER: &str = "TIME          CLIENT                 METHOD  STATUS      SIZE      TIME  URL";

impl Table {
    /// A table `width` columns wide; 0 for no limit.
    pub const fn new(palette: Palette, width: usize) -> Self {
        Self { palette, width, started: false }
    }

    /// Appends one line (before the first one, the header).
    pub fn write(&mut self, transaction: &Transaction<'_>, out: &mut Vec<u8>) {
        let palette = self.palette;
        if !self.started {
            self.started = true;
            line(out, &palette.dim(HEADER));
        }
        let exchange = transaction.exchange;
        let flow = transaction.flow;
        let client = match transaction.client() {
            Some(client) => client.ip.to_string(),
            None => format!("{}:{}", flow.client.ip, flow.client.port),
        };
        let method = exchange.request.as_ref().map_or("-".into(), |m| printable(m.method()));
        let status = match exchange.response.as_ref().map(|m| m.status) {
            Some(0) => "?".to_owned(),
            Some(status) => status.to_string(),
            None => "-".to_owned(),
        };
        let size = exchange.response.as_ref().map_or_else(|| "-".to_owned(), |m| human_bytes(size(m)));
        let mut text = format!(
            "{}  {client:<22} {} {} {size:>9} {:>9}  ",
            clock(transaction.ts()),
            palette.method(&format!("{method:<7}")),
            palette.status(&format!("{status:>6}"), exchange.response.as_ref().map_or(0, |m| m.status)),
            elapsed(exchange),
        );
        let room = self.width.saturating_sub(HEADER.len() - 3);
        let url = url(transaction);
        let url = if self.width > 0 && url.chars().count() > room.max(20) {
            let mut cut: String = url.chars().take(room.max(20) - 1).collect();
            cut.push('…');
            cut
        } else {
            url
        };
        text.push_str(&url);
        if let Some(api) = transaction.api() {
            text.push_str(&format!("  {}", palette.method(&operation(&api))));
            if let Some(error) = api.error() {
                text.push_str(&palette.warn(&format!(" -> {}", printable(error.as_bytes()))));
            }
        }
        for mark in marks(exchange) {
            text.push_str(&palette.warn(&format!(" [{mark}]")));
        }
        line(out, &text);
    }
}

fn line(out: &mut Vec<u8>, text: &str) {
    // Appending to a vector cannot fail.
    let _ = writeln!(out, "{text}");
}

fn size(message: &Message) -> u64 {
    message.body.wire_len + message.body.missing
}

fn elapsed(exchange: &Exchange) -> String {
    match (&exchange.request, &exchange.response) {
        (Some(request), Some(response)) => human_nanos(response.end.since(request.start)),
        _ => "-".to_owned(),
    }
}

/// Host and target; what cannot be printed is escaped, since a terminal would obey it.
fn url(transaction: &Transaction<'_>) -> String {
    let Some(request) = transaction.request() else { return "(request not seen)".to_owned() };
    let target = printable(request.target());
    match request.known(harken_http::Known::Host) {
        Some(host) if target.starts_with('/') => printable(host) + &target,
        _ => target,
    }
}

/// What the transaction does. Of a call whose path is its name the protocol is enough.
fn operation(api: &Api) -> String {
    match api {
        Api::Rpc(_) => api.protocol().to_owned(),
        _ => format!("{} {}", api.protocol(), printable(api.operation().as_bytes())),
    }
}

/// Escapes control characters and invalid UTF-8.
pub fn printable(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out
}

/// What a reader should know about the transaction beside its figures.
fn marks(exchange: &Exchange) -> impl Iterator<Item = &'static str> {
    let pairing = (exchange.pairing != Pairing::Paired).then(|| exchange.pairing.name());
    let messages = [&exchange.request, &exchange.response];
    let worst = messages.iter().filter_map(|m| m.as_ref()).find(|m| m.completeness != Completeness::Full);
    let desync = messages.iter().filter_map(|m| m.as_ref()).any(|m| m.desync.is_suspicious());
    pairing.into_iter().chain(worst.map(|m| m.completeness.name())).chain(desync.then_some("desync"))
}

/// Time of day in UTC with milliseconds.
fn clock(ts: Timestamp) -> String {
    let millis = ts.0 / 1_000_000;
    let (hours, minutes) = (millis / 3_600_000 % 24, millis / 60_000 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{:03}", millis / 1000 % 60, millis % 1000)
}
