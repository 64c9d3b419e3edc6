//! TLS and SASL: who gets in, and what is said to who does not.
use crate::broker::Broker;
use crate::datasink;
use crate::front::{Front, Sasl};
use crate::support::Bench;
use crate::support::pki::Ca;
use crate::support::server::{Act, Server, tls};
use harken_connector::{Config, operator};
use serde_json::{Value, json};

/// The datasink `kafka` behind that front, by these settings of its cluster.
fn behind(front: &Front, topic: &str, cluster: Value) -> Value {
    let address = format!("localhost:{}", front.port());
    let mut config = datasink(&address, topic, 1, json!({}));
    for (key, value) in cluster.as_object().unwrap() {
        config["kafka"]["cluster"][key] = value.clone();
    }
    config
}

/// What `harken connector check` says of it; nothing when it is valid.
fn check(settings: &Value) -> String {
    let dir = tempfile::tempdir().unwrap();
    let config = json!({"dir": dir.path(), "readers": {}, "pipelines": {}, "datasinks": settings});
    let config: Config = serde_json::from_value(config).unwrap();
    let checked = operator::check(&config).unwrap();
    checked[0].result.as_ref().err().map_or_else(String::new, |invalid| invalid.reason.clone())
}

/// Whether ten events arrive by these settings.
fn arrives(broker: &Broker, settings: &Value, topic: &str) {
    assert_eq!(check(settings), "");
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::start(dir.path(), 10, settings.clone());
    let status = bench.finish();
    assert!(status.datasinks[0].valid, "{}", bench.lines.text());
    assert_eq!(broker.records(topic).len(), 10, "{topic}");
}

#[test]
fn certificates() {
    let dir = tempfile::tempdir().unwrap();
    let Some(broker) = Broker::start(dir.path()) else { return };
    let (ca, other) = (Ca::new(dir.path(), "ca"), Ca::new(dir.path(), "other"));
    let own = ca.issue(&["localhost", "127.0.0.1"], 2030);
    let client = ca.issue(&["sensor"], 2030);
    let front = Front::start(broker.port, Some(tls(&own, None)), None);
    let asks = Front::start(broker.port, Some(tls(&own, Some(&ca.file))), None);
    let old = ca.issue(&["localhost"], 2021);
    let old = Front::start(broker.port, Some(tls(&old, None)), None);
    let elsewhere = ca.issue(&["kafka.example"], 2030);
    let elsewhere = Front::start(broker.port, Some(tls(&elsewhere, None)), None);

    let trusts = json!({"ca_file": ca.file, "ca_file_only": true});
    arrives(&broker, &behind(&front, "tls", json!({"tls": trusts})), "tls");
    let shows = json!({
        "ca_file": ca.file, "ca_file_only": true,
        "client_certificate_file": client.certificate, "client_key_file": client.key,
    });
    arrives(&broker, &behind(&asks, "mutual", json!({"tls": shows})), "mutual");
    assert!(front.passed() > 0 && asks.passed() > 0);

    let mistrusts = json!({"tls": {"ca_file": other.file, "ca_file_only": true}});
    let refused = [
        (&front, mistrusts, &["issuer", "CN=ca", "tls.ca_file"][..]),
        (&old, json!({"tls": trusts}), &["expired", "2021", "issuer"][..]),
        (&elsewhere, json!({"tls": trusts}), &["kafka.example", "localhost"][..]),
        (&asks, json!({"tls": trusts}), &["certificate required"][..]),
        (&front, json!({}), &[][..]),
    ];
    // Each waits for its answer as long as an operator's check does.
    std::thread::scope(|scope| {
        for (front, cluster, says) in refused {
            scope.spawn(move || {
                let reason = check(&behind(front, "refused", cluster.clone()));
                println!("{cluster}: {reason}");
                assert!(!reason.is_empty(), "{cluster}");
                for part in says {
                    assert!(reason.contains(part), "{cluster}: no '{part}' in: {reason}");
                }
            });
        }
    });
    assert_eq!(broker.records("refused").len(), 0);

    // Only by a key that nobody writes by mistake, and it is told.
    let any = json!({"tls": {"dangerously_accept_any_certificate_and_let_anyone_read_the_events": true}});
    let settings = behind(&front, "any", any);
    let work = tempfile::tempdir().unwrap();
    let bench = Bench::start(work.path(), 10, settings);
    bench.finish();
    bench.wait("warned", |_| bench.lines.text().contains("CERTIFICATES ARE NOT VERIFIED"));
}

#[test]
fn credentials() {
    use ring::hmac::{HMAC_SHA256, HMAC_SHA512};
    let dir = tempfile::tempdir().unwrap();
    let Some(broker) = Broker::start(dir.path()) else { return };
    let ca = Ca::new(dir.path(), "ca");
    let own = ca.issue(&["localhost", "127.0.0.1"], 2030);
    // The server of tokens knows one client.
    let tokens = Server::start(&own, None, |seen| match seen.header("authorization") {
        "Basic Y2xpZW50OnNlY3JldA==" => {
            Act::Answer(200, None, r#"{"access_token":"t0ken","expires_in":3600}"#.to_owned())
        }
        _ => Act::Answer(401, None, r#"{"error":"invalid_client"}"#.to_owned()),
    });
    let trusts = json!({"ca_file": ca.file, "ca_file_only": true});
    let login = |mechanism: &str, password: &str| json!({"mechanism": mechanism, "user": "sensor", "password": password});
    let bearer = |secret: &str| {
        let oauth2 = json!({
            "token_url": format!("https://localhost:{}/token", tokens.address.port()),
            "client_id": "client", "client_secret": secret,
        });
        json!({"mechanism": "oauthbearer", "oauth2": oauth2, "tls": trusts})
    };
    let cases = [
        (
            "plain",
            Sasl::Plain("sensor", "pa55-right"),
            login("plain", "pa55-right"),
            login("plain", "pa55-wrong"),
        ),
        (
            "scram256",
            Sasl::Scram("sensor", "pa55-right", HMAC_SHA256),
            login("scram-sha-256", "pa55-right"),
            login("scram-sha-256", "pa55-wrong"),
        ),
        (
            "scram512",
            Sasl::Scram("sensor", "pa55-right", HMAC_SHA512),
            login("scram-sha-512", "pa55-right"),
            login("scram-sha-512", "pa55-wrong"),
        ),
        ("bearer", Sasl::Bearer("t0ken"), bearer("secret"), bearer("pa55-wrong")),
        // The broker takes other tokens than the server gives.
        ("foreign", Sasl::Bearer("another"), Value::Null, bearer("secret")),
        // The broker has another mechanism.
        ("mechanism", Sasl::Plain("sensor", "pa55-right"), Value::Null, login("scram-sha-256", "pa55-right")),
    ];
    std::thread::scope(|scope| {
        for (topic, wants, good, bad) in cases {
            let (broker, own, trusts) = (&broker, &own, &trusts);
            scope.spawn(move || {
                let front = Front::start(broker.port, Some(tls(own, None)), Some(wants));
                if !good.is_null() {
                    arrives(broker, &behind(&front, topic, json!({"tls": trusts, "sasl": good})), topic);
                }
                let before = front.passed();
                let reason = check(&behind(&front, topic, json!({"tls": trusts, "sasl": bad})));
                println!("{topic}: {reason}");
                assert_eq!(front.passed(), before);
                let says = match topic {
                    "bearer" => "401",
                    "mechanism" => "SCRAM-SHA-256",
                    _ => "wrong credentials",
                };
                assert!(reason.contains(says), "{topic}: {reason}");
                assert!(!reason.contains("pa55"), "{reason}");
            });
        }
    });
}
