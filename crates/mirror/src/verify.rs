//! Whether mirrored packets arrive: what AWS says of each session, and what a sensor has received of it.
use crate::aws::cloudwatch::{Dimension, GetMetricStatistics};
use crate::aws::ec2::mirror::MirrorSession;
use crate::aws::ec2::network::NetworkInterface;
use crate::aws::{Client, Error};
use crate::plan::{Plan, Source, Verdict};
use crate::spec::{Directions, Spec};
use crate::world::World;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Share of bytes that may be missing before it is said.
const GAPS: f64 = 0.001;
/// Share of packets that may be cut before it is said.
const CUT: f64 = 0.001;

/// What a sensor has received of one VNI while it was watched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Received {
    /// TCP segments.
    pub segments: u64,
    /// Those that came from the lower port, which mostly is the server's.
    pub from_server: u64,
    /// Bytes of their payload.
    pub payload_bytes: u64,
    /// Bytes that are missing.
    pub gap_bytes: u64,
    /// Segments whose packets were cut.
    pub truncated: u64,
    /// HTTP transactions.
    pub transactions: u64,
    /// Connections with TLS.
    pub tls_connections: u64,
}

impl Received {
    /// What has come since.
    pub const fn since(&self, earlier: &Self) -> Self {
        Self {
            segments: self.segments.saturating_sub(earlier.segments),
            from_server: self.from_server.saturating_sub(earlier.from_server),
            payload_bytes: self.payload_bytes.saturating_sub(earlier.payload_bytes),
            gap_bytes: self.gap_bytes.saturating_sub(earlier.gap_bytes),
            truncated: self.truncated.saturating_sub(earlier.truncated),
            transactions: self.transactions.saturating_sub(earlier.transactions),
            tls_connections: self.tls_connections.saturating_sub(earlier.tls_connections),
        }
    }
}

/// What AWS has counted at an instance: packets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Counted {
    /// Mirrored.
    pub mirrored: f64,
    /// Not mirrored although the filter matched, because production came first.
    pub skipped: f64,
}

/// How well something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Well.
    Ok,
    /// Less well than it could be.
    Warn,
    /// Not.
    Fail,
}

/// Something that was found, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What it is about: `session`, `target`, `filter`, `route`, `security_group`, `arrival`, `directions`, `gaps`,
    /// `truncation`, `tls`, `skipped`.
    pub about: &'static str,
    /// What was found.
    pub text: String,
    /// What to do.
    pub mend: Option<String>,
}

/// How well the mirroring of one source is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// `eni-...`.
    pub interface: String,
    /// What people call it.
    pub name: Option<String>,
    /// `tms-...`.
    pub session: Option<String>,
    /// The VNI of its packets.
    pub vni: Option<u32>,
    /// The worst of the findings.
    pub level: Level,
    /// What was found; nothing where all is well.
    pub findings: Vec<Finding>,
    /// What the sensor has received.
    pub received: Option<Received>,
    /// What AWS has counted.
    pub counted: Option<Counted>,
}

/// What is known besides the world.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// By VNI; none when no sensor was asked.
    pub received: Option<BTreeMap<u32, Received>>,
    /// For how long the sensor was watched.
    pub watched: Duration,
    /// By instance; none when CloudWatch was not asked.
    pub counted: Option<BTreeMap<String, Counted>>,
}

/// Checks each source that should be mirrored. `plan` is what would have to be done now.
pub fn check(spec: &Spec, world: &World, plan: &Plan, evidence: &Evidence) -> Vec<Check> {
    let wanted = plan.sources.iter().filter(|source| source.is_mirrored());
    wanted.map(|source| one(spec, world, plan, evidence, source)).collect()
}

fn one(spec: &Spec, world: &World, plan: &Plan, evidence: &Evidence, source: &Source) -> Check {
    let mut findings = Findings::default();
    let session = source.session.as_ref().and_then(|id| world.sessions.get(id));
    let vni = session.map(|session| session.virtual_network_id);
    let apply = || Some("`harken mirror apply`".to_owned());
    match (&source.verdict, session) {
        (_, None) => findings.add(Level::Fail, "session", "there is no session", apply()),
        (Verdict::Modify { changes }, _) => {
            findings.add(
                Level::Warn,
                "session",
                &format!("differs from the spec: {}", changes.join("; ")),
                apply(),
            );
        }
        _ => {}
    }
    if plan.filter.verdict != Verdict::Keep {
        findings.add(Level::Fail, "filter", "the filter is not as the spec says", apply());
    }
    for warning in &source.warnings {
        findings.add(Level::Warn, "session", warning, None);
    }
    if let Some(session) = session {
        target(world, session, &mut findings);
        if let Some(interface) = world.interfaces.get(&source.interface) {
            way(world, session, interface, &mut findings);
        }
    }
    let received = match (&evidence.received, vni) {
        (Some(all), Some(vni)) => Some(all.get(&vni).copied().unwrap_or_default()),
        _ => None,
    };
    if let Some(received) = &received {
        arrival(spec, evidence.watched, received, &mut findings);
    }
    let counted =
        source.instance.as_ref().and_then(|instance| evidence.counted.as_ref()?.get(instance).copied());
    if let Some(counted) = counted.filter(|counted| counted.skipped > 0.0) {
        let text =
            format!("AWS has skipped {} packets: the instance was busy with production", counted.skipped);
        let mend = "a larger instance type, a shorter packet length, or fewer ports".to_owned();
        findings.add(Level::Warn, "skipped", &text, Some(mend));
    }
    let findings = findings.0;
    Check {
        interface: source.interface.clone(),
        name: source.name.clone(),
        session: source.session.clone(),
        vni,
        level: findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok),
        findings,
        received,
        counted,
    }
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, level: Level, about: &'static str, text: &str, mend: Option<String>) {
        self.0.push(Finding { level, about, text: text.to_owned(), mend });
    }
}

/// Whether the target and what it leads to are alive. AWS stops mirroring without a word when they are not.
fn target(world: &World, session: &MirrorSession, findings: &mut Findings) {
    let id = &session.traffic_mirror_target_id;
    let mut dead =
        |text: String, mend: &str| findings.add(Level::Fail, "target", &text, Some(mend.to_owned()));
    let Some(target) = world.targets.get(id) else {
        // That of another account cannot be seen.
        if session.owner_id == world.account {
            dead(format!("the target {id} is gone"), "`harken mirror apply`");
        }
        return;
    };
    if let Some(eni) = &target.network_interface_id {
        match world.interfaces.get(eni) {
            None if target.owner_id == world.account => {
                dead(
                    format!("the interface {eni} of the target is gone"),
                    "give another --target, and apply",
                );
            }
            Some(interface) => {
                let state =
                    world.instance_of(interface).map(|instance| instance.instance_state.name.as_str());
                if let Some(state) = state.filter(|state| *state != "running") {
                    dead(format!("the sensor's instance is {state}"), "start it");
                }
                if interface.status == "available" {
                    dead(format!("the interface {eni} of the target is attached to nothing"), "attach it");
                }
            }
            None => {}
        }
    }
    if let Some(balancer) = &world.balancer {
        if !balancer.listens {
            dead("the load balancer has no listener on UDP 4789".to_owned(), "add one, to the sensors");
        } else if balancer.healthy.0 == 0 {
            let text = format!("none of {} sensors behind the load balancer is healthy", balancer.healthy.1);
            dead(text, "`harken run --health` answers the health check");
        }
    }
}

/// Whether packets can get there.
fn way(world: &World, session: &MirrorSession, source: &NetworkInterface, findings: &mut Findings) {
    let target = world.targets.get(&session.traffic_mirror_target_id);
    let Some(end) = target.and_then(|target| world.interfaces.get(target.network_interface_id.as_ref()?))
    else {
        return;
    };
    if let crate::plan::Reach::No(why) = crate::plan::reach(world, source, end) {
        let mend = "a route from the source's subnet to the target".to_owned();
        findings.add(Level::Fail, "route", &why, Some(mend));
    }
    if let Some((group, networks)) = crate::plan::missing_rule(world, end, std::iter::once(source)) {
        let from: Vec<_> = networks.into_iter().collect();
        let text = format!("{group} of the target lets no UDP 4789 in from {}", from.join(", "));
        findings.add(
            Level::Fail,
            "security_group",
            &text,
            Some("`harken mirror apply --open-security-group`".to_owned()),
        );
    }
}

/// What the sensor has received.
fn arrival(spec: &Spec, watched: Duration, received: &Received, findings: &mut Findings) {
    if received.segments == 0 {
        let text = format!("nothing has arrived in {} s", watched.as_secs());
        let mend = "is there traffic on the source? --probe URL sends a request; then look at security groups, network \
                    ACLs and routes for UDP 4789";
        findings.add(Level::Fail, "arrival", &text, Some(mend.to_owned()));
        return;
    }
    let from_client = received.segments - received.from_server.min(received.segments);
    let one_way = match (from_client, received.from_server) {
        (0, _) => Some(("what servers send", "ingress")),
        (_, 0) => Some(("what clients send", "egress")),
        _ => None,
    };
    if let Some((what, lacks)) = one_way.filter(|_| spec.directions == Directions::Both) {
        let text = format!("only {what} arrives: there is half of each transaction");
        let mend = format!("look at the {lacks} rules of the filter, and at sessions with a lower number");
        findings.add(Level::Fail, "directions", &text, Some(mend));
    }
    let share = |part: u64, whole: u64| part as f64 / (whole as f64).max(1.0);
    let missing = share(received.gap_bytes, received.payload_bytes + received.gap_bytes);
    if missing > GAPS {
        let text = format!("{:.2} % of the bytes are missing", missing * 100.0);
        let mend = "the sensor's own drops (`harken top`), or AWS's (--cloudwatch 15m)".to_owned();
        findings.add(Level::Warn, "gaps", &text, Some(mend));
    }
    let cut = share(received.truncated, received.segments);
    // What the spec cuts is cut on purpose.
    if cut > CUT && spec.packet_length.is_none() {
        let text = format!("{:.1} % of the packets are cut", cut * 100.0);
        let mend = "set the MTU of the source to 8947 (8446 for a load balancer)".to_owned();
        findings.add(Level::Warn, "truncation", &text, Some(mend));
    }
    if received.tls_connections > 0 {
        let tls = share(received.tls_connections, received.tls_connections + received.transactions);
        let level = if received.transactions == 0 { Level::Fail } else { Level::Ok };
        if level == Level::Fail || tls > 0.5 {
            let text = if level == Level::Fail {
                format!(
                    "all that arrives is TLS ({} connections), which is not read",
                    received.tls_connections
                )
            } else {
                format!(
                    "{} connections are TLS, beside {} transactions",
                    received.tls_connections, received.transactions
                )
            };
            let mend =
                "mirror where TLS has ended: behind the load balancer, on the application's port".to_owned();
            findings.add(level.max(Level::Warn), "tls", &text, Some(mend));
        }
    }
}

/// What AWS has counted of mirrored packets at those instances, in the time before now.
///
/// # Errors
/// When CloudWatch cannot be asked.
pub async fn counted<'a>(
    client: &Client,
    instances: impl Iterator<Item = &'a str>,
    now: DateTime<Utc>,
    before: Duration,
) -> Result<BTreeMap<String, Counted>, Error> {
    let mut all = BTreeMap::new();
    let text = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
    for instance in instances {
        let mut counted = Counted::default();
        for (metric, mirrored) in [
            ("NetworkPacketsMirrorIn", true),
            ("NetworkPacketsMirrorOut", true),
            ("NetworkPacketsSkipMirrorIn", false),
            ("NetworkPacketsSkipMirrorOut", false),
        ] {
            let wanted = GetMetricStatistics {
                namespace: "AWS/EC2".to_owned(),
                metric_name: metric.to_owned(),
                dimensions: vec![Dimension { name: "InstanceId".to_owned(), value: instance.to_owned() }],
                start_time: text(now - before),
                end_time: text(now),
                // Basic monitoring has five minutes.
                period: 300,
                statistics: vec!["Sum".to_owned()],
            };
            let sum: f64 = client.call(&wanted).await?.result.datapoints.iter().map(|point| point.sum).sum();
            *(if mirrored { &mut counted.mirrored } else { &mut counted.skipped }) += sum;
        }
        all.insert(instance.to_owned(), counted);
    }
    Ok(all)
}

/// Sends a request that carries a mark in its `User-Agent`. Gives the status that comes back.
///
/// # Errors
/// When no answer comes.
pub async fn probe(url: &str, mark: &str) -> Result<u16, String> {
    // A proxy would take the request another way.
    let client = crate::aws::http()?.no_proxy().timeout(Duration::from_secs(10)).user_agent(mark);
    let client = client.build().map_err(|error| error.to_string())?;
    let answer = client.get(url).send().await.map_err(|error| crate::aws::reasons(&error))?;
    Ok(answer.status().as_u16())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(received: Received) -> Vec<(Level, &'static str)> {
        let mut findings = Findings::default();
        arrival(&Spec::default(), Duration::from_secs(10), &received, &mut findings);
        findings.0.iter().map(|finding| (finding.level, finding.about)).collect()
    }

    #[test]
    fn arrivals() {
        let well = Received {
            segments: 1000,
            from_server: 500,
            payload_bytes: 100_000,
            transactions: 100,
            ..Received::default()
        };
        assert_eq!(found(well), []);
        assert_eq!(found(Received::default()), [(Level::Fail, "arrival")]);
        assert_eq!(found(Received { from_server: 0, ..well }), [(Level::Fail, "directions")]);
        assert_eq!(found(Received { from_server: 1000, ..well }), [(Level::Fail, "directions")]);
        assert_eq!(found(Received { gap_bytes: 1000, ..well }), [(Level::Warn, "gaps")]);
        assert_eq!(found(Received { truncated: 100, ..well }), [(Level::Warn, "truncation")]);
        assert_eq!(found(Received { transactions: 0, tls_connections: 5, ..well }), [(Level::Fail, "tls")]);
        assert_eq!(found(Received { tls_connections: 5, ..well }), []);
        assert_eq!(found(Received { tls_connections: 500, ..well }), [(Level::Warn, "tls")]);
    }
}
