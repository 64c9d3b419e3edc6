//! What an operator asks for without a running connector: checking a configuration, sending dead letters
//! again.
use crate::config::Config;
use crate::connector::dead_letters;
use crate::datasink::{Batch, Event, Failure, Invalid, Refusal};
use crate::deadletter::Letter;
use tokio::runtime::{Builder, Runtime};

/// A datasink that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: &'static str,
    /// Whether it could be written to, or why not.
    pub result: Result<(), Invalid>,
}

fn runtime() -> Result<Runtime, String> {
    // More than one thread, since some datasinks work on threads of their own.
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.map_err(|error| format!("cannot start threads: {error}"))
}

/// Checks all datasinks: address, TLS, credentials. Nothing is written.
///
/// # Errors
///
/// A datasink whose settings cannot be so, with the key and the mend.
pub fn check(config: &Config) -> Result<Vec<Checked>, String> {
    let runtime = runtime()?;
    let _inside = runtime.enter();
    let mut checked = Vec::new();
    for (name, kind) in &config.datasinks {
        let opened = kind.open().map_err(|error| format!("datasinks.{name}: {error}"))?;
        let result = runtime.block_on(opened.datasink.check());
        checked.push(Checked { name: name.clone(), kind: opened.datasink.kind(), result });
    }
    Ok(checked)
}

/// What became of dead letters that were sent again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Taken by the datasink, and no longer among the dead letters.
    pub sent: u64,
    /// Still dead letters.
    pub stayed: u64,
    /// Why the datasink took no more, where it was no fault of the letters.
    pub stopped: Option<String>,
}

/// Sends the dead letters of a route again, one by one, to its datasink. What is refused stays, with the new
/// reason; at a failure that is no fault of the letter all others stay, too.
///
/// # Errors
///
/// A route that is not configured, a datasink whose settings cannot be so, or what the system gives.
pub fn replay(config: &Config, pipeline: &str, datasink: &str) -> Result<Replayed, String> {
    let is_route =
        config.pipelines.get(pipeline).is_some_and(|found| found.datasinks.iter().any(|d| d == datasink));
    let (true, Some(kind)) = (is_route, config.datasinks.get(datasink)) else {
        return Err(format!("there is no pipeline '{pipeline}' with a datasink '{datasink}'"));
    };
    let runtime = runtime()?;
    let _inside = runtime.enter();
    let opened = kind.open().map_err(|error| format!("datasinks.{datasink}: {error}"))?;
    let mut replayed = Replayed::default();
    let mut deliver = |letters: Vec<Letter>| {
        let mut stay = Vec::new();
        for mut letter in letters {
            if replayed.stopped.is_some() {
                stay.push(letter);
                continue;
            }
            let json = letter.event.get().as_bytes().to_vec().into();
            let batch = Batch::new(vec![Event { number: 0, json }]);
            let refusal = match runtime.block_on(opened.datasink.write(&batch)) {
                Ok(()) => {
                    replayed.sent += 1;
                    continue;
                }
                Err(Failure::Refused(refusal) | Failure::TooLarge(refusal)) => Some(refusal),
                Err(Failure::Partial(bad)) => bad.into_iter().map(|(_, refusal)| refusal).next(),
                Err(Failure::Passing { reason, .. } | Failure::Invalid(Invalid { reason })) => {
                    replayed.stopped = Some(reason);
                    None
                }
            };
            if let Some(Refusal { reason, status }) = refusal {
                (letter.reason, letter.status) = (reason, status);
                letter.attempts = letter.attempts.saturating_add(1);
            }
            stay.push(letter);
        }
        replayed.stayed += stay.len() as u64;
        stay
    };
    let folder = dead_letters(config, pipeline, datasink);
    folder
        .replay(&mut deliver)
        .map_err(|error| format!("the dead letters of {pipeline}.{datasink}: {error}"))?;
    Ok(replayed)
}
