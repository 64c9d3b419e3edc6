//! What every exchange is held to, by the targets that read connections.
use harken_http::{Exchange, Limits};

/// Small limits, which are reached soon.
pub(crate) fn limits() -> Limits {
    let mut limits = Limits { pending: 8, decoders: 2, ..Limits::default() };
    (limits.head.bytes, limits.head.fields) = (2048, 16);
    (limits.body.keep, limits.body.decoded) = (256, 1 << 20);
    limits
}

/// A transaction has something in it, and no more than the limits and the `fed` bytes allow.
pub(crate) fn judge(exchange: &Exchange, limits: &Limits, fed: u64) {
    assert!(exchange.depth > 0);
    assert!(exchange.request.is_some() || exchange.response.is_some() || exchange.informational.is_some());
    for message in [&exchange.request, &exchange.response].into_iter().flatten() {
        assert!(message.body.wire_len <= fed && message.body.kept.len() <= limits.body.keep);
        // Fields of HTTP/1 that frame or route count beyond the limit, up to twice as many.
        assert!(message.head.len() <= limits.head.bytes && message.fields.len() <= 2 * limits.head.fields);
        assert!(message.trailers_at <= message.fields.len());
        assert_eq!(message.headers().count() + message.trailers().count(), message.fields.len());
    }
}
