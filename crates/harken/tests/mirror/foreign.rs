//! Beside what others have made, and at AWS's limits.
use crate::estate::Estate;
use serde_json::json;

#[test]
fn sessions_of_others() {
    let Some(estate) = Estate::new(4) else { return };
    let shops: Vec<String> = {
        let found = estate.mirror(&["discover", "--tag", "app=shop", "--json"]).json();
        let interfaces = found[0]["interfaces"].as_array().unwrap().clone();
        interfaces.iter().map(|i| i["id"].as_str().unwrap().to_owned()).collect()
    };
    // Takes all, first: ours would see nothing.
    let first = estate.foreign(&shops[0], 1, None);
    // Takes other ports, first: no matter.
    estate.foreign(&shops[1], 1, Some((443, 443)));
    // Has our number.
    estate.foreign(&shops[2], 100, Some((443, 443)));
    // Comes after us: we take its packets.
    let later = estate.foreign(&shops[3], 500, None);
    let before = estate.fake.state();
    let said = estate.apply(json!({})).ok();
    assert!(
        said.contains(&format!("skip: session {first} (number 1) comes first and takes every packet")),
        "{said}"
    );
    assert!(said.contains("session number 100 is taken: 101 is used"), "{said}");
    assert!(said.contains(&format!("it takes packets from session {later} (number 500)")), "{said}");
    assert_eq!(estate.counts(), [5, 5, 10, 7]);
    let status = estate.mirror(&["status", "--spec", "mirror.json", "--json"]).json();
    assert_eq!(status[0]["drift"], json!([]), "a repeat would change nothing");

    // Others use our target: it stops before anything is deleted.
    let ours = status[0]["sessions"].as_array().unwrap().iter().find(|s| s["ours"] == true).unwrap();
    let guest = estate.run("guest", 1).remove(0).1;
    estate.fake.boto("ec2", "create_traffic_mirror_session", json!({
        "NetworkInterfaceId": guest, "TrafficMirrorTargetId": ours["target"], "TrafficMirrorFilterId": ours["filter"],
        "SessionNumber": 1,
    }));
    let whole = estate.counts();
    let said = estate.mirror(&["destroy", "--spec", "mirror.json", "--yes"]);
    assert!(
        said.code == 1 && said.err.contains("uses our target") && said.err.contains("uses our filter"),
        "{}",
        said.err
    );
    assert_eq!(estate.counts(), whole);
    let session = estate.sessions()[&guest]["TrafficMirrorSessionId"].clone();
    estate.fake.boto("ec2", "delete_traffic_mirror_session", json!({"TrafficMirrorSessionId": session}));
    estate.mirror(&["destroy", "--spec", "mirror.json", "--yes"]).ok();
    assert_eq!(estate.fake.state(), before, "nothing of ours is left, and everything of others");
}

#[test]
fn eleven_sources_and_ten_places() {
    let Some(estate) = Estate::new(11) else { return };
    let said = estate.apply(json!({})).ok();
    assert!(said.contains("skip: the target takes 10 sources; mend: a network load balancer"), "{said}");
    assert_eq!(estate.sessions().len(), 10);
    // The ten stay the ten, whatever comes.
    let before = estate.sessions();
    estate.run("shop", 2);
    estate.apply(json!({})).ok();
    assert_eq!(estate.sessions(), before);
}

#[test]
fn three_sessions_are_enough_for_an_interface() {
    let Some(estate) = Estate::new(1) else { return };
    let shop = estate.mirror(&["discover", "--tag", "app=shop", "--json"]).json();
    let shop = shop[0]["interfaces"][0]["id"].as_str().unwrap().to_owned();
    for number in 1..=3 {
        estate.foreign(&shop, number, Some((1, 1)));
    }
    let said = estate.apply(json!({})).ok();
    assert!(said.contains("skip: it has three sessions already"), "{said}");
}

#[test]
fn what_cannot_be_a_source_is_said() {
    let Some(estate) = Estate::new(1) else { return };
    let stopped = estate.run("shop", 1).remove(0);
    estate.fake.boto("ec2", "stop_instances", json!({"InstanceIds": [stopped.0]}));
    let loose = estate.fake.boto("ec2", "create_network_interface", json!({"SubnetId": estate.subnet}));
    let loose = loose["NetworkInterface"]["NetworkInterfaceId"].as_str().unwrap().to_owned();
    // In another VPC, without a route to the target.
    let far =
        estate.fake.boto("ec2", "create_vpc", json!({"CidrBlock": "10.9.0.0/16"}))["Vpc"]["VpcId"].clone();
    let far = estate.fake.boto("ec2", "create_subnet", json!({"VpcId": far, "CidrBlock": "10.9.1.0/24"}));
    let far =
        estate.fake.boto("ec2", "create_network_interface", json!({"SubnetId": far["Subnet"]["SubnetId"]}));
    let far = far["NetworkInterface"]["NetworkInterfaceId"].as_str().unwrap().to_owned();
    let machine = estate.run("far", 1).remove(0).0;
    estate.fake.boto(
        "ec2",
        "attach_network_interface",
        json!({
            "NetworkInterfaceId": far, "InstanceId": machine, "DeviceIndex": 1,
        }),
    );
    estate.spec(json!({"sources": [{"vpcs": [estate.vpc]}, {"interfaces": [loose, far]}]}));
    let plan = estate.mirror(&["plan", "--spec", "mirror.json", "--json"]).json();
    let why = |id: &str| {
        let sources = plan[0]["sources"].as_array().unwrap();
        let source =
            sources.iter().find(|source| source["interface"] == id).unwrap_or_else(|| panic!("{id}: {plan}"));
        source["reason"].as_str().unwrap_or("mirrored").to_owned()
    };
    assert_eq!(why(&stopped.1), "its instance is stopped");
    assert_eq!(why(&loose), "it is attached to nothing");
    assert_eq!(why(&estate.sensor.1), "it is the target itself");
    assert!(why(&far).starts_with("no route: "), "{}", why(&far));
}

#[test]
fn tasks_of_ecs() {
    let Some(estate) = Estate::new(0) else { return };
    let ecs = |call, args| estate.fake.boto("ecs", call, args);
    ecs("create_cluster", json!({"clusterName": "prod"}));
    ecs(
        "register_task_definition",
        json!({
            "family": "cart", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256",
            "memory": "512", "containerDefinitions": [{"name": "cart", "image": "cart", "memory": 128}],
        }),
    );
    let groups = estate.fake.boto("ec2", "describe_security_groups", json!({}));
    let network =
        json!({"subnets": [estate.subnet], "securityGroups": [groups["SecurityGroups"][0]["GroupId"]]});
    let run = json!({
        "cluster": "prod", "taskDefinition": "cart", "launchType": "FARGATE", "count": 2,
        "networkConfiguration": {"awsvpcConfiguration": network},
    });
    ecs("run_task", run);
    let found = estate.mirror(&["discover", "--ecs-service", "prod/cart", "--json"]).json();
    assert_eq!(found[0]["interfaces"].as_array().unwrap().len(), 2, "{found}");
    let said = estate.apply(json!({"sources": [{"ecs_services": ["prod/cart"]}]})).ok();
    assert!(said.contains("it belongs to no instance of this account"), "{said}");
    assert_eq!(estate.sessions().len(), 2);
}

#[test]
fn an_endpoint_as_target() {
    let Some(estate) = Estate::new(1) else { return };
    let endpoint = |kind: &str| {
        let made = estate.fake.boto("ec2", "create_vpc_endpoint", json!({
            "VpcId": estate.vpc, "ServiceName": "com.amazonaws.vpce.eu-central-1.vpce-svc-1", "VpcEndpointType": kind,
            "SubnetIds": [estate.subnet],
        }));
        made["VpcEndpoint"]["VpcEndpointId"].as_str().unwrap().to_owned()
    };
    let said = estate.apply(json!({"target": {"gateway_load_balancer_endpoint": endpoint("Interface")}}));
    assert!(said.code == 1 && said.err.contains("is an endpoint of type Interface"), "{}", said.err);
    let right = endpoint("GatewayLoadBalancer");
    let said = estate.apply(json!({"target": {"gateway_load_balancer_endpoint": right}})).ok();
    assert!(said.contains("UDP 6081") && said.contains("packets above 8446 bytes will be cut"), "{said}");
    let state = estate.fake.state();
    let target = state["Target"].as_object().unwrap().values().next().unwrap();
    assert_eq!(
        (&target["GatewayLoadBalancerEndpointId"], &target["Type"]),
        (&json!(right), &json!("gateway-load-balancer-endpoint"))
    );
    estate.apply(json!({"target": {"gateway_load_balancer_endpoint": right}})).ok();
    assert_eq!(estate.counts(), [1, 1, 2, 1]);
}

#[test]
fn load_balancers() {
    let Some(estate) = Estate::new(2) else { return };
    let second =
        estate.fake.boto("ec2", "create_subnet", json!({"VpcId": estate.vpc, "CidrBlock": "10.0.2.0/24"}));
    let subnets = json!([estate.subnet, second["Subnet"]["SubnetId"]]);
    let elb = |call, args| estate.fake.boto("elbv2", call, args);
    let group = |name: &str, protocol: &str, port: u16| {
        let args = json!({"Name": name, "Protocol": protocol, "Port": port, "VpcId": estate.vpc, "TargetType": "instance"});
        elb("create_target_group", args)["TargetGroups"][0]["TargetGroupArn"].clone()
    };
    let balancer = |name: &str, kind: &str| {
        let args = json!({"Name": name, "Subnets": subnets, "Type": kind});
        elb("create_load_balancer", args)["LoadBalancers"][0]["LoadBalancerArn"].clone()
    };
    let listen = |arn: &serde_json::Value, protocol: &str, port: u16, group: &serde_json::Value| {
        let action = json!([{"Type": "forward", "TargetGroupArn": group}]);
        elb(
            "create_listener",
            json!({"LoadBalancerArn": arn, "Protocol": protocol, "Port": port, "DefaultActions": action}),
        );
    };
    let web = balancer("web", "application");
    let shops = group("shops", "HTTP", 80);
    listen(&web, "HTTP", 80, &shops);
    let behind = estate.run("api", 2);
    let targets: Vec<_> = behind.iter().map(|(instance, _)| json!({"Id": instance})).collect();
    elb("register_targets", json!({"TargetGroupArn": shops, "Targets": targets}));

    // The target: a network load balancer, first without a listener.
    let sensors = balancer("net-sensors", "network");
    let arn = sensors.as_str().unwrap();
    let plan = ["plan", "--load-balancer", "web", "--target", arn, "--ports", "80", "--ip", "ipv4"];
    let said = estate.mirror(&plan).ok();
    assert!(said.contains("has no listener on UDP 4789") && said.contains("2 to create"), "{said}");
    let pool = group("pool", "UDP", 4789);
    listen(&sensors, "UDP", 4789, &pool);
    elb("register_targets", json!({"TargetGroupArn": pool, "Targets": [{"Id": estate.sensor.0}]}));
    let said = estate.mirror(&plan).ok();
    assert!(
        !said.contains("has no listener") && said.contains("packets above 8446 bytes will be cut"),
        "{said}"
    );
    let long = [&plan[..], &["--packet-length", "9000"]].concat();
    let said = estate.mirror(&long);
    assert!(said.code == 1 && said.err.contains("packet_length: 9000 is more than 8500"), "{}", said.err);
    let apply = [&["apply"], &plan[1..], &["--yes"]].concat();
    estate.mirror(&apply).ok();
    let sessions = estate.sessions();
    assert_eq!(sessions.keys().collect::<Vec<_>>(), {
        let mut wanted: Vec<_> = behind.iter().map(|(_, eni)| eni).collect();
        wanted.sort();
        wanted
    });
    // AWS cuts at 8500 there without being told; that is no drift.
    assert!(sessions.values().all(|session| session["PacketLength"] == 8500));
    assert!(estate.mirror(&plan).ok().contains("nothing to do"));
}
