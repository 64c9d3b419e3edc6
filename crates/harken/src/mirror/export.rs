//! `harken mirror export`.
use super::places::Place;
use super::plan;
use super::spec::{self, Needs};
use crate::cli::SpecArgs;
use anyhow::{Result, ensure};
use harken_mirror::export;
use harken_mirror::plan::Choices;
use std::process::ExitCode;

/// For which tool.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    /// Terraform.
    Terraform,
    /// CloudFormation.
    CloudFormation,
    /// The AWS CLI.
    AwsCli,
}

/// Runs the command.
pub async fn run(args: &SpecArgs, choices: Choices, form: Form) -> Result<ExitCode> {
    let spec = spec::read(args)?;
    let mut places = Place::all(&spec, Needs::Sources).await?;
    ensure!(
        places.len() == 1,
        "export one place at a time: the spec has {}; mend: give one --region",
        places.len()
    );
    for place in &mut places {
        // As if nothing of it were there: the other tool makes all of it.
        place.world = place.world.without(&spec.name);
    }
    for plan in plan::plans(&spec, &places, choices)? {
        let text = match form {
            Form::Terraform => export::terraform(&plan),
            Form::CloudFormation => export::cloudformation(&plan),
            Form::AwsCli => export::aws_cli(&plan),
        };
        crate::print(&text)?;
    }
    Ok(ExitCode::SUCCESS)
}
