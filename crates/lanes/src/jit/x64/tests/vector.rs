//! All operations of the table in all forms.

use iced_x86::Register;

use super::super::table::Form;
use super::super::{Asm, Base, Gpr, Index, Isa, Kreg, Len, Masking, Mem, Rm, RmV, Size, VOp, Xmm};
use super::words::WORDS;
use super::{Operand, Random, Wanted, assert_code, numbered};

/// Random operands tried for each operation, instruction set and length.
const TRIES: u32 = 1500;

/// A line of [`WORDS`].
struct Line {
    op: VOp,
    vex: Option<&'static str>,
    evex: Option<&'static str>,
    operands: Vec<&'static str>,
}

fn lines() -> Vec<Line> {
    let parse = |line: &'static str| {
        let mut words = line.split_whitespace();
        let mut next = || words.next().expect("a line has four columns");
        let (op, vex, evex) = (next(), next(), next());
        let named = |name| (name != "-").then_some(if name == "=" { vex } else { name });
        let op = VOp::ALL.iter().find(|row| format!("{row:?}") == op).unwrap_or_else(|| panic!("no row {op}"));
        Line { op: *op, vex: named(vex), evex: named(evex), operands: words.collect() }
    };
    WORDS.trim().lines().map(parse).collect()
}

/// One operand of a [`Line`] at a length, so many bytes of it.
struct Width {
    /// Register 0 of those it can be in.
    first: Register,
    memory: usize,
    /// Bytes of the element to broadcast, 0 without.
    element: usize,
}

fn width(word: &str, len: Len, evex: bool) -> Width {
    let mut parts = word.split('/');
    let kind = parts.next().unwrap();
    let whole = usize::from(len.bytes());
    let bytes = match (kind, evex) {
        ("v", _) | ("K", false) => whole,
        ("h", _) => whole / 2,
        ("q", _) => whole / 4,
        ("x", _) => 16,
        ("y", _) => 32,
        ("k", _) | ("K", true) | ("r4" | "r8", _) => 0,
        _ => panic!("{word}"),
    };
    let first = match (kind, bytes) {
        ("k" | "K", 0) => Register::K0,
        ("r4", _) => Register::EAX,
        ("r8", _) => Register::RAX,
        (_, ..=16) => Register::XMM0,
        (_, 32) => Register::YMM0,
        _ => Register::ZMM0,
    };
    let mut width = Width { first, memory: bytes, element: 0 };
    for part in parts {
        match (&part[..1], part[1..].parse().unwrap()) {
            ("m", bytes) => width.memory = bytes,
            ("b", bytes) if evex => width.element = bytes,
            ("b", _) => {}
            _ => panic!("{word}"),
        }
    }
    width
}

/// The operands of one `vec`.
#[derive(Clone, Copy)]
struct Parts {
    dst: u8,
    a: u8,
    b: RmV,
    imm: Option<u8>,
    mask: Option<Masking>,
}

impl Line {
    fn name(&self, evex: bool) -> &'static str {
        if evex { self.evex.unwrap() } else { self.vex.unwrap() }
    }

    /// What these operands should be decoded to.
    fn wanted(&self, len: Len, evex: bool, parts: Parts) -> Wanted {
        let operand = |word: &&'static str| {
            let (role, kind) = word.split_once(':').unwrap_or((word, ""));
            Some(match role {
                "A" if evex => return None,
                "i" => Operand::Imm(8, parts.imm.unwrap().into()),
                "d" => Operand::Reg(numbered(width(kind, len, evex).first, parts.dst)),
                "a" | "A" => Operand::Reg(numbered(width(kind, len, evex).first, parts.a)),
                _ => {
                    let width = width(kind, len, evex);
                    match parts.b {
                        RmV::Reg(reg) => Operand::Reg(numbered(width.first, reg.0)),
                        RmV::Mem(mem) => Operand::Mem(mem, width.memory, width.first),
                        RmV::Bcast(mem) => Operand::Mem(mem, width.element, width.first),
                    }
                }
            })
        };
        Wanted {
            mnemonic: self.name(evex).into(),
            operands: self.operands.iter().filter_map(operand).collect(),
            mask: parts.mask.map(|mask| (mask.k, mask.zero)),
            broadcast: matches!(parts.b, RmV::Bcast(_)),
            lock: false,
        }
    }

    /// Random operands that the form allows.
    fn parts(&self, random: &mut Random, len: Len, evex: bool) -> Parts {
        let form = self.op.row().form;
        let registers = if evex { 32 } else { 16 };
        let word = self.operands.iter().find_map(|word| word.strip_prefix("b:")).unwrap();
        let width = width(word, len, evex);
        let to_mask = evex && matches!(form, Form::Cmp | Form::CmpI);
        let b = match form {
            Form::RmGpr => RmV::Reg(Xmm(random.u8(16))),
            Form::Gather | Form::Scatter => RmV::Mem(vsib(random, width.memory as i32, registers)),
            Form::Shift(_) if !evex => RmV::Reg(Xmm(random.u8(registers))),
            Form::MaskA => RmV::Mem(random.mem(1)),
            Form::Past => RmV::Mem(random.mem(if evex { width.memory as i32 } else { 1 })),
            _ if width.element > 0 && random.one_in(3) => RmV::Bcast(random.mem(width.element as i32)),
            _ if random.one_in(2) => RmV::Mem(random.mem(if evex { width.memory as i32 } else { 1 })),
            _ => RmV::Reg(Xmm(random.u8(registers))),
        };
        let only_merges = to_mask
            || matches!(form, Form::Gather | Form::Scatter)
            || matches!((form, b), (Form::St | Form::StI, RmV::Mem(_)));
        let masking = Masking { k: Kreg(1 + random.u8(7)), zero: !only_merges && random.one_in(2) };
        let can_mask = evex && form != Form::Past;
        let masked = can_mask && (matches!(form, Form::Gather | Form::Scatter) || random.one_in(2));
        Parts {
            dst: random.u8(if to_mask { 8 } else { registers }),
            a: random.u8(registers),
            b,
            imm: form.has_imm().then(|| random.u8(255)),
            mask: masked.then_some(masking),
        }
    }
}

/// Addresses by a vector of indices.
fn vsib(random: &mut Random, unit: i32, registers: u8) -> Mem {
    let base = if random.one_in(8) { Base::None } else { Base::Reg(random.gpr()) };
    let index = (Index::Vec(Xmm(random.u8(registers))), random.pick(&[1, 2, 4, 8]));
    Mem { base, index: Some(index), disp: random.displacement(unit) }
}

/// A gather wants registers that differ.
fn collide(parts: Parts) -> bool {
    let RmV::Mem(Mem { index: Some((Index::Vec(Xmm(index)), _)), .. }) = parts.b else { return false };
    parts.dst == index || parts.dst == parts.a || parts.a == index
}

#[test]
fn the_words_are_about_every_row_and_both_instruction_sets() {
    let lines = lines();
    let ops: Vec<_> = lines.iter().map(|line| line.op).collect();
    assert_eq!(ops.len(), VOp::ALL.len());
    assert!(VOp::ALL.iter().all(|op| ops.contains(op)));
    for Line { op, vex, evex, .. } in lines {
        assert_eq!(op.exists(Isa::Avx2), vex.is_some(), "{op:?}");
        assert_eq!(op.exists(Isa::Avx512), vex.is_some() || evex.is_some(), "{op:?}");
    }
}

#[test]
fn every_row_with_random_operands() {
    for line in lines() {
        for isa in [Isa::Avx2, Isa::Avx512] {
            if !line.op.exists(isa) {
                continue;
            }
            let evex = isa == Isa::Avx512 && line.evex.is_some();
            let longest = if evex { Len::L512 } else { Len::L256 };
            for len in [Len::L128, Len::L256, Len::L512] {
                if (line.op.row().shortest..=longest).contains(&len) {
                    try_row(&line, isa, len, evex);
                }
            }
        }
    }
}

fn try_row(line: &Line, isa: Isa, len: Len, evex: bool) {
    let mut random = Random(line.op as u64 * 8 + len as u64 * 2 + u64::from(evex));
    let mut asm = Asm::new(isa);
    let mut wanted = Vec::new();
    for _ in 0..TRIES {
        let parts = line.parts(&mut random, len, evex);
        if line.op.row().form == Form::Gather && collide(parts) {
            continue;
        }
        let start = asm.position();
        asm.vec(line.op, len, parts.dst, parts.a, parts.b, parts.imm, parts.mask);
        let bytes = asm.position() - start;
        let expected = line.operands.iter().find_map(|word| word.strip_prefix("b:")).unwrap();
        let unit = unit(&width(expected, len, evex), parts.b, evex);
        let prefix = if evex { 4 } else { vex_prefix(&asm, start) };
        let form = (prefix + 1 + address(parts.b, unit)) as usize + usize::from(parts.imm.is_some());
        assert_eq!(bytes, form, "{:?} {len:?}: longer than need be", line.op);
        wanted.push(line.wanted(len, evex, parts));
    }
    assert!(wanted.len() > TRIES as usize / 2);
    assert_code(asm, &wanted);
}

/// The bytes a short displacement counts in: those accessed.
fn unit(width: &Width, b: RmV, evex: bool) -> i32 {
    match b {
        _ if !evex => 1,
        RmV::Bcast(_) => width.element as i32,
        _ => width.memory as i32,
    }
}

/// The length of the VEX prefix at `start`, which is two bytes if three say no more.
fn vex_prefix(asm: &Asm, start: usize) -> u32 {
    match *asm.written(start) {
        [0xC5, ..] => 2,
        [0xC4, map, w, ..] => {
            assert!(map & 0x7F != 0x61 || w >> 7 == 1, "a longer prefix than need be");
            3
        }
        _ => panic!("no VEX prefix"),
    }
}

/// Bytes of ModRM, SIB and the shortest displacement.
fn address(b: RmV, unit: i32) -> u32 {
    let (RmV::Mem(mem) | RmV::Bcast(mem)) = b else { return 1 };
    match mem.base {
        Base::Pool(_) => 5,
        Base::None => 6,
        Base::Reg(base) => {
            let sib = mem.index.is_some() || matches!(base, Gpr::RSP | Gpr::R12);
            let short = mem.disp % unit == 0 && (-128..128).contains(&(mem.disp / unit));
            let disp = match mem.disp {
                0 if !matches!(base, Gpr::RBP | Gpr::R13) => 0,
                _ if short => 1,
                _ => 4,
            };
            1 + u32::from(sib) + disp
        }
    }
}

#[test]
fn a_double_is_broadcast_to_128_bits_as_a_quadword() {
    for isa in [Isa::Avx2, Isa::Avx512] {
        let mut asm = Asm::new(isa);
        asm.vec(VOp::Broadcastsd, Len::L128, 9, 0, RmV::Reg(Xmm(3)), None, None);
        let operands = [Operand::xmm(Xmm(9)), Operand::xmm(Xmm(3))];
        assert_code(asm, &[Wanted::new("vpbroadcastq", operands)]);
    }
}

#[test]
fn vex_only_instructions() {
    let mut random = Random(1);
    let mut asm = Asm::new(Isa::Avx2);
    let mut wanted = Vec::new();
    for _ in 0..2000 {
        let pd = random.one_in(2);
        let len = random.pick(&[Len::L128, Len::L256]);
        let first = if len == Len::L128 { Register::XMM0 } else { Register::YMM0 };
        let reg = |number| Operand::Reg(numbered(first, number));
        let [dst, a, c, d] = [16; 4].map(|n| random.u8(n));
        let (b, source) = if random.one_in(2) {
            (RmV::Reg(Xmm(d)), reg(d))
        } else {
            let mem = random.mem(1);
            (RmV::Mem(mem), Operand::mem(mem, usize::from(len.bytes())))
        };
        let of = |name: &str| format!("{name}{}", if pd { "pd" } else { "ps" });
        wanted.push(match random.below(5) {
            0 => {
                asm.blendv(pd, len, dst, a, b, Xmm(c));
                Wanted::new(of("vblendv"), [reg(dst), reg(a), source, reg(c)])
            }
            1 => {
                asm.movmsk(pd, len, Gpr(dst), Xmm(a));
                Wanted::new(of("vmovmsk"), [Operand::gpr(Size::D, Gpr(dst)), reg(a)])
            }
            2 => {
                asm.pmovmskb(len, Gpr(dst), Xmm(a));
                Wanted::new("vpmovmskb", [Operand::gpr(Size::D, Gpr(dst)), reg(a)])
            }
            3 => {
                asm.vptest(len, Xmm(a), b);
                Wanted::new("vptest", [reg(a), source])
            }
            _ => {
                asm.vzeroupper();
                Wanted::new("vzeroupper", [])
            }
        });
    }
    assert_code(asm, &wanted);
}

#[test]
fn moves_between_vector_and_general_registers() {
    for (isa, registers) in [(Isa::Avx2, 16), (Isa::Avx512, 32)] {
        let mut random = Random(2);
        let mut asm = Asm::new(isa);
        let mut wanted = Vec::new();
        for _ in 0..2000 {
            let (size, gpr) = (random.size(), random.gpr());
            let (x, y) = (Xmm(random.u8(registers)), Xmm(random.u8(registers)));
            let lane = random.u8(if size == Size::D { 4 } else { 2 });
            let of = |name: &str| format!("{name}{}", if size == Size::D { "d" } else { "q" });
            let (general, imm) = (Operand::gpr(size, gpr), Operand::Imm(8, lane.into()));
            wanted.push(match random.below(5) {
                4 => {
                    let mem = random.mem(if size == Size::D { 4 } else { 8 });
                    asm.store_lane(size, mem, x, lane);
                    let to = Operand::rm(size, Rm::Mem(mem));
                    match lane {
                        0 => Wanted::new(of("vmov"), [to, Operand::xmm(x)]),
                        _ => Wanted::new(of("vpextr"), [to, Operand::xmm(x), imm]),
                    }
                }
                0 => {
                    asm.movd_to_gpr(size, gpr, x);
                    Wanted::new(of("vmov"), [general, Operand::xmm(x)])
                }
                1 => {
                    asm.movd_from_gpr(size, x, gpr);
                    Wanted::new(of("vmov"), [Operand::xmm(x), general])
                }
                2 => {
                    asm.pextr(size, gpr, x, lane);
                    Wanted::new(of("vpextr"), [general, Operand::xmm(x), imm])
                }
                _ => {
                    asm.pinsr(size, x, y, gpr, lane);
                    Wanted::new(of("vpinsr"), [Operand::xmm(x), Operand::xmm(y), general, imm])
                }
            });
        }
        assert_code(asm, &wanted);
    }
}
