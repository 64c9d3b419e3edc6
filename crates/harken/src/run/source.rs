//! Where a worker's packets come from: a live source, or a capture that is read as it grows.
use super::worker::Intake;
use harken_capture::live::{Live, LiveStats};
use harken_capture::{Batch, Reader};
use harken_wire::Timestamp;
use std::time::{Duration, Instant};

/// What came of asking a source.
#[derive(Debug)]
pub enum Polled {
    /// Packets were handed on.
    Packets,
    /// There was none in time.
    Nothing,
    /// The input is over.
    Over,
    /// The source cannot be read any more, and why.
    Failed(String),
}

/// A source of packets.
pub enum Source {
    /// The kernel.
    Live(Box<Live>),
    /// A capture.
    Capture(Box<Capture>),
}

/// A capture that is read as it grows, at the speed of its recording or at another.
pub struct Capture {
    reader: Reader,
    batch: Batch,
    pace: Option<Pace>,
    counted: LiveStats,
}

/// When packets are due.
struct Pace {
    /// Multiple of the recorded speed.
    speed: f64,
    /// When the first packet was handed on, and when it was recorded.
    begin: Option<(Instant, Timestamp)>,
}

impl Capture {
    /// Reads `reader`; `speed` is a multiple of the recorded one, 0 is as fast as it goes.
    pub fn new(reader: Reader, speed: f64) -> Self {
        let pace = (speed > 0.0).then_some(Pace { speed, begin: None });
        Self { reader, batch: Batch::default(), pace, counted: LiveStats::default() }
    }

    fn poll(&mut self, max: usize, intake: &mut Intake) -> Polled {
        // With a pace, packets go on one at a time, each when it is due.
        let max = if self.pace.is_some() { 1 } else { max };
        match self.reader.next_batch(&mut self.batch, max) {
            Ok(lent) if lent.is_empty() => Polled::Over,
            Ok(lent) => {
                self.counted.received += lent.len() as u64;
                if let (Some(pace), Some(packet)) = (&mut self.pace, lent.iter().next()) {
                    pace.wait(packet.ts);
                }
                intake.take(lent.iter());
                Polled::Packets
            }
            Err(damage) => Polled::Failed(damage.to_string()),
        }
    }
}

impl Pace {
    fn wait(&mut self, ts: Timestamp) {
        let now = Instant::now();
        let (begin, first) = *self.begin.get_or_insert((now, ts));
        let due = begin + Duration::from_nanos(ts.since(first)).div_f64(self.speed);
        std::thread::sleep(due.saturating_duration_since(now));
    }
}

impl Source {
    /// Hands on packets that are at hand, at most about `max`; waits at most `wait` for one.
    pub fn poll(&mut self, max: usize, wait: Duration, intake: &mut Intake) -> Polled {
        match self {
            Self::Live(live) => match live.next_batch(max, wait) {
                Ok(lent) if lent.is_empty() => Polled::Nothing,
                Ok(lent) => {
                    intake.take(lent.iter());
                    Polled::Packets
                }
                Err(error) => Polled::Failed(error.to_string()),
            },
            Self::Capture(capture) => capture.poll(max, intake),
        }
    }

    /// Name of the interface, socket or file.
    pub fn name(&self) -> &str {
        match self {
            Self::Live(live) => live.name(),
            Self::Capture(_) => "capture",
        }
    }

    /// What the kernel says of it.
    pub fn stats(&mut self) -> LiveStats {
        match self {
            Self::Live(live) => live.stats(),
            Self::Capture(capture) => capture.counted,
        }
    }

    /// How full the buffer between kernel and worker is, in percent. A capture waits for its reader.
    pub fn backlog(&mut self) -> u8 {
        match self {
            Self::Live(live) => live.backlog(),
            Self::Capture(_) => 0,
        }
    }

    /// Whether packets come as they happen, so that the wall clock is their clock.
    pub const fn is_live(&self) -> bool {
        matches!(self, Self::Live(_))
    }
}
