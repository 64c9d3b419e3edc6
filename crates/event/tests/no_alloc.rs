//! A writer of events allocates nothing once its buffers have grown.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
use harken_event::ecs::Writer;
use harken_event::masking::{Masking, Scope};
use harken_event::{FlowInfo, Form, Transaction};
use harken_http::{BodyGap, Coding, Desync, Exchange, Field, Informational, Known, Message, Span, Version};
use harken_wire::{Encap, GeneveOptions, Ip, Outer, Timestamp, TunnelKind};

/// A message with these fields, of which the last one is a trailer, and a body of which bytes are missing.
fn message(start_line: [&[u8]; 3], fields: &[(&[u8], &[u8])], body: &[u8]) -> Message {
    let mut m = Message { version: Some(Version { major: 1, minor: 1 }), ..Message::default() };
    let mut add = |bytes: &[u8]| {
        let start = m.head.len();
        m.head.extend_from_slice(bytes);
        Span::new(start, m.head.len())
    };
    let [first, second, third] = start_line.map(&mut add);
    m.fields = fields.iter().map(|(name, value)| Field { name: add(name), value: add(value) }).collect();
    (m.first, m.second, m.third) = (first, second, third);
    m.trailers_at = fields.len() - 1;
    for (at, (name, _)) in fields.iter().enumerate() {
        let known = match *name {
            b"Host" => Known::Host,
            b"Referer" => Known::Referer,
            b"User-Agent" => Known::UserAgent,
            b"Authorization" => Known::Authorization,
            _ => continue,
        };
        *m.known.get_mut(known as usize).unwrap() = at as u16 + 1;
    }
    m.desync = Desync(Desync::NUL);
    m.body.coding = Coding::Gzip;
    m.body.kept = body.to_vec();
    m.body.decoded_len = 100_000;
    m.body.gaps = vec![BodyGap { offset: 1, len: 2 }];
    m
}

#[test]
fn events_allocate_nothing() {
    let fields: [(&[u8], &[u8]); 6] = [
        (b"Host", b"h.example:81"),
        (b"User-Agent", b"a \"quoted\" \xff one"),
        (b"Referer", b"/"),
        (b"Authorization", b"Basic dTpw"),
        (b"Cookie", b"a=1; b=\"2\""),
        (b"X-Api-Key", b"k"),
    ];
    let request = message([b"PUT", b"http://u:p@h/a?b#c", b"HTTP/1.1"], &fields, b"\xff\xfe binary");
    let response =
        message([b"HTTP/1.1", b"200", b"OK"], &fields, b"{\"a\":\"caf\xc3\xa9\",\"token\":[\"k\"]}\n");
    let exchange = Exchange {
        depth: 1,
        request: Some(Box::new(request)),
        response: Some(Box::new(response)),
        informational: Some(Informational { status: 100, reason: b"Continue".to_vec() }),
        ..Exchange::default()
    };
    let encap = Encap {
        depth: 1,
        kind: Some(TunnelKind::Geneve),
        vni: Some(1),
        outer: Outer { src: Ip::v4([10, 0, 0, 1]), dst: Ip::v6([0x20; 16]), sport: 1, dport: 6081 },
        geneve: Some(GeneveOptions { aws_attachment: Some(1), ..GeneveOptions::default() }),
        ..Encap::default()
    };
    let ends = ((Ip::v4([10, 0, 0, 1]), 5000), (Ip::v4([10, 0, 0, 2]), 81));
    let flow = FlowInfo::new(ends.0, ends.1, encap.into(), Timestamp(0), Form::Json, 0);
    let (mut writer, mut out) = (Writer::default(), Vec::new());
    let mut masking = Masking::new(&harken_mask::Config::default(), Scope::Event).unwrap();
    let mut write = || {
        // As messages that are used again: with room for what is masked.
        let mut exchange = exchange.clone();
        for message in [&mut exchange.request, &mut exchange.response].into_iter().flatten() {
            message.head.reserve(1024);
            message.body.kept.reserve(1024);
        }
        allocation_counter::measure(|| {
            out.clear();
            masking.mask(&mut exchange);
            let masking = Some(&masking);
            writer.write(
                &Transaction {
                    flow: &flow,
                    exchange: &exchange,
                    masking,
                    trust: harken_event::Trust::private(),
                },
                &mut out,
            );
        })
    };
    // The buffer of a body goes round.
    for _ in 0..3 {
        write();
    }
    assert_eq!(write().count_total, 0);
    assert!(out.ends_with(b"}\n") && out.windows(8).any(|w| w == b"\"masked\""));
}
