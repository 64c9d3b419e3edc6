//! A sensor under load: started, fed at a rate, stopped, and what it made of it.

use super::generator::{COLLECTOR, Captures, Way};
use super::halt;
use super::net::Net;
use super::quota::Quota;
use super::sensor::{Sensor, lines_with};
use super::suricata::Suricata;
use crate::bench::fresh_dir;
use anyhow::{Context, Result};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// How long the last packets may take to the sensor.
const SETTLE: Duration = Duration::from_millis(700);

/// Which sensor, and how it gets its packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Harken on a UDP socket.
    Udp,
    /// Harken on a packet socket.
    AfPacket,
    /// Harken on an AF_XDP socket.
    AfXdp,
    /// Suricata on a packet socket.
    Suricata,
}

/// One of those that are compared.
#[derive(Debug)]
pub(super) struct Contender {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) workers: u16,
}

/// All of them.
pub(super) const CONTENDERS: &[Contender] = &[
    Contender { name: "harken-udp-1", kind: Kind::Udp, workers: 1 },
    Contender { name: "harken-udp-2", kind: Kind::Udp, workers: 2 },
    Contender { name: "harken-af-packet-1", kind: Kind::AfPacket, workers: 1 },
    Contender { name: "harken-af-packet-2", kind: Kind::AfPacket, workers: 2 },
    Contender { name: "harken-af-xdp-1", kind: Kind::AfXdp, workers: 1 },
    Contender { name: "suricata-single", kind: Kind::Suricata, workers: 1 },
    Contender { name: "suricata-workers-2", kind: Kind::Suricata, workers: 2 },
];

/// What one rate came to.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Point {
    /// Packets a second that were asked of the generator; none is as fast as it goes.
    pub(super) asked: Option<u64>,
    /// Packets that the generator sent, and for how long.
    pub(super) sent: u64,
    pub(super) seconds: f64,
    /// Packets that the sensor has read.
    pub(super) received: u64,
    /// Packets that it says were dropped, or refused under load, before it read them.
    pub(super) dropped: u64,
    /// Segments that it read and passed over under load.
    pub(super) shed: u64,
    /// Transactions in its log, request and response together.
    pub(super) transactions: u64,
}

impl Point {
    /// Packets a second that were really sent.
    pub(super) fn rate(&self) -> f64 {
        self.sent as f64 / self.seconds.max(1e-9)
    }

    /// Transactions delivered for each second of sending.
    pub(super) fn delivered(&self) -> f64 {
        self.transactions as f64 / self.seconds.max(1e-9)
    }

    /// Packets that were sent and not analysed, whether or not the sensor knows of them.
    pub(super) fn lost(&self) -> u64 {
        self.sent.saturating_sub(self.received).max(self.dropped) + self.shed
    }

    /// Packets a second that were analysed.
    pub(super) fn analysed(&self) -> f64 {
        self.sent.saturating_sub(self.lost()) as f64 / self.seconds.max(1e-9)
    }

    /// The percentage of what was sent.
    pub(super) fn lost_share(&self) -> f64 {
        100.0 * self.lost() as f64 / self.sent.max(1) as f64
    }
}

/// What all contenders share.
pub(super) struct Bench {
    pub(super) harken: PathBuf,
    pub(super) captures: Captures,
    pub(super) net: Net,
    pub(super) quota: Option<Quota>,
    pub(super) dir: PathBuf,
    /// How long each rate is kept up.
    pub(super) seconds: f64,
}

impl Bench {
    /// Feeds a contender at a rate, or as fast as goes, for so many times the usual time.
    pub(super) fn measure(&self, contender: &Contender, rate: Option<u64>, times: f64) -> Result<Point> {
        fresh_dir(&self.dir)?;
        let seconds = self.seconds * times;
        let point = match contender.kind {
            Kind::Suricata => self.suricata(contender, rate, seconds),
            _ => self.harken(contender, rate, seconds),
        };
        let point = point.with_context(|| contender.name)?;
        eprintln!(
            "knee: {}: {} packets/s: {} of {} lost, {:.0} transactions/s",
            contender.name,
            crate::bench::table::grouped(point.rate() as u64),
            point.lost(),
            point.sent,
            point.delivered()
        );
        Ok(point)
    }

    fn harken(&self, contender: &Contender, rate: Option<u64>, seconds: f64) -> Result<Point> {
        let end = &self.net.server;
        let source = match contender.kind {
            Kind::Udp => vec!["--udp", COLLECTOR],
            Kind::AfXdp => vec!["--interface", &end.device, "--af-xdp"],
            _ => vec!["--interface", &end.device],
        };
        let workers = contender.workers.to_string();
        let flags = ["--workers", &workers, "--rotate-every", "0"].into_iter().chain(source);
        let flags: Vec<String> = flags.map(str::to_owned).collect();
        let mut sensor = Sensor::start(end.command(&self.harken), &self.dir, &flags, Stdio::null())?;
        self.bound(sensor.process.pid())?;
        sensor.receiving()?;
        let way = match contender.kind {
            Kind::Udp => Way::Udp { end, harken: &self.harken },
            _ => Way::Cable { end: &self.net.client },
        };
        let sent = way.send(&self.captures, &self.dir, rate, seconds)?;
        halt::pause(SETTLE)?;
        let books = sensor.stop()?.books;
        Ok(Point {
            asked: rate,
            sent: sent.packets,
            seconds: sent.seconds,
            received: books.total("packets"),
            dropped: books.dropped(),
            shed: books.shed(),
            transactions: paired(&sensor.log("http.log"), &["\"method\":", "\"status_code\":"])?,
        })
    }

    fn suricata(&self, contender: &Contender, rate: Option<u64>, seconds: f64) -> Result<Point> {
        let mut suricata = Suricata::start(&self.net.server, &self.dir, contender.workers)?;
        suricata.receiving()?;
        // Only now: its start takes more work than its share would do in good time.
        self.bound(suricata.process.pid())?;
        let way = Way::Cable { end: &self.net.client };
        let sent = way.send(&self.captures, &self.dir, rate, seconds)?;
        halt::pause(SETTLE)?;
        let counted = suricata.stop()?;
        Ok(Point {
            asked: rate,
            sent: sent.packets,
            seconds: sent.seconds,
            received: counted.packets.saturating_sub(counted.dropped),
            dropped: counted.dropped,
            shed: 0,
            transactions: paired(suricata.events(), &["\"http_method\":", "\"status\":"])?,
        })
    }

    fn bound(&self, pid: u32) -> Result<()> {
        self.quota.as_ref().map_or(Ok(()), |quota| quota.take(pid))
    }
}

/// Lines that have both halves of a transaction; a log that was never begun has none.
fn paired(log: &Path, fields: &[&str]) -> Result<u64> {
    if log.exists() { lines_with(log, fields) } else { Ok(0) }
}
