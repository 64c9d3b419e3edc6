//! The thread of a route: reads, asks the filters, shares out among the lanes, commits.
use super::{Guard, Item, Phase, Route};
use crate::datasink::Event;
use crate::decide::Outcome;
use crate::log::Level;
use crate::readers::{Next, Reader};
use bytes::Bytes;
use harken_spool::Passed;
use serde::Deserialize;
use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

/// Longest wait for events, and for room, before it looks around.
const WAIT: Duration = Duration::from_millis(100);
/// Time between two commits.
const COMMIT: Duration = Duration::from_millis(250);
/// Pause after the reader failed.
const PAUSE: Duration = Duration::from_secs(1);

/// What became of an event that was read.
enum Fate {
    Filtered,
    Elsewhere,
    Kept(Bytes),
}

/// Works until the route is finished or the connector has ended.
pub(crate) fn run(route: &Route, reader: &mut dyn Reader) {
    let _guard = Guard(&route.panicked);
    let mut commits = Commits { last: Instant::now(), low: 0 };
    // What a reader of this process passed over before is told and counted.
    let mut passed = reader.passed();
    let mut ended = false;
    loop {
        match route.phase() {
            Phase::Running => {}
            // What is on its way may still be done, and is then committed.
            Phase::Stopping => {
                std::thread::sleep(WAIT / 10);
                continue;
            }
            Phase::Ended => break,
        }
        commits.now_and_then(route, reader);
        if ended {
            if route.wait_done() {
                commits.commit(route, reader);
                route.lock().finished = true;
                return;
            }
            continue;
        }
        if !route.wait_room() {
            if reader.idle() == Next::TakenBack {
                take_back(route);
            }
            continue;
        }
        match read(route, reader) {
            Ok(Next::End) => {
                ended = true;
                route.lanes.iter().for_each(super::Lane::close);
            }
            Ok(Next::TakenBack) => take_back(route),
            Ok(Next::Some | Next::Nothing) => {}
            Err(()) => std::thread::sleep(PAUSE),
        }
        missing(route, &mut passed, reader.passed());
    }
    commits.commit(route, reader);
}

struct Commits {
    last: Instant,
    low: u64,
}

impl Commits {
    fn now_and_then(&mut self, route: &Route, reader: &mut dyn Reader) {
        if self.last.elapsed() >= COMMIT {
            self.commit(route, reader);
        }
    }

    fn commit(&mut self, route: &Route, reader: &mut dyn Reader) {
        self.last = Instant::now();
        let low = route.lock().tracker.low();
        if low == self.low {
            return;
        }
        let result = reader.commit(low);
        if result.is_ok() {
            self.low = low;
        }
        trouble(route, result.err());
    }
}

/// Keeps in mind what is wrong with the reader, and tells it.
fn trouble(route: &Route, failure: Option<String>) {
    if let Some(text) = &failure {
        route.say(&route.failures, Level::Error, text);
    }
    route.lock().reader_failure = failure;
}

/// Counts and tells what the reader had to pass over since the last time.
fn missing(route: &Route, before: &mut Passed, now: Passed) {
    let before = std::mem::replace(before, now);
    if before == now {
        return;
    }
    let events = now.missing.saturating_sub(before.missing);
    route.lock().missing += events;
    let blocks = now.damaged_blocks.saturating_sub(before.damaged_blocks);
    let bytes = now.damaged_bytes.saturating_sub(before.damaged_bytes);
    let text = match bytes {
        0 => format!("{events} events are missing in the spool: deleted before they were read"),
        _ => format!(
            "{events} events are missing in the spool: damaged on the disk ({blocks} blocks, {bytes} bytes passed over), or \
             deleted before they were read"
        ),
    };
    route.tell(Level::Error, &text);
}

/// What waits is given again, so that no lane needs to go on with it.
fn take_back(route: &Route) {
    let mut state = route.lock();
    state.tracker.take_back(0);
    let waiting = state.ledger.waiting;
    drop(state);
    if waiting > 0 {
        let text = format!(
            "{waiting} events that were not yet written are given back: the reader's partitions are shared out anew"
        );
        route.tell(Level::Info, &text);
    }
}

/// Reads what is at hand and shares it out.
fn read(route: &Route, reader: &mut dyn Reader) -> Result<Next, ()> {
    // Those in force when the events come, not when the waiting for them began.
    let mut decide = None;
    let filters = || Arc::clone(&route.decide.read().unwrap_or_else(PoisonError::into_inner));
    let mut events = Vec::new();
    let next = reader.next(WAIT, &mut |number, json| {
        let decision = decide.get_or_insert_with(filters).decide(json);
        let here = decision.routes.as_ref().is_none_or(|routes| routes.contains(&route.sink.name));
        let fate = match decision.outcome {
            Outcome::Drop => Fate::Filtered,
            _ if !here => Fate::Elsewhere,
            Outcome::Keep => Fate::Kept(Bytes::copy_from_slice(json)),
            Outcome::Changed(json) => Fate::Kept(json.into()),
        };
        events.push((number, fate));
    });
    // What was given before a failure was given.
    if !events.is_empty() {
        share_out(route, events);
    }
    match next {
        Ok(next) => {
            if route.lock().reader_failure.is_some() && next == Next::Some {
                trouble(route, None);
            }
            Ok(next)
        }
        Err(text) => {
            trouble(route, Some(text));
            Err(())
        }
    }
}

fn share_out(route: &Route, events: Vec<(u64, Fate)>) {
    let mut lanes: Vec<Vec<Item>> = route.lanes.iter().map(|_| Vec::new()).collect();
    let mut state = route.lock();
    for (number, fate) in events {
        let ticket = state.tracker.read(number);
        state.ledger.read += 1;
        match fate {
            Fate::Filtered => {
                state.ledger.filtered_out += 1;
                state.tracker.done(ticket);
            }
            Fate::Elsewhere => {
                state.ledger.routed_elsewhere += 1;
                state.tracker.done(ticket);
            }
            Fate::Kept(json) => {
                state.ledger.waiting += 1;
                state.bytes += json.len();
                let place = lane_of(&json, lanes.len());
                if let Some(lane) = lanes.get_mut(place) {
                    lane.push(Item { ticket, event: Event { number, json } });
                }
            }
        }
    }
    drop(state);
    for (lane, items) in route.lanes.iter().zip(lanes).filter(|(_, items)| !items.is_empty()) {
        lane.push(items);
    }
}

#[derive(Deserialize)]
struct Probe<'a> {
    #[serde(borrow)]
    harken: Option<Own<'a>>,
}

#[derive(Deserialize)]
struct Own<'a> {
    #[serde(borrow)]
    uid: Option<Cow<'a, str>>,
}

/// The lane of an event: the same for all events of a connection.
fn lane_of(json: &[u8], lanes: usize) -> usize {
    if lanes < 2 {
        return 0;
    }
    let probe = serde_json::from_slice::<Probe<'_>>(json).ok();
    let Some(uid) = probe.and_then(|probe| probe.harken?.uid) else { return 0 };
    let mut hasher = DefaultHasher::new();
    uid.hash(&mut hasher);
    let place = hasher.finish() % lanes as u64;
    usize::try_from(place).unwrap_or(0)
}

impl Route {
    /// Waits a while until more may be read; whether it may.
    fn wait_room(&self) -> bool {
        let delivery = &self.sink.delivery;
        // After the reader was moved back, more may wait than the tracker still follows.
        self.wait(|state| {
            let waiting = usize::try_from(state.ledger.waiting).unwrap_or(usize::MAX);
            state.tracker.span().max(waiting) < delivery.buffer_events && state.bytes < delivery.buffer_bytes
        })
    }

    /// Waits a while until everything is done; whether it is.
    fn wait_done(&self) -> bool {
        self.wait(|state| state.ledger.waiting == 0)
    }

    fn wait(&self, until: impl Fn(&super::State) -> bool) -> bool {
        let wait = self.room.wait_timeout_while(self.lock(), WAIT, |state| !until(state));
        let (state, timeout) = wait.unwrap_or_else(PoisonError::into_inner);
        drop(state);
        !timeout.timed_out()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_keeps_to_its_lane() {
        let event = |uid: &str, n: u32| format!(r#"{{"n":{n},"harken":{{"a":1,"uid":"{uid}"}}}}"#);
        let lane = |uid: &str, n| lane_of(event(uid, n).as_bytes(), 8);
        let mut used = std::collections::BTreeSet::new();
        for flow in 0..100 {
            let uid = format!("C{flow}");
            assert_eq!(lane(&uid, 1), lane(&uid, 2));
            used.insert(lane(&uid, 1));
        }
        assert_eq!(used.len(), 8);
        for json in ["{}", "x", r#"{"harken":{}}"#, r#"{"harken":{"uid":1}}"#] {
            assert_eq!(lane_of(json.as_bytes(), 8), 0, "{json}");
        }
    }
}
