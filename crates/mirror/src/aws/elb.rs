//! Load balancers: what stands behind them, and whether a network load balancer takes mirrored packets.
use super::xml::members;
use super::{Paged, Protocol, Service, actions};
use serde::{Deserialize, Serialize};

const ELB: Service = Service { name: "elasticloadbalancing", protocol: Protocol::Query("2015-12-01") };

/// A load balancer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct LoadBalancer {
    /// Its ARN.
    pub load_balancer_arn: String,
    /// Its name.
    pub load_balancer_name: String,
    /// `application`, `network` or `gateway`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// `vpc-...`.
    pub vpc_id: String,
}

/// Where a load balancer sends to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TargetGroup {
    /// Its ARN.
    pub target_group_arn: String,
    /// `UDP`, `HTTP`, ...
    pub protocol: String,
    /// `instance`, `ip`, `lambda` or `alb`.
    pub target_type: String,
}

/// What a load balancer listens on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Listener {
    /// The port.
    pub port: u16,
    /// `UDP`, `TCP_UDP`, `HTTP`, ...
    pub protocol: String,
}

/// One that a target group sends to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TargetDescription {
    /// An instance, an address, or a load balancer.
    pub id: String,
}

/// How well one is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TargetState {
    /// `healthy`, `unhealthy`, ...
    pub state: String,
}

/// One that a target group sends to, and how well it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TargetHealth {
    /// Which.
    pub target: TargetDescription,
    /// How well.
    pub target_health: TargetState,
}

/// Describes load balancers: by ARN or by name, or all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the members of AWS's model, which its documentation describes")]
pub struct DescribeLoadBalancers {
    pub load_balancer_arns: Vec<String>,
    pub names: Vec<String>,
    pub marker: Option<String>,
}

/// Describes where a load balancer sends to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the members of AWS's model, which its documentation describes")]
pub struct DescribeTargetGroups {
    pub load_balancer_arn: String,
    pub marker: Option<String>,
}

/// Describes what a load balancer listens on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the members of AWS's model, which its documentation describes")]
pub struct DescribeListeners {
    pub load_balancer_arn: String,
    pub marker: Option<String>,
}

/// Describes who stands in a target group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the members of AWS's model, which its documentation describes")]
pub struct DescribeTargetHealth {
    pub target_group_arn: String,
}

macro_rules! answers {
    ($($request:ident => $answer:ident { $result:literal: $inner:ident { $list:ident: $item:ty } });+ $(;)?) => {
        $(
            #[doc = concat!("Answer to `", stringify!($request), "`.")]
            #[derive(Debug, Clone, Deserialize)]
            pub struct $answer {
                /// It.
                #[serde(rename = $result)]
                pub result: $inner,
            }

            #[doc = concat!("What `", stringify!($answer), "` holds.")]
            #[derive(Debug, Clone, Default, Deserialize)]
            #[serde(default, rename_all = "PascalCase")]
            pub struct $inner {
                /// They.
                #[serde(deserialize_with = "members")]
                pub $list: Vec<$item>,
                /// Where more are.
                pub next_marker: Option<String>,
            }

            actions!(ELB; $request => $answer);
        )+
    };
}

answers!(
    DescribeLoadBalancers => LoadBalancers {
        "DescribeLoadBalancersResult": LoadBalancersPage { load_balancers: LoadBalancer }
    };
    DescribeTargetGroups => TargetGroups {
        "DescribeTargetGroupsResult": TargetGroupsPage { target_groups: TargetGroup }
    };
    DescribeListeners => Listeners { "DescribeListenersResult": ListenersPage { listeners: Listener } };
    DescribeTargetHealth => TargetHealths {
        "DescribeTargetHealthResult": TargetHealthsPage { target_health_descriptions: TargetHealth }
    };
);

macro_rules! paged {
    ($($request:ident, $list:ident: $item:ty);+ $(;)?) => {
        $(impl Paged for $request {
            type Item = $item;
            fn behind(&mut self, token: String) {
                self.marker = Some(token);
            }
            fn page(answer: Self::Answer) -> (Vec<$item>, Option<String>) {
                (answer.result.$list, answer.result.next_marker)
            }
        })+
    };
}

paged!(
    DescribeLoadBalancers, load_balancers: LoadBalancer;
    DescribeTargetGroups, target_groups: TargetGroup;
    DescribeListeners, listeners: Listener;
);
