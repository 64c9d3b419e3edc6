//! Check digits. All take the bytes of ASCII digits; anything else makes them false.

/// The value of an ASCII digit.
pub(crate) fn digit(byte: u8) -> Option<u32> {
    byte.is_ascii_digit().then(|| u32::from(byte - b'0'))
}

/// ISO/IEC 7812: cards, Canadian and Swedish numbers.
pub(crate) fn luhn(digits: &[u8]) -> bool {
    let mut sum = 0;
    for (place, byte) in digits.iter().rev().enumerate() {
        let Some(value) = digit(*byte) else { return false };
        sum += match (place % 2, value * 2) {
            (0, _) => value,
            (_, double) if double > 9 => double - 9,
            (_, double) => double,
        };
    }
    sum % 10 == 0
}

/// The sum of digits by their weights; a weight list shorter than the digits ends the sum.
pub(crate) fn weighted(digits: &[u8], weights: &[u32]) -> Option<u32> {
    digits.iter().zip(weights).try_fold(0, |sum, (byte, weight)| Some(sum + digit(*byte)? * weight))
}

/// The remainder by `modulus` of letters and digits, read as ISO 7064 does: A is 10, Z is 35.
pub(crate) fn remainder(text: impl Iterator<Item = u8>, modulus: u32) -> Option<u32> {
    let mut rest = 0;
    for byte in text {
        let value = char::from(byte).to_digit(36)?;
        rest = (rest * if value > 9 { 100 } else { 10 } + value) % modulus;
    }
    Some(rest)
}

/// ISO 7064 Mod 11,10, as the German Steuer-ID has it.
pub(crate) fn mod_11_10(digits: &[u8]) -> bool {
    let mut check = 5;
    for byte in digits {
        let Some(value) = digit(*byte) else { return false };
        let base = if check == 0 { 10 } else { check };
        check = (base * 2 % 11 + value) % 10;
    }
    check == 1
}

/// Verhoeff's check in the dihedral group D5 (Aadhaar).
pub(crate) fn verhoeff(digits: &[u8]) -> bool {
    // The permutation of each place is the eightfold cycle of this one.
    const STEP: [u32; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let mut check = 0;
    for (place, byte) in digits.iter().rev().enumerate() {
        let Some(mut value) = digit(*byte) else { return false };
        for _ in 0..place % 8 {
            value = STEP.get(value as usize).copied().unwrap_or(0);
        }
        check = dihedral(check, value);
    }
    check == 0
}

/// The product in D5: 0 to 4 are rotations, 5 to 9 reflections.
fn dihedral(a: u32, b: u32) -> u32 {
    match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => 5 + (a + b - 5) % 5,
        (false, true) => 5 + (a - 5 + 5 - b) % 5,
        (false, false) => (a + 5 - b) % 5,
    }
}

/// Whether digits are a month and a day of it (February has 29 days).
pub(crate) fn is_date(month: u32, day: u32) -> bool {
    let days = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day)
}

/// The number that a few ASCII digits write.
pub(crate) fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0u32, |sum, byte| sum.checked_mul(10)?.checked_add(digit(*byte)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_numbers() {
        assert!(luhn(b"4111111111111111"));
        assert!(!luhn(b"4111111111111112"));
        assert!(verhoeff(b"2363"));
        assert!(!verhoeff(b"2364"));
        assert!(mod_11_10(b"36574261809"));
        assert_eq!(remainder(b"3214282912345698765432161182".iter().copied(), 97), Some(1));
    }
}
