//! Which response belongs to which request.
//!
//! Without loss it is the order: the n-th response answers the n-th request (RFC 9112 section 9.3.2). Behind
//! a gap the order proves nothing, and the acknowledgement numbers decide. A client that does not pipeline
//! has received everything up to the start of the response when it sends the request, so the request's
//! acknowledgement *equals* the response's stream offset. Where that equality does not hold, or the client
//! was seen to pipeline on this connection, request and response are given out apart, marked
//! [`Pairing::Ambiguous`]. What cannot be known is a client that pipelines for the first time exactly
//! where bytes are missing; hardly any client pipelines.
use super::row::Row;
use crate::analyzer::Analyzer;
use crate::exchange::{Exchange, Informational, Pairing};
use crate::message::{Field, Message, Why};
use harken_wire::Timestamp;

/// What is known of the request of a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// Its body is still coming.
    Receiving,
    /// It is complete (`Slot::request` has it).
    Complete,
    /// A gap: none, one, or several requests were sent here. `resolved` once a response was seen, or may
    /// have been missed, that can be theirs.
    Lost { resolved: bool },
    /// There is none: a response that stands alone.
    Absent,
}

/// A transaction that has turned its connection into HTTP/2, and is answered there on the first stream.
pub(crate) struct Upgraded {
    /// Ordinal on the connection.
    pub(crate) depth: u32,
    /// Nothing where it was not seen.
    pub(crate) request: Option<Box<Message>>,
    /// The interim response that said so.
    pub(crate) informational: Option<Informational>,
}

/// A transaction that is not over.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) state: State,
    /// Ordinal on the connection; 0 for a gap.
    depth: u32,
    pub(super) request: Option<Box<Message>>,
    /// How far the client had received the response stream when it sent the request.
    ack: u64,
    /// Stream offset of the request.
    offset: u64,
    /// An interim response was read, and nothing is missing since: the final one follows it.
    continues: bool,
    /// What the request counts for in the budget of held bytes.
    weight: u64,
    pub(super) head_only: bool,
    pub(super) connect: bool,
    pub(super) http09: bool,
    pub(super) upgrade: Option<Upgrade>,
    pub(super) response: Option<Box<Message>>,
    pub(super) informational: Option<Box<Informational>>,
    /// The response is over (or will never be told apart), only the request is still coming.
    pub(super) answered: bool,
    /// It was told of while it was not over.
    told: bool,
    pairing: Pairing,
}

/// Protocols that an `Upgrade` field can ask for, as far as they are told apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Upgrade {
    WebSocket,
    Http2,
    Other,
}

/// The transactions of a connection that are not over, oldest first.
#[derive(Debug)]
pub(super) struct Slots {
    slots: Row<Slot>,
    pub(super) depth: u32,
    /// The order alone tells which response belongs to which request.
    synced: bool,
    midstream: bool,
    /// A response was given to a request before.
    paired: bool,
    /// The client was seen to send a request before it had the response to the one before: the
    /// acknowledgements of its requests do not tell which response is meant.
    pipelines: bool,
    /// Requests were given up as ambiguous since the order was last certain.
    gave_up: bool,
    /// End of the last gap of the response stream.
    response_gap_end: u64,
}

impl Slots {
    pub(super) const fn new(midstream: bool, depth: u32) -> Self {
        // Requests may be under way on a connection that was joined in the middle.
        let synced = !midstream;
        Self {
            slots: Row::new(),
            depth,
            synced,
            midstream,
            paired: false,
            pipelines: false,
            gave_up: false,
            response_gap_end: 0,
        }
    }

    fn slot(&mut self, state: State, pairing: Pairing) -> Slot {
        let depth = if matches!(state, State::Lost { .. }) {
            0
        } else {
            self.depth += 1;
            self.depth
        };
        Slot {
            state,
            depth,
            request: None,
            ack: 0,
            offset: 0,
            continues: false,
            weight: 0,
            head_only: false,
            connect: false,
            http09: false,
            upgrade: None,
            response: None,
            informational: None,
            answered: false,
            told: false,
            pairing,
        }
    }

    /// What there is of the oldest transaction, if it began before some time and was not told of; `response` is what there is
    /// of its response.
    pub(super) fn early(&mut self, before: Timestamp, response: Option<&Message>) -> Option<Exchange> {
        let slot = self.slots.front_mut().filter(|slot| !slot.told && !slot.answered)?;
        let request = slot.request.as_ref().filter(|request| request.start < before)?;
        slot.told = true;
        let response = response.map(|response| {
            let mut response = Box::new(response.clone());
            response.stops(Why::InProgress);
            response
        });
        Some(Exchange {
            depth: slot.depth,
            request: Some(request.clone()),
            pairing: if response.is_some() { Pairing::Paired } else { Pairing::NoResponse },
            response,
            informational: slot.informational.as_deref().cloned(),
            in_progress: true,
            ..Exchange::default()
        })
    }

    /// A request's head was read. `answering` says that the front slot's response is being read.
    pub(super) fn push_request(
        &mut self,
        cx: &mut Analyzer,
        request: &Message,
        answering: bool,
    ) -> &mut Slot {
        let oldest = usize::from(answering);
        let crowded = cx.is_over_budget() && self.slots.len() > oldest;
        if self.slots.len() >= cx.limits.pending.max(2) || crowded {
            cx.stats.pending_dropped += 1;
            cx.note("HTTP_excessive_pipelining");
            if let Some(oldest) = self.slots.remove(oldest) {
                self.synced = false;
                emit(cx, oldest, Pairing::NoResponse);
            }
        }
        self.pipelines |= self.slots.back().is_some_and(|s| s.is_request() && s.ack == request.ack);
        let mut slot = self.slot(State::Receiving, Pairing::Paired);
        slot.ack = request.ack;
        slot.offset = request.offset;
        slot.http09 = request.version.is_none() && !request.head_cut;
        self.slots.push_back(slot)
    }

    /// A request is complete. Returns nothing; a transaction that waited only for that is given out.
    pub(super) fn complete_request(&mut self, cx: &mut Analyzer, request: Box<Message>) {
        let receiving = self.slots.rposition(|s| s.state == State::Receiving);
        let Some(at) = receiving else { return cx.give_back(request) };
        let Some(slot) = self.slots.get_mut(at) else { return };
        slot.weight = weight(&request);
        cx.hold(slot.weight);
        slot.request = Some(request);
        slot.state = State::Complete;
        if slot.answered
            && let Some(slot) = self.slots.remove(at)
        {
            emit(cx, slot, Pairing::NoResponse);
        }
    }

    /// Bytes of the request stream are missing where requests may have been. `inside` says that they belong
    /// to a request that was seen.
    pub(super) fn request_gap(&mut self, inside: bool) {
        self.synced = false;
        match self.slots.back_mut() {
            Some(Slot { state: State::Lost { resolved }, .. }) => *resolved &= inside,
            _ => {
                let slot = self.slot(State::Lost { resolved: inside }, Pairing::RequestLost);
                self.slots.push_back(slot);
            }
        }
    }

    /// Bytes of the response stream are missing, ending at `end`, where responses may have been.
    pub(super) fn response_gap(&mut self, end: u64) {
        self.synced = false;
        self.response_gap_end = end;
        for slot in self.slots.iter_mut() {
            slot.continues = false;
            if let State::Lost { resolved } = &mut slot.state {
                *resolved = true;
            }
        }
    }

    /// The offset behind `position` at which the next response is expected.
    pub(super) fn next_response(&self, position: u64) -> Option<u64> {
        self.slots.iter().filter(|s| s.is_request()).map(|s| s.ack).find(|ack| *ack >= position)
    }

    /// The transaction that the response at the front of the response stream belongs to, if it is there.
    pub(super) fn current(&mut self) -> Option<&mut Slot> {
        self.slots.front_mut()
    }

    /// The head of the next response was read: makes the slot that it belongs to the front one.
    pub(super) fn claim(&mut self, cx: &mut Analyzer, response: &Message) {
        let (offset, received) = (response.offset, response.ack);
        if self.synced {
            self.pipelines |= self.slots.get(1).is_some_and(|s| s.is_request() && s.ack <= offset);
            match self.slots.front() {
                // An idle connection is ended by a 408 that crosses the next request: it is not its response.
                Some(front) if !front.answered && (response.status != 408 || front.offset < received) => {
                    self.paired = true;
                }
                _ => self.alone(Pairing::Unsolicited),
            }
            return;
        }
        // An interim response has been read for the front slot: the final one follows it.
        if self.slots.front().is_some_and(|s| s.continues && !s.answered) {
            return;
        }
        let Some(last) = self.slots.rposition(|s| s.is_request() && s.ack <= offset && s.offset < received)
        else {
            // Every request that was seen was sent after this response began.
            let before_start = match self.slots.front_mut() {
                Some(Slot { state: State::Lost { resolved }, .. }) => {
                    *resolved = true;
                    false
                }
                _ => self.midstream && !self.paired,
            };
            // It may answer a request that was given up as ambiguous, and was seen then.
            return self.alone(match (before_start, self.gave_up) {
                (true, _) => Pairing::RequestBeforeStart,
                (false, true) => Pairing::Ambiguous,
                (false, false) => Pairing::RequestLost,
            });
        };
        let ack = self.slots.get(last).map_or(0, |s| s.ack);
        let first = self.slots.iter().position(|s| s.is_request() && s.ack == ack).unwrap_or(last);
        let unresolved = self.slots.iter().take(first).any(|s| s.state == State::Lost { resolved: false });
        if ack == offset && !unresolved && !self.pipelines {
            self.give_up(cx, first, Pairing::ResponseLost);
            self.paired = true;
            self.synced = !self.slots.iter().any(|s| matches!(s.state, State::Lost { .. }));
            self.gave_up = false;
        } else {
            self.gave_up = true;
            self.give_up(cx, last + 1, Pairing::Ambiguous);
            self.alone(Pairing::Ambiguous);
        }
    }

    /// Gives out the first `count` slots: their responses will not be told apart any more.
    fn give_up(&mut self, cx: &mut Analyzer, count: usize, pairing: Pairing) {
        let mut waiting = None;
        for _ in 0..count {
            let Some(mut slot) = self.slots.pop_front() else { break };
            if slot.state == State::Receiving {
                slot.answered = true;
                slot.pairing = pairing;
                waiting = Some(slot);
            } else {
                emit(cx, slot, pairing);
            }
        }
        if let Some(slot) = waiting {
            self.slots.push_front(slot);
        }
    }

    /// A response that stands alone.
    fn alone(&mut self, pairing: Pairing) {
        let slot = self.slot(State::Absent, pairing);
        self.slots.push_front(slot);
    }

    /// The response of the front slot is complete.
    pub(super) fn complete_response(&mut self, cx: &mut Analyzer, response: Box<Message>) {
        let Some(slot) = self.slots.front_mut() else { return cx.give_back(response) };
        slot.response = Some(response);
        slot.answered = true;
        if slot.state != State::Receiving
            && let Some(slot) = self.slots.pop_front()
        {
            emit(cx, slot, Pairing::Paired);
        }
    }

    /// An interim response of the front slot is complete.
    pub(super) fn interim_response(&mut self, cx: &mut Analyzer, response: Box<Message>) {
        if let Some(slot) = self.slots.front_mut() {
            slot.continues = true;
            slot.informational =
                Some(Box::new(Informational { status: response.status, reason: response.reason().to_vec() }));
        }
        cx.give_back(response);
    }

    /// Takes what has turned the connection into HTTP/2.
    pub(super) fn take_upgraded(&mut self, cx: &mut Analyzer) -> Option<Upgraded> {
        let Slot { weight, depth, request, informational, .. } = self.slots.pop_front()?;
        cx.release(weight);
        Some(Upgraded { depth, request, informational: informational.map(|informational| *informational) })
    }

    /// The connection is over.
    pub(super) fn close(&mut self, cx: &mut Analyzer) {
        while let Some(slot) = self.slots.pop_front() {
            let lost = self.response_gap_end > slot.ack;
            emit(cx, slot, if lost { Pairing::ResponseLost } else { Pairing::NoResponse });
        }
    }
}

impl Slot {
    const fn is_request(&self) -> bool {
        matches!(self.state, State::Receiving | State::Complete) && !self.answered
    }
}

/// What a message that waits counts for in the budget of held bytes.
pub(crate) fn weight(message: &Message) -> u64 {
    let fields = message.fields.capacity() * size_of::<Field>();
    let units = message.body.units.as_ref().map_or(0, |units| size_of_val(&**units) + units.end.capacity());
    (message.head.capacity() + message.body.kept.capacity() + fields + units) as u64
}

/// Gives a transaction out; `without` is what is said of a request that has no response.
fn emit(cx: &mut Analyzer, slot: Slot, without: Pairing) {
    cx.release(slot.weight);
    if matches!(slot.state, State::Lost { .. }) {
        return;
    }
    let pairing = match (&slot.request, &slot.response) {
        (None, None) if slot.informational.is_none() => return,
        (Some(_), Some(_)) => slot.pairing,
        (Some(_), None) if slot.answered => slot.pairing,
        (Some(_), None) => without,
        (None, _) => slot.pairing,
    };
    cx.emit(Exchange {
        depth: slot.depth,
        request: slot.request,
        response: slot.response,
        informational: slot.informational.map(|informational| *informational),
        pairing,
        ..Exchange::default()
    });
}
