//! Any bytes behind an upgrade to WebSocket, whole, in pieces and with a gap: nothing panics, the pieces make no difference,
//! no more is counted than there is, and what messages say does not depend on the pieces either.
#![no_main]
use harken_flow::{Chunk, Dir, Gap, GapReason};
use harken_http::websocket::{Spoken, WebSocket};
use harken_http::{Analyzer, Limits};
use harken_wire::Timestamp;
use libfuzzer_sys::fuzz_target;

const ASKED: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n";
const ANSWERED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";

/// A message, and what it says unless it cannot be inflated.
type Said = (Spoken, Option<Vec<u8>>);

fn read(client: &[u8], server: &[u8], piece: usize, gap: u64) -> (Option<Box<WebSocket>>, Vec<Said>) {
    let limits = Limits { websocket_messages: 64, ..Limits::default() };
    let mut analyzer = Analyzer::new(limits);
    let mut conn = analyzer.open(80, false);
    let mut at = [0_u64; 2];
    let mut say = |dir: Dir, bytes: &[u8], gap: u64| {
        let Some(at) = at.get_mut(dir as usize) else { return };
        if gap > 0 {
            let reason = GapReason::Acknowledged;
            analyzer.gap(&mut conn, &Gap { dir, offset: *at, len: gap, reason, ts: Timestamp(1) });
            *at += gap;
        }
        analyzer.data(&mut conn, &Chunk { dir, offset: *at, bytes, ack: 0, ts: Timestamp(1) });
        *at += bytes.len() as u64;
    };
    say(Dir::Orig, ASKED, 0);
    say(Dir::Resp, ANSWERED, 0);
    for (dir, bytes) in [(Dir::Orig, client), (Dir::Resp, server)] {
        for piece in bytes.chunks(piece) {
            say(dir, piece, 0);
        }
        if gap > 0 {
            say(dir, bytes, gap);
        }
    }
    analyzer.close(&mut conn, Timestamp(2));
    let stats = *analyzer.stats();
    assert_eq!(stats.exchanges, 1);
    let (mut told, mut said) = (None, Vec::new());
    while let Some(exchange) = analyzer.take() {
        if let Some(spoken) = exchange.spoken {
            let message = if spoken.by == Dir::Orig { exchange.request } else { exchange.response };
            let body = message.unwrap_or_default().body;
            assert!(body.kept.len() <= limits.body.keep && body.kept.len() as u64 <= body.decoded_len);
            said.push((spoken, (!body.decode_failed).then_some(body.kept)));
        }
        told = told.or(exchange.websocket);
    }
    assert!(said.len() <= limits.websocket_messages as usize);
    (told, said)
}

/// Where inflating fails, how much came out before depends on the pieces; and of what comes later nothing is known.
fn sound(said: &[Said]) -> impl Iterator<Item = &Said> {
    said.iter().take_while(|(_, says)| says.is_some())
}

fuzz_target!(|data: &[u8]| {
    let Some((split, rest)) = data.split_first() else { return };
    let (client, server) = rest.split_at(rest.len() * usize::from(*split) / 255);
    let (whole, said) = read(client, server, usize::MAX, 0);
    for piece in [1, 5] {
        let (pieces, said_in_pieces) = read(client, server, piece, 0);
        assert_eq!(whole, pieces);
        assert!(sound(&said).zip(sound(&said_in_pieces)).all(|(one, other)| one == other));
    }
    if let Some(seen) = &whole {
        for (counts, bytes) in [(seen.client, client), (seen.server, server)] {
            assert!(counts.bytes <= bytes.len() as u64 && counts.largest <= counts.bytes);
            assert!(counts.texts + counts.binaries + counts.pings + counts.pongs <= counts.frames);
            assert!(counts.compressed <= counts.texts + counts.binaries);
        }
    }
    read(client, server, 64, u64::from(*split));
});
