//! `harken mirror plan`, and how a plan is shown.
use super::places::Place;
use super::saved::Saved;
use super::spec::{self, Needs};
use crate::cli::SpecArgs;
use crate::style::Palette;
use anyhow::{Context as _, Result, anyhow};
use harken_mirror::plan::{Choices, Level, Part, Plan, Source, Verdict};
use harken_mirror::spec::Spec;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

/// Runs the command. With something to do, it exits with `something`.
pub async fn run(
    args: &SpecArgs,
    choices: Choices,
    out: Option<&Path>,
    dry_run: bool,
    json: bool,
    something: u8,
) -> Result<ExitCode> {
    let spec = spec::read(args)?;
    let places = Place::all(&spec, Needs::Sources).await?;
    let plans = plans(&spec, &places, choices)?;
    if json {
        crate::print_json(&plans)?;
    } else {
        for plan in &plans {
            crate::print(&text(plan, super::palette()))?;
        }
    }
    let mut refused = 0;
    if dry_run {
        for (place, plan) in places.iter().zip(&plans) {
            refused += rehearse(place, plan, json).await?;
        }
    }
    if let Some(path) = out {
        Saved::new(&spec, choices, &plans)?.write(path)?;
        if !json {
            crate::print(&format!("written to {0}; `harken mirror apply {0}` does it\n", path.display()))?;
        }
    }
    if refused > 0 {
        return Ok(ExitCode::FAILURE);
    }
    let idle = plans.iter().all(Plan::is_empty);
    Ok(if idle { ExitCode::SUCCESS } else { ExitCode::from(something) })
}

/// A plan for each place.
pub fn plans(spec: &Spec, places: &[Place], choices: Choices) -> Result<Vec<Plan>> {
    let plan = |place: &Place| {
        Plan::build(spec, &place.wanted, &place.world, choices).map_err(|error| anyhow!(error)).with_context(
            || format!("cannot plan {} in {}, {}", spec.name, place.world.account, place.world.region),
        )
    };
    places.iter().map(plan).collect()
}

/// Asks AWS of each call whether it would be allowed. Gives the number of those that would not.
async fn rehearse(place: &Place, plan: &Plan, quiet: bool) -> Result<usize> {
    let (mut allowed, mut refused, mut waiting) = (0, 0, 0);
    for call in &plan.calls {
        if call.request.waits() {
            waiting += 1;
            continue;
        }
        match call.request.rehearse(&place.client).await {
            Ok(()) => allowed += 1,
            Err(error) => {
                refused += 1;
                eprintln!("would be refused: {error}");
            }
        }
    }
    if !quiet {
        let rest = if waiting > 0 {
            format!("; {waiting} cannot be asked about before the target and the filter are there")
        } else {
            String::new()
        };
        crate::print(&format!("Dry run: {allowed} calls would be allowed, {refused} refused{rest}.\n"))?;
    }
    Ok(refused)
}

/// A plan for people.
pub fn text(plan: &Plan, palette: Palette) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{} in account {}, region {} {}\n",
        palette.bold(&plan.stack),
        plan.account,
        plan.region,
        palette.dim(&format!("(as {})", plan.identity))
    );
    part(&mut out, "target", &plan.target, &plan.destination.to_string(), palette);
    part(&mut out, "filter", &plan.filter, &plan.sentence, palette);
    match &plan.filter.verdict {
        Verdict::Modify { changes } => changes.iter().for_each(|change| {
            let _ = writeln!(out, "             {change}");
        }),
        _ => plan.rules.iter().for_each(|rule| {
            let _ = writeln!(out, "             {}", palette.dim(rule));
        }),
    }
    let _ = writeln!(out, "\n  {}", palette.bold("sources"));
    for source in &plan.sources {
        one(&mut out, source, palette);
    }
    if plan.sources.is_empty() {
        let _ = writeln!(out, "    none is selected");
    }
    if !plan.notes.is_empty() {
        let _ = writeln!(out, "\n  {}", palette.bold("notes"));
    }
    for note in &plan.notes {
        let (mark, text) = match note.level {
            Level::Warning => (palette.warn("!"), palette.warn(&note.text)),
            Level::Info => (" ".to_owned(), note.text.clone()),
        };
        let _ = writeln!(out, "  {mark} {}: {text}", note.about.replace('_', " "));
    }
    if !plan.calls.is_empty() {
        let _ = writeln!(out, "\n  {}", palette.bold("calls"));
    }
    for (number, call) in plan.calls.iter().enumerate() {
        let (action, mut arguments) = (call.request.action(), call.request.arguments());
        // The same for all, and long: they are said once. `--json` has them.
        arguments.as_object_mut().and_then(|members| members.remove("TagSpecifications"));
        let _ = writeln!(out, "  {:>3}. {action} {}", number + 1, palette.dim(&arguments.to_string()));
    }
    if plan.calls.iter().any(|call| call.request.action().starts_with("Create")) {
        let tags = format!("what is made gets the tags Name, managed-by=harken, harken:stack={}", plan.stack);
        let _ = writeln!(out, "       {}", palette.dim(&tags));
    }
    let _ = writeln!(out, "\n{}", palette.bold(&total(plan)));
    out
}

/// What a plan comes to, in one line.
pub fn total(plan: &Plan) -> String {
    let count = |verdict| plan.count(verdict);
    let calls = match plan.calls.len() {
        0 => "nothing to do".to_owned(),
        1 => "1 call".to_owned(),
        many => format!("{many} calls"),
    };
    format!(
        "Plan: {} to create, {} to modify, {} to delete; {} kept, {} skipped; {calls}.",
        count(|verdict| *verdict == Verdict::Create),
        count(|verdict| matches!(verdict, Verdict::Modify { .. })),
        count(|verdict| matches!(verdict, Verdict::Delete { .. })),
        count(|verdict| *verdict == Verdict::Keep),
        count(|verdict| matches!(verdict, Verdict::Skip { .. })),
    )
}

fn part(out: &mut String, name: &str, part: &Part, text: &str, palette: Palette) {
    let id = part.id.as_deref().unwrap_or("to be made");
    let _ = writeln!(
        out,
        "  {} {name:<9} {text} {}",
        mark(&part.verdict, palette),
        palette.dim(&format!("({id})"))
    );
}

fn one(out: &mut String, source: &Source, palette: Palette) {
    let parts = [&source.instance, &source.instance_type, &source.address];
    let known: Vec<_> = parts.into_iter().flatten().map(String::as_str).collect();
    let verdict = match &source.verdict {
        Verdict::Create => "create".to_owned(),
        Verdict::Keep => "keep".to_owned(),
        Verdict::Modify { changes } => format!("modify: {}", changes.join("; ")),
        Verdict::Delete { reason } => format!("delete: {reason}"),
        Verdict::Skip { reason } => format!("skip: {reason}"),
    };
    let vni = source.vni.map(|vni| format!(", VNI {vni}")).unwrap_or_default();
    let _ = writeln!(
        out,
        "  {} {}  {}  {verdict}{vni}",
        mark(&source.verdict, palette),
        source.label(),
        palette.dim(&known.join(" "))
    );
    for warning in &source.warnings {
        let _ = writeln!(out, "      {}", palette.warn(&format!("! {warning}")));
    }
}

fn mark(verdict: &Verdict, palette: Palette) -> String {
    match verdict {
        Verdict::Create => palette.status("+", 200),
        Verdict::Keep => palette.dim("="),
        Verdict::Modify { .. } => palette.warn("~"),
        Verdict::Delete { .. } => palette.status("-", 500),
        Verdict::Skip { .. } => palette.dim(" "),
    }
}
