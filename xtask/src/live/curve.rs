//! The overload curve: what is delivered at rates from a quarter of the knee to three times it.

use super::contender::Point;
use crate::bench::table;
use anyhow::Result;
use serde::Serialize;

/// Rates, as multiples of the knee.
const MULTIPLES: [f64; 9] = [0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0];
/// A generator that reaches less than this part of what was asked has met its limit.
const REACHED: f64 = 0.95;
/// The goal: what is delivered at twice the knee, as part of what is delivered at it.
const GOAL: f64 = 0.8;

/// A buffer hides less than this for the time that a rate is kept up.
const DOUBTFUL: f64 = 1.35;

/// One rate.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Step {
    /// The rate that was reached, as a multiple of the knee.
    pub(super) multiple: f64,
    /// What was delivered, as part of what is delivered at the knee.
    pub(super) share: f64,
    #[serde(flatten)]
    pub(super) point: Point,
}

/// A sensor's curve.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Curve {
    pub(super) sensor: &'static str,
    /// Packets and transactions a second at the knee.
    pub(super) packets: f64,
    pub(super) transactions: f64,
    pub(super) steps: Vec<Step>,
    /// The generator could not send all the rates.
    pub(super) generator_ended: bool,
}

impl Curve {
    /// What is delivered at twice the knee, as part of what is at the knee; none when that was not reached.
    pub(super) fn at_twice(&self) -> Option<f64> {
        self.steps.iter().find(|step| (1.9..2.1).contains(&step.multiple)).map(|step| step.share)
    }

    /// A rate so far above the knee that was loss-free all the same: then the knee was found too low, because
    /// something else had the processors, and no part of it means anything.
    pub(super) fn contradiction(&self) -> Option<f64> {
        let free = self.steps.iter().filter(|step| step.point.lost() == 0).map(|step| step.multiple);
        free.filter(|multiple| *multiple > DOUBTFUL).max_by(f64::total_cmp)
    }

    /// That in words.
    pub(super) fn verdict(&self) -> String {
        match self.at_twice() {
            Some(share) => {
                format!("{}: at 2x the knee: {:.0} % of the knee's transactions", self.sensor, share * 100.0)
            }
            None => format!(
                "{}: 2x the knee is beyond the generator: give the sensor less with --cpu",
                self.sensor
            ),
        }
    }
}

/// Measures a sensor whose knee is at `knee`.
pub(super) fn trace(
    sensor: &'static str,
    knee: &Point,
    mut measure: impl FnMut(u64) -> Result<Point>,
) -> Result<Curve> {
    let (packets, transactions) = (knee.rate(), knee.delivered());
    let mut curve = Curve { sensor, packets, transactions, steps: Vec::new(), generator_ended: false };
    for multiple in MULTIPLES {
        let asked = packets * multiple;
        let reaches = |point: &Point| point.rate() / asked.max(1.0) >= REACHED;
        let mut point = measure(asked as u64)?;
        if !reaches(&point) {
            // Something else may have had the processor: only twice is a limit.
            point = measure(asked as u64)?;
        }
        let share = point.delivered() / transactions.max(1e-9);
        curve.generator_ended = !reaches(&point);
        curve.steps.push(Step { multiple: point.rate() / packets.max(1e-9), share, point });
        if curve.generator_ended {
            break;
        }
    }
    Ok(curve)
}

/// Prints a table of all curves.
pub(super) fn print(curves: &[Curve]) {
    let rows: Vec<Vec<String>> =
        curves.iter().flat_map(|curve| curve.steps.iter().map(|step| row(curve, step))).collect();
    let head =
        ["sensor", "of the knee", "packets/s", "dropped", "shed", "lost", "transactions/s", "of the knee's"];
    table::print(&head, &rows);
    println!();
    for curve in curves {
        let goal = match curve.at_twice() {
            Some(share) if !curve.sensor.starts_with("harken") || share >= GOAL => "",
            Some(_) => "; the goal of 80 % is NOT MET",
            None => "",
        };
        println!("{}{goal}", curve.verdict());
        if let Some(multiple) = curve.contradiction() {
            println!(
                "{}: DOUBTFUL: nothing was lost at {multiple:.2} x either, so that the knee is too low: measure \
                 again with nothing else running",
                curve.sensor
            );
        }
        if curve.generator_ended && curve.at_twice().is_some() {
            println!("{}: the last rate is the generator's limit", curve.sensor);
        }
    }
    println!();
}

fn row(curve: &Curve, step: &Step) -> Vec<String> {
    let point = &step.point;
    vec![
        curve.sensor.to_owned(),
        format!("{:.2} x", step.multiple),
        table::grouped(point.rate() as u64),
        table::grouped(point.sent.saturating_sub(point.received).max(point.dropped)),
        table::grouped(point.shed),
        format!("{:.1} %", point.lost_share()),
        table::grouped(point.delivered() as u64),
        format!("{:.0} %", step.share * 100.0),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(rate: f64, delivered: f64) -> Point {
        Point {
            sent: rate as u64,
            received: rate as u64,
            seconds: 1.0,
            transactions: delivered as u64,
            ..Point::default()
        }
    }

    #[test]
    fn the_figure_at_twice_the_knee() {
        let curve = trace("harken-x", &at(1000.0, 200.0), |rate| Ok(at(rate as f64, 170.0))).unwrap();
        assert_eq!(curve.steps.len(), MULTIPLES.len());
        assert_eq!(curve.at_twice(), Some(0.85));
        assert!(curve.verdict().contains("85 %"));
    }

    #[test]
    fn a_knee_that_is_too_low_is_said() {
        let curve = |able: f64| {
            let measure = |rate: u64| Ok(Point { received: rate.min(able as u64), ..at(rate as f64, 200.0) });
            trace("harken-x", &at(1000.0, 200.0), measure).unwrap()
        };
        assert_eq!(curve(1250.0).contradiction(), None, "the buffer's doing");
        assert_eq!(curve(2000.0).contradiction(), Some(2.0));
    }

    #[test]
    fn a_generator_that_ends_is_said() {
        let curve = trace("x", &at(1000.0, 200.0), |rate| Ok(at((rate as f64).min(1400.0), 200.0))).unwrap();
        assert!(curve.generator_ended && curve.at_twice().is_none());
        assert_eq!(curve.steps.last().unwrap().multiple, 1.4);
        assert!(curve.verdict().contains("--cpu"));
    }
}
