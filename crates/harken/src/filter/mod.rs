//! `harken filter`: filter files are tried on recorded events, or explained.

pub mod events;
mod show;

use crate::cli::{Filter as Args, FilterFiles, FilterTest};
use crate::print;
use anyhow::{Context as _, Result};
use events::Lines;
use harken_filter::{Advanced, Decision, Defaults, Filter, Simple, State, Verdict};
use show::{Human, Json, Show, Totals};
use std::fmt::Write as _;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::ExitCode;

/// Lines that were no events: the input is damaged.
const DAMAGED: u8 = 3;

/// Runs the command.
pub fn run(args: &Args) -> Result<ExitCode> {
    match args {
        Args::Test(args) => test(args),
        Args::Explain(files) => {
            print(&explain(&of(files)?))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Compiles the files that are named, and the shipped ones where none is.
pub fn load(simple: Option<&Path>, advanced: Option<&Path>) -> Result<Filter> {
    let read = |path: &Path| {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        anyhow::Ok((path.display().to_string(), text))
    };
    let simple = match simple {
        Some(path) => read(path).and_then(|(name, text)| Ok(Simple::parse(&name, &text)?))?,
        None => Simple::empty(),
    };
    let advanced = match advanced {
        Some(path) => read(path).and_then(|(name, text)| Ok(Advanced::parse(&name, &text)?))?,
        None => Advanced::shipped()?,
    };
    Ok(Filter::new(&simple, &advanced)?)
}

fn of(files: &FilterFiles) -> Result<Filter> {
    load(files.simple.as_deref(), files.advanced.as_deref())
}

fn test(args: &FilterTest) -> Result<ExitCode> {
    let filter = of(&args.files)?;
    let mut lines = Lines::open(&args.events)?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut show: Box<dyn Show> = if args.json { Box::new(Json) } else { Box::new(Human) };
    match each(&filter, &mut lines, &mut *show, &mut out).and_then(|damaged| Ok((damaged, out.flush()?))) {
        Ok((false, ())) => Ok(ExitCode::SUCCESS),
        Ok((true, ())) => Ok(ExitCode::from(DAMAGED)),
        Err(error) if crate::is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error),
    }
}

/// Shows what becomes of each event, and the totals; says whether some lines were no events.
fn each(
    filter: &Filter,
    lines: &mut Lines,
    show: &mut dyn Show,
    out: &mut dyn std::io::Write,
) -> Result<bool> {
    let mut state = State::default();
    let mut totals = Totals::default();
    let mut number = 0_u64;
    while let Some(line) = lines.next()? {
        number += 1;
        match filter.decide(&mut state, line) {
            Ok(decision) => {
                totals.count(&decision);
                show.event(number, line, &decision, out)?;
            }
            Err(error) => {
                totals.damaged += 1;
                show.damaged(number, &error.to_string(), out)?;
            }
        }
    }
    show.totals(&totals, &state.counts(filter), out)?;
    Ok(totals.damaged > 0)
}

impl Totals {
    fn count(&mut self, decision: &Decision) {
        self.events += 1;
        match decision.verdict {
            Verdict::Keep => self.kept += 1,
            Verdict::Drop => self.dropped += 1,
        }
        self.changed += u64::from(decision.changed.is_some());
    }
}

fn explain(filter: &Filter) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = match filter.defaults() {
        Defaults::Off => writeln!(out, "The shipped rules are not in force (\"defaults\": false)."),
        Defaults::Without(names) if names.is_empty() => writeln!(out, "The shipped rules are in force."),
        Defaults::Without(names) => {
            writeln!(out, "The shipped rules are in force, but for {}.", names.join(", "))
        }
    };
    let rules = filter.explain();
    let _ = match rules.len() {
        0 => writeln!(out, "There is no rule: every event is kept."),
        _ => writeln!(out, "Rules are asked in this order; what no rule drops is kept."),
    };
    for (number, rule) in rules.iter().enumerate() {
        let _ = writeln!(out, "\n{:3}. {}", number + 1, rule.rule);
        if !rule.description.is_empty() {
            let _ = writeln!(out, "     {}", rule.description);
        }
        let _ = writeln!(out, "     when  {}\n     then  {}", rule.condition, rule.effect);
    }
    out
}
