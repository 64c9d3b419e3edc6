//! The target of a request, and header fields that hold a URL.

use crate::form::{self, decode, encode};
use crate::masker::{Masker, Place};
use crate::report::{Location, Report};

/// A copy of a text of which parts are masked one after the other.
struct Parts<'a> {
    text: &'a [u8],
    copied: usize,
}

impl Parts<'_> {
    /// Appends what stands before `start`, then what `mask` appends for `start..end`; nothing if it gives false.
    fn part(
        &mut self,
        (start, end): (usize, usize),
        out: &mut Vec<u8>,
        mask: impl FnOnce(&[u8], &mut Vec<u8>) -> bool,
    ) {
        let before = out.len();
        out.extend_from_slice(self.text.get(self.copied..start).unwrap_or_default());
        if mask(self.text.get(start..end).unwrap_or_default(), out) {
            self.copied = end;
        } else {
            out.truncate(before);
        }
    }

    /// Appends the rest if anything was masked, and says whether.
    fn finish(self, out: &mut Vec<u8>) -> bool {
        let is_changed = self.copied > 0;
        if is_changed {
            out.extend_from_slice(self.text.get(self.copied..).unwrap_or_default());
        }
        is_changed
    }
}

/// Masks the password before a host, what is found in the path, and the query; the fragment as a query, since
/// tokens are handed over in it.
pub(crate) fn mask(masker: &mut Masker, text: &[u8], out: &mut Vec<u8>, report: &mut Report) -> bool {
    let fragment = memchr::memchr(b'#', text).unwrap_or(text.len());
    let rest = text.get(..fragment).unwrap_or_default();
    let query = memchr::memchr(b'?', rest).unwrap_or(fragment);
    let authority = authority(rest.get(..query).unwrap_or_default());
    let mut parts = Parts { text, copied: 0 };
    if let Some(password) = password(text, authority) {
        parts.part(password, out, |password, out| {
            let rule = masker.core.rule(Location::Url, b"password");
            let place = Place { location: Location::Url, name: b"", path: b"password" };
            masker.core.value(rule, place, password, out, report)
        });
    }
    parts.part((authority.1, query), out, |segments, out| path(masker, segments, out, report));
    for (start, end, location) in
        [(query, fragment, Location::Query), (fragment, text.len(), Location::Fragment)]
    {
        if start < end {
            parts.part((start + 1, end), out, |pairs, out| form::mask(masker, location, pairs, out, report));
        }
    }
    parts.finish(out)
}

/// Where the authority stands, RFC 3986 section 3.2; empty at the start when there is none.
fn authority(text: &[u8]) -> (usize, usize) {
    let start = match memchr::memchr(b'/', text) {
        Some(0) if text.get(1) == Some(&b'/') => 2,
        Some(at) if at > 0 && text.get(at - 1) == Some(&b':') && text.get(at + 1) == Some(&b'/') => at + 2,
        _ => return (0, 0),
    };
    let tail = text.get(start..).unwrap_or_default();
    (start, start + memchr::memchr(b'/', tail).unwrap_or(tail.len()))
}

/// Where the password stands, RFC 3986 section 3.2.1.
fn password(text: &[u8], (start, end): (usize, usize)) -> Option<(usize, usize)> {
    let authority = text.get(start..end)?;
    let at = memchr::memrchr(b'@', authority)?;
    let colon = memchr::memchr(b':', authority.get(..at)?)?;
    Some((start + colon + 1, start + at))
}

fn path(masker: &mut Masker, text: &[u8], out: &mut Vec<u8>, report: &mut Report) -> bool {
    let place = Place { location: Location::Url, name: b"", path: b"path" };
    if memchr::memchr(b'%', text).is_none() {
        return masker.core.parts(place, text, out, report);
    }
    let Masker { core, plain, masked, .. } = masker;
    let mut parts = Parts { text, copied: 0 };
    let mut start = 0;
    for segment in text.split(|byte| *byte == b'/') {
        let end = start + segment.len();
        parts.part((start, end), out, |segment, out| {
            plain.clear();
            masked.clear();
            decode(segment, plain);
            let is_found = core.parts(place, plain, masked, report);
            encode(masked, out);
            is_found
        });
        start = end + 1;
    }
    parts.finish(out)
}

/// Whether a header field of this name holds a URL.
pub(crate) fn is_url_field(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 6] = [
        b"referer",
        b"location",
        b"content-location",
        b"x-original-url",
        b"x-rewrite-url",
        b"x-forwarded-uri",
    ];
    matches!(name.len(), 7 | 8 | 13..=16) && NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}
