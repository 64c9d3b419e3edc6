//! Bodies of `multipart/form-data`, RFC 7578.

use crate::masker::{Edits, Masker, Place};
use crate::report::{Location, Report};

/// Masks each part by the name of its field, or what is found in it. The boundary is read from the first line, so
/// that a body whose beginning is missing is masked as one text.
pub(crate) fn mask(masker: &mut Masker, body: &[u8], out: &mut Vec<u8>, report: &mut Report) -> bool {
    let end = memchr::memchr(b'\n', body).unwrap_or(0);
    let boundary = body.get(..end).unwrap_or_default().trim_ascii_end();
    if boundary.len() < 3 || !boundary.starts_with(b"--") {
        return masker.text(body, out, report);
    }
    let Masker { core, masked, .. } = masker;
    let finder = memchr::memmem::Finder::new(boundary);
    let mut edits = Edits::new(body);
    let mut starts = finder.find_iter(body).map(|at| at + boundary.len()).peekable();
    while let Some(start) = starts.next() {
        let end = starts.peek().map_or(body.len(), |next| next - boundary.len());
        let part = body.get(start..end).unwrap_or_default();
        let Some(head) = memchr::memmem::find(part, b"\r\n\r\n") else { continue };
        let name = field_name(part.get(..head).unwrap_or_default()).unwrap_or_default();
        let value = part.get(head + 4..).unwrap_or_default();
        let value = value.strip_suffix(b"\r\n").unwrap_or(value);
        let rule = core.rule(Location::Form, name);
        let place = Place { location: Location::Form, name, path: name };
        masked.clear();
        if core.value(rule, place, value, masked, report) {
            edits.replace(start + head + 4, start + head + 4 + value.len(), out);
            out.extend_from_slice(masked);
        }
    }
    edits.finish(out)
}

/// The `name` of a part's Content-Disposition.
fn field_name(head: &[u8]) -> Option<&[u8]> {
    let at = memchr::memmem::find_iter(head, b"name=").find(|at| {
        // Not the end of `filename=`.
        at.checked_sub(1).and_then(|before| head.get(before)).is_some_and(|byte| matches!(byte, b' ' | b';'))
    })?;
    let rest = head.get(at + 5..)?;
    match rest.strip_prefix(b"\"") {
        Some(quoted) => quoted.split(|byte| *byte == b'"').next(),
        None => rest.split(|byte| matches!(byte, b';' | b'\r' | b'\n')).next(),
    }
}
