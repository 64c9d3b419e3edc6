//! `harken mirror destroy`.
use super::agreed;
use super::apply::make;
use super::places::Place;
use super::spec::Needs;
use anyhow::{Result, bail};
use harken_mirror::execute::subject;
use harken_mirror::spec::Spec;
use harken_mirror::teardown::{Teardown, security_group_rules};
use serde_json::json;
use std::process::ExitCode;

/// Runs the command.
pub async fn run(spec: &Spec, yes: bool, json: bool) -> Result<ExitCode> {
    let places = Place::all(spec, Needs::Nothing).await?;
    let mut teardowns = Vec::new();
    for place in &places {
        let rules = security_group_rules(&place.client, &spec.name).await?;
        teardowns.push(Teardown::build(&spec.name, &place.world, &rules));
    }
    // Before anything is deleted anywhere.
    let blocked: Vec<_> = teardowns.iter().flat_map(|teardown| &teardown.blocked).cloned().collect();
    if !blocked.is_empty() {
        bail!(
            "nothing was deleted, since others use what is ours: {}; mend: have them deleted or changed first",
            blocked.join("; ")
        );
    }
    let calls: usize = teardowns.iter().map(|teardown| teardown.calls.len()).sum();
    if !json {
        for teardown in &teardowns {
            crate::print(&format!(
                "{} in account {}, region {}\n",
                teardown.stack, teardown.account, teardown.region
            ))?;
            for call in &teardown.calls {
                crate::print(&format!(
                    "  - {} of {} {}\n",
                    call.request.action(),
                    subject(&call.about),
                    call.request.arguments()
                ))?;
            }
            if teardown.calls.is_empty() {
                crate::print("  there is nothing of it\n")?;
            }
        }
    }
    if calls > 0 && !agreed("\nDelete it?", yes, json)? {
        crate::print("Nothing was deleted.\n")?;
        return Ok(ExitCode::FAILURE);
    }
    let mut all = Vec::new();
    let mut success = true;
    for (place, teardown) in places.iter().zip(&teardowns) {
        let outcome = make(place, &spec.name, &teardown.calls, false, json).await?;
        success &= outcome.is_success();
        all.push(json!({"account": teardown.account, "region": teardown.region, "teardown": teardown, "outcome": outcome}));
    }
    if json {
        crate::print_json(&all)?;
    }
    Ok(if success { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
