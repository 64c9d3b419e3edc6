//! `harken connector`: the connector as a process of its own, and inside `harken run`.
mod filters;
pub mod inside;
pub mod letters;
mod process;
mod work;

use crate::cli::{self, Settings};
use anyhow::{Context as _, Result, anyhow, bail};
use harken_connector::readers::Local;
use harken_connector::{Config, operator, status_file};
use process::Owner;
use serde_json::Value;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::process::ExitCode;
use std::time::Duration;
pub use work::Running;
use work::Work;

/// Time between two looks for signals.
const LOOK: Duration = Duration::from_millis(100);

/// Runs one of the commands.
pub fn run(command: &cli::Connector) -> Result<ExitCode> {
    match command {
        cli::Connector::Run(settings) => foreground(settings)?,
        cli::Connector::Start(settings) => process::start(&read(settings)?, settings)?,
        cli::Connector::Stop(settings) => process::stop(&read(settings)?)?,
        cli::Connector::Restart(settings) => {
            let config = read(settings)?;
            if process::running(&config.dir)?.is_some() {
                process::stop(&config)?;
            }
            process::start(&config, settings)?;
        }
        cli::Connector::Reload(settings) => process::reload(&read(settings)?)?,
        cli::Connector::Status { json, settings } => return status(&read(settings)?, *json),
        cli::Connector::Check(settings) => return check(&read(settings)?),
    }
    Ok(ExitCode::SUCCESS)
}

/// The configuration.
fn read(settings: &Settings) -> Result<Config> {
    Config::read(&settings.config).map_err(|error| anyhow!(error))
}

fn foreground(settings: &Settings) -> Result<()> {
    let work = Work::take(read(settings)?, Owner::Connector)?;
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).context("cannot wait for signals")?;
    let dir = work.config().dir.clone();
    let readers = Local::new(&dir);
    let mut running =
        work.start(&settings.config, readers, |error| eprintln!("harken connector: {error}"))?;
    eprintln!("harken connector: running, log in {}", dir.join("connector.log").display());
    while !running.is_finished() {
        let signal = signals.pending().next();
        if signal.is_some_and(|signal| signal != SIGHUP) {
            break;
        }
        running.look(signal.is_some());
        if signal.is_none() {
            std::thread::sleep(LOOK);
        }
    }
    running.stop();
    Ok(())
}

fn status(config: &Config, json: bool) -> Result<ExitCode> {
    let Some(process::Process { pid, owner }) = process::running(&config.dir)? else {
        if json {
            crate::print("{\"running\":false}\n")?;
        } else {
            eprintln!("the connector is not running: harken connector start");
        }
        return Ok(ExitCode::FAILURE);
    };
    let path = status_file(&config.dir);
    let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut status: Value = serde_json::from_slice(&text).with_context(|| format!("{}", path.display()))?;
    if status.get("pid").and_then(Value::as_u64) != Some(u64::from(pid)) {
        bail!("{} is not of the process {pid} that runs: ask again in a second", path.display());
    }
    if json {
        if let Some(map) = status.as_object_mut() {
            map.insert("running".to_owned(), true.into());
        }
        crate::print_json(&status)?;
        return Ok(ExitCode::SUCCESS);
    }
    let text =
        |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut out =
        format!("running, {owner} {pid}, as of {}\n{}\n", text(&status, "time"), text(&status, "block"));
    for route in status.get("routes").and_then(Value::as_array).into_iter().flatten() {
        let number =
            |key: &str| route.pointer(&format!("/ledger/{key}")).and_then(Value::as_u64).unwrap_or(0);
        out.push_str(&format!(
            "{} -> {}: waiting {}, dead-lettered {}{}{}{}\n",
            text(route, "pipeline"),
            text(route, "datasink"),
            number("waiting"),
            number("dead_lettered"),
            match route.get("missing").and_then(Value::as_u64) {
                Some(missing) if missing > 0 => format!(", missing in the spool {missing}"),
                _ => String::new(),
            },
            told("; fails: ", route.get("failure")),
            told("; its reader fails: ", route.get("reader_failure")),
        ));
    }
    crate::print(&out)?;
    Ok(ExitCode::SUCCESS)
}

/// A text with what it is before it, where there is one.
fn told(before: &str, value: Option<&Value>) -> String {
    value.and_then(Value::as_str).map(|text| format!("{before}{text}")).unwrap_or_default()
}

fn check(config: &Config) -> Result<ExitCode> {
    let checked = operator::check(config).map_err(|error| anyhow!(error))?;
    let mut good = true;
    for sink in &checked {
        let result = match &sink.result {
            Ok(()) => "valid".to_owned(),
            Err(invalid) => format!("NOT VALID: {invalid}"),
        };
        good &= sink.result.is_ok();
        crate::print(&format!("datasink {}, type {}: {result}\n", sink.name, sink.kind))?;
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
