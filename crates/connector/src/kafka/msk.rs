//! Tokens for Amazon MSK: a request of `kafka-cluster:Connect` that is signed and not sent (AWS Signature Version 4 in
//! its query form).
use super::token;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rdkafka::client::OAuthToken;
use reqwest::Url;
use std::error::Error;
use std::time::{Duration, SystemTime};

/// How long brokers take a token; more is not allowed.
const LIFE: Duration = Duration::from_secs(900);
/// The name of brokers in signatures.
const SERVICE: &str = "kafka-cluster";

/// A token by the credentials that AWS's own programs would find: environment, profile, web identity, container, instance.
pub(super) async fn fetch(region: &str) -> Result<OAuthToken, String> {
    let client =
        aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let loader = aws_config::defaults(BehaviorVersion::latest()).region(Region::new(region.to_owned()));
    let config = loader.http_client(client).load().await;
    let provider = config.credentials_provider().ok_or("there is no source of AWS credentials")?;
    let credentials = provider.provide_credentials().await.map_err(|error| {
        format!(
            "there are no AWS credentials: {}; mend: give the instance, task or pod a role, or set AWS_PROFILE, or \
             AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            reasons(&error)
        )
    })?;
    token_of(region, credentials, SystemTime::now())
}

/// An error with those behind it.
fn reasons(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}

fn token_of(region: &str, credentials: Credentials, now: SystemTime) -> Result<OAuthToken, String> {
    let wrong = |error: &dyn Error| format!("cannot sign a token: {}", reasons(error));
    let principal = credentials.access_key_id().to_owned();
    let until = credentials.expiry().map_or(now + LIFE, |expiry| expiry.min(now + LIFE));
    let mut url =
        Url::parse(&format!("https://kafka.{region}.amazonaws.com/")).map_err(|error| wrong(&error))?;
    url.query_pairs_mut().append_pair("Action", "kafka-cluster:Connect");

    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(LIFE);
    let identity = credentials.into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(SERVICE)
        .time(now)
        .settings(settings);
    let params = params.build().map_err(|error| wrong(&error))?.into();
    let request = SignableRequest::new("GET", url.as_str(), std::iter::empty(), SignableBody::Bytes(&[]));
    let signed = sign(request.map_err(|error| wrong(&error))?, &params).map_err(|error| wrong(&error))?;
    let (instructions, _) = signed.into_parts();
    for (name, value) in instructions.params() {
        url.query_pairs_mut().append_pair(name, value);
    }
    // Behind the signature, since brokers only note it down.
    url.query_pairs_mut().append_pair("User-Agent", concat!("harken/", env!("CARGO_PKG_VERSION")));
    Ok(token::oauth(URL_SAFE_NO_PAD.encode(url.as_str()), until, principal))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// The parameters of a token, by name.
    fn parts(token: &str) -> BTreeMap<String, String> {
        let url = String::from_utf8(URL_SAFE_NO_PAD.decode(token).unwrap()).unwrap();
        let url = Url::parse(&url).unwrap();
        assert_eq!(
            (url.scheme(), url.host_str(), url.path()),
            ("https", Some("kafka.eu-central-1.amazonaws.com"), "/")
        );
        url.query_pairs().into_owned().collect()
    }

    /// What AWS's own signer (aws-msk-iam-sasl-signer-python 1.0.2, its clock at 2026-11-24 10:00:00 UTC) makes of the
    /// example credentials, without and with the token of a session.
    #[test]
    fn as_the_signer_of_aws_does_it() {
        const KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        for (session, signature) in [
            (None, "6811255ddb52a02a63a513c9c69cd5c940a71bbd32d775ca5df4d80e794359da"),
            (Some("the/session+token=="), "83ba9d7675b9f9a8fa47b3c374123571951a55c5db2ec378eb7f02d9113018b0"),
        ] {
            let credentials = Credentials::new("AKIDEXAMPLE", KEY, session.map(str::to_owned), None, "test");
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_514_400);
            let token = token_of("eu-central-1", credentials, now).unwrap();
            assert_eq!(
                (token.lifetime_ms, token.principal_name.as_str()),
                (1_795_515_300_000, "AKIDEXAMPLE")
            );
            let mut parts = parts(&token.token);
            assert!(parts.remove("User-Agent").unwrap().starts_with("harken/"));
            assert_eq!(parts.remove("X-Amz-Security-Token").as_deref(), session);
            let wanted = [
                ("Action", "kafka-cluster:Connect"),
                ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
                ("X-Amz-Credential", "AKIDEXAMPLE/20261124/eu-central-1/kafka-cluster/aws4_request"),
                ("X-Amz-Date", "20261124T100000Z"),
                ("X-Amz-Expires", "900"),
                ("X-Amz-Signature", signature),
                ("X-Amz-SignedHeaders", "host"),
            ];
            assert_eq!(parts, wanted.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        }
    }

    #[test]
    fn no_longer_than_the_credentials() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_514_400);
        let soon = Credentials::new("A", "B", None, Some(now + Duration::from_secs(60)), "test");
        assert_eq!(token_of("eu-central-1", soon, now).unwrap().lifetime_ms, 1_795_514_460_000);
    }
}
