//! WGSL's built-in functions, expanded into IR operations by their definitions in the language's specification.

use super::{lower::Lower, shape::Shape, short::is_exact};
use crate::{
    error::Error,
    ir::{BinaryOp, Op, Ty, UnaryOp, Value},
};
use naga::{Expression, Handle, MathFunction};
use std::rc::Rc;

/// Arguments of a built-in function: the components of each.
pub(super) type Arguments<'a> = &'a [Rc<[Value]>];

impl Lower<'_> {
    pub(super) fn math(
        &mut self,
        handle: Handle<Expression>,
        fun: MathFunction,
        arguments: &[Handle<Expression>],
    ) -> Result<Rc<[Value]>, Error> {
        let shape = self.shape_of(arguments[0])?;
        let values = arguments.iter().map(|a| self.value(*a)).collect::<Result<Vec<_>, _>>()?;
        let ty = self.scalar_of(arguments[0])?;
        let results = self.carried_math(handle, fun, &values, &shape, ty)?;
        // What is no half yet is rounded once; integers may have left their 16 bits.
        let rounds = ty.filter(|ty| ty.is_memory_only() && !(*ty == Ty::F16 && is_exact(fun)));
        Ok(match rounds {
            Some(ty) => self.all_narrowed(Some(ty), results).into(),
            None => results,
        })
    }

    /// A built-in function in the carriers of its arguments.
    fn carried_math(
        &mut self,
        handle: Handle<Expression>,
        fun: MathFunction,
        values: Arguments<'_>,
        shape: &Shape,
        ty: Option<Ty>,
    ) -> Result<Rc<[Value]>, Error> {
        if let Some(ty @ (Ty::I16 | Ty::U16)) = ty {
            let short = values[0].iter().map(|v| self.short_bits(fun, ty, *v));
            if let Some(results) = short.collect::<Option<Rc<[Value]>>>() {
                return Ok(results);
            }
        }
        if let Some(op) = unary_op(fun) {
            return Ok(values[0].iter().map(|v| self.b.unary(op, *v)).collect());
        }
        if let Some(result) = self.geometry(fun, values, shape) {
            return Ok(result);
        }
        if let Some(result) = self.packing(fun, values) {
            return Ok(result);
        }
        match fun {
            MathFunction::Modf | MathFunction::Frexp => return self.decompose(handle, fun, &values[0]),
            _ => {}
        }
        let mut result = Vec::with_capacity(values[0].len());
        for i in 0..values.iter().map(|v| v.len()).max().unwrap_or(0) {
            let pick = |list: &Rc<[Value]>| list.get(i).or(list.first()).copied();
            let Some(scalars) = values.iter().map(pick).collect::<Option<Vec<Value>>>() else {
                return self.invalid("a built-in function of nothing");
            };
            match self.component(fun, &scalars, ty) {
                Some(value) => result.push(value),
                None => return self.unsupported(&format!("the built-in function {fun:?}")),
            }
        }
        Ok(result.into())
    }

    /// A function that works component by component.
    fn component(&mut self, fun: MathFunction, a: &[Value], of: Option<Ty>) -> Option<Value> {
        use MathFunction as F;
        let ty = self.b.ty(a[0]);
        let width = of.unwrap_or(ty).bytes() * 8;
        let arg = |i: usize| a.get(i).copied();
        Some(match fun {
            F::Min => self.b.binary(BinaryOp::Min, a[0], arg(1)?),
            F::Max => self.b.binary(BinaryOp::Max, a[0], arg(1)?),
            F::Clamp => self.clamp(a[0], arg(1)?, arg(2)?),
            F::Saturate => {
                let (zero, one) = (self.number(ty, 0), self.number(ty, 1));
                self.clamp(a[0], zero, one)
            }
            F::Atan2 => self.b.binary(BinaryOp::Atan2, a[0], arg(1)?),
            F::Pow => self.b.binary(BinaryOp::Pow, a[0], arg(1)?),
            F::Radians => {
                let factor = self.float(ty, std::f64::consts::PI / 180.0);
                self.mul(a[0], factor)
            }
            F::Degrees => {
                let factor = self.float(ty, 180.0 / std::f64::consts::PI);
                self.mul(a[0], factor)
            }
            F::Fract => {
                let whole = self.b.unary(UnaryOp::Floor, a[0]);
                self.sub(a[0], whole)
            }
            F::Ldexp => self.ldexp(a[0], arg(1)?),
            F::Sign => self.sign(a[0]),
            F::Fma if of == Some(Ty::F16) => self.half_fma(a[0], arg(1)?, arg(2)?),
            F::Fma => self.b.op(ty, Op::Fma(a[0], arg(1)?, arg(2)?)),
            F::Mix => {
                let one = self.number(ty, 1);
                let rest = self.sub(one, arg(2)?);
                let (x, y) = (self.mul(a[0], rest), self.mul(arg(1)?, arg(2)?));
                self.add(x, y)
            }
            F::Step => {
                let (zero, one) = (self.number(ty, 0), self.number(ty, 1));
                let reached = self.b.binary(BinaryOp::Le, a[0], arg(1)?);
                self.b.select(reached, one, zero)
            }
            F::SmoothStep => self.smoothstep(a[0], arg(1)?, arg(2)?),
            F::ExtractBits => self.extract_bits(a[0], arg(1)?, arg(2)?, width),
            F::InsertBits => self.insert_bits([a[0], arg(1)?], arg(2)?, arg(3)?, width),
            _ => return None,
        })
    }

    /// `min(max(x, low), high)`.
    pub(super) fn clamp(&mut self, x: Value, low: Value, high: Value) -> Value {
        let raised = self.b.binary(BinaryOp::Max, x, low);
        self.b.binary(BinaryOp::Min, raised, high)
    }

    fn sign(&mut self, x: Value) -> Value {
        let ty = self.b.ty(x);
        let (zero, one, minus) = (self.number(ty, 0), self.number(ty, 1), self.number(ty, -1));
        let (below, above) = (self.b.binary(BinaryOp::Lt, x, zero), self.b.binary(BinaryOp::Gt, x, zero));
        let negative = self.b.select(below, minus, zero);
        self.b.select(above, one, negative)
    }

    fn smoothstep(&mut self, low: Value, high: Value, x: Value) -> Value {
        let ty = self.b.ty(x);
        let (zero, one) = (self.number(ty, 0), self.number(ty, 1));
        let (two, three) = (self.number(ty, 2), self.number(ty, 3));
        let (above, width) = (self.sub(x, low), self.sub(high, low));
        let ratio = self.b.binary(BinaryOp::Div, above, width);
        let t = self.clamp(ratio, zero, one);
        let (square, double) = (self.mul(t, t), self.mul(two, t));
        let rest = self.sub(three, double);
        self.mul(square, rest)
    }

    /// `x * 2^e`, in three factors so that neither a step overflows early nor a factor does.
    fn ldexp(&mut self, x: Value, e: Value) -> Value {
        let ty = self.b.ty(x);
        let (bias, integer, mantissa) = if ty == Ty::F64 { (1023, Ty::I64, 52) } else { (127, Ty::I32, 23) };
        let (low, high) = (self.number(Ty::I32, 1 - bias), self.number(Ty::I32, bias));
        let (bias, shift) = (self.number(integer, bias), self.b.u32(mantissa));
        let (mut scaled, mut rest) = (x, e);
        for _ in 0..3 {
            let part = self.clamp(rest, low, high);
            rest = self.sub(rest, part);
            let wide = self.b.convert(integer, part);
            let biased = self.add(wide, bias);
            let bits = self.b.binary(BinaryOp::Shl, biased, shift);
            let factor = self.b.bitcast(ty, bits);
            scaled = self.mul(scaled, factor);
        }
        scaled
    }

    /// `modf` and `frexp`: a struct of the fractions, then the whole parts or exponents.
    fn decompose(
        &mut self,
        handle: Handle<Expression>,
        fun: MathFunction,
        values: &[Value],
    ) -> Result<Rc<[Value]>, Error> {
        let mut parts = (Vec::new(), Vec::new());
        for &v in values {
            let (fraction, other) = match fun {
                MathFunction::Modf => {
                    let whole = self.b.unary(UnaryOp::Trunc, v);
                    (self.sub(v, whole), whole)
                }
                _ => self.frexp(v),
            };
            parts.0.push(fraction);
            parts.1.push(other);
        }
        parts.0.append(&mut parts.1);
        let shape = self.shape_of(handle)?;
        if shape.leaves() != parts.0.len() as u64 {
            return self.invalid("a result struct of another size");
        }
        // naga gives exponents the width of the fraction.
        let leaves = parts.0.iter().zip(shape.leaf_types());
        Ok(leaves.map(|(v, ty)| self.b.convert(ty.carrier(), *v)).collect())
    }

    /// Fraction in [0.5, 1) and exponent; zero, infinities and NaN keep the value with exponent 0.
    fn frexp(&mut self, x: Value) -> (Value, Value) {
        let ty = self.b.ty(x);
        let wide = ty == Ty::F64;
        let (integer, mantissa, exponent_mask, half) =
            if wide { (Ty::U64, 52, 0x7ff, 1022) } else { (Ty::U32, 23, 0xff, 126) };
        // Subnormals are scaled into the normal range first.
        let (zero, scale) = (self.number(ty, 0), self.float(ty, 2f64.powi(mantissa + 2)));
        let (shift, mask) = (self.b.u32(mantissa as u32), self.b.constant(integer, exponent_mask));
        let none = self.b.constant(integer, 0);
        let exponent_of = |s: &mut Self, v: Value| {
            let bits = s.b.bitcast(integer, v);
            let high = s.b.binary(BinaryOp::Shr, bits, shift);
            (bits, s.b.binary(BinaryOp::And, high, mask))
        };
        let (_, raw) = exponent_of(self, x);
        let is_small = self.b.binary(BinaryOp::Eq, raw, none);
        let scaled = self.mul(x, scale);
        let normal = self.b.select(is_small, scaled, x);
        let (bits, biased) = exponent_of(self, normal);
        let keep = self.b.constant(integer, !(exponent_mask << mantissa));
        let half_bits = self.b.constant(integer, half << mantissa);
        let kept = self.b.binary(BinaryOp::And, bits, keep);
        let fraction_bits = self.b.binary(BinaryOp::Or, kept, half_bits);
        let fraction = self.b.bitcast(ty, fraction_bits);
        let (bias, nothing) = (self.number(Ty::I32, half as i32), self.number(Ty::I32, 0));
        let extra = self.number(Ty::I32, mantissa + 2);
        let extra = self.b.select(is_small, extra, nothing);
        let exponent = self.b.convert(Ty::I32, biased);
        let exponent = self.sub(exponent, bias);
        let exponent = self.sub(exponent, extra);
        let is_zero = self.b.binary(BinaryOp::Eq, x, zero);
        let is_special = self.b.binary(BinaryOp::Eq, raw, mask);
        let stays = self.b.binary(BinaryOp::Or, is_zero, is_special);
        (self.b.select(stays, x, fraction), self.b.select(stays, nothing, exponent))
    }

    /// Offset and count, limited so that they lie within the width of the type.
    fn bit_range(&mut self, width: Value, offset: Value, count: Value) -> (Value, Value) {
        let offset = self.b.binary(BinaryOp::Min, offset, width);
        let rest = self.sub(width, offset);
        (offset, self.b.binary(BinaryOp::Min, count, rest))
    }

    /// `width` is that of the type; the value may be carried in a wider one.
    fn extract_bits(&mut self, e: Value, offset: Value, count: Value, width: u32) -> Value {
        let ty = self.b.ty(e);
        let (width, carried) = (self.b.u32(width), self.b.u32(ty.bytes() * 8));
        let (offset, count) = self.bit_range(width, offset, count);
        let end = self.add(offset, count);
        let (up, down) = (self.sub(carried, end), self.sub(carried, count));
        let raised = self.b.binary(BinaryOp::Shl, e, up);
        let lowered = self.b.binary(BinaryOp::Shr, raised, down);
        let (none, zero) = (self.b.u32(0), self.number(ty, 0));
        let is_empty = self.b.binary(BinaryOp::Eq, count, none);
        self.b.select(is_empty, zero, lowered)
    }

    fn insert_bits(&mut self, [e, new]: [Value; 2], offset: Value, count: Value, width: u32) -> Value {
        let ty = self.b.ty(e);
        let width = self.b.u32(width);
        let (offset, count) = self.bit_range(width, offset, count);
        let (one, all) = (self.number(ty, 1), self.number(ty, -1));
        let power = self.b.binary(BinaryOp::Shl, one, count);
        let low = self.sub(power, one);
        let is_full = self.b.binary(BinaryOp::Eq, count, width);
        let low = self.b.select(is_full, all, low);
        let mask = self.b.binary(BinaryOp::Shl, low, offset);
        let outside = self.b.unary(UnaryOp::Not, mask);
        let moved = self.b.binary(BinaryOp::Shl, new, offset);
        let (kept, set) = (self.b.binary(BinaryOp::And, e, outside), self.b.binary(BinaryOp::And, moved, mask));
        self.b.binary(BinaryOp::Or, kept, set)
    }

    /// Functions of whole vectors and matrices.
    fn geometry(&mut self, fun: MathFunction, v: Arguments<'_>, shape: &Shape) -> Option<Rc<[Value]>> {
        use MathFunction as F;
        let a = &v[0];
        let rows = shape.part(0).map_or(1, |column| column.shape.leaves() as usize);
        Some(match fun {
            F::Dot => [self.dot(a, v.get(1)?)].into(),
            F::Outer => self.outer(a, v.get(1)?),
            F::Cross => self.cross(a, v.get(1)?)?,
            F::Length => [self.length(a)].into(),
            F::Distance => {
                let b = v.get(1)?;
                let difference: Vec<Value> = a.iter().zip(b.iter()).map(|(x, y)| self.sub(*x, *y)).collect();
                [self.length(&difference)].into()
            }
            F::Normalize => {
                let length = self.length(a);
                a.iter().map(|x| self.b.binary(BinaryOp::Div, *x, length)).collect()
            }
            F::FaceForward => self.face_forward(a, v.get(1)?, v.get(2)?),
            F::Reflect => self.reflect(a, v.get(1)?),
            F::Refract => self.refract(a, v.get(1)?, *v.get(2)?.first()?),
            F::Transpose => self.transpose(a, rows),
            F::Determinant => [self.determinant(a, rows)].into(),
            F::Inverse => self.inverse(a, rows),
            _ => return None,
        })
    }

    fn length(&mut self, v: &[Value]) -> Value {
        if let [x] = v {
            return self.b.unary(UnaryOp::Abs, *x);
        }
        let square = self.dot(v, v);
        self.b.unary(UnaryOp::Sqrt, square)
    }

    fn cross(&mut self, a: &[Value], b: &[Value]) -> Option<Rc<[Value]>> {
        let (&[x, y, z], &[u, v, w]) = (a, b) else { return None };
        let mut minor = |p: Value, q: Value, r: Value, s: Value| {
            let (first, second) = (self.mul(p, q), self.mul(r, s));
            self.sub(first, second)
        };
        Some([minor(y, w, z, v), minor(z, u, x, w), minor(x, v, y, u)].into())
    }

    fn face_forward(&mut self, e1: &[Value], e2: &[Value], e3: &[Value]) -> Rc<[Value]> {
        let along = self.dot(e2, e3);
        let zero = self.number(self.b.ty(along), 0);
        let faces = self.b.binary(BinaryOp::Lt, along, zero);
        let flip = |s: &mut Self, x: Value| {
            let other = s.b.unary(UnaryOp::Neg, x);
            s.b.select(faces, x, other)
        };
        e1.iter().map(|x| flip(self, *x)).collect()
    }

    /// `e1 - 2 * dot(e2, e1) * e2`.
    fn reflect(&mut self, e1: &[Value], e2: &[Value]) -> Rc<[Value]> {
        let along = self.dot(e2, e1);
        let two = self.number(self.b.ty(along), 2);
        let twice = self.mul(two, along);
        let mut reflected = Vec::with_capacity(e1.len());
        for (x, n) in e1.iter().zip(e2) {
            let back = self.mul(twice, *n);
            reflected.push(self.sub(*x, back));
        }
        reflected.into()
    }

    fn refract(&mut self, e1: &[Value], e2: &[Value], eta: Value) -> Rc<[Value]> {
        let along = self.dot(e2, e1);
        let ty = self.b.ty(along);
        let (zero, one) = (self.number(ty, 0), self.number(ty, 1));
        let (square, eta_square) = (self.mul(along, along), self.mul(eta, eta));
        let rest = self.sub(one, square);
        let bent = self.mul(eta_square, rest);
        let k = self.sub(one, bent);
        let is_total = self.b.binary(BinaryOp::Lt, k, zero);
        let (root, scaled) = (self.b.unary(UnaryOp::Sqrt, k), self.mul(eta, along));
        let normal = self.add(scaled, root);
        let mut refracted = Vec::with_capacity(e1.len());
        for (x, n) in e1.iter().zip(e2) {
            let (p, q) = (self.mul(eta, *x), self.mul(normal, *n));
            let direction = self.sub(p, q);
            refracted.push(self.b.select(is_total, zero, direction));
        }
        refracted.into()
    }
}

/// Functions that are one IR operation on each component.
fn unary_op(fun: MathFunction) -> Option<UnaryOp> {
    use MathFunction as F;
    Some(match fun {
        F::Abs => UnaryOp::Abs,
        F::Cos => UnaryOp::Cos,
        F::Cosh => UnaryOp::Cosh,
        F::Sin => UnaryOp::Sin,
        F::Sinh => UnaryOp::Sinh,
        F::Tan => UnaryOp::Tan,
        F::Tanh => UnaryOp::Tanh,
        F::Acos => UnaryOp::Acos,
        F::Asin => UnaryOp::Asin,
        F::Atan => UnaryOp::Atan,
        F::Asinh => UnaryOp::Asinh,
        F::Acosh => UnaryOp::Acosh,
        F::Atanh => UnaryOp::Atanh,
        F::Ceil => UnaryOp::Ceil,
        F::Floor => UnaryOp::Floor,
        F::Round => UnaryOp::Round,
        F::Trunc => UnaryOp::Trunc,
        F::Exp => UnaryOp::Exp,
        F::Exp2 => UnaryOp::Exp2,
        F::Log => UnaryOp::Log,
        F::Log2 => UnaryOp::Log2,
        F::Sqrt => UnaryOp::Sqrt,
        F::InverseSqrt => UnaryOp::InverseSqrt,
        F::QuantizeToF16 => UnaryOp::QuantizeF16,
        F::CountTrailingZeros => UnaryOp::CountTrailingZeros,
        F::CountLeadingZeros => UnaryOp::CountLeadingZeros,
        F::CountOneBits => UnaryOp::CountOneBits,
        F::ReverseBits => UnaryOp::ReverseBits,
        F::FirstTrailingBit => UnaryOp::FirstTrailingBit,
        F::FirstLeadingBit => UnaryOp::FirstLeadingBit,
        _ => return None,
    })
}
