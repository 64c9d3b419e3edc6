//! Takes away what a spec has made, and nothing else.
use crate::aws::ec2::Filter;
use crate::aws::ec2::mirror::{DeleteTrafficMirrorFilter, DeleteTrafficMirrorTarget};
use crate::aws::ec2::network::{DescribeSecurityGroupRules, RevokeSecurityGroupIngress, SecurityGroupRule};
use crate::aws::{Client, Error};
use crate::ours::{self, is_ours};
use crate::plan::{About, Call};
use crate::world::World;
use serde::Serialize;

/// What has to be done so that nothing of a spec is left.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Teardown {
    /// Name of the spec.
    pub stack: String,
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
    /// Why it cannot be done: sessions of others that use our target or filter.
    pub blocked: Vec<String>,
    /// What is done, in this order.
    pub calls: Vec<Call>,
}

/// The rules of security groups that a spec has made.
///
/// # Errors
/// When they cannot be read.
pub async fn security_group_rules(client: &Client, stack: &str) -> Result<Vec<SecurityGroupRule>, Error> {
    let filter = Filter { name: format!("tag:{}", ours::STACK), values: vec![stack.to_owned()] };
    let mut rules =
        client.all(DescribeSecurityGroupRules { filters: vec![filter], ..Default::default() }).await?;
    rules.retain(|rule| is_ours(&rule.tag_set, stack));
    Ok(rules)
}

impl Teardown {
    /// Sessions first, then what they use.
    pub fn build(stack: &str, world: &World, rules: &[SecurityGroupRule]) -> Self {
        let mut out = Self {
            stack: stack.to_owned(),
            account: world.account.clone(),
            region: world.region.clone(),
            ..Self::default()
        };
        let (ours, foreign): (Vec<_>, Vec<_>) =
            world.sessions.values().partition(|session| is_ours(&session.tag_set, stack));
        out.calls.extend(ours.into_iter().map(Call::delete));
        let filters = world.filters.values().filter(|filter| is_ours(&filter.tag_set, stack));
        for id in filters.map(|filter| &filter.traffic_mirror_filter_id) {
            for session in foreign.iter().filter(|session| session.traffic_mirror_filter_id == *id) {
                out.blocked
                    .push(format!("session {} uses our filter {id}", session.traffic_mirror_session_id));
            }
            let request = DeleteTrafficMirrorFilter::of(id);
            out.calls.push(Call::new(About::Leftover(id.clone()), request));
        }
        let targets = world.targets.values().filter(|target| is_ours(&target.tag_set, stack));
        for id in targets.map(|target| &target.traffic_mirror_target_id) {
            for session in foreign.iter().filter(|session| session.traffic_mirror_target_id == *id) {
                out.blocked
                    .push(format!("session {} uses our target {id}", session.traffic_mirror_session_id));
            }
            let request = DeleteTrafficMirrorTarget::of(id);
            out.calls.push(Call::new(About::Leftover(id.clone()), request));
        }
        for rule in rules {
            let request = RevokeSecurityGroupIngress {
                group_id: rule.group_id.clone(),
                security_group_rule_ids: vec![rule.security_group_rule_id.clone()],
                dry_run: None,
            };
            out.calls.push(Call::new(About::SecurityGroup, request));
        }
        out
    }
}
