//! What goes over the wire, held against AWS's own: botocore, with the model of the API that AWS publishes, has to make the
//! same of the same arguments, key for key.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test stops by panicking"
)]
#![allow(clippy::needless_pass_by_value, reason = "a literal reads better without a reference")]
mod support;

use harken_mirror::aws::cloudwatch::{Dimension, GetMetricStatistics};
use harken_mirror::aws::ec2::mirror::*;
use harken_mirror::aws::ec2::network::*;
use harken_mirror::aws::ec2::{Filter, PortRange, Tag, TagSpecification};
use harken_mirror::aws::{Action, Protocol, arguments, ecs, elb, form, sts};
use harken_mirror::plan::{Choices, Plan};
use harken_mirror::spec::{Destination, Directions, Family, Place, Ports, Selection, Spec};
use harken_mirror::world::World;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};
use std::io::Write as _;
use std::process::{Command, Stdio};

/// Requests of each action.
const EACH: usize = 200;

struct Cases {
    runner: TestRunner,
    lines: String,
    actions: usize,
}

impl Cases {
    fn add<A: Action>(&mut self, strategy: impl Strategy<Value = A>) {
        self.actions += 1;
        for _ in 0..EACH {
            let request = strategy.new_tree(&mut self.runner).unwrap().current();
            let arguments = arguments(&request);
            self.line(A::SERVICE.name, A::NAME, arguments, A::SERVICE.protocol);
        }
    }

    fn line(&mut self, service: &str, action: &str, arguments: Value, protocol: Protocol) {
        let mut case = json!({"service": service, "action": action, "arguments": arguments});
        case["form"] = if let Protocol::Json(prefix) = protocol {
            case["target"] = format!("{prefix}.{action}").into();
            arguments
        } else {
            let pairs = form(protocol, action, &arguments);
            let members: Map<_, _> = pairs.iter().map(|(k, v)| (k.clone(), Value::from(v.clone()))).collect();
            assert_eq!(members.len(), pairs.len(), "a key is there twice: {pairs:?}");
            members.into()
        };
        self.lines += &format!("{case}\n");
    }
}

/// Text of any kind, as tags and descriptions have it.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{1,20}", "[a-zäöü€😀]{1,8}", Just("a b+c&d=e%20".to_owned())]
}

fn id() -> impl Strategy<Value = String> {
    "[a-z]{2,4}-[0-9a-f]{17}"
}

fn tags() -> impl Strategy<Value = Vec<TagSpecification>> {
    let tag = (text(), text()).prop_map(|(key, value)| Tag { key, value });
    let one =
        vec(tag, 1..4).prop_map(|tags| TagSpecification { resource_type: "traffic-mirror-session", tags });
    vec(one, 0..3)
}

fn ports() -> impl Strategy<Value = Option<PortRange>> {
    of((any::<u16>(), any::<u16>()).prop_map(|(from_port, to_port)| PortRange { from_port, to_port }))
}

fn filters() -> impl Strategy<Value = Vec<Filter>> {
    vec((text(), vec(text(), 1..4)).prop_map(|(name, values)| Filter { name, values }), 0..3)
}

/// What the describing requests share: filters, dry run, size of pages, token.
fn page() -> impl Strategy<Value = (Vec<Filter>, Option<bool>, Option<u32>, Option<String>)> {
    (filters(), of(any::<bool>()), of(5..=100u32), of(text()))
}

macro_rules! describe {
    ($cases:ident, $($name:ident);+ $(;)?) => {
        $($cases.add(page().prop_map(|(filters, dry_run, max_results, next_token)| {
            $name { filters, dry_run, max_results, next_token }
        }));)+
    };
    ($cases:ident, $($name:ident of $ids:ident);+ $(;)?) => {
        $($cases.add((vec(id(), 0..3), page()).prop_map(|($ids, (filters, dry_run, max_results, next_token))| {
            $name { $ids, filters, dry_run, max_results, next_token }
        }));)+
    };
}

fn create(cases: &mut Cases) {
    let shared = || (of(text()), tags(), of(any::<bool>()), of(text()));
    cases.add((of(id()), of(text()), of(id()), shared()).prop_map(
        |(network_interface_id, network_load_balancer_arn, gateway_load_balancer_endpoint_id, shared)| {
            let (description, tag_specifications, dry_run, client_token) = shared;
            CreateTrafficMirrorTarget {
                network_interface_id,
                network_load_balancer_arn,
                gateway_load_balancer_endpoint_id,
                description,
                tag_specifications,
                dry_run,
                client_token,
            }
        },
    ));
    cases.add(shared().prop_map(|(description, tag_specifications, dry_run, client_token)| {
        CreateTrafficMirrorFilter { description, tag_specifications, dry_run, client_token }
    }));
    let way = prop_oneof![Just("ingress"), Just("egress")];
    let rule = (id(), way, any::<u16>(), ports(), ports(), of(any::<u8>()), text(), text(), shared());
    cases.add(rule.prop_map(
        |(filter, way, rule_number, source, destination, protocol, from, to, shared)| {
            let (description, tag_specifications, dry_run, client_token) = shared;
            CreateTrafficMirrorFilterRule {
                traffic_mirror_filter_id: filter,
                traffic_direction: way.to_owned(),
                rule_number,
                rule_action: "accept".to_owned(),
                destination_port_range: destination,
                source_port_range: source,
                protocol,
                destination_cidr_block: to,
                source_cidr_block: from,
                description,
                tag_specifications,
                dry_run,
                client_token,
            }
        },
    ));
    let session = (id(), id(), id(), of(any::<u16>()), any::<u16>(), of(0..1u32 << 24), shared());
    cases.add(session.prop_map(|(eni, target, filter, length, session_number, vni, shared)| {
        let (description, tag_specifications, dry_run, client_token) = shared;
        CreateTrafficMirrorSession {
            network_interface_id: eni,
            traffic_mirror_target_id: target,
            traffic_mirror_filter_id: filter,
            packet_length: length.map(u32::from),
            session_number,
            virtual_network_id: vni,
            description,
            tag_specifications,
            dry_run,
            client_token,
        }
    }));
}

fn modify(cases: &mut Cases) {
    let services = || vec(Just("amazon-dns".to_owned()), 0..2);
    cases.add((id(), services(), services(), of(any::<bool>())).prop_map(|(id, add, remove, dry_run)| {
        ModifyTrafficMirrorFilterNetworkServices {
            traffic_mirror_filter_id: id,
            add_network_services: add,
            remove_network_services: remove,
            dry_run,
        }
    }));
    let fields =
        |names: &'static [&'static str]| vec(proptest::sample::select(names).prop_map(str::to_owned), 0..3);
    let removed = fields(&["destination-port-range", "source-port-range", "protocol", "description"]);
    let shared = (of(text()), removed, of(any::<bool>()));
    let rule = (id(), of(any::<u16>()), ports(), ports(), of(any::<u8>()), of(text()), of(text()), shared);
    cases.add(rule.prop_map(|(id, rule_number, source, destination, protocol, from, to, shared)| {
        let (description, remove_fields, dry_run) = shared;
        ModifyTrafficMirrorFilterRule {
            traffic_mirror_filter_rule_id: id,
            rule_number,
            rule_action: Some("reject".to_owned()),
            destination_port_range: destination,
            source_port_range: source,
            protocol,
            destination_cidr_block: to,
            source_cidr_block: from,
            description,
            remove_fields,
            dry_run,
        }
    }));
    let removed = fields(&["packet-length", "description", "virtual-network-id"]);
    let shared = (of(text()), removed, of(any::<bool>()));
    let session = (id(), of(id()), of(id()), of(any::<u16>()), of(any::<u16>()), of(0..1u32 << 24), shared);
    cases.add(session.prop_map(|(id, target, filter, length, session_number, vni, shared)| {
        let (description, remove_fields, dry_run) = shared;
        ModifyTrafficMirrorSession {
            traffic_mirror_session_id: id,
            traffic_mirror_target_id: target,
            traffic_mirror_filter_id: filter,
            packet_length: length.map(u32::from),
            session_number,
            virtual_network_id: vni,
            description,
            remove_fields,
            dry_run,
        }
    }));
}

fn delete(cases: &mut Cases) {
    let what = || (id(), of(any::<bool>()));
    cases.add(what().prop_map(|(traffic_mirror_session_id, dry_run)| DeleteTrafficMirrorSession {
        traffic_mirror_session_id,
        dry_run,
    }));
    cases.add(what().prop_map(|(traffic_mirror_filter_id, dry_run)| DeleteTrafficMirrorFilter {
        traffic_mirror_filter_id,
        dry_run,
    }));
    cases.add(what().prop_map(|(traffic_mirror_filter_rule_id, dry_run)| DeleteTrafficMirrorFilterRule {
        traffic_mirror_filter_rule_id,
        dry_run,
    }));
    cases.add(what().prop_map(|(traffic_mirror_target_id, dry_run)| DeleteTrafficMirrorTarget {
        traffic_mirror_target_id,
        dry_run,
    }));
}

fn security_groups(cases: &mut Cases) {
    let range = (text(), of(text())).prop_map(|(cidr_ip, description)| IpRange { cidr_ip, description });
    let pair = id().prop_map(|group_id| GroupPair { group_id });
    let permission = (of(any::<i32>()), of(any::<i32>()), vec(range, 0..3), vec(pair, 0..3));
    let permission = permission.prop_map(|(from_port, to_port, ip_ranges, groups)| IpPermission {
        ip_protocol: "udp".to_owned(),
        from_port,
        to_port,
        ip_ranges,
        groups,
    });
    cases.add((id(), vec(permission, 1..3), tags(), of(any::<bool>())).prop_map(
        |(group_id, ip_permissions, tag_specifications, dry_run)| AuthorizeSecurityGroupIngress {
            group_id,
            ip_permissions,
            tag_specifications,
            dry_run,
        },
    ));
    cases.add((id(), vec(id(), 1..3), of(any::<bool>())).prop_map(
        |(group_id, security_group_rule_ids, dry_run)| RevokeSecurityGroupIngress {
            group_id,
            security_group_rule_ids,
            dry_run,
        },
    ));
}

/// An estate of a few interfaces, some mirrored already, by us and by others.
fn world() -> World {
    let mut world =
        World { account: "123456789012".to_owned(), region: "eu-central-1".to_owned(), ..World::default() };
    world.security_groups = Some(
        [("sg-1".to_owned(), SecurityGroup { group_id: "sg-1".to_owned(), ..Default::default() })].into(),
    );
    for n in 0..14 {
        let id = format!("eni-{n:017x}");
        let interface = NetworkInterface {
            network_interface_id: id.clone(),
            vpc_id: "vpc-1".to_owned(),
            interface_type: "interface".to_owned(),
            status: "in-use".to_owned(),
            private_ip_address: Some(format!("10.0.0.{n}")),
            group_set: vec![Group { group_id: "sg-1".to_owned() }],
            attachment: Some(Attachment { instance_id: Some(format!("i-{n}")), device_index: 0 }),
            ..NetworkInterface::default()
        };
        world.interfaces.insert(id, interface);
    }
    let ours = |stack: &str| {
        let tag = |key: &str, value: &str| Tag { key: key.to_owned(), value: value.to_owned() };
        vec![tag("managed-by", "harken"), tag("harken:stack", stack)]
    };
    for (n, stack) in [(1, "a"), (2, "b"), (3, "other")] {
        let (target, filter, session) = (format!("tmt-{n}"), format!("tmf-{n}"), format!("tms-{n}"));
        world.targets.insert(
            target.clone(),
            Target {
                traffic_mirror_target_id: target.clone(),
                network_interface_id: Some(format!("eni-{n:017x}")),
                tag_set: ours(stack),
                ..Target::default()
            },
        );
        let rule = Rule {
            traffic_mirror_filter_rule_id: format!("tmfr-{n}"),
            traffic_direction: "ingress".to_owned(),
            rule_number: 100,
            rule_action: "accept".to_owned(),
            protocol: Some(6),
            destination_port_range: Some(PortRange { from_port: 443, to_port: 443 }),
            source_cidr_block: "0.0.0.0/0".to_owned(),
            destination_cidr_block: "0.0.0.0/0".to_owned(),
            ..Rule::default()
        };
        world.filters.insert(
            filter.clone(),
            MirrorFilter {
                traffic_mirror_filter_id: filter.clone(),
                ingress_filter_rule_set: vec![rule],
                network_service_set: vec!["amazon-dns".to_owned()],
                tag_set: ours(stack),
                ..MirrorFilter::default()
            },
        );
        world.sessions.insert(
            session.clone(),
            MirrorSession {
                traffic_mirror_session_id: session,
                traffic_mirror_target_id: target,
                traffic_mirror_filter_id: filter,
                network_interface_id: format!("eni-{:017x}", n + 4),
                session_number: 100,
                virtual_network_id: n,
                packet_length: Some(100),
                tag_set: ours(stack),
                ..MirrorSession::default()
            },
        );
    }
    world
}

fn specs() -> impl Strategy<Value = Spec> {
    let port = (1..1000u16, 0..50u16).prop_map(|(first, more)| Ports { first, last: first + more });
    let directions = prop_oneof![Just(Directions::Both), Just(Directions::Ingress), Just(Directions::Egress)];
    let ip = prop_oneof![
        Just(vec![Family::Ipv4]),
        Just(vec![Family::Ipv6]),
        Just(vec![Family::Ipv4, Family::Ipv6])
    ];
    let target = prop_oneof![
        (0..14u32).prop_map(|n| Destination::Interface(format!("eni-{n:017x}"))),
        Just(Destination::NetworkLoadBalancer("arn:aws:x:loadbalancer/net/a".to_owned())),
        Just(Destination::GatewayLoadBalancerEndpoint("vpce-1".to_owned())),
        Just(Destination::Existing("tmt-3".to_owned())),
    ];
    let name = prop_oneof![Just("a"), Just("b"), Just("new")];
    let length = of(35..8500u32);
    (name, vec(port, 0..8), directions, ip, target, length, 1..200u16).prop_map(
        |(name, ports, directions, ip, target, packet_length, session_number)| Spec {
            name: name.to_owned(),
            sources: vec![Selection { vpcs: vec!["vpc-1".to_owned()], ..Selection::default() }],
            target: Some(target),
            ports,
            directions,
            ip,
            packet_length,
            session_number,
            ..Spec::default()
        },
    )
}

/// The calls of plans, for specs of all shapes.
fn plans(cases: &mut Cases) {
    let (world, specs) = (world(), specs());
    let mut planned = 0;
    for _ in 0..EACH {
        let spec = specs.new_tree(&mut cases.runner).unwrap().current();
        let choices = Choices { open_security_group: true };
        let plan = match Plan::build(&spec, &Place::default(), &world, choices) {
            Ok(plan) => plan,
            Err(error) => {
                assert!(error.contains("and a filter has 10"), "{error}");
                continue;
            }
        };
        planned += 1;
        assert!(plan.rules.len() <= 10);
        let vnis: Vec<_> = plan.sources.iter().filter_map(|source| source.vni).collect();
        let apart: std::collections::BTreeSet<_> = vnis.iter().collect();
        assert_eq!(apart.len(), vnis.len(), "VNIs are there twice");
        for call in &plan.calls {
            let protocol = CreateTrafficMirrorTarget::SERVICE.protocol;
            cases.line("ec2", call.request.action(), call.request.arguments(), protocol);
        }
    }
    assert!(planned > EACH / 2, "{planned} plans");
}

fn others(cases: &mut Cases) {
    cases.add(Just(sts::GetCallerIdentity {}));
    cases.add((vec(text(), 0..3), vec(text(), 0..3), of(text())).prop_map(
        |(load_balancer_arns, names, marker)| elb::DescribeLoadBalancers {
            load_balancer_arns,
            names,
            marker,
        },
    ));
    cases.add(
        (text(), of(text()))
            .prop_map(|(load_balancer_arn, marker)| elb::DescribeTargetGroups { load_balancer_arn, marker }),
    );
    cases.add(
        (text(), of(text()))
            .prop_map(|(load_balancer_arn, marker)| elb::DescribeListeners { load_balancer_arn, marker }),
    );
    cases.add(text().prop_map(|target_group_arn| elb::DescribeTargetHealth { target_group_arn }));
    cases.add((text(), text(), of(text())).prop_map(|(cluster, service_name, next_token)| ecs::ListTasks {
        cluster,
        service_name,
        next_token,
    }));
    cases.add((text(), vec(text(), 1..4)).prop_map(|(cluster, tasks)| ecs::DescribeTasks { cluster, tasks }));
    cases.add((text(), vec(text(), 1..4)).prop_map(|(cluster, container_instances)| {
        ecs::DescribeContainerInstances { cluster, container_instances }
    }));
    let dimension = (text(), text()).prop_map(|(name, value)| Dimension { name, value });
    cases.add((text(), vec(dimension, 0..3), 60..3600u32).prop_map(|(metric_name, dimensions, period)| {
        GetMetricStatistics {
            namespace: "AWS/EC2".to_owned(),
            metric_name,
            dimensions,
            start_time: "2026-12-01T10:00:00Z".to_owned(),
            end_time: "2026-12-01T10:05:00Z".to_owned(),
            period,
            statistics: vec!["Sum".to_owned()],
        }
    }));
}

#[test]
fn as_botocore_makes_them() {
    let Some(python) = support::python() else { return };
    let mut cases = Cases { runner: TestRunner::deterministic(), lines: String::new(), actions: 0 };
    create(&mut cases);
    modify(&mut cases);
    delete(&mut cases);
    describe!(cases,
        DescribeTrafficMirrorTargets of traffic_mirror_target_ids;
        DescribeTrafficMirrorFilters of traffic_mirror_filter_ids;
        DescribeTrafficMirrorSessions of traffic_mirror_session_ids;
        DescribeTrafficMirrorFilterRules of traffic_mirror_filter_rule_ids;
    );
    describe!(cases,
        DescribeInstances;
        DescribeNetworkInterfaces;
        DescribeSubnets;
        DescribeRouteTables;
        DescribeSecurityGroups;
        DescribeSecurityGroupRules;
        DescribeVpcEndpoints;
    );
    security_groups(&mut cases);
    others(&mut cases);
    plans(&mut cases);
    let mut child = Command::new(python)
        .arg("serializer.py")
        .current_dir(support::folder())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let lines = cases.lines;
    // It may end before it has read all.
    let writer = std::thread::spawn(move || drop(stdin.write_all(lines.as_bytes())));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let counts: Map<String, Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(counts.len(), cases.actions);
    assert!(counts.values().all(|count| count.as_u64().unwrap() >= EACH as u64), "{counts:?}");
}
