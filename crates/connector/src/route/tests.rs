//! A route between a reader and a datasink that are toys: what they do is scripted.
use super::*;
use crate::config::Delivery;
use crate::datasink::{Batch, Datasink, Failure, Invalid, Limits, Refusal};
use crate::datasinks::Opened;
use crate::decide::{Decision, KeepAll, Outcome};
use crate::readers::{Next, Reader};
use async_trait::async_trait;
use std::collections::VecDeque;

struct NoLog;

impl Log for NoLog {
    fn say(&self, _: Level, _: &str) {}
}

/// Gives events in blocks of ten, then waits or ends.
struct Toy {
    events: VecDeque<(u64, String)>,
    ends: bool,
    committed: Arc<Mutex<u64>>,
}

impl Reader for Toy {
    fn next(&mut self, _: Duration, each: &mut dyn FnMut(u64, &[u8])) -> Result<Next, String> {
        if self.events.is_empty() {
            std::thread::sleep(Duration::from_millis(5));
            return Ok(if self.ends { Next::End } else { Next::Nothing });
        }
        let count = self.events.len().min(10);
        self.events.drain(..count).for_each(|(number, event)| each(number, event.as_bytes()));
        Ok(Next::Some)
    }

    fn commit(&mut self, before: u64) -> Result<(), String> {
        *self.committed.lock().unwrap() = before;
        Ok(())
    }
}

type Script = dyn Fn(&Batch) -> Result<(), Failure> + Send + Sync;

struct Scripted {
    script: Box<Script>,
    taken: Mutex<Vec<(u64, String)>>,
    limits: Limits,
}

#[async_trait]
impl Datasink for Scripted {
    fn kind(&self) -> &'static str {
        "scripted"
    }

    fn limits(&self) -> Limits {
        self.limits
    }

    async fn check(&self) -> Result<(), Invalid> {
        Ok(())
    }

    async fn write(&self, batch: &Batch) -> Result<(), Failure> {
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..3))).await;
        let result = (self.script)(batch);
        let bad: Vec<usize> = match &result {
            Ok(()) => Vec::new(),
            Err(Failure::Partial(bad)) => bad.iter().map(|(place, _)| *place).collect(),
            Err(_) => return result,
        };
        let events = batch.events().iter().enumerate().filter(|(place, _)| !bad.contains(place));
        let text = |json: &[u8]| String::from_utf8(json.to_vec()).unwrap();
        self.taken.lock().unwrap().extend(events.map(|(_, event)| (event.number, text(&event.json))));
        result
    }
}

/// Stands for a reader whose positions no datasink commits.
struct NoReader;

impl Reader for NoReader {
    fn next(&mut self, _: Duration, _: &mut dyn FnMut(u64, &[u8])) -> Result<Next, String> {
        Ok(Next::End)
    }

    fn commit(&mut self, _: u64) -> Result<(), String> {
        Ok(())
    }
}

struct Run {
    route: Arc<Route>,
    sink: Arc<Scripted>,
    committed: Arc<Mutex<u64>>,
    letters: Vec<Letter>,
}

use crate::deadletter::Letter;

/// The flow of an event is its number modulo 7.
fn event(number: u64) -> String {
    format!(r#"{{"n":{number},"harken":{{"uid":"C{}"}}}}"#, number % 7)
}

fn refusal(reason: &str) -> Refusal {
    Refusal { reason: reason.to_owned(), status: Some(400) }
}

/// Runs a route over `events` until it is finished, or for that time.
fn run(
    events: Vec<(u64, String)>,
    limits: Limits,
    decide: Arc<dyn Decide>,
    stop_after: Option<Duration>,
    script: impl Fn(&Batch) -> Result<(), Failure> + Send + Sync + 'static,
) -> Run {
    let dir = tempfile::tempdir().unwrap();
    let delivery = Delivery {
        batch_events: 8,
        linger_ms: 2,
        buffer_events: 40,
        retry_first_ms: 1,
        retry_max_ms: 4,
        ..Delivery::default()
    };
    let sink = Arc::new(Scripted { script: Box::new(script), taken: Mutex::default(), limits });
    let log: Arc<dyn Log> = Arc::new(NoLog);
    let opened = Opened { datasink: Arc::clone(&sink) as Arc<dyn Datasink>, delivery };
    let (phase, phases) = watch::channel(Phase::Running);
    let folder = Folder::new(dir.path(), "p", "d", 1 << 20);
    let shared = Arc::new(Sink::new("d", opened, Arc::clone(&log)));
    let route = Arc::new(Route::new("p", shared, &NoReader, decide, folder.clone(), log, phases).unwrap());
    let committed = Arc::new(Mutex::new(0));
    let ends = stop_after.is_none();
    let mut reader = Toy { events: events.into(), ends, committed: Arc::clone(&committed) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let lanes: Vec<_> =
        (0..route.lanes()).map(|lane| runtime.spawn(run_lane(Arc::clone(&route), lane))).collect();
    let work = Arc::clone(&route);
    let thread = std::thread::spawn(move || run_intake(&work, &mut reader));
    let begin = Instant::now();
    while !thread.is_finished() {
        let status = route.status();
        assert!(status.ledger.balances(), "{status:?}");
        assert!(status.ledger.waiting <= 50, "{status:?}");
        if stop_after.is_some_and(|time| begin.elapsed() > time) && *phase.borrow() == Phase::Running {
            phase.send(Phase::Stopping).unwrap();
            runtime.block_on(async {
                for lane in &lanes {
                    while !lane.is_finished() {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                }
            });
            phase.send(Phase::Ended).unwrap();
        }
        assert!(begin.elapsed() < Duration::from_secs(30), "{status:?}");
    }
    thread.join().unwrap();
    let mut letters = Vec::new();
    folder.read(&mut |letter| letters.push(letter)).unwrap();
    Run { route, sink, committed, letters }
}

fn some(count: u64) -> Vec<(u64, String)> {
    (0..count).map(|number| (number, event(number))).collect()
}

/// What was taken, each once, in order of the numbers; asserts that each flow came in order.
fn taken(run: &Run) -> Vec<u64> {
    let taken = run.sink.taken.lock().unwrap();
    for flow in 0..7 {
        let own: Vec<_> = taken.iter().filter(|(n, _)| n % 7 == flow).map(|(n, _)| *n).collect();
        assert!(own.is_sorted(), "{own:?}");
    }
    let mut numbers: Vec<_> = taken.iter().map(|(number, _)| *number).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn failures_that_pass_lose_nothing_and_keep_the_order() {
    let run = run(some(500), Limits::default(), Arc::new(KeepAll), None, |_| match fastrand::u8(0..3) {
        0 => Err(Failure::passing("busy")),
        1 => Err(Failure::Passing { reason: "later".into(), after: Some(Duration::from_millis(2)) }),
        _ => Ok(()),
    });
    assert_eq!(taken(&run), (0..500).collect::<Vec<_>>());
    let status = run.route.status();
    assert_eq!((status.ledger.written, status.ledger.waiting, status.finished), (500, 0, true));
    assert!(status.errors > 0);
    assert_eq!(*run.committed.lock().unwrap(), 500);
}

#[test]
fn bad_events_alone_are_put_aside() {
    let bad = |number: u64| number % 50 == 13;
    type Answer = fn(&Batch) -> Result<(), Failure>;
    let halves: Answer = |batch| match batch.events().iter().any(|event| event.number % 50 == 13) {
        true => Err(Failure::Refused(refusal("bad"))),
        false => Ok(()),
    };
    let large: Answer = |batch| match halves_of(batch) {
        true => Err(Failure::TooLarge(refusal("bad"))),
        false => Ok(()),
    };
    let partial: Answer = |batch| {
        let events = batch.events().iter().enumerate().filter(|(_, event)| event.number % 50 == 13);
        let bad: Vec<_> = events.map(|(place, _)| (place, refusal("bad"))).collect();
        if bad.is_empty() { Ok(()) } else { Err(Failure::Partial(bad)) }
    };
    for (name, script) in [("refused", halves), ("too large", large), ("partial", partial)] {
        let run = run(some(300), Limits::default(), Arc::new(KeepAll), None, script);
        assert_eq!(taken(&run), (0..300).filter(|n| !bad(*n)).collect::<Vec<_>>(), "{name}");
        let mut letters: Vec<_> = run.letters.iter().map(|letter| letter.event.get().to_owned()).collect();
        letters.sort();
        let mut expected: Vec<_> = (0..300).filter(|n| bad(*n)).map(event).collect();
        expected.sort();
        assert_eq!(letters, expected, "{name}");
        assert!(run.letters.iter().all(|letter| letter.reason == "bad" && letter.status == Some(400)));
        let ledger = run.route.status().ledger;
        assert_eq!((ledger.written, ledger.dead_lettered), (294, 6), "{name}");
    }
}

/// Whether the batch is too large: more than three events, or one that nobody takes.
fn halves_of(batch: &Batch) -> bool {
    batch.len() > 3 || batch.events().iter().any(|event| event.number % 50 == 13)
}

#[test]
fn an_event_over_the_limit_is_not_even_tried() {
    let limits = Limits { event_bytes: 40, batch_events: 5, batch_bytes: 100, ..Limits::default() };
    let mut events = some(100);
    events[17].1 = format!(r#"{{"x":"{}"}}"#, "y".repeat(50));
    let run = run(events, limits, Arc::new(KeepAll), None, |batch| {
        assert!(batch.bytes() <= 100 && batch.len() <= 5, "{batch:?}");
        Ok(())
    });
    assert_eq!(taken(&run).len(), 99);
    assert_eq!(run.letters.len(), 1);
    assert!(run.letters[0].reason.contains("58 bytes"), "{:?}", run.letters[0]);
    assert_eq!(run.letters[0].attempts, 0);
}

#[test]
fn wrong_credentials_put_nothing_aside() {
    let run = run(some(100), Limits::default(), Arc::new(KeepAll), Some(Duration::from_millis(300)), |_| {
        Err(Failure::Invalid(Invalid::new("answered 401")))
    });
    let status = run.route.status();
    assert_eq!((status.ledger.written, status.ledger.dead_lettered), (0, 0));
    assert!(!run.route.sink.is_valid());
    assert_eq!(run.route.sink.reason().as_deref(), Some("answered 401"));
    assert_eq!(*run.committed.lock().unwrap(), 0);
}

#[test]
fn a_stuck_flow_holds_the_position() {
    let run =
        run(some(1000), Limits::default(), Arc::new(KeepAll), Some(Duration::from_millis(500)), |batch| {
            match batch.events().iter().any(|event| event.number == 20) {
                true => Err(Failure::passing("stuck")),
                false => Ok(()),
            }
        });
    assert!(*run.committed.lock().unwrap() <= 20);
    let taken = taken(&run);
    assert!(taken.iter().any(|number| *number > 20) && !taken.contains(&20), "{taken:?}");
}

/// Drops, changes and routes by the number.
struct Table;

impl Decide for Table {
    fn decide(&self, event: &[u8]) -> Decision {
        let value: serde_json::Value = serde_json::from_slice(event).unwrap();
        let number = value["n"].as_u64().unwrap();
        match number % 5 {
            0 => Decision::all(Outcome::Drop),
            1 => Decision::all(Outcome::Changed(format!(r#"{{"changed":{number}}}"#).into_bytes())),
            2 => Decision { outcome: Outcome::Keep, routes: Some(vec!["other".into()]) },
            3 => Decision { outcome: Outcome::Keep, routes: Some(vec!["other".into(), "d".into()]) },
            _ => Decision::all(Outcome::Keep),
        }
    }
}

#[test]
fn filters_drop_change_and_route() {
    let run = run(some(100), Limits::default(), Arc::new(Table), None, |_| Ok(()));
    let ledger = run.route.status().ledger;
    let expected =
        Ledger { read: 100, filtered_out: 20, routed_elsewhere: 20, written: 60, ..Ledger::default() };
    assert_eq!(ledger, expected);
    let taken = run.sink.taken.lock().unwrap();
    for (number, text) in taken.iter() {
        let changed = format!(r#"{{"changed":{number}}}"#);
        assert_eq!(*text, if number % 5 == 1 { changed } else { event(*number) });
    }
}

#[test]
fn a_reader_that_is_moved_back_gives_again() {
    let mut events = some(30);
    events.extend(some(50).split_off(10));
    let run = run(events, Limits::default(), Arc::new(KeepAll), None, |_| Ok(()));
    let mut numbers: Vec<_> = run.sink.taken.lock().unwrap().iter().map(|(number, _)| *number).collect();
    // What was not yet on its way when the reader was moved is sent once.
    let ledger = run.route.status().ledger;
    assert_eq!((ledger.read, ledger.written + ledger.given_back, ledger.waiting), (70, 70, 0));
    assert_eq!(numbers.len() as u64, ledger.written);
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers, (0..50).collect::<Vec<_>>());
    assert_eq!(*run.committed.lock().unwrap(), 50);
}
