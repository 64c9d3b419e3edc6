//! Classes of bytes, as one table: the loops over names and tokens are the hottest of the head.

const NAME: u8 = 1;
const TOKEN: u8 = 2;
const SPACE: u8 = 4;

#[allow(clippy::indexing_slicing, reason = "in a constant an index out of range does not compile")]
const CLASSES: [u8; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let byte = i as u8;
        if byte > 32 && byte < 127 && byte != b':' {
            table[i] |= NAME;
        }
        let mark = matches!(
            byte,
            b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        );
        if byte.is_ascii_alphanumeric() || mark {
            table[i] |= TOKEN;
        }
        if matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c) {
            table[i] |= SPACE;
        }
        i += 1;
    }
    table
};

#[inline]
fn has(byte: u8, class: u8) -> bool {
    CLASSES.get(usize::from(byte)).is_some_and(|c| c & class != 0)
}

/// A byte that may stand in a field name: any visible ASCII but the colon. More lenient than RFC 9110's
/// token, as servers are.
#[inline]
pub(crate) fn is_name(byte: u8) -> bool {
    has(byte, NAME)
}

/// A byte of an RFC 9110 token (section 5.6.2).
#[inline]
pub(crate) fn is_token(byte: u8) -> bool {
    has(byte, TOKEN)
}

/// White space as C's `isspace` has it, which is what lenient parsers skip.
#[inline]
pub(crate) fn is_space(byte: u8) -> bool {
    has(byte, SPACE)
}
