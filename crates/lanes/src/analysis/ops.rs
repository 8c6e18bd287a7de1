//! Integer operations in the affine domain.

use super::{
    domain::Kind,
    eval::Eval,
    form::Form,
    slice::{int_bits, type_range},
};
use crate::ir::{BinaryOp, Ty, UnaryOp, Value};

impl Eval<'_> {
    pub(super) fn unary(&mut self, op: UnaryOp, a: Value, ty: Ty) -> Option<Form> {
        let form = self.values[a.index()].clone();
        match op {
            UnaryOp::Neg => form.map(|f| f.scale(-1)),
            UnaryOp::Not => form.map(|f| f.scale(-1).shift(-1)),
            UnaryOp::Abs => {
                let form = self.number(&form?, ty)?;
                let (lo, hi) = self.domain.range(&form);
                match () {
                    () if lo >= 0 => Some(form),
                    () if hi <= 0 => Some(form.scale(-1)),
                    () => self.hull(0, hi.max(-lo), &form, &form),
                }
            }
            UnaryOp::CountOneBits | UnaryOp::CountLeadingZeros | UnaryOp::CountTrailingZeros => {
                let form = form?;
                self.hull(0, int_bits(ty)?.into(), &form, &form)
            }
            _ => None,
        }
    }

    /// A fresh symbol over a range, which depends on `a` and `b` in no affine way.
    fn hull(&mut self, lo: i128, hi: i128, a: &Form, b: &Form) -> Option<Form> {
        let lane = self.domain.is_lane(a) || self.domain.is_lane(b);
        // A number made from a loaded one is still the loaded one to who reads the reason.
        let kind = self.loaded(a).or_else(|| self.loaded(b)).unwrap_or(Kind::NotAffine);
        Some(Form::symbol(self.domain.fresh(lo, hi, kind, lane)))
    }

    pub(super) fn loaded(&self, form: &Form) -> Option<Kind> {
        form.symbols().map(|s| self.domain.symbol(s).kind).find(|k| matches!(k, Kind::Loaded(_) | Kind::Data))
    }

    pub(super) fn binary(&mut self, op: BinaryOp, a: Value, b: Value, ty: Ty) -> Option<Form> {
        let (left, right) = (self.values[a.index()].clone()?, self.values[b.index()].clone()?);
        match op {
            BinaryOp::Add => Some(left.plus(&right)),
            BinaryOp::Sub => Some(left.minus(&right)),
            BinaryOp::Mul => self.multiply(&left, &right, ty),
            BinaryOp::Shl => {
                let k = right.as_constant()?.rem_euclid(int_bits(ty)?.into());
                Some(left.scale(1 << k))
            }
            BinaryOp::Shr => {
                let k = right.as_constant()?.rem_euclid(int_bits(ty)?.into());
                self.quotient(&left, 1 << k, ty)
            }
            BinaryOp::Div => self.divide(&left, &right, ty),
            BinaryOp::Rem => self.remainder(&left, &right, ty),
            BinaryOp::Min | BinaryOp::Max => self.extreme(op, &left, &right, ty),
            BinaryOp::And => self.and(&left, &right, ty),
            BinaryOp::Or | BinaryOp::Xor => self.or(op, &left, &right, ty),
            _ => None,
        }
    }

    fn multiply(&mut self, a: &Form, b: &Form, ty: Ty) -> Option<Form> {
        if let Some(k) = b.as_constant() {
            return Some(a.scale(k));
        }
        if let Some(k) = a.as_constant() {
            return Some(b.scale(k));
        }
        let (x, y) = (self.number(a, ty)?, self.number(b, ty)?);
        let ((alo, ahi), (blo, bhi)) = (self.domain.range(&x), self.domain.range(&y));
        let products = [alo.checked_mul(blo)?, alo.checked_mul(bhi)?, ahi.checked_mul(blo)?, ahi.checked_mul(bhi)?];
        let (lo, hi) = (*products.iter().min()?, *products.iter().max()?);
        let (tlo, thi) = type_range(ty);
        let (lo, hi) = if lo < tlo || hi > thi { (tlo, thi) } else { (lo, hi) };
        self.hull(lo, hi, a, b)
    }

    /// `floor(a / d)`, `d > 0`.
    fn quotient(&mut self, a: &Form, d: i128, ty: Ty) -> Option<Form> {
        let Some(x) = self.number(a, ty) else {
            let (lo, hi) = type_range(ty);
            return self.hull(lo.div_euclid(d), hi.div_euclid(d), a, a);
        };
        Some(self.domain.divide(&x, d).0)
    }

    fn divide(&mut self, a: &Form, b: &Form, ty: Ty) -> Option<Form> {
        let d = self.number(b, ty)?.as_constant();
        let x = self.number(a, ty);
        match (x, d) {
            (_, Some(0 | 1)) => Some(a.clone()),
            (Some(x), Some(d)) if d > 0 && self.domain.range(&x).0 >= 0 => Some(self.domain.divide(&x, d).0),
            // An unsigned or not negative quotient by anything is no larger than what is divided.
            (Some(x), _) if self.domain.range(&x).0 >= 0 && (!ty.is_signed() || d.is_some_and(|d| d > 0)) => {
                let hi = self.domain.range(&x).1;
                self.hull(0, hi, a, b)
            }
            (None, Some(d)) if !ty.is_signed() && d > 0 => self.hull(0, type_range(ty).1 / d, a, b),
            _ => None,
        }
    }

    fn remainder(&mut self, a: &Form, b: &Form, ty: Ty) -> Option<Form> {
        let b_number = self.number(b, ty)?;
        let (blo, bhi) = self.domain.range(&b_number);
        let x = self.number(a, ty);
        match (x, b_number.as_constant()) {
            (_, Some(0)) => Some(Form::default()),
            (Some(x), Some(d)) if d > 0 && self.domain.range(&x).0 >= 0 => Some(self.domain.divide(&x, d).1),
            (Some(x), _) if blo > 0 && self.domain.range(&x).0 >= 0 => {
                let hi = self.domain.range(&x).1.min(bhi - 1);
                self.hull(0, hi, a, b)
            }
            (_, Some(d)) if d > 0 && ty.is_signed() => self.hull(1 - d, d - 1, a, b),
            (None, Some(d)) if d > 0 => self.hull(0, d - 1, a, b),
            _ => None,
        }
    }

    fn extreme(&mut self, op: BinaryOp, a: &Form, b: &Form, ty: Ty) -> Option<Form> {
        let (x, y) = (self.number(a, ty)?, self.number(b, ty)?);
        let difference = self.domain.simplify(x.minus(&y));
        let (dlo, dhi) = self.domain.range(&difference);
        let least = op == BinaryOp::Min;
        if dhi <= 0 {
            return Some(if least { x } else { y });
        }
        if dlo >= 0 {
            return Some(if least { y } else { x });
        }
        let ((alo, ahi), (blo, bhi)) = (self.domain.range(&x), self.domain.range(&y));
        let (lo, hi) = if least { (alo.min(blo), ahi.min(bhi)) } else { (alo.max(blo), ahi.max(bhi)) };
        self.hull(lo, hi, a, b)
    }

    fn and(&mut self, a: &Form, b: &Form, ty: Ty) -> Option<Form> {
        let bits = int_bits(ty)?;
        let (form, mask) = match (a.as_constant(), b.as_constant()) {
            (_, Some(m)) => (a, m.rem_euclid(1 << bits)),
            (Some(m), _) => (b, m.rem_euclid(1 << bits)),
            _ => {
                let hi = [a, b].into_iter().filter_map(|f| Some(self.domain.range(&self.number(f, ty)?)));
                // Not more than the smaller of two numbers that are not negative.
                let hi = hi.filter(|r| r.0 >= 0).map(|r| r.1).min()?;
                return self.hull(0, hi, a, b);
            }
        };
        if (mask + 1) & mask == 0 {
            // The low bits of a congruent number are those of the number, however it wraps.
            return Some(if mask == 0 { Form::default() } else { self.domain.divide(form, mask + 1).1 });
        }
        let low = (1i128 << bits) - mask;
        if low & (low - 1) == 0 {
            let rest = self.domain.divide(form, low).1;
            return Some(form.minus(&rest));
        }
        if mask >> (bits - 1) == 0 { self.hull(0, mask, a, b) } else { None }
    }

    /// `a | b` and `a ^ b`: a sum where the bits cannot meet.
    fn or(&mut self, op: BinaryOp, a: &Form, b: &Form, ty: Ty) -> Option<Form> {
        let (x, y) = (self.number(a, ty)?, self.number(b, ty)?);
        let ((alo, ahi), (blo, bhi)) = (self.domain.range(&x), self.domain.range(&y));
        if alo < 0 || blo < 0 {
            return None;
        }
        for (high, low, hi) in [(&x, &y, bhi), (&y, &x, ahi)] {
            let unit = ((hi + 1) as u128).next_power_of_two() as i128;
            if high.c % unit == 0 && high.terms.iter().all(|t| t.1 % unit == 0) {
                return Some(high.plus(low));
            }
        }
        let all = ((ahi.max(bhi) + 1) as u128).next_power_of_two() as i128 - 1;
        self.hull(if op == BinaryOp::Or { alo.max(blo) } else { 0 }, all, a, b)
    }
}
