//! The actions of traffic mirroring.
use super::{EC2, Filter, PAGE, PortRange, Tag, TagSpecification, describe};
use crate::aws::xml::set;
use crate::aws::{Paged, actions};
use serde::{Deserialize, Serialize};

/// A target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Target {
    /// `tmt-...`.
    pub traffic_mirror_target_id: String,
    /// Where it is an interface.
    pub network_interface_id: Option<String>,
    /// Where it is a network load balancer.
    pub network_load_balancer_arn: Option<String>,
    /// Where it is an endpoint of a gateway load balancer.
    pub gateway_load_balancer_endpoint_id: Option<String>,
    /// `network-interface`, `network-load-balancer` or `gateway-load-balancer-endpoint`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The account that it belongs to.
    pub owner_id: String,
    /// Its tags.
    #[serde(deserialize_with = "set")]
    pub tag_set: Vec<Tag>,
}

/// A filter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct MirrorFilter {
    /// `tmf-...`.
    pub traffic_mirror_filter_id: String,
    /// Its rules for what the source receives.
    #[serde(deserialize_with = "set")]
    pub ingress_filter_rule_set: Vec<Rule>,
    /// Its rules for what the source sends.
    #[serde(deserialize_with = "set")]
    pub egress_filter_rule_set: Vec<Rule>,
    /// `amazon-dns`, where that is mirrored too.
    #[serde(deserialize_with = "set")]
    pub network_service_set: Vec<String>,
    /// Its tags.
    #[serde(deserialize_with = "set")]
    pub tag_set: Vec<Tag>,
}

impl MirrorFilter {
    /// The rules of both directions.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.ingress_filter_rule_set.iter().chain(&self.egress_filter_rule_set)
    }
}

/// A rule of a filter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Rule {
    /// `tmfr-...`.
    pub traffic_mirror_filter_rule_id: String,
    /// `ingress` or `egress`.
    pub traffic_direction: String,
    /// The lowest is asked first.
    pub rule_number: u16,
    /// `accept` or `reject`.
    pub rule_action: String,
    /// The IP protocol; all where absent.
    pub protocol: Option<u8>,
    /// Ports that packets go to.
    pub destination_port_range: Option<PortRange>,
    /// Ports that packets come from.
    pub source_port_range: Option<PortRange>,
    /// Networks that packets go to.
    pub destination_cidr_block: String,
    /// Networks that packets come from.
    pub source_cidr_block: String,
    /// For people.
    pub description: Option<String>,
}

/// A session: one interface, mirrored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct MirrorSession {
    /// `tms-...`.
    pub traffic_mirror_session_id: String,
    /// Where its packets go.
    pub traffic_mirror_target_id: String,
    /// Which packets.
    pub traffic_mirror_filter_id: String,
    /// The interface that is mirrored.
    pub network_interface_id: String,
    /// The account that it belongs to.
    pub owner_id: String,
    /// Bytes of each packet; all where absent.
    pub packet_length: Option<u32>,
    /// The lowest of an interface is asked first.
    pub session_number: u16,
    /// The VNI of its packets.
    pub virtual_network_id: u32,
    /// For people.
    pub description: Option<String>,
    /// Its tags.
    #[serde(deserialize_with = "set")]
    pub tag_set: Vec<Tag>,
}

/// Makes a target. One of the three destinations is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the members of AWS's model, which its documentation describes")]
pub struct CreateTrafficMirrorTarget {
    pub network_interface_id: Option<String>,
    pub network_load_balancer_arn: Option<String>,
    pub gateway_load_balancer_endpoint_id: Option<String>,
    pub description: Option<String>,
    pub tag_specifications: Vec<TagSpecification>,
    pub dry_run: Option<bool>,
    pub client_token: Option<String>,
}

/// Makes a filter, without rules.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the members of AWS's model, which its documentation describes")]
pub struct CreateTrafficMirrorFilter {
    pub description: Option<String>,
    pub tag_specifications: Vec<TagSpecification>,
    pub dry_run: Option<bool>,
    pub client_token: Option<String>,
}

/// Makes a rule of a filter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the members of AWS's model, which its documentation describes")]
pub struct CreateTrafficMirrorFilterRule {
    pub traffic_mirror_filter_id: String,
    pub traffic_direction: String,
    pub rule_number: u16,
    pub rule_action: String,
    pub destination_port_range: Option<PortRange>,
    pub source_port_range: Option<PortRange>,
    pub protocol: Option<u8>,
    pub destination_cidr_block: String,
    pub source_cidr_block: String,
    pub description: Option<String>,
    pub tag_specifications: Vec<TagSpecification>,
    pub dry_run: Option<bool>,
    pub client_token: Option<String>,
}

/// Makes a session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the members of AWS's model, which its documentation describes")]
pub struct CreateTrafficMirrorSession {
    pub network_interface_id: String,
    pub traffic_mirror_target_id: String,
    pub traffic_mirror_filter_id: String,
    pub packet_length: Option<u32>,
    pub session_number: u16,
    pub virtual_network_id: Option<u32>,
    pub description: Option<String>,
    pub tag_specifications: Vec<TagSpecification>,
    pub dry_run: Option<bool>,
    pub client_token: Option<String>,
}

/// Sets which services of AWS's network a filter takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the members of AWS's model, which its documentation describes")]
pub struct ModifyTrafficMirrorFilterNetworkServices {
    pub traffic_mirror_filter_id: String,
    pub add_network_services: Vec<String>,
    pub remove_network_services: Vec<String>,
    pub dry_run: Option<bool>,
}

/// Changes a rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the members of AWS's model, which its documentation describes")]
pub struct ModifyTrafficMirrorFilterRule {
    pub traffic_mirror_filter_rule_id: String,
    pub rule_number: Option<u16>,
    pub rule_action: Option<String>,
    pub destination_port_range: Option<PortRange>,
    pub source_port_range: Option<PortRange>,
    pub protocol: Option<u8>,
    pub destination_cidr_block: Option<String>,
    pub source_cidr_block: Option<String>,
    pub description: Option<String>,
    pub remove_fields: Vec<String>,
    pub dry_run: Option<bool>,
}

/// Changes a session. Its interface cannot be changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the members of AWS's model, which its documentation describes")]
pub struct ModifyTrafficMirrorSession {
    pub traffic_mirror_session_id: String,
    pub traffic_mirror_target_id: Option<String>,
    pub traffic_mirror_filter_id: Option<String>,
    pub packet_length: Option<u32>,
    pub session_number: Option<u16>,
    pub virtual_network_id: Option<u32>,
    pub description: Option<String>,
    pub remove_fields: Vec<String>,
    pub dry_run: Option<bool>,
}

/// Deletes.
macro_rules! delete {
    ($($request:ident, $field:ident);+ $(;)?) => {
        $(
            #[doc = concat!("Deletes what `", stringify!($field), "` names.")]
            #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
            #[serde(rename_all = "PascalCase")]
            pub struct $request {
                /// What is deleted.
                pub $field: String,
                /// Only say whether it may be.
                pub dry_run: Option<bool>,
            }

            impl $request {
                /// That one.
                pub fn of(id: &str) -> Self {
                    Self { $field: id.to_owned(), dry_run: None }
                }
            }
        )+
    };
}

delete!(
    DeleteTrafficMirrorSession, traffic_mirror_session_id;
    DeleteTrafficMirrorFilter, traffic_mirror_filter_id;
    DeleteTrafficMirrorFilterRule, traffic_mirror_filter_rule_id;
    DeleteTrafficMirrorTarget, traffic_mirror_target_id;
);

describe!(
    DescribeTrafficMirrorTargets of traffic_mirror_target_ids by PAGE => Targets, traffic_mirror_target_set: Target;
    DescribeTrafficMirrorFilters of traffic_mirror_filter_ids by PAGE => Filters, traffic_mirror_filter_set: MirrorFilter;
    DescribeTrafficMirrorSessions of traffic_mirror_session_ids by PAGE => Sessions, traffic_mirror_session_set: MirrorSession;
    DescribeTrafficMirrorFilterRules of traffic_mirror_filter_rule_ids by PAGE => Rules, traffic_mirror_filter_rule_set: Rule;
);

/// What was made or changed.
macro_rules! made {
    ($($answer:ident, $field:ident: $item:ty);+ $(;)?) => {
        $(
            #[doc = concat!("The `", stringify!($item), "` that was made or changed.")]
            #[derive(Debug, Clone, Deserialize)]
            #[serde(rename_all = "camelCase")]
            pub struct $answer {
                /// It.
                pub $field: $item,
            }
        )+
    };
}

made!(
    MadeTarget, traffic_mirror_target: Target;
    MadeFilter, traffic_mirror_filter: MirrorFilter;
    MadeRule, traffic_mirror_filter_rule: Rule;
    MadeSession, traffic_mirror_session: MirrorSession;
);

/// Nothing that is of interest.
#[derive(Debug, Clone, Deserialize)]
pub struct Deleted {}

actions!(EC2;
    CreateTrafficMirrorTarget => MadeTarget,
    CreateTrafficMirrorFilter => MadeFilter,
    CreateTrafficMirrorFilterRule => MadeRule,
    CreateTrafficMirrorSession => MadeSession,
    ModifyTrafficMirrorFilterNetworkServices => MadeFilter,
    ModifyTrafficMirrorFilterRule => MadeRule,
    ModifyTrafficMirrorSession => MadeSession,
    DeleteTrafficMirrorSession => Deleted,
    DeleteTrafficMirrorFilter => Deleted,
    DeleteTrafficMirrorFilterRule => Deleted,
    DeleteTrafficMirrorTarget => Deleted,
);
