//! Packing of vectors into words, unpacking, and the products of packed bytes.

use super::{lower::Lower, math::Arguments};
use crate::ir::{BinaryOp, Ty, UnaryOp, Value};
use naga::MathFunction;
use std::rc::Rc;

impl Lower<'_> {
    /// The packing functions; `None` for any other.
    pub(super) fn packing(&mut self, fun: MathFunction, v: Arguments<'_>) -> Option<Rc<[Value]>> {
        use MathFunction as F;
        let a = &v[0];
        let word = *a.first()?;
        Some(match fun {
            F::Pack4x8snorm => [self.pack_norm(a, 8, -1.0, 127.0)].into(),
            F::Pack4x8unorm => [self.pack_norm(a, 8, 0.0, 255.0)].into(),
            F::Pack2x16snorm => [self.pack_norm(a, 16, -1.0, 32767.0)].into(),
            F::Pack2x16unorm => [self.pack_norm(a, 16, 0.0, 65535.0)].into(),
            F::Pack2x16float => {
                let halves: Vec<Value> = a.iter().map(|x| self.half_bits(*x)).collect();
                [self.join(&halves, 16)].into()
            }
            F::Pack4xI8 | F::Pack4xU8 => {
                let words = self.as_words(a);
                [self.join(&words, 8)].into()
            }
            F::Pack4xI8Clamp => [self.pack_clamped(a, -128, 127)].into(),
            F::Pack4xU8Clamp => [self.pack_clamped(a, 0, 255)].into(),
            F::Unpack4x8snorm => self.unpack_norm(word, 8, true, 127.0),
            F::Unpack4x8unorm => self.unpack_norm(word, 8, false, 255.0),
            F::Unpack2x16snorm => self.unpack_norm(word, 16, true, 32767.0),
            F::Unpack2x16unorm => self.unpack_norm(word, 16, false, 65535.0),
            F::Unpack2x16float => {
                let halves = self.parts(word, 16, Ty::U32);
                halves.iter().map(|h| self.half_value(*h)).collect()
            }
            F::Unpack4xI8 => self.parts(word, 8, Ty::I32),
            F::Unpack4xU8 => self.parts(word, 8, Ty::U32),
            F::Dot4I8Packed => {
                let (x, y) = (self.parts(word, 8, Ty::I32), self.parts(*v.get(1)?.first()?, 8, Ty::I32));
                [self.dot(&x, &y)].into()
            }
            F::Dot4U8Packed => {
                let (x, y) = (self.parts(word, 8, Ty::U32), self.parts(*v.get(1)?.first()?, 8, Ty::U32));
                [self.dot(&x, &y)].into()
            }
            _ => return None,
        })
    }

    fn as_words(&mut self, values: &[Value]) -> Vec<Value> {
        values.iter().map(|v| self.b.bitcast(Ty::U32, *v)).collect()
    }

    /// The low bits of each word, the first lowest.
    fn join(&mut self, words: &[Value], bits: u32) -> Value {
        let mask = self.b.u32((1 << bits) - 1);
        let mut joined = self.b.u32(0);
        for (i, word) in words.iter().enumerate() {
            let shift = self.b.u32(i as u32 * bits);
            let low = self.b.binary(BinaryOp::And, *word, mask);
            let placed = self.b.binary(BinaryOp::Shl, low, shift);
            joined = self.b.binary(BinaryOp::Or, joined, placed);
        }
        joined
    }

    /// The parts of a word, sign-extended for I32.
    fn parts(&mut self, word: Value, bits: u32, ty: Ty) -> Rc<[Value]> {
        let word = self.b.bitcast(ty, word);
        let down = self.b.u32(32 - bits);
        let part = |s: &mut Self, i: u32| {
            let up = s.b.u32(32 - bits - i * bits);
            let raised = s.b.binary(BinaryOp::Shl, word, up);
            s.b.binary(BinaryOp::Shr, raised, down)
        };
        (0..32 / bits).map(|i| part(self, i)).collect()
    }

    /// `floor(0.5 + scale * clamp(x, low, 1))` of each component.
    fn pack_norm(&mut self, values: &[Value], bits: u32, low: f64, scale: f64) -> Value {
        let (low, one) = (self.float(Ty::F32, low), self.float(Ty::F32, 1.0));
        let (half, scale) = (self.float(Ty::F32, 0.5), self.float(Ty::F32, scale));
        let mut words = Vec::with_capacity(values.len());
        for x in values {
            let clamped = self.clamp(*x, low, one);
            let scaled = self.mul(scale, clamped);
            let shifted = self.add(half, scaled);
            let rounded = self.b.unary(UnaryOp::Floor, shifted);
            let integer = self.b.convert(Ty::I32, rounded);
            words.push(self.b.bitcast(Ty::U32, integer));
        }
        self.join(&words, bits)
    }

    /// `max(part / scale, -1)` of each part.
    fn unpack_norm(&mut self, word: Value, bits: u32, signed: bool, scale: f64) -> Rc<[Value]> {
        let parts = self.parts(word, bits, if signed { Ty::I32 } else { Ty::U32 });
        let (scale, least) = (self.float(Ty::F32, scale), self.float(Ty::F32, -1.0));
        let mut values = Vec::with_capacity(parts.len());
        for part in parts.iter() {
            let float = self.b.convert(Ty::F32, *part);
            let ratio = self.b.binary(BinaryOp::Div, float, scale);
            values.push(if signed { self.b.binary(BinaryOp::Max, ratio, least) } else { ratio });
        }
        values.into()
    }

    fn pack_clamped(&mut self, values: &[Value], low: i32, high: i32) -> Value {
        let Some(ty) = values.first().map(|v| self.b.ty(*v)) else { return self.b.u32(0) };
        let (low, high) = (self.number(ty, low), self.number(ty, high));
        let clamped: Vec<Value> = values.iter().map(|v| self.clamp(*v, low, high)).collect();
        let words = self.as_words(&clamped);
        self.join(&words, 8)
    }
}
