//! What becomes of a body's bytes: counted always, decoded always, kept up to a limit.
mod brotli;
pub(crate) mod coder;
mod decode;
mod lines;
pub mod mime;
pub mod units;
mod zstd;

use crate::message::{Body, BodyGap, Coding, Message};
pub(crate) use decode::inflate_step;
pub use decode::{Decoder, Stopped};
use harken_wire::Timestamp;

/// Bounds of bodies.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// Decoded bytes that are kept of each body.
    pub keep: usize,
    /// Decoded bytes of one body after which decoding stops.
    pub decoded: u64,
    /// Decoded bytes per coded byte above which decoding stops (once `ratio_after` bytes are out).
    pub ratio: u64,
    /// Decoded bytes before `ratio` is looked at.
    pub ratio_after: u64,
    /// Gaps of one body that are listed; further ones only count.
    pub gaps: usize,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self { keep: 16 * 1024, decoded: 64 << 20, ratio: 1_000, ratio_after: 1 << 20, gaps: 16 }
    }
}

impl BodyLimits {
    /// Whether decoding may go on that has made so many bytes out of so many.
    pub(crate) const fn allow(&self, decoded: u64, wire: u64) -> bool {
        let ratio = if self.ratio == 0 { 1 } else { self.ratio };
        decoded <= self.decoded && (decoded <= self.ratio_after || decoded / ratio <= wire)
    }
}

/// Bytes looked at to tell a media type.
const SNIFF: usize = 64;

/// Takes the next bytes of a body, without transfer coding; [`finish`] ends it. A decoder that is done
/// ([`Decoder::is_done`]) afterwards may be taken away.
#[inline]
pub fn push(
    message: &mut Message,
    decoder: &mut Option<Box<Decoder>>,
    limits: &BodyLimits,
    bytes: &[u8],
    ts: Timestamp,
) {
    if message.body.wire_len == 0 {
        message.first_body = ts;
    }
    message.end = ts;
    message.body.wire_len += bytes.len() as u64;
    if message.body.coding == Coding::Identity {
        clear(message, limits, bytes);
    } else {
        coded(message, decoder, limits, bytes);
    }
}

/// Takes decoded bytes.
#[inline]
fn clear(message: &mut Message, limits: &BodyLimits, bytes: &[u8]) {
    let body = &mut message.body;
    body.decoded_len += bytes.len() as u64;
    // The media type is told from the first bytes, however they come: `finish` takes off what is too much.
    let room = limits.keep.max(SNIFF).saturating_sub(body.kept.len());
    if room > 0 {
        body.kept.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }
    if let Some(units) = &mut body.units {
        units.push(bytes, message.end);
    }
}

fn coded(message: &mut Message, decoder: &mut Option<Box<Decoder>>, limits: &BodyLimits, bytes: &[u8]) {
    if message.body.decode_failed {
        return;
    }
    let Some(decoder) = decoder.as_mut() else {
        // A coding that is not decoded: the bytes are kept as sent. Of another coding the decoder is done and was
        // given back: what follows is ignored.
        if message.body.coding == Coding::Other {
            clear(message, limits, bytes);
        }
        return;
    };
    let wire = message.body.wire_len;
    let outcome = decoder.feed(bytes, &mut |out| {
        clear(message, limits, out);
        limits.allow(message.body.decoded_len, wire)
    });
    if outcome.is_err() {
        message.body.decode_failed = true;
    }
}

/// The body is over: notes whether its coding was cut off before the end. To be called before [`finish`].
pub fn finish_coding(message: &mut Message, decoder: Option<&Decoder>) {
    let body = &mut message.body;
    body.decode_failed |= body.wire_len > 0 && decoder.is_some_and(|decoder| !decoder.is_complete());
}

/// The body is over: tells its media type from what was kept.
#[inline]
pub fn finish(message: &mut Message, limits: &BodyLimits) {
    let body = &mut message.body;
    if !body.kept.is_empty() {
        body.sniffed = mime::sniff(body.kept.get(..SNIFF).unwrap_or(&body.kept));
        body.kept.truncate(limits.keep);
    }
    if let Some(units) = &mut body.units {
        units.is_partial |= body.decode_failed;
        units.finish();
    }
}

/// Notes bytes of the body that the capture misses. What a content coding has behind a gap cannot be read.
pub fn gap(body: &mut Body, limits: &BodyLimits, len: u64) {
    if body.gaps.len() < limits.gaps {
        body.gaps.push(BodyGap { offset: body.wire_len + body.missing, len });
    }
    body.missing += len;
    if let Some(units) = &mut body.units {
        units.gap();
    }
    if body.coding != Coding::Identity {
        body.decode_failed = true;
    }
}

#[cfg(test)]
mod tests;
