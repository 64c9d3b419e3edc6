//! What time does to flows: lazy queues of deadlines, one for each time-out class and one for holes.
use super::{Class, FlowTable, Queues, STEP, classify};
use crate::config::LOOK_PERIOD;
use crate::timer::Link;
use crate::{CloseReason, Handler};
use harken_wire::Timestamp;

impl<S> FlowTable<S> {
    /// Moves the clock and does what is due.
    #[inline]
    pub(super) fn tick<H: Handler<State = S>>(&mut self, ts: Timestamp, handler: &mut H) {
        if ts > self.now {
            self.now = ts;
            if ts >= self.next_due {
                self.expire(handler);
            }
        } else if self.now.since(ts) > STEP {
            self.now = ts;
            self.stats.clock_steps += 1;
            self.expire(handler);
        }
    }

    #[cold]
    pub(super) fn expire<H: Handler<State = S>>(&mut self, handler: &mut H) {
        while let Some((id, due)) = self.queues.pending.front(&self.queues.pending_links) {
            // A time too far ahead was set before the clock stepped back.
            if due > self.now && due.since(self.now) <= self.config.reorder_time.max(1) {
                break;
            }
            self.queues.pending.remove(&mut self.queues.pending_links, id);
            self.drive(id, handler);
        }
        for class in [Class::HalfOpen, Class::Established, Class::Closing] {
            let period = self.period(class);
            loop {
                let Queues { idle_links, .. } = &self.queues;
                let queue = match class {
                    Class::HalfOpen => &self.queues.half_open,
                    Class::Established => &self.queues.established,
                    _ => &self.queues.closing,
                };
                let Some((id, due)) = queue.front(idle_links) else { break };
                if due > self.now && due.since(self.now) <= period {
                    break;
                }
                match self.expired(id, self.now) {
                    Some(reason) => self.close(id, reason, handler),
                    None => {
                        if class == Class::Established
                            && let Some(slot) = self.slots.get_mut(id)
                            && let Some(state) = &mut slot.state
                        {
                            handler.look(&slot.flow, state, self.now);
                        }
                        self.queue(id, class);
                    }
                }
            }
        }
        self.next_due = self.first_due();
    }

    /// When the first queue has something to do.
    pub(super) fn first_due(&self) -> Timestamp {
        let q = &self.queues;
        [&q.half_open, &q.established, &q.closing]
            .into_iter()
            .filter_map(|queue| queue.front(&q.idle_links))
            .chain(q.pending.front(&q.pending_links))
            .map(|(_, due)| due)
            .min()
            .unwrap_or(Timestamp(u64::MAX))
    }

    /// How often flows of a class are looked at. Established ones more often than they time out, since a
    /// queue does not know which of its flows have been quiet longest.
    pub(super) fn period(&self, class: Class) -> u64 {
        let period = match class {
            Class::Free => 0,
            Class::HalfOpen => self.config.idle_half_open,
            Class::Established => (self.config.idle_established / 8).min(LOOK_PERIOD),
            Class::Closing => self.config.linger,
        };
        if period == 0 { 1 } else { period }
    }

    /// Why a flow's time is over, if it is.
    pub(super) fn expired(&self, id: u32, now: Timestamp) -> Option<CloseReason> {
        let slot = self.slots.get(id)?;
        let quiet = now.since(slot.flow.last);
        match slot.class {
            Class::Free => None,
            Class::HalfOpen => (quiet >= self.config.idle_half_open).then_some(CloseReason::Idle),
            Class::Established => (quiet >= self.config.idle_established).then_some(CloseReason::Idle),
            Class::Closing => {
                let over = now >= slot.until || slot.until.since(now) > self.config.linger;
                over.then_some(CloseReason::Finished)
            }
        }
    }

    /// Puts a flow at the tail of a class's queue.
    pub(super) fn queue(&mut self, id: u32, class: Class) {
        let due = self.now.plus(self.period(class));
        let Some(slot) = self.slots.get_mut(id) else { return };
        let old = std::mem::replace(&mut slot.class, class);
        if class == Class::Closing && old != class {
            slot.until = due;
        }
        let due = if class == Class::Closing { slot.until } else { due };
        let mut links = std::mem::take(&mut self.queues.idle_links);
        if let Some(queue) = self.queues.of(old) {
            queue.remove(&mut links, id);
        }
        if let Some(queue) = self.queues.of(class) {
            queue.push(&mut links, id, due);
        }
        self.queues.idle_links = links;
        self.next_due = self.next_due.min(due);
    }

    /// Moves a flow to the queues that its state asks for.
    pub(super) fn requeue(&mut self, id: u32) {
        let Some(slot) = self.slots.get(id) else { return };
        let class = classify(&slot.flow);
        let pending = slot.pending.is_some();
        if class != slot.class {
            self.queue(id, class);
        }
        let Queues { pending: queue, pending_links: links, .. } = &mut self.queues;
        let queued = links.get(id as usize).is_some_and(Link::is_queued);
        if pending && !queued {
            let due = self.now.plus(self.config.reorder_time.max(1));
            queue.push(links, id, due);
            self.next_due = self.next_due.min(due);
        } else if !pending && queued {
            queue.remove(links, id);
        }
    }

    /// Applies the gap rule to a flow that waits.
    pub(super) fn drive<H: Handler<State = S>>(&mut self, id: u32, handler: &mut H) {
        let Some(mut work) = self.work(id, handler) else { return };
        work.drive();
        work.flow.refresh_steady();
        self.requeue(id);
    }
}
