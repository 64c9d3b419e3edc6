//! Why nothing arrives, when nothing arrives: one line, once for each reason.
use super::worker::Snapshot;
use crate::style::grouped;
use harken_http::Protocol;
use std::time::{Duration, Instant};

/// How long nothing may come at the start before the reason is looked for.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long there may be no packet once there was one.
const PAUSE: Duration = Duration::from_secs(60);

/// Watches whether transactions come, until the first one; and whether packets come, always.
pub struct Silence {
    sources: Vec<String>,
    /// When something was last right.
    since: Instant,
    packets: u64,
    told: Option<Missing>,
}

/// What is missing. In the order of the way that a transaction takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Missing {
    Packets,
    Tcp,
    Http,
}

impl Silence {
    /// Watches from now on.
    pub fn new(sources: &[String]) -> Self {
        Self { sources: sources.to_vec(), since: Instant::now(), packets: 0, told: None }
    }

    /// Returns what is to be said, if anything.
    pub fn look(&mut self, now: &Snapshot) -> Option<String> {
        let came = now.packets > self.packets;
        self.packets = now.packets;
        let right = came && (now.http.exchanges > 0 || matches!(self.told, Some(Missing::Packets)));
        if right {
            self.since = Instant::now();
            return self.told.take().map(|missing| match missing {
                Missing::Packets => "packets arrive".to_owned(),
                Missing::Tcp | Missing::Http => "transactions arrive".to_owned(),
            });
        }
        let waited = self.since.elapsed();
        let missing = missing(now, came);
        let patience = if missing == Missing::Packets && now.packets > 0 { PAUSE } else { PATIENCE };
        if waited < patience || self.told == Some(missing) {
            return None;
        }
        self.told = Some(missing);
        Some(explain(missing, now, waited.as_secs(), &self.sources))
    }
}

const fn missing(now: &Snapshot, came: bool) -> Missing {
    if !came {
        Missing::Packets
    } else if now.front.wire.frames.tcp + now.front.wire.resumed.tcp == 0 {
        Missing::Tcp
    } else {
        Missing::Http
    }
}

fn explain(missing: Missing, now: &Snapshot, seconds: u64, sources: &[String]) -> String {
    let sources = sources.join(", ");
    match missing {
        Missing::Packets if now.packets > 0 => format!("no packet has arrived for {seconds} s on {sources}"),
        Missing::Packets => {
            let unheard = harken_capture::live::udp_counters().map_or(0, |udp| udp.no_port);
            let elsewhere = match unheard {
                0 => String::new(),
                n => format!(
                    "; {} datagrams have come to ports that nobody listens on since this machine was started",
                    grouped(n)
                ),
            };
            format!(
                "no packet has arrived in {seconds} s on {sources}. Is this machine's interface the target of the \
                 mirror session, does its security group or firewall let the mirror's port in (UDP 4789 for VXLAN), \
                 and does the session's filter accept anything? `tcpdump -ni any udp port 4789` shows what \
                 comes{elsewhere}"
            )
        }
        Missing::Tcp => {
            let sections = now.ledger().sections();
            let parts = sections.iter().filter(|section| section.name == "packets").flat_map(|s| &s.parts);
            let most = parts.filter(|(name, _)| name != "tcp").max_by_key(|(_, count)| *count);
            let most = most.map_or_else(String::new, |(name, n)| format!(", most of them as {name} ({n})"));
            format!(
                "{} packets have arrived in {seconds} s, and none has a TCP segment that can be read{most}; `harken \
                 run --help` lists the ports of tunnels that can be set",
                grouped(now.packets)
            )
        }
        Missing::Http => {
            let opaque = Protocol::NOTES.iter().zip(now.http.opaque).filter(|(_, count)| *count > 0);
            let opaque: Vec<_> = opaque.map(|(name, count)| format!("{count} {name}")).collect();
            let seen = match opaque.as_slice() {
                [] => "none has sent anything that could be told yet".to_owned(),
                opaque => format!("{}; TLS is not decrypted: mirror where it has ended", opaque.join(", ")),
            };
            format!(
                "{} connections in {seconds} s, and no HTTP transaction: {seen}",
                grouped(now.flow.opened)
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(silence: &mut Silence, seconds: u64, now: &Snapshot) -> Option<String> {
        silence.since = Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap();
        silence.look(now)
    }

    #[test]
    fn each_reason_is_told_once_and_what_is_right_too() {
        let mut silence = Silence::new(&["udp 0.0.0.0:4789".to_owned()]);
        let mut now = Snapshot::default();
        assert_eq!(at(&mut silence, 9, &now), None, "too early");
        let said = at(&mut silence, 10, &now).unwrap();
        assert!(said.starts_with("no packet has arrived in 10 s on udp 0.0.0.0:4789."), "{said}");
        assert_eq!(at(&mut silence, 60, &now), None, "once");

        now.packets = 5;
        assert_eq!(at(&mut silence, 0, &now).as_deref(), Some("packets arrive"));
        now.packets = 9;
        let said = at(&mut silence, 11, &now).unwrap();
        assert!(said.starts_with("9 packets have arrived in 11 s, and none has a TCP segment"), "{said}");

        now.packets = 12;
        now.front.wire.frames.tcp = 3;
        now.flow.opened = 2;
        now.http.opaque[0] = 2;
        let said = at(&mut silence, 12, &now).unwrap();
        assert!(
            said.contains("2 connections in 12 s, and no HTTP transaction: 2 connections with TLS"),
            "{said}"
        );

        now.packets = 13;
        now.http.exchanges = 1;
        assert_eq!(silence.look(&now).as_deref(), Some("transactions arrive"));
        let said = at(&mut silence, 60, &now).unwrap();
        assert_eq!(said, "no packet has arrived for 60 s on udp 0.0.0.0:4789");
    }
}
