//! Any bytes as a body of each coding, in pieces: nothing panics, the limits hold, and the pieces make no
//! difference.
#![no_main]
use harken_http::body::{self, BodyLimits, Decoder};
use harken_http::{Body, Coding, Message};
use harken_wire::Timestamp;
use libfuzzer_sys::fuzz_target;

const CODINGS: [Coding; 6] =
    [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd, Coding::Identity, Coding::Other];

const LIMITS: BodyLimits =
    BodyLimits { keep: 1024, decoded: 1 << 20, ratio: 100, ratio_after: 1 << 16, gaps: 4 };

/// What comes out of a decoder between two looks at the limits.
const STEP: u64 = 8 << 10;

fn read(coding: Coding, bytes: &[u8], piece: usize) -> Body {
    let mut message = Message { body: Body { coding, ..Body::default() }, ..Message::default() };
    let mut decoder = Decoder::new(coding).map(Box::new);
    for piece in bytes.chunks(piece) {
        body::push(&mut message, &mut decoder, &LIMITS, piece, Timestamp(1));
    }
    body::finish(&mut message, &LIMITS);
    let body = message.body;
    assert_eq!(body.wire_len, bytes.len() as u64);
    assert!(body.kept.len() <= LIMITS.keep);
    assert!(body.kept.len() as u64 <= body.decoded_len);
    if !matches!(coding, Coding::Identity | Coding::Other) {
        assert!(body.decoded_len <= LIMITS.decoded + STEP, "{} bytes of {coding:?}", body.decoded_len);
        assert!(body.decoded_len <= LIMITS.decoded || body.decode_failed);
    }
    body
}

fuzz_target!(|data: &[u8]| {
    for coding in CODINGS {
        // A frame of gzip, zlib, brotli or zstd is a seed of its coding only; the others refuse it soon.
        let whole = read(coding, data, usize::MAX);
        if whole.decode_failed {
            read(coding, data, 3);
            continue;
        }
        let pieces = read(coding, data, 3);
        // In pieces the ratio is looked at earlier, and what is no brotli at all is found out earlier.
        if pieces.decode_failed {
            continue;
        }
        assert_eq!(
            (whole.decoded_len, &whole.kept, whole.decode_failed),
            (pieces.decoded_len, &pieces.kept, pieces.decode_failed),
            "{coding:?}"
        );
    }
});
