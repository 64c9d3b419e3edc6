//! The same set-up for other tools: Terraform, CloudFormation, the AWS CLI. Each is a translation of the calls of a plan for
//! a world in which nothing of the spec is there yet ([`World::without`](crate::world::World::without)).
use crate::aws::ec2::{PortRange, TagSpecification};
use crate::plan::{Call, MADE_FILTER, MADE_TARGET, Plan, Request};
use hcl::expr::{Expression, Traversal, Variable};
use hcl::structure::{Block, Body};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// Says at the top of an export what it is.
fn heading(plan: &Plan) -> String {
    format!(
        "Traffic mirroring \"{}\" for Harken, account {}, region {}: {}.",
        plan.stack, plan.account, plan.region, plan.sentence
    )
}

/// A name for something in a template: letters, digits and `_`.
fn name(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

fn tags(specifications: &[TagSpecification]) -> impl Iterator<Item = (&str, &str)> {
    let tags = specifications.iter().flat_map(|specification| &specification.tags);
    tags.map(|tag| (tag.key.as_str(), tag.value.as_str()))
}

/// Terraform configuration, for the provider `hashicorp/aws`.
pub fn terraform(plan: &Plan) -> String {
    let mut body = Body::builder();
    for call in &plan.calls {
        for block in resources(&plan.stack, &call.request) {
            body = body.add_block(block);
        }
    }
    let provider = "terraform {\n  required_providers {\n    aws = {\n      source = \"hashicorp/aws\"\n    }\n  }\n}\n\n";
    // What was built from text and numbers alone can always be written.
    let text = hcl::to_string(&body.build()).unwrap_or_default();
    format!(
        "# {}\n{provider}provider \"aws\" {{\n  region = \"{}\"\n}}\n\n{text}",
        heading(plan),
        plan.region
    )
}

/// `aws_ec2_traffic_mirror_target.name.id`.
fn reference(kind: &str, stack: &str) -> Expression {
    let traversal = Traversal::builder(Variable::sanitized(format!("aws_ec2_traffic_mirror_{kind}")));
    traversal.attr(name(stack)).attr("id").build().into()
}

/// An id, or a reference to what the configuration makes.
fn id(text: &str, stack: &str) -> Expression {
    match text {
        MADE_TARGET => reference("target", stack),
        MADE_FILTER => reference("filter", stack),
        other => other.into(),
    }
}

fn resources(stack: &str, request: &Request) -> Vec<Block> {
    let resource = |kind: &str, name: String| Block::builder("resource").add_labels([kind.to_owned(), name]);
    let object = |specifications: &[TagSpecification]| {
        Expression::from_iter(tags(specifications).map(|(key, value)| (key.to_owned(), value.to_owned())))
    };
    let range = |name: &str, range: PortRange| {
        Block::builder(name)
            .add_attribute(("from_port", range.from_port))
            .add_attribute(("to_port", range.to_port))
            .build()
    };
    match request {
        Request::CreateTrafficMirrorTarget(request) => {
            let mut block = resource("aws_ec2_traffic_mirror_target", name(stack));
            for (key, value) in [
                ("network_interface_id", &request.network_interface_id),
                ("network_load_balancer_arn", &request.network_load_balancer_arn),
                ("gateway_load_balancer_endpoint_id", &request.gateway_load_balancer_endpoint_id),
                ("description", &request.description),
            ] {
                if let Some(value) = value {
                    block = block.add_attribute((key, value.as_str()));
                }
            }
            vec![block.add_attribute(("tags", object(&request.tag_specifications))).build()]
        }
        Request::CreateTrafficMirrorFilter(request) => {
            let block = resource("aws_ec2_traffic_mirror_filter", name(stack))
                .add_attribute(("description", request.description.clone().unwrap_or_default()))
                .add_attribute(("tags", object(&request.tag_specifications)));
            vec![block.build()]
        }
        Request::CreateTrafficMirrorFilterRule(request) => {
            let label = format!("{}_{}_{}", name(stack), request.traffic_direction, request.rule_number);
            let mut block = resource("aws_ec2_traffic_mirror_filter_rule", label)
                .add_attribute(("traffic_mirror_filter_id", id(&request.traffic_mirror_filter_id, stack)))
                .add_attribute(("traffic_direction", request.traffic_direction.as_str()))
                .add_attribute(("rule_number", request.rule_number))
                .add_attribute(("rule_action", request.rule_action.as_str()))
                .add_attribute(("source_cidr_block", request.source_cidr_block.as_str()))
                .add_attribute(("destination_cidr_block", request.destination_cidr_block.as_str()));
            if let Some(protocol) = request.protocol {
                block = block.add_attribute(("protocol", protocol));
            }
            if let Some(ports) = request.source_port_range {
                block = block.add_block(range("source_port_range", ports));
            }
            if let Some(ports) = request.destination_port_range {
                block = block.add_block(range("destination_port_range", ports));
            }
            vec![block.build()]
        }
        Request::CreateTrafficMirrorSession(request) => {
            let label = format!("{}_{}", name(stack), name(&request.network_interface_id));
            let mut block = resource("aws_ec2_traffic_mirror_session", label)
                .add_attribute(("network_interface_id", request.network_interface_id.as_str()))
                .add_attribute(("traffic_mirror_target_id", id(&request.traffic_mirror_target_id, stack)))
                .add_attribute(("traffic_mirror_filter_id", id(&request.traffic_mirror_filter_id, stack)))
                .add_attribute(("session_number", request.session_number));
            if let Some(vni) = request.virtual_network_id {
                block = block.add_attribute(("virtual_network_id", vni));
            }
            if let Some(length) = request.packet_length {
                block = block.add_attribute(("packet_length", length));
            }
            block = block.add_attribute(("description", request.description.clone().unwrap_or_default()));
            vec![block.add_attribute(("tags", object(&request.tag_specifications))).build()]
        }
        Request::AuthorizeSecurityGroupIngress(request) => {
            let ranges = request
                .ip_permissions
                .iter()
                .flat_map(|permission| permission.ip_ranges.iter().map(move |range| (permission, range)));
            ranges
                .map(|(permission, range)| {
                    let label = format!("{}_{}", name(stack), name(&range.cidr_ip));
                    resource("aws_vpc_security_group_ingress_rule", label)
                        .add_attribute(("security_group_id", request.group_id.as_str()))
                        .add_attribute(("ip_protocol", permission.ip_protocol.as_str()))
                        .add_attribute(("from_port", permission.from_port.unwrap_or(-1)))
                        .add_attribute(("to_port", permission.to_port.unwrap_or(-1)))
                        .add_attribute(("cidr_ipv4", range.cidr_ip.as_str()))
                        .add_attribute(("tags", object(&request.tag_specifications)))
                        .build()
                })
                .collect()
        }
        // A world without the spec has nothing to change or to delete.
        _ => Vec::new(),
    }
}

/// A CloudFormation template, as JSON.
pub fn cloudformation(plan: &Plan) -> String {
    let mut resources = Map::new();
    for call in &plan.calls {
        let (kind, key) = match &call.request {
            Request::CreateTrafficMirrorTarget(_) => ("TrafficMirrorTarget", "Target".to_owned()),
            Request::CreateTrafficMirrorFilter(_) => ("TrafficMirrorFilter", "Filter".to_owned()),
            Request::CreateTrafficMirrorFilterRule(rule) => {
                let way = if rule.traffic_direction == "ingress" { "Ingress" } else { "Egress" };
                ("TrafficMirrorFilterRule", format!("{way}{}", rule.rule_number))
            }
            Request::CreateTrafficMirrorSession(session) => {
                let id: String =
                    session.network_interface_id.chars().filter(char::is_ascii_alphanumeric).collect();
                ("TrafficMirrorSession", format!("Session{id}"))
            }
            Request::AuthorizeSecurityGroupIngress(request) => {
                for permission in &request.ip_permissions {
                    for (number, range) in permission.ip_ranges.iter().enumerate() {
                        let properties = json!({
                            "GroupId": request.group_id, "IpProtocol": permission.ip_protocol,
                            "FromPort": permission.from_port, "ToPort": permission.to_port,
                            "CidrIp": range.cidr_ip, "Description": range.description,
                        });
                        let resource =
                            json!({"Type": "AWS::EC2::SecurityGroupIngress", "Properties": properties});
                        resources.insert(format!("SecurityGroupIngress{}", number + 1), resource);
                    }
                }
                continue;
            }
            _ => continue,
        };
        let resource = json!({"Type": format!("AWS::EC2::{kind}"), "Properties": properties(call)});
        resources.insert(key, resource);
    }
    let template = json!({
        "AWSTemplateFormatVersion": "2010-09-09", "Description": heading(plan), "Resources": resources,
    });
    format!("{template:#}\n")
}

/// The arguments of a call as properties: references for ids, and tags without what they are for.
fn properties(call: &Call) -> Value {
    let mut arguments = call.request.arguments();
    if let Value::Object(members) = &mut arguments {
        if let Some(Value::Array(specifications)) = members.remove("TagSpecifications") {
            let tags = specifications.into_iter().find_map(|mut one| one.get_mut("Tags").map(Value::take));
            members.insert("Tags".to_owned(), tags.unwrap_or_default());
        }
        for value in members.values_mut() {
            match value.as_str() {
                Some(MADE_TARGET) => *value = json!({"Ref": "Target"}),
                Some(MADE_FILTER) => *value = json!({"Ref": "Filter"}),
                _ => {}
            }
        }
    }
    arguments
}

/// A shell script that calls `aws`.
pub fn aws_cli(plan: &Plan) -> String {
    let mut out = format!(
        "#!/bin/sh\n# {}\n# Each call carries the tags that `harken mirror` knows its own things by.\nset -eu\nAWS_DEFAULT_REGION={}\nAWS_REGION=$AWS_DEFAULT_REGION\nexport AWS_DEFAULT_REGION AWS_REGION\n",
        heading(plan),
        quoted(&plan.region)
    );
    for call in &plan.calls {
        let action = kebab(call.request.action());
        let mut input = quoted(&call.request.arguments().to_string());
        for (mark, variable) in [(MADE_TARGET, "TARGET"), (MADE_FILTER, "FILTER")] {
            input = input.replace(mark, &format!("'\"${variable}\"'"));
        }
        let line = format!("aws ec2 {action} --cli-input-json {input}");
        let _ = match &call.request {
            Request::CreateTrafficMirrorTarget(_) => {
                writeln!(
                    out,
                    "TARGET=$({line} --query TrafficMirrorTarget.TrafficMirrorTargetId --output text)"
                )
            }
            Request::CreateTrafficMirrorFilter(_) => {
                writeln!(
                    out,
                    "FILTER=$({line} --query TrafficMirrorFilter.TrafficMirrorFilterId --output text)"
                )
            }
            _ => writeln!(out, "{line} > /dev/null"),
        };
    }
    out
}

/// A text for the shell, as it is.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// `CreateTrafficMirrorTarget` as `create-traffic-mirror-target`.
fn kebab(action: &str) -> String {
    let mut out = String::new();
    for c in action.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_other_tools() {
        assert_eq!(kebab("CreateTrafficMirrorFilterRule"), "create-traffic-mirror-filter-rule");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(name("10.0.0.0/24"), "10_0_0_0_24");
    }
}
