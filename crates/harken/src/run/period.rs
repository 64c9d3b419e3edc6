//! What is written and said once a period: `stats.log`, `capture_loss.log`, and a line when something is lost.
use super::silence::Silence;
use super::worker::{Shared, Snapshot};
use super::{say, total};
use crate::logs::{LogHandle, LogWriter, clock};
use crate::origins::Seen;
use harken_event::zeek::sensor::{CaptureLoss, Stats};
use harken_event::{Form, VniNames};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Name of the sensor in the logs, as Zeek names a single process.
const PEER: &str = "harken";

/// The figures of the period before.
pub struct Period {
    every: Duration,
    form: Form,
    stats: LogHandle,
    loss: LogHandle,
    /// Names of the sources, in the order of their numbers.
    sources: Vec<String>,
    /// Names of virtual networks.
    names: VniNames,
    began: Instant,
    before: Snapshot,
    lines_dropped: u64,
    /// What is left undone was told.
    told: bool,
    silence: Option<Silence>,
    looked: Instant,
}

impl Period {
    /// Begins the first period.
    pub fn new(
        every: Duration,
        form: Form,
        logs: &LogWriter,
        sources: &[String],
        live: bool,
        names: VniNames,
    ) -> Self {
        Self {
            every,
            form,
            stats: logs.handle(super::open::STATS),
            loss: logs.handle(super::open::LOSS),
            sources: sources.to_vec(),
            names,
            began: Instant::now(),
            before: Snapshot::default(),
            lines_dropped: 0,
            told: false,
            silence: live.then(|| Silence::new(sources)),
            looked: Instant::now(),
        }
    }

    /// Ends the period if its time is over.
    pub fn look(&mut self, shared: &[Arc<Shared>], logs: &LogWriter) {
        let undone = shared.iter().map(|worker| worker.level()).max().unwrap_or_default();
        if (undone.step > 0) != self.told {
            self.told = undone.step > 0;
            say(&match self.told {
                true => format!("more arrives than there is time for; left undone: {}", undone.name()),
                false => "the load has fallen; nothing is left undone any more".to_owned(),
            });
        }
        if let Some(silence) = &mut self.silence
            && self.looked.elapsed() >= Duration::from_secs(1)
        {
            self.looked = Instant::now();
            if let Some(line) = silence.look(&total(shared)) {
                say(&line);
            }
        }
        if !self.every.is_zero() && self.began.elapsed() >= self.every {
            self.last(shared, logs);
        }
    }

    /// Ends the period.
    pub fn last(&mut self, shared: &[Arc<Shared>], logs: &LogWriter) {
        let now = total(shared);
        let lines_dropped = logs.stats().dropped_lines();
        let period = self.began.elapsed();
        self.began = Instant::now();
        self.tell(&now, lines_dropped, period);
        let mut out = Vec::new();
        self.stats_line(&now, lines_dropped, &mut out);
        self.stats.send(&out, 1);
        out.clear();
        let lines = self.loss_lines(&now, period, &mut out);
        self.loss.send(&out, lines);
        self.before = now;
        self.lines_dropped = lines_dropped;
    }

    fn stats_line(&self, now: &Snapshot, lines_dropped: u64, out: &mut Vec<u8>) {
        let before = &self.before;
        let packets = now.packets - before.packets;
        let dropped = now.dropped().saturating_sub(before.dropped());
        let refused = now.refused().saturating_sub(before.refused());
        let ts = clock::now();
        Stats {
            peer: PEER,
            memory: resident_memory() >> 20,
            packets,
            bytes: now.bytes - before.bytes,
            dropped: Some(dropped),
            arrived: Some(packets + dropped + refused),
            packets_shed: refused,
            lag: (packets > 0).then(|| ts.since(now.last)),
            transactions: now.http.exchanges - before.http.exchanges,
            flows: now.flow.flows,
            opened: now.flow.opened - before.flow.opened,
            held: now.flow.held_bytes,
            gap_bytes: now.gap_bytes() - before.gap_bytes(),
            ended_bytes: now.encrypted.all_bytes - before.encrypted.all_bytes,
            tls: now.encrypted.tls - before.encrypted.tls,
            tls_bytes: now.encrypted.tls_bytes - before.encrypted.tls_bytes,
            quic: now.encrypted.quic - before.encrypted.quic,
            segments_shed: now.flow.shed.total() - before.flow.shed.total(),
            bodies_shed: now.http.bodies_shed - before.http.bodies_shed,
            log_lines_dropped: lines_dropped - self.lines_dropped,
        }
        .write(ts, self.form, out);
    }

    /// The loss of all together, of each source where there are several, and of each virtual network of a
    /// source. What had no traffic has no line.
    fn loss_lines(&self, now: &Snapshot, period: Duration, out: &mut Vec<u8>) -> u64 {
        let ts = clock::now();
        let period = period.as_nanos() as u64;
        let missing = now.gap_bytes() - self.before.gap_bytes();
        let acks = now.flow.payload_bytes - self.before.flow.payload_bytes + missing;
        let source = match self.sources.as_slice() {
            [one] => Some(one.as_str()),
            _ => None,
        };
        let all = CaptureLoss { period, peer: PEER, source, vni: None, name: None, gaps: missing, acks };
        all.write(ts, self.form, out);
        let mut lines = 1;
        let mut line = |source, vni, since: Seen| {
            if since.segments > 0 || since.gaps > 0 {
                let acks = since.payload + since.gaps;
                let name = self.names.label(vni);
                CaptureLoss { source, vni, name: name.as_deref(), gaps: since.gaps, acks, ..all }
                    .write(ts, self.form, out);
                lines += 1;
            }
        };
        let new = now.origins.since(&self.before.origins);
        for (number, name) in (0..).zip(&self.sources) {
            if self.sources.len() > 1 {
                line(Some(name), None, new.of_source(number));
            }
            for (vni, seen) in new.sorted(number) {
                line(Some(name), Some(vni), seen);
            }
        }
        lines
    }

    /// Says what was lost in the period, if anything.
    fn tell(&self, now: &Snapshot, lines_dropped: u64, period: Duration) {
        let seconds = period.as_secs_f64();
        let lost = now.dropped().saturating_sub(self.before.dropped());
        if lost > 0 {
            say(&format!(
                "{lost} packets were dropped by the kernel in the last {seconds:.0} s: more workers or a larger ring help"
            ));
        }
        let refused = now.refused().saturating_sub(self.before.refused());
        let passed = now.flow.shed.total() - self.before.flow.shed.total() + refused;
        if passed > 0 {
            say(&format!("{passed} packets were passed over in the last {seconds:.0} s for lack of time"));
        }
        let lines = lines_dropped - self.lines_dropped;
        if lines > 0 {
            say(&format!(
                "{lines} lines of logs were dropped in the last {seconds:.0} s: the disk is too slow or full"
            ));
        }
    }
}

/// Resident memory of this process in bytes; 0 where it cannot be told.
fn resident_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}
