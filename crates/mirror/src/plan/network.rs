//! Whether mirrored packets can get from a source to the target: routes, security groups, sizes.
use crate::aws::ec2::network::{
    AuthorizeSecurityGroupIngress, IpPermission, IpRange, NetworkInterface, Route, RouteTable,
};
use crate::ours;
use crate::world::World;
use ipnet::Ipv4Net;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// Where mirrored packets arrive.
pub const VXLAN: u16 = 4789;
/// What VXLAN over IPv4 adds to a packet, as AWS reckons.
pub(super) const OVERHEAD: u32 = 54;

/// Whether packets of a source can reach an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reach {
    /// They can.
    Yes,
    /// They cannot, and why.
    No(String),
    /// It could not be looked at, and why.
    Unknown(String),
}

/// By the routes of the source's subnet. The routes back do not matter: nothing comes back.
pub(crate) fn reach(world: &World, source: &NetworkInterface, target: &NetworkInterface) -> Reach {
    if source.vpc_id == target.vpc_id {
        return Reach::Yes;
    }
    let Some(tables) = &world.route_tables else {
        return Reach::Unknown("routes may not be read".to_owned());
    };
    let Some(address) = target.private_ip_address.as_deref().and_then(|text| text.parse::<Ipv4Addr>().ok())
    else {
        return Reach::Unknown("the target has no IPv4 address".to_owned());
    };
    let own = |table: &&RouteTable| {
        table.association_set.iter().any(|of| of.subnet_id.as_deref() == Some(source.subnet_id.as_str()))
    };
    let main =
        |table: &&RouteTable| table.vpc_id == source.vpc_id && table.association_set.iter().any(|of| of.main);
    let Some(table) = tables.iter().find(own).or_else(|| tables.iter().find(main)) else {
        return Reach::Unknown(format!("no route table of {} is known", source.subnet_id));
    };
    let covers = |route: &&Route| {
        let network = route.destination_cidr_block.as_deref().and_then(|text| text.parse::<Ipv4Net>().ok());
        network.is_some_and(|network| network.contains(&address))
    };
    let length = |route: &&Route| {
        route
            .destination_cidr_block
            .as_deref()
            .and_then(|text| text.parse::<Ipv4Net>().ok())
            .map(|net| net.prefix_len())
    };
    let id = &table.route_table_id;
    match table.route_set.iter().filter(covers).max_by_key(length) {
        None => Reach::No(format!("no route: {id} has none to {address}")),
        Some(route) if route.state == "blackhole" => {
            Reach::No(format!("no route: that of {id} to {address} is a blackhole"))
        }
        // An internet or NAT gateway leads out, not to another VPC's private address.
        Some(route) if route.gateway_id.as_deref().is_some_and(|gateway| gateway.starts_with("igw-")) => {
            Reach::No(format!("no route: that of {id} to {address} leads to the internet"))
        }
        Some(_) => Reach::Yes,
    }
}

/// The rule that the security groups of an interface lack for packets of those sources, where they lack one: the group,
/// and the networks that it is to let in.
pub(crate) fn missing_rule<'w>(
    world: &'w World,
    target: &NetworkInterface,
    sources: impl Iterator<Item = &'w NetworkInterface>,
) -> Option<(String, BTreeSet<String>)> {
    let groups = world.security_groups.as_ref()?;
    let own: Vec<_> = target.group_set.iter().filter_map(|group| groups.get(&group.group_id)).collect();
    let permissions: Vec<_> = own
        .iter()
        .flat_map(|group| &group.ip_permissions)
        .filter(|permission| lets_vxlan(permission))
        .collect();
    let mut networks = BTreeSet::new();
    for source in sources {
        let Some(address) =
            source.private_ip_address.as_deref().and_then(|text| text.parse::<Ipv4Addr>().ok())
        else {
            continue;
        };
        let let_in = permissions.iter().any(|permission| {
            let ranges =
                permission.ip_ranges.iter().filter_map(|range| range.cidr_ip.parse::<Ipv4Net>().ok());
            ranges.into_iter().any(|range| range.contains(&address))
                || permission
                    .groups
                    .iter()
                    .any(|pair| source.group_set.iter().any(|own| own.group_id == pair.group_id))
        });
        if !let_in {
            // The whole subnet, so that instances to come are let in as well.
            let subnet = world.subnets.get(&source.subnet_id).map(|subnet| subnet.cidr_block.clone());
            networks
                .insert(subnet.filter(|cidr| !cidr.is_empty()).unwrap_or_else(|| format!("{address}/32")));
        }
    }
    let group = target.group_set.first()?.group_id.clone();
    (!networks.is_empty()).then_some((group, networks))
}

fn lets_vxlan(permission: &IpPermission) -> bool {
    let port = i32::from(VXLAN);
    match permission.ip_protocol.as_str() {
        "-1" => true,
        "udp" | "17" => {
            permission.from_port.is_none_or(|from| from <= port)
                && permission.to_port.is_none_or(|to| to >= port)
        }
        _ => false,
    }
}

/// The call that lets them in.
pub(super) fn open(stack: &str, group: &str, networks: &BTreeSet<String>) -> AuthorizeSecurityGroupIngress {
    let ranges = networks.iter().map(|cidr| IpRange {
        cidr_ip: cidr.clone(),
        description: Some(format!("mirrored packets for harken {stack}")),
    });
    AuthorizeSecurityGroupIngress {
        group_id: group.to_owned(),
        ip_permissions: vec![IpPermission {
            ip_protocol: "udp".to_owned(),
            from_port: Some(VXLAN.into()),
            to_port: Some(VXLAN.into()),
            ip_ranges: ranges.collect(),
            groups: Vec::new(),
        }],
        tag_specifications: ours::tags("security-group-rule", stack, &ours::title(stack)),
        dry_run: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::ec2::network::{Group, RouteAssociation, SecurityGroup, Subnet};

    fn interface(vpc: &str, address: &str) -> NetworkInterface {
        NetworkInterface {
            vpc_id: vpc.to_owned(),
            subnet_id: format!("subnet-{vpc}"),
            private_ip_address: Some(address.to_owned()),
            group_set: vec![Group { group_id: format!("sg-{vpc}") }],
            ..NetworkInterface::default()
        }
    }

    fn route(to: &str, gateway: Option<&str>, state: &str) -> Route {
        Route {
            destination_cidr_block: Some(to.to_owned()),
            gateway_id: gateway.map(str::to_owned),
            state: state.to_owned(),
            ..Route::default()
        }
    }

    #[test]
    fn routes() {
        let (source, target) = (interface("vpc-1", "10.1.0.5"), interface("vpc-2", "10.2.0.5"));
        let mut world = World::default();
        assert!(matches!(reach(&world, &source, &target), Reach::Unknown(_)));
        assert_eq!(reach(&world, &source, &source), Reach::Yes);
        let mut with = |routes: Vec<Route>| {
            world.route_tables = Some(vec![RouteTable {
                route_table_id: "rtb-1".to_owned(),
                vpc_id: "vpc-1".to_owned(),
                association_set: vec![RouteAssociation { main: true, subnet_id: None }],
                route_set: routes,
            }]);
            reach(&world, &source, &target)
        };
        let local = || route("10.1.0.0/16", Some("local"), "active");
        assert!(matches!(with(vec![local()]), Reach::No(why) if why.contains("has none to 10.2.0.5")));
        assert_eq!(with(vec![local(), route("10.2.0.0/16", None, "active")]), Reach::Yes);
        assert!(matches!(with(vec![route("10.2.0.0/16", None, "blackhole")]), Reach::No(_)));
        let out = route("0.0.0.0/0", Some("igw-1"), "active");
        assert!(matches!(with(vec![local(), out.clone()]), Reach::No(why) if why.contains("internet")));
        // The longest prefix wins.
        assert_eq!(with(vec![out, route("10.0.0.0/8", None, "active")]), Reach::Yes);
    }

    #[test]
    fn security_groups() {
        let (source, target) = (interface("vpc-1", "10.1.0.5"), interface("vpc-2", "10.2.0.5"));
        let subnet = Subnet { cidr_block: "10.1.0.0/24".to_owned(), ..Subnet::default() };
        let mut world = World { subnets: [("subnet-vpc-1".to_owned(), subnet)].into(), ..World::default() };
        assert_eq!(missing_rule(&world, &target, [&source].into_iter()), None, "nothing is known");
        let mut with = |protocol: &str, port: i32, range: &str, group: &str| {
            let permission = IpPermission {
                ip_protocol: protocol.to_owned(),
                from_port: Some(port),
                to_port: Some(port),
                ip_ranges: vec![IpRange { cidr_ip: range.to_owned(), description: None }],
                groups: vec![crate::aws::ec2::network::GroupPair { group_id: group.to_owned() }],
            };
            let group = SecurityGroup { group_id: "sg-vpc-2".to_owned(), ip_permissions: vec![permission] };
            world.security_groups = Some([("sg-vpc-2".to_owned(), group)].into());
            missing_rule(&world, &target, [&source].into_iter())
        };
        let lacks = Some(("sg-vpc-2".to_owned(), ["10.1.0.0/24".to_owned()].into()));
        assert_eq!(with("udp", 4789, "10.0.0.0/8", ""), None);
        assert_eq!(with("udp", 4789, "10.9.0.0/16", "sg-vpc-1"), None);
        assert_eq!(with("-1", 0, "0.0.0.0/0", ""), None);
        assert_eq!(with("tcp", 4789, "10.0.0.0/8", ""), lacks);
        assert_eq!(with("udp", 4788, "10.0.0.0/8", ""), lacks);
        assert_eq!(with("udp", 4789, "10.9.0.0/16", ""), lacks);
    }
}
