//! WebSocket (RFC 6455): frames of a connection, counted as they pass; and, when asked for, its messages.
mod content;

use crate::analyzer::Analyzer;
use crate::exchange::Exchange;
use content::Content;
pub use content::Spoken;
pub use harken_flow::Dir;
use harken_flow::{Chunk, Gap};
use harken_wire::Timestamp;

/// What a connection was used for, when it is over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebSocket {
    /// What the client has sent.
    pub client: Counts,
    /// What the server has sent.
    pub server: Counts,
    /// The first Close frame.
    pub close: Option<Close>,
    /// When the last frame was seen.
    pub last: Timestamp,
}

/// What one side has sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames, control frames among them.
    pub frames: u64,
    /// Whole messages of text.
    pub texts: u64,
    /// Whole messages of bytes.
    pub binaries: u64,
    /// Bytes of these messages, as transferred.
    pub bytes: u64,
    /// Bytes of the largest, as transferred.
    pub largest: u64,
    /// Messages that were compressed (RFC 7692).
    pub compressed: u64,
    /// Ping frames.
    pub pings: u64,
    /// Pong frames.
    pub pongs: u64,
    /// Bytes are missing, or are no frames: there may have been more.
    pub is_partial: bool,
}

/// How a connection was closed, RFC 6455 section 7.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// Who has sent the first Close frame.
    pub by: Dir,
    /// The status code, when there is one.
    pub code: Option<u16>,
    /// The reason, in which what is not UTF-8 is U+FFFD.
    pub reason: String,
}

/// Kinds of frames, section 11.8.
mod opcode {
    pub(super) const CONTINUATION: u8 = 0;
    pub(super) const TEXT: u8 = 1;
    pub(super) const BINARY: u8 = 2;
    pub(super) const CLOSE: u8 = 8;
    pub(super) const PING: u8 = 9;
    pub(super) const PONG: u8 = 10;
}

/// The longest head of a frame.
const MAX_HEAD: usize = 14;
/// The longest control frame, section 5.5.
const MAX_CONTROL: usize = 125;

/// The reader of one direction.
#[derive(Debug, Default)]
struct Side {
    head: [u8; MAX_HEAD],
    have: usize,
    frame: Option<Frame>,
    /// The message at hand: its kind, whether it is compressed, and its bytes so far.
    message: Option<(u8, bool, u64)>,
    /// What a control frame holds.
    control: Vec<u8>,
    /// What the messages say, when that is asked for.
    content: Option<Box<Content>>,
    is_closed: bool,
    track: Track,
    /// It was lost, so that the frame at hand may go on with a message whose beginning was not seen.
    skips: bool,
}

/// Whether it is known where frames begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Track {
    #[default]
    Known,
    /// Not since bytes are missing: it may be found out again. `fits` says that the bytes that came last were whole frames.
    Lost { fits: bool },
    /// The bytes are no frames.
    Off,
}

/// A frame of which the head was read.
#[derive(Clone, Copy, Debug)]
struct Frame {
    opcode: u8,
    is_last: bool,
    mask: Option<[u8; 4]>,
    left: u64,
    length: u64,
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Talk {
    sides: [Side; 2],
    seen: WebSocket,
    /// Messages that are told of yet, of both sides.
    messages: u32,
    /// The request and the response that have begun it.
    exchange: Exchange,
    /// See [`crate::Limits::held`].
    weight: u64,
}

impl Talk {
    /// Behind this exchange.
    pub(crate) fn new(cx: &Analyzer, exchange: Exchange) -> Self {
        let last = exchange.response.as_ref().map_or(Timestamp(0), |response| response.end);
        let seen = WebSocket { last, ..WebSocket::default() };
        let messages = cx.limits.websocket_messages;
        let side = |dir| Side {
            content: (messages > 0).then(|| Box::new(Content::new(&exchange, dir))),
            ..Side::default()
        };
        Self { sides: [side(Dir::Orig), side(Dir::Resp)], seen, messages, exchange, weight: 0 }
    }

    /// Takes the next bytes. Whether the talk is over.
    pub(crate) fn data(&mut self, cx: &mut Analyzer, chunk: &Chunk<'_>) -> bool {
        let mut bytes = chunk.bytes;
        if !bytes.is_empty() {
            self.seen.last = chunk.ts;
        }
        if let Some(side) = self.sides.get_mut(chunk.dir as usize) {
            side.seek(bytes, chunk.dir == Dir::Orig);
        }
        while let (Some(side), false) = (self.sides.get_mut(chunk.dir as usize), bytes.is_empty()) {
            if side.track != Track::Known || side.is_closed {
                break;
            }
            let Some(frame) = &mut side.frame else {
                bytes = side.head(bytes);
                if side.track != Track::Known {
                    self.counts(chunk.dir).is_partial = true;
                } else if side.frame.is_some_and(|frame| frame.left == 0) {
                    self.end_frame(cx, chunk);
                }
                continue;
            };
            let take = usize::try_from(frame.left).unwrap_or(usize::MAX).min(bytes.len());
            let (inside, rest) = bytes.split_at_checked(take).unwrap_or_default();
            bytes = rest;
            let at = frame.length - frame.left;
            frame.left -= take as u64;
            let mask = frame.mask.unwrap_or_default();
            let unmasked = inside
                .iter()
                .zip(at as usize..)
                .map(|(byte, at)| byte ^ mask.get(at % 4).copied().unwrap_or(0));
            if frame.opcode == opcode::CLOSE {
                side.control.extend(unmasked);
            } else if frame.opcode < opcode::CLOSE
                && let (Some(content), Some((_, is_compressed, _))) = (&mut side.content, side.message)
            {
                content.push(&cx.limits.body, unmasked, is_compressed, chunk.ts);
            }
            if frame.left == 0 {
                self.end_frame(cx, chunk);
            }
        }
        self.is_over()
    }

    fn is_over(&self) -> bool {
        self.sides.iter().all(|side| side.is_closed || side.track == Track::Off)
    }

    /// Where the next frame of a direction begins is not known.
    pub(crate) fn lose(&mut self, dir: Dir) {
        self.counts(dir).is_partial = true;
        if let Some(side) = self.sides.get_mut(dir as usize) {
            side.lose(Track::Lost { fits: false });
        }
    }

    /// Bytes are missing. Whether the talk cannot be followed any more.
    pub(crate) fn gap(&mut self, cx: &Analyzer, gap: &Gap) -> bool {
        self.counts(gap.dir).is_partial = true;
        if let Some(side) = self.sides.get_mut(gap.dir as usize) {
            match &mut side.frame {
                // Where the frame ends is known.
                Some(frame) if gap.len < frame.left && frame.opcode < opcode::CLOSE => {
                    frame.left -= gap.len;
                    if let Some(content) = &mut side.content {
                        content.gap(&cx.limits.body, gap.len, gap.reason.into());
                    }
                }
                _ => side.lose(Track::Lost { fits: false }),
            }
        }
        self.is_over()
    }

    /// Counts what it holds.
    pub(crate) fn weigh(&mut self, cx: &mut Analyzer) {
        let holds = self.holds();
        cx.reweigh(&mut self.weight, holds);
    }

    /// Bytes that are held.
    fn holds(&self) -> u64 {
        let messages = [&self.exchange.request, &self.exchange.response];
        let heads: u64 = messages.into_iter().flatten().map(|message| message.head.capacity() as u64).sum();
        heads + self.sides.iter().filter_map(|side| side.content.as_ref()).map(|c| c.holds()).sum::<u64>()
    }

    /// Tells the exchange again, with what came behind it. Nothing is held any more.
    pub(crate) fn finish(mut self, cx: &mut Analyzer) {
        cx.reweigh(&mut self.weight, 0);
        let mut exchange = self.exchange;
        if let Some(response) = &mut exchange.response {
            response.end = self.seen.last;
        }
        exchange.websocket = Some(Box::new(self.seen));
        cx.tell_aside(exchange);
    }

    fn counts(&mut self, dir: Dir) -> &mut Counts {
        match dir {
            Dir::Orig => &mut self.seen.client,
            Dir::Resp => &mut self.seen.server,
        }
    }

    fn end_frame(&mut self, cx: &mut Analyzer, chunk: &Chunk<'_>) {
        let dir = chunk.dir;
        let Some(side) = self.sides.get_mut(dir as usize) else { return };
        let Some(frame) = side.frame.take() else { return };
        let mut whole = None;
        match frame.opcode {
            opcode::TEXT | opcode::BINARY | opcode::CONTINUATION => {
                if let Some((_, _, bytes)) = &mut side.message {
                    *bytes += frame.length;
                }
                if frame.is_last {
                    whole = side.message.take();
                    side.skips = false;
                }
            }
            opcode::CLOSE => side.is_closed = true,
            _ => {}
        }
        let control = std::mem::take(&mut side.control);
        let counts = self.counts(dir);
        counts.frames += 1;
        counts.pings += u64::from(frame.opcode == opcode::PING);
        counts.pongs += u64::from(frame.opcode == opcode::PONG);
        if let Some((kind, is_compressed, bytes)) = whole {
            let ordinal = counts.texts + counts.binaries + 1;
            counts.texts += u64::from(kind == opcode::TEXT);
            counts.binaries += u64::from(kind == opcode::BINARY);
            counts.compressed += u64::from(is_compressed);
            counts.bytes = counts.bytes.saturating_add(bytes);
            counts.largest = counts.largest.max(bytes);
            let spoken = Spoken { by: dir, is_text: kind == opcode::TEXT, ordinal, is_compressed };
            self.tell(cx, spoken, bytes, chunk.ts);
        }
        if frame.opcode == opcode::CLOSE && self.seen.close.is_none() {
            let (code, reason) = match control.as_slice() {
                [high, low, reason @ ..] => (Some(u16::from_be_bytes([*high, *low])), reason),
                _ => (None, [].as_slice()),
            };
            let reason = String::from_utf8_lossy(reason).into_owned();
            self.seen.close = Some(Close { by: dir, code, reason });
        }
    }
}

impl Talk {
    /// Tells of a message that is whole, up to the limit of the connection.
    fn tell(&mut self, cx: &mut Analyzer, spoken: Spoken, bytes: u64, ts: Timestamp) {
        let side = self.sides.get_mut(spoken.by as usize);
        let Some(content) = side.and_then(|side| side.content.as_mut()) else { return };
        cx.tell_aside(content.tell(&cx.limits.body, &self.exchange, spoken, bytes, ts));
        self.messages -= 1;
        if self.messages == 0 {
            for side in &mut self.sides {
                side.content = None;
            }
        }
    }
}

impl Side {
    /// Where the next frame begins is not known.
    fn lose(&mut self, track: Track) {
        (self.track, self.skips) = (track, true);
        (self.have, self.frame, self.message) = (0, None, None);
        self.control.clear();
        if let Some(content) = &mut self.content {
            content.lose();
        }
    }

    /// Finds out whether reading can go on with these bytes, which begin where a segment does: senders mostly begin frames
    /// there. Two in a row that are whole frames to their last byte, and no other, tell it beyond doubt.
    fn seek(&mut self, bytes: &[u8], is_masked: bool) {
        let Track::Lost { fits: did_fit } = self.track else { return };
        let fits = are_frames(bytes, is_masked);
        self.track = if fits && did_fit { Track::Known } else { Track::Lost { fits } };
    }

    /// Reads the head of a frame, section 5.2; gives what is behind it.
    fn head<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let mut bytes = bytes;
        while let Some((first, rest)) = bytes.split_first() {
            if let Some(place) = self.head.get_mut(self.have) {
                *place = *first;
            }
            self.have += 1;
            bytes = rest;
            let [one, two, ..] = self.head;
            let extended = match two & 0x7f {
                126 => 2,
                127 => 8,
                _ => 0,
            };
            let masked = if two & 0x80 != 0 { 4 } else { 0 };
            if self.have < 2 || self.have < 2 + extended + masked {
                continue;
            }
            self.have = 0;
            let number = self.head.get(2..2 + extended).unwrap_or_default();
            let length = match extended {
                0 => u64::from(two & 0x7f),
                _ => number.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
            };
            let mask =
                self.head.get(2 + extended..2 + extended + masked).and_then(|mask| mask.try_into().ok());
            self.frame(one, length, mask);
            break;
        }
        bytes
    }

    /// Begins a frame, unless it cannot be one.
    fn frame(&mut self, first: u8, length: u64, mask: Option<[u8; 4]>) {
        let (opcode, is_last, is_compressed) = (first & 15, first & 0x80 != 0, first & 0x40 != 0);
        let is_sound = match opcode {
            opcode::TEXT | opcode::BINARY => self.message.is_none(),
            opcode::CONTINUATION => (self.message.is_some() || self.skips) && !is_compressed,
            opcode::CLOSE..=opcode::PONG => is_last && length <= MAX_CONTROL as u64 && !is_compressed,
            _ => false,
        };
        if !is_sound || first & 0x30 != 0 || length >> 63 != 0 {
            self.lose(Track::Off);
            return;
        }
        if matches!(opcode, opcode::TEXT | opcode::BINARY) {
            self.message = Some((opcode, is_compressed, 0));
            self.skips = false;
        }
        self.frame = Some(Frame { opcode, is_last, mask, left: length, length });
    }
}

/// Whether bytes are whole frames of one side and nothing else, which a client masks and a server does not (section 5.1).
fn are_frames(bytes: &[u8], is_masked: bool) -> bool {
    let mut rest = bytes;
    while let [first, second, behind @ ..] = rest {
        let (opcode, is_last, short) = (first & 15, first & 0x80 != 0, usize::from(second & 0x7f));
        let is_control = opcode >= opcode::CLOSE;
        // The shortest form of a length is the only one (section 5.2).
        let (extended, least) = match short {
            126 => (2, 126),
            127 => (8, 1 << 16),
            _ => (0, 0),
        };
        let Some((number, behind)) = behind.split_at_checked(extended) else { return false };
        let length = number.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        let length = if extended == 0 { short } else { usize::try_from(length).unwrap_or(usize::MAX) };
        let is_sound = matches!(opcode, 0..=2 | 8..=10)
            && first & 0x30 == 0
            && (second & 0x80 != 0) == is_masked
            && length >= least
            && (!is_control || is_last && length <= MAX_CONTROL && first & 0x40 == 0);
        let all = length.saturating_add(if is_masked { 4 } else { 0 });
        match behind.get(all..) {
            Some(behind) if is_sound => rest = behind,
            _ => return false,
        }
    }
    rest.is_empty() && !bytes.is_empty()
}
