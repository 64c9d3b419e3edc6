//! Precision and recall on the labelled set (`set/generate.py`: templates of presidio-evaluator and faker, values of
//! python-stdnum), and false positives among harmless bodies (`set/benign.py`), all through the masker.
#![allow(unused_crate_dependencies, reason = "the dependencies are those of the whole package")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test stops by panicking")]

use harken_mask::{Config, Masker, Report};
use std::collections::BTreeMap;
use std::io::Read as _;

/// Marks of the set: before the kind, before the value, behind it.
const MARKS: [char; 3] = ['\u{27e6}', '\u{27e7}', '\u{27e8}'];

/// A text with what is to be masked in it.
struct Row {
    part: String,
    place: String,
    /// The text between the values, one more than there are values.
    plain: Vec<String>,
    /// The kinds and the values.
    values: Vec<(String, String)>,
}

fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        out.push(match char {
            '\\' if chars.next() == Some('n') => '\n',
            other => other,
        });
    }
    out
}

fn rows(text: &str) -> Vec<Row> {
    text.lines()
        .map(|line| {
            let [part, place, text] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
            let text = unescaped(text);
            let mut pieces = text.split(MARKS);
            let mut row = Row {
                part: part.into(),
                place: place.into(),
                plain: vec![pieces.next().unwrap().into()],
                values: Vec::new(),
            };
            while let (Some(kind), Some(value), Some(plain)) = (pieces.next(), pieces.next(), pieces.next()) {
                row.values.push((kind.into(), value.into()));
                row.plain.push(plain.into());
            }
            row
        })
        .collect()
}

impl Row {
    /// The text, with each value as that.
    fn text(&self, value: impl Fn(usize) -> String) -> String {
        let mut text = self.plain[0].clone();
        for (at, plain) in self.plain.iter().enumerate().skip(1) {
            text += &value(at - 1);
            text += plain;
        }
        text
    }
}

/// A length as protobuf writes it.
fn varint(mut value: usize, out: &mut Vec<u8>) {
    while value > 127 {
        out.push(value as u8 | 128);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A gRPC message whose field 1 is the text.
fn grpc(text: &str) -> Vec<u8> {
    let mut field = vec![0x0a];
    varint(text.len(), &mut field);
    field.extend_from_slice(text.as_bytes());
    let mut message = vec![0];
    message.extend_from_slice(&u32::try_from(field.len()).unwrap().to_be_bytes());
    message.extend_from_slice(&field);
    message
}

/// The text of such a message.
fn of_grpc(message: &[u8]) -> &[u8] {
    let rest = &message[6..];
    let length = rest.iter().position(|byte| byte & 128 == 0).unwrap() + 1;
    &rest[length..]
}

/// Masks in a place; nothing when nothing was found.
fn masked(masker: &mut Masker, place: &str, text: &str, report: &mut Report) -> Option<String> {
    let mut out = Vec::new();
    let bytes = text.as_bytes();
    let changed = match place.split_once(':') {
        Some(("header", name)) => masker.header(name.as_bytes(), bytes, &mut out, report),
        _ => match place {
            "text" => masker.text(bytes, &mut out, report),
            "json" => masker.json(bytes, &mut out, report),
            "form" => masker.form(bytes, &mut out, report),
            "query" => masker.query(bytes, &mut out, report),
            "grpc" => masker.grpc(&grpc(text), &mut out, report),
            other => panic!("{other}"),
        },
    };
    let out = if place == "grpc" && changed { of_grpc(&out).to_vec() } else { out };
    changed.then(|| String::from_utf8(out).unwrap())
}

fn masker(config: &str) -> Masker {
    Masker::new(&serde_json::from_str::<Config>(config).unwrap()).unwrap()
}

/// Everything is looked for and becomes `***`.
const ALL: &str = r#"{"card": {"method": "fixed"}, "iban": {"on": true, "method": "fixed"},
    "email": {"on": true, "method": "fixed"}, "phone": {"on": true, "method": "fixed"},
    "national_id": {"on": true, "method": "fixed"}}"#;

/// What became of the values of a kind.
#[derive(Debug, Default, Clone, Copy)]
struct Count {
    found: u32,
    /// Not masked, masked in part, or as another kind.
    missed: u32,
    /// Masked and no such value, or more than it.
    wrong: u32,
}

#[test]
fn precision_and_recall() {
    let mut masker = masker(ALL);
    let mut report = Report::default();
    let mut counts: BTreeMap<(String, String), Count> = BTreeMap::new();
    let mut shown = 0;
    for row in rows(include_str!("set/labelled.tsv")) {
        report.clear();
        let text = row.text(|at| row.values[at].1.clone());
        let out = masked(&mut masker, &row.place, &text, &mut report).unwrap_or_else(|| text.clone());
        let mut kinds: BTreeMap<&str, i64> = BTreeMap::new();
        for entry in &report.entries {
            *kinds.entry(entry.kind.name()).or_default() += i64::try_from(entry.count).unwrap();
        }
        for (kind, _) in &row.values {
            *kinds.entry(kind).or_default() -= 1;
        }
        let is_right = out == row.text(|_| "***".to_owned());
        let mut count = |kind: &str, change: fn(&mut Count)| {
            change(counts.entry((kind.to_owned(), row.part.clone())).or_default());
        };
        for (kind, value) in &row.values {
            // Where the row as a whole is wrong, what still stands there tells which of its values are.
            let stays = !is_right && (out.contains(value.as_str()) || row.values.len() == 1);
            count(kind, if stays || kinds[kind.as_str()] < 0 { |c| c.missed += 1 } else { |c| c.found += 1 });
        }
        for (kind, more) in &kinds {
            (0..*more).for_each(|_| count(kind, |c| c.wrong += 1));
        }
        // More than the value was masked, and nothing else tells it.
        if !is_right && kinds.values().all(|more| *more == 0) {
            row.values.iter().for_each(|(kind, _)| count(kind, |c| c.wrong += 1));
        }
        if (!is_right || kinds.values().any(|more| *more != 0)) && row.part == "dev" && shown < 80 {
            shown += 1;
            println!("! {}: {text}\n  {out}\n  {kinds:?}", row.place);
        }
    }
    let mut below = Vec::new();
    println!(
        "{:20} {:4} {:>6} {:>6} {:>6} {:>10} {:>7}",
        "kind", "part", "found", "missed", "wrong", "precision", "recall"
    );
    for ((kind, part), Count { found, missed, wrong }) in counts {
        let precision = f64::from(found) / f64::from((found + wrong).max(1));
        let recall = f64::from(found) / f64::from((found + missed).max(1));
        println!("{kind:20} {part:4} {found:6} {missed:6} {wrong:6} {precision:10.3} {recall:7.3}");
        if part != "odd" && (precision < 0.99 || recall < 0.97) {
            below.push(format!("{kind} {part}"));
        }
    }
    assert!(below.is_empty(), "below 0.99 precision or 0.97 recall: {below:?}");
}

/// Orders, metrics, web pages, logs, tables: nothing in them is secret or personal but by chance.
#[test]
fn benign_bodies() {
    let mut text = String::new();
    let packed: &[u8] = include_bytes!("set/benign.tsv.gz");
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text).unwrap();
    assert_eq!(text.lines().count(), 10_000);
    for (name, config, most) in [("as shipped", "{}", 40), ("everything", ALL, 80)] {
        let mut masker = masker(config);
        let mut report = Report::default();
        let mut kinds: BTreeMap<&str, u32> = BTreeMap::new();
        let (mut bodies, mut shown) = (0, 0);
        for line in text.lines() {
            let (place, body) = line.split_once('\t').unwrap();
            let body = unescaped(body);
            report.clear();
            if masked(&mut masker, place, &body, &mut report).is_some() {
                bodies += 1;
                report.entries.iter().for_each(|entry| *kinds.entry(entry.kind.name()).or_default() += 1);
                if shown < 15 {
                    shown += 1;
                    println!("! {body}\n  {:?}", report.entries);
                }
            }
        }
        println!("false positives, {name}: {bodies} of 10000 bodies, {kinds:?}");
        assert!(bodies <= most, "{name}: {bodies} of 10000");
    }
}
