//! Who asks: credentials as AWS's own programs find them, and the roles that are taken on from there.
use super::Error;
use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_types::service_config::ServiceConfigKey;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// Credentials are fetched anew when they end within this time.
const MARGIN: Duration = Duration::from_secs(300);
/// The name of our sessions, in CloudTrail.
const SESSION_NAME: &str = "harken-mirror";

/// Where credentials come from. Without any of it, from where AWS's own programs would find them: environment, shared
/// configuration (with SSO, `credential_process` and roles), web identity, container, instance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The region; else that of the environment or of the profile.
    pub region: Option<String>,
    /// The profile of the shared configuration.
    pub profile: Option<String>,
    /// Roles that are taken on one after the other: ARN and external id.
    pub roles: Vec<(String, Option<String>)>,
}

/// Credentials of one account in one region.
pub struct Session {
    region: String,
    config: SdkConfig,
    provider: SharedCredentialsProvider,
    known: Mutex<Option<Credentials>>,
}

impl Session {
    /// Finds them. Nothing is asked yet of services that hand out credentials.
    ///
    /// # Errors
    /// When there is no region, or no source of credentials.
    pub async fn open(settings: &Settings) -> Result<Self, Error> {
        let client = aws_smithy_http_client::Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build_https();
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(client);
        if let Some(region) = &settings.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(profile) = &settings.profile {
            loader = loader.profile_name(profile);
        }
        let config = loader.load().await;
        let Some(region) = config.region().map(ToString::to_string) else {
            return Err(Error::Credentials(
                "no AWS region is known; mend: give --region, set AWS_REGION, or set `region` in the profile"
                    .to_owned(),
            ));
        };
        let mut provider = config
            .credentials_provider()
            .ok_or_else(|| Error::Credentials("there is no source of AWS credentials".to_owned()))?;
        for (role, external_id) in &settings.roles {
            let mut builder = AssumeRoleProvider::builder(role)
                .session_name(SESSION_NAME)
                .region(Region::new(region.clone()))
                .configure(&config);
            if let Some(id) = external_id {
                builder = builder.external_id(id);
            }
            provider = SharedCredentialsProvider::new(builder.build_from_provider(provider).await);
        }
        Ok(Self { region, config, provider, known: Mutex::new(None) })
    }

    /// The region.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Credentials that are good for some minutes.
    pub(super) async fn credentials(&self) -> Result<Credentials, Error> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known.filter(|known| {
            known
                .expiry()
                .is_none_or(|end| end.duration_since(SystemTime::now()).is_ok_and(|left| left > MARGIN))
        }) {
            return Ok(known);
        }
        let fresh = self.provider.provide_credentials().await.map_err(|error| {
            Error::Credentials(format!(
                "there are no AWS credentials: {}; mend: set AWS_PROFILE (and `aws sso login`), or AWS_ACCESS_KEY_ID and \
                 AWS_SECRET_ACCESS_KEY, or give the instance, task or pod a role",
                reasons(&error)
            ))
        })?;
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(fresh.clone());
        Ok(fresh)
    }

    /// Forgets what it knows: AWS says that it is over.
    pub(super) fn renew(&self) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Where a service is: as the environment or the profile say (`AWS_ENDPOINT_URL_EC2`, `endpoint_url`), else where AWS
    /// has it.
    pub(super) fn endpoint(&self, service: &str) -> String {
        let id = match service {
            "elasticloadbalancing" => "elastic_load_balancing_v2",
            "monitoring" => "cloudwatch",
            other => other,
        };
        let key = ServiceConfigKey::builder()
            .service_id(id)
            .env("AWS_ENDPOINT_URL")
            .profile("endpoint_url")
            .build();
        let configured = key.ok().and_then(|key| self.config.service_config()?.load_config(key));
        if let Some(url) = configured.or_else(|| self.config.endpoint_url().map(str::to_owned)) {
            return url;
        }
        let domain = if self.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        format!("https://{service}.{}.{domain}/", self.region)
    }
}

/// An error with those behind it. None of them names a secret.
pub(crate) fn reasons(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let more = source.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        next = source.source();
    }
    text
}
