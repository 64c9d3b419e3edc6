//! Where a worker's packets come from: a live source, or a capture that is read as it grows.
use super::worker::Intake;
use harken_capture::live::{Live, LiveStats};
use harken_capture::{Batch, Reader};
use harken_wire::Timestamp;
use std::io;
use std::time::{Duration, Instant};

/// Name of a capture among the sources.
const CAPTURE: &str = "capture";

/// What came of asking for packets.
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

/// What a worker reads.
pub enum Sources {
    /// Interfaces and sockets.
    Live(Vec<Live>),
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
                intake.take(0, lent.iter());
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

impl Sources {
    /// Hands on packets that are at hand, at most about `max` of each source; waits at most `wait` for one.
    pub fn poll(&mut self, max: usize, wait: Duration, intake: &mut Intake) -> Polled {
        match self {
            Self::Live(sources) => {
                live(sources, max, wait, intake).unwrap_or_else(|error| Polled::Failed(error.to_string()))
            }
            Self::Capture(capture) => capture.poll(max, intake),
        }
    }

    /// Names of the interfaces and sockets.
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::Live(sources) => sources.iter().map(|live| live.name().to_owned()).collect(),
            Self::Capture(_) => vec![CAPTURE.to_owned()],
        }
    }

    /// Whether a source opens sockets again later, which needs a privilege.
    pub fn open_again(&self) -> bool {
        match self {
            Self::Live(sources) => sources.iter().any(Live::opens_again),
            Self::Capture(_) => false,
        }
    }

    /// What the kernel says of each, by name.
    pub fn stats(&mut self) -> Vec<(String, LiveStats)> {
        match self {
            Self::Live(sources) => {
                sources.iter_mut().map(|live| (live.name().to_owned(), live.stats())).collect()
            }
            Self::Capture(capture) => vec![(CAPTURE.to_owned(), capture.counted)],
        }
    }

    /// How full the fullest buffer between kernel and worker is, in percent. A capture waits for its reader.
    pub fn backlog(&self) -> u8 {
        match self {
            Self::Live(sources) => sources.iter().map(Live::backlog).max().unwrap_or(0),
            Self::Capture(_) => 0,
        }
    }

    /// Has `share` 256ths of all flows refused where packets come from. `false`: some source cannot.
    pub fn shed(&mut self, share: u8) -> bool {
        match self {
            Self::Live(sources) => {
                let mut all = true;
                for live in sources {
                    all &= live.shed(share).unwrap_or(false);
                }
                all
            }
            Self::Capture(_) => false,
        }
    }

    /// Whether packets come as they happen, so that the wall clock is their clock.
    pub const fn are_live(&self) -> bool {
        matches!(self, Self::Live(_))
    }
}

/// Reads a batch of each source. One is waited for as it is read; of several it is asked only when none has
/// anything which is the first to have.
fn live(sources: &mut [Live], max: usize, wait: Duration, intake: &mut Intake) -> io::Result<Polled> {
    let alone = sources.len() == 1;
    let mut result = Polled::Nothing;
    for (number, source) in (0..).zip(&mut *sources) {
        let lent = source.next_batch(max, if alone { wait } else { Duration::ZERO })?;
        if !lent.is_empty() {
            intake.take(number, lent.iter());
            result = Polled::Packets;
        }
    }
    if !alone && matches!(result, Polled::Nothing) {
        Live::wait_any(sources, wait)?;
    }
    Ok(result)
}
