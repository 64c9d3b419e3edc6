//! `harken mask test`: what masking makes of a value, and of recorded events.
use crate::analysis::{mask_config, usage};
use crate::cli::{MaskTest, ValueForm};
use crate::filter::events::Lines;
use anyhow::{Context as _, Result};
use harken_event::masking::Form;
use harken_mask::{Config, Masker, Report};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

/// Runs the command.
pub fn test(args: &MaskTest) -> Result<()> {
    let config = args.masking.as_deref().map_or_else(Config::default, mask_config);
    let mut masker = Masker::new(&config).unwrap_or_else(|error| usage(&format!("--masking: {error}")));
    let mut out = io::stdout().lock();
    let done = match &args.events {
        Some(path) => events(&mut masker, Lines::open(path)?, args.json, &mut out),
        None => value(&mut masker, args, &mut out),
    };
    match done {
        Err(error) if crate::is_broken_pipe(&error) => Ok(()),
        done => done,
    }
}

fn open(path: &Path) -> Result<Box<dyn Read>> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Box::new(file))
}

fn value(masker: &mut Masker, args: &MaskTest, out: &mut impl Write) -> Result<()> {
    let mut value = Vec::new();
    match (&args.text, &args.file) {
        (Some(text), _) => value.extend_from_slice(text.as_bytes()),
        (None, Some(path)) => {
            open(path)?.read_to_end(&mut value).with_context(|| format!("cannot read {}", path.display()))?;
        }
        (None, None) => usage("give a value: --text TEXT, a FILE, or --events FILE"),
    }
    let (mut masked, mut report) = (Vec::new(), Report::default());
    let is_changed = match (&args.header, args.form) {
        (Some(name), _) => masker.header(name.as_bytes(), &value, &mut masked, &mut report),
        (None, ValueForm::Auto) => Form::of("", &value).mask(masker, &value, &mut masked, &mut report),
        (None, ValueForm::Text) => masker.text(&value, &mut masked, &mut report),
        (None, ValueForm::Json) => masker.json(&value, &mut masked, &mut report),
        (None, ValueForm::Form) => masker.form(&value, &mut masked, &mut report),
        (None, ValueForm::Multipart) => masker.multipart(&value, &mut masked, &mut report),
        (None, ValueForm::Grpc) => masker.grpc(&value, &mut masked, &mut report),
        (None, ValueForm::Url) => masker.url(&value, &mut masked, &mut report),
    };
    let shown = if is_changed { &masked } else { &value };
    if args.json {
        let line =
            json!({"value": String::from_utf8_lossy(shown), "masked": report.entries, "more": report.more});
        writeln!(out, "{line}")?;
        return Ok(());
    }
    out.write_all(shown)?;
    if shown.last() != Some(&b'\n') {
        writeln!(out)?;
    }
    out.flush()?;
    let mut err = io::stderr().lock();
    if report.is_empty() {
        writeln!(err, "nothing is masked")?;
    }
    for entry in &report.entries {
        writeln!(err, "{}", line(entry))?;
    }
    Ok(())
}

/// What was masked, for people.
fn line(entry: &harken_mask::Masked) -> String {
    let name = if entry.name.is_empty() { String::new() } else { format!(" {}", entry.name) };
    let location = entry.location.name();
    let times = if entry.count == 1 { String::new() } else { format!(", {} times", entry.count) };
    format!("{} in {location}{name}: {}{times}", entry.kind.name(), entry.method.name())
}

/// Masks every value of recorded events, and counts.
fn events(masker: &mut Masker, mut input: Lines, as_json: bool, out: &mut impl Write) -> Result<()> {
    let mut totals: BTreeMap<(&'static str, &'static str), u64> = BTreeMap::new();
    let (mut count, mut with) = (0_u64, 0_u64);
    while let Some(event) = input.next()? {
        let event: Value = serde_json::from_slice(event)
            .with_context(|| format!("event {} is none: give the output of --format ecs", count + 1))?;
        let report = event_report(masker, &event);
        count += 1;
        with += u64::from(!report.is_empty());
        for entry in &report.entries {
            *totals.entry((entry.kind.name(), entry.location.name())).or_default() += entry.count;
        }
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or("-").to_owned();
        let id = text("/event/id");
        if as_json {
            writeln!(out, "{}", json!({"event": {"id": id}, "masked": report.entries, "more": report.more}))?;
        } else if !report.is_empty() {
            let request = format!("{} {}", text("/http/request/method"), text("/url/path"));
            writeln!(out, "{id}  {request}")?;
            for entry in &report.entries {
                writeln!(out, "    {}", line(entry))?;
            }
        }
    }
    if !as_json {
        writeln!(out, "\n{count} events, {with} with something to mask")?;
        for ((kind, location), times) in totals {
            writeln!(out, "{times:>8}  {kind} in {location}")?;
        }
    }
    Ok(())
}

/// What is masked in one event, place by place as the sensor does it.
fn event_report(masker: &mut Masker, event: &Value) -> Report {
    let (mut out, mut report) = (Vec::new(), Report::default());
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
    if let Some(target) = text("/url/original") {
        masker.url(target.as_bytes(), &mut out, &mut report);
    }
    for side in ["request", "response"] {
        let mut content_type = "";
        for list in ["headers", "trailers"] {
            let fields = event.pointer(&format!("/http/{side}/{list}")).and_then(Value::as_array);
            for field in fields.into_iter().flatten() {
                let part = |name: &str| field.get(name).and_then(Value::as_str).unwrap_or_default();
                let (name, value) = (part("name"), part("value"));
                if name.eq_ignore_ascii_case("content-type") {
                    content_type = value;
                }
                masker.header(name.as_bytes(), value.as_bytes(), &mut out, &mut report);
            }
        }
        // What is base64 was not text on the wire: only its form could be looked at.
        if let Some(body) = text(&format!("/http/{side}/body/content"))
            && text(&format!("/http/{side}/body/encoding")).is_none()
        {
            Form::of(content_type, body.as_bytes()).mask(masker, body.as_bytes(), &mut out, &mut report);
        }
    }
    report
}
