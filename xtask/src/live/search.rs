//! Looks for the knee: the highest rate at which nothing is lost.

use super::contender::Point;
use anyhow::Result;
use serde::Serialize;

/// Tries until the search ends.
const TRIES: usize = 9;
/// The search ends when the loss-free rate and a lossy one are this near.
const NEAR: f64 = 0.94;

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Knee {
    /// The point with the highest loss-free rate; none when every rate lost packets.
    pub(super) best: Option<Point>,
    /// The lowest rate above it that lost packets; none when the generator was not fast enough for that.
    pub(super) lossy: Option<Point>,
    /// All rates that were tried.
    pub(super) points: Vec<Point>,
}

impl Knee {
    /// Packets a second; 0 when every rate lost packets.
    pub(super) fn rate(&self) -> f64 {
        self.best.as_ref().map_or(0.0, Point::rate)
    }

    /// Transactions a second at it.
    pub(super) fn delivered(&self) -> f64 {
        self.best.as_ref().map_or(0.0, Point::delivered)
    }

    /// Whether the generator ended before the sensor did.
    pub(super) fn is_generators_limit(&self) -> bool {
        self.lossy.is_none() && self.best.is_some()
    }
}

/// How long a rate is kept up, in multiples of the usual time.
const SHORT: f64 = 1.0;
/// So long the knee itself has to be loss-free: buffers cannot make up for too high a rate any more.
const LONG: f64 = 4.0;
/// What is taken off a rate that is loss-free for a short time only.
const STEP: f64 = 0.95;

/// Searches between nothing and as fast as the generator goes. `measure` feeds the sensor at a rate, for so
/// many times the usual time.
pub(super) fn search(mut measure: impl FnMut(Option<u64>, f64) -> Result<Point>) -> Result<Knee> {
    let mut knee = bisect(|rate| measure(rate, SHORT))?;
    if knee.is_generators_limit() {
        return Ok(knee);
    }
    let mut rate = knee.rate();
    knee.best = None;
    for _ in 0..TRIES {
        if rate < 1.0 {
            break;
        }
        let point = measure(Some(rate as u64), LONG)?;
        let lossy = point.lost() > 0;
        rate = point.rate().min(rate) * STEP;
        knee.note(point);
        if !lossy {
            break;
        }
    }
    Ok(knee)
}

fn bisect(mut measure: impl FnMut(Option<u64>) -> Result<Point>) -> Result<Knee> {
    let mut knee = Knee { best: None, lossy: None, points: Vec::new() };
    let top = measure(None)?;
    let mut guess = top.analysed() * 0.8;
    knee.note(top);
    for _ in 1..TRIES {
        let Some(lossy) = knee.lossy.as_ref().map(Point::rate) else { break };
        if knee.rate() > lossy * NEAR || guess < 1.0 {
            break;
        }
        let point = measure(Some(guess as u64))?;
        knee.note(point);
        let lossy = knee.lossy.as_ref().map_or(lossy, Point::rate);
        guess = match knee.rate() {
            // Nothing was loss-free yet.
            0.0 => lossy * 0.5,
            rate => (rate * lossy).sqrt(),
        };
    }
    Ok(knee)
}

impl Knee {
    fn note(&mut self, point: Point) {
        let below = |lossy: &Option<Point>| lossy.as_ref().is_none_or(|lossy| point.rate() < lossy.rate());
        if point.lost() > 0 {
            if below(&self.lossy) {
                self.lossy = Some(point.clone());
            }
        } else if point.rate() > self.rate() {
            self.best = Some(point.clone());
        }
        // A rate that lost something by chance below one that did not is no bound.
        if self.lossy.as_ref().is_some_and(|lossy| lossy.rate() <= self.rate()) {
            let above = self.points.iter().chain([&point]).filter(|p| p.lost() > 0 && p.rate() > self.rate());
            self.lossy = above.min_by(|a, b| a.rate().total_cmp(&b.rate())).cloned();
        }
        self.points.push(point);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A generator that goes up to `limit`, and a sensor that keeps up to `able`.
    fn model(limit: f64, able: f64) -> impl FnMut(Option<u64>, f64) -> Result<Point> {
        move |asked, _| {
            let rate = asked.map_or(limit, |rate| (rate as f64).min(limit));
            let (sent, received) = ((rate * 2.0) as u64, (rate.min(able) * 2.0) as u64);
            Ok(Point { asked, sent, seconds: 2.0, received, transactions: received / 5, ..Point::default() })
        }
    }

    #[test]
    fn the_knee_is_found() {
        for (limit, able) in [(400_000.0, 100_000.0), (400_000.0, 390_000.0), (400_000.0, 3_000.0)] {
            let knee = search(model(limit, able)).unwrap();
            assert!(knee.rate() <= able && knee.rate() > able * 0.9, "{able}: {}", knee.rate());
            assert!(!knee.is_generators_limit());
            assert!(knee.points.len() <= TRIES + 1);
        }
    }

    #[test]
    fn a_buffer_does_not_raise_the_knee() {
        // It holds 50,000 packets, whatever the time.
        let knee = search(|asked, times| {
            let (rate, able) = (asked.map_or(400_000.0, |rate| rate as f64), 100_000.0);
            let seconds = 2.0 * times;
            let (sent, received) = (rate * seconds, able * seconds + 50_000.0);
            let received = sent.min(received) as u64;
            Ok(Point { asked, sent: sent as u64, seconds, received, ..Point::default() })
        });
        let rate = knee.unwrap().rate();
        assert!(rate > 95_000.0 && rate < 107_000.0, "{rate}");
    }

    #[test]
    fn the_generator_may_end_first() {
        let knee = search(model(100_000.0, 200_000.0)).unwrap();
        assert!(knee.is_generators_limit() && knee.points.len() == 1);
        assert_eq!(knee.rate(), 100_000.0);
    }

    #[test]
    fn a_sensor_that_always_loses_has_no_knee() {
        let knee =
            search(|asked, _| Ok(Point { asked, sent: 100, seconds: 1.0, ..Point::default() })).unwrap();
        assert_eq!((knee.rate(), knee.is_generators_limit()), (0.0, false));
    }

    #[test]
    fn a_chance_loss_is_no_bound() {
        let mut knee = Knee { best: None, lossy: None, points: Vec::new() };
        let point = |sent, received| Point { sent, received, seconds: 1.0, ..Point::default() };
        knee.note(point(400, 300));
        knee.note(point(100, 99));
        knee.note(point(200, 200));
        assert_eq!((knee.rate(), knee.lossy.unwrap().sent), (200.0, 400));
    }
}
