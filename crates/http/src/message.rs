//! One HTTP message: its head as sent, an index over it, and what is known of its body.
use crate::body::units::Units;
use harken_flow::GapReason;
use harken_wire::Timestamp;
use std::sync::Arc;

/// A range of bytes inside [`Message::head`].
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// A span over `start..end`; positions beyond 4 GiB cannot occur, heads are bounded.
    #[inline]
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32 }
    }

    /// Nothing in it.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.start >= self.end
    }

    /// The bytes of the span in `head`; empty when it does not lie inside.
    #[inline]
    pub fn of(self, head: &[u8]) -> &[u8] {
        head.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// One header field: name as sent, value without surrounding white space (folds replaced by spaces).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Field {
    /// The field's name.
    pub name: Span,
    /// The field's value.
    pub value: Span,
}

/// Header fields that the sensor itself reads; [`Message::known`] finds them without a search.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Known {
    /// `Host`
    Host,
    /// `Content-Length`
    ContentLength,
    /// `Transfer-Encoding`
    TransferEncoding,
    /// `Content-Encoding`
    ContentEncoding,
    /// `Content-Type`
    ContentType,
    /// `Connection`
    Connection,
    /// `Upgrade`
    Upgrade,
    /// `User-Agent`
    UserAgent,
    /// `Referer`
    Referer,
    /// `Origin`
    Origin,
    /// `Authorization`
    Authorization,
    /// `Proxy-Authorization`
    ProxyAuthorization,
    /// `Expect`
    Expect,
    /// `Content-Range`
    ContentRange,
    /// `Server`
    Server,
    /// `Cookie`
    Cookie,
    /// `Content-Disposition`
    ContentDisposition,
}

impl Known {
    /// Number of known fields.
    pub const COUNT: usize = Self::ContentDisposition as usize + 1;
}

/// Version of the protocol as the start line says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Version {
    /// 1 in `HTTP/1.1`.
    pub major: u8,
    /// 1 in `HTTP/1.1`.
    pub minor: u8,
}

/// How the end of a body is found, RFC 9112 section 6.3.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Framing {
    /// No body.
    #[default]
    None,
    /// `Content-Length` bytes.
    Length(u64),
    /// Chunked transfer coding.
    Chunked,
    /// Until the connection closes.
    UntilClose,
}

/// Content coding of a body, RFC 9110 section 8.4.1.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Coding {
    /// Not coded.
    #[default]
    Identity,
    /// gzip, RFC 1952.
    Gzip,
    /// zlib (RFC 1950) or raw deflate (RFC 1951): both are sent under this name.
    Deflate,
    /// Brotli, RFC 7932.
    Brotli,
    /// Zstandard, RFC 8878.
    Zstd,
    /// Another coding, or several of them: the bytes are kept as sent.
    Other,
}

/// Bytes of a body that were not captured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BodyGap {
    /// Offset in the body as transferred (before content decoding).
    pub offset: u64,
    /// Number of bytes missing.
    pub len: u64,
}

/// How much of a message was seen.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Completeness {
    /// Every byte.
    #[default]
    Full,
    /// Bytes inside are missing; `Body::gaps` tells where they are when that is known.
    Gap,
    /// The connection ended, or the message was given up, before its end.
    Truncated,
}

impl Completeness {
    /// A stable name for logs and events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Gap => "gap",
            Self::Truncated => "truncated",
        }
    }
}

/// Why a message is not whole: the first reason there was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// Packets were not captured: the peer has received what they held.
    NotCaptured,
    /// Packets were captured, but cut short.
    CapturedShort,
    /// More arrived out of order than is kept.
    OutOfOrder,
    /// The connection was over, or given up, before the end.
    ConnectionOver,
    /// Header fields were sent that a gap has made unknown (HTTP/2), or a join in the middle.
    UnknownFields,
    /// A limit was reached.
    Limit,
    /// The message is still going on.
    InProgress,
    /// Bytes could not be read as what they should be.
    Unreadable,
}

impl Why {
    /// A stable name for logs and events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotCaptured => "not_captured",
            Self::CapturedShort => "captured_short",
            Self::OutOfOrder => "out_of_order",
            Self::ConnectionOver => "connection_over",
            Self::UnknownFields => "unknown_fields",
            Self::Limit => "limit",
            Self::InProgress => "in_progress",
            Self::Unreadable => "unreadable",
        }
    }
}

impl From<GapReason> for Why {
    fn from(reason: GapReason) -> Self {
        match reason {
            GapReason::Acknowledged => Self::NotCaptured,
            GapReason::Truncated => Self::CapturedShort,
            GapReason::Budget => Self::OutOfOrder,
            GapReason::Closed => Self::ConnectionOver,
        }
    }
}

/// Reasons to suspect that two readers of this message would disagree about where it ends (request
/// smuggling). A set of bits.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Desync(pub u16);

impl Desync {
    /// `Content-Length` together with `Transfer-Encoding`; the latter decided.
    pub const LENGTH_AND_CHUNKED: u16 = 1;
    /// Several `Content-Length` that differ, of which the last decided; or one that differs from the range of
    /// a 206 response, which gave way.
    pub const LENGTHS_DIFFER: u16 = 1 << 1;
    /// `Content-Length` is not a plain decimal number (sign, spaces inside, letters), or its field has something
    /// before the name or before the colon.
    pub const LENGTH_INVALID: u16 = 1 << 2;
    /// `Content-Length` does not fit 63 bits.
    pub const LENGTH_OVERFLOW: u16 = 1 << 3;
    /// `Content-Length` begins with a zero and is not zero.
    pub const LENGTH_LEADING_ZERO: u16 = 1 << 4;
    /// `Transfer-Encoding` that is not exactly `chunked` (odd spelling, several codings, folded), stands in
    /// HTTP/1.0, or has something before its name or before the colon.
    pub const ODD_TRANSFER_ENCODING: u16 = 1 << 5;
    /// A chunk size that is not plain hexadecimal or overflows, or a line of the chunked coding that does not
    /// end in CR LF.
    pub const CHUNK_SIZE: u16 = 1 << 6;
    /// White space between a field's name and its colon, or a line without a colon.
    pub const ODD_FIELD: u16 = 1 << 7;
    /// A bare LF or CR where CR LF belongs, in the head.
    pub const BARE_EOL: u16 = 1 << 8;
    /// Obsolete line folding, RFC 9112 section 5.2.
    pub const FOLDED: u16 = 1 << 9;
    /// A NUL byte in the head.
    pub const NUL: u16 = 1 << 10;
    /// Several `Host` fields, RFC 9112 section 3.2. A request without one is not marked.
    pub const HOST: u16 = 1 << 11;

    const NAMES: [(u16, &'static str); 12] = [
        (Self::LENGTH_AND_CHUNKED, "length_and_chunked"),
        (Self::LENGTHS_DIFFER, "lengths_differ"),
        (Self::LENGTH_INVALID, "length_invalid"),
        (Self::LENGTH_OVERFLOW, "length_overflow"),
        (Self::LENGTH_LEADING_ZERO, "length_leading_zero"),
        (Self::ODD_TRANSFER_ENCODING, "odd_transfer_encoding"),
        (Self::CHUNK_SIZE, "chunk_size"),
        (Self::ODD_FIELD, "odd_field"),
        (Self::BARE_EOL, "bare_eol"),
        (Self::FOLDED, "folded"),
        (Self::NUL, "nul"),
        (Self::HOST, "host"),
    ];

    /// Adds a reason.
    #[inline]
    pub fn add(&mut self, bit: u16) {
        self.0 |= bit;
    }

    /// Whether `bit` is in the set.
    #[inline]
    pub const fn has(self, bit: u16) -> bool {
        self.0 & bit != 0
    }

    /// Whether readers would really disagree about where the message ends; the other bits are only odd.
    #[inline]
    pub const fn is_suspicious(self) -> bool {
        self.0
            & (Self::LENGTH_AND_CHUNKED
                | Self::LENGTHS_DIFFER
                | Self::LENGTH_INVALID
                | Self::LENGTH_OVERFLOW
                | Self::LENGTH_LEADING_ZERO
                | Self::ODD_TRANSFER_ENCODING
                | Self::CHUNK_SIZE)
            != 0
    }

    /// The stable names of the reasons in the set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(bit, _)| self.has(*bit)).map(|(_, name)| name)
    }
}

/// What is known of a message's body.
#[derive(Clone, Debug, Default)]
pub struct Body {
    /// How its end was found.
    pub framing: Framing,
    /// Its content coding.
    pub coding: Coding,
    /// Bytes of the body seen on the wire, after removing chunk framing, before content decoding.
    pub wire_len: u64,
    /// Bytes after content decoding; equals `wire_len` where nothing is decoded (identity, unknown codings).
    /// With `decode_failed` it counts those that came out before.
    pub decoded_len: u64,
    /// Bytes that the capture misses, in total.
    pub missing: u64,
    /// Where bytes are missing, the first few of them.
    pub gaps: Vec<BodyGap>,
    /// The first decoded bytes, up to the configured number.
    pub kept: Vec<u8>,
    /// How many bytes were kept before others took their place: messages as JSON, masks for secrets. `None` when nothing was
    /// changed.
    pub changed_from: Option<u64>,
    /// Messages of protocol buffers that became JSON: what is kept is a list of them.
    pub decoded_messages: u64,
    /// Content decoding failed or hit a limit: what follows was not decoded.
    pub decode_failed: bool,
    /// Media type told from the first bytes; `None` when they say nothing.
    pub sniffed: Option<&'static str>,
    /// The messages inside, of a body that consists of several: gRPC, Connect, server-sent events.
    pub units: Option<Box<Units>>,
}

impl Body {
    /// Whether there was more of the body than is kept.
    pub fn is_cut(&self) -> bool {
        self.changed_from.unwrap_or(self.kept.len() as u64) < self.decoded_len
    }
}

/// One HTTP message.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// Start line and header fields as sent, one after the other; trailers behind them.
    pub head: Vec<u8>,
    /// Method, or the version of a response.
    pub first: Span,
    /// Request target, or the status code of a response.
    pub second: Span,
    /// Version of a request (of HTTP/2: `:protocol` of an extended CONNECT), or the reason phrase of a response.
    pub third: Span,
    /// Header fields in wire order.
    pub fields: Vec<Field>,
    /// Index into `fields` where trailer fields begin; equals `fields.len()` without trailers.
    pub trailers_at: usize,
    /// Position in `fields`, plus one, of the first field of each known name; 0 = absent.
    pub known: [u16; Known::COUNT],
    /// Known names that stand in more than one field: a bit each, by number.
    pub repeated: u32,
    /// Protocol version; `None` for HTTP/0.9.
    pub version: Option<Version>,
    /// Whether this is a response.
    pub response: bool,
    /// Status code of a response; 0 for a request, and where it is not three digits (HTTP/0.9 has none).
    pub status: u16,
    /// Stream offset of the first byte.
    pub offset: u64,
    /// How far the sender had received the other direction when it sent the first byte.
    pub ack: u64,
    /// When the first byte was captured.
    pub start: Timestamp,
    /// When the first byte of the body was captured (equals `head_end` without a body).
    pub first_body: Timestamp,
    /// When the last byte of the head was captured.
    pub head_end: Timestamp,
    /// When the last byte was captured.
    pub end: Timestamp,
    /// Number of bytes of the head on the wire.
    pub head_len: u64,
    /// The body.
    pub body: Body,
    /// Whether anything is missing.
    pub completeness: Completeness,
    /// Why it is.
    pub why: Option<Why>,
    /// The head was longer than the limit: fields behind it are not kept.
    pub head_cut: bool,
    /// Number of fields that were sent and are not known (HTTP/2 behind a gap, or joined in the middle).
    pub unknown: u32,
    /// Suspicion of request smuggling.
    pub desync: Desync,
    /// Fingerprint of a client of HTTP/2, in Akamai's form: `SETTINGS|WINDOW_UPDATE|PRIORITY|pseudo-fields`.
    pub client: Option<Arc<str>>,
}

impl Message {
    /// Bytes inside are missing.
    pub(crate) fn lacks(&mut self, why: Why) {
        self.completeness = Completeness::Gap;
        self.why.get_or_insert(why);
    }

    /// The message stops before its end, where it does not lack bytes before.
    pub(crate) fn stops(&mut self, why: Why) {
        if self.completeness == Completeness::Full {
            self.completeness = Completeness::Truncated;
            self.why = Some(why);
        }
    }

    /// The method of a request.
    #[inline]
    pub fn method(&self) -> &[u8] {
        self.first.of(&self.head)
    }

    /// The target of a request, as sent.
    #[inline]
    pub fn target(&self) -> &[u8] {
        self.second.of(&self.head)
    }

    /// The protocol that an extended CONNECT asks for (RFC 8441 section 4); empty for any other request.
    #[inline]
    pub fn protocol(&self) -> &[u8] {
        match self.version {
            Some(Version { major: 2.., .. }) if !self.response => self.third.of(&self.head),
            _ => &[],
        }
    }

    /// The reason phrase of a response; empty when there is none.
    #[inline]
    pub fn reason(&self) -> &[u8] {
        self.third.of(&self.head)
    }

    /// Whether a response has a place for a reason phrase: white space behind the status code.
    #[inline]
    pub const fn has_reason(&self) -> bool {
        self.third.start > 0
    }

    /// Names of pseudo-fields (RFC 9113 section 8.3) that must be among the fields that are not known.
    pub fn unknown_names(&self) -> impl Iterator<Item = &'static str> {
        let is_partial = self.unknown > 0;
        let is_connect = self.first.of(&self.head) == b"CONNECT";
        [
            (!self.response && self.first == Span::default(), ":method"),
            (!self.response && self.second == Span::default() && !is_connect, ":path"),
            (self.response && self.status == 0, ":status"),
        ]
        .into_iter()
        .filter_map(move |(is_missing, name)| (is_partial && is_missing).then_some(name))
    }

    /// The value of the first field of a known name.
    #[inline]
    pub fn known(&self, which: Known) -> Option<&[u8]> {
        let at = usize::from(*self.known.get(which as usize)?).checked_sub(1)?;
        Some(self.fields.get(at)?.value.of(&self.head))
    }

    /// The values of all fields of a known name, in wire order.
    #[inline]
    pub fn every(&self, which: Known) -> impl Iterator<Item = &[u8]> {
        let first = usize::from(self.known.get(which as usize).copied().unwrap_or(0));
        let from = first.checked_sub(1).unwrap_or(self.trailers_at);
        let once = self.repeated & 1 << which as u32 == 0;
        let count = if once { 1 } else { usize::MAX };
        let name = self.fields.get(from).map_or(Span::default(), |f| f.name).of(&self.head);
        let fields = self.fields.iter().take(self.trailers_at).skip(from).take(count);
        let same = move |f: &&Field| once || f.name.of(&self.head).eq_ignore_ascii_case(name);
        fields.filter(same).map(|f| f.value.of(&self.head))
    }

    /// All header fields in wire order, as (name, value); trailers are not among them.
    pub fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.iter().take(self.trailers_at).map(|f| (f.name.of(&self.head), f.value.of(&self.head)))
    }

    /// Trailer fields, RFC 9110 section 6.5.
    pub fn trailers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.iter().skip(self.trailers_at).map(|f| (f.name.of(&self.head), f.value.of(&self.head)))
    }

    /// Makes the message empty and keeps its buffers, so that a pool can hand it out again.
    pub fn clear(&mut self) {
        let (mut head, mut fields) = (std::mem::take(&mut self.head), std::mem::take(&mut self.fields));
        let (mut kept, mut gaps) = (std::mem::take(&mut self.body.kept), std::mem::take(&mut self.body.gaps));
        head.clear();
        fields.clear();
        kept.clear();
        gaps.clear();
        *self = Self { head, fields, body: Body { kept, gaps, ..Body::default() }, ..Self::default() };
    }
}
