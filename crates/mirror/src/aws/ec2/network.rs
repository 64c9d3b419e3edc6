//! What mirroring is about: instances, interfaces, subnets, routes, security groups.
use super::{Done, EC2, Filter, PAGE, Tag, TagSpecification, describe};
use crate::aws::xml::set;
use crate::aws::{Paged, actions};
use serde::{Deserialize, Serialize};

/// A group that is named: of security, or of instances.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Group {
    /// `sg-...`.
    pub group_id: String,
}

/// An address of an interface.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PrivateAddress {
    /// The address.
    pub private_ip_address: String,
    /// Whether it is the first one, which mirrored packets come from.
    pub primary: bool,
}

/// An IPv6 address of an interface.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Ipv6Address {
    /// The address.
    #[serde(rename = "ipv6Address")]
    pub ipv6_address: String,
}

/// What an interface is attached to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Attachment {
    /// `i-...`, where it is an instance.
    pub instance_id: Option<String>,
    /// Which of the instance's it is, from 0.
    pub device_index: u32,
}

/// An interface.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct NetworkInterface {
    /// `eni-...`.
    pub network_interface_id: String,
    /// `subnet-...`.
    pub subnet_id: String,
    /// `vpc-...`.
    pub vpc_id: String,
    /// The zone.
    pub availability_zone: String,
    /// For people; services write here what it is for.
    pub description: String,
    /// The account that it belongs to.
    pub owner_id: String,
    /// Whether a service of AWS has made it.
    pub requester_managed: bool,
    /// Who has made it.
    pub requester_id: Option<String>,
    /// `available`, `in-use`, ...
    pub status: String,
    /// `interface`, `network_load_balancer`, `lambda`, ...
    pub interface_type: String,
    /// Its first IPv4 address.
    pub private_ip_address: Option<String>,
    /// Its IPv4 addresses.
    #[serde(deserialize_with = "set")]
    pub private_ip_addresses_set: Vec<PrivateAddress>,
    /// Its IPv6 addresses.
    #[serde(rename = "ipv6AddressesSet", deserialize_with = "set")]
    pub ipv6_addresses_set: Vec<Ipv6Address>,
    /// Its security groups.
    #[serde(deserialize_with = "set")]
    pub group_set: Vec<Group>,
    /// What it is attached to.
    pub attachment: Option<Attachment>,
    /// Its tags.
    #[serde(deserialize_with = "set")]
    pub tag_set: Vec<Tag>,
}

impl NetworkInterface {
    /// All its addresses, IPv4 before IPv6.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        let v4 = self.private_ip_addresses_set.iter().map(|address| address.private_ip_address.as_str());
        v4.chain(self.ipv6_addresses_set.iter().map(|address| address.ipv6_address.as_str()))
    }
}

/// What an instance does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct State {
    /// `running`, `stopped`, ...
    pub name: String,
}

/// An instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Instance {
    /// `i-...`.
    pub instance_id: String,
    /// Such as `m7i.large`.
    pub instance_type: String,
    /// What it does.
    pub instance_state: State,
    /// Its tags.
    #[serde(deserialize_with = "set")]
    pub tag_set: Vec<Tag>,
}

impl Instance {
    /// Whether it runs, or soon will.
    pub fn is_up(&self) -> bool {
        matches!(self.instance_state.name.as_str(), "running" | "pending")
    }
}

/// Instances that were started together.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Reservation {
    /// They.
    #[serde(deserialize_with = "set")]
    pub instances_set: Vec<Instance>,
}

/// A subnet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Subnet {
    /// `subnet-...`.
    pub subnet_id: String,
    /// `vpc-...`.
    pub vpc_id: String,
    /// Its IPv4 network; empty where it has none.
    pub cidr_block: String,
    /// Whether it has no IPv4.
    #[serde(rename = "ipv6Native")]
    pub ipv6_native: bool,
}

/// What a route table is used for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RouteAssociation {
    /// Whether for all subnets of the VPC that have none of their own.
    pub main: bool,
    /// Else for this subnet.
    pub subnet_id: Option<String>,
}

/// A route.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Route {
    /// Where to.
    pub destination_cidr_block: Option<String>,
    /// `active` or `blackhole`.
    pub state: String,
    /// Through a gateway: `local`, `igw-...`, `vpce-...`.
    pub gateway_id: Option<String>,
    /// Through a transit gateway.
    pub transit_gateway_id: Option<String>,
    /// Through a peering of VPCs.
    pub vpc_peering_connection_id: Option<String>,
    /// Through an interface.
    pub network_interface_id: Option<String>,
}

/// A route table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RouteTable {
    /// `rtb-...`.
    pub route_table_id: String,
    /// `vpc-...`.
    pub vpc_id: String,
    /// What it is used for.
    #[serde(deserialize_with = "set")]
    pub association_set: Vec<RouteAssociation>,
    /// Its routes.
    #[serde(deserialize_with = "set")]
    pub route_set: Vec<Route>,
}

/// Addresses that a rule of a security group lets in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
pub struct IpRange {
    /// The network.
    pub cidr_ip: String,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// Members of another group that a rule lets in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
pub struct GroupPair {
    /// `sg-...`.
    pub group_id: String,
}

/// What a security group lets in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
pub struct IpPermission {
    /// `udp`, `tcp`, `-1` for all.
    pub ip_protocol: String,
    /// The first port.
    pub from_port: Option<i32>,
    /// The last port.
    pub to_port: Option<i32>,
    /// From there.
    #[serde(deserialize_with = "set")]
    pub ip_ranges: Vec<IpRange>,
    /// From members of those.
    #[serde(rename(deserialize = "groups", serialize = "UserIdGroupPairs"), deserialize_with = "set")]
    pub groups: Vec<GroupPair>,
}

/// A security group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SecurityGroup {
    /// `sg-...`.
    pub group_id: String,
    /// What it lets in.
    #[serde(deserialize_with = "set")]
    pub ip_permissions: Vec<IpPermission>,
}

/// An endpoint in a VPC.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct VpcEndpoint {
    /// `vpce-...`.
    pub vpc_endpoint_id: String,
    /// `GatewayLoadBalancer`, `Interface`, ...
    pub vpc_endpoint_type: String,
    /// `vpc-...`.
    pub vpc_id: String,
    /// `available`, ...
    pub state: String,
}

describe!(
    DescribeInstances by PAGE => Reservations, reservation_set: Reservation;
    DescribeNetworkInterfaces by PAGE => NetworkInterfaces, network_interface_set: NetworkInterface;
    DescribeSubnets by PAGE => Subnets, subnet_set: Subnet;
    DescribeRouteTables by 100 => RouteTables, route_table_set: RouteTable;
    DescribeSecurityGroups by PAGE => SecurityGroups, security_group_info: SecurityGroup;
    DescribeVpcEndpoints by PAGE => VpcEndpoints, vpc_endpoint_set: VpcEndpoint;
);

/// Lets packets into a security group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the members of AWS's model, which its documentation describes")]
pub struct AuthorizeSecurityGroupIngress {
    pub group_id: String,
    pub ip_permissions: Vec<IpPermission>,
    pub tag_specifications: Vec<TagSpecification>,
    pub dry_run: Option<bool>,
}

/// Takes rules out of a security group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the members of AWS's model, which its documentation describes")]
pub struct RevokeSecurityGroupIngress {
    pub group_id: String,
    pub security_group_rule_ids: Vec<String>,
    pub dry_run: Option<bool>,
}

/// A rule of a security group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SecurityGroupRule {
    /// `sgr-...`.
    pub security_group_rule_id: String,
    /// `sg-...`.
    pub group_id: String,
    /// Its tags.
    #[serde(deserialize_with = "set")]
    pub tag_set: Vec<Tag>,
}

describe!(
    DescribeSecurityGroupRules by PAGE => SecurityGroupRules, security_group_rule_set: SecurityGroupRule;
);

/// The rules that were made.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Authorized {
    /// They.
    #[serde(deserialize_with = "set")]
    pub security_group_rule_set: Vec<SecurityGroupRule>,
}

actions!(EC2; AuthorizeSecurityGroupIngress => Authorized, RevokeSecurityGroupIngress => Done);
