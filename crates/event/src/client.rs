//! Who the client is, behind the proxies before a server.
use harken_http::Message;
use harken_wire::Ip;
use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::LazyLock;

/// Networks whose hosts are believed when they name the client that they speak for.
#[derive(Clone, Debug)]
pub struct Trust(Vec<IpNet>);

/// Networks that are private: RFC 1918, RFC 6598, RFC 4193, loopback and link-local.
const PRIVATE: [&str; 9] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "fc00::/7",
    "fe80::/10",
    "::1/128",
];

static DEFAULT: LazyLock<Trust> = LazyLock::new(Trust::default);

impl Default for Trust {
    fn default() -> Self {
        Self(PRIVATE.iter().filter_map(|net| net.parse().ok()).collect())
    }
}

impl Trust {
    /// Trust in these networks alone.
    pub const fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Trust in private networks.
    pub fn private() -> &'static Self {
        &DEFAULT
    }

    /// The networks.
    pub fn networks(&self) -> &[IpNet] {
        &self.0
    }

    fn has(&self, address: IpAddr) -> bool {
        self.0.iter().any(|net| net.contains(&address))
    }
}

/// Where the client's address was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Named {
    /// The PROXY protocol.
    ProxyProtocol,
    /// `Forwarded`, RFC 7239.
    Forwarded,
    /// `X-Forwarded-For`.
    XForwardedFor,
    /// `CF-Connecting-IP`.
    CfConnectingIp,
    /// `X-Real-IP`.
    XRealIp,
}

impl Named {
    /// A stable name for events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProxyProtocol => "proxy_protocol",
            Self::Forwarded => "forwarded",
            Self::XForwardedFor => "x-forwarded-for",
            Self::CfConnectingIp => "cf-connecting-ip",
            Self::XRealIp => "x-real-ip",
        }
    }
}

/// A client that somebody else has named.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Client {
    /// Its address.
    pub ip: Ip,
    /// Its port, where that was said.
    pub port: Option<u16>,
    /// Where that was found.
    pub named: Named,
}

/// Most addresses of a chain.
const MAX_CHAIN: usize = 32;

impl Client {
    /// The client of a request from `peer`, whose proxy has said `proxied`; `None` when it is the peer itself.
    ///
    /// The chain is walked from the peer on: the first address that is not trusted is the client, and what it says
    /// itself is not believed. When all are trusted it is the last.
    pub fn of(request: &Message, peer: Ip, proxied: Option<(Ip, u16)>, trust: &Trust) -> Option<Self> {
        if !trust.has(peer.to_std()) {
            return None;
        }
        let mut client = proxied.map(|(ip, port)| Self { ip, port: Some(port), named: Named::ProxyProtocol });
        if client.is_some_and(|client| !trust.has(client.ip.to_std())) {
            return client;
        }
        let fields = |name: &'static str| {
            // The last one first.
            let all = request.fields.get(..request.trailers_at).unwrap_or_default().iter().rev();
            let same = all.filter(move |f| f.name.of(&request.head).eq_ignore_ascii_case(name.as_bytes()));
            same.map(|field| field.value.of(&request.head))
        };
        for (named, name) in [(Named::Forwarded, "forwarded"), (Named::XForwardedFor, "x-forwarded-for")] {
            // From the last one on; what there is beyond the limit was said by somebody who cannot be known.
            let elements = fields(name).flat_map(|value| value.rsplit(|byte| *byte == b','));
            let mut is_named = false;
            for element in elements.take(MAX_CHAIN) {
                is_named = true;
                let node = if named == Named::Forwarded { forwarded(element) } else { address(element) };
                // What is hidden ("unknown", a made-up name) hides what is behind it.
                let Some((ip, port)) = node else { return client };
                client = Some(Self { ip: Ip::from(ip), port, named });
                if !trust.has(ip) {
                    return client;
                }
            }
            if is_named {
                return client;
            }
        }
        for (named, name) in [(Named::CfConnectingIp, "cf-connecting-ip"), (Named::XRealIp, "x-real-ip")] {
            if let Some((ip, port)) = fields(name).next().and_then(address) {
                return Some(Self { ip: Ip::from(ip), port, named });
            }
        }
        client
    }
}

/// The node of `for=` in an element of `Forwarded`, RFC 7239 section 4.
fn forwarded(element: &[u8]) -> Option<(IpAddr, Option<u16>)> {
    let mut parameters = element.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let node = parameters.find_map(|parameter| {
        let (name, value) = parameter.split_at_checked(4)?;
        name.eq_ignore_ascii_case(b"for=").then_some(value)
    })?;
    address(node.strip_prefix(b"\"").and_then(|node| node.strip_suffix(b"\"")).unwrap_or(node))
}

/// An address with or without a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn address(text: &[u8]) -> Option<(IpAddr, Option<u16>)> {
    let text = std::str::from_utf8(text).ok()?.trim();
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some((address.to_canonical(), None));
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) = rest.split_once(']')?;
            (host, behind.strip_prefix(':'))
        }
        None => text.split_once(':').map(|(host, port)| (host, Some(port)))?,
    };
    Some((host.parse::<IpAddr>().ok()?.to_canonical(), port.and_then(|port| port.parse().ok())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::message;

    #[track_caller]
    fn check(peer: &str, fields: &str, want: &str) {
        let head = format!("GET / HTTP/1.1\r\n{}\r\n\r\n", fields.replace('|', "\r\n"));
        let peer = Ip::from(peer.parse::<IpAddr>().unwrap());
        let client = Client::of(&message(head.as_bytes(), b""), peer, None, Trust::private());
        let told = client.map_or("-".to_owned(), |client| {
            let port = client.port.map(|port| format!(" {port}")).unwrap_or_default();
            format!("{} {}{port}", client.named.name(), client.ip)
        });
        assert_eq!(told, want, "{fields}");
    }

    #[test]
    fn chains() {
        check("10.0.0.1", "X-A: b", "-");
        check("10.0.0.1", "X-Forwarded-For: 203.0.113.7", "x-forwarded-for 203.0.113.7");
        // Somebody outside says what it likes.
        check("203.0.113.9", "X-Forwarded-For: 198.51.100.1", "-");
        check("10.0.0.1", "X-Forwarded-For: 1.1.1.1, 203.0.113.7, 10.0.0.2", "x-forwarded-for 203.0.113.7");
        check(
            "10.0.0.1",
            "X-Forwarded-For: 1.1.1.1|x-forwarded-for: 203.0.113.7",
            "x-forwarded-for 203.0.113.7",
        );
        check("10.0.0.1", "X-Forwarded-For: 192.168.1.5, 10.0.0.2", "x-forwarded-for 192.168.1.5");
        check("10.0.0.1", "X-Forwarded-For: 203.0.113.7:4711", "x-forwarded-for 203.0.113.7 4711");
        check("10.0.0.1", "X-Forwarded-For: unknown, 10.0.0.3", "x-forwarded-for 10.0.0.3");
        check("10.0.0.1", "X-Forwarded-For: ", "-");
        check("fd00::1", "X-Forwarded-For: 2001:db8::7", "x-forwarded-for 2001:db8::7");
        check(
            "10.0.0.1",
            "Forwarded: for=1.1.1.1;by=2, For=\"[2001:db8::7]:80\";proto=https",
            "forwarded 2001:db8::7 80",
        );
        check("10.0.0.1", "Forwarded: for=_hidden, for=10.0.0.9", "forwarded 10.0.0.9");
        check("10.0.0.1", "Forwarded: for=203.0.113.1|X-Forwarded-For: 203.0.113.2", "forwarded 203.0.113.1");
        check("10.0.0.1", "X-Real-IP: 203.0.113.7", "x-real-ip 203.0.113.7");
        check(
            "10.0.0.1",
            "CF-Connecting-IP: 203.0.113.8|X-Real-IP: 10.1.1.1",
            "cf-connecting-ip 203.0.113.8",
        );
        check("::ffff:10.0.0.1", "X-Real-IP: ::ffff:203.0.113.7", "x-real-ip 203.0.113.7");
    }

    #[test]
    fn proxy_protocol() {
        let peer = Ip::v4([10, 0, 0, 1]);
        let request = message(b"GET / HTTP/1.1\r\nX-Forwarded-For: 198.51.100.1\r\n\r\n", b"");
        let of = |proxied| Client::of(&request, peer, Some((proxied, 7)), Trust::private());
        let outside = Ip::v4([203, 0, 113, 1]);
        let named = Named::ProxyProtocol;
        assert_eq!(of(outside), Some(Client { ip: outside, port: Some(7), named }));
        // A proxy before that one.
        let client = of(Ip::v4([10, 0, 0, 2])).unwrap();
        assert_eq!((client.ip, client.named), (Ip::v4([198, 51, 100, 1]), Named::XForwardedFor));
        let none = Trust::new(Vec::new());
        assert_eq!(Client::of(&request, peer, Some((outside, 7)), &none), None);
    }
}
