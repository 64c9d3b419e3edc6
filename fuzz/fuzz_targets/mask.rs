//! Any bytes at each place: nothing panics, what is found never overlaps, and what was masked holds no secret.
#![no_main]
use harken_mask::{Class, Config, Detector, Kind, Masker, Method, Report, detect::Wanted};
use libfuzzer_sys::fuzz_target;

type Place = fn(&mut Masker, &[u8], &mut Vec<u8>, &mut Report) -> bool;

/// What is built once: to compile the detectors takes longer than a run.
struct Parts {
    all: Detector,
    usual: Detector,
    maskers: Vec<(Method, Masker)>,
}

impl Parts {
    fn new() -> Self {
        let masker = |method| {
            let mut config = Config { key: Some("00".repeat(16)), ..Config::default() };
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
            Some((method, Masker::new(&config).ok()?))
        };
        let methods =
            [Method::Fixed, Method::Remove, Method::KeepLast4, Method::Hash, Method::FormatPreserving];
        let maskers: Vec<_> = methods.into_iter().filter_map(masker).collect();
        assert_eq!(maskers.len(), methods.len(), "the configuration is right");
        Self {
            all: Detector::new(Wanted::of(|_| true)),
            usual: Detector::new(Wanted::of(|kind| matches!(kind.class(), Class::Secret | Class::Card))),
            maskers,
        }
    }

    fn run(&mut self, data: &[u8]) {
        let mut found = Vec::new();
        self.all.find(data, b"", &mut found);
        let mut last = 0;
        for found in &found {
            assert!(last <= found.start && found.start < found.end && found.end <= data.len(), "{found:?}");
            last = found.end;
        }
        self.usual.find(data, b"", &mut found);
        assert!(found.is_empty() || self.usual.may_find(data), "{found:?}");
        for (method, masker) in &mut self.maskers {
            places(*method, masker, data);
        }
    }
}

fn places(method: Method, masker: &mut Masker, data: &[u8]) {
    let (mut out, mut again, mut report) = (Vec::new(), Vec::new(), Report::default());
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
        let changed = place(masker, data, &mut out, &mut report);
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

thread_local! {
    static PARTS: std::cell::RefCell<Parts> = std::cell::RefCell::new(Parts::new());
}

fuzz_target!(|data: &[u8]| PARTS.with_borrow_mut(|parts| parts.run(data)));
