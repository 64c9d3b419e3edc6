//! AWS as it is on a bad day.
use crate::estate::Estate;
use serde_json::{Value, json};

fn fault(estate: &Estate, fault: Value) {
    estate.fake.set("fault", fault);
}

#[test]
fn what_passes_is_waited_for() {
    let Some(estate) = Estate::new(2) else { return };
    // Everything that is made stays unheard of for a while, and AWS is busy, cuts answers and connections.
    estate.fake.set("settings", json!({"lag": 2, "page_limit": 1}));
    for (action, kind) in [
        ("DescribeInstances", "cut"),
        ("DescribeTrafficMirrorSessions", "cut"),
        ("CreateTrafficMirrorFilter", "reset"),
        ("CreateTrafficMirrorTarget", "reset-after"),
        ("CreateTrafficMirrorSession", "reset-after"),
    ] {
        fault(&estate, json!({"action": action, "kind": kind}));
    }
    fault(
        &estate,
        json!({"action": "CreateTrafficMirrorFilterRule", "kind": "refuse", "code": "RequestLimitExceeded",
        "status": 503, "times": 2}),
    );
    fault(
        &estate,
        json!({"action": "DescribeSubnets", "kind": "refuse", "code": "InternalError", "status": 500}),
    );
    estate.apply(json!({})).ok();
    // What was done before the connection broke was not done again.
    assert_eq!(estate.counts(), [1, 1, 2, 2]);
    for action in ["DeleteTrafficMirrorSession", "DeleteTrafficMirrorFilter", "DeleteTrafficMirrorTarget"] {
        fault(&estate, json!({"action": action, "kind": "reset-after"}));
    }
    estate.mirror(&["destroy", "--spec", "mirror.json", "--yes"]).ok();
    assert_eq!(estate.counts(), [0, 0, 0, 0]);
}

#[test]
fn one_source_that_fails_does_not_stop_the_others() {
    let Some(estate) = Estate::new(3) else { return };
    fault(
        &estate,
        json!({"action": "CreateTrafficMirrorSession", "kind": "refuse", "skip": 1,
        "code": "InvalidInstanceType", "message": "is not supported"}),
    );
    let said = estate.apply(json!({}));
    assert_eq!(said.code, 1);
    assert!(said.err.contains("InvalidInstanceType: is not supported"), "{}", said.err);
    assert!(said.out.contains("6 calls done, 1 failed, 0 not tried"), "{}", said.out);
    assert_eq!(estate.sessions().len(), 2);
    estate.apply(json!({})).ok();
    assert_eq!(estate.sessions().len(), 3);
}

#[test]
fn quotas() {
    let Some(estate) = Estate::new(2) else { return };
    fault(
        &estate,
        json!({"action": "CreateTrafficMirrorTarget", "kind": "refuse", "code": "TrafficMirrorTargetLimitExceeded"}),
    );
    let said = estate.apply(json!({}));
    assert!(said.code == 1 && said.out.contains("0 calls done, 1 failed, 5 not tried"), "{}", said.out);
    assert_eq!(estate.counts(), [0, 0, 0, 0]);
    fault(
        &estate,
        json!({"action": "CreateTrafficMirrorSession", "kind": "refuse", "times": 2,
        "code": "TrafficMirrorSourcesPerTargetLimitExceeded"}),
    );
    let said = estate.apply(json!({}));
    assert!(said.code == 1 && said.err.contains("use a network load balancer as the target"), "{}", said.err);
}

/// Half a filter would mirror the wrong packets: no session is made.
#[test]
fn no_session_with_half_a_filter() {
    let Some(estate) = Estate::new(1) else { return };
    fault(
        &estate,
        json!({"action": "CreateTrafficMirrorFilterRule", "kind": "refuse", "skip": 1, "code": "UnsupportedOperation"}),
    );
    let said = estate.apply(json!({}));
    assert_eq!((said.code, estate.counts()), (1, [1, 1, 1, 0]));
    estate.apply(json!({})).ok();
    assert_eq!(estate.counts(), [1, 1, 2, 1]);
}

#[test]
fn a_rollback_undoes_what_the_run_made() {
    let Some(estate) = Estate::new(1) else { return };
    estate.apply(json!({})).ok();
    let before = estate.fake.state();
    estate.run("shop", 2);
    fault(
        &estate,
        json!({"action": "CreateTrafficMirrorSession", "kind": "refuse", "skip": 1, "code": "UnsupportedOperation"}),
    );
    estate.spec(json!({}));
    let said = estate.mirror(&["apply", "--spec", "mirror.json", "--yes", "--rollback"]);
    assert!(said.code == 1 && said.out.contains("1 undone"), "{}{}", said.out, said.err);
    assert_eq!(estate.fake.state(), before);
}

/// Killed at each call of an apply: a repeat makes it whole, and nothing is there twice.
#[test]
fn a_crash_in_the_middle() {
    let Some(estate) = Estate::new(2) else { return };
    for calls in 1..=6 {
        let spec = json!({"name": format!("shop-{calls}")});
        estate.spec(spec.clone());
        let wait = json!({"action": "Create.*", "kind": "wait", "seconds": 1, "skip": calls - 1});
        fault(&estate, wait);
        let mut child = estate
            .command(&["apply", "--spec", "mirror.json", "--yes"])
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
        // The call has come in; its answer has not.
        while estate.counts().iter().sum::<usize>() + 1 < calls && std::time::Instant::now() < until {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        std::thread::sleep(std::time::Duration::from_millis(500));
        child.kill().unwrap();
        child.wait().unwrap();
        estate.apply(spec).ok();
        assert_eq!(estate.counts(), [1, 1, 2, 2], "killed at call {calls}");
        estate.mirror(&["destroy", "--spec", "mirror.json", "--yes"]).ok();
        assert_eq!(estate.counts(), [0, 0, 0, 0], "killed at call {calls}");
        estate.fake.requests();
    }
}

#[test]
fn what_is_no_answer_is_none() {
    let Some(estate) = Estate::new(1) else { return };
    estate.spec(json!({}));
    // A proxy that answers 200 with a page of its own must not read as an account without sessions.
    fault(&estate, json!({"action": "DescribeTrafficMirrorSessions", "kind": "html", "times": 9}));
    let said = estate.mirror(&["plan", "--spec", "mirror.json"]);
    assert_eq!(said.code, 1);
    assert!(
        said.err.contains("DescribeTrafficMirrorSessions: the answer makes no sense: it begins with <html>"),
        "{}",
        said.err
    );
    estate.fake.requests();
    // Nor may the lack of a right.
    fault(
        &estate,
        json!({"action": "DescribeTrafficMirrorSessions", "kind": "refuse", "code": "UnauthorizedOperation", "status": 403}),
    );
    let said = estate.mirror(&["plan", "--spec", "mirror.json"]);
    assert!(
        said.code == 1 && said.err.contains("`harken mirror policy` prints what must be allowed"),
        "{}",
        said.err
    );
    // What is nice to know may be missing, and is named.
    fault(
        &estate,
        json!({"action": "DescribeRouteTables", "kind": "refuse", "code": "UnauthorizedOperation", "status": 403}),
    );
    let said = estate.mirror(&["plan", "--spec", "mirror.json"]).ok();
    assert!(said.contains("not looked at: routes: DescribeRouteTables: UnauthorizedOperation"), "{said}");
}

#[test]
fn a_dry_run_asks_and_does_nothing() {
    let Some(estate) = Estate::new(1) else { return };
    estate.spec(json!({}));
    let said = estate.mirror(&["plan", "--spec", "mirror.json", "--dry-run"]).ok();
    assert!(said.contains("Dry run: 2 calls would be allowed, 0 refused; 3 cannot be asked about"), "{said}");
    assert_eq!(estate.counts(), [0, 0, 0, 0]);
    fault(
        &estate,
        json!({"action": "CreateTrafficMirrorTarget", "kind": "refuse", "code": "UnauthorizedOperation", "status": 403}),
    );
    let said = estate.mirror(&["plan", "--spec", "mirror.json", "--dry-run"]);
    assert!(
        said.code == 1
            && said.err.contains("would be refused: CreateTrafficMirrorTarget: UnauthorizedOperation"),
        "{}",
        said.err
    );
}
