//! The walk over one frame: header by header, in one pass, without recursion.
use crate::config::UdpTunnel;
use crate::datagram::may_begin_quic;
use crate::decap::{Carries, erspan, geneve, gre, ipip, vxlan, vxlan_gpe};
use crate::decoder::Settings;
use crate::ip::{Packet, ah, ipv4, ipv6, protocol};
use crate::link::{self, Next};
use crate::{
    Datagram, Decoded, Encap, Fragment, FragmentHeader, Layer, LinkType, Outer, Reason, Segment, Stats, Stop,
    TunnelKind, checksum, tcp, udp,
};

/// Most Ethernet headers, tags and label stacks in one frame, tunnels included.
const MAX_LINK_HEADERS: u8 = 64;

/// Where the walk stands.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'p> {
    /// The header that was read last, which a refusal of what it carries is put down to.
    layer: Layer,
    /// Its bytes.
    header: &'p [u8],
    /// What it says comes next.
    next: Next,
    /// The bytes that come next.
    bytes: &'p [u8],
}

/// What an IP packet carries.
enum Inside<'p> {
    Tunnel(Cursor<'p>),
    Tcp,
    /// A datagram that may begin a QUIC connection.
    Datagram,
}

/// One frame on its way through the headers.
pub(crate) struct Walk<'d, 'p> {
    settings: &'d Settings,
    stats: &'d mut Stats,
    frame: &'p [u8],
    encap: Encap,
    /// Bytes that the innermost length so far promises beyond the captured ones.
    missing: u32,
    link_headers: u8,
    tags: u8,
}

impl<'d, 'p> Walk<'d, 'p> {
    #[inline]
    pub(crate) fn new(settings: &'d Settings, stats: &'d mut Stats, frame: &'p [u8], encap: Encap) -> Self {
        Self { settings, stats, frame, encap, missing: 0, link_headers: 0, tags: 0 }
    }

    /// Walks a frame from its link header on.
    #[inline]
    pub(crate) fn link(&mut self, link: LinkType) -> Result<Decoded<'p>, Stop> {
        let bytes = self.frame;
        let (layer, step) = match link {
            LinkType::Ethernet => (Layer::Ethernet, Ok((Next::Ethernet, bytes))),
            LinkType::RawIp => (Layer::RawIp, Ok((Next::Ip, bytes))),
            LinkType::LinuxSll => (Layer::Sll, link::sll::parse(bytes)),
            LinkType::LinuxSll2 => (Layer::Sll, link::sll::parse_v2(bytes)),
            LinkType::Null | LinkType::Loop => (Layer::Null, link::null::parse(bytes)),
            LinkType::Ppp => (Layer::Ppp, Ok((Next::Ppp, bytes))),
            LinkType::PppEther => (Layer::Pppoe, Ok((Next::Pppoe, bytes))),
            LinkType::Chdlc => (Layer::Chdlc, link::chdlc::parse(bytes)),
            LinkType::Mpls => (Layer::Mpls, Ok((Next::Mpls, bytes))),
            LinkType::Wlan => (Layer::Wlan, Ok((Next::Wlan, bytes))),
            LinkType::WlanRadiotap => (Layer::Wlan, link::wlan::parse_radiotap(bytes)),
            LinkType::Nflog => (Layer::Nflog, link::nflog::parse(bytes)),
        };
        let (next, rest) = step.map_err(|reason| self.stop(layer, bytes, reason))?;
        self.run(Cursor { layer, header: bytes, next, bytes: rest })
    }

    /// Walks on from an IP packet.
    #[inline]
    pub(crate) fn packet(&mut self, mut packet: Packet<'p>) -> Result<Decoded<'p>, Stop> {
        match self.decapsulate(&mut packet)? {
            Inside::Tunnel(cursor) => self.run(cursor),
            Inside::Tcp => self.tcp(&packet),
            Inside::Datagram => self.datagram(&packet),
        }
    }

    fn run(&mut self, mut cursor: Cursor<'p>) -> Result<Decoded<'p>, Stop> {
        loop {
            let bytes = cursor.bytes;
            let (layer, step) = match cursor.next {
                Next::Ipv4 | Next::Ipv6 => {
                    let mut packet = self.ip(cursor.next, bytes)?;
                    if packet.fragment.is_some() {
                        return Ok(self.fragment(&packet));
                    }
                    if packet.protocol == protocol::TCP {
                        return self.tcp(&packet);
                    }
                    match self.decapsulate(&mut packet)? {
                        Inside::Tunnel(inner) => cursor = inner,
                        Inside::Tcp => return self.tcp(&packet),
                        Inside::Datagram => return self.datagram(&packet),
                    }
                    continue;
                }
                Next::Ethernet => {
                    (self.encap.vlan, self.encap.inner_vlan, self.tags) = (None, None, 0);
                    (Layer::Ethernet, link::ethernet::parse(bytes))
                }
                Next::Vlan => {
                    self.tags += 1;
                    if self.tags > link::vlan::MAX_TAGS {
                        return Err(self.stop(Layer::Vlan, bytes, Reason::TooManyHeaders));
                    }
                    (Layer::Vlan, link::vlan::parse(bytes, &mut self.encap))
                }
                Next::Ip => match bytes.first().map(|byte| byte >> 4) {
                    Some(4) => {
                        cursor.next = Next::Ipv4;
                        continue;
                    }
                    Some(6) => {
                        cursor.next = Next::Ipv6;
                        continue;
                    }
                    Some(_) => return Err(self.stop(cursor.layer, cursor.header, Reason::BadVersion)),
                    None => return Err(self.stop(cursor.layer, cursor.header, Reason::HeaderTruncated)),
                },
                Next::EtherType(ether_type) => {
                    return Err(self.stop(cursor.layer, cursor.header, not_read(ether_type)));
                }
                Next::Llc => (Layer::Llc, link::llc::parse(bytes)),
                Next::VnTag => (Layer::Vlan, link::vlan::parse_vn_tag(bytes)),
                Next::Pbb => (Layer::Pbb, link::pbb::parse(bytes)),
                Next::Mpls => (Layer::Mpls, link::mpls::parse(bytes)),
                Next::Pppoe => (Layer::Pppoe, link::pppoe::parse(bytes)),
                Next::Ppp => (Layer::Ppp, link::ppp::parse(bytes)),
                Next::Wlan => (Layer::Wlan, link::wlan::parse(bytes)),
            };
            self.link_headers += 1;
            if self.link_headers > MAX_LINK_HEADERS {
                return Err(self.stop(layer, bytes, Reason::TooManyHeaders));
            }
            match step {
                Ok((next, rest)) => cursor = Cursor { layer, header: bytes, next, bytes: rest },
                Err(reason) => return Err(self.stop(layer, bytes, reason)),
            }
        }
    }

    #[inline]
    fn ip(&mut self, version: Next, bytes: &'p [u8]) -> Result<Packet<'p>, Stop> {
        let packet = if version == Next::Ipv4 {
            let packet =
                ipv4::parse(bytes, self.missing).map_err(|reason| self.stop(Layer::Ipv4, bytes, reason))?;
            if self.settings.verify_checksums {
                let header = bytes.get(..packet.header_len as usize).unwrap_or_default();
                self.verified(checksum::verify(header), Layer::Ipv4, bytes)?;
            }
            packet
        } else {
            ipv6::parse(bytes, self.missing).map_err(|reason| self.stop(Layer::Ipv6, bytes, reason))?
        };
        self.missing = packet.missing;
        Ok(packet)
    }

    #[inline]
    fn tcp(&mut self, packet: &Packet<'p>) -> Result<Decoded<'p>, Stop> {
        let bytes = packet.payload;
        let tcp = tcp::parse(bytes, packet.missing).map_err(|reason| self.stop(Layer::Tcp, bytes, reason))?;
        if self.settings.verify_checksums {
            self.verify_transport(packet, Layer::Tcp)?;
        }
        Ok(Decoded::Tcp(Segment::new(packet, &tcp, self.encap)))
    }

    #[cold]
    fn fragment(&self, packet: &Packet<'p>) -> Decoded<'p> {
        let part = packet.fragment.unwrap_or_default();
        Decoded::Fragment(Fragment {
            header: FragmentHeader {
                src: packet.src,
                dst: packet.dst,
                id: part.id,
                protocol: packet.protocol,
                ipv6: packet.ipv6,
                header_len: packet.header_len as u16,
                encap: self.encap,
            },
            offset: part.offset,
            more: part.more,
            payload: packet.payload,
            truncated: packet.missing,
        })
    }

    /// Takes off what an IP packet carries if that is a tunnel.
    #[inline]
    fn decapsulate(&mut self, packet: &mut Packet<'p>) -> Result<Inside<'p>, Stop> {
        if packet.protocol == protocol::AH {
            self.skip_ah(packet)?;
        }
        match packet.protocol {
            protocol::UDP => self.udp(packet),
            protocol::TCP => Ok(Inside::Tcp),
            protocol::GRE => {
                let outer = Outer { src: packet.src, dst: packet.dst, sport: 0, dport: 0 };
                self.gre(packet.payload, outer).map(Inside::Tunnel)
            }
            number => match ipip::carries(number) {
                Some(next) => {
                    let bytes = packet.payload;
                    let outer = Outer { src: packet.src, dst: packet.dst, sport: 0, dport: 0 };
                    self.enter(TunnelKind::IpIp, None, outer, Layer::IpIp, bytes)?;
                    Ok(Inside::Tunnel(Cursor { layer: Layer::IpIp, header: bytes, next, bytes }))
                }
                None => Err(self.no_tunnel(packet)),
            },
        }
    }

    #[inline]
    fn udp(&mut self, packet: &Packet<'p>) -> Result<Inside<'p>, Stop> {
        let header = packet.payload;
        let udp = udp::parse(header).map_err(|reason| self.stop(Layer::Udp, header, reason))?;
        let Some(tunnel) = self.settings.udp_tunnel(udp.dport) else {
            if may_begin_quic(udp.payload) {
                return Ok(Inside::Datagram);
            }
            return Err(self.stop(Layer::Udp, header, Reason::NotATunnel));
        };
        if self.settings.verify_checksums && udp.checksum != 0 {
            self.verify_transport(packet, Layer::Udp)?;
        }
        let outer = Outer { src: packet.src, dst: packet.dst, sport: udp.sport, dport: udp.dport };
        self.udp_tunnel(tunnel, udp.payload, outer).map(Inside::Tunnel)
    }

    #[inline]
    fn udp_tunnel(&mut self, tunnel: UdpTunnel, bytes: &'p [u8], outer: Outer) -> Result<Cursor<'p>, Stop> {
        match tunnel {
            UdpTunnel::Vxlan => {
                let (vxlan, frame) =
                    vxlan::parse(bytes).map_err(|reason| self.stop(Layer::Vxlan, bytes, reason))?;
                self.enter(TunnelKind::Vxlan, Some(vxlan.vni), outer, Layer::Vxlan, bytes)?;
                self.stats.vxlan_reserved_bits += u64::from(vxlan.reserved_bits);
                Ok(Cursor { layer: Layer::Vxlan, header: bytes, next: Next::Ethernet, bytes: frame })
            }
            UdpTunnel::Geneve => self.geneve(bytes, outer),
            UdpTunnel::VxlanGpe => {
                let (gpe, rest) =
                    vxlan_gpe::parse(bytes).map_err(|reason| self.stop(Layer::VxlanGpe, bytes, reason))?;
                self.enter(TunnelKind::VxlanGpe, Some(gpe.vni), outer, Layer::VxlanGpe, bytes)?;
                Ok(Cursor { layer: Layer::VxlanGpe, header: bytes, next: next(gpe.carries), bytes: rest })
            }
            UdpTunnel::Gre => self.gre(bytes, outer),
        }
    }

    #[cold]
    fn datagram(&mut self, packet: &Packet<'p>) -> Result<Decoded<'p>, Stop> {
        let header = packet.payload;
        let udp = udp::parse(header).map_err(|reason| self.stop(Layer::Udp, header, reason))?;
        Ok(Decoded::Datagram(Datagram {
            src: packet.src,
            dst: packet.dst,
            sport: udp.sport,
            dport: udp.dport,
            payload: udp.payload,
            encap: self.encap,
        }))
    }

    fn geneve(&mut self, bytes: &'p [u8], outer: Outer) -> Result<Cursor<'p>, Stop> {
        let (header, rest) =
            geneve::parse(bytes).map_err(|reason| self.stop(Layer::Geneve, bytes, reason))?;
        self.enter(TunnelKind::Geneve, Some(header.vni), outer, Layer::Geneve, bytes)?;
        if !header.options.is_empty() {
            let options = geneve::parse_options(header.options);
            if options.known.is_some() {
                self.encap.geneve = options.known;
            }
            self.stats.geneve_unknown_critical += u64::from(options.unknown_critical);
            self.stats.geneve_bad_options += u64::from(options.malformed);
        }
        let next = next(Carries::EtherType(header.protocol));
        Ok(Cursor { layer: Layer::Geneve, header: bytes, next, bytes: rest })
    }

    fn gre(&mut self, bytes: &'p [u8], outer: Outer) -> Result<Cursor<'p>, Stop> {
        let (gre, rest) = gre::parse(bytes).map_err(|reason| self.stop(Layer::Gre, bytes, reason))?;
        if self.settings.verify_checksums && gre.has_checksum {
            if self.missing == 0 {
                self.verified(checksum::verify(bytes), Layer::Gre, bytes)?;
            } else {
                self.stats.checksums_unverified += 1;
            }
        }
        let shape = match gre.payload {
            gre::Payload::Erspan(shape) => shape,
            gre::Payload::Plain(carries) => {
                self.enter(gre.kind, gre.vni, outer, Layer::Gre, bytes)?;
                return Ok(Cursor { layer: Layer::Gre, header: bytes, next: next(carries), bytes: rest });
            }
        };
        let (erspan, behind) =
            erspan::parse(shape, rest).map_err(|reason| self.stop(Layer::Erspan, rest, reason))?;
        self.enter(gre.kind, erspan.session.or(gre.vni), outer, Layer::Erspan, rest)?;
        Ok(Cursor { layer: Layer::Erspan, header: rest, next: next(erspan.carries), bytes: behind })
    }

    /// Notes a tunnel header. A tunnel without an identifier keeps that of the one around it.
    #[inline]
    fn enter(
        &mut self,
        kind: TunnelKind,
        vni: Option<u32>,
        outer: Outer,
        layer: Layer,
        header: &'p [u8],
    ) -> Result<(), Stop> {
        if self.encap.depth >= self.settings.max_depth {
            return Err(self.stop(layer, header, Reason::DepthExceeded));
        }
        if self.encap.depth == 0 {
            self.encap.outer = outer;
        }
        self.encap.depth += 1;
        self.encap.kind = Some(kind);
        if vni.is_some() {
            self.encap.vni = vni;
        }
        self.stats.count_tunnel(kind);
        Ok(())
    }

    #[cold]
    fn skip_ah(&mut self, packet: &mut Packet<'p>) -> Result<(), Stop> {
        let bytes = packet.payload;
        let length = ah::length(bytes).map_err(|reason| self.stop(Layer::Ah, bytes, reason))?;
        let Some(rest) = bytes.get(length..) else {
            return Err(self.stop(Layer::Ah, bytes, Reason::HeaderTruncated));
        };
        packet.protocol = bytes.first().copied().unwrap_or_default();
        packet.header_len += length as u32;
        packet.payload = rest;
        Ok(())
    }

    /// Why a packet that carries neither TCP nor a tunnel is not read.
    #[cold]
    fn no_tunnel(&self, packet: &Packet<'p>) -> Stop {
        let reason = match packet.protocol {
            protocol::ICMP => Reason::Icmp,
            protocol::ICMPV6 => Reason::Icmpv6,
            protocol::IGMP => Reason::Igmp,
            protocol::SCTP => Reason::Sctp,
            protocol::ESP => Reason::Encrypted,
            protocol::NO_NEXT_HEADER => Reason::NoNextHeader,
            _ => Reason::UnknownProtocol,
        };
        let layer = if packet.ipv6 { Layer::Ipv6 } else { Layer::Ipv4 };
        let payload_at = self.offset(packet.payload);
        Stop { layer, offset: payload_at.saturating_sub(packet.header_len), reason }
    }

    #[cold]
    fn verify_transport(&mut self, packet: &Packet<'p>, layer: Layer) -> Result<(), Stop> {
        if packet.missing != 0 {
            self.stats.checksums_unverified += 1;
            return Ok(());
        }
        let right = checksum::verify_transport(packet.src, packet.dst, packet.protocol, packet.payload);
        self.verified(right, layer, packet.payload)
    }

    #[cold]
    fn verified(&mut self, right: bool, layer: Layer, header: &'p [u8]) -> Result<(), Stop> {
        if right {
            self.stats.checksums_good += 1;
            return Ok(());
        }
        self.stats.checksums_bad += 1;
        Err(self.stop(layer, header, Reason::Checksum))
    }

    #[cold]
    fn stop(&self, layer: Layer, header: &'p [u8], reason: Reason) -> Stop {
        Stop { layer, offset: self.offset(header), reason }
    }

    /// Where a part of the frame begins in it.
    fn offset(&self, part: &'p [u8]) -> u32 {
        part.as_ptr().addr().wrapping_sub(self.frame.as_ptr().addr()) as u32
    }
}

/// What a tunnel carries, as the walk goes on with it.
#[inline]
fn next(carries: Carries) -> Next {
    match carries {
        Carries::Ethernet => Next::Ethernet,
        Carries::Ip => Next::Ip,
        Carries::EtherType(ether_type) => Next::from_ether_type(ether_type),
        Carries::Wlan => Next::Wlan,
    }
}

/// Why an EtherType is not read.
const fn not_read(ether_type: u16) -> Reason {
    match ether_type {
        0x0806 | 0x8035 => Reason::Arp,
        // PPPoE discovery.
        0x8863 => Reason::ControlPacket,
        // MACsec.
        0x88e5 => Reason::Encrypted,
        _ => Reason::UnknownProtocol,
    }
}
