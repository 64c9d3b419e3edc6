//! `cargo xtask knee`: the highest packet rate at which nothing is lost, of Harken and of Suricata on the same
//! traffic in the same run; and what comes after it.

use super::contender::{Bench, CONTENDERS, Contender, Kind, Point};
use super::curve::{self, Curve};
use super::generator::{Captures, TCPREPLAY};
use super::net::{self, Net};
use super::quota::Quota;
use super::search::{Knee, search};
use super::suricata::SURICATA;
use super::{halt, harken, machine, report};
use crate::bench::table;
use crate::r#gen::traffic::Traffic;
use crate::sh;
use anyhow::{Context, Result, bail};
use serde::Serialize;
use std::path::PathBuf;

/// What is measured.
#[derive(clap::Args)]
pub(crate) struct KneeArgs {
    /// Only the sensors whose names contain this; repeat for several
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
    /// The overload curve of the sensors with these names
    #[arg(long, value_name = "NAME", default_values = ["harken-udp-1", "harken-af-packet-1", "suricata-single"])]
    curve: Vec<String>,
    /// No overload curve
    #[arg(long)]
    no_curve: bool,
    /// Draw the overload curve to this file, as SVG
    #[arg(long, value_name = "FILE", conflicts_with = "no_curve")]
    svg: Option<PathBuf>,
    /// Give each sensor so many percent of one processor, so that the generator is fast enough
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    cpu: Option<u32>,
    /// Seconds for which a rate is kept up; of the curve twice that, the knee itself four times, or the whole
    /// capture
    #[arg(long, value_name = "N", default_value_t = 4.0)]
    seconds: f64,
    /// Transactions in the capture (about 5.5 packets each); it is sent once, so that it bounds rate and seconds
    #[arg(long, value_name = "N", default_value_t = 300_000)]
    transactions: u64,
    /// Connections open at a time
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    connections: u32,
    /// Transactions on a connection, on the average
    #[arg(long, value_name = "N", default_value_t = 50)]
    per_connection: u64,
    /// This binary, in place of the release build
    #[arg(long, value_name = "FILE")]
    harken: Option<PathBuf>,
    /// Also write the figures to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// How long a rate of the curve is kept up, in multiples of the usual time: buffers are to weigh little.
const CURVE: f64 = 2.0;

/// A sensor's knee.
#[derive(Serialize)]
struct Found {
    sensor: &'static str,
    packets_per_second: f64,
    transactions_per_second: f64,
    generators_limit: bool,
    #[serde(flatten)]
    knee: Knee,
}

/// All figures.
#[derive(Serialize)]
struct Report<'a> {
    machine: String,
    cpu_percent: Option<u32>,
    packets_in_capture: u64,
    knees: &'a [Found],
    curves: &'a [Curve],
}

/// Measures, prints the tables, draws the curve.
pub(crate) fn run(args: &KneeArgs) -> Result<()> {
    let tools = [net::IP, net::ETHTOOL];
    if let Some(missing) = net::missing(&tools) {
        bail!("knee: {missing}");
    }
    halt::watch()?;
    let harken = harken(args.harken.as_deref())?;
    let contenders = contenders(args, &harken)?;
    let bench = bench(args, harken, &contenders)?;
    let mut found = Vec::new();
    for contender in &contenders {
        let knee = search(|rate, times| bench.measure(contender, rate, times))?;
        found.push(Found {
            sensor: contender.name,
            packets_per_second: knee.rate(),
            transactions_per_second: knee.delivered(),
            generators_limit: knee.is_generators_limit(),
            knee,
        });
    }
    println!("{}", machine());
    match args.cpu {
        Some(percent) => println!("each sensor has {percent} % of one processor\n"),
        None => println!("each sensor shares the processors with the generator\n"),
    }
    print_knees(&found);
    let mut curves = Vec::new();
    for found in found.iter().filter(|found| !args.no_curve && args.curve.iter().any(|c| c == found.sensor)) {
        let Some(contender) = contenders.iter().find(|contender| contender.name == found.sensor) else {
            continue;
        };
        let Some(best) = &found.knee.best else {
            println!("{}: no curve: every rate lost packets", found.sensor);
            continue;
        };
        curves.push(curve::trace(contender.name, best, |rate| bench.measure(contender, Some(rate), CURVE))?);
    }
    if !curves.is_empty() {
        curve::print(&curves);
    }
    if let Some(file) = &args.svg {
        if curves.is_empty() {
            bail!("--svg {}: there is no curve to draw", file.display());
        }
        let text = super::svg::draw(&curves, args.cpu);
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    if let Some(file) = &args.json {
        let all = Report {
            machine: machine(),
            cpu_percent: args.cpu,
            packets_in_capture: bench.captures.packets,
            knees: &found,
            curves: &curves,
        };
        report(file, &all)?;
    }
    Ok(())
}

/// Those that are wanted and can be run; says why one cannot.
fn contenders(args: &KneeArgs, harken: &std::path::Path) -> Result<Vec<&'static Contender>> {
    let names: Vec<&str> = CONTENDERS.iter().map(|contender| contender.name).collect();
    if let Some(name) = args.curve.iter().find(|name| !names.contains(&name.as_str())) {
        bail!("--curve {name}: no such sensor; they are: {}", names.join(", "));
    }
    let xdp = super::has_af_xdp(harken)?;
    let there = |tool: net::Tool| sh::is_there(tool.0, tool.1);
    let (tcpreplay, suricata) = (there(TCPREPLAY), there(SURICATA));
    let mut able = Vec::new();
    for contender in CONTENDERS {
        if !args.only.is_empty() && !args.only.iter().any(|part| contender.name.contains(part.as_str())) {
            continue;
        }
        let lacks = match contender.kind {
            Kind::Udp => None,
            _ if !tcpreplay => Some("tcpreplay is not installed"),
            Kind::Suricata if !suricata => Some("suricata is not installed"),
            Kind::AfXdp if !xdp => Some("the binary has no --af-xdp: build it with --features af_xdp"),
            _ => None,
        };
        match lacks {
            Some(lacks) => eprintln!("!!! SKIPPED: {}: {lacks}", contender.name),
            None => able.push(contender),
        }
    }
    if able.is_empty() {
        bail!("knee: no sensor is left to measure");
    }
    Ok(able)
}

fn bench(args: &KneeArgs, harken: PathBuf, contenders: &[&Contender]) -> Result<Bench> {
    let traffic = Traffic {
        transactions: args.transactions,
        connections: args.connections,
        per_connection: args.per_connection,
        ..Traffic::default()
    };
    let wrapped = contenders.iter().any(|contender| contender.kind != Kind::Udp);
    let captures = Captures::make(&traffic, wrapped)?;
    // A frame of 1,514 bytes in VXLAN has 1,564, which leaves 1,550 after the Ethernet header.
    let net = Net::new("knee", 1600, true)?;
    let quota = args.cpu.map(Quota::new).transpose()?;
    let dir = sh::target_dir().join("live/knee");
    Ok(Bench { harken, captures, net, quota, dir, seconds: args.seconds })
}

fn print_knees(found: &[Found]) {
    let best = |harken: bool| {
        let those = found.iter().filter(|found| found.sensor.starts_with("harken") == harken);
        those.map(|found| found.packets_per_second).fold(0.0, f64::max)
    };
    let suricata = best(false);
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|found| {
            let above = match &found.knee.lossy {
                Some(point) => format!("{} lost {:.2} %", rate(point), point.lost_share()),
                None => "the generator's limit".to_owned(),
            };
            let times = if suricata > 0.0 {
                format!("{:.1} x", found.packets_per_second / suricata)
            } else {
                String::new()
            };
            vec![
                found.sensor.to_owned(),
                found.knee.best.as_ref().map_or_else(|| "none".to_owned(), rate),
                table::grouped(found.transactions_per_second as u64),
                above,
                times,
            ]
        })
        .collect();
    let head = ["sensor", "packets/s without loss", "transactions/s", "the next rate", "of Suricata's best"];
    table::print(&head, &rows);
    println!();
    if suricata > 0.0 && best(true) > 0.0 {
        let times = best(true) / suricata;
        let limit = found.iter().any(|f| {
            f.sensor.starts_with("harken") && f.generators_limit && f.packets_per_second >= best(true)
        });
        let why = if limit { " (the generator's limit)" } else { "" };
        let verdict = if times >= 3.0 { "met" } else { "NOT MET" };
        println!("Harken's best is {times:.1} times Suricata's{why}; the goal is 3: {verdict}\n");
    }
}

fn rate(point: &Point) -> String {
    table::grouped(point.rate() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: KneeArgs,
    }

    #[test]
    fn curves_are_of_known_sensors() {
        let line = Line::parse_from(["knee"]);
        for name in &line.args.curve {
            assert!(CONTENDERS.iter().any(|contender| contender.name == name), "{name}");
        }
    }
}
