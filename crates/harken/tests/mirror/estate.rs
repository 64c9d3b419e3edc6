//! A small estate in the fake: a VPC, instances of a shop, a sensor.
use crate::fake::Fake;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Output};

/// The estate, and a folder to work in.
pub(crate) struct Estate {
    pub(crate) fake: Fake,
    pub(crate) vpc: String,
    pub(crate) subnet: String,
    /// The sensor's instance and interface.
    pub(crate) sensor: (String, String),
    pub(crate) dir: tempfile::TempDir,
}

/// What a command said.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}\n{}", self.out, self.err);
        self.out
    }

    #[track_caller]
    pub(crate) fn json(self) -> Value {
        serde_json::from_str(&self.ok()).unwrap()
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A command whose environment has nothing of AWS's but what is given: it must not find the credentials of who runs the
/// tests.
pub(crate) fn bare(dir: &std::path::Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harken"));
    command.arg("mirror").args(args).current_dir(dir);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_")) {
        command.env_remove(name);
    }
    command.env("HOME", dir).env("AWS_EC2_METADATA_DISABLED", "true");
    command
}

impl Estate {
    /// An estate with a shop of that many instances; nothing, said loudly, where the fake cannot be had.
    pub(crate) fn new(shops: usize) -> Option<Self> {
        let fake = Fake::start()?;
        let vpc = fake.boto("ec2", "create_vpc", json!({"CidrBlock": "10.0.0.0/16"}))["Vpc"]["VpcId"].clone();
        let vpc = vpc.as_str().unwrap().to_owned();
        let subnet = fake.boto("ec2", "create_subnet", json!({"VpcId": vpc, "CidrBlock": "10.0.1.0/24"}));
        let subnet = subnet["Subnet"]["SubnetId"].as_str().unwrap().to_owned();
        let dir = tempfile::tempdir().unwrap();
        let mut estate = Self { fake, vpc, subnet, sensor: Default::default(), dir };
        estate.sensor = estate.run("sensor", 1).remove(0);
        if shops > 0 {
            estate.run("shop", shops);
        }
        Some(estate)
    }

    /// Starts instances; gives each with its interface.
    pub(crate) fn run(&self, name: &str, count: usize) -> Vec<(String, String)> {
        let tags = json!([{"Key": "Name", "Value": name}, {"Key": "app", "Value": name}]);
        let started = self.fake.boto(
            "ec2",
            "run_instances",
            json!({
                "ImageId": "ami-12345678", "MinCount": count, "MaxCount": count, "SubnetId": self.subnet,
                "InstanceType": "m7i.large", "TagSpecifications": [{"ResourceType": "instance", "Tags": tags}],
            }),
        );
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let instances = started["Instances"].as_array().unwrap().iter();
        instances
            .map(|i| (text(&i["InstanceId"]), text(&i["NetworkInterfaces"][0]["NetworkInterfaceId"])))
            .collect()
    }

    /// A command in Frankfurt, by the key of the fake.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = bare(self.dir.path(), args);
        command
            .env("AWS_ENDPOINT_URL", self.fake.url())
            .env("AWS_ACCESS_KEY_ID", "AKIDTEST")
            .env("AWS_SECRET_ACCESS_KEY", "secrettest")
            .env("AWS_REGION", "eu-central-1");
        command
    }

    /// What a command says.
    pub(crate) fn mirror(&self, args: &[&str]) -> Said {
        self.command(args).output().unwrap().into()
    }

    /// A spec in a file: the shop, to the sensor, port 80, with those changes.
    pub(crate) fn spec(&self, changes: Value) -> PathBuf {
        let mut spec = json!({
            "name": "shop", "sources": [{"tags": {"app": ["shop"]}}], "target": {"interface": self.sensor.1},
            "ports": [80], "ip": ["ipv4"],
        });
        let members = changes.as_object().unwrap().clone();
        spec.as_object_mut().unwrap().extend(members);
        let path = self.dir.path().join("mirror.json");
        std::fs::write(&path, spec.to_string()).unwrap();
        path
    }

    /// `apply --yes` of that spec.
    pub(crate) fn apply(&self, changes: Value) -> Said {
        self.spec(changes);
        self.mirror(&["apply", "--spec", "mirror.json", "--yes"])
    }

    /// How many targets, filters, rules and sessions there are.
    pub(crate) fn counts(&self) -> [usize; 4] {
        let state = self.fake.state();
        ["Target", "Filter", "FilterRule", "Session"]
            .map(|kind| state[kind].as_object().map_or(0, serde_json::Map::len))
    }

    /// The sessions by interface.
    pub(crate) fn sessions(&self) -> BTreeMap<String, Value> {
        let state = self.fake.state();
        let sessions = state["Session"].as_object().cloned().unwrap_or_default();
        sessions
            .into_iter()
            .map(|(_, session)| (session["NetworkInterfaceId"].as_str().unwrap().to_owned(), session))
            .collect()
    }

    /// The actions that changed something since this was asked last.
    pub(crate) fn changes(&self) -> Vec<String> {
        let actions = self.fake.requests().into_iter().map(|r| r["action"].as_str().unwrap().to_owned());
        actions.filter(|action| !action.starts_with("Describe") && !action.starts_with("GetCaller")).collect()
    }

    /// A session of somebody else, with its own target and filter, on that interface.
    pub(crate) fn foreign(&self, interface: &str, number: u16, ports: Option<(u16, u16)>) -> String {
        let theirs = self.run("other-tool", 1).remove(0).1;
        let boto = |call, args| self.fake.boto("ec2", call, args);
        let target = &boto("create_traffic_mirror_target", json!({"NetworkInterfaceId": theirs}))["TrafficMirrorTarget"]
            ["TrafficMirrorTargetId"];
        let filter =
            &boto("create_traffic_mirror_filter", json!({}))["TrafficMirrorFilter"]["TrafficMirrorFilterId"];
        for (way, key) in [("ingress", "DestinationPortRange"), ("egress", "SourcePortRange")] {
            let mut rule = json!({
                "TrafficMirrorFilterId": filter, "TrafficDirection": way, "RuleNumber": 1, "RuleAction": "accept",
                "SourceCidrBlock": "0.0.0.0/0", "DestinationCidrBlock": "0.0.0.0/0", "Protocol": 6,
            });
            if let Some((from, to)) = ports {
                rule[key] = json!({"FromPort": from, "ToPort": to});
            }
            boto("create_traffic_mirror_filter_rule", rule);
        }
        let session = json!({
            "NetworkInterfaceId": interface, "TrafficMirrorTargetId": target, "TrafficMirrorFilterId": filter,
            "SessionNumber": number,
        });
        let made = &boto("create_traffic_mirror_session", session)["TrafficMirrorSession"];
        made["TrafficMirrorSessionId"].as_str().unwrap().to_owned()
    }
}
