//! `vxlan-api`: a shop's API as a mirror of three interfaces shows it, with a bit of everything that such
//! traffic holds.
use super::{
    gzip::gzip,
    script::{MILLISECOND, START, Seen, Talk, chunked, file, message, sized},
    tls,
};
use crate::r#gen::{
    conversation::{End, MSS, Timed},
    packet::{self, Ip, PROTOCOL_UDP},
    tunnel::{Outer, Tunnel},
};
use anyhow::Result;
use std::net::IpAddr;

const SECOND: u64 = 1000 * MILLISECOND;
const APP: &str = "Host: api.shop.example\nUser-Agent: shop-android/7.4.1 okhttp/4.12.0\nAccept: application/json\n\
                   Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1LTQyIn0.c2lnbmF0dXJl";
const BROWSER: &str = "Host: www.shop.example\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\n\
                       Accept: */*\nReferer: https://www.shop.example/";
const PARTNER: &str = "Host: partner.shop.example\nUser-Agent: python-requests/2.32.3\nAccept: */*";
const SCANNER: &str =
    "Host: 10.0.2.10:8080\nUser-Agent: sqlmap/1.8.11#stable (https://sqlmap.org)\nAccept: */*";

/// The mirrored interfaces: primary address and VNI.
const API: (&str, u32) = ("10.0.2.10", 0x1a_2b01);
const WEB: (&str, u32) = ("10.0.2.20", 0x1a_2b02);
const PARTNERS: (&str, u32) = ("10.0.2.30", 0x1a_2b03);

pub(super) fn capture() -> Result<Vec<u8>> {
    let mut seen: Vec<Seen> = Vec::new();
    for ((address, vni), frames) in [
        (API, shopping()?),
        (API, login()?),
        (API, payments()?),
        (API, scan()?),
        (API, lookup()?),
        (WEB, pages()?),
        (WEB, upload()?),
        (WEB, websocket()?),
        (WEB, tls()?),
        (PARTNERS, export()?),
        (PARTNERS, over_ipv6()?),
    ] {
        let outer = Outer { src: address.parse()?, dst: "10.0.9.9".parse()?, vni, count: 0 };
        seen.extend(frames.into_iter().map(|timed| (timed, Some(outer))));
    }
    seen.push((arp(), None));
    file(Tunnel::Vxlan, seen)
}

fn get(target: &str, fields: &str) -> Vec<u8> {
    message(&format!("GET {target} HTTP/1.1\n{fields}"), b"")
}

fn send(method: &str, target: &str, fields: &str, body: &str) -> Vec<u8> {
    sized(&format!("{method} {target} HTTP/1.1\n{fields}\nContent-Type: application/json"), body.as_bytes())
}

fn json(status: &str, body: &str) -> Vec<u8> {
    sized(&format!("HTTP/1.1 {status}\nServer: envoy\nContent-Type: application/json"), body.as_bytes())
}

/// A user at work: GET, POST, PUT, PATCH and DELETE on one connection; a compressed answer; a response that
/// the mirror delivers twice, and one whose segments it delivers in the wrong order.
fn shopping() -> Result<Vec<Timed>> {
    let mut talk = Talk::open("10.0.1.20:40112", "10.0.2.10:8080", 0)?;
    let cart = r#"{"items":[{"id":7,"sku":"mug-blue","qty":3,"price":8.5}],"total":25.5,"currency":"EUR"}"#;
    talk.ask(&get("/v1/products?limit=3&sort=price", APP))
        .answer(
            12 * MILLISECOND,
            &json("200 OK", r#"{"products":[{"sku":"mug-red"},{"sku":"mug-blue"},{"sku":"cap"}],"next":3}"#),
        )
        .pause(800 * MILLISECOND)
        .ask(&get("/v1/products/mug-blue", APP))
        .answer(7 * MILLISECOND, &json("200 OK", r#"{"sku":"mug-blue","price":8.5,"stock":112}"#))
        .repeat_answer()
        .pause(900 * MILLISECOND)
        .ask(&send("POST", "/v1/cart/items", APP, r#"{"sku":"mug-blue","qty":1}"#))
        .answer(21 * MILLISECOND, &json("201 Created", r#"{"id":7}"#))
        .pause(400 * MILLISECOND)
        .ask(&send("PUT", "/v1/cart/items/7", APP, r#"{"sku":"mug-blue","qty":2}"#))
        .answer(15 * MILLISECOND, &json("200 OK", r#"{"id":7,"qty":2}"#))
        .pause(300 * MILLISECOND)
        .ask(&send("PATCH", "/v1/cart/items/7", APP, r#"{"qty":3}"#))
        .answer(14 * MILLISECOND, &json("200 OK", r#"{"id":7,"qty":3}"#))
        .pause(600 * MILLISECOND)
        .ask(&get("/v1/cart", &format!("{APP}\nAccept-Encoding: gzip")))
        .answer(
            9 * MILLISECOND,
            &sized(
                "HTTP/1.1 200 OK\nServer: envoy\nContent-Type: application/json\nContent-Encoding: gzip\n\
                 Vary: Accept-Encoding",
                &gzip(cart.as_bytes()),
            ),
        );
    let page = format!(r#"{{"reviews":[{}]}}"#, vec![r#"{"stars":5,"text":"good"}"#; 70].join(","));
    let reviews = json("200 OK", &page);
    let (first, second) = reviews.split_at(MSS.min(reviews.len()));
    talk.pause(SECOND)
        .ask(&get("/v1/products/mug-blue/reviews", APP))
        .answer_swapped(11 * MILLISECOND, first, second)
        .pause(500 * MILLISECOND)
        .ask(&message(&format!("DELETE /v1/cart/items/7 HTTP/1.1\n{APP}"), b""))
        .answer(8 * MILLISECOND, &message("HTTP/1.1 204 No Content\nServer: envoy", b""))
        .pause(200 * MILLISECOND)
        .ask(&message(&format!("HEAD /v1/products/cap HTTP/1.1\n{APP}"), b""))
        .answer(
            4 * MILLISECOND,
            &message(
                "HTTP/1.1 200 OK\nServer: envoy\nContent-Type: application/json\nContent-Length: 37",
                b"",
            ),
        )
        .pause(200 * MILLISECOND)
        .ask(&get("/v1/products/teapot", APP))
        .answer(5 * MILLISECOND, &json("404 Not Found", r#"{"error":"no such product"}"#));
    Ok(talk.close())
}

/// A login that fails, one that works, and one that is turned away.
fn login() -> Result<Vec<Timed>> {
    let fields = "Host: auth.shop.example\nUser-Agent: shop-ios/7.4.0 CFNetwork/1568";
    let form = |password: &str| {
        sized(
            &format!("POST /oauth/token HTTP/1.1\n{fields}\nContent-Type: application/x-www-form-urlencoded"),
            format!("grant_type=password&username=ada%40example.com&password={password}").as_bytes(),
        )
    };
    let mut talk = Talk::open("10.0.1.21:51844", "10.0.2.10:8080", 300 * MILLISECOND)?;
    talk.ask(&form("wrong"))
        .answer(
            90 * MILLISECOND,
            &json("401 Unauthorized\nWWW-Authenticate: Bearer", r#"{"error":"invalid_grant"}"#),
        )
        .pause(4 * SECOND)
        .ask(&form("correct-horse"))
        .answer(
            95 * MILLISECOND,
            &json("200 OK", r#"{"access_token":"eyJhbGciOiJIUzI1NiJ9.e30.c2ln","expires_in":3600}"#),
        )
        .pause(50 * MILLISECOND)
        .ask(&form("correct-horse"))
        .answer(2 * MILLISECOND, &json("429 Too Many Requests\nRetry-After: 30", r#"{"error":"slow_down"}"#));
    Ok(talk.close())
}

/// A service in trouble: 422, 500, 502 and 503.
fn payments() -> Result<Vec<Timed>> {
    let mut talk = Talk::open("10.0.1.20:40120", "10.0.2.10:8080", 7 * SECOND)?;
    let card = r#"{"order":7,"card":"4111111111111111","cvv":"123","holder":"Ada Example"}"#;
    talk.ask(&send("POST", "/v1/payments", APP, r#"{"order":7}"#))
        .answer(20 * MILLISECOND, &json("422 Unprocessable Content", r#"{"error":"card is missing"}"#))
        .pause(3 * SECOND)
        .ask(&send("POST", "/v1/payments", APP, card))
        .answer(900 * MILLISECOND, &json("502 Bad Gateway", r#"{"error":"upstream"}"#))
        .pause(SECOND)
        .ask(&send("POST", "/v1/payments", APP, card))
        .answer(
            40 * MILLISECOND,
            &json("500 Internal Server Error", r#"{"error":"internal","trace":"9f1c"}"#),
        )
        .pause(SECOND)
        .ask(&get("/v1/payments/health", APP))
        .answer(3 * MILLISECOND, &json("503 Service Unavailable", r#"{"status":"down"}"#))
        .pause(SECOND)
        .ask(&send("POST", "/v1/payments", APP, card))
        .answer(310 * MILLISECOND, &json("201 Created", r#"{"payment":"p-1","state":"captured"}"#));
    Ok(talk.close())
}

/// Somebody who tries doors.
fn scan() -> Result<Vec<Timed>> {
    let mut talk = Talk::open("203.0.113.66:60001", "10.0.2.10:8080", 5 * SECOND)?;
    for (target, status) in [
        ("/v1/products?sort=price%27%20OR%201%3D1--", "400 Bad Request"),
        ("/v1/products?sort=price%27%20UNION%20SELECT%20password%20FROM%20users--", "400 Bad Request"),
        ("/.env", "404 Not Found"),
        ("/wp-login.php", "404 Not Found"),
        ("/v1/admin/users", "403 Forbidden"),
        ("/v1/../../etc/passwd", "400 Bad Request"),
    ] {
        talk.ask(&get(target, SCANNER)).answer(MILLISECOND, &json(status, "{}")).pause(20 * MILLISECOND);
    }
    Ok(talk.close())
}

/// A name is looked up: UDP, in the mirror but no transaction.
fn lookup() -> Result<Vec<Timed>> {
    let query = b"\x1f\x2e\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x08payments\x04shop\x07example\x00\x00\x01\x00\x01";
    let mut frame = Vec::new();
    packet::ethernet(&mut frame, packet::mac(1), packet::mac(2), packet::ETHERTYPE_IPV4);
    let (src, dst): (IpAddr, IpAddr) = ("10.0.2.10".parse()?, "10.0.0.2".parse()?);
    let ip = Ip { src, dst, protocol: PROTOCOL_UDP, ttl: 64, id: 1, dont_fragment: true };
    packet::ip(&mut frame, &ip, 8 + query.len());
    packet::udp(&mut frame, 50353, 53, query.len());
    frame.extend(query);
    Ok(vec![Timed { ts: START + 6 * SECOND, frame }])
}

/// A browser that sends three requests at once, and gets a file of several segments.
fn pages() -> Result<Vec<Timed>> {
    let script = "export const shop = 'shop.example';\n".repeat(250);
    let mut talk = Talk::open("10.0.1.30:33010", "10.0.2.20:80", SECOND)?;
    let asset = |kind: &str, body: &str| {
        sized(
            &format!("HTTP/1.1 200 OK\nServer: nginx\nCache-Control: max-age=60\nContent-Type: {kind}"),
            body.as_bytes(),
        )
    };
    let pipelined =
        ["/assets/site.css", "/assets/app.js", "/favicon.ico"].map(|target| get(target, BROWSER)).concat();
    talk.ask(&get("/", BROWSER))
        .answer(6 * MILLISECOND, &asset("text/html", "<!doctype html><title>Shop</title><script src=/assets/app.js></script>"))
        .pause(30 * MILLISECOND)
        .ask(&pipelined)
        .answer(2 * MILLISECOND, &asset("text/css", "body{font:16px/1.5 sans-serif}"))
        .answer(MILLISECOND, &asset("text/javascript", &script))
        .answer(MILLISECOND, &message("HTTP/1.1 304 Not Modified\nServer: nginx\nETag: \"5f1\"", b""))
        .pause(2 * SECOND)
        .ask(&message(&format!("OPTIONS /api/session HTTP/1.1\n{BROWSER}\nOrigin: https://www.shop.example\nAccess-Control-Request-Method: POST"), b""))
        .answer(MILLISECOND, &message("HTTP/1.1 204 No Content\nServer: nginx\nAccess-Control-Allow-Origin: https://www.shop.example", b""))
        .pause(SECOND)
        .ask(&get("/old", &format!("{BROWSER}\nConnection: close")))
        .answer(MILLISECOND, &sized("HTTP/1.1 301 Moved Permanently\nServer: nginx\nLocation: /new\nConnection: close", b""));
    Ok(talk.close())
}

/// A form with a file, sent when the server has said 100.
fn upload() -> Result<Vec<Timed>> {
    let picture: String = ('0'..='z').cycle().take(3_000).collect();
    let body = format!(
        "--b7\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nA mug\r\n--b7\r\nContent-Disposition: form-data; \
         name=\"picture\"; filename=\"mug.svg\"\r\nContent-Type: image/svg+xml\r\n\r\n{picture}\r\n--b7--\r\n"
    );
    let head = format!(
        "POST /api/pictures HTTP/1.1\n{BROWSER}\nContent-Type: multipart/form-data; boundary=b7\nContent-Length: {}\n\
         Expect: 100-continue",
        body.len()
    );
    let mut talk = Talk::open("10.0.1.30:33024", "10.0.2.20:80", 9 * SECOND)?;
    talk.ask(&message(&head, b""))
        .answer(MILLISECOND, &message("HTTP/1.1 100 Continue", b""))
        .ask(body.as_bytes())
        .answer(30 * MILLISECOND, &json("201 Created", r#"{"picture":"mug.svg"}"#));
    Ok(talk.close())
}

/// A connection that leaves HTTP for WebSocket.
fn websocket() -> Result<Vec<Timed>> {
    let upgrade = format!(
        "GET /live HTTP/1.1\n{BROWSER}\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    );
    let accept = "HTTP/1.1 101 Switching Protocols\nServer: nginx\nConnection: Upgrade\nUpgrade: websocket\n\
                  Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    let mut talk = Talk::open("10.0.1.30:33040", "10.0.2.20:80", 4 * SECOND)?;
    talk.ask(&message(&upgrade, b""))
        .answer(2 * MILLISECOND, &message(accept, b""))
        // The masked and the bare text message "Hello" of RFC 6455 section 5.7; then close, 1000.
        .ask(&[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58])
        .answer(MILLISECOND, &[0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f])
        .pause(SECOND)
        .answer(MILLISECOND, &[0x88, 0x02, 0x03, 0xe8]);
    Ok(talk.close())
}

/// A connection that is encrypted: its server name is all there is to see.
fn tls() -> Result<Vec<Timed>> {
    let mut talk = Talk::open("10.0.1.31:49202", "10.0.2.20:443", 2 * SECOND)?;
    talk.ask(&tls::client_hello("checkout.shop.example"))
        .answer(3 * MILLISECOND, &tls::server_hello())
        .ask(&tls::application_data(74))
        .answer(MILLISECOND, &tls::application_data(510))
        .ask(&tls::application_data(420))
        .answer(40 * MILLISECOND, &tls::application_data(1900));
    Ok(talk.close())
}

/// A partner's batch: HTTP/1.0 with a body that ends with the connection's, and a chunked export with a
/// trailer on another connection.
fn export() -> Result<Vec<Timed>> {
    let mut old = Talk::open("198.51.100.7:2048", "10.0.2.30:8080", SECOND)?;
    old.ask(&message("GET /feed.csv HTTP/1.0\nHost: partner.shop.example\nUser-Agent: batch/0.9", b""))
        .answer(
            5 * MILLISECOND,
            &message("HTTP/1.0 200 OK\nContent-Type: text/csv", b"sku,price\nmug-red,8.00\nmug-blue,8.50\n"),
        );
    let mut frames = old.close_by(End::Server);
    let lines: Vec<String> = (1..=120)
        .map(|n| {
            format!("{{\"order\":{n},\"total\":{}.{:02},\"mail\":\"u{n}@example.com\"}}\n", n * 3, n % 100)
        })
        .collect();
    let head = "HTTP/1.1 200 OK\nServer: envoy\nContent-Type: application/x-ndjson\nTransfer-Encoding: chunked\nTrailer: X-Rows";
    let mut talk = Talk::open("198.51.100.7:2050", "10.0.2.30:8080", 3 * SECOND)?;
    talk.ask(&get("/v1/orders/export?since=2026-11-01", PARTNER))
        .answer(60 * MILLISECOND, &message(head, &chunked(lines.iter().map(String::as_str), "X-Rows: 120")));
    let rows = ["{\"sku\":\"mug-red\",\"stock\":40}\n", "{\"sku\":\"cap\",\"stock\":0}\n"];
    talk.pause(SECOND)
        .ask(&message(
            &format!("POST /v1/stock HTTP/1.1\n{PARTNER}\nContent-Type: application/x-ndjson\nTransfer-Encoding: chunked"),
            &chunked(rows, ""),
        ))
        .answer(35 * MILLISECOND, &json("202 Accepted", r#"{"rows":2}"#));
    frames.extend(talk.close());
    Ok(frames)
}

/// The same API over IPv6.
fn over_ipv6() -> Result<Vec<Timed>> {
    let mut talk = Talk::open("[2001:db8:77::5]:55100", "[2001:db8:2::30]:8080", 5 * SECOND)?;
    talk.ask(&get("/v1/products?limit=1", PARTNER))
        .answer(10 * MILLISECOND, &json("200 OK", r#"{"products":[{"sku":"cap"}],"next":1}"#))
        .pause(100 * MILLISECOND)
        .ask(&send(
            "POST",
            "/graphql",
            PARTNER,
            r#"{"operationName":"Stock","query":"query Stock{stock(sku:\"cap\"){count}}"}"#,
        ))
        .answer(18 * MILLISECOND, &json("200 OK", r#"{"data":{"stock":{"count":0}}}"#));
    Ok(talk.close())
}

/// The collector asks for its gateway: a frame outside the tunnel.
fn arp() -> Timed {
    let mut frame = Vec::new();
    packet::ethernet(&mut frame, packet::mac(0xa1), [0xff; 6], 0x0806);
    frame.extend([0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(packet::mac(0xa1));
    frame.extend([10, 0, 9, 9, 0, 0, 0, 0, 0, 0, 10, 0, 9, 1]);
    frame.resize(60, 0);
    Timed { ts: START + 3 * SECOND, frame }
}
