//! TLS is not decrypted: it is named and counted, as far as its handshake tells in the clear.
pub mod fingerprint;
pub mod hello;
pub mod names;
mod session;

use harken_wire::Timestamp;
pub(crate) use session::Session;

/// What the handshake of a connection tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// When the ClientHello was complete, or else the first record began.
    pub start: Timestamp,
    /// Version that the server chose; [`names::version`] names it.
    pub version: Option<u16>,
    /// Cipher suite that the server chose; [`names::cipher`] names it.
    pub cipher: Option<u16>,
    /// Group of the key exchange; [`names::curve`] names it.
    pub curve: Option<u16>,
    /// Server name that the client asked for.
    pub server_name: Option<String>,
    /// Protocol that the server chose by ALPN, where that is in the clear (before TLS 1.3).
    pub next_protocol: Option<String>,
    /// An earlier session goes on.
    pub resumed: bool,
    /// The handshake was seen to succeed.
    pub established: bool,
    /// The last alert that was not encrypted; [`names::alert`] names it.
    pub last_alert: Option<u8>,
    /// What was sent, by Zeek's letters: of the client in capitals.
    pub history: String,
    /// JA3 of the client.
    pub ja3: Option<[u8; 16]>,
    /// JA3S of the server.
    pub ja3s: Option<[u8; 16]>,
    /// JA4 of the client.
    pub ja4: Option<String>,
}
