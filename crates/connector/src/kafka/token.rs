//! Bearer tokens for brokers.
use super::OauthBearer;
use crate::datasink::{Failure, Invalid};
use crate::datasinks::http::{self, Fetched};
use rdkafka::client::OAuthToken;
use std::time::SystemTime;

/// Fetches a token; librdkafka asks on a thread of its own, and again before the token expires.
pub(super) fn fetch(bearer: &OauthBearer) -> Result<OAuthToken, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot fetch a token: {error}"))?;
    let fetched = runtime.block_on(http::fetch_token(&bearer.tls, &bearer.oauth2));
    let Fetched { token, life } = fetched.map_err(|failure| match failure {
        Failure::Passing { reason, .. } | Failure::Invalid(Invalid { reason }) => reason,
        other => format!("{other:?}"),
    })?;
    let until = SystemTime::now() + life;
    let until = until.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
    let principal_name = bearer.oauth2.client_id.value()?;
    Ok(OAuthToken { token, principal_name, lifetime_ms: i64::try_from(until).unwrap_or(i64::MAX) })
}
