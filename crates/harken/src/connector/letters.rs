//! `harken deadletter`.
use super::read;
use crate::cli::{DeadLetter, Named};
use anyhow::{Context as _, Result, anyhow};
use harken_connector::deadletter::Letter;
use harken_connector::{Config, dead_letters, operator};
use std::process::ExitCode;

/// Runs one of the commands.
pub fn run(command: &DeadLetter) -> Result<ExitCode> {
    match command {
        DeadLetter::List(settings) => list(&read(settings)?)?,
        DeadLetter::Show(named) => show(&read(&named.settings)?, named)?,
        DeadLetter::Replay(named) => return replay(&read(&named.settings)?, named),
    }
    Ok(ExitCode::SUCCESS)
}

fn list(config: &Config) -> Result<()> {
    for (pipeline, settings) in &config.pipelines {
        for datasink in &settings.datasinks {
            let mut count = 0_u64;
            let mut newest: Option<Letter> = None;
            let mut each = |letter| {
                count += 1;
                newest = Some(letter);
            };
            let read = dead_letters(config, pipeline, datasink).read(&mut each);
            read.with_context(|| format!("cannot read the dead letters of {pipeline}.{datasink}"))?;
            let newest =
                newest.map(|Letter { time, reason, .. }| format!(", the newest of {time}: {reason}"));
            crate::print(&format!("{pipeline} {datasink}: {count}{}\n", newest.unwrap_or_default()))?;
        }
    }
    Ok(())
}

fn show(config: &Config, named: &Named) -> Result<()> {
    let mut failed = None;
    let mut each = |letter: Letter| {
        if failed.is_none() {
            let line = serde_json::to_string(&letter).map_err(anyhow::Error::from);
            failed = line.and_then(|line| crate::print(&(line + "\n"))).err();
        }
    };
    let read = dead_letters(config, &named.pipeline, &named.datasink).read(&mut each);
    read.with_context(|| format!("cannot read the dead letters of {}.{}", named.pipeline, named.datasink))?;
    failed.map_or(Ok(()), Err)
}

fn replay(config: &Config, named: &Named) -> Result<ExitCode> {
    let replayed =
        operator::replay(config, &named.pipeline, &named.datasink).map_err(|error| anyhow!(error))?;
    crate::print(&format!("sent {}, still dead letters {}\n", replayed.sent, replayed.stayed))?;
    if let Some(reason) = replayed.stopped {
        eprintln!("the datasink took no more: {reason}");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}
