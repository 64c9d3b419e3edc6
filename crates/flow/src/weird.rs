//! Oddities, by Zeek's names.

macro_rules! weirds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// An oddity of a flow. Each is told once per flow.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        pub(crate) enum Weird { $($(#[$doc])* $variant,)+ }

        impl Weird {
            const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Zeek's name where Zeek has one.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

weirds! {
    DataBeforeEstablished = "data_before_established",
    InappropriateFin = "inappropriate_FIN",
    SynAfterPartial = "SYN_after_partial",
    SynAfterClose = "SYN_after_close",
    SynAfterReset = "SYN_after_reset",
    FinAfterReset = "FIN_after_reset",
    DataAfterReset = "data_after_reset",
    SimultaneousOpen = "simultaneous_open",
    UnsolicitedSynResponse = "unsolicited_SYN_response",
    SpontaneousFin = "spontaneous_FIN",
    SpontaneousRst = "spontaneous_RST",
    SynWithData = "SYN_with_data",
    SynInsideConnection = "SYN_inside_connection",
    SynSeqJump = "SYN_seq_jump",
    ActiveConnectionReuse = "active_connection_reuse",
    PrematureConnectionReuse = "premature_connection_reuse",
    TcpChristmas = "TCP_christmas",
    PossibleSplitRouting = "possible_split_routing",
    ConnectionOriginatorSynAck = "connection_originator_SYN_ack",
    BadSynAck = "bad_SYN_ack",
    FinAdvancedLastSeq = "FIN_advanced_last_seq",
    SeqUnderflow = "TCP_seq_underflow_or_misorder",
    AckUnderflow = "TCP_ack_underflow_or_misorder",
    TruncatedPayload = "truncated_tcp_payload",
    RexmitInconsistency = "rexmit_inconsistency",
    /// Harken's own: a sequence or acknowledgement number more than 1 GiB away.
    ImplausibleNumber = "TCP_implausible_number",
}

/// A set of oddities.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Weirds(u32);

impl Weirds {
    #[inline]
    pub(crate) const fn add(&mut self, weird: Weird) {
        self.0 |= 1 << weird as u8;
    }

    #[inline]
    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those in `self` and not in `other`.
    #[inline]
    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    #[inline]
    pub(crate) const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Weird> {
        Weird::ALL.iter().copied().filter(move |w| self.0 & (1 << *w as u8) != 0)
    }
}

const _: () = assert!(Weird::ALL.len() <= u32::BITS as usize);
