//! Frames to segments: tunnels are taken off, fragments put together.
use arrayvec::ArrayVec;
use harken_flow::{BATCH, DefragConfig, DefragStats, Defragmenter};
use harken_http::quic::{self, Quic};
use harken_wire::{Datagram, Decoded, Decoder, Encap, Fragment, Ip, LinkType, Segment, Stop, Timestamp};
use std::collections::VecDeque;

/// Counters of a [`Front`].
#[derive(Clone, Default, Debug)]
pub struct FrontStats {
    /// Frames of a link type that is not read.
    pub unknown_link: u64,
    /// Counters of the decoder.
    pub wire: harken_wire::Stats,
    /// Counters of the defragmenter.
    pub defrag: DefragStats,
    /// Counters of QUIC.
    pub quic: quic::Stats,
}

/// What a client of QUIC has begun.
#[derive(Clone, Debug)]
pub struct QuicHello {
    /// Address and port of the client.
    pub client: (Ip, u16),
    /// Address and port of the server.
    pub server: (Ip, u16),
    /// The tunnels of the packet that has completed it.
    pub encap: Encap,
    /// What it says.
    pub quic: Box<Quic>,
}

impl FrontStats {
    /// Adds the counters of another front (another worker's).
    pub fn add(&mut self, other: &Self) {
        self.unknown_link += other.unknown_link;
        self.wire.add(&other.wire);
        self.defrag.add(&other.defrag);
        self.quic.add(&other.quic);
    }
}

/// Connections of QUIC that begin.
#[derive(Default)]
struct Hellos {
    reader: quic::Reader,
    /// Those that were not taken yet.
    told: VecDeque<QuicHello>,
}

impl Hellos {
    /// Takes a datagram that may begin one.
    #[cold]
    fn datagram(&mut self, ts: Timestamp, datagram: &Datagram<'_>) {
        if let Some(quic) = self.reader.datagram(ts, datagram) {
            let (client, server) = ((datagram.src, datagram.sport), (datagram.dst, datagram.dport));
            self.told.push_back(QuicHello { client, server, encap: datagram.encap, quic });
        }
    }
}

/// Takes frames, gives segments.
pub struct Front {
    decoder: Decoder,
    defragmenter: Defragmenter,
    quic: Hellos,
    unknown_link: u64,
}

impl Front {
    /// A front with these settings.
    pub fn new(wire: harken_wire::Config, defrag: DefragConfig) -> Self {
        Self {
            decoder: Decoder::new(wire),
            defragmenter: Defragmenter::new(defrag),
            quic: Hellos::default(),
            unknown_link: 0,
        }
    }

    /// Decodes one frame of link type `dlt` (the capture file's number).
    ///
    /// # Errors
    /// The decoder's refusal, which has been counted; `None` for a link type that is not read.
    #[inline]
    pub fn decode<'p>(&mut self, dlt: u32, frame: &'p [u8]) -> Result<Decoded<'p>, Option<Stop>> {
        let Some(link) = LinkType::from_dlt(dlt) else {
            self.unknown_link += 1;
            return Err(None);
        };
        self.decoder.decode(link, frame).map_err(Some)
    }

    /// Decodes frames, each with its time and link type, and hands their segments to `sink`, in order and as
    /// many together as there are, at most [`BATCH`]. What is refused is counted.
    #[inline]
    pub fn frames<'p>(
        &mut self,
        frames: impl Iterator<Item = (Timestamp, u32, &'p [u8])>,
        sink: &mut impl FnMut(&[(Timestamp, Segment<'_>)]),
    ) {
        let mut segments: ArrayVec<(Timestamp, Segment<'_>), BATCH> = ArrayVec::new();
        for (ts, dlt, frame) in frames {
            match self.decode(dlt, frame) {
                Ok(Decoded::Tcp(segment)) => {
                    segments.push((ts, segment));
                    if segments.is_full() {
                        sink(&segments);
                        segments.clear();
                    }
                }
                Ok(Decoded::Fragment(fragment)) => {
                    sink(&segments);
                    segments.clear();
                    let _ = self.fragment(ts, &fragment, &mut |ts, segment| sink(&[(ts, *segment)]));
                }
                Ok(Decoded::Datagram(datagram)) => self.quic.datagram(ts, &datagram),
                Err(_) => {}
            }
        }
        sink(&segments);
    }

    /// Decodes one frame and hands the segment in it, if any, to `sink`: [`Front::decode`] and
    /// [`Front::fragment`] in one.
    ///
    /// # Errors
    /// As [`Front::decode`].
    #[inline]
    pub fn frame(
        &mut self,
        ts: Timestamp,
        dlt: u32,
        frame: &[u8],
        sink: &mut impl FnMut(Timestamp, &Segment<'_>),
    ) -> Result<(), Option<Stop>> {
        match self.decode(dlt, frame)? {
            Decoded::Tcp(segment) => {
                sink(ts, &segment);
                Ok(())
            }
            Decoded::Fragment(fragment) => self.fragment(ts, &fragment, sink),
            Decoded::Datagram(datagram) => {
                self.quic.datagram(ts, &datagram);
                Ok(())
            }
        }
    }

    /// A connection of QUIC that has begun; to be asked for until there is none.
    #[inline]
    pub fn take_hello(&mut self) -> Option<QuicHello> {
        self.quic.told.pop_front()
    }

    /// The input is over.
    pub fn finish(&mut self) {
        self.quic.reader.finish();
    }

    /// Keeps a fragment; hands the segment to `sink` when it completes one. Fragments may be nested: those of
    /// the outer packet make an inner packet that is a fragment again. The decoder's tunnel depth bounds how
    /// often.
    ///
    /// # Errors
    /// The decoder's refusal of the completed packet.
    #[cold]
    pub fn fragment(
        &mut self,
        ts: Timestamp,
        fragment: &Fragment<'_>,
        sink: &mut impl FnMut(Timestamp, &Segment<'_>),
    ) -> Result<(), Option<Stop>> {
        let Some(datagram) = self.defragmenter.push(ts, fragment) else { return Ok(()) };
        let (payload, inner) = match self.decoder.resume(datagram.header, datagram.payload) {
            Ok(Decoded::Tcp(segment)) => {
                sink(ts, &segment);
                return Ok(());
            }
            Ok(Decoded::Datagram(datagram)) => {
                self.quic.datagram(ts, &datagram);
                return Ok(());
            }
            Err(stop) => return Err(Some(stop)),
            // It lies in the defragmenter's buffer, which the next call needs.
            Ok(Decoded::Fragment(inner)) => (inner.payload.to_vec(), Fragment { payload: &[], ..inner }),
        };
        self.fragment(ts, &Fragment { payload: &payload, ..inner }, sink)
    }

    /// Counters so far.
    pub fn stats(&self) -> FrontStats {
        FrontStats {
            unknown_link: self.unknown_link,
            wire: self.decoder.stats().clone(),
            defrag: *self.defragmenter.stats(),
            quic: *self.quic.reader.stats(),
        }
    }
}
