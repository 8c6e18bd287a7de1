//! Instructions on mask registers. All are on 16 lanes where the name says nothing else.

use super::asm::Asm;
use super::modrm::Place;
use super::vex::{Map, Opcode, Operands, Pp};
use super::{Gpr, Kreg, Mem};

/// An operation on two masks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KOp {
    /// `a & b`.
    And,
    /// `!a & b`.
    Andn,
    /// `a | b`.
    Or,
    /// `a ^ b`.
    Xor,
    /// `!(a ^ b)`.
    Xnor,
    /// `a + b`, modulo 2^16.
    Add,
    /// The low 8 bits of `a` above the low 8 bits of `b`.
    Unpckbw,
}

fn op(pp: Pp, byte: u8) -> Opcode {
    Opcode { pp, map: Map::M0F, byte, w: false }
}

/// The whole 64 bits of a mask register.
fn wide(op: Opcode) -> Opcode {
    Opcode { w: true, ..op }
}

impl Kreg {
    fn number(self) -> u8 {
        assert!(self.0 < 8, "mask register {}", self.0);
        self.0
    }

    fn place(self) -> Place {
        Place::Reg(self.number())
    }
}

impl Asm {
    /// `d = s`.
    pub(crate) fn kmov_kk(&mut self, d: Kreg, s: Kreg) {
        self.k(op(Pp::None, 0x90), d.number(), s.place());
    }

    /// `d` = the low 16 bits of `s`.
    pub(crate) fn kmov_from_gpr(&mut self, d: Kreg, s: Gpr) {
        self.k(op(Pp::None, 0x92), d.number(), s.into());
    }

    /// `d = s`, zero extended.
    pub(crate) fn kmov_to_gpr(&mut self, d: Gpr, s: Kreg) {
        self.k(op(Pp::None, 0x93), d.0, s.place());
    }

    /// Loads 16 bits.
    pub(crate) fn kload(&mut self, d: Kreg, from: Mem) {
        self.k(op(Pp::None, 0x90), d.number(), Place::Mem(from));
    }

    /// Stores 16 bits.
    pub(crate) fn kstore(&mut self, to: Mem, s: Kreg) {
        self.k(op(Pp::None, 0x91), s.number(), Place::Mem(to));
    }

    /// Loads 64 bits.
    pub(crate) fn kload64(&mut self, d: Kreg, from: Mem) {
        self.k(wide(op(Pp::None, 0x90)), d.number(), Place::Mem(from));
    }

    /// Stores 64 bits.
    pub(crate) fn kstore64(&mut self, to: Mem, s: Kreg) {
        self.k(wide(op(Pp::None, 0x91)), s.number(), Place::Mem(to));
    }

    /// `d = a kop b`.
    pub(crate) fn kop(&mut self, kop: KOp, d: Kreg, a: Kreg, b: Kreg) {
        let opcode = match kop {
            KOp::And => op(Pp::None, 0x41),
            KOp::Andn => op(Pp::None, 0x42),
            KOp::Or => op(Pp::None, 0x45),
            KOp::Xnor => op(Pp::None, 0x46),
            KOp::Xor => op(Pp::None, 0x47),
            KOp::Add => op(Pp::None, 0x4A),
            KOp::Unpckbw => op(Pp::P66, 0x4B),
        };
        self.vex(opcode, true, Operands { reg: d.number(), vvvv: a.number(), rm: b.place(), imm: None });
    }

    /// `d = !s`.
    pub(crate) fn knot(&mut self, d: Kreg, s: Kreg) {
        self.k(op(Pp::None, 0x44), d.number(), s.place());
    }

    /// Zero flag: `a | b` is 0. Carry flag: it is all ones.
    pub(crate) fn kortest(&mut self, a: Kreg, b: Kreg) {
        self.k(op(Pp::None, 0x98), a.number(), b.place());
    }

    /// Zero flag: `a & b` is 0. Carry flag: `!a & b` is 0.
    pub(crate) fn ktest(&mut self, a: Kreg, b: Kreg) {
        self.k(op(Pp::None, 0x99), a.number(), b.place());
    }

    /// `d = a << imm` or `a >> imm`; 0 from 16 on.
    pub(crate) fn kshift(&mut self, left: bool, d: Kreg, a: Kreg, imm: u8) {
        let opcode = Opcode { pp: Pp::P66, map: Map::M0F3A, byte: if left { 0x32 } else { 0x30 }, w: true };
        self.vex(opcode, false, Operands { reg: d.number(), vvvv: 0, rm: a.place(), imm: Some(imm) });
    }

    fn k(&mut self, op: Opcode, reg: u8, rm: Place) {
        self.vex(op, false, Operands { reg, vvvv: 0, rm, imm: None });
    }
}
