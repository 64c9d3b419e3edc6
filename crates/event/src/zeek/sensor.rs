//! `stats.log` and `capture_loss.log`: how the sensor itself is doing, one line a period.
use super::Form;
use super::column::plain_columns;
use super::row::{Json, Row, Tsv};
use harken_wire::Timestamp;

/// Columns of `stats.log`.
pub mod stats {
    use super::plain_columns;
    plain_columns! {
        PEER "peer" String,
        MEM "mem" Count,
        PKTS_PROC "pkts_proc" Count,
        BYTES_RECV "bytes_recv" Count,
        PKTS_DROPPED "pkts_dropped" Count,
        PKTS_LINK "pkts_link" Count,
        PKT_LAG "pkt_lag" Interval,
        EVENTS_PROC "events_proc" Count,
        ACTIVE_TCP_CONNS "active_tcp_conns" Count,
        TCP_CONNS "tcp_conns" Count,
        REASSEM_TCP_SIZE "reassem_tcp_size" Count,
        GAP_BYTES "gap_bytes" Count,
        PKTS_SHED "pkts_shed" Count,
        SEGMENTS_SHED "segments_shed" Count,
        BODIES_SHED "bodies_shed" Count,
        LOG_LINES_DROPPED "log_lines_dropped" Count,
        ENDED_BYTES "ended_bytes" Count,
        TLS_CONNS "tls_conns" Count,
        TLS_BYTES "tls_bytes" Count,
        QUIC_CONNS "quic_conns" Count,
    }
}

/// Columns of `capture_loss.log`.
pub mod capture_loss {
    use super::plain_columns;
    plain_columns! {
        TS_DELTA "ts_delta" Interval,
        PEER "peer" String,
        SOURCE "source" String,
        VNI "vni" Count,
        NAME "vni_name" String,
        GAPS "gaps" Count,
        ACKS "acks" Count,
        PERCENT_LOST "percent_lost" Double,
    }
}

/// A line of `stats.log`: what happened since the line before, where nothing else is said.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Stats<'a> {
    /// Name of the sensor.
    pub peer: &'a str,
    /// Resident memory now, in MB.
    pub memory: u64,
    /// Packets read.
    pub packets: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Packets that the kernel dropped because they were not read in time; `None` where it does not say.
    pub dropped: Option<u64>,
    /// Packets that arrived: those read, those dropped and those refused.
    pub arrived: Option<u64>,
    /// Nanoseconds that the last packet lies behind the clock.
    pub lag: Option<u64>,
    /// Transactions given out.
    pub transactions: u64,
    /// Connections open now.
    pub flows: u64,
    /// Connections opened.
    pub opened: u64,
    /// Bytes held now, waiting for earlier ones.
    pub held: u64,
    /// Bytes of streams that are missing.
    pub gap_bytes: u64,
    /// Packets that the kernel refused for lack of time.
    pub packets_shed: u64,
    /// Segments passed over for lack of time.
    pub segments_shed: u64,
    /// Bodies neither decoded nor kept for lack of time.
    pub bodies_shed: u64,
    /// Lines of logs dropped because the disk was too slow or full.
    pub log_lines_dropped: u64,
    /// Bytes of the connections that ended.
    pub ended_bytes: u64,
    /// Of these connections those with TLS.
    pub tls: u64,
    /// Bytes of them.
    pub tls_bytes: u64,
    /// Connections with QUIC that began.
    pub quic: u64,
}

impl Stats<'_> {
    /// Appends the line.
    pub fn write(&self, ts: Timestamp, form: Form, out: &mut Vec<u8>) {
        match form {
            Form::Json => self.record(&mut Json(out), ts),
            Form::Tsv => self.record(&mut Tsv(out), ts),
        }
    }

    fn record<R: Row>(&self, row: &mut R, ts: Timestamp) {
        row.start(ts);
        row.text(&stats::PEER, Some(self.peer.as_bytes()));
        row.count(&stats::MEM, Some(self.memory));
        row.count(&stats::PKTS_PROC, Some(self.packets));
        row.count(&stats::BYTES_RECV, Some(self.bytes));
        row.count(&stats::PKTS_DROPPED, self.dropped);
        row.count(&stats::PKTS_LINK, self.arrived);
        row.interval(&stats::PKT_LAG, self.lag);
        row.count(&stats::EVENTS_PROC, Some(self.transactions));
        row.count(&stats::ACTIVE_TCP_CONNS, Some(self.flows));
        row.count(&stats::TCP_CONNS, Some(self.opened));
        row.count(&stats::REASSEM_TCP_SIZE, Some(self.held));
        row.count(&stats::GAP_BYTES, Some(self.gap_bytes));
        row.count(&stats::PKTS_SHED, Some(self.packets_shed));
        row.count(&stats::SEGMENTS_SHED, Some(self.segments_shed));
        row.count(&stats::BODIES_SHED, Some(self.bodies_shed));
        row.count(&stats::LOG_LINES_DROPPED, Some(self.log_lines_dropped));
        row.count(&stats::ENDED_BYTES, Some(self.ended_bytes));
        row.count(&stats::TLS_CONNS, Some(self.tls));
        row.count(&stats::TLS_BYTES, Some(self.tls_bytes));
        row.count(&stats::QUIC_CONNS, Some(self.quic));
        row.end();
    }
}

/// A line of `capture_loss.log`: bytes of TCP streams that were acknowledged and not captured, of a source or
/// of a virtual network in it.
///
/// Zeek counts acknowledgements; this counts bytes, which loss in front of the sensor costs.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct CaptureLoss<'a> {
    /// Nanoseconds since the line before.
    pub period: u64,
    /// Name of the sensor.
    pub peer: &'a str,
    /// Interface or socket; `None` for all together.
    pub source: Option<&'a str>,
    /// Virtual network; `None` for all of the source.
    pub vni: Option<u32>,
    /// What people call that.
    pub name: Option<&'a str>,
    /// Bytes missing.
    pub gaps: u64,
    /// Bytes that were sent, as far as is known: those captured and those missing.
    pub acks: u64,
}

impl CaptureLoss<'_> {
    /// Appends the line.
    pub fn write(&self, ts: Timestamp, form: Form, out: &mut Vec<u8>) {
        match form {
            Form::Json => self.record(&mut Json(out), ts),
            Form::Tsv => self.record(&mut Tsv(out), ts),
        }
    }

    fn record<R: Row>(&self, row: &mut R, ts: Timestamp) {
        // A percentage with nine decimals is written as a time in seconds with nanoseconds is.
        let billionths = u128::from(self.gaps) * 100_000_000_000;
        let percent = billionths.checked_div(u128::from(self.acks)).unwrap_or(0) as u64;
        row.start(ts);
        row.interval(&capture_loss::TS_DELTA, Some(self.period));
        row.text(&capture_loss::PEER, Some(self.peer.as_bytes()));
        row.text(&capture_loss::SOURCE, self.source.map(str::as_bytes));
        row.count(&capture_loss::VNI, self.vni.map(u64::from));
        row.text(&capture_loss::NAME, self.name.map(str::as_bytes));
        row.count(&capture_loss::GAPS, Some(self.gaps));
        row.count(&capture_loss::ACKS, Some(self.acks));
        row.interval(&capture_loss::PERCENT_LOST, Some(percent));
        row.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let loss =
            CaptureLoss { period: 60_000_000_000, peer: "s", gaps: 3, acks: 200, ..CaptureLoss::default() };
        let mut out = Vec::new();
        loss.write(Timestamp(1_500_000_000), Form::Json, &mut out);
        assert_eq!(
            String::from_utf8_lossy(&out),
            "{\"ts\":1.5,\"ts_delta\":60.0,\"peer\":\"s\",\"gaps\":3,\"acks\":200,\"percent_lost\":1.5}\n"
        );
        out.clear();
        CaptureLoss { source: Some("eth1"), vni: Some(7), name: Some("shop"), acks: 0, gaps: 0, ..loss }
            .write(Timestamp(1_500_000_000), Form::Tsv, &mut out);
        assert_eq!(String::from_utf8_lossy(&out), "1.500000\t60.000000\ts\teth1\t7\tshop\t0\t0\t0.000000\n");
        out.clear();
        Stats { peer: "s", packets: 5, ..Stats::default() }.write(Timestamp(0), Form::Tsv, &mut out);
        assert_eq!(out.iter().filter(|b| **b == b'\t').count() + 1, stats::COLUMNS.len());
    }
}
