//! From an empty account to a mirror, its changes, and nothing again.
use crate::estate::Estate;
use crate::support::sensor::{Sensor, free_port, harken, lines, packets};
use serde_json::{Value, json};

fn tag<'a>(item: &'a Value, key: &str) -> &'a str {
    let tags = item["Tags"].as_array().unwrap();
    tags.iter().find(|tag| tag["Key"] == key).map_or("", |tag| tag["Value"].as_str().unwrap())
}

#[test]
fn an_empty_account_and_a_repeat() {
    let Some(estate) = Estate::new(3) else { return };
    let plan = ["plan", "--spec", "mirror.json", "--detailed-exitcode"];
    estate.spec(json!({}));
    let first = estate.mirror(&plan);
    assert_eq!(first.code, 2, "{}", first.err);
    for part in [
        "TCP port 80, both directions, IPv4 alone, no DNS",
        "3 to create",
        "lets no UDP 4789 in",
        "3 of 10 sources",
    ] {
        assert!(first.out.contains(part), "{part}: {}", first.out);
    }
    estate.fake.requests();
    estate.mirror(&["apply", "--spec", "mirror.json", "--yes"]).ok();
    assert_eq!(estate.counts(), [1, 1, 2, 3]);
    let changes = estate.changes();
    assert_eq!(changes.len(), 7, "{changes:?}");
    let state = estate.fake.state();
    for kind in ["Target", "Filter", "FilterRule", "Session"] {
        for item in state[kind].as_object().unwrap().values() {
            assert_eq!((tag(item, "managed-by"), tag(item, "harken:stack")), ("harken", "shop"), "{item}");
        }
    }
    // What AWS was to be told, in its own words.
    let rules: Vec<_> = state["FilterRule"].as_object().unwrap().values().collect();
    let ingress = rules.iter().find(|rule| rule["TrafficDirection"] == "ingress").unwrap();
    assert_eq!(ingress["DestinationPortRange"], json!({"FromPort": 80, "ToPort": 80}));
    assert_eq!((&ingress["Protocol"], ingress.get("SourcePortRange")), (&json!(6), None));
    let before = estate.sessions();
    let vnis: std::collections::BTreeSet<_> =
        before.values().map(|s| s["VirtualNetworkId"].as_u64()).collect();
    assert_eq!(vnis.len(), 3);

    // A repeat changes nothing.
    assert_eq!(estate.mirror(&plan).code, 0);
    estate.mirror(&["apply", "--spec", "mirror.json", "--yes"]).ok();
    assert_eq!((estate.changes(), estate.sessions()), (Vec::new(), before.clone()));

    // A second spec beside it has its own things, and other VNIs.
    let second = json!({"name": "second", "session_number": 200, "ports": [8080], "target": {"existing": state["Target"].as_object().unwrap().keys().next()}});
    estate.apply(second).ok();
    assert_eq!(estate.counts(), [1, 2, 4, 6]);
    estate.mirror(&["destroy", "--name", "second", "--yes"]).ok();
    assert_eq!((estate.counts(), estate.sessions()), ([1, 1, 2, 3], before));

    // And away again, and once more.
    estate.mirror(&["destroy", "--name", "shop", "--yes"]).ok();
    assert_eq!(estate.counts(), [0, 0, 0, 0]);
    estate.apply(json!({})).ok();
    assert_eq!(estate.counts(), [1, 1, 2, 3]);
}

#[test]
fn sources_come_and_go() {
    let Some(estate) = Estate::new(2) else { return };
    estate.apply(json!({})).ok();
    let before = estate.sessions();
    estate.fake.requests();

    // One comes.
    let new = estate.run("shop", 1).remove(0);
    estate.apply(json!({})).ok();
    assert_eq!(
        estate.changes(),
        ["CreateTrafficMirrorSession", "RunInstances"]
            .map(str::to_owned)
            .into_iter()
            .rev()
            .collect::<Vec<_>>()
    );
    let after = estate.sessions();
    assert!(after.contains_key(&new.1) && before.iter().all(|(eni, session)| after[eni] == *session));

    // One goes: terminated, its interface with it.
    estate.fake.boto("ec2", "terminate_instances", json!({"InstanceIds": [new.0]}));
    let said = estate.apply(json!({})).ok();
    assert!(said.contains("delete: its instance is terminated"), "{said}");
    assert_eq!(estate.sessions(), before);

    // One is replaced by exclusion of another and a new one.
    let gone = before.keys().next().unwrap().clone();
    let other = estate.run("shop", 1).remove(0);
    let said = estate
        .apply(json!({"sources": [{"tags": {"app": ["shop"]}, "exclude": {"interfaces": [gone]}}]}))
        .ok();
    assert!(said.contains("it is not selected any more"), "{said}");
    let now = estate.sessions();
    assert!(!now.contains_key(&gone) && now.contains_key(&other.1));
    assert_eq!(now.len(), 2);
}

#[test]
fn what_has_drifted_is_repaired() {
    let Some(estate) = Estate::new(2) else { return };
    estate.apply(json!({"packet_length": 1500})).ok();
    let whole = estate.fake.state();
    let id = |kind: &str, at: usize| whole[kind].as_object().unwrap().keys().nth(at).unwrap().clone();
    let boto = |call, args| estate.fake.boto("ec2", call, args);
    boto(
        "modify_traffic_mirror_session",
        json!({
            "TrafficMirrorSessionId": id("Session", 0), "SessionNumber": 7, "RemoveFields": ["packet-length"],
        }),
    );
    boto("delete_traffic_mirror_session", json!({"TrafficMirrorSessionId": id("Session", 1)}));
    boto(
        "modify_traffic_mirror_filter_rule",
        json!({
            "TrafficMirrorFilterRuleId": id("FilterRule", 0), "RuleAction": "reject",
        }),
    );
    boto("delete_traffic_mirror_filter_rule", json!({"TrafficMirrorFilterRuleId": id("FilterRule", 1)}));
    boto(
        "modify_traffic_mirror_filter_network_services",
        json!({
            "TrafficMirrorFilterId": id("Filter", 0), "AddNetworkServices": ["amazon-dns"],
        }),
    );
    let status = estate.mirror(&["status", "--spec", "mirror.json", "--json"]).json();
    assert_eq!(status[0]["drift"].as_array().unwrap().len(), 5, "{status}");
    let said = estate.mirror(&["apply", "--spec", "mirror.json", "--yes"]).ok();
    assert!(said.contains("number 7 becomes 100; packet length all becomes 1500"), "{said}");
    let ids = |mut state: Value| {
        for kind in ["FilterRule", "Session"] {
            // New ones have new ids; all else is as it was.
            let values: Vec<_> = state[kind]
                .as_object()
                .unwrap()
                .values()
                .cloned()
                .map(|mut item| {
                    item.as_object_mut().unwrap().remove(&format!("TrafficMirror{kind}Id"));
                    item
                })
                .collect();
            let mut values: Vec<_> = values.iter().map(Value::to_string).collect();
            values.sort();
            state[kind] = json!(values);
        }
        state
    };
    assert_eq!(ids(estate.fake.state()), ids(whole));
}

#[test]
fn another_target_takes_over() {
    let Some(estate) = Estate::new(2) else { return };
    estate.apply(json!({})).ok();
    let before = estate.sessions();
    let other = estate.run("sensor", 1).remove(0);
    estate.fake.requests();
    let said = estate.apply(json!({"target": {"instance": other.0}})).ok();
    let changes = estate.changes();
    let wanted = [
        "CreateTrafficMirrorTarget",
        "ModifyTrafficMirrorSession",
        "ModifyTrafficMirrorSession",
        "DeleteTrafficMirrorTarget",
    ];
    assert_eq!(changes, wanted, "{said}");
    let state = estate.fake.state();
    let targets = state["Target"].as_object().unwrap();
    assert_eq!(targets.len(), 1);
    let (id, target) = targets.iter().next().unwrap();
    assert_eq!(target["NetworkInterfaceId"], other.1.as_str());
    for (eni, session) in estate.sessions() {
        assert_eq!(
            (&session["TrafficMirrorTargetId"], &session["VirtualNetworkId"]),
            (&json!(id), &before[&eni]["VirtualNetworkId"])
        );
    }
}

#[test]
fn a_saved_plan_is_for_the_world_it_was_made_for() {
    let Some(estate) = Estate::new(1) else { return };
    estate.spec(json!({}));
    estate.mirror(&["plan", "--spec", "mirror.json", "--out", "shop.plan"]).ok();
    let new = estate.run("shop", 1).remove(0);
    let said = estate.mirror(&["apply", "shop.plan"]);
    assert_eq!(said.code, 1);
    assert!(
        said.err.contains("the world has moved since the plan was made") && said.err.contains(&new.1),
        "{}",
        said.err
    );
    assert_eq!(estate.counts(), [0, 0, 0, 0]);
    estate.mirror(&["plan", "--spec", "mirror.json", "--out", "shop.plan"]).ok();
    // Nobody is asked: who saved it has read it.
    estate.mirror(&["apply", "shop.plan"]).ok();
    assert_eq!(estate.counts(), [1, 1, 2, 2]);
    // It says all: what else is wanted would be passed over.
    assert_eq!(estate.mirror(&["apply", "shop.plan", "--ports", "81"]).code, 2);
    // Where nobody can be asked, nothing is done unasked.
    estate.spec(json!({"ports": [81]}));
    let said = estate.mirror(&["apply", "--spec", "mirror.json"]);
    assert!(said.code == 1 && said.err.contains("give --yes"), "{}", said.err);
    let said = estate.mirror(&["apply", "mirror.json"]);
    assert!(said.code == 1 && said.err.contains("mirror.json is no plan"), "{}", said.err);
}

#[test]
fn names_of_vnis_and_stopped_instances() {
    let Some(estate) = Estate::new(2) else { return };
    estate.spec(json!({}));
    estate.mirror(&["apply", "--spec", "mirror.json", "--yes", "--names", "names.json"]).ok();
    let names: Value =
        serde_json::from_slice(&std::fs::read(estate.dir.path().join("names.json")).unwrap()).unwrap();
    let sessions = estate.sessions();
    assert_eq!(names["vnis"].as_object().unwrap().len(), 2);
    for (eni, session) in &sessions {
        let owner = &names["vnis"][session["VirtualNetworkId"].to_string()];
        assert_eq!(
            (&owner["interface"], &owner["name"], &owner["account"]),
            (&json!(eni), &json!("shop"), &json!("123456789012"))
        );
        assert_eq!(owner["session"], session["TrafficMirrorSessionId"]);
    }
    // A sensor names with it what it sees.
    let vni = names["vnis"].as_object().unwrap().keys().next().unwrap();
    let port = free_port();
    let (listen, number) = (format!("127.0.0.1:{port}"), port.to_string());
    let file = estate.dir.path().join("names.json");
    let args =
        ["--udp", &listen, "--vxlan-port", &number, "--format", "ecs", "--vni-names", file.to_str().unwrap()];
    let sensor = Sensor::start("mirror-names", &args);
    let mirror = |vni: &str| {
        let capture = crate::support::sensor::capture("link-qinq").join("input.pcap");
        let args = ["mirror-sim", "--vni", vni, "--to", &listen, "--read", capture.to_str().unwrap()];
        crate::support::good(&mut harken(&args));
    };
    mirror(vni);
    sensor.seen(packets("link-qinq"));
    // The file is replaced, as autoscaling has it.
    let other = r#"{"vnis": {"77": {"provider": "aws", "instance": "i-77", "name": "late"}}}"#;
    std::fs::write(estate.dir.path().join("new.json"), other).unwrap();
    std::fs::rename(estate.dir.path().join("new.json"), &file).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(2500));
    mirror("77");
    sensor.seen(2 * packets("link-qinq"));
    let figures = sensor.top().unwrap();
    let late = figures["vnis"].as_array().unwrap().iter().find(|seen| seen["vni"] == 77).unwrap();
    assert_eq!(late["name"], "late");
    let (output, _, logs) = sensor.end();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("names of 1 virtual networks are in force"), "{said}");
    let events = lines(&logs, "events");
    let of = |vni: u64| events.iter().find(|event| event["harken"]["tunnel"]["vni"] == vni).unwrap();
    let owner = &names["vnis"][vni];
    let event = of(vni.parse().unwrap());
    assert_eq!(event["cloud"]["instance"], json!({"id": owner["instance"], "name": "shop"}));
    assert_eq!(event["cloud"]["account"]["id"], "123456789012");
    assert_eq!(event["harken"]["tunnel"]["interface"], owner["interface"]);
    assert_eq!(of(77)["cloud"]["instance"]["name"], "late");
    let tunnels = lines(&logs, "tunnel");
    assert!(tunnels.iter().any(|line| line["vni"] == 77 && line["vni_name"] == "late"), "{tunnels:?}");
    let loss = lines(&logs, "capture_loss");
    assert!(loss.iter().any(|line| line["vni"] == 77 && line["vni_name"] == "late"), "{loss:?}");

    // A session bills on when its instance stops; it is kept, and named.
    let owner = names["vnis"].as_object().unwrap().values().next().unwrap();
    estate.fake.boto("ec2", "stop_instances", json!({"InstanceIds": [owner["instance"]]}));
    let status = estate.mirror(&["status", "--spec", "mirror.json"]).ok();
    assert!(
        status.contains("bills without use: its instance is stopped")
            && status.contains("all is as the spec says"),
        "{status}"
    );
}

#[test]
fn watching_enrols_what_comes() {
    let Some(estate) = Estate::new(1) else { return };
    estate.spec(json!({}));
    let mut child = estate
        .command(&[
            "apply",
            "--spec",
            "mirror.json",
            "--yes",
            "--watch",
            "--every",
            "200ms",
            "--names",
            "names.json",
        ])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let wait = |count: usize| {
        let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while estate.sessions().len() != count {
            assert!(std::time::Instant::now() < until, "there are {} sessions", estate.sessions().len());
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    };
    wait(1);
    let new = estate.run("shop", 2);
    wait(3);
    estate.fake.boto("ec2", "terminate_instances", json!({"InstanceIds": [new[0].0]}));
    wait(2);
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(child.id().try_into().unwrap()),
        nix::sys::signal::SIGTERM,
    )
    .unwrap();
    assert!(child.wait().unwrap().success());
    let names: Value =
        serde_json::from_slice(&std::fs::read(estate.dir.path().join("names.json")).unwrap()).unwrap();
    assert_eq!(names["vnis"].as_object().unwrap().len(), 2);
}
