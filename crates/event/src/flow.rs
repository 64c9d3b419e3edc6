//! What every record of one connection has in common, worked out once.
use crate::community_id::CommunityId;
use crate::uid::Uid;
use crate::zeek::{self, Form};
use harken_wire::{Encap, Ip, Timestamp, prefetch};
use std::io::Write;
use std::sync::{Arc, OnceLock};

/// An IP address as text, kept inline.
#[derive(Clone, Copy)]
pub struct IpText {
    text: [u8; Self::MAX],
    len: u8,
}

impl IpText {
    /// Longest text: eight groups of four digits.
    const MAX: usize = 39;

    /// The usual text of the address, RFC 5952 for IPv6.
    pub fn new(ip: Ip) -> Self {
        let mut text = [0; Self::MAX];
        let mut rest = text.as_mut_slice();
        if let std::net::IpAddr::V4(v4) = ip.to_std() {
            // The formatter of the standard library costs ten times as much, and this is done for each event.
            let mut number = itoa::Buffer::new();
            for (i, octet) in v4.octets().into_iter().enumerate() {
                let dot: &[u8] = if i == 0 { b"" } else { b"." };
                let _ = rest.write_all(dot).and_then(|()| rest.write_all(number.format(octet).as_bytes()));
            }
            let len = Self::MAX - rest.len();
            return Self { text, len: len as u8 };
        }
        // An address never takes more than MAX bytes, so that writing cannot fail.
        let _ = write!(rest, "{ip}");
        let len = Self::MAX - rest.len();
        Self { text, len: len as u8 }
    }

    /// The text.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        self.text.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

/// One side of a connection.
#[derive(Clone, Copy)]
pub struct Endpoint {
    /// Its address.
    pub ip: Ip,
    /// Its port.
    pub port: u16,
}

impl Endpoint {
    pub(crate) const fn new((ip, port): (Ip, u16)) -> Self {
        Self { ip, port }
    }
}

/// Identity of one connection: made when the first record of the connection is about to be written (the
/// roles of the endpoints are settled by then) and kept with the connection's state.
///
/// With many connections, reading it is much of what a record costs: what every line of a Zeek log needs lies
/// at the start of a cache line.
#[repr(C, align(64))]
pub struct FlowInfo {
    form: Form,
    prefix: Prefix,
    /// The connection's identifier, shared by all logs.
    pub uid: Uid,
    /// The originator.
    pub client: Endpoint,
    /// The responder.
    pub server: Endpoint,
    /// The client that a proxy has named before all else, by the PROXY protocol.
    pub proxied: Option<(Ip, u16)>,
    /// The tunnels of the first packet.
    pub encap: Arc<Encap>,
    /// When the connection began: time of its first packet.
    pub start: Timestamp,
    seed: u16,
    community_id: OnceLock<CommunityId>,
}

/// The columns `uid` to `id.resp_p`, kept inline.
struct Prefix {
    len: u8,
    text: [u8; Self::MAX],
}

impl Prefix {
    /// The longest, in JSON with two IPv6 addresses of eight groups of four digits, takes 171 bytes.
    const MAX: usize = 174;

    fn new(bytes: &[u8]) -> Self {
        let mut text = [0; Self::MAX];
        let len = bytes.len().min(Self::MAX);
        text.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        Self { len: len as u8, text }
    }

    #[inline]
    fn as_bytes(&self) -> &[u8] {
        self.text.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl FlowInfo {
    /// `client` and `server` are the endpoints by role. `form` is the form in which Zeek logs are going to be
    /// written (a record in the other form can be written all the same, at a higher cost); `seed` is the
    /// Community ID's, usually 0.
    pub fn new(
        client: (Ip, u16),
        server: (Ip, u16),
        encap: Arc<Encap>,
        start: Timestamp,
        form: Form,
        seed: u16,
    ) -> Self {
        let mut info = Self {
            uid: Uid::connection(client, server, &encap, start),
            client: Endpoint::new(client),
            server: Endpoint::new(server),
            proxied: None,
            encap,
            start,
            seed,
            community_id: OnceLock::new(),
            form,
            prefix: Prefix::new(&[]),
        };
        let mut bytes = Vec::with_capacity(Prefix::MAX);
        zeek::prefix(&mut bytes, form, &info);
        info.prefix = Prefix::new(&bytes);
        info
    }

    /// Community ID version 1, worked out when first asked for.
    pub fn community_id(&self) -> &CommunityId {
        let (client, server) = (&self.client, &self.server);
        self.community_id
            .get_or_init(|| CommunityId::tcp((client.ip, client.port), (server.ip, server.port), self.seed))
    }

    /// Asks for the memory that the next record of a Zeek log will need.
    #[inline]
    pub fn prefetch(&self) {
        prefetch(&self.form);
        let text = &self.prefix.text;
        // Two IPv4 addresses fill two lines of the cache, two IPv6 addresses three.
        text.get(64).into_iter().chain(text.get(128)).for_each(prefetch);
    }

    /// The columns `uid` to `id.resp_p`, ready to be copied; `None` when they were made in the other form.
    #[inline]
    pub(crate) fn prefix(&self, form: Form) -> Option<&[u8]> {
        (self.form == form).then_some(self.prefix.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_text() {
        for text in
            ["0.0.0.0", "255.255.255.255", "::", "2001:db8::1", "2001:1234:5678:9abc:def1:2345:6789:abcd"]
        {
            assert_eq!(IpText::new(Ip::from(text.parse::<std::net::IpAddr>().unwrap())).as_str(), text);
        }
    }
}
