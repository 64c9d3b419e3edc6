//! Any bytes at each place: nothing panics, what is found never overlaps, and what was masked holds no secret.
#![no_main]
use harken_mask::{Class, Config, Detector, Kind, Masker, Method, Report, detect::Wanted};
use libfuzzer_sys::fuzz_target;

type Place = fn(&mut Masker, &[u8], &mut Vec<u8>, &mut Report) -> bool;

fuzz_target!(|data: &[u8]| {
    let detector = Detector::new(Wanted::of(|_| true));
    let mut found = Vec::new();
    detector.find(data, b"", &mut found);
    let mut last = 0;
    for found in &found {
        assert!(last <= found.start && found.start < found.end && found.end <= data.len(), "{found:?}");
        last = found.end;
    }
    let mut config = Config { key: Some("00".repeat(16)), ..Config::default() };
    let (mut out, mut again, mut report) = (Vec::new(), Vec::new(), Report::default());
    for method in [Method::Fixed, Method::Remove, Method::KeepLast4, Method::Hash, Method::FormatPreserving] {
        config.secret.method = method;
        for class in [
            &mut config.card,
            &mut config.iban,
            &mut config.email,
            &mut config.phone,
            &mut config.national_id,
        ] {
            class.on = true;
            class.method = method;
        }
        let Ok(mut masker) = Masker::new(&config) else { return };
        let places: [Place; 10] = [
            Masker::text,
            Masker::json,
            Masker::query,
            Masker::url,
            Masker::multipart,
            |masker, text, out, report| masker.header(b"Referer", text, out, report),
            Masker::form,
            Masker::grpc,
            |masker, text, out, report| masker.header(b"Cookie", text, out, report),
            |masker, text, out, report| masker.header(b"Authorization", text, out, report),
        ];
        for (number, place) in places.iter().enumerate() {
            out.clear();
            report.clear();
            let changed = place(&mut masker, data, &mut out, &mut report);
            assert_eq!(changed, !report.is_empty());
            assert!(changed || out.is_empty());
            if number == 0 && changed && matches!(method, Method::Fixed | Method::Remove) {
                again.clear();
                report.clear();
                masker.text(&out, &mut again, &mut report);
                // An address that swallowed the `-----END` of an empty block makes a longer block of it.
                let secret = |kind: Kind| kind.class() == Class::Secret && kind != Kind::PrivateKey;
                assert!(!report.entries.iter().any(|entry| secret(entry.kind)), "{report:?}");
            }
        }
    }
});
