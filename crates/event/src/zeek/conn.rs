//! `conn.log`: one line for each connection.
use super::Form;
use super::column::columns;
use super::row::{Json, Row, Tsv};
use super::site::is_local;
use crate::flow::FlowInfo;
use crate::uid::Uid;
use harken_wire::Encap;

columns! {
    PROTO "proto" Enum,
    SERVICE "service" String,
    DURATION "duration" Interval,
    ORIG_BYTES "orig_bytes" Count,
    RESP_BYTES "resp_bytes" Count,
    CONN_STATE "conn_state" String,
    LOCAL_ORIG "local_orig" Bool,
    LOCAL_RESP "local_resp" Bool,
    MISSED_BYTES "missed_bytes" Count,
    HISTORY "history" String,
    ORIG_PKTS "orig_pkts" Count,
    ORIG_IP_BYTES "orig_ip_bytes" Count,
    RESP_PKTS "resp_pkts" Count,
    RESP_IP_BYTES "resp_ip_bytes" Count,
    TUNNEL_PARENTS "tunnel_parents" SetString,
    IP_PROTO "ip_proto" Count,
}

/// IP protocol number of TCP, the only one that is followed.
const TCP: u64 = 6;

/// What one side of a connection sent.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Sent {
    /// Payload bytes, by sequence numbers.
    pub bytes: u64,
    /// Packets.
    pub packets: u64,
    /// Bytes of IP packets, by the length in their headers.
    pub ip_bytes: u64,
}

/// One connection that is over.
#[derive(Clone, Copy)]
pub struct Conn<'a> {
    /// The connection; its time is that of the record.
    pub flow: &'a FlowInfo,
    /// Application protocol, in small letters; `None` when it was not told.
    pub service: Option<&'a str>,
    /// Nanoseconds from the first to the last packet.
    pub duration: u64,
    /// What the originator sent.
    pub orig: Sent,
    /// What the responder sent.
    pub resp: Sent,
    /// Zeek's state name: `S0`, `SF`, `RSTO` and so on.
    pub state: &'a str,
    /// Payload bytes that were never seen.
    pub missed_bytes: u64,
    /// Zeek's history letters.
    pub history: &'a [u8],
    /// The tunnels that the responder's packets came through.
    pub other_encap: Option<&'a Encap>,
}

impl Conn<'_> {
    /// Appends the connection's line.
    pub fn write(&self, form: Form, out: &mut Vec<u8>) {
        match form {
            Form::Json => self.record(&mut Json(out)),
            Form::Tsv => self.record(&mut Tsv(out)),
        }
    }

    fn record<R: Row>(&self, row: &mut R) {
        row.start(self.flow.start);
        row.flow(self.flow);
        row.name(&PROTO, Some(b"tcp"));
        row.name(&SERVICE, self.service.map(str::as_bytes));
        // A single packet has no duration, and Zeek gives no sizes then.
        let lasted = self.duration > 0;
        row.interval(&DURATION, lasted.then_some(self.duration));
        row.count(&ORIG_BYTES, lasted.then_some(self.orig.bytes));
        row.count(&RESP_BYTES, lasted.then_some(self.resp.bytes));
        row.name(&CONN_STATE, Some(self.state.as_bytes()));
        row.flag(&LOCAL_ORIG, Some(is_local(self.flow.client.ip)));
        row.flag(&LOCAL_RESP, Some(is_local(self.flow.server.ip)));
        row.count(&MISSED_BYTES, Some(self.missed_bytes));
        row.name(&HISTORY, Some(self.history).filter(|h| !h.is_empty()));
        row.count(&ORIG_PKTS, Some(self.orig.packets));
        row.count(&ORIG_IP_BYTES, Some(self.orig.ip_bytes));
        row.count(&RESP_PKTS, Some(self.resp.packets));
        row.count(&RESP_IP_BYTES, Some(self.resp.ip_bytes));
        let first = Uid::tunnel(&self.flow.encap);
        // Directions that came the same way share what describes it.
        let other = self.other_encap.filter(|other| !std::ptr::eq(*other, &raw const *self.flow.encap));
        let other = other.and_then(Uid::tunnel).filter(|uid| Some(*uid) != first);
        let parents = [first, other];
        let parents = parents.iter().flatten().map(Uid::as_bytes);
        row.list(&TUNNEL_PARENTS, Some(parents).filter(|p| p.clone().next().is_some()));
        row.count(&IP_PROTO, Some(TCP));
        row.end();
    }
}
