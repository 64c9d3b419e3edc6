//! National ids: their spellings, their check digits, and which of them need a word beside them.
//!
//! An id of digits alone with a single check digit is right by chance for one number in ten. Such a spelling
//! counts only where the name of the field, or the text just before it, says what it is ([`Candidate::says`]).

use crate::detect::Wanted;
use crate::kind::Kind;
use crate::sums::{is_date, luhn, mod_11_10, number, verhoeff, weighted};

/// How much of the text before a candidate is searched for its name.
const CONTEXT: usize = 48;

/// Something that may be an id.
pub(crate) struct Candidate<'a> {
    /// Its letters (upper case) and digits.
    pub(crate) compact: &'a [u8],
    /// Its spelling: `d` for a digit, `a` for a letter, separators as they are.
    pub(crate) shape: &'a [u8],
    /// All the text before it.
    pub(crate) before: &'a [u8],
    /// The name of the field that it is the value of.
    pub(crate) hint: &'a [u8],
}

impl Candidate<'_> {
    /// Whether one of `words` (lower case) is in the field's name or just before the candidate.
    pub(crate) fn says(&self, words: &[&str]) -> bool {
        let near = self.before.get(self.before.len().saturating_sub(CONTEXT)..).unwrap_or_default();
        let has = |text: &[u8]| {
            words
                .iter()
                .any(|word| text.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes())))
        };
        has(self.hint.get(..CONTEXT).unwrap_or(self.hint)) || has(near)
    }

    fn digits(&self, from: usize, to: usize) -> Option<u32> {
        number(self.compact.get(from..to)?)
    }
}

type Test = fn(&Candidate<'_>) -> bool;

/// A kind, its tests by shape: those that stand alone, those that need one of the words, and the check.
struct Rule {
    kind: Kind,
    length: usize,
    alone: &'static [&'static str],
    named: &'static [&'static str],
    words: &'static [&'static str],
    test: Test,
}

const NINE: &str = "ddddddddd";
const ELEVEN: &str = "ddddddddddd";

const RULES: &[Rule] = &[
    Rule {
        kind: Kind::ItCodiceFiscale,
        length: 16,
        alone: &["*"],
        named: &[],
        words: &[],
        test: codice_fiscale,
    },
    Rule {
        kind: Kind::CnResident,
        length: 18,
        alone: &["dddddddddddddddddd", "ddddddddddddddddda"],
        named: &[],
        words: &[],
        test: resident,
    },
    Rule {
        kind: Kind::FrNir,
        length: 15,
        alone: &["ddddddddddddddd", "d dd dd dd ddd ddd dd", "ddddddadddddddd", "d dd dd da ddd ddd dd"],
        named: &[],
        words: &[],
        test: nir,
    },
    Rule {
        kind: Kind::BrCnpj,
        length: 14,
        alone: &["dd.ddd.ddd/dddd-dd"],
        named: &["dddddddddddddd"],
        words: &["cnpj"],
        test: cnpj,
    },
    Rule {
        kind: Kind::BrCpf,
        length: 11,
        alone: &["ddd.ddd.ddd-dd"],
        named: &[ELEVEN],
        words: &["cpf"],
        test: cpf,
    },
    Rule {
        kind: Kind::UkNino,
        length: 9,
        alone: &["aadddddda", "aa dd dd dd a", "aa dddddd a", "aa-dd-dd-dd-a"],
        named: &[],
        words: &[],
        test: nino,
    },
    Rule {
        kind: Kind::EsNie,
        length: 9,
        alone: &["addddddda", "a-ddddddd-a", "addddddd-a"],
        named: &[],
        words: &[],
        test: nie,
    },
    Rule {
        kind: Kind::EsDni,
        length: 9,
        alone: &["dddddddda", "dddddddd-a"],
        named: &[],
        words: &[],
        test: dni,
    },
    Rule { kind: Kind::PlPesel, length: 11, alone: &[], named: &[ELEVEN], words: &["pesel"], test: pesel },
    Rule {
        kind: Kind::DeSteuerId,
        length: 11,
        alone: &["dd ddd ddd ddd"],
        named: &[ELEVEN],
        words: &["steuer", "idnr", "tax"],
        test: steuer,
    },
    Rule {
        kind: Kind::InAadhaar,
        length: 12,
        alone: &["dddd dddd dddd", "dddd-dddd-dddd"],
        named: &["dddddddddddd"],
        words: &["aadhaar", "aadhar", "uidai"],
        test: aadhaar,
    },
    Rule {
        kind: Kind::SePersonnummer,
        length: 10,
        alone: &["dddddd-dddd", "dddddd+dddd"],
        named: &["dddddddddd"],
        words: &["personn", "pnr"],
        test: personnummer,
    },
    Rule {
        kind: Kind::SePersonnummer,
        length: 12,
        alone: &["dddddddd-dddd"],
        named: &["dddddddddddd"],
        words: &["personn", "pnr"],
        test: personnummer,
    },
    Rule {
        kind: Kind::UsSsn,
        length: 9,
        alone: &["ddd-dd-dddd"],
        named: &[NINE, "ddd dd dddd"],
        words: &["ssn", "social sec", "social_sec", "socialsec"],
        test: ssn,
    },
    Rule {
        kind: Kind::CaSin,
        length: 9,
        alone: &["ddd-ddd-ddd"],
        named: &[NINE, "ddd ddd ddd"],
        words: &["sin", "social insurance", "nas"],
        test: sin,
    },
    Rule {
        kind: Kind::NlBsn,
        length: 9,
        alone: &["dddd.dd.ddd"],
        named: &[NINE],
        words: &["bsn", "burgerservice", "sofi"],
        test: bsn,
    },
];

/// What the candidate is, if it is a national id that is wanted.
pub(crate) fn recognise(candidate: &Candidate<'_>, wanted: &Wanted) -> Option<Kind> {
    let shape = |shapes: &[&str]| {
        shapes.iter().any(|shape| {
            *shape == "*" && candidate.shape.len() == candidate.compact.len()
                || shape.as_bytes() == candidate.shape
        })
    };
    let rule = RULES.iter().find(|rule| {
        rule.length == candidate.compact.len()
            && wanted.kind(rule.kind)
            && (shape(rule.alone) || shape(rule.named) && candidate.says(rule.words))
            && (rule.test)(candidate)
    })?;
    Some(rule.kind)
}

fn check(candidate: &Candidate<'_>, weights: &[u32], check: impl Fn(u32) -> u32) -> bool {
    let place = weights.len();
    let digit = candidate.digits(place, place + 1);
    weighted(candidate.compact, weights).is_some_and(|sum| digit == Some(check(sum)))
}

fn codice_fiscale(candidate: &Candidate<'_>) -> bool {
    /// What a letter or digit counts at an odd place, 0 to 9 and A to Z.
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    /// Which places are digits, or a letter in place of one where two people would have the same code.
    const DIGITS: [usize; 7] = [6, 7, 9, 10, 12, 13, 14];
    let mut sum = 0;
    for (place, byte) in candidate.compact.iter().enumerate() {
        let sound = if DIGITS.contains(&place) {
            byte.is_ascii_digit() || b"LMNPQRSTUV".contains(byte)
        } else if place == 8 {
            b"ABCDEHLMPRST".contains(byte)
        } else {
            byte.is_ascii_uppercase()
        };
        let value = if byte.is_ascii_digit() { byte - b'0' } else { byte.wrapping_sub(b'A') };
        if !sound {
            return false;
        }
        if place == 15 {
            return sum % 26 == u32::from(value);
        }
        sum +=
            if place % 2 == 0 { ODD.get(usize::from(value)).copied().unwrap_or(0) } else { u32::from(value) };
    }
    false
}

fn resident(candidate: &Candidate<'_>) -> bool {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let (Some(year), Some(month), Some(day)) =
        (candidate.digits(6, 10), candidate.digits(10, 12), candidate.digits(12, 14))
    else {
        return false;
    };
    let Some(sum) = weighted(candidate.compact, &WEIGHTS) else { return false };
    (1850..=2100).contains(&year)
        && is_date(month, day)
        && candidate.compact.last() == b"10X98765432".get((sum % 11) as usize)
}

fn nir(candidate: &Candidate<'_>) -> bool {
    let mut body = [0u8; 13];
    let (Some(text), Some(key)) = (candidate.compact.get(..13), candidate.digits(13, 15)) else {
        return false;
    };
    body.copy_from_slice(text);
    // Corsica: 2A counts as 19, 2B as 18.
    match body {
        [_, _, _, _, _, b'2', ref mut letter @ b'A', ..] => *letter = b'9',
        [_, _, _, _, _, b'2', ref mut letter @ b'B', ..] => *letter = b'8',
        _ => {}
    }
    if matches!(text.get(5..7), Some(b"2A" | b"2B"))
        && let Some(place) = body.get_mut(5)
    {
        *place = b'1';
    }
    let month = candidate.digits(3, 5).unwrap_or(0);
    let rest = body.iter().try_fold(0, |rest, byte| Some((rest * 10 + crate::sums::digit(*byte)?) % 97));
    matches!(body.first(), Some(b'1'..=b'4' | b'7' | b'8'))
        && (matches!(month, 1..=12 | 20..=42) || month >= 50)
        && rest.is_some_and(|rest| 97 - rest == key)
}

fn all_same(digits: &[u8]) -> bool {
    digits.windows(2).all(|pair| pair.first() == pair.last())
}

/// Modulo 11 as in Brazil: a remainder below 2 is written 0.
fn brazil(sum: u32) -> u32 {
    if sum % 11 < 2 { 0 } else { 11 - sum % 11 }
}

fn cpf(candidate: &Candidate<'_>) -> bool {
    check(candidate, &[10, 9, 8, 7, 6, 5, 4, 3, 2], brazil)
        && check(candidate, &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2], brazil)
        && !all_same(candidate.compact)
}

fn cnpj(candidate: &Candidate<'_>) -> bool {
    check(candidate, &[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2], brazil)
        && check(candidate, &[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2], brazil)
        && !all_same(candidate.compact)
}

fn nino(candidate: &Candidate<'_>) -> bool {
    let [first, second, .., last] = candidate.compact else { return false };
    !b"DFIQUV".contains(first)
        && !b"DFIOQUV".contains(second)
        && ![b"BG", b"GB", b"NK", b"KN", b"TN", b"NT", b"ZZ"].contains(&&[*first, *second])
        && (b'A'..=b'D').contains(last)
}

fn spanish(number: Option<u32>, letter: Option<&u8>) -> bool {
    number.is_some_and(|number| b"TRWAGMYFPDXBNJZSQVHLCKE".get((number % 23) as usize) == letter)
}

fn dni(candidate: &Candidate<'_>) -> bool {
    spanish(candidate.digits(0, 8), candidate.compact.last())
}

fn nie(candidate: &Candidate<'_>) -> bool {
    let lead = match candidate.compact.first() {
        Some(b'X') => 0,
        Some(b'Y') => 10_000_000,
        Some(b'Z') => 20_000_000,
        _ => return false,
    };
    spanish(candidate.digits(1, 8).map(|number| number + lead), candidate.compact.last())
}

fn pesel(candidate: &Candidate<'_>) -> bool {
    let (Some(month), Some(day)) = (candidate.digits(2, 4), candidate.digits(4, 6)) else { return false };
    is_date(month % 20, day) && check(candidate, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3], |sum| (10 - sum % 10) % 10)
}

fn steuer(candidate: &Candidate<'_>) -> bool {
    // Among the first ten digits exactly one comes twice or three times.
    let mut counts = [0u8; 10];
    for byte in candidate.compact.iter().take(10) {
        if let Some(count) = counts.get_mut(usize::from(byte.wrapping_sub(b'0'))) {
            *count += 1;
        }
    }
    let repeated = counts.iter().filter(|count| **count > 1).count();
    repeated == 1
        && counts.iter().all(|count| *count <= 3)
        && candidate.compact.first() != Some(&b'0')
        && mod_11_10(candidate.compact)
}

fn aadhaar(candidate: &Candidate<'_>) -> bool {
    // Groups of four inside of more of them are a part of another number.
    let inside = matches!(candidate.before, [.., b'0'..=b'9', b' ' | b'-']) && candidate.shape.len() > 12;
    !inside
        && candidate.compact.first() >= Some(&b'2')
        && !candidate.compact.iter().eq(candidate.compact.iter().rev())
        && verhoeff(candidate.compact)
}

fn personnummer(candidate: &Candidate<'_>) -> bool {
    let Some(short) = candidate.compact.len().checked_sub(10) else { return false };
    let (Some(month), Some(day)) =
        (candidate.digits(short + 2, short + 4), candidate.digits(short + 4, short + 6))
    else {
        return false;
    };
    let century = short == 0 || matches!(candidate.digits(0, 2), Some(18..=20));
    century && is_date(month, day) && candidate.compact.get(short..).is_some_and(luhn)
}

fn ssn(candidate: &Candidate<'_>) -> bool {
    let area = candidate.digits(0, 3);
    area.is_some_and(|area| area != 0 && area != 666 && area < 900)
        && candidate.digits(3, 5) != Some(0)
        && candidate.digits(5, 9) != Some(0)
}

fn sin(candidate: &Candidate<'_>) -> bool {
    !matches!(candidate.compact.first(), Some(b'0' | b'8')) && luhn(candidate.compact)
}

fn bsn(candidate: &Candidate<'_>) -> bool {
    let sum = weighted(candidate.compact, &[9, 8, 7, 6, 5, 4, 3, 2]);
    let last = candidate.digits(8, 9);
    sum.zip(last).is_some_and(|(sum, last)| sum % 11 == last) && candidate.digits(0, 9) != Some(0)
}
