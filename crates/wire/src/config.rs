//! What the decoder can be told.

/// Tunnels that a UDP destination port announces.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum UdpTunnel {
    Vxlan,
    VxlanGpe,
    Geneve,
    Gre,
}

/// Settings of a [`crate::Decoder`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Tunnel headers that are taken off one frame; a packet with more is refused with
    /// [`crate::Reason::DepthExceeded`].
    pub max_depth: u8,
    /// UDP destination ports of VXLAN. Linux' legacy port 8472 is not among the defaults.
    pub vxlan_ports: Vec<u16>,
    /// UDP destination ports of VXLAN-GPE.
    pub vxlan_gpe_ports: Vec<u16>,
    /// UDP destination ports of GENEVE.
    pub geneve_ports: Vec<u16>,
    /// UDP destination ports of GRE in UDP, RFC 8086.
    pub gre_udp_ports: Vec<u16>,
    /// Refuse packets whose IPv4, TCP, tunnel UDP or GRE checksum is wrong. Off by default: mirrors carry
    /// checksums that were offloaded, or not computed because the packet was cut.
    pub verify_checksums: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_depth: 8,
            vxlan_ports: vec![4789],
            vxlan_gpe_ports: vec![4790],
            geneve_ports: vec![6081],
            gre_udp_ports: vec![4754],
            verify_checksums: false,
        }
    }
}

impl Config {
    /// One short list, to be searched once per datagram. A port named twice belongs to the first.
    pub(crate) fn udp_tunnels(&self) -> Box<[(u16, UdpTunnel)]> {
        let lists = [
            (&self.vxlan_ports, UdpTunnel::Vxlan),
            (&self.geneve_ports, UdpTunnel::Geneve),
            (&self.vxlan_gpe_ports, UdpTunnel::VxlanGpe),
            (&self.gre_udp_ports, UdpTunnel::Gre),
        ];
        lists.iter().flat_map(|(ports, kind)| ports.iter().map(|port| (*port, *kind))).collect()
    }
}
