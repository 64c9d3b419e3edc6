//! A lane: the events of some flows of a route, in order, that wait to become a batch.
use super::Ticket;
use crate::datasink::{Batch, Event, Limits};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// An event that waits.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) ticket: Ticket,
    pub(super) event: Event,
}

/// A batch, and what it is to be given back for.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) batch: Batch,
    pub(super) tickets: Vec<Ticket>,
    /// Attempts of what it was cut from.
    pub(super) attempts: u32,
}

impl Load {
    fn new(items: Vec<Item>) -> Self {
        let (tickets, events) = items.into_iter().map(|item| (item.ticket, item.event)).unzip();
        Self { batch: Batch::new(events), tickets, attempts: 0 }
    }

    /// Those for which that is so, and the others.
    pub(super) fn split_by(&self, is_so: impl Fn(Ticket) -> bool) -> (Self, Self) {
        let pick = |wanted: bool| {
            let both = self.tickets.iter().zip(self.batch.events());
            let (tickets, events) = both
                .filter(|(ticket, _)| is_so(**ticket) == wanted)
                .map(|(ticket, event)| (*ticket, event.clone()))
                .unzip();
            Self { batch: Batch::new(events), tickets, attempts: self.attempts }
        };
        (pick(true), pick(false))
    }

    /// The two halves.
    pub(super) fn split(mut self) -> (Self, Self) {
        let (first, second) = self.batch.split();
        let tickets = self.tickets.split_off(first.len());
        let attempts = self.attempts;
        (Self { batch: first, tickets: self.tickets, attempts }, Self { batch: second, tickets, attempts })
    }
}

#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<Item>,
    bytes: usize,
    /// When the first of the items came.
    since: Option<Instant>,
    /// Nothing more comes.
    closed: bool,
}

/// The queue of a lane.
#[derive(Debug, Default)]
pub(super) struct Lane {
    queue: Mutex<Queue>,
    news: Notify,
}

impl Lane {
    /// Puts events behind.
    pub(super) fn push(&self, items: Vec<Item>) {
        let mut queue = self.lock();
        queue.bytes += items.iter().map(|item| item.event.json.len()).sum::<usize>();
        queue.items.extend(items);
        queue.since.get_or_insert_with(Instant::now);
        drop(queue);
        self.news.notify_one();
    }

    /// Nothing more comes.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.news.notify_one();
    }

    /// The next batch, once it is full or has waited for `linger`; nothing when the lane is closed and empty.
    pub(super) async fn take(&self, limits: &Limits, linger: Duration) -> Option<Load> {
        loop {
            let news = self.news.notified();
            let due = {
                let mut queue = self.lock();
                match queue.since {
                    None if queue.closed => return None,
                    None => None,
                    Some(since) => {
                        let full =
                            queue.items.len() >= limits.batch_events || queue.bytes >= limits.batch_bytes;
                        if full || queue.closed || since.elapsed() >= linger {
                            return Some(queue.drain(limits));
                        }
                        Some(since + linger)
                    }
                }
            };
            match due {
                None => news.await,
                Some(due) => {
                    // Either way it looks again.
                    let _ = tokio::time::timeout_at(due.into(), news).await;
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn drain(&mut self, limits: &Limits) -> Load {
        let mut items = Vec::new();
        let mut bytes = 0;
        while let Some(item) = self.items.pop_front() {
            let length = item.event.json.len();
            if !items.is_empty()
                && (items.len() >= limits.batch_events || bytes + length > limits.batch_bytes)
            {
                self.items.push_front(item);
                break;
            }
            bytes += length;
            items.push(item);
        }
        self.bytes -= bytes;
        if self.items.is_empty() {
            self.since = None;
        }
        Load::new(items)
    }
}
