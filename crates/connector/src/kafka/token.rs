//! Bearer tokens for brokers.
use super::{OauthBearer, Sasl};
use crate::datasink::{Failure, Invalid};
use crate::datasinks::http::{self, Fetched};
use rdkafka::client::OAuthToken;
use std::time::SystemTime;

/// Gets a token; librdkafka asks on a thread of its own, and again before the token expires.
pub(super) fn get(sasl: &Sasl) -> Result<OAuthToken, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot fetch a token: {error}"))?;
    runtime.block_on(async {
        match sasl {
            Sasl::OauthBearer(bearer) => fetch(bearer).await,
            #[cfg(feature = "msk-iam")]
            Sasl::AwsMskIam { region } => super::msk::fetch(region).await,
            _ => Err("no token is configured".to_owned()),
        }
    })
}

async fn fetch(bearer: &OauthBearer) -> Result<OAuthToken, String> {
    let fetched = http::fetch_token(&bearer.tls, &bearer.oauth2).await;
    let Fetched { token, life } = fetched.map_err(|failure| match failure {
        Failure::Passing { reason, .. } | Failure::Invalid(Invalid { reason }) => reason,
        other => format!("{other:?}"),
    })?;
    Ok(oauth(token, SystemTime::now() + life, bearer.oauth2.client_id.value()?))
}

/// A token as librdkafka takes it.
pub(super) fn oauth(token: String, until: SystemTime, principal_name: String) -> OAuthToken {
    let until = until.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
    OAuthToken { token, principal_name, lifetime_ms: i64::try_from(until).unwrap_or(i64::MAX) }
}
