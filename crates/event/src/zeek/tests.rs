//! Lines of hand-built records, byte for byte, and what holds for every line.
use super::http::HttpLog;
use super::*;
use crate::ecs::Writer;
use crate::testing::{T0, exchange, flow, message, typical};
use crate::transaction::Transaction;
use crate::uid::Uid;
use harken_http::{Completeness, Desync, Exchange, Informational, Message, Pairing, Version};
use harken_wire::{Encap, Ip, Outer, TunnelKind};
use proptest::prelude::*;

fn http_line(form: Form, exchange: &Exchange) -> String {
    let flow = flow(form, Encap::default());
    let mut out = Vec::new();
    let transaction = Transaction { flow: &flow, exchange, masking: None, trust: crate::Trust::private() };
    HttpLog::new(form).write(&transaction, &mut out);
    let line = String::from_utf8(out).unwrap();
    if is_kept_whole(exchange) {
        let mut event = Vec::new();
        Writer::default().write(&transaction, &mut event);
        let mut again = Vec::new();
        of_event::http(&serde_json::from_slice(&event).unwrap(), transaction.ts(), form, &mut again);
        assert_eq!(String::from_utf8(again).unwrap(), line);
    }
    line.replace(flow.uid.as_str(), "UID")
}

/// Whether the event keeps what the log says of it.
fn is_kept_whole(exchange: &Exchange) -> bool {
    let (request, response) = (exchange.request.as_deref(), exchange.response.as_deref());
    let is_text = |message: &&Message| std::str::from_utf8(&message.head).is_ok();
    let versions =
        request.is_none_or(|request| response.is_none_or(|response| request.version == response.version));
    let reason = response.is_none_or(|response| response.version.is_none() || response.has_reason());
    versions && reason && [request, response].iter().flatten().all(is_text)
}

/// The events of the captures, and their logs, which were held against those of Zeek.
#[test]
#[allow(clippy::disallowed_methods, reason = "a test may read files")]
fn lines_of_events_are_those_of_the_captures() {
    let captures = concat!(env!("CARGO_MANIFEST_DIR"), "/../../captures");
    let mut lines = 0;
    for folder in std::fs::read_dir(captures).unwrap().map(|entry| entry.unwrap().path()) {
        let Ok(events) = std::fs::read_to_string(folder.join("events.json")) else { continue };
        let log = std::fs::read_to_string(folder.join("http.log")).unwrap();
        // A WebSocket connection that is over is told of in events alone.
        let events: Vec<_> = events.lines().filter(|event| !event.contains("harken.websocket")).collect();
        assert_eq!(events.len(), log.lines().count());
        for (event, line) in events.into_iter().zip(log.lines()) {
            let want: serde_json::Value = serde_json::from_str(line).unwrap();
            let ts = Timestamp((want["ts"].as_f64().unwrap() * 1e9) as u64);
            let mut out = Vec::new();
            of_event::http(&serde_json::from_str(event).unwrap(), ts, Form::Json, &mut out);
            let mut got: serde_json::Value = serde_json::from_slice(&out).unwrap();
            got["ts"] = want["ts"].clone();
            assert_eq!(got, want, "{}", folder.display());
            lines += 1;
        }
    }
    assert!(lines > 50, "{lines}");
}

fn check_http(exchange: &Exchange, json: &str, tsv: &str) {
    assert_eq!(http_line(Form::Json, exchange), format!("{json}\n"));
    assert_eq!(http_line(Form::Tsv, exchange), format!("{tsv}\n"));
}

#[test]
fn a_usual_transaction() {
    check_http(
        &typical(),
        r#"{"ts":1795523778.25,"uid":"UID","id.orig_h":"10.0.0.1","id.orig_p":50000,"id.resp_h":"192.0.2.80","id.resp_p":8080,"trans_depth":1,"method":"GET","host":"shop.example.com","uri":"/api/v1/orders/4711?expand=items","referrer":"https://shop.example.com/orders","version":"1.1","user_agent":"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0","request_body_len":0,"response_body_len":27,"status_code":200,"status_msg":"OK","tags":[],"resp_mime_types":["application/json"]}"#,
        "1795523778.250000\tUID\t10.0.0.1\t50000\t192.0.2.80\t8080\t1\tGET\tshop.example.com\t/api/v1/orders/4711?expand=items\thttps://shop.example.com/orders\t1.1\tMozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\t-\t0\t27\t200\tOK\t-\t-\t(empty)\t-\t-\t-\t-\t-\t-\t-\t-\tapplication/json",
    );
}

#[test]
fn everything_that_a_request_can_say() {
    let mut request = message(
        b"POST /a%20b\\?x=%ff HTTP/1.0\r\nHost: first\r\nHOST: -\r\nOrigin: null\r\nUser-Agent: a\tb\r\n\
          Via: 1.1 p, q\r\nX-Forwarded-For: 1.2.3.4\r\nvia: 1.1 p, q\r\nAuthorization: Basic dGVzdDpwYXNz\r\n\
          Content-Disposition: form-data; filename=\"x,y.txt\"\r\n\r\n",
        b"hello",
    );
    request.body.sniffed = Some("text/plain");
    check_http(
        &Exchange { pairing: Pairing::NoResponse, ..exchange(Some(request), None) },
        r#"{"ts":1795523778.25,"uid":"UID","id.orig_h":"10.0.0.1","id.orig_p":50000,"id.resp_h":"192.0.2.80","id.resp_p":8080,"trans_depth":1,"method":"POST","host":"-","uri":"/a b\\?x=\\xff","user_agent":"a\tb","origin":"null","request_body_len":5,"response_body_len":0,"tags":["harken::NO_RESPONSE"],"username":"test","proxied":["VIA -> 1.1 p, q","X-FORWARDED-FOR -> 1.2.3.4"],"orig_filenames":["x,y.txt"],"orig_mime_types":["text/plain"]}"#,
        "1795523778.250000\tUID\t10.0.0.1\t50000\t192.0.2.80\t8080\t1\tPOST\t\\x2d\t/a b\\\\?x=\\xff\t-\t-\ta\\x09b\tnull\t5\t0\t-\t-\t-\t-\tharken::NO_RESPONSE\ttest\t-\tVIA -> 1.1 p\\x2c q,X-FORWARDED-FOR -> 1.2.3.4\t-\tx\\x2cy.txt\ttext/plain\t-\t-\t-",
    );
}

#[test]
fn what_is_missing_is_said() {
    let mut response = message(b"HTTP/1.1 200 \r\n\r\n", b"");
    response.completeness = Completeness::Gap;
    response.head_cut = true;
    response.body.decode_failed = true;
    response.desync = Desync(Desync::NUL);
    check_http(
        &Exchange { depth: 7, pairing: Pairing::RequestLost, ..exchange(None, Some(response)) },
        r#"{"ts":1795523778.25,"uid":"UID","id.orig_h":"10.0.0.1","id.orig_p":50000,"id.resp_h":"192.0.2.80","id.resp_p":8080,"trans_depth":7,"version":"1.1","request_body_len":0,"response_body_len":0,"status_code":200,"status_msg":"","tags":["harken::REQUEST_LOST","harken::RESPONSE_GAP","harken::HEAD_CUT","harken::DECODE_FAILED","harken::DESYNC"]}"#,
        "1795523778.250000\tUID\t10.0.0.1\t50000\t192.0.2.80\t8080\t7\t-\t-\t-\t-\t1.1\t-\t-\t0\t0\t200\t(empty)\t-\t-\tharken::REQUEST_LOST,harken::RESPONSE_GAP,harken::HEAD_CUT,harken::DECODE_FAILED,harken::DESYNC\t-\t-\t-\t-\t-\t-\t-\t-\t-",
    );
}

fn has(exchange: &Exchange, want: &[&str]) {
    let line = http_line(Form::Json, exchange);
    for part in want {
        assert!(line.contains(part), "{part} in {line}");
    }
}

#[test]
fn versions_and_interim_responses() {
    let request = || message(b"GET /x HTTP/1.1\r\n\r\n", b"");
    let interim = || Some(Informational { status: 100, reason: b"Continue".to_vec() });
    let interim_only = Exchange { informational: interim(), ..exchange(Some(request()), None) };
    has(
        &interim_only,
        &[r#""version":"1.1""#, r#""status_code":100,"status_msg":"Continue","info_code":100"#],
    );
    let both = exchange(Some(request()), Some(message(b"HTTP/1.0 201 Created\r\n\r\n", b"")));
    let both = Exchange { informational: interim(), ..both };
    has(
        &both,
        &[
            r#""version":"1.0""#,
            r#""status_code":201,"status_msg":"Created","info_code":100,"info_msg":"Continue""#,
        ],
    );
    let switching =
        exchange(Some(request()), Some(message(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", b"")));
    has(
        &switching,
        &[r#""status_code":101,"status_msg":"Switching Protocols","info_code":101,"info_msg":"Sw"#],
    );
    let mut bare = message(b"HTTP/0.9 000 \r\n\r\n", b"text");
    (bare.status, bare.version, bare.third) = (0, None, harken_http::Span::default());
    has(
        &exchange(Some(request()), Some(bare)),
        &[r#""version":"0.9""#, r#""status_code":0,"status_msg":"<empty>""#],
    );
    let mut odd = message(b"HTTP/1.1 200 OK\r\n\r\n", b"");
    odd.version = Some(Version { major: 2, minor: 255 });
    has(&exchange(Some(request()), Some(odd)), &[r#""version":"2.255""#]);
}

#[test]
fn a_prefix_of_the_other_form_is_not_used() {
    let (json, tsv) = (flow(Form::Json, Encap::default()), flow(Form::Tsv, Encap::default()));
    let exchange = typical();
    for form in [Form::Json, Form::Tsv] {
        let lines = [&json, &tsv].map(|flow| {
            let mut out = Vec::new();
            HttpLog::new(form).write(
                &Transaction { flow, exchange: &exchange, masking: None, trust: crate::Trust::private() },
                &mut out,
            );
            out
        });
        assert_eq!(lines[0], lines[1]);
    }
}

#[test]
fn headers_are_what_zeek_cut_reads() {
    let mut out = Vec::new();
    WEIRD.header(&mut out, Form::Tsv, T0);
    WEIRD.footer(&mut out, Form::Tsv, T0);
    let want = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tweird\n\
        #open\t2026-11-24-12-36-18\n\
        #fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tname\taddl\tnotice\tpeer\tsource\n\
        #types\ttime\tstring\taddr\tport\taddr\tport\tstring\tstring\tbool\tstring\tstring\n\
        #close\t2026-11-24-12-36-18\n";
    assert_eq!(String::from_utf8(out).unwrap(), want);
    let mut out = Vec::new();
    HTTP.header(&mut out, Form::Json, T0);
    HTTP.footer(&mut out, Form::Json, T0);
    assert_eq!(out, b"");
}

fn vxlan() -> Encap {
    let outer =
        Outer { src: Ip::v4([172, 16, 0, 1]), dst: Ip::v4([172, 16, 0, 2]), sport: 40000, dport: 4789 };
    Encap { depth: 1, kind: Some(TunnelKind::Vxlan), vni: Some(42), outer, ..Encap::default() }
}

#[test]
fn other_logs() {
    let sent = conn::Sent { bytes: 135, packets: 7, ip_bytes: 507 };
    let info = flow(Form::Json, vxlan());
    let record = conn::Conn {
        flow: &info,
        service: Some("http"),
        duration: 139_277_935,
        orig: sent,
        resp: conn::Sent::default(),
        state: "SF",
        missed_bytes: 0,
        history: b"ShADadFf",
        other_encap: None,
    };
    let (uid, tunnel) = (info.uid.as_str(), Uid::tunnel(&vxlan()).unwrap());
    let line = |form| {
        let mut out = Vec::new();
        record.write(form, &mut out);
        String::from_utf8(out).unwrap().replace(uid, "UID").replace(tunnel.as_str(), "TUN")
    };
    assert_eq!(
        line(Form::Json),
        concat!(
            r#"{"ts":1795523778.25,"uid":"UID","id.orig_h":"10.0.0.1","id.orig_p":50000,"id.resp_h":"192.0.2.80","#,
            r#""id.resp_p":8080,"proto":"tcp","service":"http","duration":0.139278,"orig_bytes":135,"#,
            r#""resp_bytes":0,"conn_state":"SF","local_orig":true,"local_resp":true,"missed_bytes":0,"#,
            r#""history":"ShADadFf","orig_pkts":7,"orig_ip_bytes":507,"resp_pkts":0,"resp_ip_bytes":0,"#,
            r#""tunnel_parents":["TUN"],"ip_proto":6}"#,
            "\n"
        )
    );
    assert_eq!(
        line(Form::Tsv),
        "1795523778.250000\tUID\t10.0.0.1\t50000\t192.0.2.80\t8080\ttcp\thttp\t0.139278\t135\t0\tSF\tT\tT\t0\t\
         ShADadFf\t7\t507\t0\t0\tTUN\t6\n"
    );
    let mut out = Vec::new();
    let weird = weird::Weird {
        ts: T0,
        flow: None,
        name: "truncated_header",
        addl: None,
        peer: "harken",
        source: Some("IP"),
    };
    weird.write(Form::Json, &mut out);
    weird.write(Form::Tsv, &mut out);
    let names = crate::VniNames::default();
    names.set(r#"{"vnis": {"42": {"name": "shop"}}}"#).unwrap();
    tunnel::write(T0, &vxlan(), tunnel::Action::Discover, &names, Form::Json, &mut out);
    tunnel::write(T0, &vxlan(), tunnel::Action::Close, &crate::VniNames::default(), Form::Tsv, &mut out);
    tunnel::write(T0, &Encap::default(), tunnel::Action::Discover, &names, Form::Json, &mut out);
    assert_eq!(
        String::from_utf8(out).unwrap().replace(tunnel.as_str(), "TUN"),
        concat!(
            r#"{"ts":1795523778.25,"name":"truncated_header","notice":false,"peer":"harken","source":"IP"}"#,
            "\n1795523778.250000\t-\t-\t-\t-\t-\ttruncated_header\t-\tF\tharken\tIP\n",
            r#"{"ts":1795523778.25,"uid":"TUN","id.orig_h":"172.16.0.1","id.orig_p":40000,"#,
            r#""id.resp_h":"172.16.0.2","id.resp_p":4789,"tunnel_type":"Tunnel::VXLAN","#,
            r#""action":"Tunnel::DISCOVER","vni":42,"vni_name":"shop"}"#,
            "\n1795523778.250000\tTUN\t172.16.0.1\t40000\t172.16.0.2\t4789\tTunnel::VXLAN\tTunnel::CLOSE\t42\t-\n",
        )
    );
}

/// Undoes Zeek's escapes.
fn unescape(text: &str) -> Vec<u8> {
    let (mut out, bytes, mut i) = (Vec::new(), text.as_bytes(), 0);
    while i < bytes.len() {
        match bytes[i..] {
            [b'\\', b'x', a, b, ..] => {
                out.push(u8::from_str_radix(std::str::from_utf8(&[a, b]).unwrap(), 16).unwrap());
                i += 4;
            }
            [b'\\', b'\\', ..] => {
                out.push(b'\\');
                i += 2;
            }
            _ => {
                out.push(bytes[i]);
                i += 1;
            }
        }
    }
    out
}

proptest! {
    #[test]
    fn every_line_keeps_its_columns(
        uri in "[^%\\\\\r\n :]{0,40}",
        agent in proptest::collection::vec(prop_oneof![1u8..10, 14u8..0x5c, 0x5d..=255u8], 0..40),
        via in proptest::collection::vec(14u8..=255, 0..20),
    ) {
        let head = [
            b"GET /".as_slice(), uri.as_bytes(), b" HTTP/1.1\r\nUser-Agent: x", &agent, b"x\r\nVia: ", &via, b"\r\n\r\n",
        ].concat();
        let exchange = exchange(Some(message(&head, b"")), None);
        let json: serde_json::Value = serde_json::from_str(&http_line(Form::Json, &exchange)).unwrap();
        let tsv = http_line(Form::Tsv, &exchange);
        let tsv: Vec<&str> = tsv.strip_suffix('\n').unwrap().split('\t').collect();
        prop_assert_eq!(tsv.len(), HTTP.columns.len());
        let agent = [b"x".as_slice(), &agent, b"x"].concat();
        prop_assert_eq!(unescape(json["user_agent"].as_str().unwrap()), agent.clone());
        prop_assert_eq!(unescape(tsv[12]), agent);
        let uri = ["/", &uri].concat().into_bytes();
        prop_assert_eq!(unescape(json["uri"].as_str().unwrap()), uri.clone());
        prop_assert_eq!(unescape(tsv[9]), uri);
    }

    #[test]
    fn json_names_follow_the_table(bits in 0u8..8) {
        let mut exchange = typical();
        if bits & 1 != 0 { exchange.request = None; }
        if bits & 2 != 0 { exchange.response = None; }
        if bits & 4 != 0 { exchange.informational = Some(Informational { status: 100, reason: Vec::new() }); }
        let line = http_line(Form::Json, &exchange);
        let mut at = 0;
        for column in HTTP.columns {
            if let Some(found) = line.find(&format!("\"{}\":", column.name)) {
                prop_assert!(found >= at, "{} out of order", column.name);
                at = found;
            }
        }
        let json: serde_json::Value = serde_json::from_str(&line).unwrap();
        for name in json.as_object().unwrap().keys() {
            prop_assert!(HTTP.columns.iter().any(|c| c.name == name), "{name}");
        }
    }
}

/// Run with `cargo test --release -p harken-event -- --ignored --nocapture speed`.
#[test]
#[ignore = "a measurement"]
#[allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a measurement needs a clock")]
fn speed_of_http_log() {
    let exchange = typical();
    for form in [Form::Json, Form::Tsv] {
        let flow = flow(form, Encap::default());
        let (mut log, mut out, rounds) = (HttpLog::new(form), Vec::new(), 2_000_000u32);
        let start = std::time::Instant::now();
        for _ in 0..rounds {
            out.clear();
            log.write(
                std::hint::black_box(&Transaction {
                    flow: &flow,
                    exchange: &exchange,
                    masking: None,
                    trust: crate::Trust::private(),
                }),
                &mut out,
            );
        }
        println!("{form:?}: {:?} for {} bytes", start.elapsed() / rounds, out.len());
    }
}
