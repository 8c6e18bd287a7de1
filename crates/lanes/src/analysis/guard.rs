//! Guards: what a condition says about the symbols.

use super::{
    domain::INFINITE,
    eval::Eval,
    form::Form,
    slice::{Def, int_bits, type_range},
};
use crate::ir::{BinaryOp, Op, Ty, UnaryOp, Value};

/// A condition as its operator, with both sides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Comparison {
    pub op: BinaryOp,
    pub left: Value,
    pub right: Value,
}

/// How deep a condition is followed.
const MAX_DEPTH: u32 = 32;

impl Eval<'_> {
    /// Adds to the box that `cond == truth`. Returns whether that says all of it: no invocation of the
    /// tightened box fails the condition.
    pub fn assume(&mut self, cond: Value, truth: bool) -> bool {
        self.assume_at(cond, truth, MAX_DEPTH)
    }

    fn assume_at(&mut self, cond: Value, truth: bool, depth: u32) -> bool {
        if depth == 0 || self.guard_budget == 0 {
            return false;
        }
        self.guard_budget -= 1;
        let slice = self.slice;
        match &slice.defs[cond.index()] {
            Def::Op(Op::Const(v)) => {
                self.domain.empty |= (*v != 0) != truth;
                true
            }
            Def::Op(Op::Unary(UnaryOp::Not, a)) => self.assume_at(*a, !truth, depth - 1),
            Def::Op(Op::Binary(BinaryOp::And, a, b)) => self.both((*a, truth), (*b, truth), truth, depth),
            Def::Op(Op::Binary(BinaryOp::Or, a, b)) => self.both((*a, truth), (*b, truth), !truth, depth),
            Def::Op(Op::Binary(op, a, b)) if op.is_comparison() => {
                self.assume_comparison(Comparison { op: *op, left: *a, right: *b }, truth)
            }
            Def::Op(Op::Select { cond, accept, reject }) => self.choice(*cond, *accept, *reject, truth, depth),
            Def::Phi { cond, then, other } => self.choice(*cond, *then, *other, truth, depth),
            _ => false,
        }
    }

    /// `a && b` where `all`, else `a || b`.
    fn both(&mut self, a: (Value, bool), b: (Value, bool), all: bool, depth: u32) -> bool {
        if all {
            let first = self.assume_at(a.0, a.1, depth - 1);
            if self.domain.empty {
                return true;
            }
            return self.assume_at(b.0, b.1, depth - 1) && first;
        }
        match (self.decide(a, depth), self.decide(b, depth)) {
            (Some(true), _) | (_, Some(true)) => true,
            (Some(false), _) => self.assume_at(b.0, b.1, depth - 1),
            (_, Some(false)) => self.assume_at(a.0, a.1, depth - 1),
            _ => false,
        }
    }

    /// Whether a condition holds for all of the box or for none of it.
    fn decide(&mut self, (v, truth): (Value, bool), depth: u32) -> Option<bool> {
        let mut decided = None;
        for side in [true, false] {
            let mark = self.domain.mark();
            self.assume_at(v, truth == side, depth - 1);
            if self.domain.empty {
                decided = Some(!side);
            }
            self.domain.undo(mark);
        }
        decided
    }

    /// `cond ? a : b`, as what lowering `&&` and `||` leaves.
    fn choice(&mut self, cond: Value, a: Value, b: Value, truth: bool, depth: u32) -> bool {
        match (self.constant_bool(a), self.constant_bool(b)) {
            (Some(x), Some(y)) if x == y => {
                self.domain.empty |= x != truth;
                true
            }
            (Some(x), Some(_)) => self.assume_at(cond, x == truth, depth - 1),
            (None, Some(y)) if y == truth => self.both((cond, false), (a, truth), false, depth),
            (None, Some(_)) => self.both((cond, true), (a, truth), true, depth),
            (Some(x), None) if x == truth => self.both((cond, true), (b, truth), false, depth),
            (Some(_), None) => self.both((cond, false), (b, truth), true, depth),
            (None, None) => match self.decide((cond, true), depth) {
                Some(true) => self.assume_at(a, truth, depth - 1),
                Some(false) => self.assume_at(b, truth, depth - 1),
                None => false,
            },
        }
    }

    pub fn constant_bool(&self, v: Value) -> Option<bool> {
        match &self.slice.defs[v.index()] {
            Def::Op(Op::Const(bits)) => Some(*bits != 0),
            _ => None,
        }
    }

    fn assume_comparison(&mut self, c: Comparison, truth: bool) -> bool {
        let ty = self.kernel.ty(c.left);
        if int_bits(ty).is_none() {
            return false;
        }
        let (Some(left), Some(right)) = (self.values[c.left.index()].clone(), self.values[c.right.index()].clone())
        else {
            return false;
        };
        let op = if truth { c.op } else { negated(c.op) };
        match (self.number(&left, ty), self.number(&right, ty)) {
            (Some(a), Some(b)) => self.assume_order(&a.minus(&b), op),
            (None, Some(b)) => self.assume_window(&left, op, &b, ty),
            (Some(a), None) => self.assume_window(&right, swapped(op), &a, ty),
            _ => false,
        }
    }

    /// `difference op 0`.
    fn assume_order(&mut self, difference: &Form, op: BinaryOp) -> bool {
        let difference = self.domain.simplify(difference.clone());
        let known = self.is_plain(&difference);
        let (lo, hi) = match op {
            BinaryOp::Lt => (-INFINITE, -1),
            BinaryOp::Le => (-INFINITE, 0),
            BinaryOp::Gt => (1, INFINITE),
            BinaryOp::Ge => (0, INFINITE),
            BinaryOp::Eq => (0, 0),
            _ => return self.assume_not_zero(&difference) && known,
        };
        self.domain.assume(&difference, lo, hi);
        known
    }

    /// Whether a condition on this form splits the box exactly: it has no symbol that hides more than its
    /// range (an unknown value, a quotient).
    pub fn is_plain(&self, form: &Form) -> bool {
        form.symbols().all(|s| self.domain.symbol(s).kind.is_id_or_counter())
    }

    fn assume_not_zero(&mut self, form: &Form) -> bool {
        let (lo, hi) = self.domain.range(form);
        match (lo, hi) {
            (0, 0) => {
                self.domain.empty = true;
                true
            }
            (0, _) => {
                self.domain.assume(form, 1, INFINITE);
                true
            }
            (_, 0) => {
                self.domain.assume(form, -INFINITE, -1);
                true
            }
            _ => lo > 0 || hi < 0,
        }
    }

    /// `form op bound` where the form may wrap: exact if only one window of the type can hold it.
    fn assume_window(&mut self, form: &Form, op: BinaryOp, bound: &Form, ty: Ty) -> bool {
        let (tlo, thi) = type_range(ty);
        let (blo, bhi) = self.domain.range(bound);
        let (lo, hi) = match op {
            BinaryOp::Lt => (tlo, bhi - 1),
            BinaryOp::Le => (tlo, bhi),
            BinaryOp::Gt => (blo + 1, thi),
            BinaryOp::Ge => (blo, thi),
            BinaryOp::Eq => (blo, bhi),
            _ => return false,
        };
        if lo > hi {
            self.domain.empty = true;
            return true;
        }
        let modulus = thi - tlo + 1;
        let (flo, fhi) = self.domain.range(form);
        // Windows k with [lo, hi] + k * modulus meeting [flo, fhi].
        let (first, last) = (-(hi - flo).div_euclid(modulus), (fhi - lo).div_euclid(modulus));
        if first > last {
            self.domain.empty = true;
            return true;
        }
        if first < last {
            return false;
        }
        self.domain.assume(form, lo + first * modulus, hi + first * modulus);
        blo == bhi && self.is_plain(form)
    }
}

/// The operator that holds where `op` does not (integers).
pub(super) fn negated(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Lt => BinaryOp::Ge,
        BinaryOp::Le => BinaryOp::Gt,
        BinaryOp::Gt => BinaryOp::Le,
        BinaryOp::Ge => BinaryOp::Lt,
        BinaryOp::Eq => BinaryOp::Ne,
        _ => BinaryOp::Eq,
    }
}

/// The operator with its sides exchanged.
pub(super) fn swapped(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Lt => BinaryOp::Gt,
        BinaryOp::Le => BinaryOp::Ge,
        BinaryOp::Gt => BinaryOp::Lt,
        BinaryOp::Ge => BinaryOp::Le,
        same => same,
    }
}
