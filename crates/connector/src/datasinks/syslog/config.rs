//! The settings of the datasink `syslog`.
use crate::config::Delivery;
use crate::datasinks::http::Tls;
use schemars::JsonSchema;
use serde::Deserialize;

/// Settings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The receiver, for example `syslog.example:6514`. Usual ports: 514 for UDP and TCP, 6514 for TLS.
    pub address: String,
    /// How messages get there.
    #[serde(default)]
    pub transport: Transport,
    /// What a message holds of the event.
    #[serde(default)]
    pub format: Format,
    /// The facility.
    #[serde(default)]
    pub facility: Facility,
    /// APP-NAME: 1 to 48 printable ASCII characters.
    #[serde(default = "app_name")]
    pub app_name: String,
    /// HOSTNAME: 1 to 255 printable ASCII characters; nothing for the name of this machine.
    #[serde(default)]
    pub hostname: Option<String>,
    /// SD-ID of the fields. The number behind `@` is an enterprise number; the default is the one for documentation,
    /// since Harken has none of its own.
    #[serde(default = "structured_data_id")]
    pub structured_data_id: String,
    /// Bytes of a message that the receiver takes, header included; what is longer is dead-lettered, since receivers
    /// cut it off without a word. The default is that of rsyslog.
    #[serde(default = "max_bytes")]
    pub max_bytes: usize,
    /// TCP and TLS: each batch goes over a connection of its own, and counts as written only when the receiver has read
    /// it to its end and closed. Without it connections are kept, and a receiver that dies loses what it has not read.
    #[serde(default = "confirm")]
    pub confirm: bool,
    /// TLS: which certificates it trusts, and its own.
    #[serde(default)]
    pub tls: Tls,
    /// Milliseconds for a connection, with TLS.
    #[serde(default = "connect_timeout_ms")]
    pub connect_timeout_ms: u64,
    /// Milliseconds for a batch, with its confirmation.
    #[serde(default = "write_timeout_ms")]
    pub write_timeout_ms: u64,
    /// How it is fed.
    #[serde(default)]
    pub delivery: Delivery,
}

fn app_name() -> String {
    "harken".to_owned()
}

fn structured_data_id() -> String {
    "harken@32473".to_owned()
}

fn max_bytes() -> usize {
    8192
}

fn confirm() -> bool {
    true
}

fn connect_timeout_ms() -> u64 {
    5_000
}

fn write_timeout_ms() -> u64 {
    30_000
}

/// How messages get to the receiver.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// A datagram a message (RFC 5426). Nobody notices what is lost on the way.
    Udp,
    /// TCP, each message behind its length (RFC 6587 section 3.4.1).
    #[default]
    Tcp,
    /// The same over TLS (RFC 5425).
    Tls,
}

/// What a message holds of the event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// The whole event as JSON.
    #[default]
    Json,
    /// Its important fields as structured data, and a line to read.
    Fields,
}

/// The facility (RFC 5424 table 1); its number is its place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names are those of the standard")]
pub enum Facility {
    Kern,
    User,
    Mail,
    Daemon,
    Auth,
    Syslog,
    Lpr,
    News,
    Uucp,
    Cron,
    Authpriv,
    Ftp,
    Ntp,
    Audit,
    Alert,
    Clock,
    #[default]
    Local0,
    Local1,
    Local2,
    Local3,
    Local4,
    Local5,
    Local6,
    Local7,
}

/// Longest message in a datagram over IPv4 (RFC 5426 section 3.2).
const DATAGRAM: usize = 65_507;

impl Config {
    /// The key that cannot be so, and the mend.
    pub(super) fn check(&self) -> Result<(), String> {
        let port = self.address.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>()));
        if !matches!(port, Some((host, Ok(1..))) if !host.is_empty()) {
            return Err(format!("address: '{}' is no HOST:PORT, for example localhost:514", self.address));
        }
        let word = |key: &str, text: &str, most: usize| match !text.is_empty()
            && text.len() <= most
            && text.bytes().all(|byte| byte.is_ascii_graphic())
        {
            true => Ok(()),
            false => Err(format!("{key}: '{text}': give 1 to {most} printable ASCII characters, no space")),
        };
        word("app_name", &self.app_name, 48)?;
        word("hostname", self.hostname.as_deref().unwrap_or("-"), 255)?;
        word("structured_data_id", &self.structured_data_id, 32)?;
        if self.structured_data_id.contains(['=', ']', '"']) {
            return Err("structured_data_id: no '=', ']' or '\"' can be in it".to_owned());
        }
        let most = if self.transport == Transport::Udp { DATAGRAM } else { 64 << 20 };
        if !(480..=most).contains(&self.max_bytes) {
            return Err(format!("max_bytes is {}: give 480 to {most}", self.max_bytes));
        }
        if self.transport != Transport::Tls && self.tls != Tls::default() {
            return Err("tls: it has no meaning without transport tls: take it out, or set that".to_owned());
        }
        if self.connect_timeout_ms == 0 || self.write_timeout_ms == 0 {
            return Err("connect_timeout_ms and write_timeout_ms: give at least 1".to_owned());
        }
        Ok(())
    }
}
