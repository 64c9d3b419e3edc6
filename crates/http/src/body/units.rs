//! The messages inside a body, counted as its bytes pass: those of gRPC and Connect, which stand in envelopes, and
//! server-sent events.
use super::lines::Lines;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use harken_wire::Timestamp;

/// What separates the messages of a body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// gRPC: each message has a flag byte and its length before it.
    Grpc,
    /// gRPC-Web: the same, and the trailers are the last of them.
    GrpcWeb,
    /// gRPC-Web in base64.
    GrpcWebText,
    /// A stream of Connect: the same, and its end is the last of them.
    Connect,
    /// Server-sent events (HTML Living Standard, section 9.2): lines, and an empty one at the end of each.
    EventStream,
}

impl Kind {
    /// By the media type; `None` for a body that is one message or none of these.
    pub fn of(content_type: &[u8]) -> Option<Self> {
        const NAMES: [(&[u8], Kind); 5] = [
            (b"application/grpc", Kind::Grpc),
            (b"application/grpc-web", Kind::GrpcWeb),
            (b"application/grpc-web-text", Kind::GrpcWebText),
            (b"application/connect", Kind::Connect),
            (b"text/event-stream", Kind::EventStream),
        ];
        let end = content_type.iter().position(|b| matches!(b, b'+' | b';' | b' ' | b'\t'));
        let name = content_type.get(..end.unwrap_or(content_type.len()))?;
        NAMES.into_iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, kind)| kind)
    }

    /// The flag of the envelope that ends the stream, and holds trailers or the end's JSON.
    const fn end_flag(self) -> u8 {
        match self {
            Self::GrpcWeb | Self::GrpcWebText => 0x80,
            Self::Connect => 0x02,
            Self::Grpc | Self::EventStream => 0,
        }
    }
}

/// Bytes kept of the envelope that ends a stream.
const MAX_END: usize = 4096;

/// The messages of one body.
#[derive(Clone, Debug)]
pub struct Units {
    /// What separates them.
    pub kind: Kind,
    /// Whole messages that were seen.
    pub count: u64,
    /// Bytes in them, without envelopes; of events those of the whole body.
    pub bytes: u64,
    /// Bytes of the largest.
    pub largest: u64,
    /// How many were compressed, each by itself.
    pub compressed: u64,
    /// When the first and the last were complete.
    pub times: Option<(Timestamp, Timestamp)>,
    /// Bytes are missing, or are no envelope: there may have been more messages.
    pub is_partial: bool,
    /// What the stream's last envelope holds: trailers (gRPC-Web), or JSON (Connect). At most 4 KiB.
    pub end: Vec<u8>,
    envelope: Envelope,
    lines: Lines,
    /// Characters of base64 that do not make a group of four yet.
    quad: ([u8; 4], u8),
}

/// Where the reader stands between envelopes.
#[derive(Clone, Copy, Debug)]
enum Envelope {
    /// In the five bytes of its head, of which so many were read.
    Head([u8; 5], u8),
    /// In its contents.
    Inside { flags: u8, length: u32, left: u32 },
    /// Where the next one begins cannot be known.
    Lost,
}

impl Units {
    /// No message yet.
    pub const fn new(kind: Kind) -> Self {
        Self {
            kind,
            count: 0,
            bytes: 0,
            largest: 0,
            compressed: 0,
            times: None,
            is_partial: false,
            end: Vec::new(),
            envelope: Envelope::Head([0; 5], 0),
            lines: Lines::new(),
            quad: ([0; 4], 0),
        }
    }

    /// Takes the next decoded bytes of the body.
    pub fn push(&mut self, bytes: &[u8], ts: Timestamp) {
        match self.kind {
            Kind::EventStream => {
                let Self { lines, .. } = self;
                let (events, largest) = lines.push(bytes);
                self.bytes += bytes.len() as u64;
                self.largest = self.largest.max(largest);
                self.tell(events, ts);
            }
            Kind::GrpcWebText => self.text(bytes, ts),
            Kind::Grpc | Kind::GrpcWeb | Kind::Connect => self.envelopes(bytes, ts),
        }
    }

    /// Bytes are missing.
    pub fn gap(&mut self) {
        self.is_partial = true;
        match self.kind {
            // The next line that begins an event is known by the empty line before it.
            Kind::EventStream => self.lines.gap(),
            _ => self.envelope = Envelope::Lost,
        }
    }

    /// The body is over, as far as it was seen: a message that was begun is not whole.
    pub fn finish(&mut self) {
        self.is_partial |= match self.envelope {
            Envelope::Head(_, have) => have > 0,
            Envelope::Inside { .. } | Envelope::Lost => true,
        };
    }

    fn tell(&mut self, count: u64, ts: Timestamp) {
        if count > 0 {
            self.count += count;
            self.times = Some((self.times.map_or(ts, |(first, _)| first), ts));
        }
    }

    fn text(&mut self, bytes: &[u8], ts: Timestamp) {
        for byte in bytes.iter().filter(|b| !b.is_ascii_whitespace()) {
            let (quad, have) = &mut self.quad;
            if let Some(place) = quad.get_mut(usize::from(*have)) {
                *place = *byte;
            }
            *have += 1;
            if *have < 4 {
                continue;
            }
            let (quad, mut out) = (*quad, [0; 3]);
            self.quad.1 = 0;
            match STANDARD.decode_slice_unchecked(quad, &mut out) {
                Ok(length) => self.envelopes(out.get(..length).unwrap_or_default(), ts),
                Err(_) => self.envelope = Envelope::Lost,
            }
        }
    }

    fn envelopes(&mut self, mut bytes: &[u8], ts: Timestamp) {
        while let Some((first, behind)) = bytes.split_first() {
            match &mut self.envelope {
                Envelope::Lost => {
                    self.is_partial = true;
                    return;
                }
                Envelope::Head(head, have) => {
                    if let Some(place) = head.get_mut(usize::from(*have)) {
                        *place = *first;
                    }
                    *have += 1;
                    bytes = behind;
                    if *have == 5 {
                        let [flags, a, b, c, d] = *head;
                        self.begin(flags, u32::from_be_bytes([a, b, c, d]), ts);
                    }
                }
                Envelope::Inside { flags, length, left } => {
                    let take = bytes.len().min(*left as usize);
                    let (inside, rest) = bytes.split_at_checked(take).unwrap_or_default();
                    *left -= take as u32;
                    bytes = rest;
                    let (flags, length, is_over) = (*flags, *length, *left == 0);
                    if self.is_end(flags) {
                        let room = MAX_END.saturating_sub(self.end.len());
                        self.end.extend_from_slice(inside.get(..room).unwrap_or(inside));
                    }
                    if is_over {
                        self.over(flags, length, ts);
                    }
                }
            }
        }
    }

    fn begin(&mut self, flags: u8, length: u32, ts: Timestamp) {
        // Bit 0 says that a message is compressed; gRPC has no other flags.
        if flags & !(1 | self.kind.end_flag()) != 0 {
            self.envelope = Envelope::Lost;
            self.is_partial = true;
        } else if length == 0 {
            self.over(flags, 0, ts);
        } else {
            self.envelope = Envelope::Inside { flags, length, left: length };
        }
    }

    const fn is_end(&self, flags: u8) -> bool {
        flags & self.kind.end_flag() != 0
    }

    fn over(&mut self, flags: u8, length: u32, ts: Timestamp) {
        self.envelope = Envelope::Head([0; 5], 0);
        if self.is_end(flags) {
            return;
        }
        self.bytes += u64::from(length);
        self.largest = self.largest.max(u64::from(length));
        self.compressed += u64::from(flags & 1);
        self.tell(1, ts);
    }
}
