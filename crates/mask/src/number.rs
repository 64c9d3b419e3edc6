//! What begins with, or holds, digits: cards, IBAN, national ids, telephone numbers.
//!
//! The scan stops at the first digit of each word and gathers at most [`LONGEST`] letters and digits from the
//! start of that word, over single separators. Every end of a word on the way is asked what it is.

use crate::detect::{Match, Wanted};
use crate::kind::{Class, Kind};
use crate::national::{self, Candidate};
use crate::phone;
use crate::sums::{luhn, number, remainder};

/// The longest thing known, an IBAN, has 34.
const LONGEST: usize = 34;
/// The same with its separators.
const SPELLED: usize = 48;
/// How far a word is followed back from its first digit: six letters of a codice fiscale, with room.
const BACK: usize = 8;

/// Puts what is found in `text` into `found`; `hint` is the name that the text is the value of.
pub(crate) fn find(text: &[u8], hint: &[u8], wanted: &Wanted, found: &mut Vec<Match>) {
    if wanted.only(&[Class::Secret, Class::Card]) && !may_hold_card(text) {
        return;
    }
    let mut at = 0;
    while let Some(step) = text.get(at..).and_then(|rest| rest.iter().position(u8::is_ascii_digit)) {
        let first = at + step;
        let start = first - back(text, first, BACK + 1);
        if first - start <= BACK {
            from(text, start, hint, wanted, found);
            // "QQ 12 34 56 C" and "X-1234567-L" begin a word earlier.
            if start >= 2 && matches!(text.get(start - 1), Some(b' ' | b'-')) {
                let letters = back(text, start - 1, 3);
                if (1..=2).contains(&letters) {
                    from(text, start - 1 - letters, hint, wanted, found);
                }
            }
        }
        if wanted.class(Class::Phone) {
            telephone(text, first, found);
        }
        let word = text
            .get(first..)
            .map_or(0, |rest| rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count());
        at = first + word.max(1);
    }
}

/// Digits of the shortest card.
const CARD: usize = 12;
/// Bytes from one look to the next: a card, however spelled, covers two neighbours of at least one.
const STRIDE: usize = CARD - 2;

/// Whether there may be a card in `text`: where there is one this is true. It looks at one byte in ten of what is no
/// number.
pub(crate) fn may_hold_card(text: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b' ' | b'-');
    let mut at = STRIDE;
    while let Some([a, b, ..]) = text.get(at..) {
        if !is_part(a) || !is_part(b) || !a.is_ascii_digit() && !b.is_ascii_digit() {
            at += STRIDE;
            continue;
        }
        let before = text.get(..at).unwrap_or_default().iter().rev().take_while(|byte| is_part(byte)).count();
        let behind = text.get(at..).unwrap_or_default().iter().take_while(|byte| is_part(byte)).count();
        let digits = text.get(at - before..at + behind).unwrap_or_default();
        if digits.iter().filter(|byte| byte.is_ascii_digit()).count() >= CARD
            // Digits alone are tried at once: times in milliseconds have as many as a card.
            && (digits.len() > 19 || !digits.iter().all(u8::is_ascii_digit) || is_card(digits, digits))
        {
            return true;
        }
        at += behind + 1;
    }
    false
}

/// How many letters and digits stand before `at`, at most `most`.
fn back(text: &[u8], at: usize, most: usize) -> usize {
    let before = text.get(..at).unwrap_or_default();
    before.iter().rev().take(most).take_while(|byte| byte.is_ascii_alphanumeric()).count()
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b'-' | b'.' | b'/' | b'+')
}

/// Whether the word at `start` goes on from digits before it: a decimal, a UUID, a date.
fn continues(text: &[u8], start: usize) -> bool {
    let Some(separator) = start.checked_sub(1).and_then(|at| text.get(at)) else { return false };
    match separator {
        b'_' | b'%' => true,
        b'-' | b'.' | b'/' => {
            let length = back(text, start - 1, 12);
            text.get(start - 1 - length..start - 1).is_some_and(|word| word.iter().any(u8::is_ascii_digit))
        }
        _ => false,
    }
}

/// Whether what ends at `end` goes on with digits.
fn goes_on(text: &[u8], end: usize) -> bool {
    match text.get(end) {
        Some(b'_') => true,
        Some(b'-' | b'.' | b'/') => text.get(end + 1).is_some_and(u8::is_ascii_digit),
        _ => false,
    }
}

/// Looks at everything that begins at `start`.
fn from(text: &[u8], start: usize, hint: &[u8], wanted: &Wanted, found: &mut Vec<Match>) {
    if continues(text, start) {
        return;
    }
    let mut compact = [0u8; LONGEST];
    let mut shape = [0u8; SPELLED];
    let (mut letters, mut spelled) = (0, 0);
    let mut after_separator = true;
    for (offset, byte) in text.get(start..).unwrap_or_default().iter().take(SPELLED).enumerate() {
        let sign = match byte {
            b'0'..=b'9' => b'd',
            byte if byte.is_ascii_alphabetic() => b'a',
            byte if is_separator(*byte) && !after_separator => *byte,
            _ => break,
        };
        if let Some(place) = shape.get_mut(spelled) {
            *place = sign;
        }
        spelled += 1;
        after_separator = is_separator(sign);
        if after_separator {
            continue;
        }
        let Some(place) = compact.get_mut(letters) else { break };
        *place = byte.to_ascii_uppercase();
        letters += 1;
        let end = start + offset + 1;
        if text.get(end).is_some_and(u8::is_ascii_alphanumeric) || letters < 9 || goes_on(text, end) {
            continue;
        }
        let (Some(compact), Some(shape)) = (compact.get(..letters), shape.get(..spelled)) else { break };
        let candidate = Candidate { compact, shape, before: text.get(..start).unwrap_or_default(), hint };
        if let Some(kind) = recognise(&candidate, wanted) {
            found.push(Match { kind, start, end });
        }
    }
}

/// What a candidate is, the most specific kind first.
fn recognise(candidate: &Candidate<'_>, wanted: &Wanted) -> Option<Kind> {
    if wanted.kind(Kind::Iban) && is_iban(candidate.compact, candidate.shape) {
        return Some(Kind::Iban);
    }
    if wanted.kind(Kind::Card)
        && is_card(candidate.compact, candidate.shape)
        && (!is_article(candidate.compact) || candidate.says(CARD_WORDS))
    {
        return Some(Kind::Card);
    }
    if wanted.class(Class::NationalId) { national::recognise(candidate, wanted) } else { None }
}

/// What fields of cards are called.
const CARD_WORDS: &[&str] =
    &["card", "pan", "credit", "visa", "karte", "carte", "carta", "tarjeta", "cartao"];

/// Whether digits are a number of an article (GTIN of 12 to 14 digits, also EAN and UPC, by their check digit): cards of
/// as many digits have gone out of use, and articles from Germany or Japan begin like them.
fn is_article(digits: &[u8]) -> bool {
    let weighted = digits.iter().rev().zip([1, 3].iter().cycle());
    (12..=14).contains(&digits.len())
        && weighted.map(|(digit, weight)| u32::from(digit.wrapping_sub(b'0')) * weight).sum::<u32>() % 10 == 0
}

/// Whether digits, so spelled, are a card: an issuer's range, a length that it uses, and Luhn.
pub(crate) fn is_card(digits: &[u8], shape: &[u8]) -> bool {
    let spelled = shape.len() == digits.len()
        || matches!(
            shape,
            b"dddd dddd dddd dddd"
                | b"dddd-dddd-dddd-dddd"
                | b"dddd dddddd ddddd"
                | b"dddd-dddddd-ddddd"
                | b"dddd dddddd dddd"
                | b"dddd-dddddd-dddd"
                | b"dddd dddd dddd dddd ddd"
                | b"dddd-dddd-dddd-dddd-ddd"
        );
    if !spelled || !(12..=19).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let Some(head) = digits.get(..4).and_then(number) else { return false };
    let length = digits.len();
    let issued = match head {
        4000..=4999 => matches!(length, 13 | 16 | 19),
        5100..=5599 | 2221..=2720 | 2200..=2204 => length == 16,
        3400..=3499 | 3700..=3799 => length == 15,
        3000..=3059 | 3600..=3699 | 3800..=3999 => matches!(length, 14 | 16),
        3528..=3589 => length >= 16,
        2131 | 1800 => length == 15,
        6011 | 6440..=6599 => matches!(length, 16 | 19),
        6200..=6299 => length >= 16,
        5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763 => true,
        _ => false,
    };
    issued && luhn(digits)
}

/// The countries of the IBAN registry and the length of theirs.
const IBAN: &[u8] = b"AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28\
EE20EG29ES24FI18FK18FO18FR27GB22GE22GI23GL18GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32\
LI21LT20LU20LV21LY25MC27MD24ME22MK19MN20MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24\
SC31SD18SE24SI19SK24SM27SO23ST25SV28TL23TN24TR26UA29VA22VG24XK20YE30";

/// Whether letters and digits, compact or in groups of four, are an IBAN.
fn is_iban(compact: &[u8], shape: &[u8]) -> bool {
    let Some((country, rest)) = compact.split_at_checked(2) else { return false };
    let length = IBAN
        .chunks_exact(4)
        .find(|entry| entry.starts_with(country))
        .and_then(|entry| number(entry.get(2..)?));
    if length.and_then(|length| usize::try_from(length).ok()) != Some(compact.len())
        || !shape.starts_with(b"aadd")
    {
        return false;
    }
    let grouped = shape.iter().enumerate().all(|(place, sign)| is_separator(*sign) == (place % 5 == 4));
    if shape.len() != compact.len() && !grouped {
        return false;
    }
    let turned = rest.iter().skip(2).chain(compact.iter().take(4)).copied();
    remainder(turned, 97) == Some(1)
}

/// Looks whether a telephone number begins with the digit at `first`.
fn telephone(text: &[u8], first: usize, found: &mut Vec<Match>) {
    let before = first.checked_sub(1).and_then(|at| text.get(at)).copied();
    let is_sum = first.checked_sub(2).and_then(|at| text.get(at)).is_some_and(u8::is_ascii_alphanumeric);
    let plus = before == Some(b'+') && !is_sum;
    if !plus && (before.is_some_and(|byte| byte.is_ascii_alphanumeric()) || continues(text, first)) {
        return;
    }
    let start = if plus || before == Some(b'(') { first - 1 } else { first };
    let mut digits = [0u8; 15];
    let mut shape = [0u8; 24];
    let (mut count, mut spelled, mut best) = (0, 0, None);
    for (offset, byte) in text.get(start..).unwrap_or_default().iter().take(shape.len()).enumerate() {
        let sign = match byte {
            b'0'..=b'9' => b'd',
            b' ' | b'-' | b'.' | b'(' | b')' => *byte,
            b'+' if offset == 0 => *byte,
            _ => break,
        };
        if let Some(place) = shape.get_mut(spelled) {
            *place = sign;
        }
        spelled += 1;
        if sign != b'd' {
            // A number that is long enough ends with its group; what follows is another one.
            if best.is_some() && count >= 10 { break } else { continue }
        }
        let Some(place) = digits.get_mut(count) else { return };
        *place = *byte;
        count += 1;
        let end = start + offset + 1;
        if text.get(end).is_some_and(u8::is_ascii_alphanumeric) || goes_on(text, end) && !plus {
            continue;
        }
        let (Some(digits), Some(shape)) = (digits.get(..count), shape.get(..spelled)) else { return };
        let spaced = |at: Option<usize>, byte: Option<usize>| {
            at.and_then(|at| text.get(at)) == Some(&b' ')
                && byte.and_then(|at| text.get(at)).is_some_and(u8::is_ascii_digit)
        };
        // A row of numbers, as in a table.
        let row = spaced(start.checked_sub(1), start.checked_sub(2)) || spaced(Some(end), Some(end + 1));
        if plus && phone::is_e164(digits) || !plus && !row && phone::is_national(shape, digits) {
            best = Some(end);
        }
    }
    if let Some(end) = best {
        found.push(Match { kind: Kind::Phone, start, end });
    }
}
