//! Shorthands that append one machine instruction.

use super::Lower;
use crate::jit::{
    mir::{Address, Dst, From, GSrc, Kind, Src, Vector},
    x64::{AluOp, Cond, KOp, ShiftOp, Size, VOp},
};
use regalloc2::{Block, Operand, RegClass, VReg};

/// Operands of an address, in the order that [`emit`](crate::jit::emit) expects.
fn address_operands(address: &Address, operands: &mut Vec<Operand>) {
    if let From::Reg(base) = address.base {
        operands.push(Operand::reg_use(base));
    }
    if let Some((index, ..)) = address.index {
        operands.push(Operand::reg_use(index));
    }
}

/// Operands of a last source; a register that does not get one is read from the stack.
fn general_operands(src: &GSrc, operands: &mut Vec<Operand>) {
    match src {
        GSrc::Reg(r) => operands.push(Operand::any_use(*r)),
        GSrc::Mem(m) => address_operands(m, operands),
        GSrc::Imm(_) => {}
    }
}

impl Lower<'_> {
    pub(super) fn push(&mut self, kind: Kind, operands: Vec<Operand>) {
        self.f.push(self.at, kind, operands);
    }

    /// A vector instruction; the result if it has one.
    pub(super) fn vector(&mut self, v: Vector) {
        let mut operands = Vec::with_capacity(5);
        match v.dst {
            Dst::Def(d) if v.tied.is_some() => operands.push(Operand::reg_reuse_def(d, 1)),
            Dst::Def(d) => operands.push(Operand::reg_def(d)),
            Dst::Use(d) => operands.push(Operand::reg_use(d)),
        }
        operands.extend(v.tied.map(Operand::reg_use));
        operands.extend(v.a.map(Operand::reg_use));
        match &v.b {
            Src::Reg(r) if v.op.takes_memory() => operands.push(Operand::any_use(*r)),
            Src::Reg(r) => operands.push(Operand::reg_use(*r)),
            Src::Mem(m) | Src::Splat(m) => address_operands(m, &mut operands),
        }
        operands.extend(v.mask.map(|(k, _)| Operand::reg_use(k)));
        self.push(Kind::Vector(v), operands);
    }

    pub(super) fn float(&mut self) -> VReg {
        self.f.reg(RegClass::Float)
    }

    pub(super) fn int(&mut self) -> VReg {
        self.f.reg(RegClass::Int)
    }

    fn base_vector(&self, op: VOp, dst: Dst, b: Src) -> Vector {
        Vector { op, len: self.len(), dst, tied: None, a: None, b, imm: None, mask: None }
    }

    /// `op b`.
    pub(super) fn v2(&mut self, op: VOp, b: Src) -> VReg {
        let d = self.float();
        let v = self.base_vector(op, Dst::Def(d), b);
        self.vector(v);
        d
    }

    pub(super) fn v2i(&mut self, op: VOp, b: Src, imm: u8) -> VReg {
        let d = self.float();
        let v = self.base_vector(op, Dst::Def(d), b);
        self.vector(Vector { imm: Some(imm), ..v });
        d
    }

    /// `op a, b`.
    pub(super) fn v3(&mut self, op: VOp, a: VReg, b: Src) -> VReg {
        let d = self.float();
        let v = self.base_vector(op, Dst::Def(d), b);
        self.vector(Vector { a: Some(a), ..v });
        d
    }

    pub(super) fn v3r(&mut self, op: VOp, a: VReg, b: VReg) -> VReg {
        self.v3(op, a, Src::Reg(b))
    }

    pub(super) fn v3i(&mut self, op: VOp, a: VReg, b: Src, imm: u8) -> VReg {
        let d = self.float();
        let v = self.base_vector(op, Dst::Def(d), b);
        self.vector(Vector { a: Some(a), imm: Some(imm), ..v });
        d
    }

    /// `op` with a destination that starts as `tied`.
    pub(super) fn v4(&mut self, op: VOp, tied: VReg, a: VReg, b: Src) -> VReg {
        let d = self.float();
        let v = self.base_vector(op, Dst::Def(d), b);
        self.vector(Vector { tied: Some(tied), a: Some(a), ..v });
        d
    }

    /// `op b` under a mask register; masked-off elements keep `old`, or are zero without it.
    pub(super) fn v2_masked(&mut self, op: VOp, b: Src, mask: VReg, old: Option<VReg>) -> VReg {
        let d = self.float();
        let v = self.base_vector(op, Dst::Def(d), b);
        self.vector(Vector { tied: old, mask: Some((mask, old.is_none())), ..v });
        d
    }

    /// AVX-512: `a + b` in the elements of a mask, `a` in the others.
    pub(super) fn add_under(&mut self, a: VReg, b: Src, mask: VReg) -> VReg {
        let d = self.float();
        let v = self.base_vector(VOp::Addd, Dst::Def(d), b);
        self.vector(Vector { tied: Some(a), a: Some(a), mask: Some((mask, false)), ..v });
        d
    }

    /// An AVX-512 comparison into a mask register.
    pub(super) fn compare_k(&mut self, op: VOp, a: VReg, b: Src, imm: Option<u8>) -> VReg {
        let d = self.f.reg(RegClass::Vector);
        let v = self.base_vector(op, Dst::Def(d), b);
        self.vector(Vector { a: Some(a), imm, ..v });
        d
    }

    /// A store of `from`, perhaps masked.
    pub(super) fn store_vector(&mut self, op: VOp, from: VReg, to: Address, mask: Option<VReg>) {
        let v = self.base_vector(op, Dst::Use(from), Src::Mem(to));
        self.vector(Vector { mask: mask.map(|k| (k, false)), ..v });
    }

    /// AVX2: `mask ? b : a`, a lane where the sign of `mask` is set.
    pub(super) fn blend_v(&mut self, pd: bool, a: VReg, b: VReg, mask: VReg) -> VReg {
        let d = self.float();
        let len = self.len();
        let operands = vec![Operand::reg_def(d), Operand::reg_use(a), Operand::any_use(b), Operand::reg_use(mask)];
        self.push(Kind::BlendV { pd, len }, operands);
        d
    }

    pub(super) fn general_of(&mut self, size: Size, a: VReg) -> VReg {
        let d = self.int();
        self.push(Kind::ToGpr(size), vec![Operand::reg_def(d), Operand::reg_use(a)]);
        d
    }

    pub(super) fn vector_of(&mut self, size: Size, a: VReg) -> VReg {
        let d = self.float();
        self.push(Kind::FromGpr(size), vec![Operand::reg_def(d), Operand::reg_use(a)]);
        d
    }

    pub(super) fn mask_op(&mut self, op: KOp, a: VReg, b: VReg) -> VReg {
        let d = self.f.reg(RegClass::Vector);
        self.push(Kind::Mask(op), vec![Operand::reg_def(d), Operand::reg_use(a), Operand::reg_use(b)]);
        d
    }

    /// A mask instruction of one operand or none.
    pub(super) fn mask_unary(&mut self, kind: Kind, a: Option<VReg>) -> VReg {
        let d = self.f.reg(RegClass::Vector);
        let operands = [Operand::reg_def(d)].into_iter().chain(a.map(Operand::reg_use)).collect();
        self.push(kind, operands);
        d
    }

    pub(super) fn imm(&mut self, value: u64) -> VReg {
        let d = self.int();
        self.push(Kind::Imm(value), vec![Operand::reg_def(d)]);
        d
    }

    pub(super) fn load(&mut self, size: Size, from: Address) -> VReg {
        self.general(Kind::Load(size, from), None, GSrc::Mem(from))
    }

    pub(super) fn lea(&mut self, size: Size, from: Address) -> VReg {
        self.general(Kind::Lea(size, from), None, GSrc::Mem(from))
    }

    pub(super) fn store_gpr(&mut self, size: Size, from: VReg, to: Address) {
        self.store_as(Kind::Store(size, to), from, &to);
    }

    /// An instruction that changes memory.
    pub(super) fn store_as(&mut self, kind: Kind, from: VReg, to: &Address) {
        let mut operands = vec![Operand::reg_use(from)];
        address_operands(to, &mut operands);
        self.push(kind, operands);
    }

    /// Adds to memory, atomically; what was there.
    pub(super) fn exchange_add(&mut self, size: Size, value: VReg, at: Address) -> VReg {
        let d = self.int();
        let mut operands = vec![Operand::reg_reuse_def(d, 1), Operand::reg_use(value)];
        address_operands(&at, &mut operands);
        self.push(Kind::ExchangeAdd(size, at), operands);
        d
    }

    pub(super) fn store_imm(&mut self, to: Address, value: i32) {
        let mut operands = Vec::new();
        address_operands(&to, &mut operands);
        self.push(Kind::StoreImm(to, value), operands);
    }

    /// Asks for the memory at an address.
    pub(super) fn prefetch(&mut self, at: Address) {
        let mut operands = Vec::new();
        address_operands(&at, &mut operands);
        self.push(Kind::Prefetch(at), operands);
    }

    /// An instruction with a destination of its own.
    pub(super) fn general(&mut self, kind: Kind, a: Option<VReg>, b: GSrc) -> VReg {
        let d = self.int();
        let mut operands = vec![Operand::reg_def(d)];
        operands.extend(a.map(Operand::reg_use));
        general_operands(&b, &mut operands);
        self.push(kind, operands);
        d
    }

    /// An instruction that overwrites its first source.
    fn general_tied(&mut self, kind: Kind, a: VReg, b: GSrc) -> VReg {
        let d = self.int();
        let mut operands = vec![Operand::reg_reuse_def(d, 1), Operand::reg_use(a)];
        general_operands(&b, &mut operands);
        self.push(kind, operands);
        d
    }

    pub(super) fn alu(&mut self, op: AluOp, size: Size, a: VReg, b: GSrc) -> VReg {
        self.general_tied(Kind::Alu(op, size, b), a, b)
    }

    pub(super) fn neg(&mut self, size: Size, a: VReg) -> VReg {
        self.general_tied(Kind::Neg(size), a, GSrc::Imm(0))
    }

    pub(super) fn not(&mut self, size: Size, a: VReg) -> VReg {
        self.general_tied(Kind::Not(size), a, GSrc::Imm(0))
    }

    pub(super) fn imul(&mut self, size: Size, a: VReg, b: GSrc) -> VReg {
        match b {
            GSrc::Imm(k) => self.general(Kind::ImulImm(size, k), Some(a), GSrc::Imm(0)),
            b => self.general_tied(Kind::Imul(size, b), a, b),
        }
    }

    pub(super) fn shift(&mut self, op: ShiftOp, size: Size, a: VReg, by: u8) -> VReg {
        self.general_tied(Kind::Shift(op, size, by), a, GSrc::Imm(0))
    }

    pub(super) fn shift_var(&mut self, op: ShiftOp, size: Size, a: VReg, by: VReg) -> VReg {
        let d = self.int();
        let operands = vec![Operand::reg_def(d), Operand::reg_use(a), Operand::reg_use(by)];
        self.push(Kind::ShiftVar(op, size), operands);
        d
    }

    pub(super) fn copy(&mut self, size: Size, a: VReg) -> VReg {
        self.general(Kind::Copy(size), Some(a), GSrc::Imm(0))
    }

    pub(super) fn sign_extend(&mut self, a: VReg) -> VReg {
        self.general(Kind::SignExtend, Some(a), GSrc::Imm(0))
    }

    pub(super) fn set_if(&mut self, cond: Cond, size: Size, a: VReg, b: GSrc) -> VReg {
        self.general(Kind::SetIf(cond, size, b), Some(a), b)
    }

    /// `a cond b ? yes : no`, 64 bits moved.
    pub(super) fn move_if(&mut self, cond: Cond, size: Size, a: VReg, b: GSrc, yes: VReg, no: VReg) -> VReg {
        let d = self.int();
        let mut operands = vec![Operand::reg_reuse_def(d, 1), Operand::reg_use(no), Operand::reg_use(a)];
        general_operands(&b, &mut operands);
        operands.push(Operand::reg_use(yes));
        self.push(Kind::MoveIf(cond, size, b), operands);
        d
    }

    pub(super) fn branch_to(&mut self, cond: Cond, size: Size, a: VReg, b: GSrc, yes: Block, no: Block) {
        let mut operands = vec![Operand::reg_use(a)];
        general_operands(&b, &mut operands);
        self.f.end(self.at, Kind::Branch(cond, size, b), operands, &[yes, no], Vec::new());
    }

    pub(super) fn undefined(&mut self, class: RegClass) -> VReg {
        let d = self.f.reg(class);
        self.push(Kind::Undefined, vec![Operand::reg_def(d)]);
        d
    }
}
