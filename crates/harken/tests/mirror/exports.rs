//! What other tools are given describes what the plan does.
use crate::estate::Estate;
use crate::fake;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::process::Command;

/// What a script in the fake's Python prints, as JSON.
#[track_caller]
fn python(estate: &Estate, script: &str) -> Value {
    let python = fake::python().unwrap();
    let output = Command::new(python)
        .args(["-W", "ignore", "-c", script])
        .current_dir(estate.dir.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn export(estate: &Estate, form: &str, file: &str) -> String {
    let said = estate.mirror(&["export", "--spec", "mirror.json", "--open-security-group", form]).ok();
    std::fs::write(estate.dir.path().join(file), &said).unwrap();
    said
}

/// The sessions that the plan makes: interface, VNI and number.
fn planned(estate: &Estate) -> BTreeSet<(String, u64, u64)> {
    let plan = estate.mirror(&["plan", "--spec", "mirror.json", "--json"]).json();
    let sources = plan[0]["sources"].as_array().unwrap().iter();
    sources
        .map(|s| {
            (
                s["interface"].as_str().unwrap().to_owned(),
                s["vni"].as_u64().unwrap(),
                s["number"].as_u64().unwrap(),
            )
        })
        .collect()
}

fn sessions<'a>(all: impl Iterator<Item = &'a Value>, keys: [&str; 3]) -> BTreeSet<(String, u64, u64)> {
    all.map(|s| {
        (s[keys[0]].as_str().unwrap().to_owned(), s[keys[1]].as_u64().unwrap(), s[keys[2]].as_u64().unwrap())
    })
    .collect()
}

#[test]
fn terraform() {
    let Some(estate) = Estate::new(2) else { return };
    estate.spec(json!({"ports": [80, "8000-8999"], "packet_length": 1500}));
    export(&estate, "--terraform", "main.tf");
    against_the_provider(&estate);
    let parsed = python(&estate, "import hcl2, json; print(json.dumps(hcl2.load(open('main.tf'))))");
    let text = parsed.to_string().replace("\\\"", "");
    let mut found: Vec<(String, Value)> = Vec::new();
    for resource in parsed["resource"].as_array().unwrap() {
        for (kind, named) in resource.as_object().unwrap() {
            let bare = kind.trim_matches('"').to_owned();
            found.extend(
                named
                    .as_object()
                    .unwrap()
                    .iter()
                    .filter(|(n, _)| !n.starts_with("__"))
                    .map(|(_, v)| (bare.clone(), v.clone())),
            );
        }
    }
    let of = |kind: &str| found.iter().filter(|(k, _)| k == kind).map(|(_, v)| v).collect::<Vec<_>>();
    assert_eq!(of("aws_ec2_traffic_mirror_target").len(), 1, "{text}");
    assert_eq!(of("aws_ec2_traffic_mirror_filter_rule").len(), 4);
    assert_eq!(of("aws_vpc_security_group_ingress_rule").len(), 1);
    let strip = |value: &Value| {
        let mut value = value.clone();
        let id = value["network_interface_id"].as_str().unwrap().trim_matches('"').to_owned();
        value["network_interface_id"] = id.into();
        value
    };
    let made: Vec<_> = of("aws_ec2_traffic_mirror_session").into_iter().map(strip).collect();
    let keys = ["network_interface_id", "virtual_network_id", "session_number"];
    assert_eq!(sessions(made.iter(), keys), planned(&estate));
    assert!(
        made.iter().all(|s| s["packet_length"] == 1500
            && s["traffic_mirror_target_id"].to_string().contains("aws_ec2_traffic_mirror_target.shop.id")),
        "{text}"
    );
}

/// The configuration, held against the schema of its provider, which CDK for Terraform publishes on PyPI.
fn against_the_provider(estate: &Estate) {
    const WHEEL: &str = "cdktf_cdktf_provider_aws-21.22.1-py3-none-any.whl";
    let python = fake::python().unwrap();
    let dir = python.parent().unwrap().parent().unwrap().to_owned();
    if !dir.join(WHEEL).exists() {
        let wanted = ["-m", "pip", "download", "--quiet", "--no-deps", "cdktf-cdktf-provider-aws==21.22.1"];
        let done = Command::new(&python).args(wanted).current_dir(&dir).output().unwrap();
        if !done.status.success() {
            return eprintln!(
                "SKIPPED: no schema of Terraform's provider: {}",
                String::from_utf8_lossy(&done.stderr)
            );
        }
    }
    let output = Command::new(python)
        .args(["-W", "ignore"])
        .args([fake::folder().join("terraform.py"), dir.join(WHEEL), estate.dir.path().join("main.tf")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let counts: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(counts["aws_ec2_traffic_mirror_session"], 2, "{counts}");
}

#[test]
fn cloudformation() {
    let Some(estate) = Estate::new(2) else { return };
    estate.spec(json!({"ports": [80, "8000-8999"]}));
    let text = export(&estate, "--cloudformation", "mirror.template.json");
    // AWS's own schemas of resources, by cfn-lint.
    let lint = fake::python().unwrap().with_file_name("cfn-lint");
    let output = Command::new(lint)
        .args(["--regions", "eu-central-1", "--", "mirror.template.json"])
        .current_dir(estate.dir.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let template: Value = serde_json::from_str(&text).unwrap();
    let resources = template["Resources"].as_object().unwrap();
    let of = |kind: &str| {
        resources
            .values()
            .filter(|r| r["Type"] == format!("AWS::EC2::{kind}"))
            .map(|r| &r["Properties"])
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (
            of("TrafficMirrorTarget").len(),
            of("TrafficMirrorFilterRule").len(),
            of("SecurityGroupIngress").len()
        ),
        (1, 4, 1)
    );
    let keys = ["NetworkInterfaceId", "VirtualNetworkId", "SessionNumber"];
    assert_eq!(sessions(of("TrafficMirrorSession").into_iter(), keys), planned(&estate));
}

/// The script is run, by the AWS CLI against the fake, where the CLI is there.
#[test]
fn the_aws_cli() {
    let Some(estate) = Estate::new(2) else { return };
    estate.spec(json!({"ports": [80, "8000-8999"]}));
    let wanted = planned(&estate);
    export(&estate, "--aws-cli", "mirror.sh");
    let python = fake::python().unwrap();
    let path = format!("{}:{}", python.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let output = Command::new("sh")
        .arg("mirror.sh")
        .current_dir(estate.dir.path())
        .env("PATH", path)
        .env("HOME", estate.dir.path())
        .env("AWS_ENDPOINT_URL", estate.fake.url())
        .env("AWS_ACCESS_KEY_ID", "AKIDTEST")
        .env("AWS_SECRET_ACCESS_KEY", "secrettest")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(estate.counts(), [1, 1, 4, 2]);
    let made = estate.sessions();
    assert_eq!(sessions(made.values(), ["NetworkInterfaceId", "VirtualNetworkId", "SessionNumber"]), wanted);
    // It carries our tags: the plan knows it again.
    let said = estate.mirror(&["plan", "--spec", "mirror.json", "--detailed-exitcode"]);
    assert_eq!(said.code, 0, "{}", said.out);
}

#[test]
fn policies() {
    let Some(estate) = Estate::new(0) else { return };
    let policy = estate.mirror(&["policy"]).json();
    let statements = policy["Statement"].as_array().unwrap();
    let mut allowed = BTreeSet::new();
    for statement in statements {
        let actions = &statement["Action"];
        let one = actions.as_str().into_iter();
        let many = actions.as_array().into_iter().flatten().map(|action| action.as_str().unwrap());
        allowed.extend(one.chain(many).map(str::to_owned));
    }
    // Every action that the program sends is in it.
    estate.run("shop", 1);
    estate.apply(json!({})).ok();
    estate.apply(json!({"ports": [81]})).ok();
    estate.mirror(&["destroy", "--spec", "mirror.json", "--yes"]).ok();
    for request in estate.fake.requests().iter().filter(|r| r["arguments"].is_object()) {
        let action = format!("ec2:{}", request["action"].as_str().unwrap());
        assert!(
            allowed.contains(&action)
                || ["ec2:RunInstances", "ec2:CreateVpc", "ec2:CreateSubnet"].contains(&action.as_str()),
            "{action}"
        );
    }
    let plan = estate.mirror(&["policy", "--for", "plan"]).json().to_string();
    assert!(!plan.contains("Create") && !plan.contains("Delete") && !plan.contains("Modify"), "{plan}");
}
