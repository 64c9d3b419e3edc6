//! How many batches of a route are on their way at a time: one more after each window of successes, half
//! after an overload (additive increase, multiplicative decrease).
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;

#[derive(Debug)]
struct State {
    limit: f64,
    busy: usize,
    /// Successes and overloads are told apart by attempt: those that began before the last decrease say
    /// nothing new.
    era: u64,
}

/// The window.
#[derive(Debug)]
pub(crate) struct Window {
    most: f64,
    state: Mutex<State>,
    free: Notify,
}

/// One attempt; it makes room again when it is dropped.
#[derive(Debug)]
pub(crate) struct Attempt<'a> {
    window: &'a Window,
    era: u64,
}

impl Window {
    /// A window that begins with all lanes open.
    pub(crate) fn new(lanes: usize) -> Self {
        // A number of lanes is small.
        let most = u32::try_from(lanes).map_or(f64::MAX, f64::from);
        Self { most, state: Mutex::new(State { limit: most, busy: 0, era: 0 }), free: Notify::new() }
    }

    /// Waits for room.
    pub(crate) async fn attempt(&self) -> Attempt<'_> {
        loop {
            let free = self.free.notified();
            {
                let mut state = self.lock();
                if (state.busy as f64) < state.limit.floor().max(1.0) {
                    state.busy += 1;
                    return Attempt { window: self, era: state.era };
                }
            }
            free.await;
        }
    }

    /// How many may be on their way now.
    pub(crate) fn limit(&self) -> usize {
        self.lock().limit.floor().max(1.0) as usize
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt<'_> {
    /// The receiver took it.
    pub(crate) fn succeeded(self) {
        let mut state = self.window.lock();
        state.limit = (state.limit + 1.0 / state.limit).min(self.window.most);
        drop(state);
        // Room for a second one as well as for this.
        self.window.free.notify_one();
    }

    /// The receiver is overloaded, or cannot be reached.
    pub(crate) fn overloaded(self) {
        let mut state = self.window.lock();
        if state.era == self.era {
            state.limit = (state.limit / 2.0).max(1.0);
            state.era += 1;
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.window.lock().busy -= 1;
        self.window.free.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn it_halves_once_for_a_window_and_grows_by_one() {
        let window = Window::new(8);
        let mut attempts = Vec::new();
        for _ in 0..8 {
            attempts.push(window.attempt().await);
        }
        let ninth = tokio::time::timeout(Duration::from_millis(20), window.attempt());
        assert!(ninth.await.is_err());
        attempts.into_iter().for_each(Attempt::overloaded);
        assert_eq!(window.limit(), 4);
        window.attempt().await.overloaded();
        assert_eq!(window.limit(), 2);
        for _ in 0..3 {
            window.attempt().await.overloaded();
        }
        assert_eq!(window.limit(), 1);
        window.attempt().await.succeeded();
        assert_eq!(window.limit(), 2);
        for _ in 0..100 {
            window.attempt().await.succeeded();
        }
        assert_eq!(window.limit(), 8);
    }

    #[tokio::test]
    async fn room_wakes_who_waits() {
        let window = Window::new(1);
        let first = window.attempt().await;
        let wait = async {
            window.attempt().await.succeeded();
        };
        let release = async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            first.succeeded();
        };
        let both = async { tokio::join!(wait, release) };
        assert!(tokio::time::timeout(Duration::from_secs(5), both).await.is_ok());
    }
}
