//! Where one of a set of literals may begin in a text.

/// Letters are told by their low five bits, which are the same in both cases.
const LETTERS: usize = 32;

/// Looks for the first three letters of literals, in either case. It looks at about every second byte of most texts
/// (Wu and Manber's shifts over pairs of letters), which an automaton over the literals cannot do.
#[derive(Debug, Clone)]
pub(crate) struct Beginnings {
    /// For two letters in a row, how far the next place at which they may be the last two of three is.
    shifts: Box<[u8; LETTERS * LETTERS]>,
    /// A bit for each three letters with which a literal begins.
    heads: Box<[u32; LETTERS * LETTERS]>,
}

fn fold(byte: u8) -> usize {
    usize::from(byte) % LETTERS
}

impl Beginnings {
    /// For literals of at least three bytes; shorter ones are not found.
    pub(crate) fn new<'a>(literals: impl Iterator<Item = &'a [u8]>) -> Self {
        let (mut shifts, mut heads) = ([2; LETTERS * LETTERS], [0; LETTERS * LETTERS]);
        for literal in literals {
            let Some([a, b, c]) = literal.first_chunk().map(|head| head.map(fold)) else { continue };
            if let Some(shift) = shifts.get_mut(a * LETTERS + b) {
                *shift = 1.min(*shift);
            }
            if let (Some(shift), Some(firsts)) =
                (shifts.get_mut(b * LETTERS + c), heads.get_mut(b * LETTERS + c))
            {
                *shift = 0;
                *firsts |= 1 << a;
            }
        }
        Self { shifts: Box::new(shifts), heads: Box::new(heads) }
    }

    /// The first place at `from` or behind it where a literal may begin; where one begins this finds it.
    pub(crate) fn next(&self, text: &[u8], from: usize) -> Option<usize> {
        let mut at = from + 1;
        while let Some([b, c]) = text.get(at..).and_then(|rest| rest.first_chunk()) {
            let pair = fold(*b) * LETTERS + fold(*c);
            let shift = self.shifts.get(pair).copied().unwrap_or_default();
            if shift == 0 {
                let first = text.get(at - 1).map_or(0, |byte| fold(*byte));
                if self.heads.get(pair).is_some_and(|firsts| firsts & 1 << first != 0) {
                    return Some(at - 1);
                }
                at += 1;
            }
            at += usize::from(shift);
        }
        None
    }
}
