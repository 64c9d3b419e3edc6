//! What clients ask an API for, and what it answers: the mix of the benchmark's traffic.
use super::prng::Prng;
use std::fmt::Write;

/// A file that is served: its size in KiB before encoding, and how often it is asked for among all.
const FILES: [(usize, u64); 4] = [(1, 43), (4, 30), (16, 20), (64, 7)];
const DATE: &str = "Tue, 24 Nov 2026 10:00:00 GMT";

/// One request and its response, as bytes and as an access log has them.
#[derive(Default)]
pub(crate) struct Exchange {
    pub(crate) request: Vec<u8>,
    pub(crate) response: Vec<u8>,
    pub(crate) method: &'static str,
    pub(crate) uri: String,
    pub(crate) user_agent: String,
    pub(crate) status: u16,
    /// The response body's length in bytes, after de-chunking.
    pub(crate) body: usize,
}

/// Makes exchanges.
pub(crate) struct Mix {
    files: Vec<Vec<u8>>,
    made: u64,
}

impl Mix {
    pub(crate) fn new(prng: &mut Prng) -> Self {
        let files = FILES.iter().map(|(size, _)| text(prng, size * 1024 * 4 / 3)).collect();
        Self { files, made: 0 }
    }

    /// The next exchange with `host`, in place of the one in `into`.
    pub(crate) fn next(&mut self, prng: &mut Prng, host: &str, into: &mut Exchange) {
        self.made += 1;
        into.request.clear();
        into.response.clear();
        into.uri.clear();
        into.user_agent.clear();
        match prng.below(100) {
            0..50 => self.user(prng, host, into),
            50..55 => self.search(prng, host, into),
            55..75 => self.order(prng, host, into),
            75..90 => self.file(prng, host, into),
            _ => self.missing(host, into),
        }
    }

    fn user(&self, prng: &mut Prng, host: &str, into: &mut Exchange) {
        let (id, n) = (prng.below(100_000), self.made);
        set(&mut into.uri, format_args!("/api/v1/users/{id}"));
        set(&mut into.user_agent, format_args!("Mozilla/5.0 (X11; Linux x86_64) shop/2.{}", n % 9));
        let token = format!(
            "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI{n}In0.c2ln\r\nAccept: application/json\r\n"
        );
        request(into, "GET", host, &token, b"");
        let body = format!(
            r#"{{"id":{id},"name":"user {id}","email":"u{id}@example.com","plan":"pro","balance":1024.55}}"#
        );
        response(into, 200, "OK", body.as_bytes());
    }

    fn search(&self, prng: &mut Prng, host: &str, into: &mut Exchange) {
        set(&mut into.uri, format_args!("/api/v1/orders?status=open&page={}", prng.below(500)));
        set(&mut into.user_agent, format_args!("okhttp/4.9.3"));
        request(into, "GET", host, "Accept: application/json\r\n", b"");
        let head = format!(
            "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: {DATE}\r\nContent-Type: application/json\r\n\
             Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n"
        );
        into.response.extend(head.as_bytes());
        into.body = 0;
        for n in 0..prng.below(4) + 1 {
            let chunk =
                format!(r#"{{"order":"b4f{n}","state":"open","lines":[{{"sku":"A-{n}","qty":{n}}}]}}"#);
            into.response.extend(format!("{:x}\r\n{chunk}\r\n", chunk.len()).as_bytes());
            into.body += chunk.len();
        }
        into.response.extend(b"0\r\n\r\n");
        into.status = 200;
    }

    fn order(&self, prng: &mut Prng, host: &str, into: &mut Exchange) {
        let n = self.made;
        set(&mut into.uri, format_args!("/api/v1/orders?src=web&cid={n}"));
        set(&mut into.user_agent, format_args!("okhttp/4.9.3"));
        let note = "x".repeat(prng.below(600) as usize + 1);
        let body = format!(r#"{{"sku":"A-{n}","qty":{},"card":"4111111111111111","note":"{note}"}}"#, n % 7);
        request(into, "POST", host, "Content-Type: application/json\r\n", body.as_bytes());
        response(into, 201, "Created", br#"{"ok":true,"order":"b4f1","items":[1,2,3,4,5,6,7,8,9,10]}"#);
    }

    fn file(&self, prng: &mut Prng, host: &str, into: &mut Exchange) {
        let mut dice = prng.below(FILES.iter().map(|(_, weight)| weight).sum());
        for ((size, weight), file) in FILES.iter().zip(&self.files) {
            if dice < *weight {
                set(&mut into.uri, format_args!("/static/f{size}.json"));
                set(&mut into.user_agent, format_args!("python-requests/2.28"));
                request(into, "GET", host, "Accept-Encoding: gzip, deflate\r\nAccept: */*\r\n", b"");
                response(into, 200, "OK", file);
                return;
            }
            dice -= weight;
        }
    }

    fn missing(&self, host: &str, into: &mut Exchange) {
        set(&mut into.uri, format_args!("/nope/{}", self.made));
        set(&mut into.user_agent, format_args!("sqlmap/1.7"));
        request(into, "GET", host, "", b"");
        response(into, 404, "Not Found", br#"{"error":"not found"}"#);
    }
}

fn set(text: &mut String, value: std::fmt::Arguments<'_>) {
    // Writing into a String cannot fail.
    let _ = text.write_fmt(value);
}

fn request(into: &mut Exchange, method: &'static str, host: &str, fields: &str, body: &[u8]) {
    let (uri, user_agent) = (&into.uri, &into.user_agent);
    let mut head = format!("{method} {uri} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {user_agent}\r\n{fields}");
    if !body.is_empty() {
        set(&mut head, format_args!("Content-Length: {}\r\n", body.len()));
    }
    into.method = method;
    into.request.extend(head.as_bytes());
    into.request.extend(b"\r\n");
    into.request.extend(body);
}

fn response(into: &mut Exchange, status: u16, reason: &str, body: &[u8]) {
    let head = format!(
        "HTTP/1.1 {status} {reason}\r\nServer: nginx/1.22.1\r\nDate: {DATE}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: keep-alive\r\n\r\n",
        body.len()
    );
    into.status = status;
    into.body = body.len();
    into.response.extend(head.as_bytes());
    into.response.extend(body);
}

/// Random text as base64 has it, in lines of 76.
fn text(prng: &mut Prng, length: usize) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letter = |at: usize| match at % 77 {
        76 => b'\n',
        _ => ALPHABET.get(prng.below(64) as usize).copied().unwrap_or(b'A'),
    };
    (0..length).map(letter).collect()
}
