//! Where credentials come from, and that no secret is ever said.
use crate::estate::{Estate, Said, bare};
use serde_json::json;
use std::process::Command;

const PLAN: [&str; 3] = ["discover", "--tag", "app=shop"];

/// A command that knows where the fake is, and nothing else.
fn without_keys(estate: &Estate, args: &[&str]) -> Command {
    let mut command = bare(estate.dir.path(), args);
    command.env("AWS_ENDPOINT_URL", estate.fake.url()).env("AWS_REGION", "eu-central-1");
    command
}

#[track_caller]
fn works(command: &mut Command) {
    let said: Said = command.output().unwrap().into();
    assert!(said.ok().contains("1 interface\n"));
}

#[test]
fn each_source_of_credentials() {
    let Some(estate) = Estate::new(1) else { return };
    let write = |name: &str, text: &str| {
        let path = estate.dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    };
    let role = "arn:aws:iam::123456789012:role/mirror";
    let last = "arn:aws:iam::123456789012:role/last";
    estate.fake.set("role", json!({"arn": role, "external_id": "e-1", "web_identity": "the-token"}));
    estate.fake.set("role", json!({"arn": last}));
    estate
        .fake
        .set("role", json!({"arn": "arn:aws:iam::123456789012:role/web", "web_identity": "the-token"}));

    // None at all.
    let said: Said = without_keys(&estate, &PLAN).output().unwrap().into();
    assert!(said.code == 1 && said.err.contains("there are no AWS credentials"), "{}", said.err);
    // The environment.
    works(&mut estate.command(&PLAN));
    // A profile, whose region is its own.
    write(".aws/credentials", "[shop]\naws_access_key_id = AKIDTEST\naws_secret_access_key = secrettest\n");
    let mut config = "[profile shop]\nregion = eu-central-1\n".to_owned();
    config += &format!(
        "[profile chained]\nregion = eu-central-1\nsource_profile = shop\nrole_arn = {role}\nexternal_id = e-1\n"
    );
    config += "[profile process]\nregion = eu-central-1\ncredential_process = sh -c \"echo '{\\\"Version\\\": 1, \
               \\\"AccessKeyId\\\": \\\"AKIDTEST\\\", \\\"SecretAccessKey\\\": \\\"secrettest\\\"}'\"\n";
    // Single sign-on, after `aws sso login`: the token lies in a cache under the hash of the session's name.
    config += "[profile sso]\nregion = eu-central-1\nsso_session = work\nsso_account_id = 123456789012\nsso_role_name = mirror\n\
               [sso-session work]\nsso_region = eu-central-1\nsso_start_url = https://work.awsapps.com/start\n";
    write(".aws/config", &config);
    write(
        ".aws/sso/cache/e274eeff768c6396088ec6eb091f4bf4d47ab1e0.json",
        r#"{"accessToken": "sso-token", "expiresAt": "2999-01-01T00:00:00Z", "region": "eu-central-1",
            "startUrl": "https://work.awsapps.com/start"}"#,
    );
    for profile in ["shop", "chained", "process", "sso"] {
        works(without_keys(&estate, &[&PLAN[..], &["--profile", profile]].concat()).env_remove("AWS_REGION"));
    }
    // Roles, one after the other, with an external id.
    works(&mut estate.command(&[&PLAN[..], &["--assume-role", role, "--external-id", "e-1"]].concat()));
    works(&mut estate.command(
        &[&PLAN[..], &["--assume-role", last, "--assume-role", role, "--external-id", "e-1"]].concat(),
    ));
    let wrong = [&PLAN[..], &["--assume-role", role, "--external-id", "e-2"]].concat();
    let said = estate.mirror(&wrong);
    assert!(said.code == 1 && said.err.contains("AccessDenied"), "{}", said.err);
    // Web identity, as in EKS.
    write("token", "the-token");
    works(
        without_keys(&estate, &PLAN)
            .env("AWS_WEB_IDENTITY_TOKEN_FILE", estate.dir.path().join("token"))
            .env("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/web")
            .env("AWS_ROLE_SESSION_NAME", "test"),
    );
    // The service of a container, and that of an instance (IMDSv2).
    works(
        without_keys(&estate, &PLAN)
            .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/container", estate.fake.url()))
            .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "container-token"),
    );
    works(
        without_keys(&estate, &PLAN)
            .env_remove("AWS_EC2_METADATA_DISABLED")
            .env_remove("AWS_REGION")
            .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", estate.fake.url()),
    );
}

#[test]
fn several_accounts_and_regions() {
    let Some(estate) = Estate::new(1) else { return };
    let other = "210987654321";
    let role = format!("arn:aws:iam::{other}:role/mirror");
    estate.fake.set("role", json!({"arn": role}));
    let boto = |call, args| estate.fake.boto_in(other, "eu-west-1", "ec2", call, args);
    let vpc = boto("create_vpc", json!({"CidrBlock": "10.1.0.0/16"}))["Vpc"]["VpcId"].clone();
    let subnet =
        boto("create_subnet", json!({"VpcId": vpc, "CidrBlock": "10.1.1.0/24"}))["Subnet"]["SubnetId"]
            .clone();
    let run = |name: &str| {
        let tags = json!([{"ResourceType": "instance", "Tags": [{"Key": "app", "Value": name}]}]);
        let args = json!({"ImageId": "ami-12345678", "MinCount": 1, "MaxCount": 1, "SubnetId": subnet,
            "InstanceType": "m7i.large", "TagSpecifications": tags});
        boto("run_instances", args)["Instances"][0]["InstanceId"].clone()
    };
    let sensor = run("sensor");
    run("shop");
    let spec = json!({"places": [
        {"region": "eu-central-1"},
        {"region": "eu-west-1", "assume_roles": [{"arn": role}], "target": {"instance": sensor}},
    ]});
    estate.apply(spec).ok();
    assert_eq!(estate.counts(), [1, 1, 2, 1]);
    let state = estate.fake.state_of(&format!("{other}/eu-west-1"));
    assert_eq!(state["Session"].as_object().unwrap().len(), 1);
    let names = estate.mirror(&["names", "--spec", "mirror.json"]).json();
    let accounts: std::collections::BTreeSet<_> =
        names["vnis"].as_object().unwrap().values().map(|o| o["account"].as_str().unwrap()).collect();
    assert_eq!(accounts.into_iter().collect::<Vec<_>>(), ["123456789012", other]);
    estate.mirror(&["destroy", "--spec", "mirror.json", "--yes"]).ok();
    assert!(estate.fake.state_of(&format!("{other}/eu-west-1"))["Session"].as_object().unwrap().is_empty());
}

#[test]
fn errors_of_credentials_say_what_to_do_and_no_secret() {
    let Some(estate) = Estate::new(0) else { return };
    let mut outputs = Vec::new();
    let mut with = |key: &str, secret: &str, part: &str| {
        let said: Said = estate
            .command(&PLAN)
            .env("AWS_ACCESS_KEY_ID", key)
            .env("AWS_SECRET_ACCESS_KEY", secret)
            .env("RUST_LOG", "trace")
            .output()
            .unwrap()
            .into();
        assert!(said.code == 1 && said.err.contains(part), "{}", said.err);
        outputs.push(said.out + &said.err);
    };
    with("AKIDTEST", "wrong-secret", "the secret access key does not belong to the access key");
    with("AKIDOTHER", "wrong-secret", "the access key is unknown to AWS");
    estate.fake.set(
        "fault",
        json!({"action": "GetCallerIdentity", "kind": "refuse", "code": "ExpiredToken", "times": 9}),
    );
    with("AKIDTEST", "secrettest", "log in again");
    for output in outputs {
        assert!(
            !output.contains("wrong-secret")
                && !output.contains("secrettest")
                && !output.contains("Signature="),
            "{output}"
        );
    }
    let said: Said = estate.command(&PLAN).env_remove("AWS_REGION").output().unwrap().into();
    assert!(
        said.code == 1 && said.err.contains("no AWS region is known; mend: give --region"),
        "{}",
        said.err
    );
}

/// Credentials that run out in the middle are fetched anew, once.
#[test]
fn credentials_that_run_out_are_renewed() {
    let Some(estate) = Estate::new(1) else { return };
    estate.fake.set(
        "fault",
        json!({"action": "CreateTrafficMirrorFilter", "kind": "refuse", "code": "RequestExpired"}),
    );
    estate.apply(json!({})).ok();
    assert_eq!(estate.counts(), [1, 1, 2, 1]);
}
