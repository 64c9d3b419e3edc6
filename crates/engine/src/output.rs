//! Where a shard's results go.
use harken_event::zeek::conn::{Conn as ConnRecord, Sent};
use harken_event::zeek::weird::Weird;
use harken_event::{FlowInfo, Transaction};
use harken_flow::{CloseReason, Dir, Flow, Gap};
use harken_http::{Conn, Exchange, Protocol, Quic, Tls};
use std::sync::Arc;

/// Takes what a shard finds, as it finds it. Everything but what [`Output::keep`] is given is lent: what is to be kept
/// must be copied or written.
pub trait Output {
    /// An exchange is over, and may be kept as it is, which is not masked. Who does so gives back another one that is
    /// used up, if there is one: its memory is used again. Who does not (`Err`) gets its [`Self::transaction`].
    fn keep(&mut self, _flow: &Arc<FlowInfo>, exchange: Exchange) -> Result<Option<Exchange>, Exchange> {
        Err(exchange)
    }

    /// One transaction is over.
    fn transaction(&mut self, transaction: &Transaction<'_>);

    /// Something is told beside a transaction that is given before or later: that it goes on for long, or what the WebSocket
    /// connection was that it has begun ([`harken_http::Exchange::is_aside`]).
    fn aside(&mut self, _transaction: &Transaction<'_>) {}

    /// One connection is over.
    fn closed(&mut self, closed: &Closed<'_>);

    /// The handshake of a TLS connection is over, or will not be seen any further.
    fn tls(&mut self, _flow: &FlowInfo, _tls: &Tls) {}

    /// A client has begun a connection of QUIC.
    fn quic(&mut self, _flow: &FlowInfo, _quic: &Quic) {}

    /// Something odd was seen.
    fn weird(&mut self, weird: &Weird<'_>);

    /// Bytes of a stream are missing.
    fn gap(&mut self, _flow: &Flow, _gap: &Gap) {}
}

/// A connection that is over.
pub struct Closed<'a> {
    /// The flow with its final counters.
    pub flow: &'a Flow,
    /// Its identity in the logs.
    pub info: &'a FlowInfo,
    /// What was found out about its contents; `None` when it carried no bytes.
    pub conn: Option<&'a Conn>,
    /// Why it is over.
    pub reason: CloseReason,
}

impl<'a> Closed<'a> {
    /// What the connection carried, by Zeek's service names.
    pub fn service(&self) -> Option<&'static str> {
        let conn = self.conn?;
        match (conn.is_http(), conn.opaque()) {
            (_, Some(Protocol::Tls(_))) => Some("ssl"),
            (_, Some(Protocol::WebSocket)) => Some("http,websocket"),
            (true, _) => Some(if conn.is_http2() { "http2" } else { "http" }),
            (false, _) => None,
        }
    }

    /// The server name of a TLS connection.
    pub fn server_name(&self) -> Option<&'a str> {
        match self.conn?.opaque()? {
            Protocol::Tls(name) => name.as_deref(),
            _ => None,
        }
    }

    /// Whether the connection is encrypted.
    pub fn is_tls(&self) -> bool {
        matches!(self.conn.and_then(Conn::opaque), Some(Protocol::Tls(_)))
    }

    /// The record for `conn.log`.
    pub fn record(&self) -> ConnRecord<'a> {
        let sent = |dir: Dir| {
            let counters = self.flow.counters(dir);
            Sent { bytes: counters.size, packets: counters.packets, ip_bytes: counters.ip_bytes }
        };
        let missed = |dir: Dir| self.flow.counters(dir).missed_bytes;
        ConnRecord {
            flow: self.info,
            service: self.service(),
            duration: self.flow.last().since(self.flow.start()),
            orig: sent(Dir::Orig),
            resp: sent(Dir::Resp),
            state: self.flow.conn_state().as_str(),
            missed_bytes: missed(Dir::Orig) + missed(Dir::Resp),
            history: self.flow.history().as_bytes(),
            other_encap: self.flow.encap_of(Dir::Resp).map(|encap| &**encap),
        }
    }
}
