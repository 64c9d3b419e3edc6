//! Any bytes of a client and a server that may speak TLS, whole and in pieces: nothing panics, and the pieces make no
//! difference.
#![no_main]
use harken_flow::{Chunk, Dir, Gap, GapReason};
use harken_http::tls::hello::{ClientHello, ServerHello};
use harken_http::tls::{fingerprint, names};
use harken_http::{Analyzer, Limits, Tls};
use harken_wire::Timestamp;
use libfuzzer_sys::fuzz_target;

fn read(client: &[u8], server: &[u8], piece: usize, gap: u64) -> Option<Box<Tls>> {
    let mut analyzer = Analyzer::new(Limits::default());
    let mut conn = analyzer.open(443, false);
    let mut told = None;
    for (dir, bytes) in [(Dir::Orig, client), (Dir::Resp, server)] {
        let mut offset = 0;
        for bytes in bytes.chunks(piece) {
            let chunk = Chunk { dir, offset, bytes, ack: 0, ts: Timestamp(1) };
            analyzer.data(&mut conn, &chunk);
            offset += bytes.len() as u64;
            told = told.or(analyzer.take_tls());
        }
        if gap > 0 {
            let reason = GapReason::Acknowledged;
            analyzer.gap(&mut conn, &Gap { dir, offset, len: gap, reason, ts: Timestamp(1) });
            let chunk = Chunk { dir, offset: offset + gap, bytes, ack: 0, ts: Timestamp(1) };
            analyzer.data(&mut conn, &chunk);
        }
    }
    analyzer.close(&mut conn, Timestamp(2));
    while analyzer.take().is_some() {}
    told = told.or(analyzer.take_tls());
    if let Some(tls) = &told {
        assert!(tls.history.len() <= 15);
        assert!(tls.ja4.as_ref().is_none_or(|ja4| ja4.len() == 36), "{:?}", tls.ja4);
        assert!(tls.version.map(names::version).is_none_or(|name| !name.is_empty()));
    }
    told
}

/// Whether the first record holds a ClientHello, whole, and nothing else.
fn begins_with_hello(client: &[u8]) -> bool {
    let [0x16, 3, _, high, low, rest @ ..] = client else { return false };
    let Some([1, a, b, c, body @ ..]) = rest.get(..usize::from(u16::from_be_bytes([*high, *low]))) else {
        return false;
    };
    u32::from_be_bytes([0, *a, *b, *c]) as usize == body.len() && ClientHello::read(body).is_some()
}

fuzz_target!(|data: &[u8]| {
    if let Some(hello) = ClientHello::read(data) {
        assert_eq!(fingerprint::ja4(&hello, 'q').len(), 36);
        fingerprint::ja3(&hello);
    }
    if let Some(hello) = ServerHello::read(data) {
        fingerprint::ja3s(&hello);
    }
    let Some((split, rest)) = data.split_first() else { return };
    let (client, server) = rest.split_at(rest.len() * usize::from(*split) / 255);
    let whole = read(client, server, usize::MAX, 0);
    let pieces = read(client, server, 3, 0);
    // Of a ClientHello and what looks like an answer the pieces find the same.
    if begins_with_hello(client) && server.starts_with(&[0x16, 3]) {
        assert_eq!(whole, pieces);
    }
    read(client, server, 64, u64::from(*split));
});
