//! The XDP program: which packets are taken away from the host, and which worker gets one.
//!
//! Both questions are answered by the programs that packet sockets use (`filter.rs`, `steer.rs`), in classic
//! BPF. Here they are translated into eBPF, as the kernel does it itself for a socket: one instruction becomes
//! a few, and a load is checked against the packet's end. So there is one set of rules for both sources, and no
//! compiler is needed.
use crate::live::{
    bpf::{Instruction, Label, Labels, PACKET_TYPE, PROTOCOL},
    filter::{DOUBTFUL, Wanted},
    steer,
};

/// Length of the Ethernet header.
const LINK_HEADER: u32 = 14;
/// Offset of its EtherType.
const ETHER_TYPE: u32 = 12;
/// Loads behind this are not made: headers stand before it, and the verifier wants a bound.
const FAR: u32 = 4096;

// Registers. The first six are the helper's to overwrite, which is called last.
const R0: u8 = 0;
/// Where the packet begins.
const DATA: u8 = 2;
/// Where it ends.
const END: u8 = 3;
const R4: u8 = 4;
const R5: u8 = 5;
/// `struct xdp_md`.
const CONTEXT: u8 = 6;
/// Accumulator of classic BPF.
const A: u8 = 7;
/// Its index.
const X: u8 = 8;
/// End of the stack, where the scratch words are.
const FRAME: u8 = 10;
/// Scratch words of classic BPF.
const WORDS: u32 = 16;

// Fields of `struct xdp_md`.
const MD_DATA: i16 = 0;
const MD_DATA_END: i16 = 4;
const MD_RX_QUEUE: i16 = 16;

// Operations; see <linux/bpf.h>. Those ending in 32 leave zeros in the upper half.
const LOAD_WORD: u8 = 0x61;
const STORE_WORD: u8 = 0x63;
const STORE_ZEROS: u8 = 0x7a; // 8 bytes
const MOVE_CONSTANT_32: u8 = 0xb4;
const MOVE_32: u8 = 0xbc;
const MOVE: u8 = 0xbf;
const ADD: u8 = 0x0f;
const ADD_CONSTANT: u8 = 0x07;
const ADD_32: u8 = 0x0c;
const ADD_CONSTANT_32: u8 = 0x04;
const MULTIPLY_CONSTANT_32: u8 = 0x24;
const TO_BIG_ENDIAN: u8 = 0xdc;
const JUMP: u8 = 0x05;
const IF_GREATER: u8 = 0x2d;
const IF_GREATER_CONSTANT_32: u8 = 0x26;
const LOAD_ADDRESS: u8 = 0x18; // two instructions long
const ATOMIC_ADD: u8 = 0xdb; // 8 bytes
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;

/// `bpf_redirect_map`.
const REDIRECT_MAP: i32 = 51;
/// The packet goes on to the kernel; as the helper's flag: also when there is no socket.
const XDP_PASS: i32 = 2;
/// The address loaded is that of a map, named by its descriptor.
const OF_MAP: u8 = 1;
/// The address loaded is that of a value in a map.
const OF_VALUE: u8 = 2;

/// One eBPF instruction, as the kernel has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub(crate) struct Insn {
    code: u8,
    /// Destination in the lower half, source in the upper one (on little-endian machines).
    registers: u8,
    offset: i16,
    constant: i32,
}

/// What a classic program's end means.
#[derive(Clone, Copy)]
enum Ends {
    /// The filter: on to the next part, or one of these places.
    Filter { next: Label, doubtful: Label, pass: Label },
    /// The answer is in `A`.
    Steer { taken: Label },
}

/// The program for these tunnels. `sockets` is the descriptor of the map with `workers` sockets for each queue;
/// `passed` that of an array, whose first value counts doubtful packets.
///
/// `None` when one of the parts has an instruction that is not known here.
pub(crate) fn redirect(
    tunnels: &harken_wire::Config,
    workers: u16,
    sockets: i32,
    passed: i32,
) -> Option<Vec<Insn>> {
    let mut to = Writer::default();
    let [steering, taken, doubtful, pass] = [(); 4].map(|()| to.label());
    to.push(MOVE, CONTEXT, 1, 0, 0);
    to.push(LOAD_WORD, DATA, CONTEXT, MD_DATA, 0);
    to.push(LOAD_WORD, END, CONTEXT, MD_DATA_END, 0);
    for word in 0..WORDS / 2 {
        to.push(STORE_ZEROS, FRAME, 0, -8 * (word as i16 + 1), 0);
    }
    let ends = Ends::Filter { next: steering, doubtful, pass };
    to.classic(Wanted::tunnels(tunnels).strict(LINK_HEADER).instructions(), ends)?;
    to.place(steering);
    if workers > 1 {
        let steer = steer::of_packets(tunnels, LINK_HEADER, workers);
        to.classic(steer.instructions(), Ends::Steer { taken })?;
    } else {
        to.push(MOVE_CONSTANT_32, A, 0, 0, 0);
    }
    to.place(taken);
    // The sockets of a queue stand next to each other in the map.
    to.push(LOAD_WORD, 2, CONTEXT, MD_RX_QUEUE, 0);
    to.push(MULTIPLY_CONSTANT_32, 2, 0, 0, i32::from(workers));
    to.push(ADD_32, 2, A, 0, 0);
    to.address(1, OF_MAP, sockets);
    to.push(MOVE_CONSTANT_32, 3, 0, 0, XDP_PASS);
    to.push(CALL, 0, 0, 0, REDIRECT_MAP);
    to.push(EXIT, 0, 0, 0, 0);
    to.place(doubtful);
    to.address(1, OF_VALUE, passed);
    to.push(MOVE_CONSTANT_32, 2, 0, 0, 1);
    to.push(ATOMIC_ADD, 1, 2, 0, 0);
    to.place(pass);
    to.push(MOVE_CONSTANT_32, R0, 0, 0, XDP_PASS);
    to.push(EXIT, 0, 0, 0, 0);
    to.finish()
}

#[derive(Default)]
struct Writer {
    code: Vec<Insn>,
    labels: Labels,
}

impl Writer {
    fn label(&mut self) -> Label {
        self.labels.add()
    }

    fn place(&mut self, label: Label) {
        self.labels.place(label, self.code.len());
    }

    fn push(&mut self, code: u8, destination: u8, source: u8, offset: i16, constant: i32) {
        let registers = if cfg!(target_endian = "little") {
            source << 4 | destination
        } else {
            destination << 4 | source
        };
        self.code.push(Insn { code, registers, offset, constant });
    }

    fn jump(&mut self, code: u8, register: u8, source: u8, constant: i32, label: Label) {
        self.labels.jump(self.code.len(), label);
        self.push(code, register, source, 0, constant);
    }

    fn address(&mut self, register: u8, of: u8, descriptor: i32) {
        self.push(LOAD_ADDRESS, register, of, 0, descriptor);
        self.push(0, 0, 0, 0, 0);
    }

    /// Translates a program of classic BPF. The one for steering expects the packet from its network header on,
    /// or, of a packet on its way out, from its link header on: the latter is what is here.
    fn classic(&mut self, program: &[Instruction], ends: Ends) -> Option<()> {
        let labels: Vec<Label> = program.iter().map(|_| self.label()).collect();
        // A load beyond the packet's end gives 0.
        let failed = self.label();
        let mut skip = false;
        for (at, instruction) in program.iter().enumerate() {
            self.place(*labels.get(at)?);
            if std::mem::take(&mut skip) {
                continue;
            }
            let Instruction { code, if_true, if_false, k } = *instruction;
            let ahead = |n: usize| labels.get(at.checked_add(n)?.checked_add(1)?).copied();
            let constant = k.cast_signed();
            match code {
                0x28 if k == PROTOCOL => {
                    self.push(MOVE_CONSTANT_32, R4, 0, 0, ETHER_TYPE.cast_signed());
                    self.load(0x08, failed);
                }
                0x28 if k == PACKET_TYPE => {
                    self.push(MOVE_CONSTANT_32, A, 0, 0, i32::from(libc::PACKET_OUTGOING));
                }
                0x40 | 0x48 | 0x50 => {
                    self.push(MOVE_32, R4, X, 0, 0);
                    self.push(ADD_CONSTANT_32, R4, 0, 0, constant);
                    self.load(code as u8 & 0x18, failed);
                }
                0x00 => self.push(MOVE_CONSTANT_32, A, 0, 0, constant),
                0x60 => self.push(LOAD_WORD, A, FRAME, scratch(k)?, 0),
                0x61 => self.push(LOAD_WORD, X, FRAME, scratch(k)?, 0),
                0x02 => self.push(STORE_WORD, FRAME, A, scratch(k)?, 0),
                0x03 => self.push(STORE_WORD, FRAME, X, scratch(k)?, 0),
                0x07 => self.push(MOVE_32, X, A, 0, 0),
                0x87 => self.push(MOVE_32, A, X, 0, 0),
                // Add, multiply, and, shifts, remainder, XOR: the numbers are those of 32-bit eBPF.
                0x04 | 0x24 | 0x54 | 0x64 | 0x74 | 0x94 | 0xa4 => self.push(code as u8, A, 0, 0, constant),
                0x0c | 0x2c | 0x5c | 0xac => self.push(code as u8, A, X, 0, 0),
                0x05 => self.jump(JUMP, 0, 0, 0, ahead(k as usize)?),
                0x15 | 0x35 | 0x45 => {
                    // The same comparison, of the lower halves.
                    let compare = code as u8 & 0xf0 | 0x06;
                    match program.get(at.checked_add(1)?) {
                        // As `Assembler::when` writes it; here a test reaches as far as the jump behind it.
                        Some(&Instruction { code: 0x05, k, .. }) if (if_true, if_false) == (0, 1) => {
                            let target = labels.get(at.checked_add(2)?.checked_add(k as usize)?)?;
                            self.jump(compare, A, 0, constant, *target);
                            skip = true;
                        }
                        _ => {
                            self.jump(compare, A, 0, constant, ahead(usize::from(if_true))?);
                            if if_false > 0 {
                                self.jump(JUMP, 0, 0, 0, ahead(usize::from(if_false))?);
                            }
                        }
                    }
                }
                0x06 => match ends {
                    Ends::Filter { pass, .. } if k == 0 => self.jump(JUMP, 0, 0, 0, pass),
                    Ends::Filter { doubtful, .. } if k == DOUBTFUL => self.jump(JUMP, 0, 0, 0, doubtful),
                    Ends::Filter { next, .. } => self.jump(JUMP, 0, 0, 0, next),
                    Ends::Steer { taken } => {
                        self.push(MOVE_CONSTANT_32, A, 0, 0, constant);
                        self.jump(JUMP, 0, 0, 0, taken);
                    }
                },
                0x16 => match ends {
                    Ends::Filter { .. } => return None,
                    Ends::Steer { taken } => self.jump(JUMP, 0, 0, 0, taken),
                },
                _ => return None,
            }
        }
        self.place(failed);
        match ends {
            Ends::Filter { pass, .. } => self.jump(JUMP, 0, 0, 0, pass),
            Ends::Steer { .. } => self.push(MOVE_CONSTANT_32, A, 0, 0, 0),
        }
        Some(())
    }

    /// `A` = what stands at the offset in `R4`, in network order.
    fn load(&mut self, size: u8, failed: Label) {
        let bytes = match size {
            0x00 => 4,
            0x08 => 2,
            _ => 1,
        };
        self.jump(IF_GREATER_CONSTANT_32, R4, 0, FAR.cast_signed(), failed);
        self.push(MOVE, R5, DATA, 0, 0);
        self.push(ADD, R5, R4, 0, 0);
        self.push(MOVE, R0, R5, 0, 0);
        self.push(ADD_CONSTANT, R0, 0, 0, bytes);
        self.jump(IF_GREATER, R0, END, 0, failed);
        self.push(LOAD_WORD | size, A, R5, 0, 0);
        if bytes > 1 {
            self.push(TO_BIG_ENDIAN, A, 0, 0, bytes * 8);
        }
    }

    fn finish(mut self) -> Option<Vec<Insn>> {
        for (at, distance) in self.labels.distances() {
            self.code.get_mut(at)?.offset = i16::try_from(distance?).ok()?;
        }
        Some(self.code)
    }
}

/// Where a scratch word is on the stack.
fn scratch(word: u32) -> Option<i16> {
    (word < WORDS).then_some(-4 * (word as i16 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the programs do is tested by the kernel, in `tests/live_af_xdp.rs`; and as classic BPF without it.
    #[test]
    fn every_program_can_be_translated() {
        let mut tunnels = harken_wire::Config::default();
        for workers in [1, 2, 64] {
            let code = redirect(&tunnels, workers, 5, 6).unwrap();
            let length = code.len() as i32;
            assert!(length < 1500, "{length} instructions");
            for (at, insn) in code.iter().enumerate() {
                let target = at as i32 + 1 + i32::from(insn.offset);
                let jumps = matches!(insn.code & 0x07, 0x05 | 0x06) && insn.code != EXIT;
                assert!(!jumps || (0..length).contains(&target));
            }
        }
        // Jumps reach 32767 instructions; more ports than that are an error and no wrong jump.
        tunnels.vxlan_ports = (0..5000).collect();
        assert!(redirect(&tunnels, 2, 5, 6).is_some());
        tunnels.geneve_ports = (5000..50_000).collect();
        assert!(redirect(&tunnels, 2, 5, 6).is_none());
    }
}
