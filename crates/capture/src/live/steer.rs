//! Which worker gets a packet, and which flows are refused under load: the kernel hashes the addresses of the
//! *inner* packet.
//!
//! The sum of their hashes is the same for both directions of a connection, and for all fragments of an inner
//! packet, whatever outer ports the mirror has chosen. One tunnel is looked into; a packet in no tunnel, or
//! behind headers that are not passed here, goes by its outermost addresses.
//!
//! A load beyond the packet's end makes the kernel end a program with 0: such a packet goes to the first
//! worker; under load it is refused.
use super::{
    bpf::{Alu, Assembler, Label, PACKET_TYPE, PROTOCOL, Program, Size, Test},
    filter::{skip_tags, skip_v4_header},
};
use harken_wire::Config;

/// Scratch word: where the outermost IP header begins.
const OUTER: u32 = 0;
/// Scratch word: an EtherType or protocol that is needed behind a header of variable length.
const KIND: u32 = 1;
/// Scratch word: the flags of a GRE header.
const FLAGS: u32 = 2;
/// Scratch word: where the IP header begins whose addresses count.
const PLACE: u32 = 3;
/// Scratch word: a hash on the way.
const PART: u32 = 4;
/// Scratch word: the hash of the first address, then of both.
const SUM: u32 = 5;
/// Length of a UDP header.
const UDP_HEADER: u32 = 8;

/// What a program answers.
#[derive(Clone, Copy)]
enum Answer {
    /// The number of one of so many workers.
    Worker(u16),
    /// How many bytes of the packet are taken: `all`, but of so many 256ths of all flows only `mark`.
    Taken { refused: u8, mark: u32, all: u32 },
}

impl Answer {
    /// For a packet whose addresses cannot be told.
    const fn without_addresses(self) -> u32 {
        match self {
            Self::Worker(_) => 0,
            Self::Taken { all, .. } => all,
        }
    }
}

/// Places that are jumped to.
struct Places {
    udp: Label,
    gre: Label,
    ethernet: Label,
    /// `X` is at an IP header of either version.
    ip: Label,
    v4: Label,
    v6: Label,
    /// By the outermost addresses.
    outer: Label,
    /// No IP at all.
    nothing: Label,
}

/// The program for `PACKET_FANOUT_CBPF`. The kernel runs it on the packet from its network header on; of a
/// packet on its way out, from its link header on, which is `link_header` bytes long.
pub(crate) fn of_packets(config: &Config, link_header: u32, workers: u16) -> Program {
    let mut asm = Assembler::default();
    let asm = &mut asm;
    let at = places(asm);
    let incoming = asm.label();
    asm.constant(0);
    asm.x_is_a();
    asm.load_field(PACKET_TYPE);
    asm.unless(Test::Equal, u32::from(libc::PACKET_OUTGOING), incoming);
    asm.constant(link_header);
    asm.x_is_a();
    asm.place(incoming);
    packet(asm, &at, config, Answer::Worker(workers));
    std::mem::take(asm).finish()
}

/// The program for `SO_ATTACH_FILTER` of a packet socket that takes one byte of the packets of `share` 256ths of
/// all flows, and `all` bytes of the others; as [`refusing`] does. The byte is there so that the packet can be
/// counted: what a filter refuses altogether the kernel counts nowhere.
pub(crate) fn marking(config: &Config, link_header: u32, share: u8, all: u32) -> Program {
    let mut asm = Assembler::default();
    let asm = &mut asm;
    let at = places(asm);
    asm.constant(link_header);
    asm.x_is_a();
    packet(asm, &at, config, Answer::Taken { refused: share, mark: 1, all });
    std::mem::take(asm).finish()
}

/// `X` is behind the link header.
fn packet(asm: &mut Assembler, at: &Places, config: &Config, answer: Answer) {
    asm.load_field(PROTOCOL);
    skip_tags(asm);
    asm.store_x(OUTER);
    let [outer_v4, outer_v6, transport] = [(); 3].map(|()| asm.label());
    asm.when(Test::Equal, 0x0800, outer_v4);
    asm.when(Test::Equal, 0x86dd, outer_v6);
    asm.jump(at.nothing);

    asm.place(outer_v4);
    // A fragment: what is inside cannot be told. The fanout has the kernel put them together before.
    asm.load(Size::Half, 6);
    asm.when(Test::Bits, 0x3fff, at.outer);
    asm.load(Size::Byte, 9);
    asm.store(KIND);
    skip_v4_header(asm);
    asm.jump(transport);
    asm.place(outer_v6);
    asm.load(Size::Byte, 6);
    asm.store(KIND);
    asm.advance(40);
    asm.place(transport);
    asm.recall(KIND);
    asm.when(Test::Equal, 17, at.udp);
    asm.when(Test::Equal, 47, at.gre);
    asm.when(Test::Equal, 4, at.ip);
    asm.when(Test::Equal, 41, at.ip);
    asm.jump(at.outer);

    asm.place(at.udp);
    let [vxlan, gpe, geneve, gre] = [(); 4].map(|()| asm.label());
    asm.load(Size::Half, 2);
    // In the decoder's order: a port that stands in two lists belongs to the first.
    let lists = [
        (&config.vxlan_ports, vxlan),
        (&config.geneve_ports, geneve),
        (&config.vxlan_gpe_ports, gpe),
        (&config.gre_udp_ports, gre),
    ];
    for (ports, label) in lists {
        for port in ports {
            asm.when(Test::Equal, u32::from(*port), label);
        }
    }
    asm.jump(at.outer);
    let tunnels = [(vxlan, Tunnel::Vxlan), (gpe, Tunnel::VxlanGpe), (geneve, Tunnel::Geneve)];
    for (label, tunnel) in tunnels {
        asm.place(label);
        asm.advance(8);
        tunnel.pass(asm, at);
    }
    asm.place(gre);
    asm.advance(8);
    asm.place(at.gre);
    pass_gre(asm, at);
    end(asm, at, true, answer);
}

/// The program for `SO_ATTACH_REUSEPORT_CBPF` of sockets on `port`. The kernel runs it on the payload of the
/// datagram: what is behind the UDP header.
pub(crate) fn of_datagrams(config: &Config, port: u16, workers: u16) -> Program {
    of_payload(config, port, 0, Answer::Worker(workers))
}

/// The program for `SO_ATTACH_FILTER` of a socket on `port` that refuses `share` 256ths of all flows, always
/// the same ones, and of a larger share those and more. The kernel runs it on the UDP header and what follows.
///
/// A hash of the addresses alone would do with few hosts all or nothing, so that of a TCP segment the ports
/// count, too. A fragment has none to go by; it may be taken where the rest of its flow is refused.
pub(crate) fn refusing(config: &Config, port: u16, share: u8) -> Program {
    of_payload(config, port, UDP_HEADER, Answer::Taken { refused: share, mark: 0, all: u32::MAX })
}

/// A program that finds what is behind a UDP header at `payload`.
fn of_payload(config: &Config, port: u16, payload: u32, answer: Answer) -> Program {
    let mut asm = Assembler::default();
    let asm = &mut asm;
    let at = places(asm);
    asm.constant(payload);
    asm.x_is_a();
    match Tunnel::of_port(config, port) {
        Some(tunnel) => tunnel.pass(asm, &at),
        None if config.gre_udp_ports.contains(&port) => pass_gre(asm, &at),
        None => asm.jump(at.nothing),
    }
    end(asm, &at, false, answer);
    std::mem::take(asm).finish()
}

fn places(asm: &mut Assembler) -> Places {
    let [udp, gre, ethernet, ip, v4, v6, outer, nothing] = [(); 8].map(|()| asm.label());
    Places { udp, gre, ethernet, ip, v4, v6, outer, nothing }
}

/// What lies behind a UDP port.
#[derive(Clone, Copy)]
enum Tunnel {
    Vxlan,
    VxlanGpe,
    Geneve,
}

impl Tunnel {
    fn of_port(config: &Config, port: u16) -> Option<Self> {
        let lists = [
            (&config.vxlan_ports, Self::Vxlan),
            (&config.geneve_ports, Self::Geneve),
            (&config.vxlan_gpe_ports, Self::VxlanGpe),
        ];
        lists.iter().find(|(ports, _)| ports.contains(&port)).map(|(_, tunnel)| *tunnel)
    }

    /// `X` is at the tunnel header: goes on to what is in it.
    fn pass(self, asm: &mut Assembler, at: &Places) {
        match self {
            Self::Vxlan => {
                asm.advance(8);
                asm.jump(at.ethernet);
            }
            Self::VxlanGpe => {
                asm.load(Size::Byte, 3);
                asm.store(KIND);
                asm.advance(8);
                asm.recall(KIND);
                for (protocol, label) in [(1, at.v4), (2, at.v6), (3, at.ethernet)] {
                    asm.when(Test::Equal, protocol, label);
                }
                asm.jump(at.outer);
            }
            Self::Geneve => {
                asm.load(Size::Half, 2);
                asm.store(KIND);
                // The options' length in words; they follow a header of 8 bytes.
                asm.load(Size::Byte, 0);
                asm.alu(Alu::And, 0x3f);
                asm.alu(Alu::ShiftLeft, 2);
                asm.alu(Alu::Add, 8);
                asm.advance_by_a();
                asm.recall(KIND);
                by_ether_type(asm, at);
            }
        }
    }
}

/// `X` is at a GRE header.
fn pass_gre(asm: &mut Assembler, at: &Places) {
    asm.load(Size::Half, 2);
    asm.store(KIND);
    asm.load(Size::Half, 0);
    asm.store(FLAGS);
    asm.advance(4);
    // Checksum or routing, key, sequence number: four bytes each.
    for flag in [0xc000, 0x2000, 0x1000] {
        let absent = asm.label();
        asm.recall(FLAGS);
        asm.unless(Test::Bits, flag, absent);
        asm.advance(4);
        asm.place(absent);
    }
    let [erspan, erspan3, erspan_header, none] = [(); 4].map(|()| asm.label());
    asm.recall(KIND);
    asm.when(Test::Equal, 0x88be, erspan);
    asm.when(Test::Equal, 0x22eb, erspan3);
    asm.jump(none);
    asm.place(erspan);
    // Type I has no header of its own, and no sequence number.
    asm.recall(FLAGS);
    asm.when(Test::Bits, 0x1000, erspan_header);
    asm.jump(at.ethernet);
    asm.place(erspan_header);
    asm.advance(8);
    asm.jump(at.ethernet);
    asm.place(erspan3);
    // 12 bytes, and 8 more when the last bit says that a platform header follows.
    asm.load(Size::Byte, 11);
    asm.alu(Alu::And, 1);
    asm.alu(Alu::ShiftLeft, 3);
    asm.alu(Alu::Add, 12);
    asm.advance_by_a();
    asm.jump(at.ethernet);
    asm.place(none);
    by_ether_type(asm, at);
}

/// Goes on by the EtherType in `A`; `X` is behind the header that held it.
fn by_ether_type(asm: &mut Assembler, at: &Places) {
    let ether_types = [(0x6558, at.ethernet), (0x0800, at.v4), (0x86dd, at.v6)];
    for (ether_type, label) in ether_types {
        asm.when(Test::Equal, ether_type, label);
    }
    asm.jump(at.outer);
}

/// The end of each program: from an Ethernet or IP header to the answer. Unless the outer addresses are seen,
/// what would go by them is answered as what has none.
fn end(asm: &mut Assembler, at: &Places, outer_seen: bool, answer: Answer) {
    asm.place(at.ethernet);
    asm.load(Size::Half, 12);
    asm.store(KIND);
    asm.advance(14);
    asm.recall(KIND);
    skip_tags(asm);
    asm.when(Test::Equal, 0x0800, at.v4);
    asm.when(Test::Equal, 0x86dd, at.v6);
    asm.jump(at.outer);

    // Behind the jumps that lead to it: from here on nothing fails any more.
    if outer_seen {
        asm.place(at.outer);
        asm.recall_x(OUTER);
    }
    asm.place(at.ip);
    asm.load(Size::Byte, 0);
    asm.alu(Alu::And, 0xf0);
    asm.when(Test::Equal, 0x40, at.v4);
    asm.when(Test::Equal, 0x60, at.v6);
    asm.place(at.nothing);
    if !outer_seen {
        asm.place(at.outer);
    }
    asm.give(answer.without_addresses());

    let mix = asm.label();
    let by_ports = matches!(answer, Answer::Taken { .. });
    asm.place(at.v4);
    hash_pair(asm, [12, 16], 1);
    if by_ports {
        add_ports(asm, true);
    }
    asm.jump(mix);
    asm.place(at.v6);
    hash_pair(asm, [8, 24], 4);
    if by_ports {
        add_ports(asm, false);
    }
    asm.place(mix);
    asm.alu(Alu::Multiply, 0x85eb_ca6b);
    fold(asm, 13);
    match answer {
        Answer::Worker(workers) => {
            asm.alu(Alu::Remainder, u32::from(workers.max(1)));
            asm.give_a();
        }
        Answer::Taken { refused, mark, all } => {
            // The fold has mixed the lower bits.
            asm.alu(Alu::And, 0xff);
            let taken = asm.label();
            asm.when(Test::AtLeast, u32::from(refused), taken);
            asm.give(mark);
            asm.place(taken);
            asm.give(all);
        }
    }
}

/// Adds to the hash of the addresses in `A` that of each port, for a whole TCP segment behind the IP header at
/// `PLACE`: the same for both orders.
fn add_ports(asm: &mut Assembler, v4: bool) {
    let addresses_alone = asm.label();
    asm.store(SUM);
    asm.recall_x(PLACE);
    if v4 {
        asm.load(Size::Half, 6);
        asm.when(Test::Bits, 0x3fff, addresses_alone);
    }
    asm.load(Size::Byte, if v4 { 9 } else { 6 });
    asm.unless(Test::Equal, 6, addresses_alone);
    if v4 {
        skip_v4_header(asm);
    } else {
        asm.advance(40);
    }
    asm.store_x(PLACE);
    for port in [0, 2] {
        asm.recall_x(PLACE);
        asm.load(Size::Half, port);
        asm.alu(Alu::Multiply, 0x9e37_79b1);
        fold(asm, 16);
        asm.recall_x(SUM);
        asm.alu_x(Alu::Add);
        asm.store(SUM);
    }
    asm.place(addresses_alone);
    asm.recall(SUM);
}

/// `A` = hash of the address at the one offset from `X` plus that of the other: the same for both orders.
/// (The addresses' XOR would be so too, but eight neighbouring clients of eight servers have eight values of
/// it, which cannot be spread.)
fn hash_pair(asm: &mut Assembler, addresses: [u32; 2], words: u32) {
    // `X` has to hold the place of the one operand and the value of the other in turn.
    asm.store_x(PLACE);
    for (n, address) in addresses.into_iter().enumerate() {
        asm.constant(0);
        asm.store(PART);
        for word in 0..words {
            asm.recall_x(PLACE);
            asm.load(Size::Word, address + 4 * word);
            asm.recall_x(PART);
            asm.alu_x(Alu::Xor);
            asm.alu(Alu::Multiply, 0x9e37_79b1);
            asm.store(PART);
        }
        fold(asm, 16);
        if n == 0 {
            asm.store(SUM);
        }
    }
    asm.recall_x(SUM);
    asm.alu_x(Alu::Add);
}

/// `A` = `A` XOR its own upper bits, which a multiplication has filled.
fn fold(asm: &mut Assembler, shift: u32) {
    asm.store(PART);
    asm.alu(Alu::ShiftRight, shift);
    asm.recall_x(PART);
    asm.alu_x(Alu::Xor);
}
