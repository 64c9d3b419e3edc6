//! Streams that go on in WebSocket.
use super::H2;
use crate::analyzer::Analyzer;
use crate::exchange::Exchange;
use crate::message::Body;
use crate::websocket::Talk;

impl H2 {
    /// A response's head was read: after an extended CONNECT (RFC 8441 section 5) the stream goes on in WebSocket.
    pub(super) fn switch(&mut self, cx: &mut Analyzer, id: u32) {
        let stream = self.stream(cx, id);
        let asks = stream.request.message.as_ref().is_some_and(|request| !request.protocol().is_empty());
        if !asks || stream.request.is_over {
            return;
        }
        let mut exchange = Exchange { depth: stream.depth, ..Exchange::default() };
        exchange.request = stream.request.message.take();
        exchange.response = stream.response.message.take();
        if !exchange.begins_websocket() {
            (stream.request.message, stream.response.message) = (exchange.request, exchange.response);
            return;
        }
        exchange.informational = stream.informational.take();
        let halves = [&mut stream.request, &mut stream.response];
        for (half, message) in halves.into_iter().zip([&mut exchange.request, &mut exchange.response]) {
            cx.reweigh(&mut half.weight, 0);
            if let Some(message) = message {
                // What follows are frames, and no body.
                half.coder.finish(cx, message);
                message.body = Body::default();
            }
        }
        let mut talk = Box::new(Talk::new(cx, exchange.clone()));
        talk.weigh(cx);
        stream.talk = Some(talk);
        cx.emit(exchange);
    }
}
