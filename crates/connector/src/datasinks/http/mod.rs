//! A receiver over HTTP: batches as JSON arrays, NDJSON or `{"data": [...]}`, over TLS.
mod answer;
mod auth;
mod body;
mod config;
pub(crate) mod tls;

#[cfg(feature = "kafka")]
pub(crate) use auth::Fetched;
pub use config::{Auth, Compression, Config, Format, Oauth2, Proxy, Tls, Version};

use crate::datasink::{Batch, Datasink, Failure, Invalid};
use async_trait::async_trait;
use auth::Credentials;
use bytes::Bytes;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Client, ClientBuilder, Response, Url};
use std::time::{Duration, SystemTime};
use tls::Refused;

/// Bytes of an answer's body that are told to the operator.
const TOLD: usize = 300;
/// Bytes of an answer's body that are read; what is longer is not waited for.
const READ: usize = 1 << 20;
/// Time between two signs of life on a connection that is not used.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Longest time for a token that is fetched for another datasink.
#[cfg(feature = "kafka")]
const TOKEN: Duration = Duration::from_secs(20);

/// The datasink.
pub struct Http {
    config: Config,
    url: Url,
    client: Client,
    credentials: Credentials,
    idempotency: HeaderName,
    refused: Refused,
}

/// What an error was caused by in the first place; what stands before it repeats address and method.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

impl Http {
    /// Makes the client; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// The key that cannot be so, and the mend.
    pub fn open(config: &Config) -> Result<Self, String> {
        let url = url("url", &config.url)?;
        if let Some(Auth::Oauth2(oauth)) = &config.auth {
            self::url("auth.token_url", &oauth.token_url)?;
        }
        for key in config.headers.keys() {
            HeaderName::try_from(key.as_str())
                .map_err(|_| format!("headers: '{key}' is no name of a header"))?;
        }
        let idempotency = HeaderName::try_from(config.idempotency_header.as_str()).map_err(|_| {
            format!("idempotency_header: '{}' is no name of a header", config.idempotency_header)
        })?;
        let refused = Refused::default();
        let client =
            builder(config, &refused)?.build().map_err(|error| format!("the client: {}", cause(&error)))?;
        let credentials = Credentials::new(config.auth.clone());
        Ok(Self { config: config.clone(), url, client, credentials, idempotency, refused })
    }

    fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// What a request that was not answered means.
    fn unanswered(&self, error: &reqwest::Error) -> Failure {
        // The verifier knows more than its error can say.
        let text = cause(error);
        if text.contains("invalid peer certificate")
            && let Some(reason) = self.refused.last()
        {
            return Failure::Invalid(Invalid { reason });
        }
        let host = self.host();
        if error.is_timeout() {
            let key = if error.is_connect() { "connect_timeout_ms" } else { "request_timeout_ms" };
            return Failure::passing(format!("{host}: no answer within {key}"));
        }
        let doing = if error.is_connect() { "cannot connect" } else { "the connection broke" };
        Failure::passing(format!("{host}: {doing}: {text}"))
    }

    async fn request(&self, method: reqwest::Method) -> Result<reqwest::RequestBuilder, Failure> {
        let mut request = self.client.request(method, self.url.clone());
        for (name, value) in &self.config.headers {
            let wrong = |error: String| Failure::Invalid(Invalid::new(format!("headers.{name}: {error}")));
            let mut value = HeaderValue::try_from(value.value().map_err(wrong)?)
                .map_err(|_| wrong("a header cannot hold that".to_owned()))?;
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        self.credentials.put(&self.client, request).await
    }

    async fn body(&self, batch: &Batch) -> Result<Bytes, Failure> {
        let (format, compression) = (self.config.format, self.config.compression);
        let encoded = if compression == Compression::None {
            body::encode(batch, format, compression)
        } else {
            // Compressing takes its time, which others need for their answers.
            let batch = batch.clone();
            tokio::task::spawn_blocking(move || body::encode(&batch, format, compression))
                .await
                .map_err(|error| Failure::passing(format!("the compression was broken off: {error}")))?
        };
        encoded.map(Bytes::from).map_err(|error| Failure::passing(format!("cannot compress: {error}")))
    }

    /// Reads the answer to its end: a batch counts as taken only with a whole answer.
    async fn finish(&self, mut answer: Response) -> Result<String, Failure> {
        let mut text = Vec::new();
        let mut read = 0;
        while let Some(part) = answer.chunk().await.map_err(|error| self.unanswered(&error))? {
            read += part.len();
            text.extend_from_slice(part.get(..part.len().min(TOLD - text.len())).unwrap_or_default());
            if read > READ {
                break;
            }
        }
        let text = String::from_utf8_lossy(&text);
        Ok(text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned())
    }
}

#[async_trait]
impl Datasink for Http {
    fn kind(&self) -> &'static str {
        "http"
    }

    /// Asks for the address by HEAD, which many receivers refuse: what counts is that they answer, over TLS,
    /// and do not refuse the credentials.
    async fn check(&self) -> Result<(), Invalid> {
        let reason = |failure| match failure {
            Failure::Invalid(invalid) => invalid,
            Failure::Passing { reason, .. } => Invalid { reason },
            other => Invalid { reason: format!("{other:?}") },
        };
        let request = self.request(reqwest::Method::HEAD).await.map_err(reason)?;
        let answer = request.send().await.map_err(|error| reason(self.unanswered(&error)))?;
        let status = answer.status();
        match status.as_u16() {
            401 | 403 | 407 => {
                self.credentials.refused().await;
                Err(Invalid::new(format!("{} answered {status}; check auth", self.host())))
            }
            _ => Ok(()),
        }
    }

    async fn write(&self, batch: &Batch) -> Result<(), Failure> {
        let body = self.body(batch).await?;
        let mut request = self
            .request(reqwest::Method::POST)
            .await?
            .header(CONTENT_TYPE, body::content_type(self.config.format))
            .header(&self.idempotency, batch.key());
        if let Some(encoding) = body::content_encoding(self.config.compression) {
            request = request.header(CONTENT_ENCODING, encoding);
        }
        let answer = request.body(body).send().await.map_err(|error| self.unanswered(&error))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let text = match self.finish(answer).await {
            Ok(text) => text,
            // Of a failure the status says enough.
            Err(_) if !status.is_success() => String::new(),
            Err(failure) => return Err(failure),
        };
        if status.as_u16() == 401 {
            self.credentials.refused().await;
        }
        answer::failure(status, &headers, &text, SystemTime::now()).map_or(Ok(()), Err)
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.config.tls.dangerously_accept_any_certificate_and_let_anyone_read_the_events {
            warnings.push(tls::unverified(self.host(), "tls"));
        }
        let local = matches!(self.host(), "localhost" | "[::1]") || self.host().starts_with("127.");
        if self.url.scheme() == "http" && self.config.auth.is_some() && !local {
            warnings.push(format!(
                "credentials go to {} over http, where whoever is on the way can read them; use https",
                self.host()
            ));
        }
        warnings
    }
}

fn url(key: &str, text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("{key}: '{text}' is no address: {error}"))?;
    match (url.scheme(), url.host()) {
        ("http" | "https", Some(_)) if url.password().is_some() => {
            Err(format!("{key}: give user and password in auth, where they are not printed"))
        }
        ("http" | "https", Some(_)) => Ok(url),
        _ => Err(format!("{key}: '{text}' has to begin with https:// or http://")),
    }
}

/// Fetches a token for other datasinks, with TLS of its own and the proxy of the environment.
#[cfg(feature = "kafka")]
pub(crate) async fn fetch_token(tls: &Tls, oauth: &Oauth2) -> Result<Fetched, Failure> {
    let invalid = |reason: String| Failure::Invalid(Invalid { reason });
    url("token_url", &oauth.token_url).map_err(invalid)?;
    let refused = Refused::default();
    let client = Client::builder()
        .tls_backend_preconfigured(tls::client(tls, Version::Auto, &refused).map_err(invalid)?)
        .redirect(reqwest::redirect::Policy::none())
        .timeout(TOKEN)
        .build()
        .map_err(|error| invalid(format!("the client for tokens: {}", cause(&error))))?;
    auth::fetch(&client, oauth).await.map_err(|failure| refused.last().map_or(failure, invalid))
}

fn builder(config: &Config, refused: &Refused) -> Result<ClientBuilder, String> {
    let builder = Client::builder()
        .tls_backend_preconfigured(tls::client(&config.tls, config.http_version, refused)?)
        .user_agent(concat!("harken/", env!("CARGO_PKG_VERSION")))
        // The body and the credentials go to the configured receiver and to no other.
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_millis(config.connect_timeout_ms))
        .timeout(Duration::from_millis(config.request_timeout_ms))
        .tcp_keepalive(KEEP_ALIVE)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .http2_keep_alive_timeout(KEEP_ALIVE)
        .http2_adaptive_window(true);
    let builder = match config.http_version {
        Version::Auto => builder,
        Version::Http1 => builder.http1_only(),
        Version::Http2 => builder.http2_prior_knowledge(),
    };
    Ok(match &config.proxy {
        None => builder,
        Some(Proxy::None) => builder.no_proxy(),
        Some(Proxy::Http { url, user, password }) => {
            let mut proxy =
                reqwest::Proxy::all(url).map_err(|error| format!("proxy.url: {}", cause(&error)))?;
            if let Some(user) = user {
                let password = password.as_ref().map(crate::config::Secret::value).transpose();
                let value =
                    |result: Result<String, String>| result.map_err(|error| format!("proxy: {error}"));
                let password =
                    password.map_err(|error| format!("proxy.password: {error}"))?.unwrap_or_default();
                proxy = proxy.basic_auth(&value(user.value())?, &password);
            }
            builder.proxy(proxy)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(more: &str) -> Result<Http, String> {
        let config = format!(r#"{{"url": "https://edge.example/in", "proxy": {{"type": "none"}}, {more}}}"#);
        let config = if more.contains("\"url\"") { format!("{{{more}}}") } else { config };
        Http::open(&serde_json::from_str(&config).map_err(|error| error.to_string())?)
    }

    #[test]
    fn what_cannot_be_is_named() {
        for (more, says) in [
            (r#""url": "edge.example""#, "url: 'edge.example' is no address"),
            (r#""url": "ftp://edge.example""#, "has to begin with https://"),
            (r#""url": "https://u:p@edge.example""#, "give user and password in auth"),
            (r#""headers": {"a b": "c"}"#, "headers: 'a b' is no name"),
            (r#""idempotency_header": """#, "idempotency_header: ''"),
            (r#""tls": {"ca_file": "/nonexistent"}"#, "tls.ca_file: /nonexistent: "),
            (r#""tls": {"ca_file_only": true}"#, "give tls.ca_file as well"),
            (r#""tls": {"client_key_file": "/a"}"#, "give both or none"),
            (r#""auth": {"type": "bearer"}"#, "missing field `token`"),
            (r#""auth": {"type": "bearer", "token": "a", "user": "b"}"#, "unknown field `user`"),
        ] {
            let error = open(more).err().unwrap_or_default();
            assert!(error.contains(says), "{more}: {error}");
        }
    }

    #[test]
    fn credentials_without_tls_are_warned_of() {
        let auth = r#""auth": {"type": "bearer", "token": "a"}"#;
        for (url, count) in
            [("http://edge.example", 1), ("https://edge.example", 0), ("http://127.0.0.1:8080", 0)]
        {
            let sink = open(&format!(r#""url": "{url}", {auth}"#)).unwrap();
            assert_eq!(sink.warnings().len(), count, "{url}");
        }
    }
}
