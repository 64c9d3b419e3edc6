//! What a run saw, for people: counted as it goes, merged over the shards, printed at the end.
use crate::sinks::table::printable;
use crate::style::{Palette, counted, grouped, human_bytes, human_nanos};
use foldhash::HashMap;
use harken_engine::Closed;
use harken_event::{Transaction, Uid};
use harken_flow::Dir;
use harken_http::{Known, Pairing, Quic};
use harken_wire::{Encap, Timestamp};
use std::fmt::Write as _;
use std::sync::Arc;

/// Distinct names that a list counts, and distinct tunnels; further ones are counted together.
pub const MAX_NAMES: usize = 10_000;
/// Bytes of a name that are kept: longer ones that begin alike are counted as one.
const MAX_NAME: usize = 256;

/// Counts by name, bounded.
#[derive(Default)]
pub struct Top {
    counts: HashMap<Box<[u8]>, u64>,
    others: u64,
}

impl Top {
    fn add(&mut self, name: &[u8], by: u64) {
        let name = name.get(..MAX_NAME).unwrap_or(name);
        if let Some(count) = self.counts.get_mut(name) {
            *count += by;
        } else if self.counts.len() < MAX_NAMES {
            self.counts.insert(name.into(), by);
        } else {
            self.others += by;
        }
    }

    fn merge(&mut self, other: Self) {
        for (name, count) in other.counts {
            self.add(&name, count);
        }
        self.others += other.others;
    }

    /// The `n` largest, largest first; equal counts by name.
    fn largest(&self, n: usize) -> Vec<(&[u8], u64)> {
        if n == 0 {
            return Vec::new();
        }
        let mut all: Vec<_> = self.counts.iter().map(|(name, count)| (name.as_ref(), *count)).collect();
        all.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        all.truncate(n);
        all
    }
}

/// What cannot be read since it is encrypted, of connections that are over.
#[derive(Clone, Default, Debug)]
pub struct Encrypted {
    /// Connections with TLS.
    pub tls: u64,
    /// Bytes of their packets.
    pub tls_bytes: u64,
    /// Bytes of all connections.
    pub all_bytes: u64,
    /// Connections with QUIC, when they begin. Their bytes are not counted.
    pub quic: u64,
    /// Bytes of TLS by port of the server, largest first.
    pub ports: Vec<(String, u64)>,
    /// Bytes of TLS by server name, largest first.
    pub names: Vec<(String, u64)>,
}

impl Encrypted {
    /// Adds what another shard counted.
    pub fn add(&mut self, other: &Self) {
        self.tls += other.tls;
        self.tls_bytes += other.tls_bytes;
        self.all_bytes += other.all_bytes;
        self.quic += other.quic;
        add_named(&mut self.ports, &other.ports);
        add_named(&mut self.names, &other.names);
    }
}

/// Adds counts by name, and has the largest first.
pub fn add_named(mine: &mut Vec<(String, u64)>, theirs: &[(String, u64)]) {
    for (name, count) in theirs {
        match mine.iter_mut().find(|(known, _)| known == name) {
            Some((_, mine)) => *mine += count,
            None => mine.push((name.clone(), *count)),
        }
    }
    mine.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
}

/// What came through one tunnel.
#[derive(Clone, Copy)]
pub struct TunnelSeen {
    /// Its outermost endpoints, kind and identifier.
    pub encap: Encap,
    /// Start of its first flow.
    pub first: Timestamp,
    flows: u64,
    packets: u64,
    bytes: u64,
}

/// Counters of a run.
#[derive(Default)]
pub struct Summary {
    transactions: u64,
    /// By the status code's first digit; 0 stands for no status, too.
    by_class: [u64; 10],
    methods: Top,
    hosts: Top,
    endpoints: Top,
    tags: Top,
    flows: u64,
    flow_bytes: u64,
    tls_flows: u64,
    tls_bytes: u64,
    /// Bytes of TLS by server name.
    tls_names: Top,
    /// The same by port of the server.
    tls_ports: Top,
    quic: u64,
    /// Connections of QUIC by server name.
    quic_names: Top,
    http_flows: u64,
    duration_total: u64,
    answered: u64,
    tunnels: HashMap<Uid, TunnelSeen>,
    /// Packets through tunnels beyond the limit.
    other_tunnel_packets: u64,
    first: Option<Timestamp>,
    last: Timestamp,
    endpoint: Vec<u8>,
    /// Transactions that the filter left out.
    pub filtered: u64,
    /// Oddities.
    pub weird: u64,
}

impl Summary {
    /// Counts a transaction.
    pub fn transaction(&mut self, transaction: &Transaction<'_>) {
        self.transactions += 1;
        let exchange = transaction.exchange;
        let status = exchange.response.as_ref().map_or(0, |m| m.status);
        if let Some(count) = self.by_class.get_mut(usize::from(status / 100)) {
            *count += 1;
        }
        if exchange.pairing != Pairing::Paired {
            self.tags.add(exchange.pairing.name().as_bytes(), 1);
        }
        let Some(request) = exchange.request.as_ref() else { return };
        if let Some(response) = exchange.response.as_ref() {
            self.answered += 1;
            self.duration_total += response.end.since(request.start);
        }
        self.methods.add(request.method(), 1);
        let host = request.known(Known::Host).unwrap_or(b"-");
        self.hosts.add(host, 1);
        let mut endpoint = std::mem::take(&mut self.endpoint);
        endpoint.clear();
        endpoint.extend_from_slice(request.method());
        endpoint.push(b' ');
        endpoint.extend_from_slice(if request.target().starts_with(b"/") { host } else { b"" });
        template(request.target(), &mut endpoint);
        self.endpoints.add(&endpoint, 1);
        self.endpoint = endpoint;
    }

    /// What is encrypted, with at most so many names of each kind.
    pub fn encrypted(&self, names: usize) -> Encrypted {
        let named = |top: &Top| {
            let largest = top.largest(names).into_iter();
            largest.map(|(name, bytes)| (printable(name), bytes)).collect()
        };
        Encrypted {
            tls: self.tls_flows,
            tls_bytes: self.tls_bytes,
            all_bytes: self.flow_bytes,
            quic: self.quic,
            ports: named(&self.tls_ports),
            names: named(&self.tls_names),
        }
    }

    /// Counts a connection of QUIC.
    pub fn quic(&mut self, quic: &Quic) {
        self.quic += 1;
        self.quic_names.add(quic.server_name.as_deref().unwrap_or("(no server name)").as_bytes(), 1);
    }

    /// Counts a connection. Returns whether it came through a tunnel that is new.
    pub fn closed(&mut self, closed: &Closed<'_>) -> bool {
        let known = self.tunnels.len();
        let (orig, resp) = (closed.flow.counters(Dir::Orig), closed.flow.counters(Dir::Resp));
        let bytes = orig.ip_bytes + resp.ip_bytes;
        self.flows += 1;
        self.flow_bytes += bytes;
        self.http_flows += u64::from(closed.conn.is_some_and(harken_http::Conn::is_http));
        if closed.is_tls() {
            self.tls_flows += 1;
            self.tls_bytes += bytes;
            self.tls_names.add(closed.server_name().unwrap_or("(no server name)").as_bytes(), bytes);
            self.tls_ports.add(closed.flow.resp().1.to_string().as_bytes(), bytes);
        }
        self.first = Some(self.first.map_or(closed.flow.start(), |first| first.min(closed.flow.start())));
        self.last = self.last.max(closed.flow.last());
        let mut same: Option<(&Arc<Encap>, Uid)> = None;
        for (dir, counters) in [(Dir::Orig, orig), (Dir::Resp, resp)] {
            let Some(encap) = closed.flow.encap_of(dir) else { continue };
            let known = same.filter(|(of, _)| Arc::ptr_eq(*of, encap)).map(|(_, uid)| uid);
            let Some(uid) = known.or_else(|| Uid::tunnel(encap)) else { continue };
            same = Some((encap, uid));
            let encap = **encap;
            let first = closed.flow.start();
            let (packets, bytes) = (counters.packets, counters.ip_bytes);
            self.tunnel(uid, TunnelSeen { encap, first, flows: 1, packets, bytes });
        }
        self.tunnels.len() > known
    }

    /// Transactions by the first digit of their status code; 0 stands for none.
    pub const fn by_class(&self) -> [u64; 10] {
        self.by_class
    }

    /// The `n` most frequent endpoints, printable.
    pub fn endpoints(&self, n: usize) -> Vec<(String, u64)> {
        let largest = self.endpoints.largest(n).into_iter();
        largest.map(|(name, count)| (printable(name), count)).collect()
    }

    fn tunnel(&mut self, uid: Uid, seen: TunnelSeen) {
        if let Some(tunnel) = self.tunnels.get_mut(&uid) {
            tunnel.first = tunnel.first.min(seen.first);
            tunnel.flows += seen.flows;
            tunnel.packets += seen.packets;
            tunnel.bytes += seen.bytes;
        } else if self.tunnels.len() < MAX_NAMES {
            self.tunnels.insert(uid, seen);
        } else {
            self.other_tunnel_packets += seen.packets;
        }
    }

    /// The tunnels, in the order in which they were first seen.
    pub fn tunnels(&self) -> Vec<&TunnelSeen> {
        let mut tunnels: Vec<_> = self.tunnels.values().collect();
        tunnels.sort_by(|a, b| a.first.cmp(&b.first).then(a.encap.outer.cmp(&b.encap.outer)));
        tunnels
    }

    /// Adds what another shard counted.
    pub fn merge(&mut self, other: Self) {
        self.transactions += other.transactions;
        for (mine, theirs) in self.by_class.iter_mut().zip(other.by_class) {
            *mine += theirs;
        }
        self.methods.merge(other.methods);
        self.hosts.merge(other.hosts);
        self.endpoints.merge(other.endpoints);
        self.tags.merge(other.tags);
        self.filtered += other.filtered;
        self.weird += other.weird;
        self.flows += other.flows;
        self.flow_bytes += other.flow_bytes;
        self.tls_flows += other.tls_flows;
        self.tls_bytes += other.tls_bytes;
        self.tls_names.merge(other.tls_names);
        self.tls_ports.merge(other.tls_ports);
        self.quic += other.quic;
        self.quic_names.merge(other.quic_names);
        self.http_flows += other.http_flows;
        self.duration_total += other.duration_total;
        self.answered += other.answered;
        for (uid, theirs) in other.tunnels {
            self.tunnel(uid, theirs);
        }
        self.other_tunnel_packets += other.other_tunnel_packets;
        self.first = match (self.first, other.first) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self.last = self.last.max(other.last);
    }

    /// The part about connections and transactions; the ledger adds packets and losses.
    pub fn print(&self, top: usize, palette: Palette) -> String {
        let mut out = String::new();
        let mut row = |name: &str, text: String| {
            if !text.is_empty() {
                let _ = writeln!(out, "{} {text}", palette.bold(&format!("{name:<13}")));
            }
        };
        if let Some(first) = self.first {
            let seconds = self.last.since(first) as f64 / 1e9;
            let rate = self.transactions as f64 / seconds;
            let rate =
                if rate.is_finite() && rate >= 1.0 { format!(", {rate:.0} a second") } else { String::new() };
            row("transactions", format!("{} in {seconds:.1} s of traffic{rate}", grouped(self.transactions)));
        }
        if self.transactions > 0 {
            row("status", self.classes(palette));
            if let Some(mean) = self.duration_total.checked_div(self.answered) {
                row("answered", format!("{}, {} on average", grouped(self.answered), human_nanos(mean)));
            }
            row("methods", list(&self.methods, top));
        }
        if !self.tags.counts.is_empty() {
            row("unpaired", palette.warn(&list(&self.tags, usize::MAX)));
        }
        if self.transactions > 0 && self.answered == 0 {
            row("hint", "no request has a response here: is only one direction mirrored?".to_owned());
        }
        row(
            "connections",
            format!(
                "{}, {} with HTTP, {}",
                grouped(self.flows),
                grouped(self.http_flows),
                human_bytes(self.flow_bytes)
            ),
        );
        if self.tls_flows > 0 {
            let share = |part: u64, all: u64| 100.0 * part as f64 / all.max(1) as f64;
            row(
                "TLS",
                format!(
                    "{} ({:.0} %), {:.0} % of the bytes: not readable here",
                    counted(self.tls_flows, "connection"),
                    share(self.tls_flows, self.flows),
                    share(self.tls_bytes, self.flow_bytes)
                ),
            );
            for (by, counts) in [("port", &self.tls_ports), ("name", &self.tls_names)] {
                let named = counts.largest(top).into_iter();
                let named: Vec<_> =
                    named.map(|(n, bytes)| format!("{} {}", printable(n), human_bytes(bytes))).collect();
                row(
                    "",
                    if named.is_empty() { String::new() } else { format!("by {by}: {}", named.join(", ")) },
                );
            }
        }
        if self.quic > 0 {
            let named = self.quic_names.largest(top).into_iter();
            let named: Vec<_> = named.map(|(name, count)| format!("{} {count}", printable(name))).collect();
            row("QUIC", format!("{}: not readable here", counted(self.quic, "connection")));
            row("", format!("by name: {}", named.join(", ")));
        }
        for line in self.tunnel_lines(top) {
            row("tunnel", line);
        }
        block(&mut out, palette, "top hosts", &self.hosts, top);
        block(&mut out, palette, "top endpoints", &self.endpoints, top);
        out
    }

    fn classes(&self, palette: Palette) -> String {
        let mut parts = Vec::new();
        for (class, count) in self.by_class.iter().enumerate().filter(|(_, count)| **count > 0) {
            let name = if class == 0 { "none".to_owned() } else { format!("{class}xx") };
            parts.push(palette.status(&format!("{name} {}", grouped(*count)), class as u16 * 100));
        }
        parts.join(", ")
    }

    fn tunnel_lines(&self, top: usize) -> Vec<String> {
        let mut tunnels: Vec<_> = self.tunnels.values().collect();
        tunnels.sort_by(|a, b| b.packets.cmp(&a.packets).then(a.encap.outer.cmp(&b.encap.outer)));
        let more = tunnels.len().saturating_sub(top);
        let mut lines: Vec<_> = tunnels.iter().take(top).map(|t| t.describe()).collect();
        if more > 0 {
            lines.push(format!("and {} more", grouped(more as u64)));
        }
        if self.other_tunnel_packets > 0 {
            lines.push(format!("others: {} packets", grouped(self.other_tunnel_packets)));
        }
        lines
    }
}

impl TunnelSeen {
    fn describe(&self) -> String {
        let kind = self.encap.kind.map_or("", harken_wire::TunnelKind::name);
        let vni = self.encap.vni.map_or_else(String::new, |vni| format!(" VNI {vni}"));
        format!(
            "{kind}{vni} from {} to {}: {}, {}",
            self.encap.outer.src,
            self.encap.outer.dst,
            counted(self.packets, "packet"),
            human_bytes(self.bytes)
        )
    }
}

/// The largest of `top`, and last what the list had no place for.
fn list(top: &Top, n: usize) -> String {
    if n == 0 {
        return String::new();
    }
    let named =
        top.largest(n).into_iter().map(|(name, count)| format!("{} {}", printable(name), grouped(count)));
    let others = (top.others > 0).then(|| format!("others {}", grouped(top.others)));
    named.chain(others).collect::<Vec<_>>().join(", ")
}

fn block(out: &mut String, palette: Palette, title: &str, top: &Top, n: usize) {
    if top.counts.is_empty() || n == 0 {
        return;
    }
    let _ = writeln!(out, "{}", palette.bold(title));
    for (name, count) in top.largest(n) {
        let _ = writeln!(out, "  {:>10}  {}", grouped(count), printable(name));
    }
    if top.others > 0 {
        let _ = writeln!(out, "  {:>10}  others", grouped(top.others));
    }
}

/// The path of a target with the segments that look like identifiers replaced, so that endpoints are
/// counted and not documents: `/users/17/orders` becomes `/users/{id}/orders`.
fn template(target: &[u8], out: &mut Vec<u8>) {
    let path = target.split(|b| matches!(b, b'?' | b'#')).next().unwrap_or_default();
    for (i, segment) in path.split(|b| *b == b'/').enumerate() {
        if i > 0 {
            out.push(b'/');
        }
        if is_identifier(segment) { out.extend_from_slice(b"{id}") } else { out.extend_from_slice(segment) }
    }
}

/// Decimal numbers, UUIDs and long hexadecimal strings.
fn is_identifier(segment: &[u8]) -> bool {
    let digits = segment.iter().filter(|b| b.is_ascii_digit()).count();
    let hex = segment.iter().all(|b| b.is_ascii_hexdigit() || *b == b'-');
    !segment.is_empty() && (digits == segment.len() || hex && segment.len() >= 16 && digits > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_counted_and_not_documents() {
        for (target, expected) in [
            ("/users/17/orders?x=1", "/users/{id}/orders"),
            ("/v1/3f2b8c1e-9d4a-4e0b-8b1a-0123456789ab", "/v1/{id}"),
            ("/", "/"),
            ("*", "*"),
            ("/cafe/dead-beef", "/cafe/dead-beef"),
        ] {
            let mut out = Vec::new();
            template(target.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn lists_are_bounded() {
        let mut top = Top::default();
        for i in 0..2 * MAX_NAMES {
            top.add(i.to_string().as_bytes(), 1);
        }
        assert_eq!(top.counts.len(), MAX_NAMES);
        assert_eq!(top.others, MAX_NAMES as u64);
        assert!(list(&top, 2).ends_with(", others 10,000"), "{}", list(&top, 2));
        let mut out = String::new();
        block(&mut out, Palette::new(false), "top", &top, 2);
        assert!(out.ends_with("      10,000  others\n"), "{out}");
    }

    #[test]
    fn names_are_bounded() {
        let mut top = Top::default();
        for last in ["a", "b"] {
            top.add((String::from_utf8(vec![b'x'; MAX_NAME]).unwrap() + last).as_bytes(), 1);
        }
        assert_eq!(top.largest(9), [(&[b'x'; MAX_NAME][..], 2)]);
    }

    #[test]
    fn tunnels_are_bounded() {
        let uid = |i: usize| {
            let vni = u32::try_from(i).unwrap();
            let encap =
                Encap { kind: Some(harken_wire::TunnelKind::Vxlan), vni: Some(vni), ..Encap::default() };
            (Uid::tunnel(&encap).unwrap(), encap)
        };
        let mut summary = Summary::default();
        let mut other = Summary::default();
        for i in 0..MAX_NAMES + 5 {
            let (uid, encap) = uid(i);
            let seen = TunnelSeen { encap, first: Timestamp(9), flows: 1, packets: 2, bytes: 3 };
            summary.tunnel(uid, seen);
            other.tunnel(uid, seen);
        }
        summary.merge(other);
        assert_eq!(summary.tunnels().len(), MAX_NAMES);
        assert!(summary.tunnels().iter().all(|tunnel| tunnel.packets == 4));
        assert_eq!(summary.other_tunnel_packets, 20);
        assert_eq!(summary.tunnel_lines(0), ["and 10,000 more", "others: 20 packets"]);
    }

    #[test]
    fn every_status_has_a_class() {
        let mut summary = Summary { transactions: 1, ..Summary::default() };
        for class in [0, 2, 6, 9] {
            summary.by_class[class] = 1;
        }
        assert_eq!(summary.classes(Palette::new(false)), "none 1, 2xx 1, 6xx 1, 9xx 1");
    }

    #[test]
    fn no_lists_no_rows() {
        let mut summary = Summary { transactions: 1, flows: 1, ..Summary::default() };
        summary.methods.add(b"GET", 1);
        assert!(summary.print(1, Palette::new(false)).contains("methods       GET 1\n"));
        assert!(!summary.print(0, Palette::new(false)).contains("methods"));
    }
}
