//! How fast bodies are masked: `harken replay --format ecs --show-secrets FILE | throughput`
#![allow(unused_crate_dependencies, reason = "the dependencies are those of the whole package")]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a measurement, ended by a panic"
)]

use harken_mask::{Config, Masker, Report};
use std::io::BufRead as _;
use std::time::Instant;

fn main() {
    let mut bodies: Vec<String> = Vec::new();
    for line in std::io::stdin().lock().lines() {
        let event: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        for side in ["/http/request/body/content", "/http/response/body/content"] {
            bodies.extend(event.pointer(side).and_then(|body| body.as_str()).map(str::to_owned));
        }
    }
    let mut masker = Masker::new(&Config::default()).unwrap();
    let (mut out, mut report, mut masked, mut bytes) = (Vec::new(), Report::default(), 0u64, 0);
    let began = Instant::now();
    for body in bodies.iter().cycle().take(bodies.len() * 10) {
        out.clear();
        report.clear();
        bytes += body.len();
        masked += u64::from(masker.json(body.as_bytes(), &mut out, &mut report));
    }
    let seconds = began.elapsed().as_secs_f64();
    let (rate, each) = (bytes as f64 / seconds / 1e6, seconds * 1e9 / (bodies.len() as f64 * 10.0));
    println!(
        "{} bodies of {} bytes, {masked} masked: {rate:.0} MB/s, {each:.0} ns each",
        bodies.len() * 10,
        bytes / bodies.len() / 10
    );
}
