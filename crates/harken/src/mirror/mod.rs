//! `harken mirror`: the AWS side, for people. What is done is in `harken-mirror`; here it is asked for and shown.
mod apply;
mod destroy;
mod discover;
mod export;
mod places;
mod plan;
mod saved;
mod spec;
mod status;
mod verify;

use crate::cli::Mirror;
use crate::style::Palette;
use anyhow::{Context as _, Result};
use harken_mirror::names::Names;
use harken_mirror::plan::Choices;
use places::Place;
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

/// Runs the command.
pub fn run(command: &Mirror) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime of network calls")?;
    runtime.block_on(async {
        match command {
            Mirror::Discover { which, sources, place, json } => {
                discover::run(&spec::of(which, Some(sources), place)?, *json).await
            }
            Mirror::Plan { spec, open_security_group, out, detailed_exitcode, dry_run, json } => {
                let choices = Choices { open_security_group: *open_security_group };
                let exits = if *detailed_exitcode { 2 } else { 0 };
                plan::run(spec, choices, out.as_deref(), *dry_run, *json, exits).await
            }
            Mirror::Apply(args) => apply::run(args).await,
            Mirror::Verify(args) => verify::run(args).await,
            Mirror::Status { spec, json } => status::run(spec, *json).await,
            Mirror::Destroy { which, place, yes, json } => {
                destroy::run(&spec::of(which, None, place)?, *yes, *json).await
            }
            Mirror::Export { spec, open_security_group, terraform, cloudformation, .. } => {
                let choices = Choices { open_security_group: *open_security_group };
                let form = match (terraform, cloudformation) {
                    (true, _) => export::Form::Terraform,
                    (_, true) => export::Form::CloudFormation,
                    _ => export::Form::AwsCli,
                };
                export::run(spec, choices, form).await
            }
            Mirror::Policy { rights, name, partition } => {
                let rights: Vec<_> = rights.iter().copied().map(Into::into).collect();
                let policy = harken_mirror::policy::policy(&rights, partition, name);
                crate::print_json(&policy)?;
                Ok(ExitCode::SUCCESS)
            }
            Mirror::Names { which, place, all, out } => {
                let spec = spec::of(which, None, place)?;
                let places = Place::all(&spec, spec::Needs::Nothing).await?;
                let names = names(&places, (!all).then_some(spec.name.as_str()));
                match out {
                    Some(path) => write(path, &serde_json::to_string_pretty(&names)?)?,
                    None => crate::print_json(&names)?,
                }
                Ok(ExitCode::SUCCESS)
            }
        }
    })
}

/// Which interface each VNI stands for.
fn names(places: &[Place], stack: Option<&str>) -> Names {
    let mut names = Names::default();
    places.iter().for_each(|place| names.add(&place.world, stack));
    names
}

/// Writes a file whole or not at all: a sensor may be reading it.
fn write(path: &Path, text: &str) -> Result<()> {
    harken_connector::replace_lightly(path, format!("{text}\n").as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Colours, where standard output is a terminal.
fn palette() -> Palette {
    Palette::auto(std::io::stdout().is_terminal())
}

/// Asks whether to go on. Where nobody can be asked, the flag has to say so; with `json` nothing else is printed.
fn agreed(question: &str, yes: bool, json: bool) -> Result<bool> {
    if yes {
        return Ok(true);
    }
    anyhow::ensure!(
        std::io::stdin().is_terminal() && !json,
        "nobody can be asked here; mend: give --yes, or apply a plan that `plan --out FILE` has written"
    );
    let mut out = std::io::stdout();
    write!(out, "{question} Only `yes` goes on: ")?;
    out.flush()?;
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    Ok(line.trim() == "yes")
}
