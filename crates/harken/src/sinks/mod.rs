//! Where transactions, connections and oddities go: logs, standard output, the summary.
pub mod dest;
pub mod table;

use crate::cli::Format;
use crate::style::Palette;
use crate::summary::Summary;
use anyhow::{Context, Result};
use dest::{Dest, Lines};
use harken_engine::{Closed, Output};
use harken_event::zeek::http::HttpLog;
use harken_event::zeek::weird::Weird;
use harken_event::zeek::{self, tunnel};
use harken_event::{Filter, Form, Transaction, ecs};
use harken_wire::Timestamp;
use std::path::Path;
use std::sync::Arc;
use table::Table;

/// What is written, and where: opened once, shared by the shards.
pub struct Plan {
    /// How transactions are written.
    pub format: Format,
    /// Where transactions go; `None` when they are only counted.
    pub transactions: Option<Arc<Dest>>,
    /// The other logs, with `--log-dir`.
    pub logs: Option<Logs>,
    /// Which transactions.
    pub filter: Option<Arc<Filter>>,
    /// Settings of ECS events.
    pub ecs: ecs::Options,
    /// Colours of the table.
    pub palette: Palette,
    /// Columns of the terminal; 0 when it is none.
    pub width: usize,
    /// Someone watches: every line is written at once.
    pub interactive: bool,
}

/// The logs beside the one of transactions.
pub struct Logs {
    conn: Arc<Dest>,
    weird: Arc<Dest>,
    tunnel: Arc<Dest>,
}

impl Plan {
    /// Form of the Zeek logs.
    pub const fn form(&self) -> Form {
        match self.format {
            Format::ZeekTsv => Form::Tsv,
            Format::Table | Format::ZeekJson | Format::Ecs => Form::Json,
        }
    }

    /// Opens the logs in `dir`, which is made when absent.
    pub fn open_logs(&mut self, dir: &Path) -> Result<()> {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make the folder {}", dir.display()))?;
        let name = if self.format == Format::Ecs { "events.json" } else { "http.log" };
        self.transactions = Some(Dest::file(&dir.join(name))?);
        let logs = Logs {
            conn: Dest::file(&dir.join("conn.log"))?,
            weird: Dest::file(&dir.join("weird.log"))?,
            tunnel: Dest::file(&dir.join("tunnel.log"))?,
        };
        self.logs = Some(logs);
        Ok(())
    }

    fn all(&self) -> Vec<(&Arc<Dest>, Option<zeek::Log>)> {
        let http = matches!(self.format, Format::ZeekJson | Format::ZeekTsv).then_some(zeek::HTTP);
        let mut all = Vec::new();
        all.extend(self.transactions.as_ref().map(|dest| (dest, http)));
        if let Some(logs) = &self.logs {
            all.push((&logs.conn, Some(zeek::CONN)));
            all.push((&logs.weird, Some(zeek::WEIRD)));
            all.push((&logs.tunnel, Some(zeek::TUNNEL)));
        }
        all
    }

    /// Writes what stands above the records.
    pub fn begin(&self, now: Timestamp) {
        let mut bytes = Vec::new();
        for (dest, log) in self.all() {
            bytes.clear();
            if let Some(log) = log {
                log.header(&mut bytes, self.form(), now);
            }
            dest.write(&bytes);
        }
    }

    /// Writes the tunnels, and what stands below the records; then says what went wrong, if anything.
    pub fn end(&self, summary: &Summary, now: Timestamp) -> Result<()> {
        let mut bytes = Vec::new();
        if let Some(logs) = &self.logs {
            for seen in summary.tunnels() {
                tunnel::write(seen.first, &seen.encap, tunnel::Action::Discover, self.form(), &mut bytes);
            }
            logs.tunnel.write(&bytes);
        }
        for (dest, log) in self.all() {
            bytes.clear();
            if let Some(log) = log {
                log.footer(&mut bytes, self.form(), now);
            }
            dest.write(&bytes);
            dest.result()?;
        }
        Ok(())
    }

    /// Whether a file cannot be written any more.
    pub fn has_failed(&self) -> bool {
        self.all().iter().any(|(dest, _)| dest.has_failed())
    }
}

/// The output of one shard.
pub struct Sinks {
    filter: Option<Arc<Filter>>,
    writer: Writer,
    transactions: Option<Lines>,
    conn: Option<Lines>,
    weird: Option<Lines>,
    form: Form,
    /// What this shard saw.
    pub summary: Summary,
}

/// How a transaction becomes a line.
enum Writer {
    Table(Table),
    Http(HttpLog),
    Ecs(Box<ecs::Writer>),
}

impl Sinks {
    /// The output of one of the shards that share `plan`.
    pub fn new(plan: &Plan) -> Self {
        let lines = |dest: &Arc<Dest>| match plan.interactive {
            true => Lines::each(Arc::clone(dest)),
            false => Lines::blocks(Arc::clone(dest)),
        };
        let blocks = |dest: &Arc<Dest>| Lines::blocks(Arc::clone(dest));
        Self {
            filter: plan.filter.clone(),
            writer: match plan.format {
                Format::Table => Writer::Table(Table::new(plan.palette, plan.width)),
                Format::ZeekJson | Format::ZeekTsv => Writer::Http(HttpLog::new(plan.form())),
                Format::Ecs => Writer::Ecs(Box::new(ecs::Writer::new(plan.ecs))),
            },
            transactions: plan.transactions.as_ref().map(lines),
            conn: plan.logs.as_ref().map(|logs| blocks(&logs.conn)),
            weird: plan.logs.as_ref().map(|logs| blocks(&logs.weird)),
            form: plan.form(),
            summary: Summary::default(),
        }
    }

    /// Gives on what is still in the buffers.
    pub fn flush(&mut self) {
        for lines in [&mut self.transactions, &mut self.conn, &mut self.weird].into_iter().flatten() {
            lines.flush();
        }
    }
}

impl Output for Sinks {
    fn transaction(&mut self, transaction: &Transaction<'_>) {
        if self.filter.as_ref().is_some_and(|filter| !filter.matches(transaction)) {
            self.summary.filtered += 1;
            return;
        }
        self.summary.transaction(transaction);
        let Some(lines) = &mut self.transactions else { return };
        let writer = &mut self.writer;
        lines.append(|out| match writer {
            Writer::Table(table) => table.write(transaction, out),
            Writer::Http(log) => log.write(transaction, out),
            Writer::Ecs(events) => events.write(transaction, out),
        });
    }

    fn closed(&mut self, closed: &Closed<'_>) {
        self.summary.closed(closed);
        if let Some(lines) = &mut self.conn {
            lines.append(|out| closed.record().write(self.form, out));
        }
    }

    fn weird(&mut self, weird: &Weird<'_>) {
        self.summary.weird += 1;
        if let Some(lines) = &mut self.weird {
            lines.append(|out| weird.write(self.form, out));
        }
    }
}
