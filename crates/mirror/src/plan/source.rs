//! What becomes of each source.
use super::{families, network, rules};
use crate::aws::ec2::mirror::MirrorSession;
use crate::aws::ec2::network::NetworkInterface;
use crate::ours;
use crate::world::World;
use serde::Serialize;
use std::collections::BTreeMap;

/// Most sessions on an interface.
const SESSIONS: usize = 3;

/// What becomes of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// A session is made.
    Create,
    /// Its session stays as it is.
    Keep,
    /// Its session is changed.
    Modify {
        /// What is changed, in words.
        changes: Vec<String>,
    },
    /// Its session is deleted.
    Delete {
        /// Why.
        reason: String,
    },
    /// It is not mirrored.
    Skip {
        /// Why.
        reason: String,
    },
}

/// A source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Source {
    /// `eni-...`.
    pub interface: String,
    /// `i-...`.
    pub instance: Option<String>,
    /// What people call it.
    pub name: Option<String>,
    /// Such as `m7i.large`.
    pub instance_type: Option<String>,
    /// The zone.
    pub zone: String,
    /// Its first IPv4 address, which its mirrored packets come from.
    pub address: Option<String>,
    /// What becomes of it.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// The VNI of its packets.
    pub vni: Option<u32>,
    /// The number of its session.
    pub number: Option<u16>,
    /// Its session, where there is one: `tms-...`.
    pub session: Option<String>,
    /// What may keep it from being mirrored well.
    pub warnings: Vec<String>,
}

impl Source {
    /// A source as it is, with what becomes of it.
    pub fn new(world: &World, interface: &NetworkInterface, verdict: Verdict) -> Self {
        let instance = world.instance_of(interface);
        Self {
            interface: interface.network_interface_id.clone(),
            instance: instance.map(|instance| instance.instance_id.clone()),
            name: world.name_of(interface).map(str::to_owned),
            instance_type: instance.map(|instance| instance.instance_type.clone()),
            zone: interface.availability_zone.clone(),
            address: interface.private_ip_address.clone(),
            verdict,
            vni: None,
            number: None,
            session: None,
            warnings: Vec::new(),
        }
    }

    /// Whether it is mirrored when the plan is done.
    pub const fn is_mirrored(&self) -> bool {
        matches!(self.verdict, Verdict::Create | Verdict::Keep | Verdict::Modify { .. })
    }

    /// What people call it, with its id.
    pub fn label(&self) -> String {
        match &self.name {
            Some(name) => format!("{name} ({})", self.interface),
            None => self.interface.clone(),
        }
    }
}

/// What the sources share.
pub(super) struct Around<'a> {
    /// What there is.
    pub world: &'a World,
    /// The interface of the target, where it is one.
    pub target: Option<&'a NetworkInterface>,
    /// The wanted number of the sessions.
    pub number: u16,
    /// The rules that are wanted.
    pub rules: &'a [rules::Wanted],
    /// The sessions of others by interface, the one that is asked first first.
    pub foreign: BTreeMap<&'a str, Vec<&'a MirrorSession>>,
}

/// The sessions of others by interface, the one that is asked first first.
pub(super) fn foreign<'a>(world: &'a World, stack: &str) -> BTreeMap<&'a str, Vec<&'a MirrorSession>> {
    let mut all: BTreeMap<&str, Vec<&MirrorSession>> = BTreeMap::new();
    for session in world.sessions.values().filter(|session| !ours::is_ours(&session.tag_set, stack)) {
        all.entry(&session.network_interface_id).or_default().push(session);
    }
    all.values_mut().for_each(|sessions| sessions.sort_by_key(|session| session.session_number));
    all
}

impl Around<'_> {
    /// Why an interface cannot be a source, whatever sessions it has.
    pub(super) fn unfit(&self, interface: &NetworkInterface) -> Option<String> {
        let id = interface.network_interface_id.as_str();
        if let Some(target) =
            self.world.targets.values().find(|t| t.network_interface_id.as_deref() == Some(id))
        {
            return Some(format!("it is a target itself ({})", target.traffic_mirror_target_id));
        }
        if self.target.is_some_and(|target| target.network_interface_id == id) {
            return Some("it is the target itself".to_owned());
        }
        if interface.interface_type != "interface" {
            return Some(format!("interfaces of type {} cannot be mirrored", interface.interface_type));
        }
        let by = interface.requester_id.as_deref().unwrap_or_default();
        // RDS and ElastiCache are the two whose interfaces may be mirrored, as the guide says.
        if interface.requester_managed && !["amazon-rds", "amazon-elasticache"].contains(&by) {
            return Some(format!(
                "a service of AWS manages it ({})",
                if by.is_empty() { "unnamed" } else { by }
            ));
        }
        if interface.private_ip_address.is_none() {
            return Some("it has IPv6 alone, which is not mirrored".to_owned());
        }
        if self.world.subnets.get(&interface.subnet_id).is_some_and(|subnet| subnet.ipv6_native) {
            return Some("its subnet has IPv6 alone, which is not mirrored".to_owned());
        }
        let instance = self.world.instance_of(interface);
        if let Some(instance) = instance.filter(|instance| !instance.is_up()) {
            return Some(format!("its instance is {}", instance.instance_state.name));
        }
        if interface.status == "available" {
            return Some("it is attached to nothing".to_owned());
        }
        if let Some(network::Reach::No(reason)) =
            self.target.map(|target| network::reach(self.world, interface, target))
        {
            return Some(reason);
        }
        None
    }

    /// The sessions of others on an interface.
    fn foreign(&self, interface: &str) -> &[&MirrorSession] {
        self.foreign.get(interface).map(Vec::as_slice).unwrap_or_default()
    }

    /// The number of a session on an interface: the wanted one, or where another session has that, the next that is free.
    pub(super) fn number(&self, interface: &str) -> u16 {
        let foreign = self.foreign(interface);
        let free = |number: &u16| !foreign.iter().any(|session| session.session_number == *number);
        (self.number..=32766).chain(1..self.number).find(free).unwrap_or(self.number)
    }

    /// Why a session on an interface would not work beside those of others; and what it would do to them.
    pub(super) fn beside(&self, interface: &str) -> (Option<String>, Vec<String>) {
        let foreign = self.foreign(interface);
        if foreign.len() >= SESSIONS {
            return (
                Some("it has three sessions already, which is as many as AWS allows".to_owned()),
                Vec::new(),
            );
        }
        let number = self.number(interface);
        let mut warnings = Vec::new();
        if number != self.number {
            warnings.push(format!("session number {} is taken: {number} is used", self.number));
        }
        for session in foreign {
            let (id, other) = (&session.traffic_mirror_session_id, session.session_number);
            // A filter of another account cannot be read: it may take everything.
            let filter = self.world.filters.get(&session.traffic_mirror_filter_id);
            let taken = filter.map_or(rules::Taken::Some, |filter| rules::taken(filter, self.rules));
            match taken {
                rules::Taken::Nothing => {}
                rules::Taken::All if other < number => {
                    let reason = format!("session {id} (number {other}) comes first and takes every packet");
                    return (Some(reason), warnings);
                }
                _ if other < number => {
                    warnings.push(format!(
                        "session {id} (number {other}) comes first and takes part of the packets"
                    ));
                }
                _ => warnings.push(format!("it takes packets from session {id} (number {other})")),
            }
        }
        (None, warnings)
    }

    /// What may keep a source from being mirrored well.
    pub(super) fn warnings(&self, interface: &NetworkInterface) -> Vec<String> {
        let doubt =
            self.world.instance_of(interface).and_then(|instance| families::doubt(&instance.instance_type));
        let reach = match self.target.map(|target| network::reach(self.world, interface, target)) {
            Some(network::Reach::Unknown(why)) => {
                Some(format!("whether packets reach the target is not known: {why}"))
            }
            _ => None,
        };
        let attachment = interface.attachment.as_ref().and_then(|attachment| attachment.instance_id.as_ref());
        // AWS's guide says nothing of Fargate.
        let strange = attachment.is_none().then(|| {
            "it belongs to no instance of this account, as those of Fargate: AWS may refuse it".to_owned()
        });
        doubt.into_iter().chain(strange).chain(reach).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::ec2::network::{Attachment, Instance, State, Subnet};

    /// What a fake cannot be brought to have.
    #[test]
    fn what_cannot_be_a_source() {
        let mut world = World::default();
        let mut running = Instance { instance_id: "i-1".to_owned(), ..Instance::default() };
        running.instance_state = State { name: "running".to_owned() };
        world.instances.insert("i-1".to_owned(), running);
        let native = Subnet { subnet_id: "subnet-6".to_owned(), ipv6_native: true, ..Subnet::default() };
        world.subnets.insert("subnet-6".to_owned(), native);
        let around =
            Around { world: &world, target: None, number: 100, rules: &[], foreign: BTreeMap::new() };
        let well = NetworkInterface {
            network_interface_id: "eni-1".to_owned(),
            interface_type: "interface".to_owned(),
            status: "in-use".to_owned(),
            private_ip_address: Some("10.0.0.1".to_owned()),
            attachment: Some(Attachment { instance_id: Some("i-1".to_owned()), device_index: 0 }),
            ..NetworkInterface::default()
        };
        assert_eq!(around.unfit(&well), None);
        let managed = |by: &str| NetworkInterface {
            requester_managed: true,
            requester_id: Some(by.to_owned()),
            ..well.clone()
        };
        assert_eq!(around.unfit(&managed("amazon-rds")), None);
        for (interface, why) in [
            (managed("amazon-elb"), "a service of AWS manages it (amazon-elb)"),
            (NetworkInterface { private_ip_address: None, ..well.clone() }, "it has IPv6 alone"),
            (
                NetworkInterface { subnet_id: "subnet-6".to_owned(), ..well.clone() },
                "its subnet has IPv6 alone",
            ),
            (
                NetworkInterface { interface_type: "trunk".to_owned(), ..well.clone() },
                "interfaces of type trunk",
            ),
            (
                NetworkInterface { status: "available".to_owned(), ..well.clone() },
                "it is attached to nothing",
            ),
        ] {
            let unfit = around.unfit(&interface).unwrap_or_default();
            assert!(unfit.starts_with(why), "{why}: {unfit}");
        }
    }
}
