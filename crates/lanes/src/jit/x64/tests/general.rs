//! The instructions on general registers.

use iced_x86::Register;

use super::super::{AluOp, Asm, Cond, Gpr, Isa, Rm, ShiftOp, Size};
use super::{Operand, Random, Wanted, assert_code, bits, numbered};

const ALU: [(AluOp, &str); 8] = [
    (AluOp::Add, "add"),
    (AluOp::Or, "or"),
    (AluOp::Adc, "adc"),
    (AluOp::Sbb, "sbb"),
    (AluOp::And, "and"),
    (AluOp::Sub, "sub"),
    (AluOp::Xor, "xor"),
    (AluOp::Cmp, "cmp"),
];

const CONDS: [(Cond, &str); 6] =
    [(Cond::O, "o"), (Cond::B, "b"), (Cond::E, "e"), (Cond::Ne, "ne"), (Cond::Np, "np"), (Cond::G, "g")];

/// Writes `count` instructions, each of which says what it is, and compares.
fn check(seed: u64, count: u32, mut any: impl FnMut(&mut Asm, &mut Random) -> Wanted) {
    let (mut asm, mut random) = (Asm::new(Isa::Avx2), Random(seed));
    let wanted: Vec<_> = (0..count).map(|_| any(&mut asm, &mut random)).collect();
    assert_code(asm, &wanted);
}

/// A register that ModRM.rm names 8 bits of.
fn low8(reg: Gpr) -> Operand {
    // This library lists `ah` to `bh` after `bl`.
    Operand::Reg(if reg.0 < 4 { numbered(Register::AL, reg.0) } else { numbered(Register::SPL, reg.0 - 4) })
}

/// 8 or 16 bits of a register or memory.
fn narrow(rm: Rm, bytes: usize) -> Operand {
    match rm {
        Rm::Mem(mem) => Operand::mem(mem, bytes),
        Rm::Reg(reg) if bytes == 1 => low8(reg),
        Rm::Reg(reg) => Operand::Reg(numbered(Register::AX, reg.0)),
    }
}

#[test]
fn moves() {
    check(4, 20_000, |asm, random| {
        let (size, d, s, rm, mem) = (random.size(), random.gpr(), random.gpr(), random.rm(), random.mem(1));
        let (dst, src, memory) = (Operand::gpr(size, d), Operand::gpr(size, s), Operand::rm(size, Rm::Mem(mem)));
        let whole = |reg| Operand::gpr(Size::Q, reg);
        match random.below(13) {
            0 => (asm.mov_rr(size, d, s), Wanted::new("mov", [dst, src])).1,
            1 => (asm.mov_load(size, d, mem), Wanted::new("mov", [dst, memory])).1,
            2 => (asm.mov_store(size, mem, s), Wanted::new("mov", [memory, src])).1,
            3 => {
                let value = random.i32();
                asm.mov_store_imm(size, mem, value);
                Wanted::new("mov", [memory, Operand::imm32(size, value)])
            }
            12 => (asm.mov_store16(mem, s), Wanted::new("mov", [narrow(Rm::Mem(mem), 2), narrow(Rm::Reg(s), 2)])).1,
            11 => (asm.prefetch(mem), Wanted::new("prefetcht0", [Operand::mem(mem, 1)])).1,
            4 => (asm.movzx8(d, rm), Wanted::new("movzx", [Operand::gpr(Size::D, d), narrow(rm, 1)])).1,
            5 => (asm.movzx16(d, rm), Wanted::new("movzx", [Operand::gpr(Size::D, d), narrow(rm, 2)])).1,
            6 => (asm.lea(size, d, mem), Wanted::new("lea", [dst, Operand::mem(mem, 0)])).1,
            7 => {
                let (cond, name) = random.pick(&CONDS);
                asm.cmov(cond, size, d, rm);
                Wanted::new(format!("cmov{name}"), [dst, Operand::rm(size, rm)])
            }
            8 => {
                let (cond, name) = random.pick(&CONDS);
                asm.setcc(cond, d);
                Wanted::new(format!("set{name}"), [low8(d)])
            }
            9 => (asm.push(s), Wanted::new("push", [whole(s)])).1,
            _ => (asm.pop(d), Wanted::new("pop", [whole(d)])).1,
        }
    });
}

#[test]
fn constants_are_moved_in_as_few_bytes_as_can_be() {
    let cases = [
        (Size::Q, 0, 5, Size::D),
        (Size::D, 0xFFFF_FFFF, 5, Size::D),
        (Size::D, u64::MAX, 5, Size::D),
        (Size::Q, 0xFFFF_FFFF, 5, Size::D),
        (Size::Q, u64::MAX, 7, Size::Q),
        (Size::Q, -0x8000_0000_i64 as u64, 7, Size::Q),
        (Size::Q, 1 << 32, 10, Size::Q),
        (Size::Q, -0x8000_0001_i64 as u64, 10, Size::Q),
    ];
    for (size, value, bytes, written) in cases {
        for reg in [Gpr::RCX, Gpr::R9] {
            let mut asm = Asm::new(Isa::Avx2);
            asm.mov_ri(size, reg, value);
            let rex = usize::from(reg == Gpr::R9 && bytes == 5);
            assert_eq!(asm.position(), bytes + rex);
            assert_code(asm, &[Wanted::new("mov", [Operand::gpr(written, reg), Operand::Imm(bits(written), value)])]);
        }
    }
}

#[test]
fn arithmetic() {
    check(5, 40_000, |asm, random| {
        let (size, d, s, rm, mem) = (random.size(), random.gpr(), random.gpr(), random.rm(), random.mem(1));
        let value = random.i32();
        let (dst, src, any) = (Operand::gpr(size, d), Operand::gpr(size, s), Operand::rm(size, rm));
        let (memory, imm) = (Operand::rm(size, Rm::Mem(mem)), Operand::imm32(size, value));
        let (op, name) = random.pick(&ALU);
        match random.below(14) {
            0 => (asm.alu(op, size, d, rm), Wanted::new(name, [dst, any])).1,
            1 => (asm.alu_imm(op, size, rm, value), Wanted::new(name, [any, imm])).1,
            2 => (asm.alu_store(op, size, mem, s), Wanted::new(name, [memory, src])).1,
            3 => (asm.test_rr(size, d, s), Wanted::new("test", [dst, src])).1,
            4 => (asm.test_ri(size, d, value), Wanted::new("test", [dst, imm])).1,
            5 => (asm.imul(size, d, rm), Wanted::new("imul", [dst, any])).1,
            6 => (asm.imul_imm(size, d, rm, value), Wanted::new("imul", [dst, any, imm])).1,
            7 => (asm.mul(size, rm), Wanted::new("mul", [any])).1,
            8 => (asm.div(size, rm), Wanted::new("div", [any])).1,
            9 => (asm.idiv(size, rm), Wanted::new("idiv", [any])).1,
            10 => (asm.neg(size, d), Wanted::new("neg", [dst])).1,
            11 => (asm.not(size, d), Wanted::new("not", [dst])).1,
            12 => (asm.inc(size, d), Wanted::new("inc", [dst])).1,
            _ => (asm.dec(size, d), Wanted::new("dec", [dst])).1,
        }
    });
}

#[test]
fn bits_and_shifts() {
    let constant = [
        (ShiftOp::Rol, "rol"),
        (ShiftOp::Ror, "ror"),
        (ShiftOp::Shl, "shl"),
        (ShiftOp::Shr, "shr"),
        (ShiftOp::Sar, "sar"),
    ];
    let variable = [(ShiftOp::Shl, "shlx"), (ShiftOp::Shr, "shrx"), (ShiftOp::Sar, "sarx")];
    check(6, 20_000, |asm, random| {
        let (size, d, s, rm) = (random.size(), random.gpr(), random.gpr(), random.rm());
        let (dst, src, any) = (Operand::gpr(size, d), Operand::gpr(size, s), Operand::rm(size, rm));
        match random.below(6) {
            0 => {
                let ((op, name), count) = (random.pick(&constant), random.u8(255));
                asm.shift_imm(op, size, d, count);
                Wanted::new(name, [dst, Operand::Imm(8, count.into())])
            }
            1 => {
                let (op, name) = random.pick(&variable);
                asm.shift_var(op, size, d, rm, s);
                Wanted::new(name, [dst, any, src])
            }
            2 => (asm.bzhi(size, d, rm, s), Wanted::new("bzhi", [dst, any, src])).1,
            3 => (asm.tzcnt(size, d, rm), Wanted::new("tzcnt", [dst, any])).1,
            4 => (asm.lzcnt(size, d, rm), Wanted::new("lzcnt", [dst, any])).1,
            _ => (asm.popcnt(size, d, rm), Wanted::new("popcnt", [dst, any])).1,
        }
    });
}

#[test]
fn atomics_and_control() {
    check(7, 20_000, |asm, random| {
        let (size, s, mem) = (random.size(), random.gpr(), random.mem(1));
        let (src, memory) = (Operand::gpr(size, s), Operand::rm(size, Rm::Mem(mem)));
        let whole = Operand::gpr(Size::Q, s);
        match random.below(11) {
            0 => (asm.lock_xadd(size, mem, s), Wanted::new("xadd", [memory, src]).locked()).1,
            1 => (asm.lock_cmpxchg(size, mem, s), Wanted::new("cmpxchg", [memory, src]).locked()).1,
            2 => (asm.xchg(size, mem, s), Wanted::new("xchg", [memory, src])).1,
            3 => {
                let (op, name) = random.pick(&ALU[..7]);
                asm.lock_alu(op, size, mem, s);
                Wanted::new(name, [memory, src]).locked()
            }
            4 => (asm.jmp_reg(s), Wanted::new("jmp", [whole])).1,
            5 => (asm.call_reg(s), Wanted::new("call", [whole])).1,
            6 => (asm.call_mem(mem), Wanted::new("call", [Operand::mem(mem, 8)])).1,
            7 => (asm.ret(), Wanted::new("ret", [])).1,
            8 => (asm.ud2(), Wanted::new("ud2", [])).1,
            9 => (asm.cdq(), Wanted::new("cdq", [])).1,
            _ => (asm.cqo(), Wanted::new("cqo", [])).1,
        }
    });
}
