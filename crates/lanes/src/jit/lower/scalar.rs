//! Operations on uniform and affine integers in general registers.

use super::{Lower, Val};
use crate::{
    ir::{BinaryOp, Op, Ty, UnaryOp, Value},
    jit::{
        class::Class,
        mir::{Address, From, GSrc},
        x64::{AluOp, Cond, ShiftOp, Size},
    },
};
use regalloc2::VReg;

/// The condition under which an integer comparison holds.
pub(super) fn condition(op: BinaryOp, signed: bool) -> Option<Cond> {
    Some(match (op, signed) {
        (BinaryOp::Eq, _) => Cond::E,
        (BinaryOp::Ne, _) => Cond::Ne,
        (BinaryOp::Lt, true) => Cond::L,
        (BinaryOp::Le, true) => Cond::Le,
        (BinaryOp::Gt, true) => Cond::G,
        (BinaryOp::Ge, true) => Cond::Ge,
        (BinaryOp::Lt, false) => Cond::B,
        (BinaryOp::Le, false) => Cond::Be,
        (BinaryOp::Gt, false) => Cond::A,
        (BinaryOp::Ge, false) => Cond::Ae,
        _ => return None,
    })
}

impl Lower<'_> {
    /// A value as the last source of a general instruction.
    pub(super) fn general_source(&mut self, v: Value) -> GSrc {
        let narrow = self.ty(v).bytes() < 8;
        match self.constant(v) {
            Some(bits) if narrow => GSrc::Imm((bits as u32).cast_signed()),
            Some(bits) if i64::from((bits as u32).cast_signed()) == bits.cast_signed() => {
                GSrc::Imm((bits as u32).cast_signed())
            }
            _ => GSrc::Reg(self.gpr(v)),
        }
    }

    /// Defines an integer or Bool that is no vector in general registers; false if it must be made otherwise.
    pub(super) fn scalar(&mut self, dst: Value, op: &Op) -> bool {
        let ty = self.ty(dst);
        let class = self.class(dst);
        if ty.is_float() || class == Class::Varying {
            return false;
        }
        if let Class::Stepped { .. } = class {
            return self.stepped(dst, op);
        }
        let size = Self::size(ty);
        let result = match op {
            Op::Unary(UnaryOp::Neg, a) => {
                let a = self.gpr(*a);
                self.neg(size, a)
            }
            Op::Unary(UnaryOp::Not, a) if ty == Ty::Bool => {
                let a = self.gpr(*a);
                self.alu(AluOp::Xor, size, a, GSrc::Imm(1))
            }
            Op::Unary(UnaryOp::Not, a) => {
                let a = self.gpr(*a);
                self.not(size, a)
            }
            Op::Binary(op @ (BinaryOp::And | BinaryOp::Or), a, b)
                if ty == Ty::Bool && self.decided(*op, *a, *b).is_some() =>
            {
                let val = self.decided(*op, *a, *b).unwrap_or(Val::Imm(0));
                return self.done(dst, val);
            }
            Op::Binary(op, a, b) => match self.scalar_binary(dst, *op, *a, *b) {
                Some(r) => r,
                None => return false,
            },
            Op::Select { cond, accept, reject } => {
                let (cond, yes, no) = (self.gpr(*cond), self.gpr(*accept), self.gpr(*reject));
                self.move_if(Cond::Ne, Size::D, cond, GSrc::Imm(0), yes, no)
            }
            Op::Bitcast(a) if !self.ty(*a).is_float() => match self.val(*a) {
                Val::Imm(bits) => return self.done(dst, Val::Imm(bits)),
                _ => self.gpr(*a),
            },
            Op::Bitcast(a) => self.gpr(*a),
            Op::Convert(a) => match self.scalar_convert(ty, *a) {
                Some(r) => r,
                None => return false,
            },
            _ => return false,
        };
        let val = if class.is_uniform() { Val::Gpr(result) } else { Val::Base(result) };
        self.done(dst, val)
    }

    /// A Bool of two of which one is known.
    fn decided(&self, op: BinaryOp, a: Value, b: Value) -> Option<Val> {
        let (known, other) = match (self.constant(a), self.constant(b)) {
            (Some(k), _) => (k != 0, b),
            (_, Some(k)) => (k != 0, a),
            _ => return None,
        };
        let decides = known == (op == BinaryOp::Or);
        Some(if decides { Val::Imm(known.into()) } else { self.val(other) })
    }

    /// Defines a value whose gain from row to row is known at run time only: by one operation on the base and one on
    /// the gain.
    fn stepped(&mut self, dst: Value, op: &Op) -> bool {
        let (base, step) = match op {
            Op::Bitcast(a) => return self.done(dst, self.val(*a)),
            Op::Unary(UnaryOp::Neg, a) => {
                let (base, step) = (self.gpr(*a), self.gain(*a));
                (self.neg(Size::D, base), self.neg(Size::D, step))
            }
            Op::Binary(BinaryOp::Mul, a, b) => {
                let (a, b) = if self.class(*a).is_uniform() { (*b, *a) } else { (*a, *b) };
                let (base, by) = (self.gpr(a), self.general_source(b));
                let step = match self.class(a) {
                    Class::Affine { row: 1, .. } => self.gpr(b),
                    _ => {
                        let step = self.gain(a);
                        self.imul(Size::D, step, by)
                    }
                };
                (self.imul(Size::D, base, by), step)
            }
            Op::Binary(BinaryOp::Shl, a, b) => {
                let by = self.constant(*b).unwrap_or(0) as u8 & 31;
                let (base, step) = (self.gpr(*a), self.gain(*a));
                (self.shift(ShiftOp::Shl, Size::D, base, by), self.shift(ShiftOp::Shl, Size::D, step, by))
            }
            Op::Binary(op @ (BinaryOp::Add | BinaryOp::Sub), a, b) => {
                let alu = if *op == BinaryOp::Add { AluOp::Add } else { AluOp::Sub };
                let (base, other) = (self.gpr(*a), self.general_source(*b));
                let base = self.alu(alu, Size::D, base, other);
                let step = match self.class(*b) {
                    Class::Affine { row: 0, .. } => self.gain(*a),
                    _ => {
                        let (step, other) = (self.gain(*a), self.gain(*b));
                        self.alu(alu, Size::D, step, GSrc::Reg(other))
                    }
                };
                (base, step)
            }
            _ => return false,
        };
        self.done(dst, Val::Stepped(base, step))
    }

    /// What a value that is not varying gains from row to row.
    pub(super) fn gain(&mut self, v: Value) -> VReg {
        match (self.row_step(v), self.class(v)) {
            (Some(step), _) => step,
            (None, Class::Affine { row, .. }) => self.imm(row.cast_unsigned().into()),
            (None, _) => self.imm(0),
        }
    }

    fn done(&mut self, dst: Value, val: Val) -> bool {
        self.define(dst, val);
        true
    }

    fn scalar_convert(&mut self, to: Ty, a: Value) -> Option<VReg> {
        let from = self.ty(a);
        if from.is_float() {
            return None;
        }
        if to == Ty::Bool {
            let r = self.gpr(a);
            return Some(self.set_if(Cond::Ne, Self::size(from), r, GSrc::Imm(0)));
        }
        let r = self.gpr(a);
        Some(match (from.bytes(), to.bytes()) {
            (4, 8) if from == Ty::I32 => self.sign_extend(r),
            (8, 4) => self.copy(Size::D, r),
            (2, 4) if from == Ty::I16 => {
                let high = self.shift(ShiftOp::Shl, Size::D, r, 16);
                self.shift(ShiftOp::Sar, Size::D, high, 16)
            }
            (4, 2) => self.alu(AluOp::And, Size::D, r, GSrc::Imm(0xffff)),
            _ => r,
        })
    }

    fn scalar_binary(&mut self, dst: Value, op: BinaryOp, a: Value, b: Value) -> Option<VReg> {
        let ty = self.ty(a);
        let size = Self::size(ty);
        if ty.is_float() {
            return None;
        }
        if op.is_comparison() {
            let cond = condition(op, ty.is_signed())?;
            let (x, y) = (self.gpr(a), self.general_source(b));
            return Some(self.set_if(cond, size, x, y));
        }
        let _ = dst;
        let arithmetic = match op {
            BinaryOp::Add => AluOp::Add,
            BinaryOp::Sub => AluOp::Sub,
            BinaryOp::And => AluOp::And,
            BinaryOp::Or => AluOp::Or,
            BinaryOp::Xor => AluOp::Xor,
            BinaryOp::Mul => {
                let (x, y) = if self.constant(a).is_some() { (b, a) } else { (a, b) };
                let (x, y) = (self.gpr(x), self.general_source(y));
                return Some(self.imul(size, x, y));
            }
            BinaryOp::MulHigh => {
                let (mut x, mut y) = (self.gpr(a), self.gpr(b));
                if ty.is_signed() {
                    (x, y) = (self.sign_extend(x), self.sign_extend(y));
                }
                let product = self.imul(Size::Q, x, GSrc::Reg(y));
                return Some(self.shift(ShiftOp::Shr, Size::Q, product, 32));
            }
            BinaryOp::Shl | BinaryOp::Shr => return Some(self.scalar_shift(op, a, b)),
            BinaryOp::Min | BinaryOp::Max => {
                let (x, y) = (self.gpr(a), self.gpr(b));
                let less = if ty.is_signed() { Cond::L } else { Cond::B };
                let (yes, no) = if op == BinaryOp::Min { (x, y) } else { (y, x) };
                return Some(self.move_if(less, size, x, GSrc::Reg(y), yes, no));
            }
            BinaryOp::Div | BinaryOp::Rem => return self.scalar_divide(op, a, b),
            _ => return None,
        };
        let x = self.gpr(a);
        // An addition of a constant needs no copy of its operand.
        if let (AluOp::Add, Some(bits)) = (arithmetic, self.constant(b).filter(|_| size == Size::D)) {
            let at = Address::at(From::Reg(x), (bits as u32).cast_signed());
            return Some(self.lea(size, at));
        }
        let y = self.general_source(b);
        Some(self.alu(arithmetic, size, x, y))
    }

    fn scalar_shift(&mut self, op: BinaryOp, a: Value, b: Value) -> VReg {
        let ty = self.ty(a);
        let size = Self::size(ty);
        let op = match op {
            BinaryOp::Shl => ShiftOp::Shl,
            _ if ty.is_signed() => ShiftOp::Sar,
            _ => ShiftOp::Shr,
        };
        let x = self.gpr(a);
        match self.constant(b) {
            Some(k) => self.shift(op, size, x, (k as u8) & (ty.bytes() as u8 * 8 - 1)),
            None => {
                // The machine takes the amount modulo the width.
                let by = self.gpr(b);
                self.shift_var(op, size, x, by)
            }
        }
    }

    /// Division by a constant that is neither 0 nor -1 (others need the total form).
    fn scalar_divide(&mut self, op: BinaryOp, a: Value, b: Value) -> Option<VReg> {
        let ty = self.ty(a);
        let divisor = self.constant(b)?;
        let minus_one = crate::ir::fold::truncate(ty, u64::MAX);
        if divisor == 0 || (ty.is_signed() && divisor == minus_one) {
            return None;
        }
        let (x, y) = (self.gpr(a), self.gpr(b));
        let (quotient, remainder) = self.divide(ty.is_signed(), Self::size(ty), x, y);
        Some(if op == BinaryOp::Div { quotient } else { remainder })
    }

    pub(super) fn divide(&mut self, signed: bool, size: Size, a: VReg, b: VReg) -> (VReg, VReg) {
        use crate::jit::{mir::Kind, regs};
        use regalloc2::Operand;
        let (q, r) = (self.int(), self.int());
        self.push(
            Kind::Divide { signed, size },
            vec![
                Operand::reg_fixed_def(q, regs::RAX),
                Operand::reg_fixed_def(r, regs::RDX),
                Operand::reg_fixed_use(a, regs::RAX),
                Operand::reg_use_at_end(b),
            ],
        );
        (q, r)
    }
}
