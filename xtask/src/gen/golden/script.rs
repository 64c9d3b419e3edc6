//! Writes down by hand what happens on the wire, packet by packet.
use crate::r#gen::{
    conversation::{Conversation, End, MSS, Timed},
    packet::{ACK, PSH},
    tunnel::{Outer, Tunnel, wrap},
};
use anyhow::Result;
use harken_capture::{PcapWriter, Precision};
use harken_wire::Timestamp;
use std::net::SocketAddr;

/// 2026-11-24 10:00:00 UTC in nanoseconds.
pub(super) const START: u64 = 1_795_514_400_000_000_000;
pub(super) const MILLISECOND: u64 = 1_000_000;

/// One connection of a script, with a clock of its own.
pub(super) struct Talk {
    pub(super) conversation: Conversation,
    pub(super) now: u64,
    pub(super) frames: Vec<Timed>,
}

impl Talk {
    /// Opens a connection `at` nanoseconds after the start.
    pub(super) fn open(client: &str, server: &str, at: u64) -> Result<Self> {
        let (client, server): (SocketAddr, SocketAddr) = (client.parse()?, server.parse()?);
        // Any fixed numbers do, as long as connections differ.
        let seed =
            (u64::from(client.port()) << 32 | u64::from(server.port())).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut conversation = Conversation::new(client, server, seed, MSS);
        let mut frames = Vec::new();
        let now = conversation.open(START + at, &mut frames);
        Ok(Self { conversation, now, frames })
    }

    /// The client sends.
    pub(super) fn ask(&mut self, bytes: &[u8]) -> &mut Self {
        self.now = self.conversation.send(self.now, End::Client, bytes, false, &mut self.frames);
        self
    }

    /// The server sends, `after` a time, and is acknowledged.
    pub(super) fn answer(&mut self, after: u64, bytes: &[u8]) -> &mut Self {
        let at = self.now + after;
        self.now = self.conversation.send(at, End::Server, bytes, true, &mut self.frames) + 2 * MILLISECOND;
        self
    }

    /// Time goes by.
    pub(super) fn pause(&mut self, nanos: u64) -> &mut Self {
        self.now += nanos;
        self
    }

    /// The last segment of the answer arrives once more, a little later.
    pub(super) fn repeat_answer(&mut self) -> &mut Self {
        // Behind it stands its acknowledgement.
        if let Some(Timed { ts, frame }) = self.frames.iter().rev().nth(1) {
            let again = Timed { ts: ts + 5_000, frame: frame.clone() };
            self.frames.push(again);
        }
        self
    }

    /// Bytes from the server in two segments, of which the second is seen first.
    pub(super) fn answer_swapped(&mut self, after: u64, first: &[u8], second: &[u8]) -> &mut Self {
        let at = self.now + after;
        let late = self.conversation.segment(at + 30_000, End::Server, PSH | ACK, first);
        let early = self.conversation.segment(at, End::Server, PSH | ACK, second);
        let ack = self.conversation.segment(at + 500_000, End::Client, ACK, &[]);
        self.frames.extend([early, late, ack]);
        self.now = at + 2 * MILLISECOND;
        self
    }

    /// Ends the connection, the client first, and gives its frames.
    pub(super) fn close(&mut self) -> Vec<Timed> {
        self.close_by(End::Client)
    }

    /// Ends the connection and gives its frames.
    pub(super) fn close_by(&mut self, first: End) -> Vec<Timed> {
        self.now = self.conversation.close(self.now, first, &mut self.frames);
        std::mem::take(&mut self.frames)
    }
}

/// A frame and the mirror that it passes; without one it is in the capture as it is.
pub(super) type Seen = (Timed, Option<Outer>);

/// The capture file of these frames, in the order of their times.
pub(super) fn file(tunnel: Tunnel, mut seen: Vec<Seen>) -> Result<Vec<u8>> {
    seen.sort_by_key(|(timed, _)| timed.ts);
    let mut pcap = PcapWriter::new(Vec::new(), Precision::Micro, tunnel.dlt())?;
    let mut packet = Vec::new();
    for (count, (timed, outer)) in (0..).zip(&seen) {
        packet.clear();
        match outer {
            Some(outer) => wrap(&mut packet, tunnel, &Outer { count, ..*outer }, &timed.frame),
            None => packet.extend(&timed.frame),
        }
        pcap.write(Timestamp(timed.ts), &packet, packet.len() as u32)?;
    }
    Ok(pcap.finish()?)
}

/// A message whose head is written with bare line ends, for the sake of reading, and a body.
pub(super) fn message(head: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = head.trim_start().replace('\n', "\r\n").into_bytes();
    bytes.extend(b"\r\n\r\n");
    bytes.extend(body);
    bytes
}

/// A message whose `Content-Length` is that of its body.
pub(super) fn sized(head: &str, body: &[u8]) -> Vec<u8> {
    message(&format!("{head}\nContent-Length: {}", body.len()), body)
}

/// A chunked body; `trailer` is a header line behind it, or empty.
pub(super) fn chunked<'a>(chunks: impl IntoIterator<Item = &'a str>, trailer: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for chunk in chunks {
        bytes.extend(format!("{:x}\r\n{chunk}\r\n", chunk.len()).as_bytes());
    }
    bytes.extend(b"0\r\n");
    if !trailer.is_empty() {
        bytes.extend(trailer.as_bytes());
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"\r\n");
    bytes
}
