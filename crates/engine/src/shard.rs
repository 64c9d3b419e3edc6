//! Segments to transactions.
use crate::front::QuicHello;
use crate::output::{Closed, Output};
use harken_event::zeek::weird::Weird;
use harken_event::{FlowInfo, Form, Preparation, Transaction, Trust};
use harken_flow::{Chunk, CloseReason, Dir, Flow, FlowTable, Gap, Handler, Shedding, TunnelInKey, Verdict};
use harken_http::probe::{self, Look};
use harken_http::{Analyzer, Conn};
use harken_wire::{Encap, Segment, Timestamp};
use std::sync::Arc;

/// Settings of a [`Shard`].
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Limits and time-outs of flows and reassembly.
    pub flow: harken_flow::Config,
    /// Limits of HTTP.
    pub http: harken_http::Limits,
    /// The form in which Zeek logs are going to be written.
    pub form: Form,
    /// Seed of the Community ID; the default 0 is what other tools use.
    pub community_id_seed: u16,
    /// Makes each transaction ready before it is handed on.
    pub prepare: Preparation,
    /// Whose word about the client of a request counts.
    pub trust: Arc<Trust>,
}

/// The shard that a segment belongs to, of `shards`: both directions of a flow go to the same one.
pub fn shard_of(segment: &Segment<'_>, key: TunnelInKey, shards: usize) -> usize {
    if shards <= 1 {
        return 0;
    }
    (harken_flow::key_hash(segment, key) % shards as u64) as usize
}

/// A shard: it owns everything that it touches, and runs each segment to completion.
pub struct Shard<O> {
    table: FlowTable<State>,
    core: Core<O>,
}

/// What the shard keeps of each flow beside the flow itself.
pub(crate) struct State {
    conn: Option<Conn>,
    info: Option<Arc<FlowInfo>>,
}

/// The consumer of ordered bytes.
struct Core<O> {
    analyzer: Analyzer,
    output: O,
    form: Form,
    seed: u16,
    prepare: Preparation,
    trust: Arc<Trust>,
    /// What flows without a tunnel have in place of one.
    no_tunnel: Arc<Encap>,
}

impl<O: Output> Shard<O> {
    /// A shard that hands its results to `output`.
    pub fn new(config: &Config, output: O) -> Self {
        let core = Core {
            analyzer: Analyzer::new(config.http),
            output,
            form: config.form,
            seed: config.community_id_seed,
            prepare: config.prepare.clone(),
            trust: Arc::clone(&config.trust),
            no_tunnel: Arc::default(),
        };
        Self { table: FlowTable::new(config.flow), core }
    }

    /// Takes one segment.
    #[inline]
    pub fn segment(&mut self, ts: Timestamp, segment: &Segment<'_>) {
        self.table.segment(ts, segment, &mut self.core);
    }

    /// Takes segments that are at hand together, in order. It does what [`Shard::segment`] does for each of
    /// them; with tens of thousands of flows it is faster, since the flows are looked up ahead.
    pub fn segments(&mut self, batch: &[(Timestamp, Segment<'_>)]) {
        self.table.segments(batch, &mut self.core);
    }

    /// Takes a connection of QUIC that has begun.
    pub fn quic(&mut self, hello: QuicHello) {
        let QuicHello { client, server, encap, quic } = hello;
        let Core { form, seed, output, .. } = &mut self.core;
        let flow = FlowInfo::new(client, server, Arc::new(encap), quic.start, *form, *seed);
        output.quic(&flow, &quic);
    }

    /// Sets what is left undone from here on, because more arrives than there is time for. Without `bodies` no
    /// content coding is decoded and nothing is kept of bodies that begin from here on; their sizes on the wire
    /// are counted as ever.
    pub fn shed(&mut self, bodies: bool, flows: Shedding) {
        self.core.analyzer.shed_bodies(bodies);
        self.table.shed(flows);
    }

    /// Where segments come from, from here on, by a number of the caller's: flows that begin keep it
    /// ([`harken_flow::Flow::source`]).
    pub const fn set_source(&mut self, source: u16) {
        self.table.set_source(source);
    }

    /// Time passes without a segment for this shard.
    pub fn advance(&mut self, ts: Timestamp) {
        self.table.advance(ts, &mut self.core);
    }

    /// The input is over: every flow is closed.
    pub fn finish(&mut self) {
        self.table.finish(&mut self.core);
    }

    /// Counters of flows and reassembly.
    pub fn flow_stats(&self) -> &harken_flow::Stats {
        self.table.stats()
    }

    /// Counters of HTTP.
    pub const fn http_stats(&self) -> &harken_http::Stats {
        self.core.analyzer.stats()
    }

    /// Where the results go.
    pub const fn output(&mut self) -> &mut O {
        &mut self.core.output
    }

    /// Gives the output back.
    pub fn into_output(self) -> O {
        self.core.output
    }
}

impl<O: Output> Core<O> {
    fn info<'s>(&self, flow: &Flow, slot: &'s mut Option<Arc<FlowInfo>>) -> &'s FlowInfo {
        slot.get_or_insert_with(|| {
            let encap = Arc::clone(flow.encap().unwrap_or(&self.no_tunnel));
            Arc::new(FlowInfo::new(flow.orig(), flow.resp(), encap, flow.start(), self.form, self.seed))
        })
    }

    /// Hands on what the analyzer has ready.
    fn drain(&mut self, flow: &Flow, state: &mut State, ts: Timestamp) {
        if state.info.is_none() {
            self.info(flow, &mut state.info);
            let proxied = state.conn.as_ref().and_then(Conn::proxied);
            if let Some(info) = state.info.as_mut().filter(|_| proxied.is_some()).and_then(Arc::get_mut) {
                info.proxied = proxied;
            }
        }
        let Some(info) = &state.info else { return };
        while let Some(exchange) = self.analyzer.take() {
            let mut exchange = match self.output.keep(info, exchange) {
                Err(exchange) => exchange,
                Ok(used) => {
                    if let Some(used) = used {
                        self.analyzer.recycle(used);
                    }
                    continue;
                }
            };
            self.prepare.prepare(&mut exchange);
            let masking = self.prepare.masking.as_ref();
            let trust = &*self.trust;
            let transaction = Transaction { flow: info, exchange: &exchange, masking, trust };
            match exchange.is_aside() {
                false => self.output.transaction(&transaction),
                true => self.output.aside(&transaction),
            }
            self.analyzer.recycle(exchange);
        }
        if let Some(tls) = self.analyzer.take_tls() {
            self.output.tls(info, &tls);
        }
        while let Some(name) = self.analyzer.take_weird() {
            let source = Some("HTTP");
            self.output.weird(&Weird { ts, flow: Some(info), name, addl: None, peer: PEER, source });
        }
    }
}

/// Name of the sensor in `weird.log`, as Zeek names a single process.
const PEER: &str = "harken";

fn conn<'s>(analyzer: &Analyzer, flow: &Flow, slot: &'s mut Option<Conn>) -> &'s mut Conn {
    slot.get_or_insert_with(|| analyzer.open(flow.resp().1, !flow.handshake_seen()))
}

impl<O: Output> Handler for Core<O> {
    type State = State;

    fn open(&mut self, _flow: &Flow) -> State {
        State { conn: None, info: None }
    }

    fn orient(&mut self, bytes: &[u8]) -> Option<Dir> {
        match (probe::look(bytes, false), bytes) {
            (Look::Request | Look::Http2, _) => Some(Dir::Orig),
            (Look::Response, _) => Some(Dir::Resp),
            // Handshake type of the first message: ClientHello or ServerHello.
            (Look::Tls, [0x16, _, _, _, _, 1, ..]) => Some(Dir::Orig),
            (Look::Tls, [0x16, _, _, _, _, 2, ..]) => Some(Dir::Resp),
            _ => None,
        }
    }

    #[inline]
    fn warm(&self, dir: Dir, state: &State) {
        if let Some(conn) = &state.conn {
            conn.prefetch();
        }
        // Records are written when the responder speaks.
        if dir == Dir::Resp
            && let Some(info) = &state.info
        {
            info.prefetch();
        }
    }

    #[inline]
    fn data(&mut self, flow: &Flow, state: &mut State, chunk: Chunk<'_>) -> Verdict {
        let conn = conn(&self.analyzer, flow, &mut state.conn);
        let verdict = self.analyzer.data(conn, &chunk);
        if !self.analyzer.is_idle() {
            self.drain(flow, state, chunk.ts);
        }
        verdict
    }

    fn gap(&mut self, flow: &Flow, state: &mut State, gap: Gap) -> Verdict {
        self.output.gap(flow, &gap);
        let conn = conn(&self.analyzer, flow, &mut state.conn);
        let verdict = self.analyzer.gap(conn, &gap);
        if !self.analyzer.is_idle() {
            self.drain(flow, state, gap.ts);
        }
        verdict
    }

    fn end(&mut self, flow: &Flow, state: &mut State, dir: Dir, ts: Timestamp) {
        if let Some(conn) = &mut state.conn {
            self.analyzer.end(conn, dir, ts);
            if !self.analyzer.is_idle() {
                self.drain(flow, state, ts);
            }
        }
    }

    fn look(&mut self, flow: &Flow, state: &mut State, now: Timestamp) {
        if let Some(conn) = &mut state.conn {
            self.analyzer.look(conn, now);
            if !self.analyzer.is_idle() {
                self.drain(flow, state, now);
            }
        }
    }

    fn close(&mut self, flow: &Flow, mut state: State, reason: CloseReason) {
        if let Some(conn) = &mut state.conn {
            self.analyzer.close(conn, flow.last());
            if !self.analyzer.is_idle() {
                self.drain(flow, &mut state, flow.last());
            }
        }
        let info = self.info(flow, &mut state.info);
        self.output.closed(&Closed { flow, info, conn: state.conn.as_ref(), reason });
    }

    fn weird(&mut self, flow: &Flow, name: &'static str, ts: Timestamp) {
        // The roles may not be settled yet, so that the identity is not kept.
        let mut slot = None;
        let info = self.info(flow, &mut slot);
        let source = Some("TCP");
        self.output.weird(&Weird { ts, flow: Some(info), name, addl: None, peer: PEER, source });
    }
}
