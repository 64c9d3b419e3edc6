//! The entry point: one captured frame in, one outcome out.
use crate::config::UdpTunnel;
use crate::express::Express;
use crate::ip::Packet;
use crate::walk::Walk;
use crate::{Config, Datagram, Encap, Fragment, FragmentHeader, LinkType, Segment, Stats, Stop};

/// What a frame turned out to carry.
#[derive(Clone, Copy, Debug)]
pub enum Decoded<'p> {
    /// A TCP segment.
    Tcp(Segment<'p>),
    /// Part of an IP packet. Once its payload is complete, [`Decoder::resume`] goes on with it.
    Fragment(Fragment<'p>),
    /// A UDP datagram that may begin a QUIC connection. It is counted as what it is otherwise: no tunnel
    /// ([`crate::Reason::NotATunnel`]).
    Datagram(Datagram<'p>),
}

/// Takes link headers, tunnels and IP off captured frames. It keeps no state between frames but its counters.
#[derive(Clone, Debug)]
pub struct Decoder {
    pub(crate) settings: Settings,
    stats: Stats,
}

/// [`Config`], made quick to look at.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) max_depth: u8,
    pub(crate) verify_checksums: bool,
    /// The settings allow the straight way, which looks at neither depth nor checksums.
    pub(crate) express: bool,
    udp_tunnels: Box<[(u16, UdpTunnel)]>,
}

impl Settings {
    /// The tunnel that a UDP destination port announces.
    #[inline]
    pub(crate) fn udp_tunnel(&self, dport: u16) -> Option<UdpTunnel> {
        self.udp_tunnels.iter().find(|(port, _)| *port == dport).map(|(_, tunnel)| *tunnel)
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new(Config::default())
    }
}

impl Decoder {
    /// A decoder with all counters at zero.
    #[expect(clippy::needless_pass_by_value, reason = "the decoder owns its settings")]
    pub fn new(config: Config) -> Self {
        let settings = Settings {
            max_depth: config.max_depth,
            verify_checksums: config.verify_checksums,
            express: config.max_depth > 0 && !config.verify_checksums,
            udp_tunnels: config.udp_tunnels(),
        };
        Self { settings, stats: Stats::default() }
    }

    /// Decodes one captured frame down to its innermost TCP segment, or to the first IP fragment on the way.
    /// Offsets in a [`Stop`] count from the start of `frame`.
    pub fn decode<'p>(&mut self, link: LinkType, frame: &'p [u8]) -> Result<Decoded<'p>, Stop> {
        if link == LinkType::Ethernet
            && self.settings.express
            && let Some(express) = Express::read(&self.settings, frame)
        {
            self.stats.count_express(express.tcp.truncated, express.vxlan);
            return Ok(Decoded::Tcp(express.segment()));
        }
        self.walk(link, frame)
    }

    #[inline(never)]
    fn walk<'p>(&mut self, link: LinkType, frame: &'p [u8]) -> Result<Decoded<'p>, Stop> {
        let mut walk = Walk::new(&self.settings, &mut self.stats, frame, Encap::default());
        let result = walk.link(link);
        self.stats.count(&result, false);
        result
    }

    /// Goes on with an IP packet that was put together from fragments: `header` is that of the fragment at
    /// offset 0, `payload` the whole payload. Offsets in a [`Stop`] count from the start of `payload`.
    pub fn resume<'p>(&mut self, header: &FragmentHeader, payload: &'p [u8]) -> Result<Decoded<'p>, Stop> {
        let packet = Packet {
            ipv6: header.ipv6,
            src: header.src,
            dst: header.dst,
            protocol: header.protocol,
            header_len: u32::from(header.header_len),
            total_len: u32::from(header.header_len).saturating_add(payload.len() as u32),
            payload,
            missing: 0,
            fragment: None,
        };
        let mut walk = Walk::new(&self.settings, &mut self.stats, payload, header.encap);
        let result = walk.packet(packet);
        self.stats.count(&result, true);
        result
    }

    /// What was counted so far.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }
}
