//! Zeek's `history`: one letter per kind of thing that happened, upper case from the originator.

/// Letters kept; what comes after is left out.
const MAX: usize = 38;
/// A letter that may repeat does so at 1, 10, 100, ... occurrences.
const SCALE: u32 = 10;

/// The letters. Their number comes first: it shares its cache line with the first of them, and few flows have
/// more.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct History {
    len: u8,
    letters: [u8; MAX],
}

/// Which kinds of segment have been seen from whom. It is kept apart from the letters, since every packet asks
/// for it and hardly any adds a letter.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Seen(u32);

impl Seen {
    /// Notes a kind; true when it had been seen from this side before.
    #[inline]
    pub(crate) const fn note(&mut self, mark: Mark, is_orig: bool) -> bool {
        let bit = if is_orig { mark.bit() } else { mark.bit() << 16 };
        let again = self.0 & bit != 0;
        self.0 |= bit;
        again
    }

    /// The roles were the other way round.
    pub(crate) const fn flip(&mut self) {
        self.0 = self.0.rotate_left(16);
    }
}

/// Kinds of segment that get a letter the first time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mark {
    /// `S`: SYN without ACK; `H`: with.
    Syn(bool),
    /// `F`.
    Fin,
    /// `R`.
    Rst,
    /// `I`: FIN and RST.
    FinRst,
    /// `Q`: SYN with FIN or RST.
    MultiFlag,
    /// `D`: payload, no SYN, FIN or RST.
    Data,
    /// `A`: a pure acknowledgement.
    Ack,
}

impl Mark {
    const fn bit(self) -> u32 {
        match self {
            Self::Syn(_) => 0x1,
            Self::Fin => 0x2,
            Self::Rst => 0x4,
            Self::FinRst => 0x8,
            Self::Data => 0x10,
            Self::Ack => 0x20,
            Self::MultiFlag => 0x40,
        }
    }

    const fn letter(self) -> u8 {
        match self {
            Self::Syn(false) => b'S',
            Self::Syn(true) => b'H',
            Self::Fin => b'F',
            Self::Rst => b'R',
            Self::FinRst => b'I',
            Self::MultiFlag => b'Q',
            Self::Data => b'D',
            Self::Ack => b'A',
        }
    }
}

impl Default for History {
    fn default() -> Self {
        Self { letters: [0; MAX], len: 0 }
    }
}

impl History {
    /// The letters.
    pub(crate) fn as_str(&self) -> &str {
        let letters = self.letters.get(..usize::from(self.len)).unwrap_or_default();
        std::str::from_utf8(letters).unwrap_or_default()
    }

    /// Adds the letter of a segment's kind unless it was seen from this side before; true when it was.
    #[inline]
    pub(crate) fn mark(&mut self, seen: &mut Seen, mark: Mark, is_orig: bool) -> bool {
        let again = seen.note(mark, is_orig);
        if !again {
            self.add(mark.letter(), is_orig);
        }
        again
    }

    /// Adds a letter, come what may.
    pub(crate) fn add(&mut self, letter: u8, is_orig: bool) {
        let letter = if is_orig { letter } else { letter.to_ascii_lowercase() };
        if let Some(place) = self.letters.get_mut(usize::from(self.len)) {
            *place = letter;
            self.len += 1;
        }
    }

    /// Counts an occurrence of something that repeats (`T`, `W`, `G`), and adds its letter at each power
    /// of ten.
    pub(crate) fn scaled(&mut self, letter: u8, is_orig: bool, count: &mut u32) {
        *count = count.saturating_add(1);
        let mut power = 1u32;
        while power < *count {
            power = power.saturating_mul(SCALE);
        }
        if power == *count {
            self.add(letter, is_orig);
        }
    }

    /// The roles were the other way round.
    pub(crate) fn flip(&mut self) {
        self.add(b'^', true);
    }

    /// Whether it reads as the originator's SYN followed by its RST, with no SYN-ACK, FIN, pure
    /// acknowledgement or odd flags of the originator in between.
    pub(crate) fn is_syn_then_reset(&self) -> bool {
        let text = self.as_str();
        let text = text.strip_prefix('^').unwrap_or(text);
        let Some(rest) = text.strip_prefix('S') else { return false };
        let reset = rest.find('R');
        let other = rest.find(['H', 'A', 'F', 'G', 'I', 'Q']);
        reset.is_some_and(|r| other.is_none_or(|o| r < o))
    }
}
