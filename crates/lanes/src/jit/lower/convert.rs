//! Conversions between types, and integer division (through f64, which holds 32-bit quotients exactly).

use super::Lower;
use crate::{
    ir::{BinaryOp, Ty, Value},
    jit::{
        mir::{Kind, Src},
        x64::{Isa, VOp},
    },
};
use regalloc2::{Operand, VReg};

impl Lower<'_> {
    /// Converts a value; no Bools to.
    pub(super) fn convert(&mut self, from: Ty, to: Ty, a: Value) -> Vec<VReg> {
        use Ty::{Bool, F16, F32, F64, I16, I32, I64, U16, U32, U64};
        if from == Bool {
            return self.bool_numbers(to, a);
        }
        let r = self.vectors(a);
        let e = self.isa == Isa::Avx512;
        match (from, to) {
            (I32 | U32, I32 | U32) | (I64 | U64, I64 | U64) | (F32, F32) | (F64, F64) => r,
            (F16, F32) => self.map(&r, |l, r| {
                let half = l.pack_shorts(r);
                l.v2(VOp::Cvtph2ps, Src::Reg(half))
            }),
            (F32, F16) => self.map(&r, |l, r| {
                let half = l.narrowing(VOp::Cvtps2ph, r, Some(0));
                l.widen_shorts(half)
            }),
            (U16, U32) => r,
            (I16, I32) => self.map(&r, |l, r| {
                let high = l.v2i(VOp::Slldi, Src::Reg(r), 16);
                l.v2i(VOp::Sradi, Src::Reg(high), 16)
            }),
            (I32, I16) | (U32, U16) => self.map(&r, |l, r| {
                let mask = l.const_src(4, 0xffff);
                l.v3(VOp::And, r, mask)
            }),
            (I32, F32) => self.map(&r, |l, r| l.v2(VOp::Cvtdq2ps, Src::Reg(r))),
            (U32, F32) if e => self.map(&r, |l, r| l.v2(VOp::Cvtudq2ps, Src::Reg(r))),
            (U32, F32) => self.map(&r, Self::u32_to_f32),
            (F32, I32) => self.map(&r, Self::f32_to_i32),
            (F32, U32) => self.map(&r, Self::f32_to_u32),
            (I32, I64 | U64) => self.widen(VOp::Movsxdq, &r),
            (U32, I64 | U64) => self.widen(VOp::Movzxdq, &r),
            (F32, F64) => self.widen(VOp::Cvtps2pd, &r),
            (I32, F64) => self.widen(VOp::Cvtdq2pd, &r),
            (U32, F64) => self.u32_to_f64(&r),
            (I64 | U64, I32 | U32) => r.chunks(2).map(|h| self.low_words(h[0], h[1])).collect(),
            (F64, F32) => self.narrow(VOp::Cvtpd2ps, &r),
            (F64, I32) => self.f64_to_i32(&r),
            (F64, U32) if e => self.f64_to_u32(&r),
            (I64, F64) if e => self.map(&r, |l, r| l.v2(VOp::Cvtqq2pd, Src::Reg(r))),
            (U64, F64) if e => self.map(&r, |l, r| l.v2(VOp::Cvtuqq2pd, Src::Reg(r))),
            (I64, F32) if e => self.narrow(VOp::Cvtqq2ps, &r),
            (U64, F32) if e => self.narrow(VOp::Cvtuqq2ps, &r),
            _ => self.convert_by_helper(from, to, a),
        }
    }

    fn map(&mut self, r: &[VReg], f: impl Fn(&mut Self, VReg) -> VReg) -> Vec<VReg> {
        r.iter().map(|r| f(self, *r)).collect()
    }

    /// The upper lanes of a vector, in the lower ones.
    pub(super) fn upper(&mut self, r: VReg) -> VReg {
        let op = if self.isa == Isa::Avx512 { VOp::Extract256 } else { VOp::Extract128 };
        self.narrowing(op, r, Some(1))
    }

    /// An instruction whose destination is encoded as its last operand.
    pub(super) fn narrowing(&mut self, op: VOp, a: VReg, imm: Option<u8>) -> VReg {
        let d = self.float();
        let len = self.len();
        self.push(Kind::Narrow { op, len, imm }, vec![Operand::reg_def(d), Operand::reg_use(a)]);
        d
    }

    /// Elements of 32 bits to 64.
    fn widen(&mut self, op: VOp, r: &[VReg]) -> Vec<VReg> {
        let mut wide = Vec::with_capacity(2 * r.len());
        for r in r {
            wide.push(self.v2(op, Src::Reg(*r)));
            let upper = self.upper(*r);
            wide.push(self.v2(op, Src::Reg(upper)));
        }
        wide
    }

    /// Elements of 64 bits to 32.
    fn narrow(&mut self, op: VOp, r: &[VReg]) -> Vec<VReg> {
        let halves: Vec<VReg> = r.iter().map(|r| self.v2(op, Src::Reg(*r))).collect();
        halves.chunks(2).map(|h| self.together(h[0], h[1])).collect()
    }

    /// Two half vectors as one.
    fn together(&mut self, low: VReg, high: VReg) -> VReg {
        let op = if self.isa == Isa::Avx512 { VOp::Insert256 } else { VOp::Insert128 };
        self.v3i(op, low, Src::Reg(high), 1)
    }

    /// The low words of the 64-bit lanes of two vectors.
    fn low_words(&mut self, low: VReg, high: VReg) -> VReg {
        if self.isa == Isa::Avx2 {
            return self.join_masks(low, high);
        }
        let even = self.pooled((0..16).map(|lane| 2 * lane));
        let even = self.v2(VOp::Movups, Src::Mem(even));
        self.v4(VOp::Permt2d, low, even, Src::Reg(high))
    }

    /// Two exact halves, one rounding.
    fn u32_to_f32(&mut self, r: VReg) -> VReg {
        let high = self.v2i(VOp::Srldi, Src::Reg(r), 16);
        let high = self.v2(VOp::Cvtdq2ps, Src::Reg(high));
        let mask = self.const_src(4, 0xffff);
        let low = self.v3(VOp::And, r, mask);
        let low = self.v2(VOp::Cvtdq2ps, Src::Reg(low));
        let scale = self.const_src(4, 65536f32.to_bits().into());
        // high * 65536 + low
        self.v4(VOp::Fmadd132ps, high, low, scale)
    }

    /// Truncates, at most the largest f32 below 2^31; 0 for NaN. Too small numbers become the least by themselves.
    fn f32_to_i32(&mut self, r: VReg) -> VReg {
        let most = self.const_src(4, 2_147_483_520f32.to_bits().into());
        let clamped = self.v3(VOp::Minps, r, most);
        let whole = self.v2(VOp::Cvttps2dq, Src::Reg(clamped));
        self.zero_if_nan(whole, r)
    }

    fn zero_if_nan(&mut self, value: VReg, of: VReg) -> VReg {
        const ORDERED: u8 = 7;
        match self.isa {
            Isa::Avx512 => {
                let number = self.compare_k(VOp::Cmpps, of, Src::Reg(of), Some(ORDERED));
                self.v2_masked(VOp::Movups, Src::Reg(value), number, None)
            }
            Isa::Avx2 => {
                let number = self.v3i(VOp::Cmpps, of, Src::Reg(of), ORDERED);
                self.v3r(VOp::And, value, number)
            }
        }
    }

    fn f32_to_u32(&mut self, r: VReg) -> VReg {
        // The second operand is the result where the first is NaN.
        let zero = self.zero();
        let positive = self.v3r(VOp::Maxps, r, zero);
        let most = self.const_src(4, 4_294_967_040f32.to_bits().into());
        let clamped = self.v3(VOp::Minps, positive, most);
        if self.isa == Isa::Avx512 {
            return self.v2(VOp::Cvttps2udq, Src::Reg(clamped));
        }
        // From 2^31 on: less 2^31 while it is converted.
        let half = self.const_src(4, 2_147_483_648f32.to_bits().into());
        let large = self.v3i(VOp::Cmpps, clamped, half, 0x1d);
        let less = self.v3(VOp::And, large, half);
        let rest = self.v3r(VOp::Subps, clamped, less);
        let whole = self.v2(VOp::Cvttps2dq, Src::Reg(rest));
        let bit = self.v2i(VOp::Slldi, Src::Reg(large), 31);
        self.v3r(VOp::Xor, whole, bit)
    }

    fn u32_to_f64(&mut self, r: &[VReg]) -> Vec<VReg> {
        if self.isa == Isa::Avx512 {
            return self.widen(VOp::Cvtudq2pd, r);
        }
        // The integer in the mantissa of 2^52, less 2^52.
        let wide = self.widen(VOp::Movzxdq, r);
        let magic = self.const_src(8, MAGIC);
        self.map(&wide, |l, r| {
            let large = l.v3(VOp::Orq, r, magic);
            l.v3(VOp::Subpd, large, magic)
        })
    }

    fn f64_to_i32(&mut self, r: &[VReg]) -> Vec<VReg> {
        let most = self.const_src(8, 2_147_483_647f64.to_bits());
        let zero = self.zero();
        let numbers = self.map(r, |l, r| {
            let clamped = l.v3(VOp::Minpd, r, most);
            // A NaN became the bound; make it zero.
            match l.isa {
                Isa::Avx512 => {
                    let nan = l.compare_k(VOp::Cmppd, r, Src::Reg(r), Some(3));
                    l.blend_one(true, nan, zero, clamped)
                }
                Isa::Avx2 => {
                    let nan = l.v3i(VOp::Cmppd, r, Src::Reg(r), 3);
                    l.blend_v(true, clamped, zero, nan)
                }
            }
        });
        self.narrow(VOp::Cvttpd2dq, &numbers)
    }

    fn f64_to_u32(&mut self, r: &[VReg]) -> Vec<VReg> {
        let most = self.const_src(8, 4_294_967_295f64.to_bits());
        let zero = self.zero();
        let numbers = self.map(r, |l, r| {
            let positive = l.v3r(VOp::Maxpd, r, zero);
            l.v3(VOp::Minpd, positive, most)
        });
        self.narrow(VOp::Cvttpd2udq, &numbers)
    }

    /// Masks as numbers 0 and 1.
    pub(super) fn bool_numbers(&mut self, to: Ty, a: Value) -> Vec<VReg> {
        let one = match to {
            Ty::F32 => 1f32.to_bits().into(),
            Ty::F64 => 1f64.to_bits(),
            _ => 1,
        };
        let masks = self.masks(a);
        self.one_where(to.bytes() == 8, &masks, one)
    }

    /// Some bits where a mask is set, else zero.
    pub(super) fn one_where(&mut self, wide: bool, masks: &[VReg], bits: u64) -> Vec<VReg> {
        let mut result = Vec::new();
        for m in masks {
            let each = if wide { self.split_mask(*m).to_vec() } else { vec![*m] };
            for m in each {
                let src = self.const_src(if wide { 8 } else { 4 }, bits);
                result.push(match src {
                    Src::Splat(at) => {
                        let op = if wide { VOp::Broadcastsd } else { VOp::Broadcastss };
                        self.v2_masked(op, Src::Mem(at), m, None)
                    }
                    src => self.v3(VOp::And, m, src),
                });
            }
        }
        result
    }

    /// Whether a number is not zero.
    pub(super) fn is_nonzero(&mut self, a: Value) -> Vec<VReg> {
        let ty = self.ty(a);
        let a = self.vectors(a);
        let zero = self.zero();
        self.compare_vectors(BinaryOp::Ne, ty, &a, &vec![Src::Reg(zero); a.len()])
    }

    /// Rounds to binary16 and back.
    pub(super) fn quantize(&mut self, a: Value) -> Vec<VReg> {
        let a = self.vectors(a);
        self.map(&a, |l, r| {
            let half = l.narrowing(VOp::Cvtps2ph, r, Some(0));
            l.v2(VOp::Cvtph2ps, Src::Reg(half))
        })
    }

    /// Total division of 32-bit integers: `x / 0 = x`, `x % 0 = 0`, `MIN / -1 = MIN`.
    pub(super) fn integer_division(&mut self, op: BinaryOp, ty: Ty, a: Value, b: Value) -> Vec<VReg> {
        let nonzero = self.constant(b).is_some_and(|bits| bits != 0);
        let (x, y) = (self.vectors(a), self.vectors(b));
        let (fx, fy) = match ty {
            Ty::I32 => (self.widen(VOp::Cvtdq2pd, &x), self.widen(VOp::Cvtdq2pd, &y)),
            _ => (self.u32_to_f64(&x), self.u32_to_f64(&y)),
        };
        let quotients: Vec<VReg> = fx.iter().zip(&fy).map(|(x, y)| self.v3r(VOp::Divpd, *x, *y)).collect();
        let q = match (ty, self.isa) {
            (Ty::I32, _) => self.narrow(VOp::Cvttpd2dq, &quotients),
            (_, Isa::Avx512) => self.narrow(VOp::Cvttpd2udq, &quotients),
            (_, Isa::Avx2) => {
                let magic = self.const_src(8, MAGIC);
                let large = self.map(&quotients, |l, q| {
                    let whole = l.v2i(VOp::Roundpd, Src::Reg(q), 3 | 8);
                    l.v3(VOp::Addpd, whole, magic)
                });
                large.chunks(2).map(|h| self.low_words(h[0], h[1])).collect()
            }
        };
        let result: Vec<VReg> = match op {
            BinaryOp::Div => q,
            _ => (0..x.len())
                .map(|i| {
                    let product = self.v3r(VOp::Mulld, q[i], y[i]);
                    self.v3r(VOp::Subd, x[i], product)
                })
                .collect(),
        };
        if nonzero {
            return result;
        }
        let zero = self.zero();
        let by_zero = self.compare_vectors(BinaryOp::Eq, Ty::U32, &y, &vec![Src::Reg(zero); y.len()]);
        let instead = if op == BinaryOp::Div { x } else { vec![zero; y.len()] };
        self.blend(Ty::U32, &by_zero, &instead, &result)
    }
}

/// 2^52: an integer below it, put into its mantissa, is added to it.
const MAGIC: u64 = 0x4330_0000_0000_0000;
