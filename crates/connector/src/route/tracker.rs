//! Which events were read and are not yet done, and so up to where all are.
use std::collections::VecDeque;

/// An event that was read, to be given back when it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket {
    /// The reader was moved back so many times before it was read.
    turn: u64,
    number: u64,
}

/// The events of one route, by number.
#[derive(Debug, Default)]
pub(crate) struct Tracker {
    turn: u64,
    /// Events of the turns before from this number on are given again, here or elsewhere.
    again: u64,
    /// Behind the newest event.
    next: u64,
    /// Events from the oldest that is not done, in order, and whether each is done.
    events: VecDeque<(u64, bool)>,
}

impl Tracker {
    /// An event was read. A number that is not larger than all before begins anew: the reader was moved back.
    pub(crate) fn read(&mut self, number: u64) -> Ticket {
        if number < self.next {
            self.take_back(number);
        }
        self.events.push_back((number, false));
        self.next = number + 1;
        Ticket { turn: self.turn, number }
    }

    /// All events from that number on that are not done will be given again, here or elsewhere.
    pub(crate) fn take_back(&mut self, from: u64) {
        self.turn += 1;
        self.again = from;
        self.events.clear();
    }

    /// Whether the event is given again, so that it need not be done.
    pub(crate) fn is_taken_back(&self, ticket: Ticket) -> bool {
        ticket.turn != self.turn && ticket.number >= self.again
    }

    /// An event is done.
    pub(crate) fn done(&mut self, ticket: Ticket) {
        if ticket.turn != self.turn {
            return;
        }
        if let Ok(place) = self.events.binary_search_by_key(&ticket.number, |(number, _)| *number)
            && let Some((_, done)) = self.events.get_mut(place)
        {
            *done = true;
        }
        while self.events.front().is_some_and(|(_, done)| *done) {
            self.events.pop_front();
        }
    }

    /// All events with a smaller number are done.
    pub(crate) fn low(&self) -> u64 {
        self.events.front().map_or(self.next, |(number, _)| *number)
    }

    /// Events from the oldest that is not done, done or not.
    pub(crate) fn span(&self) -> usize {
        self.events.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_that_is_not_done_decides() {
        let mut tracker = Tracker::default();
        assert_eq!((tracker.low(), tracker.span()), (0, 0));
        // 12 and 13 are missing in the reader.
        let tickets: Vec<_> = [10, 11, 14, 15].map(|number| tracker.read(number)).to_vec();
        for (place, low, span) in [(1, 10, 4), (2, 10, 4), (0, 15, 1), (0, 15, 1), (3, 16, 0)] {
            tracker.done(tickets[place]);
            assert_eq!((tracker.low(), tracker.span()), (low, span), "{place}");
        }
    }

    #[test]
    fn a_reader_that_was_moved_back_begins_anew() {
        let mut tracker = Tracker::default();
        let old: Vec<_> = (0..5).map(|number| tracker.read(number)).collect();
        tracker.done(old[0]);
        let new = tracker.read(1);
        for ticket in old {
            tracker.done(ticket);
        }
        assert_eq!((tracker.low(), tracker.span()), (1, 1));
        tracker.done(new);
        assert_eq!((tracker.low(), tracker.span()), (2, 0));
    }

    #[test]
    fn what_is_given_again_need_not_be_done() {
        let mut tracker = Tracker::default();
        let old: Vec<_> = (0..5).map(|number| tracker.read(number)).collect();
        assert!(!old.iter().any(|ticket| tracker.is_taken_back(*ticket)));
        // Moved back to 3: 0 to 2 are not given again.
        let new = tracker.read(3);
        let taken_back: Vec<_> = old.iter().map(|ticket| tracker.is_taken_back(*ticket)).collect();
        assert_eq!(taken_back, [false, false, false, true, true]);
        assert!(!tracker.is_taken_back(new));
        tracker.take_back(0);
        assert!(old.iter().chain([&new]).all(|ticket| tracker.is_taken_back(*ticket)));
        assert_eq!((tracker.low(), tracker.span()), (4, 0));
        let next = tracker.read(4);
        assert!(!tracker.is_taken_back(next));
    }
}
