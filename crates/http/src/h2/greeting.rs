//! How a client of HTTP/2 begins: its passive fingerprint, in the form in which Akamai has published it (Black Hat
//! Europe 2017): `SETTINGS|WINDOW_UPDATE|PRIORITY|order of pseudo-fields`.
use super::frame::{Head, PRIORITY, SETTINGS, WINDOW_UPDATE};
use std::fmt::Write as _;
use std::sync::Arc;

/// Bytes of a frame that are read, and most frames of priorities.
const MAX_FRAME: usize = 256;
const MAX_PRIORITIES: usize = 16;

/// The frames of a client before its first request.
#[derive(Debug, Default)]
pub(super) struct Greeting {
    /// The frame at hand.
    frame: Vec<u8>,
    settings: Option<String>,
    window: Option<u32>,
    priorities: Vec<String>,
}

impl Greeting {
    /// Takes the next bytes of a frame's payload, with which it may be over.
    pub(super) fn take(&mut self, head: Head, bytes: &[u8], is_over: bool) {
        let room = MAX_FRAME.saturating_sub(self.frame.len());
        self.frame.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        if !is_over {
            return;
        }
        let frame = std::mem::take(&mut self.frame);
        match (head.kind, frame.as_slice()) {
            (SETTINGS, frame) if !head.has(1) && self.settings.is_none() => {
                self.settings = Some(settings(frame));
            }
            (WINDOW_UPDATE, [a, b, c, d]) if head.stream == 0 && self.window.is_none() => {
                self.window = Some(u32::from_be_bytes([a & 0x7f, *b, *c, *d]));
            }
            (PRIORITY, [a, b, c, d, weight]) if self.priorities.len() < MAX_PRIORITIES => {
                let on = u32::from_be_bytes([a & 0x7f, *b, *c, *d]);
                let stream = head.stream;
                self.priorities.push(format!("{stream}:{}:{on}:{}", a >> 7, u16::from(*weight) + 1));
            }
            _ => {}
        }
    }

    /// The fingerprint, with the first letters of the pseudo-fields of the first request in their order.
    pub(super) fn fingerprint(self, order: &[u8]) -> Arc<str> {
        let mut text = self.settings.unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = match self.window {
            Some(window) => write!(text, "|{window}|"),
            None => write!(text, "|00|"),
        };
        text.push_str(if self.priorities.is_empty() { "0" } else { "" });
        text.push_str(&self.priorities.join(","));
        text.push('|');
        for (number, letter) in order.iter().enumerate() {
            if number > 0 {
                text.push(',');
            }
            text.push(char::from(*letter));
        }
        Arc::from(text)
    }
}

fn settings(frame: &[u8]) -> String {
    let mut text = String::new();
    for entry in frame.chunks_exact(6) {
        let [a, b, c, d, e, f] = entry else { continue };
        let (id, value) = (u16::from_be_bytes([*a, *b]), u32::from_be_bytes([*c, *d, *e, *f]));
        let separator = if text.is_empty() { "" } else { ";" };
        let _ = write!(text, "{separator}{id}:{value}");
    }
    text
}
