//! Where transactions, connections and oddities go: logs, standard output, the summary.
mod apart;
pub mod dest;
pub mod events;
pub mod table;
mod transactions;

use crate::cli::Format;
use crate::logs::LogHandle;
use crate::origins::{Origin, Origins, Seen};
use crate::style::Palette;
use crate::summary::{Encrypted, Summary};
use anyhow::{Context, Result};
use apart::Apart;
use dest::{Dest, Lines};
use events::Events;
use foldhash::HashSet;
use harken_engine::{Closed, Config, Output};
use harken_event::zeek::weird::Weird;
use harken_event::zeek::{self, quic, ssl, tunnel};
use harken_event::{Filter, FlowInfo, Form, Transaction, Uid, VniNames};
use harken_flow::{Dir, Flow, Gap};
use harken_http::{Exchange, Quic, Tls};
use harken_spool::Spool;
use harken_wire::Timestamp;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use table::Table;
use transactions::{Transactions, Writer};

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
    /// Where events wait for the connector.
    pub spool: Option<Arc<Spool>>,
    /// Names of virtual networks.
    pub names: VniNames,
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
    ssl: Arc<Dest>,
    quic: Arc<Dest>,
    websocket: Arc<Dest>,
    tunnel: Arc<Dest>,
}

impl Plan {
    /// Form of the Zeek logs.
    pub const fn form(&self) -> Form {
        self.format.form()
    }

    /// Opens the logs in `dir`, which is made when absent.
    pub fn open_logs(&mut self, dir: &Path) -> Result<()> {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make the folder {}", dir.display()))?;
        let name = if self.format == Format::Ecs { "events.json" } else { "http.log" };
        self.transactions = Some(Dest::file(&dir.join(name))?);
        let logs = Logs {
            conn: Dest::file(&dir.join("conn.log"))?,
            weird: Dest::file(&dir.join("weird.log"))?,
            ssl: Dest::file(&dir.join("ssl.log"))?,
            quic: Dest::file(&dir.join("quic.log"))?,
            websocket: Dest::file(&dir.join("websocket.log"))?,
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
            all.push((&logs.ssl, Some(zeek::SSL)));
            all.push((&logs.quic, Some(zeek::QUIC)));
            all.push((&logs.websocket, Some(zeek::WEBSOCKET)));
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
                let action = tunnel::Action::Discover;
                tunnel::write(seen.first, &seen.encap, action, &self.names, self.form(), &mut bytes);
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

/// The tunnels that were told of, by all shards together.
type Tunnels = Arc<Mutex<HashSet<Uid>>>;

/// What is written by a live sensor, and where: shared by the shards.
pub struct Live {
    /// Which transactions.
    pub filter: Option<Arc<Filter>>,
    /// How transactions are written.
    pub format: Format,
    /// Form of the Zeek logs.
    pub form: Form,
    /// The logs: transactions, conn, weird, ssl, quic, websocket, tunnel.
    pub logs: [LogHandle; 7],
    /// Tunnels that were told of.
    pub tunnels: Tunnels,
    /// Where events wait for the connector.
    pub spool: Option<Arc<Spool>>,
    /// Names of virtual networks.
    pub names: VniNames,
}

/// The output of one shard.
pub struct Sinks {
    transactions: Way,
    conn: Option<Lines>,
    weird: Option<Lines>,
    ssl: Option<Lines>,
    quic: Option<Lines>,
    /// Where new tunnels are told of at once, those that were, and their names.
    tunnel: Option<(Lines, Tunnels, VniNames)>,
    form: Form,
    /// Missing bytes by virtual network.
    origins: Origins,
    /// What this shard saw, but for the transactions that another thread takes.
    summary: Summary,
}

/// Who takes transactions.
enum Way {
    /// The shard's thread.
    Here(Box<Transactions>),
    /// A thread of their own.
    Apart(Apart),
}

impl Way {
    /// With a spool they have a thread of their own, except where somebody looks on.
    fn of(transactions: Transactions, config: &Config, interactive: bool) -> Result<Self> {
        Ok(match transactions.events.is_some() && !interactive {
            true => {
                Self::Apart(Apart::start(transactions, config.prepare.clone(), Arc::clone(&config.trust))?)
            }
            false => Self::Here(Box::new(transactions)),
        })
    }
}

impl Sinks {
    /// The output of one of the shards that share `plan`, and have that configuration.
    pub fn new(plan: &Plan, config: &Config) -> Result<Self> {
        let lines = |dest: &Arc<Dest>| match plan.interactive {
            true => Lines::each(Arc::clone(dest)),
            false => Lines::blocks(Arc::clone(dest)),
        };
        let blocks = |dest: &Arc<Dest>| Lines::blocks(Arc::clone(dest));
        let transactions = Transactions {
            filter: plan.filter.clone(),
            writer: match plan.format {
                Format::Table => Writer::Table(Table::new(plan.palette, plan.width)),
                format => Writer::of(format, plan.form(), &plan.names),
            },
            lines: plan.transactions.as_ref().map(lines),
            websocket: plan.logs.as_ref().map(|logs| (blocks(&logs.websocket), plan.form())),
            events: plan.spool.as_ref().map(|spool| Events::new(spool, &plan.names)),
        };
        Ok(Self {
            transactions: Way::of(transactions, config, plan.interactive)?,
            conn: plan.logs.as_ref().map(|logs| blocks(&logs.conn)),
            weird: plan.logs.as_ref().map(|logs| blocks(&logs.weird)),
            ssl: plan.logs.as_ref().map(|logs| blocks(&logs.ssl)),
            quic: plan.logs.as_ref().map(|logs| blocks(&logs.quic)),
            tunnel: None,
            form: plan.form(),
            origins: Origins::default(),
            summary: Summary::default(),
        })
    }

    /// The output of one shard of a live sensor.
    pub fn live(plan: &Live, config: &Config) -> Result<Self> {
        let [lines, conn, weird, ssl, quic, websocket, tunnel] = plan.logs.clone().map(Lines::log);
        let transactions = Transactions {
            filter: plan.filter.clone(),
            writer: Writer::of(plan.format, plan.form, &plan.names),
            lines: Some(lines),
            websocket: Some((websocket, plan.form)),
            events: plan.spool.as_ref().map(|spool| Events::new(spool, &plan.names)),
        };
        Ok(Self {
            transactions: Way::of(transactions, config, false)?,
            conn: Some(conn),
            weird: Some(weird),
            ssl: Some(ssl),
            quic: Some(quic),
            tunnel: Some((tunnel, Arc::clone(&plan.tunnels), plan.names.clone())),
            form: plan.form,
            origins: Origins::default(),
            summary: Summary::default(),
        })
    }

    /// Gives on what is still in the buffers.
    pub fn flush(&mut self) {
        let tunnel = self.tunnel.as_mut().map(|(lines, ..)| lines);
        for lines in [&mut self.conn, &mut self.weird, &mut self.ssl, &mut self.quic]
            .into_iter()
            .flatten()
            .chain(tunnel)
        {
            lines.flush();
        }
        match &mut self.transactions {
            Way::Here(transactions) => transactions.flush(),
            Way::Apart(apart) => apart.send(),
        }
    }

    /// Has everything written, and counted.
    pub fn end(&mut self) {
        if let Way::Apart(apart) = &mut self.transactions {
            let transactions = apart.end();
            self.summary.merge(std::mem::take(&mut apart.summary()));
            if let Some(transactions) = transactions {
                self.transactions = Way::Here(Box::new(transactions));
            }
        }
        self.flush();
    }

    /// What this shard saw; complete once it was ended.
    pub fn into_summary(self) -> Summary {
        self.summary
    }

    /// Transactions so far by the first digit of their status, and as many of the most frequent endpoints.
    pub fn transactions(&self, endpoints: usize) -> ([u64; 10], Vec<(String, u64)>) {
        let of = |summary: &Summary| (summary.by_class(), summary.endpoints(endpoints));
        match &self.transactions {
            Way::Here(_) => of(&self.summary),
            Way::Apart(apart) => of(&apart.summary()),
        }
    }

    /// What is encrypted, so far, with at most so many names of each kind.
    pub fn encrypted(&self, names: usize) -> Encrypted {
        self.summary.encrypted(names)
    }

    /// Missing bytes, transactions and TLS by virtual network; nothing else of them is counted here.
    pub const fn origins(&self) -> &Origins {
        &self.origins
    }

    /// The counters of a connection's virtual network.
    fn origin(&mut self, flow: &FlowInfo) -> &mut Seen {
        self.origins.of(Origin { source: 0, vni: flow.encap.vni })
    }

    /// Tells of the tunnels of a connection, if no shard has.
    fn discover(&mut self, closed: &Closed<'_>) {
        let Some((lines, told, names)) = &mut self.tunnel else { return };
        for encap in [Dir::Orig, Dir::Resp].into_iter().filter_map(|dir| closed.flow.encap_of(dir)) {
            let Some(uid) = Uid::tunnel(encap) else { continue };
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            if told.len() < crate::summary::MAX_NAMES && told.insert(uid) {
                lines.append(|out| {
                    let action = tunnel::Action::Discover;
                    tunnel::write(closed.flow.start(), encap, action, names, self.form, out);
                });
            }
        }
    }
}

impl Output for Sinks {
    fn keep(
        &mut self,
        flow: &Arc<FlowInfo>,
        exchange: Exchange,
    ) -> std::result::Result<Option<Exchange>, Exchange> {
        self.origin(flow).transactions += 1;
        match &mut self.transactions {
            Way::Here(_) => Err(exchange),
            Way::Apart(apart) => Ok(apart.take(flow, exchange)),
        }
    }

    fn transaction(&mut self, transaction: &Transaction<'_>) {
        if let Way::Here(transactions) = &mut self.transactions
            && transactions.count(transaction, &mut self.summary)
        {
            transactions.write(transaction);
        }
    }

    fn aside(&mut self, transaction: &Transaction<'_>) {
        self.transaction(transaction);
    }

    fn closed(&mut self, closed: &Closed<'_>) {
        if self.summary.closed(closed) {
            self.discover(closed);
        }
        if let Some(lines) = &mut self.conn {
            lines.append(|out| closed.record().write(self.form, out));
        }
    }

    fn tls(&mut self, flow: &FlowInfo, tls: &Tls) {
        self.origin(flow).tls += 1;
        if let Some(lines) = &mut self.ssl {
            lines.append(|out| ssl::write(flow, tls, self.form, out));
        }
    }

    fn quic(&mut self, flow: &FlowInfo, hello: &Quic) {
        self.summary.quic(hello);
        if let Some(lines) = &mut self.quic {
            lines.append(|out| quic::write(flow, hello, self.form, out));
        }
    }

    fn gap(&mut self, flow: &Flow, gap: &Gap) {
        let vni = flow.encap().and_then(|encap| encap.vni);
        self.origins.of(Origin { source: flow.source(), vni }).gaps += gap.len;
    }

    fn weird(&mut self, weird: &Weird<'_>) {
        self.summary.weird += 1;
        if let Some(lines) = &mut self.weird {
            lines.append(|out| weird.write(self.form, out));
        }
    }
}
