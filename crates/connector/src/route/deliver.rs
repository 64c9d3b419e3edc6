//! A lane at work: each batch is tried until it is written or put aside.
use super::lane::Load;
use super::{Guard, Phase, Route};
use crate::datasink::{Failure, Invalid, Refusal};
use crate::deadletter::{Letter, raw};
use crate::log::{Level, timestamp};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Least pause when the datasink itself is wrong, and the longest.
const INVALID: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// The longest wait that a receiver may ask for.
const LONGEST: Duration = Duration::from_secs(3600);

/// Works until the lane is closed and empty, or the connector stops.
pub(crate) async fn run(route: Arc<Route>, lane: usize) {
    let _guard = Guard(&route.panicked);
    let Some(lane) = route.lanes.get(lane) else { return };
    loop {
        let load = tokio::select! {
            biased;
            () = route.stopping() => return,
            load = lane.take(&route.sink.limits, route.sink.delivery.linger()) => load,
        };
        let Some(load) = load else { return };
        if !deliver(&route, load).await {
            return;
        }
    }
}

/// Whether the batch is done; not when the connector stops before.
async fn deliver(route: &Arc<Route>, load: Load) -> bool {
    // The halves of a batch that was cut, the first one last.
    let mut stack = vec![load];
    while let Some(load) = stack.pop() {
        let load = match oversized(route, load).await {
            Ok(Some(load)) => load,
            Ok(None) => continue,
            Err(Stopped) => return false,
        };
        match attempts(route, load).await {
            Ok(None) => {}
            Ok(Some((first, second))) => {
                stack.push(second);
                stack.push(first);
            }
            Err(Stopped) => return false,
        }
    }
    true
}

struct Stopped;

/// Puts aside an event that the datasink says it will never take for its size; such a one is alone or not yet
/// cut off.
async fn oversized(route: &Arc<Route>, mut load: Load) -> Result<Option<Load>, Stopped> {
    let most = route.sink.limits.event_bytes;
    if load.batch.events().iter().all(|event| event.json.len() <= most) {
        return Ok(Some(load));
    }
    let mut good = Vec::new();
    let mut tickets = Vec::new();
    for (event, ticket) in load.batch.events().iter().zip(&load.tickets) {
        if event.json.len() <= most {
            good.push(event.clone());
            tickets.push(*ticket);
            continue;
        }
        let reason = format!("the event has {} bytes, the datasink takes {most}", event.json.len());
        let bad = [(event.json.clone(), *ticket, Refusal { reason, status: None })];
        put_aside(route, &bad, load.attempts).await?;
    }
    if good.is_empty() {
        return Ok(None);
    }
    load.batch = crate::datasink::Batch::new(good);
    load.tickets = tickets;
    Ok(Some(load))
}

/// Tries a batch until it is done, or has to be cut in halves.
async fn attempts(route: &Arc<Route>, mut load: Load) -> Result<Option<(Load, Load)>, Stopped> {
    let sink = &route.sink;
    let mut failed = 0;
    loop {
        let attempt = tokio::select! {
            biased;
            () = route.stopping() => return Err(Stopped),
            attempt = route.window.attempt() => attempt,
        };
        // Looked at before each attempt, since a reader may be moved while a datasink is down.
        let Some(ours) = route.give_back(load) else {
            attempt.succeeded();
            return Ok(None);
        };
        load = ours;
        load.attempts = load.attempts.saturating_add(1);
        let pause = match route.datasink.write(&load.batch).await {
            Ok(()) => {
                attempt.succeeded();
                sink.took();
                route.done(&load.tickets, load.batch.bytes(), None);
                return Ok(None);
            }
            Err(Failure::Partial(bad)) => {
                attempt.succeeded();
                sink.took();
                partial(route, &load, bad).await?;
                return Ok(None);
            }
            Err(Failure::Refused(refusal) | Failure::TooLarge(refusal)) => {
                attempt.succeeded();
                // It answers, so its address, TLS and credentials are right.
                sink.note(Ok(()));
                if load.batch.len() > 1 {
                    route.failed(&format!("{}; the batch is halved to find the event", refusal.reason));
                    return Ok(Some(load.split()));
                }
                let whole = load.batch.events().iter().zip(&load.tickets);
                let bad: Vec<_> =
                    whole.map(|(e, ticket)| (e.json.clone(), *ticket, refusal.clone())).collect();
                put_aside(route, &bad, load.attempts).await?;
                return Ok(None);
            }
            Err(Failure::Passing { reason, after }) => {
                attempt.overloaded();
                route.failed(&reason);
                let delivery = &sink.delivery;
                let pause = backoff(failed, delivery.retry_first_ms, delivery.retry_max_ms);
                after.map_or(pause, |after| after.min(LONGEST).max(pause))
            }
            Err(Failure::Invalid(invalid)) => {
                attempt.overloaded();
                pause_invalid(route, invalid, failed)
            }
        };
        failed = failed.saturating_add(1);
        pause_for(route, pause).await?;
    }
}

fn pause_invalid(route: &Route, invalid: Invalid, failed: u32) -> Duration {
    route.failed(&invalid.reason);
    route.sink.note(Err(invalid));
    let [least, most] =
        [INVALID.0, INVALID.1].map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    backoff(failed, least, most)
}

/// Waits; an error when the connector stops before.
async fn pause_for(route: &Route, pause: Duration) -> Result<(), Stopped> {
    tokio::select! {
        biased;
        () = route.stopping() => Err(Stopped),
        () = tokio::time::sleep(pause) => Ok(()),
    }
}

/// Twice as long after each failure, up to `most` milliseconds; a random half of it is left out, so that
/// those who failed together do not come back together.
fn backoff(failed: u32, first: u64, most: u64) -> Duration {
    let whole = first.saturating_mul(1 << failed.min(30)).min(most);
    Duration::from_millis(fastrand::u64(whole / 2..=whole))
}

/// All but some were written.
async fn partial(route: &Arc<Route>, load: &Load, bad: Vec<(usize, Refusal)>) -> Result<(), Stopped> {
    let mut aside = Vec::new();
    let mut written = Vec::new();
    let mut bytes = 0;
    let mut bad: std::collections::BTreeMap<usize, Refusal> = bad.into_iter().collect();
    for (place, (event, ticket)) in load.batch.events().iter().zip(&load.tickets).enumerate() {
        match bad.remove(&place) {
            Some(refusal) => aside.push((event.json.clone(), *ticket, refusal)),
            None => {
                bytes += event.json.len();
                written.push(*ticket);
            }
        }
    }
    route.done(&written, bytes, None);
    put_aside(route, &aside, load.attempts).await
}

/// Writes dead letters, and tries again until it can: an event is done only when it is somewhere.
async fn put_aside(
    route: &Arc<Route>,
    bad: &[(bytes::Bytes, super::Ticket, Refusal)],
    attempts: u32,
) -> Result<(), Stopped> {
    let Some((_, _, Refusal { reason, .. })) = bad.first() else { return Ok(()) };
    let time = timestamp(SystemTime::now());
    let letter = |(event, _, refusal): &(bytes::Bytes, _, Refusal)| Letter {
        time: time.clone(),
        pipeline: route.pipeline.clone(),
        datasink: route.sink.name.clone(),
        reason: refusal.reason.clone(),
        status: refusal.status,
        attempts,
        event: raw(event),
    };
    let letters: Arc<Vec<Letter>> = Arc::new(bad.iter().map(letter).collect());
    let mut failed = 0;
    loop {
        let (folder, copy) = (route.dead.clone(), Arc::clone(&letters));
        let added = tokio::task::spawn_blocking(move || folder.add(&copy)).await;
        let error = match added {
            Ok(Ok(dropped)) => {
                let tickets: Vec<_> = bad.iter().map(|(_, ticket, _)| *ticket).collect();
                route.done(&tickets, bad.iter().map(|(event, ..)| event.len()).sum(), Some(dropped));
                route.say(&route.letters, Level::Warn, &format!("dead-lettered: {reason}"));
                return Ok(());
            }
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        route.failed(&format!(
            "cannot write dead letters: {error}; make room or give the right to write there"
        ));
        // Also while stopping the event is kept: it is read again.
        if route.phase() != Phase::Running {
            return Err(Stopped);
        }
        pause_for(route, backoff(failed, 1000, 30_000)).await?;
        failed = failed.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_differ() {
        for (failed, least, most) in
            [(0, 100, 200), (3, 800, 1600), (10, 15_000, 30_000), (u32::MAX, 15_000, 30_000)]
        {
            let mut seen = std::collections::BTreeSet::new();
            for _ in 0..50 {
                let pause = backoff(failed, 200, 30_000).as_millis();
                assert!((least..=most).contains(&pause), "{failed}: {pause}");
                seen.insert(pause);
            }
            assert!(seen.len() > 5, "{failed}: {seen:?}");
        }
    }
}
