//! Credentials of a request.
use super::config::{Auth, Oauth2};
use crate::datasink::{Failure, Invalid};
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Life of a token that does not tell.
const LIFE_S: u64 = 300;
/// The longest part of a token's life that is not used, so that it does not expire on the way.
const MARGIN: Duration = Duration::from_secs(60);

struct Token {
    value: HeaderValue,
    /// From then on a new one is fetched.
    until: Instant,
}

/// A token as it was fetched.
pub(crate) struct Fetched {
    /// What goes behind `Bearer`.
    pub(crate) token: String,
    /// How long it may be used.
    pub(crate) life: Duration,
}

/// Puts credentials on requests.
pub(super) struct Credentials {
    auth: Option<Auth>,
    token: Mutex<Option<Token>>,
}

/// A header that is not shown by debug output.
fn secret(text: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| invalid("auth: the secret has characters that a header cannot hold".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

fn invalid(reason: String) -> Failure {
    Failure::Invalid(Invalid { reason })
}

#[allow(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn named(error: String) -> Failure {
    invalid(format!("auth: {error}"))
}

impl Credentials {
    pub(super) fn new(auth: Option<Auth>) -> Self {
        Self { auth, token: Mutex::default() }
    }

    /// The request with credentials. Secrets are read each time, so that new ones in a file are taken up.
    pub(super) async fn put(
        &self,
        client: &Client,
        request: RequestBuilder,
    ) -> Result<RequestBuilder, Failure> {
        let authorization = reqwest::header::AUTHORIZATION;
        Ok(match &self.auth {
            None => request,
            Some(Auth::Bearer { token }) => {
                let token = token.value().map_err(named)?;
                request.header(authorization, secret(&format!("Bearer {token}"))?)
            }
            Some(Auth::Basic { user, password }) => {
                request.basic_auth(user.value().map_err(named)?, Some(password.value().map_err(named)?))
            }
            Some(Auth::ApiKey { header, key }) => {
                let name = HeaderName::try_from(header.as_str())
                    .map_err(|_| invalid(format!("auth.header: '{header}' is no name of a header")))?;
                request.header(name, secret(&key.value().map_err(named)?)?)
            }
            Some(Auth::Oauth2(oauth)) => request.header(authorization, self.token(client, oauth).await?),
        })
    }

    /// The credentials were refused: a token is not used again.
    pub(super) async fn refused(&self) {
        *self.token.lock().await = None;
    }

    /// The token, a new one when the old one is about to expire. All lanes wait for the same one.
    async fn token(&self, client: &Client, oauth: &Oauth2) -> Result<HeaderValue, Failure> {
        let mut token = self.token.lock().await;
        match token.as_ref().filter(|token| Instant::now() < token.until) {
            Some(token) => Ok(token.value.clone()),
            None => {
                let asked = Instant::now();
                let Fetched { token: text, life } = fetch(client, oauth).await?;
                let value = secret(&format!("Bearer {text}"))?;
                *token = Some(Token { value: value.clone(), until: asked + life });
                Ok(value)
            }
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: Option<u64>,
}

#[derive(Deserialize, Default)]
struct Refusal {
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_description: String,
}

/// Fetches a token by client credentials; the part of its life that is not used is taken off.
pub(super) async fn fetch(client: &Client, oauth: &Oauth2) -> Result<Fetched, Failure> {
    let url = &oauth.token_url;
    let id = oauth.client_id.value().map_err(named)?;
    let key = oauth.client_secret.value().map_err(named)?;
    let mut form = vec![("grant_type", "client_credentials")];
    form.extend(oauth.scope.as_deref().map(|scope| ("scope", scope)));
    form.extend(oauth.audience.as_deref().map(|audience| ("audience", audience)));
    let request = client.post(url);
    let request = if oauth.credentials_in_form {
        form.extend([("client_id", id.as_str()), ("client_secret", key.as_str())]);
        request.form(&form)
    } else {
        request.form(&form).basic_auth(id, Some(key))
    };
    let answer = request.send().await;
    let answer =
        answer.map_err(|error| Failure::passing(format!("auth: {url}: {}", super::cause(&error))))?;
    let status = answer.status();
    let body = answer.bytes().await;
    let body = body.map_err(|error| Failure::passing(format!("auth: {url}: {}", super::cause(&error))))?;
    if status.is_server_error() || status.as_u16() == 429 {
        return Err(Failure::passing(format!("auth: {url} answered {status}")));
    }
    if !status.is_success() {
        let Refusal { error, error_description } = serde_json::from_slice(&body).unwrap_or_default();
        return Err(invalid(format!(
            "auth: {url} answered {status} {error} {error_description}; check client_id, client_secret and scope"
        )));
    }
    let Answer { access_token, expires_in } = serde_json::from_slice(&body)
        .map_err(|_| invalid(format!("auth: {url} answered with no access_token; check token_url")))?;
    let life = Duration::from_secs(expires_in.unwrap_or(LIFE_S));
    Ok(Fetched { token: access_token, life: life - MARGIN.min(life / 5) })
}
