//! Detection in free text: all detectors, and the choice among what overlaps.

use crate::kind::{Class, Kind};
use crate::{email, number, secret::Secrets};

/// One thing found in a text: the bytes from `start` to `end` (exclusive).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    /// What it is.
    pub kind: Kind,
    /// Its first byte.
    pub start: usize,
    /// The byte behind its last.
    pub end: usize,
}

/// The fewest bytes of a secret or a card with what tells it: `pwd=` and six bytes.
const SHORTEST: usize = 10;

/// Which kinds are looked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// A bit for each kind.
    kinds: u64,
    /// A bit for each class that has one of them: it is asked for at every number of a text.
    classes: u8,
}

impl Wanted {
    /// Those for which `is` says yes.
    pub fn of(is: impl Fn(Kind) -> bool) -> Self {
        let mut wanted = Self::default();
        for kind in Kind::ALL.iter().filter(|kind| is(**kind)) {
            wanted.kinds |= 1 << *kind as u32;
            wanted.classes |= 1 << kind.class() as u32;
        }
        wanted
    }

    /// Whether this kind is looked for.
    pub fn kind(&self, kind: Kind) -> bool {
        self.kinds & 1 << kind as u32 != 0
    }

    /// Whether any kind of the class is looked for.
    pub fn class(&self, class: Class) -> bool {
        self.classes & 1 << class as u32 != 0
    }
}

impl Wanted {
    /// Whether no other class than these is looked for.
    pub(crate) fn only(&self, classes: &[Class]) -> bool {
        self.classes & !classes.iter().fold(0, |all, class| all | 1 << *class as u32) == 0
    }
}

/// All detectors, for the kinds that are wanted.
#[derive(Debug, Clone)]
pub struct Detector {
    wanted: Wanted,
    secrets: Option<Secrets>,
    numbers: bool,
}

impl Detector {
    /// A detector of these kinds.
    pub fn new(wanted: Wanted) -> Self {
        let numbers = [Class::Card, Class::Iban, Class::NationalId, Class::Phone];
        Self {
            wanted,
            secrets: if wanted.class(Class::Secret) { Secrets::new() } else { None },
            numbers: numbers.iter().any(|class| wanted.class(*class)),
        }
    }

    /// Whether there may be a match in `text`, or in a part of it: where there is one this is true. It is faster than
    /// to look into each part.
    pub fn may_find(&self, text: &[u8]) -> bool {
        !self.wanted.only(&[Class::Secret, Class::Card])
            || self.numbers && number::may_hold_card(text)
            || self.secrets.as_ref().is_some_and(|secrets| secrets.may_find(text))
    }

    /// Fills `found` with the matches in `text`, in order and without overlap. `hint` is the name that the text
    /// is the value of (empty if none): some national ids count only where it says what they are.
    ///
    /// Of two that overlap the longer wins, and of two of one length the more specific. Where neither holds
    /// the other, the winner is stretched over both, so that no part of the loser stays readable.
    pub fn find(&self, text: &[u8], hint: &[u8], found: &mut Vec<Match>) {
        found.clear();
        if text.len() < SHORTEST && self.wanted.only(&[Class::Secret, Class::Card]) {
            return;
        }
        if let Some(secrets) = &self.secrets {
            secrets.find(text, &self.wanted, found);
        }
        if self.wanted.kind(Kind::Email) {
            email::find(text, found);
        }
        if self.numbers {
            number::find(text, hint, &self.wanted, found);
        }
        if found.len() > 1 {
            found.sort_unstable_by_key(|found| (found.start, usize::MAX - found.end, found.kind));
            found.dedup_by(|next, kept| {
                if next.start >= kept.end {
                    return false;
                }
                if next.end - next.start > kept.end - kept.start {
                    kept.kind = next.kind;
                }
                kept.end = kept.end.max(next.end);
                true
            });
        }
    }
}
