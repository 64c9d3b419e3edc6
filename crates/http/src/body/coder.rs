//! The decoder of a body that is being read, within what all connections of a shard may have at once.
use super::units::{Kind, Units};
use super::{Decoder, finish, finish_coding, gap, push};
use crate::analyzer::Analyzer;
use crate::message::{Coding, Known, Message};
use harken_wire::Timestamp;

/// Feeds the body of one message at a time, by the methods below in their order.
#[derive(Default, Debug)]
pub(crate) struct Coder(Option<Box<Decoder>>);

impl Coder {
    /// Nothing is read yet.
    pub(crate) const fn new() -> Self {
        Self(None)
    }

    /// A body begins, whose coding is set. It takes one of the decoders, if it needs one and there is one.
    pub(crate) fn begin(&mut self, cx: &mut Analyzer, message: &mut Message) {
        let coding = message.body.coding;
        cx.stats.bodies_shed += u64::from(cx.shed_bodies);
        let kind = message.known(Known::ContentType).and_then(Kind::of);
        message.body.units = kind.map(|kind| Box::new(Units::new(kind)));
        if coding == Coding::Identity {
            return;
        }
        if cx.shed_bodies {
            message.body.decode_failed = true;
        } else if cx.decoders >= cx.limits.decoders {
            cx.stats.decoders_exhausted += 1;
            message.body.decode_failed = true;
        } else if let Some(decoder) = Decoder::new(coding) {
            cx.decoders += 1;
            self.0 = Some(Box::new(decoder));
        }
    }

    /// Takes the next bytes.
    #[inline]
    pub(crate) fn push(&mut self, cx: &mut Analyzer, message: &mut Message, bytes: &[u8], ts: Timestamp) {
        push(message, &mut self.0, &cx.limits.body, bytes, ts);
        let is_done = self.0.as_ref().is_some_and(|decoder| decoder.is_done());
        if is_done || message.body.decode_failed {
            finish_coding(message, self.0.as_deref());
            self.release(cx);
        }
    }

    /// Bytes are missing.
    pub(crate) fn gap(&mut self, cx: &mut Analyzer, message: &mut Message, len: u64) {
        gap(&mut message.body, &cx.limits.body, len);
        message.lacks(cx.gap_reason.into());
        if message.body.decode_failed {
            self.release(cx);
        }
    }

    /// The message is given out.
    pub(crate) fn finish(&mut self, cx: &mut Analyzer, message: &mut Message) {
        finish_coding(message, self.0.as_deref());
        self.release(cx);
        finish(message, &cx.limits.body);
    }

    /// Another body may be decoded now.
    fn release(&mut self, cx: &mut Analyzer) {
        if self.0.take().is_some() {
            cx.decoders = cx.decoders.saturating_sub(1);
        }
    }
}
