//! Queues of flows by when they have to be looked at again.
//!
//! A queue is a doubly linked list through an array beside the flows. A flow goes to the tail with a due
//! time; when it comes up it is looked at, and queued again when it is still alive. No packet ever moves an
//! entry, and the memory is bounded by the number of flows.
use harken_wire::Timestamp;

/// "No entry".
const NONE: u32 = u32::MAX;

/// The place of one flow in one queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    prev: u32,
    next: u32,
    due: Timestamp,
    queued: bool,
}

impl Default for Link {
    fn default() -> Self {
        Self { prev: NONE, next: NONE, due: Timestamp(0), queued: false }
    }
}

impl Link {
    /// Whether the flow is in the queue.
    #[inline]
    pub(crate) const fn is_queued(&self) -> bool {
        self.queued
    }
}

/// Head and tail.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Queue {
    head: u32,
    tail: u32,
}

impl Default for Queue {
    fn default() -> Self {
        Self { head: NONE, tail: NONE }
    }
}

impl Queue {
    /// The entry at the head and when it is due.
    #[inline]
    pub(crate) fn front(&self, links: &[Link]) -> Option<(u32, Timestamp)> {
        links.get(self.head as usize).map(|l| (self.head, l.due))
    }

    /// Adds `id` at the tail; it must not be queued.
    pub(crate) fn push(&mut self, links: &mut [Link], id: u32, due: Timestamp) {
        let tail = self.tail;
        let Some(link) = links.get_mut(id as usize) else { return };
        *link = Link { prev: tail, next: NONE, due, queued: true };
        match links.get_mut(tail as usize) {
            Some(before) => before.next = id,
            None => self.head = id,
        }
        self.tail = id;
    }

    /// Takes `id` out, if it is queued.
    pub(crate) fn remove(&mut self, links: &mut [Link], id: u32) {
        let Some(link) = links.get_mut(id as usize) else { return };
        if !link.queued {
            return;
        }
        let Link { prev, next, .. } = std::mem::take(link);
        match links.get_mut(prev as usize) {
            Some(before) => before.next = next,
            None => self.head = next,
        }
        match links.get_mut(next as usize) {
            Some(after) => after.prev = prev,
            None => self.tail = prev,
        }
    }
}
