//! Puts a plan together.
use super::end::{End, Kind};
use super::network::{self, VXLAN};
use super::request::{About, Call, MADE_FILTER, MADE_TARGET};
use super::source::{Around, Source, Verdict, foreign};
use super::{Choices, Level, Note, Part, Plan, families, rules};
use crate::aws::ec2::mirror::{
    CreateTrafficMirrorFilter, CreateTrafficMirrorFilterRule, CreateTrafficMirrorSession,
    CreateTrafficMirrorTarget, DeleteTrafficMirrorFilter, DeleteTrafficMirrorFilterRule,
    DeleteTrafficMirrorTarget, MirrorFilter, MirrorSession, ModifyTrafficMirrorFilterNetworkServices,
    ModifyTrafficMirrorFilterRule, ModifyTrafficMirrorSession, Rule,
};
use crate::aws::ec2::network::NetworkInterface;
use crate::ours;
use crate::select::select;
use crate::spec::{Place, Spec};
use crate::world::World;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn build(spec: &Spec, place: &Place, world: &World, choices: Choices) -> Result<Plan, String> {
    spec.check()?;
    let destination = spec
        .target_of(place)
        .ok_or("target: none is given; mend: say where packets go, such as --target eni-... of the sensor")?;
    let wanted = rules::wanted(spec)?;
    let end = End::find(world, destination)?;
    check_length(spec, &end)?;
    let mut builder = Builder {
        spec,
        world,
        around: Around {
            world,
            target: end.interface,
            number: spec.session_number,
            rules: &wanted,
            foreign: foreign(world, &spec.name),
        },
        end,
        notes: Vec::new(),
        calls: Vec::new(),
    };
    let target = builder.target();
    let filter = builder.filter(&wanted);
    let target_id = target.id.clone().unwrap_or_else(|| MADE_TARGET.to_owned());
    let filter_id = filter.id.clone().unwrap_or_else(|| MADE_FILTER.to_owned());
    let sessions = builder.sources(&select(world, spec.sources_of(place)), &target_id, &filter_id);
    builder.security_group(&sessions.sources, choices);
    builder.calls.extend(sessions.deletes.into_iter().chain(sessions.changes));
    builder.leftovers(&target_id, &filter_id);
    builder.remarks(&sessions.sources, &target_id);
    Ok(Plan {
        stack: spec.name.clone(),
        account: world.account.clone(),
        identity: world.identity.clone(),
        region: world.region.clone(),
        target,
        destination: destination.clone(),
        filter,
        sentence: rules::sentence(spec),
        rules: wanted.iter().map(|wanted| line(&wanted.rule(0))).collect(),
        sources: sessions.sources,
        notes: builder.notes,
        calls: builder.calls,
    })
}

/// A rule as a line.
fn line(rule: &Rule) -> String {
    let ports = |range: Option<crate::aws::ec2::PortRange>| match range {
        None => String::new(),
        Some(range) if range.from_port == range.to_port => format!(" port {}", range.from_port),
        Some(range) => format!(" ports {}-{}", range.from_port, range.to_port),
    };
    format!(
        "{} {} tcp from {}{} to {}{}",
        rule.traffic_direction,
        rule.rule_action,
        rule.source_cidr_block,
        ports(rule.source_port_range),
        rule.destination_cidr_block,
        ports(rule.destination_port_range),
    )
}

fn check_length(spec: &Spec, end: &End<'_>) -> Result<(), String> {
    match spec.packet_length {
        Some(length) if end.kind == Kind::Balancer && length > 8500 => Err(format!(
            "packet_length: {length} is more than 8500, the most that a network load balancer takes"
        )),
        _ => Ok(()),
    }
}

/// Puts a plan together.
pub(super) struct Builder<'a> {
    pub(super) spec: &'a Spec,
    pub(super) world: &'a World,
    around: Around<'a>,
    pub(super) end: End<'a>,
    notes: Vec<Note>,
    calls: Vec<Call>,
}

#[derive(Default)]
struct Sessions {
    sources: Vec<Source>,
    deletes: Vec<Call>,
    changes: Vec<Call>,
}

impl Builder<'_> {
    pub(super) fn note(&mut self, level: Level, about: &'static str, text: String) {
        self.notes.push(Note { level, about, text });
    }

    fn is_ours(&self, tags: &[crate::aws::ec2::Tag]) -> bool {
        ours::is_ours(tags, &self.spec.name)
    }

    fn target(&mut self) -> Part {
        let there = self.end.named.or_else(|| {
            self.world.targets.values().find(|target| self.is_ours(&target.tag_set) && self.end.is_of(target))
        });
        if let Some(target) = there {
            return Part { id: Some(target.traffic_mirror_target_id.clone()), verdict: Verdict::Keep };
        }
        let id = Some(self.end.id.clone());
        let (mut eni, mut arn, mut endpoint) = (None, None, None);
        match self.end.kind {
            Kind::Interface => eni = id,
            Kind::Balancer => arn = id,
            Kind::Endpoint => endpoint = id,
        }
        let stack = &self.spec.name;
        let request = CreateTrafficMirrorTarget {
            network_interface_id: eni,
            network_load_balancer_arn: arn,
            gateway_load_balancer_endpoint_id: endpoint,
            description: Some(ours::title(stack)),
            tag_specifications: ours::tags("traffic-mirror-target", stack, &ours::title(stack)),
            ..Default::default()
        };
        self.calls.push(Call::new(About::Target, request));
        Part { id: None, verdict: Verdict::Create }
    }

    fn filter(&mut self, wanted: &[rules::Wanted]) -> Part {
        let stack = &self.spec.name;
        let there: Option<&MirrorFilter> =
            self.world.filters.values().find(|filter| self.is_ours(&filter.tag_set));
        let id = there.map(|filter| filter.traffic_mirror_filter_id.clone());
        if there.is_none() {
            let request = CreateTrafficMirrorFilter {
                description: Some(ours::title(stack)),
                tag_specifications: ours::tags("traffic-mirror-filter", stack, &ours::title(stack)),
                ..Default::default()
            };
            self.calls.push(Call::new(About::Filter, request));
        }
        let difference = rules::difference(there, wanted);
        let mut changes = Vec::new();
        // First those that go, so that there is room for those that come.
        for rule in difference.delete {
            changes.push(format!("- {}", line(&rule)));
            let request = DeleteTrafficMirrorFilterRule::of(&rule.traffic_mirror_filter_rule_id);
            self.calls.push(Call::new(About::Filter, request));
        }
        for (old, new) in difference.modify {
            changes.push(format!("~ {} instead of {}", line(&new), line(&old)));
            self.calls.push(Call::new(About::Filter, modified(&old, new)));
        }
        for rule in difference.create {
            changes.push(format!("+ {}", line(&rule)));
            let request = CreateTrafficMirrorFilterRule {
                traffic_mirror_filter_id: id.clone().unwrap_or_else(|| MADE_FILTER.to_owned()),
                traffic_direction: rule.traffic_direction,
                rule_number: rule.rule_number,
                rule_action: rule.rule_action,
                destination_port_range: rule.destination_port_range,
                source_port_range: rule.source_port_range,
                protocol: rule.protocol,
                destination_cidr_block: rule.destination_cidr_block,
                source_cidr_block: rule.source_cidr_block,
                tag_specifications: ours::tags("traffic-mirror-filter-rule", stack, &ours::title(stack)),
                ..Default::default()
            };
            self.calls.push(Call::new(About::Filter, request));
        }
        if let Some(filter) = there.filter(|filter| !filter.network_service_set.is_empty()) {
            changes.push(format!("- {}", filter.network_service_set.join(", ")));
            let request = ModifyTrafficMirrorFilterNetworkServices {
                traffic_mirror_filter_id: filter.traffic_mirror_filter_id.clone(),
                remove_network_services: filter.network_service_set.clone(),
                ..Default::default()
            };
            self.calls.push(Call::new(About::Filter, request));
        }
        let verdict = match there {
            None => Verdict::Create,
            Some(_) if changes.is_empty() => Verdict::Keep,
            Some(_) => Verdict::Modify { changes },
        };
        Part { id, verdict }
    }

    fn sources(
        &mut self,
        selected: &BTreeMap<&str, &NetworkInterface>,
        target: &str,
        filter: &str,
    ) -> Sessions {
        let mut out = Sessions::default();
        let mut ours: BTreeMap<&str, Vec<&MirrorSession>> = BTreeMap::new();
        for session in self.world.sessions.values().filter(|session| self.is_ours(&session.tag_set)) {
            ours.entry(&session.network_interface_id).or_default().push(session);
        }
        let mut vnis: BTreeSet<u32> = self.world.sessions.values().map(|s| s.virtual_network_id).collect();
        let mut capacity = self.capacity(target);
        if let Some((most, taken)) = &mut capacity {
            // What is mirrored already comes first.
            let room = most.saturating_sub(taken.len());
            taken.extend(
                selected.keys().filter(|id| ours.contains_key(*id)).take(room).map(ToString::to_string),
            );
        }
        for (id, interface) in selected {
            let sessions = ours.remove(id).unwrap_or_default();
            let source = match sessions.split_first() {
                Some((session, doubles)) => {
                    out.deletes.extend(doubles.iter().map(|double| Call::delete(double)));
                    self.existing(interface, session, target, filter, &mut capacity, &mut out)
                }
                None => self.missing(interface, target, filter, &mut vnis, &mut capacity, &mut out),
            };
            out.sources.push(source);
        }
        // Sessions of ours on what is not selected any more.
        for (id, sessions) in ours {
            let reason = if self.world.interfaces.contains_key(id) {
                "it is not selected any more"
            } else {
                "its interface is gone"
            };
            let gone = NetworkInterface { network_interface_id: id.to_owned(), ..Default::default() };
            let interface = self.world.interfaces.get(id).unwrap_or(&gone);
            let mut source =
                Source::new(self.world, interface, Verdict::Delete { reason: reason.to_owned() });
            source.session = sessions.first().map(|session| session.traffic_mirror_session_id.clone());
            source.vni = sessions.first().map(|session| session.virtual_network_id);
            out.deletes.extend(sessions.into_iter().map(Call::delete));
            out.sources.push(source);
        }
        out
    }

    /// How many more sources the target takes, and the interfaces that count already.
    pub(super) fn capacity(&self, target: &str) -> Option<(usize, BTreeSet<String>)> {
        let interface = self.end.interface.filter(|_| self.end.kind == Kind::Interface)?;
        let kind = self.world.instance_of(interface).map(|instance| instance.instance_type.as_str());
        let others =
            self.world.sessions.values().filter(|session| {
                session.traffic_mirror_target_id == target && !self.is_ours(&session.tag_set)
            });
        Some((families::capacity(kind), others.map(|session| session.network_interface_id.clone()).collect()))
    }

    fn missing(
        &self,
        interface: &NetworkInterface,
        target: &str,
        filter: &str,
        vnis: &mut BTreeSet<u32>,
        capacity: &mut Option<(usize, BTreeSet<String>)>,
        out: &mut Sessions,
    ) -> Source {
        let id = &interface.network_interface_id;
        let skip = |reason| Source::new(self.world, interface, Verdict::Skip { reason });
        if let Some(reason) = self.around.unfit(interface) {
            return skip(reason);
        }
        let (reason, mut warnings) = self.around.beside(id);
        if let Some(reason) = reason {
            return skip(reason);
        }
        if let Some(reason) = full(capacity, id) {
            return skip(reason);
        }
        warnings.extend(self.around.warnings(interface));
        let vni = ours::vni(&self.spec.name, id, |vni| vnis.contains(&vni));
        vnis.insert(vni);
        let mut source = Source::new(self.world, interface, Verdict::Create);
        (source.vni, source.number, source.warnings) = (Some(vni), Some(self.around.number(id)), warnings);
        let request = CreateTrafficMirrorSession {
            network_interface_id: id.clone(),
            traffic_mirror_target_id: target.to_owned(),
            traffic_mirror_filter_id: filter.to_owned(),
            packet_length: self.spec.packet_length,
            session_number: self.around.number(id),
            virtual_network_id: Some(vni),
            description: Some(ours::title(&self.spec.name)),
            tag_specifications: ours::tags(
                "traffic-mirror-session",
                &self.spec.name,
                source.name.as_deref().unwrap_or(id),
            ),
            ..Default::default()
        };
        out.changes.push(Call::new(About::Session(id.clone()), request));
        source
    }

    fn existing(
        &self,
        interface: &NetworkInterface,
        session: &MirrorSession,
        target: &str,
        filter: &str,
        capacity: &mut Option<(usize, BTreeSet<String>)>,
        out: &mut Sessions,
    ) -> Source {
        let id = &interface.network_interface_id;
        let about = |verdict| {
            let mut source = Source::new(self.world, interface, verdict);
            source.session = Some(session.traffic_mirror_session_id.clone());
            source.vni = Some(session.virtual_network_id);
            source.number = Some(self.around.number(id));
            source
        };
        let is_target = self.end.interface.is_some_and(|end| end.network_interface_id == *id);
        let state = self.world.instance_of(interface).map(|instance| instance.instance_state.name.as_str());
        let lost = match state {
            _ if is_target => Some("it is the target itself now".to_owned()),
            // It does not come back, as one that is stopped may.
            Some("terminated" | "shutting-down") => Some("its instance is terminated".to_owned()),
            _ => full(capacity, id),
        };
        if let Some(reason) = lost {
            out.deletes.push(Call::delete(session));
            return about(Verdict::Delete { reason });
        }
        let mut request = ModifyTrafficMirrorSession {
            traffic_mirror_session_id: session.traffic_mirror_session_id.clone(),
            ..Default::default()
        };
        let mut changes = Vec::new();
        if session.traffic_mirror_target_id != target {
            changes.push(format!("target {} becomes {target}", session.traffic_mirror_target_id));
            request.traffic_mirror_target_id = Some(target.to_owned());
        }
        if session.traffic_mirror_filter_id != filter {
            changes.push(format!("filter {} becomes {filter}", session.traffic_mirror_filter_id));
            request.traffic_mirror_filter_id = Some(filter.to_owned());
        }
        let number = self.around.number(id);
        if session.session_number != number {
            changes.push(format!("number {} becomes {number}", session.session_number));
            request.session_number = Some(number);
        }
        // A network load balancer has 8500 where nothing was given.
        let usual = (self.end.kind == Kind::Balancer).then_some(8500);
        if session.packet_length != self.spec.packet_length
            && !(self.spec.packet_length.is_none() && session.packet_length == usual)
        {
            let said = |length: Option<u32>| length.map_or("all".to_owned(), |length| length.to_string());
            let (old, new) = (said(session.packet_length), said(self.spec.packet_length));
            changes.push(format!("packet length {old} becomes {new}"));
            match self.spec.packet_length {
                Some(length) => request.packet_length = Some(length),
                None => request.remove_fields.push("packet-length".to_owned()),
            }
        }
        let mut source = about(if changes.is_empty() { Verdict::Keep } else { Verdict::Modify { changes } });
        if source.verdict != Verdict::Keep {
            out.changes.push(Call::new(About::Session(id.clone()), request));
        }
        let (starved, mut warnings) = self.around.beside(id);
        warnings.extend(starved);
        warnings.extend(self.around.unfit(interface).map(|why| format!("{why}; its session bills on")));
        warnings.extend(self.around.warnings(interface));
        source.warnings = warnings;
        source
    }

    fn security_group(&mut self, sources: &[Source], choices: Choices) {
        let Some(target) = self.end.interface else { return };
        let mirrored = sources.iter().filter(|source| source.is_mirrored());
        let interfaces = mirrored.filter_map(|source| self.world.interfaces.get(&source.interface));
        let Some((group, networks)) = network::missing_rule(self.world, target, interfaces) else { return };
        let from: Vec<_> = networks.iter().map(String::as_str).collect();
        let from = from.join(", ");
        if choices.open_security_group {
            let call = network::open(&self.spec.name, &group, &networks);
            self.calls.push(Call::new(About::SecurityGroup, call));
            self.note(
                Level::Info,
                "security_group",
                format!("{group} is opened for UDP {VXLAN} from {from}"),
            );
        } else {
            let text = format!(
                "{group} of the target lets no UDP {VXLAN} in from {from}: nothing will arrive; mend: \
                 --open-security-group, or add the rule yourself"
            );
            self.note(Level::Warning, "security_group", text);
        }
    }

    /// Targets and filters of ours that nothing needs once the plan is done.
    fn leftovers(&mut self, target: &str, filter: &str) {
        let foreign: Vec<_> =
            self.world.sessions.values().filter(|session| !self.is_ours(&session.tag_set)).collect();
        let mut calls = Vec::new();
        for (id, item) in &self.world.targets {
            if id != target
                && self.is_ours(&item.tag_set)
                && !foreign.iter().any(|s| s.traffic_mirror_target_id == *id)
            {
                let request = DeleteTrafficMirrorTarget::of(id);
                calls.push(Call::new(About::Leftover(id.clone()), request));
            }
        }
        for (id, item) in &self.world.filters {
            if id != filter
                && self.is_ours(&item.tag_set)
                && !foreign.iter().any(|s| s.traffic_mirror_filter_id == *id)
            {
                let request = DeleteTrafficMirrorFilter::of(id);
                calls.push(Call::new(About::Leftover(id.clone()), request));
            }
        }
        self.calls.extend(calls);
    }
}

/// Why one more source does not fit; it is counted where it does.
fn full(capacity: &mut Option<(usize, BTreeSet<String>)>, interface: &str) -> Option<String> {
    let (most, taken) = capacity.as_mut()?;
    if taken.len() >= *most && !taken.contains(interface) {
        return Some(format!(
            "the target takes {most} sources; mend: a network load balancer as the target, or a second sensor"
        ));
    }
    taken.insert(interface.to_owned());
    None
}

/// The call that makes a rule into another one.
fn modified(old: &Rule, new: Rule) -> ModifyTrafficMirrorFilterRule {
    let mut remove = Vec::new();
    if old.destination_port_range.is_some() && new.destination_port_range.is_none() {
        remove.push("destination-port-range".to_owned());
    }
    if old.source_port_range.is_some() && new.source_port_range.is_none() {
        remove.push("source-port-range".to_owned());
    }
    ModifyTrafficMirrorFilterRule {
        traffic_mirror_filter_rule_id: old.traffic_mirror_filter_rule_id.clone(),
        rule_action: (old.rule_action != new.rule_action).then_some(new.rule_action),
        destination_port_range: new.destination_port_range,
        source_port_range: new.source_port_range,
        // AWS refuses ports without it, even where it does not change.
        protocol: new.protocol,
        destination_cidr_block: Some(new.destination_cidr_block),
        source_cidr_block: Some(new.source_cidr_block),
        remove_fields: remove,
        ..Default::default()
    }
}
