//! Instructions on general registers.

use super::asm::Asm;
use super::modrm::Place;
use super::vex::{Map, Opcode, Operands, Pp};
use super::{Cond, Gpr, Mem, Rm, Size};

/// Two-operand arithmetic; the order is that of the encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AluOp {
    /// Sum.
    Add,
    /// Bits of either.
    Or,
    /// Sum and carry.
    Adc,
    /// Difference less borrow.
    Sbb,
    /// Bits of both.
    And,
    /// Difference.
    Sub,
    /// Bits that differ.
    Xor,
    /// The flags of a difference.
    Cmp,
}

/// Shifts and rotations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShiftOp {
    /// Rotate left.
    Rol,
    /// Rotate right.
    Ror,
    /// Shift left.
    Shl,
    /// Shift right, zeros coming in.
    Shr,
    /// Shift right, the sign coming in.
    Sar,
}

impl ShiftOp {
    /// ModRM.reg of the shifts by an immediate.
    fn extension(self) -> u8 {
        match self {
            Self::Rol => 0,
            Self::Ror => 1,
            Self::Shl => 4,
            Self::Shr => 5,
            Self::Sar => 7,
        }
    }
}

/// Moves.
impl Asm {
    /// `dst = src`.
    pub(crate) fn mov_rr(&mut self, size: Size, dst: Gpr, src: Gpr) {
        self.op(size, &[0x8B], dst.0, src, 0);
    }

    /// `dst = value` in as few bytes as can be (for [`Size::D`]: its low 32 bits), flags untouched.
    pub(crate) fn mov_ri(&mut self, size: Size, dst: Gpr, value: u64) {
        let value = if size == Size::D { value & 0xFFFF_FFFF } else { value };
        if let Ok(value) = u32::try_from(value) {
            self.rex(Size::D, 0, dst.into(), false);
            self.byte(0xB8 | dst.0 & 7);
            self.bytes(&value.to_le_bytes());
        } else if let Ok(value) = i32::try_from(value as i64) {
            self.op(Size::Q, &[0xC7], 0, dst, 4);
            self.i32(value);
        } else {
            self.rex(Size::Q, 0, dst.into(), false);
            self.byte(0xB8 | dst.0 & 7);
            self.bytes(&value.to_le_bytes());
        }
    }

    /// `dst = *from`.
    pub(crate) fn mov_load(&mut self, size: Size, dst: Gpr, from: Mem) {
        self.op(size, &[0x8B], dst.0, Place::Mem(from), 0);
    }

    /// `*to = src`.
    pub(crate) fn mov_store(&mut self, size: Size, to: Mem, src: Gpr) {
        self.op(size, &[0x89], src.0, Place::Mem(to), 0);
    }

    /// `*to` = the low 16 bits of `src`.
    pub(crate) fn mov_store16(&mut self, to: Mem, src: Gpr) {
        self.byte(0x66);
        self.op(Size::D, &[0x89], src.0, Place::Mem(to), 0);
    }

    /// `*to = value`, sign extended.
    pub(crate) fn mov_store_imm(&mut self, size: Size, to: Mem, value: i32) {
        self.op(size, &[0xC7], 0, Place::Mem(to), 4);
        self.i32(value);
    }

    /// `dst` = 8 bits, zero extended.
    pub(crate) fn movzx8(&mut self, dst: Gpr, src: Rm) {
        self.byte_op(&[0x0F, 0xB6], dst.0, src.into());
    }

    /// `dst` = 16 bits, zero extended.
    pub(crate) fn movzx16(&mut self, dst: Gpr, src: Rm) {
        self.op(Size::D, &[0x0F, 0xB7], dst.0, src, 0);
    }

    /// `dst` = 32 bits, sign-extended to 64.
    pub(crate) fn movsxd(&mut self, dst: Gpr, src: Rm) {
        self.op(Size::Q, &[0x63], dst.0, src, 0);
    }

    /// `dst` = the address.
    pub(crate) fn lea(&mut self, size: Size, dst: Gpr, address: Mem) {
        self.op(size, &[0x8D], dst.0, Place::Mem(address), 0);
    }

    /// Asks for the cache line of an address, for all levels; does not fault.
    pub(crate) fn prefetch(&mut self, address: Mem) {
        self.op(Size::D, &[0x0F, 0x18], 1, Place::Mem(address), 0);
    }

    /// `dst = src` if the condition holds; [`Size::D`] zeroes the upper half of `dst` in any case.
    pub(crate) fn cmov(&mut self, cond: Cond, size: Size, dst: Gpr, src: Rm) {
        self.op(size, &[0x0F, 0x40 | cond as u8], dst.0, src, 0);
    }

    /// The low 8 bits of `dst` = 1 if the condition holds, else 0.
    pub(crate) fn setcc(&mut self, cond: Cond, dst: Gpr) {
        self.byte_op(&[0x0F, 0x90 | cond as u8], 0, dst.into());
    }

    /// Pushes 64 bits.
    pub(crate) fn push(&mut self, src: Gpr) {
        self.rex(Size::D, 0, src.into(), false);
        self.byte(0x50 | src.0 & 7);
    }

    /// Pops 64 bits.
    pub(crate) fn pop(&mut self, dst: Gpr) {
        self.rex(Size::D, 0, dst.into(), false);
        self.byte(0x58 | dst.0 & 7);
    }
}

/// Arithmetic.
impl Asm {
    /// `dst = dst op src`.
    pub(crate) fn alu(&mut self, op: AluOp, size: Size, dst: Gpr, src: Rm) {
        self.op(size, &[(op as u8) << 3 | 3], dst.0, src, 0);
    }

    /// `dst = dst op value`, sign extended.
    pub(crate) fn alu_imm(&mut self, op: AluOp, size: Size, dst: Rm, value: i32) {
        if let Ok(value) = i8::try_from(value) {
            self.op(size, &[0x83], op as u8, dst, 1);
            self.byte(value as u8);
        } else {
            self.op(size, &[0x81], op as u8, dst, 4);
            self.i32(value);
        }
    }

    /// `*dst = *dst op src`.
    pub(crate) fn alu_store(&mut self, op: AluOp, size: Size, dst: Mem, src: Gpr) {
        self.op(size, &[(op as u8) << 3 | 1], src.0, Place::Mem(dst), 0);
    }

    /// The flags of `a & b`.
    pub(crate) fn test_rr(&mut self, size: Size, a: Gpr, b: Gpr) {
        self.op(size, &[0x85], b.0, a, 0);
    }

    /// The flags of `a & value`, sign extended.
    pub(crate) fn test_ri(&mut self, size: Size, a: Gpr, value: i32) {
        self.op(size, &[0xF7], 0, a, 4);
        self.i32(value);
    }

    /// `dst = dst * src`, the low half.
    pub(crate) fn imul(&mut self, size: Size, dst: Gpr, src: Rm) {
        self.op(size, &[0x0F, 0xAF], dst.0, src, 0);
    }

    /// `dst = src * value`, the low half.
    pub(crate) fn imul_imm(&mut self, size: Size, dst: Gpr, src: Rm, value: i32) {
        if let Ok(value) = i8::try_from(value) {
            self.op(size, &[0x6B], dst.0, src, 1);
            self.byte(value as u8);
        } else {
            self.op(size, &[0x69], dst.0, src, 4);
            self.i32(value);
        }
    }

    /// `rdx:rax = rax * src`, unsigned.
    pub(crate) fn mul(&mut self, size: Size, src: Rm) {
        self.op(size, &[0xF7], 4, src, 0);
    }

    /// `rax, rdx = rdx:rax / src` and the remainder, unsigned.
    pub(crate) fn div(&mut self, size: Size, src: Rm) {
        self.op(size, &[0xF7], 6, src, 0);
    }

    /// `rax, rdx = rdx:rax / src` and the remainder, signed.
    pub(crate) fn idiv(&mut self, size: Size, src: Rm) {
        self.op(size, &[0xF7], 7, src, 0);
    }

    /// `edx` = the sign of `eax`.
    pub(crate) fn cdq(&mut self) {
        self.byte(0x99);
    }

    /// `rdx` = the sign of `rax`.
    pub(crate) fn cqo(&mut self) {
        self.bytes(&[0x48, 0x99]);
    }

    /// `dst = -dst`.
    pub(crate) fn neg(&mut self, size: Size, dst: Gpr) {
        self.op(size, &[0xF7], 3, dst, 0);
    }

    /// `dst = !dst`, flags untouched.
    pub(crate) fn not(&mut self, size: Size, dst: Gpr) {
        self.op(size, &[0xF7], 2, dst, 0);
    }

    /// `dst = dst + 1`, carry untouched.
    pub(crate) fn inc(&mut self, size: Size, dst: Gpr) {
        self.op(size, &[0xFF], 0, dst, 0);
    }

    /// `dst = dst - 1`, carry untouched.
    pub(crate) fn dec(&mut self, size: Size, dst: Gpr) {
        self.op(size, &[0xFF], 1, dst, 0);
    }
}

/// Bits.
impl Asm {
    /// `dst` shifted by a constant, modulo its size.
    pub(crate) fn shift_imm(&mut self, op: ShiftOp, size: Size, dst: Gpr, count: u8) {
        self.op(size, &[0xC1], op.extension(), dst, 1);
        self.byte(count);
    }

    /// `dst` = `src` shifted by `count`, modulo its size; flags untouched. There are no such rotations.
    pub(crate) fn shift_var(&mut self, op: ShiftOp, size: Size, dst: Gpr, src: Rm, count: Gpr) {
        let pp = match op {
            ShiftOp::Shl => Pp::P66,
            ShiftOp::Shr => Pp::F2,
            ShiftOp::Sar => Pp::F3,
            ShiftOp::Rol | ShiftOp::Ror => panic!("no {op:?} by a register"),
        };
        self.bmi(pp, 0xF7, size, dst, src, count);
    }

    /// `dst` = the low `count` bits of `src`; all of them from its size (to 255) on.
    pub(crate) fn bzhi(&mut self, size: Size, dst: Gpr, src: Rm, count: Gpr) {
        self.bmi(Pp::None, 0xF5, size, dst, src, count);
    }

    /// `dst` = the zeros below the lowest one.
    pub(crate) fn tzcnt(&mut self, size: Size, dst: Gpr, src: Rm) {
        self.byte(0xF3);
        self.op(size, &[0x0F, 0xBC], dst.0, src, 0);
    }

    /// `dst` = the zeros above the highest one.
    pub(crate) fn lzcnt(&mut self, size: Size, dst: Gpr, src: Rm) {
        self.byte(0xF3);
        self.op(size, &[0x0F, 0xBD], dst.0, src, 0);
    }

    /// `dst` = the number of ones.
    pub(crate) fn popcnt(&mut self, size: Size, dst: Gpr, src: Rm) {
        self.byte(0xF3);
        self.op(size, &[0x0F, 0xB8], dst.0, src, 0);
    }

    fn bmi(&mut self, pp: Pp, byte: u8, size: Size, dst: Gpr, src: Rm, count: Gpr) {
        let op = Opcode { pp, map: Map::M0F38, byte, w: size == Size::Q };
        self.vex(op, false, Operands { reg: dst.0, vvvv: count.0, rm: src.into(), imm: None });
    }
}

/// Atomics and control.
impl Asm {
    /// `*dst += src`, `src` = what was there; atomic.
    pub(crate) fn lock_xadd(&mut self, size: Size, dst: Mem, src: Gpr) {
        self.byte(LOCK);
        self.op(size, &[0x0F, 0xC1], src.0, Place::Mem(dst), 0);
    }

    /// `*dst = src` and the zero flag if `*dst` is `rax`, else `rax = *dst`; atomic.
    pub(crate) fn lock_cmpxchg(&mut self, size: Size, dst: Mem, src: Gpr) {
        self.byte(LOCK);
        self.op(size, &[0x0F, 0xB1], src.0, Place::Mem(dst), 0);
    }

    /// `*dst` and `src` change places; atomic without a prefix.
    pub(crate) fn xchg(&mut self, size: Size, dst: Mem, src: Gpr) {
        self.op(size, &[0x87], src.0, Place::Mem(dst), 0);
    }

    /// `*dst = *dst op src`; atomic.
    pub(crate) fn lock_alu(&mut self, op: AluOp, size: Size, dst: Mem, src: Gpr) {
        assert_ne!(op, AluOp::Cmp, "a comparison writes nothing");
        self.byte(LOCK);
        self.alu_store(op, size, dst, src);
    }

    /// Jumps to the address in a register.
    pub(crate) fn jmp_reg(&mut self, to: Gpr) {
        self.op(Size::D, &[0xFF], 4, to, 0);
    }

    /// Calls the address in a register.
    pub(crate) fn call_reg(&mut self, to: Gpr) {
        self.op(Size::D, &[0xFF], 2, to, 0);
    }

    /// Calls the address in memory.
    pub(crate) fn call_mem(&mut self, to: Mem) {
        self.op(Size::D, &[0xFF], 2, Place::Mem(to), 0);
    }

    /// Returns.
    pub(crate) fn ret(&mut self) {
        self.byte(0xC3);
    }

    /// Stops with an illegal instruction.
    pub(crate) fn ud2(&mut self) {
        self.bytes(&[0x0F, 0x0B]);
    }
}

/// The prefix of an atomic instruction.
const LOCK: u8 = 0xF0;

/// The encoding.
impl Asm {
    /// An instruction without VEX: `opcode` with ModRM; `tail` bytes of immediate will follow.
    fn op(&mut self, size: Size, opcode: &[u8], reg: u8, rm: impl Into<Place>, tail: u8) {
        let rm = rm.into();
        self.rex(size, reg, rm, false);
        self.bytes(opcode);
        self.modrm(reg, rm, 1, tail);
    }

    /// An instruction whose ModRM.rm is 8 bits: without a REX prefix, 4 to 7 would be `ah` to `bh`.
    fn byte_op(&mut self, opcode: &[u8], reg: u8, rm: Place) {
        let force = matches!(rm, Place::Reg(4..8));
        self.rex(Size::D, reg, rm, force);
        self.bytes(opcode);
        self.modrm(reg, rm, 1, 0);
    }

    /// The REX prefix, if needed or forced.
    fn rex(&mut self, size: Size, reg: u8, rm: Place, force: bool) {
        let (x, b) = (rm.index() >> 3, rm.base() >> 3);
        assert!(reg < 16 && x < 2 && b < 2 && !rm.is_vsib(), "no such general register");
        let bits = u8::from(size == Size::Q) << 3 | (reg >> 3) << 2 | x << 1 | b;
        if bits != 0 || force {
            self.byte(0x40 | bits);
        }
    }
}
