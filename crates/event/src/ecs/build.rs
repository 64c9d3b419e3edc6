//! From a transaction to the event that is written.
use super::Options;
use super::mask::{Fields, MARK, Secret};
use super::model::*;
use super::value::{Address, Content, Parts, Text, Time};
use crate::fields::RequestFields;
use crate::flow::{Endpoint, IpText};
use crate::transaction::Transaction;
use crate::url::Url;
use harken_http::{Coding, Message, Version};
use harken_wire::{Encap, GeneveOptions, Ip, Timestamp, TunnelKind};

/// Version of Elastic Common Schema that the names follow.
const ECS_VERSION: &str = "8.17.0";

const REQUEST_HEADERS: &str = "http.request.headers";
const REQUEST_TRAILERS: &str = "http.request.trailers";
const RESPONSE_HEADERS: &str = "http.response.headers";
const RESPONSE_TRAILERS: &str = "http.response.trailers";

/// What the event borrows and the transaction does not hold.
pub(super) struct Derived<'a> {
    /// The transaction's identifier.
    pub(super) id: &'a str,
    /// User name in Basic authentication.
    pub(super) user: Option<&'a [u8]>,
    /// Header fields of the request.
    pub(super) fields: RequestFields<'a>,
    /// A protocol version that has no fixed text.
    pub(super) version: &'a str,
}

pub(super) fn event<'a>(t: &Transaction<'a>, derived: &Derived<'a>, options: &Options) -> Event<'a> {
    let (request, response) = (t.request(), t.response());
    let (start, end) = (t.ts(), t.end());
    let url = t.request().map(|r| Url::of(r.method(), r.target(), derived.fields.host));
    let client = peer(&t.flow.client, request);
    let server = peer(&t.flow.server, response);
    Event {
        timestamp: Time(start),
        ecs: EcsVersion { version: ECS_VERSION },
        event: Meta {
            id: derived.id,
            kind: "event",
            category: ["network", "web"],
            kinds: ["access"],
            dataset: "harken.http",
            start: Time(start),
            end: Time(end),
            duration: end.since(start),
            outcome: match response.map(|r| r.status) {
                None | Some(0) => "unknown",
                Some(..400) => "success",
                Some(_) => "failure",
            },
        },
        network: Network {
            transport: "tcp",
            protocol: "http",
            kind: if t.flow.client.ip.is_v4() { "ipv4" } else { "ipv6" },
            community_id: t.flow.community_id().as_str(),
            vlan: t.flow.encap.vlan.map(|id| Vlan { id }),
            inner: t.flow.encap.inner_vlan.map(|id| Inner { vlan: Vlan { id } }),
        },
        client,
        server,
        source: client,
        destination: server,
        http: Http {
            version: derived.version,
            request: request.map(|r| Request {
                method: Text(r.method()),
                referrer: derived.fields.referrer.map(Text),
                common: common(r, options),
            }),
            response: answer(t, options),
        },
        url: request.zip(url).map(|(r, url)| url_parts(r.target(), &url, options)),
        user_agent: derived.fields.user_agent.map(|a| UserAgent { original: Text(a) }),
        user: derived.user.map(|name| User { name: Text(name) }),
        harken: Harken {
            schema_version: super::SCHEMA_VERSION,
            uid: t.flow.uid.as_str(),
            depth: t.exchange.depth,
            timing: timing(request, response),
            completeness: completeness(t),
            tunnel: tunnel(&t.flow.encap),
            desync: desync(request, response),
            masked: masked(request, response, url.as_ref(), options),
        },
    }
}

/// The text of a version; `other` has room for one without a fixed text.
pub(super) fn version_text(version: Option<Version>, other: &mut String) -> &str {
    match version.map(|v| (v.major, v.minor)) {
        Some((1, 1)) => "1.1",
        Some((1, 0)) => "1.0",
        None | Some((0, 9)) => "0.9",
        Some((major, minor)) => {
            let mut buffer = itoa::Buffer::new();
            other.clear();
            other.push_str(buffer.format(major));
            other.push('.');
            other.push_str(buffer.format(minor));
            other
        }
    }
}

fn peer(end: &Endpoint, sent: Option<&Message>) -> Peer {
    Peer { ip: Address(IpText::new(end.ip)), port: end.port, bytes: sent.map_or(0, size) }
}

fn size(message: &Message) -> u64 {
    message.head_len.saturating_add(message.body.wire_len)
}

fn common<'a>(message: &'a Message, options: &Options) -> Common<'a> {
    Common {
        bytes: size(message),
        mime_type: message.body.sniffed,
        headers: Fields::headers(message, options.show_secrets),
        trailers: Fields::trailers(message, options.show_secrets),
        body: body(&message.body),
    }
}

fn body(body: &harken_http::Body) -> Body<'_> {
    let truncated = (body.kept.len() as u64) < body.decoded_len;
    let content = (!body.kept.is_empty()).then(|| Content::new(&body.kept, truncated));
    Body {
        bytes: body.wire_len,
        decoded_bytes: body.decoded_len,
        missing_bytes: body.missing,
        coding: match body.coding {
            Coding::Identity => None,
            Coding::Gzip => Some("gzip"),
            Coding::Deflate => Some("deflate"),
            Coding::Brotli => Some("br"),
            Coding::Zstd => Some("zstd"),
            Coding::Other => Some("other"),
        },
        decode_failed: body.decode_failed,
        content,
        encoding: matches!(content, Some(Content::Base64(_))).then_some("base64"),
        truncated: truncated && content.is_some(),
    }
}

fn answer<'a>(t: &Transaction<'a>, options: &Options) -> Option<Response<'a>> {
    let (response, interim) = (t.response(), t.exchange.informational.as_ref());
    response.or(t.request()).filter(|_| response.is_some() || interim.is_some())?;
    Some(Response {
        status_code: response.map(|r| r.status).filter(|s| *s != 0),
        reason: response.filter(|r| r.version.is_some()).map(|r| Text(r.reason())),
        informational: interim.map(|i| Interim { status_code: i.status, reason: Text(&i.reason) }),
        common: response.map(|r| common(r, options)),
    })
}

fn url_parts<'a>(target: &'a [u8], url: &Url<'a>, options: &Options) -> UrlParts<'a> {
    let scheme = url.scheme.unwrap_or(b"http");
    let original = match password(url).filter(|_| !options.show_secrets).and_then(|p| around(target, p)) {
        Some((before, after)) => Parts([before, MARK.as_bytes(), after, b"", b"", b""]),
        None => Parts([target, b"", b"", b"", b"", b""]),
    };
    let absolute = url.scheme.is_some();
    // A target that is no path (CONNECT, OPTIONS *) makes no URL with a host before it.
    let full = match (absolute, url.domain, target.first()) {
        (true, _, _) => Some(original),
        (false, Some(_), Some(b'/')) => {
            url.authority.map(|authority| Parts([scheme, b"://".as_slice(), authority, target, b"", b""]))
        }
        _ => None,
    };
    UrlParts {
        original,
        full,
        scheme: Text(scheme),
        domain: url.domain.map(Text),
        port: url.port,
        path: url.path.map(Text),
        query: url.query.map(Text),
        fragment: url.fragment.map(Text),
    }
}

/// The password in a URL.
fn password<'a>(url: &Url<'a>) -> Option<&'a [u8]> {
    let userinfo = url.userinfo?;
    userinfo.get(memchr::memchr(b':', userinfo)? + 1..)
}

/// What stands before and behind the first place where `inner` occurs in `outer`.
fn around<'a>(outer: &'a [u8], inner: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    // The colon before it and the at sign behind it make the place certain.
    let marked = [b":", inner, b"@"].concat();
    let at = memchr::memmem::find(outer, &marked)? + 1;
    Some((outer.get(..at)?, outer.get(at + inner.len()..)?))
}

fn timing(request: Option<&Message>, response: Option<&Message>) -> Timing {
    let time = |m: Option<&Message>, of: fn(&Message) -> Timestamp| m.map(|m| Time(of(m)));
    Timing {
        request_start: time(request, |m| m.start),
        request_end: time(request, |m| m.end),
        response_start: time(response, |m| m.start),
        response_end: time(response, |m| m.end),
    }
}

fn completeness<'a>(t: &Transaction<'a>) -> Completeness<'a> {
    let sides = [(t.request(), "http.request.body"), (t.response(), "http.response.body")];
    let name = |m: Option<&Message>| m.map_or("missing", |m| m.completeness.name());
    let gaps = sides.iter().flat_map(|(message, location)| {
        let gaps = message.map(|m| m.body.gaps.as_slice()).unwrap_or_default();
        gaps.iter().map(|gap| Gap { location, offset: gap.offset, bytes: gap.len })
    });
    Completeness {
        request: name(t.request()),
        response: name(t.response()),
        pairing: t.exchange.pairing.name(),
        head_cut: sides.iter().any(|(m, _)| m.is_some_and(|m| m.head_cut)),
        gaps: gaps.collect(),
    }
}

fn tunnel(encap: &Encap) -> Option<Tunnel> {
    let end = |ip: Ip, port: u16| OuterEnd {
        ip: Address(IpText::new(ip)),
        port: Some(port).filter(|port| *port != 0),
    };
    let outer = &encap.outer;
    Some(Tunnel {
        kind: tunnel_name(encap.kind?),
        depth: encap.depth,
        vni: encap.vni,
        outer: Outer { source: end(outer.src, outer.sport), destination: end(outer.dst, outer.dport) },
        geneve: encap.geneve.as_ref().map(geneve),
    })
}

const fn tunnel_name(kind: TunnelKind) -> &'static str {
    match kind {
        TunnelKind::Vxlan => "vxlan",
        TunnelKind::VxlanGpe => "vxlan_gpe",
        TunnelKind::Geneve => "geneve",
        TunnelKind::Gre => "gre",
        TunnelKind::L2Gre => "l2gre",
        TunnelKind::Nvgre => "nvgre",
        TunnelKind::Erspan => "erspan",
        TunnelKind::IpIp => "ipip",
    }
}

fn geneve(options: &GeneveOptions) -> Geneve {
    let long = |id: Option<u64>| id.map(|id| format!("{id:016x}"));
    let short = |id: Option<u32>| id.map(|id| format!("{id:08x}"));
    Geneve {
        aws_endpoint_eni: long(options.aws_endpoint_eni),
        aws_attachment: long(options.aws_attachment),
        aws_flow_cookie: short(options.aws_flow_cookie),
        gcp_network: short(options.gcp_network),
        gcp_endpoint: options.gcp_endpoint.map(|id| format!("{:032x}", u128::from_be_bytes(id))),
        gcp_profile: long(options.gcp_profile),
    }
}

fn desync(request: Option<&Message>, response: Option<&Message>) -> Vec<&'static str> {
    let mut names = Vec::new();
    for name in [request, response].into_iter().flatten().flat_map(|m| m.desync.names()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Most secrets that are listed; all are masked.
const MAX_MASKED: usize = 32;

fn masked<'a>(
    request: Option<&'a Message>,
    response: Option<&'a Message>,
    url: Option<&Url<'a>>,
    options: &Options,
) -> Vec<Masked<'a>> {
    let url = url.filter(|url| !options.show_secrets && password(url).is_some());
    let url = url.map(|_| Masked {
        kind: Secret::UrlPassword,
        location: "url.original",
        name: None,
        method: "replace",
    });
    let lists =
        [(request, REQUEST_HEADERS, REQUEST_TRAILERS), (response, RESPONSE_HEADERS, RESPONSE_TRAILERS)];
    let fields = lists.into_iter().flat_map(|(message, headers, trailers)| {
        let headers = message.and_then(|m| Fields::headers(m, options.show_secrets)).map(|f| (f, headers));
        let trailers = message.and_then(|m| Fields::trailers(m, options.show_secrets)).map(|f| (f, trailers));
        [headers, trailers]
    });
    let fields = fields.flatten().flat_map(|(fields, location)| {
        fields.masked().map(move |(name, kind)| Masked {
            kind,
            location,
            name: Some(Text(name)),
            method: "replace",
        })
    });
    url.into_iter().chain(fields).take(MAX_MASKED).collect()
}
