//! Bodies with a content coding: whatever the pieces in which they arrive, they are decoded to the same text,
//! and whatever they hold, decoding stays within its limits.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic")]
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use harken_flow::{Chunk, Dir};
use harken_http::{Analyzer, Completeness, Limits, Stats};
use harken_wire::Timestamp;
use std::io::Write as _;

// `text()` by the encoders of Google and Facebook: a brotli stream of quality 11, a zstd frame of level 19 with
// content size and checksum, a zstd frame of two blocks without either; and 10 MiB of zeros in brotli.
const BROTLI: &[u8] =
    b"\x1b\xa4\x02\xb0\x1c\x07\x76\x2c\xb3\x4e\x3e\x08\x4f\xe7\x95\xc2\x1e\xf4\xbf\xb9\x69\x95\x9b\x15\xfe\
    \x53\x4d\xdd\xc6\x86\x6a\x90\x12\x12\x4b\xa7\x0f\x64\x75\xae\x93\x06\x04\x11\x45\x5d\x94\x78\xa0\xaf\
    \x0f\x0e\xb9\x1d\x42\xca\x92\x20\xd5\xbe\x59\x63\x83\x77\x3f\xc1\xf0\x4c\x13\xe6\xe9\x3c\xc0\xb9\x86\
    \xbb\xe7\x7f\x97\xbc\xdc\xfc\x2e\x32\x90\x56\x11\x35\x21\x69\x0d\x59\x8b\x28\x5a\xc7\xa1\x25\xd4\x35\
    \x99\xd0\xda\x32\xe8\x6b\x12\x43\xa6\xbe\x42\x55\x16\x8a";
const ZSTD: &[u8] =
    b"\x28\xb5\x2f\xfd\x64\xa5\x01\x85\x03\x00\xf2\x44\x12\x18\x80\x59\x07\x5a\xec\xcd\x8a\xf3\x47\xf1\x19\
    \x66\x48\x48\x32\x34\x31\xea\x82\x89\xc5\xce\xed\x01\xa9\x9b\xa1\x7e\xcb\x75\x53\xc2\x63\x69\x39\xd5\
    \xa9\x35\xd0\x3c\x4e\xca\xf1\x26\x04\x47\xc4\xf2\x42\x0d\x96\x75\x38\x7c\xb4\x74\xfe\x20\x78\x59\x50\
    \x5b\x7f\x8e\x82\xe3\x2a\x87\xbf\xb2\x9e\x09\x17\xa8\x10\xf8\xec\xff\x1d\x90\x15\x5b\x07\x10\x9e\x28\
    \x12\xff\x8f\xc4\x3e\x34\xb9\x75\xc3\xfe\x58\x9f\x8c\xa9\x85\x5e\xb9\x92\x23\xee\x43\x52\xff\x75\x67\
    \x40";
const ZSTD_STREAM: &[u8] =
    b"\x28\xb5\x2f\xfd\x00\x58\x8c\x02\x00\xe4\x03\x7b\x22\x73\x6b\x75\x22\x3a\x22\x6d\x75\x67\x2d\x30\x22\
    \x2c\x22\x73\x74\x6f\x63\x6b\x22\x3a\x30\x2c\x22\x6e\x6f\x74\x65\x22\x3a\x22\x61\x73\x6b\x20\x66\x6f\
    \x72\x20\x74\x68\x65\x20\x62\x6c\x75\x65\x20\x6f\x6e\x65\x22\x7d\x0a\x31\x37\x32\x31\x33\x38\x07\x00\
    \x80\x08\xd8\x2e\x60\x18\x80\x25\x60\x0e\xc0\x0c\x37\xa7\xf6\xcd\x01\x00\x78\x22\x34\x32\x35\x39\x36\
    \x33\x37\x31\x38\x34\x39\x31\x35\x31\x11\x00\x90\x6b\xc8\x0d\x11\x83\xc0\x9c\x0d\x89\xd9\xc6\x65\x0c\
    \xc4\x2c\x60\x04\xe0\x93\x71\x19\x06\x60\x09\x98\x03\x30\x0b\x18\x01\xf0\x05\x0c\x03\xb0\x20\xc1\x15";
const BROTLI_BOMB: &[u8] =
    b"\xa3\xff\xff\x83\x7f\x02\x20\x1e\x0b\x04\x72\xef\x0f\xf4\xff\x7f\xf0\x4f\x00\xc4\x61\x11\x80\xee\xfd\
    \x81\xfe\xff\x0f\xfe\x09\x80\x38\x2c\x00\xd0\xbd\x3f\xd0\xff\xff\xc1\x3f\x01\x10\x87\x05\x00\xba\xf7\
    \x07\xfa\xff\x3f\xf8\x27\x00\xe2\xb0\x00\x40\xf7\xfe\x40\xff\xff\x07\xff\x04\x40\x1c\x16\x00\xe8\xde\
    \x1f\xe8\xff\xff\xe0\x9f\x00\x88\xc3\x02\x00\xdd\xfb\x03\xfd\xff\x1f\xfc\x13\x00\x71\x58\x00\xa0\x7b\
    \x7f\xa0\xff\xff\x83\x7f\x02\x20\x0e\x0b\x00\x74\xef\x0f\xf4\xff\x7f\xf0\x4f\x00\xc4\x61\x01\x80\xee\
    \xfd\x81\xfe\xff\x0f\xfe\x09\x80\x38\x2c\x00\xd0\xbd\x3f\xd0\xff\xff\xc1\x3f\x01\x10\x87\x05\x00\xba\
    \xf7\x07\xfa\xff\x3f\xf8\x27\x00\xe2\xb0\x00\x40\xf7\xfe\x40\xff\xff\x07\xff\x04\x40\x1c\x16\x00\xe8\
    \xde\x1f\xe8\xff\xff\xe0\x9f\x00\x88\xc3\x02\x00\xdd\xfb\x03\xfd\xff\x1f\xfc\x13\x00\x71\x58\x00\xa0\
    \x7b\x7f\xa0\xff\xff\x83\x7f\x02\x20\x0e\x0b\x00\x74\xef\x0f\xf4\xff\x7f\xf0\x4f\x00\xc4\x61\x01\x80\
    \xee\xfd\x81\xfe\xff\x0f\xfe\x09\x80\x38\x2c\x00\xd0\xbd\x3f\xd0\xff\xff\xc1\x3f\x01\x10\x87\x05\x00\
    \xba\xf7\x07\x03";

fn text() -> Vec<u8> {
    let line = |i: usize| {
        format!("{{\"sku\":\"mug-{i}\",\"stock\":{},\"note\":\"ask for the blue one\"}}\n", i * 7 % 13)
    };
    (0..12).map(line).collect::<String>().into_bytes()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A zstd frame header with a window of 2^(10 + `exponent`) bytes, then `blocks` blocks of 128 KiB of zeros.
fn zstd_zeros(exponent: u8, blocks: usize) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, exponent << 3];
    for i in 0..blocks {
        let header = u32::from(i + 1 == blocks) | 1 << 1 | (128 << 10) << 3;
        frame.extend(&header.to_le_bytes()[..3]);
        frame.push(0);
    }
    frame
}

/// What became of a body.
#[derive(PartialEq, Eq, Debug)]
struct Outcome {
    kept: Vec<u8>,
    wire: u64,
    decoded: u64,
    failed: bool,
}

fn respond(analyzer: &mut Analyzer, coding: &str, body: &[u8], piece: usize) -> Outcome {
    let mut conn = analyzer.open(80, false);
    let mut at = [0, 0];
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n", body.len());
    let mut send = |dir: Dir, bytes: &[u8]| {
        let ack = at[dir.other() as usize];
        let chunk = Chunk { dir, offset: at[dir as usize], bytes, ack, ts: Timestamp(1) };
        analyzer.data(&mut conn, &chunk);
        at[dir as usize] += bytes.len() as u64;
    };
    send(Dir::Orig, b"GET / HTTP/1.1\r\n\r\n");
    send(Dir::Resp, head.as_bytes());
    for piece in body.chunks(piece) {
        send(Dir::Resp, piece);
    }
    let response = analyzer.take().unwrap().response.unwrap();
    assert_eq!(response.completeness, Completeness::Full);
    let body = response.body;
    Outcome { kept: body.kept, wire: body.wire_len, decoded: body.decoded_len, failed: body.decode_failed }
}

fn read(limits: Limits, coding: &str, body: &[u8], piece: usize) -> (Outcome, Stats) {
    let mut analyzer = Analyzer::new(limits);
    let outcome = respond(&mut analyzer, coding, body, piece);
    (outcome, *analyzer.stats())
}

/// The body is the text, in whatever pieces it arrives.
#[track_caller]
fn check(coding: &str, body: &[u8]) {
    let text = text();
    let whole =
        Outcome { wire: body.len() as u64, decoded: text.len() as u64, kept: text.clone(), failed: false };
    for piece in (1..=body.len()).rev() {
        let (outcome, stats) = read(Limits::default(), coding, body, piece);
        assert_eq!(outcome, whole, "{coding} in pieces of {piece}");
        assert_eq!(stats.decode_failed, 0);
    }
    for split in 1..body.len() {
        let mut analyzer = Analyzer::new(Limits { decoders: 1, ..Limits::default() });
        // Twice: what one body needed is given back for the next.
        for _ in 0..2 {
            assert_eq!(respond(&mut analyzer, coding, body, split), whole, "{coding} split at {split}");
        }
    }
}

#[test]
fn every_coding_in_all_pieces() {
    check("gzip", &gzip(&text()));
    check("x-gzip", &gzip(&text()));
    check("deflate", &zlib(&text()));
    check("deflate", &deflate(&text()));
    check("br", BROTLI);
    check("zstd", ZSTD);
    check("zstd", ZSTD_STREAM);
    check("identity", &text());
}

#[test]
fn a_coding_under_the_name_of_another() {
    check("deflate", &gzip(&text()));
    check("gzip", &zlib(&text()));
    check("gzip", &deflate(&text()));
    check("GZip", &gzip(&text()));
}

#[test]
fn bytes_behind_the_end_are_counted_and_ignored() {
    for (coding, body) in [
        ("gzip", gzip(&text())),
        ("deflate", zlib(&text())),
        ("deflate", deflate(&text())),
        ("br", BROTLI.to_vec()),
        ("zstd", ZSTD.to_vec()),
    ] {
        check(coding, &[&body[..], b"junk"].concat());
    }
}

#[test]
fn truncated_bodies_give_what_can_be_decoded() {
    let text = text();
    // zstd's decoder hands out nothing before its window is full or the frame has ended.
    for (coding, body, least) in [
        ("gzip", gzip(&text), 600),
        ("deflate", zlib(&text), 600),
        ("br", BROTLI.to_vec(), 600),
        ("zstd", ZSTD_STREAM.to_vec(), 0),
    ] {
        let mut longest = 0;
        for cut in 1..body.len() {
            let (outcome, _) = read(Limits::default(), coding, &body[..cut], 7);
            assert!(text.starts_with(&outcome.kept), "{coding} cut at {cut}");
            assert_eq!(outcome.wire, cut as u64);
            assert!(outcome.decoded >= longest, "{coding} cut at {cut}: a longer part gives less");
            longest = outcome.decoded;
        }
        assert!(longest >= least, "{coding}: {longest}");
    }
}

#[test]
fn what_is_not_coded_as_it_says_is_marked() {
    let noise = b"{\"error\":\"this is no coding at all\"}";
    for coding in ["gzip", "deflate", "br", "zstd"] {
        let (outcome, stats) = read(Limits::default(), coding, noise, 1000);
        assert!(outcome.failed, "{coding}");
        assert_eq!((outcome.wire, stats.decode_failed), (noise.len() as u64, 1), "{coding}");
    }
    // An unknown coding is kept as sent.
    let (outcome, _) = read(Limits::default(), "compress", b"\x1f\x9dabc", 1000);
    assert_eq!((outcome.kept.as_slice(), outcome.failed), (&b"\x1f\x9dabc"[..], false));
}

#[test]
fn a_bomb_stops_at_the_limits() {
    let zeros = vec![0; 10 << 20];
    let bombs = [
        ("gzip", gzip(&zeros)),
        ("deflate", zlib(&zeros)),
        ("br", BROTLI_BOMB.to_vec()),
        ("zstd", zstd_zeros(7, 80)),
    ];
    for (coding, bomb) in bombs {
        for piece in [7, 1460, usize::MAX] {
            let mut limits = Limits::default();
            (limits.body.ratio, limits.body.ratio_after) = (100, 64 << 10);
            let (outcome, stats) = read(limits, coding, &bomb, piece);
            assert!(outcome.failed, "{coding}: over the ratio");
            // One step of the decoder beyond the limit at the most.
            let most = (100 * outcome.wire).max(64 << 10) + (16 << 10);
            assert!(outcome.decoded <= most, "{coding}: {} of {most}", outcome.decoded);
            assert_eq!((outcome.wire, outcome.kept.len()), (bomb.len() as u64, 16 << 10));
            assert_eq!(stats.decode_failed, 1);

            let mut limits = Limits::default();
            (limits.body.ratio, limits.body.decoded) = (u64::MAX, 1 << 20);
            let (outcome, _) = read(limits, coding, &bomb, piece);
            assert!(outcome.failed, "{coding}: over the size");
            assert!(outcome.decoded <= (1 << 20) + (16 << 10), "{coding}: {}", outcome.decoded);

            limits.body.decoded = 64 << 20;
            let (outcome, _) = read(limits, coding, &bomb, piece);
            assert_eq!((outcome.decoded, outcome.failed), (10 << 20, false), "{coding}: within the limits");
        }
    }
}

#[test]
fn no_more_than_so_many_bodies_are_decoded_at_once() {
    let mut analyzer = Analyzer::new(Limits { decoders: 2, ..Limits::default() });
    let body = gzip(&text());
    let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", body.len());
    let mut conns: Vec<_> = (0..3).map(|_| analyzer.open(80, false)).collect();
    let mut done = Vec::new();
    for (dir, offset, bytes) in [
        (Dir::Orig, 0, &b"GET / HTTP/1.1\r\n\r\n"[..]),
        (Dir::Resp, 0, head.as_bytes()),
        (Dir::Resp, head.len() as u64, &body),
    ] {
        for conn in &mut conns {
            let ack = if dir == Dir::Resp { 18 } else { 0 };
            analyzer.data(conn, &Chunk { dir, offset, bytes, ack, ts: Timestamp(1) });
            done.extend(std::iter::from_fn(|| analyzer.take()));
        }
    }
    let failed: Vec<_> = done.iter().map(|e| e.response.as_ref().unwrap().body.decode_failed).collect();
    assert_eq!(failed, [false, false, true]);
    assert_eq!(analyzer.stats().decoders_exhausted, 1);
    assert_eq!(respond(&mut analyzer, "gzip", &body, 100).kept, text(), "the two are free again");
}
