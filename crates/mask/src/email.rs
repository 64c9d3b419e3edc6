//! E-mail addresses: what stands around an `@`.

use crate::detect::Match;
use crate::kind::Kind;
use memchr::memchr_iter;

/// The longest local part and domain (RFC 5321 4.5.3.1).
const LOCAL: usize = 64;
const DOMAIN: usize = 255;

/// Endings of files and no top-level domains: `icon@2x.png` is no address.
const FILES: [&[u8]; 10] =
    [b"avif", b"css", b"gif", b"htm", b"html", b"jpeg", b"jpg", b"js", b"png", b"webp"];

fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._%+-'".contains(&byte)
}

/// All that an atom may have (RFC 5322 3.2.3), and dots: most of it separates things in URLs, forms and prose.
fn is_atom(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte)
}

/// Puts every address of `text` into `found`.
pub(crate) fn find(text: &[u8], found: &mut Vec<Match>) {
    for at in memchr_iter(b'@', text) {
        let (before, after) = text.split_at(at);
        let local = before.iter().rev().take(LOCAL + 1).take_while(|byte| is_local(**byte)).count();
        if local == 0 || local > LOCAL {
            continue;
        }
        // Punctuation in front of an address belongs to the sentence.
        let lead = before.get(at - local..).map_or(0, |part| {
            part.iter().take_while(|byte| !byte.is_ascii_alphanumeric() && **byte != b'_').count()
        });
        let after = after.get(1..).unwrap_or_default();
        let run = after
            .iter()
            .take(DOMAIN)
            .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'.' || **byte == b'-')
            .count();
        let Some(domain) = after.get(..run) else { continue };
        let domain = domain.strip_suffix(b"-").unwrap_or(domain);
        let domain = domain.strip_suffix(b".").unwrap_or(domain);
        let mut labels = 0;
        let mut sound = true;
        let mut last: &[u8] = &[];
        for label in domain.split(|byte| *byte == b'.') {
            sound &= !label.is_empty() && !label.starts_with(b"-") && !label.ends_with(b"-");
            labels += 1;
            last = label;
        }
        let top = last.len() >= 2 && (last.iter().all(u8::is_ascii_alphabetic) || last.starts_with(b"xn--"));
        let is_file = FILES.iter().any(|ending| last.eq_ignore_ascii_case(ending));
        if sound && labels >= 2 && top && !is_file && lead < local {
            let end = at + 1 + domain.len();
            // Where there is nothing else all of it is the address.
            let alone =
                end == text.len() && before.len() <= LOCAL && before.iter().all(|byte| is_atom(*byte));
            found.push(Match { kind: Kind::Email, start: if alone { 0 } else { at - local + lead }, end });
        }
    }
}
