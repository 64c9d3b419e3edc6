//! The settings of a cluster.
use crate::config::Secret;
use crate::datasinks::http::{Oauth2, Tls};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A Kafka cluster, and how a client gets into it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// `HOST:PORT` of some brokers; the others are learnt from these.
    pub brokers: Vec<String>,
    /// TLS: which certificates are trusted, and the own one. `{}` trusts the well-known CAs; nothing for no TLS.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// How the client shows who it is; nothing for no credentials but a client certificate.
    #[serde(default)]
    pub sasl: Option<Sasl>,
    /// The name under which brokers know the client in their logs, metrics and quotas.
    #[serde(default = "client_id")]
    pub client_id: String,
    /// Further settings of librdkafka, by their names there. Those on which delivery rests cannot be set.
    #[serde(default)]
    pub options: BTreeMap<String, Secret>,
}

fn client_id() -> String {
    "harken".to_owned()
}

/// How the client shows who it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(tag = "mechanism", rename_all = "lowercase", deny_unknown_fields)]
pub enum Sasl {
    /// User and password as they are (RFC 4616): only over TLS.
    Plain {
        /// The user.
        user: Secret,
        /// The password.
        password: Secret,
    },
    /// User and password, of which neither goes over the wire (RFC 5802, RFC 7677), with SHA-256.
    #[serde(rename = "scram-sha-256")]
    ScramSha256 {
        /// The user.
        user: Secret,
        /// The password.
        password: Secret,
    },
    /// The same with SHA-512.
    #[serde(rename = "scram-sha-512")]
    ScramSha512 {
        /// The user.
        user: Secret,
        /// The password.
        password: Secret,
    },
    /// A bearer token (RFC 7628) that is fetched by client credentials, and anew before it expires.
    OauthBearer(Box<OauthBearer>),
    /// Amazon MSK with IAM: a token signed with the credentials of AWS that are found in the environment, a profile, or
    /// the role of the pod, container or instance.
    #[serde(rename = "aws-msk-iam")]
    AwsMskIam {
        /// The region of the cluster.
        region: String,
    },
}

/// Where bearer tokens come from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OauthBearer {
    /// The client credentials.
    pub oauth2: Oauth2,
    /// TLS to the server of the tokens: which certificates are trusted, and the own one.
    #[serde(default)]
    pub tls: Tls,
}

/// Options that have keys of their own, or on which delivery rests; a dot at the end stands for all below it.
const OWN: &[(&str, &str)] = &[
    ("bootstrap.servers", "use cluster.brokers"),
    ("metadata.broker.list", "use cluster.brokers"),
    ("client.id", "use cluster.client_id"),
    ("security.protocol", "use cluster.tls and cluster.sasl"),
    ("ssl.", "use cluster.tls"),
    ("enable.ssl.", "use cluster.tls"),
    ("sasl.", "use cluster.sasl"),
    ("group.id", "use group of the reader"),
    ("auto.offset.reset", "use from of the reader"),
    ("transactional.id", "use transactions of the datasink"),
    ("message.max.bytes", "use max_bytes of the datasink"),
    ("compression.", "use compression of the datasink"),
    ("partitioner", "use partitioner of the datasink"),
    ("delivery.timeout.ms", "use delivery_timeout_ms of the datasink"),
    ("message.timeout.ms", "use delivery_timeout_ms of the datasink"),
    ("acks", "every replica in sync has to acknowledge, or events are lost"),
    ("request.required.acks", "every replica in sync has to acknowledge, or events are lost"),
    ("enable.idempotence", "without it events are repeated and change places"),
    ("enable.auto.commit", "positions are committed behind what was delivered, or events are lost"),
    ("enable.auto.offset.store", "positions are committed behind what was delivered, or events are lost"),
    ("partition.assignment.strategy", "all partitions have to be taken back at once, or events are lost"),
    ("group.protocol", "all partitions have to be taken back at once, or events are lost"),
    ("log.queue", "the log is the connector's"),
];

impl Cluster {
    /// The key that cannot be so, and the mend.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.brokers.is_empty() {
            return Err(
                "cluster.brokers is empty: name at least one, for example broker.example:9092".to_owned()
            );
        }
        for broker in &self.brokers {
            let port = broker.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>()));
            if broker.contains(',') || !matches!(port, Some((host, Ok(1..))) if !host.is_empty()) {
                return Err(format!(
                    "cluster.brokers: '{broker}' is no HOST:PORT, for example localhost:9092"
                ));
            }
        }
        if let Some(Sasl::AwsMskIam { region }) = &self.sasl {
            let sound = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            if region.is_empty() || !region.bytes().all(sound) {
                return Err(format!("cluster.sasl.region: '{region}' is none, for example eu-central-1"));
            }
            if cfg!(all(feature = "kafka", not(feature = "msk-iam"))) {
                let mend = "build it with `cargo build --release -p harken --features msk-iam`";
                return Err(format!(
                    "cluster.sasl.mechanism: this harken was built without aws-msk-iam: {mend}"
                ));
            }
        }
        for name in self.options.keys() {
            let own = |(own, _): &&(&str, &str)| name == own || own.ends_with('.') && name.starts_with(own);
            if let Some((_, why)) = OWN.iter().find(own) {
                return Err(format!("cluster.options.{name}: it cannot be set here: {why}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_named() {
        for (json, says) in [
            (r#"{"brokers": []}"#, "brokers is empty"),
            (r#"{"brokers": ["a"]}"#, "'a' is no HOST:PORT"),
            (r#"{"brokers": ["a:1,b:2"]}"#, "'a:1,b:2' is no HOST:PORT"),
            (r#"{"brokers": ["a:0"]}"#, "'a:0' is no HOST:PORT"),
            (
                r#"{"brokers": ["a:1"], "options": {"acks": "1"}}"#,
                "options.acks: it cannot be set here: every",
            ),
            (r#"{"brokers": ["a:1"], "options": {"ssl.ca.location": "x"}}"#, "use cluster.tls"),
            (r#"{"brokers": ["a:1"], "tsl": {}}"#, "unknown field `tsl`"),
            (
                r#"{"brokers": ["a:1"], "sasl": {"mechanism": "plain", "user": "u"}}"#,
                "missing field `password`",
            ),
            (
                r#"{"brokers": ["a:1"], "sasl": {"mechanism": "aws-msk-iam", "region": "x.y"}}"#,
                "sasl.region: 'x.y' is none",
            ),
            (r#"{"brokers": ["a:1"], "sasl": {"mechanism": "gssapi"}}"#, "unknown variant `gssapi`"),
        ] {
            let parsed = serde_json::from_str::<Cluster>(json).map_err(|error| error.to_string());
            let error = parsed.and_then(|cluster| cluster.check()).err().unwrap_or_default();
            assert!(error.contains(says), "{json}: {error}");
        }
    }

    #[test]
    fn all_there_is() {
        let json = r#"{
            "brokers": ["a.example:9094", "[::1]:9094"], "tls": {}, "client_id": "sensor-1",
            "sasl": {"mechanism": "oauthbearer", "oauth2": {"token_url": "https://id.example/token",
                "client_id": "a", "client_secret": {"env": "SECRET"}}},
            "options": {"socket.keepalive.enable": "true"}}"#;
        let cluster: Cluster = serde_json::from_str(json).unwrap();
        assert_eq!(cluster.check(), Ok(()));
        let scram = r#"{"mechanism": "scram-sha-512", "user": "u", "password": "p"}"#;
        assert!(matches!(serde_json::from_str(scram).unwrap(), Sasl::ScramSha512 { .. }));
    }
}
