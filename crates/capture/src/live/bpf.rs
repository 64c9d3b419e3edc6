//! Classic BPF: small programs that the kernel runs for each packet.
//!
//! The programs are written with an `Assembler` of labels and forward jumps, so that offsets are never
//! counted by hand. [`Program::parse`] takes what `tcpdump -ddd EXPRESSION` prints: any pcap-filter
//! expression can be used without libpcap being part of this program.
use std::fmt;

/// The longest program that the kernel takes, in instructions (`BPF_MAXINSNS`).
pub const MAX_INSTRUCTIONS: usize = 4096;

/// One instruction, as the kernel has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Instruction {
    /// Operation.
    pub code: u16,
    /// Instructions to skip when a test holds.
    pub if_true: u8,
    /// Instructions to skip when it does not.
    pub if_false: u8,
    /// Constant.
    pub k: u32,
}

/// A program that the kernel can be given.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Program(Vec<Instruction>);

/// Why a text is no program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseError {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub what: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, what } = self;
        write!(
            f,
            "line {line} is no BPF program: {what}; make one with: tcpdump -i INTERFACE -ddd EXPRESSION"
        )
    }
}

impl std::error::Error for ParseError {}

impl Program {
    /// Reads the output of `tcpdump -ddd EXPRESSION`: the number of instructions, then one a line as four
    /// decimal numbers. Commas may stand for line ends, as iptables has it. With `-i INTERFACE` tcpdump
    /// knows the link type, and makes `vlan` work for tags that the network card has stripped.
    ///
    /// The kernel checks what a program does; here only its form is checked.
    ///
    /// # Errors
    /// When the text has another form; it names the line.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let fail = |line: usize, what: String| Err(ParseError { line: line + 1, what });
        let mut lines =
            text.split(['\n', ',']).map(str::trim).enumerate().filter(|(_, line)| !line.is_empty());
        let Some((at, first)) = lines.next() else {
            return fail(0, "it is empty".to_owned());
        };
        let count = match first.parse::<usize>() {
            Ok(count) if (1..=MAX_INSTRUCTIONS).contains(&count) => count,
            _ => {
                return fail(
                    at,
                    format!("'{first}' is not a number of instructions (1 to {MAX_INSTRUCTIONS})"),
                );
            }
        };
        let mut code = Vec::new();
        let mut last = at;
        for (at, line) in lines {
            last = at;
            let mut fields = line.split_ascii_whitespace().map(str::parse::<u32>);
            let (Some(Ok(op)), Some(Ok(jt)), Some(Ok(jf)), Some(Ok(k)), None) =
                (fields.next(), fields.next(), fields.next(), fields.next(), fields.next())
            else {
                return fail(at, format!("'{line}' is not four numbers"));
            };
            let (Ok(op), Ok(if_true), Ok(if_false)) = (u16::try_from(op), u8::try_from(jt), u8::try_from(jf))
            else {
                return fail(at, format!("a number of '{line}' is too large"));
            };
            if code.len() == count {
                return fail(at, format!("there are more than the {count} instructions that were announced"));
            }
            code.push(Instruction { code: op, if_true, if_false, k });
        }
        if code.len() != count {
            return fail(last, format!("{} of {count} instructions are there", code.len()));
        }
        Ok(Self(code))
    }

    /// A program that takes the first `snaplen` bytes of every packet (none for 0).
    pub fn accept(snaplen: u32) -> Self {
        Self(vec![Instruction { code: RETURN, if_true: 0, if_false: 0, k: snaplen }])
    }

    /// Puts a test in front that refuses packets on their way out. On the loopback interface every packet is
    /// seen going out and coming in: this leaves one.
    pub(crate) fn without_outgoing(&self) -> Self {
        let mut asm = Assembler::default();
        let go_on = asm.label();
        asm.load_field(PACKET_TYPE);
        asm.unless(Test::Equal, u32::from(libc::PACKET_OUTGOING), go_on);
        asm.give(0);
        asm.place(go_on);
        let mut code = asm.code();
        // Jumps are relative: the program may stand anywhere.
        code.extend_from_slice(&self.0);
        Self(code)
    }

    /// Cuts the packets that the program takes: each `return` of a constant gives at most `snaplen`.
    pub(crate) fn cut(mut self, snaplen: u32) -> Self {
        self.0.iter_mut().filter(|i| i.code == RETURN).for_each(|i| i.k = i.k.min(snaplen));
        self
    }

    /// The most bytes of a packet that a `return` of a constant takes.
    pub(crate) fn takes(&self) -> u32 {
        self.0.iter().filter(|i| i.code == RETURN).map(|i| i.k).max().unwrap_or(0)
    }

    /// Where it takes a packet, goes on with `next`, which then decides.
    pub(crate) fn then(&self, next: &Self) -> Self {
        let mut code = self.0.clone();
        let end = code.len();
        for (at, instruction) in code.iter_mut().enumerate() {
            if instruction.code == RETURN && instruction.k > 0 {
                *instruction = Instruction {
                    code: JUMP,
                    if_true: 0,
                    if_false: 0,
                    k: (end - at).saturating_sub(1) as u32,
                };
            }
        }
        // Jumps are relative: the program may stand anywhere.
        code.extend_from_slice(&next.0);
        Self(code)
    }

    /// The instructions.
    pub fn instructions(&self) -> &[Instruction] {
        &self.0
    }

    /// As the kernel wants them.
    pub(crate) fn raw(&self) -> Vec<libc::sock_filter> {
        let raw = |i: &Instruction| libc::sock_filter { code: i.code, jt: i.if_true, jf: i.if_false, k: i.k };
        self.0.iter().map(raw).collect()
    }
}

/// As `tcpdump -ddd` prints it.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.len())?;
        self.0.iter().try_for_each(|i| write!(f, "\n{} {} {} {}", i.code, i.if_true, i.if_false, i.k))
    }
}

// The operations that are used here; see <linux/bpf_common.h>. `A` is the accumulator, `X` the index.
const RETURN: u16 = 0x06;
const RETURN_A: u16 = 0x16;
const LOAD_FIELD: u16 = 0x28; // A = half at an absolute offset
const LOAD_CONSTANT: u16 = 0x00;
const LOAD_SCRATCH: u16 = 0x60;
const LOAD_X_SCRATCH: u16 = 0x61;
const STORE: u16 = 0x02;
const STORE_X: u16 = 0x03;
const JUMP: u16 = 0x05;
const A_TO_X: u16 = 0x07;
const X_TO_A: u16 = 0x87;

/// The kernel's fields of a packet that is in no header: offsets of `SKF_AD_OFF` on.
const fn field(offset: i32) -> u32 {
    (libc::SKF_AD_OFF + offset) as u32
}
/// The EtherType behind the tag that was stripped, if any.
pub(super) const PROTOCOL: u32 = field(libc::SKF_AD_PROTOCOL);
/// `PACKET_HOST`, `PACKET_OUTGOING` and so on.
pub(super) const PACKET_TYPE: u32 = field(libc::SKF_AD_PKTTYPE);

/// How much to load.
#[derive(Clone, Copy)]
pub(super) enum Size {
    /// 4 bytes.
    Word = 0x00,
    /// 2 bytes.
    Half = 0x08,
    /// 1 byte.
    Byte = 0x10,
}

/// What is done to `A` with a constant (or, with [`WITH_X`], with `X`).
#[derive(Clone, Copy)]
pub(super) enum Alu {
    Add = 0x04,
    Multiply = 0x24,
    And = 0x54,
    ShiftLeft = 0x64,
    ShiftRight = 0x74,
    Remainder = 0x94,
    Xor = 0xa4,
}

/// How `A` is compared with a constant.
#[derive(Clone, Copy)]
pub(super) enum Test {
    Equal = 0x15,
    /// As numbers without a sign.
    AtLeast = 0x35,
    /// Any of these bits is set.
    Bits = 0x45,
}

/// Added to an operation: its operand is `X`.
const WITH_X: u16 = 0x08;

/// A place in a program that is jumped to.
#[derive(Clone, Copy)]
pub(super) struct Label(usize);

/// The labels of a program that is being written, and the jumps to them. Jumps go forward only, as in BPF itself.
#[derive(Default)]
pub(super) struct Labels {
    /// Where each is, once placed.
    places: Vec<Option<usize>>,
    /// Which instructions jump to which.
    jumps: Vec<(usize, Label)>,
}

impl Labels {
    /// One that has no place yet.
    pub(super) fn add(&mut self) -> Label {
        self.places.push(None);
        Label(self.places.len() - 1)
    }

    /// It is before the instruction with this number.
    pub(super) fn place(&mut self, label: Label, at: usize) {
        if let Some(place) = self.places.get_mut(label.0) {
            *place = Some(at);
        }
    }

    /// The instruction with this number jumps there.
    pub(super) fn jump(&mut self, at: usize, label: Label) {
        self.jumps.push((at, label));
    }

    /// Each jump, and how many instructions it skips; `None` when its label has no place behind it.
    pub(super) fn distances(self) -> impl Iterator<Item = (usize, Option<usize>)> {
        let Self { places, jumps } = self;
        jumps.into_iter().map(move |(at, Label(label))| {
            let place = places.get(label).copied().flatten();
            (at, place.and_then(|place| place.checked_sub(at)?.checked_sub(1)))
        })
    }
}

/// Writes a program.
#[derive(Default)]
pub(super) struct Assembler {
    code: Vec<Instruction>,
    labels: Labels,
}

impl Assembler {
    fn push(&mut self, code: u16, k: u32) {
        self.code.push(Instruction { code, if_true: 0, if_false: 0, k });
    }

    /// A label that has no place yet.
    pub(super) fn label(&mut self) -> Label {
        self.labels.add()
    }

    /// The label is here.
    pub(super) fn place(&mut self, label: Label) {
        self.labels.place(label, self.code.len());
    }

    /// `A` = a field of the kernel's.
    pub(super) fn load_field(&mut self, field: u32) {
        self.push(LOAD_FIELD, field);
    }

    /// `A` = the bytes at `X` + `offset`.
    pub(super) fn load(&mut self, size: Size, offset: u32) {
        self.push(0x40 | size as u16, offset);
    }

    /// `A` = `k`.
    pub(super) fn constant(&mut self, k: u32) {
        self.push(LOAD_CONSTANT, k);
    }

    /// `A` = `A` op `k`.
    pub(super) fn alu(&mut self, alu: Alu, k: u32) {
        self.push(alu as u16, k);
    }

    /// `A` = `A` op `X`.
    pub(super) fn alu_x(&mut self, alu: Alu) {
        self.push(alu as u16 | WITH_X, 0);
    }

    /// `X` = `A`.
    pub(super) fn x_is_a(&mut self) {
        self.push(A_TO_X, 0);
    }

    /// `A` = `X`.
    pub(super) fn a_is_x(&mut self) {
        self.push(X_TO_A, 0);
    }

    /// `X` = `X` + `k`; `A` is lost.
    pub(super) fn advance(&mut self, k: u32) {
        self.a_is_x();
        self.alu(Alu::Add, k);
        self.x_is_a();
    }

    /// `X` = `X` + `A`.
    pub(super) fn advance_by_a(&mut self) {
        self.alu_x(Alu::Add);
        self.x_is_a();
    }

    /// Scratch word `n` = `A`.
    pub(super) fn store(&mut self, n: u32) {
        self.push(STORE, n);
    }

    /// Scratch word `n` = `X`.
    pub(super) fn store_x(&mut self, n: u32) {
        self.push(STORE_X, n);
    }

    /// `A` = scratch word `n`.
    pub(super) fn recall(&mut self, n: u32) {
        self.push(LOAD_SCRATCH, n);
    }

    /// `X` = scratch word `n`.
    pub(super) fn recall_x(&mut self, n: u32) {
        self.push(LOAD_X_SCRATCH, n);
    }

    /// Goes to `label`.
    pub(super) fn jump(&mut self, label: Label) {
        self.labels.jump(self.code.len(), label);
        self.push(JUMP, 0);
    }

    /// Goes to `label` when the test holds. Through an unconditional jump always: a test alone reaches no
    /// further than 255 instructions.
    pub(super) fn when(&mut self, test: Test, k: u32, label: Label) {
        self.code.push(Instruction { code: test as u16, if_true: 0, if_false: 1, k });
        self.jump(label);
    }

    /// Goes to `label` when the test does not hold.
    pub(super) fn unless(&mut self, test: Test, k: u32, label: Label) {
        self.code.push(Instruction { code: test as u16, if_true: 1, if_false: 0, k });
        self.jump(label);
    }

    /// Ends with the value `k`.
    pub(super) fn give(&mut self, k: u32) {
        self.push(RETURN, k);
    }

    /// Ends with the value `A`.
    pub(super) fn give_a(&mut self) {
        self.push(RETURN_A, 0);
    }

    fn code(mut self) -> Vec<Instruction> {
        for (at, distance) in self.labels.distances() {
            debug_assert!(distance.is_some(), "the jump at {at} has no place behind it");
            if let (Some(distance), Some(jump)) = (distance, self.code.get_mut(at)) {
                jump.k = distance as u32;
            }
        }
        self.code
    }

    /// The program.
    pub(super) fn finish(self) -> Program {
        Program(self.code())
    }
}
