//! Finite State Entropy tables, RFC 8878 section 4.1.
use super::bits::{Backward, Forward};

/// A state: the symbol that it stands for, and where to go from it.
#[derive(Clone, Copy, Default)]
struct State {
    symbol: u8,
    bits: u8,
    base: u16,
}

/// A decoding table.
#[derive(Default)]
pub(super) struct Table {
    states: Vec<State>,
    log: u32,
}

/// What a table may be like, and what it is without a description.
pub(super) struct Kind {
    /// The largest symbol.
    pub(super) symbols: usize,
    /// The largest accuracy log.
    pub(super) log: u32,
    /// Accuracy log and distribution of the predefined table.
    pub(super) predefined: (u32, &'static [i16]),
}

impl Table {
    /// Whether there is a table.
    pub(super) const fn is_set(&self) -> bool {
        !self.states.is_empty()
    }

    /// Bytes that the table holds.
    pub(super) const fn held(&self) -> usize {
        self.states.capacity() * size_of::<State>()
    }

    /// A table of one symbol, which takes no bits.
    pub(super) fn set_single(&mut self, symbol: u8) {
        self.log = 0;
        self.states.clear();
        self.states.push(State { symbol, bits: 0, base: 0 });
    }

    /// Reads a description, RFC 8878 section 4.1.1, and returns what follows it. `None` when it is wrong.
    pub(super) fn describe<'b>(&mut self, bytes: &'b [u8], symbols: usize, max_log: u32) -> Option<&'b [u8]> {
        let mut reader = Forward::new(bytes);
        let log = reader.read(4) + 5;
        if log > max_log {
            return None;
        }
        let mut counts = [0i16; 256];
        let (mut left, mut symbol) = (1u32 << log, 0);
        while left > 0 {
            let bits = (left + 1).ilog2() + 1;
            let (low, unused) = ((1 << (bits - 1)) - 1, (1 << bits) - 1 - (left + 1));
            let mut value = reader.peek(bits);
            if value & low < unused {
                value &= low;
                reader.skip(bits - 1);
            } else {
                if value > low {
                    value -= unused;
                }
                reader.skip(bits);
            }
            // 0 stands for "less than one", which takes one state, too.
            let count = value as i16 - 1;
            left = left.checked_sub(u32::from(count.unsigned_abs()))?;
            *counts.get_mut(symbol)? = count;
            symbol += 1;
            // Behind a 0 stands how many more follow, three and again such a number at the most.
            let mut more = if count == 0 { 3 } else { 0 };
            while more == 3 && symbol <= symbols {
                more = reader.read(2);
                symbol += more as usize;
            }
        }
        if symbol > symbols + 1 {
            return None;
        }
        self.build(counts.get(..symbol)?, log)?;
        reader.rest()
    }

    /// Builds the table of a distribution, whose counts add up to `1 << log`.
    pub(super) fn build(&mut self, counts: &[i16], log: u32) -> Option<()> {
        let size = 1usize << log;
        self.log = log;
        self.states.clear();
        self.states.resize(size, State::default());
        let mut next = [0u16; 256];
        let mut high = size;
        for (symbol, (count, next)) in counts.iter().zip(&mut next).enumerate() {
            *next = count.unsigned_abs();
            if *count == -1 {
                high = high.checked_sub(1)?;
                self.states.get_mut(high)?.symbol = symbol as u8;
            }
        }
        let (step, mask) = ((size >> 1) + (size >> 3) + 3, size - 1);
        let mut at = 0;
        for (symbol, count) in counts.iter().enumerate() {
            for _ in 0..*count {
                self.states.get_mut(at)?.symbol = symbol as u8;
                at = (at + step) & mask;
                while at >= high {
                    at = (at + step) & mask;
                }
            }
        }
        for state in &mut self.states {
            let next = next.get_mut(usize::from(state.symbol))?;
            let bits = log.checked_sub(next.checked_ilog2()?)?;
            state.bits = bits as u8;
            state.base = (u32::from(*next) << bits).checked_sub(size as u32)? as u16;
            *next += 1;
        }
        Some(())
    }

    /// The first state of a stream.
    #[inline]
    pub(super) fn start(&self, reader: &mut Backward<'_>) -> u16 {
        reader.read(self.log) as u16
    }

    #[inline]
    pub(super) fn symbol(&self, state: u16) -> Option<u8> {
        Some(self.states.get(usize::from(state))?.symbol)
    }

    #[inline]
    pub(super) fn next(&self, state: u16, reader: &mut Backward<'_>) -> Option<u16> {
        let state = self.states.get(usize::from(state))?;
        Some(state.base + reader.read(u32::from(state.bits)) as u16)
    }
}
