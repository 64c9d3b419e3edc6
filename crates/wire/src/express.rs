//! The straight way through the frames that nearly all traffic consists of: TCP in IPv4 in Ethernet, bare or
//! mirrored in VXLAN over IPv4. It is the general walk of `walk.rs` written out for this one order of headers,
//! at a fraction of its cost; whatever differs in any respect is left to that walk.
//!
//! Everything here is inlined into [`crate::Decoder::decode`], and the values stay small until the segment is
//! written to where the caller wants it: a copy of it would cost as much as reading a header.
use crate::config::UdpTunnel;
use crate::decap::vxlan::{self, Vxlan};
use crate::decoder::Settings;
use crate::ip::{Packet, ipv4, protocol};
use crate::link::{Next, ethernet};
use crate::tcp::{self, Tcp};
use crate::{Encap, Outer, Segment, TunnelKind, udp};

/// The headers of a frame that goes the straight way.
pub(crate) struct Express<'p> {
    packet: Packet<'p>,
    pub(crate) tcp: Tcp<'p>,
    pub(crate) vxlan: Option<Vxlan>,
    outer: Outer,
}

impl<'p> Express<'p> {
    /// Reads a frame, if it is of the right shape.
    #[inline(always)]
    pub(crate) fn read(settings: &Settings, frame: &'p [u8]) -> Option<Self> {
        let mut packet = ipv4_in_ethernet(frame)?;
        let mut outer = Outer::default();
        let mut tunnel = None;
        if packet.protocol == protocol::UDP {
            let udp = udp::parse(packet.payload).ok()?;
            if settings.udp_tunnel(udp.dport)? != UdpTunnel::Vxlan {
                return None;
            }
            let (vxlan, inner) = vxlan::parse(udp.payload).ok()?;
            outer = Outer { src: packet.src, dst: packet.dst, sport: udp.sport, dport: udp.dport };
            tunnel = Some(vxlan);
            packet = ipv4_in_ethernet(inner)?;
        }
        if packet.protocol != protocol::TCP {
            return None;
        }
        let tcp = tcp::parse(packet.payload, packet.missing).ok()?;
        Some(Self { packet, tcp, vxlan: tunnel, outer })
    }

    /// The segment that they carry.
    #[inline(always)]
    pub(crate) fn segment(&self) -> Segment<'p> {
        let encap = Encap {
            depth: u8::from(self.vxlan.is_some()),
            kind: self.vxlan.map(|_| TunnelKind::Vxlan),
            vni: self.vxlan.map(|vxlan| vxlan.vni),
            vlan: None,
            inner_vlan: None,
            outer: self.outer,
            geneve: None,
        };
        Segment::new(&self.packet, &self.tcp, encap)
    }
}

/// A whole IPv4 packet directly behind an Ethernet header. One without a length of its own is left to the
/// walk, which knows what the headers around it promise.
#[inline(always)]
fn ipv4_in_ethernet(frame: &[u8]) -> Option<Packet<'_>> {
    let Ok((Next::Ipv4, bytes)) = ethernet::parse(frame) else { return None };
    let Ok(packet) = ipv4::parse(bytes, 0) else { return None };
    let has_length = bytes.get(2..4)? != [0, 0];
    if has_length && packet.fragment.is_none() { Some(packet) } else { None }
}

#[cfg(test)]
mod tests {
    use crate::build::*;
    use crate::{Decoder, LinkType};
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// Segments, stops and counters are those of the general walk.
    fn check(frame: &[u8]) {
        let (mut straight, mut general) = (Decoder::default(), Decoder::default());
        general.settings.express = false;
        let expected = format!("{:?}", general.decode(LinkType::Ethernet, frame));
        assert_eq!(format!("{:?}", straight.decode(LinkType::Ethernet, frame)), expected);
        assert_eq!(straight.stats(), general.stats());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn agrees_with_the_walk(
            depth in 0..3_u32,
            changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
            cut in any::<Option<prop::sample::Index>>(),
        ) {
            let wrap = |frame: Bytes, vni| outer_udp(4789, &vxlan(vni, &frame));
            let mut frame = (0..depth).fold(inner_frame(), wrap);
            for (index, value) in changes {
                let position = index.index(frame.len());
                frame[position] = value;
            }
            if let Some(cut) = cut {
                frame.truncate(cut.index(frame.len() + 1));
            }
            check(&frame);
        }
    }
}
