//! The settings of the datasink `http`.
use crate::config::{Delivery, Secret};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Settings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where batches are posted to: `https://...`, or `http://...` without TLS.
    pub url: String,
    /// The form of a batch.
    #[serde(default)]
    pub format: Format,
    /// How the body is compressed.
    #[serde(default)]
    pub compression: Compression,
    /// Headers of each request.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// How it shows who it is; nothing for no credentials but a client certificate.
    #[serde(default)]
    pub auth: Option<Auth>,
    /// Which certificates it trusts, and its own.
    #[serde(default)]
    pub tls: Tls,
    /// Versions of HTTP.
    #[serde(default)]
    pub http_version: Version,
    /// Milliseconds for a connection, with TLS.
    #[serde(default = "connect_timeout_ms")]
    pub connect_timeout_ms: u64,
    /// Milliseconds for the whole of a request and its answer.
    #[serde(default = "request_timeout_ms")]
    pub request_timeout_ms: u64,
    /// The proxy; nothing for that of the environment (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`), if any.
    #[serde(default)]
    pub proxy: Option<Proxy>,
    /// The header with a key that is the same each time a batch is sent, so that the receiver can drop
    /// repeats.
    #[serde(default = "idempotency_header")]
    pub idempotency_header: String,
    /// How it is fed.
    #[serde(default)]
    pub delivery: Delivery,
}

fn connect_timeout_ms() -> u64 {
    5_000
}

fn request_timeout_ms() -> u64 {
    30_000
}

fn idempotency_header() -> String {
    "Idempotency-Key".to_owned()
}

/// The form of a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// A JSON array of events.
    #[default]
    JsonArray,
    /// An event a line.
    Ndjson,
    /// `{"data": [...]}`, as API edges of analysis platforms take it.
    ApiEdge,
}

/// How a body is compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

/// Versions of HTTP.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Version {
    /// What the receiver offers in the TLS handshake; 1.1 without TLS.
    #[default]
    #[serde(rename = "auto")]
    Auto,
    /// HTTP/1.1.
    #[serde(rename = "1.1")]
    Http1,
    /// HTTP/2, also without TLS.
    #[serde(rename = "2")]
    Http2,
}

/// Credentials.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Auth {
    /// `Authorization: Bearer TOKEN`.
    Bearer {
        /// The token.
        token: Secret,
    },
    /// `Authorization: Basic ...`.
    Basic {
        /// The user.
        user: Secret,
        /// The password.
        password: Secret,
    },
    /// A key in a header of its own.
    ApiKey {
        /// The header.
        header: String,
        /// The key.
        key: Secret,
    },
    /// A bearer token that is fetched by client credentials (RFC 6749 section 4.4), and anew before it
    /// expires.
    Oauth2(Oauth2),
}

/// Client credentials.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Oauth2 {
    /// Where tokens are fetched; the same TLS settings and proxy are used.
    pub token_url: String,
    /// The client.
    pub client_id: Secret,
    /// Its secret.
    pub client_secret: Secret,
    /// The scope that is asked for.
    #[serde(default)]
    pub scope: Option<String>,
    /// The audience that is asked for.
    #[serde(default)]
    pub audience: Option<String>,
    /// The credentials go into the form, for servers that do not take them as Basic authentication.
    #[serde(default)]
    pub credentials_in_form: bool,
}

/// Which certificates are trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// File with certificates (PEM) of CAs that are trusted beside the well-known ones.
    pub ca_file: Option<PathBuf>,
    /// Only those of `ca_file` are trusted.
    pub ca_file_only: bool,
    /// File with the own certificate and those between it and its CA (PEM).
    pub client_certificate_file: Option<PathBuf>,
    /// File with the key of the own certificate (PEM).
    pub client_key_file: Option<PathBuf>,
    /// Certificates are not verified: whoever is on the way can read and change all events and credentials.
    /// Said in the log each period.
    pub dangerously_accept_any_certificate_and_let_anyone_read_the_events: bool,
}

/// A proxy.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum Proxy {
    /// None, whatever the environment says.
    None,
    /// An HTTP proxy (CONNECT for `https`).
    Http {
        /// Its address, for example `http://proxy.example:3128`.
        url: String,
        /// The user, where it wants one.
        #[serde(default)]
        user: Option<Secret>,
        /// The password.
        #[serde(default)]
        password: Option<Secret>,
    },
}
