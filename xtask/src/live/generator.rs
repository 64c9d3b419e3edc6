//! Sends a capture at a rate: `harken mirror-sim` over UDP, tcpreplay over a cable.

use super::net::{End, Tool};
use super::process::Process;
use crate::bench::fresh_dir;
use crate::r#gen::traffic::{self, Traffic};
use crate::r#gen::tunnel::Tunnel;
use crate::sh;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// Sends frames over an interface.
pub(super) const TCPREPLAY: Tool = ("tcpreplay", "-V");

/// Where mirrored packets go over UDP, in the sensor's namespace.
pub(super) const COLLECTOR: &str = "127.0.0.1:4789";

/// The same traffic twice: plain frames, which `mirror-sim` wraps itself, and frames in VXLAN. It is sent once,
/// so that no connection comes again while a sensor still knows it.
pub(super) struct Captures {
    pub(super) plain: PathBuf,
    pub(super) vxlan: PathBuf,
    /// Packets of each.
    pub(super) packets: u64,
}

impl Captures {
    /// Makes the captures, unless they are there and newer than this program.
    pub(super) fn make(traffic: &Traffic, wrapped: bool) -> Result<Self> {
        let name = format!(
            "traffic-{}-{}-{}-{}-{}",
            traffic.transactions,
            traffic.connections,
            traffic.per_connection,
            traffic.disturbance.lose,
            traffic.disturbance.reorder
        );
        let dir = sh::target_dir().join("live").join(name);
        let file = |name: &str| dir.join(name);
        let (plain, vxlan) = (file("plain.pcap"), file("vxlan.pcap"));
        let known = file("packets");
        let needed: &[&PathBuf] = if wrapped { &[&known, &plain, &vxlan] } else { &[&known, &plain] };
        if !needed.iter().all(|path| crate::bench::is_fresh(path)) {
            eprintln!("making the traffic: {} transactions, in {}", traffic.transactions, dir.display());
            fresh_dir(&dir)?;
            let mut packets = 0;
            for (path, tunnel) in [(&plain, Tunnel::None), (&vxlan, Tunnel::Vxlan)] {
                if tunnel == Tunnel::None || wrapped {
                    let traffic = Traffic { tunnel, ..traffic.clone() };
                    packets = traffic::write(&traffic, path, Path::new("/dev/null"))?.packets;
                }
            }
            std::fs::write(&known, packets.to_string())?;
        }
        let packets = std::fs::read_to_string(&known)?.trim().parse().context("a number of packets")?;
        Ok(Self { plain, vxlan, packets })
    }
}

/// What was sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sent {
    pub(super) packets: u64,
    pub(super) seconds: f64,
}

/// How packets get to the sensor.
pub(super) enum Way<'a> {
    /// `mirror-sim` at this end sends to [`COLLECTOR`].
    Udp { end: &'a End, harken: &'a Path },
    /// tcpreplay at this end puts frames on the cable.
    Cable { end: &'a End },
}

impl Way<'_> {
    /// Sends the captures' packets for so many seconds, or until they are over. `rate` is packets a second;
    /// without it as fast as goes.
    pub(super) fn send(
        &self,
        captures: &Captures,
        dir: &Path,
        rate: Option<u64>,
        seconds: f64,
    ) -> Result<Sent> {
        let log = dir.join("generator.out");
        let mut command = match self {
            Way::Udp { end, harken } => {
                let mut command = end.command(harken);
                command.arg("mirror-sim").arg("--read").arg(&captures.plain).args(["--to", COLLECTOR]);
                command.args(["--rate", &rate.unwrap_or(0).to_string()]);
                command.args(["--run-for", &format!("{}ms", (seconds * 1000.0) as u64)]);
                command
            }
            Way::Cable { end } => {
                let mut command = end.command("tcpreplay");
                command.args(["--preload-pcap", "-i", &end.device]);
                match rate {
                    // tcpreplay has no bound of time: it gets one of packets.
                    Some(rate) => {
                        let limit = ((rate as f64 * seconds) as u64).clamp(1, captures.packets);
                        command.args([format!("--pps={rate}"), format!("--limit={limit}")])
                    }
                    None => command.arg("--topspeed"),
                };
                command.arg(&captures.vxlan);
                command
            }
        };
        let mut process = Process::start(&mut command, &log, Stdio::null(), None)?;
        process.finish(Duration::from_secs_f64(seconds * 4.0 + 120.0))?;
        let said = process.said()?;
        let sent = match self {
            Way::Udp { .. } => mirrored(&said),
            Way::Cable { .. } => replayed(&said),
        };
        sent.with_context(|| format!("{}: it does not say what it sent:\n{said}", sh::shown(&command)))
    }
}

/// Reads `harken: N packets, N bytes in N s: ...`.
pub(super) fn mirrored(said: &str) -> Option<Sent> {
    let line = said.lines().find(|line| line.contains(" packets/s; "))?;
    let (packets, rest) = line.strip_prefix("harken: ")?.split_once(" packets, ")?;
    let seconds = rest.split_once(" bytes in ")?.1.split_once(" s: ")?.0;
    Some(Sent { packets: packets.parse().ok()?, seconds: seconds.parse().ok()? })
}

/// Reads `Actual: N packets (N bytes) sent in N seconds` and `Successful packets: N`.
fn replayed(said: &str) -> Option<Sent> {
    let after = |what: &str| said.split_once(what).map(|(_, rest)| rest.trim_start());
    let packets = after("Successful packets:")?.split_whitespace().next()?;
    let seconds = after(" sent in ")?.split_whitespace().next()?;
    Some(Sent { packets: packets.parse().ok()?, seconds: seconds.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_generators_say() {
        let mirror = "harken: mirroring x\nharken: 215 packets, 64913 bytes in 0.25 s: 860 packets/s; 0 refused by the system, 0 not Ethernet\n";
        assert_eq!(mirrored(mirror), Some(Sent { packets: 215, seconds: 0.25 }));
        let replay = "Actual: 280069 packets (154689706 bytes) sent in 14.00 seconds\nRated: 1 Bps\n\
                      Statistics for network device: x\n\tSuccessful packets:        280068\n\tFailed packets: 1\n";
        assert_eq!(replayed(replay), Some(Sent { packets: 280_068, seconds: 14.0 }));
        assert_eq!(mirrored("harken: cannot"), None);
        assert_eq!(replayed(""), None);
    }
}
