//! Decoders alone: what they hold, where they stop, and what they say then.
use super::decode::{Stopped, WINDOW};
use super::{BodyLimits, Decoder, finish_coding};
use crate::message::{Coding, Message};

/// What one decoder may hold, with the step of output that it hands on.
const HELD: usize = (2 << 20) + (16 << 10);

/// `hello` in brotli, not compressed.
const BROTLI: &[u8] = b"\x0b\x02\x80hello\x03";
/// `hello` in gzip, in one stored block.
const GZIP: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x01\x05\0\xfa\xffhello\x86\xa6\x10\x36\x05\0\0\0";
/// `hello` in zstd, one raw block.
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd\x00\x58\x29\0\0hello";
/// 10 MiB of zeros in brotli, with a window of 4 MiB.
const BROTLI_ZEROS: &[u8] =
    b"\xcb\xff\xff\x3f\xf8\x27\x00\xe2\xb1\x40\x20\xf7\xfe\x2f\xff\xff\x3f\xf0\x4f\x00\xc4\x61\x11\x80\xee\
    \xfd\x07";

#[derive(PartialEq, Eq, Debug)]
struct Outcome {
    decoded: usize,
    result: Result<(), Stopped>,
    complete: bool,
}

/// Decodes without any limit but the decoder's own, and looks at the memory after each piece.
#[track_caller]
fn decode(coding: Coding, bytes: &[u8], piece: usize) -> Outcome {
    let mut decoder = Decoder::new(coding).unwrap();
    let (mut decoded, mut result) = (0, Ok(()));
    for piece in bytes.chunks(piece) {
        result = decoder.feed(piece, &mut |out| {
            assert!(out.len() <= 8 << 10, "handed on in small steps");
            decoded += out.len();
            true
        });
        assert!(decoder.held() <= HELD, "{} bytes held", decoder.held());
        if decoder.is_done() {
            assert_eq!(decoder.held(), 0, "nothing is held any more");
        }
    }
    assert_eq!(decoder.is_done(), decoder.is_complete() || result.is_err());
    Outcome { decoded, result, complete: decoder.is_complete() }
}

#[track_caller]
fn check(coding: Coding, bytes: &[u8], decoded: usize, result: Result<(), Stopped>, complete: bool) {
    for piece in [bytes.len(), 1460, 7, 1] {
        assert_eq!(
            decode(coding, bytes, piece),
            Outcome { decoded, result, complete },
            "in pieces of {piece}"
        );
    }
}

/// A zstd frame with this window descriptor, and blocks of (type, size, content).
fn zstd(descriptor: u8, blocks: &[(u32, usize, &[u8])]) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, descriptor];
    for (i, (kind, size, content)) in blocks.iter().enumerate() {
        let header = u32::from(i + 1 == blocks.len()) | kind << 1 | (*size as u32) << 3;
        frame.extend(&header.to_le_bytes()[..3]);
        frame.extend(*content);
    }
    frame
}

#[test]
fn a_large_window_of_brotli_does_not_take_large_memory() {
    // 40 streams of 16 MiB windows in one, such as 809 bytes that became 640 MiB, are like the first of them.
    let widest: Vec<_> = [&[BROTLI_ZEROS[0] | 0x0e], &BROTLI_ZEROS[1..]].concat();
    check(Coding::Brotli, BROTLI_ZEROS, WINDOW - 16, Err(Stopped::Limit), false);
    check(Coding::Brotli, &widest, WINDOW - 16, Err(Stopped::Limit), false);
    // The same with a window that there is memory for: 1 MiB.
    let narrow: Vec<_> = [&[BROTLI_ZEROS[0] & !0x0e | 0x06], &BROTLI_ZEROS[1..]].concat();
    check(Coding::Brotli, &narrow, 10 << 20, Ok(()), true);
}

#[test]
fn a_large_window_of_zstd_does_not_take_large_memory() {
    let zeros = [(1, 128 << 10, &b"\0"[..]); 348];
    let size = 348 * (128 << 10);
    check(Coding::Zstd, &zstd(0x50, &zeros), size, Ok(()), true);
    for descriptor in [0x51, 0x68, 0xf8] {
        check(Coding::Zstd, &zstd(descriptor, &zeros), WINDOW, Err(Stopped::Limit), false);
    }
    // The first MiB of it is there, and a body that ends before is whole.
    check(Coding::Zstd, &zstd(0xf8, &zeros[..8]), 1 << 20, Ok(()), true);
    // Without a window descriptor the content size counts: 9 blocks, in a field of four bytes.
    let mut single = zstd(0, &zeros[..9]);
    single.splice(4..6, [0xa0, 0, 0, 0x12, 0]);
    check(Coding::Zstd, &single, WINDOW, Err(Stopped::Limit), false);
}

#[test]
fn a_block_of_zstd_cannot_become_more_than_a_block() {
    // 98,047 matches of 34 bytes in a block of 12 bytes: literals, count, modes, three codes, bits.
    let block = b"\x09a\xff\xff\xff\x54\x00\x00\x1f\x01";
    let bomb = zstd(0x50, &[(0, 8, b"abcdefgh"), (2, block.len(), block)]);
    for piece in [bomb.len(), 1] {
        let outcome = decode(Coding::Zstd, &bomb, piece);
        assert_eq!((outcome.result, outcome.complete), (Err(Stopped::Invalid), false));
        assert!(outcome.decoded <= 8 + (128 << 10));
    }
}

/// Text of a few words and numbers, which has blocks of every kind when it is long.
fn text(seed: u32, len: usize) -> Vec<u8> {
    let mut state = u64::from(seed) << 1 | 1;
    let mut text = Vec::new();
    while text.len() < len {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let words = ["order ", "price ", "{\"id\":", "},\n", "null ", "blue mug ", "error "];
        match words.get((state >> 60) as usize) {
            Some(word) => text.extend(word.bytes()),
            None => text.extend((state >> 40).to_string().bytes()),
        }
    }
    text.truncate(len);
    text
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]
    #[test]
    fn what_another_implementation_encodes_is_decoded(seed: u32, len in 0usize..400_000, piece in 1usize..5000) {
        use ruzstd::encoding::{CompressionLevel, compress_to_vec};
        let text = text(seed, len);
        for level in [CompressionLevel::Uncompressed, CompressionLevel::Fastest] {
            let mut decoder = Decoder::new(Coding::Zstd).unwrap();
            let mut decoded = Vec::new();
            for piece in compress_to_vec(text.as_slice(), level).chunks(piece) {
                let fed = decoder.feed(piece, &mut |out| {
                    decoded.extend_from_slice(out);
                    true
                });
                assert_eq!(fed, Ok(()));
            }
            assert!(decoded == text && decoder.is_complete(), "{} of {} bytes", decoded.len(), text.len());
        }
    }

    #[test]
    fn damage_is_refused_within_the_limits(seed: u32, at in 0usize..4000, bytes: [u8; 3], piece in 1usize..5000) {
        use ruzstd::encoding::{CompressionLevel, compress_to_vec};
        let mut frame = compress_to_vec(text(seed, 100_000).as_slice(), CompressionLevel::Fastest);
        let at = at.min(frame.len() - 3);
        frame[at..at + 3].copy_from_slice(&bytes);
        assert_eq!(decode(Coding::Zstd, &frame, piece), decode(Coding::Zstd, &frame, usize::MAX));
    }
}

#[test]
fn a_decoder_that_is_done_holds_nothing() {
    for (coding, whole) in [(Coding::Gzip, GZIP), (Coding::Brotli, BROTLI), (Coding::Zstd, ZSTD)] {
        check(coding, whole, 5, Ok(()), true);
        check(coding, &[whole, b"behind it"].concat(), 5, Ok(()), true);
        check(coding, b"\xffnot at all what it says", 0, Err(Stopped::Invalid), false);
        let mut decoder = Decoder::new(coding).unwrap();
        assert_eq!(decoder.feed(whole, &mut |_| false), Err(Stopped::Limit));
        assert!(decoder.is_done() && decoder.held() == 0);
        assert_eq!(decoder.feed(whole, &mut |_| panic!("it has stopped")), Err(Stopped::Limit));
    }
}

#[test]
fn what_follows_the_end_is_ignored_when_the_decoder_was_given_back() {
    let (mut message, limits) = (Message::default(), BodyLimits::default());
    message.body.coding = Coding::Gzip;
    let mut decoder = Decoder::new(Coding::Gzip).map(Box::new);
    for bytes in [GZIP, b"behind it"] {
        super::push(&mut message, &mut decoder, &limits, bytes, harken_wire::Timestamp(1));
        decoder.take_if(|decoder| decoder.is_done());
    }
    assert!(decoder.is_none());
    assert_eq!((message.body.kept.as_slice(), message.body.decoded_len), (&b"hello"[..], 5));
    assert!(!message.body.decode_failed);
}

#[test]
fn a_body_that_is_cut_before_its_coding_ends_is_noticed() {
    for (coding, whole) in [(Coding::Gzip, GZIP), (Coding::Brotli, BROTLI), (Coding::Zstd, ZSTD)] {
        for len in 0..=whole.len() {
            let mut message = Message::default();
            message.body.coding = coding;
            let mut decoder = Decoder::new(coding).map(Box::new);
            let limits = BodyLimits::default();
            super::push(&mut message, &mut decoder, &limits, &whole[..len], harken_wire::Timestamp(1));
            finish_coding(&mut message, decoder.as_deref());
            let cut = len > 0 && len < whole.len();
            assert_eq!(message.body.decode_failed, cut, "{coding:?}, {len} of {} bytes", whole.len());
        }
    }
}
