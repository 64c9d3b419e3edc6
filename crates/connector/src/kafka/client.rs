//! A client of a cluster: librdkafka with the settings of the configuration, and what it tells.
use super::config::{Cluster, Sasl};
use super::token;
use crate::config::Secret;
use crate::datasink::Invalid;
use crate::datasinks::http::tls::{self, Refused};
use crate::datasinks::http::{Tls, Version};
use rdkafka::client::OAuthToken;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientConfig, ClientContext, Statistics};
use rustls::pki_types::ServerName;
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;

/// Time for finding out why TLS fails.
const PROBE: Duration = Duration::from_secs(5);

/// The settings of clients of a cluster, and what these tell.
#[derive(Clone)]
pub(crate) struct Client {
    cluster: Cluster,
    config: ClientConfig,
    notes: Arc<Notes>,
}

/// What clients tell beside the results of calls.
#[derive(Debug, Default)]
struct Notes {
    /// The trouble with brokers that was told last, and whether the settings are to blame.
    trouble: Mutex<Option<(String, bool)>>,
}

/// What librdkafka calls.
pub(crate) struct Context {
    notes: Arc<Notes>,
    sasl: Option<Sasl>,
    revoked: AtomicU64,
}

impl Client {
    /// The settings for that cluster; no client is made yet.
    pub(crate) fn new(cluster: &Cluster) -> Result<Self, String> {
        cluster.check()?;
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", cluster.brokers.join(","));
        config.set("client.id", &cluster.client_id);
        // Errors, each with its reason; what is only of interest to librdkafka's own authors is not.
        config.set_log_level(RDKafkaLogLevel::Error);
        let protocol = match (&cluster.tls, &cluster.sasl) {
            (None, None) => "plaintext",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), None) => "ssl",
            (Some(_), Some(_)) => "sasl_ssl",
        };
        config.set("security.protocol", protocol);
        if let Some(tls) = &cluster.tls {
            set_tls(&mut config, tls).map_err(|error| format!("cluster.{error}"))?;
        }
        if let Some(sasl) = &cluster.sasl {
            set_sasl(&mut config, sasl).map_err(|error| format!("cluster.sasl: {error}"))?;
        }
        for (name, value) in &cluster.options {
            let value = value.value().map_err(|error| format!("cluster.options.{name}: {error}"))?;
            config.set(name, value);
        }
        Ok(Self { cluster: cluster.clone(), config, notes: Arc::default() })
    }

    /// Sets what the reader or the datasink needs.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.config.set(name, value);
    }

    /// Sets what the operator may set otherwise.
    pub(crate) fn set_default(&mut self, name: &str, value: &str) {
        if self.config.get(name).is_none() {
            self.config.set(name, value);
        }
    }

    /// Makes a client.
    pub(crate) fn open<T: FromClientConfigAndContext<Context>>(&self) -> Result<T, String> {
        let context = Context {
            notes: Arc::clone(&self.notes),
            sasl: self.cluster.sasl.clone(),
            revoked: AtomicU64::new(0),
        };
        self.config.create_with_context(context).map_err(|error| match error {
            KafkaError::ClientConfig(_, why, name, _) if self.cluster.options.contains_key(&name) => {
                format!("cluster.options.{name}: {why}")
            }
            other => format!("cluster: {other}"),
        })
    }

    /// The brokers, for lines of the log.
    pub(crate) fn brokers(&self) -> String {
        self.cluster.brokers.join(",")
    }

    /// Things work: what was told before no longer counts.
    pub(crate) fn clear(&self) {
        *self.notes.trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// What the clients told last of their trouble, and whether the settings are to blame.
    pub(crate) fn trouble(&self) -> Option<(String, bool)> {
        self.notes.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What stands in a line of the log: what failed, and what the clients told beside it.
    pub(crate) fn explain(&self, error: &str) -> String {
        match self.trouble() {
            Some((trouble, _)) => format!("{}: {error}: {trouble}", self.brokers()),
            None => format!("{}: {error}", self.brokers()),
        }
    }

    /// Why the cluster cannot be reached. Where TLS is in use our own verifier is asked, which can name reason, issuer
    /// and mend.
    pub(crate) async fn diagnose(&self, error: &str) -> Invalid {
        let refused = match &self.cluster.tls {
            Some(tls) => self.refused(tls).await,
            None => None,
        };
        Invalid::new(refused.unwrap_or_else(|| self.explain(error)))
    }

    /// Why a broker's certificate is refused.
    async fn refused(&self, tls: &Tls) -> Option<String> {
        let refused = Refused::default();
        let mut config = tls::client(tls, Version::Http1, &refused).ok()?;
        config.alpn_protocols.clear();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        for broker in &self.cluster.brokers {
            let host = broker.rsplit_once(':').map_or("", |(host, _)| host);
            let Ok(name) = ServerName::try_from(host.trim_matches(['[', ']']).to_owned()) else { continue };
            let attempt = async { connector.connect(name, TcpStream::connect(broker).await?).await };
            // What counts is what the verifier noted.
            let _ = tokio::time::timeout(PROBE, attempt).await;
            if let Some(reason) = refused.last() {
                return Some(reason);
            }
        }
        None
    }

    /// What the operator has to be told each period.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let tls = self.cluster.tls.as_ref();
        if tls.is_some_and(|tls| tls.dangerously_accept_any_certificate_and_let_anyone_read_the_events) {
            warnings.push(tls::unverified(&self.brokers(), "cluster.tls"));
        }
        let local = |broker: &String| broker.starts_with("localhost:") || broker.starts_with("127.");
        if tls.is_none()
            && matches!(self.cluster.sasl, Some(Sasl::Plain { .. } | Sasl::OauthBearer(_)))
            && !self.cluster.brokers.iter().all(local)
        {
            warnings.push(format!(
                "credentials go to {} without TLS, where whoever is on the way can read them; set cluster.tls",
                self.brokers()
            ));
        }
        warnings
    }
}

fn set_tls(config: &mut ClientConfig, tls: &Tls) -> Result<(), String> {
    if tls.dangerously_accept_any_certificate_and_let_anyone_read_the_events {
        config.set("enable.ssl.certificate.verification", "false");
    } else {
        config.set("ssl.ca.pem", tls::roots_pem(tls)?);
        config.set("ssl.endpoint.identification.algorithm", "https");
    }
    // Says what is wrong with the files before librdkafka does, which names neither file nor key.
    tls::client(tls, Version::Http1, &Refused::default())?;
    let files = [
        ("ssl.certificate.location", &tls.client_certificate_file),
        ("ssl.key.location", &tls.client_key_file),
    ];
    for (name, file) in files {
        if let Some(path) = file {
            config.set(name, path.to_string_lossy());
        }
    }
    Ok(())
}

fn set_sasl(config: &mut ClientConfig, sasl: &Sasl) -> Result<(), String> {
    let mut login = |mechanism: &str, user: &Secret, password: &Secret| -> Result<(), String> {
        config.set("sasl.mechanism", mechanism);
        config.set("sasl.username", user.value()?);
        config.set("sasl.password", password.value()?);
        Ok(())
    };
    match sasl {
        Sasl::Plain { user, password } => login("PLAIN", user, password),
        Sasl::ScramSha256 { user, password } => login("SCRAM-SHA-256", user, password),
        Sasl::ScramSha512 { user, password } => login("SCRAM-SHA-512", user, password),
        Sasl::OauthBearer(_) | Sasl::AwsMskIam { .. } => {
            config.set("sasl.mechanism", "OAUTHBEARER");
            Ok(())
        }
    }
}

impl Context {
    /// How often partitions were taken back.
    pub(crate) fn revoked(&self) -> u64 {
        self.revoked.load(Ordering::Acquire)
    }
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn stats(&self, _: Statistics) {}

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        // It follows from the trouble of each broker, and hides it.
        if code == Some(RDKafkaErrorCode::AllBrokersDown) {
            return;
        }
        use RDKafkaErrorCode::{Authentication, SSL, SaslAuthenticationFailed};
        let ours = matches!(code, Some(Authentication | SSL | SaslAuthenticationFailed));
        *self.notes.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some((reason.to_owned(), ours));
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        let sasl = self.sasl.as_ref().ok_or("no credentials are configured")?;
        Ok(token::get(sasl)?)
    }
}

impl ConsumerContext for Context {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if !matches!(rebalance, Rebalance::Assign(_)) {
            self.revoked.fetch_add(1, Ordering::AcqRel);
        }
    }
}
