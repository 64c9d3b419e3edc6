//! Every place: what goes in and what comes out.
#![allow(unused_crate_dependencies, reason = "the dependencies are those of the whole package")]
#![allow(clippy::unwrap_used, reason = "a test stops by panicking")]

use harken_mask::{Config, Masker, Report};

type Mask = fn(&mut Masker, &[u8], &mut Vec<u8>, &mut Report) -> bool;

fn masked(config: &str, mask: Mask, text: &str) -> (String, Vec<String>) {
    let mut masker = Masker::new(&serde_json::from_str(config).unwrap()).unwrap();
    let (mut out, mut report) = (Vec::new(), Report::default());
    if !mask(&mut masker, text.as_bytes(), &mut out, &mut report) {
        assert!(out.is_empty() && report.is_empty());
        return (text.to_owned(), Vec::new());
    }
    let entries =
        report.entries.iter().map(|entry| format!("{} {}", entry.kind.name(), entry.name)).collect();
    (String::from_utf8_lossy(&out).into_owned(), entries)
}

#[test]
fn places() {
    let json: Mask = Masker::json;
    let cases: &[(Mask, &str, &str, &[&str])] = &[
        (
            |m, t, o, r| m.header(b"Authorization", t, o, r),
            "Bearer abc",
            "Bearer ***",
            &["authorization Authorization"],
        ),
        (|m, t, o, r| m.header(b"Cookie", t, o, r), "a=1; b=2", "a=***; b=***", &["cookie Cookie"]),
        (
            |m, t, o, r| m.header(b"Set-Cookie", t, o, r),
            "a=1; Path=/x",
            "a=***; Path=/x",
            &["cookie Set-Cookie"],
        ),
        (|m, t, o, r| m.header(b"Cookie", t, o, r), "bare; x=1=2", "***; x=***", &["cookie Cookie"]),
        (
            |m, t, o, r| m.header(b"Authorization", t, o, r),
            "s3cr3t trailing",
            "***",
            &["authorization Authorization"],
        ),
        (|m, t, o, r| m.header(b"Accept", t, o, r), "*/*", "*/*", &[]),
        (
            |m, t, o, r| m.header(b"Referer", t, o, r),
            "https://u:pw@h.example/a?token=abc&n=1#access_token=x",
            "https://u:***@h.example/a?token=***&n=1#access_token=***",
            &["secret Referer"],
        ),
        (Masker::url, "/a/4111111111111111/b?q=1", "/a/************1111/b?q=1", &["card path"]),
        (Masker::url, "/a%2F4111111111111111/%20b", "/a/************1111/%20b", &["card path"]),
        (Masker::url, "/plain?x=1", "/plain?x=1", &[]),
        (Masker::url, "http://a:b:c@h/", "http://a:***@h/", &["secret password"]),
        (Masker::url, "/p?u=http://a:b@h/", "/p?u=http://a:b@h/", &[]),
        (Masker::url, "example.com:443", "example.com:443", &[]),
        (
            Masker::multipart,
            "--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\ns3cr3t\r\n--b\r\n\
             Content-Disposition: form-data; name=\"f\"; filename=\"token\"\r\n\r\nx 4111111111111111\r\n--b--\r\n",
            "--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n***\r\n--b\r\n\
             Content-Disposition: form-data; name=\"f\"; filename=\"token\"\r\n\r\nx ************1111\r\n--b--\r\n",
            &["secret password", "card f"],
        ),
        (Masker::query, "q=a+b&access_token=xyz&n=1", "q=a+b&access_token=***&n=1", &["secret access_token"]),
        (Masker::form, "card=4111%201111+1111+1111", "card=****%20****%20****%201111", &["card card"]),
        (Masker::query, "4111111111111111=1&x=2", "************1111=1&x=2", &["card *"]),
        (
            json,
            r#"{"a":[{"password":"x\"y","n":4111111111111111}]}"#,
            r#"{"a":[{"password":"***","n":"************1111"}]}"#,
            &["secret $.a[].password", "card $.a[].n"],
        ),
        (
            json,
            r#"{"token":{"a":1,"b":["c"]},"d":"e"}"#,
            r#"{"token":{"a":"***","b":["***"]},"d":"e"}"#,
            &["secret $.token.a", "secret $.token.b[]"],
        ),
        (
            json,
            r#"{"a":"4111\u00201111\u00201111\u00201111"}"#,
            r#"{"a":"**** **** **** 1111"}"#,
            &["card $.a"],
        ),
        (json, r#"{"a":true,"password":"cut o"#, r#"{"a":true,"password":"***"#, &["secret $.password"]),
        (Masker::text, "pay 4111-1111-1111-1111 now", "pay ****-****-****-1111 now", &["card "]),
        (Masker::text, "password=hunter22 x", "password=*** x", &["secret "]),
        (
            Masker::grpc,
            "\0\0\0\0\x12\x0a\x104111111111111111",
            "\0\0\0\0\x12\x0a\x10************1111",
            &["card 1"],
        ),
        // A stream of Connect: two messages of JSON, and its end.
        (
            Masker::json_messages,
            "\0\0\0\0\x12{\"password\":\"abc\"}\0\0\0\0\x07{\"a\":1}\x02\0\0\0\x12{\"token\":\"longer\"}",
            "\0\0\0\0\x12{\"password\":\"***\"}\0\0\0\0\x07{\"a\":1}\x02\0\0\0\x0f{\"token\":\"***\"}",
            &["secret $.password", "secret $.token"],
        ),
    ];
    for (mask, text, want, entries) in cases {
        let (out, found) = masked("{}", *mask, text);
        assert_eq!(out, *want, "{text}");
        assert_eq!(found, *entries, "{text}");
    }
    let paths = r#"{"names":[{"location":"json","name":"$.user.pin","method":"remove"}]}"#;
    assert_eq!(masked(paths, json, r#"{"user":{"pin":1234},"pin":1}"#).0, r#"{"user":{"pin":null},"pin":1}"#);
    let nested = r#"{"names":[{"location":"grpc","name":"1.2","method":"fixed"}]}"#;
    assert_eq!(
        masked(nested, Masker::grpc, "\0\0\0\0\x07\x0a\x05\x12\x03abc").0,
        "\0\0\0\0\x07\x0a\x05\x12\x03***"
    );
}

/// Behind the messages of gRPC-Web stand its trailers.
#[test]
fn trailers_in_the_body() {
    let trailers = |text: &str| {
        let length = u8::try_from(text.len()).unwrap();
        [b"\0\0\0\0\x02\x08\x01\x80\0\0\0".as_slice(), &[length], text.as_bytes()].concat()
    };
    let mut masker = Masker::new(&serde_json::from_str("{}").unwrap()).unwrap();
    let mut out = Vec::new();
    assert!(masker.grpc(&trailers("grpc-message: password=hunter2222"), &mut out, &mut Report::default()));
    assert_eq!(out, trailers("grpc-message: password=***"));
}

/// Each was found by the labelled set (`labelled.rs`).
#[test]
fn what_the_labelled_set_has_found() {
    let all = r#"{"email": {"on": true, "method": "fixed"}, "phone": {"on": true, "method": "fixed"},
        "national_id": {"on": true, "method": "fixed"}, "card": {"method": "fixed"}}"#;
    for (mask, text, want) in [
        (Masker::text as Mask, "to o'neil@example.com.", "to ***."),
        (Masker::text, "'neil@example.com'", "'***'"),
        (Masker::json, r#"{"mail":"a/b=c@example.com"}"#, r#"{"mail":"***"}"#),
        (Masker::text, "see /a/b=c@example.com now", "see /a/b=*** now"),
        (Masker::text, "icon@2x.png, icon@3x.JPG", "icon@2x.png, icon@3x.JPG"),
        (Masker::text, "1+6884755863", "1+6884755863"),
        (Masker::text, "+99912345678, +99212345678", "+99912345678, ***"),
        (Masker::text, "call (0426) 3444704!", "call ***!"),
        (Masker::text, "(00426) 3444704", "(00426) 3444704"),
        // Both a GTIN and what was once a card of 13 digits: the name decides.
        (Masker::json, r#"{"ean":"@13"}"#, r#"{"ean":"@13"}"#),
        (Masker::json, r#"{"card":"@13"}"#, r#"{"card":"***"}"#),
        (Masker::text, "DE33 1698 4916 5156 4713 41", "DE33 1698 4916 5156 4713 41"),
        (Masker::text, "id 4916 5156 4713", "id ***"),
    ] {
        let fill = |text: &str| text.replace("@13", "4006381333023");
        assert_eq!(masked(all, mask, &fill(text)).0, fill(want), "{text}");
    }
}

#[test]
fn errors_name_the_key_and_the_mend() {
    let config: Config = serde_json::from_str(r#"{"card":{"method":"hash"}}"#).unwrap();
    let error = Masker::new(&config).unwrap_err().to_string();
    assert!(error.starts_with("masking: key: is missing") && error.contains("openssl rand"), "{error}");
}
