//! Manual pages and the reference of flags, derived from the command line's definition.
use crate::cli::{Cli, Manual};
use anyhow::{Context, Result};
use clap::CommandFactory as _;
use std::fmt::Write as _;
use std::path::Path;

/// Produces the manual.
pub fn run(what: Manual, dir: &Path) -> Result<()> {
    match what {
        Manual::Man => {
            std::fs::create_dir_all(dir)
                .with_context(|| format!("cannot make the folder {}", dir.display()))?;
            clap_mangen::generate_to(Cli::command(), dir)
                .with_context(|| format!("cannot write the manual pages into {}", dir.display()))
        }
        Manual::Flags => crate::print(&flags()),
    }
}

/// Every command and flag as Markdown tables.
fn flags() -> String {
    let mut root = Cli::command();
    root.build();
    let mut out = String::new();
    for command in root.get_subcommands().filter(|c| c.get_name() != "help") {
        section(&mut out, "harken", command);
    }
    out
}

fn section(out: &mut String, parent: &str, command: &clap::Command) {
    let name = format!("{parent} {}", command.get_name());
    // What has commands has no flags of its own.
    if command.has_subcommands() {
        let inner = command.get_subcommands().filter(|inner| inner.get_name() != "help");
        inner.for_each(|inner| section(out, &name, inner));
        return;
    }
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let _ = writeln!(out, "### `{name}`\n\n{about}\n");
    let _ = writeln!(out, "| argument | meaning | default |\n|---|---|---|");
    for arg in command.get_arguments().filter(|a| !matches!(a.get_id().as_str(), "help" | "version")) {
        let value =
            arg.get_value_names().and_then(|n| n.first()).map(ToString::to_string).unwrap_or_default();
        let takes = arg.get_action().takes_values();
        let short = arg.get_short().map(|short| format!("-{short}, ")).unwrap_or_default();
        let name = match (arg.get_long(), takes) {
            (Some(long), true) => format!("{short}--{long} {value}"),
            (Some(long), false) => format!("{short}--{long}"),
            (None, _) => value,
        };
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default().replace('|', "\\|");
        let choices: Vec<_> = arg
            .get_possible_values()
            .iter()
            .filter(|_| takes)
            .map(|v| format!("`{}`", v.get_name()))
            .collect();
        let choices =
            if choices.is_empty() { String::new() } else { format!(" One of {}.", choices.join(", ")) };
        let defaults: Vec<_> = arg.get_default_values().iter().map(|v| v.to_string_lossy()).collect();
        let default =
            if takes && !defaults.is_empty() { format!("`{}`", defaults.join(" ")) } else { String::new() };
        let stop = if help.ends_with(['.', ']']) { "" } else { "." };
        let _ = writeln!(out, "| `{name}` | {help}{stop}{choices} | {default} |");
    }
    out.push('\n');
}
