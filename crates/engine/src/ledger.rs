//! The books: what became of every packet, byte and transaction. Each section's parts add up to its total,
//! always; [`Ledger::check`] says where they do not.
use crate::front::FrontStats;
use harken_http::{Pairing, Protocol, Seen};

/// One sum of the ledger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Section {
    /// What is counted.
    pub name: &'static str,
    /// How much of it there was.
    pub total: u64,
    /// What became of it. The names are stable; a dot separates a reason from its group.
    pub parts: Vec<(String, u64)>,
}

/// Everything that was counted.
#[derive(Clone, Default, Debug)]
pub struct Ledger {
    /// Frames and fragments.
    pub front: FrontStats,
    /// Flows and reassembly, all shards together.
    pub flow: harken_flow::Stats,
    /// HTTP, all shards together.
    pub http: harken_http::Stats,
}

impl Ledger {
    /// A ledger of these counters.
    pub const fn new(front: FrontStats, flow: harken_flow::Stats, http: harken_http::Stats) -> Self {
        Self { front, flow, http }
    }

    /// Frames taken in.
    pub fn packets(&self) -> u64 {
        self.front.wire.frames.received() + self.front.unknown_link
    }

    /// The sums.
    pub fn sections(&self) -> Vec<Section> {
        vec![
            self.packet_section(),
            self.fragment_section(),
            self.segment_section(),
            self.flow_section(),
            self.payload_section(),
            self.stream_section(),
            self.transaction_section(),
            seen("requests", self.http.exchanges, self.http.seen[0]),
            seen("responses", self.http.exchanges, self.http.seen[1]),
        ]
    }

    /// Counters that belong to no sum: (name, value).
    pub fn notes(&self) -> Vec<(&'static str, u64)> {
        let (wire, flow, http) = (&self.front.wire, &self.flow, &self.http);
        let mut notes = vec![
            ("packets cut short by the capture", wire.truncated_packets),
            ("bytes cut off packets", wire.truncated_bytes),
            ("checksums right", wire.checksums_good),
            ("checksums wrong", wire.checksums_bad),
            ("checksums of cut packets", wire.checksums_unverified),
            ("vxlan reserved bits set", wire.vxlan_reserved_bits),
            ("geneve unknown critical options", wire.geneve_unknown_critical),
            ("geneve bad option lists", wire.geneve_bad_options),
            ("datagrams put together from fragments", self.front.defrag.datagrams),
            ("fragments that overlap", self.front.defrag.overlaps),
            ("fragments that differ from earlier ones", self.front.defrag.inconsistent),
            ("datagrams that may begin QUIC", self.front.quic.datagrams),
            ("initial packets of quic clients", self.front.quic.initials),
            ("quic connections", self.front.quic.hellos),
            ("quic connections without a whole hello", self.front.quic.unfinished),
            ("segments out of order", flow.out_of_order),
            ("duplicate segments", flow.duplicate_packets),
            ("retransmissions that differ", flow.inconsistent),
            ("implausible acknowledgements", flow.implausible_acks),
            ("clock steps backwards", flow.clock_steps),
            ("flows evicted half-open", flow.evicted_half_open),
            ("flows at once, at most", flow.flows_peak),
            ("requests", http.requests),
            ("responses", http.responses),
            ("transactions told of before their end", http.early),
            ("messages that look like request smuggling", http.desync),
            ("heads over the limit", http.heads_cut),
            ("requests given up for being too many", http.pending_dropped),
            ("connections undecided for being too many", http.undecided_dropped),
            ("bodies not decoded", http.decode_failed),
            ("bodies over the limit of decoders", http.decoders_exhausted),
            ("bodies shed under load", http.bodies_shed),
            ("reading resumed behind a gap", http.resynced),
            ("connections with HTTP", http.connections),
        ];
        for (name, count) in Protocol::NOTES.iter().zip(http.opaque) {
            notes.push((name, count));
        }
        notes
    }

    /// Says which sum does not add up.
    ///
    /// # Errors
    /// The first section whose parts do not add up to its total, with both figures.
    pub fn check(&self) -> Result<(), String> {
        for section in self.sections() {
            let sum = section.parts.iter().map(|(_, count)| count).sum::<u64>();
            if sum != section.total {
                return Err(format!(
                    "{}: {} in all, but the parts add up to {sum}",
                    section.name, section.total
                ));
            }
        }
        Ok(())
    }

    fn packet_section(&self) -> Section {
        let frames = &self.front.wire.frames;
        let mut parts = vec![("tcp".to_owned(), frames.tcp), ("fragments".to_owned(), frames.fragments)];
        parts.extend(ignored(frames));
        parts.push(("ignored.unknown_link_type".to_owned(), self.front.unknown_link));
        Section { name: "packets", total: self.packets(), parts }
    }

    fn fragment_section(&self) -> Section {
        let wire = &self.front.wire;
        let defrag = &self.front.defrag;
        let parts = [
            ("assembled", defrag.assembled),
            ("waiting", defrag.waiting),
            ("given_up", defrag.given_up),
            ("refused.empty", defrag.refused.empty),
            ("refused.oversize", defrag.refused.oversize),
            ("refused.unaligned", defrag.refused.unaligned),
            ("refused.truncated", defrag.refused.truncated),
        ];
        let total = wire.frames.fragments + wire.resumed.fragments;
        Section { name: "fragments", total, parts: named(parts) }
    }

    fn segment_section(&self) -> Section {
        let wire = &self.front.wire;
        let shed = &self.flow.shed;
        let parts = [
            ("flow", self.flow.packets),
            ("shed.opaque", shed.opaque),
            ("shed.new_flows", shed.new_flows),
            ("shed.share", shed.share),
        ];
        Section { name: "segments", total: wire.frames.tcp + wire.resumed.tcp, parts: named(parts) }
    }

    fn flow_section(&self) -> Section {
        let names = ["finished", "idle", "reused", "evicted", "end_of_input"];
        let mut parts: Vec<_> = names
            .iter()
            .zip(self.flow.closed)
            .map(|(name, count)| (format!("closed.{name}"), count))
            .collect();
        parts.push(("open".to_owned(), self.flow.flows));
        Section { name: "flows", total: self.flow.opened, parts }
    }

    fn payload_section(&self) -> Section {
        let flow = &self.flow;
        let dropped = &flow.dropped;
        let parts = [
            ("delivered", flow.delivered_bytes),
            ("opaque", flow.opaque_bytes),
            ("duplicate", flow.duplicate_bytes),
            ("held", flow.held_bytes),
            ("dropped.before_start", dropped.before_start),
            ("dropped.after_fin", dropped.after_fin),
            ("dropped.in_rst", dropped.in_rst),
            ("dropped.in_syn", dropped.in_syn),
            ("dropped.implausible", dropped.implausible),
            ("dropped.over_budget", dropped.over_budget),
        ];
        Section { name: "payload bytes", total: flow.payload_bytes, parts: named(parts) }
    }

    fn stream_section(&self) -> Section {
        let flow = &self.flow;
        let [acknowledged, truncated, budget, closed] = flow.gap_bytes;
        let gaps = acknowledged + truncated + budget + closed;
        let parts = [
            ("parsed", self.http.parsed),
            ("passed_over", self.http.skipped),
            ("opaque", flow.opaque_bytes),
            ("gap.acknowledged", acknowledged),
            ("gap.truncated", truncated),
            ("gap.budget", budget),
            ("gap.closed", closed),
        ];
        let total = flow.delivered_bytes + flow.opaque_bytes + gaps;
        Section { name: "stream bytes", total, parts: named(parts) }
    }

    fn transaction_section(&self) -> Section {
        let parts = Pairing::ALL.iter().zip(self.http.pairings);
        let parts: Vec<_> = parts.map(|(pairing, count)| (pairing.name().to_owned(), count)).collect();
        Section { name: "transactions", total: self.http.exchanges, parts }
    }
}

/// Exchanges by how much of one of their messages was seen.
fn seen(name: &'static str, total: u64, counts: [u64; Seen::COUNT]) -> Section {
    let parts = Seen::ALL.iter().zip(counts).map(|(seen, count)| (seen.name().to_owned(), count)).collect();
    Section { name, total, parts }
}

fn named<const N: usize>(parts: [(&str, u64); N]) -> Vec<(String, u64)> {
    parts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
}

fn ignored(outcomes: &harken_wire::Outcomes) -> impl Iterator<Item = (String, u64)> + '_ {
    outcomes
        .ignored
        .iter()
        .map(|(layer, reason, count)| (format!("ignored.{}.{}", layer.name(), reason.name()), count))
}
