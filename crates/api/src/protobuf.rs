//! Protocol buffers, read with the descriptors of a service: its messages become JSON.
use crate::media_type;
use crate::rpc::names;
use flate2::read::GzDecoder;
use harken_http::body::units::Kind;
use harken_http::{Coding, Exchange, Message};
use prost_reflect::{DescriptorError, DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions};
use std::borrow::Cow;
use std::io::Read as _;

/// What services and messages look like: a compiled set of files, as `protoc --descriptor_set_out` writes it.
#[derive(Clone, Debug, Default)]
pub struct Descriptors(DescriptorPool);

/// Bytes of JSON that one body becomes at most; what follows is left away.
const MAX_JSON: usize = 1 << 20;
/// Bytes that one compressed message becomes at most.
const MAX_MESSAGE: u64 = 1 << 20;
/// The flag of an envelope whose message is compressed.
const COMPRESSED: u8 = 1;

impl Descriptors {
    /// Adds a `FileDescriptorSet`, which must have the files that its own import, or come after them.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn add(&mut self, set: &[u8]) -> Result<(), DescriptorError> {
        self.0.decode_file_descriptor_set(set)
    }

    /// Number of the services that are known.
    pub fn services(&self) -> usize {
        self.0.services().len()
    }

    /// Puts JSON in place of the messages of a call's bodies ([`harken_http::Body::decoded_messages`]), as far as their methods are known:
    /// a list of them, in their order. It ends before the first that is cut, or cannot be read.
    pub fn decode(&self, exchange: &mut Exchange) {
        let Some(request) = &exchange.request else { return };
        let target = request.target();
        let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
        let [Ok(service), Ok(method)] = names(path).map(std::str::from_utf8) else { return };
        let Some(method) = self
            .0
            .get_service_by_name(service)
            .and_then(|service| service.methods().find(|known| known.name() == method))
        else {
            return;
        };
        for (message, shape) in
            [(&mut exchange.request, method.input()), (&mut exchange.response, method.output())]
        {
            if let Some(message) = message {
                decode_body(message, &shape);
            }
        }
    }
}

fn decode_body(message: &mut Message, shape: &MessageDescriptor) {
    let media_type = media_type(message);
    let is_json = media_type.ends_with(b"+json");
    if is_json || matches!(message.body.coding, Coding::Other) || message.body.decode_failed {
        return;
    }
    let is_unary = media_type.eq_ignore_ascii_case(b"application/proto");
    let body = &mut message.body;
    let (json, count) = match body.units.as_ref().map(|units| units.kind) {
        None if is_unary && !body.is_cut() && body.missing == 0 => {
            list(std::iter::once(Cow::from(&body.kept)), shape)
        }
        Some(Kind::Grpc | Kind::GrpcWeb | Kind::Connect) => {
            // Behind a hole nothing is where it seems.
            let sound = body.gaps.first().map_or(u64::MAX, |gap| gap.offset);
            let sound = usize::try_from(sound).unwrap_or(usize::MAX).min(body.kept.len());
            list(Envelopes(body.kept.get(..sound).unwrap_or_default()), shape)
        }
        _ => return,
    };
    if count > 0 {
        body.changed_from = Some(body.kept.len() as u64);
        body.kept = json;
        body.decoded_messages = count;
    }
}

/// The messages as JSON, and how many they are.
fn list<'b>(messages: impl Iterator<Item = Cow<'b, [u8]>>, shape: &MessageDescriptor) -> (Vec<u8>, u64) {
    let options = SerializeOptions::new().stringify_64_bit_integers(true);
    let (mut json, mut count) = (vec![b'['], 0);
    for message in messages {
        let Ok(message) = DynamicMessage::decode(shape.clone(), &*message) else { break };
        let before = json.len();
        if count > 0 {
            json.push(b',');
        }
        let mut serializer = serde_json::Serializer::new(&mut json);
        if message.serialize_with_options(&mut serializer, &options).is_err() || json.len() > MAX_JSON {
            json.truncate(before);
            break;
        }
        count += 1;
    }
    json.push(b']');
    (json, count)
}

/// The messages of a body in envelopes: a byte of flags, and the length in four. Those that end a stream are none.
struct Envelopes<'a>(&'a [u8]);

impl<'a> Iterator for Envelopes<'a> {
    type Item = Cow<'a, [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        let (flags, rest) = self.0.split_first()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (message, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        self.0 = rest;
        match *flags {
            0 => Some(message.into()),
            COMPRESSED => {
                let mut plain = Vec::new();
                GzDecoder::new(message).take(MAX_MESSAGE).read_to_end(&mut plain).ok()?;
                ((plain.len() as u64) < MAX_MESSAGE).then(|| plain.into())
            }
            _ => None,
        }
    }
}
