//! What connections speak that are not read as HTTP.

/// What an opaque connection speaks, as far as that is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Protocol {
    /// TLS, with the server name of the ClientHello.
    Tls(Option<String>),
    /// WebSocket after an upgrade.
    WebSocket,
    /// Another protocol after `101 Switching Protocols`.
    Upgraded,
    /// Neither HTTP nor TLS.
    Unknown,
}

impl Protocol {
    /// Number of kinds.
    pub const COUNT: usize = 4;

    /// Position in [`crate::Stats::opaque`].
    pub const fn index(&self) -> usize {
        match self {
            Self::Tls(_) => 0,
            Self::WebSocket => 1,
            Self::Upgraded => 2,
            Self::Unknown => 3,
        }
    }

    /// What the counters of [`crate::Stats::opaque`] count, by [`Protocol::index`].
    pub const NOTES: [&'static str; Self::COUNT] = [
        "connections with TLS",
        "connections upgraded to WebSocket",
        "connections upgraded to something else",
        "connections with neither HTTP nor TLS",
    ];
}
