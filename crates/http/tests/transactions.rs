//! Whole connections, as data: what is written in each direction, and the transactions that come out.
//!
//! A script is a list of steps; `>` is from the client, `<` from the server. `>?N` and `<?N` are gaps of N
//! bytes. Each chunk acknowledges all that the other direction has delivered so far, as a client that does
//! not pipeline does; `ack` overrides it.
#![allow(clippy::indexing_slicing, reason = "helpers of a test")]
use harken_flow::{Chunk, Dir, Gap, GapReason};
use harken_http::{Analyzer, Completeness, Conn, Exchange, Limits, Pairing, Why};
use harken_wire::Timestamp;

enum Step<'s> {
    Data(Dir, &'s [u8]),
    Gap(Dir, u64),
}
use Step::{Data, Gap as Hole};

const C: Dir = Dir::Orig;
const S: Dir = Dir::Resp;

struct Driver {
    analyzer: Analyzer,
    conn: Conn,
    at: [u64; 2],
    clock: u64,
}

impl Driver {
    fn new(midstream: bool) -> Self {
        let analyzer = Analyzer::new(Limits::default());
        let conn = analyzer.open(80, midstream);
        Self { analyzer, conn, at: [0, 0], clock: 1 }
    }

    fn data(&mut self, dir: Dir, bytes: &[u8]) {
        let ack = self.at[dir.other() as usize];
        let chunk = Chunk { dir, offset: self.at[dir as usize], bytes, ack, ts: Timestamp(self.clock) };
        self.analyzer.data(&mut self.conn, &chunk);
        self.at[dir as usize] += bytes.len() as u64;
        self.clock += 1;
    }

    fn gap(&mut self, dir: Dir, len: u64) {
        let gap = Gap {
            dir,
            offset: self.at[dir as usize],
            len,
            reason: GapReason::Acknowledged,
            ts: Timestamp(self.clock),
        };
        self.analyzer.gap(&mut self.conn, &gap);
        self.at[dir as usize] += len;
    }

    fn finish(mut self) -> Vec<Exchange> {
        self.analyzer.close(&mut self.conn, Timestamp(self.clock));
        let stats = *self.analyzer.stats();
        let fed = self.at.iter().sum::<u64>();
        assert!(stats.parsed + stats.skipped <= fed, "more bytes accounted for than fed");
        std::iter::from_fn(|| self.analyzer.take()).collect()
    }
}

/// `depth METHOD target body/decoded > status body/decoded [marks]`
fn show(ex: &Exchange) -> String {
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    let mark =
        |c: Completeness| if c == Completeness::Full { String::new() } else { format!(" {}", c.name()) };
    let request = ex.request.as_ref().map_or("-".to_owned(), |m| {
        format!(
            "{} {} {}{}",
            text(m.method()),
            text(m.target()),
            m.body.decoded_len + m.body.missing,
            mark(m.completeness)
        )
    });
    let response = ex.response.as_ref().map_or("-".to_owned(), |m| {
        format!("{} {}{}", m.status, m.body.decoded_len + m.body.missing, mark(m.completeness))
    });
    let info = ex.informational.as_ref().map_or(String::new(), |i| format!(" ({})", i.status));
    let pairing =
        if ex.pairing == Pairing::Paired { String::new() } else { format!(" [{}]", ex.pairing.name()) };
    let websocket = ex.websocket.as_ref().map_or(String::new(), |seen| {
        let texts = |side: &harken_http::websocket::Counts| side.texts;
        format!(" {{websocket {} {}}}", texts(&seen.client), texts(&seen.server))
    });
    format!("{} {request} > {response}{info}{pairing}{websocket}", ex.depth)
}

fn run(midstream: bool, steps: &[Step<'_>]) -> Vec<String> {
    let mut driver = Driver::new(midstream);
    for step in steps {
        match step {
            Data(dir, bytes) => driver.data(*dir, bytes),
            Hole(dir, len) => driver.gap(*dir, *len),
        }
    }
    driver.finish().iter().map(show).collect()
}

#[track_caller]
fn check(steps: &[Step<'_>], expected: &[&str]) {
    assert_eq!(run(false, steps), expected);
    // Cut at every byte the outcome is the same, unless a gap makes segment starts matter.
    if steps.iter().all(|s| matches!(s, Data(..))) {
        let mut driver = Driver::new(false);
        for step in steps {
            if let Data(dir, bytes) = step {
                for byte in bytes.chunks(1) {
                    driver.data(*dir, byte);
                }
            }
        }
        assert_eq!(driver.finish().iter().map(show).collect::<Vec<_>>(), expected, "byte by byte");
    }
}

const GET_A: &[u8] = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
const GET_B: &[u8] = b"GET /b HTTP/1.1\r\nHost: x\r\n\r\n";
const GET_C: &[u8] = b"GET /c HTTP/1.1\r\nHost: x\r\n\r\n";
const OK_5: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const NOT_FOUND: &[u8] = b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno\n";

#[test]
fn one_exchange() {
    check(&[Data(C, GET_A), Data(S, OK_5)], &["1 GET /a 0 > 200 5"]);
}

#[test]
fn keep_alive_and_pipelining() {
    check(
        &[Data(C, GET_A), Data(S, OK_5), Data(C, GET_B), Data(S, NOT_FOUND)],
        &["1 GET /a 0 > 200 5", "2 GET /b 0 > 404 3"],
    );
    let both = [GET_A, GET_B].concat();
    check(
        &[Data(C, &both), Data(S, &[OK_5, NOT_FOUND].concat())],
        &["1 GET /a 0 > 200 5", "2 GET /b 0 > 404 3"],
    );
}

#[test]
fn bodies_of_every_framing() {
    check(
        &[
            Data(C, b"POST /p HTTP/1.1\r\nContent-Length: 4\r\n\r\nabcd"),
            Data(S, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nX-T: 1\r\n\r\n"),
            Data(C, GET_B),
            Data(S, b"HTTP/1.0 200 OK\r\n\r\nuntil close"),
        ],
        &["1 POST /p 4 > 200 6", "2 GET /b 0 > 200 11"],
    );
}

#[test]
fn responses_without_a_body() {
    check(
        &[
            Data(C, b"HEAD /h HTTP/1.1\r\n\r\n"),
            Data(S, b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"),
            Data(C, GET_A),
            Data(S, b"HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n"),
            Data(C, GET_B),
            Data(S, b"HTTP/1.1 204 No Content\r\n\r\n"),
            Data(C, GET_C),
            Data(S, OK_5),
        ],
        &["1 HEAD /h 0 > 200 0", "2 GET /a 0 > 304 0", "3 GET /b 0 > 204 0", "4 GET /c 0 > 200 5"],
    );
}

#[test]
fn interim_response() {
    check(
        &[
            Data(C, b"POST /p HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"),
            Data(S, b"HTTP/1.1 100 Continue\r\n\r\n"),
            Data(C, b"hi"),
            Data(S, OK_5),
        ],
        &["1 POST /p 2 > 200 5 (100)"],
    );
}

#[test]
fn response_before_the_request_is_over() {
    check(
        &[
            Data(C, b"POST /p HTTP/1.1\r\nContent-Length: 4\r\n\r\nab"),
            Data(S, b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"),
            Data(C, b"cd"),
            Data(C, GET_B),
            Data(S, OK_5),
        ],
        &["1 POST /p 4 > 413 0", "2 GET /b 0 > 200 5"],
    );
}

#[test]
fn http_0_9() {
    check(&[Data(C, b"GET /old\r\n"), Data(S, b"<html>raw</html>")], &["1 GET /old 0 > 0 16"]);
}

#[test]
fn lenient_heads() {
    check(
        &[
            Data(C, b"\r\n\r\nGET /a HTTP/1.1\nHost : x\n folded\n\n"),
            Data(S, b"HTTP/1.1 200\r\ncontent-length:5\r\n\r\nhello"),
        ],
        &["1 GET /a 0 > 200 5"],
    );
}

#[test]
fn ends_without_a_response() {
    check(&[Data(C, GET_A)], &["1 GET /a 0 > - [no_response]"]);
    check(&[Data(S, OK_5)], &["1 - > 200 5 [unsolicited]"]);
}

#[test]
fn truncated_messages_say_so() {
    check(
        &[Data(C, GET_A), Data(S, b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello")],
        &["1 GET /a 0 > 200 5 truncated"],
    );
}

/// The first reason why a response is not whole; whole messages have none.
#[test]
fn why_a_message_is_not_whole() {
    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello";
    let why = |say: &dyn Fn(&mut Driver)| {
        let mut driver = Driver::new(false);
        driver.data(C, GET_A);
        driver.data(S, HEAD);
        say(&mut driver);
        let exchange = driver.finish().pop().unwrap();
        assert_eq!(exchange.request.unwrap().why, None);
        exchange.response.unwrap().why
    };
    assert_eq!(why(&|_| {}), Some(Why::ConnectionOver));
    assert_eq!(why(&|driver| driver.data(S, &[b'x'; 45])), None);
    let holes = [
        (GapReason::Acknowledged, Why::NotCaptured),
        (GapReason::Truncated, Why::CapturedShort),
        (GapReason::Budget, Why::OutOfOrder),
        (GapReason::Closed, Why::ConnectionOver),
    ];
    for (reason, want) in holes {
        // A second reason does not take the place of the first.
        let hole = |driver: &mut Driver| {
            for (len, reason) in [(10, reason), (5, GapReason::Truncated)] {
                let offset = driver.at[S as usize];
                driver.analyzer.gap(&mut driver.conn, &Gap { dir: S, offset, len, reason, ts: Timestamp(9) });
                driver.at[S as usize] += len;
            }
        };
        assert_eq!(why(&hole), Some(want));
    }
}

#[test]
fn connect_and_what_is_inside() {
    check(
        &[
            Data(C, b"CONNECT h:80 HTTP/1.1\r\n\r\n"),
            Data(S, b"HTTP/1.1 200 Established\r\n\r\n"),
            Data(C, GET_A),
            Data(S, OK_5),
        ],
        &["1 CONNECT h:80 0 > 200 0", "2 GET /a 0 > 200 5"],
    );
}

#[test]
fn upgrade_ends_http() {
    check(
        &[
            Data(C, b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
            Data(S, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x05hello"),
            Data(C, b"\x81\x85abcd"),
        ],
        // The client's message is not whole.
        &["1 GET /ws 0 > 101 0", "1 GET /ws 0 > 101 0 {websocket 0 1}"],
    );
}

/// Behind a lost segment two segments in a row that are whole frames tell where frames begin: the first of them is not read.
#[test]
fn websocket_goes_on_behind_a_gap() {
    let texts = |segments: &[&[u8]]| {
        let mut driver = Driver::new(false);
        driver.data(C, b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n");
        driver.data(S, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x05first");
        driver.gap(S, 7);
        segments.iter().for_each(|segment| driver.data(S, segment));
        let seen = driver.finish().pop().unwrap().websocket.unwrap();
        assert!(seen.server.is_partial && !seen.client.is_partial);
        seen.server.texts
    };
    let whole: &[u8] = b"\x81\x03two\x81\x02ab";
    assert_eq!(texts(&[whole, whole, whole]), 1 + 2 + 2);
    // The end of a frame before, a frame that goes on in the next segment, one that is masked, lengths that are not the
    // shortest: nothing is told by them, and they must be two in a row.
    for odd in [
        b"xyz\x81\x03two".as_slice(),
        b"\x81\x03two\x81\x0a",
        b"\x81\x83abcdtwo",
        b"\x81\x7e\x00\x03two",
        b"\xb1\x03two",
        b"\x09\x03two",
    ] {
        assert_eq!(texts(&[odd, odd, odd, whole]), 1);
        assert_eq!(texts(&[whole, odd, whole, odd]), 1);
    }
    // The rest of a message that began in the gap is none of its own.
    assert_eq!(texts(&[whole, b"\x80\x03end\x81\x03two", whole]), 1 + 1 + 2);
}

#[test]
fn gap_inside_a_body_of_known_length_keeps_the_pair() {
    check(
        &[
            Data(C, GET_A),
            Data(S, b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab"),
            Hole(S, 5),
            Data(S, b"xyz"),
            Data(C, GET_B),
            Data(S, OK_5),
        ],
        &["1 GET /a 0 > 200 10 gap", "2 GET /b 0 > 200 5"],
    );
}

#[test]
fn lost_request() {
    check(
        &[Data(C, GET_A), Data(S, OK_5), Hole(C, 30), Data(S, NOT_FOUND), Data(C, GET_B), Data(S, OK_5)],
        &["1 GET /a 0 > 200 5", "2 - > 404 3 [request_lost]", "3 GET /b 0 > 200 5"],
    );
}

#[test]
fn lost_response() {
    check(
        &[Data(C, GET_A), Hole(S, 40), Data(C, GET_B), Data(S, OK_5), Data(C, GET_C), Data(S, NOT_FOUND)],
        &["1 GET /a 0 > - [response_lost]", "2 GET /b 0 > 200 5", "3 GET /c 0 > 404 3"],
    );
}

#[test]
fn lost_response_head_whose_body_looks_like_a_response() {
    // The body's tail imitates a status line at a segment start: it must not become B's response.
    check(
        &[
            Data(C, GET_A),
            Hole(S, 40),
            Data(S, b"HTTP/1.1 500 Fake\r\nContent-Length: 0\r\n\r\n"),
            Data(C, GET_B),
            Data(S, OK_5),
        ],
        &["1 GET /a 0 > - [ambiguous]", "2 - > 500 0 [ambiguous]", "3 GET /b 0 > 200 5"],
    );
}

#[test]
fn gap_across_two_responses() {
    check(
        &[
            Data(C, GET_A),
            Data(S, b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab"),
            Hole(S, 50),
            Data(C, GET_C),
            Data(S, OK_5),
        ],
        &["1 GET /a 0 > 200 10 gap", "2 GET /c 0 > 200 5"],
    );
}

#[test]
fn gap_in_a_chunked_body_resumes_where_the_next_request_says() {
    check(
        &[
            Data(C, GET_A),
            Data(S, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe"),
            Hole(S, 20),
            Data(S, b"lo\r\n0\r\n\r\n"),
            Data(C, GET_B),
            Data(S, NOT_FOUND),
        ],
        &["1 GET /a 0 > 200 22 gap", "2 GET /b 0 > 404 3"],
    );
}

#[test]
fn pipelined_requests_with_one_lost_are_never_paired_wrongly() {
    let rest = [GET_B, GET_C].concat();
    let out = run(
        false,
        &[Hole(C, GET_A.len() as u64), Data(C, &rest), Data(S, OK_5), Data(S, NOT_FOUND), Data(S, OK_5)],
    );
    assert!(out.iter().all(|line| line.contains('[')), "something is paired that cannot be known: {out:?}");
}

#[test]
fn joined_in_the_middle() {
    assert_eq!(
        run(true, &[Data(S, b"of a body"), Data(S, b"more"), Data(C, GET_A), Data(S, OK_5)]),
        ["1 GET /a 0 > 200 5"]
    );
    assert_eq!(
        run(true, &[Data(S, OK_5), Data(C, GET_A), Data(S, NOT_FOUND)]),
        ["1 - > 200 5 [request_before_start]", "2 GET /a 0 > 404 3"]
    );
}

#[test]
fn not_http_is_left_alone() {
    check(&[Data(S, b"SSH-2.0-OpenSSH_9.2\r\n"), Data(C, b"SSH-2.0-client\r\n")], &[]);
    check(&[Data(C, b"OPTIONS rtsp://h/s RTSP/1.0\r\nCSeq: 1\r\n\r\n")], &[]);
}

#[test]
fn an_interim_response_does_not_vouch_for_what_comes_behind_a_gap() {
    check(
        &[
            Data(C, b"POST /p HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"),
            Data(S, b"HTTP/1.1 100 Continue\r\n\r\n"),
            Data(C, b"hi"),
            Hole(S, 43),
            Data(C, GET_B),
            Data(S, NOT_FOUND),
        ],
        &["1 POST /p 2 > - (100) [response_lost]", "2 GET /b 0 > 404 3"],
    );
}

#[test]
fn junk_between_messages_does_not_shift_the_pairs() {
    let junk = [OK_5, b"!!\r\n", NOT_FOUND].concat();
    let out =
        run(false, &[Data(C, &[GET_A, GET_B].concat()), Data(S, &junk), Data(C, GET_C), Data(S, NOT_FOUND)]);
    assert!(
        out.iter().all(|line| !line.contains("GET /b 0 > 404") && line != "2 GET /b 0 > 200 5"),
        "{out:?}"
    );
    let out = run(false, &[Data(C, &[b"\x01\x02junk\r\n", GET_B].concat()), Data(C, GET_C), Data(S, OK_5)]);
    assert!(!out.iter().any(|line| line.contains("GET /c 0 > 200")), "{out:?}");
}

#[test]
fn a_length_behind_many_fields_still_frames_the_body() {
    let mut head = b"POST /p HTTP/1.1\r\n".to_vec();
    for i in 0..300 {
        head.extend_from_slice(format!("X-{i}: y\r\n").as_bytes());
    }
    let inner = b"GET /fake HTTP/1.1\r\n\r\n";
    head.extend_from_slice(format!("Content-Length: {}\r\n\r\n", inner.len()).as_bytes());
    head.extend_from_slice(inner);
    check(&[Data(C, &head), Data(S, OK_5)], &["1 POST /p 22 > 200 5"]);
}

#[test]
fn the_response_being_read_keeps_its_request_when_too_many_wait() {
    let limits = Limits { pending: 2, ..Limits::default() };
    let mut driver = Driver::new(false);
    driver.analyzer = Analyzer::new(limits);
    driver.data(C, GET_A);
    driver.data(C, GET_B);
    driver.data(S, &OK_5[..40]);
    driver.data(C, GET_C);
    driver.data(S, &OK_5[40..]);
    let out: Vec<_> = driver.finish().iter().map(show).collect();
    assert!(out.contains(&"1 GET /a 0 > 200 5".to_owned()), "{out:?}");
}

#[test]
fn a_request_time_out_that_crosses_a_request_is_not_its_response() {
    let mut driver = Driver::new(false);
    driver.data(C, GET_A);
    driver.data(S, OK_5);
    let unseen = driver.at[0];
    driver.data(C, GET_B);
    let bytes = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n";
    let chunk = Chunk { dir: S, offset: driver.at[1], bytes, ack: unseen, ts: Timestamp(9) };
    driver.analyzer.data(&mut driver.conn, &chunk);
    driver.at[1] += bytes.len() as u64;
    let out: Vec<_> = driver.finish().iter().map(show).collect();
    assert!(!out.iter().any(|line| line.contains("GET /b 0 > 408")), "{out:?}");
}

#[test]
fn what_waits_is_given_out_before_the_protocol_changes() {
    check(
        &[
            Data(C, b"POST /u HTTP/1.1\r\nUpgrade: x\r\nContent-Length: 10\r\n\r\nab"),
            Data(S, b"HTTP/1.1 101 Switching Protocols\r\n\r\n"),
        ],
        &["1 POST /u 2 truncated > 101 0"],
    );
    check(
        &[Data(C, &[b"CONNECT h:1 HTTP/1.1\r\n\r\n", GET_B].concat()), Data(S, b"HTTP/1.1 200 OK\r\n\r\n")],
        &["1 CONNECT h:1 0 > 200 0", "2 GET /b 0 > - [no_response]"],
    );
}

#[test]
fn a_version_less_line_behind_a_request_is_no_request() {
    check(
        &[Data(C, b"POST /p HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi there friend\r\n"), Data(S, OK_5)],
        &["1 POST /p 2 > 200 5"],
    );
    check(&[Data(C, b"GET /old\r\n"), Data(S, NOT_FOUND)], &["1 GET /old 0 > 404 3"]);
}

#[test]
fn a_client_that_pipelines_gets_no_pairs_behind_a_gap() {
    let out = run(
        false,
        &[
            Data(C, &[GET_A, GET_B].concat()),
            Hole(S, OK_5.len() as u64),
            Data(C, GET_C),
            Data(S, NOT_FOUND),
            Data(C, GET_A),
            Data(S, OK_5),
        ],
    );
    assert!(!out.iter().any(|line| line.contains("GET /c 0 > 404")), "{out:?}");
}

/// The PROXY protocol: the connection begins behind its header, wherever that is cut, and the client is known.
#[test]
fn behind_a_proxy() {
    let line = b"PROXY TCP4 203.0.113.7 10.0.0.9 4711 80\r\n".as_slice();
    let binary =
        [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".as_slice(), &[203, 0, 113, 7, 10, 0, 0, 9, 0x12, 0x67, 0, 80]]
            .concat();
    for header in [line, &binary] {
        let sent = [header, GET_A].concat();
        for cut in 0..=sent.len() {
            let mut driver = Driver::new(false);
            driver.data(C, &sent[..cut]);
            driver.data(C, &sent[cut..]);
            driver.data(S, OK_5);
            let (ip, port) = driver.conn.proxied().unwrap();
            assert_eq!((ip.to_string().as_str(), port), ("203.0.113.7", 4711));
            let exchanges = driver.finish();
            assert_eq!(exchanges.len(), 1, "cut at {cut}");
            assert_eq!(exchanges[0].pairing, Pairing::Paired);
            assert_eq!(exchanges[0].request.as_ref().unwrap().offset, header.len() as u64, "cut at {cut}");
        }
    }
    // One header, not one after the other.
    let many = [&line.repeat(1000), GET_A].concat();
    let mut driver = Driver::new(false);
    driver.data(C, &many);
    assert!(driver.finish().len() <= 1);
}

/// A stream that goes on for long is told of while it does, once, and is a transaction at its end.
#[test]
fn in_progress() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut driver = Driver::new(false);
    let seconds = 1_000_000_000;
    driver.data(C, GET_A);
    driver.data(S, head);
    for second in 0..60 {
        driver.clock = second * seconds;
        driver.data(S, b"9\r\ndata: x\n\n\r\n");
    }
    driver.data(S, b"0\r\n\r\n");
    driver.clock += seconds;
    driver.data(C, GET_B);
    driver.data(S, OK_5);
    assert_eq!(driver.analyzer.stats().early, 1);
    let exchanges = driver.finish();
    let told: Vec<_> = exchanges
        .iter()
        .map(|exchange| {
            let response = exchange.response.as_ref().unwrap();
            let events = response.body.units.as_ref().map_or(0, |units| units.count);
            (exchange.in_progress, exchange.depth, response.completeness, events)
        })
        .collect();
    assert_eq!(
        told,
        [
            (true, 1, Completeness::Truncated, 7),
            (false, 1, Completeness::Full, 60),
            (false, 2, Completeness::Full, 0)
        ]
    );
}

/// Whatever is missing, no more messages are counted than there were, and fewer only where that is said.
#[test]
fn messages_behind_gaps() {
    let frame = |first: u8, bytes: &[u8]| [&[first, bytes.len() as u8][..], bytes].concat();
    let frames = [
        frame(0x81, b"hello"),
        frame(0x02, b"part"),
        frame(0x89, b"ping"),
        frame(0x80, b"rest"),
        frame(0x81, &[b'x'; 100]),
        frame(0x88, &[3, 232]),
    ]
    .concat();
    let grpc = [b"\0\0\0\0\x02hi".as_slice(), b"\0\0\0\0\0", b"\x01\0\0\0\x03zip"].concat();
    let events = b"data: a\n\n: no event\n\ndata: b\ndata: c\r\n\r\nevent: x\n\ndata: d\n\n".as_slice();
    let answer = |kind: &str, body: &[u8]| {
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len());
        (head.into_bytes(), body.to_vec())
    };
    let upgrade = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n".to_vec();
    let cases = [
        (upgrade, frames, 3),
        {
            let (head, body) = answer("application/grpc-web", &grpc);
            (head, body, 3)
        },
        {
            let (head, body) = answer("text/event-stream", events);
            (head, body, 3)
        },
    ];
    for (head, body, whole) in cases {
        for from in 0..=body.len() {
            for to in from..=body.len() {
                let mut driver = Driver::new(false);
                driver.data(C, b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n");
                driver.data(S, &head);
                driver.data(S, &body[..from]);
                if to > from {
                    driver.gap(S, (to - from) as u64);
                }
                driver.data(S, &body[to..]);
                let last = driver.finish().pop().unwrap();
                let (count, is_partial) = match (&last.websocket, &last.response) {
                    (Some(seen), _) => (seen.server.texts + seen.server.binaries, seen.server.is_partial),
                    (None, Some(response)) => {
                        let units = response.body.units.as_ref().unwrap();
                        (units.count, units.is_partial)
                    }
                    (None, None) => panic!("nothing was seen"),
                };
                assert!(count <= whole && (count == whole || is_partial), "{from}..{to}: {count} of {whole}");
                assert_eq!(is_partial, to > from, "{from}..{to}");
            }
        }
    }
}

/// What a client sends right behind its ClientHello is of its handshake, however it is cut into packets.
#[test]
fn tls_behind_a_client_hello() {
    let mut hello = vec![0x16, 3, 1, 0, 45, 1, 0, 0, 41, 3, 3];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0x13, 1, 1, 0]);
    let change_cipher_spec = [0x14, 3, 3, 0, 1, 1];
    let alert = [0x15, 3, 3, 0, 2, 2, 40];
    let history = |chunks: &[(Dir, &[u8])]| {
        let mut driver = Driver::new(false);
        chunks.iter().for_each(|(dir, bytes)| driver.data(*dir, bytes));
        driver.analyzer.close(&mut driver.conn, Timestamp(9));
        driver.analyzer.take_tls().unwrap().history
    };
    let whole = [hello.as_slice(), &change_cipher_spec].concat();
    assert_eq!(history(&[(C, &whole), (S, &alert)]), "CIl");
    assert_eq!(history(&[(C, &hello), (C, &change_cipher_spec), (S, &alert)]), "CIl");
    let (head, tail) = change_cipher_spec.split_at(2);
    assert_eq!(history(&[(C, &hello), (C, head), (C, tail), (S, &alert)]), "CIl");
}
