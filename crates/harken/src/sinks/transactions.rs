//! What becomes of transactions: filtered, counted, written.
use super::dest::Lines;
use super::events::Events;
use super::table::Table;
use crate::cli::Format;
use crate::summary::Summary;
use harken_event::zeek::http::HttpLog;
use harken_event::zeek::websocket;
use harken_event::{Filter, Form, Transaction, VniNames, ecs};
use std::sync::Arc;

/// How a transaction becomes a line.
pub enum Writer {
    /// For people.
    Table(Table),
    /// `http.log`.
    Http(HttpLog),
    /// Whole events.
    Ecs(ecs::Writer),
}

impl Writer {
    /// A writer for programs.
    pub fn of(format: Format, form: Form, names: &VniNames) -> Self {
        match format {
            Format::Ecs => Self::Ecs(ecs::Writer::naming(names)),
            _ => Self::Http(HttpLog::new(form)),
        }
    }
}

/// Takes the transactions of one shard.
pub struct Transactions {
    /// Which ones.
    pub filter: Option<Arc<Filter>>,
    /// Their lines.
    pub writer: Writer,
    /// Where these go.
    pub lines: Option<Lines>,
    /// `websocket.log`, and its form.
    pub websocket: Option<(Lines, Form)>,
    /// Their events, for the spool.
    pub events: Option<Events>,
}

impl Transactions {
    /// Counts one, which is masked. Whether it is to be written.
    pub fn count(&self, transaction: &Transaction<'_>, summary: &mut Summary) -> bool {
        let is_wanted = self.filter.as_ref().is_none_or(|filter| filter.matches(transaction));
        if transaction.exchange.is_aside() {
            // It was counted before, or will be.
        } else if is_wanted {
            summary.transaction(transaction);
        } else {
            summary.filtered += 1;
        }
        is_wanted
    }

    /// Writes one that is wanted.
    pub fn write(&mut self, transaction: &Transaction<'_>) {
        if let Some(events) = &mut self.events {
            events.add(transaction);
        }
        if let Some((lines, form)) =
            self.websocket.as_mut().filter(|_| transaction.exchange.begins_websocket())
        {
            lines.append(|out| websocket::write(transaction, *form, out));
        }
        let Some(lines) = &mut self.lines else { return };
        let writer = &mut self.writer;
        // Zeek's log and the table have each transaction once.
        if transaction.exchange.is_aside() && !matches!(writer, Writer::Ecs(_)) {
            return;
        }
        lines.append(|out| match writer {
            Writer::Table(table) => table.write(transaction, out),
            Writer::Http(log) => log.write(transaction, out),
            Writer::Ecs(events) => events.write(transaction, out),
        });
    }

    /// Gives on what is still in the buffers.
    pub fn flush(&mut self) {
        for lines in self.lines.iter_mut().chain(self.websocket.as_mut().map(|(lines, _)| lines)) {
            lines.flush();
        }
        if let Some(events) = &mut self.events {
            events.flush();
        }
    }
}
