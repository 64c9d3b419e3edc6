//! `harken mirror apply`.
use super::places::Place;
use super::saved::Saved;
use super::spec::{self, Needs};
use super::{agreed, plan};
use crate::cli::Apply;
use crate::style::Palette;
use anyhow::{Context as _, Result};
use harken_mirror::execute::{Event, Executor, Outcome, subject};
use harken_mirror::plan::{Call, Choices, Plan};
use harken_mirror::spec::Spec;
use serde_json::json;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Runs the command.
pub async fn run(args: &Apply) -> Result<ExitCode> {
    let saved = args.plan.as_deref().map(Saved::read).transpose()?;
    let (spec, choices) = match &saved {
        Some(saved) => (saved.spec().clone(), saved.choices()),
        None => (spec::read(&args.spec)?, Choices { open_security_group: args.open_security_group }),
    };
    let mut places = Place::all(&spec, Needs::Sources).await?;
    let plans = plan::plans(&spec, &places, choices)?;
    if let Some(saved) = &saved {
        saved.check(&plans)?;
    }
    let idle = plans.iter().all(Plan::is_empty);
    if !args.json {
        for plan in &plans {
            crate::print(&plan::text(plan, super::palette()))?;
        }
    }
    // Who saved a plan has read it.
    if !idle && saved.is_none() && !agreed("\nDo it?", args.yes, args.json)? {
        crate::print("Nothing was done.\n")?;
        return Ok(ExitCode::FAILURE);
    }
    let outcomes = execute(&spec, &places, &plans, args).await?;
    let success = outcomes.iter().all(Outcome::is_success);
    if args.json {
        let all: Vec<_> = plans
            .iter()
            .zip(&outcomes)
            .map(|(plan, outcome)| json!({"account": plan.account, "region": plan.region, "plan": plan, "outcome": outcome}))
            .collect();
        crate::print_json(&all)?;
    }
    write_names(&spec, &mut places, args).await?;
    if args.watch {
        watch(&spec, &mut places, choices, args).await?;
        return Ok(ExitCode::SUCCESS);
    }
    Ok(if success { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Makes the calls of each place. One that fails does not stop the next.
async fn execute(spec: &Spec, places: &[Place], plans: &[Plan], args: &Apply) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for (place, plan) in places.iter().zip(plans) {
        outcomes.push(make(place, &spec.name, &plan.calls, args.rollback, args.json).await?);
    }
    Ok(outcomes)
}

/// Makes calls in a place, and tells how that goes and ends; with `json` of failures alone.
pub async fn make(place: &Place, stack: &str, calls: &[Call], rollback: bool, json: bool) -> Result<Outcome> {
    let mut tell = Teller::new(calls, json);
    let executor = Executor::new(&place.client, &place.world.account, stack);
    let outcome = executor.run(calls, rollback, &mut |event| tell.tell(&event)).await;
    if !json {
        crate::print(&summary(&outcome, super::palette()))?;
    }
    Ok(outcome)
}

async fn write_names(spec: &Spec, places: &mut [Place], args: &Apply) -> Result<()> {
    let Some(path) = &args.names else { return Ok(()) };
    for place in &mut *places {
        place.refresh(spec).await?;
    }
    let names = super::names(places, Some(&spec.name));
    super::write(path, &serde_json::to_string_pretty(&names)?)
}

/// Looks again and again, until it is told to end.
async fn watch(spec: &Spec, places: &mut [Place], choices: Choices, args: &Apply) -> Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("cannot wait for signals")?;
    }
    loop {
        let began = Instant::now();
        while began.elapsed() < args.every {
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100).min(args.every)).await;
        }
        // A round that fails is told of; the next may do better.
        if let Err(error) = round(spec, places, choices, args).await {
            eprintln!("harken: mirror: {error:#}");
        }
    }
}

async fn round(spec: &Spec, places: &mut [Place], choices: Choices, args: &Apply) -> Result<()> {
    for place in &mut *places {
        place.refresh(spec).await?;
    }
    let plans = plan::plans(spec, places, choices)?;
    if plans.iter().all(Plan::is_empty) {
        return Ok(());
    }
    for plan in plans.iter().filter(|plan| !plan.is_empty() && !args.json) {
        crate::print(&format!("{} {} {}\n", plan.account, plan.region, plan::total(plan)))?;
    }
    execute(spec, places, &plans, args).await?;
    write_names(spec, places, args).await
}

/// Tells how calls go.
struct Teller<'a> {
    calls: &'a [Call],
    quiet: bool,
    palette: Palette,
}

impl<'a> Teller<'a> {
    /// Of those calls; quiet, of failures alone.
    fn new(calls: &'a [Call], quiet: bool) -> Self {
        Self { calls, quiet, palette: super::palette() }
    }

    fn call(&self, index: usize) -> String {
        let of = self.calls.len();
        let Some(call) = self.calls.get(index) else { return String::new() };
        let width = of.to_string().len();
        format!("[{:>width$}/{of}] {} for {}", index + 1, call.request.action(), subject(&call.about))
    }

    /// Tells of one event.
    fn tell(&mut self, event: &Event<'_>) {
        let line = match event {
            Event::Begins { .. } => return,
            Event::Done { call, id } => {
                format!(
                    "{} {}",
                    self.call(*call),
                    self.palette.status(&id.map_or("done".to_owned(), |id| format!("made {id}")), 200)
                )
            }
            Event::Failed { call, error } => {
                let line =
                    format!("{} {}", self.call(*call), self.palette.status(&format!("failed: {error}"), 500));
                eprintln!("{line}");
                return;
            }
            Event::NotTried { call } => format!("{} {}", self.call(*call), self.palette.dim("not tried")),
            Event::Undone { id, error: None } => format!("undone: {id} is deleted again"),
            Event::Undone { id, error: Some(error) } => {
                eprintln!("{id} could not be deleted again: {error}");
                return;
            }
        };
        if !self.quiet {
            let _ = crate::print(&format!("{line}\n"));
        }
    }
}

/// How it ended, in words.
fn summary(outcome: &Outcome, palette: Palette) -> String {
    if outcome.is_success() {
        return format!("{}\n", palette.status(&format!("All is done: {} calls.", outcome.done), 200));
    }
    let mut text = format!(
        "{} calls done, {} failed, {} not tried",
        outcome.done,
        outcome.failed.len(),
        outcome.not_tried
    );
    if !outcome.undone.is_empty() || !outcome.left.is_empty() {
        text += &format!("; {} undone", outcome.undone.len());
    }
    if !outcome.left.is_empty() {
        text += &format!(", left behind: {}", outcome.left.join(", "));
    }
    let mut out = format!("{}\n", palette.status(&format!("{text}."), 500));
    for (about, error) in &outcome.failed {
        out += &format!("  {about}: {error}\n");
    }
    out + "To repeat the command goes on where it stopped.\n"
}
