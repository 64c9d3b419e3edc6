//! One direction of a connection: bytes in, frames out.
use super::frame::{
    self, CONTINUATION, DATA, END_HEADERS, HEADER, HEADERS, Head, PADDED, PRIORITY_FLAG, PUSH_PROMISE,
    RST_STREAM,
};
use super::greeting::Greeting;
use super::hpack::Decoder;
use crate::analyzer::Analyzer;
use crate::probe::PREFACE;

/// Header blocks are smaller as a rule.
const USUAL_BLOCK: usize = 4 << 10;

/// Where in the stream the reader stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// So many bytes of the client's preface are to come.
    Preface(usize),
    /// In front of a frame, or in its header.
    Head,
    /// Inside a frame.
    Payload(Payload),
    /// Behind a gap: a run of frames is looked for.
    Lost,
}

/// A frame that is being read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Payload {
    head: Head,
    /// Bytes to come, padding and all.
    left: u32,
    /// Of which so many are padding.
    padding: u32,
    /// The length of the padding, and what stands in front of a block, are to come.
    is_fresh: bool,
}

/// What a step of reading came upon.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Found<'a> {
    /// Nothing to act on.
    Nothing,
    /// Bytes of a body, or none; `is_last` says that it ends behind them.
    Data { stream: u32, bytes: &'a [u8], is_last: bool },
    /// `Side::block` has a whole header block, of this frame. `promised` is the stream that a PUSH_PROMISE is about.
    Block { head: Head, promised: u32 },
    /// A block was longer than the limit: its stream has one, and that is all.
    TooLong { head: Head },
    /// A stream is given up.
    Reset { stream: u32 },
    /// These are no frames.
    Violation,
}

/// What a gap has taken.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Missing {
    /// Bytes of one body; `is_last` says that it ends with them.
    Body { stream: u32, bytes: u64, is_last: bool },
    /// The rest of the header block that this frame began.
    Block { head: Head },
    /// Anything else.
    Other,
}

/// The reader of one direction.
#[derive(Debug)]
pub(super) struct Side {
    phase: Phase,
    /// A frame's header, or what stands in front of its content, whose end is not there yet.
    held: Vec<u8>,
    /// The header block at hand.
    pub(super) block: Vec<u8>,
    /// The frame that began it, while CONTINUATION is to follow, and the stream that it promises.
    open: Option<(Head, u32)>,
    /// The block is longer than the limit: the rest of it is passed over.
    is_too_long: bool,
    pub(super) decoder: Decoder,
    /// No more bytes will come.
    pub(super) ended: bool,
    /// Bytes were missed.
    pub(super) has_gap: bool,
    /// What it counts for in the budget of held bytes.
    pub(super) weight: u64,
    /// What a client says before its first request.
    pub(super) greeting: Option<Box<Greeting>>,
}

impl Side {
    /// The reader of a client that begins with the preface, of a server, or of either joined in the middle.
    pub(super) fn new(has_preface: bool, is_partial: bool) -> Self {
        Self {
            phase: if has_preface { Phase::Preface(PREFACE.len()) } else { Phase::Head },
            held: Vec::new(),
            block: Vec::new(),
            open: None,
            is_too_long: false,
            decoder: Decoder::new(is_partial),
            ended: false,
            has_gap: is_partial,
            weight: 0,
            greeting: has_preface.then(Box::default),
        }
    }

    /// Counts what it holds.
    pub(super) fn weigh(&mut self, cx: &mut Analyzer) {
        let holds = (self.block.capacity() + self.decoder.size()) as u64;
        cx.reweigh(&mut self.weight, holds);
    }

    /// Lets go of all that it can do without: the block that is being read, and the table.
    pub(super) fn shed(&mut self) {
        self.is_too_long |= self.open.is_some();
        self.block = Vec::new();
        self.decoder.lose();
    }

    /// Takes back the block that was decoded, if it is no large one.
    pub(super) fn recycle(&mut self, block: Vec<u8>) {
        if block.capacity() <= USUAL_BLOCK {
            self.block = block;
        }
    }

    /// Reads on in `bytes`, up to the next thing to act on. The bytes used, of which some may have been passed over.
    pub(super) fn read<'a>(&mut self, bytes: &'a [u8], limit: usize) -> (usize, Found<'a>) {
        match &mut self.phase {
            Phase::Preface(left) => {
                let expected = PREFACE.get(PREFACE.len() - *left..).unwrap_or_default();
                let used = expected.len().min(bytes.len());
                if bytes.get(..used) != expected.get(..used) {
                    return (0, Found::Violation);
                }
                *left -= used;
                if *left == 0 {
                    self.phase = Phase::Head;
                }
                (used, Found::Nothing)
            }
            Phase::Head => self.head(bytes),
            Phase::Payload(payload) => {
                let payload = *payload;
                self.payload(payload, bytes, limit)
            }
            Phase::Lost => match frame::find_run(bytes) {
                None => (bytes.len(), Found::Nothing),
                Some(at) => {
                    self.phase = Phase::Head;
                    (at, Found::Nothing)
                }
            },
        }
    }

    /// Whether bytes are passed over, since it is not known where a frame begins.
    pub(super) fn is_lost(&self) -> bool {
        self.phase == Phase::Lost
    }

    fn head<'a>(&mut self, bytes: &'a [u8]) -> (usize, Found<'a>) {
        let used = bytes.len().min(HEADER - self.held.len());
        self.held.extend_from_slice(bytes.get(..used).unwrap_or_default());
        let Some(head) = self.held.first_chunk().map(Head::parse) else { return (used, Found::Nothing) };
        self.held.clear();
        // Section 6.10: nothing comes between the parts of a block.
        let is_next =
            self.open.is_none_or(|(open, _)| head.kind == CONTINUATION && head.stream == open.stream);
        if !is_next
            || self.open.is_none() && head.kind == CONTINUATION
            || head.kind == DATA && head.stream == 0
        {
            return (0, Found::Violation);
        }
        let is_fresh = matches!(head.kind, DATA | HEADERS | PUSH_PROMISE);
        self.phase = Phase::Payload(Payload { head, left: head.length, padding: 0, is_fresh });
        if head.length > 0 {
            return (used, Found::Nothing);
        }
        let payload = Payload { head, left: 0, padding: 0, is_fresh };
        let (_, found) =
            if is_fresh { self.opening(payload, &[]) } else { self.payload(payload, &[], usize::MAX) };
        (used, found)
    }

    fn payload<'a>(&mut self, mut payload: Payload, bytes: &'a [u8], limit: usize) -> (usize, Found<'a>) {
        if payload.is_fresh {
            return self.opening(payload, bytes);
        }
        let head = payload.head;
        let real = (payload.left - payload.padding) as usize;
        let used = bytes.len().min(payload.left as usize);
        let content = bytes.get(..used.min(real)).unwrap_or_default();
        payload.left -= used as u32;
        let is_over = payload.left == 0;
        payload.padding = payload.padding.min(payload.left);
        match head.kind {
            DATA => {
                self.phase = if is_over { Phase::Head } else { Phase::Payload(payload) };
                let is_last = is_over && head.has(frame::END_STREAM);
                (used, Found::Data { stream: head.stream, bytes: content, is_last })
            }
            HEADERS | PUSH_PROMISE | CONTINUATION => {
                if self.block.len() + content.len() > limit {
                    self.is_too_long = true;
                    self.block.clear();
                }
                if !self.is_too_long {
                    self.block.extend_from_slice(content);
                }
                self.phase = if is_over { Phase::Head } else { Phase::Payload(payload) };
                (used, if is_over { self.part(head) } else { Found::Nothing })
            }
            _ => {
                self.phase = if is_over { Phase::Head } else { Phase::Payload(payload) };
                if let Some(greeting) = &mut self.greeting {
                    greeting.take(head, content, is_over);
                }
                let is_reset = is_over && head.kind == RST_STREAM;
                (used, if is_reset { Found::Reset { stream: head.stream } } else { Found::Nothing })
            }
        }
    }

    /// What stands in front of the content: the length of the padding, a priority, a promised stream.
    fn opening<'a>(&mut self, mut payload: Payload, bytes: &'a [u8]) -> (usize, Found<'a>) {
        let head = payload.head;
        let padded = usize::from(head.has(PADDED));
        let more = match head.kind {
            HEADERS if head.has(PRIORITY_FLAG) => 5,
            PUSH_PROMISE => 4,
            _ => 0,
        };
        let size = padded + more;
        if size > head.length as usize {
            return (0, Found::Violation);
        }
        let used = bytes.len().min(size - self.held.len());
        self.held.extend_from_slice(bytes.get(..used).unwrap_or_default());
        payload.left -= used as u32;
        if self.held.len() < size {
            self.phase = Phase::Payload(payload);
            return (used, Found::Nothing);
        }
        payload.padding =
            if padded == 1 { self.held.first().map_or(0, |length| u32::from(*length)) } else { 0 };
        let promised = self.held.get(padded..).and_then(|rest| rest.first_chunk());
        let promised = promised.map_or(0, |id| u32::from_be_bytes(*id) & 0x7fff_ffff);
        self.held.clear();
        if payload.padding > payload.left {
            return (0, Found::Violation);
        }
        payload.is_fresh = false;
        if head.kind != DATA {
            self.open = Some((head, if head.kind == PUSH_PROMISE { promised } else { 0 }));
            self.block.clear();
            self.is_too_long = false;
        }
        self.phase = Phase::Payload(payload);
        if payload.left == 0 {
            let (_, found) = self.payload(payload, &[], usize::MAX);
            return (used, found);
        }
        (used, Found::Nothing)
    }

    /// A part of a block is complete: whether the block is.
    fn part<'a>(&mut self, head: Head) -> Found<'a> {
        if !head.has(END_HEADERS) {
            return Found::Nothing;
        }
        let Some((head, promised)) = self.open.take() else { return Found::Violation };
        if self.is_too_long {
            // What it has inserted is not known.
            self.decoder.lose();
            return Found::TooLong { head };
        }
        Found::Block { head, promised }
    }

    /// The frame of a header block that was begun.
    pub(super) fn unfinished(&mut self) -> Option<Head> {
        self.open.take().map(|(head, _)| head)
    }

    /// Bytes are missing.
    pub(super) fn gap(&mut self, len: u64) -> Missing {
        self.has_gap = true;
        self.greeting = None;
        let phase = std::mem::replace(&mut self.phase, Phase::Lost);
        if let Phase::Payload(mut payload) = phase
            && !payload.is_fresh
            && len <= u64::from(payload.left)
        {
            // Where it ends is known.
            let head = payload.head;
            let real = u64::from(payload.left - payload.padding);
            payload.left -= len as u32;
            payload.padding = payload.padding.min(payload.left);
            self.phase = if payload.left == 0 { Phase::Head } else { Phase::Payload(payload) };
            match head.kind {
                DATA => {
                    let is_last = payload.left == 0 && head.has(frame::END_STREAM);
                    return Missing::Body { stream: head.stream, bytes: len.min(real), is_last };
                }
                HEADERS | PUSH_PROMISE | CONTINUATION => {
                    // The frame's end is known, and its block lost.
                    self.is_too_long = true;
                    self.block.clear();
                    self.decoder.lose();
                    if payload.left == 0
                        && head.has(END_HEADERS)
                        && let Some(head) = self.unfinished()
                    {
                        return Missing::Block { head };
                    }
                    return Missing::Other;
                }
                _ => return Missing::Other,
            }
        }
        let begun = self.unfinished();
        self.lose();
        begun.map_or(Missing::Other, |head| Missing::Block { head })
    }

    /// Where the next frame begins is not known, nor what was inserted into the table.
    pub(super) fn lose(&mut self) {
        self.phase = Phase::Lost;
        self.held.clear();
        self.block.clear();
        self.open = None;
        self.decoder.lose();
    }
}
