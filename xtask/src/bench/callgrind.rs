//! Instruction counts: the same on every machine, so that a change can be compared by them.
//!
//! Valgrind's callgrind counts the instructions of two runs, one recording twice as long as the other;
//! their difference per packet is free of what starting the program costs. Instructions are counted to
//! the crate whose source they come from, also where the compiler has inlined it into another one;
//! those of the standard library inside a function of ours are counted to that function's crate.

use super::{BASE, Recording, table};
use crate::sh;
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Instructions by stage.
type Stages = BTreeMap<String, u64>;

/// Counts, prints, and compares with a file of earlier figures where one is given.
pub(crate) fn run(baseline: Option<&Path>, save: Option<&Path>) -> Result<()> {
    if !sh::is_there("valgrind", "--version") {
        println!("SKIPPED: callgrind: valgrind is not installed");
        return Ok(());
    }
    let binary = sh::release_binary()?;
    let short = BASE.recording(2_000)?;
    let long = BASE.recording(4_000)?;
    let earlier = match baseline {
        None => None,
        Some(path) => Some(load(path)?),
    };
    let mut figures = BTreeMap::new();
    for (name, format, bodies) in
        [("http.log as JSON", "zeek-json", "0"), ("ECS, 16 KiB bodies", "ecs", "16384")]
    {
        let count = |recording: &Recording| count(&binary, recording, format, bodies);
        let spent = difference(&count(&long)?, &count(&short)?);
        let (packets, transactions) = (long.packets - short.packets, long.transactions - short.transactions);
        print_stages(name, &spent, packets, transactions);
        let total: u64 = spent.values().sum();
        figures.insert(name.to_owned(), total as f64 / packets.max(1) as f64);
    }
    if let Some(earlier) = earlier {
        println!();
        for (name, now) in &figures {
            match earlier.get(name) {
                Some(then) => println!(
                    "{name}: {then:.1} -> {now:.1} per packet ({:+.2} %)",
                    (now / then - 1.0) * 100.0
                ),
                None => println!("{name}: {now:.1} per packet, not in the earlier figures"),
            }
        }
    }
    if let Some(path) = save {
        std::fs::write(path, serde_json::to_string_pretty(&figures)? + "\n")?;
    }
    Ok(())
}

fn load(path: &Path) -> Result<BTreeMap<String, f64>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}

fn print_stages(name: &str, spent: &Stages, packets: u64, transactions: u64) {
    let total: u64 = spent.values().sum();
    let mut stages: Vec<(&str, u64)> = spent.iter().map(|(stage, count)| (stage.as_str(), *count)).collect();
    stages.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    stages.retain(|(_, count)| *count * 500 >= total);
    stages.push(("all", total));
    let per = |count: u64, of: u64| format!("{:.1}", count as f64 / of.max(1) as f64);
    let rows: Vec<Vec<String>> = stages
        .into_iter()
        .map(|(stage, count)| {
            let share = format!("{:.1} %", 100.0 * count as f64 / total.max(1) as f64);
            vec![stage.to_owned(), per(count, packets), per(count, transactions), share]
        })
        .collect();
    println!("\n{name}\n");
    table::print(&["stage", "instructions per packet", "per transaction", "share"], &rows);
}

fn count(binary: &Path, recording: &Recording, format: &str, bodies: &str) -> Result<Stages> {
    let dir = sh::target_dir().join("bench/callgrind");
    super::fresh_dir(&dir)?;
    let profile: PathBuf = dir.join("callgrind.out");
    let mut command = Command::new("valgrind");
    command.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", profile.display())).arg(binary);
    command.arg("replay").arg(&recording.pcap).arg("--log-dir").arg(dir.join("logs"));
    command.args(["--threads", "1", "--format", format, "--bodies", bodies]);
    sh::stdout(&mut command)?;
    let text = std::fs::read_to_string(&profile).with_context(|| profile.display().to_string())?;
    let stages = stages(&text);
    if stages.is_empty() {
        bail!("{} counts nothing", profile.display());
    }
    Ok(stages)
}

fn difference(long: &Stages, short: &Stages) -> Stages {
    let less = |(stage, count): (&String, &u64)| {
        let before = short.get(stage).copied().unwrap_or(0);
        (stage.clone(), count.saturating_sub(before))
    };
    long.iter().map(less).collect()
}

/// Sums the self cost of callgrind's profile format by stage.
fn stages(profile: &str) -> Stages {
    let mut stages = Stages::new();
    let mut names: HashMap<&str, &str> = HashMap::new();
    let (mut own, mut inlined) = ("", "");
    let mut after_call = false;
    for line in profile.lines() {
        if let Some((key, value)) = line.split_once('=') {
            match key {
                "fl" => {
                    own = full_name(value, &mut names);
                    inlined = own;
                }
                "fi" | "fe" => inlined = full_name(value, &mut names),
                // These define names of files, too.
                "cfi" | "cfl" => {
                    full_name(value, &mut names);
                }
                "calls" => after_call = true,
                _ => {}
            }
            continue;
        }
        // A cost line: position and instructions. The one after `calls=` is the callee's, counted there.
        if !line.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '*')) {
            continue;
        }
        if std::mem::take(&mut after_call) {
            continue;
        }
        if let Some(count) = line.split(' ').nth(1).and_then(|count| count.parse::<u64>().ok()) {
            *stages.entry(stage(inlined, own)).or_default() += count;
        }
    }
    stages
}

/// `(7) name` defines a short form, `(7)` uses it.
fn full_name<'a>(value: &'a str, names: &mut HashMap<&'a str, &'a str>) -> &'a str {
    match value.split_once(") ") {
        Some((short, name)) if short.starts_with('(') => {
            names.insert(short, name);
            name
        }
        _ => names.get(value.trim_end_matches(')')).copied().unwrap_or(value),
    }
}

/// The stage that an instruction of file `inlined` in a function of file `own` belongs to.
fn stage(inlined: &str, own: &str) -> String {
    match (our_crate(inlined), our_crate(own)) {
        (Some(name), _) | (None, Some(name)) => name.to_owned(),
        (None, None) => {
            let after = |mark: &str| own.split_once(mark).map(|(_, rest)| rest);
            let registry = after("/registry/src/").and_then(|rest| rest.split('/').nth(1));
            match registry.and_then(|package| package.rsplit_once('-')) {
                Some((package, _)) => package.to_owned(),
                None if own.contains("/rustc/") || own.starts_with("library/") => "std".to_owned(),
                None => "libc".to_owned(),
            }
        }
    }
}

fn our_crate(file: &str) -> Option<&str> {
    let (before, rest) = file.split_once("crates/")?;
    let (name, inside) = rest.split_once('/')?;
    // The standard library has a folder of that name, too.
    (inside.starts_with("src/") && !before.contains("/rustc/") && !before.contains("/registry/"))
        .then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn self_cost_goes_to_the_source_that_spends_it() {
        let profile = "\
events: Ir
fl=(1) /w/crates/engine/src/shard.rs
fn=(1) run
10 100
fi=(2) /w/crates/wire/src/decoder.rs
+3 40
fi=(3) /rustc/abc/library/core/src/slice.rs
* 5
fe=(1)
cfi=(4) /home/.cargo/registry/src/index-1/hashbrown-0.17.1/src/raw.rs
cfn=(2) find
calls=3 20
-3 999
fl=(4)
fn=(2)
20 30
fl=(5) /rustc/abc/library/alloc/src/vec.rs
fn=(3) push
1 7
fl=(6) ???
fn=(4) memcpy
0 2
totals: 184
";
        let expected = [("engine", 105), ("hashbrown", 30), ("libc", 2), ("std", 7), ("wire", 40)];
        let found = stages(profile);
        let found: Vec<(&str, u64)> = found.iter().map(|(stage, count)| (stage.as_str(), *count)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_difference_never_goes_below_nothing() {
        let stages = |a: u64, b: u64| Stages::from([("a".to_owned(), a), ("b".to_owned(), b)]);
        assert_eq!(difference(&stages(5, 1), &stages(2, 3)), stages(3, 0));
    }
}
