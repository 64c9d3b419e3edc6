//! The kernel filter: which packets are worth copying into the ring.
//!
//! A packet whose headers the program does not look into (MPLS, PPPoE, IPv6 extension headers, a third VLAN
//! tag) is taken: it is rare where tunnels arrive, and refusing it would lose what the decoder can read.
use super::bpf::{Alu, Assembler, Label, PROTOCOL, Program, Size, Test};

/// EtherTypes of a VLAN tag that may stand in the frame. The outermost one never does: the kernel strips it.
const TAGS: [u32; 3] = [0x8100, 0x88a8, 0x9100];
/// How many of them are passed.
const MAX_TAGS: usize = 2;
/// EtherTypes that the decoder reads and the program does not: MPLS, PPPoE sessions, 802.1ah, VN-Tag.
const OPAQUE_ETHER_TYPES: [u32; 5] = [0x8847, 0x8848, 0x8864, 0x88e7, 0x8926];
/// IPv6 next headers that are extensions; all but the fragment header, and AH (which IPv4 has too).
const EXTENSIONS: [u32; 4] = [0, 43, 60, 135];

const TCP: u32 = 6;
const UDP: u32 = 17;
const IPV6_FRAGMENT: u32 = 44;
const AUTHENTICATION: u32 = 51;

/// Answer of a strict program: surely wanted.
#[cfg(any(test, feature = "af_xdp"))]
pub(super) const CERTAIN: u32 = 2;
/// Answer of a strict program: there may be a tunnel in it.
pub(super) const DOUBTFUL: u32 = 1;

/// Which packets a kernel filter takes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// UDP ports of tunnels, source or destination: VXLAN, GENEVE, GRE in UDP. Fragments of any UDP datagram
    /// come with them, since only the first carries the port.
    pub udp_ports: Vec<u16>,
    /// IP protocols of tunnels: 47 is GRE, 4 and 41 are IP in IP.
    pub ip_protocols: Vec<u8>,
    /// TCP that is in no tunnel.
    pub tcp: Tcp,
}

/// Which TCP segments a kernel filter takes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Tcp {
    /// None.
    No,
    /// All.
    All,
    /// Those from or to these ports, and all fragments.
    Ports(Vec<u16>),
}

impl Wanted {
    /// The tunnels that the decoder knows with these settings, and none of the TCP outside of them.
    pub fn tunnels(config: &harken_wire::Config) -> Self {
        let lists =
            [&config.vxlan_ports, &config.vxlan_gpe_ports, &config.geneve_ports, &config.gre_udp_ports];
        let udp_ports = lists.into_iter().flatten().copied().collect();
        Self { udp_ports, ip_protocols: vec![47, 4, 41], tcp: Tcp::No }
    }

    /// The program for frames whose IP header, without VLAN tags, begins at `link_header` (14 for Ethernet,
    /// 0 for raw IP). It gives `snaplen` for a packet that is wanted, 0 for others.
    pub fn program(&self, link_header: u32, snaplen: u32) -> Program {
        self.write(link_header, snaplen, true)
    }

    /// The program for a source that takes packets *away* from the host: [`CERTAIN`] for what is surely
    /// wanted (tunnels by their destination port, as the decoder has it), [`DOUBTFUL`] for what the other program
    /// would take unseen, fragments among it, 0 for the rest.
    #[cfg(any(test, feature = "af_xdp"))]
    pub(super) fn strict(&self, link_header: u32) -> Program {
        self.write(link_header, CERTAIN, false)
    }

    fn write(&self, link_header: u32, snaplen: u32, generous: bool) -> Program {
        let mut asm = Assembler::default();
        let asm = &mut asm;
        let [take, unseen, refuse, v4, v6, transport, tcp, udp] = [(); 8].map(|()| asm.label());
        let doubt = if generous { take } else { unseen };
        asm.constant(link_header);
        asm.x_is_a();
        asm.load_field(PROTOCOL);
        skip_tags(asm);
        asm.when(Test::Equal, 0x0800, v4);
        asm.when(Test::Equal, 0x86dd, v6);
        for ether_type in TAGS.into_iter().chain(OPAQUE_ETHER_TYPES) {
            asm.when(Test::Equal, ether_type, doubt);
        }
        asm.jump(refuse);

        asm.place(v4);
        let whole = asm.label();
        asm.load(Size::Half, 6);
        asm.unless(Test::Bits, 0x3fff, whole);
        // A fragment: its ports cannot be told.
        asm.load(Size::Byte, 9);
        self.protocols(asm, [doubt; 4]);
        asm.jump(refuse);
        asm.place(whole);
        asm.load(Size::Byte, 9);
        asm.store(0);
        skip_v4_header(asm);
        asm.jump(transport);

        asm.place(v6);
        asm.load(Size::Byte, 6);
        let [not_fragment, behind] = [(); 2].map(|()| asm.label());
        for extension in EXTENSIONS {
            // Reports of multicast groups have one, and come from every host: strictness looks behind it.
            asm.when(Test::Equal, extension, if generous { take } else { behind });
        }
        asm.unless(Test::Equal, IPV6_FRAGMENT, not_fragment);
        asm.place(behind);
        asm.load(Size::Byte, 40);
        self.protocols(asm, [doubt; 4]);
        asm.jump(refuse);
        asm.place(not_fragment);
        asm.store(0);
        asm.advance(40);

        asm.place(transport);
        asm.recall(0);
        self.protocols(asm, [take, doubt, tcp, udp]);
        asm.jump(refuse);
        asm.place(udp);
        // The decoder goes by the destination alone; generosity is for mirrors that swap ports.
        Self::ports(asm, if generous { &[0, 2] } else { &[2] }, &self.udp_ports, take);
        asm.jump(refuse);
        asm.place(tcp);
        match &self.tcp {
            Tcp::No => {}
            Tcp::All => asm.jump(take),
            Tcp::Ports(list) => Self::ports(asm, &[0, 2], list, take),
        }
        asm.place(refuse);
        asm.give(0);
        if !generous {
            asm.place(unseen);
            asm.give(DOUBTFUL);
        }
        asm.place(take);
        asm.give(snaplen);
        std::mem::take(asm).finish()
    }

    /// Branches by the IP protocol in `A`: to a tunnel, to what cannot be looked into, to TCP, to UDP.
    fn protocols(&self, asm: &mut Assembler, [take, doubt, tcp, udp]: [Label; 4]) {
        for protocol in &self.ip_protocols {
            asm.when(Test::Equal, u32::from(*protocol), take);
        }
        asm.when(Test::Equal, AUTHENTICATION, doubt);
        if !self.udp_ports.is_empty() {
            asm.when(Test::Equal, UDP, udp);
        }
        if self.tcp != Tcp::No {
            asm.when(Test::Equal, TCP, tcp);
        }
    }

    /// Goes to `take` when a port at one of these offsets from `X` is one of these.
    fn ports(asm: &mut Assembler, offsets: &[u32], ports: &[u16], take: Label) {
        for offset in offsets {
            asm.load(Size::Half, *offset);
            for port in ports {
                asm.when(Test::Equal, u32::from(*port), take);
            }
        }
    }
}

/// Scratch word of [`skip_tags`].
const BEHIND_TAG: u32 = 15;

/// `X` = behind the IPv4 header at `X`.
pub(super) fn skip_v4_header(asm: &mut Assembler) {
    asm.load(Size::Byte, 0);
    asm.alu(Alu::And, 0x0f);
    asm.alu(Alu::ShiftLeft, 2);
    asm.advance_by_a();
}

/// `A` is an EtherType and `X` behind it: passes VLAN tags.
pub(super) fn skip_tags(asm: &mut Assembler) {
    let done = asm.label();
    for _ in 0..MAX_TAGS {
        let tag = asm.label();
        for ether_type in TAGS {
            asm.when(Test::Equal, ether_type, tag);
        }
        asm.jump(done);
        asm.place(tag);
        asm.load(Size::Half, 2);
        asm.store(BEHIND_TAG);
        asm.advance(4);
        asm.recall(BEHIND_TAG);
    }
    asm.place(done);
}
