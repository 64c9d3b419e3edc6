//! Messages made of header blocks.
use super::table::Known as Found;
use crate::h1::head::{HeadLimits, known, note_known};
use crate::message::{Desync, Field, Known, Message, Span, Version, Why};

/// Fills the head of a message from the fields of its block, RFC 9113 section 8.3.
pub(super) struct Filler<'a> {
    message: &'a mut Message,
    limits: HeadLimits,
    /// `:authority`, which becomes `host`: that is the field it stands for (section 8.3.1).
    has_authority: bool,
    /// The first letters of the pseudo-fields, in their order.
    order: [u8; 4],
    pseudo: usize,
}

impl<'a> Filler<'a> {
    pub(super) fn new(message: &'a mut Message, limits: HeadLimits) -> Self {
        message.version = Some(Version { major: 2, minor: 0 });
        Self { message, limits, has_authority: false, order: [0; 4], pseudo: 0 }
    }

    /// Takes a field. One that is not known marks the message.
    pub(super) fn take(&mut self, field: Found<'_>) {
        let (Some(name), Some(value)) = (field.name, field.value) else {
            return unknown(self.message);
        };
        if let [b':', letter, ..] = name
            && let Some(place) = self.order.get_mut(self.pseudo)
        {
            *place = *letter;
            self.pseudo += 1;
        }
        match name {
            b":method" => self.message.first = self.append(value),
            b":path" => self.message.second = self.append(value),
            b":status" => {
                self.message.second = self.append(value);
                self.message.status = match value {
                    [a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'] => {
                        [a, b, c].into_iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'))
                    }
                    _ => 0,
                };
            }
            b":authority" => {
                self.has_authority = true;
                self.add(b"host", value);
            }
            b":protocol" => self.message.third = self.append(value),
            // The scheme says "http" or "https" and nothing more.
            [b':', ..] => {}
            // It says the same again.
            b"host" if self.has_authority => {}
            _ => self.add(name, value),
        }
    }

    fn append(&mut self, text: &[u8]) -> Span {
        let start = self.message.head.len();
        if start + text.len() > self.limits.bytes {
            self.message.head_cut = true;
            return Span::default();
        }
        self.message.head.extend_from_slice(text);
        Span::new(start, start + text.len())
    }

    fn add(&mut self, name: &[u8], value: &[u8]) {
        if self.message.fields.len() >= self.limits.fields {
            self.message.head_cut = true;
            return;
        }
        let field = Field { name: self.append(name), value: self.append(value) };
        if self.message.head_cut && field.name.is_empty() {
            return;
        }
        self.message.fields.push(field);
        if let Some(which) = known(name) {
            note_known(self.message, which);
        }
    }

    /// The block is over. The first letters of its pseudo-fields, in their order.
    pub(super) fn finish(self) -> ([u8; 4], usize) {
        self.message.trailers_at = self.message.fields.len();
        self.message.head_len = self.message.head.len() as u64;
        if self.message.head.contains(&0) {
            self.message.desync.add(Desync::NUL);
        }
        (self.order, self.pseudo)
    }
}

/// Notes a field that was sent and is not known.
pub(super) fn unknown(message: &mut Message) {
    message.lacks(Why::UnknownFields);
    message.unknown = message.unknown.saturating_add(1);
}

/// Appends a trailer.
pub(super) fn trailer(message: &mut Message, limits: HeadLimits, field: Found<'_>) {
    let (Some(name), Some(value)) = (field.name, field.value) else {
        return unknown(message);
    };
    if message.fields.len() >= limits.fields || message.head.len() + name.len() + value.len() > limits.bytes {
        message.head_cut = true;
        return;
    }
    let start = message.head.len();
    message.head.extend_from_slice(name);
    let middle = message.head.len();
    message.head.extend_from_slice(value);
    let value = Span::new(middle, message.head.len());
    message.fields.push(Field { name: Span::new(start, middle), value });
}

/// The length that a message says its body has.
pub(super) fn content_length(message: &Message) -> Option<u64> {
    std::str::from_utf8(message.known(Known::ContentLength)?).ok()?.parse().ok()
}
