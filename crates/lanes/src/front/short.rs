//! f16, i16 and u16: computed in their 32-bit carriers, each result brought back to a value that the 16-bit type has.
//!
//! An operator on f16 is computed in f32 and rounded again. For `+ - * /` and the square root that is the correctly
//! rounded result, as f32 has more than twice the digits; `fma` and conversions from f64 round to odd in between, which
//! makes the second rounding right. A built-in function or a matrix product of f16 is computed in f32 as a whole and
//! rounded once.

use super::{lower::Lower, shape::scalar_type};
use crate::{
    error::Error,
    ir::{BinaryOp, Ty, UnaryOp, Value},
};
use naga::{Expression, Handle, MathFunction};

impl Lower<'_> {
    /// The type of an expression's scalars; `None` where it is no scalar, vector or matrix.
    pub(super) fn scalar_of(&self, expr: Handle<Expression>) -> Result<Option<Ty>, Error> {
        let scalar = self.frame().info[expr].ty.inner_with(&self.module.types).scalar();
        scalar.map(scalar_type).transpose()
    }

    /// A result of the carrier as a value that the type has: rounded for F16, wrapped for I16 and U16.
    pub(super) fn narrowed(&mut self, ty: Ty, value: Value) -> Value {
        match ty {
            Ty::F16 => self.b.unary(UnaryOp::QuantizeF16, value),
            Ty::I16 => {
                let bits = self.b.u32(16);
                let high = self.b.binary(BinaryOp::Shl, value, bits);
                self.b.binary(BinaryOp::Shr, high, bits)
            }
            Ty::U16 => {
                let mask = self.b.u32(0xffff);
                self.b.binary(BinaryOp::And, value, mask)
            }
            _ => value,
        }
    }

    /// [`Lower::narrowed`] of each value.
    pub(super) fn all_narrowed(&mut self, ty: Option<Ty>, values: impl AsRef<[Value]>) -> Vec<Value> {
        let values = values.as_ref().iter();
        values.map(|v| ty.map_or(*v, |ty| self.narrowed(ty, *v))).collect()
    }

    /// A value as memory holds it.
    pub(super) fn stored(&mut self, ty: Ty, value: Value) -> Value {
        if ty.is_memory_only() { self.b.convert(ty, value) } else { value }
    }

    /// The binary16 bits of an F32, in the low half of a U32.
    pub(super) fn half_bits(&mut self, x: Value) -> Value {
        let half = self.b.convert(Ty::F16, x);
        let bits = self.b.bitcast(Ty::U16, half);
        self.b.convert(Ty::U32, bits)
    }

    /// The F32 value of the binary16 bits in the low half of a U32.
    pub(super) fn half_value(&mut self, word: Value) -> Value {
        let bits = self.b.convert(Ty::U16, word);
        let half = self.b.bitcast(Ty::F16, bits);
        self.b.convert(Ty::F32, half)
    }

    /// A value conversion between any two scalar types.
    pub(super) fn converted(&mut self, from: Ty, to: Ty, value: Value) -> Value {
        match (from, to) {
            _ if from == to => value,
            (Ty::F64, Ty::F16) => self.half_of_double(value),
            (Ty::F16 | Ty::F32 | Ty::F64, Ty::I16 | Ty::U16) | (Ty::F16, Ty::I32 | Ty::U32 | Ty::I64 | Ty::U64) => {
                let limited = self.limited(from, to, value);
                self.b.convert(to.carrier(), limited)
            }
            _ => {
                let wide = self.b.convert(to.carrier(), value);
                self.narrowed(to, wide)
            }
        }
    }

    /// The same bits as another type of the same size.
    pub(super) fn recast(&mut self, from: Ty, to: Ty, value: Value) -> Value {
        if !from.is_memory_only() || from == to {
            return if from == to { value } else { self.b.bitcast(to, value) };
        }
        let bits = match from {
            Ty::F16 => self.half_bits(value),
            _ => self.b.bitcast(Ty::U32, value),
        };
        match to {
            Ty::F16 => self.half_value(bits),
            _ => {
                let carried = self.b.bitcast(to.carrier(), bits);
                self.narrowed(to, carried)
            }
        }
    }

    /// A float cut to the values that it and an integer type both have. NaN stays.
    fn limited(&mut self, from: Ty, to: Ty, value: Value) -> Value {
        let (low, high) = match (from, to) {
            (Ty::F16, Ty::I16) => (-32768.0, 32752.0),
            (_, Ty::I16) => (-32768.0, 32767.0),
            (Ty::F16, _) => (-65504.0, 65504.0),
            _ => (0.0, 65535.0),
        };
        let ty = self.b.ty(value);
        let (low, high) = (self.float(ty, low), self.float(ty, high));
        let (above, below) = (self.b.binary(BinaryOp::Gt, value, high), self.b.binary(BinaryOp::Lt, value, low));
        let cut = self.b.select(above, high, value);
        self.b.select(below, low, cut)
    }

    /// An F64 rounded once to F16.
    fn half_of_double(&mut self, x: Value) -> Value {
        let single = self.b.convert(Ty::F32, x);
        let back = self.b.convert(Ty::F64, single);
        let (exact, rounded) = (self.b.unary(UnaryOp::Abs, x), self.b.unary(UnaryOp::Abs, back));
        let above = self.b.binary(BinaryOp::Gt, exact, rounded);
        let below = self.b.binary(BinaryOp::Lt, exact, rounded);
        let odd = self.round_to_odd(single, above, below);
        self.b.unary(UnaryOp::QuantizeF16, odd)
    }

    /// `a * b + c` of F16 values, rounded once. The product is exact in F32, and so is what the sum loses.
    pub(super) fn half_fma(&mut self, a: Value, b: Value, c: Value) -> Value {
        let product = self.mul(a, b);
        let sum = self.add(product, c);
        let of_c = self.sub(sum, product);
        let of_product = self.sub(sum, of_c);
        let (lost_product, lost_c) = (self.sub(product, of_product), self.sub(c, of_c));
        let lost = self.add(lost_product, lost_c);
        let direction = self.mul(sum, lost);
        let zero = self.float(Ty::F32, 0.0);
        let above = self.b.binary(BinaryOp::Gt, direction, zero);
        let below = self.b.binary(BinaryOp::Lt, direction, zero);
        let odd = self.round_to_odd(sum, above, below);
        self.b.unary(UnaryOp::QuantizeF16, odd)
    }

    /// A value rounded to nearest, rounded to odd instead: where the exact magnitude is above or below it, the neighbour
    /// with an odd last place is taken.
    fn round_to_odd(&mut self, nearest: Value, above: Value, below: Value) -> Value {
        let bits = self.b.bitcast(Ty::U32, nearest);
        let (zero, one) = (self.b.u32(0), self.b.u32(1));
        let last = self.b.binary(BinaryOp::And, bits, one);
        let is_even = self.b.binary(BinaryOp::Eq, last, zero);
        let (up, down) = (self.add(bits, one), self.sub(bits, one));
        let lower = self.b.select(below, down, bits);
        let moved = self.b.select(above, up, lower);
        let odd = self.b.select(is_even, moved, bits);
        self.b.bitcast(Ty::F32, odd)
    }

    /// The bit functions whose result depends on the width, on a 16-bit integer; `None` for any other function.
    pub(super) fn short_bits(&mut self, fun: MathFunction, ty: Ty, value: Value) -> Option<Value> {
        let word = self.b.bitcast(Ty::U32, value);
        let low = self.narrowed(Ty::U16, word);
        let sixteen = self.b.u32(16);
        let bits = match fun {
            MathFunction::CountOneBits => self.b.unary(UnaryOp::CountOneBits, low),
            MathFunction::CountLeadingZeros => {
                let zeros = self.b.unary(UnaryOp::CountLeadingZeros, low);
                self.sub(zeros, sixteen)
            }
            MathFunction::CountTrailingZeros => {
                let end = self.b.u32(1 << 16);
                let ended = self.b.binary(BinaryOp::Or, low, end);
                self.b.unary(UnaryOp::CountTrailingZeros, ended)
            }
            MathFunction::ReverseBits => {
                let reversed = self.b.unary(UnaryOp::ReverseBits, low);
                self.b.binary(BinaryOp::Shr, reversed, sixteen)
            }
            _ => return None,
        };
        let carried = self.b.bitcast(ty.carrier(), bits);
        Some(self.narrowed(ty, carried))
    }
}

/// Whether a built-in function of f16 values always gives an f16 value.
pub(super) fn is_exact(fun: MathFunction) -> bool {
    use MathFunction as F;
    matches!(
        fun,
        F::Abs
            | F::Min
            | F::Max
            | F::Clamp
            | F::Saturate
            | F::Ceil
            | F::Floor
            | F::Round
            | F::Trunc
            | F::Modf
            | F::Frexp
            | F::Sign
            | F::Step
            | F::FaceForward
            | F::Transpose
            | F::Fma
    )
}
