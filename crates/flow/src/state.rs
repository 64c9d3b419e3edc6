//! What each endpoint has done so far, by its control bits, and the summary of both: Zeek's `conn_state`.
use crate::weird::{Weird, Weirds};
use harken_wire::TcpFlags;

/// State of one endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) enum Endpoint {
    /// Nothing was seen from it.
    #[default]
    Inactive,
    /// Its SYN was seen, no answer yet.
    SynSent,
    /// It sent data or an acknowledgement, and no SYN was seen.
    Partial,
    /// The handshake is over for it.
    Established,
    /// It sent FIN.
    Closed,
    /// It sent RST.
    Reset,
}

impl Endpoint {
    /// FIN or RST was seen.
    #[inline]
    pub(crate) const fn is_over(self) -> bool {
        matches!(self, Self::Closed | Self::Reset)
    }
}

/// An endpoint's state and the one before it.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Life {
    pub(crate) now: Endpoint,
    pub(crate) before: Endpoint,
}

impl Life {
    fn enter(&mut self, state: Endpoint) {
        if state != self.now {
            *self = Self { now: state, before: self.now };
        }
    }

    /// Established, or closed from there: what gaps are reported for, in Zeek's sense.
    pub(crate) fn is_clean(self) -> bool {
        self.now == Endpoint::Established
            || (self.now == Endpoint::Closed && self.before == Endpoint::Established)
    }
}

/// One segment's effect. `len` is its payload on the wire.
pub(crate) fn advance(
    me: &mut Life,
    peer: &mut Life,
    is_orig: bool,
    flags: TcpFlags,
    len: u32,
    weirds: &mut Weirds,
) {
    match me.now {
        Endpoint::Inactive => first_segment(me, peer, is_orig, flags, len, weirds),
        Endpoint::SynSent => {
            if flags.fin() {
                if matches!(peer.now, Endpoint::Inactive | Endpoint::SynSent) {
                    weirds.add(Weird::InappropriateFin);
                }
                me.enter(Endpoint::Closed);
            }
            if flags.rst() {
                me.enter(Endpoint::Reset);
            } else if len > 0 {
                weirds.add(Weird::DataBeforeEstablished);
            }
        }
        Endpoint::Established | Endpoint::Partial => {
            if flags.syn() && !flags.ack() && me.now == Endpoint::Partial && peer.now == Endpoint::Inactive {
                weirds.add(Weird::SynAfterPartial);
                me.enter(Endpoint::SynSent);
            }
            if flags.fin() && !flags.rst() {
                me.enter(Endpoint::Closed);
                // FIN, then RST, then the peer's FIN: a normal termination after all.
                if peer.now == Endpoint::Reset && peer.before == Endpoint::Closed {
                    peer.enter(Endpoint::Closed);
                }
            }
            if flags.rst() {
                me.enter(Endpoint::Reset);
            }
        }
        Endpoint::Closed => {
            if flags.syn() {
                weirds.add(Weird::SynAfterClose);
            }
            if flags.rst() && peer.now != Endpoint::Closed {
                me.enter(Endpoint::Reset);
            }
        }
        Endpoint::Reset => {
            if flags.syn() {
                weirds.add(Weird::SynAfterReset);
            }
            if flags.fin() {
                weirds.add(Weird::FinAfterReset);
            }
            if len > 0 && !flags.rst() {
                weirds.add(Weird::DataAfterReset);
            }
        }
    }
}

fn first_segment(
    me: &mut Life,
    peer: &mut Life,
    is_orig: bool,
    flags: TcpFlags,
    len: u32,
    weirds: &mut Weirds,
) {
    if flags.syn() {
        if is_orig {
            me.enter(Endpoint::SynSent);
            // The answer overtook the SYN on its way through the mirror.
            if peer.now == Endpoint::Established {
                me.enter(Endpoint::Established);
            }
        } else {
            if !flags.ack() {
                weirds.add(Weird::SimultaneousOpen);
            }
            match peer.now {
                Endpoint::SynSent => peer.enter(Endpoint::Established),
                Endpoint::Inactive => weirds.add(Weird::UnsolicitedSynResponse),
                _ => {}
            }
            me.enter(Endpoint::Established);
        }
    }
    if flags.fin() {
        me.enter(Endpoint::Closed);
        if peer.now != Endpoint::Partial && !flags.syn() {
            weirds.add(Weird::SpontaneousFin);
        }
    }
    if flags.rst() {
        me.enter(Endpoint::Reset);
        if peer.now == Endpoint::Inactive {
            weirds.add(Weird::SpontaneousRst);
        }
    }
    if me.now == Endpoint::Inactive {
        if !is_orig && len == 0 && peer.now == Endpoint::SynSent {
            // Some stacks acknowledge a SYN before they answer it: not yet a sign of life.
        } else if flags.ack() && peer.now == Endpoint::Established {
            me.enter(Endpoint::Established);
        } else {
            me.enter(Endpoint::Partial);
        }
    }
}

/// A connection's summary, as Zeek's `conn_state` names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConnState {
    /// Attempt seen, no reply.
    S0,
    /// Established, not terminated.
    S1,
    /// Normal establishment and termination.
    Sf,
    /// Attempt rejected.
    Rej,
    /// Established, close attempt by the originator seen, no reply from the responder.
    S2,
    /// Established, close attempt by the responder seen, no reply from the originator.
    S3,
    /// Established, originator aborted.
    Rsto,
    /// Responder aborted.
    Rstr,
    /// Originator sent SYN then RST, no SYN-ACK from the responder.
    Rstos0,
    /// Responder sent SYN-ACK then RST, no SYN from the originator.
    Rstrh,
    /// Originator sent SYN then FIN, no SYN-ACK from the responder.
    Sh,
    /// Responder sent SYN-ACK then FIN, no SYN from the originator.
    Shr,
    /// No SYN seen, just midstream traffic.
    Oth,
}

impl ConnState {
    /// Zeek's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::S0 => "S0",
            Self::S1 => "S1",
            Self::Sf => "SF",
            Self::Rej => "REJ",
            Self::S2 => "S2",
            Self::S3 => "S3",
            Self::Rsto => "RSTO",
            Self::Rstr => "RSTR",
            Self::Rstos0 => "RSTOS0",
            Self::Rstrh => "RSTRH",
            Self::Sh => "SH",
            Self::Shr => "SHR",
            Self::Oth => "OTH",
        }
    }
}

/// The summary of both endpoints. `syn_then_reset`: the history begins with the originator's SYN and has
/// its RST before anything else of weight. `no_data`: neither side sent any.
pub(crate) const fn conn_state(
    orig: Endpoint,
    resp: Endpoint,
    syn_then_reset: bool,
    no_data: bool,
) -> ConnState {
    use Endpoint::{Closed, Established, Inactive, Partial, Reset, SynSent};
    let orig_silent = matches!(orig, Inactive | Partial);
    let resp_silent = matches!(resp, Inactive | Partial);
    match (orig, resp) {
        (SynSent, Reset) => ConnState::Rej,
        (Reset, Reset) if no_data => ConnState::Rej,
        (_, Reset) if orig_silent => ConnState::Rstrh,
        (_, Reset) => ConnState::Rstr,
        (Reset, _) if resp_silent && syn_then_reset => ConnState::Rstos0,
        (Reset, _) if resp_silent => ConnState::Oth,
        (Reset, _) => ConnState::Rsto,
        (Closed, Closed) => ConnState::Sf,
        (Closed, _) if resp_silent => ConnState::Sh,
        (Closed, _) => ConnState::S2,
        (_, Closed) if orig_silent => ConnState::Shr,
        (_, Closed) => ConnState::S3,
        (SynSent, Inactive) => ConnState::S0,
        (Established, Established) => ConnState::S1,
        _ => ConnState::Oth,
    }
}
