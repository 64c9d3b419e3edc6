//! A transaction as the writers see it: a connection, a request, a response, and what follows from them.
use crate::auth;
use crate::client::{Client, Trust};
use crate::fields::{self, RequestFields};
use crate::flow::FlowInfo;
use crate::masking::Masking;
use crate::uid::EventId;
use crate::url::Url;
use harken_api::Api;
use harken_http::{Completeness, Exchange, Message, Pairing};
use harken_wire::Timestamp;

/// One transaction on its connection. Nothing is copied; what can be derived is derived when asked for.
#[derive(Clone, Copy)]
pub struct Transaction<'a> {
    /// The connection.
    pub flow: &'a FlowInfo,
    /// Request and response.
    pub exchange: &'a Exchange,
    /// What was masked in them; `None` when nothing is to be masked.
    pub masking: Option<&'a Masking>,
    /// Whose word about the client counts.
    pub trust: &'a Trust,
}

impl<'a> Transaction<'a> {
    /// The request, where it was seen.
    #[inline]
    pub fn request(&self) -> Option<&'a Message> {
        self.exchange.request.as_deref()
    }

    /// The client, where it is another one than the peer of the connection.
    pub fn client(&self) -> Option<Client> {
        Client::of(self.request()?, self.flow.client.ip, self.flow.proxied, self.trust)
    }

    /// What it does, where more than method and path tell; to be asked for once it is masked.
    pub fn api(&self) -> Option<Api> {
        let url = self.request().map(|r| Url::of(r.method(), r.target(), None)).unwrap_or_default();
        Api::of(self.exchange, url.path.unwrap_or_default(), url.query.unwrap_or_default())
    }

    /// The final response, where it was seen.
    #[inline]
    pub fn response(&self) -> Option<&'a Message> {
        self.exchange.response.as_deref()
    }

    /// Time of the transaction: when the request began, else the response, else the connection.
    #[inline]
    pub fn ts(&self) -> Timestamp {
        self.request().or(self.response()).map_or(self.flow.start, |m| m.start)
    }

    /// When the last byte of the transaction was seen.
    pub fn end(&self) -> Timestamp {
        [self.request(), self.response()].into_iter().flatten().map(|m| m.end).max().unwrap_or(self.ts())
    }

    /// The transaction's identifier.
    pub fn id(&self) -> EventId {
        let at = |m: Option<&Message>| m.map(|m| m.offset);
        // What is told beside a transaction has an identifier of its own.
        let spoken = self.exchange.spoken.map_or(0, |spoken| 1 << (28 + spoken.by as u32));
        let aside = u32::from(self.exchange.websocket.is_some()) << 31
            | u32::from(self.exchange.in_progress) << 30
            | spoken;
        let depth = self.exchange.depth | aside;
        EventId::new(&self.flow.uid, depth, at(self.request()), at(self.response()))
    }

    /// The header fields of the request that events and logs name.
    pub fn fields(&self) -> RequestFields<'a> {
        self.request().map(RequestFields::read).unwrap_or_default()
    }

    /// The user name in the request's Basic credentials, decoded into `scratch`.
    pub(crate) fn user_name<'s>(&'s self, scratch: &'s mut Vec<u8>) -> Option<&'s [u8]> {
        match self.masking {
            Some(masking) => masking.user_name(),
            None => Some(auth::user_name(self.request().and_then(fields::credentials)?, scratch)),
        }
    }

    /// The status code: of the final response, else of the last interim one. 0 is a response without a
    /// status line (HTTP/0.9).
    #[inline]
    pub fn status(&self) -> Option<u16> {
        match (self.response(), &self.exchange.informational) {
            (Some(m), _) => Some(m.status),
            (None, Some(i)) => Some(i.status),
            (None, None) => None,
        }
    }

    /// Parts of the request's target, with the authority taken from `Host` where the target has none.
    pub fn url(&self) -> Option<Url<'a>> {
        let request = self.request()?;
        Some(Url::of(request.method(), request.target(), self.fields().host))
    }

    /// What is missing or odd about the transaction, as tags; none for one that is whole.
    pub fn tags(&self) -> impl Iterator<Item = &'static str> + use<> {
        let messages = [self.request(), self.response()];
        let any = |test: fn(&Message) -> bool| messages.into_iter().flatten().any(test);
        tags(
            self.exchange.pairing,
            messages.map(|message| message.map_or(Completeness::Full, |m| m.completeness)),
            [any(|m| m.head_cut), any(|m| m.body.decode_failed), any(|m| m.desync.0 != 0)],
        )
    }
}

/// The tags of a transaction of that pairing and completeness (request and response), and whether a head was cut, a body
/// not decoded, or something suspect in either message.
pub(crate) fn tags(
    pairing: Pairing,
    [request, response]: [Completeness; 2],
    [head_cut, decode_failed, desync]: [bool; 3],
) -> impl Iterator<Item = &'static str> + use<> {
    let pairing = match pairing {
        Pairing::Paired => None,
        Pairing::NoResponse => Some("harken::NO_RESPONSE"),
        Pairing::ResponseLost => Some("harken::RESPONSE_LOST"),
        Pairing::RequestLost => Some("harken::REQUEST_LOST"),
        Pairing::RequestBeforeStart => Some("harken::REQUEST_BEFORE_START"),
        Pairing::Unsolicited => Some("harken::UNSOLICITED"),
        Pairing::Ambiguous => Some("harken::AMBIGUOUS"),
    };
    let part = |completeness, gap, truncated| match completeness {
        Completeness::Full => None,
        Completeness::Gap => Some(gap),
        Completeness::Truncated => Some(truncated),
    };
    [
        pairing,
        part(request, "harken::REQUEST_GAP", "harken::REQUEST_TRUNCATED"),
        part(response, "harken::RESPONSE_GAP", "harken::RESPONSE_TRUNCATED"),
        head_cut.then_some("harken::HEAD_CUT"),
        decode_failed.then_some("harken::DECODE_FAILED"),
        desync.then_some("harken::DESYNC"),
    ]
    .into_iter()
    .flatten()
}
