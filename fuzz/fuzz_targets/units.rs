//! Any bytes as a body of several messages, whole and in pieces: nothing panics, what is kept is bounded, and the pieces
//! make no difference.
#![no_main]
use harken_http::body::units::{Kind, Units};
use harken_wire::Timestamp;
use libfuzzer_sys::fuzz_target;

const KINDS: [Kind; 5] =
    [Kind::Grpc, Kind::GrpcWeb, Kind::GrpcWebText, Kind::Connect, Kind::EventStream];

fn read(kind: Kind, bytes: &[u8], piece: usize, gap: Option<usize>) -> Units {
    let mut units = Units::new(kind);
    for (number, piece) in bytes.chunks(piece).enumerate() {
        if gap == Some(number) {
            units.gap();
        } else {
            units.push(piece, Timestamp(number as u64));
        }
    }
    units.finish();
    assert!(units.end.len() <= 4096);
    assert!(units.largest <= units.bytes && units.compressed <= units.count);
    assert_eq!(units.count > 0, units.times.is_some());
    units
}

fuzz_target!(|data: &[u8]| {
    for kind in KINDS {
        let figures = |units: &Units| {
            (units.count, units.bytes, units.largest, units.compressed, units.is_partial, units.end.clone())
        };
        let whole = read(kind, data, usize::MAX, None);
        assert_eq!(figures(&whole), figures(&read(kind, data, 1, None)), "{kind:?}");
        assert_eq!(figures(&whole), figures(&read(kind, data, 7, None)), "{kind:?}");
        // Never more than there is.
        let behind = read(kind, data, 5, Some(1));
        assert!(behind.is_partial || data.len() <= 5);
        assert!(behind.count <= whole.count || kind != Kind::EventStream, "{kind:?}");
    }
});
