//! Ctrl-C and SIGTERM end a measurement as an error does: the guards stop processes and remove namespaces.

use anyhow::{Context, Result, bail};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

static HALT: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// How often is looked whether the end was asked for.
pub(super) const LOOK: Duration = Duration::from_millis(20);

/// From here on signals only set a mark, which [`check`] and [`pause`] turn into an error.
pub(super) fn watch() -> Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&HALT)).context("cannot take signals")?;
    }
    Ok(())
}

/// Fails once a signal has come.
pub(super) fn check() -> Result<()> {
    if HALT.load(Ordering::Relaxed) {
        bail!("interrupted; what was started is being stopped");
    }
    Ok(())
}

/// Waits, but not longer than until a signal comes.
pub(super) fn pause(time: Duration) -> Result<()> {
    let until = Instant::now() + time;
    loop {
        check()?;
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(LOOK));
    }
}
