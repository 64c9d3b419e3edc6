//! The rules of the filter: which are wanted, which are there, and what another filter takes away.
use crate::aws::ec2::PortRange;
use crate::aws::ec2::mirror::{MirrorFilter, Rule};
use crate::spec::{Directions, Family, Ports, Spec};

/// Most rules of a filter. AWS does not say whether it counts each direction for itself, so both are counted.
pub(super) const MOST: usize = 10;
/// TCP.
const TCP: u8 = 6;
/// Number of the first rule of a direction, and the step to the next.
const STEP: u16 = 100;

/// A rule without number and id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    /// `ingress` or `egress`.
    pub direction: &'static str,
    /// Both ends of it.
    pub family: Family,
    /// The server's ports; none for all.
    pub ports: Option<Ports>,
}

impl Wanted {
    /// The ranges of ports that packets come from, and go to.
    pub(super) fn ranges(&self) -> (Option<PortRange>, Option<PortRange>) {
        let range = self.ports.map(|ports| PortRange { from_port: ports.first, to_port: ports.last });
        if self.direction == "ingress" { (None, range) } else { (range, None) }
    }

    /// The rule as AWS has it.
    pub(super) fn rule(&self, number: u16) -> Rule {
        let (source_port_range, destination_port_range) = self.ranges();
        Rule {
            traffic_mirror_filter_rule_id: String::new(),
            traffic_direction: self.direction.to_owned(),
            rule_number: number,
            rule_action: "accept".to_owned(),
            protocol: Some(TCP),
            destination_port_range,
            source_port_range,
            destination_cidr_block: self.family.any().to_owned(),
            source_cidr_block: self.family.any().to_owned(),
            description: None,
        }
    }
}

/// Whether two rules do the same, whatever their number and description.
pub(super) fn same(a: &Rule, b: &Rule) -> bool {
    let bare = |rule: &Rule| Rule {
        traffic_mirror_filter_rule_id: String::new(),
        rule_number: 0,
        description: None,
        ..rule.clone()
    };
    bare(a) == bare(b)
}

/// Ports in order, with those joined that touch.
fn joined(ports: &[Ports]) -> Vec<Ports> {
    let mut sorted = ports.to_vec();
    sorted.sort();
    let mut out: Vec<Ports> = Vec::new();
    for ports in sorted {
        match out.last_mut() {
            Some(last) if u32::from(ports.first) <= u32::from(last.last) + 1 => {
                last.last = last.last.max(ports.last);
            }
            _ => out.push(ports),
        }
    }
    out
}

/// The rules that a description needs.
///
/// # Errors
/// When they are more than a filter has, with a way to say it in fewer.
pub(super) fn wanted(spec: &Spec) -> Result<Vec<Wanted>, String> {
    let ports = joined(&spec.ports);
    let mut families = spec.ip.clone();
    families.sort();
    families.dedup();
    let each = spec.directions.names().len() * families.len();
    let ranges = ports.len().max(1);
    if ranges * each > MOST {
        let fit = MOST / each;
        let fewer = fewer(&ports, fit);
        let said: Vec<_> = fewer.iter().map(ToString::to_string).collect();
        let more: u32 = count(&fewer) - count(&ports);
        let one_family = if families.len() > 1 {
            ", or one family alone (`ip`), which has room for twice as many"
        } else {
            ""
        };
        return Err(format!(
            "ports: {ranges} ranges of ports need {} rules ({each} each), and a filter has {MOST}; mend: ports \
             {} ({more} ports more){one_family}, or no ports at all, for all of TCP",
            ranges * each,
            said.join(",")
        ));
    }
    let ports: Vec<_> = if ports.is_empty() { vec![None] } else { ports.into_iter().map(Some).collect() };
    let mut out = Vec::new();
    for &direction in spec.directions.names() {
        for &family in &families {
            out.extend(ports.iter().map(|&ports| Wanted { direction, family, ports }));
        }
    }
    Ok(out)
}

fn count(ports: &[Ports]) -> u32 {
    ports.iter().map(|ports| u32::from(ports.last - ports.first) + 1).sum()
}

/// The ports in that many ranges, with as few more as may be: the smallest holes are closed.
fn fewer(ports: &[Ports], most: usize) -> Vec<Ports> {
    let mut out = ports.to_vec();
    while out.len() > most.max(1) {
        let holes = out.iter().zip(out.iter().skip(1)).map(|(a, b)| b.first - a.last);
        let Some((at, _)) = holes.enumerate().min_by_key(|(_, hole)| *hole) else { break };
        let behind = out.remove(at + 1);
        if let Some(ports) = out.get_mut(at) {
            ports.last = behind.last;
        }
    }
    out
}

/// The filter in words.
pub(super) fn sentence(spec: &Spec) -> String {
    let ports = joined(&spec.ports);
    let said: Vec<_> = ports.iter().map(ToString::to_string).collect();
    let what = match said.as_slice() {
        [] => "all of TCP".to_owned(),
        [one] if !one.contains('-') => format!("TCP port {one}"),
        many => format!("TCP ports {}", many.join(", ")),
    };
    let way = match spec.directions {
        Directions::Both => "both directions",
        Directions::Ingress => "ingress alone (requests without responses)",
        Directions::Egress => "egress alone (responses without requests)",
    };
    let both = spec.ip.contains(&Family::Ipv4) && spec.ip.contains(&Family::Ipv6);
    let family = match spec.ip.first() {
        _ if both => "IPv4 and IPv6",
        Some(Family::Ipv6) => "IPv6 alone",
        _ => "IPv4 alone",
    };
    format!("{what}, {way}, {family}, no DNS")
}

/// What has to be done to a filter for it to have the rules that are wanted, and no other.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    /// Rules that are missing, with their numbers.
    pub create: Vec<Rule>,
    /// Rules that become another one: what is there, and what is wanted.
    pub modify: Vec<(Rule, Rule)>,
    /// Rules that are too many.
    pub delete: Vec<Rule>,
}

/// The difference between what is there and what is wanted. A rule that is there already keeps its number.
pub(super) fn difference(filter: Option<&MirrorFilter>, wanted: &[Wanted]) -> Difference {
    let mut there: Vec<&Rule> = filter.into_iter().flat_map(MirrorFilter::rules).collect();
    let mut missing = Vec::new();
    for wanted in wanted {
        let rule = wanted.rule(0);
        match there.iter().position(|there| same(there, &rule)) {
            Some(at) => {
                there.swap_remove(at);
            }
            None => missing.push(rule),
        }
    }
    let mut out = Difference::default();
    let taken: Vec<_> = filter.into_iter().flat_map(MirrorFilter::rules).collect();
    let mut used: Vec<(String, u16)> =
        taken.iter().map(|rule| (rule.traffic_direction.clone(), rule.rule_number)).collect();
    for mut rule in missing {
        // The direction of a rule cannot be changed.
        if let Some(at) = there.iter().position(|there| there.traffic_direction == rule.traffic_direction) {
            let old = there.swap_remove(at);
            rule.rule_number = old.rule_number;
            out.modify.push((old.clone(), rule));
            continue;
        }
        let numbers = (1..).map(|n: u16| n.saturating_mul(STEP));
        let free = |number: &u16| !used.iter().any(|(way, n)| *way == rule.traffic_direction && n == number);
        rule.rule_number = numbers.take(300).find(free).unwrap_or(STEP);
        used.push((rule.traffic_direction.clone(), rule.rule_number));
        out.create.push(rule);
    }
    out.delete = there.into_iter().cloned().collect();
    out
}

/// How much of the wanted packets another filter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// None.
    Nothing,
    /// Some, or perhaps some.
    Some,
    /// All.
    All,
}

/// How much of the wanted packets a filter takes, as a session with a lower number would.
pub(super) fn taken(filter: &MirrorFilter, wanted: &[Wanted]) -> Taken {
    let (mut some, mut all) = (false, true);
    for wanted in wanted {
        let rules = if wanted.direction == "ingress" {
            &filter.ingress_filter_rule_set
        } else {
            &filter.egress_filter_rule_set
        };
        let mut rules: Vec<_> = rules.iter().collect();
        rules.sort_by_key(|rule| rule.rule_number);
        let range = wanted.ports.unwrap_or(Ports { first: 0, last: u16::MAX });
        // Between two of these ports, the filter takes all or none.
        let mut edges = vec![u32::from(range.first)];
        for rule in &rules {
            if let Some(ports) = server_ports(rule, wanted.direction) {
                edges.extend([u32::from(ports.from_port), u32::from(ports.to_port) + 1]);
            }
        }
        for edge in edges.into_iter().filter(|edge| (range.first.into()..=range.last.into()).contains(edge)) {
            match verdict(&rules, wanted, edge) {
                Some(true) => some = true,
                Some(false) => all = false,
                None => (some, all) = (true, false),
            }
        }
    }
    match (some, all) {
        (_, true) => Taken::All,
        (true, false) => Taken::Some,
        (false, false) => Taken::Nothing,
    }
}

fn server_ports(rule: &Rule, direction: &str) -> Option<PortRange> {
    if direction == "ingress" { rule.destination_port_range } else { rule.source_port_range }
}

/// Whether the rules take a packet of that server's port; none where it depends on more than the port.
fn verdict(rules: &[&Rule], wanted: &Wanted, port: u32) -> Option<bool> {
    for rule in rules {
        let v6 = rule.source_cidr_block.contains(':');
        let ports = server_ports(rule, wanted.direction);
        let within = |ports: PortRange| (ports.from_port.into()..=ports.to_port.into()).contains(&port);
        if rule.protocol.is_some_and(|protocol| protocol != TCP)
            || v6 != (wanted.family == Family::Ipv6)
            || ports.is_some_and(|ports| !within(ports))
        {
            continue;
        }
        let client =
            if wanted.direction == "ingress" { rule.source_port_range } else { rule.destination_port_range };
        let whole = client.is_none_or(|ports| ports.from_port <= 1024 && ports.to_port == u16::MAX)
            && [&rule.source_cidr_block, &rule.destination_cidr_block]
                .iter()
                .all(|cidr| cidr.ends_with("/0"));
        return whole.then(|| rule.rule_action == "accept");
    }
    Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(ports: &str) -> Spec {
        let ports =
            ports.split(',').filter(|part| !part.is_empty()).map(|part| part.parse().unwrap()).collect();
        Spec { ports, ..Spec::default() }
    }

    fn filter(spec: &Spec) -> MirrorFilter {
        let mut filter = MirrorFilter::default();
        for rule in difference(None, &wanted(spec).unwrap()).create {
            let set = if rule.traffic_direction == "ingress" {
                &mut filter.ingress_filter_rule_set
            } else {
                &mut filter.egress_filter_rule_set
            };
            set.push(rule);
        }
        filter
    }

    #[test]
    fn a_filter_has_ten_rules() {
        assert_eq!(wanted(&spec("")).unwrap().len(), 4);
        assert_eq!(wanted(&spec("80,8080")).unwrap().len(), 8);
        // Ports that touch are one range.
        assert_eq!(wanted(&spec("80,81-82,8000-8010,8005-8020")).unwrap().len(), 8);
        let error = wanted(&spec("80,443,8080,8090,9000")).unwrap_err();
        assert!(
            error.contains("20 rules (4 each)") && error.contains("ports 80-443,8080-9000 (1280"),
            "{error}"
        );
        let v4 = Spec { ip: vec![Family::Ipv4], ..spec("80,443,8080,8090,9000") };
        assert_eq!(wanted(&v4).unwrap().len(), 10);
    }

    #[test]
    fn sentences() {
        assert_eq!(sentence(&spec("")), "all of TCP, both directions, IPv4 and IPv6, no DNS");
        let one = Spec { ip: vec![Family::Ipv4], directions: Directions::Ingress, ..spec("80") };
        assert_eq!(
            sentence(&one),
            "TCP port 80, ingress alone (requests without responses), IPv4 alone, no DNS"
        );
        assert_eq!(
            sentence(&spec("8000-8999,80")),
            "TCP ports 80, 8000-8999, both directions, IPv4 and IPv6, no DNS"
        );
    }

    #[test]
    fn what_is_there_stays() {
        let there = filter(&spec("80"));
        assert_eq!(difference(Some(&there), &wanted(&spec("80")).unwrap()), Difference::default());
        let more = difference(Some(&there), &wanted(&spec("80,8080")).unwrap());
        assert_eq!((more.create.len(), more.modify.len(), more.delete.len()), (4, 0, 0));
        assert!(more.create.iter().all(|rule| rule.rule_number >= 300), "{more:?}");
        let other = difference(Some(&there), &wanted(&spec("8080")).unwrap());
        assert_eq!((other.create.len(), other.modify.len(), other.delete.len()), (0, 4, 0));
        let fewer = difference(Some(&filter(&spec("80,8080"))), &wanted(&spec("8080")).unwrap());
        assert_eq!((fewer.create.len(), fewer.modify.len(), fewer.delete.len()), (0, 0, 4));
    }

    #[test]
    fn what_another_filter_takes() {
        let ours = wanted(&spec("80,8080")).unwrap();
        assert_eq!(taken(&filter(&spec("")), &ours), Taken::All);
        assert_eq!(taken(&filter(&spec("80-8080")), &ours), Taken::All);
        assert_eq!(taken(&filter(&spec("8080")), &ours), Taken::Some);
        assert_eq!(taken(&filter(&spec("443")), &ours), Taken::Nothing);
        assert_eq!(taken(&MirrorFilter::default(), &ours), Taken::Nothing);
        // Of one network alone: some.
        let mut part = filter(&spec(""));
        part.ingress_filter_rule_set
            .iter_mut()
            .for_each(|rule| rule.source_cidr_block = "10.0.0.0/8".to_owned());
        assert_eq!(taken(&part, &ours), Taken::Some);
        // What is rejected first is left over.
        let mut hole = filter(&spec(""));
        for (set, way) in
            [(&mut hole.ingress_filter_rule_set, "ingress"), (&mut hole.egress_filter_rule_set, "egress")]
        {
            for family in [Family::Ipv4, Family::Ipv6] {
                let ports = Some(Ports { first: 0, last: u16::MAX });
                let rule =
                    Wanted { direction: if way == "ingress" { "ingress" } else { "egress" }, family, ports };
                set.push(Rule { rule_action: "reject".to_owned(), ..rule.rule(1) });
            }
        }
        assert_eq!(taken(&hole, &ours), Taken::Nothing);
    }
}
