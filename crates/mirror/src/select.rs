//! Which interfaces a description means.
use crate::aws::ec2::Tag;
use crate::aws::ec2::network::NetworkInterface;
use crate::spec::{Exclusion, Selection};
use crate::world::World;
use std::collections::BTreeMap;

/// The interfaces that any of the selections means, by id.
pub fn select<'w>(world: &'w World, selections: &[Selection]) -> BTreeMap<&'w str, &'w NetworkInterface> {
    let meant = world.interfaces.iter().filter(|(_, interface)| {
        selections.iter().any(|selection| {
            selected(world, selection, interface) && !excluded(world, &selection.exclude, interface)
        })
    });
    meant.map(|(id, interface)| (id.as_str(), interface)).collect()
}

fn selected(world: &World, selection: &Selection, interface: &NetworkInterface) -> bool {
    let instance = interface
        .attachment
        .as_ref()
        .and_then(|attachment| attachment.instance_id.as_deref())
        .unwrap_or_default();
    let first = interface.attachment.as_ref().is_some_and(|attachment| attachment.device_index == 0);
    let named = selection.interfaces.contains(&interface.network_interface_id);
    let behind = |names: &[String]| {
        names.iter().filter_map(|name| world.behind.get(name)).any(|members| {
            // A task has an interface of its own, which need not be the first of anything.
            members.contains(&interface.network_interface_id)
                || interface.addresses().any(|address| members.contains(address))
                || (members.contains(instance) && first)
        })
    };
    let task = !selection.ecs_services.is_empty() || !selection.load_balancers.is_empty();
    (named || task || selection.all_interfaces || first)
        && (selection.interfaces.is_empty() || named)
        && any(&selection.vpcs, &interface.vpc_id)
        && any(&selection.subnets, &interface.subnet_id)
        && any(&selection.instances, instance)
        && (selection.security_groups.is_empty() || in_groups(interface, &selection.security_groups))
        && (selection.load_balancers.is_empty() || behind(&selection.load_balancers))
        && (selection.ecs_services.is_empty() || behind(&selection.ecs_services))
        && selection.tags.iter().all(|(key, values)| tagged(world, interface, key, values))
}

fn excluded(world: &World, exclusion: &Exclusion, interface: &NetworkInterface) -> bool {
    let instance = interface.attachment.as_ref().and_then(|attachment| attachment.instance_id.as_ref());
    exclusion.interfaces.contains(&interface.network_interface_id)
        || exclusion.vpcs.contains(&interface.vpc_id)
        || exclusion.subnets.contains(&interface.subnet_id)
        || instance.is_some_and(|instance| exclusion.instances.contains(instance))
        || in_groups(interface, &exclusion.security_groups)
        || exclusion.tags.iter().any(|(key, values)| tagged(world, interface, key, values))
}

fn any(wanted: &[String], is: &str) -> bool {
    wanted.is_empty() || wanted.iter().any(|wanted| wanted == is)
}

fn in_groups(interface: &NetworkInterface, groups: &[String]) -> bool {
    interface.group_set.iter().any(|group| groups.contains(&group.group_id))
}

fn tagged(world: &World, interface: &NetworkInterface, key: &str, values: &[String]) -> bool {
    let of_instance = world.instance_of(interface).map(|instance| instance.tag_set.as_slice());
    let holds = |tag: &Tag| {
        tag.key == key && (values.is_empty() || values.iter().any(|pattern| matches(pattern, &tag.value)))
    };
    interface.tag_set.iter().chain(of_instance.unwrap_or_default()).any(holds)
}

/// Whether a text is as the pattern says, where `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two interfaces of an instance, and one of another in another network.
    fn world() -> World {
        use crate::aws::ec2::network::{Attachment, Group, Instance, PrivateAddress};
        let mut world = World::default();
        for (n, instance, index) in [(1, "i-1", 0), (2, "i-1", 1), (3, "i-3", 0)] {
            let net = if n == 3 { 2 } else { 1 };
            let address = PrivateAddress { private_ip_address: format!("10.0.0.{n}"), primary: true };
            let interface = NetworkInterface {
                network_interface_id: format!("eni-{n}"),
                vpc_id: format!("vpc-{net}"),
                subnet_id: format!("subnet-{net}"),
                group_set: vec![Group { group_id: format!("sg-{net}") }],
                private_ip_addresses_set: vec![address],
                attachment: Some(Attachment { instance_id: Some(instance.to_owned()), device_index: index }),
                ..NetworkInterface::default()
            };
            world.interfaces.insert(format!("eni-{n}"), interface);
            let tag = Tag { key: "app".to_owned(), value: format!("shop-{net}") };
            let instance_id = instance.to_owned();
            world.instances.insert(
                instance_id.clone(),
                Instance { instance_id, tag_set: vec![tag], ..Instance::default() },
            );
        }
        world.behind.insert("web".to_owned(), ["i-1".to_owned(), "10.0.0.3".to_owned()].into());
        world.behind.insert("prod/cart".to_owned(), ["eni-2".to_owned()].into());
        world
    }

    #[test]
    fn each_condition() {
        let world = world();
        let cases = [
            (r#"{"vpcs": ["vpc-1"]}"#, "eni-1"),
            (r#"{"vpcs": ["vpc-1"], "all_interfaces": true}"#, "eni-1 eni-2"),
            (r#"{"subnets": ["subnet-2"]}"#, "eni-3"),
            (r#"{"security_groups": ["sg-2", "sg-9"]}"#, "eni-3"),
            (r#"{"instances": ["i-1", "i-3"]}"#, "eni-1 eni-3"),
            (r#"{"interfaces": ["eni-2"]}"#, "eni-2"),
            (r#"{"tags": {"app": ["shop-*"]}}"#, "eni-1 eni-3"),
            (r#"{"tags": {"app": []}}"#, "eni-1 eni-3"),
            (r#"{"tags": {"app": ["shop-1"], "team": ["x"]}}"#, ""),
            (r#"{"load_balancers": ["web"]}"#, "eni-1 eni-3"),
            (r#"{"ecs_services": ["prod/cart"]}"#, "eni-2"),
            (r#"{"tags": {"app": ["shop-*"]}, "vpcs": ["vpc-2"]}"#, "eni-3"),
            (r#"{"tags": {"app": ["shop-*"]}, "exclude": {"tags": {"app": ["shop-1"]}}}"#, "eni-3"),
            (r#"{"tags": {"app": ["shop-*"]}, "exclude": {"instances": ["i-3"]}}"#, "eni-1"),
            (
                r#"{"tags": {"app": ["shop-*"]}, "exclude": {"interfaces": ["eni-1"], "subnets": ["subnet-2"]}}"#,
                "",
            ),
            (r#"{"tags": {"app": ["shop-*"]}, "exclude": {"vpcs": ["vpc-1"]}}"#, "eni-3"),
            (r#"{"tags": {"app": ["shop-*"]}, "exclude": {"security_groups": ["sg-1"]}}"#, "eni-3"),
        ];
        for (selection, meant) in cases {
            let selection: Selection = serde_json::from_str(selection).unwrap();
            let found: Vec<_> = select(&world, std::slice::from_ref(&selection)).into_keys().collect();
            assert_eq!(found.join(" "), meant, "{selection:?}");
        }
        // Several selections: those of any.
        let two: Vec<Selection> =
            serde_json::from_str(r#"[{"interfaces": ["eni-2"]}, {"vpcs": ["vpc-2"]}]"#).unwrap();
        assert_eq!(select(&world, &two).into_keys().collect::<Vec<_>>(), ["eni-2", "eni-3"]);
    }

    #[test]
    fn patterns() {
        for (pattern, text, right) in [
            ("shop", "shop", true),
            ("shop", "shops", false),
            ("sho*", "shop", true),
            ("*", "", true),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "abcbc", true),
            ("a*bc", "abc", true),
            ("ab*ba", "aba", false),
            ("*x*", "axb", true),
            ("*x*", "ab", false),
        ] {
            assert_eq!(matches(pattern, text), right, "{pattern} {text}");
        }
    }
}
