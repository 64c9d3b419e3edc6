//! What there is in one account and region, as far as mirroring is concerned.
use crate::aws::ec2::mirror::{
    DescribeTrafficMirrorFilters, DescribeTrafficMirrorSessions, DescribeTrafficMirrorTargets, MirrorFilter,
    MirrorSession, Target,
};
use crate::aws::ec2::network::{
    DescribeInstances, DescribeNetworkInterfaces, DescribeRouteTables, DescribeSecurityGroups,
    DescribeSubnets, DescribeVpcEndpoints, Instance, NetworkInterface, RouteTable, SecurityGroup, Subnet,
    VpcEndpoint,
};
use crate::aws::{Client, Error, Paged, ecs, elb, sts};
use crate::ours::is_ours;
use crate::spec::{Destination, Selection};
use std::collections::{BTreeMap, BTreeSet};

/// What there is in one account and region.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct World {
    /// The account.
    pub account: String,
    /// Who we are.
    pub identity: String,
    /// The region.
    pub region: String,
    /// Instances by id.
    pub instances: BTreeMap<String, Instance>,
    /// Interfaces by id.
    pub interfaces: BTreeMap<String, NetworkInterface>,
    /// Subnets by id.
    pub subnets: BTreeMap<String, Subnet>,
    /// Route tables; none where they may not be read.
    pub route_tables: Option<Vec<RouteTable>>,
    /// Security groups by id; none where they may not be read.
    pub security_groups: Option<BTreeMap<String, SecurityGroup>>,
    /// Endpoints by id.
    pub endpoints: BTreeMap<String, VpcEndpoint>,
    /// Targets by id.
    pub targets: BTreeMap<String, Target>,
    /// Filters by id.
    pub filters: BTreeMap<String, MirrorFilter>,
    /// Sessions by id.
    pub sessions: BTreeMap<String, MirrorSession>,
    /// What stands behind the load balancers and the services that are named: instances, interfaces or addresses.
    pub behind: BTreeMap<String, BTreeSet<String>>,
    /// The network load balancer that is the target.
    pub balancer: Option<Balancer>,
    /// What could not be read, and why.
    pub unread: Vec<String>,
}

/// A network load balancer that is to take mirrored packets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Balancer {
    /// Its ARN.
    pub arn: String,
    /// Whether it listens on UDP 4789.
    pub listens: bool,
    /// How many stand behind it, healthy and in all.
    pub healthy: (usize, usize),
}

impl World {
    /// Reads what there is, and what stands behind that which is selected.
    ///
    /// # Errors
    /// When something that is needed cannot be read.
    pub async fn read(
        client: &Client,
        selections: &[Selection],
        target: Option<&Destination>,
    ) -> Result<Self, Error> {
        let identity = client.call(&sts::GetCallerIdentity {}).await?.identity;
        let mut world = Self {
            account: identity.account,
            identity: identity.arn,
            region: client.region().to_owned(),
            ..Self::default()
        };
        let reservations = client.all(DescribeInstances::default()).await?;
        let instances = reservations.into_iter().flat_map(|reservation| reservation.instances_set);
        world.instances = instances.map(|i| (i.instance_id.clone(), i)).collect();
        world.interfaces =
            by(client.all(DescribeNetworkInterfaces::default()).await?, |i| i.network_interface_id.clone());
        world.sessions = by(client.all(DescribeTrafficMirrorSessions::default()).await?, |s| {
            s.traffic_mirror_session_id.clone()
        });
        world.targets = by(client.all(DescribeTrafficMirrorTargets::default()).await?, |t| {
            t.traffic_mirror_target_id.clone()
        });
        world.filters = by(client.all(DescribeTrafficMirrorFilters::default()).await?, |f| {
            f.traffic_mirror_filter_id.clone()
        });
        let subnets = world.may(client, "subnets", DescribeSubnets::default()).await?;
        world.subnets = by(subnets.unwrap_or_default(), |s| s.subnet_id.clone());
        world.route_tables = world.may(client, "routes", DescribeRouteTables::default()).await?;
        let groups = world.may(client, "security groups", DescribeSecurityGroups::default()).await?;
        world.security_groups = groups.map(|groups| by(groups, |g| g.group_id.clone()));
        if matches!(target, Some(Destination::GatewayLoadBalancerEndpoint(_) | Destination::Existing(_))) {
            let endpoints = world.may(client, "endpoints", DescribeVpcEndpoints::default()).await?;
            world.endpoints = by(endpoints.unwrap_or_default(), |e| e.vpc_endpoint_id.clone());
        }
        world.read_behind(client, selections).await?;
        let arn = match target {
            Some(Destination::NetworkLoadBalancer(arn)) => Some(arn),
            Some(Destination::Existing(id)) => {
                world.targets.get(id).and_then(|target| target.network_load_balancer_arn.as_ref())
            }
            _ => None,
        };
        if let Some(arn) = arn.cloned() {
            match balancer(client, &arn).await {
                Ok(balancer) => world.balancer = Some(balancer),
                Err(error) if error.is_denied() => world.unread.push(format!("the load balancer: {error}")),
                Err(error) => return Err(error),
            }
        }
        Ok(world)
    }

    /// What is nice to know: without the right to read it, it is noted as unread.
    async fn may<A: Paged>(
        &mut self,
        client: &Client,
        what: &str,
        action: A,
    ) -> Result<Option<Vec<A::Item>>, Error> {
        match client.all(action).await {
            Ok(items) => Ok(Some(items)),
            Err(error) if error.is_denied() => {
                self.unread.push(format!("{what}: {error}"));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn read_behind(&mut self, client: &Client, selections: &[Selection]) -> Result<(), Error> {
        for selection in selections {
            for name in &selection.load_balancers {
                let members = behind_balancer(client, name).await?;
                self.behind.insert(name.clone(), members);
            }
            for name in &selection.ecs_services {
                let members = behind_service(client, name).await?;
                self.behind.insert(name.clone(), members);
            }
        }
        Ok(())
    }

    /// The same without what a spec of that name has made.
    pub fn without(&self, stack: &str) -> Self {
        let mut world = self.clone();
        world.sessions.retain(|_, session| !is_ours(&session.tag_set, stack));
        world.targets.retain(|_, target| !is_ours(&target.tag_set, stack));
        world.filters.retain(|_, filter| !is_ours(&filter.tag_set, stack));
        world
    }

    /// The instance of an interface.
    pub fn instance_of(&self, interface: &NetworkInterface) -> Option<&Instance> {
        self.instances.get(interface.attachment.as_ref()?.instance_id.as_ref()?)
    }

    /// The name that people know an interface by: the tag `Name` of its instance, or its own.
    pub fn name_of<'a>(&'a self, interface: &'a NetworkInterface) -> Option<&'a str> {
        let instance = self.instance_of(interface);
        let tags = instance.map(|instance| instance.tag_set.as_slice()).unwrap_or_default();
        let mut tags = tags.iter().chain(&interface.tag_set);
        tags.find(|tag| tag.key == "Name" && !tag.value.is_empty()).map(|tag| tag.value.as_str())
    }

    /// The first interface of an instance.
    pub fn first_interface(&self, instance: &str) -> Option<&NetworkInterface> {
        self.interfaces.values().find(|interface| {
            interface.attachment.as_ref().is_some_and(|attachment| {
                attachment.device_index == 0 && attachment.instance_id.as_deref() == Some(instance)
            })
        })
    }

    /// The sessions on an interface, the one that is asked first first.
    pub fn sessions_on<'a>(&'a self, interface: &'a str) -> Vec<&'a MirrorSession> {
        let mut sessions: Vec<_> =
            self.sessions.values().filter(|session| session.network_interface_id == interface).collect();
        sessions.sort_by_key(|session| session.session_number);
        sessions
    }
}

fn by<T>(items: Vec<T>, key: impl Fn(&T) -> String) -> BTreeMap<String, T> {
    items.into_iter().map(|item| (key(&item), item)).collect()
}

/// Instances and addresses behind a load balancer, by its name or ARN.
async fn behind_balancer(client: &Client, name: &str) -> Result<BTreeSet<String>, Error> {
    let mut wanted = elb::DescribeLoadBalancers::default();
    if name.starts_with("arn:") {
        wanted.load_balancer_arns.push(name.to_owned());
    } else {
        wanted.names.push(name.to_owned());
    }
    let mut members = BTreeSet::new();
    for balancer in client.all(wanted).await? {
        for group in groups(client, balancer.load_balancer_arn).await? {
            // A Lambda function has no interface of its own; a load balancer behind it is to be named itself.
            if matches!(group.target_type.as_str(), "instance" | "ip") {
                members.extend(healths(client, group).await?.into_iter().map(|health| health.target.id));
            }
        }
    }
    Ok(members)
}

/// Where a load balancer sends to.
async fn groups(client: &Client, arn: String) -> Result<Vec<elb::TargetGroup>, Error> {
    match client.all(elb::DescribeTargetGroups { load_balancer_arn: arn, marker: None }).await {
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        other => other,
    }
}

async fn healths(client: &Client, group: elb::TargetGroup) -> Result<Vec<elb::TargetHealth>, Error> {
    let wanted = elb::DescribeTargetHealth { target_group_arn: group.target_group_arn };
    Ok(client.call(&wanted).await?.result.target_health_descriptions)
}

/// Interfaces and instances of the tasks of `cluster/service`.
async fn behind_service(client: &Client, name: &str) -> Result<BTreeSet<String>, Error> {
    let (cluster, service) = name.split_once('/').unwrap_or(("default", name));
    let cluster = cluster.to_owned();
    let list =
        ecs::ListTasks { cluster: cluster.clone(), service_name: service.to_owned(), next_token: None };
    let arns = client.all(list).await?;
    let (mut members, mut machines) = (BTreeSet::new(), BTreeSet::new());
    for batch in arns.chunks(ecs::BATCH) {
        let wanted = ecs::DescribeTasks { cluster: cluster.clone(), tasks: batch.to_vec() };
        for task in client.call(&wanted).await?.tasks {
            let own = task.attachments.into_iter().flat_map(|attachment| attachment.details);
            let own: Vec<_> =
                own.filter(|detail| detail.name == "networkInterfaceId").map(|detail| detail.value).collect();
            if own.is_empty() {
                machines.extend(task.container_instance_arn);
            }
            members.extend(own);
        }
    }
    let machines: Vec<_> = machines.into_iter().collect();
    for batch in machines.chunks(ecs::BATCH) {
        let wanted =
            ecs::DescribeContainerInstances { cluster: cluster.clone(), container_instances: batch.to_vec() };
        let found = client.call(&wanted).await?.container_instances;
        members.extend(found.into_iter().map(|machine| machine.ec2_instance_id));
    }
    Ok(members)
}

/// Whether a network load balancer can take mirrored packets.
async fn balancer(client: &Client, arn: &str) -> Result<Balancer, Error> {
    let listeners =
        client.all(elb::DescribeListeners { load_balancer_arn: arn.to_owned(), marker: None }).await?;
    let takes = |protocol: &str| matches!(protocol, "UDP" | "TCP_UDP" | "QUIC" | "TCP_QUIC");
    let mut balancer = Balancer {
        arn: arn.to_owned(),
        listens: listeners.iter().any(|listener| listener.port == 4789 && takes(&listener.protocol)),
        healthy: (0, 0),
    };
    for group in groups(client, arn.to_owned()).await? {
        if takes(&group.protocol) {
            let all = healths(client, group).await?;
            balancer.healthy.0 += all.iter().filter(|one| one.target_health.state == "healthy").count();
            balancer.healthy.1 += all.len();
        }
    }
    Ok(balancer)
}
