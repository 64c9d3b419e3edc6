//! Sends requests: signed (Signature Version 4), and again where AWS is busy or no answer came.
use super::credentials::reasons;
use super::{Action, Error, Protocol, Service, Session, arguments, form, xml};
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use reqwest::Response;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderName, HeaderValue};
use rustls::RootCertStore;
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How often a request is sent at most.
const ATTEMPTS: u32 = 7;
/// Wait before the second attempt; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// Longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(8);
/// Longest time for one attempt.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest time for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Largest answer, of 1,000 instances with their interfaces.
const MAX_ANSWER: usize = 64 << 20;
/// Clocks that are further apart than this many seconds are named in errors; signatures bear five minutes.
const SKEW: i64 = 120;

/// What speaks HTTP, to AWS and else.
pub(crate) fn http() -> Result<reqwest::ClientBuilder, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        // A redirect would carry a signed request to someone else.
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT)
        .user_agent(concat!("harken/", env!("CARGO_PKG_VERSION"))))
}

/// A request whose answer comes in pages.
pub trait Paged: Action {
    /// What a page holds.
    type Item;
    /// Asks for the page behind that token.
    fn behind(&mut self, token: String);
    /// What a page holds, and the token of the next.
    fn page(answer: Self::Answer) -> (Vec<Self::Item>, Option<String>);
}

/// Talks to the services of AWS in one account and region.
pub struct Client {
    session: Session,
    http: reqwest::Client,
}

impl Client {
    /// For those credentials.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(session: Session) -> Result<Self, Error> {
        let http =
            http().and_then(|builder| builder.timeout(PATIENCE).build().map_err(|error| error.to_string()));
        let http = http.map_err(|error| Error::Credentials(format!("cannot set up TLS: {error}")))?;
        Ok(Self { session, http })
    }

    /// The region.
    pub fn region(&self) -> &str {
        self.session.region()
    }

    /// Asks, and asks again while AWS is busy or does not answer. So a request must be one that may be repeated: one that
    /// reads, or deletes, or carries a client token.
    ///
    /// # Errors
    /// The last attempt's.
    pub async fn call<A: Action>(&self, action: &A) -> Result<A::Answer, Error> {
        let mut wait = FIRST_WAIT;
        let mut renewed = false;
        for _ in 1..ATTEMPTS {
            match self.once(action).await {
                Err(error) if error.is_expired() && !renewed => {
                    renewed = true;
                    self.session.renew();
                }
                Err(error) if error.is_passing() => {
                    // Spread, so that many who were refused together do not come back together.
                    tokio::time::sleep(wait.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
                other => return other,
            }
        }
        self.once(action).await
    }

    /// All pages.
    ///
    /// # Errors
    /// Of the first page that fails.
    pub async fn all<A: Paged>(&self, mut action: A) -> Result<Vec<A::Item>, Error> {
        let mut all = Vec::new();
        loop {
            let (items, next) = A::page(self.call(&action).await?);
            all.extend(items);
            match next.filter(|token| !token.is_empty()) {
                Some(token) => action.behind(token),
                None => return Ok(all),
            }
        }
    }

    async fn once<A: Action>(&self, action: &A) -> Result<A::Answer, Error> {
        let credentials = self.session.credentials().await?;
        let arguments = arguments(action);
        let mut headers = Vec::new();
        let (content_type, body) = match A::SERVICE.protocol {
            Protocol::Json(prefix) => {
                headers.push(("x-amz-target", format!("{prefix}.{}", A::NAME)));
                ("application/x-amz-json-1.1", arguments.to_string())
            }
            protocol => (
                "application/x-www-form-urlencoded; charset=utf-8",
                form::encode(&form(protocol, A::NAME, &arguments)),
            ),
        };
        headers.push((CONTENT_TYPE.as_str(), content_type.to_owned()));
        let unanswered =
            |error: &dyn std::error::Error| Error::Unanswered { action: A::NAME, reason: reasons(error) };
        let request = self.signed(&A::SERVICE, &credentials, &headers, body)?;
        let response = request.send().await.map_err(|error| unanswered(&error.without_url()))?;
        let (status, skew) = (response.status().as_u16(), skew(&response));
        let body = read(response).await.map_err(|reason| Error::Unanswered { action: A::NAME, reason })?;
        if status == 200 {
            let answer = match A::SERVICE.protocol {
                Protocol::Json(_) => serde_json::from_str(&body).map_err(|error| error.to_string()),
                Protocol::Ec2(_) | Protocol::Query(_) => xml::answer(A::NAME, &body),
            };
            return answer.map_err(|reason| match xml::refusal(&body) {
                Some(said) => refused::<A>(status, said, None),
                // Half an answer is none; whole and strange, it will not get better.
                None if reason == xml::CUT => Error::Unanswered { action: A::NAME, reason },
                None => Error::Unreadable { action: A::NAME, reason },
            });
        }
        let said = match A::SERVICE.protocol {
            Protocol::Json(_) => json_refusal(&body),
            Protocol::Ec2(_) | Protocol::Query(_) => xml::refusal(&body),
        };
        let said = said.unwrap_or_else(|| xml::Refusal {
            code: format!("HTTP {status}"),
            message: body.chars().take(200).collect(),
            request_id: None,
        });
        Err(refused::<A>(status, said, skew))
    }

    fn signed(
        &self,
        service: &Service,
        credentials: &Credentials,
        headers: &[(&str, String)],
        body: String,
    ) -> Result<reqwest::RequestBuilder, Error> {
        let wrong = |error: &dyn std::error::Error| {
            Error::Credentials(format!("cannot sign a request to {}: {}", service.name, reasons(error)))
        };
        let url = self.session.endpoint(service.name);
        let mut settings = SigningSettings::default();
        settings.payload_checksum_kind = PayloadChecksumKind::NoHeader;
        let identity = credentials.clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.session.region())
            .name(service.name)
            .time(SystemTime::now())
            .settings(settings)
            .build()
            .map_err(|error| wrong(&error))?
            .into();
        let signable = SignableRequest::new(
            "POST",
            &url,
            headers.iter().map(|(name, value)| (*name, value.as_str())),
            SignableBody::Bytes(body.as_bytes()),
        )
        .map_err(|error| wrong(&error))?;
        let (instructions, _) = sign(signable, &params).map_err(|error| wrong(&error))?.into_parts();
        let mut request = self.http.post(&url);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        for (name, value) in instructions.headers() {
            let mut value = HeaderValue::from_str(value).map_err(|error| wrong(&error))?;
            // Keeps it out of whatever prints a request.
            value.set_sensitive(true);
            request = request
                .header(HeaderName::from_bytes(name.as_bytes()).map_err(|error| wrong(&error))?, value);
        }
        Ok(request.body(body))
    }
}

fn refused<A: Action>(status: u16, said: xml::Refusal, skew: Option<i64>) -> Error {
    let clock = matches!(
        said.code.as_str(),
        "RequestExpired"
            | "SignatureDoesNotMatch"
            | "AuthFailure"
            | "InvalidSignatureException"
            | "RequestInTheFuture"
    );
    Error::Refused {
        action: A::NAME,
        status,
        code: said.code,
        message: said.message,
        request_id: said.request_id,
        skew: skew.filter(|_| clock),
    }
}

/// Seconds that AWS's clock is ahead of ours, where that is too much.
fn skew(response: &Response) -> Option<i64> {
    let date = response.headers().get(DATE)?.to_str().ok()?;
    let theirs = chrono::DateTime::parse_from_rfc2822(date).ok()?;
    let skew = (theirs.to_utc() - chrono::Utc::now()).num_seconds();
    (skew.abs() > SKEW).then_some(skew)
}

async fn read(mut response: Response) -> Result<String, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| reasons(&error.without_url()))? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_ANSWER {
            return Err(format!("it is larger than {MAX_ANSWER} bytes"));
        }
    }
    String::from_utf8(body).map_err(|error| error.to_string())
}

fn json_refusal(body: &str) -> Option<xml::Refusal> {
    let body: Value = serde_json::from_str(body).ok()?;
    let code = body.get("__type")?.as_str()?;
    let message =
        body.get("message").or_else(|| body.get("Message")).and_then(Value::as_str).unwrap_or_default();
    Some(xml::Refusal {
        code: code.rsplit('#').next().unwrap_or(code).to_owned(),
        message: message.to_owned(),
        request_id: None,
    })
}
