//! E-mail addresses: what stands around an `@`.

use crate::detect::Match;
use crate::kind::Kind;
use memchr::memchr_iter;

/// The longest local part and domain (RFC 5321 4.5.3.1).
const LOCAL: usize = 64;
const DOMAIN: usize = 255;

fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._%+-".contains(&byte)
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
        if sound && labels >= 2 && top && lead < local {
            found.push(Match { kind: Kind::Email, start: at - local + lead, end: at + 1 + domain.len() });
        }
    }
}
