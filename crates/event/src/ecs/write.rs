//! From a transaction to the event, in one pass. What the members mean is said in [`super::model`].
use super::json::Json;
use super::{SCHEMA_VERSION, VniNames, api, message, target};
use crate::client::Client;
use crate::fingerprint::Fingerprints;
use crate::flow::{Endpoint, IpText};
use crate::masking::Masking;
use crate::transaction::Transaction;
use crate::url::Url;
use harken_api::Api;
use harken_http::websocket::{Dir, Spoken, WebSocket};
use harken_http::{Desync, Exchange, Known, Message, Seen, Version};
use harken_wire::{Encap, GeneveOptions, Ip, TunnelKind};

/// Most kinds and places that are listed as masked; all are masked.
const MAX_LISTED: usize = 32;

/// Bytes of an event without heads and bodies, roughly.
const FRAME: usize = 2048;

/// Appends the event of `t`. `scratch` is room for a decoded user name.
pub(super) fn event(
    t: &Transaction<'_>,
    scratch: &mut Vec<u8>,
    fingerprints: &mut Fingerprints,
    names: &VniNames,
    out: &mut Vec<u8>,
) {
    let (request, response) = (t.request(), t.response());
    let last = |which| request.and_then(|r| r.every(which).last());
    let url = request.map(|r| Url::of(r.method(), r.target(), last(Known::Host)));
    let messages = [request, response].into_iter().flatten();
    out.reserve(messages.map(|m| m.head.len() * 2 + m.body.kept.len() * 5 / 4).sum::<usize>() + FRAME);

    let mut json = Json(out);
    meta(&mut json, t);
    let client = t.client();
    network(&mut json, t, client.as_ref());
    names.cloud(t.flow.encap.vni, json.0);
    json.raw(br#","http":{"version":""#);
    version(&mut json, request.or(response).and_then(|m| m.version));
    json.raw(b"\"");
    if let Some(request) = request {
        message::request(&mut json, request, last(Known::Referer));
    }
    message::response(&mut json, response, t.exchange.informational.as_ref());
    json.raw(b"}");
    if let (Some(request), Some(url)) = (request, &url) {
        target::write(&mut json, request.target(), url);
    }
    if let Some(agent) = last(Known::UserAgent) {
        json.raw(br#","user_agent":{"original":""#).text(agent).raw(br#""}"#);
    }
    if let Some(name) = t.user_name(scratch) {
        json.raw(br#","user":{"name":""#).text(name).raw(br#""}"#);
    }
    let api = t.api();
    if let Some(api) = &api {
        api::standard(&mut json, api);
    }
    own(&mut json, t, client.as_ref(), api.as_ref(), fingerprints, names);
    json.raw(b"}\n");
}

fn meta(json: &mut Json<'_>, t: &Transaction<'_>) {
    let start = t.ts();
    let outcome: &[u8] = match t.response().map(|r| r.status) {
        None | Some(0) => b"unknown",
        Some(..400) => b"success",
        Some(_) => b"failure",
    };
    json.raw(br#"{"@timestamp":""#).time(start);
    json.raw(br#"","ecs":{"version":"8.17.0"},"event":{"id":""#).raw(t.id().as_str().as_bytes());
    json.raw(br#"","kind":"event","category":["network","web"],"type":["access"],"dataset":"harken."#);
    json.raw(match t.exchange {
        Exchange { websocket: Some(_), .. } => b"websocket\"".as_slice(),
        Exchange { spoken: Some(_), .. } => b"websocket_message\"",
        _ => b"http\"",
    });
    json.raw(br#","duration":"#).number(t.end().since(start));
    json.raw(br#","outcome":""#).raw(outcome);
}

fn network(json: &mut Json<'_>, t: &Transaction<'_>, client: Option<&Client>) {
    let flow = t.flow;
    json.raw(br#""},"network":{"transport":"tcp","protocol":"http","type":""#);
    json.raw(if flow.client.ip.is_v4() { b"ipv4" } else { b"ipv6" });
    json.raw(br#"","community_id":""#).raw(flow.community_id().as_str().as_bytes()).raw(b"\"");
    if let Some(id) = flow.encap.vlan {
        json.raw(br#","vlan":{"id":""#).number(id).raw(br#""}"#);
    }
    if let Some(id) = flow.encap.inner_vlan {
        json.raw(br#","inner":{"vlan":{"id":""#).number(id).raw(br#""}}"#);
    }
    json.raw(br#"},"client":"#);
    match client {
        Some(client) => {
            named_client(json, client, t.request());
            json.raw(br#","source":"#);
            peer(json, &flow.client, t.request());
        }
        None => {
            let client = peer(json, &flow.client, t.request());
            json.raw(br#","source":"#).0.extend_from_within(client);
        }
    }
    json.raw(br#","server":"#);
    let server = peer(json, &flow.server, t.response());
    json.raw(br#","destination":"#).0.extend_from_within(server);
}

/// Appends a client that is not the peer of the connection.
fn named_client(json: &mut Json<'_>, client: &Client, sent: Option<&Message>) {
    json.raw(br#"{"ip":""#).raw(IpText::new(client.ip).as_bytes());
    if let Some(port) = client.port {
        json.raw(br#"","port":"#).number(port).raw(br#","bytes":"#);
    } else {
        json.raw(br#"","bytes":"#);
    }
    json.number(sent.map_or(0, message::size)).raw(b"}");
}

/// Appends one side of the connection, and says where it stands.
fn peer(json: &mut Json<'_>, end: &Endpoint, sent: Option<&Message>) -> std::ops::Range<usize> {
    let start = json.0.len();
    json.raw(br#"{"ip":""#).raw(IpText::new(end.ip).as_bytes()).raw(br#"","port":"#).number(end.port);
    json.raw(br#","bytes":"#).number(sent.map_or(0, message::size)).raw(b"}");
    start..json.0.len()
}

fn version(json: &mut Json<'_>, version: Option<Version>) {
    match version.map(|v| (v.major, v.minor)) {
        None => json.raw(b"0.9"),
        Some((1, 1)) => json.raw(b"1.1"),
        Some((major, minor)) => json.number(major).raw(b".").number(minor),
    };
}

/// What Elastic Common Schema has no names for.
fn own(
    json: &mut Json<'_>,
    t: &Transaction<'_>,
    client: Option<&Client>,
    api: Option<&Api>,
    fingerprints: &mut Fingerprints,
    names: &VniNames,
) {
    json.raw(br#","harken":{"schema_version":""#).raw(SCHEMA_VERSION.as_bytes());
    json.raw(br#"","uid":""#).raw(t.flow.uid.as_bytes());
    json.raw(br#"","depth":"#).number(t.exchange.depth);
    if t.exchange.in_progress {
        json.raw(br#","in_progress":true"#);
    }
    if let Some(client) = client {
        json.raw(br#","client":{"named_by":""#).raw(client.named.name().as_bytes()).raw(br#""}"#);
    }
    if let Some(request) = t.request() {
        json.raw(br#","fingerprint":{"http":""#);
        fingerprints.client(request, json.0);
        if let Some(client) = &request.client {
            json.raw(br#"","http2":""#).text(client.as_bytes());
        }
        json.raw(br#""}"#);
    }
    timing(json, t);
    completeness(json, t.exchange);
    if let Some(api) = api {
        api::own(json, api);
    }
    messages(json, t);
    if let Some(websocket) = &t.exchange.websocket {
        self::websocket(json, websocket);
    }
    if let Some(spoken) = &t.exchange.spoken {
        self::spoken(json, spoken);
    }
    tunnel(json, &t.flow.encap, names);
    desync(json, t.exchange);
    if let Some(masking) = t.masking {
        masked(json, masking);
    }
    json.raw(b"}");
}

/// The messages that the bodies consist of.
fn messages(json: &mut Json<'_>, t: &Transaction<'_>) {
    let sides = [(t.request(), b"request".as_slice()), (t.response(), b"response")]
        .map(|(message, side)| (message.and_then(|message| message.body.units.as_deref()), side));
    if sides.iter().all(|(units, _)| units.is_none()) {
        return;
    }
    json.raw(br#","messages":{"#);
    for (units, side) in sides {
        let Some(units) = units else { continue };
        json.raw(b"\"").raw(side).raw(br#"":{"count":"#).number(units.count);
        json.raw(br#","bytes":"#).number(units.bytes).raw(br#","largest":"#).number(units.largest);
        if units.compressed > 0 {
            json.raw(br#","compressed":"#).number(units.compressed);
        }
        if let Some((first, last)) = units.times {
            json.raw(br#","first_ns":"#).offset(t.ts(), first);
            json.raw(br#","last_ns":"#).offset(t.ts(), last);
        }
        if units.is_partial {
            json.raw(br#","partial":true"#);
        }
        json.raw(b"},");
    }
    json.close(b'}');
}

/// What a WebSocket connection was used for.
fn websocket(json: &mut Json<'_>, websocket: &WebSocket) {
    json.raw(br#","websocket":{"#);
    for (side, counts) in [(b"client".as_slice(), &websocket.client), (b"server", &websocket.server)] {
        json.raw(b"\"").raw(side).raw(br#"":{"frames":"#).number(counts.frames);
        json.raw(br#","texts":"#).number(counts.texts).raw(br#","binaries":"#).number(counts.binaries);
        json.raw(br#","bytes":"#).number(counts.bytes).raw(br#","largest":"#).number(counts.largest);
        for (name, count) in [
            (br#","compressed":"#.as_slice(), counts.compressed),
            (br#","pings":"#, counts.pings),
            (br#","pongs":"#, counts.pongs),
        ] {
            if count > 0 {
                json.raw(name).number(count);
            }
        }
        if counts.is_partial {
            json.raw(br#","partial":true"#);
        }
        json.raw(b"},");
    }
    if let Some(close) = &websocket.close {
        json.raw(br#""close":{"by":""#).raw(side(close.by)).raw(b"\"");
        if let Some(code) = close.code {
            json.raw(br#","code":"#).number(code);
        }
        if !close.reason.is_empty() {
            json.raw(br#","reason":""#).text(close.reason.as_bytes()).raw(b"\"");
        }
        json.raw(b"},");
    }
    json.close(b'}');
}

/// The name of one side of a connection.
const fn side(dir: Dir) -> &'static [u8] {
    match dir {
        Dir::Orig => b"client",
        Dir::Resp => b"server",
    }
}

/// A message of a WebSocket connection.
fn spoken(json: &mut Json<'_>, spoken: &Spoken) {
    json.raw(br#","websocket_message":{"by":""#).raw(side(spoken.by));
    json.raw(br#"","type":""#).raw(if spoken.is_text { b"text" } else { b"binary" });
    json.raw(br#"","ordinal":"#).number(spoken.ordinal);
    if spoken.is_compressed {
        json.raw(br#","compressed":true"#);
    }
    json.raw(b"}");
}

/// What was masked, without the values.
fn masked(json: &mut Json<'_>, masking: &Masking) {
    let mut entries = masking.entries().take(MAX_LISTED).peekable();
    if entries.peek().is_none() {
        return;
    }
    json.raw(br#","masked":["#);
    for (path, entry) in entries {
        json.raw(br#"{"kind":""#).raw(entry.kind.name().as_bytes());
        json.raw(br#"","location":""#).raw(path.as_bytes());
        if !entry.name.is_empty() {
            json.raw(br#"","name":""#).text(entry.name.as_bytes());
        }
        json.raw(br#"","method":""#).raw(entry.method.name().as_bytes());
        json.raw(br#"","count":"#).number(entry.count).raw(b"},");
    }
    json.close(b']');
}

/// When the parts of the messages were captured: nanoseconds from the time of the transaction, which is the start
/// of the request.
fn timing(json: &mut Json<'_>, t: &Transaction<'_>) {
    let start = t.ts();
    json.raw(br#","timing":{"#);
    if let Some(request) = t.request() {
        json.raw(br#""request_end_ns":"#).offset(start, request.end).raw(b",");
    }
    if let Some(response) = t.response() {
        json.raw(br#""response_start_ns":"#).offset(start, response.start);
        json.raw(br#","response_end_ns":"#).offset(start, response.end).raw(b",");
    }
    json.close(b'}');
}

fn completeness(json: &mut Json<'_>, exchange: &Exchange) {
    let sides =
        [(exchange.request.as_deref(), b"request".as_slice()), (exchange.response.as_deref(), b"response")];
    let [request, response] = sides.map(|(m, _)| Seen::of(m).name().as_bytes());
    json.raw(br#","completeness":{"request":""#).raw(request);
    json.raw(br#"","response":""#).raw(response);
    json.raw(br#"","pairing":""#).raw(exchange.pairing.name().as_bytes()).raw(b"\"");
    for (message, side) in sides {
        if let Some(why) = message.and_then(|message| message.why) {
            json.raw(b",\"").raw(side).raw(br#"_reason":""#).raw(why.name().as_bytes()).raw(b"\"");
        }
    }
    if sides.iter().any(|(m, _)| m.is_some_and(|m| m.head_cut)) {
        json.raw(br#","head_cut":true"#);
    }
    if sides.iter().any(|(m, _)| m.is_some_and(|m| m.unknown > 0)) {
        json.raw(br#","headers":"partial","unknown_headers":["#);
        for (message, location) in sides {
            let Some(message) = message.filter(|m| m.unknown > 0) else { continue };
            json.raw(br#"{"location":"http."#).raw(location);
            json.raw(br#"","fields":"#).number(message.unknown).raw(br#","names":["#);
            for name in message.unknown_names() {
                json.raw(b"\"").raw(name.as_bytes()).raw(b"\",");
            }
            json.close(b']');
            json.raw(b"},");
        }
        json.close(b']');
    }
    if sides.iter().any(|(m, _)| m.is_some_and(|m| !m.body.gaps.is_empty())) {
        json.raw(br#","gaps":["#);
        for (message, location) in sides {
            for gap in message.map(|m| m.body.gaps.as_slice()).unwrap_or_default() {
                json.raw(br#"{"location":"http."#).raw(location);
                json.raw(br#".body","offset":"#).number(gap.offset);
                json.raw(br#","bytes":"#).number(gap.len).raw(b"},");
            }
        }
        json.close(b']');
    }
    json.raw(b"}");
}

fn tunnel(json: &mut Json<'_>, encap: &Encap, names: &VniNames) {
    let Some(kind) = encap.kind else { return };
    json.raw(br#","tunnel":{"type":""#).raw(tunnel_name(kind).as_bytes());
    json.raw(br#"","depth":"#).number(encap.depth);
    if let Some(vni) = encap.vni {
        json.raw(br#","vni":"#).number(vni);
        names.tunnel(encap.vni, json.0);
    }
    let outer = &encap.outer;
    json.raw(br#","outer":{"source":"#);
    outer_end(json, outer.src, outer.sport);
    json.raw(br#","destination":"#);
    outer_end(json, outer.dst, outer.dport);
    json.raw(b"}");
    if let Some(options) = &encap.geneve {
        geneve(json, options);
    }
    json.raw(b"}");
}

fn outer_end(json: &mut Json<'_>, ip: Ip, port: u16) {
    json.raw(br#"{"ip":""#).raw(IpText::new(ip).as_bytes()).raw(b"\"");
    if port != 0 {
        json.raw(br#","port":"#).number(port);
    }
    json.raw(b"}");
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

fn geneve(json: &mut Json<'_>, options: &GeneveOptions) {
    json.raw(br#","geneve":{"#);
    let mut id = |key: &[u8], value: Option<&[u8]>| {
        if let Some(value) = value {
            json.raw(b"\"").raw(key).raw(br#"":""#).hex(value).raw(br#"","#);
        }
    };
    id(b"aws_endpoint_eni", options.aws_endpoint_eni.map(u64::to_be_bytes).as_ref().map(<[_; 8]>::as_slice));
    id(b"aws_attachment", options.aws_attachment.map(u64::to_be_bytes).as_ref().map(<[_; 8]>::as_slice));
    id(b"aws_flow_cookie", options.aws_flow_cookie.map(u32::to_be_bytes).as_ref().map(<[_; 4]>::as_slice));
    id(b"gcp_network", options.gcp_network.map(u32::to_be_bytes).as_ref().map(<[_; 4]>::as_slice));
    id(b"gcp_endpoint", options.gcp_endpoint.as_ref().map(<[_; 16]>::as_slice));
    id(b"gcp_profile", options.gcp_profile.map(u64::to_be_bytes).as_ref().map(<[_; 8]>::as_slice));
    json.close(b'}');
}

fn desync(json: &mut Json<'_>, exchange: &Exchange) {
    let both = [&exchange.request, &exchange.response].into_iter().flatten();
    let set = Desync(both.fold(0, |set, message| set | message.desync.0));
    if set.0 != 0 {
        json.raw(br#","desync":["#);
        for name in set.names() {
            json.raw(b"\"").raw(name.as_bytes()).raw(br#"","#);
        }
        json.close(b']');
    }
}
