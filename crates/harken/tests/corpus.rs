//! The corpus of captures with Zeek's logs: all transactions are as Zeek writes them, but for the differences
//! that `captures/DIFFERENCES.md` explains.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]
mod support;

use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use support::{replay, scratch};

/// The fields that do not depend on taste.
const FIELDS: [&str; 14] = [
    "method",
    "host",
    "uri",
    "referrer",
    "version",
    "user_agent",
    "origin",
    "request_body_len",
    "response_body_len",
    "status_code",
    "status_msg",
    "info_code",
    "info_msg",
    "username",
];
/// Records are matched by these; several of one key in the order of the file.
const KEY: [&str; 5] = ["id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "trans_depth"];

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The records of a log of JSON lines by their key; none when there is no such file.
fn records(log: &Path) -> BTreeMap<String, Vec<Value>> {
    let mut records: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in std::fs::read(log).unwrap_or_default().split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
        let record: Value = serde_json::from_slice(line).unwrap();
        let key = KEY.map(|name| record[name].to_string()).join(" ");
        records.entry(key).or_default().push(record);
    }
    records
}

/// A field that is absent and one that is empty say the same.
fn field<'r>(record: &'r Value, name: &str) -> Option<&'r Value> {
    record.get(name).filter(|value| value.as_str() != Some(""))
}

/// The records that are equal in these fields, and a line about each that is not.
fn compare(expected: &Path, actual: &Path, fields: &[&str]) -> (u64, Vec<String>) {
    let (expected, mut actual) = (records(expected), records(actual));
    let (mut equal, mut differing) = (0, Vec::new());
    for (key, want) in expected {
        let have = actual.remove(&key).unwrap_or_default();
        for i in 0..want.len().max(have.len()) {
            match (want.get(i), have.get(i)) {
                (Some(want), Some(have)) => {
                    let unlike = fields.iter().filter(|name| field(want, name) != field(have, name));
                    let text = unlike.fold(String::new(), |mut text, name| {
                        let _ = write!(text, " {name} {} != {};", want[name], have[name]);
                        text
                    });
                    match text.is_empty() {
                        true => equal += 1,
                        false => differing.push(format!("differs {key}:{text}")),
                    }
                }
                (Some(want), None) => {
                    differing.push(format!("missing {key}: {} {}", want["method"], want["uri"]));
                }
                (None, Some(have)) => {
                    differing.push(format!("extra {key}: {} {}", have["method"], have["uri"]));
                }
                (None, None) => {}
            }
        }
    }
    for (key, have) in actual {
        differing.extend(have.iter().map(|r| format!("extra {key}: {} {}", r["method"], r["uri"])));
    }
    (equal, differing)
}

/// The rows of the tables in `captures/DIFFERENCES.md`: case and number of records.
fn explained() -> BTreeMap<String, usize> {
    let page = std::fs::read_to_string(root().join("captures/DIFFERENCES.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let rows: Vec<_> = rows.map(|(case, rest)| (case.to_owned(), rest.split(' ').next().unwrap())).collect();
    assert!(rows.len() > 50, "the page has tables");
    let explained: BTreeMap<_, _> =
        rows.iter().map(|(case, count)| (case.clone(), count.parse().unwrap())).collect();
    assert_eq!(explained.len(), rows.len(), "no case stands in the page twice");
    explained
}

/// The folders of the corpus and their captures; `None`, and a word about it, where it is absent.
fn corpus() -> Option<Vec<(PathBuf, PathBuf)>> {
    let shared = std::env::var_os("HARKEN_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from);
    let corpus = shared.join("corpus");
    let Ok(folders) = std::fs::read_dir(&corpus) else {
        eprintln!("SKIPPED: {} is not there; set HARKEN_SHARED to the folder that has it", corpus.display());
        return None;
    };
    let with_capture = |case: PathBuf| {
        let captures = ["capture.pcap", "capture.pcapng"].map(|name| case.join(name));
        let capture = captures.into_iter().find(|capture| capture.is_file())?;
        Some((case, capture))
    };
    Some(folders.filter_map(|folder| with_capture(folder.unwrap().path())).collect())
}

/// The fields of `ssl.log` that a handshake tells without its certificates.
const TLS_FIELDS: [&str; 9] = [
    "version",
    "cipher",
    "curve",
    "server_name",
    "resumed",
    "last_alert",
    "next_protocol",
    "established",
    "ssl_history",
];

/// Captures with one connection that Zeek finds TLS in and Harken does not: inside FTP's control connection
/// (`AUTH GSSAPI`), and inside GTP, which is no tunnel of a mirror.
const NOT_SEEN: [&str; 3] = [
    "zeek__globus-url-copy.pcap",
    "zeek__globus-url-copy-bad-encoding.pcap",
    "zeek__tunnels__gtp__gtp6_gtp_0x32.pcap",
];

#[test]
fn tls_is_as_zeek_has_it() {
    let Some(corpus) = corpus() else { return };
    let logs = scratch("corpus-tls");
    let (mut equal, mut wrong) = (0, Vec::new());
    for (case, capture) in corpus.iter().filter(|(case, _)| case.join("ssl.log").is_file()) {
        let name = case.file_name().unwrap().to_str().unwrap();
        let dir = logs.join(name);
        replay(capture, &dir, &[]);
        let (same, differing) = compare(&case.join("ssl.log"), &dir.join("ssl.log"), &TLS_FIELDS);
        equal += same;
        let expected = if NOT_SEEN.contains(&name) { 1 } else { 0 };
        let is_missing = differing.iter().all(|line| expected == 1 && line.starts_with("missing"));
        if differing.len() != expected || !is_missing {
            wrong.push(format!("{name}: {differing:?}"));
        }
    }
    println!("{equal} connections equal");
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(equal >= 78);
}

/// Port, server name and protocol of a QUIC connection.
type Named = (u16, &'static str, &'static str);

/// Port and server name of each QUIC connection of the corpus, and the protocol it asks for, as tshark 4.0 tells:
/// `tshark -r FILE -Y 'quic and tls.handshake.type==1' -T fields -e udp.srcport -e tls.handshake.extensions_server_name -e
/// tls.handshake.extensions_alpn_str`.
const QUIC: &[(&str, &[Named])] = &[
    (
        "suri__ja4-quic__input.pcap",
        &[
            (32997, "fonts.gstatic.com", "h3"),
            (37252, "www.blogger.com", "h3"),
            (38677, "www.google.com", "h3"),
            (41171, "2.bp.blogspot.com", "h3"),
            (42849, "www.gstatic.com", "h3"),
            (50440, "apis.google.com", "h3"),
            (51333, "www.blogger.com", "h3"),
            (52446, "1.bp.blogspot.com", "h3"),
            (53371, "socpuppet.blogspot.com", "h3"),
            (57334, "apis.google.com", "h3"),
            (60461, "4.bp.blogspot.com", "h3"),
        ],
    ),
    ("suri__ja4-tls-quic__input.pcap", &[(50280, "cloudflare-quic.com", "h3")]),
    ("suri__quic-frag-middle-gap__input.pcap", &[(45514, "optimizationguide-pa.googleapis.com", "h3")]),
    ("suri__quic-frag-unordered__input.pcap", &[(52755, "mastodon.social", "h3")]),
    ("suri__quic-frag-wait__input.pcap", &[(56086, "www.google.com", "h3")]),
    ("suri__quic-ietf-ja3__input.pcap", &[(56785, "msquic.net", "h3-29")]),
    ("zeek__quic__383379789-decrypt-crash.pcap", &[]),
    ("zeek__quic__firefox-102.13.0esr-blog-cloudflare-com.pcap", &[(44174, "blog.cloudflare.com", "h3")]),
    ("zeek__quic__interop__quic-go_quic-go__handshake.pcap", &[(40084, "server4:443", "hq-interop")]),
    ("zeek__quic__interop__quic-go_quic-go__retry.pcap", &[(42834, "server4:443", "hq-interop")]),
    (
        "zeek__quic__interop__quic-go_quic-go__zerortt.pcap",
        &[(49394, "server4:443", "hq-interop"), (60492, "server4:443", "hq-interop")],
    ),
    ("zeek__quic__quic-decrypt-fail-google-de-51833.pcap", &[(51883, "www.google.de", "h3")]),
    (
        "zeek__quic__quic-multiple-initial-fragmented-crypto-only-initial.pcap",
        &[(45945, "googleads.g.doubleclick.net", "h3")],
    ),
    (
        "zeek__quic__quic-multiple-initial-fragmented-crypto.pcap",
        &[(45945, "googleads.g.doubleclick.net", "h3")],
    ),
    ("zeek__quic__quic_win11_firefox_google.pcap", &[(49369, "www.google.com", "h3")]),
    ("zeek__quic__quicv2-echo-443.pcap", &[(49320, "localhost", "quic-echo-example")]),
    ("zeek__quic__quicv2-http3-443.pcap", &[(50841, "", "h3")]),
];

#[test]
fn quic_is_as_tshark_has_it() {
    let Some(corpus) = corpus() else { return };
    let logs = scratch("corpus-quic");
    let mut equal = 0;
    for (name, truth) in QUIC {
        let (_, capture) = corpus.iter().find(|(case, _)| case.ends_with(name)).unwrap();
        let dir = logs.join(name);
        replay(capture, &dir, &[]);
        let text = std::fs::read_to_string(dir.join("quic.log")).unwrap();
        let mut have: Vec<(u16, String, String)> = text
            .lines()
            .map(|line| {
                let record: Value = serde_json::from_str(line).unwrap();
                let text = |name| record.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
                let port = record["id.orig_p"].as_u64().unwrap();
                (u16::try_from(port).unwrap(), text("server_name"), text("client_protocol"))
            })
            .collect();
        have.sort();
        let want: Vec<_> =
            truth.iter().map(|(port, name, alpn)| (*port, (*name).to_owned(), (*alpn).to_owned())).collect();
        assert_eq!(have, want, "{name}");
        equal += want.len();
    }
    println!("{equal} connections equal");
    assert_eq!(equal, 27);
}

/// The fields of `websocket.log`. What a client offers may hold a token, which is masked here.
const WEBSOCKET_FIELDS: [&str; 6] =
    ["host", "uri", "user_agent", "subprotocol", "server_extensions", "client_extensions"];

#[test]
fn websocket_is_as_zeek_has_it() {
    let Some(corpus) = corpus() else { return };
    let logs = scratch("corpus-websocket");
    let (mut equal, mut wrong) = (0, Vec::new());
    for (case, capture) in corpus.iter().filter(|(case, _)| case.join("websocket.log").is_file()) {
        let dir = logs.join(case.file_name().unwrap());
        replay(capture, &dir, &[]);
        let (same, differing) =
            compare(&case.join("websocket.log"), &dir.join("websocket.log"), &WEBSOCKET_FIELDS);
        equal += same;
        wrong.extend(differing.into_iter().map(|line| format!("{}: {line}", case.display())));
    }
    println!("{equal} connections equal");
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(equal >= 3);
}

#[test]
fn transactions_are_as_zeek_has_them() {
    let mut explained = explained();
    let Some(corpus) = corpus() else { return };
    let logs = scratch("corpus");
    let (mut cases, mut equal, mut wrong) = (0, 0, String::new());
    for (case, capture) in corpus {
        let name = case.file_name().unwrap().to_str().unwrap();
        let dir = logs.join(name);
        replay(&capture, &dir, &[]);
        let (same, differing) = compare(&case.join("http.log"), &dir.join("http.log"), &FIELDS);
        cases += 1;
        equal += same;
        let expected = explained.remove(name).unwrap_or(0);
        if differing.len() != expected {
            let _ = writeln!(wrong, "{name}: {} records differ, not {expected}:", differing.len());
            for line in differing.iter().take(4) {
                let _ = writeln!(wrong, "    {}", line.chars().take(300).collect::<String>());
            }
        }
    }
    println!("{cases} captures, {equal} records equal");
    assert!(wrong.is_empty(), "not as captures/DIFFERENCES.md says:\n{wrong}");
    assert!(explained.is_empty(), "captures/DIFFERENCES.md has cases that do not exist: {explained:?}");
    assert!(equal > 700);
}
