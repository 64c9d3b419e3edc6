//! UDP datagrams that are no tunnel and may begin a QUIC connection.
use crate::{Encap, Ip};

/// A datagram, of which every byte was captured.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'p> {
    /// Its sender (innermost IP header).
    pub src: Ip,
    /// Its receiver (innermost IP header).
    pub dst: Ip,
    /// Source port.
    pub sport: u16,
    /// Destination port.
    pub dport: u16,
    /// What it carries.
    pub payload: &'p [u8],
    /// The tunnels passed on the way to it.
    pub encap: Encap,
}

/// A datagram that has an Initial packet of a client is no smaller, RFC 9000 section 14.1.
const MIN_INITIAL: usize = 1200;

/// Whether a datagram may begin a QUIC connection: it has a long header (RFC 9000 section 17.2) of some version, and the size.
pub(crate) fn may_begin_quic(payload: &[u8]) -> bool {
    payload.len() >= MIN_INITIAL
        && matches!(payload, [0xc0..=0xff, version @ ..] if version.first_chunk::<4>().is_some_and(|v| *v != [0; 4]))
}
