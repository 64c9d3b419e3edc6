//! Connections of a few frames: whole, cut anywhere, with gaps, joined late, and hostile.
use crate::{Analyzer, Completeness, Exchange, Known, Limits, Pairing};
use harken_flow::{Chunk, Dir, Gap, GapReason};
use harken_wire::Timestamp;

mod floods;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// `:method: GET`, `:scheme: http`, `:path: /`, `:authority: www.example.com`, which is inserted.
const GET: &[u8] =
    &[0x82, 0x86, 0x84, 0x41, 0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff];
/// The same from the table, and `cache-control: no-cache`.
const AGAIN: &[u8] = &[0x82, 0x86, 0x84, 0xbe, 0x58, 0x86, 0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf];

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

struct Talk {
    cx: Analyzer,
    conn: crate::Conn,
    at: [u64; 2],
}

impl Talk {
    fn new(midstream: bool) -> Self {
        let cx = Analyzer::new(Limits::default());
        let conn = cx.open(8080, midstream);
        Self { cx, conn, at: [0, 0] }
    }

    fn say(&mut self, dir: Dir, bytes: &[u8]) {
        let offset = self.at[dir as usize];
        self.at[dir as usize] += bytes.len() as u64;
        let chunk = Chunk { dir, offset, bytes, ack: 0, ts: Timestamp(offset) };
        self.cx.data(&mut self.conn, &chunk);
    }

    fn miss(&mut self, dir: Dir, len: u64) {
        let offset = self.at[dir as usize];
        self.at[dir as usize] += len;
        self.cx.gap(
            &mut self.conn,
            &Gap { dir, offset, len, reason: GapReason::Acknowledged, ts: Timestamp(offset) },
        );
    }

    fn end(mut self) -> Vec<Exchange> {
        self.cx.close(&mut self.conn, Timestamp(1));
        std::iter::from_fn(|| self.cx.take()).collect()
    }
}

fn text(bytes: Option<&[u8]>) -> String {
    String::from_utf8_lossy(bytes.unwrap_or(b"-")).into_owned()
}

/// An exchange in a line.
fn line(exchange: &Exchange) -> String {
    let request = exchange.request.as_ref().map_or("-".to_owned(), |m| {
        let body = text(Some(&m.body.kept));
        let host = text(m.known(Known::Host));
        format!(
            "{} {host} {} [{body}] {}",
            text(Some(m.method())),
            text(Some(m.target())),
            m.completeness.name()
        )
    });
    let response = exchange.response.as_ref().map_or("-".to_owned(), |m| {
        let trailers: Vec<String> =
            m.trailers().map(|(n, v)| format!("{}={}", text(Some(n)), text(Some(v)))).collect();
        let body = text(Some(&m.body.kept));
        format!("{} [{body}] {} {}", m.status, trailers.join(","), m.completeness.name())
    });
    format!("{} {request} > {response}", exchange.pairing.name())
}

fn lines(exchanges: &[Exchange]) -> Vec<String> {
    exchanges.iter().map(line).collect()
}

/// What a client and a server say: two streams that overlap, an interim response, padding, a block in three parts, trailers.
fn talk() -> [Vec<u8>; 2] {
    let padded = [&[3], GET, &[0; 3]].concat();
    let trailers = [&[0x40, 11], &b"grpc-status"[..], &[1], b"0"].concat();
    let client = [
        PREFACE.to_vec(),
        frame(4, 0, 0, &[0, 3, 0, 0, 0, 100]),
        frame(1, 4 | 1 | 8, 1, &padded),
        frame(1, 0, 3, &AGAIN[..2]),
        frame(9, 0, 3, &AGAIN[2..5]),
        frame(9, 4, 3, &AGAIN[5..]),
        frame(0, 0, 3, b"ab"),
        frame(0, 8 | 1, 3, b"\x04cd\0\0\0\0"),
        frame(6, 0, 0, b"12345678"),
    ];
    let server = [
        frame(4, 0, 0, &[]),
        frame(1, 4, 3, &[0x08, 3, b'1', b'0', b'0']),
        frame(1, 4, 3, &[0x88]),
        frame(1, 4 | 1, 1, &[0x8d]),
        frame(0, 0, 3, b"xyz"),
        frame(1, 4 | 1, 3, &trailers),
    ];
    [client.concat(), server.concat()]
}

const EXPECTED: [&str; 2] = [
    "paired GET www.example.com / [] full > 404 []  full",
    "paired GET www.example.com / [abcd] full > 200 [xyz] grpc-status=0 full",
];

#[test]
fn a_conversation_cut_anywhere() {
    let [client, server] = talk();
    for step in [1, 2, 7, 9, 50, 1000] {
        let mut talk = Talk::new(false);
        for (dir, bytes) in [(Dir::Orig, &client), (Dir::Resp, &server)] {
            bytes.chunks(step).for_each(|part| talk.say(dir, part));
        }
        let stats = *talk.cx.stats();
        assert_eq!((stats.parsed, stats.skipped), ((client.len() + server.len()) as u64, 0));
        let exchanges = talk.end();
        assert_eq!(lines(&exchanges), EXPECTED, "{step}");
        assert_eq!(exchanges[1].informational.as_ref().unwrap().status, 100);
        assert_eq!([exchanges[0].depth, exchanges[1].depth], [1, 2]);
    }
}

#[test]
fn a_server_that_speaks_first() {
    let [client, server] = talk();
    let mut talk = Talk::new(false);
    talk.say(Dir::Resp, &server[..9]);
    talk.say(Dir::Orig, &client);
    talk.say(Dir::Resp, &server[9..]);
    assert_eq!(lines(&talk.end()), EXPECTED);
}

#[test]
fn an_upgrade_answers_its_request_on_the_first_stream() {
    let mut talk = Talk::new(false);
    talk.say(
        Dir::Orig,
        b"GET /up HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
    );
    let answer = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    talk.say(Dir::Resp, &[&answer[..], &frame(4, 0, 0, &[])].concat());
    talk.say(Dir::Orig, &[PREFACE, &frame(4, 0, 0, &[]), &frame(1, 4 | 1, 3, GET)].concat());
    talk.say(
        Dir::Resp,
        &[frame(1, 4, 1, &[0x88]), frame(0, 1, 1, b"one"), frame(1, 4 | 1, 3, &[0x8d])].concat(),
    );
    let stats = *talk.cx.stats();
    assert_eq!((stats.skipped, stats.parsed), (0, talk.at[0] + talk.at[1]));
    let exchanges = talk.end();
    assert_eq!(
        lines(&exchanges),
        ["paired GET a /up [] full > 200 [one]  full", "paired GET www.example.com / [] full > 404 []  full"]
    );
    assert_eq!(exchanges[0].informational.as_ref().unwrap().status, 101);
    assert_eq!([exchanges[0].depth, exchanges[1].depth], [1, 2]);
}

/// The capture of Suricata's `drop-protocol-change` begins with such an answer.
#[test]
fn an_upgrade_whose_request_was_not_seen() {
    let mut talk = Talk::new(true);
    talk.say(Dir::Resp, b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
    talk.say(Dir::Orig, &[PREFACE, &frame(4, 0, 0, &[]), &frame(1, 4 | 1, 3, GET)].concat());
    talk.say(
        Dir::Resp,
        &[frame(1, 4, 1, &[0x88]), frame(0, 1, 1, b"one"), frame(1, 4 | 1, 3, &[0x8d])].concat(),
    );
    let exchanges = talk.end();
    assert_eq!(
        lines(&exchanges),
        ["request_before_start - > 200 [one]  full", "paired GET www.example.com / [] full > 404 []  full"]
    );
    assert_eq!(exchanges[0].informational.as_ref().unwrap().status, 101);
}

/// nginx sends each frame by itself: behind a gap no segment has two of them.
#[test]
fn behind_a_gap_a_frame_that_is_a_segment() {
    let mut talk = Talk::new(false);
    talk.say(Dir::Orig, &[PREFACE, &frame(1, 4 | 1, 1, GET), &frame(1, 4 | 1, 3, AGAIN)].concat());
    talk.say(Dir::Resp, &frame(1, 4, 1, &[0x88]));
    // The DATA frame's header is in the first of two segments.
    talk.miss(Dir::Resp, 1448);
    talk.say(Dir::Resp, &[b'z'; 1000]);
    talk.say(Dir::Resp, &frame(1, 4, 3, &[0x88]));
    talk.say(Dir::Resp, &frame(0, 1, 3, b"two"));
    assert_eq!(
        lines(&talk.end()),
        [
            "paired GET www.example.com / [] full > 200 [two]  full",
            "paired GET www.example.com / [] full > 200 []  gap",
        ]
    );
}

/// What began its head is a request, though nothing more of it is known.
#[test]
fn a_head_of_which_the_rest_is_missing() {
    let head = frame(1, 4 | 1, 1, GET);
    for (missing, tail) in [(8, 0), (4, 4), (20, 0)] {
        let mut talk = Talk::new(false);
        talk.say(Dir::Orig, PREFACE);
        talk.say(Dir::Orig, &head[..head.len() - 8]);
        talk.miss(Dir::Orig, missing);
        talk.say(Dir::Orig, &head[head.len() - tail..]);
        talk.say(Dir::Resp, &frame(1, 4 | 1, 1, &[0x8d]));
        assert_eq!(lines(&talk.end()), ["paired  -  [] gap > 404 []  full"], "{missing}");
    }
    let mut talk = Talk::new(false);
    talk.say(Dir::Orig, PREFACE);
    talk.say(Dir::Orig, &frame(1, 0, 1, GET));
    assert_eq!(lines(&talk.end()), ["no_response  -  [] gap > -"]);
}

/// An interim response is all that there is of a transaction: it is given out.
#[test]
fn an_interim_response_alone() {
    let mut talk = Talk::new(false);
    talk.say(Dir::Orig, PREFACE);
    talk.say(Dir::Resp, &frame(1, 4, 1, &[0x08, 3, b'1', b'0', b'3']));
    talk.say(Dir::Resp, &frame(3, 0, 1, &[0; 4]));
    let exchanges = talk.end();
    assert_eq!(lines(&exchanges), ["unsolicited - > -"]);
    assert_eq!(exchanges[0].informational.as_ref().unwrap().status, 103);
}

#[test]
fn a_gap_inside_a_body_costs_its_bytes_alone() {
    let mut talk = Talk::new(false);
    let body = frame(0, 1, 1, &[b'x'; 100]);
    talk.say(Dir::Orig, &[PREFACE, &frame(1, 4 | 1, 1, GET)].concat());
    talk.say(Dir::Resp, &[&frame(1, 4, 1, &[0x88]), &body[..20]].concat());
    talk.miss(Dir::Resp, 80);
    talk.say(Dir::Resp, &body[100..]);
    let exchanges = talk.end();
    let response = exchanges[0].response.as_ref().unwrap();
    assert_eq!((response.body.missing, response.body.wire_len), (80, 20));
    assert_eq!((response.completeness, exchanges[0].pairing), (Completeness::Gap, Pairing::Paired));
}

#[test]
fn behind_a_gap_frames_are_found_and_what_was_inserted_is_not_guessed() {
    let mut talk = Talk::new(false);
    talk.say(Dir::Orig, &[PREFACE, &frame(1, 4 | 1, 1, GET)].concat());
    talk.miss(Dir::Orig, 1000);
    // The rest of a frame, then whole ones.
    let rest = [&[b'r'; 33][..], &frame(1, 4 | 1, 5, AGAIN), &frame(6, 0, 0, b"12345678")].concat();
    talk.say(Dir::Orig, &rest);
    talk.say(Dir::Orig, &frame(1, 4 | 1, 7, GET));
    talk.say(Dir::Orig, &frame(1, 4 | 1, 9, &[0x82, 0x84, 0xbe]));
    // A name and a path from the table, which are not known, beside a known value.
    talk.say(Dir::Orig, &frame(1, 4 | 1, 11, &[0x82, 0xc0, 0x0f, 0x32, 1, b'v']));
    let resynced = talk.cx.stats().resynced;
    assert_eq!(resynced, 1);
    let exchanges = talk.end();
    let partial: Vec<_> = exchanges
        .iter()
        .map(|exchange| exchange.request.as_ref().unwrap())
        .map(|request| (request.unknown, request.unknown_names().collect::<Vec<_>>()))
        .collect();
    assert_eq!(partial, [(0, vec![]), (1, vec![]), (0, vec![]), (0, vec![]), (2, vec![":path"])]);
    assert_eq!(
        lines(&exchanges),
        [
            "no_response GET www.example.com / [] full > -",
            "no_response GET - / [] gap > -",
            "no_response GET www.example.com / [] full > -",
            "no_response GET www.example.com / [] full > -",
            "no_response GET -  [] gap > -",
        ]
    );
}

#[test]
fn joined_in_the_middle() {
    let mut talk = Talk::new(true);
    talk.say(Dir::Orig, &[frame(1, 4, 21, AGAIN), frame(0, 1, 21, b"body")].concat());
    talk.say(Dir::Resp, &[frame(1, 4, 21, &[0x88]), frame(0, 1, 21, b"answer")].concat());
    talk.say(Dir::Resp, &[frame(1, 4, 19, &[0x88]), frame(0, 1, 19, b"late")].concat());
    assert_eq!(
        lines(&talk.end()),
        ["paired GET - / [body] gap > 200 [answer]  full", "request_before_start - > 200 [late]  full",]
    );
}

#[test]
fn a_reset_and_an_end_in_the_middle() {
    let mut talk = Talk::new(false);
    talk.say(
        Dir::Orig,
        &[PREFACE, &frame(1, 4, 1, GET), &frame(0, 0, 1, b"ab"), &frame(3, 0, 1, &[0, 0, 0, 8])].concat(),
    );
    talk.say(Dir::Orig, &frame(1, 4 | 1, 3, AGAIN));
    talk.say(Dir::Resp, &[&frame(1, 4, 3, &[0x88])[..], &frame(0, 0, 3, b"a")].concat());
    assert_eq!(
        lines(&talk.end()),
        [
            "no_response GET www.example.com / [ab] truncated > -",
            "paired GET www.example.com / [] full > 200 [a]  truncated",
        ]
    );
}

#[test]
fn limits_and_violations() {
    // A block without an end, a table without one, and what is no frame.
    let endless = [&[0u8, 100][..], &[b'a'; 100], &[100], &[b'b'; 100]].concat().repeat(1000);
    let mut talk = Talk::new(false);
    talk.say(Dir::Orig, &[PREFACE, &frame(1, 0, 1, GET)].concat());
    for part in endless.chunks(16_000) {
        talk.say(Dir::Orig, &frame(9, 0, 1, part));
    }
    talk.say(Dir::Orig, &[frame(9, 4, 1, b""), frame(1, 4 | 1, 3, GET)].concat());
    let exchanges = talk.end();
    assert!(exchanges[0].request.as_ref().unwrap().head_cut);
    assert_eq!(line(&exchanges[1]), "no_response GET www.example.com / [] full > -");
    let mut talk = Talk::new(false);
    talk.say(
        Dir::Orig,
        &[PREFACE, &frame(1, 4 | 1, 1, GET), &frame(9, 4, 1, GET), &frame(1, 4 | 1, 3, GET)].concat(),
    );
    assert_eq!(lines(&talk.end()).len(), 1, "what follows a violation is not read in the same chunk");
}

/// A client gives a call up while its answer is under way: that answers it.
#[test]
fn a_response_behind_a_reset() {
    let mut talk = Talk::new(false);
    talk.say(Dir::Orig, &[PREFACE, &frame(4, 0, 0, &[])].concat());
    talk.say(Dir::Orig, &[frame(1, 5, 1, GET), frame(3, 0, 1, &[0, 0, 0, 8])].concat());
    talk.say(Dir::Resp, &[frame(4, 0, 0, &[]), frame(1, 4, 1, &[0x88]), frame(0, 1, 1, b"late")].concat());
    // Nothing comes, and the server says by its acknowledgement that it has heard of it.
    talk.say(Dir::Orig, &[frame(1, 5, 3, AGAIN), frame(3, 0, 3, &[0, 0, 0, 8])].concat());
    let sent = talk.at[Dir::Orig as usize];
    let chunk =
        Chunk { dir: Dir::Resp, offset: 500, bytes: &frame(6, 1, 0, &[0; 8]), ack: sent, ts: Timestamp(9) };
    talk.cx.data(&mut talk.conn, &chunk);
    let before = talk.cx.stats().exchanges;
    assert_eq!(
        (before, lines(&talk.end()).as_slice()),
        (
            2,
            &[
                "paired GET www.example.com / [] full > 200 [late]  full".to_owned(),
                "no_response GET www.example.com / [] full > -".to_owned()
            ][..]
        )
    );
}

/// The form of Akamai's paper, with the priorities that Firefox sends.
#[test]
fn how_a_client_begins() {
    let of = |frames: &[Vec<u8>], gap: u64| {
        let mut talk = Talk::new(false);
        talk.say(Dir::Orig, &[PREFACE, &frames.concat()].concat());
        if gap > 0 {
            talk.miss(Dir::Orig, gap);
        }
        talk.say(Dir::Orig, &[frame(1, 5, 15, GET), frame(1, 5, 17, AGAIN)].concat());
        let requests = talk.end().into_iter().map(|exchange| exchange.request.unwrap().client);
        let mut told: Vec<_> = requests.collect();
        told.dedup();
        assert_eq!(told.len(), 1, "all requests have the same");
        told.remove(0).map(|text| text.to_string())
    };
    let settings = frame(4, 0, 0, &[0, 1, 0, 1, 0, 0, 0, 4, 0, 2, 0, 0, 0, 5, 0, 0, 64, 0]);
    let window = frame(8, 0, 0, &[0, 0xbf, 0, 1]);
    let priority = |stream, on: u8, weight| frame(2, 0, stream, &[0, 0, 0, on, weight]);
    assert_eq!(
        of(&[settings.clone(), window, priority(3, 0, 200), priority(9, 7, 0)], 0).unwrap(),
        "1:65536;4:131072;5:16384|12517377|3:0:0:201,9:0:7:1|m,s,p,a"
    );
    assert_eq!(of(&[frame(4, 0, 0, &[])], 0).unwrap(), "|00|0|m,s,p,a");
    // What was missed might have been part of it.
    assert_eq!(of(&[settings], 13), None);
}

/// Streams that go on for long are told of while they do, each once.
#[test]
fn in_progress() {
    let mut talk = Talk::new(false);
    talk.say(
        Dir::Orig,
        &[PREFACE, &frame(4, 0, 0, &[]), &frame(1, 5, 1, GET), &frame(1, 5, 3, AGAIN)].concat(),
    );
    talk.say(Dir::Resp, &[frame(4, 0, 0, &[]), frame(1, 4, 3, &[0x88]), frame(0, 0, 3, b"part")].concat());
    for second in [4_u64, 7, 20, 30] {
        let (dir, offset) = (Dir::Resp, talk.at[1]);
        let bytes = frame(0, 0, 3, b"more");
        talk.at[1] += bytes.len() as u64;
        let chunk = Chunk { dir, offset, bytes: &bytes, ack: 0, ts: Timestamp(second * 1_000_000_000) };
        talk.cx.data(&mut talk.conn, &chunk);
    }
    let told: Vec<_> = talk.end().iter().map(|exchange| (exchange.in_progress, line(exchange))).collect();
    let get = "GET www.example.com / [] full";
    assert_eq!(
        told,
        [
            (true, format!("no_response {get} > -")),
            (true, format!("paired {get} > 200 [partmoremore]  truncated")),
            (false, format!("no_response {get} > -")),
            (false, format!("paired {get} > 200 [partmoremoremoremore]  truncated")),
        ]
    );
}
